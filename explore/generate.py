"""Drawing schedules: swarm testing over one scenario.

Each schedule first draws its own character: which kinds of fault it uses at all, how much noise of which sort, how fast clients call,
how long it lasts, how often faults wait for a boundary instead of a time, the scenario's settings.  Then it draws actions one by one,
each with the gap to the one before.  Switching whole kinds off at random (swarm testing, Groce et al. 2012) finds more than an even
mixture: some bugs need that a fault does *not* happen.

The same `Draft` serves `killpoint explore`, where every choice comes from a seed, and Hypothesis machines, where choices come from
Hypothesis.  A draft only ever appends, so it can be applied to a session while it is being drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol

import msgspec

from ..properties.history import Value
from ..sim.faults import AT_ONCE, CompromiseKey
from ..sim.noise import keyed_integer
from ..sim.scenario import OperationSpec, Scenario, ScenarioError, unique
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from ..sim.validation import validated
from .pool import argument_pool

__all__ = ["Draft", "generate"]

MAX_ACTIONS = 100
_GENERIC_BOUNDARIES = ("disk", "disk:fsync", "send", "deliver")


class Arguments(Protocol):
    """Where the arguments of operations come from."""

    def __call__(self, random: Random, description: object) -> Value:
        """One value as the description (a strategy or a sequence) says."""
        ...


def pooled(random: Random, description: object) -> Value:
    """Arguments without Hypothesis at the wheel: from a fixed pool of examples per strategy."""
    if isinstance(description, Sequence) and not isinstance(description, str):
        return random.choice(description)
    return random.choice(argument_pool(description))


class Draft:
    """A schedule that is being drawn.

    `header` holds everything but the actions; `next` draws one more action, or None once the schedule's span is over.
    """

    def __init__(
        self, scenario: type[Scenario], random: Random, *, seed: int, mutant: str | None = None, budget: str | None = None
    ) -> None:
        self._scenario = scenario
        self._cast = scenario.cast()
        problem = validated(scenario)
        if problem is not None:
            raise ScenarioError(problem)
        self._operations = [spec for spec in scenario.operations().values() if spec.weight > 0]
        if not self._operations:
            raise ScenarioError(f"{scenario.__name__} has no operations: mark at least one async method with @operation")
        self._time = 0.0
        self._unique = 0
        self.header = Schedule(
            scenario=scenario.label(),
            seed=seed,
            noise=self._noise(random),
            settings={name: random.choice(list(values)) for name, values in scenario.settings.items()},
            mutant=mutant,
            budget=budget or ("quorum-safe" if random.random() < 0.6 else "unlimited"),
        )
        kinds = list(scenario.faults)
        self._faults = [kind for kind in kinds if random.random() < 0.6] or ([random.choice(kinds)] if kinds else [])
        self._call_gap = _log_uniform(random, 0.02, 0.4)
        self._fault_gap = _log_uniform(random, 0.04, 0.8)
        self._at_boundary = random.choice([0.0, 0.5, 0.9, 0.9])
        self._span = _log_uniform(random, 1.0, 5.0)
        # A siege: whoever holds the role is struck, again and again, mostly at the same few places.
        roles = self._cast.roles
        self._siege = random.choice([roles[0], roles[0], *roles[1:]]) if roles and random.random() < 0.4 else None
        self._stolen: set[str] = set()
        self._boundaries = self._places(random, scenario)
        self._patience = random.choice([0.3, 1.5, 1.5])
        self._tempo = random.choice([0.1, 0.5, 1.0])
        self._weights = [spec.weight * random.choice([0.25, 1.0, 1.0, 3.0]) for spec in self._operations]
        # Systems need a moment to start; faults during start-up are drawn too, but not always.
        self._first = random.choice([0.0, 0.4, 0.4])

    @staticmethod
    def _places(random: Random, scenario: type[Scenario]) -> list[str]:
        """The boundaries that this schedule's faults wait for: all, or a few that belong together.

        Kill points whose names begin alike ("raft-...") belong to one part of the system; bugs of a protocol need several
        faults at a few places of that part, which a choice among all places would hardly ever line up.
        """
        groups: dict[str, list[str]] = {"": list(_GENERIC_BOUNDARIES)}
        for name in scenario.killpoints:
            groups.setdefault(name.partition("-")[0], []).append(name)
        if random.random() < 0.25:
            return [name for group in groups.values() for name in group]
        (group,) = random.choices(list(groups.values()), [len(group) for group in groups.values()])
        return random.sample(group, min(random.randint(1, 3), len(group)))

    @staticmethod
    def _noise(random: Random) -> Noise:
        def amount(least: float, most: float) -> float:
            return round(_log_uniform(random, least, most), 4) if random.random() < 0.5 else 0.0

        if random.random() < 0.35:
            return Noise()
        return Noise(
            # Large latencies come close to time-outs, where messages of different elections meet.
            latency=amount(0.1, 5.0) if random.random() < 0.5 else amount(10.0, 60.0),
            loss=amount(0.001, 0.1),
            duplicate=amount(0.001, 0.1),
            reorder=amount(0.001, 0.3),
            tasks=amount(0.01, 0.5),
            disk=amount(0.1, 10.0),
        )

    def next(self, random: Random, arguments: Arguments = pooled) -> Action | None:
        """One more action; None when the span is over."""
        fault_rate = 1.0 / self._fault_gap if self._faults else 0.0
        call_rate = 1.0 / self._call_gap
        self._time += random.expovariate(fault_rate + call_rate)
        if self._time > self._span:
            return None
        at = round(self._first + self._time, 4)
        if random.random() * (fault_rate + call_rate) < fault_rate:
            return self._inject(at, random)
        (spec,) = random.choices(self._operations, self._weights)
        return self._call(at, spec, random, arguments)

    def _call(self, at: float, spec: OperationSpec, random: Random, arguments: Arguments) -> Call:
        values: dict[str, Value] = {}
        for name, description in spec.arguments.items():
            if description is unique:
                self._unique += 1
                values[name] = self._unique
            else:
                values[name] = arguments(random, description)
        return Call(at, random.choice(self._scenario.client_names()), spec.name, values)

    def _inject(self, at: float, random: Random) -> Inject:
        _, draw = random.choice(self._faults)
        fault = draw(random, self._cast)
        if isinstance(fault, CompromiseKey) and fault.issuer in self._stolen and len(self._faults) > 1:
            # A key is stolen once; the turn goes to another kind.
            _, draw = random.choice([kind for kind in self._faults if kind[1] is not draw])
            fault = draw(random, self._cast)
        if isinstance(fault, CompromiseKey):
            self._stolen.add(fault.issuer)
        fault = msgspec.structs.replace(fault, duration=max(round(fault.duration * self._tempo, 4), AT_ONCE))
        if self._siege is not None and hasattr(fault, "target"):
            fault = msgspec.structs.replace(fault, target=self._siege)
        if random.random() >= self._at_boundary:
            return Inject(at, fault)
        host = str(getattr(fault, "target", random.choice(self._cast.hosts)))
        ordinal = 1 + min(int(random.expovariate(self._patience)), 40)
        return Inject(at, fault, Boundary(host, random.choice(self._boundaries), ordinal))


def _log_uniform(random: Random, least: float, most: float) -> float:
    return float(least * (most / least) ** random.random())


def generate(scenario: type[Scenario], seed: int, number: int, *, mutant: str | None = None, budget: str | None = None) -> Schedule:
    """The `number`-th schedule of a seed: a pure function of its arguments and of the scenario."""
    random = Random(keyed_integer(seed, "schedule", scenario.label(), number))
    draft = Draft(scenario, random, seed=keyed_integer(seed, "noise", number) >> 1, mutant=mutant, budget=budget)
    actions: list[Action] = []
    while len(actions) < MAX_ACTIONS and (action := draft.next(random)) is not None:
        actions.append(action)
    return draft.header.replace(actions=tuple(actions))

