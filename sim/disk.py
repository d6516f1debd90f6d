"""A disk that separates what was written from what is durable.

Every file has two images: the **cached** one, which programs read, and the **durable** one, which is on the platter.  A write goes to
the cached image and stays pending; `fsync` applies what is pending to the durable image.  Names are apart from contents: creating,
renaming and removing are pending directory operations until `fsync_directory`, and a file whose name was never made durable is gone
after a power loss however often its content was synced (ext4 without its heuristics; what POSIX promises and no more).

When a process is killed the kernel survives, so nothing is lost.  A **power loss** leaves the durable image plus some of what was
pending, in units of a 512-byte sector of one write, one truncation, or one directory operation:

==================  ==========================================================================================================
`none`, `all`       nothing that was pending; everything
`prefix:3`          the first three units, in the order in which they were issued
`subset:77`         a pseudo-random half of the units, chosen by the number; directory operations keep their order, so the
                    first one lost takes the later ones with it (a journalled file system)
`units:0,2`         exactly these
==================  ==========================================================================================================

Sectors tear independently, so a record that spans two of them can survive in half.  See Pillai et al., "All File Systems Are Not
Created Equal" (OSDI 2014), for what real file systems do.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from itertools import count

from .noise import keyed_bytes

__all__ = ["CAPACITY", "SECTOR", "DiskImage", "Inode", "parse_keep"]

SECTOR = 512
"""Bytes; writes are atomic within one."""

CAPACITY = 128 * 2**20
"""Bytes that a disk holds: a program that fills it finds it full, as it would for real, long before the simulator's memory is."""


_KEEP = re.compile(r"none|all|(prefix|subset):[0-9]{1,18}|units:([0-9]{1,18}(,[0-9]{1,18})*)?")


class Inode:
    """One file: its two images and the writes between them, as (number, offset, data or None for a truncation to offset).

    `number` tells it from others of its disk; `modified` is for whoever keeps the time, in seconds since 1970.
    """

    __slots__ = ("cached", "durable", "modified", "number", "pending")

    def __init__(self, number: int) -> None:
        self.number = number
        self.modified = 0.0
        self.cached = bytearray()
        self.durable = bytearray()
        self.pending: list[tuple[int, int, bytes | None]] = []


_NameChange = tuple[int, dict[str, Inode | None], frozenset[str]]
"""Number, new bindings (None removes), and the directories it touches."""


