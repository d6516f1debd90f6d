"""`Linearizable` as a property: its verdicts, what it says at 3 am, its budgets, and that it tells early."""

import itertools
import random
import re
from collections.abc import Sequence

import pytest
from histories import operation

from killpoint.properties import (
    Call,
    CasRegister,
    Complete,
    Event,
    History,
    Invoke,
    IssuanceLedger,
    KeyValue,
    Linearizable,
    Operation,
    Outcome,
    Register,
    SpecificationError,
    Status,
    Value,
    Verdict,
    check,
)
from killpoint.properties.linearizability import analyse
from killpoint.properties.search import Search
from killpoint.properties.specification import Refusal, State


def row(events: list[Event], process: str, function: str, argument: Value = None, result: Value = None) -> None:
    """One operation, alone in time."""
    number = len(events)
    events.append(Invoke(number, number / 10, process, number, function, argument))
    events.append(Complete(number + 1, number / 10 + 0.05, process, number, Outcome.OK, result))


def stale_read(padding: int = 0) -> list[Event]:
    events: list[Event] = []
    for value in range(100, 100 + padding):
        row(events, "c3", "write", value)
    row(events, "c1", "write", 3)
    row(events, "c1", "write", 5)
    row(events, "c2", "read", None, 3)
    return events


def lines_of(verdict: Verdict) -> tuple[str, ...]:
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    return verdict.evidence.lines


def test_a_stale_read_is_explained_as_in_the_manual() -> None:
    verdict = check(Linearizable(Register()), History(stale_read()))
    assert verdict.name == "Linearizable(Register)"
    assert verdict.signature == ("Linearizable(Register)", "cannot-be-placed")
    assert verdict.reason == "a read returned 3, and no order of the operations explains it"
    assert lines_of(verdict)[:3] == (
        "c1 write(3)   0.000 s .. 0.050 s   ok",
        "c1 write(5)   0.200 s .. 0.250 s   ok",
        (
            "c2 read()     0.400 s .. 0.450 s   -> 3   cannot be placed: the register holds 5, not 3; "
            "write(5) of c1 had returned before it began"
        ),
    )
    assert verdict.evidence is not None
    assert verdict.evidence.operations == (0, 2, 4)
    assert verdict.evidence.events[-1] == 5


def test_a_read_that_returned_none_says_so_and_a_write_that_did_is_just_ok() -> None:
    events: list[Event] = []
    row(events, "c1", "write", 1)
    row(events, "c1", "read", "from n3")
    verdict = check(Linearizable(Register()), History(events))
    assert verdict.reason == "a read returned None, and no order of the operations explains it"
    assert [re.split(r" {3,}", line)[2] for line in lines_of(verdict)[:2]] == ["ok", "-> None"]
    assert "the register holds 1, not None" in lines_of(verdict)[1]
    assert len(lines_of(verdict)) == 2, "whoever had returned before says it all"


def test_where_no_operation_alone_is_to_blame_a_note_says_what_cannot_be() -> None:
    history = [
        operation(0, "write", 1, span=(0, 9)),
        operation(1, "write", 2, span=(1, 10)),
        operation(2, "read", None, 1, span=(2, 3)),
        operation(3, "read", None, 2, span=(4, 5)),
        operation(4, "read", None, 1, span=(6, 7)),
    ]
    assert lines_of(Linearizable(Register()).judge(history))[-1] == "(one value would have to be there before, during and after the other)"


class Lookups(KeyValue):
    """Says of no call that it is a read."""

    def pure(self, call: Call) -> bool:
        return False


def test_none_is_an_answer_where_others_of_the_function_were_answered_with_more() -> None:
    events: list[Event] = []
    row(events, "c1", "put", ("k", "a"))
    row(events, "c1", "get", "k", "a")
    row(events, "c1", "get", "k", None)
    verdict = check(Linearizable(Lookups()), History(events))
    assert verdict.reason == "a get returned None, and no order of the operations explains it"
    assert [re.split(r" {3,}", line)[2] for line in lines_of(verdict)] == ["ok", "-> 'a'", "-> None"]


