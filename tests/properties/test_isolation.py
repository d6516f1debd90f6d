"""Isolation as a property: verdicts, what people are told, unknown outcomes, malformed and ambiguous histories, long ones."""

import random
from typing import Any

import pytest
from isolation_oracle import transaction

from killpoint.properties import Isolation, SpecificationError, Status, check
from killpoint.properties.history import Complete, History, HistoryError, Invoke, Operation, Outcome
from killpoint.properties.isolation import analyse, picture

WRITE_SKEW = [
    transaction(0, (("append", "x", 1), ("r", "y", ())), (0, 3), "a"),
    transaction(1, (("append", "y", 1), ("r", "x", ())), (1, 2), "b"),
]


def test_a_history_without_anomalies_is_valid() -> None:
    history = [transaction(0, (("append", "x", 1),), (0, 1)), transaction(1, (("r", "x", (1,)),), (2, 3))]
    verdict = Isolation().judge(history)
    assert (verdict.status, verdict.name) == (Status.VALID, "Isolation(strict-serializable, list-append)")
    assert verdict.reason == "nothing that strict-serializable forbids was read"
    assert Isolation().judge([]).reason == "there are no transactions to judge"


def test_the_cycle_is_told_with_its_reasons_and_what_is_left() -> None:
    verdict = Isolation("serializable").judge(WRITE_SKEW)
    assert verdict.signature == ("Isolation(serializable, list-append)", "G2-item")
    assert verdict.evidence is not None
    assert verdict.evidence.lines == (
        "T0 = a: append 'x' 1, r 'y' ()",
        "T1 = b: append 'y' 1, r 'x' ()",
        "T0 before T1: T0 read 'y' as (), without 1, which T1 appended after that",
        "T1 before T0: T1 read 'x' as (), without 1, which T0 appended after that",
        "So each comes before the next, and T0 before itself: G2-item.",
        "Ruled out: strict-serializable, strong-session-serializable, serializable, repeatable-read.",
        "Still standing: strong-snapshot-isolation.",
    )
    assert verdict.evidence.operations == (0, 1)


def test_a_level_that_allows_what_was_found_holds_and_says_so() -> None:
    verdict = Isolation("snapshot-isolation").judge(WRITE_SKEW)
    assert verdict.status is Status.VALID
    assert verdict.reason == "nothing that snapshot-isolation forbids was read; but for G2-item, which this level allows"


def test_every_kind_of_edge_is_put_into_words() -> None:
    history = [
        transaction(0, (("append", "x", 2),), (0, 1), "a"),
        transaction(1, (("append", "x", 1),), (2, 3), "a"),
        transaction(2, (("r", "x", (1, 2)),), (0, 9), "b"),
    ]
    verdict = Isolation().judge(history)
    assert verdict.evidence is not None
    told = " ".join(verdict.evidence.lines)
    assert verdict.evidence.kind == "G0-process"
    assert "T0 appended 2 to 'x' after T1 appended 1" in told
    assert "a ran T0 and then T1" in told
    stale = [transaction(0, (("w", "x", 1),), (0, 1)), transaction(1, (("r", "x", None),), (2, 3))]
    told = Isolation(workload="rw-register").judge(stale).reason
    assert "T1 read 'x' as None, before T0 made it 1" in told
    assert "T0 had ended (event 1, 0.1 s) when T1 began (event 2, 0.2 s)" in told


def test_an_unknown_outcome_counts_once_it_was_seen() -> None:
    """A crashed transaction whose write nobody saw did nothing; one that was seen did all of it."""
    crashed = transaction(0, (("append", "x", 1), ("append", "y", 1)), (0, None))
    blind = transaction(1, (("r", "y", ()),), (5, 6))
    assert Isolation().judge([crashed, blind]).status is Status.VALID
    seen = transaction(2, (("r", "x", (1,)),), (2, 3))
    verdict = Isolation().judge([crashed, seen, blind])
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "G-single-realtime"
    told = transaction(3, (("w", "x", 1), ("w", "y", 1)), (0, None))
    after = [transaction(4, (("r", "x", 1),), (2, 3)), transaction(5, (("r", "y", None),), (4, 5))]
    assert Isolation(workload="rw-register").judge([told, after[1]]).status is Status.VALID
    assert Isolation(workload="rw-register").judge([told, *after]).status is Status.INVALID


def test_pictures_are_graphs_of_the_failing_transactions() -> None:
    graph = picture(analyse(WRITE_SKEW).anomalies)
    assert sorted(graph.edges(keys=True)) == [(0, 1, "rw"), (1, 0, "rw")]
    assert "without 1" in graph.edges[0, 1, "rw"]["why"]


