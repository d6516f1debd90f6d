"""A planted violation for every pattern of every monitor, long histories that are right, and histories that are not for monitors."""

import random
from collections.abc import Sequence

import pytest
from histories import operation
from unambiguous import KINDS, Kind, history_of

from killpoint.properties import (
    CasRegister,
    Counter,
    FifoQueue,
    GrowSet,
    Linearizable,
    Operation,
    Outcome,
    PriorityQueue,
    Register,
    Set,
    Specification,
    Stack,
    Status,
    Value,
)
from killpoint.properties.independent import Independent
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors import conflict, method
from killpoint.properties.search import Search
from killpoint.properties.specification import Call, Refusal, State

Row = tuple[str, Value, Value, int, int | None]


def rows(*given: Row) -> list[Operation]:
    """Operations from (function, argument, result, call, return)."""
    return [operation(at, function, argument, result, (called, end)) for at, (function, argument, result, called, end) in enumerate(given)]


def put(value: Value, called: int, end: int | None, name: str = "enqueue") -> Row:
    return name, value, None, called, end


def take(value: Value, called: int, end: int | None, name: str = "dequeue") -> Row:
    return name, None, value, called, end


def push(value: Value, called: int, end: int | None) -> Row:
    return put(value, called, end, "push")


def pop(value: Value, called: int, end: int | None) -> Row:
    return take(value, called, end, "pop")


def write(value: Value, called: int, end: int | None) -> Row:
    return put(value, called, end, "write")


def read(value: Value, called: int, end: int | None) -> Row:
    return take(value, called, end, "read")


def cas(before: Value, after: Value, called: int, end: int | None) -> Row:
    return "cas", (before, after), None, called, end


def ask(value: Value, answer: bool, called: int, end: int | None) -> Row:
    return "contains", value, answer, called, end


