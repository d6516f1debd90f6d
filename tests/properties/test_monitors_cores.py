"""What monitors answer with is small, or is at least refuted by the search at once, with however many operations in the history."""

from __future__ import annotations

import random

import pytest
from histories import operation
from unambiguous import KINDS, history_of

from killpoint.properties import (
    CasRegister,
    Counter,
    FifoQueue,
    GrowSet,
    KeyValue,
    Operation,
    PriorityQueue,
    Register,
    Set,
    Specification,
    Stack,
    Status,
)
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors import conflict
from killpoint.properties.search import Search

MANY = 400
LATE = 10 * MANY

History = list[Operation]


def pending(function: str, arguments: list[object], begin: int = 0) -> History:
    """Calls of which nobody knows whether they happened."""
    return [operation(begin + at, function, argument, None, (begin + at, None)) for at, argument in enumerate(arguments)]


def after(at: int, function: str, argument: object = None, result: object = None) -> Operation:
    return operation(LATE + at, function, argument, result, (LATE + 2 * at, LATE + 2 * at + 1))


def never_empty(put: str, take: str) -> History:
    """A dequeue of nothing during which there was always something: each value comes before the one before it has gone."""
    done = [operation(0, put, 0, None, (1, 2))]
    for value in range(1, MANY):
        done.append(operation(2 * value, put, value, None, (10 * value, 10 * value + 1)))
        done.append(operation(2 * value + 1, take, None, value - 1, (10 * value + 2, 10 * value + 3)))
    return [*done, operation(LATE, take, None, None, (5, 10 * MANY)), after(MANY, take, None, MANY - 1)]


COUNTED = [*range(MANY)]
TEXTS = [f"{number}," for number in COUNTED]

CORES: dict[str, tuple[Specification, History, int]] = {
    "register": (
        Register(),
        [*pending("write", COUNTED), after(0, "read", None, 3), after(1, "read", None, 5), after(2, "read", None, 3)],
        6,
    ),
    "set": (Set(), [*pending("add", COUNTED), after(0, "contains", 3, True), after(1, "contains", 3, False)], 3),
    "growing set": (GrowSet(), [*pending("add", COUNTED), after(0, "read", None, (1, 2)), after(1, "read", None, (2, 3))], 4),
    "counter": (Counter(), [*pending("inc", [None] * MANY), after(0, "read", None, MANY + 1)], 8),
    "store": (
        KeyValue(),
        [
            *pending("append", [("k", text) for text in TEXTS]),
            after(0, "get", "k", "".join(TEXTS)),
            after(1, "get", "k", "".join(TEXTS[1:])),
        ],
        8,
    ),
    "stack": (Stack(), never_empty("push", "pop"), 4),
    # These have no bound: all of a chain, and all that was in a queue meanwhile, is needed to exclude an order.
    "chain": (
        CasRegister(),
        [
            operation(0, "write", 0, None, (0, 1)),
            *pending("cas", [(value, value + 1) for value in COUNTED], 10),
            after(0, "read", None, MANY),
            after(1, "read", None, 3),
        ],
        MANY + 4,
    ),
    "cycle": (
        CasRegister(),
        [*pending("cas", [(value, (value + 1) % MANY) for value in COUNTED], 10), after(0, "read", None, 7)],
        MANY + 1,
    ),
    "queue": (FifoQueue(), never_empty("enqueue", "dequeue"), 2 * MANY + 1),
    "priority queue": (PriorityQueue(), never_empty("insert", "poll"), 2 * MANY + 1),
    "pending dequeues": (
        FifoQueue(),
        [
            *(operation(value, "enqueue", value, None, (2 * value, 2 * value + 1)) for value in COUNTED),
            *pending("dequeue", [None] * (MANY - 2), 2 * MANY),
            after(0, "dequeue", None, MANY - 1),
        ],
        2 * MANY,
    ),
}


@pytest.mark.parametrize("which", CORES)
def test_a_violation_among_many_is_refuted_at_once(which: str) -> None:
    specification, history, most = CORES[which]
    history = sorted(history, key=lambda one: one.invoked)
    found = conflict(specification, history)
    assert found is not None
    assert 0 < len(found.operations) <= most
    search = Search(found.specification or specification, found.operations)
    assert search.run(4 * len(found.operations)) is False, "a few steps for each operation"
    analysis = analyse(specification, history)
    assert (analysis.status, analysis.deepest is None) == (Status.INVALID, False)


@pytest.mark.parametrize("which", [each for each in KINDS if each not in ("priority queue", "set")])
def test_random_violations_among_many_pending_operations(which: str) -> None:
    """Two in five, or four in five, of 200 operations are pending."""
    kind = KINDS[which]
    source = random.Random(f"cores {which}")
    refuted = 0
    for turn in range(12):
        share = (0.4, 0.8)[turn % 2]
        history = history_of(kind, source, 200, width=8, pending=share, lies=0.01, swaps=2)
        found = conflict(kind.specification, history)
        if found is not None and found.operations:
            search = Search(found.specification or kind.specification, found.operations)
            assert search.run(20 * len(found.operations)) is False
            refuted += 1
    assert refuted >= 6
