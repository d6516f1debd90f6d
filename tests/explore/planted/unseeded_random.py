"""Draws from OpenSSL's generator, which seeds itself."""

import ssl
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(ssl.RAND_bytes(8))


class UnseededRandom(Scenario):
    """The answer is drawn from `ssl`."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
