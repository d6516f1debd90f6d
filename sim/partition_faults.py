"""Kinds of fault that cut links between hosts of the system.  Clients still reach every host.

All safety properties may be asserted while they last, and progress on the side of a majority, if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, ClassVar

from .budget import impaired
from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, duration_of, target_of

if TYPE_CHECKING:
    from .world import World

__all__ = ["SHAPES", "Flap", "Partition", "Swizzle", "flaps", "partitions", "shapes", "swizzles"]

Link = tuple[str, str]

SHAPES = ("isolate", "inbound", "outbound", "halves", "bridge", "majorities-ring")


class Partition(Fault, frozen=True):
    """The network between some hosts and the rest drops everything (a switch dies, a firewall rule, a cable).

    `shape` says which links: `isolate` cuts the target off from all other system hosts; `inbound` and `outbound` cut only what
    it hears or only what it says (a one-way partition); `halves` splits the system in two, the target in the smaller part with
    the hosts that follow it in order of declaration; `bridge` does so but for the target, which both halves still reach; in a
    `majorities-ring` every host is in touch with a majority, and no two with the same one.
    """

    for_real: ClassVar[bool] = True
    target: str
    shape: str = "isolate"

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"{self.shape!r} is no shape of a partition: {', '.join(SHAPES[:-1])} or {SHAPES[-1]}")

    def strike(self, world: World) -> FaultOutcome:
        """Cut the links for `duration` seconds."""
        machine = world.resolve(self.target)
        if machine is None or machine.name not in world.system:
            return FaultOutcome("nothing")
        links, inside = _links(self.shape, world.system, machine.name)
        if all(world.network.is_cut(*link) for link in links):
            return FaultOutcome("nothing")
        if not _affords_cut(world, links):
            return FaultOutcome("over-budget")
        cut = _cut(world, links, inside)
        world.end_later(self.duration, lambda: _heal(world, links, cut))
        return FaultOutcome("struck", tuple(inside))


def _links(shape: str, system: Sequence[str], name: str) -> tuple[list[Link], list[str]]:
    """Which links a shape cuts, and which hosts are on the smaller side."""
    count, first = len(system), system.index(name)
    ring = [system[(first + step) % count] for step in range(count)]
    if shape == "majorities-ring":
        seen = {host: {ring[(place + step) % count] for step in range(count // 2 + 1)} for place, host in enumerate(ring)}
        return [(peer, host) for host in ring for peer in ring if peer not in seen[host]], [name]
    if shape == "bridge":
        one, other = ring[1 : 1 + (count - 1) // 2], ring[1 + (count - 1) // 2 :]
        return _both_ways(one, other), one
    inside = ring[: max((count - 1) // 2, 1)] if shape == "halves" else [name]
    outside = [host for host in system if host not in inside]
    inward = [(b, a) for a in inside for b in outside]
    outward = [(a, b) for a in inside for b in outside]
    return {"inbound": inward, "outbound": outward}.get(shape, inward + outward), inside


def _both_ways(inside: Sequence[str], outside: Sequence[str]) -> list[Link]:
    return [(b, a) for a in inside for b in outside] + [(a, b) for a in inside for b in outside]


def _affords_cut(world: World, links: Sequence[Link]) -> bool:
    """True if no more hosts than the system tolerates are impaired once the links are cut as well."""
    if world.tolerates is None:
        return True
    world.network.cut(links)
    try:
        return len(impaired(world)) <= world.tolerates
    finally:
        world.network.heal(links)


def _cut(world: World, links: Sequence[Link], inside: Sequence[str]) -> int:
    world.network.cut(links)
    return world.incident("cut", None, world.strike_index, links=tuple(links), inside=tuple(inside))


def _heal(world: World, links: Sequence[Link], cause: int) -> None:
    world.network.heal(links)
    world.incident("heal", None, cause, links=tuple(links))


class Flap(Fault, frozen=True):
    """A host is cut off and back again, every `period` seconds (a loose cable, a routing loop): connections come up only to break."""

    for_real: ClassVar[bool] = True
    target: str
    period: float = 0.2

    def __post_init__(self) -> None:
        if not 0.001 <= self.period < float("inf"):
            raise ValueError(f"period is {self.period!r}: it must be at least 0.001, and finite")

    def strike(self, world: World) -> FaultOutcome:
        """Cut and heal by turns for `duration` seconds."""
        machine = world.resolve(self.target)
        if machine is None or machine.name not in world.system:
            return FaultOutcome("nothing")
        links, inside = _links("isolate", world.system, machine.name)
        if not _affords_cut(world, links):
            return FaultOutcome("over-budget")
        cuts: list[int] = []
        over = [False]

        def turn() -> None:
            if over[0]:
                return
            if cuts:
                _heal(world, links, cuts.pop())
            elif _affords_cut(world, links):
                cuts.append(_cut(world, links, inside))
            world.schedule_timer(world.now + self.period, machine, turn)

        def end() -> None:
            over[0] = True
            if cuts:
                _heal(world, links, cuts.pop())

        turn()
        world.end_later(self.duration, end)
        return FaultOutcome("struck", tuple(inside))


class Swizzle(Fault, frozen=True):
    """Hosts are cut off one after the other, `gap` seconds apart, and come back in another order ("swizzle-clogging").

    It finds what depends on the order in which peers come and go.  `targets` are hosts; those whose turn would be over budget are
    left out.
    """

    for_real: ClassVar[bool] = True
    targets: tuple[str, ...]
    gap: float = 0.1

    def __post_init__(self) -> None:
        if not self.targets:
            raise ValueError("targets is empty: a swizzle needs hosts")
        if not 0.001 <= self.gap < float("inf"):
            raise ValueError(f"gap is {self.gap!r}: it must be at least 0.001, and finite")

    def describe(self) -> str:
        """`swizzle n1 n3`."""
        return f"{self.kind()} {' '.join(self.targets)}"

    def strike(self, world: World) -> FaultOutcome:
        """Cut them off one by one; heal from the middle outwards once `duration` is over."""
        hosts = [name for name in self.targets if name in world.system]
        if not hosts:
            return FaultOutcome("nothing")
        links, inside = _links("isolate", world.system, hosts[0])
        if not _affords_cut(world, links):
            return FaultOutcome("over-budget")
        cuts = {hosts[0]: (links, _cut(world, links, inside))}
        over = [False]

        def clog(name: str) -> None:
            links, inside = _links("isolate", world.system, name)
            if not over[0] and name not in cuts and _affords_cut(world, links):
                cuts[name] = links, _cut(world, links, inside)

        def heal(name: str) -> None:
            if name in cuts:
                links, cause = cuts.pop(name)
                _heal(world, links, cause)

        def end() -> None:
            over[0] = True
            if not self.duration:
                for name in list(cuts):
                    heal(name)
                return
            for place, name in enumerate(hosts[len(hosts) // 2 :] + hosts[: len(hosts) // 2]):
                world.schedule_end(world.now + place * self.gap, world.strike_action, partial(heal, name))

        for place, name in enumerate(hosts[1:], 1):
            machine = world.machines[name]
            world.schedule_timer(world.now + place * self.gap, machine, partial(clog, name))
        world.end_later(self.duration, end)
        return FaultOutcome("struck", tuple(hosts))


# -- mixes ------------------------------------------------------------------------------------------


def partitions() -> FaultMix:
    """Partitions that isolate a host, in one direction or both, or halve the system."""

    def draw(random: Random, cast: Cast) -> Fault:
        shape = random.choice(["isolate", "isolate", "inbound", "outbound", "halves"])
        return Partition(target=target_of(random, cast), shape=shape, duration=duration_of(random))

    return FaultMix([("partition", draw)])


def shapes() -> FaultMix:
    """Partitions of the rarer shapes: bridges, and rings of majorities.  They differ from the plain ones from five hosts on."""

    def draw(random: Random, cast: Cast) -> Fault:
        shape = random.choice(["bridge", "majorities-ring"])
        return Partition(target=target_of(random, cast), shape=shape, duration=duration_of(random))

    return FaultMix([("partition", draw)])


def flaps() -> FaultMix:
    """Links that come and go."""

    def draw(random: Random, cast: Cast) -> Fault:
        period = round(0.005 * 100.0 ** random.random(), 4)
        return Flap(target=target_of(random, cast), period=period, duration=duration_of(random, least=0.2))

    return FaultMix([("flap", draw)])


def swizzles() -> FaultMix:
    """Hosts that are cut off and come back in different orders."""

    def draw(random: Random, cast: Cast) -> Fault:
        targets = tuple(random.sample(cast.hosts, random.randint(1, len(cast.hosts))))
        gap = round(0.01 * 30.0 ** random.random(), 3)
        return Swizzle(targets=targets, gap=gap, duration=duration_of(random, least=0.2))

    return FaultMix([("swizzle", draw)])
