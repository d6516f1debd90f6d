"""Searches that go on in compiled code: the same steps, the same answers, in the same words, whatever is asked of them.

`NIGHTLY=1` in the environment makes ten times as many histories.
"""

import os
import random
import time
from collections.abc import Iterator
from itertools import count

import pytest
from histories import brute_force, operation, random_history
from test_search_against_oracle import SPECIFICATIONS, cas_answer, cas_call, wrong_once
from unambiguous import KINDS, history_of

from killpoint.properties import (
    CasRegister,
    Counter,
    FencedMutex,
    MultiRegister,
    Mutex,
    PriorityQueue,
    Register,
    Specification,
    Status,
    linearizability,
    monitors,
)
from killpoint.properties import compiled as compiling
from killpoint.properties import search as searching
from killpoint.properties.explanation import explain
from killpoint.properties.furthest import furthest
from killpoint.properties.history import Operation, Outcome
from killpoint.properties.linearizability import Linearizable, analyse
from killpoint.properties.search import Memory, Search

pytest.importorskip("numba", reason="the extra `fast` is not installed")

HISTORIES = 100_000 if os.environ.get("NIGHTLY") else 10_000
"""How many histories over all kinds, half of them with operations whose outcome nobody knows."""

CLOSED = ["register", "cas", "observed cas", "mutex", "known transactions"]
"""Objects of few states."""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every search that may, goes on in compiled code from its first step, with tables that must grow."""
    monkeypatch.setattr(searching, "LONG", 0)
    monkeypatch.setattr(compiling, "ROWS", 4)
    return


@pytest.fixture
def unaided(monkeypatch: pytest.MonkeyPatch) -> None:
    """No stretch of a history is looked at, so that searches are long."""
    monkeypatch.setattr(linearizability, "FIRST_LOOK", 1 << 60)


def judged(specification: Specification, history: list[Operation]) -> list[Operation]:
    return [one for one in history if one.outcome is not Outcome.FAIL or specification.evidence_of_failure(one)]


def everything(search: Search) -> tuple[object, ...]:
    """All that a search says."""
    deepest = search.deepest()
    stopped = None if deepest is None else (deepest.placed, deepest.state, deepest.stuck, deepest.candidates)
    return search.outcome, search.steps, search.passed, search.returns, stopped, search.linearization()


def finished(search: Search, turn: int) -> tuple[object, ...]:
    while search.run(turn) is None:
        pass
    return everything(search)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("which", CLOSED)
def test_compiled_search_is_the_same_search(which: str, crashes: bool) -> None:
    specification, invent, answer, _size = SPECIFICATIONS[which]
    source = random.Random(f"compiled {which} {crashes}")
    found = {True: 0, False: 0}
    for _ in range(HISTORIES // (2 * len(CLOSED))):
        options = {"width": source.choice([2, 4, 7]), "pending": source.choice([0.1, 0.4]) if crashes else 0.0}
        history = random_history(source, specification, invent, answer, source.randrange(1, 14), wrong=wrong_once(source), **options)
        operations = judged(specification, history)
        turn = source.choice([1, 7, 1 << 30])
        fast = Search(specification, operations, fast=True)
        assert finished(fast, turn) == finished(Search(specification, operations), turn)
        completed = any(one.completed is not None for one in operations)
        assert (fast.continued is not None) is completed, "nothing was compiled, so nothing was compared"
        found[bool(fast.outcome)] += 1
    assert min(found.values()) > HISTORIES // 100, f"too one-sided to show anything: {found}"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("which", ["register", "cas", "mutex"])
def test_compiled_search_agrees_with_every_order(which: str) -> None:
    """Not only with the search in Python, which might be wrong in the same way."""
    specification, invent, answer, size = SPECIFICATIONS[which]
    source = random.Random(f"orders {which}")
    for _ in range(200):
        options = {"width": source.choice([3, 5]), "pending": source.choice([0.0, 0.3]), "wrong": wrong_once(source)}
        operations = judged(specification, random_history(source, specification, invent, answer, size, **options))
        assert Search(specification, operations, fast=True).run(1 << 30) is brute_force(specification, operations)


def crowded(seed: int, clients: int, size: int, *, crashed: float = 0.0) -> list[Operation]:
    """A history of a register with compare-and-set, of five values; a late read tells of a value at random."""
    source = random.Random(seed)
    options = {"width": clients, "pending": crashed, "wrong": 0.0}
    history = random_history(source, CasRegister(), cas_call, cas_answer, size, **options)
    operations = [one for one in history if one.outcome is not Outcome.FAIL]
    reads = [place for place, one in enumerate(operations) if one.function == "read" and one.ok]
    late = operations[reads[-len(reads) // 10]]
    wrong = {0: 1, 1: 2}.get(late.result if isinstance(late.result, int) else 0, 0)
    operations[reads[-len(reads) // 10]] = operation(late.id, "read", None, wrong, (late.invoked, late.completed))
    return operations


def test_long_search_goes_on_where_it_was() -> None:
    """It begins in Python, and the compiled part says what Python would have said."""
    operations = crowded(17, 20, 1500)
    slow, fast = Search(CasRegister(), operations), Search(CasRegister(), operations, fast=True)
    for search in (slow, fast):
        while search.run(50_000) is None:
            pass
    assert slow.steps > 400_000, "too short to show anything"
    assert fast.continued is not None
    assert everything(fast) == everything(slow)
    assert everything(fast)[0] is False
    words = [explain(CasRegister(), furthest(CasRegister(), operations, search, 200_000)) for search in (slow, fast)]
    assert words[0] == words[1]


@pytest.mark.usefixtures("unaided")
def test_verdict_is_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = crowded(17, 20, 1500)
    checker = Linearizable(CasRegister(), budget=None)
    fast = checker.judge(operations, fast=True)
    assert fast.status is Status.INVALID
    assert fast == checker.judge(operations)
    monkeypatch.setattr(compiling, "load", lambda _name: None)
    assert fast == checker.judge(operations, fast=True), "without numba"


@pytest.mark.usefixtures("unaided")
def test_budget_is_spent_at_the_same_moment() -> None:
    operations = crowded(3, 20, 1500)
    for budget in (199_999, 250_000):
        slow, fast = (analyse(CasRegister(), operations, budget, fast=wanted) for wanted in (False, True))
        assert slow.status is fast.status is Status.UNKNOWN
        assert (fast.steps, fast.reason) == (slow.steps, slow.reason)
        assert fast.deepest is not None
        assert slow.deepest is not None
        assert (fast.deepest.placed, fast.deepest.stuck) == (slow.deepest.placed, slow.deepest.stuck)


@pytest.mark.usefixtures("unaided")
def test_deadline_stops_the_compiled_search() -> None:
    """It is asked every few thousand steps, which take some milliseconds."""
    operations = crowded(3, 20, 1500)
    asked = count()
    moments: list[float] = []

    def expired() -> bool:
        moments.append(time.process_time())
        return next(asked) == 25

    analysis = analyse(CasRegister(), operations, None, expired, fast=True)
    assert (analysis.status, len(moments)) == (Status.UNKNOWN, 26)
    assert analysis.steps > 250_000, "it ended before anything was compiled"
    assert "deadline" in analysis.reason
    assert analysis.steps < 26 * 17_000


def test_memory_that_is_full_makes_it_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more failures are kept than may be, and the search goes on without them, as in Python."""
    monkeypatch.setattr(searching, "LONG", 0)
    operations = crowded(5, 10, 1500)
    for memory in (0, 100, 1000):
        slow, fast = (Search(CasRegister(), operations, Memory(memory), fast=wanted) for wanted in (False, True))
        for search in (slow, fast):
            search.run(100_000)
        assert everything(fast) == everything(slow)
        assert fast.steps > 20_000


