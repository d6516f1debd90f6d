"""What is written for other checkers is read back as it was, as far as the format has words for it, and is what they read.

1,000 random histories for each format; ten times as many with `NIGHTLY=1`.
"""

import io
import json
import os
import random
import re
from pathlib import Path

import edn_format
import msgspec
import pytest
from test_recorded_histories import EDN, EVENTS, LOG

from killpoint.properties import Complete, Event, History, Incident, Invoke, Outcome
from killpoint.properties.history import Value
from killpoint.properties.readers import read_history
from killpoint.properties.readers.files import decode
from killpoint.properties.writers import FORMATS, ExportError, export, write_as

HISTORIES = 10_000 if os.environ.get("NIGHTLY") else 1_000
STRANGE: list[Value] = [
    None, True, 0, -1, 2**70, 1.5, float("inf"), "", "x", 'a"\\\n\té\u2028\x00', "nil", ":k", b"", b"\x00\xff",
    (), (1,), (1, 2), ("r", 1, None), (("append", "x", 1), ("r", "y", (1, 2))), (("weird name", 1),)
]  # fmt: skip
FUNCTIONS = ["read", "write", "cas", "get", "put", "append", "delete", "txn", "add", "a function", "é"]
NAMES = ["0", "7", "c1", "4/2", "007", "-1", "nemesis", "é x"]


def random_history(source: random.Random, values: list[Value], functions: list[str], names: list[str]) -> History:
    """Any history at all, of events that are numbered one by one and at whole nanoseconds."""
    events: list[Event] = []
    open_calls: dict[str, int] = {}
    free = list(names)
    number, now = 0, 0
    for index in range(source.randrange(1, 30)):
        now += source.choice([0, 1, 10**9, source.randrange(10**12)])
        time = now / 1e9
        if source.random() < 0.15:
            detail = source.choice([{}, {"value": source.choice(values)}, {"mode": source.choice(values), "value": 1}])
            events.append(Incident(index, time, source.choice(["kill", "start-partition"]), source.choice([None, "n1"]), detail))
        elif open_calls and (source.random() < 0.5 or not free):
            name = source.choice(sorted(open_calls))
            outcome = source.choice([Outcome.OK, Outcome.OK, Outcome.FAIL, Outcome.INFO])
            result = source.choice(values) if outcome is Outcome.OK else None
            error = source.choice([None, "timed-out", "a: b"]) if outcome is not Outcome.OK else None
            events.append(Complete(index, time, name, open_calls.pop(name), outcome, result, error))
            if outcome is not Outcome.INFO:
                free.append(name)
        elif free:
            name = free.pop(source.randrange(len(free)))
            events.append(Invoke(index, time, name, number, source.choice(functions), source.choice(values)))
            open_calls[name] = number
            number += 1
        else:
            break
    if number == 0:
        events.append(Invoke(len(events), now / 1e9, names[0], 0, functions[0], values[0]))
    return History(events)


def written(history: History, form: str) -> bytes:
    return b"".join(export(history, form).parts)


def read(data: bytes) -> History:
    return decode(io.BytesIO(data), "h")


@pytest.mark.parametrize("form", ["jsonl", "edn", "elle"])
def test_what_is_written_is_read_back(form: str) -> None:
    source = random.Random(form)
    for _ in range(HISTORIES):
        history = random_history(source, STRANGE, FUNCTIONS, NAMES)
        data = written(history, form)
        back = read(data)
        assert back == history, data
        assert repr(tuple(back)) == repr(tuple(history)), "1 and true are equal in Python"
        assert back.operations == history.operations


@pytest.mark.parametrize("form", ["jsonl", "edn", "elle"])
@pytest.mark.parametrize("data", [EDN, LOG])
def test_recorded_histories_are_written_and_read_back(form: str, data: bytes) -> None:
    history = read(data)
    assert read(written(history, form)) == history


# Porcupine's own expressions, from `parseJepsenLog` and `parseKvLog` of its tests.
LOG_LINES = [
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:invoke\s+:read\s+nil$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:invoke\s+:write\s+(\d+)$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:invoke\s+:cas\s+\[(\d+)\s+(\d+)\]$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:ok\s+:read\s+(nil|\d+)$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:ok\s+:write\s+(\d+)$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(ok|fail)\s+:cas\s+\[(\d+)\s+(\d+)\]$",
    r"^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:fail\s+:read\s+:timed-out$",
]
STORE_LINES = [
    r'{:process (\d+), :type :invoke, :f :get, :key "(.*)", :value nil}',
    r'{:process (\d+), :type :invoke, :f :put, :key "(.*)", :value "(.*)"}',
    r'{:process (\d+), :type :invoke, :f :append, :key "(.*)", :value "(.*)"}',
    r'{:process (\d+), :type :ok, :f :get, :key ".*", :value "(.*)"}',
    r'{:process (\d+), :type :ok, :f :put, :key ".*", :value ".*"}',
    r'{:process (\d+), :type :ok, :f :append, :key ".*", :value ".*"}',
]


