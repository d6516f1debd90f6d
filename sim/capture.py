"""What hosts print, log and are warned of: lines with their host and virtual time, instead of text on somebody's terminal.

A line that is printed in parts is kept per incarnation until it is whole, so it does not matter who prints in the meantime or how the
world is stepped; half a line dies with its program, as the buffer of a real one would.

A warning is a line too, once per incarnation and place, whatever filters the process has and whoever else collects warnings (pytest
does); else the same schedule would be another run under a test than outside of one.  One warning is more than a line: **a coroutine
that was never awaited** is an operation that its author believes was carried out, such as an fsync, so it is a crash of its host.
CPython frees it, and tells `warnings`, at the very statement that lets go of it, which is as deterministic as the program is.
"""

from __future__ import annotations

import io
import logging
import sys
import traceback
import warnings
from opcode import opmap
from types import CoroutineType, FrameType
from typing import TYPE_CHECKING, Any, TextIO

from .frames import defined_at, is_program
from .trio_driver import Engine

if TYPE_CHECKING:
    from .world import World

__all__ = ["HostLogs", "HostOutput", "HostWarnings"]

_UNAWAITED = "_warn_unawaited_coroutine"
"""What CPython looks up in the module `warnings`, and calls with a coroutine that is freed before it was begun."""


class HostOutput(io.TextIOBase):
    """Takes the place of a standard stream.  What is written between slices goes to `real`, as before."""

    def __init__(self, world: World, level: str, real: TextIO) -> None:
        self.real = real
        self._world = world
        self._level = level
        self._unfinished: dict[str, tuple[int, str]] = {}

    def write(self, text: str) -> int:
        """Log the lines that are whole."""
        machine = self._world.running
        if machine is None:
            return self.real.write(text)
        incarnation, begun = self._unfinished.get(machine.name, (0, ""))
        if incarnation == machine.incarnation:
            text = begun + text
        *lines, rest = text.split("\n")
        self._unfinished[machine.name] = (machine.incarnation, rest)
        for line in lines:
            self._world.log(self._level, line)
        return len(text)

    @property
    def buffer(self) -> Any:
        """For programs that write bytes."""
        return self.real.buffer if self._world.running is None else _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As everywhere."""
        return "utf-8"

    def close(self) -> None:
        """The stream is everybody's."""

    def flush(self) -> None:
        """Nothing waits here that could be shown."""
        if self._world.running is None:
            self.real.flush()


class _Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer` of a host."""

    def __init__(self, stream: HostOutput) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def close(self) -> None:
        """The stream is everybody's."""


class HostLogs(logging.Handler):
    """What hears everything that hosts log and that reaches the root logger."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record, whatever is wrong with it: logging never raises into the program that logs."""
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001  # raised by the program's own objects
            text = f"{record.msg!s:.200} ({type(error).__name__} in its arguments)" if isinstance(record.msg, str) else repr(error)
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception_only(record.exc_info[1])).rstrip()
        self._world.log(record.levelname.lower(), f"{record.name}: {text}")


class HostWarnings:
    """While entered, warnings of hosts are the world's; those of anybody else go where they would have gone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: set[tuple[str, int, type[Warning], str, str, int]] = set()

    def __enter__(self) -> None:
        self._elsewhere = warnings.filters, warnings.showwarning
        self._unawaited_elsewhere = getattr(warnings, _UNAWAITED)
        self._catching = warnings.catch_warnings()
        self._catching.__enter__()
        warnings.simplefilter("always")
        warnings.showwarning = self._show  # type: ignore[assignment]  # a file to write to is never given
        setattr(warnings, _UNAWAITED, self._unawaited)

    def __exit__(self, *_: object) -> None:
        setattr(warnings, _UNAWAITED, self._unawaited_elsewhere)
        self._catching.__exit__(None, None, None)

    def _show(self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
        machine = self._world.running
        if machine is None:
            with warnings.catch_warnings():
                warnings.filters, warnings.showwarning = self._elsewhere  # catch_warnings puts them back
                warnings.warn_explicit(message, category, filename, lineno)
            return
        text = str(message)
        place = machine.name, machine.incarnation, category, text, filename, lineno
        if place not in self._told:
            self._told.add(place)
            self._world.log("warning", f"{category.__name__}: {text} ({filename}:{lineno})")

    def _unawaited(self, coroutine: CoroutineType[object, object, object]) -> None:
        """A coroutine was freed that never began."""
        world = self._world
        machine = world.running
        if machine is None:
            self._unawaited_elsewhere(coroutine)
        elif machine.alive and not world.stopped:
            where, made_there = _let_go(sys._getframe(1))
            advice = "write `await` before the call" if made_there else "`await` is missing where it was made, before it was let go of here"
            message = f"coroutine {coroutine.__qualname__!r} was never awaited: {advice}"
            own = is_program(coroutine.cr_code.co_filename)
            world.crash(machine, "NeverAwaited", message, where or defined_at(coroutine if own else machine.program), ())
            world.stopped = True


def _let_go(frame: FrameType | None) -> tuple[str, bool]:
    """The program's line that is being executed, `file:line in function`, and whether it made what it throws away."""
    innermost = frame
    while frame is not None and frame.f_code is not Engine.slice.__code__:
        code = frame.f_code
        if is_program(code.co_filename):
            thrown_away = frame is innermost and code.co_code[frame.f_lasti] == opmap["POP_TOP"]
            return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}", thrown_away
        frame = frame.f_back
    return "", False
