"""Trouble with a disk: what faults do to the operations of one machine's disk while they last.

Errors are raised as Python raises them, `OSError` with its `errno`, so that a program may handle them as it would for real.
"""

from __future__ import annotations

import errno
from math import fsum

import msgspec

__all__ = ["DiskTrouble", "DiskTroubles"]

_FAILURES = {
    "full": (errno.ENOSPC, ("write", "append", "truncate", "rename", "create", "mkdir")),
    "read": (errno.EIO, ("read",)),
    "write": (errno.EIO, ("write", "append", "truncate")),
    "fsync": (errno.EIO, ("fsync", "fsync_directory")),
}
"""What may fail, how, and which operations do."""


class DiskTrouble(msgspec.Struct, frozen=True):
    """What one fault does: seconds that each operation takes longer, what fails, whether syncing is a lie, and how many bytes too far
    writes go."""

    slow: float = 0.0
    fails: str = ""
    lies: bool = False
    astray: int = 0


class DiskTroubles:
    """All the trouble of one machine's disk; false while there is none."""

    __slots__ = ("_fails", "_troubles", "astray", "lies", "slow")

    def __init__(self) -> None:
        self._troubles: list[DiskTrouble] = []
        self._combine()

    def __bool__(self) -> bool:
        return bool(self._troubles)

    def add(self, trouble: DiskTrouble) -> None:
        """One more."""
        self._troubles.append(trouble)
        self._combine()

    def remove(self, trouble: DiskTrouble) -> None:
        """One less."""
        self._troubles.remove(trouble)
        self._combine()

    def error(self, operation: str) -> int | None:
        """The `errno` with which an operation fails now, if it does."""
        for fails, (number, operations) in _FAILURES.items():
            if fails in self._fails and operation in operations:
                return number
        return None

    def _combine(self) -> None:
        self.slow = fsum(trouble.slow for trouble in self._troubles)
        self._fails = {trouble.fails for trouble in self._troubles}
        self.astray = max((trouble.astray for trouble in self._troubles), default=0)
        self.lies = any(trouble.lies for trouble in self._troubles)
