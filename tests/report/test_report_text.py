"""Runs in plain lines."""

import pytest
from report_records import raft_record

from killpoint.properties.history import Complete, History, Invoke, Outcome
from killpoint.properties.verdict import Evidence, Status, Verdict
from killpoint.report import text
from killpoint.report.wording import call_text, clean, counted, duration, event_text, short, value_text
from killpoint.sim.fault import Fault
from killpoint.sim.faults import Kill, Partition, PowerLoss
from killpoint.sim.record import Record, Statistics, Strike
from killpoint.sim.schedule import Boundary, Call, DiskNoise, Inject, MessageNoise, Noise, Schedule, TaskNoise
from killpoint.sim.trace import TraceEvent

HISTORY = History(
    [
        Invoke(1, 0.1, "c1", 1, "write", 3),
        Complete(2, 0.141, "c1", 1, Outcome.OK),
        Invoke(3, 0.2, "c1", 2, "write", 5),
        Complete(4, 0.312, "c1", 2, Outcome.OK),
        Invoke(5, 0.4, "c2", 3, "read"),
        Complete(6, 0.441, "c2", 3, Outcome.OK, 3),
        Invoke(7, 0.5, "c1", 4, "write", 6),
        Complete(8, 0.9, "c1", 4, Outcome.INFO, None, "no reply"),
        Invoke(9, 1.0, "c2", 5, "cas", (1, 2)),
        Complete(10, 1.1, "c2", 5, Outcome.FAIL, None, "lost the race"),
        Invoke(11, 1.2, "c2", 6, "read"),
    ]
)
REASON = "a read returned 3, and no order of the operations explains it"
SCHEDULE = Schedule(
    scenario="register",
    seed=20261,
    actions=(
        Call(at=0.1, client="c1", operation="write", arguments={"value": 3}),
        Inject(at=0.25, fault=Partition(target="leader", duration=1.0)),
        Inject(at=0.3, fault=PowerLoss(target="n2", keep="prefix:3"), boundary=Boundary("n2", "disk:fsync", 3)),
        Inject(at=0.4, fault=Kill(target="n3", duration=0.25)),
        Call(at=0.45, client="c2", operation="read"),
    ),
    overrides=(
        DiskNoise("n1", 41, 0.0125),
        MessageNoise("n1", "n2", 1, 0.204, 0, drop=True),
        MessageNoise("n1", "n3", 1, 0.35, 1, delay=0.02, duplicate=0.5),
        TaskNoise("n2", 1, 17, (1, 0)),
    ),
)
STRIKES = (
    Strike(1, "partition", "struck", 0.25, 40, "idle", ("n1",)),
    Strike(2, "power-loss", "never-reached", 2.0, 90),
    Strike(3, "kill", "over-budget", 0.4, 60),
)


def test_a_failing_verdict_shows_its_operations_in_columns() -> None:
    evidence = Evidence("stale-read", ("read() cannot be placed: write(5) had returned before it began",), (1, 2, 3))
    assert text.verdict_lines(Verdict("Linearizable(Register)", Status.INVALID, REASON, evidence), HISTORY) == [
        f"Linearizable(Register) fails: {REASON}.",
        "    c1 write(3)   0.100 s .. 0.141 s   ok",
        "    c1 write(5)   0.200 s .. 0.312 s   ok",
        "    c2 read()     0.400 s .. 0.441 s   -> 3",
        "    read() cannot be placed: write(5) had returned before it began",
    ]


def test_operations_that_the_evidence_shows_itself_are_not_shown_twice() -> None:
    lines = ("c1 write(5)   0.200 s .. 0.312 s   ok", "c2 read()     0.400 s .. 0.441 s   -> 3   cannot be placed")
    verdict = Verdict("V", Status.INVALID, REASON, Evidence("stale-read", lines, (2, 3)))
    assert text.verdict_lines(verdict, HISTORY)[1:] == [f"    {line}" for line in lines]


