"""A socket of a simulated host, with the interface of `socket.socket`.

It never blocks: what would wait raises BlockingIOError, and trio waits (see `sim/trio_sockets.py`).  Code that wants to block in a
socket call would stop the whole simulation, so that is an error which says so.
"""

from __future__ import annotations

import os
import socket as stdlib
import struct
from collections import deque
from collections.abc import Iterable
from errno import EBADF, EDESTADDRREQ, EINPROGRESS, EINVAL, EISCONN, EMSGSIZE, ENOTCONN, EOPNOTSUPP
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias

from trio.lowlevel import cancel_shielded_checkpoint, checkpoint

from .address import ANYWHERE, Endpoint, parse, shown
from .options import Options
from .ports import covers
from .stack import DATAGRAM_BUFFER
from .tcp import Connection, Listener
from .waiting import Waiting

if TYPE_CHECKING:
    from ..machine import Machine, SimHost

__all__ = ["Bytes", "SimSocket"]

Bytes: TypeAlias = bytes | bytearray | memoryview

LARGEST_DATAGRAM = 65_507
_PEEK = int(stdlib.MSG_PEEK)
_SHUT_READ, _SHUT_WRITE = (stdlib.SHUT_RD, stdlib.SHUT_RDWR), (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class SimSocket:
    """One socket of one incarnation of a host's program."""

    def __init__(self, machine: Machine, family: int, type: int, proto: int, *, connection: Connection | None = None) -> None:  # noqa: A002
        self._machine = machine
        self._handle: SimHost | None = machine.handle
        self._stack = machine.kernel()
        self.family = stdlib.AddressFamily(family)
        self.type = stdlib.SocketKind(type)
        self.proto = proto
        self.bound: Endpoint | None = None
        self.peer: Endpoint | None = None
        self.claims = True
        self.options = Options(self.family, self.type, proto)
        self._timeout: float | None = None
        self._listener: Listener | None = None
        self._connection = connection
        self._waiting = Waiting(machine)
        self._datagrams: deque[tuple[Endpoint, bytes]] = deque()
        self._error = 0
        self._deaf = False
        self._descriptor = self._stack.register(self)
        if connection is not None:
            self.bound, self.peer, self.claims = connection.local, connection.remote, False
            connection.socket = self

    # -- who and where ----------------------------------------------------------------------------

    def fileno(self) -> int:
        """A number that no real descriptor has; -1 once closed."""
        return self._descriptor

    def getsockname(self) -> tuple[Any, ...]:
        """The address and port that the socket is bound to."""
        self._alive()
        address, port = self.bound or (ANYWHERE[self.family == stdlib.AF_INET6], 0)
        return shown((address, port), self.family)

    def getpeername(self) -> tuple[Any, ...]:
        """The address and port of whom the socket is connected to."""
        self._alive()
        if self.peer is None or (self._connection is not None and not self._connection.opened):
            self._raise(ENOTCONN)
        return shown(self.peer, self.family)

    def get_inheritable(self) -> bool:
        """A simulated program has no children."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """See `get_inheritable`."""

    def setblocking(self, flag: bool) -> None:
        """As `socket.socket.setblocking`; calls that would then block are errors."""
        self._timeout = None if flag else 0.0

    def settimeout(self, value: float | None) -> None:
        """As `socket.socket.settimeout`; calls that would then block are errors."""
        self._timeout = value

    def gettimeout(self) -> float | None:
        """The time-out that was set."""
        return self._timeout

    def getblocking(self) -> bool:
        """True unless the socket was told not to block."""
        return self._timeout != 0.0

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int | bytes:
        """An option that was set, or the kernel's default."""
        self._alive()
        if (level, option) == (stdlib.SOL_SOCKET, stdlib.SO_ERROR):
            value = self._take_error()
        elif (level, option) == (stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN):
            value = int(self._listener is not None)
        else:
            value = self.options.get(level, option)
        return struct.pack("i", value)[:buflen] if buflen else value

    def setsockopt(self, level: int, option: int, value: int | Bytes | None, optlen: int = 0) -> None:
        """Set an option.  Those that change what programs can notice take effect; the others are remembered only."""
        self._alive()
        self.options.set(level, option, value)
        connection = self._connection
        if connection is not None:
            self.options.apply(connection)
            if connection.opened:
                self._stack.keep_alive(connection)

    # -- connections ------------------------------------------------------------------------------

    def bind(self, address: tuple[Any, ...]) -> None:
        """Take a port of this machine."""
        self._alive()
        if self.bound is not None:
            self._raise(EINVAL)
        where, port = self._endpoint(address)
        self._stack.local_address(where)
        self.bound = where, self._stack.claim(self, where, port)
        if self.type == stdlib.SOCK_DGRAM:
            self._stack.datagrams.setdefault(self.bound[1], []).append(self)

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on."""
        self._alive()
        if self.type != stdlib.SOCK_STREAM:
            self._raise(EOPNOTSUPP)
        if self._connection is not None:
            self._raise(EINVAL)
        address, port = self._bound()
        if self._listener is None:
            self._listener = Listener(self, address, backlog, v6_only=self.options.v6_only)
            self._stack.listen(self._listener, port)
        self._listener.backlog = max(backlog, 1)

    def accept(self) -> tuple[SimSocket, tuple[Any, ...]]:
        """The next connection that the kernel has accepted."""
        self._alive()
        if self._listener is None:
            self._raise(EINVAL)
        queue = self._listener.queue
        while queue:
            connection = queue.popleft()
            if connection.error == 0 or connection.buffer:
                accepted = SimSocket(self._machine, self.family, self.type, self.proto, connection=connection)
                accepted.options.update(self.options)
                accepted.options.apply(connection)
                return accepted, shown(connection.remote, self.family)
        return self._would_block()

    def connect(self, address: tuple[Any, ...]) -> None:
        """Begin to connect; for datagrams, name whom to talk to."""
        self._alive()
        remote = self._endpoint(address)
        if self.type == stdlib.SOCK_DGRAM:
            self._bound()
            self.peer = remote
            return
        if self._connection is not None:
            if self._connection.opened:
                self._raise(EISCONN)
            self._raise(EINPROGRESS)
        local = self._stack.source_endpoint(self._bound(), remote[0])
        self.bound, self.peer, self.claims = local, remote, False
        self._connection = self._stack.connect(self, local, remote)
        self.options.apply(self._connection)
        if self.getblocking():
            self._would_block()
        raise BlockingIOError(EINPROGRESS, os.strerror(EINPROGRESS))

    def connect_ex(self, address: tuple[Any, ...]) -> int:
        """As `connect`, with the error's number."""
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or EINVAL
        return 0

    def shutdown(self, how: int) -> None:
        """End one direction of a connection, or both."""
        connection = self._connected()
        if how in _SHUT_READ:
            self._deaf = True
            self.wake(readers=True, writers=False)
        if how in _SHUT_WRITE:
            connection.shutdown()

    def close(self) -> None:
        """Close the socket; an operation that waits on it ends with ClosedResourceError."""
        if self._descriptor == -1:
            return
        self._stack.sockets.pop(self._descriptor, None)
        self._descriptor = -1
        if self.fenced:
            return
        if self._listener is not None and self.bound is not None:
            self._stack.unlisten(self._listener, self.bound[1])
        if self.type == stdlib.SOCK_DGRAM and self.bound is not None:
            self._stack.datagrams[self.bound[1]].remove(self)
        if self._connection is not None:
            self._connection.close()

    def detach(self) -> int:
        """Not for simulated sockets: their descriptors mean nothing to the operating system."""
        raise OSError(EOPNOTSUPP, "a simulated socket has no descriptor of the operating system, so it cannot be detached")

    def dup(self) -> SimSocket:
        """Not for simulated sockets."""
        raise OSError(EOPNOTSUPP, "a simulated socket has no descriptor of the operating system, so it cannot be duplicated")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "closed" if self._descriptor == -1 else f"{self.bound} to {self.peer}"
        return f"<simulated socket.socket of {self._machine.name}, {self.type.name}, {where}>"

    # -- data -------------------------------------------------------------------------------------

    def send(self, data: Bytes, flags: int = 0) -> int:
        """Send as much as there is room for."""
        if self.type == stdlib.SOCK_DGRAM:
            if self.peer is None:
                self._raise(EDESTADDRREQ)
            return self._send_to(bytes(data), self.peer)
        return self._connected().send(bytes(data))

    def send_now(self, data: Bytes) -> int | None:
        """Send on a connection as much as there is room for; None if there is none."""
        try:
            return self.send(data)
        except BlockingIOError:
            return None

    def sendall(self, data: Bytes, flags: int = 0) -> None:
        """Send all of it if there is room."""
        if self.send(data) < len(data):
            self._would_block()

    def sendto(self, data: Bytes, *rest: Any) -> int:
        """Send a datagram to an address; the flags may come between."""
        if self.type == stdlib.SOCK_STREAM:
            return self.send(data)
        return self._send_to(bytes(data), self._endpoint(rest[-1]))

    def sendmsg(
        self, buffers: Iterable[Bytes], ancdata: Iterable[object] = (), flags: int = 0, address: tuple[Any, ...] | None = None
    ) -> int:
        """Send several buffers as one."""
        if list(ancdata):
            self._raise(EINVAL)
        data = b"".join(bytes(buffer) for buffer in buffers)
        return self.send(data) if address is None else self.sendto(data, address)

    def _send_to(self, data: bytes, target: Endpoint) -> int:
        self._alive()
        self._raise_pending()
        if len(data) > LARGEST_DATAGRAM:
            self._raise(EMSGSIZE)
        self._stack.send_datagram(self._stack.source_endpoint(self._bound(), target[0]), target, data)
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """At most `size` bytes; none at the end."""
        if self.type == stdlib.SOCK_DGRAM:
            return self.recvfrom(size, flags)[0]
        data = self.receive_now(size, flags)
        if data is None:
            raise BlockingIOError
        return data

    def receive_now(self, size: int, flags: int = 0) -> bytes | None:
        """What has arrived on a connection, at most `size` bytes; none at the end, None if nothing has."""
        if self._descriptor == -1 or self.fenced or self._connection is None:
            self._connected()
        connection = self._connection
        assert connection is not None
        return b"" if self._deaf else connection.receive(size, peek=flags & _PEEK != 0)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, tuple[Any, ...] | None]:
        """The same, with whom it is from."""
        if self.type == stdlib.SOCK_STREAM:
            return self.recv(size, flags), None
        self._alive()
        self._raise_pending()
        if not self._datagrams:
            self._would_block()
        source, data = self._datagrams[0] if flags & _PEEK else self._datagrams.popleft()
        return data[:size], shown(source, self.family)

    def recv_into(self, buffer: Bytes, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer."""
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom_into(self, buffer: Bytes, nbytes: int = 0, flags: int = 0) -> tuple[int, tuple[Any, ...] | None]:
        """The same, with whom it is from."""
        view = memoryview(buffer).cast("B")
        data, source = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), source

    def recvmsg(self, size: int, ancbufsize: int = 0, flags: int = 0) -> tuple[bytes, list[object], int, tuple[Any, ...] | None]:
        """Receive; there are no ancillary data."""
        data, source = self.recvfrom(size, flags)
        return data, [], 0, source

    def recvmsg_into(
        self, buffers: Iterable[Bytes], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[object], int, tuple[Any, ...] | None]:
        """Receive into several buffers, one after the other."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data, source = self.recvfrom(sum(map(len, views)), flags)
        rest = data
        for view in views:
            part, rest = rest[: len(view)], rest[len(view) :]
            view[: len(part)] = part
        return len(data), [], 0, source

    # -- what the kernel says ---------------------------------------------------------------------

    def takes(self, address: str, source: Endpoint) -> bool:
        """True if a datagram for an address is for this socket."""
        assert self.bound is not None
        return (self.peer is None or self.peer == source) and (self.bound[0] == address or covers(self.bound[0], self.options, address))

    def datagram(self, source: Endpoint, data: bytes) -> None:
        """A datagram has come in; it is dropped if too many wait."""
        if sum(len(waiting) for _, waiting in self._datagrams) + len(data) <= DATAGRAM_BUFFER:
            self._datagrams.append((source, data))
            self.wake(readers=True, writers=False)

    def fail(self, error: int) -> None:
        """The kernel has an error for whoever uses the socket next."""
        self._error = error
        self.wake(readers=True, writers=True)

    # -- waiting ----------------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """True once it accepts connections."""
        return self._listener is not None

    @property
    def readable(self) -> bool:
        """True if receiving, or accepting, would not wait."""
        if self._listener is not None:
            return bool(self._listener.queue)
        if self._connection is not None:
            return self._deaf or self._connection.readable
        return bool(self._datagrams or self._error)

    @property
    def writable(self) -> bool:
        """True if sending, or learning how a connection attempt ended, would not wait."""
        return self._connection is None or self._connection.writable

    async def pass_by(self) -> None:
        """A checkpoint that cannot be cancelled: others run, if there are any."""
        machine = self._machine
        engine = machine.engine
        if engine is None or machine.handle is not self._handle or not engine.alone(machine.world.trap):
            await cancel_shielded_checkpoint()

    async def wait(self, direction: str) -> None:
        """Wait until the socket is ready, in one direction: "read" or "write"; see `Waiting`."""
        if self.readable if direction == "read" else self.writable:
            await checkpoint()
        else:
            await self._waiting.wait(direction)

    def wake(self, *, readers: bool, writers: bool) -> None:
        """Let tasks look again."""
        if not self.fenced:
            self._waiting.wake(readers=readers, writers=writers)

    def interrupt(self) -> None:
        """The program is about to close the socket: whoever waits is told."""
        self._waiting.interrupt()

    # -- parts ------------------------------------------------------------------------------------

    @property
    def fenced(self) -> bool:
        """True once the program that made the socket is dead."""
        return self._handle is not self._machine.handle

    def _alive(self) -> None:
        if self._descriptor == -1:
            self._raise(EBADF)
        if self.fenced:
            raise BlockingIOError

    def _connected(self) -> Connection:
        self._alive()
        if self._connection is None:
            self._raise(ENOTCONN)
        return self._connection

    def _bound(self) -> Endpoint:
        """Where the socket is bound, to any free port if it was not."""
        if self.bound is None:
            self.bind((ANYWHERE[self.family == stdlib.AF_INET6], 0))
        assert self.bound is not None
        return self.bound

    def _endpoint(self, address: tuple[Any, ...]) -> Endpoint:
        return parse(self._machine.world, self.family, address)

    def _take_error(self) -> int:
        connection = self._connection
        if connection is not None:
            error, connection.error = connection.error, 0
        else:
            error, self._error = self._error, 0
        return error

    def _raise_pending(self) -> None:
        error = self._take_error()
        if error:
            self._raise(error)

    def _would_block(self) -> NoReturn:
        if self._timeout == 0.0:
            raise BlockingIOError
        raise RuntimeError("this socket call would block the whole simulation: a simulated host waits with trio only")

    @staticmethod
    def _raise(error: int) -> NoReturn:
        raise OSError(error, os.strerror(error))
