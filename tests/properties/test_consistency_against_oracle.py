"""Every weaker model against an oracle that tries all orders, on small random histories, half of them with unknown outcomes."""

import os
import random
from collections import Counter
from collections.abc import Callable

import consistency_oracle as oracle
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from killpoint.properties import Operation, Register, Status
from killpoint.properties.consistency import (
    GUARANTEES,
    BoundedStaleness,
    KAtomic,
    Regular,
    Safe,
    SequentiallyConsistent,
    SessionGuarantee,
)
from killpoint.properties.consistency.interleavings import Interleavings
from killpoint.properties.independent import Independent
from killpoint.properties.verdict import Verdict

HISTORIES = 80_000 if os.environ.get("NIGHTLY") else 6_000

Judge = Callable[[list[Operation]], Verdict]
Oracle = Callable[[list[Operation]], bool]

ALONE: dict[str, tuple[Judge, Oracle]] = {
    "sequential": (SequentiallyConsistent().judge, lambda some: oracle.ordered(some, oracle.in_process, oracle.register(), (None,))),
    "regular": (Regular().judge, lambda some: oracle.regular(some, strong=False)),
    "strong-regular": (Regular(strong=True).judge, lambda some: oracle.regular(some, strong=True)),
    "safe": (Safe().judge, oracle.safe),
    "2-atomic": (KAtomic(versions=2).judge, lambda some: oracle.ordered(some, oracle.real_time, oracle.register(2), (None,))),
    "3-atomic": (KAtomic(versions=3).judge, lambda some: oracle.ordered(some, oracle.real_time, oracle.register(3), (None,))),
    "0 s": (BoundedStaleness(seconds=0).judge, lambda some: oracle.ordered(some, oracle.within(0), oracle.register(), (None,))),
    "0.25 s": (BoundedStaleness(seconds=0.25).judge, lambda some: oracle.ordered(some, oracle.within(0.25), oracle.register(), (None,))),
    "0.5 s": (BoundedStaleness(seconds=0.5).judge, lambda some: oracle.ordered(some, oracle.within(0.5), oracle.register(), (None,))),
}
"""Models of single registers, each with its oracle."""

KEYED: dict[str, tuple[Judge, Oracle]] = {
    "sequential by key": (
        SequentiallyConsistent(Independent(Register())).judge,
        lambda some: oracle.ordered(some, oracle.in_process, oracle.by_key, ()),
    ),
    **{
        guarantee: (
            SessionGuarantee(guarantee, Independent(Register())).judge,
            lambda some, guarantee=guarantee: oracle.guaranteed(guarantee, some),
        )
        for guarantee in GUARANTEES
    },
}
"""Models in which several keys have to do with each other."""

EACH = HISTORIES // (2 * (len(ALONE) + len(KEYED)))


def told(operations: list[Operation]) -> str:
    return "\n".join(f"{one.invoked}-{one.completed} {one.invoked_at}-{one.completed_at} {one.describe()}" for one in operations)


def compare(judge: Judge, expected: Oracle, history: list[Operation], tally: Counter[bool]) -> None:
    verdict = judge(history)
    possible = expected(history)
    tally[possible] += 1
    assert verdict.status is (Status.VALID if possible else Status.INVALID), f"{verdict.reason}, {possible}\n{told(history)}"
    if verdict.evidence is not None:
        known = {one.id for one in history}
        assert verdict.evidence.lines
        assert set(verdict.evidence.operations) <= known
        assert set(verdict.evidence.events) <= {event for one in history for event in (one.invoked, one.completed)}


@pytest.mark.parametrize("pending", [0.0, 0.25])
@pytest.mark.parametrize("model", [*ALONE, *KEYED])
def test_models_agree_with_every_order(model: str, pending: float) -> None:
    judge, expected = {**ALONE, **KEYED}[model]
    tally: Counter[bool] = Counter()

    @settings(max_examples=EACH, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(st.integers(0, 1 << 48))
    def agree(seed: int) -> None:
        source = random.Random(seed)
        keys = source.choice(["x", "xy", "xy"]) if model in KEYED else ""
        compare(judge, expected, oracle.random_registers(source, pending=pending, keys=keys), tally)

    agree()
    assert min(tally[True], tally[False]) > EACH // 100, tally


@pytest.mark.parametrize("model", ["sequential", "regular", "safe", "2-atomic", "0.5 s"])
def test_values_that_repeat_are_decided_too(model: str) -> None:
    judge, expected = ALONE[model]
    source = random.Random(model)
    tally: Counter[bool] = Counter()
    for _ in range(EACH):
        compare(judge, expected, oracle.random_registers(source, pending=0.15, unique=False), tally)
    assert min(tally[True], tally[False]) > EACH // 50, tally


@pytest.mark.parametrize("model", ["strong-regular", "causal"])
def test_values_that_repeat_are_never_judged_wrongly(model: str) -> None:
    judge, expected = (KEYED if model == "causal" else ALONE)[model]
    source = random.Random(model)
    found: Counter[Status] = Counter()
    for _ in range(EACH):
        history = oracle.random_registers(source, pending=0.15, unique=False, keys="x" if model == "causal" else "")
        status = judge(history).status
        found[status] += 1
        if model != "causal" and status is not Status.UNKNOWN:
            assert expected(history) is (status is Status.VALID), told(history)
    assert found[Status.UNKNOWN] > 0


def test_the_search_alone_finds_what_saturation_finds() -> None:
    """With several keys, where the search has to look at all of them at once."""
    source = random.Random("search")
    tally: Counter[bool] = Counter()
    specification = Independent(Register())
    for _ in range(EACH):
        history = oracle.random_registers(source, pending=0.15, keys="xy")
        possible = oracle.ordered(history, oracle.in_process, oracle.by_key, ())
        assert Interleavings(specification, history).run(1 << 40) is possible, told(history)
        tally[possible] += 1
    assert min(tally.values()) > 5
