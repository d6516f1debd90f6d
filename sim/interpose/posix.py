"""The functions of `os` that are about files, on a host's simulated disk; see `files.py`.

Those about descriptors tell simulated files from real ones by their number, and leave the real ones alone.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from ..disk import CAPACITY
from .files import PRESENT, HostFile, HostFiles, fail, files_of, is_code, name_of

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["FUNCTIONS"]

Real = Callable[..., Any]

_BLOCK = 4096


def _at(machine: Machine, path: Any, dir_fd: int | None) -> Any:
    """A path that may be relative to an open directory."""
    if dir_fd is None:
        return path
    folder = files_of(machine).directories.get(dir_fd)
    if folder is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), path)
    return os.path.join(f"/{folder}", os.fsdecode(path))  # noqa: PTH118  # as the operating system does


def _os_open(machine: Machine, real: Real, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    path = _at(machine, path, dir_fd)
    if is_code(path) and flags & os.O_ACCMODE == os.O_RDONLY and not machine.disk.exists(name_of(path)):
        return int(real(path, flags, mode))
    files = files_of(machine)
    name = name_of(path)
    if files.is_directory(name) and flags & os.O_ACCMODE == os.O_RDONLY:
        descriptor = files.descriptor()
        files.directories[descriptor] = name
        return descriptor
    return HostFile(machine, path, flags).fileno()


def _file(machine: Machine, descriptor: Any) -> HostFile | None:
    return files_of(machine).open.get(descriptor) if isinstance(descriptor, int) else None


def _on_descriptor(operation: Callable[..., Any]) -> Callable[..., Any]:
    """An operation on a descriptor: on a simulated file if it is one, else the real one."""

    def either(machine: Machine, real: Real, descriptor: Any, *args: Any, **kwargs: Any) -> Any:
        file = _file(machine, descriptor)
        return real(descriptor, *args, **kwargs) if file is None else operation(file, *args, **kwargs)

    return either


def _close(machine: Machine, real: Real, descriptor: int) -> None:
    files = files_of(machine)
    if descriptor in files.open:
        files.open[descriptor].close()
    elif files.directories.pop(descriptor, None) is None:
        real(descriptor)


def _fsync(machine: Machine, real: Real, descriptor: Any) -> None:
    number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
    files = files_of(machine)
    if number in files.directories:
        directory = files.directories[number]
        files.at_once("fsync_directory", directory)
        if not files.handle.disk.lies:
            files.image.fsync_directory(directory)
    elif number in files.open:
        files.open[number].sync()
    else:
        real(descriptor)


def _stat(machine: Machine, real: Real, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    file = _file(machine, path)
    if file is not None:
        return file.status()
    files = files_of(machine)
    if isinstance(path, int):
        return files.status(None, files.directories[path]) if path in files.directories else real(path)
    path = _at(machine, path, dir_fd)
    name = name_of(path)
    if files.image.exists(name):
        return files.status(files.image.file(name))
    if files.is_directory(name):
        return files.status(None, name)
    if is_code(path):
        return real(path)  # type: ignore[no-any-return]
    return fail(errno.ENOENT, path)


def _lstat(machine: Machine, real: Real, path: Any, *, dir_fd: int | None = None) -> os.stat_result:
    return _stat(machine, real, path, dir_fd=dir_fd)


def _access(machine: Machine, real: Real, path: Any, mode: int, **_: Any) -> bool:
    try:
        _stat(machine, os.stat, path)
    except OSError:
        return False
    return True


def _listdir(machine: Machine, real: Real, path: Any = ".") -> list[str]:
    files = files_of(machine)
    name = files.directories.get(path, "") if isinstance(path, int) else name_of(path)
    if not files.is_directory(name):
        if is_code(path):
            return sorted(real(path))
        fail(errno.ENOTDIR if files.image.exists(name) else errno.ENOENT, path)
    files.at_once("list", name)
    above = f"{name}/" if name else ""
    present = [below[len(above) :].split("/")[0] for below in PRESENT if below.startswith(above)]
    return sorted({*files.image.list(name), *present})


class _Entry:
    """What `os.scandir` tells of a name."""

    def __init__(self, machine: Machine, folder: str, name: str) -> None:
        self.name = name
        self.path = os.path.join(folder, name)  # noqa: PTH118  # as os.scandir does
        self._status = _stat(machine, os.stat, self.path)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return modes.S_ISDIR(self._status.st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return modes.S_ISREG(self._status.st_mode)

    def is_symlink(self) -> bool:
        return False

    def is_junction(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self._status

    def inode(self) -> int:
        return self._status.st_ino

    def __fspath__(self) -> str:
        return self.path


class _Scan:
    """An iterator over a directory, and a context manager, as `os.scandir` gives."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[_Entry]:
        return self._entries

    def __next__(self) -> _Entry:
        return next(self._entries)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _scandir(machine: Machine, real: Real, path: Any = ".") -> Any:
    folder = f"/{files_of(machine).directories.get(path, '')}" if isinstance(path, int) else os.fsdecode(path)
    if is_code(path) and not files_of(machine).is_directory(name_of(path)):
        return real(path)
    return _Scan([_Entry(machine, folder, name) for name in _listdir(machine, real, path)])


