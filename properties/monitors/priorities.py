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

from ..conflict import NONE, Conflict
from ..containers import PriorityQueue
from ..history import Operation, render
from .lifetimes import Lifetimes, covering, empty_conflict, lifetimes

__all__ = ["conflict", "first_late"]


def conflict(specification: PriorityQueue, operations: Sequence[Operation], sweeps: Any = None) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell.

    `sweeps` is the module of that name where it may be used: the answer is the same.
    """
    lives = lifetimes(specification, operations)
    if not isinstance(lives, Lifetimes):
        return lives
    try:
        found = _judge(specification, lives, sweeps)
        if not lives.pending or not lives.staying:
            return found or NONE
        if not found:
            return NONE
        return _judge(specification, lives.without_staying(), sweeps)
    except TypeError:
        return None  # values that do not compare, of which the specification speaks


def _judge(specification: PriorityQueue, lives: Lifetimes, sweeps: Any) -> Conflict | None:
    """As if pending polls had not happened."""
    values: list[Any] = [lives.put(place).argument for place in range(len(lives.put_called))]  # whatever compares
    begins, ends = lives.put_returned, lives.ends()
    if sweeps is not None:
        order, rank = sweeps.late_value(lives, values, specification.greatest_first)
        if rank < 0 and sweeps.all_found_empty(lives):
            return None
    else:
        order = sorted(range(len(values)), key=values.__getitem__, reverse=specification.greatest_first)
        # An array, because it is looked at in the order of priorities, and a list of numbers would be all over the memory.
        following = array("q", range(lives.last + 2))
        rank = first_late(following, order, lives.put_called, begins, ends, lives.take_returned)
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
    low, high = max(lives.take_called[place], lives.put_called[place]), lives.take_returned[place]
    inside = [higher[at] for at in covering([begins[at] for at in higher], [ends[at] for at in higher], low, high)]
    members = [lives.put(at) for at in inside] + [lives.takes[at] for at in inside if at < len(lives.takes)]
    put, take = lives.put(place), lives.takes[place]
    why = f"there was a value of higher priority than {render(take.result)} in it all the time"
    return Conflict((*members, put, take), why)
