"""Replacing attributes of standard modules while a world is driven."""

from __future__ import annotations

import builtins
import fcntl
import glob
import io
import logging
import os
import platform
import random
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from ..kernel.socket import SimSocket
from ..trio_sockets import MODULES, TrioSocket, make
from . import escapes, files, locks, logs, names, posix, randomness, refusals, running, times

if TYPE_CHECKING:
    from ..machine import Machine
    from ..world import World

__all__ = ["Interposition"]

_REAL_SOCKET = socket.socket


class _SocketClass(type):
    """The class of `socket.socket` while a world is driven: hosts get simulated ones, everybody else real ones."""

    def __call__(cls, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> Any:  # noqa: A002
        machine = running.machine()
        if machine is None:
            return _REAL_SOCKET(family, type, proto, fileno)
        if fileno is not None:
            raise OSError(f"descriptor {fileno}: a simulated host has no descriptors of the operating system")
        return make(machine, socket.AF_INET if family == -1 else family, socket.SOCK_STREAM if type == -1 else type, max(proto, 0))

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        # A module that is imported meanwhile and has a subclass of `socket.socket` means the real one.
        if not bases:
            return super().__new__(mcs, name, bases, namespace)
        real = tuple(_REAL_SOCKET if isinstance(base, _SocketClass) else base for base in bases)
        return type(name, real, namespace)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, (_REAL_SOCKET, SimSocket))

    def __getattr__(cls, name: str) -> Any:
        return getattr(_REAL_SOCKET, name)


class _Socket(metaclass=_SocketClass):
    """What `socket.socket` is while a world is driven."""


def _of_host(real: Callable[..., Any], simulated: Callable[..., Any]) -> Callable[..., Any]:
    """The function that asks who calls."""

    @wraps(real)
    def either(*args: Any, **kwargs: Any) -> Any:
        machine: Machine | None = running.machine()
        return real(*args, **kwargs) if machine is None else simulated(machine, *args, **kwargs)

    return either


