"""Systems that the tests run both ways: one register, kept by its first host, which the others ask."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import trio

from killpoint import Client, Host, Scenario, Unknown, faults, operation, unique
from killpoint.properties import Linearizable, Register
from killpoint.sim.scenario import planted

LOG = "register/log"


async def keeper(host: Host) -> None:
    """Answers once what it was told is on the disk."""
    value = int.from_bytes((await host.disk.read(LOG))[-8:]) if await host.disk.exists(LOG) else None
    host.observe(role="keeper", value=value)
    while True:
        message = await host.receive()
        match message.body:
            case ("write", int(new)):
                await host.killpoint("before-write")
                await host.disk.append(LOG, new.to_bytes(8))
                await host.disk.fsync(LOG)
                await host.disk.fsync_directory("register")
                value = new
                host.observe(value=value)
                message.reply("written")
            case "read":
                message.reply(value)


async def forgetful_keeper(host: Host) -> None:
    """Answers, and keeps it in memory only."""
    value = None
    while True:
        message = await host.receive()
        match message.body:
            case ("write", int(new)):
                value = new
                message.reply("written")
            case "read":
                message.reply(value)


async def asker(host: Host) -> None:
    """Passes everything on."""
    async with trio.open_nursery() as nursery:
        while True:
            nursery.start_soon(_ask, host, await host.receive())


async def _ask(host: Host, message) -> None:
    with trio.move_on_after(1.0):
        message.reply(await host.request("n1", message.body, timeout=1.0))


class KeptRegister(Scenario):
    """Clients write and read through any host."""

    hosts: ClassVar = {"n1": keeper, "n2": asker, "n3": asker}
    clients = 2
    calm = 0.2
    faults = faults.kills() | faults.power_losses() | faults.pauses() | faults.partitions()
    properties: ClassVar = [Linearizable(Register())]
    mutants = planted(__name__, "Forgetful")

    @operation(value=unique, timeout=1.5)
    async def write(self, client: Client, value: int) -> None:
        """Each client writes through another host."""
        await client.request({"c1": "n2", "c2": "n3"}[client.name], ("write", value), timeout=1.5)

    @operation(through=("n1", "n2", "n3"), timeout=1.5)
    async def read(self, client: Client, through: str) -> int | None:
        """Read through a host."""
        return await client.request(through, "read", timeout=1.5)


class Forgetful(KeptRegister):
    """The keeper acknowledges what is nowhere but in its memory.

    Trigger: a write, a kill of the keeper, a read.
    """

    hosts: ClassVar = {**KeptRegister.hosts, "n1": forgetful_keeper}
    minimal = 3


async def crashes(host: Host) -> None:
    await trio.sleep(0.05)
    raise KeyError(host.name)


async def exits(_host: Host) -> None:
    await trio.sleep(0.05)
    os._exit(7)


async def returns(_host: Host) -> None:
    pass


async def spins(_host: Host) -> None:
    while True:
        pass


class OddPrograms(KeptRegister):
    """Programs that do not go on for ever."""

    hosts: ClassVar = {"n1": keeper, "n2": crashes, "n3": exits, "n4": returns, "n5": spins}


async def first(host: Host) -> None:
    await _says(host, "first")


async def second(host: Host) -> None:
    await _says(host, "second")


async def _says(host: Host, version: str) -> None:
    host.observe(peers=host.peers, incarnation=host.incarnation)
    while True:
        (await host.receive()).reply(version)


class Deployed(KeptRegister):
    """Programs that say which version they are."""

    hosts: ClassVar = {"n1": first, "n2": first}
    spares: ClassVar = {"n3": first}
    versions: ClassVar = {"second": {"n1": second, "n2": second}}
    properties: ClassVar = []

    @operation(host=("n1", "n2", "n3"), timeout=1.0)
    async def version(self, client: Client, host: str) -> object:
        """Ask which one it is."""
        return await client.request(host, "version", timeout=1.0)


async def listed(host: Host) -> None:
    """A service that knows nothing of its host: it serves what is in its file, and asks another for its own."""
    name = socket.gethostname()
    Path("name.txt").write_text(name)

    async def handle(stream: trio.SocketStream) -> None:
        request = (await stream.receive_some()).decode()
        if not request:
            return
        if request != name:
            async with await trio.open_tcp_stream(request, 7000) as other:
                await other.send_all(request.encode())
                await stream.send_all(await other.receive_some())
        else:
            await stream.send_all(Path("name.txt").read_bytes())

    async def tolerant(stream: trio.SocketStream) -> None:
        with suppress(OSError, trio.BrokenResourceError):
            await handle(stream)

    await trio.serve_tcp(tolerant, 7000)


class Listed(KeptRegister):
    """Three services at the same port."""

    hosts: ClassVar = dict.fromkeys(("n1", "n2", "n3"), listed)
    properties: ClassVar = []

    @operation(through=("n1", "n2", "n3"), of=("n1", "n2", "n3"), timeout=1.0)
    async def name_of(self, client: Client, through: str, of: str) -> object:
        """Ask one host for what is in the file of another."""
        try:
            async with await trio.open_tcp_stream(through, 7000) as stream:
                await stream.send_all(of.encode())
                return (await stream.receive_some()).decode()
        except (OSError, trio.BrokenResourceError) as error:
            raise Unknown("no answer") from error


async def forks(host: Host) -> None:
    """A program whose machine runs more than one process."""
    if os.fork() == 0:
        while True:
            Path("child.new").write_text(str(host.incarnation))
            Path("child.new").replace("child.txt")
            time.sleep(0.05)
    await keeper(host)


async def closes_everything(_host: Host) -> None:
    os.closerange(3, 256)
    time.sleep(3600)


async def odd_text(_host: Host) -> None:
    raise BrokenTextError


class BrokenTextError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Hostile(KeptRegister):
    """Programs that a supervisor has trouble with."""

    hosts: ClassVar = {"n1": forks, "n2": closes_everything, "n3": odd_text}
    properties: ClassVar = []

    @operation(timeout=1.0)
    async def leaves(self, client: Client) -> None:
        """Ends its process, it thinks."""
        raise SystemExit(0)


async def floods(host: Host) -> None:
    """Numbered bytes, one after the other, to whoever connects."""

    async def send(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            for number in range(3000):
                await stream.send_all(number.to_bytes(4))
                await trio.sleep(0.001)

    await trio.serve_tcp(send, 9000, host=None if host.name == "n1" else "127.0.0.1")


async def drinks(host: Host) -> None:
    """Reads a little at a time, and looks at something else whenever nothing has come."""
    await trio.sleep(0.3)
    stream = await trio.open_tcp_stream("n1", 9000)
    got, last = b"", 0
    while True:
        with trio.move_on_after(0.1):
            got += await stream.receive_some(64)
        while len(got) >= 4:
            assert int.from_bytes(got[:4]) == last, "a stream has lost bytes"
            got, last = got[4:], last + 1
        host.observe(read=last)


class Streams(KeptRegister):
    """A stream, whose reader gives up waiting again and again."""

    hosts: ClassVar = {"n1": floods, "n2": drinks, "n3": floods, "n4": floods}
    properties: ClassVar = []
