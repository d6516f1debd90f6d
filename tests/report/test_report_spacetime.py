"""The space-time page: what is on it, and what must not be."""

import hashlib
import html
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from report_records import raft_record

from killpoint.properties.history import Complete, History, Invoke, Outcome
from killpoint.properties.verdict import Evidence, Status, Verdict
from killpoint.report.spacetime import MissingTraceError, spacetime_fragment, spacetime_html
from killpoint.sim.record import Record, Statistics
from killpoint.sim.schedule import Call, Schedule
from killpoint.sim.trace import TraceEvent

RECORD = raft_record()
PAGE = spacetime_html(RECORD)
HOSTILE = "</script><script>alert(1)</script><b onload='x' class=\"y\">&amp;\u2028\ud800\x00]]>-->"


def picture(page: str) -> ET.Element:
    start = page.index('<svg class="diagram"')
    return ET.fromstring(page[start : page.index("</svg>", start) + 6])


def table(page: str) -> dict[str, list[list[int]]]:
    found = re.search(r'<script type="application/json" class="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def classed(page: str, name: str) -> list[ET.Element]:
    return [each for each in picture(page).iter() if name in each.get("class", "").split()]


def hostile_record() -> Record:
    """One operation, one message, one crash, with markup in every place where a run can put text."""
    made = [
        ("start", "n1", None, {"incarnation": 1}),
        ("observe", "n1", None, {"role": HOSTILE, "term": HOSTILE, HOSTILE: HOSTILE}),
        ("invoke", "c1", None, {"process": HOSTILE, "operation": 1, "function": HOSTILE, "argument": HOSTILE}),
        ("send", "c1", None, {"to": "n1", "body": (HOSTILE, HOSTILE)}),
        ("deliver", "n1", 3, {"sender": "c1", "body": (HOSTILE, HOSTILE)}),
        ("send", "n1", None, {"to": "c1", "body": HOSTILE}),
        ("drop", "c1", 5, {"sender": "n1", "body": HOSTILE, "why": HOSTILE}),
        ("disk", "n1", None, {"operation": HOSTILE, "path": HOSTILE}),
        ("log", "n1", None, {"level": HOSTILE, "message": HOSTILE}),
        ("strike", None, None, {"action": 0, "fault": HOSTILE, "target": HOSTILE}),
        ("crash", "n1", None, {"error": HOSTILE, "where": HOSTILE, "traceback": (HOSTILE, HOSTILE)}),
        ("complete", "c1", 2, {"process": HOSTILE, "operation": 1, "outcome": "ok", "result": HOSTILE}),
    ]
    trace = tuple(TraceEvent(i, 0.1 * i, kind, host, cause, detail) for i, (kind, host, cause, detail) in enumerate(made))
    history = History([Invoke(2, 0.2, HOSTILE, 1, HOSTILE, HOSTILE), Complete(11, 1.1, HOSTILE, 1, Outcome.OK, HOSTILE)])
    return Record(
        schedule=Schedule(HOSTILE, 1, (Call(0.2, "c1", HOSTILE, {"x": HOSTILE}),), mutant=HOSTILE),
        digest=HOSTILE,
        ended=2.0,
        history=history,
        verdicts=(Verdict(HOSTILE, Status.INVALID, HOSTILE, Evidence(HOSTILE, (HOSTILE,), (1,), (2, 11))),),
        strikes=(),
        statistics=Statistics(),
        hosts=("n1", "c1"),
        trace=trace,
    )


def test_the_same_record_makes_the_same_bytes() -> None:
    assert spacetime_html(raft_record()) == PAGE


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "import hashlib; from report_records import raft_record; from killpoint.report.spacetime import spacetime_html;"
        "print(hashlib.sha256(spacetime_html(raft_record()).encode()).hexdigest())"
    )
    environment = {"PYTHONHASHSEED": "4242", "PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path])}
    there = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == hashlib.sha256(PAGE.encode()).hexdigest()


def test_the_page_needs_nothing_from_elsewhere() -> None:
    assert not re.findall(r"https?:|//cdn|@import|<link|\ssrc=", PAGE)
    assert set(re.findall(r"url\(([^)]*)\)", PAGE)) == {"#hatch", "#bars"}


def test_nothing_that_a_run_says_becomes_markup() -> None:
    page = spacetime_html(hostile_record())
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<b onload" not in page
    assert page.count("<script") == PAGE.count("<script") == 2
    assert page.count("</script") == 2
    assert "\x00" not in page
    page.encode("utf-8")
    picture(page)
    assert any("alert(1)" in text for text in table(page)["texts"])  # type: ignore[comparison-overlap]


def test_a_fragment_is_one_isolated_frame_that_holds_the_page() -> None:
    fragment = spacetime_fragment(hostile_record())
    found = re.fullmatch(r'<iframe sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"></iframe>', fragment)
    assert found is not None
    assert html.unescape(found[1]) == spacetime_html(hostile_record())


def test_every_message_is_drawn_once_whether_it_arrived_or_not() -> None:
    flights = [path.get("d", "") for path in classed(PAGE, "m")]
    drawn = sum(path.count("L") for path in flights)
    trace = RECORD.trace or ()
    arrived = sum(event.kind in ("deliver", "drop") for event in trace)
    ended = {event.cause for event in trace if event.kind in ("deliver", "drop")}
    in_the_air = sum(event.kind == "send" and event.index not in ended for event in trace)
    assert drawn == arrived + in_the_air
    crosses = sum(path.get("d", "").count("m-3.5-3.5") for path in classed(PAGE, "x"))
    assert crosses == RECORD.statistics.messages_dropped
    assert sum(path.count("z") for path in flights) == RECORD.statistics.messages_delivered


def test_operations_are_bars_with_call_and_result_and_the_blamed_ones_stand_out() -> None:
    bars = classed(PAGE, "op")
    operations = RECORD.history.operations
    assert len(bars) == len(operations)
    assert sum("ok" in bar.get("class", "").split() for bar in bars) == sum(operation.ok for operation in operations)
    assert [sum(name in bar.get("class", "").split() for bar in bars) for name in ("blamed", "decisive")] == [2, 1]
    texts = ["".join(each.itertext()) for each in classed(PAGE, "optext")]
    assert "issue('c2-12', 'licence')" in texts
    assert "\u2192 8" in texts
    assert "\u2192 unknown" in texts


def test_roles_terms_faults_and_their_marks_are_there() -> None:
    labels = {"".join(each.itertext()) for each in picture(PAGE).iter() if each.tag == "text"}
    assert {"leader term 1", "leader term 3", "candidate term 2", "killed", "power loss", "restart 2"} <= labels
    assert {"kill leader", "power-loss n5 prefix:3", "partition leader isolate", "did nothing", "calm: all faults end"} <= labels
    assert {"down", "paused", "cut from n1 n2 n4 n5", "violation, 1.841 s"} <= labels
    bands = [each.get("class") for each in classed(PAGE, "band")]
    assert {"band down", "band paused", "band cut"} == set(bands)


def test_the_verdict_and_the_schedule_are_in_words() -> None:
    words = html.unescape(re.sub(r"<[^>]+>", " ", PAGE[PAGE.index("<header") : PAGE.index("</header>")]))
    assert "Linearizable(Ledger) fails: an issue returned index 8" in words
    assert "struck n4, phase idle" in words
    assert "Holds: NoDuplicates." in words
    assert "civictrust with ack-before-fsync, seed 20261" in words


def test_the_table_of_events_gives_back_times_and_causes() -> None:
    data, trace = table(PAGE), RECORD.trace or ()
    rows = data["events"]
    assert len(rows) == len(trace) == len(data["y"])
    clock = 0
    for place, (row, event) in enumerate(zip(rows, trace, strict=True)):
        clock += row[0]
        assert clock == round(event.time * 1e6)
        assert data["kinds"][row[1]] == event.kind
        assert (place - row[3] if row[3] else None) == event.cause
    assert len(data["sends"]) == RECORD.statistics.messages_sent
    assert trace[data["violation"]].kind == "complete"  # type: ignore[call-overload]


def test_indices_survive_gaps_in_the_trace() -> None:
    trace = RECORD.trace or ()
    thinned = tuple(event for event in trace if event.kind != "disk")
    data = table(spacetime_html(msgspec.structs.replace(RECORD, trace=thinned)))
    shift, index = dict(data["shifts"]), 0
    for place, event in enumerate(thinned):
        index = place + shift[place] if place in shift else index + 1
        assert index == event.index


def test_events_that_are_out_of_order_are_drawn_in_order() -> None:
    trace = RECORD.trace or ()
    assert spacetime_html(msgspec.structs.replace(RECORD, trace=tuple(reversed(trace)))) == PAGE


def test_until_leaves_out_what_came_later() -> None:
    page = spacetime_html(RECORD, until=0.8)
    assert len(table(page)["events"]) == sum(event.time <= 0.8 for event in RECORD.trace or ())
    assert not classed(page, "violation")
    assert classed(PAGE, "violation")


def test_a_valid_run_and_an_empty_trace_have_pictures_too() -> None:
    page = spacetime_html(raft_record(violation=False), title="a quiet run")
    assert "<title>a quiet run</title>" in page
    assert 'class="badge valid"' in page
    assert 'data-key="v"' not in page
    picture(spacetime_html(msgspec.structs.replace(RECORD, trace=())))


def test_a_record_without_a_trace_says_what_to_do() -> None:
    with pytest.raises(MissingTraceError, match="replay its schedule"):
        spacetime_html(msgspec.structs.replace(RECORD, trace=None))


def test_two_thousand_messages_stay_small() -> None:
    record = raft_record(messages=2_000, until=60.0, clients=1)
    page = spacetime_html(record)
    assert record.statistics.messages_sent >= 2_000
    assert len(page) < 550_000
    elements = sum(1 for _ in picture(page).iter())
    assert elements < 6_000, "batched paths, not one element per message and tick"
