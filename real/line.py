"""The line from a host's process to its supervisor: what happened, when, and which boundaries are crossed.

What happened is written with one system call before the program goes on, so a kill a moment later takes nothing of it.  Times are of
the system's monotonic clock, which all processes of a machine share; the supervisor orders by them.

A boundary costs nothing while no fault waits for it: one look into an empty set.  If one does, the whole process stands still until the
supervisor has struck, so that a kill lands exactly there.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping
from socket import socket
from typing import Protocol, TypeAlias

import msgspec

from ..properties.history import Value
from ..sim.frames import authored
from .wire import frame

__all__ = ["Crossing", "Happening", "Key", "Line", "ProcessLine", "crash_detail", "happening"]

Key: TypeAlias = tuple[str, int, int]
"""What a message is known by in all processes: its sender, the sender's incarnation, and which of its sends it was."""


class Happening(msgspec.Struct, frozen=True):
    """Something that happened in a process, at a time of its monotonic clock (seconds).

    `key` names it, for others to name as their `cause`.
    """

    time: float
    kind: str
    detail: Mapping[str, Value]
    key: Key | None = None
    cause: Key | None = None


class Crossing(msgspec.Struct, frozen=True):
    """A process stands at a boundary, which has these names, and waits for an answer of one byte."""

    boundaries: tuple[str, ...]


class Line(Protocol):
    """Where a host says what happens in it."""

    def tell(self, happening: Happening) -> None:
        """It happened."""
        ...

    def cross(self, *boundaries: str) -> None:
        """The host crosses a boundary, and goes on once no fault wants to strike there."""
        ...


class ProcessLine:
    """The line of a process, over a socket that blocks."""

    def __init__(self, supervisor: socket) -> None:
        self.armed: frozenset[str] = frozenset()
        """Boundaries that faults wait for."""
        self._supervisor = supervisor

    def tell(self, happening: Happening) -> None:
        """Say what happened."""
        self._write(happening)

    def cross(self, *boundaries: str) -> None:
        """Stand still here, if a fault waits for this."""
        if self.armed and not self.armed.isdisjoint(boundaries):
            self._write(Crossing(boundaries))
            if not self._supervisor.recv(1):
                os._exit(1)  # nobody is there any more

    def _write(self, value: object) -> None:
        try:
            self._supervisor.sendall(frame(value))
        except OSError:  # the supervisor has gone, and the run with it
            os._exit(1)


def happening(kind: str, detail: Mapping[str, Value], key: Key | None = None, cause: Key | None = None) -> Happening:
    """Something that happens now."""
    return Happening(time.monotonic(), kind, detail, key, cause)


def crash_detail(error: BaseException) -> Mapping[str, Value]:
    """What a crash is, as the simulator tells of it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    frame = authored(error)
    where = f"{frame.filename}:{frame.lineno} in {frame.name}" if frame is not None else ""
    try:
        message = str(error)
        lines = "".join(traceback.format_exception(error)).splitlines()
    except Exception:  # noqa: BLE001  # of the program
        message, lines = f"a {type(error).__name__} whose text cannot be made", []
    return {"error": type(error).__name__, "message": message, "where": where, "traceback": tuple(lines)}