# -- what stays in Python


def overlapping(clients: int) -> list[Operation]:
    """Writes that are all open at once, then a read of what nobody wrote."""
    writes = [operation(number, "write", number % 5, None, (number, 100 + number)) for number in range(clients)]
    return [*writes, operation(clients, "read", None, 7, (1000, 1001))]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("clients", "compiles"), [(61, True), (62, True), (63, False), (64, False), (100, False)])
def test_no_more_operations_may_be_open_than_a_word_has_bits(clients: int, compiles: bool) -> None:
    operations = overlapping(clients)
    fast, slow = Search(CasRegister(), operations, fast=True), Search(CasRegister(), operations)
    for search in (fast, slow):
        search.run(3_000)
    assert (fast.continued is not None) is compiles
    assert everything(fast) == everything(slow)


@pytest.mark.usefixtures("at_once")
def test_more_pending_operations_than_a_word_has_bits() -> None:
    """Their sets have as many words as they need."""
    source = random.Random("many pending")
    for size in (61, 62, 63, 130):
        crashed = [operation(number, "write", source.randrange(40), None, (number, None)) for number in range(size)]
        reads = [
            operation(size + place, "read", None, source.randrange(40), (1000 + 2 * place, 1001 + 2 * place)) for place in range(12)
        ]
        fast, slow = (Search(Register(), [*crashed, *reads], fast=wanted) for wanted in (True, False))
        assert finished(fast, 5) == finished(slow, 1 << 30)
        assert fast.continued is not None


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("which", ["store", "transactions", "ledger"])
def test_whatever_the_object_the_answer_is_the_same(which: str) -> None:
    """Parts of which some may be compiled; and transactions of unknown values, which learn by reading, may not."""
    specification, invent, answer, size = SPECIFICATIONS[which]
    source = random.Random(which)
    for _ in range(150):
        options = {"pending": source.choice([0.0, 0.3]), "wrong": wrong_once(source)}
        history = random_history(source, specification, invent, answer, size, **options)
        fast, slow = (analyse(specification, history, orders=True, fast=wanted) for wanted in (True, False))
        assert (fast.status, fast.steps, fast.method, fast.linearizations) == (slow.status, slow.steps, slow.method, slow.linearizations)
    learning = operation(0, "txn", (("read", "x", None),), (("read", "x", 1),), (0, 1))
    search = Search(MultiRegister(), [learning], fast=True)
    assert search.run(100) is True
    assert search.continued is None


