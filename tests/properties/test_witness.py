"""The monitor that a run feeds against the search over every prefix of the history: it stops at the first event beyond repair."""

import os
import random

import msgspec
import pytest
from histories import brute_force, operation, random_history
from test_search_against_oracle import SPECIFICATIONS, wrong_once
from unambiguous import KINDS, history_of

from killpoint.properties import CasRegister, Linearizable, Register, Specification, SpecificationError, Status, check, witness
from killpoint.properties.history import Complete, Event, Invoke, Operation, Outcome
from killpoint.properties.linearizability import analyse

HISTORIES = 10_000 if os.environ.get("NIGHTLY") else 600
"""How many histories of each specification."""


def events_of(operations: list[Operation], source: random.Random) -> list[Event]:
    """The events of a history; of those that nobody knows the outcome of, some end `info` and some never."""
    events: list[tuple[float, Event]] = []
    last = max((one.completed or one.invoked for one in operations), default=0) + 1
    for one in operations:
        events.append((one.invoked, Invoke(one.invoked, 0.0, one.process, one.id, one.function, one.argument)))
        if one.completed is not None:
            ended = Complete(one.completed, 0.0, one.process, one.id, one.outcome, one.result, one.error)
            events.append((one.completed, ended))
        elif source.random() < 0.5:
            when = one.invoked + (last - one.invoked) * source.random()
            events.append((when, Complete(one.invoked, 0.0, one.process, one.id, Outcome.INFO)))
    return [event for _when, event in sorted(events, key=lambda pair: pair[0])]


def known_by(event: Event, operations: list[Operation]) -> list[Operation]:
    """What was known of a history when this event happened: operations that end later were pending."""
    now = event.index
    begun = [one for one in operations if one.invoked <= now]
    ended = [one.completed is not None and one.completed <= now for one in begun]
    return [
        one if end else operation(one.id, one.function, one.argument, span=(one.invoked, None), process=one.process)
        for one, end in zip(begun, ended, strict=True)
    ]


def assert_stops_where_it_must(specification: Specification, operations: list[Operation], source: random.Random) -> bool:
    """Whether it stopped; fails unless that was at the first event after which no order explains what had completed."""
    monitor = Linearizable(specification).start()
    described = [f"{one.describe()} [{one.invoked}, {one.completed}]" for one in operations]
    for event in events_of(operations, source):
        verdict = monitor.feed(event)
        if isinstance(event, Complete) and event.outcome is not Outcome.INFO:
            expected = brute_force(specification, known_by(event, operations))
            assert (verdict is None) is expected, f"at {event} of {described}"
        else:
            assert verdict is None
        if verdict is not None:
            assert verdict.status is Status.INVALID
            return True
    assert monitor.finish().status is Status.VALID
    return False


@pytest.mark.parametrize("which", SPECIFICATIONS)
def test_it_stops_at_the_first_event_beyond_repair(which: str) -> None:
    specification, invent, answer, size = SPECIFICATIONS[which]
    source = random.Random(f"witness {which}")
    stopped = 0
    for _ in range(HISTORIES):
        options = {"width": source.choice([2, 3, 5]), "pending": source.choice([0.0, 0.2, 0.5]), "wrong": wrong_once(source)}
        history = random_history(source, specification, invent, answer, source.randrange(1, size + 1), **options)
        stopped += assert_stops_where_it_must(specification, history, source)
    assert HISTORIES // 20 < stopped < HISTORIES // 2


