"""While a world is being driven: what is switched on, and put back afterwards.

Inside the outermost `with drive:` trio belongs to the world, automatic garbage collection is off (a collection can run `__del__` of
node objects at a moment that no schedule names), what hosts print or log goes to the world with its virtual time, and the watchdog
watches.  Outside everything is as it was, whatever happened.
"""

from __future__ import annotations

import gc
import io
import logging
import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from .frames import is_program
from .trio_driver import Engine, TaskTrap, driving
from .watchdog import watchdog

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["Drive"]


class _HostOutput(io.TextIOBase):
    """Takes the place of sys.stdout: lines that a running host prints become log lines of that host."""

    def __init__(self, world: World, real: TextIO) -> None:
        self._world = world
        self._real = real
        self._parts: list[str] = []

    def write(self, text: str) -> int:
        if self._world.running is None:
            return self._real.write(text)
        *lines, rest = ("".join(self._parts) + text).split("\n")
        self._parts[:] = [rest] if rest else []
        for line in lines:
            self._world.log("print", line)
        return len(text)

    def flush(self) -> None:
        if self._world.running is None:
            self._real.flush()


class _HostLogs(logging.Handler):
    """The only handler of the root logger while a world is driven."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception_only(record.exc_info[1])).rstrip()
        self._world.log(record.levelname.lower(), f"{record.name}: {text}")


class Drive:
    """A reentrant context manager, one per world."""

    def __init__(self, world: World, trap: TaskTrap) -> None:
        self._world = world
        self._trap = trap
        self._depth = 0
        self._logs = _HostLogs(world)

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._trio = driving(self._trap)
        self._trio.__enter__()
        self._collecting = gc.isenabled()
        gc.disable()
        root = logging.getLogger()
        self._root = (root.handlers, root.level)
        root.handlers = [self._logs]
        if root.level > logging.INFO:
            root.setLevel(logging.INFO)
        self._stdout = sys.stdout
        sys.stdout = _HostOutput(self._world, self._stdout)
        watchdog.watch(self._world)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1
        if self._depth:
            return
        watchdog.unwatch(self._world)
        sys.stdout = self._stdout
        root = logging.getLogger()
        root.handlers, level = self._root
        root.setLevel(level)
        if self._collecting:
            gc.enable()
        self._trio.__exit__(kind, error, trace)

    def check(self, machine: Machine, engine: Engine) -> None:
        """After a slice: if the watchdog had to break it off, the host is to blame."""
        where = watchdog.fired(self._world)
        if where is not None:
            engine.poisoned = True
            world = self._world
            world.crash(machine, "NeverYields", "the host computed for seconds of real time without awaiting anything", where, ())
            world.stopped = True

    @staticmethod
    def culprit(error: BaseException) -> BaseException:
        """The one exception that nurseries have wrapped, or the group if there are several."""
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        return error

    @staticmethod
    def describe(error: BaseException) -> tuple[str, tuple[str, ...]]:
        """Where a program's exception was raised (`file:line in function`), and its traceback without our own and trio's frames."""
        every = traceback.extract_tb(error.__traceback__)
        frames = [frame for frame in every if is_program(frame.filename)] or every[-1:]
        where = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else "nowhere"
        lines = [line.rstrip() for line in traceback.format_list(frames)]
        lines += [line.rstrip() for line in traceback.format_exception_only(error)]
        return where, tuple(lines)
