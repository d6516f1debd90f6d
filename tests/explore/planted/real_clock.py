"""Reads a real clock that is not the host's: how much of its processor the whole process has used."""

import resource
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(resource.getrusage(resource.RUSAGE_SELF).ru_utime)


class RealClock(Scenario):
    """The answer is a time."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