@pytest.mark.usefixtures("at_once")
def test_endless_states_are_given_up_soon() -> None:
    steps = [operation(number, "inc", None, None, (number, 100 + number)) for number in range(8)]
    search = Search(Counter(), [*steps, operation(9, "read", None, 9, (1000, 1001))], fast=True)
    search.run(2_000)
    assert search.continued is None


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("specification", [Mutex(), FencedMutex()])
def test_nothing_to_search_needs_no_compiled_code(specification: Specification) -> None:
    search = Search(specification, [], fast=True)
    assert search.run(10) is True
    assert search.continued is None


# -- the sweeps of stacks and priority queues


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("which", ["stack", "priority queue"])
def test_compiled_sweep_is_the_same_sweep(which: str, crashes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same conflict in the same words, or none."""
    monkeypatch.setattr(monitors, "MANY", 0)
    kind = KINDS[which]
    source = random.Random(f"sweeps {which} {crashes}")
    found = {True: 0, False: 0}
    for _ in range(HISTORIES // 10):
        options = {"width": source.choice([2, 4, 8]), "lies": source.choice([0.0, 0.1]), "swaps": source.choice([0, 1, 2])}
        history = history_of(kind, source, source.randrange(2, 30), pending=0.2 if crashes else 0.0, **options)
        slow = monitors.conflict(kind.specification, history)
        assert monitors.conflict(kind.specification, history, fast=True) == slow
        if slow is not None:
            found[bool(slow.operations)] += 1
    assert min(found.values()) > HISTORIES // 100, f"too one-sided to show anything: {found}"


@pytest.mark.parametrize("values", [(1.5, 0.5), ("b", "a"), (1 << 70, 3), (True, 0), (1, "a")])
def test_priorities_may_be_anything_that_compares(values: tuple[object, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "MANY", 0)
    high, low = values
    calls = [("insert", high, None), ("insert", low, None), ("poll", None, low), ("poll", None, high)]
    history = [operation(at, function, argument, result, (2 * at, 2 * at + 1)) for at, (function, argument, result) in enumerate(calls)]
    for specification in (PriorityQueue(), PriorityQueue(greatest_first=True)):
        slow, fast = (monitors.conflict(specification, history, fast=wanted) for wanted in (False, True))
        assert fast == slow
        assert (slow is None) is (values == (1, "a"))


def test_compiled_code_that_cannot_be_loaded_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not installed, at odds with the numpy that is, or with no folder to keep what it compiles in."""
    failures = [ModuleNotFoundError("numba"), ImportError("numpy"), RuntimeError("no locator available")]

    def fails(*_names: object) -> None:
        raise failures.pop()

    operations = crowded(5, 10, 1500)
    monkeypatch.setattr(searching, "LONG", 0)
    monkeypatch.setattr(compiling, "import_module", fails)
    while failures:
        search = Search(CasRegister(), operations, fast=True)
        assert search.run(1 << 30) is False
        assert search.continued is None
