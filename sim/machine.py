"""A simulated machine, and the handles by which its program touches the world.

`Machine` is what survives a kill: name, disk, counters of boundaries, what was last observed.  Each incarnation of its program gets
fresh handles (`SimHost`, `SimDisk`), which know whether they are still the living ones.  After a kill the old handles are **fenced**:
whatever still holds them (the rest of a task's step, a `finally` that runs when frames are freed) can touch nothing.

Boundaries are crossed here: every send, delivery, disk operation and kill point counts one, *before* it takes effect, and asks the
world whether an action was waiting for it.
"""

from __future__ import annotations

import inspect
import os
from binascii import crc32
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from errno import EIO, ENOSPC, errorcode
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from trio.lowlevel import Abort, Task, cancel_shielded_checkpoint, checkpoint, current_task, wait_task_rescheduled

from ..properties.history import Value
from .clock import MachineClock
from .disk import DiskImage
from .disk_trouble import DiskTroubles
from .entropy import Entropy
from .kernel.stack import Stack
from .trio_driver import Engine, HostClock
from .trio_parts import Given, Parking
from .trio_sockets import hooks

if TYPE_CHECKING:
    from .aim import Armed
    from .interpose.files import HostFiles
    from .interpose.logs import Loggers
    from .world import World

__all__ = ["Delivery", "Machine", "SimDisk", "SimHost", "UnknownHost"]

GROWING = ("write", "append", "truncate")  # operations that may need more room

PLAIN, REQUEST, REPLY, SEGMENT = 0, 1, 2, 3


class UnknownHost(LookupError):  # noqa: N818  # what resolvers call it
    """A message was sent to a name that no host of this world has."""


class Machine:
    """One machine of the world.  `role` is "system", "client" or "outsider", or one of those in `membership.py`."""

    def __init__(self, world: World, name: str, index: int, role: str, program: Callable[[SimHost], Awaitable[None]]) -> None:
        self.world = world
        self.name = name
        self.index = index
        self.role = role
        self.program = program
        self.version = ""
        self.handle_type: type[SimHost] = SimHost
        self.disk = DiskImage()
        self.disk_troubles = DiskTroubles()
        self.spoiled = False  # whether a fault has taken from the disk what was, or seemed, durable
        self.slow = 0.0  # seconds that it stands still after each slice
        self.entropy = Entropy(world, name)
        self.clock = MachineClock(self)
        self.last_uuid = 0
        self.files: HostFiles | None = None
        self.loggers: Loggers | None = None
        self.stack: Stack | None = None
        self.powered = True
        self.sockets = hooks(self)
        self.incarnation = 0
        self.handle: SimHost | None = None
        self.engine: Engine | None = None
        self.paused = False
        self.observed: dict[str, Value] = {}
        self.held: deque[Delivery] = deque()
        self.crossings: dict[str, int] = {}
        self.armed: dict[str, list[Armed]] = {}
        self.wake_at = inf
        self.deadline = -inf
        self.wake_ticket = 0
        self.sends = 0
        self.deliveries = 0
        self.disk_begun = 0
        self.disk_operations = 0
        self.batches = 0
        self.send_time = -1.0
        self.send_ordinals: dict[str, int] = {}

    @property
    def alive(self) -> bool:
        """True while a program runs here, paused or not."""
        return self.handle is not None

    coming_up = False  # of real processes, while they load their programs

    def boot(self) -> None:
        """Begin a new incarnation of the program; it runs at the machine's next slice."""
        self.incarnation += 1
        self.batches = 0
        self.deadline = -inf
        self.observed = {}
        handle = self.handle = self.handle_type(self)
        world = self.world

        async def main() -> None:
            running = self.program(handle)
            if not inspect.isawaitable(running):
                raise TypeError(f"the program of {self.name}, {self.program!r}, must be an `async def`")
            await running

        self.powered = True
        self.engine = Engine(main, HostClock(world, self.clock))
        self.engine.equip(self.sockets)

    def kernel(self) -> Stack:
        """The network part of its operating system, from the first moment that it is needed."""
        if self.stack is None:
            self.stack = Stack(self)
        return self.stack

    def install(self, program: Callable[[SimHost], Awaitable[None]], version: str) -> None:
        """What it begins next is another program."""
        self.program, self.version = program, version

    def arm(self, armed: Armed) -> None:
        """Let an action wait for a boundary of this machine."""
        self.armed.setdefault(armed.event, []).append(armed)

    def disarm(self, armed: Armed) -> None:
        """Let it wait no more, if it does."""
        waiting = self.armed.get(armed.event, [])
        if armed in waiting:
            waiting.remove(armed)
            if not waiting:
                del self.armed[armed.event]

    def count(self, event: str) -> None:
        """Count a crossing of a named boundary (kill points and disk operations by name)."""
        self.crossings[event] = self.crossings.get(event, 0) + 1


