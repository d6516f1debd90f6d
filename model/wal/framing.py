"""Framing of write-ahead-log records: how a log file says which of its bytes can be believed.

A frame is a header of 20 bytes and the record:

    magic and version   4 bytes   b"KWL" and 1
    length              4 bytes   of the record, little endian
    sequence            8 bytes   0 for the first record of the file, then one more each
    checksum            4 bytes   CRC-32 of everything else in the frame, and of the frame's own offset in the file
    record              `length` bytes

**Why the offset is in the checksum.**  A frame is valid only where it was written: bytes that were misdirected, left over from
an earlier use of the file, or that are part of a record (a log of log records) do not pass for frames.

**Torn or corrupt.**  A power loss tears the last write: the frame at the end is bad and nothing valid follows.  That is normal
and recovery drops it.  A bad frame with valid frames *after* it is something else: those records may have been acknowledged,
so dropping them silently loses data (the ALICE and "Protocol-Aware Recovery" papers, OSDI 2014 and FAST 2018, found most
systems doing so).  The scanner therefore looks on behind a bad frame before it calls it torn.  The rule is right only for a
writer that never has more than one frame un-fsynced; else a power loss may keep the second and lose the first.

What cannot be told apart: a last frame that rotted after its fsync looks torn.  Only a copy elsewhere (replication) helps.

Prior art: LevelDB's log format, SQLite's WAL (salted, chained checksums), etcd's wal package.  CRC-32 is zlib's.

Cost: `scan` is one pass over the bytes; behind a bad frame it visits occurrences of the magic only.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from zlib import crc32

import msgspec

__all__ = ["HEADER_SIZE", "Ending", "Scan", "WalCorruptionError", "encode", "scan"]

VERSION = 1
MARK = b"KWL"
MAGIC = MARK + bytes([VERSION])
HEADER_SIZE = 20
MAX_RECORD = 0xFFFF_FFFF

_HEAD = struct.Struct("<4sIQ")
_CHECKSUM = struct.Struct("<I")
_OFFSET = struct.Struct("<Q")


class WalCorruptionError(Exception):
    """A log whose damage is not a torn tail: the sentence says which file, at which offset, and what to do."""


class Ending(StrEnum):
    """How the valid part of a log ends."""

    CLEAN = "clean"
    TORN = "torn"
    CORRUPT = "corrupt"


class Scan(msgspec.Struct, frozen=True):
    """What a log holds.

    `records` are the valid records from the start on; `offset` (bytes) is where they end, the length of the log if `ending` is
    clean, else the offset of the first frame that cannot be believed; `reason` says why in words.
    """

    records: tuple[bytes, ...]
    ending: Ending
    offset: int
    reason: str = ""


def encode(record: bytes, sequence: int, offset: int) -> bytes:
    """The frame for the record with this sequence number (from 0), to be written at this offset (bytes) of the file.

    Raises:
        ValueError: the record is longer than 4 GiB, or a number is negative.
    """
    if len(record) > MAX_RECORD or sequence < 0 or offset < 0:
        raise ValueError(f"cannot frame {len(record)} bytes as record {sequence} at offset {offset}: out of range")
    head = _HEAD.pack(MAGIC, len(record), sequence)
    return head + _CHECKSUM.pack(_checksum(head, record, offset)) + record


def scan(data: bytes) -> Scan:
    """The records of a log's content, and how it ends.  Total: every byte string has an answer.

    Cost: one pass; behind a bad frame, one visit to each occurrence of the magic.
    """
    records: list[bytes] = []
    offset = 0
    while offset < len(data):
        record = _frame_at(data, offset, len(records))
        if record is None:
            return _bad_frame(data, offset, records)
        records.append(record)
        offset += HEADER_SIZE + len(record)
    return Scan(tuple(records), Ending.CLEAN, offset)


def _checksum(head: bytes, record: bytes | memoryview, offset: int) -> int:
    return crc32(record, crc32(_OFFSET.pack(offset), crc32(head)))


def _frame_at(data: bytes, offset: int, first: int, last: int | None = None) -> bytes | None:
    """The record of the frame at `offset` if it is valid and its sequence number lies in first .. last; else None."""
    start = offset + HEADER_SIZE
    if start > len(data):
        return None
    magic, length, sequence = _HEAD.unpack_from(data, offset)
    if magic != MAGIC or length > len(data) - start or not first <= sequence <= (first if last is None else last):
        return None
    (checksum,) = _CHECKSUM.unpack_from(data, start - _CHECKSUM.size)
    body = memoryview(data)[start : start + length]
    if _checksum(data[offset : offset + _HEAD.size], body, offset) != checksum:
        return None
    return bytes(body)


def _bad_frame(data: bytes, offset: int, records: list[bytes]) -> Scan:
    """The scan that ends with the bad frame at `offset`: torn, unless something valid follows or a newer version wrote it."""
    version = data[offset + len(MARK) : offset + len(MAGIC)]
    if not records and data.startswith(MARK) and version and version[0] > VERSION:
        reason = f"written in version {version[0]} of the format, but this reads version {VERSION}: use a newer Killpoint"
        return Scan((), Ending.CORRUPT, 0, reason)
    expected = len(records)
    farthest = expected + (len(data) - offset) // HEADER_SIZE
    at = data.find(MAGIC, offset + 1)
    while at != -1:
        if _frame_at(data, at, expected, farthest) is not None:
            reason = f"record {expected} cannot be read, but a valid record follows it at offset {at}"
            return Scan(tuple(records), Ending.CORRUPT, offset, reason)
        at = data.find(MAGIC, at + 1)
    left = len(data) - offset
    return Scan(tuple(records), Ending.TORN, offset, f"the last {left} bytes are not a whole record, and none follows")