def test_the_explanation_stays_short_however_long_the_history() -> None:
    verdict = check(Linearizable(Register()), History(stale_read(400)))
    assert len(lines_of(verdict)) <= 4
    duplicate = [*stale_read(400)]
    row(duplicate, "c9", "write", 100)
    searched = check(Linearizable(Register()), History(duplicate))
    assert searched.signature == verdict.signature
    assert len(lines_of(searched)) <= 14


def test_candidates_are_told_apart() -> None:
    """Two writes are in flight while an impossible value is read: each candidate has its line."""
    history = [
        operation(0, "write", 1, span=(0, 9)),
        operation(1, "write", 1, span=(1, None)),
        operation(2, "write", 2, span=(2, 10)),
        operation(3, "read", None, 7, span=(3, 4)),
        operation(4, "write", 7, span=(5, 6)),
    ]
    verdict = Linearizable(CasRegister()).judge(history)
    text = "\n".join(lines_of(verdict))
    assert "cannot be placed: the register holds None, not 7, as at the beginning" in text
    assert text.count("could come next, but then the register holds") == 3


def test_a_failed_compare_and_set_can_be_the_one_that_does_not_fit() -> None:
    history = [operation(0, "write", 1, span=(0, 1)), operation(1, "cas", (1, 2), None, (2, 3), Outcome.FAIL)]
    assert Linearizable(CasRegister()).judge(history).status is Status.VALID
    verdict = Linearizable(CasRegister(failed_cas_observes=True)).judge(history)
    assert "so this cas could not fail" in "\n".join(lines_of(verdict))
    assert verdict.reason == "a cas failed, and no order of the operations explains it"


PLANTED: list[tuple[Linearizable, list[tuple[str, Value, Value]], str]] = [
    (Linearizable(Register()), [("write", 1, None), ("read", None, None)], "read"),
    (Linearizable(CasRegister()), [("write", 1, None), ("cas", (2, 3), None)], "cas"),
    (Linearizable(KeyValue()), [("append", ("k", "a"), None), ("append", ("k", "b"), None), ("get", "k", "ba")], "get"),
    (Linearizable(KeyValue()), [("put", ("k", "a"), None), ("get", "k", "")], "get"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("issue", ("r", "d"), 5)], "issue"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("issue", ("s", "e"), 4)], "issue"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("issue", ("s", "e"), 3)], "issue"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("issue", ("r", "e"), 4)], "issue"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("lookup", "r", None)], "lookup"),
    (Linearizable(IssuanceLedger()), [("lookup", "r", 4), ("issue", ("r", "d"), 4)], "lookup"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("audit", None, ())], "audit"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("audit", None, ("r", "r"))], "audit"),
    (Linearizable(IssuanceLedger()), [("issue", ("r", "d"), 4), ("revoke", "r", 5), ("revoked", "r", False)], "revoked"),
    (Linearizable(IssuanceLedger()), [("revoke", "r", 5)], "revoke"),
]


@pytest.mark.parametrize(("prop", "calls", "culprit"), PLANTED)
def test_planted_violations_are_found(prop: Linearizable, calls: list[tuple[str, Value, Value]], culprit: str) -> None:
    events: list[Event] = []
    for function, argument, result in calls:
        row(events, "c1", function, argument, result)
    verdict = check(prop, History(events))
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "cannot-be-placed"
    assert any(f" {culprit}(" in line and "cannot be placed" in line for line in verdict.evidence.lines)


def test_an_issuance_that_timed_out_may_stand_where_there_is_room() -> None:
    """Its index is not known until somebody sees it, and must then lie between its neighbours'."""

    def judge(place: int) -> Status:
        history = [
            operation(0, "issue", ("a", "x"), 3, (0, 1)),
            operation(1, "issue", ("b", "y"), None, (2, None)),
            operation(2, "issue", ("c", "z"), 7, (3, 4)),
            operation(3, "audit", None, ("a", "b", "c"), (5, 6)),
            operation(4, "lookup", "b", place, (7, 8)),
        ]
        return Linearizable(IssuanceLedger()).judge(history).status

    assert [judge(place) for place in (3, 4, 6, 7)] == [Status.INVALID, Status.VALID, Status.VALID, Status.INVALID]