def as_porcupine_reads(data: bytes, expressions: list[str]) -> None:
    """Follow its parser: a process calls, and returns before it calls again; what no expression takes it passes over."""
    calling: set[str] = set()
    for line in data.decode().splitlines():
        match = next((found for found in map(re.compile, expressions) if found.search(line)), None)
        if match is None:
            assert ":info" in line, line
            continue
        process = match.search(line)[1]  # type: ignore[index]
        assert (process in calling) is (":invoke" not in line), line
        calling.symmetric_difference_update({process})


def the_same_but_for_times(history: History) -> list[tuple[object, ...]]:
    """In the order of events; numbers of events and operations may differ where some were left out."""
    return [(one.function, one.argument, one.outcome, one.result, one.error) for one in history.operations]


def registers(source: random.Random) -> History:
    history = random_history(source, [0, 1, 2], ["read", "write", "cas"], ["0", "c1", "9"])
    events = []
    for event in history:
        if isinstance(event, Invoke):
            argument: Value = {"read": None, "write": source.randrange(5), "cas": (1, source.randrange(5))}[event.function]
            events.append(msgspec.structs.replace(event, argument=argument))
        elif isinstance(event, Complete):
            begun = [one for one in events if isinstance(one, Invoke)][event.operation]
            function, argument = begun.function, begun.argument
            result = None if event.outcome is not Outcome.OK else source.choice([None, 3]) if function == "read" else argument
            error = "timed-out" if event.outcome is Outcome.INFO or function == "read" else source.choice([None, "busy"])
            events.append(msgspec.structs.replace(event, result=result, error=None if event.outcome is Outcome.OK else error))
    return History([msgspec.structs.replace(event, index=place) for place, event in enumerate(events)])


def test_registers_are_written_as_porcupine_reads_them() -> None:
    source = random.Random("registers")
    left_out = 0
    for _ in range(HISTORIES):
        history = registers(source)
        if all(one.outcome is Outcome.FAIL or not one.ok for one in history.operations if one.function != "write"):
            continue
        exported = export(history, "porcupine")
        data = b"".join(exported.parts)
        as_porcupine_reads(data, LOG_LINES)
        told = the_same_but_for_times(history)
        unanswered = [one for one in told if one[0] == "read" and one[2] is not Outcome.OK]
        failed = [one for one in told if one[2] is Outcome.FAIL and (one[0] == "write" or (one[0] == "cas" and one[4]))]
        left_out += len(failed) + len(unanswered)
        assert any("operations that failed were left out" in note for note in exported.notes) is bool(failed)
        assert any("reads of which nobody knows the answer were left out" in note for note in exported.notes) is bool(unanswered)
        assert the_same_but_for_times(read(data)) == [one for one in told if one not in failed + unanswered]
    assert left_out > 100


def test_stores_are_written_as_porcupine_reads_them() -> None:
    text = b"""{:process 0, :type :invoke, :f :put, :key "k [1", :value "x, y"}
{:process 1, :type :invoke, :f :get, :key "k [1", :value nil}
{:process 0, :type :ok, :f :put, :key "k [1", :value "x, y"}
{:process 1, :type :ok, :f :get, :key "k [1", :value "x, y"}
{:process 0, :type :invoke, :f :append, :key "k [1", :value "z"}
{:process 0, :type :info, :f :append, :key "k [1", :value "z"}
"""
    history = read(text)
    data = written(history, "porcupine")
    assert data == text
    as_porcupine_reads(data, STORE_LINES)


