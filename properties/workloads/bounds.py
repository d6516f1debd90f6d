"""A counter between its bounds (Jepsen's `counter`).

What a read may return is bounded by what must have been added when it began and what may have been added when it ended.  The lower
bound counts increments that were acknowledged before the read began, and decrements that had begun before it ended; the upper bound
the other way round.  An operation with an unknown outcome may count from its beginning on, for ever; a failed one never does.

A counter within its bounds need not be linearizable: two reads one after the other may still contradict each other.  The
specification `Counter` is the sharper question; this one is answered in linear time for any amounts, and suits counters that only
promise to converge.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import ClassVar

from ..counter import Counter
from ..history import Operation, Outcome, render
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .shapes import malformed, whole
from .workload import Workload

__all__ = ["CounterBounds"]


@dataclass(frozen=True)
class CounterBounds(Workload):
    """Reads of a counter are neither below what must have been added nor above what may have been.

    `add(n)`, `inc()` and `dec()` (or `increment`, `decrement`) by one unless told, `read() -> n`, from `initial` on.

    Formula: `initial` + acknowledged increments that ended before the read began + decrements that began before it ended <= read
    <= `initial` + increments that began before it ended + acknowledged decrements that ended before it began.  Cost: O(n log n).

    The evidence's kind is `below-bounds` or `above-bounds`.
    """

    initial: int = 0

    functions: ClassVar[frozenset[str]] = frozenset({"add", "inc", "increment", "dec", "decrement", "read"})
    lasting: ClassVar[frozenset[str]] = frozenset({"below-bounds", "above-bounds"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "below-bounds", "above-bounds")
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("the counter was never read")
        changes = [(self._amount(one), one) for one in operations if one.function != "read" and one.outcome is not Outcome.FAIL]
        surely_up = _Sums((n, one.completed) for n, one in changes if n > 0)
        surely_down = _Sums((n, one.completed) for n, one in changes if n < 0)
        maybe_up = _Sums((n, one.invoked) for n, one in changes if n > 0)
        maybe_down = _Sums((n, one.invoked) for n, one in changes if n < 0)
        for read in reads:
            value = whole(read.result)
            if value is None:
                raise malformed(self.name, read, f"a read returns a whole number, not {render(read.result)}")
            assert read.completed is not None
            low = self.initial + surely_up.before(read.invoked) + maybe_down.before(read.completed)
            high = self.initial + maybe_up.before(read.completed) + surely_down.before(read.invoked)
            if value < low:
                findings.note("below-bounds", partial(_below, read, low), read)
            elif value > high:
                findings.note("above-bounds", partial(_above, read, high), read)
        return findings.verdict() if findings else self._valid(f"{counted(len(reads), 'read')} within the bounds")

    def _amount(self, operation: Operation) -> int:
        amount = whole(Counter().amount(operation.function, operation.argument))
        if amount is None:
            raise malformed(self.name, operation, f"the argument of {operation.function} is a whole number")
        return amount


def _below(read: Operation, low: int) -> str:
    return f"{ended(read)} returned {render(read.result)}, and acknowledged operations make it at least {low}"


def _above(read: Operation, high: int) -> str:
    return f"{ended(read)} returned {render(read.result)}, and all that had begun by then make it at most {high}"


class _Sums:
    """How much was added before an event: amounts with the event from which they count; None means never."""

    def __init__(self, amounts: Iterable[tuple[int, int | None]]) -> None:
        ordered = sorted((event, amount) for amount, event in amounts if event is not None)
        self._events = [event for event, _amount in ordered]
        self._sums = [0, *accumulate(amount for _event, amount in ordered)]

    def before(self, event: int) -> int:
        return self._sums[bisect_left(self._events, event)]
