"""Limits of a check that really end it: seconds, and memory, also in the middle of a step of somebody's own specification.

A search looks at the clock between its turns, which helps nothing where a single step takes an hour.  So in the main thread of
a Unix process an interval timer ticks; when a limit is passed its signal raises `Interrupted` wherever Python is.  That is no
`Exception`, and where a bare `except:` swallows it nevertheless, it comes again.  So it does, at the next tick, where the interpreter
itself swallows it (in `__del__`, and in callbacks of weak references and of garbage collection), and says nothing of it on standard
error.  Elsewhere (in other threads, on Windows) the limits are looked at between the turns only.

**What this cannot end** is a call into C that neither returns nor looks for signals, as most do that take long (sleeping, reading,
regular expressions).  The command line therefore asks specifications of somebody's own in a child process (`killpoint/cli/child.py`), which
it ends `GRACE` seconds after the limit.

Memory is what the process has resident, as the operating system counts it.  Unless told, a check may take half of what is
available when it begins, so that it ends before the machine swaps.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from ..properties.progress import Interrupted

try:
    import resource
except ImportError:  # pragma: no cover  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["GRACE", "Limits", "available_megabytes", "resident_megabytes"]

TICK = 0.05
"""Seconds between two looks at clock and memory."""

AGAIN = 1.0
"""Seconds after which whoever went on in spite of it is interrupted again."""

GRACE = 5.0
"""Seconds that may pass after the limit before a child process is killed."""

MEGABYTE = 1 << 20


class Limits:
    """While entered, no more than so many seconds pass and no more than so many megabytes are resident, or `Interrupted` is raised.

    None is no limit.  `expired` is for those who ask between turns; it raises too.  Limits may be nested: all of them hold.
    """

    def __init__(self, seconds: float | None = None, megabytes: float | None = None) -> None:
        self.seconds = seconds
        self.megabytes = megabytes
        self._ends = float("inf")
        self._next = float("-inf")
        self._watching = False
        self._signals = False
        self._before: object = None
        self._report = sys.unraisablehook
        self._outer = (0.0, 0.0)

    def expired(self) -> bool:
        """False, as long as the limits hold.

        Raises:
            Interrupted: they do not; says which.
        """
        why = self._why()
        if why:
            raise Interrupted(why)
        return False

    def __enter__(self) -> Self:
        if self.seconds is not None:
            self._ends = time.monotonic() + self.seconds
        self._watching = True
        self._signals = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
        if self._signals:
            self._report, sys.unraisablehook = sys.unraisablehook, self._swallowed
            self._before = signal.signal(signal.SIGALRM, self._tick)
            self._outer = signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watching = False  # from here on a tick does nothing
        if self._signals:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before)  # type: ignore[arg-type]  # what signal.signal gave us
            signal.setitimer(signal.ITIMER_REAL, *self._outer)  # of whoever limits more than this
            sys.unraisablehook = self._report

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if not self._watching:
            return
        now = time.monotonic()
        if now >= self._next and (why := self._why()):
            self._next = now + AGAIN
            raise Interrupted(why)
        if callable(self._before):
            self._before(number, frame)  # wider limits hold as well

    def _swallowed(self, raised: sys.UnraisableHookArgs) -> None:
        wider = isinstance(getattr(self._report, "__self__", None), Limits)
        if isinstance(raised.exc_value, Interrupted):
            self._next = float("-inf")
        if wider or not isinstance(raised.exc_value, Interrupted):
            self._report(raised)

    def _why(self) -> str:
        if time.monotonic() > self._ends:
            return self._too_late()
        if self.megabytes is not None and resident_megabytes() > self.megabytes:
            return f"not decided within {self.megabytes:,.0f} MB of memory, which depends on the machine"
        return ""

    def _too_late(self) -> str:
        return f"not decided within {self.seconds:g} s, before the deadline, which depends on the machine"


def resident_megabytes() -> float:
    """What this process has in memory; where the system does not tell, the most that it ever had."""
    if resource is None:  # pragma: no cover  # Windows
        return 0.0
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123  # twenty times a second
            return int(file.read().split()[1]) * resource.getpagesize() / MEGABYTE
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (MEGABYTE if sys.platform == "darwin" else 1024)


def available_megabytes() -> float | None:
    """What the machine, or the container, can still give without swapping; None if it does not say."""
    found = []
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(next(int(line.split()[1]) / 1024 for line in told if line.startswith("MemAvailable:")))
    except (OSError, ValueError, StopIteration):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / MEGABYTE / 2)
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes")):
        try:
            group = Path("/sys/fs/cgroup")
            found.append((int((group / limit).read_text("ascii")) - int((group / used).read_text("ascii"))) / MEGABYTE)
        except (OSError, ValueError):
            continue
    return min(found, default=None)
