"""Trouble on a link: what faults do to the messages that cross it, over and above the noise of the whole run.

Several faults may trouble a link at once: delays add up, the narrowest bandwidth counts, chances of loss and the like combine as
independent ones.  A link that nothing troubles has no object here, and costs nothing.
"""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING

import msgspec

from .schedule import Noise

if TYPE_CHECKING:
    from .machine import Delivery, Machine

__all__ = ["LinkTrouble", "Trouble"]


class Trouble(msgspec.Struct, frozen=True):
    """What one fault does to a link: seconds of delay, noise, bytes per second, the share of messages that it corrupts, and whether
    messages are held until it ends."""

    delay: float = 0.0
    noise: Noise = Noise()
    bytes_per_second: float = inf
    hold: bool = False
    corrupt: float = 0.0


class LinkTrouble:
    """All the trouble of one link.  `held` are messages that wait to be released, with their sender's index and count of sends."""

    __slots__ = ("_busy", "_noise", "_troubles", "corrupt", "delay", "held", "hold", "noise", "rate")

    def __init__(self, noise: Noise) -> None:
        self._noise = noise
        self._troubles: list[Trouble] = []
        self._busy = 0.0
        self.held: list[tuple[Delivery, Machine, int, float]] = []
        self._combine()

    def __bool__(self) -> bool:
        return bool(self._troubles)

    def add(self, trouble: Trouble) -> None:
        """One more."""
        self._troubles.append(trouble)
        self._combine()

    def remove(self, trouble: Trouble) -> None:
        """One less."""
        self._troubles.remove(trouble)
        self._combine()

    def lag(self, now: float, size: int) -> float:
        """Seconds that a message of `size` bytes which is sent now takes longer: it waits for those before it, and is delayed."""
        start = max(now, self._busy)
        self._busy = start + size / self.rate
        return self._busy - now + self.delay

    def _combine(self) -> None:
        some = self._troubles
        self.delay = fsum(trouble.delay for trouble in some)
        self.rate = min((trouble.bytes_per_second for trouble in some), default=inf)
        self.hold = any(trouble.hold for trouble in some)
        self.corrupt = max((trouble.corrupt for trouble in some), default=0.0)
        noise = self._noise
        for trouble in some:
            noise = _both(noise, trouble.noise)
        self.noise = noise


def _both(one: Noise, other: Noise) -> Noise:
    """Latencies add up; chances combine as independent ones.  The noise of tasks and disks is no link's business."""
    return Noise(
        latency=one.latency + other.latency,
        loss=_either(one.loss, other.loss),
        duplicate=_either(one.duplicate, other.duplicate),
        reorder=_either(one.reorder, other.reorder),
    )


def _either(one: float, other: float) -> float:
    return 1.0 - (1.0 - one) * (1.0 - other) if one and other else one or other
