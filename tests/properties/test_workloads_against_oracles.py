"""Every checker of a workload against its definition, on small random histories, half of them with unknown outcomes.

`NIGHTLY=1` in the environment makes it ten times as many.
"""

import os
import random
from collections.abc import Callable
from itertools import count

import pytest
import workload_oracles as oracles
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka_oracle import kafka_kinds, log_history

from killpoint.properties import (
    CausalReverse,
    CounterBounds,
    KafkaLog,
    Lease,
    LongFork,
    Monotonic,
    Operation,
    Outcome,
    SetFinal,
    SetFull,
    Status,
    TotalQueue,
    UniqueIds,
    Value,
    Verdict,
)
from killpoint.properties.workloads.kafka import KINDS

HISTORIES = 100_000 if os.environ.get("NIGHTLY") else 10_000
"""How many histories over all workloads."""

Call = tuple[str, Value, Value]
Invent = Callable[[random.Random], Call]


def history(source: random.Random, invent: Invent, size: int, pending: float) -> list[Operation]:
    """Operations of three processes at random, answers and all.  Some fail."""
    clock = count()
    lives = count(3)
    processes = [0, 1, 2]
    open_calls: dict[int, tuple[int, int, Call]] = {}
    done: list[Operation] = []
    numbers = count()
    while next(clock) < 2 * size or open_calls:
        at = source.randrange(3)
        process = processes[at]
        now = next(clock)
        if process not in open_calls:
            if now < 2 * size:
                open_calls[process] = next(numbers), now, invent(source)
            continue
        number, invoked, (function, argument, result) = open_calls.pop(process)
        chance = source.random()
        outcome = Outcome.INFO if chance < pending else Outcome.FAIL if chance > 0.9 else Outcome.OK
        known = outcome is Outcome.OK
        done.append(
            Operation(
                number,
                f"p{process}",
                function,
                argument,
                outcome,
                result if known else None,
                None,
                invoked,
                None if outcome is Outcome.INFO else now,
                invoked / 10,
                now / 10,
            )
        )
        if outcome is Outcome.INFO:
            processes[at] = next(lives)
    return sorted(done, key=lambda one: one.invoked)


def queue_call(source: random.Random) -> Call:
    element = source.randrange(4)
    chance = source.random()
    if chance < 0.5:
        return "enqueue", element, None
    return ("dequeue", None, source.choice([element, element, None])) if chance < 0.9 else ("drain", None, (element,))


def set_call(source: random.Random) -> Call:
    if source.random() < 0.45:
        return "add", source.randrange(3), None
    shown = [element for element in range(3) if source.random() < 0.7]
    return "read", None, tuple(shown + shown[:1] if source.random() < 0.04 else shown)


def counter_call(source: random.Random) -> Call:
    return ("add", source.choice([1, 2, 5, -3]), None) if source.random() < 0.6 else ("read", None, source.randrange(-3, 9))


def id_call(source: random.Random) -> Call:
    return "generate", None, source.randrange(12)


def reading(source: random.Random, keys: int) -> tuple[Value, Value]:
    """A read of some keys, mostly one of two groups, most of which are there in order."""
    group = [0, 1, 2] if source.random() < 0.5 else [2, 3] if source.random() < 0.8 else source.sample(range(keys), 2)
    level = source.randrange(keys + 1)
    values = [(key, 1 if (key < level) is (source.random() < 0.95) else None) for key in group]
    return tuple(("r", key, None) for key in group), tuple(("r", key, value) for key, value in values)


def row_call(source: random.Random) -> Call:
    rows = [(value, 2 * value + source.randrange(5)) for value in source.sample(range(8), source.randrange(4))]
    return "read", None, tuple(rows)


def write_call(source: random.Random) -> Call:
    if source.random() < 0.5:
        return "write", source.randrange(6), None
    level = source.randrange(6)
    return "read", None, tuple(value for value in range(6) if value < level and source.random() < 0.9)


def lease_call(source: random.Random) -> Call:
    chance = source.random()
    token = source.randrange(20)
    if chance < 0.4:
        return "acquire", None, source.choice([token, None, None])
    return ("release", None, None) if chance < 0.8 else ("write", token, None)


def claims(verdict: Verdict, *, invalid: bool) -> None:
    assert (verdict.status is Status.INVALID) is invalid, verdict


