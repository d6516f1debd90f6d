"""Every common property holds where it should, and finds the violation that was planted for it."""

from collections.abc import Iterable

import pytest

from killpoint.properties import (
    Complete,
    Converges,
    Durable,
    Event,
    History,
    HistoryError,
    Incident,
    Invoke,
    NoCrash,
    NoDuplicates,
    Observe,
    Operation,
    Outcome,
    Progress,
    Property,
    Status,
    Terminal,
    Value,
    Verdict,
    check,
)
from killpoint.properties.history import render


class Story:
    """Writes histories down: each call appends events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._operations = 0

    @property
    def _next(self) -> tuple[int, float]:
        return len(self.events), len(self.events) / 10

    def begin(self, function: str, argument: Value = None, process: str = "c1") -> int:
        self._operations += 1
        self.events.append(Invoke(*self._next, process, self._operations, function, argument))
        return self._operations

    def end(self, operation: int, result: Value = None, outcome: Outcome = Outcome.OK, process: str = "c1") -> None:
        self.events.append(Complete(*self._next, process, operation, outcome, result))

    def call(self, function: str, argument: Value = None, result: Value = None, outcome: Outcome = Outcome.OK) -> None:
        process = f"p{self._operations}"
        self.end(self.begin(function, argument, process), result, outcome, process)

    def happens(self, kind: str, host: str | None = None, **detail: Value) -> None:
        self.events.append(Incident(*self._next, kind, host, detail))

    def observes(self, host: str, **values: Value) -> None:
        self.events.append(Observe(*self._next, host, 1, values))

    def verdict(self, prop: Property) -> Verdict:
        assert isinstance(prop, Property)
        return check(prop, History(self.events))


def fails(verdict: Verdict, kind: str, *words: str) -> None:
    """The verdict is invalid, of this kind, and its lines speak of these words."""
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.signature == (verdict.name, kind)
    text = "\n".join([verdict.reason, *verdict.evidence.lines])
    assert all(word in text for word in words), text


def test_values_read_as_they_would_be_written() -> None:
    written = [render(value) for value in ((), (1,), (1, ("a",)), b"abc", bytes(9))]
    assert written == ["()", "(1,)", "(1, ('a',))", "b'abc'", "00000000..."]


def test_no_crash() -> None:
    story = Story()
    story.happens("kill", "n1")
    assert story.verdict(NoCrash()).status is Status.VALID
    story.happens("crash", "n2", error="KeyError", message="'x'", where="node.py:7")
    fails(story.verdict(NoCrash()), "crash:KeyError", "n2", "'x'", "node.py:7")
    assert story.verdict(NoCrash(frozenset({"KeyError"}))).status is Status.VALID


def test_a_crash_stops_the_run_at_once() -> None:
    monitor = NoCrash().start()
    assert monitor.feed(Incident(0, 0.0, "kill", "n1")) is None
    verdict = monitor.feed(Incident(1, 0.0, "crash", "n1", {"error": "E"}))
    assert verdict is not None
    assert verdict.evidence is not None
    assert verdict.evidence.events == (1,)


def test_no_duplicates_in_one_answer() -> None:
    story = Story()
    assert "nothing" in story.verdict(NoDuplicates("audit")).reason
    story.call("audit", None, ("a", "b"))
    story.call("audit", None, ("a", "b", "c"))
    assert story.verdict(NoDuplicates("audit")).status is Status.VALID
    story.call("audit", None, ("a", "b", "a", "c"))
    fails(story.verdict(NoDuplicates("audit")), "duplicate", "'a' stands at positions 0, 2")
    assert story.verdict(NoDuplicates("other")).status is Status.VALID


def index_of(operation: Operation) -> Iterable[Value]:
    return (operation.result,) if operation.function == "issue" and operation.ok else ()


def test_no_duplicates_across_answers() -> None:
    prop = NoDuplicates(index_of, across=True)
    assert prop.name == "NoDuplicates(index_of)"
    story = Story()
    story.call("issue", "x", 1)
    story.call("issue", "y", 2)
    story.call("issue", "z", None, Outcome.FAIL)
    story.call("issue", "z", None, Outcome.FAIL)
    assert story.verdict(prop).status is Status.VALID
    assert story.verdict(NoDuplicates(index_of)).status is Status.VALID
    story.call("issue", "z", 2)
    fails(story.verdict(prop), "duplicate", "2 appears more than once", "'y'", "'z'")
    twice = Story()
    twice.call("audit", None, (3, 3))
    fails(twice.verdict(NoDuplicates(lambda one: one.result, across=True)), "duplicate")  # type: ignore[arg-type, return-value]


def test_no_duplicates_in_what_hosts_observe() -> None:
    prop = NoDuplicates(observed="log")
    story = Story()
    story.observes("n1", log=(1, 2))
    story.observes("n2", log=(1, 2), role="leader")
    story.observes("n2", role="follower")
    assert story.verdict(prop).status is Status.VALID
    story.observes("n2", log=(1, 2, 1))
    verdict = story.verdict(prop)
    fails(verdict, "duplicate", "n2 observed as log")
    assert verdict.evidence is not None
    assert verdict.evidence.hosts == ("n2",)


def test_no_duplicates_says_what_it_cannot_look_at() -> None:
    story = Story()
    story.call("audit", None, 3)
    with pytest.raises(HistoryError, match="no tuple"):
        story.verdict(NoDuplicates("audit"))
    with pytest.raises(ValueError, match="either"):
        NoDuplicates()
    with pytest.raises(ValueError, match="either"):
        NoDuplicates("audit", "log")


def test_converges() -> None:
    prop = Converges("state_hash")
    story = Story()
    story.observes("n1", state_hash="a")
    story.observes("n2", state_hash="b")
    story.observes("n3", state_hash="x")
    story.happens("kill", "n3")
    assert story.verdict(prop).status is Status.UNKNOWN
    story.happens("calm")
    fails(story.verdict(prop), "diverged", "n1: 'a'", "n2: 'b'")
    story.observes("n2", state_hash="a", role="leader")
    story.observes("n2", role="follower")
    assert story.verdict(prop).status is Status.VALID
    story.happens("restart", "n3")
    fails(story.verdict(prop), "diverged", "n3: nothing since it was restarted")
    story.observes("n3", state_hash="a")
    assert story.verdict(prop).status is Status.VALID
    story.observes("n3", state_hash="c")
    verdict = story.verdict(prop)
    assert verdict.evidence is not None
    assert verdict.evidence.hosts == ("n3",), "the minority is to blame"


@pytest.mark.parametrize("death", ["kill", "power-loss", "exit", "crash"])
def test_dead_hosts_need_not_converge(death: str) -> None:
    story = Story()
    story.happens("calm")
    story.observes("n1", state_hash="a")
    story.observes("n2", state_hash="b")
    fails(story.verdict(Converges("state_hash")), "diverged")
    story.happens(death, "n2")
    verdict = story.verdict(Converges("state_hash"))
    assert verdict.status is Status.VALID
    assert "nothing to compare" in verdict.reason


def test_converges_may_settle_values() -> None:
    story = Story()
    story.happens("calm")
    story.observes("n1", count=11)
    story.observes("n2", count=19)
    assert story.verdict(Converges("count", lambda count: isinstance(count, int) and count // 10)).status is Status.VALID


def issued(operation: Operation) -> Iterable[Value] | None:
    if operation.function != "issue" or not operation.ok or not isinstance(operation.argument, tuple):
        return None
    return (operation.argument[0],)


def test_durable() -> None:
    prop = Durable(issued, "audit")
    story = Story()
    story.call("issue", ("r1", "d"), 1)
    story.call("issue", ("r2", "d"), None, Outcome.FAIL)
    story.call("issue", ("r3", "d"), None, Outcome.INFO)
    assert story.verdict(prop).status is Status.UNKNOWN
    early = story.begin("audit")
    story.happens("calm")
    story.end(early, ())
    assert story.verdict(prop).status is Status.UNKNOWN, "an audit that began before the calm says nothing"
    story.call("audit", None, ("r1",))
    assert story.verdict(prop).status is Status.VALID
    story.call("audit", None, None, Outcome.FAIL)
    story.call("audit", None, ("r1", "r3", "r9"))
    assert story.verdict(prop).status is Status.VALID
    story.call("issue", ("r4", "d"), 4)
    assert story.verdict(prop).status is Status.VALID, "what was acknowledged after the audit is not due in it"
    story.call("audit", None, ("r1", "r3"))
    fails(story.verdict(prop), "lost", "1 of 2", "'r4'")
    story.call("audit", None, ("r1", "r4"))
    assert story.verdict(prop).status is Status.VALID, "the last audit counts"


def test_everything_lost_is_lost() -> None:
    story = Story()
    story.call("put", "k", None)
    story.happens("calm")
    story.call("list", None, ())
    fails(story.verdict(Durable("put", "list")), "lost", "1 of 1 acknowledged items are gone: 'k'")


def test_terminal() -> None:
    story = Story()
    waiting = story.begin("issue", "r1")
    story.call("issue", "r2", None, Outcome.INFO)
    assert story.verdict(Terminal()).status is Status.UNKNOWN
    story.happens("calm")
    verdict = story.verdict(Terminal())
    fails(verdict, "in-flight", "c1 issue, invoked at 0.000 s, never ended")
    assert verdict.evidence is not None
    assert verdict.evidence.operations == (waiting,)
    story.end(waiting, None, Outcome.FAIL)
    assert story.verdict(Terminal()).status is Status.VALID


def test_terminal_looks_at_what_is_pending() -> None:
    prop = Terminal("pending")
    story = Story()
    story.call("pending", None, ("r1",))
    story.happens("calm")
    assert story.verdict(prop).status is Status.UNKNOWN
    story.call("pending", None, ("r1", "r2"))
    fails(story.verdict(prop), "pending", "2 items", "'r1', 'r2'")
    story.call("pending", None, ())
    assert story.verdict(prop).status is Status.VALID


def test_progress() -> None:
    story = Story()
    early = story.begin("write", 1)
    assert story.verdict(Progress()).status is Status.UNKNOWN
    story.happens("calm")
    story.end(early)
    assert "nothing was invoked" in story.verdict(Progress()).reason
    story.call("write", 2)
    assert story.verdict(Progress()).status is Status.VALID
    story.call("cas", (1, 2), None, Outcome.FAIL)
    fails(story.verdict(Progress()), "no-progress:cas", "fail")
    assert story.verdict(Progress(may_fail=True)).status is Status.VALID
    assert story.verdict(Progress(frozenset({"write"}))).status is Status.VALID
    story.begin("write", 3)
    fails(story.verdict(Progress(may_fail=True)), "no-progress:write", "never ended")


def test_progress_is_told_at_once() -> None:
    story = Story()
    story.happens("calm")
    story.call("write", 1, None, Outcome.INFO)
    monitor = Progress().start()
    told = [monitor.feed(event) for event in story.events]
    assert [verdict is not None for verdict in told] == [False, False, True]