def test_issuances_that_nobody_saw_need_room_too() -> None:
    """Two entries lie unseen between indices 3 and 7: the first is at most at 5, the second at least at 5."""

    def judge(request: str, place: int) -> Status:
        history = [
            operation(0, "issue", ("a", "x"), 3, (0, 1)),
            operation(1, "issue", ("b", "y"), None, (2, None)),
            operation(2, "issue", ("c", "y"), None, (3, None)),
            operation(3, "issue", ("d", "z"), 7, (4, 5)),
            operation(4, "audit", None, ("a", "b", "c", "d"), (6, 7)),
            operation(5, "lookup", request, place, (8, 9)),
        ]
        return Linearizable(IssuanceLedger()).judge(history).status

    assert [judge("b", place) for place in (4, 5, 6)] == [Status.VALID, Status.VALID, Status.INVALID]
    assert [judge("c", place) for place in (4, 5, 6)] == [Status.INVALID, Status.VALID, Status.VALID]


def test_a_crashed_cas_may_be_needed_beside_a_write_of_the_same_value() -> None:
    """Both lead from 1 to 2, but only the write can make a 2 out of the 3 that comes later."""
    history = [
        operation(0, "write", 1, span=(0, 1)),
        operation(1, "cas", (1, 2), span=(2, None)),
        operation(2, "write", 2, span=(3, 20)),
        operation(3, "read", None, 2, span=(4, 5)),
        operation(4, "write", 3, span=(6, 7)),
        operation(5, "read", None, 3, span=(8, 9)),
        operation(6, "read", None, 2, span=(10, 11)),
    ]
    assert Linearizable(CasRegister()).judge(history).status is Status.VALID
    assert Linearizable(CasRegister()).judge(history[:1] + history[2:]).status is Status.INVALID


def test_an_empty_history_says_that_it_is_empty() -> None:
    assert "no operations" in check(Linearizable(Register()), History([])).reason


def test_operations_that_the_specification_does_not_know_are_an_error() -> None:
    lost = operation(0, "frobnicate", span=(0, None))
    failed = operation(0, "frobnicate", outcome=Outcome.FAIL)
    for one in (operation(0, "frobnicate"), lost, failed):
        with pytest.raises(SpecificationError, match="no operation 'frobnicate'; it has read and write"):
            Linearizable(Register()).judge([one])
    only_reads = Linearizable(Register(), functions=frozenset({"read"})).start()
    assert only_reads.feed(Invoke(0, 0.0, "c", 0, "frobnicate")) is None
    assert only_reads.finish().status is Status.VALID


def test_a_run_with_operations_of_other_properties_is_told_how_to_leave_them_out() -> None:
    events: list[Event] = []
    row(events, "c1", "put", ("k", "a"))
    row(events, "c1", "audit", None, (("k", "a"),))
    advice = (
        "KeyValue has no operation 'audit'; it has get, put and append: let the property judge only those, "
        'Linearizable(..., functions=frozenset({"get", "put", "append"})), or give it another specification'
    )
    with pytest.raises(SpecificationError, match=re.escape(advice)):
        check(Linearizable(KeyValue()), History(events))


class Blind(KeyValue):
    """Without hints, and a store of its own, to which no monitor applies: the search has to try everything."""

    def step(self, state: State, call: Call) -> State | Refusal:
        return super().step(state, call)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        return True

    def reducer(self, calls: Sequence[Call]) -> None:
        return None


def puzzle(size: int) -> list[Operation]:
    """Appends that are all in flight at once, and a get that shows one more: every order of the appends has to be tried."""
    appends = [operation(n, "append", ("k", f"{n} "), None, (n, 1000 + n)) for n in range(size)]
    value = "".join(f"{n} " for n in range(size + 1))
    return [*appends, operation(size, "get", "k", value, (size, 999))]


def test_equal_calls_are_tried_once() -> None:
    """Appends that nobody can tell apart make one chain of states, not one for each subset."""
    alike = [operation(n, "append", ("k", "x"), None, (n, 100 + n)) for n in range(12)]
    analysis = analyse(Blind(), [*alike, operation(20, "get", "k", "y", (20, 99))], None)
    assert (analysis.status, analysis.steps) == (Status.INVALID, 13)


