"""Escapes: what a program does to the real world although everything was done to give it a simulated one.

CPython tells of what leaves the process by audit events (PEP 578): opening files, connecting databases, sockets, starting processes.
What the interposed functions do raises none of them, so an event that is raised while a host's code runs is something that was reached by
another way: a C extension, or a function of the standard library that is not interposed.  Reading code is no escape.

By default an escape is an error at its call site, before anything has happened.  With `warn` it happens, is told of once per place, and
counted.  Clocks and entropy that a C extension reads by itself raise no events; those only the determinism check finds.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any

from ..frames import is_program
from . import running
from .files import is_code

if TYPE_CHECKING:
    from types import FrameType

    from ..machine import Machine

__all__ = ["POLICIES", "VARIABLE", "EscapeError", "watch"]

POLICIES = ("error", "warn")

VARIABLE = "KILLPOINT_ESCAPES"
"""The environment variable that holds the policy, so that processes that are started inherit it."""

_FILES = ("open", "sqlite3.connect", "os.truncate", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod")
_PROCESS = ("os.chdir", "os.putenv", "os.unsetenv", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.kill")
_NETWORK = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "syslog.openlog",
    "webbrowser.open",
)
_OTHER = ("_thread.start_new_thread", "_thread.start_joinable_thread", "fcntl.fcntl", "fcntl.flock", "fcntl.lockf", "signal.pthread_kill")
_EVENTS = frozenset((*_FILES, *_PROCESS, *_NETWORK, *_OTHER))

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_installed: list[bool] = []


class EscapeError(RuntimeError):
    """A simulated host reaches out of its world."""


def watch() -> None:
    """Look out for escapes, once per process and for good: an audit hook cannot be taken away.  It costs nothing outside of hosts."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        machine = running.machine()
        if machine is not None and not _harmless(event, arguments):
            if not machine.alive:
                raise OSError(errno.EIO, "the program that does this is dead")  # its clean-up code, which no kill would have run
            _escaped(machine, event, arguments)


def _harmless(event: str, arguments: tuple[Any, ...]) -> bool:
    """Reading code; databases in memory."""
    if any("__pycache__" in str(argument) for argument in arguments[:2]):
        return True  # the interpreter keeps what it has compiled
    if event == "open":
        path, _, flags = arguments
        return isinstance(path, int) or (isinstance(flags, int) and not flags & _WRITING and is_code(path))
    return event == "sqlite3.connect" and str(arguments[0]) == ":memory:"


def _escaped(machine: Machine, event: str, arguments: tuple[Any, ...]) -> None:
    what = f"{event}({', '.join(repr(argument)[:80] for argument in arguments[:2])})"
    where = _place(sys._getframe(2))
    if os.environ.get(VARIABLE, POLICIES[0]) != "warn":
        how = f"`--escapes warn`, or {VARIABLE}=warn, lets it happen"
        raise EscapeError(f"{what}: this reaches the real world, and not that of {machine.name} ({how}; the run is then not repeatable)")
    machine.world.escaped(machine, event, where)


def _place(frame: FrameType | None) -> str:
    """The program's line, `file:line in function`."""
    while frame is not None:
        code = frame.f_code
        if is_program(code.co_filename):
            return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        frame = frame.f_back
    return ""
