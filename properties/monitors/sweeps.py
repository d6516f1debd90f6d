"""The sweeps of the monitors of stacks and priority queues, compiled: for histories of hundreds of thousands of operations.

Needs numba (`pip install killpoint[fast]`).  The algorithms are those of `stacks.py` with `moments.py`, and of `priorities.py`, where the
reasons are; `first_late` is even the same function.  What remains in Python is to take the times out of the operations (`lifetimes.py`),
which costs more than all that is done with them here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..conflict import NEVER
from . import priorities
from .lifetimes import Lifetimes
from .moments import GONE

__all__ = ["all_found_empty", "held_values", "late_value"]

Words = NDArray[np.int64]

_first_late: Any = njit(cache=True)(priorities.first_late)


def late_value(lives: Lifetimes, values: Sequence[Any], greatest_first: bool) -> tuple[list[int], int]:
    """Values in the order of priorities, and what `first_late` finds in it."""
    if {*map(type, values)} <= {int} and all(abs(extreme) < NEVER for extreme in (min(values, default=0), max(values, default=0))):
        keys = np.fromiter(values, np.int64, len(values))
        order = np.argsort(-keys if greatest_first else keys)
    else:
        order = np.array(sorted(range(len(values)), key=values.__getitem__, reverse=greatest_first), np.int64)
    begins, ends = np.asarray(lives.put_returned), _ends(lives)
    called, returned = np.asarray(lives.put_called), np.asarray(lives.take_returned)
    rank = _first_late(np.arange(lives.last + 2), order, called, begins, ends, returned)
    return order.tolist() if rank >= 0 else [], rank


def held_values(lives: Lifetimes) -> list[int]:
    """The places of the values that cannot be taken off a stack."""
    called, begins, ends = np.asarray(lives.put_called), np.asarray(lives.put_returned), _ends(lives)
    (nested,) = np.nonzero(begins < ends)
    popped = nested[nested < len(lives.takes)]
    marks = _held(called[nested], begins[nested], ends[popped], np.asarray(lives.take_returned)[popped], lives.last)
    held: list[int] = nested[marks].tolist()
    return held


def all_found_empty(lives: Lifetimes) -> bool:
    """True if each of the findings spans a moment at which no value was certainly inside."""
    if not lives.empties:
        return True
    begins, ends = np.asarray(lives.put_returned), _ends(lives)
    inside = begins < ends
    change = np.bincount(begins[inside], minlength=lives.last + 2) - np.bincount(ends[inside], minlength=lives.last + 2)
    free = np.maximum.accumulate(np.where(np.cumsum(change) == 0, np.arange(lives.last + 2), -1))
    return bool((free[np.asarray(lives.empty_returned) - 1] >= np.asarray(lives.empty_called)).all())


def _ends(lives: Lifetimes) -> Words:
    """As `Lifetimes.ends`."""
    return np.concatenate([np.asarray(lives.take_called), np.full(lives.staying, lives.last + 1)])


@njit(cache=True)
def _held(push_called: Words, push_returned: Words, pop_called: Words, pop_returned: Words, last: int) -> NDArray[np.bool_]:
    """Which values cannot be taken away; the last ones, of which there are no pops, stay.  All pops begin after the push returned."""
    count, popped = len(push_called), len(pop_called)
    slots, end = _slots(push_called, push_returned, pop_called, pop_returned, last)
    lows, highs = np.full(2 * count, end, np.int64), np.full(2 * count, end, np.int64)
    for value in range(count):
        lows[value], highs[value] = slots[push_called[value]], slots[push_returned[value]]
    for value in range(popped):
        lows[count + value], highs[count + value] = slots[pop_called[value]], slots[pop_returned[value]]
    least, added = _coverage(highs[:count], lows[count:], end + 1)
    order, ends, until = _spans(lows, highs, end + 1)
    marked = np.zeros(count, np.int64)
    while True:
        moment = _free(least, added)
        if moment < 0:
            break
        at = until[moment]
        while at:
            at = _before(ends, at, moment)
            if at < 0:
                break
            value = order[at] % count
            marked[value] += 1
            low, high = highs[value] + 1, lows[count + value] - 1
            if marked[value] == 2 and low <= high:
                _drop(least, added, low, high)
    return marked < 2


@njit(cache=True)
def _slots(push_called: Words, push_returned: Words, pop_called: Words, pop_returned: Words, last: int) -> tuple[Words, int]:
    """The slot of each event, and the one after all others."""
    kinds, slots = np.zeros(last + 1, np.uint8), np.zeros(last + 1, np.int64)
    for value in range(len(push_called)):
        kinds[push_called[value]], kinds[push_returned[value]] = 1, 2
    for value in range(len(pop_called)):
        kinds[pop_called[value]], kinds[pop_returned[value]] = 1, 2
    slot, calls = -1, False
    for event in range(last + 1):
        if kinds[event] == 1:
            calls = True
            slots[event] = slot + 1
        elif kinds[event]:
            if calls:
                slot += 1
                calls = False
            slots[event] = slot
    return slots, slot + 1


@njit(cache=True)
def _coverage(highs: Words, lows: Words, size: int) -> tuple[Words, Words]:
    """The trees of `Coverage`: moments after `highs` and before `lows` are covered."""
    leaves = 1
    while leaves < size + 2:
        leaves *= 2
    change = np.zeros(size + 1, np.int64)
    for value in range(len(highs)):
        change[highs[value] + 1] += 1
        change[lows[value]] -= 1
    least, added = np.full(2 * leaves, GONE, np.int64), np.zeros(2 * leaves, np.int64)
    inside = 0
    for moment in range(size):
        inside += change[moment]
        least[leaves + 1 + moment] = inside
    for node in range(leaves - 1, 0, -1):
        least[node] = min(least[2 * node], least[2 * node + 1])
    return least, added


@njit(cache=True)
def _spans(lows: Words, highs: Words, size: int) -> tuple[Words, Words, Words]:
    """The operations by their beginnings, the tree of `Spans`, and how many begin at each moment or before it."""
    order = np.argsort(lows, kind="mergesort")
    leaves = 1
    while leaves < len(order):
        leaves *= 2
    ends, until = np.full(2 * leaves, -1, np.int64), np.zeros(size + 1, np.int64)
    for place in range(len(order)):
        ends[leaves + place] = highs[order[place]]
        until[lows[place]] += 1
    for node in range(leaves - 1, 0, -1):
        ends[node] = max(ends[2 * node], ends[2 * node + 1])
    for moment in range(1, size + 1):
        until[moment] += until[moment - 1]
    return order, ends, until


@njit(cache=True)
def _drop(least: Words, added: Words, low: int, high: int) -> None:
    """As `Coverage.drop`."""
    leaves = len(least) // 2
    left, right = low + leaves, high + leaves + 2
    while left ^ right ^ 1:
        if not left & 1:
            least[left ^ 1] -= 1
            added[left ^ 1] -= 1
        if right & 1:
            least[right ^ 1] -= 1
            added[right ^ 1] -= 1
        left >>= 1
        right >>= 1
        least[left] = min(least[2 * left], least[2 * left + 1]) + added[left]
        least[right] = min(least[2 * right], least[2 * right + 1]) + added[right]
    left >>= 1
    while left:
        least[left] = min(least[2 * left], least[2 * left + 1]) + added[left]
        left >>= 1


@njit(cache=True)
def _free(least: Words, added: Words) -> int:
    """As `Coverage.free`."""
    leaves = len(least) // 2
    if least[1]:
        return -1
    node, wanted = 1, 0
    while node < leaves:
        wanted -= added[node]
        node *= 2
        if least[node] != wanted:
            node += 1
    found = node - leaves - 1
    least[node] += GONE
    node >>= 1
    while node:
        least[node] = min(least[2 * node], least[2 * node + 1]) + added[node]
        node >>= 1
    return found


@njit(cache=True)
def _before(ends: Words, count: int, moment: int) -> int:
    """The last of the first `count` operations that holds this moment and was not taken, which takes it; -1: there is none."""
    leaves = len(ends) // 2
    node = leaves + count - 1
    while ends[node] < moment:
        while not node & 1:
            node >>= 1
        if node == 1:
            return -1
        node -= 1
    while node < leaves:
        node = 2 * node + 1
        if ends[node] < moment:
            node -= 1
    found = node - leaves
    ends[node] = -1
    node >>= 1
    while node:
        greatest = max(ends[2 * node], ends[2 * node + 1])
        if ends[node] == greatest:
            break
        ends[node] = greatest
        node >>= 1
    return found
