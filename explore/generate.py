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
from weakref import WeakKeyDictionary

import msgspec

from ..properties.history import Value
from ..sim.fault import ANY, Fault
from ..sim.faults import CompromiseKey, Kill, PowerLoss
from ..sim.mix import AT_ONCE, drawn
from ..sim.noise import keyed_integer
from ..sim.scenario import OperationSpec, Scenario, ScenarioError, unique
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from ..sim.validation import validated
from .census import RUNS, Crossing, choose, watch
from .pool import argument_pool

__all__ = ["Draft", "crossings", "generate"]

MAX_ACTIONS = 200


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
        self,
        scenario: type[Scenario],
        random: Random,
        *,
        seed: int,
        mutant: str | None = None,
        budget: str | None = None,
        where: Sequence[Crossing] | None = None,
    ) -> None:
        problem = validated(scenario)
        if problem is not None:
            raise ScenarioError(problem)
        self._scenario = scenario
        self._cast = scenario.cast()
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
        self._stolen: set[str] = set()
        self._patience = random.choice([0.3, 1.5, 1.5])
        self._tempo = random.choice([0.1, 0.5, 1.0])
        # As under a supervisor: messages to whoever died are still under way when it is back.
        self._restarts_at_once = random.choice([0.0, 0.0, 0.5, 1.0])
        self._weights = [spec.weight * random.choice([0.25, 1.0, 1.0, 3.0]) for spec in self._operations]
        # Systems need a moment to start; faults during start-up are drawn too, but not always.
        self._first = random.choice([0.0, 0.4, 0.4])
        self._role: str | None = None
        self._crossings: Sequence[Crossing] = crossings(scenario) if where is None else where
        if self._crossings and random.random() < 0.75:
            self._besiege(random)

    def _besiege(self, random: Random) -> None:
        """Strike at one part of the system, again and again, with one or two kinds of fault.

        Bugs of a protocol need several faults in a row at a few places, which faults scattered over all places hardly ever line up.
        """
        self._fault_gap = _log_uniform(random, 0.04, 0.2)
        self._call_gap = _log_uniform(random, 0.1, 2.0)
        self._span = _log_uniform(random, 5.0, 20.0)
        self._patience = 1.5
        crashes = [kind for kind in self._scenario.faults if kind[0] in ("kill", "power-loss")]
        if crashes and random.random() < 0.6:
            self._faults = random.sample(crashes, random.randint(1, len(crashes)))
            self._restarts_at_once = random.choice([0.0, 0.5, 1.0])
            self._narrow(random, 0.8, "sort", ["killpoint"])
        else:
            self._faults = random.sample(self._faults, min(random.choice([1, 2, 2]), len(self._faults)))
        if self._cast.roles and random.random() < 0.5:
            # Whoever holds the role is struck, wherever it is.
            self._role = self._narrow(random, 1.0, "role", [self._cast.roles[0], *self._cast.roles])
            self._forget("phase")
            self._at_boundary = 0.9
        else:
            self._narrow(random, 1.0, "phase", self._scenario.phases)
            if random.random() < 0.5:
                self._narrow(random, 1.0, "role", sorted({crossing.role for crossing in self._crossings}))
            else:
                self._forget("role")
            self._at_boundary = 0.5
        # Kill points whose names begin alike ("raft-...") belong to one part of the system.
        self._narrow(random, 0.8, "part", sorted({crossing.part for crossing in self._crossings}))
        if random.random() < 0.4:
            self._crossings = [choose(random, self._crossings) for _ in range(random.choice([1, 2, 3]))]

    def _narrow(self, random: Random, probability: float, field: str, values: Sequence[str]) -> str | None:
        """With some probability keep only the crossings that have one of the values there, if there are such; the value."""
        if not values or random.random() >= probability:
            return None
        value = random.choice(values)
        kept = [crossing for crossing in self._crossings if getattr(crossing, field) == value]
        self._crossings = kept or self._crossings
        return value

    def _forget(self, field: str) -> None:
        """Crossings that differ in this only are one."""
        plain = [msgspec.structs.replace(crossing, **{field: ""}) for crossing in self._crossings]
        self._crossings = list(dict.fromkeys(plain))

    @staticmethod
    def _noise(random: Random) -> Noise:
        def amount(least: float, most: float) -> float:
            return round(_log_uniform(random, least, most), 4) if random.random() < 0.5 else 0.0

        if random.random() < 0.3:
            return Noise()
        return Noise(
            # Large latencies come close to time-outs, where messages of different elections meet.
            latency=amount(0.1, 5.0) if random.random() < 0.5 else round(_log_uniform(random, 10.0, 60.0), 4),
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
        kind = random.choice(self._faults)
        fault = drawn(kind, random, self._cast)
        if isinstance(fault, CompromiseKey) and fault.issuer in self._stolen and len(self._faults) > 1:
            # A key is stolen once; the turn goes to another kind.
            fault = drawn(random.choice([other for other in self._faults if other[1] is not kind[1]]), random, self._cast)
        if isinstance(fault, CompromiseKey):
            self._stolen.add(fault.issuer)
        duration = max(round(fault.duration * self._tempo, 4), AT_ONCE)
        if isinstance(fault, Kill | PowerLoss) and random.random() < self._restarts_at_once:
            duration = AT_ONCE
        fault = msgspec.structs.replace(fault, duration=duration)
        if self._role is not None and hasattr(fault, "target"):
            fault = msgspec.structs.replace(fault, target=self._role)
        if not self._crossings or random.random() >= self._at_boundary:
            return Inject(at, fault)
        return self._at_a_crossing(at, fault, random)

    def _at_a_crossing(self, at: float, fault: Fault, random: Random) -> Inject:
        crossing = choose(random, self._crossings)
        host = crossing.role or ANY
        # Mostly whoever crosses is struck; sometimes somebody else is, at that moment.
        if hasattr(fault, "target") and random.random() < 0.75:
            fault = msgspec.structs.replace(fault, target=host)
        phase = crossing.phase if random.random() < 0.8 else ""
        ordinal = 1 + min(int(random.expovariate(self._patience)), 40)
        return Inject(at, fault, Boundary(host, crossing.event, ordinal, phase))


def _log_uniform(random: Random, least: float, most: float) -> float:
    return float(least * (most / least) ** random.random())


_censuses: WeakKeyDictionary[type[Scenario], tuple[Crossing, ...]] = WeakKeyDictionary()


def crossings(scenario: type[Scenario]) -> tuple[Crossing, ...]:
    """The census of a scenario, taken once: what the faults of a schedule may wait for."""
    found = _censuses.get(scenario)
    if found is None:
        found = _censuses[scenario] = watch(scenario, [generate(scenario, 0, number, where=()) for number in range(RUNS)])
    return found


def generate(
    scenario: type[Scenario],
    seed: int,
    number: int,
    *,
    mutant: str | None = None,
    budget: str | None = None,
    where: Sequence[Crossing] | None = None,
) -> Schedule:
    """The `number`-th schedule of a seed: a pure function of its arguments and of the scenario.

    `where` is the census to use, by default the scenario's own.
    """
    random = Random(keyed_integer(seed, "schedule", scenario.label(), number))
    noise = keyed_integer(seed, "noise", number) >> 1
    return _drawn(Draft(scenario, random, seed=noise, mutant=mutant, budget=budget, where=where), random)


def _drawn(draft: Draft, random: Random) -> Schedule:
    actions: list[Action] = []
    while len(actions) < MAX_ACTIONS and (action := draft.next(random)) is not None:
        actions.append(action)
    return draft.header.replace(actions=tuple(actions))
