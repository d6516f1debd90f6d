"""The virtual file system: SQLite's files are files of the host whose program is running.

One VFS serves all hosts, since SQLite asks it while one of them runs.  Locks are those of one process: a host is one, so connections of one
incarnation see each other's, and a kill releases them all.  As on Linux a new journal's directory is synced with its first sync, and the
directory after a delete only where SQLite asks for it, which it does at `synchronous=EXTRA`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from ..disk import SECTOR
from ..interpose import running
from ..interpose.files import HostFile, files_of, name_of, temporary_folder

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["NAME", "Locks", "SimFile", "register"]

NAME = "killpoint"
"""What the VFS is called, in `apsw.Connection(path, vfs=...)`."""

_NEW_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_NONE, _SHARED, _RESERVED, _PENDING, _EXCLUSIVE = range(5)


_Result = TypeVar("_Result")


class Locks:
    """Who holds which lock on one database file: SQLite's five levels."""

    def __init__(self) -> None:
        self.held: dict[SimFile, int] = {}

    def take(self, file: SimFile, level: int) -> bool:
        """Raise a lock to a level.  False if others are in the way."""
        others = [held for holder, held in self.held.items() if holder is not file]
        mine = self.held.get(file, _NONE)
        if level <= mine:
            return True
        if level == _SHARED and any(held >= _PENDING for held in others):
            return False
        if level == _RESERVED and any(held >= _RESERVED for held in others):
            return False
        if level == _EXCLUSIVE and any(held >= _SHARED for held in others):
            if all(held < _RESERVED for held in others):
                self.held[file] = _PENDING
            return False
        self.held[file] = level
        return True

    def release(self, file: SimFile, level: int) -> None:
        """Lower a lock to a level."""
        if level == _NONE:
            self.held.pop(file, None)
        elif self.held.get(file, _NONE) > level:
            self.held[file] = level


def running_machine() -> Machine:
    """The machine whose program calls.

    Raises:
        RuntimeError: it is no program of a host.
    """
    machine = running.machine()
    if machine is None:
        raise RuntimeError(f"the VFS {NAME!r} serves programs of simulated hosts only")
    return machine


class SimFile:
    """One file that SQLite has open, of one incarnation of a program."""

    def __init__(self, machine: Machine, path: str, flags: int) -> None:
        self.machine = machine
        self.name = name_of(path)
        files = files_of(machine)
        exists = files.image.exists(self.name)
        access = os.O_RDWR if flags & apsw.SQLITE_OPEN_READWRITE else os.O_RDONLY
        created = os.O_CREAT if flags & apsw.SQLITE_OPEN_CREATE else 0
        self._file = HostFile(machine, path, access | created)
        self._sync_directory = not exists and bool(flags & _NEW_JOURNALS)
        self._delete = bool(flags & apsw.SQLITE_OPEN_DELETEONCLOSE)
        self._locks = files.locks.setdefault(self.name, Locks())

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  # SQLite's names, here and below
        """Read; less at the end of the file."""
        return self._unless_dead(lambda: self._file.read_at(amount, offset)) or b""

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """Write, extending the file."""
        self._unless_dead(lambda: self._file.write_at(bytes(data), offset))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        """Cut the file."""
        self._unless_dead(lambda: self._file.truncate(size))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        """Make it durable; of a new journal the name as well."""
        self._unless_dead(self._sync)

    def xFileSize(self) -> int:  # noqa: N802
        """Bytes."""
        return self._file.status().st_size

    def xLock(self, level: int) -> None:  # noqa: N802
        """Take a lock.

        Raises:
            apsw.BusyError: somebody else has one that is in the way.
        """
        if not self._locks.take(self, level):
            raise apsw.BusyError("database is locked")

    def xUnlock(self, level: int) -> None:  # noqa: N802
        """Give it back."""
        self._locks.release(self, level)

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        """True if anybody is about to write."""
        return any(held >= _RESERVED for held in self._locks.held.values())

    def xFileControl(self, _operation: int, _pointer: int) -> bool:  # noqa: N802
        """None is known."""
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        """What is written atomically."""
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        """Nothing is promised beyond that."""
        return 0

    def xClose(self) -> None:  # noqa: N802
        """Close it."""
        self._locks.release(self, _NONE)
        self._file.close()
        if self._delete:
            self._unless_dead(lambda: _delete(self.machine, self.name))

    def _sync(self) -> None:
        self._file.sync()
        if self._sync_directory:
            self._sync_directory = False
            sync_directory(self.machine, self.name)

    def _unless_dead(self, operation: Callable[[], _Result]) -> _Result | None:
        """What a dead program does is not done, and no error either: it only runs on to where it stops.

        Raises:
            apsw.FullError: no space is left.
            apsw.IOError: the disk fails.
        """
        if not self._file.alive:
            return None
        try:
            return operation()
        except OSError as error:
            if not self._file.alive:
                return None
            if error.errno == errno.ENOSPC:
                raise apsw.FullError(str(error)) from error
            raise apsw.IOError(str(error)) from error


