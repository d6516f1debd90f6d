"""Weaker models of consistency: a planted violation of each and what is said of it, what is decided fast, and what stays unknown."""

import random
import time
from collections.abc import Iterable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from histories import operation
from isolation_oracle import transaction

from killpoint.properties import FifoQueue, KeyValue, Linearizable, Operation, Register, SpecificationError, Stack, Status, check
from killpoint.properties.consistency import (
    GUARANTEES,
    BoundedStaleness,
    KAtomic,
    Regular,
    Safe,
    SequentiallyConsistent,
    SessionGuarantee,
)
from killpoint.properties.history import Complete, History, Invoke
from killpoint.properties.independent import Independent
from killpoint.properties.registers import CasRegister
from killpoint.properties.verdict import Property, Verdict

KEYED = Independent(Register())


def told(*rows: str) -> list[Operation]:
    """`a 0-3 w5` writes 5, `b 4-5 r5` reads it, `b 4-5 r` reads None; a return `?` never came; with a letter, `wx5`, it has a key."""
    found = []
    for number, row in enumerate(rows):
        process, times, what = row.split()
        begin, end = times.split("-")
        key = what[1:2] if what[1:2].isalpha() else ""
        value = int(what[1 + len(key) :]) if what[1 + len(key) :] else None
        writes = what[0] == "w"
        answer: Any = (key, value) if key else value
        argument: Any = answer if writes else (key, None) if key else None
        span = int(begin), None if end == "?" else int(end)
        result = None if writes or end == "?" else answer
        found.append(operation(number, "write" if writes else "read", argument, result, span, process=process))
    return found


STALE = told("a 0-1 w1", "a 2-3 w2", "b 4-5 r1")
"""A read of what was overwritten, by somebody who cannot know."""

OLDER = told("a 0-1 w1", "a 2-3 w2", "b 4-5 r2", "b 6-7 r1")
"""The same, by somebody who has seen the newer value."""

DEKKER = told("a 0-1 wx1", "a 2-3 ry", "b 0-1 wy1", "b 2-3 rx")
"""Each raises a flag before looking at the other's, which is down: sequential consistency forbids it, and no single key shows it."""

PLANTED: dict[str, tuple[Property, list[Operation], str, tuple[int, ...]]] = {
    "sequential": (SequentiallyConsistent(), OLDER, "no-order", (1, 3)),
    "sequential by key": (SequentiallyConsistent(KEYED), DEKKER, "no-order", (0, 1, 2, 3)),
    "sequential queue": (
        SequentiallyConsistent(FifoQueue()),
        [
            operation(0, "enqueue", 1, None, (0, 1), process="a"),
            operation(1, "enqueue", 2, None, (2, 3), process="a"),
            operation(2, "dequeue", None, 2, (4, 5), process="b"),
            operation(3, "dequeue", None, 1, (6, 7), process="b"),
        ],
        "no-order",
        (2,),
    ),
    "regular": (Regular(), STALE, "stale-read", (0, 1, 2)),
    "strong-regular": (
        Regular(strong=True),
        # Two writes at once, and two readers who are sure of opposite orders.
        told("a 0-9 w1", "b 1-8 w2", "c 10-11 r1", "d 12-13 r2"),
        "no-order-of-writes",
        (0, 1, 2, 3),
    ),
    "safe": (Safe(), STALE, "stale-read", (0, 1, 2)),
    "k-atomic": (KAtomic(versions=2), told("a 0-1 w1", "a 2-3 w2", "a 4-5 w3", "b 6-7 r1"), "too-stale", (0, 1, 2, 3)),
    "k-atomic by search": (
        KAtomic(versions=2),
        told("a 0-1 w1", "a 2-3 w2", "a 4-20 w3", "b 5-6 r3", "c 21-22 r1"),
        "too-stale",
        (4,),
    ),
    "staleness": (BoundedStaleness(seconds=0.09), STALE, "too-stale", (2,)),
    "read-your-writes": (SessionGuarantee("read-your-writes"), told("a 0-1 w1", "a 2-3 w2", "a 4-5 r1"), "read-your-writes", (0, 1)),
    "monotonic-reads": (SessionGuarantee("monotonic-reads"), OLDER, "monotonic-reads", (0, 1)),
    "monotonic-writes": (
        SessionGuarantee("monotonic-writes", KEYED),
        told("a 0-1 wx1", "a 2-3 wy1", "b 4-5 ry1", "b 6-7 rx"),
        "monotonic-writes",
        (0, 3),
    ),
    "writes-follow-reads": (
        SessionGuarantee("writes-follow-reads", KEYED),
        told("a 0-1 wx1", "b 2-3 rx1", "b 4-5 wy1", "c 6-7 ry1", "c 8-9 rx"),
        "writes-follow-reads",
        (0, 4),
    ),
    "causal": (
        SessionGuarantee("causal", KEYED),
        # c sees the answer, y, and not the question, x, which a asked after he had asked z.
        told("a 0-1 wx1", "b 2-3 rx1", "b 4-5 wy1", "c 6-7 ry1", "c 8-9 rx"),
        "causal",
        (0, 4),
    ),
}