PLANTED: dict[str, tuple[Specification, list[Row], str]] = {
    "queue: out of nothing": (FifoQueue(), [put(1, 0, 1), take(2, 2, 3)], "nobody put 2 in"),
    "queue: before it was in": (FifoQueue(), [take(1, 0, 1), put(1, 2, 3)], "1 was taken before it was put in"),
    "queue: twice": (FifoQueue(), [put(1, 0, 1), take(1, 2, 3), take(1, 4, 5)], "1 was put in once and taken twice"),
    "queue: overtaken": (
        FifoQueue(),
        [put(1, 0, 1), put(2, 2, 3), take(2, 4, 5), take(1, 6, 7)],
        "1 was in the queue before 2 was put in, and 2 was out before anybody took 1",
    ),
    "queue: lost": (
        FifoQueue(),
        [put(1, 0, 1), put(2, 2, 3), take(2, 4, 5)],
        "1 was in the queue before 2 was put in, and 2 was out before anybody took 1",
    ),
    "queue: more lost than crashed clients took": (
        FifoQueue(),
        [put(1, 0, 1), put(2, 2, 3), put(3, 4, 5), take(None, 6, None), take(3, 7, 8)],
        "2 was in the queue before 3 was put in, and 3 was out before anybody took 2; 2 values are in this place, and 1 pending",
    ),
    "queue: a crashed client that came too late": (
        FifoQueue(),
        [put(1, 0, 1), put(2, 2, 3), take(2, 4, 5), take(None, 6, None)],
        "1 was in the queue before 2 was put in, and 2 was out before anybody took 1",
    ),
    "queue: not empty": (FifoQueue(), [put(1, 0, 1), take(None, 2, 3), take(1, 4, 5)], "there was a value in it all the time"),
    "queue: never empty": (
        FifoQueue(),
        [put(1, 0, 1), put(2, 2, 4), take(None, 3, 9), take(1, 6, 7), take(2, 10, 11)],
        "there was a value in it all the time",
    ),
    "stack: crossed": (
        Stack(),
        [push(1, 0, 1), push(2, 2, 3), pop(1, 4, 5), pop(2, 6, 7)],
        "no order of pushes lets 1, 2 be popped when they were, the last one in first",
    ),
    "stack: buried": (
        Stack(),
        [push(1, 0, 1), push(2, 2, 3), pop(1, 4, 5)],
        "no order of pushes lets 1, 2 be popped when they were, the last one in first",
    ),
    "stack: held by several": (
        Stack(),
        [push(1, 0, 1), push(2, 2, 3), push(3, 4, 6), pop(1, 5, 8), pop(2, 7, 13), pop(3, 11, 14)],
        "no order of pushes lets 1, 2, 3 be popped when they were",
    ),
    "stack: out of nothing": (Stack(), [pop(1, 0, 1)], "nobody put 1 in"),
    "stack: before it was in": (Stack(), [pop(1, 0, 1), push(1, 2, 3)], "1 was taken before it was put in"),
    "stack: twice": (Stack(), [push(1, 0, 1), pop(1, 2, 3), pop(1, 4, 5)], "1 was put in once and taken twice"),
    "stack: not empty": (Stack(), [push(1, 0, 1), pop(None, 2, 3)], "there was a value in it all the time"),
    "priorities: a higher one is inside": (
        PriorityQueue(),
        [put(1, 0, 1, "insert"), put(2, 2, 3, "insert"), take(2, 4, 5, "poll"), take(1, 6, 7, "poll")],
        "there was a value of higher priority than 2 in it all the time",
    ),
    "priorities: one of several is inside": (
        PriorityQueue(),
        [put(2, 0, 1, "insert"), put(1, 2, 3, "insert"), put(3, 4, 5, "insert"), take(3, 6, 11, "poll"), take(1, 8, 9, "poll")],
        "there was a value of higher priority than 3 in it all the time",
    ),
    "priorities: greatest first": (
        PriorityQueue(greatest_first=True),
        [put(1, 0, 1, "insert"), put(2, 2, 3, "insert"), take(1, 4, 5, "poll")],
        "there was a value of higher priority than 1 in it all the time",
    ),
    "priorities: out of nothing": (PriorityQueue(), [take(1, 0, 1, "poll")], "nobody put 1 in"),
    "priorities: not empty": (PriorityQueue(), [put(1, 0, 1), take(None, 2, 3)], "there was a value in it all the time"),
    "set: nobody added": (Set(), [ask("x", True, 0, 1)], "nobody added 'x'"),
    "set: removed without an add": (Set(), [("remove", "x", True, 0, 1)], "nobody added 'x'"),
    "set: there too early": (Set(), [ask("x", True, 0, 1), ("add", "x", True, 2, 3)], "'x' was added once, and nobody removed it"),
    "set: not there": (Set(), [("add", "x", None, 0, 1), ask("x", False, 2, 3)], "'x' was added once, and nobody removed it"),
    "set: there too late": (
        Set(),
        [("add", "x", True, 0, 1), ("remove", "x", True, 2, 3), ask("x", True, 4, 5)],
        "'x' was added once and removed once",
    ),
    "set: removed before it was added": (
        Set(),
        [("remove", "x", True, 0, 1), ("add", "x", True, 2, 3)],
        "'x' was added once and removed once",
    ),
    "set: absent in between": (
        Set(),
        [("add", "x", True, 0, 1), ask("x", False, 2, 3), ask("x", True, 4, 5), ("remove", "x", True, 6, 7)],
        "'x' was added once and removed once",
    ),
    "set: whatever the remove did": (
        Set(),
        [("add", "x", None, 0, 1), ("remove", "x", None, 2, 3), ask("x", True, 4, 5)],
        "'x' was added once, and removed at most once",
    ),
    "growing set: nobody added": (GrowSet(), [read((1,), 0, 1)], "nobody added 1"),
    "growing set: too early": (GrowSet(), [read((1,), 0, 1), ("add", 1, None, 2, 3)], "1 was read before its add was invoked"),
    "growing set: not there": (GrowSet(), [("add", 1, 1, 0, 1), read((), 2, 3)], "1 was added before, and the read does not show it"),
    "growing set: gone": (
        GrowSet(),
        [("add", 1, None, 0, None), read((1,), 1, 2), read((), 3, 4)],
        "1 was read before, and is not in the set any more",
    ),
    "growing set: incomparable": (
        GrowSet(),
        [("add", 1, None, 0, 9), ("add", 2, None, 1, 8), read((1,), 2, 6), read((2,), 3, 7)],
        "one read shows 1 and not 2, the other the other way round",
    ),
    "growing set: in the wrong order": (
        GrowSet(),
        [("add", 1, None, 0, 1), read((2,), 2, 5), ("add", 2, None, 3, 4)],
        "a read shows 2 and not 1, which was there first",
    ),
    "growing set: adds in the wrong order": (
        GrowSet(),
        [read((2,), 0, 9), ("add", 1, None, 1, 2), ("add", 2, None, 3, 4)],
        "a read shows 2 and not 1, which was there first",
    ),
    "growing set: twice": (GrowSet(), [("add", 1, None, 0, 1), read((1, 1), 2, 3)], "no set has 1 in it twice"),
    "counter: too much": (Counter(), [("inc", None, None, 0, 1), read(2, 2, 3)], "what was added by then makes 1 at most"),
    "counter: too little": (Counter(), [("inc", None, None, 0, 1), read(0, 2, 3)], "what was added by then makes 1 at least"),
    "counter: too little of different steps": (
        Counter(),
        [("add", 5, None, 0, 1), ("add", -2, None, 2, None), read(2, 3, 4)],
        "what was added by then makes 3 at least",
    ),
    "counter: backwards": (
        Counter(),
        [("inc", None, None, 0, 9), read(1, 1, 2), read(0, 3, 4)],
        "it only ever grows",
    ),
    "counter: in steps": (Counter(), [("add", 2, None, 0, 9), read(1, 1, 2)], "it goes in steps of 2, and begins with 0"),
    "counter: a deadline between two reads": (
        Counter(),
        [("inc", None, None, 0, 20), read(1, 1, 2), ("inc", None, None, 3, 4), read(1, 5, 6)],
        "what was added before makes 2",
    ),
    "counter: a deadline that only schedules show": (
        Counter(),
        [
            *(("inc", None, None, 0, 40), read(1, 1, 2), ("inc", None, None, 3, 4), read(2, 5, 6)),
            *(("inc", None, None, 7, 8), read(2, 9, 10)),
        ],
        "what was added before makes 3",
    ),
    "register: two at once": (
        Register(),
        [write(1, 0, 9), write(2, 1, 10), read(1, 2, 3), read(2, 4, 5), read(1, 6, 7)],
        "one value would have to be there before, during and after the other",
    ),
    "chain: never written": (CasRegister(), [cas(7, 8, 0, 1)], "nobody wrote 7"),
    "chain: never read": (CasRegister(), [cas(None, 8, 0, 1), read(9, 2, 3)], "nobody wrote 9"),
    "chain: replaced twice": (
        CasRegister(),
        [write(1, 0, 1), cas(1, 2, 2, 5), cas(1, 3, 3, 6)],
        "two compare-and-sets replaced 1, which was written only once",
    ),
    "chain: stale read": (
        CasRegister(),
        [write(1, 0, 1), cas(1, 2, 2, 3), read(1, 4, 5)],
        "2 came after 1, but was there before that was over",
    ),
    "chain: read before it was there": (CasRegister(), [read(2, 0, 1), cas(None, 2, 2, 3)], "2 was read before its cas was invoked"),
    "chain: in the wrong order": (
        CasRegister(),
        [cas(1, 2, 0, 1), cas(None, 1, 2, 3)],
        "2 came after 1, but was there before that was over",
    ),
    "chain: a circle": (
        CasRegister(),
        [cas(1, 2, 0, 3), cas(2, 1, 1, 4)],
        "these compare-and-sets would have to come before each other",
    ),
    "chain: itself": (CasRegister(), [cas(1, 1, 0, 3)], "these compare-and-sets would have to come before each other"),
    "chain: crashed, and seen too late": (
        CasRegister(),
        [write(1, 0, 1), cas(1, 2, 2, None), cas(2, 3, 3, None), read(3, 4, 5), read(1, 6, 7)],
        "3 came after 1, but was there before that was over",
    ),
    "chain: two chains at once": (
        CasRegister(),
        [write(1, 0, 9), write(5, 1, 10), cas(1, 2, 2, 3), cas(5, 6, 4, 5), cas(2, 3, 6, 7)],
        "one value would have to be there before, during and after the other",
    ),
    "chain: two at the same time": (
        CasRegister(),
        [write(1, 0, 1), write(5, 2, 3), cas(1, 2, 4, 5), cas(5, 6, 6, 7)],
        "the register would have to hold two values at the same time",
    ),
}


