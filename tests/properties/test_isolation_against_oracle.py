"""What is inferred of transactions against every order there is, on small histories of databases with planted bugs."""

import random
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isolation_oracle import DATABASES, LEVELS, levels, random_history

from killpoint.properties.history import Operation
from killpoint.properties.isolation import Isolation, analyse
from killpoint.properties.verdict import Status

EXAMPLES = settings(max_examples=2000, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


DIRTY = ("careless", "confused")
"""Databases that show what did not commit."""

UNEXPLAINED = re.compile(r"^T\d+ comes before T\d+$")


def one_history(seed: int, workload: str, kind: str) -> list[Operation]:
    source = random.Random(seed)
    return random_history(source, workload, kind, source.randrange(2, 7), keys=source.choice(["x", "xy", "xyz"]))


def told(operations: list[Operation]) -> str:
    return "\n".join(f"{one.invoked}-{one.completed} {one.describe()}" for one in operations)


@pytest.mark.parametrize("kind", DATABASES)
def test_lists_agree_with_every_order(kind: str) -> None:
    tally: Counter[str] = Counter()

    @settings(EXAMPLES, max_examples=EXAMPLES.max_examples // len(DATABASES))
    @given(st.integers(0, 1 << 32))
    def agree(seed: int) -> None:
        history = one_history(seed, "list-append", kind)
        analysis = analyse(history, "list-append")
        assert "read-committed" not in analysis.ruled_out or kind in DIRTY, f"{analysis.anomalies}\n{told(history)}"
        assert not any(UNEXPLAINED.search(step.why) for anomaly in analysis.anomalies for step in anomaly.steps)
        for level, possible in levels(history):
            ruled_out = level in analysis.ruled_out
            tally[f"{level} {possible}"] += 1
            assert not (possible and ruled_out), f"{level} holds, {[a.kind for a in analysis.anomalies]}\n{told(history)}"
            assert possible or ruled_out, f"{level} does not hold, and nothing was found\n{told(history)}"

    agree()
    assert min(tally["strict-serializable True"], tally["snapshot-isolation True"]) > 50, tally


@pytest.mark.parametrize("kind", DATABASES)
def test_registers_are_never_accused_wrongly(kind: str) -> None:
    tally: Counter[str] = Counter()

    @settings(EXAMPLES, max_examples=EXAMPLES.max_examples // len(DATABASES))
    @given(st.integers(0, 1 << 32))
    def agree(seed: int) -> None:
        history = one_history(seed, "rw-register", kind)
        analysis = analyse(history, "rw-register")
        sequential = analyse(history, "rw-register", sequential_keys=True)
        linearizable = analyse(history, "rw-register", linearizable_keys=True)
        possible = dict(levels(history))
        for level in LEVELS:
            assert not (possible[level] and level in analysis.ruled_out), f"{level} {analysis.anomalies}\n{told(history)}"
            tally[f"possible {possible[level]}"] += 1
            tally["found"] += level in analysis.ruled_out
        for level in ("strict-serializable", "strong-snapshot-isolation"):
            if possible[level]:
                assert Isolation(level, "rw-register").judge(history).status is Status.VALID, told(history)
        if possible["strict-serializable"]:
            assert not linearizable.anomalies, f"{linearizable.anomalies}\n{told(history)}"
        if possible["strong-session-serializable"]:
            assert "strong-session-serializable" not in sequential.ruled_out, f"{sequential.anomalies}\n{told(history)}"

    agree()
    assert tally["possible True"] > 200, tally
