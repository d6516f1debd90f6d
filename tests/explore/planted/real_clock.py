"""Reads the real clock."""

import time
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(time.time_ns())


class RealClock(Scenario):
    """The answer is the time of day."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
