"""A system whose runs are a function of its schedules: what the other files of this folder spoil in one way each."""

from typing import ClassVar

from killpoint import Client, Host, Scenario, faults, operation


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        message.reply(host.random.randrange(1000))


class Honest(Scenario):
    """One server, asked for a number."""

    hosts: ClassVar = {"n1": serve}
    faults = faults.kills()

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
