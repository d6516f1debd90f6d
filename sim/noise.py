"""Keyed noise: every random decision of the world, named by the thing it decides.

A decision is `blake2b(key=seed, data=name)`, where the name says *what* is decided (this message: link, incarnation of the sender,
time of sending, ordinal at that time) and not where it stands in a stream.  So taking one action out of a schedule does not
reshuffle what happens to everything else, and shrinking converges.  A pseudo-random stream has the opposite property: any change
early on is a change everywhere (the failing of plain seeds as counter-examples).

`overrides` replace single decisions by hand.  With noise 0 and a few overrides a run is explained by what a person can read: "drop
n1 -> n2 at 0.204 s".  `kept` collects, when asked for, every decision that strayed from the simplest world, as overrides: a run with
noise and the same run with noise 0 and all of those overrides are the same run.

Cost: one hash per message (0.7 us) when there is noise, nothing when there is none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import blake2b
from math import log
from typing import TypeAlias

from .schedule import DiskNoise, MessageNoise, Noise, Override, TaskNoise

__all__ = ["Fate", "NoiseSource", "keyed_bytes", "keyed_integer"]

_CALM = (0.0, False, None)
Fate: TypeAlias = tuple[float, bool, float | None]
"""What happens to a message: seconds of delay, whether it is lost, seconds until a second copy follows (None: none does)."""

_WORDS = struct.Struct("<4Q")
_UNIT = 2.0**-64
_LEAST = 2.0**-54
"""A draw of all ones is rounded to 1."""


def keyed_bytes(seed: int, *name: object, size: int = 32) -> bytes:
    """`size` (at most 64) pseudo-random bytes, a function of the seed and of the name only."""
    data = "\x1f".join(map(repr, name)).encode()
    return blake2b(data, digest_size=size, key=seed.to_bytes(16, "little", signed=True)).digest()


def keyed_integer(seed: int, *name: object) -> int:
    """A 64-bit integer, a function of the seed and of the name only."""
    return int.from_bytes(keyed_bytes(seed, *name, size=8), "little")


class NoiseSource:
    """The noise of one run.

    `amount` is how much of it there is.  `keep` makes it remember, in `kept`, every decision that differs from the simplest world's.
    """

    __slots__ = ("_disk", "_key", "_links", "_messages", "_tasks", "amount", "keep", "kept", "quiet")

    def __init__(self, seed: int, noise: Noise, overrides: Iterable[Override] = (), *, keep: bool = False) -> None:
        self._key = seed.to_bytes(16, "little", signed=True)
        self._links: dict[tuple[str, str, int], blake2b] = {}
        self.amount = noise
        self._messages: dict[tuple[object, ...], MessageNoise] = {}
        self._tasks: dict[tuple[object, ...], TaskNoise] = {}
        self._disk: dict[tuple[object, ...], DiskNoise] = {}
        for override in overrides:
            match override:
                case MessageNoise():
                    self._messages[override.key] = override
                case TaskNoise():
                    self._tasks[override.key] = override
                case DiskNoise():
                    self._disk[override.key] = override
        self.keep = keep
        self.kept: list[Override] = []
        self.quiet = not noise and not self._messages
        """True if no message can stray, so that the network need not ask."""

    def calm(self) -> None:
        """No more noise from here on; overrides still hold."""
        self.amount = Noise()
        self.quiet = not self._messages

    def _draw(self, name: str) -> tuple[float, float, float, float]:
        """Four numbers in [0, 1)."""
        a, b, c, d = _WORDS.unpack(blake2b(name.encode(), digest_size=32, key=self._key).digest())
        return a * _UNIT, b * _UNIT, c * _UNIT, d * _UNIT

    def message(self, sender: str, to: str, incarnation: int, time: float, ordinal: int, base: float, noise: Noise) -> Fate:
        """What happens to one message on a link whose base latency is `base` seconds, with so much noise there."""
        if self._messages:
            told = self._messages.get(("message", sender, to, incarnation, time, ordinal))
            if told is not None:
                if self.keep:
                    self.kept.append(told)
                return told.delay, told.drop, told.duplicate
        loss, duplicates, reorder = noise.loss, noise.duplicate, noise.reorder
        only_late = not (loss or duplicates or reorder)
        if only_late and not noise.latency:
            return _CALM
        link = sender, to, incarnation
        begun = self._links.get(link)
        if begun is None:
            begun = self._links[link] = blake2b(f"m|{sender}|{to}|{incarnation}|".encode(), digest_size=32, key=self._key)
        named = begun.copy()  # what all messages of a link have in common is hashed once
        named.update(f"{time!r}|{ordinal}".encode())
        lose, twice, late, slow = _WORDS.unpack(named.digest())
        slow = 1.0 - slow * _UNIT
        delay = -log(slow if slow > _LEAST else _LEAST) * noise.latency * base  # noqa: FURB136  # for every message
        if only_late and not self.keep:
            return delay, False, None
        late *= _UNIT
        if late < reorder:
            # Held back by many base latencies: whatever is sent in the meantime overtakes it.
            delay += base * (2.0 + 48.0 * (late / reorder) ** 2)
        twice *= _UNIT
        duplicate = base * (1.0 + 20.0 * twice / duplicates) if twice < duplicates else None
        drop = lose * _UNIT < loss
        if drop:
            delay, duplicate = 0.0, None
        if self.keep and (drop or delay or duplicate is not None):
            self.kept.append(MessageNoise(sender, to, incarnation, time, ordinal, delay, drop, duplicate))
        return delay, drop, duplicate

    def tasks(self, host: str, incarnation: int, batch: int, size: int) -> tuple[int, ...] | None:
        """In which order `size` runnable tasks run, oldest first being `None`."""
        if self._tasks:
            told = self._tasks.get(("tasks", host, incarnation, batch))
            if told is not None and len(told.order) == size:
                if self.keep:
                    self.kept.append(told)
                return told.order
        if not self.amount.tasks:
            return None
        whether, which, *_ = self._draw(f"t|{host}|{incarnation}|{batch}")
        if whether >= self.amount.tasks:
            return None
        places, order, rest = list(range(size)), [], int(which * 2**53)
        while places:
            rest, place = divmod(rest, len(places))
            order.append(places.pop(place))
        choice = tuple(order)
        if self.keep:
            self.kept.append(TaskNoise(host, incarnation, batch, choice))
        return choice

    def disk(self, host: str, ordinal: int) -> float:
        """How long one disk operation takes (seconds)."""
        if self._disk:
            told = self._disk.get(("disk", host, ordinal))
            if told is not None:
                if self.keep:
                    self.kept.append(told)
                return told.latency
        if not self.amount.disk:
            return 0.0
        latency = -log(max(1.0 - self._draw(f"d|{host}|{ordinal}")[0], _LEAST)) * self.amount.disk * 0.001
        if self.keep:
            self.kept.append(DiskNoise(host, ordinal, latency))
        return latency