@pytest.mark.parametrize("which", PLANTED)
def test_planted_violations_are_found_and_explained(which: str) -> None:
    specification, given, why = PLANTED[which]
    history = rows(*given)
    assert Search(specification, history).run(1 << 30) is False, "the plant is no violation"
    found = conflict(specification, history)
    assert found is not None
    assert found.operations
    assert found.why.startswith(why), found.why
    judge = found.specification or specification
    assert Search(judge, found.operations).run(1 << 30) is False
    verdict = Linearizable(specification).judge(history)
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "cannot-be-placed"
    assert any("cannot be placed" in line for line in verdict.evidence.lines)
    assert analyse(specification, history).method == method(specification)


# -- long histories -------------------------------------------------------------------------------------


def long_history(which: str, size: int) -> tuple[Kind, list[Operation]]:
    kind = KINDS[which]
    return kind, history_of(kind, random.Random(f"long {which}"), size, width=20, lies=0.0)


@pytest.mark.parametrize("which", [name for name in KINDS if name not in ("set", "growing set", "counter of steps")])
def test_long_histories_that_are_right_pass(which: str) -> None:
    kind, history = long_history(which, 10_000 if which != "priority queue" else 100)
    analysis = analyse(kind.specification, history, 0)
    assert (analysis.status, analysis.steps, analysis.method) == (Status.VALID, 0, method(kind.specification))
    verdict = Linearizable(kind.specification).judge(history)
    assert verdict.reason == f"an order of the operations explains every result (decided {analysis.method})"


