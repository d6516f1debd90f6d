"""The rolling digest: two runs are the same run if and only if their digests are equal.

Every event, payload, disk byte, task choice and observed state goes in, in order, as a flat tuple of numbers, strings and bytes.
Tuples are collected and hashed in blocks of a fixed number: `marshal` in its version 2 is a canonical form for such tuples (no back
references, no interning, the same bytes on every supported Python), at a tenth of a microsecond per field.  Payloads are encoded first,
by msgpack with unordered collections sorted.

The digest after every block is kept, so that two runs can be compared without keeping either: the first block that differs says
where to look.
"""

from __future__ import annotations

import marshal
from hashlib import blake2b

import msgspec

__all__ = ["BLOCK", "Digest", "canonical"]

BLOCK = 256
"""Entries per block."""

_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=repr)


class Digest:
    """Collects entries; `note` is bound to a list's append and costs next to nothing."""

    __slots__ = ("_hash", "blocks", "entries", "note")

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self.entries: list[tuple[object, ...]] = []
        """What waits to be hashed; whoever notes sees to it that `flush` is called once there is a block of it."""
        self.note = self.entries.append
        self.blocks: list[str] = []

    def flush(self) -> None:
        """Hash the whole blocks of what was collected."""
        entries = self.entries
        while len(entries) >= BLOCK:
            self._hash.update(marshal.dumps(entries[:BLOCK], 2))
            del entries[:BLOCK]
            self.blocks.append(self._hash.hexdigest())

    def hexdigest(self) -> str:
        """The digest of everything so far; asking does not change what it will be."""
        digest = self._hash.copy()
        for start in range(0, len(self.entries), BLOCK):
            digest.update(marshal.dumps(self.entries[start : start + BLOCK], 2))
        return digest.hexdigest()


def canonical(value: object) -> bytes:
    """The detail of an incident as canonical bytes."""
    return _encoder.encode(value)