class Delivery(msgspec.Struct):
    """A message on its way and, once delivered, what `receive` returns."""

    sender: str
    to: str
    body: Any
    form: int
    request: int
    index: int
    sent: float
    receiver: SimHost | None = None

    def reply(self, body: Value) -> None:
        """Answer a request; a plain message is answered plainly."""
        receiver = self.receiver
        if receiver is None:
            raise RuntimeError(f"a message to {self.to} cannot be answered before it was delivered")
        if self.form == REQUEST:
            receiver.transmit(self.sender, body, REPLY, self.request)
        else:
            receiver.transmit(self.sender, body, PLAIN, 0)

    def __repr__(self) -> str:
        return f"<message {self.sender} -> {self.to}: {self.body!r}>"


async def _never() -> None:
    """Stop here for ever: what a dead program does."""
    await wait_task_rescheduled(lambda _: Abort.FAILED)


class SimHost:
    """The Host protocol over a simulated machine, for one incarnation."""

    __slots__ = (
        *("_first", "_inbox", "_machine", "_parking", "_replies", "_requests", "_waiting"),
        *("disk", "incarnation", "name", "peers", "world"),
    )

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.world = machine.world
        self.name = machine.name
        self.incarnation = machine.incarnation
        self.peers = tuple(name for name in machine.world.members if name != machine.name)
        self.disk = SimDisk(self, machine)
        self._inbox: deque[Delivery] = deque()
        self._first: Task | None = None  # the task that has waited longest; `_waiting` are the others, in order
        self._parking = Parking(self._leave)
        self._waiting: deque[Task] = deque()
        self._replies: dict[int, Task | None] = {}
        self._requests = machine.incarnation << 32

    @property
    def random(self) -> Random:
        """Entropy of this host: the machine's own, so that a later incarnation never draws what an earlier one drew."""
        return self._machine.entropy

    @property
    def settings(self) -> dict[str, Value]:
        """The scenario's parameters."""
        return dict(self.world.settings)

    @property
    def fenced(self) -> bool:
        """True once the incarnation that this handle belongs to is dead."""
        return self._machine.handle is not self

    # -- messages ---------------------------------------------------------------------------------

    def transmit(self, to: str, body: Value, form: int = PLAIN, request: int = 0) -> None:
        """Hand a message of any form to the network, unless this incarnation is dead."""
        machine = self._machine
        if machine.handle is not self:
            return
        machine.sends += 1
        if machine.armed:
            machine.world.cross(machine, "send")
            if machine.handle is not self:
                return
        machine.world.network.send(machine, to, body, form, request)

    send = transmit
    """A plain message; see the Host protocol.  Under both names, since a call within a call is a twentieth of what a message costs."""

    async def receive(self) -> Delivery:
        """The next message; see the Host protocol."""
        if self._inbox and self._machine.handle is self:
            await checkpoint()
            if self._inbox:
                return self._inbox.popleft()
        task = current_task()
        waiting = self._waiting
        if self._first is None and not waiting:
            self._first = task
            return await self._parking  # type: ignore[no-any-return]  # `arrive` wakes it with a Delivery
        waiting.append(task)

        def abort(_: object) -> Abort:
            waiting.remove(task)
            return Abort.SUCCEEDED

        return await wait_task_rescheduled(abort)  # type: ignore[no-any-return]  # the same

    def _leave(self, _: object) -> Abort:
        """The first of those who wait is cancelled."""
        self._first = None
        return Abort.SUCCEEDED

    def arrive(self, message: Delivery) -> bool:
        """A message came in.  True if some task of the host was waiting for it."""
        message.receiver = self
        engine = self._machine.engine
        assert engine is not None
        if message.form == REPLY:
            task = self._replies.get(message.request)
            if task is None:
                return False
            self._replies[message.request] = None
            engine.reschedule(task, Given(message.body))
            return True
        if self._first is not None:
            engine.reschedule(self._first, Given(message))
            self._first = None
            return True
        if self._waiting:
            engine.reschedule(self._waiting.popleft(), Given(message))
            return True
        self._inbox.append(message)
        return False

    async def request(self, to: str, body: Value, *, timeout: float) -> Value:
        """Send and wait for the reply; see the Host protocol."""
        self._requests += 1
        number = self._requests
        with trio.fail_after(timeout):
            self.transmit(to, body, REQUEST, number)
            replies = self._replies
            replies[number] = current_task()

            def abort(_: object) -> Abort:
                replies[number] = None
                return Abort.SUCCEEDED

            try:
                return await wait_task_rescheduled(abort)
            finally:
                del replies[number]

    # -- telling the world ------------------------------------------------------------------------

    def observe(self, **values: Value) -> None:
        """Tell the world something of this host; see the Host protocol."""
        machine = self._machine
        if machine.handle is self:
            machine.world.observed(machine, values)
            machine.observed.update(values)

    async def killpoint(self, name: str) -> None:
        """A place at which an action may strike; see the Host protocol."""
        machine = self._machine
        if machine.handle is self:
            machine.count(name)
            machine.world.passed_killpoint(machine, name)
            if machine.armed:
                machine.world.cross(machine, name)
                if machine.paused:
                    await cancel_shielded_checkpoint()  # stops here, and goes on when the machine does
        if machine.handle is not self:
            await _never()

    def __repr__(self) -> str:
        return f"<host {self.name}, incarnation {self.incarnation}{', dead' if self.fenced else ''}>"


