"""A write-ahead log in one file of a host's disk.

The writer must keep at most one frame un-fsynced, which is what makes the scanner's rule for torn tails right: after each
`append` a `sync`.  Several values that become durable together go into one record.

Recovery ends with an fsync although nothing was written: after a process kill the file may hold records that are only in the
page cache, and whoever acts on them must not lose them in a later power loss.
"""

from __future__ import annotations

from ...sim.host import Disk
from .framing import Ending, WalCorruptionError, encode, scan

__all__ = ["WalFile"]


class WalFile:
    """One log file: `recover` first, then `append` and `sync` in turn, by one task at a time."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path
        self._size = -1
        self._sequence = 0

    async def recover(self) -> tuple[bytes, ...]:
        """Its records, durable from now on; a torn tail is cut off, a file that is not there is created.

        Cost: reads the whole file; two disk operations more, three if it is created or torn.

        Raises:
            WalCorruptionError: a record in the middle cannot be read.
        """
        if not await self._disk.exists(self._path):
            await self._disk.write(self._path, b"")
        found = scan(await self._disk.read(self._path))
        if found.ending is Ending.CORRUPT:
            raise WalCorruptionError(
                f"{self._path} is corrupt at offset {found.offset}: {found.reason}; "
                "restore it from a copy, or remove this host's data and let it be replicated again under a new name"
            )
        if found.ending is Ending.TORN:
            await self._disk.truncate(self._path, found.offset)
        self._size, self._sequence = found.offset, len(found.records)
        await self.sync()
        await self._disk.fsync_directory(self._path.rpartition("/")[0])
        return found.records

    async def append(self, record: bytes) -> None:
        """Write a record behind the others.  It is durable after `sync`."""
        assert self._size >= 0, "recover() comes first"
        frame = encode(record, self._sequence, self._size)
        # Written at its place rather than at the end of the file: the checksum holds for that place only.
        await self._disk.write(self._path, frame, self._size)
        self._size += len(frame)
        self._sequence += 1

    async def sync(self) -> None:
        """Make what was appended durable."""
        await self._disk.fsync(self._path)
