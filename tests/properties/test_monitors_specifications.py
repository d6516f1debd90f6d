"""Queues, stacks, sets, counters and locks as specifications: the search against all orders, where values repeat, and what is refused."""

import random

import pytest
from histories import Answer, Invent, brute_force, operation, random_history

from killpoint.properties import (
    Call,
    Counter,
    FencedMutex,
    FifoQueue,
    GrowSet,
    Operation,
    Outcome,
    OwnedMutex,
    PriorityQueue,
    ReentrantMutex,
    Set,
    Specification,
    SpecificationError,
    Stack,
    Status,
    Value,
)
from killpoint.properties.linearizability import Linearizable, analyse
from killpoint.properties.locks import owned_by_process
from killpoint.properties.search import Search
from killpoint.properties.specification import Refusal


def holding(put: str, take: str) -> tuple[Invent, Answer]:
    def invent(source: random.Random) -> tuple[str, Value]:
        return (put, source.randrange(1, 4)) if source.random() < 0.55 else (take, None)

    def answer(source: random.Random, function: str, argument: Value) -> Value:
        return source.choice([None, 1, 2, 3]) if function == take else None

    return invent, answer


def element_call(source: random.Random) -> tuple[str, Value]:
    return source.choice(["add", "remove", "contains"]), source.randrange(2)


def element_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.choice([True, False] if function == "contains" else [True, False, argument])


def growth_call(source: random.Random) -> tuple[str, Value]:
    return ("add", source.randrange(3)) if source.random() < 0.6 else ("read", None)


def growth_answer(source: random.Random, function: str, argument: Value) -> Value:
    return tuple(source.sample(range(3), source.randrange(4))) if function == "read" else argument


def counter_call(source: random.Random) -> tuple[str, Value]:
    function = source.choice(["add", "inc", "dec", "read", "read"])
    return function, source.choice([1, 2, -2]) if function == "add" else None


def counter_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.randrange(-3, 5) if function == "read" else None


def lock_call(source: random.Random) -> tuple[str, Value]:
    return source.choice(["acquire", "acquire", "release"]), source.choice("ab")


def lock_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.choice([None, 1, 2, 3]) if function == "acquire" else None


SPECIFICATIONS: dict[str, tuple[Specification, Invent, Answer]] = {
    "queue": (FifoQueue(), *holding("enqueue", "dequeue")),
    "stack": (Stack(), *holding("push", "pop")),
    "priority queue": (PriorityQueue(), *holding("insert", "poll")),
    "greatest first": (PriorityQueue(greatest_first=True), *holding("enqueue", "dequeue")),
    "set": (Set(), element_call, element_answer),
    "growing set": (GrowSet(), growth_call, growth_answer),
    "counter": (Counter(), counter_call, counter_answer),
    "owned mutex": (OwnedMutex(), lock_call, lock_answer),
    "re-entrant mutex": (ReentrantMutex(), lock_call, lock_answer),
    "twice re-entrant mutex": (ReentrantMutex(limit=2), lock_call, lock_answer),
    "fenced mutex": (FencedMutex(), lock_call, lock_answer),
}


@pytest.mark.parametrize("which", SPECIFICATIONS)
def test_search_agrees_with_every_order(which: str) -> None:
    """What a specification says of its calls (pure, may enable, interchangeable states) loses nothing."""
    specification, invent, answer = SPECIFICATIONS[which]
    source = random.Random(f"specification {which}")
    found = {True: 0, False: 0}
    for _ in range(900):
        options = {"width": source.choice([2, 3, 5]), "pending": source.choice([0.0, 0.2, 0.5]), "wrong": source.choice([0.0, 0.1, 0.3])}
        history = random_history(source, specification, invent, answer, source.randrange(1, 9), **options)
        judged = [one for one in history if one.outcome is not Outcome.FAIL]
        expected = brute_force(specification, judged)
        parts: dict[object, list[Operation]] = {}
        for one in judged:
            parts.setdefault(specification.partition(one), []).append(one)
        searched = all(Search(specification, part).run(1 << 30) for part in parts.values())
        assert searched is expected, [one.describe() for one in judged]
        assert analyse(specification, history).status is (Status.VALID if expected else Status.INVALID)
        found[expected] += 1
    assert min(found.values()) > 60, f"too one-sided to show anything: {found}"