class SimDisk:
    """The Disk protocol over a machine's disk image, for one incarnation.

    Each operation is a checkpoint, then a boundary, then takes effect: one that was cancelled did not happen.
    """

    __slots__ = ("_host", "_image", "_machine")

    def __init__(self, host: SimHost, machine: Machine) -> None:
        self._host = host
        self._machine = machine
        self._image = machine.disk

    async def _cross(self, operation: str, path: str, data: bytes = b"", offset: int = 0) -> None:
        """Take the operation's time, count the boundary; returns only if the host still lives."""
        machine, host = self._machine, self._host
        if machine.handle is host:
            machine.disk_begun += 1
            latency = machine.world.noise.disk(machine.name, machine.disk_begun) + machine.disk_troubles.slow
            if latency > 0.0:
                await trio.sleep(latency)
            else:
                await checkpoint()
        self._boundary(operation)
        if machine.paused and machine.handle is host:
            await cancel_shielded_checkpoint()
        if machine.handle is not host:
            await _never()
        self._attempt(operation, path, data, offset)

    def _boundary(self, operation: str) -> None:
        machine = self._machine
        if machine.handle is self._host:
            machine.disk_operations += 1
            machine.count(f"disk:{operation}")
            if machine.armed:
                machine.world.cross(machine, "disk", f"disk:{operation}")

    def _attempt(self, operation: str, path: str, data: bytes, offset: int) -> None:
        """The operation takes effect now, unless the disk fails."""
        machine = self._machine
        failed = machine.disk_troubles.error(operation) if machine.disk_troubles else None
        if failed is None and operation in GROWING:
            size = self._image.size(path) if self._image.exists(path) else 0
            if not self._image.has_room(len(data) if operation == "append" else max(offset + len(data) - size, 0)):
                failed = ENOSPC
        name = "" if failed is None else errorcode[failed]
        machine.world.disk_operation(machine, operation, path, len(data), offset, crc32(data), name)
        if failed is not None:
            if operation == "fsync" and self._image.exists(path):
                self._image.forget(path)
            raise OSError(failed, os.strerror(failed), path)

    def at_once(self, operation: str, path: str, data: bytes = b"", offset: int = 0) -> None:
        """An operation of a program that does not await it: it takes no time, and what a dead program does fails.

        Raises:
            OSError: the disk fails, or the program is dead.
        """
        self._boundary(operation)
        if self._machine.handle is not self._host:
            raise OSError(EIO, "the program that does this is dead")
        self._attempt(operation, path, data, offset)

    @property
    def astray(self) -> int:
        """How many bytes too far writes go."""
        return self._machine.disk_troubles.astray

    @property
    def lies(self) -> bool:
        """True while what is synced is not made durable."""
        return self._machine.disk_troubles.lies

    async def read(self, path: str) -> bytes:
        """The whole content."""
        await self._cross("read", path)
        return self._image.read(path)

    async def write(self, path: str, data: bytes, offset: int = 0) -> None:
        """Overwrite from `offset` on."""
        await self._cross("write", path, data, offset)
        self._image.write(path, offset + self.astray, data)

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end."""
        await self._cross("append", path, data)
        end = self._image.size(path) + self.astray if self.astray and self._image.exists(path) else None
        self._image.write(path, end, data)

    async def truncate(self, path: str, size: int) -> None:
        """Cut or extend."""
        await self._cross("truncate", path, offset=size)
        self._image.truncate(path, size)

    async def fsync(self, path: str) -> None:
        """Make content durable."""
        await self._cross("fsync", path)
        if not self.lies:
            self._image.fsync(path)

    async def fsync_directory(self, path: str = "") -> None:
        """Make names durable."""
        await self._cross("fsync_directory", path)
        if not self.lies:
            self._image.fsync_directory(path)

    async def rename(self, source: str, target: str) -> None:
        """Atomically rename."""
        await self._cross("rename", f"{source} -> {target}")
        self._image.rename(source, target)

    async def remove(self, path: str) -> None:
        """Remove the name."""
        await self._cross("remove", path)
        self._image.remove(path)

    async def exists(self, path: str) -> bool:
        """True if there is such a file."""
        await self._cross("exists", path)
        return self._image.exists(path)

    async def list(self, path: str = "") -> Sequence[str]:
        """The names in a directory, sorted."""
        await self._cross("list", path)
        return self._image.list(path)
