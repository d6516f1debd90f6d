"""Shrinking a failing schedule to the few actions that matter.

The shrinker edits schedules and runs them; a candidate is accepted only if it violates the same property with the same kind of
evidence, and is simpler.  Everything it does is a consequence of two facts: every subset of a schedule's actions is a valid schedule
(a fault that does not apply does nothing), and noise is keyed (taking an action out does not reshuffle what happens to the rest).
So plain delta debugging converges quickly, where shrinking a stream of random choices does not converge at all.

Passes, repeated until none makes progress:

1. **cut the tail**: actions after the violation go.  If many are left, then once **probes** (see `sketch.py`): they need only the
   evidence, and if one fails most of the work is saved.
2. **noise to zero**, all of it, under this seed or in a variant; then sort by sort.  A run without noise can be
   read, so this comes first and after every other pass.
3. **pinning**: faults that did nothing go, and those that waited for a boundary are armed only just before they struck.
   Then **delta debugging of actions** (Zeller and Hildebrandt's ddmin, with complements only).
4. **earlier strikes**, where several are left: a fault waits for the earliest of the last boundaries before its strike at which the run
   still fails, so that nothing happens in between that does not matter.
5. **sketches**: small schedules drawn anew from what the run tells of itself.  Where every deletion moves everything that comes after,
   this gets by at once where ddmin is stuck.  The more actions are left, the more sketches are tried, up to all runs but a reserve.
6. **anchoring**: a fault that must strike within a fraction of a millisecond holds the times of everything before it in place.  Struck
   at a boundary instead (a kill point, the n-th send) it needs no noise and no exact times, so other actions can go.
7. **noise into overrides**: if some noise matters, the run with noise 0 and every decision it took as an override is the same run;
   then delta debugging of the overrides, which leaves "drop n1 -> n2 at 0.204 s".
8. **simpler actions**: settings and budget to their defaults, faults to simpler forms, boundaries to plain times or smaller ordinals,
   fewer clients, smaller numbers, shorter and rounder durations; a boundary to a plain time also where that lets another action go.
9. **earlier and rounder times**, all together, then one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from ..sim.record import Record, Strike
from ..sim.scenario import Scenario
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from ..sim.session import run
from ..sim.trace import TraceEvent
from .census import Crossing, crossed
from .simpler import moved, pinned, renumbered, simpler_actions, time_of, variant
from .sketch import Blow, Clues, named_calls, probe, sketch
from .trials import Spent, Trials

__all__ = ["BUDGET", "Shrinker", "Shrunk", "shrink"]

BUDGET = 600
"""Runs that shrinking one failure may take."""

FIRST_VARIANTS, LATER_VARIANTS = 25, 16
"""How many quiet variants are tried where noise seems to matter: while the schedule is whole, and each time after that."""

ANCHORS = 4
"""How many boundaries before a strike are tried as its anchor."""

SEVERAL = 10
"""With how many actions it is worth to try pairs of changes."""

LONG, PROBES = 40, 60
"""With more actions than this probes are tried at once, and how many."""

PATIENCE, RESERVE = 60, 80
"""How many sketches are tried per action that is left, and how many runs are kept for the passes after them."""


class Shrunk(msgspec.Struct, frozen=True):
    """What shrinking made of a failure: the record of the smallest failing schedule, and how many runs it took.

    `cut_short` says that it ended early, because its runs hang or flood, and `spent` that it used up its budget: it might have become
    smaller yet.
    """

    record: Record
    runs: int
    before: int
    cut_short: bool = False
    spent: bool = False

    @property
    def schedule(self) -> Schedule:
        """The shrunk schedule."""
        return self.record.schedule

    @property
    def actions(self) -> int:
        """How many actions are left."""
        return len(self.schedule.actions)


class Shrinker(Trials):
    """Shrinks one failing record, in at most `budget` runs (None: `BUDGET`).

    `each` is called after every run; `stop` is asked before every run and ends the shrinking as a spent budget does.
    """

    def __init__(
        self,
        scenario: type[Scenario],
        record: Record,
        *,
        budget: int | None = None,
        each: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(scenario, record, budget=BUDGET if budget is None else budget, each=each, stop=stop)
        self._variants_left = FIRST_VARIANTS
        self._traced: tuple[Schedule, list[tuple[TraceEvent, Crossing]]] | None = None
        self._sketches = 0
        self._tried: Counter[int] = Counter()
        self._seed = record.schedule.seed
        self._calls = tuple(action for action in record.schedule.actions if isinstance(action, Call))
        self._before = len(record.schedule.actions)
        self._aside: Record | None = None

    @property
    def best(self) -> Record:
        """The smallest failing record found so far, at any time."""
        aside = self._aside
        return self._kept if aside is None or len(self._now.actions) < len(aside.schedule.actions) else aside

    def shrink(self) -> Shrunk:
        """Run all passes to a fixed point, or until the budget is spent."""
        try:
            self._cut_tail()
            self._probe()
            while True:
                before = self._kept.schedule
                self._quieten()
                self._cut_tail()
                self._pin()
                self._delete_actions()
                self._strike_earlier()
                self._sketch()
                self._quieten()
                self._anchor()
                self._noise_to_overrides()
                self._delete_overrides()
                self._simplify()
                self._release()
                self._retime()
                if self._kept.schedule == before:
                    break
        except Spent:
            pass
        return Shrunk(self._kept, self.runs, self._before, cut_short=self._slow_left <= 0, spent=self.runs >= self._budget)

    # -- passes -----------------------------------------------------------------------------------

    def _quieten(self) -> None:
        """Less noise."""
        if not self._now.noise and not self._now.overrides:
            return
        quiet = self._now.replace(noise=Noise(), overrides=())
        tries, self._variants_left = self._variants_left, LATER_VARIANTS
        if self._try(quiet) or any(self._try(variant(quiet, number, self._scenario)) for number in range(tries)):
            return
        for sort in Noise.__struct_fields__:
            if getattr(self._now.noise, sort):
                self._try(self._now.replace(noise=msgspec.structs.replace(self._now.noise, **{sort: 0.0})))

    def _cut_tail(self) -> None:
        """Actions after the violation cannot matter."""
        ended = self._kept.ended
        kept = tuple(action for action in self._now.actions if action.at <= ended)
        self._try(self._now.replace(actions=kept))

    def _pin(self) -> None:
        """Drop faults that did nothing, and arm the others only just before they strike.

        Actions that wait for the same boundary strike at successive crossings, so that taking one out moves all later ones.  Armed
        at the time of its strike each is independent of the others.
        """
        strikes = {strike.action: strike for strike in self._kept.strikes}
        kept = []
        for place, action in enumerate(self._now.actions):
            strike = strikes.get(place)
            if strike is not None and not strike.struck:
                continue
            kept.append((action, pinned(action, strike)))
        self._try(self._now.replace(actions=tuple(action for action, _ in kept)))
        self._try(self._now.replace(actions=tuple(sorted((late for _, late in kept), key=time_of))))

    def _probe(self) -> None:
        """Trains of the decisive call.  They need no more than the evidence, so where much is left they may save most of the work."""
        if len(self._now.actions) > LONG and named_calls(self._kept):
            clues = self._clues()
            any(self._draw_anew(probe(clues, self._scenario, number)) for number in range(PROBES))

    def _sketch(self) -> None:
        """Small schedules drawn anew."""
        clues = None
        while self._worth_sketching():
            clues = clues or self._clues()
            self._sketches += 1
            self._tried[len(self._now.actions)] += 1
            if self._draw_anew(sketch(clues, self._scenario, self._sketches)):
                clues = None

    def _worth_sketching(self) -> bool:
        left = len(self._now.actions)
        return left > 1 and self._tried[left] < PATIENCE * left and self.runs < self._budget - RESERVE and not self._now.overrides

    def _draw_anew(self, drawn: Schedule) -> bool:
        """Keep what was drawn if it fails and becomes smaller than what there is."""
        before = self._kept
        if not self._try(drawn):
            return False
        self._aside = before
        try:
            self._keep_named()
            self._cut_tail()
            self._pin()
            self._delete_actions()
        finally:
            self._kept, self._aside = self.best, None
        return self._kept is not before

    def _clues(self) -> Clues:
        """What the best record tells."""
        struck = ((place, action, self._strike(place)) for place, action in enumerate(self._now.actions))
        blows = tuple(
            Blow(action, strike.hosts[0], self._crossed_before(place))
            for place, action, strike in struck
            if isinstance(action, Inject) and strike is not None
        )
        return Clues(self._now, named_calls(self._kept), blows, self._calls, self._seed)

    def _keep_named(self) -> None:
        """Drop the calls that the evidence does not name."""
        named = named_calls(self._kept)
        if named:
            self._try(self._now.replace(actions=tuple(a for a in self._now.actions if not isinstance(a, Call) or a in named)))

    def _delete_actions(self) -> None:
        self._delete(self._now.actions, lambda kept: self._now.replace(actions=kept))

    def _anchor(self) -> None:
        """Let faults wait for boundaries, where that frees the run from noise or from some other action."""
        for place in range(len(self._now.actions)):
            action = self._now.actions[place] if place < len(self._now.actions) else None
            if isinstance(action, Inject) and action.boundary is None and hasattr(action.fault, "target"):
                self._anchor_one(place, action)

    def _anchor_one(self, place: int, action: Inject) -> None:
        assert hasattr(action.fault, "target")
        noisy = bool(self._now.noise or self._now.overrides)
        early = max((a.at for a in self._now.actions[:place]), default=0.0)
        crossings = self._crossed_before(place)
        for host in dict.fromkeys((*self._scenario.roles[:1], action.fault.target)):
            fault = msgspec.structs.replace(action.fault, target=host)
            for crossing in crossings:
                there = self._with(place, Inject(early, fault, Boundary(host, crossing.event)))
                if noisy and self._try(there.replace(noise=Noise(), overrides=())):
                    return
                if not noisy and self._drops_one(there, place):
                    return

    def _strike_earlier(self) -> None:
        """Let faults strike at the earliest of the last boundaries before their strike: what came in between did not matter.

        What is left to happen is then what must, so that more of the sketches fail that leave an action out.
        """
        if len(self._now.actions) > SEVERAL:
            return
        for place in range(len(self._now.actions)):
            action, strike = self._now.actions[place], self._strike(place)
            if not isinstance(action, Inject) or action.boundary is None or strike is None:
                continue
            for crossing in reversed(self._crossed_before(place)):
                if crossing.event == action.boundary.event:
                    break
                there = Inject(action.at, action.fault, msgspec.structs.replace(action.boundary, event=crossing.event, ordinal=1))
                if action.boundary.host in (crossing.role, *strike.hosts) and self._try(self._with(place, there)):
                    break

    def _release(self) -> None:
        """Let faults strike at plain times after all, where some other action can go with the boundary."""
        for place in range(len(self._now.actions)):
            action = self._now.actions[place] if place < len(self._now.actions) else None
            strike = self._strike(place)
            if isinstance(action, Inject) and action.boundary is not None and strike is not None and len(self._now.actions) <= SEVERAL:
                fault = action.fault
                if hasattr(fault, "target"):
                    fault = msgspec.structs.replace(fault, target=strike.hosts[0])
                plain = Inject(strike.time, fault)
                freed = tuple(sorted((*self._now.actions[:place], plain, *self._now.actions[place + 1 :]), key=time_of))
                self._drops_one(self._now.replace(actions=freed), freed.index(plain))

    def _strike(self, place: int) -> Strike | None:
        """What an action did, if it struck somebody."""
        return next((s for s in self._kept.strikes if s.action == place and s.struck and s.hosts), None)

    def _crossed_before(self, place: int) -> tuple[Crossing, ...]:
        """The boundaries that the struck host crossed last before this strike, latest first."""
        strike = self._strike(place)
        if strike is None:
            return ()
        if self._traced is None or self._traced[0] != self._now:
            self._spend()
            trace = run(self._now, self._scenario, trace=True).trace or ()
            self._each()
            self._traced = self._now, list(crossed(trace, self._scenario))
        found: dict[str, Crossing] = {}
        for event, crossing in reversed(self._traced[1]):
            if event.index < strike.index and event.host == strike.hosts[0] and len(found) < ANCHORS:
                found.setdefault(crossing.event, crossing)
        return tuple(found.values())

    def _drops_one(self, candidate: Schedule, place: int) -> bool:
        """Accept the candidate if some other action can go with it."""
        actions = candidate.actions
        for other in range(len(actions) - 1):
            gone = other if other < place else other + 1
            if self._try(candidate.replace(actions=actions[:gone] + actions[gone + 1 :])):
                return True
        return False

    def _noise_to_overrides(self) -> None:
        """Say what the noise did, one decision at a time, and switch the noise off."""
        if not self._now.noise:
            return
        self._spend()
        kept = run(self._now, self._scenario, keep_noise=True).noise
        self._each()
        self._try(self._now.replace(noise=Noise(), overrides=kept))

    def _delete_overrides(self) -> None:
        self._delete(self._now.overrides, lambda kept: self._now.replace(overrides=kept))

    def _simplify(self) -> None:
        """Simpler settings, then each action as simple as it can be."""
        for name, values in self._scenario.settings.items():
            self._try(self._now.replace(settings={**self._now.settings, name: values[0]}))
        for place in range(len(self._now.actions)):
            for simpler in simpler_actions(self._now.actions[place]):
                if self._try(self._with(place, simpler)):
                    break
        self._merge_clients()
        self._try(renumbered(self._now, self._scenario))

    def _with(self, place: int, action: Action) -> Schedule:
        actions = list(self._now.actions)
        actions[place] = action
        return self._now.replace(actions=tuple(actions))

    def _merge_clients(self) -> None:
        """Fewer clients: rename the last in use to the first."""
        names = self._scenario.client_names()
        used = sorted({a.client for a in self._now.actions if isinstance(a, Call)}, key=names.index)
        for target, name in zip(names, used, strict=False):
            if target != name:
                self._rename(name, target)
        for name in reversed(used[1:]):
            self._rename(name, names[0])

    def _rename(self, name: str, target: str) -> None:
        renamed = tuple(
            msgspec.structs.replace(a, client=target) if isinstance(a, Call) and a.client == name else a for a in self._now.actions
        )
        self._try(self._now.replace(actions=renamed))

    def _retime(self) -> None:
        """Earlier and rounder times."""
        actions = self._now.actions
        if not actions:
            return
        for step in (0.1, 0.05):
            even = tuple(moved(a, round(step * (place + 1), 3)) for place, a in enumerate(actions))
            if even == actions or self._try(self._now.replace(actions=even)):
                return
        for digits in (0, 1, 2, 3):
            rounded = tuple(sorted((moved(a, round(a.at, digits)) for a in self._now.actions), key=time_of))
            if self._try(self._now.replace(actions=rounded)):
                break
        for place in range(len(self._now.actions)):
            self._move_earlier(place)
        for place, action in enumerate(self._now.actions):
            for digits in (0, 1, 2, 3):
                if self._try_at(place, round(action.at, digits)):
                    break

    def _move_earlier(self, place: int) -> None:
        """Shift this action and all after it towards the one before."""
        before = self._now.actions[place - 1].at if place else 0.0
        gap = self._now.actions[place].at - before
        for share in (0.0, 0.25, 0.5):
            shift = round(gap * (1 - share), 3)
            if shift <= 0.0005:
                return
            actions = self._now.actions
            earlier = tuple(a if i < place else moved(a, round(max(a.at - shift, before), 4)) for i, a in enumerate(actions))
            if self._try(self._now.replace(actions=earlier)):
                return

    def _try_at(self, place: int, at: float) -> bool:
        actions = self._now.actions
        low = actions[place - 1].at if place else 0.0
        high = actions[place + 1].at if place + 1 < len(actions) else at
        return low <= at <= high and self._try(self._with(place, moved(actions[place], at)))


def shrink(scenario: type[Scenario], record: Record, *, budget: int | None = None) -> Shrunk:
    """Shrink a failing record; see the module docstring."""
    return Shrinker(scenario, record, budget=budget).shrink()
