"""Iterates over a set of strings."""

from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


async def serve(host: Host) -> None:
    seen = {"apple", "pear", "plum", "quince", "medlar", "fig"}
    while True:
        message = await host.receive()
        message.reply(",".join(seen))


class SetOfStrings(Scenario):
    """The answer lists a set."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
