"""The intent log: what this node has begun to issue and not yet brought to an end.

Before a document is stored anywhere, the intent to issue it is durable in a write-ahead log.  An intent ends `committed` or `aborted`.
After a crash the open ones say where to look; a document is never lost in silence.
"""

from __future__ import annotations

import msgspec
import trio

from ...sim.host import Disk
from ..wal import WalFile
from .document import Document

__all__ = ["Intent", "IntentLog"]


class Intent(msgspec.Struct, frozen=True):
    """A document that a node has begun to issue, and the key to sign it with."""

    document: Document
    digest: str


class _Record(msgspec.Struct, frozen=True):
    """Either an intent, or the end (`committed`, `aborted`) of the one with that digest."""

    digest: str
    document: Document | None = None
    end: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


class IntentLog:
    """Open intents by digest, over a write-ahead log."""

    def __init__(self, disk: Disk, path: str = "intents.wal") -> None:
        self._wal = WalFile(disk, path)
        self._lock = trio.Lock()
        self._open: dict[str, Intent] = {}

    async def recover(self) -> None:
        """Read the log; afterwards `open` holds what had no end.

        Raises:
            WalCorruptionError: a record in the middle cannot be read.
        """
        for data in await self._wal.recover():
            record = _decode(data)
            if record.document is not None:
                self._open[record.digest] = Intent(record.document, record.digest)
            else:
                self._open.pop(record.digest, None)

    @property
    def open(self) -> tuple[Intent, ...]:
        """Intents without an end, oldest first."""
        return tuple(self._open.values())

    async def begin(self, document: Document, digest: str) -> None:
        """Make an intent durable."""
        if digest not in self._open:
            self._open[digest] = Intent(document, digest)
            await self._write(_Record(digest, document))

    async def end(self, digest: str, how: str) -> None:
        """Note, durably, how an intent ended."""
        if self._open.pop(digest, None) is not None:
            await self._write(_Record(digest, None, how))

    async def _write(self, record: _Record) -> None:
        async with self._lock:
            await self._wal.append(_encode(record))
            await self._wal.sync()
