"""What a node program sees of the world: the Host protocol.

A node is an ordinary trio program, `async def main(host: Host) -> None`.  It uses trio for time and tasks (`trio.sleep`,
nurseries, cancel scopes) and its host for everything that crosses the machine's edge: messages, the disk, identity, entropy.
After a kill the program is begun again from the top, with what its disk kept.

Nothing here is specific to the simulator: a run on real processes can implement the same protocol.

Three things are worth knowing:

- **Sending never blocks and never fails**, like a datagram: the message may be lost, delayed, duplicated, reordered.
- **Every disk operation is a checkpoint**; what was written is durable only after `fsync`, a new, renamed or removed name only
  after `fsync_directory`.
- **A kill stops the program where it stands**: no `finally`, no `except`.  At an awaited boundary (a disk operation, a kill
  point) it stops exactly there; at a `send` the rest of the task's step, up to its next `await`, runs as a ghost whose every
  effect is discarded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol, TypeAlias

from ..properties.history import Value

__all__ = ["Disk", "Host", "Message", "Program"]


class Message(Protocol):
    """A message as its receiver sees it."""

    @property
    def sender(self) -> str:
        """The name of the host that sent it."""
        ...

    @property
    def body(self) -> Value:
        """What was sent."""
        ...

    def reply(self, body: Value) -> None:
        """Answer a `request`; for a message that was sent plainly, send `body` back to its sender."""
        ...


class Disk(Protocol):
    """A host's disk: files of bytes, named by `/`-separated paths; directories exist as soon as a file is in them.

    Raises, in all operations on a file that is not there: FileNotFoundError.
    """

    async def read(self, path: str) -> bytes:
        """The whole content of a file."""
        ...

    async def write(self, path: str, data: bytes, offset: int = 0) -> None:
        """Overwrite from `offset` (bytes) on, extending the file as needed and creating it if it does not exist."""
        ...

    async def append(self, path: str, data: bytes) -> None:
        """Write at the end of the file, creating it if it does not exist."""
        ...

    async def truncate(self, path: str, size: int) -> None:
        """Cut the file to `size` bytes, or extend it with zeros."""
        ...

    async def fsync(self, path: str) -> None:
        """Make the file's content durable; not its name (see `fsync_directory`)."""
        ...

    async def fsync_directory(self, path: str = "") -> None:
        """Make the names in a directory durable: files created, renamed or removed in it."""
        ...

    async def rename(self, source: str, target: str) -> None:
        """Atomically give the file another name, replacing what had it."""
        ...

    async def remove(self, path: str) -> None:
        """Remove the name."""
        ...

    async def exists(self, path: str) -> bool:
        """True if the name exists."""
        ...

    async def list(self, path: str = "") -> Sequence[str]:
        """The names in a directory, sorted; empty if there is none."""
        ...


class Host(Protocol):
    """One machine of the cluster, as its program sees it.  Dead handles of a killed program do nothing."""

    @property
    def name(self) -> str:
        """This host's name, its address on the network."""
        ...

    @property
    def peers(self) -> tuple[str, ...]:
        """The system's other hosts, in order of declaration."""
        ...

    @property
    def incarnation(self) -> int:
        """1 at first, one more after every restart."""
        ...

    @property
    def disk(self) -> Disk:
        """This host's disk, which survives it."""
        ...

    @property
    def random(self) -> Random:
        """Entropy of this incarnation: same seed, same numbers."""
        ...

    @property
    def settings(self) -> dict[str, Value]:
        """The scenario's parameters of this run."""
        ...

    def send(self, to: str, body: Value) -> None:
        """Send a message.  Returns at once; whether and when it arrives is up to the network.

        Raises:
            UnknownHost: there is no host of that name.
            TypeError: `body` is not an immutable value.
        """
        ...

    async def receive(self) -> Message:
        """The next message that was sent to this host plainly or by `request`; replies go to their requests."""
        ...

    async def request(self, to: str, body: Value, *, timeout: float) -> Value:
        """Send a request and wait for its reply, at most `timeout` seconds.

        A request is a message: it may be delivered twice, and be carried out twice unless the receiver knows it again.

        Raises:
            trio.TooSlowError: no reply came in time; the request may have been carried out.
        """
        ...

    def observe(self, **values: Value) -> None:
        """Tell the world something of this host: role, term, phase, state_hash, or anything a property looks at."""
        ...

    async def killpoint(self, name: str) -> None:
        """A named place at which the host may be killed; costs nothing otherwise and is not a checkpoint."""
        ...


Program: TypeAlias = Callable[[Host], Awaitable[None]]
"""A node program."""
