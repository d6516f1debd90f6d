"""Serial orders of transactions on registers: each explains every read and goes with real time, and one is found where there is one."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isolation_oracle import DATABASES, Rules, random_history, serializable, transaction

from killpoint.properties.history import Operation, Outcome
from killpoint.properties.isolation import Isolation, analyse
from killpoint.properties.isolation.registers import Registers
from killpoint.properties.isolation.serial import serial_order
from killpoint.properties.verdict import Status

EACH = 2000 // len(DATABASES)
EXAMPLES = settings(max_examples=EACH, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])


def busy(source: random.Random, size: int, clients: int, keys: int, crashed: float) -> list[Operation]:
    """A strictly serializable history: so many transactions in flight at any time, each takes effect at some moment."""
    fresh: Counter[int] = Counter()
    state: dict[int, int] = {}
    flying: list[list[Any]] = []
    done = []

    def take_effect(one: list[Any]) -> None:
        if one[2] is None:
            told = []
            for function, key, value in one[1]:
                if function == "w":
                    state[key] = value
                told.append((function, key, state.get(key)))
            one[2] = tuple(told)

    for number in range(size + clients):
        if number < size:
            asked = []
            for _ in range(source.randrange(1, 6)):
                key = source.randrange(keys)
                writing = source.random() < 0.5
                fresh[key] += writing
                asked.append(("w", key, fresh[key]) if writing else ("r", key, None))
            flying.append([number, asked, None])
        if flying and (len(flying) == clients or number >= size):
            if source.random() < 0.8:
                take_effect(source.choice(flying))
            one = flying.pop(source.randrange(len(flying)))
            take_effect(one)
            end = None if source.random() < crashed else 2 * number + 1
            done.append(transaction(one[0], one[2], (2 * one[0], end)))
    return sorted(done, key=lambda one: one.invoked)


def check(history: list[Operation], order: list[int]) -> None:
    """Run the transactions one after another, and look at the clock."""
    assert len(set(order)) == len(order)
    assert {number for number, one in enumerate(history) if one.ok} <= {*order}
    state: dict[Any, Any] = {}
    latest = -1
    for number in order:
        one = history[number]
        assert one.outcome is not Outcome.FAIL
        assert one.completed is None or one.completed > latest, "it had ended before one that comes before it was invoked"
        latest = max(latest, one.invoked)
        parts: Any = one.result if one.ok else one.argument
        for function, key, value in parts:
            if function == "w":
                state[key] = value
            else:
                assert not one.ok or state.get(key) == value


@pytest.mark.parametrize(("clients", "keys", "crashed"), [(3, 3, 0.0), (10, 3, 0.1), (20, 10, 0.0), (50, 10, 0.05), (100, 40, 0.1)])
def test_an_order_is_found_however_many_are_in_flight(clients: int, keys: int, crashed: float) -> None:
    for seed in range(5):
        history = busy(random.Random(seed), 1_000, clients, keys, crashed)
        order = serial_order(Registers(history))
        assert order is not None
        check(history, order)


@pytest.mark.parametrize("kind", DATABASES)
def test_an_order_is_found_if_and_only_if_there_is_one(kind: str) -> None:
    tally: Counter[bool] = Counter()

    @EXAMPLES
    @given(st.integers(0, 1 << 32))
    def agree(seed: int) -> None:
        source = random.Random(seed)
        history = random_history(source, "rw-register", kind, source.randrange(2, 7), keys=source.choice(["x", "xy", "xyz"]))
        registers = Registers(history)
        order = None if registers.findings.counts else serial_order(registers)
        assert (order is not None) is serializable(history, Rules(real_time=True))
        if order is not None:
            check(history, order)
        tally[order is not None] += 1

    agree()
    assert tally[True] > 50, tally


def test_what_leads_back_to_its_caller_must_come_earlier() -> None:
    """T3 read what T0 wrote to y after what T1 wrote to x, so T0, though it ends last, comes before T1, which ends first."""
    history = [
        transaction(0, (("w", "x", 1), ("w", "y", 1)), (0, 9)),
        transaction(1, (("w", "x", 2),), (1, 2)),
        transaction(2, (("r", "x", 2), ("r", "y", 1)), (3, 4)),
    ]
    order = serial_order(Registers(history))
    assert order == [0, 1, 2]


def test_a_history_with_an_order_is_valid_at_every_level() -> None:
    history = busy(random.Random(1), 300, 10, 5, 0.05)
    analysis = analyse(history, "rw-register")
    assert analysis.serial
    assert analysis.standing == ("strict-serializable",)
    assert Isolation("causal-consistency", "rw-register").judge(history).status is Status.VALID


def test_processes_that_do_two_things_at_once_are_not_put_in_order() -> None:
    history = [transaction(0, (("w", "x", 1),), (0, 9), "p"), transaction(1, (("w", "x", 2),), (1, 8), "p")]
    assert serial_order(Registers(history)) is None
    crashed = [transaction(0, (("w", "x", 1),), (0, None), "p"), transaction(1, (("r", "x", 1),), (1, 8), "p")]
    assert serial_order(Registers(crashed)) is None
