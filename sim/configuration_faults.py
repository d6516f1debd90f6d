"""Kinds of fault that change the configuration: hosts join and leave, and all are restarted one after the other, perhaps with other code.

They are no accidents; but what is done on purpose, while everything else goes on, breaks systems as well.
"""

from __future__ import annotations

from functools import partial
from math import inf
from random import Random
from typing import TYPE_CHECKING, ClassVar

from .budget import affords
from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, duration_of, target_of

if TYPE_CHECKING:
    from .world import World

__all__ = ["AddHost", "RemoveHost", "RollingRestart", "additions", "reconfigurations", "removals", "rolling_restarts"]

TRIES = 10
"""How often a rolling restart looks whether a host can be spared, a gap apart, before it leaves it out."""


class AddHost(Fault, frozen=True):
    """A spare machine is started and belongs to the system from then on; without a `spare` it is the first of `Scenario.spares`.

    Hosts that are begun later have it among their peers; those that run are told by `Scenario.added`, if they are.  All safety
    properties may be asserted.  It stays to the end: `duration` means nothing.
    """

    spare: str = ""
    for_real: ClassVar[bool] = True

    def strike(self, world: World) -> FaultOutcome:
        """Start it."""
        machine = world.spare(self.spare)
        if machine is None:
            return FaultOutcome("nothing")
        world.add(machine, world.strike_index)
        return FaultOutcome("struck", (machine.name,))


class RemoveHost(Fault, frozen=True):
    """A host is taken away for good, with its disk (a decommissioned machine, a node that is scaled in).

    It counts as impaired to the end of the run, so in a quorum-safe one no more go than the system tolerates.  What was acknowledged must
    survive with the others.  `duration` means nothing.
    """

    target: str
    for_real: ClassVar[bool] = True

    def strike(self, world: World) -> FaultOutcome:
        """Take it away."""
        machine = world.resolve(self.target)
        if machine is None or machine.name not in world.members or len(world.members) == 1:
            return FaultOutcome("nothing")
        if not affords(world, [machine.name]):
            return FaultOutcome("over-budget")
        world.remove(machine, world.strike_index)
        return FaultOutcome("struck", (machine.name,))


class RollingRestart(Fault, frozen=True):
    """Hosts are killed and begun again one after the other, `gap` seconds apart, each away for `downtime` (a deployment).

    With a `version` of `Scenario.versions` they begin with that version's programs, so for a while two versions talk to each other, and
    the new one reads what the old one wrote.  After `duration` seconds it is rolled back in the same way; 0: it stays.  All properties
    may be asserted, progress too.  What is left of it when the calm phase begins happens at once.
    """

    version: str = ""
    gap: float = 0.5
    downtime: float = 0.1
    for_real: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("gap", "downtime"):
            if not 0.0 < getattr(self, name) < inf:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be above 0, and finite")

    def strike(self, world: World) -> FaultOutcome:
        """Begin with the first host; the others follow."""
        if self.version and (world.scenario is None or self.version not in world.scenario.versions):
            return FaultOutcome("nothing", detail=f"there is no version {self.version}")
        hosts = world.members
        self._roll(world, hosts, self.version, 0.0)
        if self.duration:
            self._roll(world, hosts, "", self.duration)
        return FaultOutcome("struck", hosts, self.version)

    def _roll(self, world: World, hosts: tuple[str, ...], version: str, after: float) -> None:
        for place, name in enumerate(hosts):
            step = partial(self._restart, world, name, version, world.strike_index, world.strike_action)
            world.schedule_end(world.now + after + place * self.gap, world.strike_action, step)

    def _restart(self, world: World, name: str, version: str, cause: int | None, action: int, tries: int = TRIES) -> None:
        """Stop one host once it can be spared, and begin it again; one that is down already begins with the version all the same."""
        machine = world.machines[name]
        if name not in world.members:
            return
        if world.scenario is not None:
            world.install(machine, version)
        if machine.alive and affords(world, [name]):
            world.kill(machine, cause=cause)
            world.schedule_end(world.now + self.downtime, action, lambda: world.restart(machine))
        elif machine.alive and tries > 1:
            # The one before may not be back yet; whoever deploys waits for that.
            again = partial(self._restart, world, name, version, cause, action, tries - 1)
            world.schedule_end(world.now + self.gap, action, again)


# -- mixes ------------------------------------------------------------------------------------------


def additions() -> FaultMix:
    """Hosts join."""
    return FaultMix([("add-host", lambda _random, _cast: AddHost())])


def removals() -> FaultMix:
    """Hosts leave."""
    return FaultMix([("remove-host", lambda random, cast: RemoveHost(target=target_of(random, cast)))])


def reconfigurations() -> FaultMix:
    """Hosts join and leave."""
    return additions() | removals()


def rolling_restarts() -> FaultMix:
    """Deployments, with the same code or, if there are such, with another version."""

    def draw(random: Random, cast: Cast) -> Fault:
        version = random.choice(("", *cast.versions)) if cast.versions else ""
        gap = round(0.05 * 20.0 ** random.random(), 3)
        back = duration_of(random, least=0.5, most=3.0) if random.random() < 0.5 else 0.0
        return RollingRestart(version=version, gap=gap, downtime=duration_of(random, most=0.3), duration=back)

    return FaultMix([("rolling-restart", draw)])
