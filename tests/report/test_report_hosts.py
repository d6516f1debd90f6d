"""What is known of hosts at a moment, and for how long."""

from itertools import pairwise

import pytest
from report_records import raft_record

from killpoint.report.hosts import Cut, cuts, spans, states_at
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
    found = spans(LIFE, ("a",))
    assert [(span.kind, span.label or span.role, span.top, span.bottom) for span in found] == [
        ("role", "", 0, 1),
        ("paused", "paused", 2, 3),
        ("role", "leader", 1, 4),
        ("down", "down", 4, 5),
        ("role", "", 5, 6),
        ("down", "crashed", 6, 7),
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
    found = spans(record.trace, record.hosts)
    for host in record.hosts[:5]:
        track = sorted((s.top, s.bottom) for s in found if s.host == host and s.kind in ("role", "down"))
        assert all(before[1] == after[0] for before, after in pairwise(track))
        assert track[-1][1] == len(record.trace)


INWARD = (("b", "a"), ("c", "a"))
OUTWARD = (("a", "b"), ("a", "c"))


@pytest.mark.parametrize(
    ("links", "inside", "way", "words"),
    [
        (INWARD + OUTWARD, ("a",), "both", "no messages between a and b c"),
        (INWARD, ("a",), "in", "nothing from b c reaches a"),
        (OUTWARD, ("a",), "out", "nothing from a reaches b c"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_partition_has_an_inside_an_outside_and_a_direction(
    links: tuple[tuple[str, str], ...], inside: tuple[str, ...], way: str, words: str, named: bool
) -> None:
    events = trace(
        (0.1, "cut", None, {"links": links} | ({"inside": inside} if named else {})), (0.2, "heal", None, {"links": links})
    )
    (cut,) = cuts(events)
    assert (cut.top, cut.bottom, cut.inside, cut.way) == (0, 1, inside, way)
    assert sorted(cut.outside) == ["b", "c"]
    assert cut.describe() == words


def test_the_named_side_is_inside_even_if_it_is_the_larger_one() -> None:
    (cut,) = cuts(trace((0.1, "cut", None, {"links": INWARD, "inside": ("b", "c")})))
    assert cut == Cut(0, 1, ("b", "c"), ("a",), "out")


def test_partitions_overlap_and_end_each_by_its_own_heal_or_all_with_the_calm_phase() -> None:
    events = trace(
        (0.1, "cut", None, {"links": BOTH, "inside": ("a",)}),
        (0.2, "cut", None, {"links": BOTH[:1], "inside": ("a",)}),
        (0.3, "cut", None, {"links": BOTH, "inside": ("b",)}),
        (0.4, "heal", None, {"links": BOTH}),
        (0.5, "heal", None, {"links": BOTH[:1]}),
        (0.6, "calm", None, {}),
        (0.7, "heal", None, {"links": BOTH}),
    )
    assert [(cut.top, cut.bottom) for cut in cuts(events)] == [(0, 3), (1, 4), (2, 5)]


def test_a_partition_of_a_run_is_found_with_the_fault_that_made_it() -> None:
    record = raft_record()
    assert record.trace is not None
    (cut,) = cuts(record.trace)
    strike = next(strike for strike in record.strikes if strike.fault == "partition")
    assert cut.inside == strike.hosts
    assert set(cut.inside + cut.outside) == set(record.hosts[:5])
    assert record.trace[cut.top].cause == strike.index
    assert record.trace[cut.bottom].kind == "heal"