def _of_host_or_real(real: Callable[..., Any], simulated: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a function that may have to do with the real one after all."""

    @wraps(real)
    def either(*args: Any, **kwargs: Any) -> Any:
        machine: Machine | None = running.machine()
        return real(*args, **kwargs) if machine is None else simulated(machine, real, *args, **kwargs)

    return either


def _from_stdlib_socket(real: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(real)
    def either(sock: Any) -> Any:
        return TrioSocket(sock) if isinstance(sock, SimSocket) else real(sock)

    return either


def _drawn_by_host(name: str) -> Callable[..., Any]:
    """A function of `random`, of the host's own generator; what would seed that does nothing, since the run's seed has done it."""
    return lambda machine, *args, **kwargs: None if name in ("seed", "setstate") else getattr(machine.entropy, name)(*args, **kwargs)


_NOT_THERE: tuple[tuple[Any, str, Callable[..., Any]], ...] = (*refusals.REFUSED, *refusals.IGNORED, *logs.REFUSED)

_REPLACED: tuple[tuple[Any, str, Any], ...] = (
    (socket, "socket", _Socket),
    *((socket, name, _of_host(getattr(socket, name), getattr(names, name))) for name in names.__all__),
    *((random, name, _of_host(getattr(random, name), _drawn_by_host(name))) for name in randomness.FUNCTIONS),
    *((module, "open", _of_host_or_real(open, files.open_file)) for module in (builtins, io)),
    *((os, name, _of_host_or_real(getattr(os, name), simulated)) for name, simulated in posix.FUNCTIONS.items() if hasattr(os, name)),
    *((module, name, _of_host(getattr(module, name), simulated)) for module, name, simulated in _NOT_THERE),
    *((fcntl, name, _of_host_or_real(getattr(fcntl, name), simulated)) for name, simulated in locks.FUNCTIONS.items()),
    *((os, name, _of_host(getattr(os, name), refusals.exit_now)) for name in ("_exit", "abort")),
    (tempfile, "_gettempdir", _of_host(tempfile._gettempdir, files.temporary_folder)),  # type: ignore[attr-defined]
    (tempfile, "_get_candidate_names", _of_host(tempfile._get_candidate_names, files.temporary_names)),  # type: ignore[attr-defined]
    *logs.REPLACED,
    (platform, "node", _of_host(platform.node, lambda machine: machine.name)),
    (uuid, "uuid1", _of_host(uuid.uuid1, randomness.uuid1)),
    (uuid, "getnode", _of_host(uuid.getnode, randomness.getnode)),
    *((module, "from_stdlib_socket", _from_stdlib_socket(module.from_stdlib_socket)) for module in MODULES),
)
"""What is replaced by what: made once, since driving begins and ends often."""


platform.uname()  # kept by `platform` for good, so it had better be the real one


def _rebind_what_was_bound_early() -> None:
    """Classes of the standard library that keep functions of `os` of their own get functions that ask who calls."""
    for method in vars(tempfile._TemporaryFileCloser).values():  # type: ignore[attr-defined]
        if getattr(method, "__defaults__", None):
            unlink = _of_host_or_real(os.unlink, posix.FUNCTIONS["unlink"])
            method.__defaults__ = tuple(unlink if value is os.unlink else value for value in method.__defaults__)
    for globber in (kind for kind in vars(glob).values() if isinstance(kind, type) and "scandir" in vars(kind)):
        globber.scandir = staticmethod(_of_host_or_real(os.scandir, posix.FUNCTIONS["scandir"]))  # type: ignore[attr-defined]


_rebind_what_was_bound_early()

_NATIVES = (*times.NATIVES, *randomness.NATIVES)


_BY_IDENTITY = {
    id(getattr(module, name)): (getattr(module, name), replacement)
    for module, name, replacement in _REPLACED
    if not isinstance(module, type) and replacement is not _Socket
}
_EARLY = ("tarfile", "bz2", "tokenize")
"""Modules of the standard library that have bound `open` to a name of theirs."""
_seen: set[str] = set()


def _rebind_imported_names() -> None:
    """`from os import rename` gives a module a name of its own, which nothing done to `os` reaches: such names are replaced where they are.

    Done once per module and for good: whoever is no host goes on to get the real function.
    """
    for name in [name for name in sys.modules if name not in _seen]:
        _seen.add(name)
        top = name.partition(".")[0]
        if (top in sys.stdlib_module_names and name not in _EARLY) or top in ("killpoint", "trio"):
            continue
        names = getattr(sys.modules[name], "__dict__", None)
        if type(names) is dict:
            for key, value in list(names.items()):
                found = _BY_IDENTITY.get(id(value))
                if found is not None and found[0] is value:
                    names[key] = found[1]


class Interposition:
    """While entered, what the standard library does for hosts is what their world does."""

    __slots__ = ("_logs", "_saved", "_world", "_zone")

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        escapes.watch()
        if len(sys.modules) != len(_seen):
            _rebind_imported_names()
        self._zone = times.Zone()
        self._zone.__enter__()
        running.begin(self._world)
        self._logs = "handlers" not in vars(logging.Logger)
        if self._logs:
            logging.Logger.handlers = logs.HostHandlers()  # type: ignore[assignment]  # for the time being
        self._saved = [(module, name, getattr(module, name)) for module, name, _ in _REPLACED]
        for module, name, replacement in _REPLACED:
            setattr(module, name, replacement)
        for native in _NATIVES:
            native.replace()

    def __exit__(self, *_: object) -> None:
        # A world that is driven from within another one's host leaves that one's in place.
        if not running.nested():
            for native in _NATIVES:
                native.restore()
        for module, name, value in self._saved:
            setattr(module, name, value)
        if self._logs:
            del logging.Logger.handlers
        running.end()
        self._zone.__exit__()
