"""Counters: exact in O(n log n) where everything that is added is the same, bounds elsewhere.

**Equal steps.**  If every addition adds k, a read of initial + w k comes after exactly w additions.  So additions get positions 1, 2, 3,
... and reads stand between them: a read of w after position w.  Reads must be in the order of what they show: none returned before a read
of less was called.  An addition may be at position p

- if it was called before any read of p or more returned, and
- if it did not return before every read of less than p was called: it returned after the last of those was called.

Both get weaker or stronger with p only, so each addition has a first and a last position, additions called earlier have no later
first one, and additions that returned earlier no later last one.  Filling positions 1 to the greatest that was read, with every
completed addition placed by its last position, is scheduling unit jobs with release times and deadlines, which *earliest deadline first*
solves (Jackson 1955); of those that may come next it takes the one that returned first.  Where one addition returned before another was
called and the schedule has them the other way round, they can be swapped, since the windows of the former end and begin no later; so real
time among additions costs nothing.  A pending addition has no deadline and need not be placed.

If a position cannot be filled, fewer additions had been called by the return of a read than it shows.  If a deadline is missed, then
more additions were called after one read had returned, and returned before another was called, than their difference.  In both cases what
matters is a sum, so a few of these additions and the read are shown, to a counter that begins with the sum of the others.

**Different steps.**  Which subset of additions makes a sum is a hard question (subset sum), so there are bounds: a read shows
at least what was certainly added and what was possibly taken away by then, and at most the reverse; Jepsen's counter checker knows
these.  A read outside of them is a violation; if for all reads both bounds are one number there is none; otherwise this monitor does
not decide.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import accumulate
from operator import itemgetter
from typing import TypeAlias

from ..conflict import NEVER, NONE, Conflict, returned
from ..counter import Counter
from ..history import Operation
from ..specification import SpecificationError

__all__ = ["conflict"]

SHOWN = 6
"""How many of the additions before a read are shown; the others are in what the counter begins with."""

Addition: TypeAlias = tuple[int, Operation]
"""How much it adds, and the operation."""


def conflict(specification: Counter, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if it cannot tell."""
    additions: list[Addition] = []
    reads: list[Operation] = []
    amount = specification.amount
    for operation in operations:
        if operation.function == "read":
            if operation.completed is not None:
                if type(operation.result) is not int:
                    return None
                reads.append(operation)
            continue
        try:
            step = amount(operation.function, operation.argument)
        except SpecificationError:
            return None
        if type(step) is not int:
            return None
        if step:
            additions.append((step, operation))
    if not reads:
        return NONE
    found, exact = _bounds(specification, additions, reads)
    if found or exact:
        return found or NONE
    step = additions[0][0]
    if any(other != step for other, _operation in additions):
        return None
    return _EqualSteps(specification, step, [operation for _step, operation in additions], reads).conflict()


def _bounds(specification: Counter, additions: Sequence[Addition], reads: Sequence[Operation]) -> tuple[Conflict | None, bool]:
    """A read that shows what it cannot, if there is one; and whether there is only one number that each can show."""
    by_return = sorted(((end, step) for step, one in additions if (end := one.completed) is not None), key=itemgetter(0))
    by_call = sorted(((one.invoked, step) for step, one in additions), key=itemgetter(0))
    returns = [end for end, _step in by_return]
    calls = [called for called, _step in by_call]
    certain = [0, *accumulate(step for _end, step in by_return)]
    certain_less = [0, *accumulate(min(step, 0) for _end, step in by_return)]
    certain_more = [0, *accumulate(max(step, 0) for _end, step in by_return)]
    less = [0, *accumulate(min(step, 0) for _called, step in by_call)]
    more = [0, *accumulate(max(step, 0) for _called, step in by_call)]
    exact = True
    for read in reads:
        shown = read.result
        assert isinstance(shown, int)
        done, begun = bisect_left(returns, read.invoked), bisect_left(calls, returned(read))
        sure = specification.initial_value + certain[done]
        low, high = sure + less[begun] - certain_less[done], sure + more[begun] - certain_more[done]
        if not low <= shown <= high:
            sign = 1 if shown > high else -1
            counted = [
                one for one in additions if returned(one[1]) < read.invoked or (one[0] * sign > 0 and one[1].invoked < returned(read))
            ]
            bound, word = (high, "most") if sign > 0 else (low, "least")
            why = f"what was added by then makes {bound} at {word}"
            return _folded(specification, bound, counted, read, why), False
        exact = exact and low == high
    return None, exact


