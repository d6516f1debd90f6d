"""A real folder behind the Disk protocol.

Operations are system calls, made at once, but for syncing, which takes milliseconds: it happens in a thread, so that the host's other
tasks go on, as they do in the simulation.  Directories are made when a file is put into them, since in a simulated disk they exist as
soon as there is one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

__all__ = ["RealDisk"]


class RealDisk:
    """Files below `root`.  `cross` is called before each operation, with its boundaries."""

    def __init__(self, root: Path, cross: Callable[..., None]) -> None:
        self._root = root
        self._cross = cross

    async def _begin(self, operation: str, path: str) -> Path:
        await trio.lowlevel.checkpoint()
        self._cross("disk", f"disk:{operation}")
        return self._path(path)

    def _path(self, path: str) -> Path:
        inside = os.path.normpath(path)
        if inside.startswith(("/", "..")):
            raise OSError(errno.EACCES, "a host's files are below its own folder", path)
        return self._root / inside

    async def read(self, path: str) -> bytes:
        """The whole content."""
        return (await self._begin("read", path)).read_bytes()

    async def write(self, path: str, data: bytes, offset: int = 0) -> None:
        """Overwrite from `offset` on."""
        if offset < 0:
            raise ValueError(f"file {path!r} has nothing at offset {offset}: files begin at 0")
        self._put(await self._begin("write", path), os.O_WRONLY | os.O_CREAT, data, offset)

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end."""
        self._put(await self._begin("append", path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, data, None)

    def _put(self, file: Path, flags: int, data: bytes, offset: int | None) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, flags, 0o644)
        try:
            left = memoryview(data)
            while left:
                done = os.write(descriptor, left) if offset is None else os.pwrite(descriptor, left, offset + len(data) - len(left))
                left = left[done:]
        finally:
            os.close(descriptor)

    async def truncate(self, path: str, size: int) -> None:
        """Cut or extend."""
        if size < 0:
            raise ValueError(f"file {path!r} cannot be cut to {size} bytes")
        os.truncate(await self._begin("truncate", path), size)

    async def fsync(self, path: str) -> None:
        """Make content durable."""
        await trio.to_thread.run_sync(_sync, await self._begin("fsync", path))

    async def fsync_directory(self, path: str = "") -> None:
        """Make names durable, that of the directory too."""
        folder = await self._begin("fsync_directory", path)
        while not folder.is_dir():
            folder = folder.parent
        while True:
            await trio.to_thread.run_sync(_sync, folder)
            if folder == self._root:
                return
            folder = folder.parent

    async def rename(self, source: str, target: str) -> None:
        """Atomically rename."""
        begun = await self._begin("rename", source)
        end = self._path(target)
        if not begun.is_file():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
        end.parent.mkdir(parents=True, exist_ok=True)
        begun.replace(end)
        self._tidy(begun.parent)

    async def remove(self, path: str) -> None:
        """Remove the name."""
        file = await self._begin("remove", path)
        file.unlink()
        self._tidy(file.parent)

    def _tidy(self, folder: Path) -> None:
        """Directories without a file below are not there, as in a simulated disk."""
        while folder != self._root and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent

    async def exists(self, path: str) -> bool:
        """True if there is such a file."""
        return (await self._begin("exists", path)).is_file()

    async def list(self, path: str = "") -> Sequence[str]:
        """The names in a directory, sorted."""
        folder = await self._begin("list", path)
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
