"""Opening a database where the program runs: on the simulated disk of a host, or on the real one."""

from __future__ import annotations

from typing import Any

import apsw

from ..interpose import running
from ..interpose.files import files_of, name_of
from .shared_memory import SharedMemory, give
from .vfs import NAME, register

__all__ = ["connect"]


def connect(path: str, **options: Any) -> apsw.Connection:
    """An apsw connection; `options` are those of `apsw.Connection`.

    Where a simulated host runs it is to a file on its disk, in all journal modes and locking modes; anywhere else to a real file.
    """
    machine = running.machine()
    if machine is None or path == ":memory:":
        return apsw.Connection(path, **options)
    register()
    connection = apsw.Connection(path, vfs=NAME, **options)
    memories = files_of(machine).memories
    give(connection, memories.setdefault(name_of(path), SharedMemory()))
    return connection
