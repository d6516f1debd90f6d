"""Draws from the global random generator."""

import random
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(random.randrange(10**9))


class UnseededRandom(Scenario):
    """The answer is drawn from `random`."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