def sync_directory(machine: Machine, name: str) -> None:
    """Make the names beside a file durable."""
    files = files_of(machine)
    folder = name.rpartition("/")[0]
    files.at_once("fsync_directory", folder)
    if not files.handle.disk.lies:
        files.image.fsync_directory(folder)


def _delete(machine: Machine, name: str) -> None:
    files = files_of(machine)
    if not files.image.exists(name):
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    files.at_once("remove", name)
    files.image.remove(name)


class SimVFS(apsw.VFS):
    """The file system of whichever host is running."""

    def __init__(self) -> None:
        super().__init__(NAME, "")

    def xOpen(self, name: Any, flags: list[int]) -> SimFile:  # type: ignore[override]  # noqa: N802  # any file with its methods will do
        """Open a file; one without a name is temporary."""
        machine = running_machine()
        path = name if name is None or isinstance(name, str) else name.filename()
        if path is None:
            path = f"{temporary_folder(machine)}/sqlite-{machine.entropy.getrandbits(40):010x}"
        if flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            _seed_by_the_host()
        flags[1] = flags[0]
        try:
            return SimFile(machine, path, flags[0])
        except OSError as error:
            raise apsw.CantOpenError(str(error)) from error  # whatever the reason, as on Linux

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802
        """True if there is such a file."""
        machine = running.machine()
        return machine is not None and machine.alive and machine.disk.exists(name_of(path))

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        """Remove a file, and make that durable if SQLite wants it."""
        machine = running.machine()
        if machine is None or not machine.alive:
            return  # somebody frees what a dead program had open
        try:
            _delete(machine, name_of(path))
            if sync:
                sync_directory(machine, name_of(path))
        except OSError as error:
            if machine.alive:
                raise apsw.IOError(str(error)) from error

    def xFullPathname(self, path: str) -> str:  # noqa: N802
        """Below the root."""
        return f"/{name_of(path)}"

    def xRandomness(self, size: int) -> bytes:  # noqa: N802
        """The host's own."""
        return running_machine().entropy.randbytes(size)

    def xSleep(self, microseconds: int) -> int:  # noqa: N802
        """The host stands still."""
        machine = running_machine()
        machine.clock.block(microseconds / 1e6)
        return microseconds

    def xCurrentTimeInt64(self) -> int:  # noqa: N802
        """Milliseconds since the beginning of the Julian period."""
        return round(running_machine().clock.wall() * 1000) + 210_866_760_000_000

    def xCurrentTime(self) -> float:  # noqa: N802
        """Days since then."""
        return self.xCurrentTimeInt64() / 86_400_000

    def xGetLastError(self) -> tuple[int, str]:  # noqa: N802
        """None."""
        return 0, ""


def _seed_by_the_host() -> None:
    """SQLite has one generator of random numbers per process, seeded by the default VFS when it is first asked for one."""
    apsw.set_default_vfs(NAME)
    try:
        apsw.randomness(0)  # begins anew
        apsw.randomness(1)
    finally:
        apsw.set_default_vfs("unix")


_registered: list[SimVFS] = []


def register() -> None:
    """Make the VFS known to SQLite, once per process."""
    if not _registered:
        _registered.append(SimVFS())
