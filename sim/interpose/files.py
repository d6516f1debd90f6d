"""Files, as `open`, `os` and `pathlib` give them to a host: on its simulated disk.

A host's files begin at `/`, which is also its working directory; nothing outside exists for it, but for the code that it runs and what is
installed with it: below the interpreter's and the packages' folders real files can be read, and not written.

Every operation is a boundary, as those of `host.disk` are, and takes no virtual time, since nobody awaits it.  What is written is durable
after `os.fsync` of the file, and its name after `os.fsync` of its directory; a directory that is made is durable at once, unlike on a
real disk.
"""

from __future__ import annotations

import errno
import io
import os
import stat as modes
import sys
import zlib
import zoneinfo
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from ..clock import EPOCH

if TYPE_CHECKING:
    from ..disk import Inode
    from ..machine import Machine

__all__ = ["PRESENT", "HostFile", "HostFiles", "fail", "files_of", "is_code", "name_of", "open_file", "temporary_folder", "temporary_names"]

FIRST_DESCRIPTOR = 2_000_000
"""Descriptors of simulated files begin far above real ones."""

TEMPORARY = "tmp"
PRESENT = ("dev", "etc", "home", "mnt", "opt", "root", "run", "srv", TEMPORARY, "usr", "var", "var/lib", "var/log", "var/run", "var/tmp")
"""Directories that every disk has."""

_CODE = tuple(
    sorted({os.path.realpath(folder) + "/" for folder in (sys.prefix, sys.base_prefix, os.path.dirname(os.__file__))})  # noqa: PTH120
) + tuple(f"{folder}/" for folder in zoneinfo.TZPATH)

Real = Callable[..., Any]


def fail(error: int, path: object) -> NoReturn:
    """Raise an error as the operating system does."""
    raise OSError(error, os.strerror(error), path)


def is_code(path: object) -> bool:
    """True for real files that belong to the code: below the interpreter, or sources and what is installed."""
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    name = os.fsdecode(path)
    return name.startswith(_CODE) or "/site-packages/" in name or (name.startswith("/") and name.endswith((".py", ".pyc")))


