"""Shrinking a failing schedule to the few actions that matter.

The shrinker edits schedules and runs them; a candidate is accepted only if it fails with the same property and the same kind of
evidence, and is simpler.  Everything it does is a consequence of two facts: every subset of a schedule's actions is a valid schedule
(a fault that does not apply does nothing), and noise is keyed (taking an action out does not reshuffle what happens to the rest).
So plain delta debugging converges quickly, where shrinking a stream of random choices does not converge at all.

Passes, repeated until none makes progress:

1. **noise to zero**, all of it, under this seed or another; then sort by sort.  A run without noise can be read, so this comes first and
   after every other pass.
2. **cut the tail**: actions after the violation go.
3. **delta debugging of actions** (Zeller and Hildebrandt's ddmin, with complements only).
4. **anchoring**: a fault that must strike within a fraction of a millisecond holds the times of everything before it in place.  Struck
   at a boundary instead (a kill point, the n-th send) it needs no noise and no exact times, so other actions can go.
5. **noise into overrides**: if some noise matters, the run with noise 0 and every decision it took as an override is the same run;
   then delta debugging of the overrides, which leaves "drop n1 -> n2 at 0.204 s".
6. **simpler actions**: settings and budget to their defaults, faults to simpler forms, boundaries to plain times or smaller ordinals,
   fewer clients, shorter and rounder durations.
7. **earlier and rounder times**, all together, then one by one.

`budget` bounds the number of runs.  The result never depends on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from ..sim.fault import Fault
from ..sim.faults import Kill, Partition, PowerLoss
from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from ..sim.session import run

__all__ = ["BUDGET", "Shrinker", "Shrunk", "shrink"]

BUDGET = 600
"""Runs that shrinking one failure may take."""

SEEDS = 40
"""How many other seeds are tried where noise seems to matter: they move what programs draw themselves, such as time-outs."""

_Item = TypeVar("_Item")


class Shrunk(msgspec.Struct, frozen=True):
    """What shrinking made of a failure: the record of the smallest failing schedule, and how many runs it took."""

    record: Record
    runs: int
    before: int

    @property
    def schedule(self) -> Schedule:
        """The shrunk schedule."""
        return self.record.schedule

    @property
    def actions(self) -> int:
        """How many actions are left."""
        return len(self.schedule.actions)


class _Spent(Exception):  # noqa: N818
    """The budget of runs is used up."""


class Shrinker:
    """Shrinks one failing record.  `best` is the smallest failing record found so far, at any time.

    `each` is called after every run; `stop` is asked before every run and ends the shrinking as a spent budget does.
    """

    def __init__(
        self,
        scenario: type[Scenario],
        record: Record,
        *,
        budget: int = BUDGET,
        each: Callable[[], None] = lambda: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        assert record.failure is not None, "only a failing run can be shrunk"
        self._each = each
        self._stop = stop
        self._scenario = scenario
        self._signature = record.failure.signature
        self._budget = budget
        self._seen: set[str] = set()
        self._before = len(record.schedule.actions)
        self.best = record
        self.runs = 0

    def shrink(self) -> Shrunk:
        """Run all passes to a fixed point, or until the budget is spent."""
        try:
            while True:
                before = self.best.schedule
                self._quieten()
                self._cut_tail()
                self._delete_actions()
                self._quieten()
                self._anchor()
                self._noise_to_overrides()
                self._delete_overrides()
                self._simplify()
                self._retime()
                if self.best.schedule == before and not self._delete_with_other_seeds():
                    break
        except _Spent:
            pass
        return Shrunk(self.best, self.runs, self._before)

    # -- trying -----------------------------------------------------------------------------------

    @property
    def _now(self) -> Schedule:
        return self.best.schedule

    def _try(self, candidate: Schedule) -> bool:
        """Run a candidate; keep it if it fails in the same way."""
        if candidate == self._now:
            return False
        name = repr(candidate)
        if name in self._seen:
            return False
        self._seen.add(name)
        if self.runs >= self._budget or self._stop():
            raise _Spent
        self.runs += 1
        record = run(candidate, self._scenario)
        self._each()
        if record.failure is None or record.failure.signature != self._signature:
            return False
        self.best = record
        return True

    def _delete(self, items: Sequence[_Item], apply: Callable[[tuple[_Item, ...]], Schedule]) -> None:
        """Delta debugging: remove ever smaller runs of items while the failure stays."""
        kept = tuple(items)
        size = len(kept)
        while size >= 1:
            start = 0
            while start < len(kept):
                rest = kept[:start] + kept[start + size :]
                if self._try(apply(rest)):
                    kept = rest
                else:
                    start += size
            size = size // 2 if size > 1 or not kept else 0

    # -- passes -----------------------------------------------------------------------------------

    def _quieten(self) -> None:
        """Less noise."""
        if not self._now.noise and not self._now.overrides:
            return
        quiet = self._now.replace(noise=Noise(), overrides=())
        if self._try(quiet) or any(self._try(quiet.replace(seed=seed)) for seed in range(SEEDS)):
            return
        for sort in Noise.__struct_fields__:
            if getattr(self._now.noise, sort):
                self._try(self._now.replace(noise=msgspec.structs.replace(self._now.noise, **{sort: 0.0})))

    def _cut_tail(self) -> None:
        """Actions after the violation cannot matter."""
        ended = self.best.ended
        kept = tuple(action for action in self._now.actions if action.at <= ended)
        self._try(self._now.replace(actions=kept))

    def _delete_actions(self) -> None:
        # Calls and faults are thinned out separately first: a burst of calls is one lump that usually goes at once.
        self._delete(self._now.actions, lambda kept: self._now.replace(actions=kept))

    def _anchor(self) -> None:
        """Let faults wait for boundaries, where that frees the run from noise or from some other action."""
        place = 0
        while place < len(self._now.actions):
            action = self._now.actions[place]
            if isinstance(action, Inject) and action.boundary is None and hasattr(action.fault, "target"):
                self._anchor_one(place, action)
            place += 1

    def _anchor_one(self, place: int, action: Inject) -> None:
        assert hasattr(action.fault, "target")
        noisy = bool(self._now.noise or self._now.overrides)
        early = max((a.at for a in self._now.actions[:place]), default=0.0)
        for host in dict.fromkeys((*self._scenario.roles[:1], action.fault.target)):
            fault = msgspec.structs.replace(action.fault, target=host)
            for event in (*self._scenario.killpoints, "send", "disk:fsync", "deliver"):
                anchored = self._with(place, Inject(early, fault, Boundary(host, event)))
                quiet = anchored.replace(noise=Noise(), overrides=())
                if noisy and self._try(quiet):
                    return
                if not noisy and self._drops_one(anchored, place):
                    return

    def _drops_one(self, candidate: Schedule, place: int) -> bool:
        """Accept the candidate if some other action can go with it."""
        actions = candidate.actions
        for other in range(len(actions) - 1):
            gone = other if other < place else other + 1
            if self._try(candidate.replace(actions=actions[:gone] + actions[gone + 1 :])):
                return True
        return False

    def _delete_with_other_seeds(self) -> bool:
        """A last resort where nothing goes any more: one action less, under another seed.  True if something went."""
        if self._now.noise or self._now.overrides:
            return False
        for place in range(len(self._now.actions) - 1, -1, -1):
            actions = self._now.actions
            rest = self._now.replace(actions=actions[:place] + actions[place + 1 :])
            if any(self._try(rest.replace(seed=seed)) for seed in range(8)):
                return True
        return False

    def _noise_to_overrides(self) -> None:
        """Say what the noise did, one decision at a time, and switch the noise off."""
        if not self._now.noise:
            return
        if self.runs >= self._budget:
            raise _Spent
        self.runs += 1
        kept = run(self._now, self._scenario, keep_noise=True).noise
        self._try(self._now.replace(noise=Noise(), overrides=kept))

    def _delete_overrides(self) -> None:
        self._delete(self._now.overrides, lambda kept: self._now.replace(overrides=kept))

    def _simplify(self) -> None:
        """Simpler settings, then each action as simple as it can be."""
        for name, values in self._scenario.settings.items():
            self._try(self._now.replace(settings={**self._now.settings, name: values[0]}))
        for place in range(len(self._now.actions)):
            for simpler in self._simpler(self._now.actions[place]):
                if self._try(self._with(place, simpler)):
                    break
        self._merge_clients()

    def _with(self, place: int, action: Action) -> Schedule:
        actions = list(self._now.actions)
        actions[place] = action
        return self._now.replace(actions=tuple(actions))

    def _simpler(self, action: Action) -> Iterator[Action]:
        """Simpler forms of one action, the simplest first."""
        if isinstance(action, Call):
            return
        boundary = action.boundary
        if boundary is not None:
            yield Inject(action.at, action.fault)
            for ordinal in range(1, min(boundary.ordinal, 4)):
                yield Inject(action.at, action.fault, Boundary(boundary.host, boundary.event, ordinal))
        for fault in _simpler_faults(action.fault):
            yield Inject(action.at, fault, boundary)

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
            even = tuple(_at(a, round(step * (place + 1), 3)) for place, a in enumerate(actions))
            if even == actions or self._try(self._now.replace(actions=even)):
                return
        for digits in (0, 1, 2, 3):
            rounded = tuple(sorted((_at(a, round(a.at, digits)) for a in self._now.actions), key=_time))
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
            moved = tuple(a if i < place else _at(a, round(max(a.at - shift, before), 4)) for i, a in enumerate(actions))
            if self._try(self._now.replace(actions=moved)):
                return

    def _try_at(self, place: int, at: float) -> bool:
        actions = self._now.actions
        low = actions[place - 1].at if place else 0.0
        high = actions[place + 1].at if place + 1 < len(actions) else at
        return low <= at <= high and self._try(self._with(place, _at(actions[place], at)))


def _at(action: Action, at: float) -> Action:
    return msgspec.structs.replace(action, at=at)


def _time(action: Action) -> float:
    return action.at


def _simpler_faults(fault: Fault) -> Iterator[Fault]:
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


def shrink(scenario: type[Scenario], record: Record, *, budget: int = BUDGET) -> Shrunk:
    """Shrink a failing record; see the module docstring."""
    return Shrinker(scenario, record, budget=budget).shrink()
