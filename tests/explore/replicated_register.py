"""A replicated register with a planted bug, as a user would write it: the first replica acknowledges before the others know."""

from typing import ClassVar

from killpoint import Client, Host, Scenario, faults, operation, unique
from killpoint.properties import Linearizable, Register


async def replica(host: Host) -> None:
    """Answers reads from its own copy."""
    value = None
    while True:
        message = await host.receive()
        match message.body:
            case ("write", new):
                value = new
                for peer in host.peers:
                    host.send(peer, ("copy", new))
                message.reply("ok")
            case ("copy", new):
                value = new
            case ("read",):
                message.reply(value)


class ReplicatedRegister(Scenario):
    """Three replicas; clients write to the first and read from any."""

    hosts: ClassVar = dict.fromkeys(("n1", "n2", "n3"), replica)
    faults = faults.kills() | faults.partitions()
    properties: ClassVar = [Linearizable(Register())]

    @operation(value=unique)
    async def write(self, client: Client, value: int) -> None:
        """Write through the first replica."""
        await client.request("n1", ("write", value), timeout=1)

    @operation()
    async def read(self, client: Client) -> object:
        """Read from any replica."""
        return await client.request(client.random.choice(client.servers), ("read",), timeout=1)
