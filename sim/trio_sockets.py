"""trio's sockets over those of a simulated kernel.

Of `trio.socket` all that can be is used as it is: resolving addresses, connecting, the stream and listener layers, TLS.  What trio does
by calling methods of `_socket.socket` on a descriptor is done here on a `SimSocket`.  With `trio_driver.py` this is the only module
that uses private names of trio.
"""

from __future__ import annotations

import socket as stdlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import trio
from trio import _socket as trio_socket
from trio._socket import _resolver, _socket_factory, _SocketType

from .interpose import names
from .kernel.socket import SimSocket

if TYPE_CHECKING:
    from .machine import Machine

checkpoint_if_cancelled = trio.lowlevel.checkpoint_if_cancelled
cancel_shielded_checkpoint = trio.lowlevel.cancel_shielded_checkpoint
_STREAM = stdlib.SOCK_STREAM

__all__ = ["MODULES", "TrioSocket", "hooks", "make"]

MODULES = (trio.socket, trio_socket)
"""Where trio keeps `from_stdlib_socket`: it makes its own sockets of a program's."""


class TrioSocket(_SocketType):
    """A `trio.socket.SocketType` of a simulated host."""

    _sock: SimSocket  # type: ignore[assignment]  # it has the methods that are called

    def __init__(self, sock: SimSocket) -> None:
        self._sock = sock
        self._did_shutdown_SHUT_WR = False
        sock.setblocking(False)

    async def _nonblocking_helper(self, wait_fn: Callable[..., Awaitable[None]], fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """As trio's own, with the simulated socket's method of the same name."""
        sock = self._sock
        operation = getattr(sock, fn.__name__)
        await checkpoint_if_cancelled()
        try:
            result = operation(*args, **kwargs)
        except BlockingIOError:
            pass
        else:
            await cancel_shielded_checkpoint()
            return result
        while True:
            await wait_fn(sock)
            try:
                return operation(*args, **kwargs)
            except BlockingIOError:
                pass

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Receive at most `buflen` bytes."""
        sock = self._sock
        if sock.type != _STREAM:
            return await self._nonblocking_helper(trio.lowlevel.wait_readable, SimSocket.recv, buflen, flags)  # type: ignore[no-any-return]
        await checkpoint_if_cancelled()
        data = sock.receive_now(buflen, flags)
        if data is not None:
            await sock.pass_by()
            return data
        while data is None:
            await sock.wait("read")
            data = sock.receive_now(buflen, flags)
        return data

    async def send(self, data: Any, flags: int = 0, /) -> int:  # noqa: ARG002  # no flag of Linux changes anything here
        """Send as much as there is room for, at least something."""
        sock = self._sock
        await checkpoint_if_cancelled()
        sent = sock.send_now(data)
        if sent is not None:
            await sock.pass_by()
            return sent
        while sent is None:
            await sock.wait("write")
            sent = sock.send_now(data)
        return sent

    async def accept(self) -> tuple[TrioSocket, Any]:
        """The next connection."""
        sock, address = await self._nonblocking_helper(trio.lowlevel.wait_readable, SimSocket.accept)
        return TrioSocket(sock), address

    def is_readable(self) -> bool:
        """True if receiving would not wait."""
        return self._sock.readable

    def close(self) -> None:
        """Close the socket, and wake whoever waits for it."""
        if self._sock.fileno() != -1:
            self._sock.interrupt()
            self._sock.close()


class _Factory(trio.abc.SocketFactory):
    """Makes the sockets of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def socket(self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0) -> TrioSocket:  # noqa: A002
        return TrioSocket(make(self._machine, family, type, proto))


class _Resolver(trio.abc.HostnameResolver):
    """Resolves names for one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def getaddrinfo(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002
        await trio.lowlevel.checkpoint()
        return names.getaddrinfo(self._machine, host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        await trio.lowlevel.checkpoint()
        return names.getnameinfo(self._machine, sockaddr, flags)


def make(machine: Machine, family: int, type: int, proto: int) -> SimSocket:  # noqa: A002
    """A socket of a machine.

    Raises:
        OSError: of a kind that simulated hosts do not have.
    """
    if family not in (stdlib.AF_INET, stdlib.AF_INET6) or type not in (stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM):
        kind = f"{stdlib.AddressFamily(family).name}, {stdlib.SocketKind(type).name}"
        raise OSError(f"a simulated host has TCP and UDP sockets over IPv4 and IPv6, and no others (asked for: {kind})")
    return SimSocket(machine, family, type, proto)


def hooks(machine: Machine) -> Mapping[Any, Any]:
    """What a trio run of a machine is given: its own socket factory and resolver, trio's two hooks."""
    return {_socket_factory: _Factory(machine), _resolver: _Resolver(machine)}
