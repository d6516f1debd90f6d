"""A file as a stream of bytes: unpacked if it was packed, never larger than is told, and never one that does not end.

What a file is packed with says its beginning, not its name: gzip, bzip2, xz and zstd.  It is unpacked as it is read, block by
block, so memory stays what the block takes.  A few kilobytes may unpack to terabytes ("decompression bombs"): what becomes
more than `MOST_GROWTH` times its size, beyond the first megabytes, is refused; histories shrink to a tenth or a twentieth.  Archives in
archives, and archives of several files, are refused too.  So is what is no regular file: a pipe nobody writes to and `/dev/zero` both
keep a reader for ever.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from .errors import ReadError

__all__ = ["Told", "open_stream", "unpacked"]

Told: TypeAlias = Callable[[int, int], None]
"""Is told how many bytes of the file were read so far, and how many it has."""

BLOCK = 1 << 18
MOST_GROWTH = 200
HARMLESS = 1 << 24
MOST_MEMORY = 1 << 28
"""What unpacking may take: xz asks for up to 64 MB, zstd for up to 128 MB, unless they were told to exaggerate."""

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PACKINGS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", ZSTD_MAGIC: "zstd"}
ARCHIVES = {b"PK\x03\x04": "a zip archive", b"PK\x05\x06": "an empty zip archive", b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a rar archive"}
TAR_MAGIC, TAR_OFFSET = b"ustar", 257
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")

KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


@contextmanager
def open_stream(path: str | Path, told: Told | None = None) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unpacked, without a byte order mark.

    Raises:
        ReadError: the file cannot be read, is no regular file, or is packed in a way that is not understood; also later, where
            what is packed turns out to be broken.
    """
    name = str(path)
    try:
        mode = Path(path).stat().st_mode
        for is_kind, kind in KINDS:
            if is_kind(mode):
                raise ReadError(f"this is {kind}, not a file, so it cannot be read as a history; save what comes out of it to a file", name)
        with Path(path).open("rb", buffering=0) as file:
            yield unpacked(file, name, told)
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror or error}", name) from error


def unpacked(file: io.RawIOBase | BinaryIO, name: str, told: Told | None = None) -> io.BufferedReader:
    """The bytes of a seekable binary file, which errors call `name`, unpacked.

    Raises:
        ReadError: see `open_stream`.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    packed = _Counted(cast("BinaryIO", file), size, told)
    stream: io.BufferedReader = io.BufferedReader(packed, BLOCK)
    packing = _packing(stream.peek(8))
    if packing:
        stream = io.BufferedReader(_Unpacked(_unpacker(packing, stream), packed, packing, name), BLOCK)
    head = stream.peek(TAR_OFFSET + len(TAR_MAGIC))
    if inner := _packing(head):
        raise ReadError(f"this is {inner} inside {packing}: unpack it once, and read what comes out", name)
    archive = next((what for magic, what in ARCHIVES.items() if head.startswith(magic)), None)
    if head[TAR_OFFSET : TAR_OFFSET + len(TAR_MAGIC)] == TAR_MAGIC:
        archive = "a tar archive"
    if archive:
        raise ReadError(f"this is {archive}, which may hold several files: unpack it, and name the one to read", name)
    if head.startswith(OTHER_MARKS):
        raise ReadError("this is UTF-16 text: save it as UTF-8", name, 1)
    if head.startswith(BYTE_ORDER_MARK):
        stream.read(len(BYTE_ORDER_MARK))
    return stream


def _packing(head: bytes) -> str:
    return next((packing for magic, packing in PACKINGS.items() if head.startswith(magic)), "")


def _unpacker(packing: str, stream: io.BufferedReader) -> Callable[[int], bytes]:
    """What gives the next bytes, unpacked; b"" at the end."""
    if packing == "gzip":
        return gzip.GzipFile(fileobj=stream, mode="rb").read1
    if packing == "bzip2":
        return bz2.BZ2File(stream).read1
    if packing == "xz":
        return _Xz(stream).read
    return _Zstd(stream).read


class _Counted(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, file: BinaryIO, size: int, told: Told | None) -> None:
        self._file = file
        self._size = size
        self._told = told
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]  # binary files have it
        self.count += count
        if self._told is not None:
            self._told(self.count, self._size)
        return count


class _Unpacked(io.RawIOBase):
    """What comes out of an unpacker, with everything that may be wrong with it as a `ReadError`."""

    def __init__(self, read: Callable[[int], bytes], packed: _Counted, packing: str, name: str) -> None:
        self._read = read
        self._packed = packed
        self._packing = packing
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        # Filled as far as there is anything, so that what is wrong with a short file comes before what its beginning looks like.
        view = memoryview(buffer)  # type: ignore[arg-type]  # any buffer
        filled = 0
        while filled < len(view):
            data = self._next(len(view) - filled)
            if not data:
                break
            view[filled : filled + len(data)] = data
            filled += len(data)
        self._count += filled
        if self._count > HARMLESS and self._count > MOST_GROWTH * self._packed.count:
            grown = f"{MOST_GROWTH} times its size"
            raise ReadError(f"this {self._packing} file unpacks to more than {grown}: unpack it yourself, if it is a history", self._name)
        return filled

    def _next(self, size: int) -> bytes:
        try:
            return self._read(size)
        except EOFError:
            raise ReadError(f"the {self._packing} file ends too early: it seems to be truncated", self._name) from None
        except MemoryError:
            raise ReadError(f"unpacking this {self._packing} file takes too much memory: unpack it yourself", self._name) from None
        except (OSError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise ReadError(f"the {self._packing} file is damaged: {error}", self._name) from None


class _Xz:
    """`lzma.LZMAFile`, but for a limit of memory, which that does not take."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._unpacker = lzma.LZMADecompressor(memlimit=MOST_MEMORY)

    def read(self, size: int) -> bytes:
        """The next bytes; b"" at the end."""
        while True:
            if self._unpacker.eof:
                # One file may hold several streams, one after another, with zeros between.
                rest = self._unpacker.unused_data.lstrip(b"\0") or self._stream.read1(BLOCK).lstrip(b"\0")
                if not rest:
                    if self._stream.peek(1):
                        continue
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=MOST_MEMORY)
            elif self._unpacker.needs_input:
                rest = self._stream.read1(BLOCK)
                if not rest:
                    raise EOFError
            else:
                rest = b""
            data = self._unpacker.decompress(rest, size)
            if data:
                return data


class _Zstd:
    """The frames of a zstd file.  `stream_reader` of the library takes a file that was cut off for a whole one, so it is not used."""

    PIECE = 1 << 10
    """Fed at once: at most 256 blocks of 128 KB can come out of it."""

    def __init__(self, stream: io.BufferedReader) -> None:
        import zstandard  # noqa: PLC0415  # a file in a hundred needs it

        self._error = zstandard.ZstdError
        self._library = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self._stream = stream
        self._frame = self._library.decompressobj()
        self._begun = False
        self._ready = b""

    def read(self, size: int) -> bytes:
        """The next bytes; b"" at the end."""
        while not self._ready:
            rest = self._stream.read(self.PIECE)
            if not rest:
                if self._begun:
                    raise EOFError
                return b""
            self._feed(rest)
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _feed(self, rest: bytes) -> None:
        parts = []
        try:
            while rest:
                parts.append(self._frame.decompress(rest))
                self._begun = not self._frame.eof
                rest = b""
                if self._frame.eof:
                    rest = self._frame.unused_data
                    self._frame = self._library.decompressobj()
        except self._error as error:
            raise ValueError(str(error)) from None
        self._ready = b"".join(parts)
