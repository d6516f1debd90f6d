"""The search against every order there is, on random small histories of every specification, crashed operations included."""

import random
from collections.abc import Callable

import pytest
from histories import FAILED, Answer, Invent, brute_force, operation, random_history

from killpoint.properties import CasRegister, IssuanceLedger, KeyValue, MultiRegister, Mutex, Register, Specification, Status
from killpoint.properties.history import Operation, Outcome, Value
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors import conflict
from killpoint.properties.search import Memory, Search
from killpoint.properties.specification import Refusal, State, call_of
from killpoint.properties.zones import conflict as zones_conflict


def register_call(source: random.Random) -> tuple[str, Value]:
    return ("write", source.randrange(3)) if source.random() < 0.5 else ("read", None)


def register_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.choice([None, 0, 1, 2]) if function == "read" else None


def cas_call(source: random.Random) -> tuple[str, Value]:
    if source.random() < 0.4:
        return "cas", (source.randrange(3), source.randrange(3))
    return register_call(source)


def cas_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.choice([None, FAILED]) if function == "cas" else register_answer(source, function, argument)


def store_call(source: random.Random) -> tuple[str, Value]:
    key = source.choice("ab")
    choice = source.random()
    return ("append", (key, source.choice("xy"))) if choice < 0.4 else ("put", (key, "")) if choice < 0.5 else ("get", key)


def store_answer(source: random.Random, function: str, argument: Value) -> Value:
    return source.choice(["", "x", "y", "xy", "yx", "xx", "xyx"]) if function == "get" else None


def mutex_call(source: random.Random) -> tuple[str, Value]:
    return source.choice(["acquire", "release"]), None


def no_answer(source: random.Random, function: str, argument: Value) -> Value:
    return None


def transaction_call(source: random.Random) -> tuple[str, Value]:
    keys = ["x"] if source.random() < 0.4 else ["x", "y"]
    return "txn", tuple((source.choice(["read", "write"]), key, source.randrange(2)) for key in keys)


def transaction_answer(source: random.Random, function: str, argument: Value) -> Value:
    assert isinstance(argument, tuple)
    return tuple((part[0], part[1], source.randrange(2) if part[0] == "read" else part[2]) for part in argument)


def ledger_call(source: random.Random) -> tuple[str, Value]:
    request = source.choice("abc")
    function = source.choice(["issue", "issue", "issue", "lookup", "revoke", "revoked", "audit"])
    argument = (request, source.choice([f"digest {request}", "digest"])) if function == "issue" else request
    return function, None if function == "audit" else argument


def ledger_answer(source: random.Random, function: str, argument: Value) -> Value:
    if function == "issue":
        return source.randrange(1, 6)
    if function in ("lookup", "revoke"):
        return source.choice([None, 1, 2, 3, 4, 5])
    if function == "revoked":
        return source.choice([None, True, False])
    return tuple(source.sample("abc", source.randrange(4)))


SPECIFICATIONS: dict[str, tuple[Specification, Invent, Answer, int]] = {
    "register": (Register(), register_call, register_answer, 7),
    "cas": (CasRegister(), cas_call, cas_answer, 7),
    "observed cas": (CasRegister(0, failed_cas_observes=True), cas_call, cas_answer, 7),
    "store": (KeyValue(), store_call, store_answer, 9),
    "mutex": (Mutex(), mutex_call, no_answer, 8),
    "transactions": (MultiRegister(), transaction_call, transaction_answer, 8),
    "known transactions": (MultiRegister((("x", 0), ("y", 0))), transaction_call, transaction_answer, 8),
    "ledger": (IssuanceLedger(), ledger_call, ledger_answer, 7),
}


def wrong_once(source: random.Random) -> float:
    return source.choice([0.0, 0.1, 0.3])


@pytest.mark.parametrize("which", SPECIFICATIONS)
def test_search_agrees_with_every_order(which: str) -> None:
    specification, invent, answer, size = SPECIFICATIONS[which]
    source = random.Random(f"search {which}")
    found = {True: 0, False: 0}
    orders = 0
    for _ in range(3000):
        options = {"width": source.choice([2, 3, 5]), "pending": source.choice([0.0, 0.2, 0.5]), "wrong": wrong_once(source)}
        history = random_history(source, specification, invent, answer, source.randrange(1, size + 1), **options)
        expected = brute_force(specification, history)
        analysis = analyse(specification, history, orders=True)
        assert analysis.status is (Status.VALID if expected else Status.INVALID), [one.describe() for one in history]
        found[expected] += 1
        if expected:
            for order in analysis.linearizations:
                assert_linearization(specification, order)
                orders += 1
        else:
            assert analysis.deepest is not None
            assert_linearization(analysis.specification or specification, analysis.deepest.placed)
            assert_first_that_cannot_be_placed(specification, history, analysis.deepest.placed, analysis.deepest.stuck)
    assert min(found.values()) > 200, f"too one-sided to show anything: {found}"
    assert orders > 250, "hardly any order was looked at"


def assert_first_that_cannot_be_placed(
    specification: Specification, history: list[Operation], placed: list[Operation], stuck: Operation
) -> None:
    """All that completed earlier can be placed, and are; no order places the stuck one too."""
    part = [one for one in history if specification.partition(one) == specification.partition(stuck)]
    judged = [one for one in part if one.outcome is not Outcome.FAIL or specification.evidence_of_failure(one)]
    earlier = [one for one in judged if one.completed is not None and one.completed < (stuck.completed or 0)]
    if isinstance(specification, Register | CasRegister | KeyValue) and conflict(specification, judged) is not None:
        return  # explained by a few operations, of which the stuck one need not be the first of all
    assert stuck not in placed
    assert all(one in placed for one in earlier)
    assert not brute_force(specification, part, len(earlier) + 1)


