"""Simpler and other forms of schedules: what the shrinker tries.  All of it is pure; whether a form still fails is for a run to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import msgspec

from ..sim.fault import ANY, Fault
from ..sim.faults import Kill, Partition, PowerLoss
from ..sim.record import Strike
from ..sim.scenario import Scenario
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from .census import Crossing

__all__ = ["anchored", "excerpt", "moved", "pinned", "simpler_actions", "simpler_faults", "stretched", "time_of", "variant"]


def variant(schedule: Schedule, number: int, scenario: type[Scenario]) -> Schedule:
    """The same actions under another seed, which moves what programs draw themselves (time-outs); some with other settings or
    durations, too.

    Where a run depends on noise, it seldom depends on *that* noise: it needed some luck, and a quiet run may have it as well.
    """
    random = Random(number)
    if number % 3 == 1:
        settings = {name: random.choice(list(values)) for name, values in scenario.settings.items()}
        schedule = schedule.replace(settings=settings)
    if number % 3 == 2:
        stretch = random.choice([0.5, 2.0])
        schedule = schedule.replace(actions=tuple(stretched(action, stretch) for action in schedule.actions))
    return schedule.replace(seed=number)


def pinned(action: Action, strike: Strike | None) -> Action:
    """A fault that waits for a boundary, armed only just before it struck; `any` host becomes the one that it struck."""
    if not isinstance(action, Inject) or action.boundary is None or strike is None:
        return action
    fault, boundary = action.fault, msgspec.structs.replace(action.boundary, ordinal=1)
    if boundary.host == ANY == getattr(fault, "target", None) and strike.hosts:
        fault = msgspec.structs.replace(fault, target=strike.hosts[0])
        boundary = msgspec.structs.replace(boundary, host=strike.hosts[0])
    return Inject(strike.time, fault, boundary)


def anchored(action: Inject, host: str, crossing: Crossing) -> Inject:
    """The fault at the next such crossing, by whoever holds the role, or by the host if it held none."""
    actor = crossing.role or host
    fault = msgspec.structs.replace(action.fault, target=actor) if hasattr(action.fault, "target") else action.fault
    return Inject(action.at, fault, Boundary(actor, crossing.event, phase=crossing.phase))


def excerpt(schedule: Schedule, crossings: Sequence[Sequence[Crossing]], hosts: Sequence[str], number: int) -> Schedule:
    """A random handful of the last actions, mostly without noise: the calls as they are, faults at their times or in the situations
    in which they struck.

    `crossings` are, by action, what the struck host crossed last before the strike, latest first; `hosts` who was struck.
    """
    random = Random(number)
    actions = schedule.actions
    struck = [place for place in range(len(actions)) if crossings[place]]
    if struck and random.random() < 0.5:
        # One fault alone, in its situation: the last ones are the likeliest.
        places = {struck[-1 - min(int(random.expovariate(0.7)), len(struck) - 1)]}
        in_situation = 1.0
    else:
        recent = random.choice([0.1, 0.5])
        size = random.choice([1, 2, 2, 2, 3, 3, 4])
        places = {max(0, len(actions) - 1 - int(random.expovariate(recent))) for _ in range(size)}
        in_situation = 0.6
    chosen: list[Action] = []
    before, at = min(actions[place].at for place in places), random.choice([0.0, 0.4])
    for place in sorted(places):
        action = actions[place]
        # Long waits between the chosen mean nothing any more, and where two things race, other waits than the old ones may be right.
        gap = min(action.at - before, random.choice([0.05, 0.5])) if random.random() < 0.5 else 0.001 * 1000.0 ** random.random()
        at, before = round(at + (gap if chosen else 0.0), 3), action.at
        if isinstance(action, Inject) and crossings[place] and random.random() < in_situation:
            action = anchored(action, hosts[place], random.choice(crossings[place]))
        chosen.append(moved(action, at))
    noise = schedule.noise if random.random() < 0.3 else Noise()
    return schedule.replace(actions=tuple(chosen), overrides=(), noise=noise)


def simpler_actions(action: Action) -> Iterator[Action]:
    """Simpler forms of one action, the simplest first."""
    if isinstance(action, Call):
        return
    boundary = action.boundary
    if boundary is not None:
        yield Inject(action.at, action.fault)
        if boundary.phase:
            yield Inject(action.at, action.fault, msgspec.structs.replace(boundary, phase=""))
        for ordinal in range(1, min(boundary.ordinal, 4)):
            yield Inject(action.at, action.fault, msgspec.structs.replace(boundary, ordinal=ordinal))
    for fault in simpler_faults(action.fault):
        yield Inject(action.at, fault, boundary)


def stretched(action: Action, factor: float) -> Action:
    """A fault that lasts longer or shorter; calls as they are."""
    if isinstance(action, Call):
        return action
    duration = round(action.fault.duration * factor, 4)
    return Inject(action.at, msgspec.structs.replace(action.fault, duration=duration), action.boundary)


def moved(action: Action, at: float) -> Action:
    """The same action at another time (virtual seconds)."""
    return msgspec.structs.replace(action, at=at)


def time_of(action: Action) -> float:
    """When an action happens, or is armed."""
    return action.at


def simpler_faults(fault: Fault) -> Iterator[Fault]:
    """Simpler forms of a fault: a gentler kind, plainer parameters, a shorter duration."""
    if isinstance(fault, PowerLoss):
        yield Kill(target=fault.target, duration=fault.duration)
        if fault.keep != "none":
            yield msgspec.structs.replace(fault, keep="none")
        if fault.keep not in ("none", "all"):
            yield msgspec.structs.replace(fault, keep="all")
    if isinstance(fault, Partition) and fault.shape != "isolate":
        yield msgspec.structs.replace(fault, shape="isolate")
    for duration in (0.0, 0.1, 0.2, 0.5, 1.0, 2.0):
        if duration < fault.duration or (duration == 0.0 and fault.duration):
            yield msgspec.structs.replace(fault, duration=duration)