def _mkdir(machine: Machine, real: Real, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    files = files_of(machine)
    path = _at(machine, path, dir_fd)
    name = name_of(path)
    if files.is_directory(name) or files.image.exists(name):
        fail(errno.EEXIST, path)
    files.parent(name, path)
    files.at_once("mkdir", name)
    files.image.directories[name] = None


def _rmdir(machine: Machine, real: Real, path: Any, *, dir_fd: int | None = None) -> None:
    files = files_of(machine)
    path = _at(machine, path, dir_fd)
    name = name_of(path)
    if not files.is_directory(name):
        fail(errno.ENOENT, path)
    if files.image.list(name) or name in PRESENT:
        fail(errno.ENOTEMPTY, path)
    files.at_once("rmdir", name)
    files.image.directories.pop(name, None)


def _stays(files: HostFiles, name: str) -> None:
    """A directory does not go with the last file in it."""
    folder = name.rpartition("/")[0]
    if folder:
        files.image.directories[folder] = None


def _remove(machine: Machine, real: Real, path: Any, *, dir_fd: int | None = None) -> None:
    files = files_of(machine)
    path = _at(machine, path, dir_fd)
    name = name_of(path)
    if not files.image.exists(name):
        fail(errno.EISDIR if files.is_directory(name) else errno.ENOENT, path)
    files.at_once("remove", name)
    _stays(files, name)
    files.image.remove(name)


def _rename(machine: Machine, real: Real, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    files = files_of(machine)
    source, target = name_of(_at(machine, src, src_dir_fd)), name_of(_at(machine, dst, dst_dir_fd))
    if not files.image.exists(source):
        if files.is_directory(source):
            raise OSError(errno.EOPNOTSUPP, f"a simulated disk cannot rename directories, only files: {os.fsdecode(src)}", src)
        fail(errno.ENOENT, src)
    if files.is_directory(target):
        fail(errno.EISDIR, dst)
    files.parent(target, dst)
    files.at_once("rename", f"{source} -> {target}")
    _stays(files, source)
    files.image.rename(source, target)


def _truncate(machine: Machine, real: Real, path: Any, length: int) -> None:
    file = _file(machine, path)
    if file is not None:
        file.truncate(length)
        return
    opened = HostFile(machine, path, os.O_WRONLY)
    opened.truncate(length)
    opened.close()


def _utime(machine: Machine, real: Real, path: Any, times: Any = None, *, ns: Any = None, **_: Any) -> None:
    files = files_of(machine)
    name = name_of(path)
    if files.image.exists(name):
        seconds = times[1] if times else ns[1] / 1e9 if ns else machine.clock.wall()
        files.image.file(name).modified = seconds
    elif not files.is_directory(name):
        fail(errno.ENOENT, path)


def _no_attributes(machine: Machine, real: Real, path: Any = None, **_: Any) -> list[str]:
    return []


def _getcwd(machine: Machine, real: Real) -> str:
    return "/"


def _uname(machine: Machine, real: Real) -> Any:
    system, _, *rest = real()
    return os.uname_result((system, machine.name, *rest))


def _getppid(machine: Machine, real: Real) -> int:
    return 1


def _umask(machine: Machine, real: Real, mask: int) -> int:
    return 0o022


def _readlink(machine: Machine, real: Real, path: Any, *, dir_fd: int | None = None) -> Any:
    _stat(machine, os.stat, path, dir_fd=dir_fd)
    return fail(errno.EINVAL, path)


def _statvfs(machine: Machine, real: Real, path: Any) -> Any:
    """How large the disk is, and how much of it is free."""
    if not isinstance(path, int):
        _stat(machine, os.stat, path)
    blocks, free = CAPACITY // _BLOCK, machine.disk.room() // _BLOCK
    return os.statvfs_result((_BLOCK, _BLOCK, blocks, free, free, 1 << 20, 1 << 19, 1 << 19, 0, 255))


def _preadv(file: HostFile, buffers: Any, offset: int, *_: Any) -> int:
    done = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        data = file.read_at(len(view), offset + done)
        view[: len(data)] = data
        done += len(data)
    return done


def _allocate(file: HostFile, offset: int, length: int) -> None:
    if file.status().st_size < offset + length:
        file.truncate(offset + length)


def _nothing(machine: Machine, real: Real, *args: Any, **kwargs: Any) -> None:
    """Permissions and owners: a simulated disk has none."""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "open": _os_open,
    "close": _close,
    "read": _on_descriptor(lambda file, size: file.read(size)),
    "write": _on_descriptor(lambda file, data: file.write(data)),
    "pread": _on_descriptor(lambda file, size, offset: file.read_at(size, offset)),
    "pwrite": _on_descriptor(lambda file, data, offset: file.write_at(bytes(data), offset)),
    "lseek": _on_descriptor(lambda file, position, how: file.seek(position, how)),
    "ftruncate": _on_descriptor(lambda file, length: file.truncate(length)),
    "writev": _on_descriptor(lambda file, buffers: file.write(b"".join(bytes(buffer) for buffer in buffers))),
    "pwritev": _on_descriptor(lambda file, buffers, offset, *_: file.write_at(b"".join(bytes(buffer) for buffer in buffers), offset)),
    "readv": _on_descriptor(lambda file, buffers: sum(file.readinto(buffer) for buffer in buffers)),
    "preadv": _on_descriptor(_preadv),
    "posix_fallocate": _on_descriptor(_allocate),
    "posix_fadvise": _on_descriptor(lambda *_: None),
    "set_blocking": _on_descriptor(lambda *_: None),
    "uname": _uname,
    "getppid": _getppid,
    "umask": _umask,
    "readlink": _readlink,
    "statvfs": _statvfs,
    "fstatvfs": _statvfs,
    "fstat": _stat,
    "isatty": _on_descriptor(lambda _: False),
    "fsync": _fsync,
    "fdatasync": _fsync,
    "stat": _stat,
    "lstat": _lstat,
    "access": _access,
    "listdir": _listdir,
    "scandir": _scandir,
    "mkdir": _mkdir,
    "rmdir": _rmdir,
    "remove": _remove,
    "unlink": _remove,
    "rename": _rename,
    "replace": _rename,
    "truncate": _truncate,
    "utime": _utime,
    "getcwd": _getcwd,
    "listxattr": _no_attributes,
    "chmod": _nothing,
    "fchmod": _nothing,
    "chown": _nothing,
    "fchown": _nothing,
}
"""What of `os` is replaced."""
