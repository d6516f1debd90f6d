"""Kinds of fault that trouble the messages of one host, as `tc netem` does on its network interface: both directions, clients included.

None of them impairs a host in the sense of the budget: what is sent again arrives, so a protocol that retries stays live, and they
strike in quorum-safe runs too.  Every safety property may be asserted while they last.

What happens to a message is drawn as the world's noise is, named by the message (see `noise.py`), so it is kept as an override when a
run is said in overrides, and an action that is taken out changes nothing for messages that stay.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, duration_of, target_of
from .network import LATENCY
from .schedule import Noise
from .trouble import Trouble

if TYPE_CHECKING:
    from .world import World

__all__ = ["Corrupt", "Delay", "Duplicate", "Hold", "Loss", "Reorder", "Throttle"]
__all__ += ["corruptions", "delays", "duplicates", "holds", "losses", "packets", "reorderings", "throttles"]


def _positive(name: str, value: float) -> None:
    if not 0.0 < value < float("inf"):
        raise ValueError(f"{name} is {value!r}: it must be above 0, and finite")


class _Packets(Fault, frozen=True):
    """What they have in common; `duration` is how long it lasts."""

    target: str

    def trouble(self) -> Trouble:
        """What it does to the links."""
        raise NotImplementedError

    def describe(self) -> str:
        """`loss n1, 30 % of its messages`."""
        said = self._said()
        return f"{self.kind()} {self.target}{f', {said}' if said else ''}"

    def _said(self) -> str:
        return ""

    def strike(self, world: World) -> FaultOutcome:
        """Trouble all links of the target for `duration` seconds."""
        targets = [machine.name for machine in world.resolve_several(self.target, world.strike_action)]
        if not targets:
            return FaultOutcome("nothing")
        links: list[tuple[str, str]] = []
        for target in targets:
            others = [name for name in world.machines if name != target]
            links += [(target, name) for name in others] + [(name, target) for name in others]
        links = list(dict.fromkeys(links))
        trouble = self.trouble()
        world.network.trouble(links, trouble)
        world.end_later(self.duration, lambda: world.network.calm(links, trouble))
        return FaultOutcome("struck", tuple(targets))


class Delay(_Packets, frozen=True):
    """Messages take longer: `seconds` each, and on average `jitter` seconds more (an overloaded switch, a detour, a distant region)."""

    seconds: float = 0.05
    jitter: float = 0.0

    def __post_init__(self) -> None:
        _positive("seconds", self.seconds)
        if not 0.0 <= self.jitter < float("inf"):
            raise ValueError(f"jitter is {self.jitter!r}: it must not be negative, and finite")

    def _said(self) -> str:
        return f"{self.seconds:g} s" + (f" and about {self.jitter:g} s more" if self.jitter else "")

    def trouble(self) -> Trouble:
        """Fixed and random latency."""
        return Trouble(delay=self.seconds, noise=Noise(latency=self.jitter / LATENCY))


class _Share(_Packets, frozen=True):
    """Something befalls a share of the messages."""

    rate: float = 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.rate <= 1.0:
            raise ValueError(f"rate is {self.rate!r}: it must be a share of the messages, above 0 and at most 1")

    def _said(self) -> str:
        return f"{self.rate:.0%} of its messages"


class Loss(_Share, frozen=True):
    """A share of the messages is lost (a bad cable, a full queue)."""

    def trouble(self) -> Trouble:
        """Loss."""
        return Trouble(noise=Noise(loss=self.rate))


class Duplicate(_Share, frozen=True):
    """A share of the messages arrives twice, the second copy later (a retransmission whose original was not lost)."""

    def trouble(self) -> Trouble:
        """Duplication."""
        return Trouble(noise=Noise(duplicate=self.rate))


class Reorder(_Share, frozen=True):
    """A share of the messages is held back, and overtaken by what is sent after them (several routes, several connections)."""

    def trouble(self) -> Trouble:
        """Reordering."""
        return Trouble(noise=Noise(reorder=self.rate))


class Corrupt(_Share, frozen=True):
    """A share of the messages arrives with a bit flipped (bad memory in a switch, a broken offload engine).

    Segments and datagrams have checksums: a corrupt one is lost. A message of `host.send` has none: the receiver takes it for what was
    sent.  Nothing may be asserted of a system that does not check what it is told.
    """

    def trouble(self) -> Trouble:
        """Corruption."""
        return Trouble(corrupt=self.rate)


class Throttle(_Packets, frozen=True):
    """Each link carries only so many bytes per second; messages queue for it (a saturated uplink, a neighbour's backup)."""

    bytes_per_second: float = 10_000.0

    def __post_init__(self) -> None:
        _positive("bytes_per_second", self.bytes_per_second)

    def _said(self) -> str:
        return f"{self.bytes_per_second:,.0f} bytes per second"

    def trouble(self) -> Trouble:
        """Bandwidth."""
        return Trouble(bytes_per_second=self.bytes_per_second)


class Hold(_Packets, frozen=True):
    """Messages are held, and released all together in the end, in order (a frozen proxy, a network card that resets).

    Unlike a partition nothing is lost: what was said long ago arrives after all.
    """

    def trouble(self) -> Trouble:
        """Everything waits."""
        return Trouble(hold=True)


# -- mixes ------------------------------------------------------------------------------------------


def _log_uniform(random: Random, least: float, most: float, digits: int) -> float:
    return round(float(least * (most / least) ** random.random()), digits)


def delays() -> FaultMix:
    """Messages take up to half a second longer."""

    def draw(random: Random, cast: Cast) -> Fault:
        seconds, jitter = _log_uniform(random, 0.005, 0.5, 4), random.choice([0.0, 0.01, 0.1])
        return Delay(target=target_of(random, cast), seconds=seconds, jitter=jitter, duration=duration_of(random))

    return FaultMix([("delay", draw)])


def losses() -> FaultMix:
    """Up to all messages are lost."""

    def draw(random: Random, cast: Cast) -> Fault:
        return Loss(target=target_of(random, cast), rate=_log_uniform(random, 0.05, 1.0, 3), duration=duration_of(random))

    return FaultMix([("loss", draw)])


def duplicates() -> FaultMix:
    """Up to all messages come twice."""

    def draw(random: Random, cast: Cast) -> Fault:
        return Duplicate(target=target_of(random, cast), rate=_log_uniform(random, 0.05, 1.0, 3), duration=duration_of(random))

    return FaultMix([("duplicate", draw)])


def corruptions() -> FaultMix:
    """Up to all messages arrive with a bit flipped."""

    def draw(random: Random, cast: Cast) -> Fault:
        return Corrupt(target=target_of(random, cast), rate=_log_uniform(random, 0.05, 1.0, 3), duration=duration_of(random))

    return FaultMix([("corrupt", draw)])


def reorderings() -> FaultMix:
    """Up to all messages are overtaken."""

    def draw(random: Random, cast: Cast) -> Fault:
        return Reorder(target=target_of(random, cast), rate=_log_uniform(random, 0.05, 1.0, 3), duration=duration_of(random))

    return FaultMix([("reorder", draw)])


def throttles() -> FaultMix:
    """Links carry a hundred to a hundred thousand bytes per second."""

    def draw(random: Random, cast: Cast) -> Fault:
        rate = _log_uniform(random, 100.0, 100_000.0, 0)
        return Throttle(target=target_of(random, cast), bytes_per_second=rate, duration=duration_of(random))

    return FaultMix([("throttle", draw)])


def holds() -> FaultMix:
    """Messages are held and released."""
    return FaultMix([("hold", lambda random, cast: Hold(target=target_of(random, cast), duration=duration_of(random)))])


def packets() -> FaultMix:
    """All kinds of trouble with messages."""
    return delays() | losses() | duplicates() | reorderings() | throttles() | holds()
