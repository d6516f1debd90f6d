"""The kinds of fault that every scenario can use.

Each kind is a noun, names the real event that it models and says what may still be asserted while it lasts.  Targets are hosts by
name, or a role such as `leader`, resolved when the fault strikes.  A fault that would impair more hosts than the system promises to
survive is over budget and does nothing; that is decided at the moment of striking, so that moving actions about (as shrinking does)
cannot make an illegal pair out of two legal faults.

`kills()`, `partitions()`, ... are **mixes**: how a generator draws faults of a kind.  Mixes are joined with `|`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from .authors import at, told
from .budget import affords
from .disk import parse_keep
from .fault import Fault, FaultError, FaultOutcome
from .frames import defined_at

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["Cast", "CompromiseKey", "Fault", "FaultMix", "FaultOutcome", "Kill", "Partition", "Pause", "PowerLoss", "drawn", "kills"]
__all__ += ["key_compromise", "partitions", "pauses", "power_losses"]

AT_ONCE = 0.0005
"""Seconds that a host is down when a supervisor restarts it at once: less than a message takes."""

_NOTHING = FaultOutcome("nothing")
_OVER_BUDGET = FaultOutcome("over-budget")


class _Stop(Fault, frozen=True):
    """What killing and losing power have in common; `duration` is how long the host stays down."""

    target: str

    def _keep(self) -> str | None:
        raise NotImplementedError

    def strike(self, world: World) -> FaultOutcome:
        """Stop the host; restart it after `duration`."""
        machine = world.resolve(self.target)
        if machine is None:
            return _NOTHING
        if not affords(world, [machine.name]):
            return _OVER_BUDGET
        kept = world.kill(machine, keep=self._keep(), cause=world.strike_index)
        world.end_later(self.duration, lambda: world.restart(machine))
        return FaultOutcome("struck", (machine.name,), kept)


class Kill(_Stop, frozen=True):
    """The process dies where it stands (SIGKILL, an out-of-memory kill); the kernel survives, so the disk loses nothing.

    No clean-up code runs.  Messages to it are lost until it is restarted, after `duration` seconds.  Every safety property and
    durability may be asserted; progress while no more hosts are down than the system tolerates.
    """

    def _keep(self) -> str | None:
        return None


class PowerLoss(_Stop, frozen=True):
    """The machine loses power: the process dies, and of what was written but not synced the disk keeps only what `keep` says.

    `keep` is `none`, `all`, `prefix:N`, `subset:N` (a pseudo-random half) or `units:N,N,...`, in units of 512-byte sectors and
    directory operations.  Everything that was acknowledged after an fsync must still be there.
    """

    keep: str = "none"

    def _keep(self) -> str | None:
        return self.keep

    def __post_init__(self) -> None:
        parse_keep(self.keep)


class Pause(Fault, frozen=True):
    """The process is stopped and later continued (SIGSTOP, a long garbage collection, a suspended virtual machine).

    Messages wait for it; its clock goes on, so it may believe for a while to be what it no longer is.  All safety properties
    may be asserted.
    """

    target: str

    def strike(self, world: World) -> FaultOutcome:
        """Pause for `duration` seconds."""
        machine = world.resolve(self.target)
        if machine is None or machine.paused:
            return _NOTHING
        if not affords(world, [machine.name]):
            return _OVER_BUDGET
        incarnation = machine.incarnation
        world.pause(machine, world.strike_index)
        world.end_later(self.duration, lambda: _resume(world, machine, incarnation))
        return FaultOutcome("struck", (machine.name,))


def _resume(world: World, machine: Machine, incarnation: int) -> None:
    if machine.incarnation == incarnation and machine.alive:
        world.resume(machine)


class Partition(Fault, frozen=True):
    """The network between some hosts and the rest drops everything (a switch dies, a firewall rule, a cable).

    `shape` says which links: `isolate` cuts the target off from all other system hosts; `inbound` and `outbound` cut only what
    it hears or only what it says (a one-way partition); `halves` splits the system in two, the target in the smaller part with
    the hosts that follow it in order of declaration.  Clients still reach every host.  All safety properties may be asserted;
    progress on the side of a majority.
    """

    target: str
    shape: str = "isolate"

    def __post_init__(self) -> None:
        if self.shape not in ("isolate", "inbound", "outbound", "halves"):
            raise ValueError(f"{self.shape!r} is no shape of a partition: isolate, inbound, outbound or halves")

    def strike(self, world: World) -> FaultOutcome:
        """Cut the links for `duration` seconds."""
        machine = world.resolve(self.target)
        if machine is None or machine.name not in world.system:
            return _NOTHING
        inside = self._inside(world.system, machine.name)
        outside = [name for name in world.system if name not in inside]
        inward = [(b, a) for a in inside for b in outside]
        outward = [(a, b) for a in inside for b in outside]
        links = {"inbound": inward, "outbound": outward}.get(self.shape, inward + outward)
        if all(world.network.is_cut(*link) for link in links):
            return _NOTHING
        if not affords(world, inside):
            return _OVER_BUDGET
        world.network.cut(links)
        cut = world.incident("cut", None, world.strike_index, links=tuple(links), inside=tuple(inside))
        world.end_later(self.duration, lambda: _heal(world, links, cut))
        return FaultOutcome("struck", tuple(inside))

    def _inside(self, system: Sequence[str], name: str) -> list[str]:
        """The smaller side."""
        size = (len(system) - 1) // 2 if self.shape == "halves" else 1
        first = system.index(name)
        return [system[(first + step) % len(system)] for step in range(max(size, 1))]


def _heal(world: World, links: list[tuple[str, str]], cause: int) -> None:
    world.network.heal(links)
    world.incident("heal", None, cause, links=tuple(links))


class CompromiseKey(Fault, frozen=True):
    """Somebody else has a copy of a private key, and uses it from now on; `duration` is how long it takes to be noticed.

    What the thief can do and what noticing means is the scenario's business (`Scenario.compromise`, `Scenario.notice`): in the
    issuance cluster an outsider signs documents with it, back-dated as it pleases, and on noticing an operator revokes the key.
    Signatures by that key between theft and revocation are suspect; from the revocation's place in the log on, none may be
    accepted, whatever time it claims.
    """

    issuer: str

    def strike(self, world: World) -> FaultOutcome:
        """Hand the key to the thief; notice after `duration` seconds."""
        victims = world.compromise(self.issuer)
        if not victims:
            return _NOTHING
        world.end_later(self.duration, lambda: world.notice(self.issuer))
        return FaultOutcome("struck", victims)


# -- mixes ------------------------------------------------------------------------------------------


class Cast(msgspec.Struct, frozen=True):
    """Who can be struck: the system's hosts in order, the roles that they observe, the keys that can be stolen."""

    hosts: tuple[str, ...]
    roles: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


