"""Orders objects by id()."""

from typing import ClassVar

from killpoint import Client, Host, Scenario, operation


class Peer:
    """One of many, told apart by where it lies in memory."""

    def __init__(self, number: int) -> None:
        self.number = number


async def serve(host: Host) -> None:
    while True:
        message = await host.receive()
        peers = [Peer(number) for number in range(50)]
        message.reply(tuple(peer.number for peer in sorted(peers, key=id)))


class OrderOfAddresses(Scenario):
    """The answer is an order by address."""

    hosts: ClassVar = {"n1": serve}

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=1)