@pytest.mark.parametrize("which", PLANTED)
def test_every_planted_violation_is_found_and_told(which: str) -> None:
    prop, history, kind, operations = PLANTED[which]
    verdict = check(prop, events(history))
    assert verdict.status is Status.INVALID
    assert verdict.signature == (prop.name, kind)
    assert verdict.evidence is not None
    assert set(operations) <= set(verdict.evidence.operations)
    lines = "\n".join(verdict.evidence.lines)
    assert all(history[number].describe() in lines or "cannot be placed" in lines for number in operations), lines
    with pytest.raises(FrozenInstanceError):
        prop.functions = frozenset()  # type: ignore[attr-defined]


def events(operations: Iterable[Operation]) -> History:
    found: list[tuple[int, int, Any]] = []
    for one in operations:
        found.append((one.invoked, 0, one))
        if one.completed is not None:
            found.append((one.completed, 1, one))
    rows: list[Any] = []
    for index, (_at, ends, one) in enumerate(sorted(found, key=lambda row: row[:2])):
        when = (one.completed_at if ends else one.invoked_at) or 0.0
        row = Complete(index, when, one.process, one.id, one.outcome, one.result) if ends else None
        rows.append(row or Invoke(index, when, one.process, one.id, one.function, one.argument))
    return History(rows)


VALID: dict[str, tuple[Property, list[Operation]]] = {
    "sequential: nobody can tell": (SequentiallyConsistent(), STALE),
    "sequential: each key is stale, and all of it fits": (
        SequentiallyConsistent(KEYED),
        told("a 0-1 wx1", "a 2-3 wy1", "b 4-5 ry", "b 6-7 rx"),
    ),
    "sequential: read before it was written": (SequentiallyConsistent(), told("a 0-1 r1", "b 2-3 w1")),
    "regular: new and then old, while it is written": (Regular(), told("a 0-9 w1", "b 1-2 r1", "b 3-4 r")),
    "safe: nonsense while it is written": (Safe(), told("a 0-9 w1", "b 1-2 r7")),
    "safe: after a write of unknown outcome": (Safe(), told("a 0-? w1", "b 5-6 r7")),
    "2-atomic: one version behind": (KAtomic(versions=2), STALE),
    "3-atomic: two versions behind": (KAtomic(versions=3), told("a 0-1 w1", "a 2-3 w2", "a 4-5 w3", "b 6-7 r1")),
    "staleness: within the bound": (BoundedStaleness(seconds=0.1), STALE),
    "read-your-writes: somebody else's": (SessionGuarantee("read-your-writes"), STALE),
    "monotonic-reads: one's own writes may be missed": (SessionGuarantee("monotonic-reads"), told("a 0-1 w1", "a 2-3 r")),
    "monotonic-writes: reads between do not count": (
        SessionGuarantee("monotonic-writes", KEYED),
        told("a 0-1 wx1", "b 2-3 rx1", "b 4-5 wy1", "c 6-7 ry1", "c 8-9 rx"),
    ),
    "writes-follow-reads: the session's own writes do not count": (
        SessionGuarantee("writes-follow-reads", KEYED),
        told("a 0-1 wx1", "a 2-3 wy1", "b 4-5 ry1", "b 6-7 rx"),
    ),
    "causal: who knows nothing of each other": (SessionGuarantee("causal", KEYED), DEKKER),
}


@pytest.mark.parametrize("which", VALID)
def test_what_a_model_allows(which: str) -> None:
    prop, history = VALID[which]
    assert check(prop, events(history)).status is Status.VALID
    assert Linearizable(getattr(prop, "specification", Register())).judge(history).status is Status.INVALID


def test_what_is_said_of_a_stale_read() -> None:
    verdict = Regular().judge(STALE)
    assert verdict.reason == "b read 1, which had been overwritten"
    assert verdict.evidence is not None
    assert verdict.evidence.lines == (
        "a write(1) -> None   0.000 s .. 0.100 s",
        "a write(2) -> None   0.200 s .. 0.300 s   was called after that had returned, and returned before the read was called",
        "b read() -> 1   0.400 s .. 0.500 s",
    )


def test_what_is_said_where_no_order_exists() -> None:
    verdict = SequentiallyConsistent(KEYED).judge(DEKKER)
    assert verdict.evidence is not None
    assert verdict.evidence.lines[-1] == "So each of them would have to come before itself, in any order that respects the processes."
    assert "a write(('x', 1)), and then a read(('y', None)) -> ('y', None)" in verdict.evidence.lines
    assert "b write(('y', 1)) overwrote what a read(('y', None)) -> ('y', None) saw" in verdict.evidence.lines


