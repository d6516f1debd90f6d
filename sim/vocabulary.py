"""Whether a schedule speaks only of what its scenario has.

A fault that does not apply does nothing, so a misspelt host in a schedule would go unnoticed and its replay would pass. Files
are therefore compared with the scenario when they are read; while shrinking nothing of this is looked at.  Boundaries are compared where
the scenario declares its kill points, which it need not: one that is never reached is counted as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .fault import ANY
from .schedule import Action, Call, DiskNoise, MessageNoise, Override, Schedule, TaskNoise

if TYPE_CHECKING:
    from .scenario import Scenario

__all__ = ["strangers"]


def strangers(schedule: Schedule, scenario: type[Scenario]) -> Iterator[tuple[str, int, str]]:
    """What a scenario does not have: the field of the schedule, the place in it (-1: the field itself), and a sentence."""
    if schedule.mutant is not None and schedule.mutant not in scenario.mutants:
        yield "mutant", -1, f"{scenario.label()} has no mutant {schedule.mutant!r}{_have(scenario.mutants)}"
    for name in schedule.settings:
        if name not in scenario.settings:
            yield "settings", -1, f"{scenario.label()} has no setting {name!r}{_have(scenario.settings)}"
    hosts = dict.fromkeys((*scenario.hosts, *scenario.client_names(), *scenario.outsiders))
    for place, action in enumerate(schedule.actions):
        for said in _of_action(action, scenario, hosts):
            yield "actions", place, f"action {place}: {said}"
    for place, override in enumerate(schedule.overrides):
        for host in _hosts_of(override):
            if host not in hosts:
                yield "overrides", place, f"override {place}: there is no host {host!r}{_have(hosts)}"


def _of_action(action: Action, scenario: type[Scenario], hosts: Mapping[str, None]) -> Iterator[str]:
    if isinstance(action, Call):
        if action.client not in scenario.client_names():
            yield f"there is no client {action.client!r}{_have(dict.fromkeys(scenario.client_names()))}"
        operations = scenario.operations()
        spec = operations.get(action.operation)
        if spec is None:
            yield f"there is no operation {action.operation!r}{_have(operations)}"
        elif set(action.arguments) != set(spec.arguments):
            takes = ", ".join(spec.arguments) or "no arguments"
            yield f"operation {spec.name} takes {takes}, not {', '.join(sorted(action.arguments)) or 'none'}"
        return
    targets = dict.fromkeys((*hosts, *scenario.roles, *([ANY] if action.boundary is not None else [])))
    aims = [getattr(action.fault, "target", None), action.boundary.host if action.boundary is not None else None]
    for target in aims:
        if target is not None and target not in targets:
            yield f"there is no host or role {target!r}{_have(targets)}"
    if action.boundary is not None and scenario.killpoints:
        events = dict.fromkeys(("send", "deliver", "disk", *scenario.killpoints))
        if action.boundary.event not in events and not action.boundary.event.startswith("disk:"):
            yield f"there is no boundary {action.boundary.event!r}{_have(events)}, and disk:fsync, disk:write, ..."
    if action.boundary is not None and action.boundary.phase and scenario.phases and action.boundary.phase not in scenario.phases:
        yield f"there is no phase {action.boundary.phase!r}{_have(dict.fromkeys(scenario.phases))}"
    key = getattr(action.fault, "issuer", None)
    if key is not None and key not in scenario.keys:
        yield f"there is no key {key!r}{_have(dict.fromkeys(scenario.keys))}"


def _hosts_of(override: Override) -> tuple[str, ...]:
    match override:
        case MessageNoise():
            return (override.sender, override.to)
        case TaskNoise() | DiskNoise():
            return (override.host,)


def _have(names: Mapping[str, object]) -> str:
    return f"; there are {', '.join(names)}" if names else ""
