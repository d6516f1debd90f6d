"""Refuting a history by a stretch of it: what came long before is forgotten.

A search that has gone wrong turns back step by step, and a history with a violation late in it makes it try all that could have come
before, although the violation has nothing to do with that.  So a stretch is looked at by itself: the returns from `low` to `high`, from
*any* state, and with any of the operations that are open at its beginning placed already.  If no order passes those returns, then none
of the whole history does.

**Why.**  Let `begin` be the return before `low`.  Operations that returned by then stand in any linearization before all that are called
after it; so it can be cut between the former and the latter.  What stands before the cut leads to some state.  What stands
after it is an order of those called later and of some of those that are open at `begin`.  Such an order, up to the last operation
that returns by `high`, passes the stretch from that state, if the operations that are open at `begin` are *optional* (they may be
placed until their return, or not at all) and those called after `high` are left out, since they stand after all that returned by then.
Pure ones that are open at `begin` change nothing, and are left out, too.

That needs a *closed* object, whose states can be listed (see `steps.py`).

Saturated histories of registers forget fast.  Twenty clients, five values and 10,000 operations with a wrong read cost the search alone
ten million steps; stretches of 16 or 64 returns refute them in hundreds or tens of thousands, however long the history is
(`benchmarks/hard.py`).  Where a stretch can be passed nothing is concluded.

**Where it went wrong.**  A stretch that is refuted goes on for some returns after the one that a search is stuck at, and any of them may be
the one that nothing explains.  Bisection of its end finds the first that cannot be passed, as a longer stretch cannot be passed either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .history import Operation
from .later import Later
from .search import FARTHEST, Search
from .specification import Specification, State, call_of
from .steps import Steps, closed

__all__ = ["Stretches"]

REACHES = (16, 64, 256)
"""How many returns before the one at which a search is stuck a stretch begins."""

TURN = 16_384
"""Steps between two looks at the clock."""


class Stretches:
    """The stretches of one part of a history; `operations` as for `Search`.  `steps` counts what was spent."""

    def __init__(self, specification: Specification, operations: Sequence[Operation]) -> None:
        self.steps = 0
        self._specification = specification
        self._operations = operations
        self._returns: list[int] = []
        self._states: Sequence[State] | None = None
        self._rank = self._high = 0
        """The return at which the search was stuck, and the last of the stretch."""

    def refute(self, rank: int, budget: int, expired: Callable[[], bool] | None = None) -> bool:
        """True if a stretch around this return, at which a search is stuck, shows that there is no linearization.

        Takes about `budget` steps at most, and ends when `expired`, which is asked every `TURN` steps.
        """
        if not self._returns:
            self._returns = sorted(one.completed for one in self._operations if one.completed is not None)
            table = closed(Steps(self._specification, self._operations), len(self._returns))
            self._states = None if table is None else table.states
        if self._states is None:
            return False
        ends = self.steps + budget
        self._rank, self._high = rank, min(rank + FARTHEST, len(self._returns) - 1)
        return self._passed_by_none(self._high, ends, expired)

    def first(self, budget: int, expired: Callable[[], bool] | None = None) -> int:
        """After `refute` said yes: the number of the first return in that stretch that cannot be passed, as far as `budget` steps tell."""
        ends = self.steps + budget
        low = self._rank - 1
        while self._high - low > 1:
            middle = (low + self._high) // 2
            if self._passed_by_none(middle, ends, expired):
                self._high = middle
            else:
                low = middle
        return self._high

    def _passed_by_none(self, high: int, ends: int, expired: Callable[[], bool] | None) -> bool:
        return any(self._refuted(self._rank - reach, high, ends, expired) for reach in REACHES if reach < self._rank)

    def _refuted(self, low: int, high: int, ends: int, expired: Callable[[], bool] | None) -> bool:
        """True if no state leads through the returns from `low` to `high`."""
        assert self._states is not None
        members, optional = self._members(self._returns[low - 1], self._returns[high])
        goal = sum(one.completed is not None and one.completed <= self._returns[high] for one in members)
        for state in self._states:
            search = Search(Later(self._specification, state, reduces=True), members, goal=goal, optional=optional)
            while search.outcome is None and self.steps < ends and not (expired is not None and expired()):
                before = search.steps
                search.run(min(TURN, ends - self.steps))
                self.steps += search.steps - before
            if search.outcome is not False:
                return False
        return True

    def _members(self, begin: int, end: int) -> tuple[list[Operation], frozenset[int]]:
        """The operations of the stretch between two returns, and the ids of those that are open at its beginning."""
        members = []
        optional = []
        for one in self._operations:
            if one.invoked > end or (one.completed is not None and one.completed <= begin):
                continue
            if one.completed is not None and one.invoked <= begin:
                if self._specification.pure(call_of(one)):
                    continue
                optional.append(one.id)
            members.append(one)
        return members, frozenset(optional)
