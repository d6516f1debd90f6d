"""Garbage in a cycle, whose `__del__` changes what later runs see."""

from typing import ClassVar

from killpoint import Client, Host, Scenario, operation

buried = 0


class Connection:
    """Refers to itself, so only the garbage collector frees it."""

    def __init__(self) -> None:
        self.myself = self

    def __del__(self) -> None:
        global buried  # noqa: PLW0603  # the plant
        buried += 1


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        Connection()
        message.reply(buried)


class Garbage(Scenario):
    """The answer counts what was collected."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
