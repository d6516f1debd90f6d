"""What a trio run is made of here instead of what it is made of elsewhere: no descriptors, no signals, no threads, no memory addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from heapq import heappush
from itertools import count
from types import SimpleNamespace
from typing import Any

import outcome
import trio
from trio._core._instrumentation import Instruments
from trio._core._ki import KIManager
from trio._core._run import Deadlines, Runner, Task
from trio._core._traps import WaitTaskRescheduled
from trio.lowlevel import Abort

__all__ = ["FewInstruments", "Given", "NoIO", "NoKI", "OrderedDeadlines", "ParkedWakeup", "Parking", "inline_threads"]


class NoIO:
    """An I/O manager without I/O: what can be waited for are simulated sockets, which do the waiting themselves."""

    async def wait_readable(self, what: object) -> None:
        """Wait until a simulated socket has something to read."""
        await self._waiting(what)("read")

    async def wait_writable(self, what: object) -> None:
        """Wait until a simulated socket has room, or is connected."""
        await self._waiting(what)("write")

    def notify_closing(self, what: object) -> None:
        """A socket is about to be closed."""
        interrupt = getattr(what, "interrupt", None)
        if interrupt is not None:
            interrupt()

    def _waiting(self, what: object) -> Callable[[str], Awaitable[None]]:
        wait: Callable[[str], Awaitable[None]] | None = getattr(what, "wait", None)
        return wait if wait is not None else self._none(f"waiting for {what!r}")

    def _none(self, name: str) -> Callable[[str], Awaitable[None]]:
        raise RuntimeError(f"{name}: a simulated host has no real descriptors; it has sockets of trio, host.send, host.receive, host.disk")

    def __getattr__(self, name: str) -> object:
        """Whatever trio's public functions ask an I/O manager for."""
        return self._none(name)

    def statistics(self) -> object:
        """For `trio.lowlevel.current_statistics`."""
        return SimpleNamespace(backend="simulated", tasks_waiting_read=0, tasks_waiting_write=0)

    def process_events(self, events: object) -> None:
        """There are none."""

    def force_wakeup(self) -> None:
        """Nobody sleeps."""

    def close(self) -> None:
        """Nothing was opened."""


class FewInstruments(dict[str, dict[trio.abc.Instrument, None]]):
    """trio's instruments in a plain dictionary: the loop asks ten times per tick whether there are any."""

    add_instrument = Instruments.add_instrument
    remove_instrument = Instruments.remove_instrument
    call = Instruments.call


class NoKI(KIManager):
    """Control-C belongs to whoever drives the world, never to a host."""

    def install(self, deliver_cb: object, restrict_keyboard_interrupt_to_checkpoints: bool) -> None:
        """Not for hosts."""

    def close(self) -> None:
        """Nothing was opened."""


class ParkedWakeup:
    """Stands in for the socket pair by which other threads wake a trio loop: here it wakes the entry-queue task directly."""

    def __init__(self) -> None:
        self.parked: Task | None = None
        self.rung = False

    async def wait_woken(self) -> None:
        """Wait until the entry queue has something in it."""
        if not self.rung:
            self.parked = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self.parked = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        self.rung = False

    def wakeup_thread_and_signal_safe(self) -> None:
        """Wake the entry-queue task."""
        if self.parked is not None:
            task, self.parked = self.parked, None
            self.runner.reschedule(task, outcome.Value(None))
        else:
            self.rung = True

    runner: Runner

    def wakeup_on_signals(self) -> None:
        """No signals come."""

    def close(self) -> None:
        """Nothing was opened."""


class InlineThreads:
    """Takes the place of trio's cache of threads: what a thread would do is done at once, in no virtual time.

    When a real thread is done no schedule decides.  Code that calls back into trio from its thread finds that it is in none, and says so.
    """

    def start_thread_soon(
        self, call: Callable[[], object], deliver: Callable[[outcome.Outcome[object]], object], _name: str | None = None
    ) -> None:
        """Do it now, and tell whoever waits."""
        deliver(outcome.capture(call))


inline_threads = InlineThreads()


class OrderedDeadlines(Deadlines):
    """trio breaks ties between deadlines by memory address; this breaks them by order of arrival."""

    __slots__ = ("_arrival",)

    def __init__(self) -> None:
        super().__init__()
        self._arrival = count()

    def add(self, deadline: float, cancel_scope: trio.CancelScope) -> None:
        """As trio's, with another tie-breaker."""
        heappush(self._heap, (deadline, next(self._arrival), cancel_scope))
        self._active += 1


class Given:
    """A value for a task that is made runnable: what `outcome.Value` is, without a guard against being unwrapped twice."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def unwrap(self) -> object:
        """The value."""
        return self._value


class Parking:
    """A place where one task at a time waits to be rescheduled: `wait_task_rescheduled`, with one message for all waits."""

    __slots__ = ("_message",)

    def __init__(self, abort: Callable[[object], Abort]) -> None:
        self._message = WaitTaskRescheduled(abort)

    def __await__(self) -> Generator[object, Any, Any]:
        given = yield self._message
        return given.unwrap()
