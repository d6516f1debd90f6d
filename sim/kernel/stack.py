"""The kernel of one machine: its ports, its connections, and the way of segments from and to the network."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, ECONNRESET, ENETUNREACH, ETIMEDOUT
from functools import partial
from typing import TYPE_CHECKING

from .address import ANYWHERE, Endpoint, addresses_of, is_loopback, machine_at, source_for
from .ports import conflict
from .segment import DATA, DATAGRAM, FIN, RST, SYN, SYN_ACK, UNREACHABLE, Segment
from .tcp import Connection, Listener

if TYPE_CHECKING:
    from ..machine import Machine
    from .socket import SimSocket

__all__ = ["DATAGRAM_BUFFER", "Stack"]

FIRST_EPHEMERAL, LAST_EPHEMERAL = 32768, 60999
"""The ports that Linux hands out."""

FIRST_DESCRIPTOR = 1_000_000
"""Descriptors of simulated sockets begin far above real ones."""

DATAGRAM_BUFFER = 212_992
"""Bytes of datagrams that wait to be received; more are dropped."""


class Stack:
    """The network part of a machine's kernel."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.world = machine.world
        self.network = machine.world.network
        self.connections: dict[tuple[Endpoint, Endpoint], Connection] = {}
        self.listeners: dict[int, list[Listener]] = {}
        self.datagrams: dict[int, list[SimSocket]] = {}
        self.sockets: dict[int, SimSocket] = {}
        self._next_port = FIRST_EPHEMERAL
        self._descriptors = FIRST_DESCRIPTOR

    # -- ports ------------------------------------------------------------------------------------

    def register(self, socket: SimSocket) -> int:
        """Give a socket a descriptor."""
        self._descriptors += 1
        self.sockets[self._descriptors] = socket
        return self._descriptors

    def local_address(self, address: str) -> None:
        """Check that an address is this machine's.

        Raises:
            OSError: it is not.
        """
        if address not in ANYWHERE and not is_loopback(address) and address not in addresses_of(self.machine.index):
            self.raise_error(EADDRNOTAVAIL)

    def claim(self, socket: SimSocket, address: str, port: int) -> int:
        """The port to bind to: the one that is wanted, or a free one for 0.

        Raises:
            OSError: another socket has it.
        """
        if port:
            if any(conflict(socket, other, address, port) for other in self.sockets.values()):
                self.raise_error(EADDRINUSE)
            return port
        for _ in range(FIRST_EPHEMERAL, LAST_EPHEMERAL):
            port = self._next_port
            self._next_port = port + 1 if port < LAST_EPHEMERAL else FIRST_EPHEMERAL
            if not any(other.bound is not None and other.bound[1] == port for other in self.sockets.values()):
                return port
        self.raise_error(EADDRINUSE)
        raise AssertionError("unreachable")

    def listen(self, listener: Listener, port: int) -> None:
        """Accept connections on a port from now on."""
        self.listeners.setdefault(port, []).append(listener)

    def unlisten(self, listener: Listener, port: int) -> None:
        """Accept no more; whoever is still in the queue is reset."""
        self.listeners[port].remove(listener)
        if not self.listeners[port]:
            del self.listeners[port]
        for connection in listener.queue:
            connection.abort()

    def connect(self, socket: SimSocket, local: Endpoint, remote: Endpoint) -> Connection:
        """Begin a connection.

        Raises:
            OSError: nobody has such an address.
        """
        if machine_at(self.world, self.machine, remote[0]) is None:
            self.raise_error(ENETUNREACH)
        connection = Connection(self, local, remote)
        connection.socket = socket
        self.connections[local, remote] = connection
        connection.connect()
        return connection

    def forget(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.pop((connection.local, connection.remote), None)

    # -- the network ------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        """False once the machine has lost power: this kernel is no more."""
        return self.machine.stack is self

    def hears(self, other: Stack) -> bool:
        """True if news from another kernel can come now."""
        return other.powered and not self.network.is_cut(other.machine.name, self.machine.name)

    def reaches(self, machine: Machine) -> bool:
        """True if a segment to a machine would be answered now."""
        here, there = self.machine.name, machine.name
        return machine.powered and not self.network.is_cut(here, there) and not self.network.is_cut(there, here)

    def transmit(self, segment: Segment, target: Machine | None = None, *, boundary: bool = False) -> None:
        """Put a segment on its link to a machine, by default the one that has its address; what a program sends is a boundary."""
        machine = self.machine
        if machine.stack is not self:
            return
        machine.sends += 1
        segment.sent = self.world.now
        if boundary and machine.armed:
            handle = machine.handle
            self.world.cross(machine, "send")
            if machine.handle is not handle:
                return
        if target is None:
            target = machine_at(self.world, machine, segment.target[0])
            assert target is not None, "checked before something is sent there"
        self.network.carry(machine, target, segment)

    def arrive(self, segment: Segment) -> None:
        """A segment has come in."""
        if segment.kind == DATAGRAM:
            self._datagram(segment)
            return
        if segment.kind == UNREACHABLE:
            self._unreachable(segment)
            return
        connection = self.connections.get((segment.target, segment.source))
        if connection is not None:
            connection.arrive(segment)
        elif segment.kind == SYN:
            self._handshake(segment)
        elif segment.kind in (DATA, FIN, SYN_ACK) and not self._late(segment):
            self.transmit(Segment(RST, segment.target, segment.source, self))

    def _late(self, segment: Segment) -> bool:
        """True for the end of a connection that this side has ended as well, and forgotten."""
        return segment.kind == FIN and segment.stack.powered

    def _handshake(self, segment: Segment) -> None:
        address, port = segment.target
        listener = self._listener(address, port)
        if listener is None:
            self.transmit(Segment(RST, segment.target, segment.source, self))
            return
        if len(listener.queue) >= listener.backlog:
            self.lost(segment)
            return
        connection = Connection(self, segment.target, segment.source)
        connection.opened = True
        other = segment.stack.connections.get((segment.source, segment.target))
        connection.other = other
        if other is not None:
            other.other = connection
        self.connections[segment.target, segment.source] = connection
        listener.queue.append(connection)
        self.transmit(Segment(SYN_ACK, segment.target, segment.source, self))
        listener.socket.wake(readers=True, writers=False)

    def _listener(self, address: str, port: int) -> Listener | None:
        """The listener for an address: one that is bound to it before one that is bound to any, and IPv4 ones before dual ones."""
        v6 = ":" in address
        some = [item for item in self.listeners.get(port, ()) if item.address == address]
        some += [item for item in self.listeners.get(port, ()) if item.address == ANYWHERE[v6]]
        some += [item for item in self.listeners.get(port, ()) if not v6 and item.address == "::" and not item.v6_only]
        return some[0] if some else None

    def lost(self, segment: Segment) -> None:
        """The network lost a segment that was sent from here, or the peer's kernel did not take it."""
        if segment.stack is not self:
            segment.stack.lost(segment)
        elif self.powered and segment.kind not in (DATAGRAM, UNREACHABLE, RST):
            connection = self.connections.get((segment.source, segment.target))
            if connection is not None:
                connection.lost(segment)

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Do something later, unless power is lost before."""
        self.world.schedule_timer(self.world.now + seconds, self.machine, partial(self._later, call))

    def _later(self, call: Callable[[], None]) -> None:
        if self.powered:
            call()

    # -- keep-alive -------------------------------------------------------------------------------

    def keep_alive(self, connection: Connection) -> None:
        """Ask a silent peer now and then whether it is still there, if the program wants that."""
        if connection.idle is not None and not connection.reset:
            connection.watch += 1
            watch = connection.watch
            wait = max(connection.heard + connection.idle[0] - self.world.now, 0.001)
            self.later(wait, lambda: self._ask(connection, watch, 0))

    def _ask(self, connection: Connection, watch: int, unanswered: int) -> None:
        if connection.reset or connection.closed or connection.idle is None or connection.watch != watch:
            return
        after, every, most = connection.idle
        other = connection.other
        if self.world.now - connection.heard < after and not unanswered:
            self.keep_alive(connection)
        elif other is not None and self.reaches(other.stack.machine):
            if not other.stack.powered or other.reset:
                connection.fail(ECONNRESET)
                return
            connection.heard = self.world.now
            self.keep_alive(connection)
        elif unanswered >= most:
            connection.fail(ETIMEDOUT)
        else:
            self.later(every, lambda: self._ask(connection, watch, unanswered + 1))

    # -- datagrams --------------------------------------------------------------------------------

    def send_datagram(self, source: Endpoint, target: Endpoint, data: bytes) -> None:
        """Send one.

        Raises:
            OSError: nobody has such an address.
        """
        if machine_at(self.world, self.machine, target[0]) is None:
            self.raise_error(ENETUNREACH)
        self.transmit(Segment(DATAGRAM, source, target, self, 0, data), boundary=True)

    def _datagram(self, segment: Segment) -> None:
        address, port = segment.target
        sockets = [socket for socket in self.datagrams.get(port, ()) if socket.takes(address, segment.source)]
        if sockets:
            sockets[-1].datagram(segment.source, segment.data)
        else:
            self.transmit(Segment(UNREACHABLE, segment.target, segment.source, self))

    def _unreachable(self, segment: Segment) -> None:
        for socket in self.datagrams.get(segment.target[1], ()):
            if socket.peer == segment.source:
                socket.fail(ECONNREFUSED)

    def source_endpoint(self, bound: Endpoint, target: str) -> Endpoint:
        """The endpoint that something sent from a bound socket comes from."""
        address, port = bound
        return (source_for(self.machine, target) if address in ANYWHERE else address), port

    # -- the end ----------------------------------------------------------------------------------

    def process_killed(self) -> None:
        """The process is gone: its connections are reset, its ports closed.  Those that it had closed itself are none of its any more."""
        for connection in list(self.connections.values()):
            if not connection.closed:
                connection.abort()
        self._empty()

    def process_ended(self) -> None:
        """The process has ended by itself: its sockets are closed in the order in which they were made."""
        for socket in list(self.sockets.values()):
            socket.close()
        self._empty()

    def _empty(self) -> None:
        self.listeners.clear()
        self.datagrams.clear()
        self.sockets.clear()

    @staticmethod
    def raise_error(error: int) -> None:
        """Raise an error as the operating system does."""
        raise OSError(error, os.strerror(error))
