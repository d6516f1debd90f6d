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

from collections.abc import Sequence
from typing import Any

from ..conflict import NONE, Conflict
from ..containers import Stack
from ..history import Operation, render
from .lifetimes import Lifetimes, empty_conflict, far, lifetimes
from .moments import Coverage, Spans

__all__ = ["conflict"]

Life = tuple[Operation, Operation | None]
"""A push, and the pop of what it pushed."""


def conflict(specification: Stack, operations: Sequence[Operation], last: int, sweeps: Any = None) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell.

    `sweeps` is the module of that name where it may be used: the answer is the same.
    """
    lives = lifetimes(specification, operations, last)
    if not isinstance(lives, Lifetimes):
        return lives
    found = _judge(lives, sweeps)
    if not lives.pending or not lives.staying:
        return found or NONE
    return _judge(lives._replace(staying=[]), sweeps) if found else NONE


def _judge(lives: Lifetimes, sweeps: Any) -> Conflict | None:
    """As if pending pops had not happened."""
    pushes = [*lives.puts, *lives.staying]
    pops: list[Operation | None] = [*lives.takes, *([None] * len(lives.staying))]
    if sweeps is not None:
        places, begins, ends = sweeps.held_values(lives, pushes)
        held = [(pushes[place], pops[place]) for place in places]
        if not held and sweeps.all_found_empty(begins, ends, lives.empties, lives.last):
            return None
        begins, ends = begins.tolist(), ends.tolist()
    else:
        begins = [far(push.completed) for push in pushes]
        ends = [pop.invoked for pop in lives.takes] + [lives.last + 1] * len(lives.staying)
        nested = [(push, pop) for push, pop, begin, end in zip(pushes, pops, begins, ends, strict=True) if begin < end]
        held = _held(nested, lives.last)
    if not held:
        return empty_conflict(lives, begins, ends)
    smallest = _smallest(held, lives.last)
    members = [push for push, _pop in smallest] + [pop for _push, pop in smallest if pop is not None]
    values = ", ".join(render(push.argument) for push, _pop in smallest[:4]) + (", ..." if len(smallest) > 4 else "")
    return Conflict(tuple(members), f"no order of pushes lets {values} be popped when they were, the last one in first")


def _held(values: Sequence[Life], last: int) -> list[Life]:
    """Those that cannot be taken away, pushes in their order; all with a pop that begins after the push returned, or without one."""
    count = len(values)
    kinds = bytearray(last + 1)
    for push, pop in values:
        kinds[push.invoked] = 1
        kinds[far(push.completed)] = 2
        if pop is not None:
            kinds[pop.invoked] = 1
            kinds[far(pop.completed)] = 2
    slots = [0] * (last + 1)
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
    push_lows = [slots[push.invoked] for push, _pop in values]
    push_highs = [slots[far(push.completed)] for push, _pop in values]
    pop_lows = [end if pop is None else slots[pop.invoked] for _push, pop in values]
    pop_highs = [end if pop is None else slots[far(pop.completed)] for _push, pop in values]
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
    return [values[value] for value in range(count) if half[value] < 2] if left else []


def _smallest(held: list[Life], last: int) -> list[Life]:
    """A part of these values that hold each other of which none can be spared."""
    kept: list[Life] = []
    rest = sorted(held, key=lambda life: life[0].invoked)
    while not _held(kept, last):
        low, high = 0, 1
        while high < len(rest) and not _held([*kept, *rest[:high]], last):
            low, high = high, 2 * high
        high = min(high, len(rest))
        while high - low > 1:
            middle = (low + high) // 2
            if _held([*kept, *rest[:middle]], last):
                high = middle
            else:
                low = middle
        kept.append(rest[high - 1])
        rest = rest[: high - 1]
    return sorted(kept, key=lambda life: life[0].invoked)
