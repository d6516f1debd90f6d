"""Small scenarios that the tests of the search explore."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st

from killpoint import Client, Host, Scenario, faults, operation
from killpoint.properties import Linearizable, Register


async def store(host: Host) -> None:
    """One server, so every answer is right."""
    value = None
    while True:
        message = await host.receive()
        match message.body:
            case ("write", new):
                value = new
                message.reply("ok")
            case ("read",):
                message.reply(value)


class OneServer(Scenario):
    """A register on one server, which forgets it when it dies; nothing kills it here."""

    hosts: ClassVar = {"n1": store}
    faults = faults.pauses()
    tolerates = 1
    mutants: ClassVar = {"deaf": "explore_scenarios:Deaf"}
    clients = 2
    properties: ClassVar = [Linearizable(Register())]

    @operation(value=st.integers(1, 9))
    async def write(self, client: Client, value: int) -> None:
        await client.request("n1", ("write", value), timeout=1)

    @operation()
    async def read(self, client: Client) -> object:
        return await client.request("n1", ("read",), timeout=1)


async def deaf(host: Host) -> None:
    """Confirms what is written, and forgets it."""
    while True:
        message = await host.receive()
        message.reply("ok" if message.body != ("read",) else None)


class Deaf(OneServer):
    """A server that does not write down what it confirms."""

    hosts: ClassVar = {"n1": deaf}


class Forgetful(OneServer):
    """The same server, which is killed: what was written is gone."""

    faults = faults.kills()


class Rough(OneServer):
    """Arguments of all sorts, all kinds of faults, a setting and kill points."""

    faults = faults.kills() | faults.power_losses() | faults.pauses() | faults.partitions() | faults.key_compromise()
    roles: ClassVar = ("leader",)
    keys: ClassVar = ("k1",)
    killpoints: ClassVar = ("before-answer",)
    settings: ClassVar = {"batch": (64, 1)}
    properties: ClassVar = []

    @operation(value=(1, 2, 3), word=st.sampled_from(["a", "b"]))
    async def put(self, client: Client, value: int, word: str) -> None:
        await client.request("n1", ("write", value), timeout=1)


async def mute(host: Host) -> None:
    """Listens, and never answers."""
    while True:
        await host.receive()


class Silent(Scenario):
    """A server that answers nobody."""

    hosts: ClassVar = {"n1": mute}
    faults = faults.kills() | faults.key_compromise()
    keys: ClassVar = ("k1",)

    @operation()
    async def ask(self, client: Client) -> object:
        return await client.request("n1", "ask", timeout=0.1)


_told: list[int] = []


class Leaky(Scenario):
    """A server whose answers depend on how often this process was asked before: fails only in a process that has run before."""

    hosts: ClassVar = {"n1": store}
    properties: ClassVar = [Linearizable(Register())]

    @operation()
    async def read(self, client: Client) -> object:
        _told.append(1)
        value = await client.request("n1", ("read",), timeout=1)
        return value if len(_told) < 20 else "made up"
