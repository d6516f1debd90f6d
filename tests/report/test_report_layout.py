"""Where things stand in the diagram."""

from itertools import pairwise

import pytest
from report_records import raft_record

from killpoint.report.layout import LABEL, arrange
from killpoint.sim.trace import TraceEvent


def event(index: int, time: float, kind: str, host: str | None, cause: int | None = None, /, **detail: object) -> TraceEvent:
    return TraceEvent(index=index, time=time, kind=kind, host=host, cause=cause, detail=detail)


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_every_cause_stands_above_its_effect_and_every_host_runs_down(noise: float) -> None:
    record = raft_record(noise=noise)
    assert record.trace is not None
    layout = arrange(record.trace, record.hosts, record.ended)
    latest: dict[str | None, float] = {}
    for place, each in enumerate(record.trace):
        if each.cause is not None:
            assert layout.y[each.cause] <= layout.y[place]
            if each.kind == "deliver":
                assert layout.y[each.cause] < layout.y[place]
        if each.host is not None:
            assert latest.get(each.host, 0.0) <= layout.y[place]
            latest[each.host] = layout.y[place]


def test_a_chain_that_takes_no_time_still_runs_down() -> None:
    trace = [
        event(0, 1.0, "send", "a", None, to="b", body="x"),
        event(1, 1.0, "deliver", "b", 0),
        event(2, 1.0, "disk", "b", None, operation="append"),
        event(3, 1.0, "disk", "b", None, operation="fsync"),
        event(4, 1.0, "send", "b", None, to="a", body="y"),
        event(5, 1.0, "deliver", "a", 4),
    ]
    y = arrange(trace, ("a", "b"), 1.0).y
    assert all(below > above for above, below in pairwise(y))


def test_a_broadcast_leaves_from_one_point() -> None:
    trace = [event(i, 1.0, "send", "a", None, to=name, body="x") for i, name in enumerate("bcd")]
    assert len(set(arrange(trace, ("a",), 1.0).y)) == 1


def test_an_instant_with_thousands_of_steps_stays_on_a_screen() -> None:
    trace = [event(i, 1.0, "disk", "a", None, operation="read") for i in range(5_000)]
    layout = arrange(trace, ("a",), 1.0)
    assert layout.y[-1] - layout.y[0] < 200


def test_longer_gaps_are_higher_but_less_than_in_proportion() -> None:
    times = [0.0, 0.001, 0.005, 0.105, 1.105]
    trace = [event(i, time, "send", "a", None, to="b", body="x") for i, time in enumerate(times)]
    gaps = [below - above for above, below in pairwise(arrange(trace, ("a",), 2.0).y)]
    assert gaps == sorted(gaps)
    assert gaps[3] < 10 * gaps[1]


def test_texts_of_operations_never_overlap() -> None:
    trace = []
    for number in range(40):
        trace.append(event(2 * number, number * 1e-6, "invoke", "c", None, operation=number))
        trace.append(event(2 * number + 1, number * 1e-6, "complete", "c", 2 * number, operation=number))
    y = arrange(trace, ("c",), 1.0).y
    assert all(below - above >= LABEL for above, below in pairwise(y[::2]))


def test_texts_of_faults_never_overlap() -> None:
    trace = [event(i, i * 1e-6, "strike", None, None, fault="kill") for i in range(20)]
    y = arrange(trace, (), 1.0).y
    assert all(below - above >= 3 * LABEL for above, below in pairwise(y))


def test_the_run_ends_below_its_last_event() -> None:
    trace = [event(0, 0.0, "start", "a"), event(1, 0.1, "disk", "a", None, operation="fsync")]
    early, late = arrange(trace, ("a",), 0.1), arrange(trace, ("a",), 5.0)
    assert late.height > early.height > early.y[-1] == late.y[-1]


def test_a_host_that_only_started_has_no_lane() -> None:
    trace = [event(0, 0.0, "start", "a"), event(1, 0.0, "start", "idle"), event(2, 0.1, "send", "a", None, to="a", body=1)]
    assert [lane.name for lane in arrange(trace, ("a", "idle"), 1.0).lanes] == ["a"]


def test_who_calls_operations_is_a_client_and_stands_where_the_order_of_hosts_says() -> None:
    trace = [event(0, 0.0, "invoke", "c", None, operation=1), event(1, 0.1, "send", "a", None, to="c", body=1)]
    lanes = arrange(trace, ("a", "c"), 1.0).lanes
    assert [(lane.name, lane.client) for lane in lanes] == [("a", False), ("c", True)]