def name_of(path: Any) -> str:
    """The name on the disk of what a program calls a path."""
    text = os.fsdecode(path)
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class HostFiles:
    """What a program of a host has open, and what it can ask of its disk."""

    def __init__(self, machine: Machine) -> None:
        if machine.handle is None:
            raise OSError(errno.EIO, "the program that does this is dead")
        self.machine = machine
        self.handle = machine.handle
        self.image = machine.disk
        self.open: dict[int, HostFile] = {}
        self.directories: dict[int, str] = {}
        self.flocks: dict[int, dict[int, bool]] = {}
        """By file, which descriptors hold a lock, and whether it is exclusive."""
        self.locks: dict[str, Any] = {}
        self.memories: dict[str, Any] = {}
        """Locks and shared memory of databases, for the connections of one process, by file."""
        self._next = FIRST_DESCRIPTOR

    def descriptor(self) -> int:
        """A number that no other open file has."""
        self._next += 1
        return self._next

    def at_once(self, operation: str, path: str, data: bytes = b"", offset: int = 0) -> None:
        """An operation of the disk; see `SimDisk.at_once`."""
        self.handle.disk.at_once(operation, path, data, offset)

    def is_directory(self, name: str) -> bool:
        """True if there is such a directory."""
        return name in PRESENT or self.image.is_directory(name)

    def parent(self, name: str, path: object) -> None:
        """Check that the directory that something is to be in exists."""
        above = name.rpartition("/")[0]
        if not self.is_directory(above):
            fail(errno.ENOTDIR if self.image.exists(above) else errno.ENOENT, path)

    def status(self, inode: Inode | None, directory: str = "") -> os.stat_result:
        """What `os.stat` says of a file, or of a directory for None."""
        number = 2 if not directory else 1 << 40 | zlib.crc32(directory.encode())  # no two directories are the same file
        kind, size, when = (modes.S_IFDIR | 0o755, 4096, EPOCH)
        if inode is not None:
            kind, number, size, when = modes.S_IFREG | 0o644, inode.number + 3, len(inode.cached), inode.modified
        more = {f"st_{which}time{unit}": value for which in "amc" for unit, value in (("", when), ("_ns", round(when * 1e9)))}
        more |= {"st_blksize": 4096, "st_blocks": -(-size // 512), "st_rdev": 0}
        return os.stat_result((kind, number, 1, 1, 0, 0, size, int(when), int(when), int(when)), more)


def files_of(machine: Machine) -> HostFiles:
    """What the present program of a machine has open."""
    files = machine.files
    if files is None or files.handle is not machine.handle:
        files = machine.files = HostFiles(machine)
    return files


class HostFile(io.RawIOBase):
    """A file that a program of a host has open, unbuffered."""

    def __init__(self, machine: Machine, path: Any, flags: int) -> None:
        files = self._files = files_of(machine)
        name = name_of(path)
        self.name = path
        self.mode = "rb+"
        self._path = name
        self._read = flags & os.O_ACCMODE != os.O_WRONLY
        self._write = flags & os.O_ACCMODE != os.O_RDONLY
        self._append = bool(flags & os.O_APPEND)
        self._position = 0
        if files.is_directory(name):
            fail(errno.EISDIR, path)
        if not files.image.exists(name):
            if not flags & os.O_CREAT:
                fail(errno.ENOENT, path)
            files.parent(name, path)
            files.at_once("create", name)
            self._inode = files.image.create(name)
            self._inode.modified = machine.clock.wall()
        else:
            if flags & os.O_EXCL and flags & os.O_CREAT:
                fail(errno.EEXIST, path)
            self._inode = files.image.file(name)
            if flags & os.O_TRUNC and self._write and self._inode.cached:
                self.truncate(0)
        self._descriptor = files.descriptor()
        files.open[self._descriptor] = self

    @property
    def alive(self) -> bool:
        """True while the program lives that opened the file."""
        return self._files.handle is self._files.machine.handle

    def readable(self) -> bool:
        """As `io.RawIOBase.readable`."""
        return self._read

    def writable(self) -> bool:
        """As `io.RawIOBase.writable`."""
        return self._write

    def seekable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """A number that no real descriptor has."""
        self._check()
        return self._descriptor

    def isatty(self) -> bool:
        """Never."""
        return False

    def tell(self) -> int:
        """Where the next byte is read or written."""
        self._check()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Read and write from elsewhere."""
        self._check()
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: len(self._inode.cached)}[whence]
        if start + offset < 0:
            fail(errno.EINVAL, self.name)
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self.read_at(len(view), self._position)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def read_at(self, size: int, offset: int) -> bytes:
        """Read at an offset, as `os.pread`."""
        self._check()
        if not self._read:
            raise io.UnsupportedOperation("not readable")
        self._files.at_once("read", self._path, offset=offset)
        return bytes(self._inode.cached[offset : offset + size])

    def write(self, data: Any) -> int:
        """Write where the file stands, or at its end."""
        content = bytes(data)
        offset = len(self._inode.cached) if self._append else self._position
        self.write_at(content, offset)
        self._position = offset + len(content)
        return len(content)

    def write_at(self, data: bytes, offset: int) -> int:
        """Write at an offset, as `os.pwrite`."""
        self._check()
        if not self._write:
            raise io.UnsupportedOperation("not writable")
        files = self._files
        files.at_once("append" if self._append else "write", self._path, data, offset)
        files.image.write_to(self._inode, offset + files.handle.disk.astray, data)
        self._inode.modified = files.machine.clock.wall()
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or extend it with zeros."""
        self._check()
        size = self._position if size is None else size
        self._files.at_once("truncate", self._path, offset=size)
        self._files.image.resize(self._inode, size)
        return size

    def sync(self) -> None:
        """Make the content durable."""
        self._check()
        files = self._files
        try:
            files.at_once("fsync", self._path)
        except OSError:
            self._inode.pending.clear()
            raise
        if not files.handle.disk.lies:
            files.image.sync(self._inode)

    def status(self) -> os.stat_result:
        """As `os.fstat`."""
        return self._files.status(self._inode)

    def close(self) -> None:
        """Close it; closing makes nothing durable."""
        if not self.closed and hasattr(self, "_descriptor"):
            self._files.open.pop(self._descriptor, None)
            if self._files.flocks:
                self._files.flocks.get(self.status().st_ino, {}).pop(self._descriptor, None)
        super().close()

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


_FLAGS = {"r": os.O_RDONLY, "w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND, "x": os.O_CREAT | os.O_EXCL}


def open_file(
    machine: Machine,
    real: Real,
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Callable[[Any, int], int] | None = None,
) -> Any:
    """As `open`, on the host's disk."""
    kinds = [letter for letter in mode if letter in _FLAGS]
    if len(kinds) != 1 or set(mode) - set("rwxabt+") or ("b" in mode and "t" in mode):
        return real(file, mode)  # which says what is wrong
    if kinds == ["r"] and "+" not in mode and is_code(file) and not machine.disk.exists(name_of(file)):
        return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
    files = files_of(machine)
    flags = _FLAGS[kinds[0]]
    if "+" in mode:
        flags |= os.O_RDWR
    elif kinds[0] != "r":
        flags |= os.O_WRONLY
    if opener is not None:
        file = opener(file, flags)
    if isinstance(file, int):
        if file not in files.open:
            raise OSError(errno.EBADF, f"descriptor {file} is not a file of {machine.name}: a simulated host has no real descriptors")
        raw = files.open[file]
    else:
        raw = HostFile(machine, file, flags)
    raw.mode = mode.replace("t", "")
    if "b" in mode and buffering == 0:
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    kind = io.BufferedRandom if "+" in mode else io.BufferedReader if kinds[0] == "r" else io.BufferedWriter
    buffered = kind(raw, size)
    if "b" in mode:
        return buffered
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
    text.mode = mode  # type: ignore[misc]  # as `open` does
    return text


def temporary_folder(_machine: Machine) -> str:
    """Where temporary files are; the standard library would look for it once per process, and write to find out."""
    return f"/{TEMPORARY}"


def temporary_names(machine: Machine) -> Iterator[str]:
    """Names for temporary files."""
    while True:
        yield f"{machine.entropy.getrandbits(40):010x}"
