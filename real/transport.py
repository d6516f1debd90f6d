"""Messages between real processes: one TCP connection per ordered pair of hosts, on loopback.

`send` puts a message into a queue and returns.  A message is lost, as the Host protocol allows, if its link is cut when it is sent or
when it arrives, if nobody listens, or if more than `WAITING` wait for the same host.  Cuts are made here, on both ends of a link, since
filtering packets in the kernel takes an administrator, and would strike others on this machine as well.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from typing import Any

import trio

from .gate import Gate
from .wire import SECRET_SIZE, FrameError, Frames, frame

__all__ = ["Transport"]

WAITING = 10_000
"""Messages that may wait for one connection."""

PATIENCE = 5.0
"""Seconds in which a port must become free."""

RETRY = 0.02
"""Seconds after which a host that did not answer is tried again."""

_PIECE = 65536


class Transport:
    """One host's end of all its links.

    `ports` says where each host listens; `arrived` is called with the name of the sender and what it sent; `lost` with the receiver, what
    was sent, and why it was lost.
    """

    def __init__(
        self,
        name: str,
        ports: Mapping[str, int],
        addresses: Mapping[str, str],
        secret: bytes,
        *,
        gate: Gate,
        arrived: Callable[[str, Any], None],
        lost: Callable[[str, str, Any, str], None],
    ) -> None:
        self.name = name
        self.gate = gate
        self._ports = ports
        self._addresses = addresses
        self._secret = secret
        self._arrived = arrived
        self._lost = lost
        self._queues: dict[str, trio.MemorySendChannel[Any]] = {}
        self._nursery: trio.Nursery | None = None

    @property
    def hosts(self) -> Mapping[str, int]:
        """Who can be reached."""
        return self._ports

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, and carry messages, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            listeners: list[trio.SocketListener] = await self._listeners()
            nursery.start_soon(trio.serve_listeners, self._serve, listeners)
            task_status.started()

    async def _listeners(self) -> list[trio.SocketListener]:
        """Listen at the host's own port.

        Raises:
            OSError: somebody else does, for seconds.
        """
        until = trio.current_time() + PATIENCE
        while True:
            try:
                return [*await trio.open_tcp_listeners(self._ports[self.name], host=self._addresses[self.name])]
            except OSError:  # whoever had the port before us is still on his way out
                if trio.current_time() > until:
                    raise
                await trio.sleep(RETRY)

    def send(self, to: str, item: Any) -> None:
        """Put a message on its way."""
        if self.gate.is_cut(self.name, to):
            self._lost(self.name, to, item, "cut")
            return
        queue = self._queues.get(to)
        if queue is None:
            assert self._nursery is not None
            queue, source = trio.open_memory_channel[Any](WAITING)
            self._queues[to] = queue
            self._nursery.start_soon(self._carry, to, source)
        try:
            queue.send_nowait(item)
        except trio.WouldBlock:
            self._lost(self.name, to, item, "flooded")

    async def _carry(self, to: str, source: trio.MemoryReceiveChannel[Any]) -> None:
        """Send everything for one host over one connection, opened anew whenever it breaks."""
        link = _Link()
        asked = -inf
        async for item in source:
            if link.stream is None and trio.current_time() >= asked + RETRY:
                asked = trio.current_time()
                await self._connect(to, link)
            if link.stream is None:
                self._lost(self.name, to, item, "dead")
                continue
            try:
                await link.stream.send_all(frame(item))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._lost(self.name, to, item, "dead")
                link.stream, asked = None, -inf

    async def _connect(self, to: str, link: _Link) -> None:
        try:
            stream = await trio.open_tcp_stream(self._addresses[to], self._ports[to])
        except OSError:
            return
        try:
            await stream.send_all(self._secret + frame(self.name))
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)
            return
        assert self._nursery is not None
        link.stream = stream
        self._nursery.start_soon(link.watch, stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        """Take what one other host sends."""
        try:
            said = bytearray()
            while len(said) < SECRET_SIZE:
                data = await stream.receive_some(SECRET_SIZE - len(said))
                if not data:
                    return
                said += data
            if not hmac.compare_digest(bytes(said), self._secret):
                return
            frames, sender = Frames(), ""
            async for piece in stream:
                for item in frames.feed(piece):
                    if not sender:
                        sender = str(item)
                    elif self.gate.is_cut(sender, self.name):
                        self._lost(sender, self.name, item, "cut")
                    else:
                        self._arrived(sender, item)
        except (trio.BrokenResourceError, FrameError):
            return
        finally:
            await trio.aclose_forcefully(stream)


class _Link:
    """An open connection to another host, if there is one."""

    def __init__(self) -> None:
        self.stream: trio.SocketStream | None = None

    async def watch(self, stream: trio.SocketStream) -> None:
        """Notice that the other side has gone before the next message is lost to it; nothing ever comes this way."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await stream.receive_some(_PIECE):
                pass
        await trio.aclose_forcefully(stream)
        if self.stream is stream:
            self.stream = None
