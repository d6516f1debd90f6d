"""The watchdog: breaks off a host that never yields.

`while True: pass` in node code would hang the run for ever; no virtual time passes, so no virtual time-out can end it.  A daemon
thread looks, while some world is being driven, whether that world's slice has been the same one for several seconds of real time,
and if so raises an exception *in the driving thread*, at whatever bytecode it is executing; again and again until the slice is
over, since node code may catch it.  Unlike an interval timer this needs no signal handler, which belongs to the user, and works
from any thread.

It cannot break off a single call into C that does not return, nor an endless loop within a `try` that catches everything within
an endless loop.  Its verdict depends on the machine's speed, says so, and is the only thing about a run that does; the limit is
generous (10 s by default, `KILLPOINT_WATCHDOG` in seconds, 0 to switch it off, which a debugger may want).
"""

from __future__ import annotations

import contextlib
import ctypes
import operator
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from .frames import is_program

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["Alarm", "NeverYieldsError", "Watchdog", "break_off", "watchdog"]

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)

INSIST = 0.02
"""Seconds after which the exception is raised again in a slice that goes on."""


class NeverYieldsError(BaseException):
    """Raised by the watchdog inside node code that does not return to its event loop."""


class Alarm(NamedTuple):
    """Which host was broken off, and where it was."""

    machine: Machine
    where: str


def break_off(call: Callable[[], None]) -> None:
    """Call what might never return, such as the clean-up of a program that catches everything, and break it off at once.

    The exception is raised at its first loop or call.  It is set without a step of our own in between.
    """
    thread = threading.get_ident()
    steps = partial(_raise_in, thread, NeverYieldsError), call
    error: BaseException | None = None
    with contextlib.suppress(NeverYieldsError):
        try:
            deque(map(operator.methodcaller("__call__"), steps), maxlen=0)
        except BaseException as raised:  # noqa: BLE001  # raised again below
            error = raised
        _use_up()
    if error is not None:
        raise error


def _use_up() -> None:
    """Let what is set, but not yet raised, be raised here.

    It could be taken back by setting NULL; but CPython then goes on looking for it at every call, and Python 3.11 for ever where it
    also calls a trace function: coverage or a debugger would hang.
    """
    with contextlib.suppress(NeverYieldsError):
        _raise_in(threading.get_ident(), NeverYieldsError)
        while True:
            pass


class _Watch:
    """One world that is being driven, and for how long its slice has been the same (seconds)."""

    __slots__ = ("alarm", "slices", "stuck", "thread", "world")

    def __init__(self, world: World) -> None:
        self.world = world
        self.thread = threading.get_ident()
        self.slices = -1
        self.stuck = 0.0
        self.alarm: Alarm | None = None

    def look(self, seconds: float, limit: float) -> None:
        """So many seconds have passed."""
        machine, slices = self.world.running, self.world.slices
        if machine is None or slices != self.slices:
            self.slices, self.stuck = slices, 0.0
            return
        self.stuck += seconds
        if self.stuck >= limit:
            self.alarm = self.alarm or Alarm(machine, _place(self.thread))
            _raise_in(self.thread, NeverYieldsError)


class Watchdog:
    """One per process; its thread begins with the first world that is watched."""

    def __init__(self) -> None:
        self.limit = _limit()
        self.alarmed = False
        """True if some world's slice was broken off and nobody has asked yet."""
        self._lock = threading.Lock()
        self._watches: dict[World, _Watch] = {}
        self._thread: threading.Thread | None = None
        self._never = threading.Event()

    def watch(self, world: World) -> None:
        """The current thread begins to drive this world."""
        if self.limit <= 0:
            return
        with self._lock:
            self._watches[world] = _Watch(world)
            if self._thread is None or not self._thread.is_alive():  # a forked process has none
                self._thread = threading.Thread(target=self._patrol, name="killpoint watchdog", daemon=True)
                with contextlib.suppress(RuntimeError):  # while the interpreter ends, none can begin
                    self._thread.start()

    def watches(self, world: World) -> bool:
        """True while this world is being watched."""
        return world in self._watches

    def unwatch(self, world: World) -> Alarm | None:
        """The world is no longer being driven.  The alarm that nobody has asked for, if there is one."""
        alarm = self.claim(world)
        with self._lock:
            self._watches.pop(world, None)
        return alarm

    def claim(self, world: World) -> Alarm | None:
        """The alarm of this world's last slice, if there was one; what has not been raised by now never will be."""
        if not self.alarmed:
            return None
        while True:
            try:
                with self._lock:
                    watch = self._watches.get(world)
                    alarm = watch.alarm if watch is not None else None
                    if watch is not None and alarm is not None:
                        watch.slices = -1
                        _use_up()
                        watch.alarm = None
                    self.alarmed = any(watch.alarm for watch in self._watches.values())
            except NeverYieldsError:
                continue  # it was raised just now, here
            return alarm

    def complaint(self) -> str:
        """What to say of a host that was broken off: the limit, and how to set another."""
        how = "the environment variable KILLPOINT_WATCHDOG sets another limit in seconds, 0 none"
        return f"the host computed for {self.limit:g} s of real time without awaiting anything; {how}"

    def _patrol(self) -> None:
        while True:
            seconds = INSIST if self.alarmed else max(min(self.limit / 4, 1.0), 0.01)
            self._never.wait(seconds)
            self._look(seconds)

    def _look(self, seconds: float) -> None:
        with self._lock:
            for watch in self._watches.values():
                watch.look(seconds, self.limit)
            self.alarmed = any(watch.alarm for watch in self._watches.values())


def _limit() -> float:
    try:
        return float(os.environ.get("KILLPOINT_WATCHDOG", "10"))
    except ValueError:
        return 10.0


def _place(thread: int) -> str:
    """`file:line in function` of what a thread is executing, skipping the standard library's and trio's frames."""
    frame = sys._current_frames().get(thread)
    first = frame
    while frame is not None:
        if is_program(frame.f_code.co_filename):
            break
        frame = frame.f_back
    frame = frame or first
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}" if frame else "nowhere"


watchdog = Watchdog()
