"""Every monitor against the search and against an oracle that tries all orders, on random histories without repeated values.

`NIGHTLY=1` in the environment makes it ten times as many.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unambiguous import KINDS, Kind, history_of, permutable

from killpoint.properties import Operation, Status
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors import conflict, method
from killpoint.properties.search import Search
from killpoint.properties.specification import Refusal, State, call_of

HISTORIES = 100_000 if os.environ.get("NIGHTLY") else 10_000
"""How many histories over all kinds, half of them with operations whose outcome nobody knows."""

EACH = settings(max_examples=-(-HISTORIES // (2 * len(KINDS))), deadline=None, derandomize=True, database=None)
EACH = settings(EACH, suppress_health_check=[*HealthCheck])

SEEDS = st.integers(0, 1 << 48)


def shown(operations: "list[Operation] | tuple[Operation, ...]") -> str:
    return "\n".join(f"{one.id}: {one.describe()} [{one.invoked}, {one.completed}]" for one in operations)


def made(kind: Kind, seed: int, *, crashes: bool) -> list[Operation]:
    source = random.Random(seed)
    options = {"width": source.choice([2, 3, 5]), "lies": source.choice([0.0, 0.0, 0.2]), "swaps": source.choice([0, 1, 1, 2])}
    return history_of(kind, source, source.randrange(2, 10), pending=source.choice([0.1, 0.4]) if crashes else 0.0, **options)


def agrees(kind: Kind, history: list[Operation]) -> tuple[bool, bool]:
    """Whether the history is linearizable, and whether the monitor said so; fails if anybody disagrees."""
    specification = kind.specification
    expected = permutable(kind, history)
    parts: dict[object, list[Operation]] = {}
    for one in history:
        parts.setdefault(specification.partition(one), []).append(one)
    searched = all(Search(specification, part).run(1 << 30) for part in parts.values())
    assert searched is expected, f"the search says {searched} of\n{shown(history)}"
    found = conflict(specification, history)
    if found is not None:
        assert (not found.operations) is expected, f"{found.why!r} is said of\n{shown(history)}"
    if found is not None and found.operations:
        assert {one.id for one in found.operations} <= {one.id for one in history}
        assert len({one.id for one in found.operations}) == len(found.operations)
        judge = found.specification or specification
        refuted = Search(judge, found.operations)
        assert refuted.run(1 << 30) is False, f"no violation: {found.why}\n{shown(found.operations)}\nof\n{shown(history)}"
    analysis = analyse(specification, history)
    assert analysis.status is (Status.VALID if expected else Status.INVALID)
    if not expected:
        assert analysis.deepest is not None
        assert_legal(analysis.specification or specification, analysis.deepest.placed)
    return expected, found is not None


def assert_legal(specification: object, order: list[Operation]) -> None:
    state: State = specification.initial  # type: ignore[attr-defined]
    for one in order:
        state = specification.step(state, call_of(one))  # type: ignore[attr-defined]
        assert not isinstance(state, Refusal)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("which", KINDS)
def test_monitor_search_and_oracle_agree(which: str, crashes: bool) -> None:
    kind = KINDS[which]
    counts = {(valid, decided): 0 for valid in (True, False) for decided in (True, False)}

    @EACH
    @given(SEEDS)
    def compare(seed: int) -> None:
        counts[agrees(kind, made(kind, seed, crashes=crashes))] += 1

    compare()
    decided = {valid: counts[valid, True] for valid in (True, False)}
    assert min(decided.values()) > sum(counts.values()) // 25, f"too one-sided to show anything: {counts}"
    if not crashes and which not in ("set", "counter of steps"):
        assert counts[True, False] == counts[False, False] == 0, f"without unknown outcomes nothing is left to the search: {counts}"
    assert method(kind.specification).startswith("by ")


@pytest.mark.parametrize("which", ["cas", "queue", "stack", "priority queue", "counter", "store", "store of appends"])
def test_longer_histories_are_compared_with_the_search(which: str) -> None:
    kind = KINDS[which]
    source = random.Random(f"longer {which}")
    found = {True: 0, False: 0}
    for _ in range(150):
        history = history_of(kind, source, source.randrange(15, 40), width=4, lies=0.0, swaps=source.choice([0, 0, 1, 2]))
        verdict = conflict(kind.specification, history)
        assert verdict is not None
        search = Search(kind.specification, history)
        expected = search.run(200_000)
        if expected is not None:
            assert expected is (not verdict.operations), shown(history)
            found[expected] += 1
        if verdict.operations:
            assert Search(verdict.specification or kind.specification, verdict.operations).run(1 << 30) is False
    assert min(found.values()) > 20, found
