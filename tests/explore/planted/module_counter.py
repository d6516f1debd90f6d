"""A counter in a module, which outlives every run."""

from itertools import count
from typing import ClassVar

from killpoint import Client, Host, Scenario, operation

request_numbers = count(1)


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(next(request_numbers))


class ModuleCounter(Scenario):
    """The answer counts all requests ever."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