def refusal(specification: Specification, *calls: tuple[str, Value, Value]) -> str:
    """What the last of these calls, one after another, is refused with."""
    state = specification.initial
    for function, argument, result in calls:
        following = specification.step(state, Call(function, argument, result))
        if isinstance(following, Refusal):
            return str(following)
        state = following
    return ""


REFUSED: list[tuple[Specification, list[tuple[str, Value, Value]], str]] = [
    (FifoQueue(), [("enqueue", 1, None), ("enqueue", 2, None), ("dequeue", None, 2)], "1 is next, not 2"),
    (FifoQueue(), [("enqueue", 1, None), ("dequeue", None, None)], "1 is in it, so it is not empty"),
    (FifoQueue(), [("dequeue", None, 1)], "it is empty, so 1 is not there"),
    (Stack(), [("push", 1, None), ("push", 2, None), ("pop", None, 1)], "2 is next, not 1"),
    (PriorityQueue(), [("insert", 2, None), ("insert", 1, None), ("poll", None, 2)], "1 is next, not 2"),
    (PriorityQueue(greatest_first=True), [("insert", 2, None), ("insert", 1, None), ("poll", None, 1)], "2 is next, not 1"),
    (Set(), [("add", 1, True), ("add", 1, True)], "1 is there already"),
    (Set(), [("add", 1, 1), ("contains", 1, False)], "1 is there"),
    (Set(), [("remove", 1, True)], "1 is not there"),
    (Set(), [("add", 1, True), ("contains", 1, (1, True)), ("remove", 1, True), ("contains", 1, True)], "1 is not there"),
    (GrowSet(), [("add", 1, 1), ("read", None, ())], "1 is in the set, and the read does not show it"),
    (GrowSet(), [("read", None, (1,))], "1 is not in the set, and the read shows it"),
    (GrowSet(), [("add", 1, None), ("read", None, (1, 1))], "the read shows 1 twice"),
    (Counter(), [("inc", None, None), ("add", 3, None), ("dec", None, None), ("read", None, 4)], "the counter stands at 3, not 4"),
    (OwnedMutex(), [("acquire", "a", None), ("acquire", "a", None)], "'a' holds the lock"),
    (OwnedMutex(), [("acquire", "a", None), ("release", "b", None)], "'a' holds the lock, so it is not for 'b' to release"),
    (OwnedMutex(), [("release", "b", None)], "the lock is free, so there is nothing to release"),
    (
        ReentrantMutex(),
        [("acquire", "a", None), ("acquire", "a", None), ("release", "a", None), ("acquire", "b", None)],
        "'a' holds the lock",
    ),
    (ReentrantMutex(limit=1), [("acquire", "a", None), ("acquire", "a", None)], "'a' holds the lock 1 times already, which is the limit"),
    (
        FencedMutex(),
        [("acquire", "a", 7), ("release", "a", None), ("acquire", "b", 7)],
        "token 7 was given out before, and 7 does not exceed it",
    ),
    (
        FencedMutex(),
        [("acquire", (("client", "a"),), (("client", "a"), ("fence", 7))), ("release", "b", None)],
        "'a' holds the lock, so it is not for 'b' to release",
    ),
]


@pytest.mark.parametrize(("specification", "calls", "words"), REFUSED)
def test_refusals_are_said_in_words(specification: Specification, calls: list[tuple[str, Value, Value]], words: str) -> None:
    assert refusal(specification, *calls[:-1]) == ""
    assert refusal(specification, *calls) == words