Draw: TypeAlias = Callable[[Random, Cast], Fault]
"""Draws one fault of a kind."""


def drawn(kind: tuple[str, Draw], random: Random, cast: Cast) -> Fault:
    """One fault of a kind of a mix.

    Raises:
        FaultError: its author's code raised, or made something else.
    """
    name, draw = kind
    try:
        fault: object = draw(random, cast)
    except Exception as error:
        raise FaultError(f"no fault of the kind {name!r} can be drawn: {told(error)}") from error
    if not isinstance(fault, Fault):
        where = at(defined_at(draw))
        raise FaultError(f"drawing a fault of the kind {name!r} made {fault!r}{where}: it must be a Fault")
    return fault


class FaultMix(tuple[tuple[str, Draw], ...]):
    """Named ways of drawing faults; each is one kind that a schedule may switch off."""

    __slots__ = ()

    def __or__(self, other: FaultMix) -> FaultMix:
        return FaultMix((*self, *other))

    def names(self) -> Iterator[str]:
        """The kinds, in order."""
        return (name for name, _ in self)


def _target(random: Random, cast: Cast) -> str:
    """Roles more often than hosts, the first role most: interesting moments happen where the leader is."""
    if cast.roles and random.random() < 0.6:
        return cast.roles[0] if random.random() < 0.6 else random.choice(cast.roles)
    return random.choice(cast.hosts)


def _duration(random: Random, *, least: float = 0.02, most: float = 2.0) -> float:
    """Log-uniform seconds, rounded to milliseconds."""
    return round(float(least * (most / least) ** random.random()), 3)


def _downtime(random: Random) -> float:
    """As `_duration`; every fourth comes back at once, as under a supervisor, while messages to it are still under way."""
    return AT_ONCE if random.random() < 0.25 else _duration(random)


def kills() -> FaultMix:
    """Processes die and are restarted."""
    return FaultMix([("kill", lambda random, cast: Kill(target=_target(random, cast), duration=_downtime(random)))])


def power_losses() -> FaultMix:
    """Machines lose power; what the disk keeps is drawn from all forms."""

    def draw(random: Random, cast: Cast) -> Fault:
        keep = random.choice(["none", "none", "all", f"prefix:{random.randrange(6)}", f"subset:{random.randrange(2**16)}"])
        return PowerLoss(target=_target(random, cast), keep=keep, duration=_downtime(random))

    return FaultMix([("power-loss", draw)])


def pauses() -> FaultMix:
    """Processes stop for a while."""
    return FaultMix([("pause", lambda random, cast: Pause(target=_target(random, cast), duration=_duration(random)))])


def partitions() -> FaultMix:
    """Partitions of all shapes."""

    def draw(random: Random, cast: Cast) -> Fault:
        shape = random.choice(["isolate", "isolate", "inbound", "outbound", "halves"])
        return Partition(target=_target(random, cast), shape=shape, duration=_duration(random))

    return FaultMix([("partition", draw)])


def key_compromise() -> FaultMix:
    """Keys are stolen, and it is noticed."""

    def draw(random: Random, cast: Cast) -> Fault:
        return CompromiseKey(issuer=random.choice(cast.keys), duration=_duration(random))

    return FaultMix([("compromise-key", draw)])
