"""Checkers of workloads watch a simulated run and end it at the first violation: a bank that forgets half of a transfer in a kill."""

from typing import ClassVar

from killpoint import Client, Disk, Host, Scenario, faults, operation
from killpoint.explore.campaign import search
from killpoint.properties import Bank, Compose, Status, TotalQueue, UniqueIds

ACCOUNTS = ("a", "b", "c")


async def balances(disk: Disk) -> dict[str, int]:
    found = {}
    for account in ACCOUNTS:
        found[account] = int(await disk.read(account)) if await disk.exists(account) else 10
    return found


async def bank(host: Host) -> None:
    """Writes one account, then the other: a kill between them is the end of the money."""
    while True:
        message = await host.receive()
        there = await balances(host.disk)
        if message.body is None:
            message.reply(tuple(there.items()))
            continue
        source, target, amount = message.body
        if source != target and there[source] >= amount:
            await host.disk.write(source, b"%04d" % (there[source] - amount))
            await host.killpoint("half")
            await host.disk.write(target, b"%04d" % (there[target] + amount))
        message.reply("done")


class Accounts(Scenario):
    """Transfers between three accounts in three files."""

    hosts: ClassVar = {"bank": bank}
    clients = 2
    tolerates = 1
    killpoints = ("half",)
    faults = faults.kills()
    properties = (UniqueIds(), Compose(Bank(total=30), TotalQueue()))

    @operation(source=ACCOUNTS, target=ACCOUNTS, amount=(1, 2, 3))
    async def transfer(self, client: Client, source: str, target: str, amount: int) -> None:
        await client.request("bank", (source, target, amount), timeout=1.0)

    @operation()
    async def read(self, client: Client) -> tuple[tuple[str, int], ...]:
        return await client.request("bank", None, timeout=1.0)


def test_money_that_a_kill_destroys_is_missed() -> None:
    record = search(Accounts, seed=0, examples=200)
    assert record is not None
    assert record.failure is not None
    assert record.failure.evidence is not None
    assert (record.failure.status, record.failure.evidence.kind) == (Status.INVALID, "Bank: wrong-total")
    assert record.history.operation(record.failure.evidence.operations[-1]).function == "read"


async def careful(host: Host) -> None:
    """Writes all accounts at once."""
    if not await host.disk.exists("all"):
        await host.disk.write("all", b"\x0a\x0a\x0a")
    while True:
        message = await host.receive()
        there = dict(zip(ACCOUNTS, await host.disk.read("all"), strict=True))
        if message.body is None:
            message.reply(tuple(there.items()))
            continue
        source, target, amount = message.body
        if there[source] >= amount:
            there[source] -= amount
            there[target] += amount
            await host.disk.write("all", bytes(there.values()))
        message.reply("done")


class Careful(Accounts):
    """The same with a better bank."""

    hosts: ClassVar = {"bank": careful}
    killpoints = ()


def test_money_that_nobody_destroys_is_there() -> None:
    assert search(Careful, seed=0, examples=10) is None