def test_a_client_whose_outcome_is_unknown_begins_a_new_session() -> None:
    """As readers name them: `4`, and after an operation of unknown outcome `4/2`."""
    history = told("4 0-? w1", "5 1-2 r1", "4/2 3-4 r")
    assert SessionGuarantee("read-your-writes").judge(history).status is Status.VALID
    assert SequentiallyConsistent().judge(history).status is Status.VALID
    together = told("4 0-1 w1", "5 1-2 r1", "4 3-4 r")
    assert SessionGuarantee("read-your-writes").judge(together).status is Status.INVALID


def test_values_that_repeat_leave_it_open_whose_write_was_seen() -> None:
    history = told("a 0-1 w1", "a 2-3 w2", "a 4-5 w1", "b 6-7 r1")
    verdict = SessionGuarantee("monotonic-reads").judge(history)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason == "1 is written more than once, so it is not known whose write some reads saw"
    assert Regular(strong=True).judge(history).status is Status.VALID
    fuzzy = told("a 0-9 w1", "b 1-8 w2", "a 10-11 w3", "e 10-12 w1", "c 13-14 r3", "d 15-16 r1", "c 17-18 r3")
    assert Regular(strong=True).judge(fuzzy).status is Status.UNKNOWN


def test_a_budget_that_is_spent_is_unknown() -> None:
    source = random.Random(3)
    history = []
    for number in range(60):
        process = f"c{number % 6}"
        cas = operation(number, "cas", (source.randrange(3), source.randrange(3)), None, (2 * number, 2 * number + 1), process=process)
        history.append(cas)
    assert SequentiallyConsistent(CasRegister(0), budget=5).judge(history).status is Status.UNKNOWN
    verdict = SequentiallyConsistent(CasRegister(0)).judge(history)
    assert verdict.status is not Status.UNKNOWN
    many = told(*(f"p{number} {number}-{100 + number} w{number}" for number in range(40)), "r 200-201 r3", "r 202-203 r4", "r 204-205 r3")
    assert KAtomic(versions=3, budget=3).judge(many).status is Status.UNKNOWN


def test_any_specification_may_be_sequentially_consistent() -> None:
    push = [operation(0, "push", 1, None, (0, 1), process="a"), operation(1, "pop", None, 1, (4, 5), process="b")]
    early = operation(2, "pop", None, None, (2, 3), process="b")
    assert Linearizable(Stack()).judge([*push, early]).status is Status.INVALID
    assert SequentiallyConsistent(Stack()).judge([*push, early]).status is Status.VALID


def test_key_value_stores_are_registers_if_nobody_appends() -> None:
    store = [
        operation(0, "put", ("x", "1"), None, (0, 1), process="a"),
        operation(1, "get", "x", "", (2, 3), process="a"),
        operation(2, "get", "y", None, (4, 5), process="a"),
    ]
    for prop in (Regular(KeyValue()), Safe(KeyValue()), SessionGuarantee("read-your-writes", KeyValue()), KAtomic(KeyValue(), 1)):
        assert prop.judge(store).status is Status.INVALID
        assert prop.judge(store[::2]).status is Status.VALID
    append = operation(3, "append", ("x", "2"), None, (6, 7), process="a")
    with pytest.raises(SpecificationError, match="operation 3 of a is append, which reads and writes at once"):
        Regular(KeyValue()).judge([*store, append])
    assert SequentiallyConsistent(KeyValue()).judge([*store, append]).status is Status.INVALID


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: KAtomic(versions=0), "1 or more"),
        (lambda: BoundedStaleness(seconds=-1), "0 or more"),
        (lambda: BoundedStaleness(seconds=float("nan")), "0 or more"),
        (lambda: SessionGuarantee("monotonic"), "there are read-your-writes"),
        (lambda: SessionGuarantee("causal", workload="bank"), "there are list-append and rw-register"),
        (lambda: Regular(FifoQueue()).judge([operation(0, "enqueue", 1)]), "about registers"),
        (lambda: Regular(CasRegister()).judge([operation(0, "cas", (1, 2))]), "reads and writes at once"),
        (lambda: Regular().judge([operation(0, "jump")]), "no operation 'jump'"),
        (lambda: BoundedStaleness().judge([untimed(one) for one in STALE]), "the history has no times"),
    ],
)
def test_what_makes_no_sense_is_refused(made: Any, said: str) -> None:
    with pytest.raises(SpecificationError, match=said):
        made()


def untimed(one: Operation) -> Operation:
    return Operation(one.id, one.process, one.function, one.argument, one.outcome, one.result, None, one.invoked, one.completed, 0.0, 0.0)