WRONG: list[tuple[Specification, str, Value, Value, str]] = [
    (FifoQueue(), "push", 1, None, "FifoQueue has no operation 'push'; it has enqueue and dequeue"),
    (FifoQueue(), "enqueue", None, None, "enqueue needs a value other than nil, which is what dequeue of nothing returns"),
    (Stack(), "drain", None, None, "Stack has no operation 'drain'; it has push and pop"),
    (Set(), "contains", 1, 7, "contains returns true or false, not 7"),
    (GrowSet(), "read", None, 3, "read returns all elements of the set, not 3"),
    (Counter(), "add", None, None, "the argument of add is a number, not None"),
    (Counter(), "inc", True, None, "the argument of inc is a number, not True"),
    (OwnedMutex(), "acquire", None, None, "the argument of acquire is the client, for nothing else says who it is"),
    (FencedMutex(), "lock", "a", None, "FencedMutex has no operation 'lock'; it has acquire and release"),
]


@pytest.mark.parametrize(("specification", "function", "argument", "result", "words"), WRONG)
def test_what_has_another_shape_is_turned_down(
    specification: Specification, function: str, argument: Value, result: Value, words: str
) -> None:
    with pytest.raises(SpecificationError) as error:
        Linearizable(specification).judge([operation(0, function, argument, result)])
    assert words in str(error.value)


def test_values_that_do_not_compare_are_turned_down() -> None:
    history = [operation(0, "insert", 1, None, (0, 1)), operation(1, "insert", "x", None, (2, 3)), operation(2, "poll", None, 1, (4, 5))]
    with pytest.raises(SpecificationError, match="'x' and 1 do not compare, so neither has the higher priority"):
        Linearizable(PriorityQueue()).judge(history)


def test_pairs_compare_by_priority_first() -> None:
    history = [
        operation(0, "insert", (2, "a"), None, (0, 1)),
        operation(1, "insert", (1, "b"), None, (2, 3)),
        operation(2, "poll", None, (1, "b"), (4, 5)),
        operation(3, "poll", None, (2, "a"), (6, 7)),
    ]
    assert Linearizable(PriorityQueue()).judge(history).status is Status.VALID


def test_where_no_client_is_named_the_process_is_it() -> None:
    history = [
        operation(0, "acquire", None, None, (0, 1), process="c1"),
        operation(1, "release", None, None, (2, 3), process="c2"),
    ]
    assert Linearizable(OwnedMutex()).judge(owned_by_process(history)).status is Status.INVALID
    named = [operation(0, "acquire", "x", None, (0, 1), process="c1"), operation(1, "release", "x", None, (2, 3), process="c2")]
    assert Linearizable(OwnedMutex()).judge(owned_by_process(named)).status is Status.VALID


def test_what_is_in_the_way_of_a_value_is_blamed_and_not_the_value() -> None:
    puts = [operation(0, "enqueue", 1, None, (0, 1), process="c1"), operation(1, "enqueue", 2, None, (2, 3), process="c2")]
    verdict = Linearizable(FifoQueue()).judge([*puts, operation(2, "dequeue", None, 2, (4, 5))])
    assert verdict.evidence is not None
    assert verdict.evidence.lines[-2].endswith("1 is next, not 2; enqueue(1) of c1 had returned before enqueue(2) of c2 began")
    verdict = Linearizable(FifoQueue()).judge([*puts, operation(2, "dequeue", None, None, (4, 5))])
    assert verdict.evidence is not None
    assert any("1 is in it, so it is not empty; enqueue(1) of c1 had returned before it began" in line for line in verdict.evidence.lines)
    again = operation(3, "enqueue", 1, None, (6, 7), process="c3")
    verdict = Linearizable(FifoQueue()).judge([*puts, again, operation(2, "dequeue", None, 2, (8, 9))])
    assert verdict.evidence is not None
    assert any("1 is next, not 2" in line for line in verdict.evidence.lines)
    assert not any("enqueue(1) of c1" in line and "enqueue(2)" in line for line in verdict.evidence.lines), "it may be the other 1"
