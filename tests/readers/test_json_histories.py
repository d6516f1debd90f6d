"""Jepsen's operations in JSON: a map per line, an array, maps over several lines; with the shapes that elle-cli's examples have."""

import io
import json

import pytest
from test_recorded_histories import EDN

from killpoint.properties import History, Outcome
from killpoint.properties.readers import ReadError
from killpoint.properties.readers.files import decode

ROWS: list[dict[str, object]] = [
    {"process": 0, "type": "invoke", "f": "write", "value": 3, "time": 1_000_000_000, "index": 0},
    {"process": 1, "type": "invoke", "f": "cas", "value": [3, 4], "extra": {"x": 1}, "time": 1_500_000_000, "index": 1},
    {"process": "nemesis", "type": "info", "f": "start", "value": None, "time": 1_500_000_000, "index": 2},
    {"process": 0, "type": "ok", "f": "write", "value": 3, "time": 2_000_000_000, "index": 3},
    {"process": 1, "type": "fail", "f": "cas", "value": [3, 4], "time": 1_900_000_000, "index": 4},
    {"process": 0, "type": "invoke", "f": "read", "value": None, "time": 2_000_000_000, "index": 5},
    {"process": 0, "type": "ok", "f": "read", "value": 3, "time": 2_500_000_000, "index": 6},
    {"process": 1, "type": "invoke", "f": "write", "value": 5, "time": 2_600_000_000, "index": 7},
    {"process": 1, "type": "info", "f": "write", "value": 5, "error": "timed-out", "time": 2_700_000_000, "index": 8},
]
"""The history that `EDN` is."""


def history_of(text: str | bytes) -> History:
    return decode(io.BytesIO(text.encode() if isinstance(text, str) else text), "h")


FORMS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "lines with an end": "\n\n".join(map(json.dumps, ROWS)) + "\n",
    "carriage returns": "\r\n".join(map(json.dumps, ROWS)),
    "an array": json.dumps(ROWS),
    "an array of lines": "[" + ",\n".join(map(json.dumps, ROWS)) + "]\n",
    "an indented array": json.dumps(ROWS, indent=2),
    "maps over several lines": "\n".join(json.dumps(row, indent=1) for row in ROWS),
    "maps on one line": " ".join(map(json.dumps, ROWS)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_history_as_in_edn(form: str) -> None:
    assert history_of(FORMS[form]) == history_of(EDN)


def test_what_elle_leaves_out_is_a_transaction() -> None:
    rows = [
        {"index": 0, "process": 1, "type": "invoke", "value": [["append", 253, 1], ["r", 5, None]]},
        {"index": 1, "process": 1, "type": "ok", "value": [["append", 253, 1], ["r", 5, [1, 2]]]},
    ]
    for text in ("\n".join(map(json.dumps, rows)), json.dumps(rows)):
        (operation,) = history_of(text).operations
        assert operation.function == "txn"
        assert operation.result == (("append", 253, 1), ("r", 5, (1, 2)))


def test_values_that_json_has_and_edn_spells_otherwise() -> None:
    value = [1.5, True, None, "é\n", 2**70, {"b": [1], "a": {}}, {"$bytes": "00ff"}, {"$ratio": "1/3"}]
    row = {"process": "c", "type": "invoke", "f": "write", "value": value}
    for text in (json.dumps(row), json.dumps([row])):
        (operation,) = history_of(text).operations
        assert (operation.process, operation.outcome) == ("c", Outcome.INFO)
        assert isinstance(operation.argument, tuple)
        assert operation.argument[:5] == (1.5, True, None, "é\n", 2**70)
        assert operation.argument[5:7] == ((("a", ()), ("b", (1,))), b"\x00\xff")


INVOKE = '{"process":0,"type":"invoke","f":"read","value":null}'
BAD = {
    '{"process":true,"type":"invoke","f":"read"}': "Expected `int | str | null`, got `bool`|a :process, a number or a name",
    '{"type":"invoke","f":"read"}': "needs a :?process",
    '{"process":1,"f":"read"}': "needs a :?type",
    '{"process":1,"type":"invoke","value":7}': "needs an :f",
    '{"process":1,"type":"begin","f":"read"}': "invoke, ok, fail or info, not 'begin'",
    '{"process":1,"type":"invoke","f":"read","time":1.5}': "Expected `int | null`, got `float`|whole number of nanoseconds, and not 1.5",
    '{"process":1,"type":"invoke","f":"read","time":-1}': "nanoseconds since the beginning, and not -1",
    '{"process":1,"type":"invoke","f":"read","time":1e999}': "out of range|whole number of nanoseconds, and not inf",
    '{"process":1,"type":"invoke","f":"read","value":NaN}': "malformed|NaN is no value of JSON",
    '{"process":1,"type":"invoke","f":"read","value":' + "9" * 10**6 + "}": "out of range|too many digits",
    '{"process":1,"type":"invoke","f":"read","value":' + "[" * 100_000: "brackets are nested",
    '{"process":1,"type":"invoke","f":"read","value":"\xff': "UTF-8",
    '{"process":1,"type":"invoke","f":"read","value":{"$bytes":"0"}}': "hexadecimal",
    '{"process":1,"type":"invoke","f":"re\\nad"}': "name of a function cannot be",
    '{"process":0,"type":"invoke","f":"read"}': "still open",
    '{"process":3,"type":"ok","f":"read"}': "never invoked, or ended before",
    "7": "no operation|a map with process",
    '{"process":1,"type"': "truncated",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("form", ["lines", "array"])
def test_errors_name_the_line(bad: str, form: str) -> None:
    text = f"{INVOKE}\n{bad}\n" if form == "lines" else f"[{INVOKE},\n{bad}]"
    if "truncated" in BAD[bad]:
        text = text.rstrip("]\n")
    with pytest.raises(ReadError, match=BAD[bad]) as caught:
        history_of(text.encode("latin-1"))
    assert caught.value.line == 2
    assert len(str(caught.value)) < 200


def test_an_array_must_end_and_be_the_only_one() -> None:
    with pytest.raises(ReadError, match="the array has no end: the file seems to be truncated"):
        history_of(f"[{INVOKE},\n")
    with pytest.raises(ReadError, match="line 2: there is something after the end"):
        history_of(f"[{INVOKE}]\n[{INVOKE}]")
    with pytest.raises(ReadError, match="no operation of a client"):
        history_of('[{"process":"nemesis","type":"info","f":"start"}]')


def test_an_element_may_be_longer_than_a_block() -> None:
    texts = ["x" * 300_000, '"[{' * 200_000]
    rows = [{"process": n, "type": "invoke", "f": "write", "value": text} for n, text in enumerate(texts)]
    for text in (json.dumps(rows), json.dumps(rows, indent=1)):
        assert [operation.argument for operation in history_of(text).operations] == texts
