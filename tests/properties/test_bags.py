"""Queues without an order: the monitor, the search and all orders agree, and each of the three patterns is found."""

import os
import random
from collections import Counter
from functools import cache

import pytest
from histories import operation

from killpoint.properties import Linearizable, Operation, Outcome, SpecificationError, Status, UnorderedQueue, Value
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors import conflict
from killpoint.properties.search import Search

HISTORIES = 20_000 if os.environ.get("NIGHTLY") else 1_500


def possible(history: list[Operation]) -> bool:
    """True if some order of all that completed, and of some that did not, explains every result."""

    @cache
    def follow(done: frozenset[int], inside: tuple[Value, ...]) -> bool:
        left = [one for one in history if one.id not in done]
        if all(one.pending for one in left):
            return True
        first = min((one.completed for one in left if one.completed is not None), default=0)
        for one in left:
            if one.invoked > first:
                continue
            rest = done | {one.id}
            if one.function == "enqueue":
                if follow(rest, tuple(sorted((*inside, one.argument)))):  # type: ignore[type-var]  # numbers
                    return True
                continue
            if (one.pending or one.result is None) and not inside and follow(rest, ()):
                return True
            takes = [value for value in inside if one.pending or value == one.result]
            for value in takes:
                others = list(inside)
                others.remove(value)
                if follow(rest, tuple(others)):
                    return True
        return False

    return follow(frozenset(), ())


def recorded(source: random.Random, *, unique: bool, pending: float) -> list[Operation]:
    """Up to nine operations of three clients on a queue that gives out anything, some of whose answers are wrong."""
    inside: list[int] = []
    open_calls: list[tuple[int, str, int | None, int, list[int | None]]] = []
    found = []
    clock = 0
    fresh = 0
    size = source.randrange(3, 10)
    while fresh < size or open_calls:
        clock += 1
        if fresh < size and len(open_calls) < 3 and source.random() < 0.5:
            argument = (fresh if unique else source.randrange(3)) if source.random() < 0.5 else None
            open_calls.append((fresh, "dequeue" if argument is None else "enqueue", argument, clock, []))
            fresh += 1
            continue
        if not open_calls:
            continue
        call = source.choice(open_calls)
        number, function, argument, invoked, took = call
        if not took:
            if argument is not None:
                inside.append(argument)
            told = inside.pop(source.randrange(len(inside))) if argument is None and inside else None
            took.append(told if source.random() < 0.9 else source.choice([None, *range(6)]))
            continue
        open_calls.remove(call)
        end = None if source.random() < pending else clock
        result = took[0] if function == "dequeue" and end is not None else None
        found.append(operation(number, function, argument, result, (invoked, end)))
    return sorted(found, key=lambda one: one.invoked)


@pytest.mark.parametrize("pending", [0.0, 0.25])
@pytest.mark.parametrize("unique", [True, False])
def test_the_monitor_the_search_and_all_orders_agree(unique: bool, pending: float) -> None:
    source = random.Random(f"bags {unique} {pending}")
    tally: Counter[str] = Counter()
    for _ in range(HISTORIES // 4):
        history = recorded(source, unique=unique, pending=pending)
        expected = possible(history)
        told = "\n".join(f"{one.invoked}-{one.completed} {one.describe()}" for one in history)
        found = conflict(UnorderedQueue(), history)
        assert unique or found is None or not found.operations or not expected, told
        assert found is None or bool(found.operations) is not expected, told
        assert Search(UnorderedQueue(), history).run(1 << 30) is expected, told
        assert (analyse(UnorderedQueue(), history).status is Status.VALID) is expected, told
        tally[f"{expected} {'undecided' if found is None else 'decided'}"] += 1
    assert min(sum(number for key, number in tally.items() if key.startswith(word)) for word in ("True", "False")) > 20, tally
    assert not unique or sum(number for key, number in tally.items() if key.endswith(" decided")) > HISTORIES // 10, tally


def put(number: int, value: int, *span: int | None) -> Operation:
    return operation(number, "enqueue", value, None, span or (10 * number, 10 * number + 5))  # type: ignore[arg-type]


def take(number: int, value: int | None, *span: int | None) -> Operation:
    return operation(number, "dequeue", None, value, span or (10 * number, 10 * number + 5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([take(0, 1)], "nobody put 1 in"),
        ([take(0, 1), put(1, 1)], "1 was taken before it was put in"),
        ([put(0, 1), take(1, 1), take(2, 1)], "1 is not in it; dequeue() of p1 had returned before it began"),
        ([put(0, 1), take(1, None)], "1 is in it, so it is not empty; enqueue(1) of p0 had returned before it began"),
        ([put(0, 1), put(1, 1), take(2, None)], "1 is in it, so it is not empty"),
    ],
)
def test_each_pattern_is_found_and_told(history: list[Operation], words: str) -> None:
    verdict = Linearizable(UnorderedQueue()).judge(history)
    assert verdict.evidence is not None
    assert words in "\n".join((verdict.reason, *verdict.evidence.lines))


def test_what_was_put_in_may_come_out_in_any_order_or_never() -> None:
    history = [put(0, 1), put(1, 2), put(2, 3), take(3, 3), take(4, 1)]
    verdict = Linearizable(UnorderedQueue()).judge(history)
    assert verdict.status is Status.VALID
    assert "decided by the three patterns of a queue without order" in verdict.reason
    assert analyse(UnorderedQueue(), [*history, take(5, None)]).status is Status.INVALID
    assert analyse(UnorderedQueue(), [*history, take(5, None, 50, None), take(6, None)]).status is Status.VALID


def test_nothing_cannot_be_put_in() -> None:
    with pytest.raises(SpecificationError, match="enqueue needs a value other than nil"):
        analyse(UnorderedQueue(), [operation(0, "enqueue", None, None, (0, 1), Outcome.OK)])
