"""Orders for people, against an oracle that tries all orders: whole ones are linearizations, partial ones as long as can be.

`NIGHTLY=1` in the environment makes it ten times as many histories.
"""

import os
import random

import msgspec
import pytest
from histories import brute_force, operation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unambiguous import KINDS, Kind, history_of, permutable

from killpoint.properties import CasRegister, FifoQueue, KeyValue, Operation, Outcome, Register, Stack, Status
from killpoint.properties.constructions import constructed, explains
from killpoint.properties.independent import Independent
from killpoint.properties.linearizability import analyse
from killpoint.properties.orders import Order, Part, orders_of
from killpoint.properties.specification import Refusal, Specification, State, call_of

HISTORIES = 40_000 if os.environ.get("NIGHTLY") else 4_000
EACH = settings(max_examples=HISTORIES // (2 * len(KINDS)), deadline=None, derandomize=True, database=None)
EACH = settings(EACH, suppress_health_check=[*HealthCheck])


def assert_legal(specification: Specification, order: Order) -> None:
    """Every step is one that the specification takes, the states are those after it, and nothing overtakes what had returned."""
    state: State = specification.initial
    for one, shown in zip(order.operations, order.states(), strict=True):
        state = specification.step(state, call_of(one))
        assert not isinstance(state, Refusal)
        assert state == shown
    for place, one in enumerate(order.operations):
        for later in order.operations[place + 1 :]:
            assert later.completed is None or later.completed > one.invoked, f"{later.describe()} had returned before {one.describe()}"
    assert len({one.id for one in order.operations}) == len(order.operations)


def assert_longest(part: Part, specification: Specification, possible: "list[bool]", returns: list[Operation]) -> None:
    """All partial orders pass the returns that can be passed, and end in different states at the first that cannot."""
    first = returns[possible.index(False)]
    ends = []
    for order in part.orders:
        assert order.stuck is not None
        assert order.stuck.id == first.id
        placed = {one.id for one in order.operations}
        assert {one.id for one in returns[: possible.index(False)]} <= placed
        assert first.id not in placed
        assert_legal(specification, order)
        told = [one.id for one, _why in order.reasons]
        assert told[0] == first.id
        assert len(set(told)) == len(told)
        assert placed.isdisjoint(told)
        assert first.completed is not None
        # Reads of which nobody knows what they found are no candidates.
        open_then = [one for one in part.operations if one.invoked < first.completed and one.id not in placed]
        assert {one.id for one in open_then if one.completed is not None or not specification.pure(call_of(one))} <= {*told}
        assert order.reasons[0][1].startswith("cannot be placed: ")
        assert all(why.startswith(("could come next", "cannot come next")) for _one, why in order.reasons[1:])
        ends.append([specification.initial, *order.states()][-1])
    assert len({repr(end) for end in ends}) == len(ends) >= 1


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("which", KINDS)
def test_orders_are_right_and_partial_ones_as_long_as_can_be(which: str, crashes: bool) -> None:
    kind: Kind = KINDS[which]
    counts = {True: 0, False: 0}

    @EACH
    @given(st.integers(0, 1 << 48))
    def compare(seed: int) -> None:
        source = random.Random(seed)
        history = history_of(
            kind, source, source.randrange(3, 10), pending=0.12 if crashes else 0.0, width=source.choice([2, 3, 5]),
            lies=source.choice([0.0, 0.5]), swaps=source.choice([0, 1, 2]),
        )  # fmt: skip
        expected = permutable(kind, history)
        counts[expected] += 1
        parts = orders_of(kind.specification, history)
        assert all(part.status is Status.VALID for part in parts) is expected
        assert not any(part.note for part in parts)
        for part in parts:
            returns = sorted((one for one in part.operations if one.completed is not None), key=lambda one: one.completed or 0)
            possible = [brute_force(kind.specification, part.operations, number) for number in range(1, len(returns) + 1)]
            if part.status is Status.INVALID:
                assert_longest(part, kind.specification, possible, returns)
                continue
            assert all(possible)
            (order,) = part.orders
            assert_legal(kind.specification, order)
            assert {one.id for one in returns} <= {one.id for one in order.operations}

    compare()
    assert min(counts.values()) > sum(counts.values()) // 20, counts


@pytest.mark.parametrize("which", ["register", "queue", "growing set"])
def test_valid_histories_need_no_search_where_an_order_can_be_constructed(which: str) -> None:
    kind = KINDS[which]
    source = random.Random(f"constructed {which}")
    for _ in range(60):
        history = history_of(kind, source, source.randrange(20, 120), width=source.choice([3, 8]), lies=0.0)
        if analyse(kind.specification, history).status is Status.VALID:
            order = constructed(kind.specification, history)
            assert order is not None
            assert explains(kind.specification, history, order)


def test_an_order_is_refused_unless_it_explains_everything() -> None:
    write, read = operation(0, "write", 1, None, (0, 1)), operation(1, "read", None, 1, (2, 3))
    late = operation(2, "read", None, 1, (4, 5))
    assert explains(Register(), [write, read, late], [write, read, late])
    assert not explains(Register(), [write, read, late], [write, late, read]), "against real time"
    assert not explains(Register(), [write, read, late], [write, read]), "one is missing"
    assert not explains(Register(), [write, read, late], [write, read, read, late]), "one twice"
    assert not explains(Register(), [write, read], [read, write]), "the register refuses"
    assert explains(Register(), [operation(3, "write", 9, None, (0, None))], []), "what is pending need not be there"


def test_values_that_are_not_unique_have_no_construction() -> None:
    twice = [operation(0, "write", 1, None, (0, 1)), operation(1, "write", 1, None, (2, 3))]
    assert constructed(Register(), twice) is None
    swap = [operation(0, "cas", (None, 1), None, (0, 1))]
    assert constructed(CasRegister(), swap) is None
    assert orders_of(Register(), twice)[0].orders[0].operations == tuple(twice)


def test_other_ends_of_an_order_as_long_are_told_too() -> None:
    # Two writes side by side, and a read of neither: it may as well have met the one as the other.
    history = [
        operation(0, "write", 1, None, (0, 10)),
        operation(1, "write", 2, None, (1, 11)),
        operation(2, "read", None, 3, (12, 13)),
    ]
    (part,) = orders_of(CasRegister(), [*history, operation(3, "cas", (7, 8), None, (20, 21), Outcome.FAIL)])
    ends = [order.reasons[0][1] for order in part.orders]
    assert [[*order.states()][-1] for order in part.orders] in ([1, 2], [2, 1])
    assert all("the register holds" in why for why in ends)
    assert len(set(ends)) == 2


def test_every_part_has_its_own_order_and_all_that_fail_are_told() -> None:
    history = [
        operation(0, "write", ("x", 1), None, (0, 1)),
        operation(1, "read", ("x", None), ("x", 1), (2, 3)),
        operation(2, "read", ("y", None), ("y", 5), (4, 5)),
        operation(3, "read", ("z", None), ("z", 6), (6, 7)),
    ]
    parts = {part.name: part for part in orders_of(Independent(Register()), history)}
    assert {name: part.status.value for name, part in parts.items()} == {"x": "valid", "y": "invalid", "z": "invalid"}
    assert [one.id for one in parts["x"].orders[0].operations] == [0, 1]
    assert parts["y"].orders[0].reasons[0][1] == "cannot be placed: the register holds None, not 5, as at the beginning"


def test_what_is_not_found_in_time_is_said() -> None:
    source = random.Random(5)
    history = history_of(KINDS["stack"], source, 60, width=8, lies=0.0)
    assert analyse(Stack(), history).status is Status.VALID
    (part,) = orders_of(Stack(), history, expired=lambda: True)
    assert (part.status, part.orders) == (Status.VALID, ())
    assert part.note == "decided by taking away outermost values, which gives no order, and a search has not found one in its time"


def test_a_history_that_is_not_decided_shows_how_far_the_search_came() -> None:
    history = [operation(number, "append", ("k", f"{number}"), None, (number, 100 + number)) for number in range(12)]
    history.append(operation(50, "get", "k", "31415", (13, 200)))
    (part,) = orders_of(KeyValue(), history, budget=1)
    assert part.status is Status.UNKNOWN
    assert part.note.startswith("not decided")
    (refuted,) = orders_of(KeyValue(), history)
    assert refuted.status is Status.INVALID


def test_one_hard_part_leaves_the_others_their_share() -> None:
    hard = [
        operation(number, "write", number % 3, None, (number, 1000 + number)) for number in range(16)
    ]
    keyed = [msgspec.structs.replace(one, argument=("hard", one.argument)) for one in hard]
    keyed.append(operation(90, "read", ("hard", None), ("hard", 77), (2000, 2001)))
    keyed += [operation(91, "write", ("easy", 1), None, (3000, 3001)), operation(92, "read", ("easy", None), ("easy", 1), (3002, 3003))]
    parts = {part.name: part for part in orders_of(Independent(Register()), keyed, budget=400)}
    assert parts["easy"].status is Status.VALID
    assert parts["easy"].orders


@pytest.mark.parametrize("specification", [FifoQueue(), Register(), Stack()])
def test_nothing_has_no_parts(specification: Specification) -> None:
    assert orders_of(specification, []) == []