def counted(size: int, function: str, back: str, value_of: "dict[str, str]") -> list[Operation]:
    history = []
    for number in range(size // 2):
        history.append(operation(2 * number, function, number, None, (4 * number, 4 * number + 2)))
        argument, result = (number, True) if value_of[back] == "argument" else (None, number)
        history.append(operation(2 * number + 1, back, argument, result, (4 * number + 3, 4 * number + 5)))
    return [one for one in history if one.completed is not None]


@pytest.mark.parametrize(("specification", "function", "back"), [(Set(), "add", "remove"), (PriorityQueue(), "insert", "poll")])
def test_long_histories_of_what_comes_and_goes_pass(specification: Specification, function: str, back: str) -> None:
    history = counted(10_000, function, back, {"remove": "argument", "poll": "result"})
    assert analyse(specification, history, 0).status is Status.VALID


def test_a_violation_at_the_end_of_a_long_history_is_told_in_a_few_operations() -> None:
    for which, last in {
        "queue": [put(-1, 0, 1), put(-2, 2, 3), take(-2, 4, 5)],
        "stack": [push(-1, 0, 1), push(-2, 2, 3), pop(-1, 4, 5)],
        "cas": [write(-1, 0, 1), cas(-1, -2, 2, 3), read(-1, 4, 5)],
    }.items():
        kind, history = long_history(which, 4_000)
        end = max(one.completed or 0 for one in history) + 1
        ids = len(history) + 10_000
        late = [
            operation(ids + one.id, one.function, one.argument, one.result, (one.invoked + end, (one.completed or 0) + end))
            for one in rows(*last)
        ]
        found = conflict(kind.specification, [*history, *late])
        assert found is not None
        assert 1 < len(found.operations) <= 5, f"{which}: {[one.describe() for one in found.operations]}"
        verdict = Linearizable(kind.specification).judge([*history, *late])
        assert verdict.status is Status.INVALID
        assert verdict.evidence is not None
        assert len(verdict.evidence.lines) <= 6


def test_a_deep_stack_is_taken_down_layer_by_layer() -> None:
    size = 3_000
    down = [operation(n, "push", n, None, (2 * n, 2 * n + 1)) for n in range(size)]
    top = 2 * size
    up = [operation(size + n, "pop", None, size - 1 - n, (top + 2 * n, top + 2 * n + 1)) for n in range(size)]
    found = conflict(Stack(), [*down, *up])
    assert found is not None
    assert not found.operations
    wrong = [*up[:1000], *(operation(one.id, "pop", None, 999, (one.invoked, one.completed)) for one in up[1000:1001])]
    found = conflict(Stack(), [*down, *wrong])
    assert found is not None
    assert len(found.operations) == 3


# -- not for monitors -----------------------------------------------------------------------------------

ASIDE: dict[str, tuple[Specification, Sequence[Row]]] = {
    "a value put in twice": (FifoQueue(), [put(1, 0, 1), put(1, 2, 3)]),
    "a value pushed twice, once by a client that crashed": (Stack(), [push(1, 0, 1), push(1, 2, None)]),
    "an element added twice": (Set(), [("add", 1, None, 0, 1), ("add", 1, None, 2, 3)]),
    "an element added to a growing set twice": (GrowSet(), [("add", 1, None, 0, 1), ("add", 1, None, 2, 3)]),
    "a value written twice": (CasRegister(), [write(1, 0, 1), cas(2, 1, 2, 3)]),
    "a value that stood there": (CasRegister(1), [cas(2, 1, 2, 3)]),
    "steps of two kinds, with a choice": (Counter(), [("add", 2, None, 0, 9), ("add", 3, None, 1, 8), read(2, 2, 3)]),
    "a crashed client that may have popped": (Stack(), [push(1, 0, 1), pop(None, 2, None), pop(None, 3, 4)]),
    "a crashed client that may have polled": (PriorityQueue(), [put(1, 0, 1), take(None, 2, None), take(None, 3, 4)]),
    "a crashed client that may have emptied it": (FifoQueue(), [put(1, 0, 1), take(None, 2, None), take(None, 3, 4)]),
}


@pytest.mark.parametrize("which", ASIDE)
def test_monitors_step_aside_where_they_cannot_tell(which: str) -> None:
    specification, given = ASIDE[which]
    history = rows(*given)
    assert conflict(specification, history) is None
    assert analyse(specification, history).method.startswith("by search, in ")


def test_a_failed_comparison_that_counts_leaves_a_valid_history_to_the_search() -> None:
    failed = operation(2, "cas", (1, 5), None, (4, 5), Outcome.FAIL)
    history = [*rows(write(1, 0, 1), cas(1, 2, 2, 3)), failed]
    observing = CasRegister(failed_cas_observes=True)
    assert conflict(observing, history) is None
    assert analyse(observing, history).status is Status.VALID
    stale = operation(3, "read", None, 1, (6, 7))
    found = conflict(observing, [*history, stale])
    assert found is not None
    assert stale in found.operations


def test_elements_that_are_not_for_the_monitor_are_searched_and_others_are_not() -> None:
    twice = rows(("add", "x", None, 0, 1), ("remove", "x", None, 2, 3), ("add", "x", True, 4, 5), ("add", "y", None, 6, 7))
    analysis = analyse(Set(), twice)
    assert analysis.status is Status.VALID
    assert analysis.method.startswith("by the life of each element and by search, in ")


def test_a_specification_of_somebodys_own_is_searched() -> None:
    class Forgetful(FifoQueue):
        """Loses what it is given."""

        def step(self, state: State, call: Call) -> State | Refusal:
            return state if call.function == "enqueue" else super().step(state, call)

    class Renamed(FifoQueue):
        """The same by another name."""

    history = rows(put(1, 0, 1), take(None, 2, 3))
    assert conflict(Forgetful(), history) is None
    assert analyse(Forgetful(), history).status is Status.VALID
    assert conflict(Renamed(), history) is not None
    assert analyse(Renamed(), history).status is Status.INVALID


def test_events_far_apart_or_at_the_same_moment_are_numbered_anew() -> None:
    apart = [
        operation(one.id, one.function, one.argument, one.result, (one.invoked * 10**12, (one.completed or 0) * 10**12))
        for one in rows(put(1, 0, 1), put(2, 2, 3), take(2, 4, 5), take(1, 6, 7))
    ]
    found = conflict(FifoQueue(), apart)
    assert found is not None
    assert set(found.operations) == set(apart), "these are the operations that were given"
    touching = rows(put(1, 0, 1), put(2, 1, 2), take(2, 2, 3), take(1, 3, 4))
    assert conflict(FifoQueue(), touching) is not None
    assert Search(FifoQueue(), touching).run(1000) is False


def test_queues_by_key_are_decided_key_by_key() -> None:
    history = rows(
        put((1, "a"), 0, 1), put((2, "b"), 2, 3), put((1, "c"), 4, 5),
        ("dequeue", (2, None), (2, "b"), 6, 7), ("dequeue", (1, None), (1, "c"), 8, 9),
    )  # fmt: skip
    analysis = analyse(Independent(FifoQueue()), history)
    assert (analysis.status, analysis.part) == (Status.INVALID, (1, None))
    assert analysis.method == "by the four patterns of a queue"
    assert analyse(Independent(FifoQueue()), history[:-1]).status is Status.VALID
    stale = rows(write((1, "a"), 0, 1), cas(1, ("a", "b"), 2, 3), ("read", (1, None), (1, "a"), 4, 5))
    assert analyse(Independent(CasRegister()), stale).status is Status.INVALID


def test_counters_begin_where_they_are_told() -> None:
    history = rows(("dec", None, None, 0, 1), read(9, 2, 3))
    assert conflict(Counter(10), history) == conflict(Counter(10), [])
    found = conflict(Counter(), history)
    assert found is not None
    assert found.operations


def test_thousands_of_increments_are_told_by_a_few() -> None:
    history = [operation(n, "inc", None, None, (2 * n, 2 * n + 1)) for n in range(5_000)]
    history.append(operation(5_000, "read", None, 4_990, (10_000, 10_001)))
    verdict = Linearizable(Counter()).judge(history)
    assert verdict.evidence is not None
    assert len(verdict.evidence.operations) <= 7
    assert "the counter stands at 5000, not 4990" in "\n".join(verdict.evidence.lines)


def test_many_crashed_clients_do_not_make_a_violation_expensive() -> None:
    """Sixty pending dequeues, and one value more than they could have taken: known without any search."""
    size = 60
    crashed = [operation(n, "dequeue", None, None, (n, None)) for n in range(size)]
    puts = [operation(size + n, "enqueue", n, None, (size + 2 * n, size + 2 * n + 1)) for n in range(size + 2)]
    late = operation(1000, "dequeue", None, size + 1, (1000, 1001))
    assert analyse(FifoQueue(), [*crashed, *puts, late]).status is Status.INVALID
    assert analyse(FifoQueue(), [*crashed, *puts[1:], late]).status is Status.VALID


def test_a_chain_is_told_from_its_beginning_only_where_that_is_near() -> None:
    """A stale read after 5 or 5,000 compare-and-sets: with all of them, or to a register that holds what they left."""
    for size in (5, 5_000):
        history = [operation(0, "write", 0, None, (0, 1))]
        history += [operation(n, "cas", (n - 1, n), None, (2 * n, 2 * n + 1)) for n in range(1, size)]
        history.append(operation(size, "read", None, size - 2, (2 * size, 2 * size + 1)))
        found = conflict(CasRegister(), history)
        assert found is not None
        assert len(found.operations) <= 6
        assert found.specification == (None if size == 5 else CasRegister(size - 3))
        lines = "\n".join((Linearizable(CasRegister()).judge(history).evidence or pytest.fail("no evidence")).lines)
        assert f"the register holds {size - 1}, not {size - 2}" in lines


def test_a_read_of_thousands_of_elements_is_told_in_short_lines() -> None:
    history = [operation(n, "add", n, n, (2 * n, 2 * n + 1)) for n in range(5_000)]
    history.append(operation(5_000, "read", None, tuple(range(1, 5_000)), (10_000, 10_001)))
    verdict = Linearizable(GrowSet()).judge(history)
    assert verdict.evidence is not None
    assert verdict.evidence.operations == (0, 5_000)
    assert "(1, 2, 3, 4, 5, 6, ... 4991 more ..., 4998, 4999)" in "\n".join(verdict.evidence.lines)
    assert "0 is in the set, and the read does not show it" in "\n".join(verdict.evidence.lines)
    assert max(map(len, verdict.evidence.lines)) < 300
