"""How far an order can go in a history that has none: what people are told of it."""

from __future__ import annotations

from collections.abc import Sequence

from .history import Operation
from .search import FARTHEST, Deepest, Search
from .specification import Specification

__all__ = ["furthest"]

PASSING = 20
"""Steps per operation that suffice to pass a history that one has been far into already."""


def furthest(
    specification: Specification, operations: Sequence[Operation], refuted: Search, budget: int, impossible: int | None = None
) -> Deepest:
    """The longest order there is, for people, after `refuted` has found that none places everything.

    A search turns back when it sees that a later read has no hope, at most `FARTHEST` returns ahead.  To a person that read is
    the one that cannot be placed.  So this asks how many returns can be passed at all, by bisection: a handful of searches like
    the first.  If `budget` steps do not suffice the answer is the best that is known.  `impossible` is a return that nothing can pass: what
    is before it is tried first.
    """
    best = refuted
    low, high = refuted.passed, min(refuted.passed + FARTHEST, refuted.returns)
    if impossible is not None and low < impossible:
        high = impossible
        search = Search(specification, operations, goal=high, fast=refuted.fast)
        if search.run(max(budget, PASSING * len(operations))):
            best, low = search, high
    while high - low > 1 and budget > 0:
        goal = (low + high) // 2
        search = Search(specification, operations, goal=goal, fast=refuted.fast)
        reached = search.run(budget)
        budget -= search.steps
        if reached:
            best, low = search, goal
        elif reached is None:
            break
        else:
            high = goal
    deepest = best.deepest()
    assert deepest is not None
    return deepest
