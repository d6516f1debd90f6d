"""Simpler and other forms of schedules: what the shrinker tries.  All of it is pure; whether a form still fails is for a run to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from random import Random

import msgspec

from ..properties.history import Value
from ..sim.fault import ANY, Fault
from ..sim.faults import Delay, Duplicate, Kill, Loss, Partition, PowerLoss, Reorder
from ..sim.record import Strike
from ..sim.scenario import OperationSpec, Scenario, unique
from ..sim.schedule import Action, Call, Inject, Schedule

__all__ = ["moved", "pinned", "renumbered", "simpler_actions", "simpler_faults", "stretched", "time_of", "variant", "without_repeats"]


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


def renumbered(schedule: Schedule, scenario: type[Scenario]) -> Schedule:
    """What must be unique counted from 1, in the order of the calls."""
    numbers = count(1)
    specs = scenario.operations()
    actions = tuple(_with_unique(action, specs, lambda _: next(numbers)) for action in schedule.actions)
    return schedule.replace(actions=actions)


def without_repeats(actions: Sequence[Action], scenario: type[Scenario]) -> tuple[Action, ...]:
    """What must be unique and is not, in a schedule that was pieced together, gets numbers that no call has.

    Else a duplicate could be of the shrinker's own making.
    """
    values = [value for action in actions if isinstance(action, Call) for value in action.arguments.values()]
    unused = count(1 + max((value for value in values if isinstance(value, int)), default=0))
    seen: set[Value] = set()

    def fresh(value: Value) -> Value:
        value = next(unused) if value in seen else value
        seen.add(value)
        return value

    specs = scenario.operations()
    return tuple(_with_unique(action, specs, fresh) for action in actions)


def _with_unique(action: Action, specs: Mapping[str, OperationSpec], change: Callable[[Value], Value]) -> Action:
    """The action with what must be unique in it changed."""
    if not isinstance(action, Call):
        return action
    described = specs[action.operation].arguments
    changed = {name: change(value) if described.get(name) is unique else value for name, value in action.arguments.items()}
    return msgspec.structs.replace(action, arguments=changed)


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
    if isinstance(fault, Delay) and fault.jitter:
        yield msgspec.structs.replace(fault, jitter=0.0)
    if isinstance(fault, Loss | Duplicate | Reorder) and fault.rate != 1.0:
        yield msgspec.structs.replace(fault, rate=1.0)  # no luck in it
    for duration in (0.0, 0.1, 0.2, 0.5, 1.0, 2.0):
        if duration < fault.duration or (duration == 0.0 and fault.duration):
            yield msgspec.structs.replace(fault, duration=duration)
