"""What a Raft member keeps on disk: term, vote and log, as records of one write-ahead log.

One `save` is one record, so a term, a vote and entries that belong together become durable together or not at all.  A record that
replaces entries from an index on says so; the file itself only grows.  Recovery replays the records in order.

Each rule is a small method: planted bugs override one.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...properties.history import Value
from ...sim.host import Disk
from ..wal import WalCorruptionError, WalFile
from .effects import HardState, Persist, Saved
from .messages import Entry
from .sessions import Request

__all__ = ["RaftStorage", "decode_value", "encode_value"]

encode_value: Callable[[Value], bytes] = msgspec.msgpack.Encoder().encode
"""The bytes of a command made of plain values.  Structs need a `decode` that knows their types."""


def decode_value(data: bytes) -> Value:
    """The command whose bytes these are, with tuples for arrays.

    Raises:
        msgspec.DecodeError: these are no such bytes.
    """
    return _freeze(msgspec.msgpack.decode(data))


def _freeze(value: Value) -> Value:
    if isinstance(value, list):
        return tuple(_freeze(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    raise msgspec.DecodeError(f"{type(value).__name__} is not a plain value; give the storage a decode function for it")


class StoredEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry on disk.  `command` is None for the no-op; `client` is set if the command came in a client's `Request`."""

    term: int
    command: bytes | None = None
    client: str | None = None
    number: int = 0


class StoredRecord(msgspec.Struct, frozen=True, array_like=True):
    """One save: the fields of `Persist`."""

    hard_state: HardState | None
    first: int = 0
    entries: tuple[StoredEntry, ...] = ()


_encode_record = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(StoredRecord).decode


class RaftStorage:
    """Durable state of one member.  `recover` first, then `save`.

    `encode` and `decode` turn a command into bytes and back; a state machine whose commands are structs passes its own.
    """

    def __init__(
        self,
        disk: Disk,
        path: str = "raft.wal",
        encode: Callable[[Value], bytes] = encode_value,
        decode: Callable[[bytes], Value] = decode_value,
    ) -> None:
        self._path = path
        self._wal = WalFile(disk, path)
        self._encode = encode
        self._decode = decode

    async def recover(self) -> Saved:
        """What was saved before, durable.  Cost: reads the whole log.

        Raises:
            WalCorruptionError: a record in the middle cannot be read, or does not fit those before it.
        """
        hard_state = HardState()
        entries: list[Entry] = []
        for number, data in enumerate(await self._wal.recover()):
            try:
                record = _decode_record(data)
                self._replay(record, entries)
            except ValueError as error:
                raise WalCorruptionError(f"{self._path}: record {number} is whole, but makes no sense: {error}") from error
            hard_state = record.hard_state or hard_state
        return Saved(hard_state, tuple(entries))

    async def save(self, persist: Persist) -> None:
        """Make this durable.  Cost: one write, one fsync."""
        await self.append(self.record(persist))
        await self.sync()

    def record(self, persist: Persist) -> bytes:
        """The record of one save."""
        entries = tuple(self._store(entry) for entry in persist.entries)
        return _encode_record(StoredRecord(self.kept_hard_state(persist.hard_state), persist.first, entries))

    def kept_hard_state(self, hard_state: HardState | None) -> HardState | None:
        """What is kept of a term and vote that changed: all of it."""
        return hard_state

    async def append(self, record: bytes) -> None:
        """Write a record, not yet durable."""
        await self._wal.append(record)

    async def sync(self) -> None:
        """Make what was written durable."""
        await self._wal.sync()

    def _replay(self, record: StoredRecord, entries: list[Entry]) -> None:
        if not 0 <= record.first <= len(entries) + 1:
            raise ValueError(f"it replaces entries from {record.first} on, but only {len(entries)} precede it")
        if record.first:
            entries[record.first - 1 :] = [self._load(entry) for entry in record.entries]

    def _store(self, entry: Entry) -> StoredEntry:
        command = entry.command
        if command is None:
            return StoredEntry(entry.term)
        if isinstance(command, Request):
            return StoredEntry(entry.term, self._encode(command.command), command.client, command.number)
        return StoredEntry(entry.term, self._encode(command))

    def _load(self, stored: StoredEntry) -> Entry:
        if stored.command is None:
            return Entry(stored.term)
        command = self._decode(stored.command)
        return Entry(stored.term, command if stored.client is None else Request(stored.client, stored.number, command))