@pytest.mark.parametrize(
    ("status", "line"),
    [(Status.VALID, "P holds: why."), (Status.UNKNOWN, "P is undecided: why."), (Status.INVALID, "P fails: why.")],
)
def test_the_three_verdicts(status: Status, line: str) -> None:
    assert text.verdict_lines(Verdict("P", status, "why.")) == [line]


def test_a_schedule_says_what_every_fault_became_and_what_every_override_does() -> None:
    assert text.schedule_lines(SCHEDULE, STRIKES) == [
        "    0.100 s  c1 write 3",
        "    0.204 s  drop n1 -> n2",
        "    0.250 s  partition leader from all other hosts of the system  for 1.0 s                    struck n1, phase idle",
        (
            "    0.300 s  power-loss n2, keeps the first 3 units not synced    at the 3rd disk:fsync of n2  "
            "never struck: the boundary that it waited for was not crossed before the faults ended"
        ),
        "    0.350 s  delay by 0.02 s and duplicate after 0.5 s n1 -> n3 (2nd sent at that time)",
        (
            "    0.400 s  kill n3                                              for 0.25 s                   "
            "did nothing: over budget, more hosts would have been impaired than a quorum-safe run may"
        ),
        "    0.450 s  c2 read",
        "             n1 disk operation 41 takes 0.0125 s",
        "             n2 batch 17 runs its tasks in the order 1 0",
    ]


@pytest.mark.parametrize(
    ("fault", "short", "at_length"),
    [
        (PowerLoss(target="n1"), "power-loss n1 none", "power-loss n1, keeps none of what was not synced"),
        (PowerLoss(target="n1", keep="all"), "power-loss n1 all", "power-loss n1, keeps all of what was not synced"),
        (PowerLoss(target="n", keep="subset:77"), "power-loss n subset:77", "power-loss n, keeps half of what was not synced (subset:77)"),
        (PowerLoss(target="n1", keep="units:0,2"), "power-loss n1 units:0,2", "power-loss n1, keeps only units 0,2 of those not synced"),
        (Partition(target="n1"), "partition n1 isolate", "partition n1 from all other hosts of the system"),
        (Partition(target="n1", shape="inbound"), "partition n1 inbound", "partition n1, it hears nothing of the other hosts"),
        (Partition(target="n1", shape="outbound"), "partition n1 outbound", "partition n1, no other host hears it"),
        (Partition(target="n1", shape="halves"), "partition n1 halves", "partition n1 and its half of the system from the rest"),
        (Kill(target="n1"), "kill n1", "kill n1"),
    ],
)
def test_faults_are_short_in_pictures_and_spelt_out_in_schedules(fault: Fault, short: str, at_length: str) -> None:
    assert text.action_text(Inject(at=0.1, fault=fault)) == (short, "")
    assert text.action_text(Inject(at=0.1, fault=fault), at_length=True) == (at_length, "")


def test_a_failure_ends_with_the_schedule_that_makes_it() -> None:
    verdicts = (Verdict("A", Status.VALID, ""), Verdict("B", Status.INVALID, "bad"), Verdict("C", Status.UNKNOWN, ""))
    record = Record(SCHEDULE, "ab", 2.0, HISTORY, verdicts, STRIKES, Statistics())
    lines = text.failure_lines(record)
    assert lines[:2] == ["B fails: bad.", "Schedule (noise 0; seed 20261):"]
    assert lines[2:] == text.schedule_lines(SCHEDULE, STRIKES)


def test_noise_in_words() -> None:
    assert text.noise_text(Noise()) == "noise 0"
    assert text.noise_text(Noise(latency=1.0, loss=0.05)) == "noise: latency 1, loss 0.05"


def test_operations_as_lines_tell_how_they_ended() -> None:
    assert text.operation_lines(HISTORY.operations[3:]) == [
        "c1 write(6)      0.500 s .. 0.900 s   unknown (no reply)",
        "c2 cas((1, 2))   1.000 s .. 1.100 s   fail (lost the race)",
        "c2 read()        1.200 s ..           unknown",
    ]


