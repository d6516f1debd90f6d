"""While a world is being driven: what is switched on, and put back afterwards.

Inside the outermost `with drive:` trio belongs to the world, automatic garbage collection is off (a collection can run `__del__` of
node objects at a moment that no schedule names), what hosts print or log, and warnings of them, go to the world with its virtual time,
and the watchdog watches.  Outside everything is as it was, whatever happened.
"""

from __future__ import annotations

import gc
import logging
import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING

from .capture import HostLogs, HostOutput, HostWarnings
from .frames import is_program
from .interpose.switch import Interposition
from .trio_driver import TaskTrap, driving
from .watchdog import Alarm, NeverYieldsError, watchdog

if TYPE_CHECKING:
    from .world import World

__all__ = ["Drive"]


class Drive:
    """A reentrant context manager, one per world."""

    def __init__(self, world: World, trap: TaskTrap) -> None:
        self._world = world
        self._trap = trap
        self._depth = 0
        self._rang = False
        self.listener = HostLogs(world)
        self.levels: dict[logging.Logger, int] = {}
        """Of loggers that hosts have changed, what they were before."""
        self._level: int | None = None
        self._out = HostOutput(world, "print", sys.stdout)
        self._err = HostOutput(world, "stderr", sys.stderr)
        self._warnings = HostWarnings(world)
        self._interposition = Interposition(world)

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._trio = driving(self._trap)
        self._trio.__enter__()
        self.collecting = gc.isenabled()
        gc.disable()
        root = logging.getLogger()
        self._root = root.level
        root.setLevel(min(root.level, logging.INFO) if self._level is None else self._level)
        self._out.real, self._err.real = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self._out, self._err
        self._warnings.__enter__()
        self._interposition.__enter__()
        watchdog.watch(self._world)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._depth -= 1
        if self._depth:
            return False
        alarm = watchdog.unwatch(self._world)
        if alarm is not None:
            self._blame(alarm)
        self._interposition.__exit__()
        self._warnings.__exit__()
        sys.stdout, sys.stderr = self._out.real, self._err.real
        root = logging.getLogger()
        self._level = root.level  # as the hosts have set it
        root.setLevel(self._root)
        if self.collecting:
            gc.enable()
        self._trio.__exit__(kind, error, trace)
        # An alarm may ring at the very end of the slice that it is for, and be heard only here.
        return self._rang and isinstance(error, NeverYieldsError)

    def check(self) -> bool:
        """After a slice: if the watchdog had to break it off, the host is to blame, and the run is over."""
        alarm = watchdog.claim(self._world)
        if alarm is not None:
            self._blame(alarm)
        return alarm is not None

    def _blame(self, alarm: Alarm) -> None:
        self._rang = True
        world = self._world
        if not world.stopped:
            world.crash(alarm.machine, "NeverYields", watchdog.complaint(), alarm.where, ())
            world.stopped = True

    @staticmethod
    def culprit(error: BaseException) -> BaseException:
        """The one exception that nurseries have wrapped, or the group if there are several."""
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        return error

    @staticmethod
    def text(error: BaseException) -> str:
        """What an exception says, if it can say it."""
        try:
            return str(error)
        except Exception:  # noqa: BLE001  # of the program
            return f"a {type(error).__name__} whose text cannot be made"

    @staticmethod
    def describe(error: BaseException) -> tuple[str, tuple[str, ...]]:
        """Where a program's exception was raised (`file:line in function`), and its traceback without our own and trio's frames."""
        every = traceback.extract_tb(error.__traceback__)
        frames = [frame for frame in every if is_program(frame.filename)] or every[-1:]
        where = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else "nowhere"
        lines = [line.rstrip() for line in traceback.format_list(frames)]
        lines += [line.rstrip() for line in traceback.format_exception_only(error)]
        return where, tuple(lines)
