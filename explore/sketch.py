"""Sketches: small schedules drawn anew from what a failing run tells of itself.

Most bugs need no more than a handful of actions (the small-scope hypothesis), but in a long run these stand among a hundred others that
hold each other's times in place: a deletion that is right moves everything after it, and the failure is gone.  So the shrinker also goes
the other way and draws small schedules out of what it knows: which calls the evidence names, which faults struck whom in what
situation, which kinds of fault there are.  The templates:

- `train`: a fault or two, some of the calls that the evidence names, then the decisive one **sixty times by all clients**.  The moment in
  which an answer is wrong may be short, and it matters which client knows which host.  Or a volley: that call and a fault in turns.
- `one`: a fault alone in a situation in which one of its kind struck, `again`: that several times, the last one perhaps another.
- `burst`: up to ten calls, with a fault or two among them.
- `some`: most of the actions, or a handful of the last, at other times.
- `less`: all but one or two, and perhaps a fault that strikes elsewhere or lasts longer.

A sketch may be larger than what it is to replace.  Calls seldom hold each other in place, so those that do not matter are quickly gone.
And it is short in time: hundreds of sketches take no longer than a few of the whole run.

All of it is pure; whether a sketch fails is for a run to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from ..sim.fault import Fault
from ..sim.faults import Kill, PowerLoss
from ..sim.mix import AT_ONCE, drawn
from ..sim.noise import keyed_integer
from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from .census import Crossing
from .simpler import moved, time_of, without_repeats

__all__ = ["FEW", "TRAIN", "Blow", "Clues", "in_situation", "named_calls", "probe", "sketch"]

TRAIN, VOLLEY, BURST = 60, 20, 10
"""How many calls are in a train and in a volley, and at most in a burst."""

FEW, SEVERAL = 2, 6
"""With few actions nothing is smaller than one alone; with several, leaving out one or two is the likeliest to get on."""

LIVELY = Noise(latency=5.0, duplicate=0.1, reorder=0.3)
"""A network in which messages overtake each other."""


class Blow(msgspec.Struct, frozen=True):
    """A fault that struck: whom, and which boundaries that host had crossed last, latest first."""

    action: Inject
    host: str
    crossings: tuple[Crossing, ...]


class Clues(msgspec.Struct, frozen=True):
    """What a failing run tells.

    `named` are the calls that the evidence names, the decisive one last; `blows` the faults that struck, in order; `calls` all
    that the failing run began with.  `seed` tells the sketches of one failure from those of another.
    """

    schedule: Schedule
    named: tuple[Call, ...]
    blows: tuple[Blow, ...]
    calls: tuple[Call, ...]
    seed: int

    def situations(self) -> tuple[Inject, ...]:
        """The faults, each to strike in a situation in which one of its kind did; the latest first, no two alike."""
        found: dict[tuple[object, ...], Inject] = {}
        for blow in reversed(self.blows):
            for crossing in blow.crossings:
                there = in_situation(blow, crossing)
                found.setdefault((type(there.fault), there.boundary), there)
        return tuple(found.values())


def in_situation(blow: Blow, crossing: Crossing) -> Inject:
    """The fault at the next such crossing, by whoever holds the role, or by the host if it held none."""
    actor = crossing.role or blow.host
    return Inject(blow.action.at, _aimed(blow.action.fault, actor), Boundary(actor, crossing.event, phase=crossing.phase))


def _aimed(fault: Fault, target: str) -> Fault:
    return msgspec.structs.replace(fault, target=target) if hasattr(fault, "target") else fault


def named_calls(record: Record) -> tuple[Call, ...]:
    """The calls of the operations that the evidence of a failure names, the decisive one last."""
    evidence = record.failure.evidence if record.failure is not None else None
    found: list[Call] = []
    for number in evidence.operations if evidence is not None else ():
        operation = record.history.operation(number)
        # A client that does not know how its operation ended goes on as "c1.2".
        wanted = operation.process.partition(".")[0], operation.function
        calls = [action for action in record.schedule.actions if isinstance(action, Call) and action.at <= operation.invoked_at]
        call = next((call for call in reversed(calls) if (call.client, call.operation) == wanted), None)
        if call is not None and call not in found:
            found.append(call)
    return tuple(found)


def probe(clues: Clues, scenario: type[Scenario], number: int) -> Schedule:
    """The `number`-th train; the evidence must name calls."""
    return _drawn(clues, scenario, number, "train")


def sketch(clues: Clues, scenario: type[Scenario], number: int) -> Schedule:
    """The `number`-th sketch: of which template depends on what is known, and on how much is left to shrink."""
    count = len(clues.schedule.actions)
    if count <= FEW:
        templates = ["one", "some"]
    elif clues.named:
        templates = ["train", "some", "train", "some", "burst"]
        templates += [] if count <= SEVERAL else ["train", "one", "again"]
    else:
        templates = ["some", "one", "some", "burst"]
        templates += ["less", "less"] if count <= SEVERAL else ["one", "one", "some", "again"]
    if not clues.blows:
        templates = [template for template in templates if template not in ("one", "again")]
    return _drawn(clues, scenario, number, templates[number % len(templates)])


def _drawn(clues: Clues, scenario: type[Scenario], number: int, template: str) -> Schedule:
    random = Random(keyed_integer(clues.seed, template, number))
    draw = _Draw(clues, scenario, random)
    templates = {"less": draw.less, "train": draw.train, "one": draw.one, "again": draw.again, "burst": draw.burst, "some": draw.some}
    actions = templates[template]()
    settings = clues.schedule.settings
    if random.random() < (0.5 if template in ("train", "burst") else 0.2):
        settings = {name: random.choice(list(values)) for name, values in scenario.settings.items()}
    noise = clues.schedule.noise
    if noise:
        noise = random.choice([noise, noise, LIVELY, Noise(), Noise(), Noise()])
    return clues.schedule.replace(seed=number, settings=settings, noise=noise, overrides=(), actions=without_repeats(actions, scenario))


class _Draw:
    """One sketch that is being drawn."""

    def __init__(self, clues: Clues, scenario: type[Scenario], random: Random) -> None:
        self._clues = clues
        self._random = random
        self._situations = clues.situations()
        self._clients = scenario.client_names()
        self._kinds = list(scenario.faults)
        self._cast = scenario.cast()

    # -- templates --------------------------------------------------------------------------------

    def train(self) -> list[Action]:
        random = self._random
        *others, decisive = self._clues.named
        size = random.choice([1, 2, len(others), len(others)])
        body: list[Action] = [self._by_anybody(call) for call in random.sample(others, min(size, len(others)))]
        for fault in self._faults(random.choice([1, 1, 1, 2]), 0.8):
            body.insert(0 if random.random() < 0.6 else random.randrange(len(body) + 1), fault)
        if random.random() < 0.3:
            return self._volley(decisive)
        # A system that has just started has no leader to strike.
        timed = self._timed(body, random.choice([0.0, 0.4, 0.4, 0.4, 1.0]))
        first, step = random.choice([0.0, 0.0, -0.3]) + (timed[-1].at if timed else 0.0), random.choice([0.01, 0.02, 0.03])
        for place in range(TRAIN):
            at = round(max(first, 0.0) + place * step, 3)
            timed.append(msgspec.structs.replace(decisive, at=at, client=self._clients[place % len(self._clients)]))
        return sorted(timed, key=time_of)

    def _volley(self, decisive: Call) -> list[Action]:
        """The decisive call again and again, and a fault as well: each meeting of the two is another chance."""
        random = self._random
        (fault,) = self._faults(1, 0.3) or (None,)
        gap = random.choice([0.05, 0.2])
        timed: list[Action] = []
        for place in range(VOLLEY):
            at = 0.4 + place * gap
            call = msgspec.structs.replace(decisive, at=round(at, 3), client=self._clients[place % len(self._clients)])
            timed += [call] if fault is None else [call, moved(fault, round(at + random.uniform(0.0, gap), 3))]
        return timed

    def one(self) -> list[Action]:
        return self._timed([self._situated()], self._early())

    def again(self) -> list[Action]:
        times = self._random.choice([2, 3, 3, 4])
        last = [self._situated()] if self._random.random() < 0.7 else []
        return self._timed([self._situated()] * (times - len(last)) + last, self._early())

    def burst(self) -> list[Action]:
        random = self._random
        calls = self._clues.named or self._clues.calls
        size = min(random.choice([1, BURST // 2, BURST]), len(calls))
        body: list[Action] = [self._by_anybody(call) for call in random.sample(calls, size)]
        for fault in self._faults(random.choice([1, 1, 2]), 0.5):
            body.insert(random.randrange(len(body) + 1), fault)
        return self._timed(body, random.choice([0.0, 0.4]))

    def some(self) -> list[Action]:
        random = self._random
        actions = self._clues.schedule.actions
        blows = {repr(blow.action): blow for blow in self._clues.blows if blow.crossings and blow.action.boundary is None}
        situated, lasting = random.choice([0.0, 0.5, 1.0]), random.random() < 0.1
        chosen: list[Action] = []
        for place in self._places(len(actions)):
            blow = blows.get(repr(actions[place]))
            there = blow is not None and random.random() < situated
            action = in_situation(blow, random.choice(blow.crossings)) if blow is not None and there else actions[place]
            chosen.append(self._lasting(action) if isinstance(action, Inject) and lasting else action)
        first = random.choice([0.0, 0.0, 0.0, 0.0, 0.4])
        if chosen and random.random() < 0.3:
            return [moved(action, round(first + action.at - chosen[0].at, 4)) for action in chosen]
        return self._timed(chosen, first)

    def less(self) -> list[Action]:
        """All but one or two, and perhaps one of them another: it strikes elsewhere, or lasts longer or shorter."""
        random = self._random
        chosen = list(self._clues.schedule.actions)
        for _ in range(random.choice([1, 1, 1, 2])):
            if len(chosen) > 1:
                del chosen[random.randrange(len(chosen))]
        faults = [place for place, action in enumerate(chosen) if isinstance(action, Inject)]
        if faults and random.random() < 0.6:
            place = random.choice(faults)
            action = chosen[place]
            assert isinstance(action, Inject)
            chosen[place] = self._lasting(action, 1.0) if random.random() < 0.5 else moved(self._situated(), action.at)
        return chosen if random.random() < 0.3 else self._timed(chosen, self._early())

    def _places(self, count: int) -> list[int]:
        """All but a few, or a few of the last."""
        random = self._random
        if random.random() < (0.8 if count <= SEVERAL else 0.6):
            less = random.choice([1, 1, 1, 1, 2, 3, count // 4, count // 2])
            return sorted(random.sample(range(count), max(count - less, 1)))
        recent, size = random.choice([0.05, 0.5]), random.choice([1, 2, 2, 3, 3, 4, 5, 6])
        return sorted({max(0, count - 1 - int(random.expovariate(recent))) for _ in range(size)})

    # -- parts ------------------------------------------------------------------------------------

    def _early(self) -> float:
        """Mostly before anything happened: what a fault waits for may be rare later on."""
        return 0.0 if self._random.random() < 0.9 else 0.4

    def _by_anybody(self, call: Call) -> Call:
        return msgspec.structs.replace(call, client=self._random.choice(self._clients))

    def _blow(self) -> Blow:
        """The latest ones more often."""
        blows = self._clues.blows
        return blows[-1 - min(int(self._random.expovariate(0.3)), len(blows) - 1)]

    def _situated(self) -> Inject:
        """A fault in a situation, the latest more often; half the time by blows, so that what many have in common comes up often."""
        random = self._random
        there = self._situations
        if there and random.random() < 0.5:
            return self._lasting(there[min(int(random.expovariate(0.3)), len(there) - 1)])
        blow = self._blow()
        if not blow.crossings:
            return self._lasting(blow.action)
        return self._lasting(in_situation(blow, blow.crossings[min(int(random.expovariate(0.7)), len(blow.crossings) - 1)]))

    def _faults(self, count: int, fresh: float) -> list[Inject]:
        """None if the scenario has no kinds of fault."""
        return [self._fault(fresh) for _ in range(count)] if self._kinds or self._clues.blows else []

    def _fault(self, fresh: float) -> Inject:
        """Any, with probability `fresh`, mostly at the first role; or one that struck, in its situation or at a time."""
        random = self._random
        if self._clues.blows and (random.random() >= fresh or not self._kinds):
            return self._situated() if random.random() < 0.5 else self._lasting(self._blow().action)
        fault = drawn(random.choice(self._kinds), random, self._cast)
        if self._cast.roles and random.random() < 0.6:
            fault = _aimed(fault, self._cast.roles[0])
        return self._lasting(Inject(0.0, fault), 1.0)

    def _lasting(self, action: Inject, likely: float = 0.7) -> Inject:
        """Mostly longer: what happens while a fault lasts has more room then."""
        random = self._random
        if random.random() >= likely:
            return action
        durations = [AT_ONCE, AT_ONCE, 0.1, 1.0] if isinstance(action.fault, Kill | PowerLoss) else [0.3, 1.0, 2.0, 2.0]
        return msgspec.structs.replace(action, fault=msgspec.structs.replace(action.fault, duration=random.choice(durations)))

    def _timed(self, actions: Sequence[Action], first: float) -> list[Action]:
        """The actions in this order, from this time on, with gaps of a millisecond to a second."""
        at, longest = first, self._random.choice([10.0, 100.0, 1000.0])
        timed: list[Action] = []
        for action in actions:
            timed.append(moved(action, round(at, 3)))
            at += 0.001 * longest ** self._random.random()
        return timed
