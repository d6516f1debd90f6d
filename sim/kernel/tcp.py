"""TCP: connections and listeners of one kernel.

A connection is a pair of directions.  Bytes are numbered, arrive in whatever order the network makes of them, and are handed out in
order.  What the network loses is sent again after a time-out that doubles, as Linux does it: 0.2 s at first for data (at most 15 times),
1 s for the handshake (at most 6 times, so that connecting to silence fails after 127 s).

Acknowledgements are not sent as segments.  The simulator knows what was lost, so a kernel retransmits exactly what it would have
retransmitted, without an event for every segment that arrived; and a sender sees how much its peer has read unless the way back is cut,
in which case it knows only what it knew, and probes.  So back-pressure works: at most `CAPACITY` bytes are on their way or unread, and
whoever wants to send more waits.

Differences from Linux that a program could notice: no TIME_WAIT (a port can be bound again at once), no Nagle, no path MTU, retransmission
of each segment by itself; a killed process resets its connections even where Linux would end them in an orderly way.
"""

from __future__ import annotations

from collections import deque
from errno import ECONNREFUSED, ECONNRESET, EPIPE, ETIMEDOUT
from math import inf
from typing import TYPE_CHECKING

from .address import Endpoint, machine_at
from .segment import DATA, FIN, RST, SYN, SYN_ACK, Segment

if TYPE_CHECKING:
    from .socket import SimSocket
    from .stack import Stack

__all__ = ["CAPACITY", "Connection", "Listener"]

CAPACITY = 131_072
"""Bytes that are on their way or not yet read: a send and a receive buffer of 64 KiB each."""

RTO, LONGEST_RTO, RETRIES = 0.2, 120.0, 15
SYN_RTO, SYN_RETRIES = 1.0, 6

_TLS_HANDSHAKE = b"\x16\x03"