# -- as a monitor -------------------------------------------------------------------------------------


def events(operations: list[Operation]) -> list[Any]:
    rows: list[Any] = []
    for one in operations:
        rows.append(Invoke(one.invoked, one.invoked_at, one.process, one.id, "txn", one.argument))
        if one.completed is not None:
            rows.append(Complete(one.completed, one.completed_at or 0, one.process, one.id, one.outcome, one.result))
    return sorted(rows, key=lambda event: event.index)


def test_a_monitor_says_what_the_history_says() -> None:
    history = History(events(WRITE_SKEW))
    assert check(Isolation(), history) == Isolation().judge(history.operations)


def test_a_long_run_is_stopped_on_the_way() -> None:
    quiet = [transaction(10 + n, (("append", "z", n),), (10 + 2 * n, 11 + 2 * n)) for n in range(100)]
    monitor = Isolation().start()
    fed = 0
    for event in events([*WRITE_SKEW, *quiet]):
        fed += 1
        verdict = monitor.feed(event)
        if verdict is not None:
            break
    assert verdict is not None
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "G2-item"
    assert fed < 60


def test_a_value_that_is_written_later_is_not_held_against_a_run_on_the_way() -> None:
    """Reading what is only written afterwards can be serializable; it goes against real time."""
    early = [transaction(n, (("r", "x", (1,)),) if n == 0 else (("append", "z", n),), (2 * n, 2 * n + 1)) for n in range(40)]
    history = [*early, transaction(90, (("append", "x", 1),), (200, 201))]
    assert check(Isolation("serializable"), events(history)).status is Status.VALID
    verdict = check(Isolation(), events(history))
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "G1c-realtime"


def test_other_operations_can_be_left_out() -> None:
    mixed = [*events(WRITE_SKEW), Invoke(10, 1, "c", 9, "ping"), Complete(11, 1.1, "c", 9, Outcome.OK)]
    with pytest.raises(SpecificationError, match=r'no operation .ping.; it has txn: let the property judge only those.*\{"txn"\}'):
        check(Isolation(), mixed)
    assert check(Isolation(functions=frozenset({"txn"})), mixed).status is Status.INVALID


# -- what cannot be judged ----------------------------------------------------------------------------


def what_was_read(workload: str, *values: int) -> Any:
    return values if workload == "list-append" else values[-1]


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_repeated_values_that_were_read_are_unknown(workload: str) -> None:
    write = "append" if workload == "list-append" else "w"
    read = transaction(2, (("r", "x", what_was_read(workload, 1)),), (5, 25))
    twice = [transaction(n, ((write, "x", 1),), (n, 10 + n)) for n in range(2)]
    verdict = Isolation(workload=workload).judge([*twice, read])
    assert verdict.status is Status.UNKNOWN
    assert "1 is not a unique value of 'x', both T0 and T1 write it: who read it does not say whose write it saw" in verdict.reason
    alone = Isolation(workload=workload).judge([transaction(0, ((write, "x", 1), (write, "x", 1)), (0, 1)), read])
    assert (alone.status, "T0 writes it twice" in alone.reason) == (Status.UNKNOWN, True)
    assert Isolation(workload=workload).judge(twice).status is Status.VALID, "nobody read it, so nobody can have read the wrong one"


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_repeated_values_accuse_nobody(workload: str) -> None:
    """Equal versions that nobody read are two, and one's own read of a value that one writes twice is no read of the future."""
    write = "append" if workload == "list-append" else "w"
    twice = ((write, "x", 1), ("r", "x", what_was_read(workload, 1)), (write, "x", 1))
    assert Isolation("read-uncommitted", workload).judge([transaction(0, twice, (0, 1))]).status is Status.UNKNOWN
    unread = [
        transaction(0, (("r", "y", what_was_read(workload, 2)), (write, "y", 1)), (1, 6), "p0"),
        transaction(1, ((write, "z", 1),), (2, 3), "p1"),
        transaction(2, ((write, "y", 2), ("r", "y", what_was_read(workload, 2))), (4, 5), "p1"),
        transaction(3, ((write, "y", 1),), (0, 30), "p2"),
    ]
    assert Isolation(workload=workload).judge(unread).status is Status.VALID
    missed = [transaction(0, ((write, "x", 1),), (0, 1)), transaction(1, (("r", "x", None), (write, "x", 1)), (2, 3))]
    assert Isolation(workload=workload).judge(missed).status is Status.INVALID, "it read nothing after something had been written"


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_a_repeated_value_does_not_hide_what_other_keys_show(workload: str) -> None:
    write = "append" if workload == "list-append" else "w"
    one = what_was_read(workload, 1)
    repeated = [transaction(n, ((write, "z", 1),), (n, 10 + n)) for n in range(2)]
    circle = [
        transaction(2, ((write, "x", 1), ("r", "y", one), ("r", "z", one)), (2, 20)),
        transaction(3, ((write, "y", 1), ("r", "x", one)), (3, 21)),
    ]
    verdict = Isolation("read-committed", workload).judge([*repeated, *circle])
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "G1c"
    lenient = Isolation("read-uncommitted", workload).judge([*repeated, *circle])
    assert (lenient.status, "not a unique value of 'z'" in lenient.reason) == (Status.UNKNOWN, True)