def test_what_says_nothing_is_left_out_for_porcupine() -> None:
    """Its parser takes a get without an end for one that found nothing."""
    text = b"""{:process 0, :type :invoke, :f :put, :key "x", :value "1"}
{:process 0, :type :ok, :f :put, :key "x", :value "1"}
{:process 1, :type :invoke, :f :get, :key "x", :value nil}
"""
    exported = export(read(text), "porcupine")
    assert b"".join(exported.parts).count(b"\n") == 2
    assert exported.notes == ("reads of which nobody knows the answer were left out, as they say nothing (1)",)
    failed = b"0 :invoke :cas [1 2]\n0 :fail :cas [1 2]\n"
    assert "(here: --option failed-cas-observes=true)" in export(read(failed), "porcupine").notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{:process 0 :type :invoke :f :enqueue :value 1}", "(read, write, cas) and stores (get, put, append), and this has enqueue"),
        ("{:process 0 :type :invoke :f :write :value -1}", "cannot hold operation 0, 0 write(-1) -> unknown: -1 is none of the natural"),
        ("{:process 0 :type :invoke :f :write :value [1 2]}", "(1, 2) is none of the natural numbers of 63 bits that its registers hold"),
        ("{:process 0 :type :invoke :f :write :value 9223372036854775808}", "9223372036854775808 is none of the natural numbers"),
        ("{:process 0 :type :invoke :f :read :value nil}", "nothing would be left for Porcupine: every operation failed, or is a read"),
        ("{:process 0 :type :invoke :f :get :value 1}\n{:process 1 :type :invoke :f :write :value 1}", "and this has write as well as get"),
        ("{:process 0 :type :invoke :f :append :value 1}\n{:process 1 :type :invoke :f :delete :value 1}", "and this has delete"),
        (f'{{:process 0 :type :invoke :f :put :key "x" :value "{"y" * 5000}"}}', "its line would have 5058 bytes, and Porcupine reads"),
        (
            '{:process 0 :type :invoke :f :get :key "x" :value nil}\n{:process 0 :type :ok :f :get :key "x" :value 0}',
            "0 is none of the plain texts",
        ),
        ("{:process 0 :type :invoke :f :cas :value 1}", "the argument of a cas is a pair"),
        ('{:process 0 :type :invoke :f :put :key "x" :value 3}', "3 is none of the plain texts"),
        ('{:process 0 :type :invoke :f :put :key "x" :value "a\\"b"}', "is none of the plain texts"),
    ],
)
def test_what_porcupine_cannot_hold_is_said(text: str, words: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(ExportError) as caught:
        write_as(read(text.encode()), target, "porcupine")
    assert words in str(caught.value)
    assert not target.exists()


def test_what_has_no_words_is_said(tmp_path: Path) -> None:
    history = History(EVENTS)
    notes = write_as(history, tmp_path / "out.edn", "edn")
    assert notes[0] == "what hosts said of themselves was left out (1 times): only our own format has a place for it"
    assert "events are numbered anew, from 0" in notes
    assert "processes are numbers there: c1 is 0" in notes
    back = read_history(tmp_path / "out.edn")
    assert [event for event in back if isinstance(event, Incident)] == [
        Incident(1, 0.7, "kill", "n1", {"mode": "power"}),
        Incident(3, 0.8, "calm"),
    ]
    assert [one.argument for one in back.operations] == [one.argument for one in history.operations]
    assert write_as(history, tmp_path / "out.jsonl", "jsonl") == ()
    assert read_history(tmp_path / "out.jsonl") == history


def test_elle_and_its_like_find_what_they_look_for() -> None:
    text = b"""{:index 0 :process 1 :type :invoke :value [[:append 253 1] [:r "x" nil]]}
{:index 1 :process 1 :type :ok :value [[:append 253 1] [:r "x" [3 4]]]}
{:index 2 :process :nemesis :type :info :f :start}
"""
    history = read(text)
    lines = [edn_format.loads(line) for line in written(history, "edn").decode().splitlines()]
    keyword = edn_format.Keyword
    assert lines[1][keyword("value")][0][0] == keyword("append")
    assert lines[1][keyword("f")] == keyword("txn")
    assert lines[2][keyword("process")] == keyword("nemesis")
    rows = json.loads(written(history, "elle"))
    assert rows[1] == {"index": 1, "time": 0, "type": "ok", "process": 1, "f": "txn", "value": [["append", 253, 1], ["r", "x", [3, 4]]]}
    assert rows[2]["process"] == "nemesis"


def test_knossos_takes_the_value_of_an_end_for_the_argument() -> None:
    """So a write whose result says nothing repeats it, and the result comes back all the same."""
    history = History([Invoke(0, 0.0, "0", 0, "write", 3), Complete(1, 0.5, "0", 0, Outcome.OK)])
    data = written(history, "edn")
    assert b":type :ok, :process 0, :f :write, :value 3, :killpoint/result nil" in data
    assert read(data) == history


def test_every_format_says_what_it_is() -> None:
    assert list(FORMATS) == ["jsonl", "edn", "elle", "porcupine"]
    with pytest.raises(ExportError, match="there is no format 'xml': choose one of jsonl, edn, elle, porcupine"):
        export(History([]), "xml")
    with pytest.raises(ExportError, match="cannot be written"):
        write_as(read(EDN), "/nowhere/at/all", "edn")
    for form in ("jsonl", "edn", "elle"):
        with pytest.raises(ExportError, match="no value of a history"):
            export(History([Invoke(0, 0.0, "0", 0, "write", object())]), form)
