"""Monotonic atomic view, read atomicity and causality against every commit order, and one planted violation of each."""

import os
import random
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isolation_oracle import transaction
from test_isolation_anomalies import parts
from weak_oracle import LEVELS, holds, scrambled

from killpoint.properties.history import Operation
from killpoint.properties.isolation import Isolation, analyse
from killpoint.properties.isolation.levels import ruled_out
from killpoint.properties.verdict import Status

HISTORIES = 40_000 if os.environ.get("NIGHTLY") else 2_000
EACH = settings(max_examples=HISTORIES // 4, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])

WORKLOADS = ("rw-register", "list-append")


def told(operations: list[Operation]) -> str:
    return "\n".join(f"{one.invoked}-{one.completed} {one.describe()}" for one in operations)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_weak_levels_agree_with_every_commit_order(workload: str, crashes: bool) -> None:
    tally: Counter[str] = Counter()

    @EACH
    @given(st.integers(0, 1 << 32))
    def agree(seed: int) -> None:
        history = scrambled(random.Random(seed), workload, pending=0.3 if crashes else 0.0)
        analysis = analyse(history, workload)
        for level in LEVELS:
            expected = holds(level, history)
            out = level in analysis.ruled_out
            assert out is not expected, f"{level} {expected}, {[a.lines for a in analysis.anomalies]}\n{told(history)}"
            tally[f"{level} {expected}"] += 1
        tally.update(anomaly.kind for anomaly in analysis.anomalies)

    agree()
    for level in LEVELS:
        assert min(tally[f"{level} True"], tally[f"{level} False"]) > HISTORIES // 80, tally


def sessions(workload: str, *texts: str) -> list[Operation]:
    """Transactions that do not overlap, each after its process and a colon."""
    found = []
    for number, text in enumerate(texts):
        process, _, rest = text.partition(":")
        found.append(transaction(number, parts(workload, rest), (10 * number, 10 * number + 5), process))
    return found


PLANTED = {
    # b reads from the first transaction, and then misses the other half of it, which is newer since its process wrote it later.
    "OTV": ("a:wx1 wy1", "b:ry1 rx2", "c:rx1 wx2 wy2", "d:ry2 rx1"),
    "OTV-process": ("a:wx1", "a:wx2 wy2", "b:ry2 rx1"),
    "fractured-read": ("a:wx1", "a:wx2 wy2", "b:rx1 ry2"),
    "causality-violation": ("a:wx1", "a:wx2", "a:wy1", "b:ry1 wz1", "c:rz1 rx1"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_every_weak_anomaly_is_found_and_told(kind: str) -> None:
    history = sessions("rw-register", *PLANTED[kind])
    place = [*PLANTED].index(kind)
    for number, level in enumerate(LEVELS):
        verdict = Isolation(level, "rw-register").judge(history)
        assert verdict.status is (Status.INVALID if number >= place else Status.VALID), level
        if verdict.evidence is not None:
            assert verdict.evidence.kind == kind
            assert verdict.evidence.lines[-1].startswith("Still standing")
            assert all(f"T{number}" in "\n".join(verdict.evidence.lines) for number in verdict.evidence.operations)


def test_what_is_said_of_a_read_that_goes_back_in_causality() -> None:
    verdict = Isolation("causal-consistency", "rw-register").judge(sessions("rw-register", *PLANTED["causality-violation"]))
    assert verdict.evidence is not None
    assert verdict.evidence.lines == (
        "T0 = a: w 'x' 1",
        "T1 = a: w 'x' 2",
        "T4 = c: r 'z' 1, r 'x' 1",
        "T0 before T1: a ran T0 and then T1",
        (
            "T1 before T0: both wrote 'x'; T4 read it as T0 had left it, although T1 led to it (T1, T2, T3, T4: each read from the one "
            "before it, or followed it in its session)"
        ),
        "So each comes before the next, and T0 before itself: causality-violation.",
        (
            "Ruled out: strict-serializable, strong-session-serializable, strong-snapshot-isolation, strong-session-snapshot-isolation, "
            "parallel-snapshot-isolation, causal-consistency."
        ),
        "Still standing: serializable, strong-read-committed, read-atomic.",
    )


def test_what_was_there_in_the_beginning_is_older_than_all() -> None:
    history = sessions("rw-register", "a:wx1", "a:wy1", "b:ry1 wz1", "c:rz1", "c:rx")
    verdict = Isolation("causal-consistency", "rw-register").judge(history)
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "causality-violation"
    assert "T4 before T0: T4 read 'x' as it was in the beginning, before T0 wrote it" in verdict.evidence.lines
    assert Isolation("read-atomic", "rw-register").judge(history).status is Status.VALID


def test_a_read_that_has_not_changed_may_be_what_is_wrong() -> None:
    """x twice as it was, and between the two y, from somebody who wrote x as well."""
    history = [
        transaction(0, parts("rw-register", "rx ry1 rx"), (0, 9), "a"),
        transaction(1, parts("rw-register", "wx1 wy1"), (1, 8), "b"),
    ]
    verdict = Isolation("monotonic-atomic-view", "rw-register").judge(history)
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "OTV"
    early = [transaction(0, parts("rw-register", "rx rx ry1"), (0, 9), "a"), history[1]]
    assert Isolation("monotonic-atomic-view", "rw-register").judge(early).status is Status.VALID


def test_levels_without_sessions_do_not_know_them() -> None:
    """A session that reads the past is serializable, in an order that is not its own."""
    history = sessions("list-append", "a:ax1", "a:rx")
    standing = analyse(history).standing
    assert "serializable" in standing
    for level in ("read-atomic", "causal-consistency", "parallel-snapshot-isolation"):
        assert Isolation(level).judge(history).status is Status.INVALID


def test_a_long_fork_is_causal_and_no_snapshot() -> None:
    """Two writers, and two readers who see them in opposite orders: parallel snapshot isolation allows what snapshot isolation forbids."""
    history = sessions("list-append", "a:ax1", "b:ay1", "c:rx1 ry", "d:rx ry1")
    for level, status in (("parallel-snapshot-isolation", Status.VALID), ("snapshot-isolation", Status.INVALID)):
        assert Isolation(level).judge(history).status is status


def test_a_lost_update_is_causal() -> None:
    history = sessions("list-append", "a:rx ax1", "b:rx ax2", "c:rx12")
    assert Isolation("causal-consistency").judge(history).status is Status.VALID
    assert Isolation("parallel-snapshot-isolation").judge(history).status is Status.INVALID


def test_the_anomalies_imply_each_other_upwards() -> None:
    for kind, level in zip(PLANTED, LEVELS, strict=True):
        out = ruled_out([kind])
        assert level in out
        assert not set(out) & set(LEVELS[: LEVELS.index(level)])


def test_a_session_ends_where_an_outcome_is_unknown() -> None:
    """The client goes on under another name, and is another session: what it misses of its past is not held against anybody."""
    crashed = transaction(0, (("w", "x", 1),), (0, None), "a")
    seen = transaction(1, (("r", "x", 1),), (2, 3), "b")
    again = transaction(2, (("r", "x", None),), (4, 5), "a/2")
    assert Isolation("causal-consistency", "rw-register").judge([crashed, seen, again]).status is Status.VALID


def test_many_transactions_of_many_sessions_take_no_longer_than_their_product() -> None:
    """5,000 transactions of 50 sessions take less than a second; a closure of all pairs would take minutes."""
    source = random.Random(1)
    state: dict[int, int] = {}
    history = []
    for number in range(5_000):
        told: list[tuple[str, int, Any]] = []
        for _ in range(3):
            key = source.randrange(40)
            if source.random() < 0.5 and all(part[:2] != ("w", key) for part in told):
                state[key] = number + 1
                told.append(("w", key, number + 1))
            else:
                told.append(("r", key, state.get(key)))
        history.append(transaction(number, tuple(told), (2 * number, 2 * number + 1), f"c{source.randrange(50)}"))
    # One that misses what another session wrote before: causal, but not in any serial order that goes with real time.
    history.append(transaction(5_000, (("w", 40, 1),), (10_000, 10_001), "c50"))
    history.append(transaction(5_001, (("r", 40, None),), (10_002, 10_003), "c51"))
    assert not analyse(history, "rw-register").serial
    began = time.process_time()
    assert Isolation("causal-consistency", "rw-register").judge(history).status is Status.VALID
    assert time.process_time() - began < 10