def test_writing_what_a_register_begins_with_is_unknown() -> None:
    history = [transaction(0, (("w", "x", None),), (0, 1)), transaction(1, (("r", "x", None),), (2, 3))]
    verdict = Isolation(workload="rw-register").judge(history)
    assert verdict.status is Status.UNKNOWN
    assert "T0 writes None to 'x', which is what every key begins with" in verdict.reason


def test_what_is_to_be_read_may_be_written_without_a_place_for_it() -> None:
    """As some of Elle's own tests invoke transactions: `[:r :x]`."""
    history = [raw((("r", "x"), ("append", "x", 1)), (("r", "x", ()), ("append", "x", 1)))]
    assert Isolation().judge(history).status is Status.VALID
    with pytest.raises(SpecificationError, match="a micro-operation is a triple"):
        Isolation().judge([raw((("r", "x"), ("append", "x")), (("r", "x", ()), ("append", "x", 1)))])


def test_levels_and_workloads_that_there_are_not_are_refused() -> None:
    with pytest.raises(SpecificationError, match="no level of isolation 'high': there are strict-serializable, "):
        Isolation("high")
    with pytest.raises(SpecificationError, match="no workload 'queue': there are list-append and rw-register"):
        Isolation(workload="queue")
    with pytest.raises(SpecificationError, match="no workload 'queue'"):
        analyse([], "queue")
    with pytest.raises(SpecificationError, match="assumptions about keys are for rw-register"):
        Isolation(sequential_keys=True)


def raw(argument: Any, result: Any, outcome: Outcome = Outcome.OK, function: str = "txn") -> Operation:
    return Operation(7, "c", function, argument, outcome, result, None, 0, 1, 0.0, 0.1)


READ = ("r", "x", None)

MALFORMED = [
    (raw(5, 5), "a tuple of micro-operations (f, key, value), not 5"),
    (raw(None, None), "a tuple of micro-operations (f, key, value), not None"),
    (raw(("r",), ("r",)), "a triple (f, key, value), not 'r'"),
    (raw((("r", "x"),), (("r", "x"),)), "a triple (f, key, value), not ('r', 'x')"),
    (raw((("cas", "x", 1),), (("cas", "x", 1),)), "there is no micro-operation 'cas': there are append and r"),
    (raw((READ,), None), "its result must be its micro-operations with what they read, not None"),
    (raw((READ,), 3), "its result must be its micro-operations with what they read, not 3"),
    (raw((READ,), ()), "its result has 0 micro-operations and its argument 1"),
    (raw((READ,), (("r", "y", ()),)), "its argument has ('r', 'x', None) where its result has ('r', 'y', ())"),
    (raw((("append", "x", 1),), (("append", "x", 2),)), "its argument has ('append', 'x', 1) where its result has ('append', 'x', 2)"),
    (raw((READ,), (("r", "x", 4),)), "('r', 'x', 4) must have read a tuple, or None for an empty list"),
    (raw((READ,), (("r", "x", ([],)),)), "not immutable"),
    (raw((("append", "x", []),), (("append", "x", []),)), "not immutable"),
    (raw((("append", [], 1),), None, Outcome.INFO), "not immutable"),
    (raw((("w", "x", 1),), None, Outcome.FAIL), "there is no micro-operation 'w'"),
    (raw(7, None, Outcome.FAIL), "a tuple of micro-operations"),
]