def assert_linearization(specification: Specification, order: "list[Operation] | tuple[Operation, ...]") -> None:
    """The order is legal, respects real time, and names no operation twice."""
    state: State = specification.initial
    for position, one in enumerate(order):
        state = specification.step(state, call_of(one))
        assert not isinstance(state, Refusal), f"{one.describe()}: {state}"
        assert all(later.completed is None or later.completed > one.invoked for later in order[position + 1 :])
    assert len({one.id for one in order}) == len(order)


@pytest.mark.parametrize("which", ["register", "cas", "mutex"])
def test_search_agrees_where_most_clients_crash(which: str) -> None:
    """Longer and wider histories of which half is pending: what the rules about pending operations are for."""
    specification, invent, answer, _size = SPECIFICATIONS[which]
    source = random.Random(f"crashes {which}")
    found = {True: 0, False: 0}
    for _ in range(1500):
        options = {"width": source.choice([4, 7]), "pending": source.choice([0.4, 0.6]), "wrong": source.choice([0.2, 0.5])}
        history = random_history(source, specification, invent, answer, source.randrange(8, 15), **options)
        judged = [one for one in history if one.outcome is not Outcome.FAIL]
        expected = brute_force(specification, judged)
        assert Search(specification, judged).run(1 << 30) is expected, [one.describe() for one in judged]
        found[expected] += 1
    assert min(found.values()) > 150, found


@pytest.mark.parametrize("turn", [1, 3, 50])
def test_interrupting_the_search_changes_nothing(turn: int) -> None:
    """Searching in turns of any length finds the same, in the same number of steps."""
    specification, invent, answer, size = SPECIFICATIONS["cas"]
    source = random.Random("turns")
    for _ in range(150):
        history = random_history(source, specification, invent, answer, size)
        judged = [one for one in history if one.outcome is not Outcome.FAIL]
        whole, parted = Search(specification, judged), Search(specification, judged)
        whole.run(1 << 30)
        while parted.run(turn) is None:
            pass
        assert (whole.outcome, whole.steps) == (parted.outcome, parted.steps)


def test_forgetful_search_still_finds_the_truth() -> None:
    """With no memory for failed configurations the search is slower, not wrong."""
    specification, invent, answer, size = SPECIFICATIONS["register"]
    source = random.Random("memory")
    for _ in range(200):
        history = random_history(source, specification, invent, answer, size)
        judged = [one for one in history if one.outcome is not Outcome.FAIL]
        assert Search(specification, judged, memory=Memory(0)).run(1 << 30) is brute_force(specification, judged)


def unique_writes(history: list[Operation]) -> list[Operation]:
    """The history with every write's value made its own, and reads pointed at some write of what they returned."""
    source = random.Random(repr([one.describe() for one in history]))
    values: dict[Value, list[Value]] = {None: [None]}
    renamed = []
    for one in history:
        if one.function == "write":
            values.setdefault(one.argument, []).append(100 + one.id)
            renamed.append(operation(one.id, "write", 100 + one.id, None, (one.invoked, one.completed), one.outcome))
        else:
            renamed.append(one)
    result = []
    for one in renamed:
        if one.function == "read" and one.outcome is Outcome.OK:
            value = source.choice(values.get(one.result, [7]))
            result.append(operation(one.id, "read", None, value, (one.invoked, one.completed)))
        else:
            result.append(one)
    return result


@pytest.mark.parametrize("make", [Register, CasRegister])
def test_zones_agree_with_the_search(make: Callable[[], Register | CasRegister]) -> None:
    """The log-linear monitor and the search say the same of registers with unique values."""
    specification = make()
    source = random.Random("zones")
    found = {True: 0, False: 0}
    for _ in range(4000):
        options = {"width": source.choice([2, 3, 6]), "pending": source.choice([0.0, 0.2, 0.5]), "wrong": wrong_once(source)}
        history = random_history(source, Register(), register_call, register_answer, source.randrange(1, 12), **options)
        unique = unique_writes([one for one in history if one.outcome is not Outcome.FAIL])
        verdict = zones_conflict(specification, unique)
        assert verdict is not None
        expected = Search(specification, unique).run(1 << 30)
        assert expected is (not verdict.operations), [one.describe() for one in unique]
        if verdict.operations:
            assert Search(specification, verdict.operations).run(1 << 30) is False, "the few operations named are no violation"
            reads = sum(operation.function == "read" for operation in verdict.operations)
            assert len(verdict.operations) <= 6 + reads
        found[expected] += 1
    assert min(found.values()) > 400, found


def test_zones_step_aside_where_they_do_not_apply() -> None:
    twice = [operation(0, "write", 1), operation(1, "write", 1, None, (2, 3))]
    assert zones_conflict(Register(), twice) is None
    assert zones_conflict(Register(1), [operation(0, "write", 1)]) is None
    assert zones_conflict(CasRegister(), [operation(0, "cas", (0, 1))]) is None
    assert zones_conflict(KeyValue(), [operation(0, "get", "a", "")]) is None
