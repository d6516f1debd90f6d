"""Tasks that wait for a socket: at most one to read and one to write, as trio has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from outcome import Error, Value
from trio.lowlevel import Abort, Task, current_task, wait_task_rescheduled

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["Waiting"]


class Waiting:
    """Who waits for one socket of a machine."""

    __slots__ = ("_machine", "_tasks")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._tasks: dict[str, Task] = {}

    async def wait(self, direction: str) -> None:
        """Wait to be woken, in one direction: "read" or "write".

        Raises:
            trio.BusyResourceError: another task waits for the same.
            trio.ClosedResourceError: the socket was closed meanwhile.
        """
        tasks = self._tasks
        if direction in tasks:
            raise trio.BusyResourceError(f"another task is already waiting to {direction} this socket")
        tasks[direction] = current_task()

        def abort(_: object) -> Abort:
            del tasks[direction]
            return Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    def wake(self, *, readers: bool, writers: bool) -> None:
        """Let tasks look again, and run their host unless it is running."""
        tasks, engine, machine = self._tasks, self._machine.engine, self._machine
        if engine is None or not tasks:
            return
        reader = tasks.pop("read", None) if readers else None
        writer = tasks.pop("write", None) if writers else None
        if reader is not None:
            engine.reschedule(reader, Value(None))
        if writer is not None:
            engine.reschedule(writer, Value(None))
        if (reader or writer) is not None and machine.world.running is not machine:
            machine.world.run(machine)

    def interrupt(self) -> None:
        """The socket is about to be closed."""
        engine = self._machine.engine
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            assert engine is not None
            engine.reschedule(task, Error(trio.ClosedResourceError("another task closed this socket")))