def _folded(specification: Counter, total: int, counted: Sequence[Addition], read: Operation, why: str) -> Conflict:
    """The read and a few of the additions that make `total`, for a counter that begins with the sum of the others."""
    shown = sorted(counted, key=lambda one: one[1].invoked)[-SHOWN:]
    begins = total - sum(step for step, _operation in shown)
    members = (*(operation for _step, operation in shown), read)
    return Conflict(members, why, None if begins == specification.initial_value else replace(specification, initial_value=begins))


class _EqualSteps:
    """Additions of `step` each, and reads that show sums of them."""

    def __init__(self, specification: Counter, step: int, additions: list[Operation], reads: Sequence[Operation]) -> None:
        self.specification = specification
        self.step = step
        self.additions = sorted(additions, key=lambda one: one.invoked)
        self.reads = reads

    def conflict(self) -> Conflict:
        """The first conflict, or none; all reads are within their bounds."""
        initial, step = self.specification.initial_value, self.step
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for read in self.reads:
            assert isinstance(read.result, int)
            gap, rest = divmod(read.result - initial, step)
            if rest:
                below = replace(self.specification, initial_value=initial + gap * step)
                return Conflict((read,), f"it goes in steps of {abs(step)}, and begins with {initial}", below)
            end = returned(read)
            if gap not in first or end < first[gap]:
                first[gap] = end
            if gap not in last or read.invoked > last[gap]:
                last[gap] = read.invoked
        gaps = sorted(first)
        ends = [*accumulate((first[gap] for gap in reversed(gaps)), min)][::-1]
        begins = [-1, *accumulate((last[gap] for gap in gaps), max)]
        for gap, latest in zip(gaps, begins, strict=False):
            if first[gap] < latest:
                early = next(read for read in self.reads if returned(read) == first[gap])
                late = next(read for read in self.reads if read.invoked == latest)
                assert isinstance(early.result, int)
                why = "it only ever " + ("grows" if step > 0 else "shrinks")
                return Conflict((early, late), why, replace(self.specification, initial_value=early.result))
        return self._schedule(gaps, ends, begins)

    def _schedule(self, gaps: Sequence[int], ends: Sequence[int], begins: Sequence[int]) -> Conflict:
        """Earliest deadline first, one stretch between two reads after the other.

        `ends` says of each stretch before which moment its additions must have been called, `begins` after which one they returned.
        """
        additions = self.additions
        waiting: list[int] = []
        tops: list[int] = []
        at = filled = 0
        for place, gap in enumerate(gaps):
            end = ends[place]
            while at < len(additions) and additions[at].invoked < end:
                heappush(waiting, returned(additions[at]))
                at += 1
            if waiting and waiting[0] < begins[place]:
                return self._missed(place, ends, begins, tops)
            top = -1
            while filled < gap:
                if not waiting:
                    return self._unfilled(end)
                top = heappop(waiting)
                filled += 1
            tops.append(top)
        remaining = min((returned(one) for one in additions[at:]), default=NEVER)
        if (waiting and waiting[0] < begins[-1]) or remaining < begins[-1]:
            return self._missed(len(gaps), ends, begins, tops)
        return NONE

    def _unfilled(self, end: int) -> Conflict:
        """Too few additions were called before a read returned.  Bounds say so already, but this does not rely on it."""
        read = next(read for read in self.reads if returned(read) == end)
        counted = [(self.step, one) for one in self.additions if one.invoked < end]
        total = self.specification.initial_value + self.step * len(counted)
        return _folded(self.specification, total, counted, read, "more had not been added by then")

    def _missed(self, place: int, ends: Sequence[int], begins: Sequence[int], tops: Sequence[int]) -> Conflict:
        """An addition returned before a read was called that does not count it.

        Back to the last stretch in which one was taken that returned later: by its end all that are in question were taken or not called.
        """
        until = begins[place]
        before = next((at for at in range(place - 1, -1, -1) if tops[at] >= until), None)
        since = -1 if before is None else ends[before]
        read = next(read for read in self.reads if read.invoked == until)
        counted = [(self.step, one) for one in self.additions if one.invoked > since and returned(one) < until]
        total = self.specification.initial_value
        if before is not None:
            earlier = next(read for read in self.reads if returned(read) == since)
            assert isinstance(earlier.result, int)
            total = earlier.result
        total += self.step * len(counted)
        return _folded(self.specification, total, counted, read, f"what was added before makes {total}")
