"""Stacks whose values are all different: linearizable or not in O(n log n).

A value is *certainly inside* from the return of its push to the call of its pop, for ever if it is never popped.  One whose push and pop
overlap can be pushed and popped at one moment of both, and disturbs nobody.  Of the others, at a moment at which no value is certainly
inside the stack can be empty, and every push and pop that spans such a moment can take effect there: it is an outermost one.
A value whose push and pop are both outermost can lie at the bottom for as long as it is inside; so it is taken away, and what was above it
becomes outermost, at moments at which no other value is certainly inside.  The history is linearizable if and only if in the end all
values are taken away (LiMo, "Efficient Linearizability Monitoring", PLDI 2025, arXiv 2509.17795; Lee & Mathur, OOPSLA 2025, arXiv
2410.04581).  The stack can be found empty at moments at which no value is certainly inside, and at no other.

Moments are named by **slots**.  What matters of an order of calls and returns is which return comes before which call, so a run of calls
may be read as one moment, and so may a run of returns.  Between a run of calls and the run of returns that follows, more operations are
open than at the moments before and after; these are the slots, and every operation spans at least one.

Cost: each value is taken away once, each slot found once, each operation marked once, by trees over slots (`moments.py`).

A violation leaves values that hold each other.  A smallest part of them is found by bisection, since whatever contains a violation is one:
the shortest beginning that is a violation shows one value that it needs, then the same is asked of what remains.  That takes about
2 log n looks per value found, on ever fewer values, and none at more than twice as many as are needed.

Pending pops took values that stay, or nothing: decided as for priority queues.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import chain
from typing import Any

from ..conflict import NONE, Conflict
from ..containers import Stack
from ..history import Operation, render
from .lifetimes import Lifetimes, empty_conflict, lifetimes
from .moments import Coverage, Spans

__all__ = ["conflict"]

def conflict(specification: Stack, operations: Sequence[Operation], sweeps: Any = None) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell.

    `sweeps` is the module of that name where it may be used: the answer is the same.
    """
    lives = lifetimes(specification, operations)
    if not isinstance(lives, Lifetimes):
        return lives
    found = _judge(lives, sweeps)
    if not lives.pending or not lives.staying:
        return found or NONE
    return _judge(lives.without_staying(), sweeps) if found else NONE


def _judge(lives: Lifetimes, sweeps: Any) -> Conflict | None:
    """As if pending pops had not happened."""
    begins, ends = lives.put_returned, lives.ends()
    if sweeps is not None:
        places = sweeps.held_values(lives)
        if not places and sweeps.all_found_empty(lives):
            return None
    else:
        places = _held(lives, [place for place, (begin, end) in enumerate(zip(begins, ends, strict=True)) if begin < end])
    if not places:
        return empty_conflict(lives, begins, ends)
    smallest = _smallest(lives, places)
    members = [lives.put(place) for place in smallest] + [lives.takes[place] for place in smallest if place < len(lives.takes)]
    values = ", ".join(render(lives.put(place).argument) for place in smallest[:4]) + (", ..." if len(smallest) > 4 else "")
    return Conflict(tuple(members), f"no order of pushes lets {values} be popped when they were, the last one in first")


def _held(lives: Lifetimes, places: Sequence[int]) -> list[int]:
    """Which of these values cannot be taken away; none of their pops begins before the push returned.  Places are in order."""
    count, taken, last = len(places), bisect_left(places, len(lives.takes)), lives.last
    push_called, push_returned = [[*map(times.__getitem__, places)] for times in (lives.put_called, lives.put_returned)]
    pop_called, pop_returned = [[*map(times.__getitem__, places[:taken])] for times in (lives.take_called, lives.take_returned)]
    kinds = bytearray(last + 1)
    for event in chain(push_called, pop_called):
        kinds[event] = 1
    for event in chain(push_returned, pop_returned):
        kinds[event] = 2
    slots = array("q", bytes(8 * (last + 1)))
    slot, calls = -1, False
    for event, kind in enumerate(kinds):
        if kind == 1:
            calls = True
            slots[event] = slot + 1
        elif kind:
            if calls:
                slot += 1
                calls = False
            slots[event] = slot
    # The pops of values that stay are in a slot of their own, after everything.
    end = slot + 1
    never = [end] * (count - taken)
    push_lows, push_highs = [*map(slots.__getitem__, push_called)], [*map(slots.__getitem__, push_returned)]
    pop_lows, pop_highs = [*map(slots.__getitem__, pop_called), *never], [*map(slots.__getitem__, pop_returned), *never]
    counts = [0] * (end + 2)
    for high, low in zip(push_highs, pop_lows, strict=True):
        counts[high + 1] += 1
        counts[low] -= 1
    inside = 0
    for moment, change in enumerate(counts):
        inside += change
        counts[moment] = inside
    counts.pop()
    coverage = Coverage(counts)
    spans = Spans(push_lows + pop_lows, push_highs + pop_highs, end + 1)
    half = bytearray(count)
    left = count
    free, take, drop = coverage.free, spans.take, coverage.drop
    while left:
        moment = free()
        if moment < 0:
            break
        for place in take(moment):
            value = place if place < count else place - count
            if not half[value]:
                half[value] = 1
                continue
            half[value] = 2
            left -= 1
            low, high = push_highs[value] + 1, pop_lows[value] - 1
            if low <= high:
                drop(low, high)
    return [places[value] for value in range(count) if half[value] < 2] if left else []


def _smallest(lives: Lifetimes, held: Sequence[int]) -> list[int]:
    """A part of these values that hold each other of which none can be spared, in the order of their pushes."""

    def hold(places: Sequence[int]) -> bool:
        return bool(_held(lives, sorted(places)))

    kept: list[int] = []
    rest = sorted(held, key=lives.put_called.__getitem__)
    while not hold(kept):
        low, high = 0, 1
        while high < len(rest) and not hold([*kept, *rest[:high]]):
            low, high = high, 2 * high
        high = min(high, len(rest))
        while high - low > 1:
            middle = (low + high) // 2
            if hold([*kept, *rest[:middle]]):
                high = middle
            else:
                low = middle
        kept.append(rest[high - 1])
        rest = rest[: high - 1]
    return sorted(kept, key=lives.put_called.__getitem__)