class Connection:
    """One end of a connection, as its kernel keeps it; `socket` is None before it is accepted and after it was closed."""

    __slots__ = (
        "_ahead", "_blocked", "_known", "_target", "buffer", "capacity", "closed", "consumed", "ended", "error", "expected",
        "finished", "heard", "idle", "local", "opened", "other", "remote", "reset", "secret", "sent", "socket", "stack",
        "user_timeout", "watch",
    )  # fmt: skip

    def __init__(self, stack: Stack, local: Endpoint, remote: Endpoint) -> None:
        self.stack = stack
        self.local = local
        self.remote = remote
        self.socket: SimSocket | None = None
        self.other: Connection | None = None
        self.capacity = CAPACITY
        self.opened = False
        self.closed = False
        self.finished = False
        self.ended = False
        self.reset = False
        self.error = 0
        self.secret = False
        self.sent = 0
        self.expected = 0
        self.consumed = 0
        self.buffer = bytearray()
        self.heard = stack.world.now
        self.idle: tuple[float, float, int] | None = None
        self.user_timeout = inf
        self.watch = 0
        self._ahead: dict[int, Segment] = {}
        self._known = 0
        target = machine_at(stack.world, stack.machine, remote[0])
        assert target is not None, "checked before the connection is made"
        self._target = target
        self._blocked = False

    # -- what programs do -------------------------------------------------------------------------

    def connect(self) -> None:
        """Begin the handshake."""
        self._transmit(Segment(SYN, self.local, self.remote, self.stack))

    def room(self) -> int:
        """How many bytes may be sent now."""
        other = self.other
        if other is not None and other.consumed > self._known and self.stack.hears(other.stack):
            self._known = other.consumed
        return self.capacity - (self.sent - self._known)

    @property
    def writable(self) -> bool:
        """True if a send would not wait: there is room, or an error to tell."""
        if self.error or self.reset or self.finished:
            return True
        if not self.opened:
            return False
        if self.room() > 0:
            return True
        self._wait_for_room()
        return False

    @property
    def readable(self) -> bool:
        """True if there is something to read, be it the end or an error."""
        return bool(self.buffer) or self.ended or self.reset or bool(self.error)

    def send(self, data: bytes) -> int:
        """Send what there is room for, and say how much.

        Raises:
            BlockingIOError: there is no room now.
            OSError: the connection was reset or shut down.
        """
        self.raise_error()
        if self.finished or self.reset:
            raise BrokenPipeError(EPIPE, "Broken pipe")
        room = self.room()
        if room <= 0:
            self._wait_for_room()
            raise BlockingIOError
        if len(data) > room:
            data = data[:room]
        if data:
            if not self.sent and data[:2] == _TLS_HANDSHAKE:
                self.secret = True
                if self.other is not None:
                    self.other.secret = True
            segment = Segment(DATA, self.local, self.remote, self.stack, self.sent, data, 0, self.secret)
            self.sent += len(data)
            self.stack.transmit(segment, self._target, boundary=True)
        return len(data)

    def receive(self, size: int, *, peek: bool = False) -> bytes | None:
        """At most `size` bytes of what has arrived; none at the end, None if nothing has arrived.

        Raises:
            ConnectionResetError: the peer reset the connection.
        """
        if not self.buffer:
            self.raise_error()
            return b"" if self.ended or self.reset else None
        data = bytes(self.buffer[:size])
        if not peek:
            del self.buffer[:size]
            self.consumed += len(data)
            if self.other is not None and self.other._blocked:
                self.other._freed()
        return data

    def shutdown(self) -> None:
        """No more will be sent."""
        if not self.finished and not self.reset:
            self.finished = True
            self._transmit(Segment(FIN, self.local, self.remote, self.stack, self.sent, secret=self.secret))

    def close(self) -> None:
        """The program has closed its socket.  What was not read is lost, and the peer is told so."""
        self.socket = None
        if self.closed or self.reset:
            return
        self.closed = True
        if self.buffer:
            self.abort()
        elif self.opened:
            self.shutdown()
            self._forget_if_over()
        else:
            self.stack.forget(self)

    def abort(self) -> None:
        """Reset the connection."""
        if not self.reset:
            self.reset = self.closed = True
            self.stack.forget(self)
            self._transmit(Segment(RST, self.local, self.remote, self.stack))

    def raise_error(self) -> None:
        """Tell of an error once."""
        if self.error:
            error, self.error = self.error, 0
            self.stack.raise_error(error)

    # -- what arrives -----------------------------------------------------------------------------

    def arrive(self, segment: Segment) -> None:
        """A segment of this connection has come in."""
        self.heard = self.stack.world.now
        kind = segment.kind
        if kind == RST:
            self.fail(ECONNRESET if self.opened else ECONNREFUSED)
        elif kind == SYN_ACK:
            self._opened()
        elif kind == SYN:
            self._transmit(Segment(SYN_ACK, self.local, self.remote, self.stack))
        elif self.closed and kind == DATA:
            self.abort()
        else:
            self._take(segment)

    def _opened(self) -> None:
        if not self.opened:
            self.opened = True
            self.stack.keep_alive(self)
            self._wake()

    def _take(self, segment: Segment) -> None:
        """Data, or the end, perhaps ahead of what comes before, perhaps once more."""
        if segment.sequence < self.expected or self.ended:
            return
        ahead = self._ahead
        if not ahead and segment.sequence == self.expected and segment.kind == DATA:
            self.buffer += segment.data
            self.expected += len(segment.data)
            self._wake(writers=False)
            return
        ahead.setdefault(segment.sequence, segment)
        while (following := ahead.pop(self.expected, None)) is not None:
            if following.kind == FIN:
                self.ended = True
                ahead.clear()
                self._forget_if_over()
                break
            self.buffer += following.data
            self.expected += len(following.data)
        if self.readable:
            self._wake(writers=False)

    def _forget_if_over(self) -> None:
        if self.ended and self.finished and self.closed:
            self.stack.forget(self)

    def fail(self, error: int) -> None:
        """The connection is no more."""
        if self.reset:
            return
        self.reset = True
        self.error = error
        if error == ECONNRESET:
            self.buffer.clear()
        self.stack.forget(self)
        self._wake()

    def has(self, segment: Segment) -> bool:
        """True if this end has a segment that its peer sent."""
        if segment.kind == SYN_ACK:
            return self.opened
        if segment.kind == FIN:
            return self.ended
        return segment.sequence < self.expected or segment.sequence in self._ahead

    # -- what is lost -----------------------------------------------------------------------------

    def lost(self, segment: Segment) -> None:
        """The network lost a segment that this end sent: it is sent again later."""
        if segment.kind == RST:
            return
        shaking = segment.kind in (SYN, SYN_ACK)
        attempt = segment.attempt
        wait = SYN_RTO * 2**attempt if shaking else min(RTO * 2**attempt, LONGEST_RTO)
        copy = Segment(
            segment.kind, segment.source, segment.target, segment.stack, segment.sequence, segment.data, attempt + 1, segment.secret
        )
        later = max(segment.sent + wait - self.stack.world.now, 0.0)
        self.stack.later(later, lambda: self._again(copy, last=attempt >= (SYN_RETRIES if shaking else RETRIES)))

    def _again(self, segment: Segment, *, last: bool) -> None:
        other = self.other
        if self.reset or (other is not None and other.has(segment) and self.stack.hears(other.stack)):
            return
        if segment.kind == SYN and (self.closed or self.opened):
            return
        if last or self.stack.world.now - self.heard > self.user_timeout:
            self.fail(ETIMEDOUT)
        else:
            self._transmit(segment)

    # -- waiting ----------------------------------------------------------------------------------

    def _wait_for_room(self) -> None:
        """The writer waits until the peer has read something; in case that the news of it is lost, its kernel asks now and then."""
        if not self._blocked:
            self._blocked = True
            self._probe_later(RTO)

    def _freed(self) -> None:
        """The peer has read something, and says so."""
        if self.other is not None and self.stack.hears(self.other.stack):
            self._blocked = False
            self.stack.later(self.stack.network.latency, self._wake)

    def _probe_later(self, wait: float) -> None:
        self.stack.later(wait, lambda: self._probe(wait))

    def _probe(self, waited: float) -> None:
        other = self.other
        if not self._blocked or self.reset or other is None:
            return
        if self.stack.hears(other.stack):
            self.heard = self.stack.world.now
        if self.room() > 0:
            self._blocked = False
            self._wake()
        elif self.stack.world.now - self.heard > self.user_timeout:
            self.fail(ETIMEDOUT)
        elif other.reset and self.stack.reaches(other.stack.machine):
            self.fail(ECONNRESET)
        else:
            self._probe_later(min(waited * 2, LONGEST_RTO))

    def _wake(self, *, writers: bool = True) -> None:
        if self.socket is not None:
            self.socket.wake(readers=True, writers=writers)

    def _transmit(self, segment: Segment) -> None:
        self.stack.transmit(segment, self._target)


class Listener:
    """A port on which connections are accepted: the kernel completes handshakes before the program asks for them."""

    __slots__ = ("address", "backlog", "queue", "socket", "v6_only")

    def __init__(self, socket: SimSocket, address: str, backlog: int, *, v6_only: bool) -> None:
        self.socket = socket
        self.address = address
        self.backlog = max(backlog, 1)
        self.v6_only = v6_only
        self.queue: deque[Connection] = deque()
