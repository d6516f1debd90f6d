"""The space-time page: what is on it, and what must not be."""

import hashlib
import html
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from report_records import raft_record

from killpoint import report
from killpoint.properties.history import Complete, History, Invoke, Outcome, Value
from killpoint.properties.verdict import Evidence, Status, Verdict
from killpoint.report import spacetime
from killpoint.report.diagram import Table
from killpoint.report.spacetime import MissingTraceError, spacetime_fragment, spacetime_html
from killpoint.report.text import schedule_lines
from killpoint.report.wording import value_text
from killpoint.sim.record import Record, Statistics
from killpoint.sim.schedule import Call, Schedule
from killpoint.sim.trace import TraceEvent

RECORD = raft_record()
TRACE = RECORD.trace or ()
PAGE = spacetime_html(RECORD)
HOSTILE = "</script><script>alert(1)</script><b onload='x' class=\"y\">&amp;\u2028\ud800\x00\t]]>-->"
ASSETS = Path(report.__path__[0]) / "assets"
SCRIPTS = "".join((ASSETS / name).read_text(encoding="utf-8") for name in spacetime._SCRIPTS)


def table(page: str) -> Table:
    found = re.search(r'<script type="application/json" class="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return msgspec.convert(json.loads(found[1]), Table)


def events(data: Table) -> list[tuple[int, float, str, str, int | None, dict[str, str]]]:
    """Microseconds, height, kind, host, position of the cause, details: decoded as the script does it."""
    rows: list[tuple[int, float, str, str, int | None, dict[str, str]]] = []
    flat, clock, height, counters = iter(data.events), 0, 0, Counter[tuple[str, int]]()
    for place in range(data.count):
        clock += next(flat)
        height += next(flat)
        kind, lane, caused, _, keys, *texts = data.shapes[next(flat)]
        cause = place - next(flat) if caused else None
        said = {}
        for key, text in zip(data.keys[keys], texts, strict=True):
            counters[data.kinds[kind], lane] += text < 0
            said[key] = (
                str(counters[data.kinds[kind], lane]) if text < 0 else re.sub("\t", lambda _: str(next(flat)), data.texts[text])
            )
            if key == "boundary" and text >= 0:
                counters[data.kinds[kind], lane] = int(said[key])
        rows.append((clock, height / 10, data.kinds[kind], data.lanes[lane][0] if lane >= 0 else "", cause, said))
    assert next(flat, None) is None
    return rows


def sends(data: Table) -> list[tuple[str, bool]]:
    """Type and routine of each message, in order; from the shapes of the events."""
    shapes, flat, place = data.shapes, data.events, 0
    found = []
    for _ in range(data.count):
        shape = shapes[flat[place + 2]]
        if shape[3] >= 0:
            found.append((data.types[shape[3] >> 1], bool(shape[3] & 1)))
        place += 3 + shape[2] + sum(data.texts[text].count("\t") for text in shape[5:] if text >= 0)
    return found


def fragment(page: str, start: str, end: str) -> ET.Element:
    """The element of the page that begins so, parsed: it must be well-formed."""
    place = page.index(start)
    return ET.fromstring(page[place : page.index(end, place) + len(end)].replace(" hidden", "").replace("<br>", "<br/>"))


def told(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


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
    assert not re.findall(r"https?:(?!//www.w3.org/2000/svg)|//cdn|@import|<link|\ssrc=", PAGE)
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
    for start, end in (("<header", "</header>"), ('<section class="card', "</section>"), ('<div class="heads', "</div>")):
        fragment(page, start, end)
    assert any("alert(\t)" in text for text in table(page).texts)


def test_the_script_makes_text_only_as_text() -> None:
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTML", SCRIPTS)


def test_what_a_run_says_never_passes_for_a_number() -> None:
    """A tab stands for a number in the table, so none may come from the run."""
    details = [said for *_, said in events(table(spacetime_html(hostile_record())))]
    assert any("\\t" in text for said in details for text in said.values())
    assert not any("\t" in text for said in details for text in said.values())


def test_everything_that_the_script_looks_for_is_on_the_page() -> None:
    wanted = re.findall(r'(?:one|all|querySelector|layer)\("(?:g\.|\.)?([a-z]+)', SCRIPTS)
    assert len(wanted) > 15
    present = set(re.findall(r"<([a-z]+)", PAGE)) | {
        name for found in re.findall(r'class="([^"]*)"', PAGE) for name in found.split()
    }
    assert set(wanted) <= present
    marks = set(re.findall(r'<g id="(\w+)"', PAGE))
    drawn = SCRIPTS[SCRIPTS.index("const MARKS = {") :]
    assert set(re.findall(r'\["(\w+)", ', drawn[: drawn.index("};")])) <= marks
    assert all(f'"{name}"' in SCRIPTS for name in marks)


def test_every_button_and_every_key_of_the_legend_does_something() -> None:
    actions = SCRIPTS[SCRIPTS.index("const actions = {") : SCRIPTS.index('addEventListener("keydown"')]
    keys = set(re.findall(r'data-key="([^"]+)"', PAGE)) | set(re.findall(r"<kbd>([^<]+)</kbd>", PAGE))
    assert len(keys) > 15
    for key in (key.replace("Esc", "Escape") for key in keys):
        assert re.search(rf'(^|[ {{,])("{re.escape(key)}"|{re.escape(key)}): \(\) =>', actions, re.MULTILINE), key


def test_a_fragment_is_one_isolated_frame_that_holds_the_page() -> None:
    framed = spacetime_fragment(hostile_record())
    found = re.fullmatch(r'<iframe sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"></iframe>', framed)
    assert found is not None
    assert html.unescape(found[1]) == spacetime_html(hostile_record())


def test_the_table_gives_back_every_event_with_its_time_host_cause_and_details() -> None:
    rows = events(table(PAGE))
    assert len(rows) == len(TRACE)
    for (clock, _, kind, host, cause, said), event in zip(rows, TRACE, strict=True):
        assert (clock, kind, host, cause) == (round(event.time * 1e6), event.kind, event.host or "", event.cause)
        skipped = ("sender", "body", "sent") if kind in ("deliver", "drop") else ()
        shown = {key: value_text(value) for key, value in event.detail.items() if key not in skipped and value not in (None, "")}
        assert said | {"what became of it": ""} == shown | {"what became of it": ""}
    assert all("struck" in said["what became of it"] for *_, said in rows if "what became of it" in said)
    assert sum("what became of it" in said for *_, said in rows) == sum(strike.struck for strike in RECORD.strikes)


@pytest.mark.parametrize("text", ["007", "1.05", "-3", "x7", "7x", "9" * 16, "1e9", "a 12, b 0", "", "0", "\u0661"])
def test_numbers_in_texts_come_back_as_they_were(text: str) -> None:
    trace = (TraceEvent(0, 0.0, "log", "n1", None, {"message": text}), TraceEvent(1, 0.1, "log", "n1", None, {"message": "5"}))
    data = table(spacetime_html(msgspec.structs.replace(RECORD, trace=trace)))
    assert [said.get("message", "") for *_, said in events(data)] == [text, "5"]


def test_the_table_says_of_every_message_what_it_was() -> None:
    found = sends(table(PAGE))
    assert [name for name, _ in found] == [type(event.detail["body"]).__name__ for event in TRACE if event.kind == "send"]
    assert 100 < sum(routine for _, routine in found) < len(found)


def test_indices_survive_gaps_in_the_trace() -> None:
    thinned = tuple(event for event in TRACE if event.kind != "disk")
    data = table(spacetime_html(msgspec.structs.replace(RECORD, trace=thinned)))
    shift, index = dict(data.indices), 0
    for place, event in enumerate(thinned):
        index = place + shift[place] if place in shift else index + 1
        assert index == event.index


def test_events_that_are_out_of_order_are_drawn_in_order() -> None:
    assert spacetime_html(msgspec.structs.replace(RECORD, trace=tuple(reversed(TRACE)))) == PAGE


def test_operations_have_both_ends_and_what_came_of_them() -> None:
    data = table(PAGE)
    assert len(data.operations) == len(RECORD.history.operations)
    for (start, end, outcome, call, result), operation in zip(data.operations, RECORD.history.operations, strict=True):
        assert TRACE[start].index == operation.invoked
        assert (end >= 0) == (operation.completed_at is not None)
        assert end < 0 or TRACE[end].kind == "complete"
        assert outcome == operation.outcome.value
        assert call == f"issue('{operation.argument[0]}', '{operation.argument[1]}')"  # type: ignore[index]
        assert result == {"ok": str(operation.result), "info": "unknown"}[outcome]


def test_what_a_lookup_found_is_told_where_the_verdict_turns_on_it() -> None:
    trace = (
        TraceEvent(0, 0.0, "invoke", "c1", None, {"process": "c1", "operation": 1, "function": "read", "argument": "n2"}),
        TraceEvent(1, 0.1, "complete", "c1", 0, {"process": "c1", "operation": 1, "outcome": "ok", "result": None}),
    )
    history = History([Invoke(0, 0.0, "c1", 1, "read", "n2"), Complete(1, 0.1, "c1", 1, Outcome.OK)])
    failed = Verdict("Register", Status.INVALID, "stale", Evidence("stale-read", (), (1,)))
    quiet, blamed = (
        table(spacetime_html(msgspec.structs.replace(RECORD, trace=trace, history=history, verdicts=verdicts)))
        for verdicts in ((), (failed,))
    )
    assert quiet.operations[0][4] == "ok"
    assert blamed.operations[0][4] == "None"


def test_lanes_roles_terms_faults_and_partitions_are_there() -> None:
    data = table(PAGE)
    assert [name for name, client in data.lanes if client] == ["c1", "c2"]
    labels = {(kind, label) for _, kind, _, _, label, *_ in data.spans}
    assert {("l", "leader term 1"), ("c", "candidate term 2"), ("down", "down"), ("paused", "paused")} <= labels
    struck = {what: (became, hosts) for _, what, became, struck, hosts in data.strikes if struck}
    assert struck["partition leader from all other hosts of the system"] == ("struck n3, phase idle", [2])
    assert [what for _, what, _, struck, _ in data.strikes if not struck] == ["kill n5"]
    ((_, _, inside, outside, way, words),) = data.cuts
    assert (inside, outside, way, words) == ([2], [0, 1, 3, 4], "both", "no messages between n3 and n1 n2 n4 n5")


@pytest.mark.parametrize(("key", "value", "words"), [("view", (3, "a", None), "view (3, 'a', None)"), ("term", 3, "term 3")])
def test_a_view_is_not_called_a_term(key: str, value: Value, words: str) -> None:
    trace = (
        TraceEvent(0, 0.0, "start", "n1", None, {"incarnation": 1}),
        TraceEvent(1, 0.1, "observe", "n1", None, {key: value}),
        TraceEvent(2, 0.2, "observe", "n1", None, {"role": "primary"}),
    )
    data = table(spacetime_html(msgspec.structs.replace(RECORD, trace=trace)))
    named = [(kind, label, part) for _, kind, _, _, label, _, part in data.spans if label]
    assert named == [("n", words, words), ("l", f"primary {words}", words)]


def test_the_page_calls_actions_and_what_became_of_them_as_the_terminal_does() -> None:
    def spaced(text: str) -> str:
        return " ".join(text.replace("—", " ").split())

    page = spaced(" ".join(fragment(PAGE, '<table class="plan">', "</table>").itertext()))
    lines = [spaced(line) for line in schedule_lines(RECORD.schedule, RECORD.strikes)]
    assert any("partition leader from all other hosts of the system" in line for line in lines)
    assert any("did nothing: down, paused or cut off already" in line for line in lines)
    assert page == " ".join(lines)


def test_the_verdict_and_the_schedule_are_in_words() -> None:
    words = told(fragment(PAGE, "<header", "</header>"))
    assert "Linearizable(Ledger) fails: an issue returned index 8" in words
    assert "struck n4, phase idle" in words
    assert "Holds: NoDuplicates." in words
    assert "civictrust with ack-before-fsync, seed 20261" in words


def test_what_the_verdict_speaks_of_has_numbers_in_the_picture_and_in_the_words() -> None:
    data, failure = table(PAGE), RECORD.failure
    assert failure is not None
    assert failure.evidence is not None
    blamed = [RECORD.history.operations[operation].id for _, operation in data.evidence]
    assert sorted(blamed) == sorted(failure.evidence.operations)
    assert TRACE[data.violation].detail["operation"] == failure.evidence.operations[-1]
    assert data.violation == data.evidence[-1][0]
    for start, end in (("<header", "</header>"), ('<section class="card', "</section>")):
        rows = [row for row in fragment(PAGE, start, end).iter("li") if row.get("data-event")]
        assert [int(row.get("data-event", "")) for row in rows] == [TRACE[place].index for place, _ in data.evidence]
        assert [row[0].text for row in rows] == ["1", "2", "3"]
        assert rows[-1][0].get("class") == "number last"
        assert f"issue({RECORD.history.operation(blamed[-1]).argument}" in told(rows[-1])


@pytest.mark.parametrize(
    ("lines", "numbered"),
    [
        (("n1 said so at 0.200 s", "n2 said otherwise (event 1)"), ["1 n1 said", "2 n2 said"]),
        (("index 3: n2 accepts", "n1: no"), ["2 index 3: n2", "1 n1: no"]),
        (("nothing to find here",), ["1 0.200 s  n1 observe", "2 0.300 s  n2 observe"]),
        (("(event 1) n1 and (event 2) n2",), ["2 (event 1) n1 and", "1 0.200 s  n1 observe"]),
    ],
)
def test_a_line_of_evidence_is_about_the_event_that_it_names(lines: tuple[str, ...], numbered: list[str]) -> None:
    trace = (
        TraceEvent(0, 0.2, "observe", "n1", None, {"value": 1}),
        TraceEvent(1, 0.3, "observe", "n2", None, {"value": 2}),
    )
    verdict = Verdict("Agreement", Status.INVALID, "they disagree", Evidence("disagreement", lines, (), (0, 1)))
    page = spacetime_html(msgspec.structs.replace(RECORD, trace=trace, verdicts=(verdict,)))
    rows = [row for row in fragment(page, "<header", "</header>").iter("li") if row.get("data-event")]
    found = [" ".join([row[0].text or "", row[0].tail or ""]) for row in rows]
    assert [text[: len(wanted)] for text, wanted in zip(found, numbered, strict=True)] == numbered


def test_until_leaves_out_what_came_later() -> None:
    data = table(spacetime_html(RECORD, until=0.8))
    assert data.count == sum(event.time <= 0.8 for event in TRACE)
    assert data.ended == 0.8
    assert data.violation < 0 <= table(PAGE).violation
    assert any(start >= 0 > end for start, end, *_ in data.operations)


def test_a_valid_run_and_an_empty_trace_have_pictures_too() -> None:
    page = spacetime_html(raft_record(violation=False), title="a quiet run")
    assert "<title>a quiet run</title>" in page
    assert 'class="badge valid"' in page
    assert 'data-key="v"' not in page
    assert 'class="card' not in page
    assert table(spacetime_html(msgspec.structs.replace(RECORD, trace=()))).count == 0


def test_a_run_on_real_processes_is_told_in_seconds_and_without_what_it_has_not() -> None:
    page = spacetime_html(msgspec.structs.replace(RECORD, digest=""))
    words = told(fragment(page, "<header", "</header>"))
    assert " seconds on real processes, " in words
    for absent in ("virtual", "disk operations", "digest"):
        assert absent not in words
        assert absent in told(fragment(PAGE, "<header", "</header>"))


def test_a_record_without_a_trace_says_what_to_do() -> None:
    with pytest.raises(MissingTraceError, match="replay its schedule"):
        spacetime_html(msgspec.structs.replace(RECORD, trace=None))


def test_two_thousand_messages_stay_small() -> None:
    record = raft_record(messages=2_000, until=60.0, clients=1)
    assert record.statistics.messages_sent >= 2_000
    assert len(msgspec.json.encode(table(spacetime_html(record)))) < 110_000
    assert len(PAGE) < 110_000, "what does not grow with the run"