def test_budgets_and_deadlines_end_a_search_with_unknown() -> None:
    full = analyse(Blind(), puzzle(6), None)
    assert full.status is Status.INVALID
    assert full.steps == 1957, "one configuration for every order of every subset of six appends"
    hinted = Search(KeyValue(), puzzle(6))
    assert hinted.run(40) is False, "with hints there is next to nothing to try"
    verdict = Linearizable(Blind(), budget=1_000).judge(puzzle(12))
    assert verdict.status is Status.UNKNOWN
    assert "1000 steps" in verdict.reason
    assert verdict == Linearizable(Blind(), budget=1_000).judge(puzzle(12))
    asked = itertools.count()
    late = Linearizable(Blind(), budget=None).judge(puzzle(12), lambda: next(asked) >= 2)
    assert late.status is Status.UNKNOWN
    assert "depends on the machine" in late.reason


def test_one_hard_part_does_not_hide_an_easy_violation() -> None:
    """Key `easy` is refuted in its first turn, although key `k` was begun first and would take all of the budget."""
    easy = [operation(70, "put", ("easy", "a"), None, (2000, 2001)), operation(71, "get", "easy", "b", (2002, 2003))]
    analysis = analyse(Blind(), [*puzzle(12), *easy], 5_000)
    assert (analysis.status, analysis.part) == (Status.INVALID, "easy")


def test_a_violation_is_told_while_the_run_goes_on() -> None:
    """A long run is stopped at the very event that nothing can repair, with the same evidence as at the end."""
    events = stale_read(10)
    broken = len(events)
    for _ in range(200):
        row(events, "c4", "read", None, 5)
    monitor = Linearizable(Register()).start()
    told = next((position, verdict) for position, verdict in enumerate(map(monitor.feed, events)) if verdict is not None)
    assert told[0] == broken - 1
    assert told[1].signature == Linearizable(Register()).judge(History(events).operations).signature


def test_a_valid_run_is_never_interrupted() -> None:
    events: list[Event] = []
    source = random.Random(5)
    value = None
    for _ in range(120):
        if source.random() < 0.5:
            value = source.randrange(4)
            row(events, "c1", "write", value)
        else:
            row(events, "c1", "read", None, value)
    monitor = Linearizable(Register()).start()
    assert [monitor.feed(event) for event in events] == [None] * len(events)
    assert monitor.finish().status is Status.VALID


def test_issuances_that_nobody_knows_of_cost_nothing_in_hindsight() -> None:
    """Sixteen that timed out have 16! orders; the audit at the end leaves one."""
    history = [operation(number, "issue", (f"d{number}", "x"), span=(number, None)) for number in range(16)]
    history.append(operation(16, "issue", ("d16", "x"), 40, (20, 21)))
    history.append(operation(17, "audit", None, tuple(f"d{number}" for number in (7, 3, 11, 16, 0)), (30, 31)))
    analysis = analyse(IssuanceLedger(), history)
    assert analysis.status is Status.VALID
    assert analysis.steps < 100
    history.append(operation(18, "lookup", "d16", 41, (32, 33)))
    assert analyse(IssuanceLedger(), history).status is Status.INVALID


def test_what_nobody_wrote_is_said_beside_what_the_register_holds() -> None:
    """Also where the log-linear monitor, which needs no more than the read, finds it."""
    events: list[Event] = []
    row(events, "p0", "write", 1)
    row(events, "p1", "write", 2)
    row(events, "p2", "read", None, 4)
    verdict = check(Linearizable(Register()), events)
    assert verdict.evidence is not None
    *_, read, note = verdict.evidence.lines
    assert read.endswith("cannot be placed: the register holds 2, not 4; write(2) of p1 had returned before it began")
    assert note == "(nobody wrote 4)"


def test_a_stale_read_is_told_what_the_register_held_then() -> None:
    events: list[Event] = []
    for value in (1, 2, 3):
        row(events, "p0", "write", value)
    row(events, "p1", "read", None, 1)
    verdict = check(Linearizable(Register()), events)
    assert verdict.evidence is not None
    assert "the register holds 3, not 1; write(3) of p0 had returned before it began" in verdict.evidence.lines[-1]
