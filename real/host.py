"""The Host protocol for real: messages over the transport, a folder for a disk, the system's clock.

What programs may rely on is what the simulator gives them: sending does not block, bodies are immutable, a reply goes to its request,
every disk operation is a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import trio

from ..properties.history import Value
from ..sim.machine import PLAIN, REPLY, REQUEST, UnknownHost
from ..sim.noise import keyed_integer
from ..sim.payload import encode, encode_observed
from .disk import RealDisk
from .gate import Gate
from .line import Key, Line, happening
from .transport import Transport

__all__ = ["Identity", "Parcel", "RealClient", "RealHost"]


class Identity(msgspec.Struct, frozen=True):
    """Who a host is: what it is told when it starts.

    `ports` and `addresses` are those of all hosts, by name; `root` is the folder that is its disk.
    """

    name: str
    system: tuple[str, ...]
    incarnation: int
    root: Path
    seed: int
    settings: Mapping[str, Value]
    ports: Mapping[str, int]
    secret: bytes
    addresses: Mapping[str, str]


class Parcel(msgspec.Struct, frozen=True):
    """What travels between hosts: a message of some form, by which key its sending is known, and when that was."""

    form: int
    request: int
    body: Any
    key: Key
    sent: float


class RealMessage:
    """A message as its receiver sees it."""

    def __init__(self, host: RealHost, sender: str, parcel: Parcel) -> None:
        self._host = host
        self._parcel = parcel
        self.sender = sender
        self.body: Value = parcel.body

    def reply(self, body: Value) -> None:
        """Answer a request; a plain message is answered plainly."""
        if self._parcel.form == REQUEST:
            self._host.transmit(self.sender, body, REPLY, self._parcel.request)
        else:
            self._host.transmit(self.sender, body, PLAIN, 0)


class _Waiting:
    """A request that has not been answered yet."""

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.body: Value = None


class RealHost:
    """One incarnation of a host."""

    def __init__(self, identity: Identity, line: Line) -> None:
        self.name = identity.name
        self.incarnation = identity.incarnation
        self.peers = tuple(name for name in identity.system if name != identity.name)
        self.settings = dict(identity.settings)
        self.transport = Transport(
            identity.name,
            identity.ports,
            identity.addresses,
            identity.secret,
            gate=Gate(),
            arrived=self._arrived,
            lost=self._lost,
        )
        self.disk = RealDisk(identity.root, line.cross)
        self._line = line
        self._random = Random(keyed_integer(identity.seed, "real", identity.name, identity.incarnation))
        self._replies: dict[int, _Waiting] = {}
        self._requests = identity.incarnation << 32
        self._sends = 0
        self._deliveries = 0
        self._put, self._inbox = trio.open_memory_channel[RealMessage](float("inf"))

    @property
    def random(self) -> Random:
        """Entropy of this incarnation; what it is used for depends on the order of things, which no seed decides here."""
        return self._random

    # -- messages ---------------------------------------------------------------------------------

    def send(self, to: str, body: Value) -> None:
        """Send a plain message; see the Host protocol."""
        self.transmit(to, body, PLAIN, 0)

    def transmit(self, to: str, body: Value, form: int, request: int) -> None:
        """Hand a message of any form to the transport."""
        if to not in self.transport.hosts:
            raise UnknownHost(f"{self.name} sends to {to!r}, but this run has only {', '.join(self.transport.hosts)}")
        encode(body, self.name, to)  # it says what cannot be sent
        self._line.cross("send")
        self._sends += 1
        key = self.name, self.incarnation, self._sends
        sending = happening("send", {"to": to, "body": body, "boundary": self._sends}, key=key)
        self._line.tell(sending)
        self.transport.send(to, Parcel(form, request, body, key, sending.time))

    def tell(self, body: Value) -> None:
        """A message from nobody, as the supervisor sends it."""
        self._put.send_nowait(RealMessage(self, "world", Parcel(PLAIN, 0, body, ("world", 0, 0), 0.0)))

    async def receive(self) -> RealMessage:
        """The next message; see the Host protocol."""
        return await self._inbox.receive()

    async def request(self, to: str, body: Value, *, timeout: float) -> Value:
        """Send and wait for the reply; see the Host protocol."""
        self._requests += 1
        number = self._requests
        waiting = self._replies[number] = _Waiting()
        try:
            with trio.fail_after(timeout):
                self.transmit(to, body, REQUEST, number)
                await waiting.answered.wait()
        finally:
            del self._replies[number]
        return waiting.body

    def _arrived(self, sender: str, parcel: Parcel) -> None:
        self._line.cross("deliver")
        self._deliveries += 1
        detail = {"sender": sender, "body": parcel.body, "sent": parcel.sent, "boundary": self._deliveries}
        self._line.tell(happening("deliver", detail, cause=parcel.key))
        if parcel.form != REPLY:
            self._put.send_nowait(RealMessage(self, sender, parcel))
        elif parcel.request in self._replies:
            waiting = self._replies[parcel.request]
            waiting.body = parcel.body
            waiting.answered.set()

    def _lost(self, sender: str, to: str, parcel: Parcel, why: str) -> None:
        self._line.tell(happening("drop", {"to": to, "sender": sender, "body": parcel.body, "why": why}, cause=parcel.key))

    # -- telling the world ------------------------------------------------------------------------

    def observe(self, **values: Value) -> None:
        """Tell the world something of this host; see the Host protocol."""
        encode_observed(values, self.name)  # it says what cannot be observed
        self._line.tell(happening("observe", values))

    async def killpoint(self, name: str) -> None:
        """A place at which a fault may strike; see the Host protocol."""
        self._line.cross(name)


class RealClient(RealHost):
    """The host that operations run on; see `sim.scenario.Client`."""

    def __init__(self, identity: Identity, line: Line) -> None:
        super().__init__(identity, line)
        self.servers: Sequence[str] = identity.system
        self.memory: dict[str, Value] = {}
        self._seed = identity.seed

    def begin(self, time: float) -> None:
        """An operation begins, at this many seconds since the beginning of the run."""
        self._random = Random(keyed_integer(self._seed, "operation", self.name, time))
