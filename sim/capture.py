"""What hosts print and log: lines with their host and virtual time, instead of text on somebody's terminal.

A line that is printed in parts is kept per incarnation until it is whole, so it does not matter who prints in the meantime or how the
world is stepped; half a line dies with its program, as the buffer of a real one would.
"""

from __future__ import annotations

import io
import logging
import traceback
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .world import World

__all__ = ["HostLogs", "HostOutput"]


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

    def close(self) -> None:
        """The stream is everybody's."""

    def flush(self) -> None:
        """Nothing waits here that could be shown."""
        if self._world.running is None:
            self.real.flush()


class HostLogs(logging.Handler):
    """The only handler of the root logger while a world is driven."""

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
