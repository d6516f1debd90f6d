"""Trouble with a disk: what faults do to the operations of one machine's disk while they last.

Errors are raised as Python raises them, `OSError` with its `errno`, so that a program may handle them as it would for real.
"""

from __future__ import annotations

import errno

import msgspec

__all__ = ["DISK_ERRORS", "DiskTrouble", "DiskTroubles"]

DISK_ERRORS = {"read": errno.EIO, "write": errno.EIO, "fsync": errno.EIO, "full": errno.ENOSPC}
"""What may fail, and how.  `full` concerns all that needs space; `fsync` also loses what was to be synced."""

_SPACE = ("write", "append", "truncate", "rename")
_READS = ("read",)
_WRITES = ("write", "append", "truncate")
_SYNCS = ("fsync", "fsync_directory")


class DiskTrouble(msgspec.Struct, frozen=True):
    """What one fault does: seconds that each operation takes longer, what fails, and whether syncing is a lie."""

    slow: float = 0.0
    fails: str = ""
    lies: bool = False


class DiskTroubles:
    """All the trouble of one machine's disk; false while there is none."""

    __slots__ = ("_fails", "_troubles", "lies", "slow")

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
        for fails, operations in (("full", _SPACE), ("read", _READS), ("write", _WRITES), ("fsync", _SYNCS)):
            if fails in self._fails and operation in operations:
                return DISK_ERRORS[fails]
        return None

    def _combine(self) -> None:
        self.slow = sum(trouble.slow for trouble in self._troubles)
        self._fails = {trouble.fails for trouble in self._troubles}
        self.lies = any(trouble.lies for trouble in self._troubles)
