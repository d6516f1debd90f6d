"""The watchdog: breaks off a host that never yields.

`while True: pass` in node code would hang the run for ever; no virtual time passes, so no virtual time-out can end it.  A daemon
thread looks, while some world is being driven, whether that world's slice has been the same one for several seconds of real time, and
if so raises an exception *in the driving thread*, at whatever bytecode it is executing.  Unlike an interval timer this needs no
signal handler, which belongs to the user, and works from any thread.

It cannot break off a single call into C that does not return.  Its verdict depends on the machine's speed, says so, and is the only
thing about a run that does; the limit is generous (10 s by default, `KILLPOINT_WATCHDOG` in seconds, 0 to switch it off).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import TYPE_CHECKING

from .frames import is_program

if TYPE_CHECKING:
    from .world import World

__all__ = ["NeverYieldsError", "Watchdog", "watchdog"]

_raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)


class NeverYieldsError(BaseException):
    """Raised by the watchdog inside node code that does not return to its event loop."""


def _limit() -> float:
    try:
        return float(os.environ.get("KILLPOINT_WATCHDOG", "10"))
    except ValueError:
        return 10.0


class Watchdog:
    """One per process; its thread exists only while something is watched."""

    def __init__(self) -> None:
        self.limit = _limit()
        self._lock = threading.Lock()
        self._watched: dict[World, tuple[int, int, float]] = {}
        self._fired: dict[World, str] = {}
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def watch(self, world: World) -> None:
        """The current thread begins to drive this world."""
        if self.limit <= 0:
            return
        self._watched[world] = (threading.get_ident(), -1, 0.0)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._patrol, name="killpoint watchdog", daemon=True)
                    self._thread.start()

    def unwatch(self, world: World) -> None:
        """The world is no longer being driven."""
        self._watched.pop(world, None)
        if self._fired.pop(world, None) is not None:
            _raise_in(threading.get_ident(), None)  # NULL takes back what is not yet raised

    @property
    def alarmed(self) -> bool:
        """True if some world's slice was broken off and nobody has asked yet."""
        return bool(self._fired)

    def fired(self, world: World) -> str | None:
        """Where the world's current slice was broken off, or None."""
        if not self._fired:
            return None
        return self._fired.pop(world, None)

    def _patrol(self) -> None:
        step = max(min(self.limit / 4, 1.0), 0.01)
        while True:
            self._wake.wait(step)
            for world, (thread, slices, stuck) in list(self._watched.items()):
                moved = world.running is None or world.slices != slices
                now = (thread, world.slices, 0.0) if moved else (thread, slices, stuck + step)
                if world in self._watched:
                    self._watched[world] = now
                if now[2] >= self.limit and world not in self._fired:
                    self._fired[world] = _place(thread)
                    _raise_in(thread, NeverYieldsError)  # a class, raised there


def _place(thread: int) -> str:
    """`file:line in function` of what a thread is executing, skipping the standard library's and trio's frames."""
    frame = sys._current_frames().get(thread)
    first = frame
    while frame is not None:
        name = frame.f_code.co_filename
        if is_program(name) and "/lib/python" not in name.replace("\\", "/"):
            break
        frame = frame.f_back
    frame = frame or first
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}" if frame else "nowhere"


watchdog = Watchdog()
