"""Sockets that a program opens by itself, for real: each host has an address of its own on loopback, and is found there by its name.

So three hosts can listen on port 8000, and a partition can tell whose connection is whose.  Linux answers on all of 127.0.0.0/8; where
there is only 127.0.0.1, hosts share it, and its ports.

In the process of a host, what the standard library's sockets do with addresses is changed: to listen everywhere is to listen at one's own
address, and connections to other hosts come from there.  What trio's socket factory makes is held up, besides, while a link is cut: data
under way is late, as TCP's is, connecting takes until it is over, datagrams are lost.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket as stdlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from ipaddress import IPv4Address
from typing import Any
from unittest.mock import patch

import trio

from .gate import Gate

__all__ = ["addresses_for", "installed", "resolving"]

_OWN = ("", "0.0.0.0", "127.0.0.1")  # noqa: S104  # where a host listens everywhere, or talks to itself


def addresses_for(names: Sequence[str]) -> dict[str, str]:
    """An address of loopback for each host of a run, that no other run is likely to use."""
    if sys.platform != "linux":
        return dict.fromkeys(names, "127.0.0.1")
    block = (127 << 24) + ((secrets.randbelow(250) + 2) << 16)
    return {name: str(IPv4Address(block + (place // 250 << 8) + place % 250 + 1)) for place, name in enumerate(names)}


def resolving(addresses: Mapping[str, str]) -> AbstractContextManager[Any]:
    """While entered, hosts are found by their names."""
    real = stdlib.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        return real(addresses.get(name, host), port, *args, **kwargs)

    return patch.object(stdlib, "getaddrinfo", getaddrinfo)


def installed(name: str, addresses: Mapping[str, str], ports: Mapping[str, int], gate: Gate) -> AbstractContextManager[Any]:
    """While entered, this process is a host: to be entered within `trio.run`."""
    own = addresses[name]
    patches = ExitStack()
    patches.enter_context(resolving({**addresses, "localhost": own}))
    patches.enter_context(patch.object(stdlib, "gethostname", lambda: name))
    patches.enter_context(patch.object(stdlib.socket, "bind", _bind(own), create=True))
    for method in ("connect", "connect_ex"):
        patches.enter_context(patch.object(stdlib.socket, method, _connect(method, own, addresses), create=True))
    names = {address: host for host, address in addresses.items()}
    if len(names) == len(addresses):  # else nobody can tell whose connection is whose
        trio.socket.set_custom_socket_factory(_Factory(name, names, frozenset(ports.values()), gate))
    return patches


def _bind(own: str) -> Callable[..., None]:
    real = stdlib.socket.bind

    def bind(sock: stdlib.socket, address: Any) -> None:
        if sock.family == stdlib.AF_INET and address[0] in _OWN:
            address = (own, *address[1:])
        real(sock, address)

    return bind


def _connect(method: str, own: str, addresses: Mapping[str, str]) -> Callable[..., Any]:
    real = getattr(stdlib.socket, method)
    bind = stdlib.socket.bind

    def connect(sock: stdlib.socket, address: Any) -> Any:
        if sock.family == stdlib.AF_INET and address[0] in _OWN:
            address = (own, *address[1:])
        if sock.family == stdlib.AF_INET and address[0] in addresses.values() and sock.getsockname()[1] == 0:
            bind(sock, (own, 0))  # so that the other side knows who it is
        return real(sock, address)

    return connect


class _Factory(trio.abc.SocketFactory):
    def __init__(self, name: str, names: Mapping[str, str], transport: frozenset[int], gate: Gate) -> None:
        self._name = name
        self._names = names
        self._transport = transport
        self._gate = gate

    def socket(self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0) -> GatedSocket:  # noqa: A002
        if family == stdlib.AF_INET6:
            # Hosts have one address each, and programs that would listen on both kinds go on without.
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return self.gated(trio.socket.from_stdlib_socket(stdlib.socket(family, type, proto)))

    def gated(self, sock: trio.socket.SocketType) -> GatedSocket:
        return GatedSocket(sock, self)

    def links_with(self, address: Any) -> tuple[tuple[str, str], tuple[str, str]]:
        """The link to whoever has an address, and the link from there."""
        # Connections of the transport are held up by nobody: it drops what it should.
        known = isinstance(address, tuple) and address[1] not in self._transport
        other = self._names.get(address[0], "") if known else ""
        return (self._name, other), (other, self._name)

    def is_cut(self, link: tuple[str, str]) -> bool:
        return link in self._gate.cuts

    async def opened(self, *links: tuple[str, str]) -> None:
        await self._gate.opened(*links)


class GatedSocket(trio.socket.SocketType):
    """A socket of trio's that is held up while the link to its peer is cut."""

    def __init__(self, real: trio.socket.SocketType, factory: _Factory) -> None:
        self._real = real
        self._factory = factory
        self._late = b""
        self._ended = False

    def _peer(self) -> tuple[tuple[str, str], tuple[str, str]]:
        try:
            return self._factory.links_with(self._real.getpeername())
        except OSError:  # it has gone
            return self._factory.links_with(None)

    async def connect(self, address: Any) -> None:
        """Connect, once the link is open in both directions."""
        await self._factory.opened(*self._factory.links_with(address))
        await self._real.connect(address)

    async def accept(self) -> tuple[GatedSocket, Any]:
        """The next connection."""
        sock, address = await self._real.accept()
        return self._factory.gated(sock), address

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Receive; what has come through a link that is cut is late, and not lost if nobody waits for it any more."""
        while True:
            await self._factory.opened(self._peer()[1])
            if self._late and not flags:
                data, self._late = self._late[:buflen], self._late[buflen:]
                return data
            if self._ended:
                return b""
            data = await self._real.recv(buflen, flags)
            if flags or not self._factory.is_cut(self._peer()[1]):
                return data
            self._late += data
            self._ended = not data

    async def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """The same, into a buffer."""
        view = memoryview(buffer).cast("B")
        data = await self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    async def send(self, data: Any, flags: int = 0, /) -> int:
        """Send, once the link is open: the peer's end may be one that holds nothing up."""
        if self._real.type == stdlib.SOCK_STREAM:
            await self._factory.opened(self._peer()[0])
        return await self._real.send(data, flags)

    async def sendto(self, data: Any, *where: Any) -> int:
        """Send a datagram, which is lost if the link is cut."""
        if self._factory.is_cut(self._factory.links_with(where[-1])[0]):
            await trio.lowlevel.checkpoint()
            return len(data)
        if self._real.getsockname()[1] == 0:
            await self._real.bind(("", 0))  # at its own address, so that the other side knows who it is
        return await self._real.sendto(data, *where)

    async def recvfrom(self, *args: Any, **kwargs: Any) -> tuple[bytes, Any]:
        """Receive a datagram that has come through an open link."""
        while True:
            data, address = await self._real.recvfrom(*args, **kwargs)
            if not self._factory.is_cut(self._factory.links_with(address)[1]):
                return data, address


def _delegated(name: str) -> Any:
    def method(self: GatedSocket, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._real, name)(*args, **kwargs)

    def attribute(self: GatedSocket) -> Any:
        return getattr(self._real, name)

    return property(attribute) if name in ("did_shutdown_SHUT_WR", "family", "type", "proto") else method


for _name in dir(trio.socket.SocketType):
    if not _name.startswith("__") and _name not in vars(GatedSocket):
        setattr(GatedSocket, _name, _delegated(_name))
GatedSocket.__enter__ = lambda self: self  # type: ignore[method-assign]
GatedSocket.__exit__ = lambda self, *_: self._real.close()  # type: ignore[method-assign]
