"""Where faults can strike: the kinds of boundary that hosts of a scenario cross, by role and phase.

Most boundaries are crossed in a few common situations (the leader, replicating), and bugs hide in the rare ones (a follower that has
just voted).  A fault that waits for the n-th crossing of anything all but certainly strikes in a common one.  So a few fault-free
and mildly faulty runs are watched first, and faults are then aimed at situations, each as likely as the other, however often it
occurs.  Placing faults at what was seen to happen instead of at random is the idea of ALICE (Pillai et al. 2014) and of CrashTuner
(Lu et al. 2019); ours needs no analysis of the program, since hosts tell their role and phase.

A census depends on the scenario's code only.  It costs `RUNS` traced runs, once per process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING

import msgspec

from ..sim.scenario import Scenario
from ..sim.session import run
from ..sim.trace import TraceEvent

if TYPE_CHECKING:
    from ..sim.schedule import Schedule

__all__ = ["RUNS", "Crossing", "choose", "crossed", "watch"]

RUNS = 6


class Crossing(msgspec.Struct, frozen=True, order=True):
    """A kind of boundary in a situation.  `role` and `phase` are empty where the scenario declares none, or the host told none.

    `sort` is what the event is: `killpoint`, `disk`, or `message`.
    """

    phase: str
    role: str
    sort: str
    event: str

    @property
    def part(self) -> str:
        """The part of the system that a kill point belongs to, by the first word of its name; the sort of any other event."""
        return self.event.partition("-")[0] if self.sort == "killpoint" else self.sort


def choose(random: Random, among: Sequence[Crossing]) -> Crossing:
    """One crossing: each phase as likely as the other, then each role in it, each sort of event, each event.

    Kill points are places that somebody thought dangerous: they are twice as likely as each other sort.
    """
    for field in ("phase", "role", "sort", "event"):
        values = sorted({getattr(crossing, field) for crossing in among})
        if field == "sort" and "killpoint" in values:
            values.append("killpoint")
        value = random.choice(values)
        among = [crossing for crossing in among if getattr(crossing, field) == value]
    return among[0]


def watch(scenario: type[Scenario], schedules: Sequence[Schedule]) -> tuple[Crossing, ...]:
    """What system hosts cross while these schedules run, sorted; kill points that were declared and not crossed come without a situation.

    Only what the scenario declares is told apart: roles, phases, and kill points if there are any among its declarations.
    """
    found: dict[Crossing, None] = {}
    for schedule in schedules:
        record = run(schedule, scenario, trace=True)
        found.update((crossing, None) for _, crossing in crossed(record.trace or (), scenario))
        if record.failure is not None:
            break
    reached = {crossing.event for crossing in found}
    missed = [Crossing("", "", "killpoint", name) for name in scenario.killpoints if name not in reached]
    return tuple(sorted([*found, *missed]))


def crossed(trace: Sequence[TraceEvent], scenario: type[Scenario]) -> Iterator[tuple[TraceEvent, Crossing]]:
    """The events of a trace that are boundaries of system hosts, each with what it is a crossing of."""
    situations: dict[str, tuple[str, str]] = {}
    for event in trace:
        host = event.host
        if host is None or host not in scenario.hosts:
            continue
        phase, role = situations.get(host, ("", ""))
        match event.kind:
            case "start" | "restart":
                situations[host] = ("", "")
            case "observe":
                phase, role = str(event.detail.get("phase", phase)), str(event.detail.get("role", role))
                situations[host] = (phase if phase in scenario.phases else "", role if role in scenario.roles else "")
            case "killpoint" if not scenario.killpoints or event.detail["name"] in scenario.killpoints:
                yield event, Crossing(phase, role, "killpoint", str(event.detail["name"]))
            case "send" | "deliver":
                yield event, Crossing(phase, role, "message", event.kind)
            case "disk":
                yield event, Crossing(phase, role, "disk", f"disk:{event.detail['operation']}")