class DiskImage:
    """The state of one disk.  Synchronous and pure of time: `SimDisk` in `machine.py` puts it behind the Host protocol."""

    def __init__(self) -> None:
        self._names: dict[str, Inode] = {}
        self._durable_names: dict[str, Inode] = {}
        self._changes: list[_NameChange] = []
        self._numbers = count()
        self._used = 0
        self.directories: dict[str, None] = {}
        """Directories that were made, whether or not there is a file in them.  They are durable at once."""

    def file(self, path: str) -> Inode:
        """The file that a name is bound to.

        Raises:
            FileNotFoundError: none is.
        """
        try:
            return self._names[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None

    def _rebind(self, bindings: dict[str, Inode | None]) -> None:
        _apply(self._names, bindings)
        self._changes.append((next(self._numbers), bindings, frozenset(map(_directory, bindings))))

    def read(self, path: str) -> bytes:
        """The cached content."""
        return bytes(self.file(path).cached)

    def size(self, path: str) -> int:
        """Bytes in the cached content."""
        return len(self.file(path).cached)

    def files(self) -> dict[str, int]:
        """Every name with the bytes in its cached content, sorted."""
        return {path: len(self._names[path].cached) for path in sorted(self._names)}

    def write(self, path: str, offset: int | None, data: bytes) -> None:
        """Write at `offset`, or at the end if it is None; creates the file.  Writing nothing changes nothing else."""
        _check(path, offset or 0)
        self.write_to(self.file(path) if path in self._names else self.create(path), offset, data)

    def has_room(self, size: int) -> bool:
        """True if so many bytes more can be written."""
        return self._used + size <= CAPACITY or self.room() >= size  # what was removed meanwhile is no longer in use

    def room(self) -> int:
        """How many bytes more can be written."""
        self._used = sum(len(inode.cached) for inode in self._inodes())
        return max(CAPACITY - self._used, 0)

    def create(self, path: str) -> Inode:
        """Bind a name to a new, empty file."""
        inode = Inode(next(self._numbers))
        self._rebind({path: inode})
        return inode

    def write_to(self, inode: Inode, offset: int | None, data: bytes) -> None:
        """Write to a file, whatever its name is now."""
        if offset is None:
            offset = len(inode.cached)
        if data:
            self._used += max(offset + len(data) - len(inode.cached), 0)
            _put(inode.cached, offset, data)
            inode.pending.append((next(self._numbers), offset, bytes(data)))

    def truncate(self, path: str, size: int) -> None:
        """Cut, or extend with zeros."""
        _check(path, size)
        self.resize(self.file(path), size)

    def resize(self, inode: Inode, size: int) -> None:
        """Cut a file, or extend it with zeros, whatever its name is now."""
        self._used += max(size - len(inode.cached), 0)
        _put(inode.cached, size, None)
        inode.pending.append((next(self._numbers), size, None))

    def fsync(self, path: str) -> None:
        """Make the content durable."""
        self.sync(self.file(path))

    def sync(self, inode: Inode) -> None:
        """Make the content of a file durable, whatever its name is now."""
        for _, offset, data in inode.pending:
            _put(inode.durable, offset, data)
        inode.pending.clear()

    def forget(self, path: str) -> None:
        """Content that was to be made durable never will be, and the cache does not know: what Linux does if syncing fails."""
        self.file(path).pending.clear()

    def flip(self, place: int) -> tuple[str, int] | None:
        """Flip one bit, in both images of a file that has it: the `place`-th of all, counted around; where, as (path, bit)."""
        bits = 8 * sum(self.files().values())
        if not bits:
            return None
        bit = place % bits
        for path, size in self.files().items():
            if bit < 8 * size:
                inode = self._names[path]
                for image in (inode.cached, inode.durable):
                    if bit // 8 < len(image):
                        image[bit // 8] ^= 1 << bit % 8
                return path, bit
            bit -= 8 * size
        raise AssertionError("a bit beyond all files")

    def lose_tail(self, place: int) -> tuple[str, int] | None:
        """Cut a file to half, in both images: the `place`-th that has content, counted around; which, as (path, bytes lost)."""
        files = [path for path, size in self.files().items() if size]
        if not files:
            return None
        path = files[place % len(files)]
        inode = self._names[path]
        size = len(inode.cached)
        del inode.cached[size // 2 :], inode.durable[size // 2 :]
        inode.pending.clear()
        return path, size - size // 2

    def fsync_directory(self, path: str) -> None:
        """Make the names in a directory durable, with all directory operations issued before (the journal is ordered)."""
        last = max((i for i, change in enumerate(self._changes) if path in change[2]), default=-1)
        for _, bindings, _ in self._changes[: last + 1]:
            _apply(self._durable_names, bindings)
        del self._changes[: last + 1]

    def rename(self, source: str, target: str) -> None:
        """Atomic: after a power loss either both names changed or neither."""
        self._rebind({source: None, target: self.file(source)})

    def remove(self, path: str) -> None:
        """Remove the name; the content goes with it."""
        self.file(path)
        self._rebind({path: None})

    def exists(self, path: str) -> bool:
        """True if the name is bound."""
        return path in self._names

    def is_directory(self, path: str) -> bool:
        """True if it was made, or if there is a file somewhere below."""
        return not path or path in self.directories or any(name.startswith(f"{path}/") for name in (*self._names, *self.directories))

    def list(self, path: str) -> Sequence[str]:
        """The names directly below a directory, sorted."""
        prefix = f"{path}/" if path else ""
        below = (name[len(prefix) :] for name in (*self._names, *self.directories) if name.startswith(prefix))
        return sorted({name.split("/", 1)[0] for name in below})

    @property
    def pending(self) -> int:
        """How many units a power loss could lose now."""
        return len(self._units())

    def _units(self) -> Sequence[tuple[int, int, str]]:
        """All pending units in the order of issue, as (number, part, kind)."""
        units = [(number, 0, "name") for number, _, _ in self._changes]
        for inode in self._inodes():
            for number, offset, data in inode.pending:
                units.extend((number, part, "data") for part in range(len(_sectors(offset, data))))
        return sorted(units)

    def _inodes(self) -> Sequence[Inode]:
        """Every file that a name, cached or durable, or a pending change of names refers to."""
        found = {id(inode): inode for inode in (*self._names.values(), *self._durable_names.values())}
        for _, bindings, _ in self._changes:
            found.update((id(inode), inode) for inode in bindings.values() if inode is not None)
        return tuple(found.values())

    def durable(self) -> dict[str, bytes]:
        """The files, by name, that a power loss would leave that keeps none of what is pending; sorted."""
        return {path: bytes(inode.durable) for path, inode in sorted(self._durable_names.items())}

    def power_loss(self, keep: str) -> tuple[int, int]:
        """Lose power: afterwards the disk holds what was durable and the kept units.  Returns (kept, pending) counts."""
        units = self._units()
        kept = _kept(units, keep)
        inodes = self._inodes()
        for _, bindings, _ in (change for change in self._changes if (change[0], 0) in kept):
            _apply(self._durable_names, bindings)
        for inode in inodes:
            for number, offset, data in inode.pending:
                for part, (start, piece) in enumerate(_sectors(offset, data)):
                    if (number, part) in kept:
                        _put(inode.durable, start, piece)
            inode.pending.clear()
            inode.cached = bytearray(inode.durable)
        self._names = dict(self._durable_names)
        self._changes.clear()
        return len(kept), len(units)


def parse_keep(keep: str) -> tuple[str, tuple[int, ...]]:
    """Split `subset:77` into its word and numbers.

    Raises:
        ValueError: it is none of the forms in the module docstring.
    """
    if not _KEEP.fullmatch(keep):
        raise ValueError(f"{keep[:60]!r} does not say what a power loss keeps: none, all, prefix:N, subset:N or units:N,N,...")
    word, _, rest = keep.partition(":")
    return word, tuple(int(item) for item in rest.split(",") if item)


def _kept(units: Sequence[tuple[int, int, str]], keep: str) -> set[tuple[int, int]]:
    """Which units survive."""
    word, numbers = parse_keep(keep)
    if word == "none":
        chosen = [False] * len(units)
    elif word == "all":
        chosen = [True] * len(units)
    elif word == "prefix":
        chosen = [place < numbers[0] for place in range(len(units))]
    elif word == "units":
        chosen = [place in numbers for place in range(len(units))]
    else:
        coins = keyed_bytes(numbers[0], "power-loss")
        chosen = [bool(coins[place // 8 % 32] >> place % 8 & 1) for place in range(len(units))]
    kept, journal_intact = set(), True
    for (number, part, kind), survives in zip(units, chosen, strict=True):
        if kind == "name":
            journal_intact = journal_intact and survives
            survives = journal_intact  # noqa: PLW2901  # directory operations survive as a prefix
        if survives:
            kept.add((number, part))
    return kept


def _sectors(offset: int, data: bytes | None) -> list[tuple[int, bytes | None]]:
    """A write cut at sector boundaries; a truncation is one unit."""
    if data is None:
        return [(offset, None)]
    pieces: list[tuple[int, bytes | None]] = []
    position = 0
    while position < len(data):
        step = SECTOR - (offset + position) % SECTOR
        pieces.append((offset + position, data[position : position + step]))
        position += step
    return pieces


def _check(path: str, offset: int) -> None:
    if offset < 0:
        raise ValueError(f"file {path!r} has nothing at offset {offset}: files begin at 0")


def _put(image: bytearray, offset: int, data: bytes | None) -> None:
    """Write into an image, filling a gap with zeros; without data, set the length."""
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    if data is None:
        del image[offset:]
    else:
        image[offset : offset + len(data)] = data


def _apply(names: dict[str, Inode], bindings: dict[str, Inode | None]) -> None:
    for path, inode in bindings.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _directory(path: str) -> str:
    return path.rpartition("/")[0]
