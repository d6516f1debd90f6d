"""Trials: runs of candidates, each kept if it fails as the original did.

`budget` bounds the number of runs, and `SLOW_RUNS` those that hang until the watchdog ends them or flood until their events are used
up, since the answer is wanted soon.  What is kept never depends on how fast the machine is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..properties.linearizability import Linearizable
from ..properties.verdict import check
from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.schedule import Schedule
from ..sim.session import run

__all__ = ["Spent", "Trials"]

SLOW, SLOW_RUNS = ("crash:NeverYields", "crash:Flood"), 2
"""Kinds of evidence that take ten seconds and more to come by, and how many runs may end with one."""

_Item = TypeVar("_Item")


class Spent(Exception):  # noqa: N818
    """The budget of runs is used up."""


class Trials:
    """Runs candidates.  `_kept` is the last one that failed as the original did, at first the original itself."""

    def __init__(
        self,
        scenario: type[Scenario],
        record: Record,
        *,
        budget: int,
        each: Callable[[], None],
        stop: Callable[[], bool],
    ) -> None:
        assert record.failure is not None, "only a failing run can be shrunk"
        self._each = each
        self._stop = stop
        self._scenario = scenario
        self._signature = record.failure.signature
        self._properties = scenario.mutant(record.schedule.mutant).properties
        self._budget = budget
        self._seen: set[str] = set()
        self._slow_left = SLOW_RUNS
        self._kept = record
        self.runs = 0

    @property
    def _now(self) -> Schedule:
        return self._kept.schedule

    def _try(self, candidate: Schedule) -> bool:
        """Run a candidate; keep it if it fails in the same way."""
        if candidate == self._now:
            return False
        name = repr(candidate)
        if name in self._seen:
            return False
        self._seen.add(name)
        if self._stop():
            raise Spent
        self._spend()
        record = run(candidate, self._scenario)
        self._each()
        if record.failure is None:
            return False
        self._slow_left -= record.failure.signature[1] in SLOW
        if not self._is_the_same(record):
            return False
        self._kept = record
        return True

    def _is_the_same(self, record: Record) -> bool:
        """It fails as the original does; or is as unlinearizable, and another property saw it first.

        Linearizability looks now and then only, so which property is the first to see a bug depends on how long the run is.  It is
        closed under prefixes: what it says of a run that was stopped holds.  Of other properties only a whole run tells.
        """
        if record.failure is not None and record.failure.signature == self._signature:
            return True
        alike = [p for p in self._properties if isinstance(p, Linearizable) and p.name == self._signature[0]]
        return any(check(prop, record.history).signature == self._signature for prop in alike)

    def _spend(self) -> None:
        """Account for one run."""
        if self.runs >= self._budget or self._slow_left <= 0:
            raise Spent
        self.runs += 1

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