def test_none_is_an_answer_where_others_were_answered_with_more() -> None:
    def called(number: int, function: str, result: int | None) -> tuple[Invoke, Complete]:
        invoked = Invoke(2 * number, number, "c1", number, function, "k")
        return invoked, Complete(2 * number + 1, number + 0.5, "c1", number, Outcome.OK, result)

    history = History([*called(0, "get", None), *called(1, "put", None), *called(2, "get", 7)])
    missed, put, _ = history.operations
    assert text.operation_lines([missed, put], history.operations) == [
        "c1 get('k')   0.000 s .. 0.500 s   -> None",
        "c1 put('k')   1.000 s .. 1.500 s   ok",
    ]
    verdict = Verdict("Found", Status.INVALID, "lost", Evidence(kind="lost", operations=(missed.id,)))
    assert text.verdict_lines(verdict, history)[1].endswith("-> None")


def test_operations_as_a_table() -> None:
    rows = text.operations_table(HISTORY)
    assert rows[2] == {
        "id": 3,
        "process": "c2",
        "function": "read",
        "argument": None,
        "outcome": "ok",
        "result": 3,
        "error": None,
        "invoked_at": 0.4,
        "completed_at": 0.441,
    }
    assert [row["outcome"] for row in rows] == ["ok", "ok", "ok", "info", "fail", "info"]
    assert rows[5]["completed_at"] is None


def test_a_timeline_can_be_cut_out_and_filtered() -> None:
    record = raft_record()
    assert record.trace is not None
    lines = text.timeline_lines(record.trace, since=0.69, until=0.72)
    assert lines == ["   428  0.700000 s      strike  kill leader", "   429  0.700000 s  n4  kill    process"]
    assert len(text.timeline_lines(record.trace)) == len(record.trace)
    assert len(text.timeline_lines(record.trace, kinds=["invoke"])) == len(record.history.operations)
    assert text.timeline_lines(record.trace, until=-1.0) == []


def test_states_as_lines() -> None:
    record = raft_record()
    assert record.trace is not None
    lines = text.state_lines(text.states_at(record.trace, record.hosts, 0.8))
    assert lines[0] == "n1   up  role=follower  term=1  phase=idle"
    assert lines[3] == "n4   down  role=leader  term=1  phase=idle  commit=5"
    assert lines[5:] == ["c1   up", "c2   up"]


def test_every_kind_of_event_has_words() -> None:
    record = raft_record()
    assert record.trace is not None
    for event in record.trace:
        assert "\n" not in event_text(event)
    made = TraceEvent(0, 0.0, "crash", "n1", None, {"error": "KeyError", "where": "node.py:3", "traceback": ("a", "b")})
    assert event_text(made) == "KeyError at node.py:3"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\x00", "two\\nlines\\x00"),
        ("lone \ud800 surrogate", "lone \\ud800 surrogate"),
        ("x" * 1000, "x" * 380 + " ... " + "x" * 15),
        ("größe → ∞", "größe → ∞"),
    ],
)
def test_texts_of_a_run_become_one_clean_line(given: str, shown: str) -> None:
    assert clean(given) == shown
    assert clean(given).encode("utf-8").decode("utf-8") == shown


def test_short_texts_end_in_an_ellipsis() -> None:
    assert short("abcdefgh", 8) == "abcdefgh"
    assert short("abcd fghi", 6) == "abcd\u2026"


def test_values_and_durations() -> None:
    assert value_text("bare") == "bare"
    assert value_text((1, "a")) == "(1, 'a')"
    assert [duration(time) for time in (1.0, 0.25, 2.0000001, 0.000001)] == ["1.0 s", "0.25 s", "2.0 s", "0.000001 s"]


def test_calls_and_counts_read_as_they_would_be_written() -> None:
    calls = [call_text("write", argument) for argument in (None, 5, (1, 2), (5,), ())]
    assert calls == ["write()", "write(5)", "write(1, 2)", "write((5,))", "write(())"]
    assert [counted(number, "run") for number in (0, 1, 2, 2_000)] == ["0 runs", "1 run", "2 runs", "2,000 runs"]
