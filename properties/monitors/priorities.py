"""Priority queues whose values are all different: linearizable or not in O(n log n).

After the patterns that concern one value (see `lifetimes`) only one thing can be wrong: a value is polled although one of higher
priority is inside.  A value is *certainly inside* from the return of its insert to the call of its poll, for ever if it is never polled.
So a poll of v, which cannot take effect before the insert of v was called, needs a moment at which no value of higher priority is
certainly inside; and one that found nothing needs a moment at which no value is.  That suffices: let each poll take effect at the first
such moment.  A higher value that is polled later than it might have been was delayed by still higher ones, which are certainly inside
until then and so keep v waiting as well.  (Lee & Mathur, OOPSLA 2025, arXiv 2410.04581; LiMo, PLDI 2025, arXiv 2509.17795.)

Values are taken in order of priority, and the moments at which each is certainly inside are crossed out for all that follow.  Each
moment is crossed out once, and the next that is not is found by path compression: sorting is what costs most.

Pending polls took values that stay, or nothing.  If all that stay may have stayed, the history is linearizable; if it is not even
without any of them, then not at all, since containers are closed under projection; otherwise this monitor does not decide.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from ..conflict import NEVER, NONE, Conflict
from ..containers import PriorityQueue
from ..history import Operation, render
from .lifetimes import Lifetimes, covering, empty_conflict, far, lifetimes

__all__ = ["conflict", "first_late"]


def conflict(specification: PriorityQueue, operations: Sequence[Operation], last: int, sweeps: Any = None) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell.

    `sweeps` is the module of that name where it may be used: the answer is the same.
    """
    lives = lifetimes(specification, operations, last)
    if not isinstance(lives, Lifetimes):
        return lives
    try:
        found = _judge(specification, lives, sweeps)
        if not lives.pending or not lives.staying:
            return found or NONE
        if not found:
            return NONE
        return _judge(specification, lives._replace(staying=[]), sweeps)
    except TypeError:
        return None  # values that do not compare, of which the specification speaks


def _judge(specification: PriorityQueue, lives: Lifetimes, sweeps: Any) -> Conflict | None:
    """As if pending polls had not happened."""
    puts, takes = [*lives.puts, *lives.staying], lives.takes
    values: list[Any] = [put.argument for put in puts]  # whatever compares
    if sweeps is not None:
        order, rank, begins, ends = sweeps.late_value(lives, puts, values, specification.greatest_first)
        if rank < 0 and sweeps.all_found_empty(begins, ends, lives.empties, lives.last):
            return None
        begins, ends = begins.tolist(), ends.tolist()
    else:
        order = sorted(range(len(puts)), key=values.__getitem__, reverse=specification.greatest_first)
        begins = [far(put.completed) for put in puts]
        ends = [take.invoked for take in takes] + [lives.last + 1] * len(lives.staying)
        # An array, because it is looked at in the order of priorities, and a list of numbers would be all over the memory.
        following = array("q", range(lives.last + 2))
        returns = [far(take.completed) for take in takes]
        rank = first_late(following, order, [put.invoked for put in puts], begins, ends, returns)
    if rank >= 0:
        return _explain(lives, begins, ends, order[:rank], order[rank])
    return empty_conflict(lives, begins, ends)


def first_late(
    following: Any,
    order: Sequence[int],
    called: Sequence[int],
    begins: Sequence[int],
    ends: Sequence[int],
    returns: Sequence[int],
) -> int:
    """Where in `order` the first value is whose poll has no moment; -1: each has one.

    A moment is named by the event before it; `following`, at first the moments themselves, leads to the next one that is not crossed
    out.  It is an argument so that this can be compiled (`sweeps.py`).
    """
    count = len(returns)
    for rank in range(len(order)):
        place = order[rank]
        begin, end = begins[place], ends[place]
        if place < count:
            moment = at = max(called[place], end)
            while following[at] != at:
                at = following[at]
            while following[moment] != at:
                step = following[moment]
                following[moment] = at
                moment = step
            if at >= returns[place]:
                return rank
        if begin < end:
            at = end
            while following[at] != at:
                at = following[at]
            moment = begin
            while moment < at:
                step = following[moment]
                following[moment] = at
                moment = step if step > moment else moment + 1
    return -1


def _explain(lives: Lifetimes, begins: Sequence[int], ends: Sequence[int], higher: Sequence[int], place: int) -> Conflict:
    """The value that was polled, and values of higher priority, one of which always was inside."""
    put, take = lives.puts[place], lives.takes[place]
    low, high = max(take.invoked, put.invoked), take.completed
    assert high is not None
    inside = [higher[at] for at in covering([begins[at] for at in higher], [ends[at] for at in higher], low, min(high, NEVER))]
    count = len(lives.puts)
    members = [lives.puts[at] if at < count else lives.staying[at - count] for at in inside]
    members += [lives.takes[at] for at in inside if at < count]
    why = f"there was a value of higher priority than {render(take.result)} in it all the time"
    return Conflict((*members, put, take), why)