# -- transactions -------------------------------------------------------------------------------------


def sessions(*rows: str) -> list[Operation]:
    """`a ax1 ry12` appends 1 to x and reads y as (1, 2); transactions one after another."""
    found = []
    for number, row in enumerate(rows):
        process, *words = row.split()
        parts = tuple(
            ("append", word[1], int(word[2:])) if word[0] == "a" else ("r", word[1], tuple(map(int, word[2:]))) for word in words
        )
        found.append(transaction(number, parts, (10 * number, 10 * number + 5), process))
    return found


LISTS = {
    "read-your-writes": ("a ax1", "a ax2", "b rx12", "a rx1"),
    "monotonic-reads": ("a ax1", "b rx1", "b rx"),
    "monotonic-writes": ("a ax1", "a ay1", "b ry1", "b rx"),
    "writes-follow-reads": ("a ax1", "b rx1", "b ay1", "c ry1", "c rx"),
    "causal": ("a ax1", "b rx1 ay1", "c ry1 rx"),
}


@pytest.mark.parametrize("guarantee", LISTS)
def test_lists_keep_guarantees_or_do_not(guarantee: str) -> None:
    verdict = SessionGuarantee(guarantee, workload="list-append").judge(sessions(*LISTS[guarantee]))
    assert verdict.signature == (f"SessionGuarantee({guarantee}, list-append)", guarantee)
    for other in GUARANTEES:
        broken = SessionGuarantee(other, workload="list-append").judge(sessions(*LISTS[guarantee])).status is Status.INVALID
        implied = set(GUARANTEES[guarantee]) <= set(GUARANTEES[other])
        assert broken or not implied


def test_the_order_of_versions_counts() -> None:
    """The session's own appends in another order than it made them; and lists that contradict each other."""
    backwards = sessions("a ax1", "a ax2", "b rx21")
    assert SessionGuarantee("monotonic-reads", workload="list-append").judge(backwards).status is Status.INVALID
    verdict = SessionGuarantee("monotonic-reads", workload="list-append").judge(sessions("a ax1", "b ax2", "c rx12", "d rx21"))
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "incompatible-order"
    assert SessionGuarantee("causal", workload="list-append").judge(sessions("a ax1", "b rx1", "b ax2", "c rx12")).status is Status.VALID


# -- long histories -----------------------------------------------------------------------------------


def replicated(size: int, seed: int, lag: int) -> list[Operation]:
    """Clients of replicas that follow one log, each at its own distance, and wait for their own writes: sequentially consistent."""
    source = random.Random(seed)
    log: list[tuple[str, int]] = []
    applied = {f"c{number}": 0 for number in range(8)}
    found = []
    for number in range(size):
        client, key = source.choice([*applied]), source.choice("uvwxyz")
        span = (2 * number, 2 * number + 1)
        if source.random() < 0.4:
            log.append((key, number))
            applied[client] = len(log)
            found.append(operation(number, "write", (key, number), None, span, process=client))
        else:
            applied[client] = max(applied[client], len(log) - source.randrange(lag))
            value = next((value for at, value in reversed(log[: applied[client]]) if at == key), None)
            found.append(operation(number, "read", (key, None), (key, value), span, process=client))
    return found


def judged(prop: Any, history: list[Operation]) -> tuple[Verdict, float]:
    began = time.process_time()
    return prop.judge(history), time.process_time() - began


def test_long_histories_of_lagging_replicas_are_decided() -> None:
    history = replicated(1500, seed=1, lag=30)
    assert Linearizable(KEYED).judge(history).status is Status.INVALID
    verdict, seconds = judged(SequentiallyConsistent(KEYED), history)
    assert verdict.status is Status.VALID, verdict.reason
    assert seconds < 10
    for guarantee in GUARANTEES:
        verdict, seconds = judged(SessionGuarantee(guarantee, KEYED), history)
        assert verdict.status is Status.VALID, verdict.reason
        assert seconds < 5


def test_one_read_too_many_in_a_long_history_is_found() -> None:
    """A client that goes back to what it had seen overwritten."""
    history = replicated(1500, seed=2, lag=3)
    span = (10_000, 10_001)
    first = next(one for one in history if one.function == "write")
    history.append(operation(9_999, "read", (first.argument[0], None), first.argument, span, process=first.process))
    others = Regular(KEYED), Regular(KEYED, strong=True), KAtomic(KEYED, 3)
    for prop in (SequentiallyConsistent(KEYED), SessionGuarantee("causal", KEYED), *others):
        verdict, seconds = judged(prop, history)
        assert verdict.status is Status.INVALID, (prop.name, verdict.reason)
        assert verdict.evidence is not None
        if not isinstance(prop, Regular | KAtomic):  # to which it is wrong that replicas lag at all
            assert 9_999 in verdict.evidence.operations
        assert seconds < 10
