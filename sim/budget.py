"""The budget: how many hosts may be impaired at once.

A protocol promises progress while a majority of its hosts is up and connected.  In a quorum-safe run faults never exceed that, so that
progress may be demanded afterwards; in an unlimited run only safety is.  The budget is looked at when a fault strikes and not when it
is planned: whatever an action was moved to, the promise holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .fault import FaultOutcome

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["affords", "impaired", "strike_hosts"]


def impaired(world: World) -> frozenset[str]:
    """The system hosts that are down, paused, starved, cut off from a majority of the system in either direction, or whose disk is
    in trouble."""
    majority = len(world.system) // 2 + 1
    cut = world.network.is_cut
    found = set()
    for name in world.system:
        machine = world.machines[name]
        reach = sum(peer == name or not (cut(name, peer) or cut(peer, name)) for peer in world.system)
        if not machine.alive or machine.paused or machine.spoiled or machine.slow or machine.disk_troubles or reach < majority:
            found.add(name)
    return frozenset(found)


def affords(world: World, hosts: Sequence[str]) -> bool:
    """True if impairing these hosts as well stays within what the system tolerates."""
    return world.tolerates is None or len(impaired(world) | (set(hosts) & set(world.system))) <= world.tolerates


def strike_hosts(world: World, machines: Sequence[Machine], hit: Callable[[Machine], str | None]) -> FaultOutcome:
    """Hit each of these hosts, if there are any and the budget affords all of them; `hit` may give a detail for people."""
    names = tuple(machine.name for machine in machines)
    if not names:
        return FaultOutcome("nothing")
    if not affords(world, names):
        return FaultOutcome("over-budget")
    return FaultOutcome("struck", names, "; ".join(filter(None, [hit(machine) for machine in machines])))
