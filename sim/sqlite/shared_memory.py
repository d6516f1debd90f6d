"""Shared memory for SQLite's write-ahead log, so that it works in normal locking mode.

SQLite keeps the index of its log in memory that all connections of a database share, through four functions which apsw's files do not
have.  So the C structure of a file's methods is copied, with these four added, and the file made to point to the copy: that is how SQLite
itself tells files with shared memory from those without (`iVersion` of `sqlite3_io_methods`, sqlite.org/c3ref/io_methods.html).

The memory belongs to one incarnation of one host's program.  When its process is killed it is gone, and the first connection of the next
one rebuilds the index from the log, as after a real crash.
"""

from __future__ import annotations

import ctypes
from typing import Any

import apsw

__all__ = ["SharedMemory", "give"]

SLOTS = 8
_OK, _BUSY = apsw.SQLITE_OK, apsw.SQLITE_BUSY

_int, _pointer = ctypes.c_int, ctypes.c_void_p
_Map = ctypes.PYFUNCTYPE(_int, _pointer, _int, _int, _int, ctypes.POINTER(_pointer))
_Lock = ctypes.PYFUNCTYPE(_int, _pointer, _int, _int, _int)
_Barrier = ctypes.PYFUNCTYPE(None, _pointer)
_Unmap = ctypes.PYFUNCTYPE(_int, _pointer, _int)


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 2."""

    _fields_ = (
        ("version", _int),
        *((f"method{number}", _pointer) for number in range(12)),
        ("map", _Map),
        ("lock", _Lock),
        ("barrier", _Barrier),
        ("unmap", _Unmap),
    )


class _File(ctypes.Structure):
    """`sqlite3_file`."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class SharedMemory:
    """The regions of one database, and who holds which of its eight locks."""

    def __init__(self) -> None:
        self._regions: list[ctypes.Array[ctypes.c_char]] = []
        self._shared: dict[int, set[int]] = {slot: set() for slot in range(SLOTS)}
        self._exclusive: dict[int, int] = {}
        self._users: set[int] = set()

    def map(self, user: int, number: int, size: int, *, extend: bool) -> int | None:
        """The address of a region; None if there is none and it is not to be made."""
        self._users.add(user)
        while extend and len(self._regions) <= number:
            self._regions.append(ctypes.create_string_buffer(size))
        return ctypes.addressof(self._regions[number]) if number < len(self._regions) else None

    def lock(self, user: int, first: int, count: int, flags: int) -> bool:
        """Take or give back a run of locks, all or none."""
        slots = range(first, first + count)
        shared = bool(flags & apsw.SQLITE_SHM_SHARED)
        if flags & apsw.SQLITE_SHM_UNLOCK:
            for slot in slots:
                self._shared[slot].discard(user)
                if self._exclusive.get(slot) == user:
                    del self._exclusive[slot]
            return True
        for slot in slots:
            if self._exclusive.get(slot, user) != user or (not shared and self._shared[slot] - {user}):
                return False
        for slot in slots:
            if shared:
                self._shared[slot].add(user)
            else:
                self._exclusive[slot] = user
        return True

    def unmap(self, user: int, *, delete: bool) -> None:
        """A connection is done; with the last one, or if it says so, the memory goes."""
        self._users.discard(user)
        for slot in range(SLOTS):
            self.lock(user, slot, 1, apsw.SQLITE_SHM_UNLOCK)
        if delete or not self._users:
            self._regions.clear()


_clear = ctypes.pythonapi.PyErr_Clear
"""Forgets an exception that apsw keeps for later, of another method of the same file: while it is pending nothing of Python's works, and
SQLite has its error code."""
_clear.restype = None

_copies: dict[int, tuple[_Methods, dict[int, SharedMemory]]] = {}
"""By the address of apsw's methods: their copy, and the memory of each open file by its own address."""


def give(connection: apsw.Connection, memory: SharedMemory) -> None:
    """Let the main database of a connection have shared memory."""
    holder = ctypes.c_void_p()
    connection.file_control("main", apsw.SQLITE_FCNTL_FILE_POINTER, ctypes.addressof(holder))
    assert holder.value is not None
    file = _File.from_address(holder.value)
    address = ctypes.addressof(file.methods.contents)
    if address not in _copies:
        _copies[address] = _copy(file.methods.contents)
        # Files that have the copy already are found by its address, too.
        _copies[ctypes.addressof(_copies[address][0])] = _copies[address]
    methods, memories = _copies[address]
    memories[holder.value] = memory
    file.methods = ctypes.pointer(methods)


def _copy(original: _Methods) -> tuple[_Methods, dict[int, SharedMemory]]:
    """The methods of a file, with shared memory."""
    memories: dict[int, SharedMemory] = {}

    def map_(file: int, number: int, size: int, extend: int, out: Any) -> int:
        _clear()
        out[0] = memories[file].map(file, number, size, extend=bool(extend))
        return _OK

    def lock(file: int, first: int, count: int, flags: int) -> int:
        _clear()
        return _OK if memories[file].lock(file, first, count, flags) else _BUSY

    def barrier(_file: int) -> None:
        """One thread needs none."""

    def unmap(file: int, delete: int) -> int:
        _clear()
        memories[file].unmap(file, delete=bool(delete))
        return _OK

    methods = _Methods()
    # Version 1 of the structure ends with its twelfth method.
    ctypes.memmove(ctypes.addressof(methods), ctypes.addressof(original), _Methods.map.offset)
    methods.version = 2
    methods.map, methods.lock, methods.barrier, methods.unmap = _Map(map_), _Lock(lock), _Barrier(barrier), _Unmap(unmap)
    return methods, memories