@pytest.mark.parametrize(("operation", "expected"), MALFORMED)
def test_malformed_transactions_are_refused_in_a_sentence(operation: Operation, expected: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        Isolation().judge([operation])
    assert str(caught.value).startswith("list-append: operation 7 of process c: ")
    assert expected in str(caught.value)


def test_writes_alone_need_no_result() -> None:
    history = [raw((("append", "x", 1),), None), transaction(1, (("r", "x", (1,)),), (2, 3))]
    assert Isolation().judge(history).status is Status.VALID


def test_whatever_comes_is_judged_or_refused() -> None:
    """10,000 transactions made of anything: a verdict or a `HistoryError` that names the operation, and nothing else."""
    source = random.Random("isolation")
    atoms: list[Any] = [None, 1, 2, True, 1.0, "x", "r", "append", "w", (), (1,), (1, 2), [], {}, float("nan"), b"x"]

    def anything(depth: int) -> Any:
        choice = source.random()
        if depth == 0 or choice < 0.2:
            return source.choice(atoms)
        if choice < 0.6:
            return (source.choice(["r", "append", "w", "r", "append", 3]), source.choice(["x", "y", [], 1]), source.choice(atoms))
        return tuple(anything(depth - 1) for _ in range(source.randrange(4)))

    outcomes = {"judged": 0, "refused": 0}
    for _ in range(5_000):
        history = []
        for number in range(source.randrange(1, 4)):
            asked = tuple(anything(1) for _ in range(source.randrange(4))) if source.random() < 0.9 else anything(2)
            told = asked if source.random() < 0.7 else anything(2)
            outcome = source.choice([Outcome.OK, Outcome.OK, Outcome.FAIL, Outcome.INFO])
            completed = None if outcome is Outcome.INFO else 10 + number
            history.append(Operation(number, f"c{number}", "txn", asked, outcome, told, None, number, completed, 0.0, 1.0))
        for workload in ("list-append", "rw-register"):
            refusal = ""
            try:
                Isolation(workload=workload).judge(history)
            except HistoryError as error:
                refusal = str(error)
            assert not refusal or ": operation " in refusal
            outcomes["refused" if refusal else "judged"] += 1
    assert min(outcomes.values()) > 500, outcomes


# -- long histories -----------------------------------------------------------------------------------


def long_history(size: int, workload: str, lag: int) -> list[Operation]:
    """Twenty transactions at a time; each reads a key as it was up to `lag` transactions before it took effect."""
    source = random.Random(size)
    state: dict[int, list[int]] = {}
    past: list[tuple[int, int]] = []
    operations = []
    for number in range(size):
        key, other = source.randrange(8) + 8 * (number // 500), source.randrange(8) + 8 * (number // 500)
        hidden = sum(1 for _when, where in past[-source.randrange(lag + 1) :] if where == other) if lag else 0
        seen = state.get(other, [])[: max(0, len(state.get(other, [])) - hidden)]
        state.setdefault(key, []).append(number)
        past.append((number, key))
        read = tuple(seen) if workload == "list-append" else (seen[-1] if seen else None)
        write = "append" if workload == "list-append" else "w"
        operations.append(transaction(number, (("r", other, read), (write, key, number)), (2 * number, 2 * number + 41), f"p{number % 21}"))
    return operations


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_long_histories_come_to_an_end(workload: str) -> None:
    assert Isolation(workload=workload).judge(long_history(20_000, workload, 0)).status is Status.VALID


def test_long_histories_full_of_anomalies_come_to_an_end() -> None:
    analysis = analyse(long_history(20_000, "list-append", 60))
    assert "strict-serializable" in analysis.ruled_out
    assert analyse(long_history(3_000, "rw-register", 60), "rw-register").anomalies


def test_a_long_cycle_is_told_in_part() -> None:
    """A thousand transactions, each of which misses what the next appends."""
    size = 1000
    ring = [(("r", n, ()), ("append", (n + 1) % size, 1)) for n in range(size)]
    verdict = Isolation().judge([transaction(n, told, (n, 5000 + n)) for n, told in enumerate(ring)])
    assert verdict.evidence is not None
    assert len(verdict.evidence.operations) == size
    assert len(verdict.evidence.lines) < 50
    assert "and so on, through 980 transactions more, back to T" in " ".join(verdict.evidence.lines)


def test_thousands_of_lost_updates_come_to_an_end() -> None:
    history = [transaction(n, (("r", "x", ()), ("append", "x", n)), (n, 50_000 + n)) for n in range(5_000)]
    analysis = analyse(history)
    assert dict(analysis.counts) == {"lost-update": 4_999, "G2-item": 1}
    assert [len(anomaly.steps) for anomaly in analysis.anomalies if anomaly.kind == "G2-item"] == [2]
