"""What is known of hosts at a moment, and for how long."""

from itertools import pairwise

from report_records import raft_record

from killpoint.report.hosts import Span, spans, states_at
from killpoint.sim.trace import TraceEvent

BOTH = (("a", "b"), ("b", "a"))


def trace(*events: tuple[float, str, str | None, dict[str, object]]) -> list[TraceEvent]:
    return [TraceEvent(i, time, kind, host, None, detail) for i, (time, kind, host, detail) in enumerate(events)]


LIFE = trace(
    (0.0, "start", "a", {"incarnation": 1}),
    (0.1, "observe", "a", {"role": "leader", "term": 3}),
    (0.2, "pause", "a", {}),
    (0.3, "resume", "a", {}),
    (0.4, "power-loss", "a", {"mode": "power"}),
    (0.5, "restart", "a", {"incarnation": 2}),
    (0.6, "crash", "a", {"error": "KeyError"}),
)


def test_a_life_in_states() -> None:
    said = [states_at(LIFE, ("a", "b"), 0.05 + 0.1 * i)["a"].describe() for i in range(7)]
    assert said == [
        "up",
        "up  role=leader  term=3",
        "paused  role=leader  term=3",
        "up  role=leader  term=3",
        "down  role=leader  term=3",
        "up  incarnation 2",
        "crashed  incarnation 2",
    ]
    assert states_at(LIFE, ("a", "b"), 1.0)["b"].status == "absent"


def test_a_life_in_spans() -> None:
    found = spans(LIFE, [float(10 * i) for i in range(7)], 100.0, ("a",))
    assert [(span.kind, span.label or span.role, span.top, span.bottom) for span in found] == [
        ("role", "", 0, 10),
        ("paused", "paused", 20, 30),
        ("role", "leader", 10, 40),
        ("down", "down", 40, 50),
        ("role", "", 50, 60),
        ("down", "crashed", 60, 100),
    ]


def test_a_link_works_when_every_fault_that_cut_it_has_ended() -> None:
    events = trace(
        (0.1, "cut", None, {"links": BOTH}),
        (0.2, "cut", None, {"links": BOTH[:1]}),
        (0.3, "heal", None, {"links": BOTH}),
        (0.4, "heal", None, {"links": BOTH[:1]}),
    )
    said = [states_at(events, "ab", 0.15 + 0.1 * i)["a"].cut for i in range(4)]
    assert said == ["cut from b", "cut from b", "cut towards b", ""]
    assert states_at(events, "ab", 0.35)["b"].cut == "cut against a"


def test_the_calm_phase_heals_everything_and_late_heals_do_no_harm() -> None:
    events = trace((0.1, "cut", None, {"links": BOTH}), (0.2, "calm", None, {}), (0.2, "heal", None, {"links": BOTH}))
    assert [state.cut for state in states_at(events, "ab", 0.2).values()] == ["", ""]
    assert states_at(events, "ab", 0.15)["a"].cut == "cut from b"


def test_lanes_are_covered_without_gaps_or_overlaps() -> None:
    record = raft_record()
    assert record.trace is not None
    y = [float(i) for i in range(len(record.trace))]
    found = spans(record.trace, y, float(len(y)), record.hosts)
    for host in record.hosts[:5]:
        track = sorted((s.top, s.bottom) for s in found if s.host == host and s.kind in ("role", "down"))
        assert all(before[1] == after[0] for before, after in pairwise(track))
        assert track[-1][1] == len(y)


def test_a_cut_is_one_span_whatever_else_the_host_does() -> None:
    record = raft_record()
    assert record.trace is not None
    y = [float(i) for i in range(len(record.trace))]
    cuts = [span for span in spans(record.trace, y, float(len(y)), record.hosts[:5]) if span.kind == "cut"]
    assert sorted(span.host for span in cuts) == list(record.hosts[:5])
    isolated = [span for span in cuts if span.weight == 1.0]
    assert len(isolated) == 1
    assert isinstance(isolated[0], Span)