def check_queue(source: random.Random, pending: float) -> bool:
    operations = history(source, queue_call, 4, pending)
    for exactly_once in (False, True):
        verdict = TotalQueue(exactly_once=exactly_once).judge(operations)
        assert verdict.status is oracles.total_queue(operations, exactly_once=exactly_once), (verdict, operations)
    return verdict.status is Status.INVALID


def check_set(source: random.Random, pending: float) -> bool:
    operations = history(source, set_call, 4, pending)
    linearizable = oracles.set_is_linearizable(operations)
    claims(SetFull(linearizable=True).judge(operations), invalid=not linearizable)
    wrong = oracles.set_loses(operations) or oracles.set_shows_too_much(operations)
    claims(SetFull().judge(operations), invalid=wrong or oracles.repeats([one for one in operations if one.ok and one.function == "read"]))
    claims(SetFinal().judge(operations), invalid=not oracles.set_is_linearizable(oracles.only_final_read(operations)))
    return not linearizable


def check_counter(source: random.Random, pending: float) -> bool:
    operations = history(source, counter_call, 4, pending)
    bounded = oracles.counter_is_bounded(operations)
    claims(CounterBounds().judge(operations), invalid=not bounded)
    return not bounded


def check_ids(source: random.Random, pending: float) -> bool:
    operations = history(source, id_call, 4, pending)
    given = [one.result for one in operations if one.ok]
    claims(UniqueIds().judge(operations), invalid=any(given.count(one) > 1 for one in given))
    return any(given.count(one) > 1 for one in given)


def check_forks(source: random.Random, pending: float) -> bool:
    operations = history(source, lambda source: ("txn", *reading(source, 4)), 8, pending)
    # Nobody knows of the writes, but that they had begun before.
    info = Outcome.INFO
    writes = [Operation(100 + key, f"w{key}", "txn", (("w", key, 1),), info, None, None, key - 9, None, 0.0, None) for key in range(4)]
    forked = oracles.forks(operations)
    claims(LongFork().judge([*writes, *operations]), invalid=forked)
    return forked


def check_monotonic(source: random.Random, pending: float) -> bool:
    operations = history(source, row_call, 2, pending)
    backwards = oracles.goes_backwards(operations)
    claims(Monotonic().judge(operations), invalid=backwards)
    return backwards


def check_causal(source: random.Random, pending: float) -> bool:
    operations = history(source, write_call, 5, pending)
    reversed_order = oracles.reverses(operations)
    claims(CausalReverse().judge(operations), invalid=reversed_order)
    return reversed_order


def check_leases(source: random.Random, pending: float) -> bool:
    operations = history(source, lease_call, 5, pending)
    wrong = oracles.leases_overlap(operations, 0.7) or oracles.tokens_fall(operations)
    claims(Lease(duration=0.7).judge(operations), invalid=wrong)
    return wrong


def check_kafka(source: random.Random, pending: float) -> bool:
    operations = log_history(source, pending)
    verdict = KafkaLog(final_polls=False).judge(operations)
    found = set()
    if verdict.evidence is not None:
        found = {line.split()[1].rstrip(",") for line in verdict.evidence.lines if line.startswith("also ")} | {verdict.evidence.kind}
    expected = kafka_kinds(operations)
    # Of an offset with two values nobody can say which of them was passed over.
    ambiguous = {"lost-write"} if "inconsistent-offsets" in expected else set()
    assert found - ambiguous == expected - ambiguous, (verdict, operations)
    return bool(found)


CHECKS = [check_queue, check_set, check_counter, check_ids, check_forks, check_monotonic, check_causal, check_leases, check_kafka]

EACH = settings(max_examples=-(-HISTORIES // (2 * len(CHECKS))), deadline=None, derandomize=True, database=None)
EACH = settings(EACH, suppress_health_check=[*HealthCheck])


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_checker_agrees_with_its_definition(check: Callable[[random.Random, float], bool], crashes: bool) -> None:
    counts = {True: 0, False: 0}

    @EACH
    @given(st.integers(0, 1 << 48))
    def compare(seed: int) -> None:
        counts[check(random.Random(seed), 0.3 if crashes else 0.0)] += 1

    compare()
    assert min(counts.values()) > sum(counts.values()) // 40, f"too one-sided to show anything: {counts}"


def test_the_random_logs_have_every_anomaly() -> None:
    found = {kind for seed in range(600) for kind in kafka_kinds(log_history(random.Random(seed), 0.2))}
    # Those that only transactions have, or that take final polls, are planted one by one elsewhere.
    assert found == {*KINDS} - {"precommitted-read", "int-nonmonotonic-send", "unseen"}
