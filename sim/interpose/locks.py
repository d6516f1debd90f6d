"""Locks on files: `fcntl.flock` and `fcntl.lockf`, as services take them to be the only one.

A host is one process, so `lockf` never waits, and `flock` conflicts only between two opens of the same file; to wait for oneself is a
deadlock, and an error here.  A kill releases all, as does closing the file.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .files import fail, files_of

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["FUNCTIONS"]

Real = Callable[..., Any]


def _flock(machine: Machine, real: Real, descriptor: Any, operation: int) -> None:
    files = files_of(machine)
    file = files.open.get(_number(descriptor))
    if file is None:
        real(descriptor, operation)
        return
    held = files.flocks.setdefault(file.status().st_ino, {})
    if operation & fcntl.LOCK_UN:
        held.pop(file.fileno(), None)
        return
    exclusive = bool(operation & fcntl.LOCK_EX)
    if any(holder != file.fileno() and (exclusive or theirs) for holder, theirs in held.items()):
        fail(errno.EWOULDBLOCK if operation & fcntl.LOCK_NB else errno.EDEADLK, file.name)
    held[file.fileno()] = exclusive


def _lockf(machine: Machine, real: Real, descriptor: Any, command: int, *where: int) -> None:
    if _number(descriptor) not in files_of(machine).open:
        real(descriptor, command, *where)


def _number(descriptor: Any) -> int:
    return descriptor if isinstance(descriptor, int) else int(descriptor.fileno())


FUNCTIONS: dict[str, Callable[..., Any]] = {"flock": _flock, "lockf": _lockf}
"""What of `fcntl` is replaced."""