@pytest.mark.parametrize("which", KINDS)
def test_it_does_so_where_monitors_would_decide(which: str) -> None:
    kind = KINDS[which]
    source = random.Random(f"witness of {which}")
    for _ in range(HISTORIES // 2):
        pending = source.choice([0.0, 0.3])
        history = history_of(kind, source, source.randrange(2, 9), pending=pending, width=3, lies=source.choice([0.0, 0.2]), swaps=1)
        assert_stops_where_it_must(kind.specification, history, source)


def test_a_long_run_is_followed_with_few_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four clients, three values: whatever completes fits nearby, and nothing looks at all the run again."""
    looked_at = []
    class Counted(witness.Search):
        def __init__(self, specification: Specification, operations: list[Operation]) -> None:
            looked_at.append(len(operations))
            super().__init__(specification, operations)

    monkeypatch.setattr(witness, "Search", Counted)
    specification, invent, answer, _size = SPECIFICATIONS["cas"]
    history = random_history(random.Random(7), specification, invent, answer, 2_000, width=4, pending=0.0, wrong=0.0)
    follower = witness.Witness(specification, 10_000)
    for event in events_of(history, random.Random(7)):
        one = next(one for one in history if one.id == event.operation) if isinstance(event, Complete) else None
        if isinstance(event, Invoke):
            follower.invoke(operation(event.operation, event.function, event.argument, span=(event.index, None)))
        elif one is not None:
            assert follower.complete(one) is witness.Fate.ALIVE
    assert len(looked_at) < len(history) / 2
    assert max(looked_at) < 64


def test_what_nobody_can_follow_cheaply_is_looked_at_now_and_then_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without steps to spend a witness is lost at the first search, and the verdict is the same in the end."""
    monkeypatch.setattr("killpoint.properties.linearizability.LONGEST", 0)
    source = random.Random(11)
    specification, invent, answer, _size = SPECIFICATIONS["cas"]
    told = {Status.VALID: 0, Status.INVALID: 0}
    for _ in range(30):
        history = random_history(source, specification, invent, answer, 40, width=4, pending=0.1, wrong=source.choice([0.0, 0.02]))
        monitor = Linearizable(specification).start()
        early = [verdict for verdict in map(monitor.feed, events_of(history, source)) if verdict is not None]
        status = early[0].status if early else monitor.finish().status
        assert status is analyse(specification, history).status
        told[status] += 1
    assert min(told.values()) > 3


def test_what_was_seen_early_must_have_been_so() -> None:
    """A read sees an open compare-and-set; that it then fails is a contradiction, at that very event."""
    monitor = Linearizable(CasRegister(0)).start()
    monitor.feed(Invoke(0, 0.0, "c1", 0, "cas", (0, 5)))
    monitor.feed(Invoke(1, 0.1, "c2", 1, "read"))
    assert monitor.feed(Complete(2, 0.2, "c2", 1, Outcome.OK, 5)) is None
    verdict = monitor.feed(Complete(3, 0.3, "c1", 0, Outcome.FAIL))
    assert verdict is not None
    assert verdict.status is Status.INVALID


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.FAIL, Outcome.INFO, None])
def test_an_operation_that_the_specification_does_not_know_is_told_however_it_ends(outcome: Outcome | None) -> None:
    events: list[Event] = [Invoke(0, 0.0, "c1", 0, "audit")]
    if outcome is not None:
        events.append(Complete(1, 0.1, "c1", 0, outcome))
    with pytest.raises(SpecificationError, match="Register has no operation 'audit'"):
        check(Linearizable(Register()), events)


def histories(which: str, source: random.Random) -> tuple[Specification, list[Operation]]:
    if which in KINDS:
        return KINDS[which].specification, history_of(KINDS[which], source, 8)
    specification, invent, answer, size = SPECIFICATIONS[which]
    return specification, random_history(source, specification, invent, answer, size)


@pytest.mark.parametrize("which", [*SPECIFICATIONS, *KINDS])
def test_an_operation_that_failed_counts_for_nothing(which: str) -> None:
    """Whatever it was, it need not have returned anything, and without it the verdict is the same."""
    source = random.Random(f"failed {which}")
    tried = 0
    for _ in range(100):
        specification, history = histories(which, source)
        certain = [one for one in history if one.ok]
        if not certain:
            continue
        failing = source.choice(certain)
        failed = msgspec.structs.replace(failing, outcome=Outcome.FAIL, result=None, error="nobody leads")
        if specification.evidence_of_failure(failed):
            continue
        tried += 1
        rest = [one for one in history if one is not failing]
        among = [failed if one is failing else one for one in history]
        expected = analyse(specification, rest).status
        assert analyse(specification, among).status is expected
        assert check(Linearizable(specification), events_of(among, source)).status is expected
    assert tried > 20
