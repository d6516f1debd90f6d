"""The content store: signed documents by digest, on the host's disk.

A document is written under a temporary name, synced, renamed, and its directory synced; only then is it there.  So a name in the
store always holds a whole document, whatever is lost at whatever moment.  Reading checks the content against its name.
"""

from __future__ import annotations

import trio

from ...sim.host import Disk
from .document import Signed, content_of, parse_signed

__all__ = ["ContentStore", "StoreCorruptionError"]


class StoreCorruptionError(ValueError):
    """A file of the store does not hold what its name says."""


class ContentStore:
    """Documents below one directory of a disk."""

    def __init__(self, disk: Disk, directory: str = "store") -> None:
        self._disk = disk
        self._directory = directory
        self._known: set[str] = set()
        # The same document may be put and removed by several tasks at once: a retry, a copy for a peer, recovery.
        self._lock = trio.Lock()

    async def put(self, signed: Signed) -> None:
        """Keep a document, durably; nothing to do if it is there."""
        async with self._lock:
            if signed.digest not in self._known:
                await self.write(signed)
                self._known.add(signed.digest)

    async def write(self, signed: Signed) -> None:
        """Write a document so that its name never holds less than all of it."""
        partial = f"{self._directory}/{signed.digest}.partial"
        await self._disk.write(partial, content_of(signed))
        await self._disk.fsync(partial)
        await self._disk.rename(partial, f"{self._directory}/{signed.digest}")
        await self._disk.fsync_directory(self._directory)

    async def get(self, digest: str) -> Signed | None:
        """The document of that name, or None.

        Raises:
            StoreCorruptionError: the file does not hold it.
        """
        try:
            content = await self._disk.read(f"{self._directory}/{digest}")
        except FileNotFoundError:
            return None
        try:
            signed = parse_signed(content)
        except ValueError as error:
            raise StoreCorruptionError(f"{self._directory}/{digest}: {error}") from error
        if signed.digest != digest:
            raise StoreCorruptionError(f"{self._directory}/{digest} holds document {signed.digest}")
        return signed

    async def digests(self) -> tuple[str, ...]:
        """The names of all documents, sorted."""
        return tuple(name for name in await self._disk.list(self._directory) if not name.endswith(".partial"))

    async def remove(self, digest: str) -> None:
        """Forget a document, durably."""
        async with self._lock:
            self._known.discard(digest)
            if await self._disk.exists(f"{self._directory}/{digest}"):
                await self._disk.remove(f"{self._directory}/{digest}")
                await self._disk.fsync_directory(self._directory)

    async def clean(self) -> None:
        """After a restart: drop what was being written; what has its final name is made durable, since it may be acted upon."""
        for name in await self._disk.list(self._directory):
            path = f"{self._directory}/{name}"
            if name.endswith(".partial"):
                await self._disk.remove(path)
            else:
                self._known.add(name)
        await self._disk.fsync_directory(self._directory)
