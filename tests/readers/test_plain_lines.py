"""What is taken apart by a learnt expression is, to the value, what the full reader would have read.

10,000 lines, plain ones and others, most of them operations; ten times as many with `NIGHTLY=1`.
"""

import io
import os
import random
import time

import pytest

from killpoint.properties import History
from killpoint.properties.readers import ReadError
from killpoint.properties.readers.edn import EdnReader, as_value
from killpoint.properties.readers.files import decode
from killpoint.properties.readers.shapes import MOST_SHAPES, Shapes

LINES = 100_000 if os.environ.get("NIGHTLY") else 10_000
ATOMS = ["nil", "true", "false", "0", "7", "-3", "12345678901234567890123", "1.5", "1/2", "2.50M", "3N"]
ATOMS += ["0x1f", ":x", ":a/b", "sym", "1e5"]
ODD = ["##NaN", r"\a", '"é"', '"a\\nb"', "#{1 2}", "{:a 1}", "(1 2)", "#inst \"2020\"", "#_ 3 4", "^:m 5", "[1 ; x", "]", ":"]
ODD += ["9" * 30, "'x", "1abc", "017"]


def value(source: random.Random, depth: int = 3) -> str:
    choice = source.random()
    if choice < 0.05:
        return source.choice(ODD)
    if choice < 0.55 or not depth:
        return source.choice(ATOMS)
    if choice < 0.65:
        return '"' + "".join(source.choice("abc [](){};,:#'") for _ in range(source.randrange(6))) + '"'
    return "[" + source.choice([" ", ", ", "  "]).join(value(source, depth - 1) for _ in range(source.randrange(4))) + "]"


def line(source: random.Random) -> str:
    fields = {
        "process": source.choice(["0", "1", "17", ":nemesis", '"c1"', "007"]) if source.random() < 0.3 else str(source.randrange(9)),
        "type": source.choice([":invoke", ":ok", ":fail", ":info", ":ok", ":other" if source.random() < 0.1 else ":ok"]),
        "f": source.choice([":read", ":write", ":txn", ":a/b", '"f"' if source.random() < 0.2 else ":cas"]),
        "value": value(source),
    }
    for name in ("time", "index", "key", "error", "extra"):
        if source.random() < 0.3:
            fields[name] = str(source.randrange(10**10)) if name in ("time", "index") and source.random() < 0.9 else value(source, 1)
    if "extra" in fields:
        fields["extra"] = source.choice(ATOMS)  # which is not looked into
    names = list(fields)
    if source.random() < 0.1:
        source.shuffle(names)
    if source.random() < 0.03:
        names.append(names[0])
    between = source.choice([", ", " ", ",", " , "])
    record = source.choice(["", "", "#jepsen.history.Op", "  "])
    inside = between.join(f":{name} {fields[name]}" for name in names)
    return record + "{" + inside + source.choice(["}\n", "} \n", "}\r\n", "}", "} ; x\n"])


def complaint(text: str) -> str:
    """What the full reader finds wrong."""
    with pytest.raises(ReadError) as caught:
        list(EdnReader(io.BytesIO(text.encode()), "h"))
    return caught.value.what


def test_plain_lines_are_read_as_the_full_reader_reads_them() -> None:
    source = random.Random("plain lines")
    plain = 0
    for number in range(LINES):
        if number % 250 == 0:
            shapes = Shapes()
        text = line(source)
        try:
            taken = shapes.take(text.encode())
        except ValueError as error:
            assert complaint(text) == str(error)  # noqa: PT017  # what the other says is the question
            continue
        if taken is None:
            continue
        plain += 1
        (form,) = EdnReader(io.BytesIO(text.encode()), "h")
        assert isinstance(form, dict)
        fields = ("process", "type", "f", "value", "key", "error", "time", "index")
        expected = tuple(form.get(name) for name in fields)
        assert taken == (str(expected[0]), *expected[1:]), text
        assert repr(taken[3:]) == repr(expected[3:]), "1, 1.0 and true are equal in Python"
    assert plain > LINES // 5, plain


def history_of(data: str) -> History | str:
    try:
        return decode(io.BytesIO(data.encode()), "h")
    except ReadError as error:
        return str(error)


def test_files_are_read_the_same_with_and_without_a_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole files, plain lines and others in turn, in a vector or not; errors too, to the line."""
    source = random.Random("plain files")
    found = {"histories": 0, "errors": 0}
    for _ in range(LINES // 20):
        rows, open_calls = [], {}
        for _ in range(source.randrange(1, 30)):
            process = source.randrange(3)
            kind = source.choice(["ok", "fail", "info"]) if process in open_calls else "invoke"
            function = open_calls.pop(process) if process in open_calls else source.choice(["read", "write"])
            if kind == "invoke":
                open_calls[process] = function
            one = value(source) if source.random() < 0.1 else source.choice(ATOMS[:5])
            row = f"{{:process {process}, :type :{kind}, :f :{function}, :value {one}}}"
            other = [row.replace(",", "\n"), f"; {row}\n{row}", f"{row} {{:process 9 :type :invoke :f :read}}", f"#_ {row} {row}"]
            rows.append(source.choice([row] * 4 + other))
        text = "\n".join(rows)
        text = source.choice([text, f"[{text}]", f"({text}\n) ; the end", f"\n\n{text}\n"])
        fast = history_of(text)
        monkeypatch.setattr(Shapes, "take", lambda _self, _line: None)
        slow = history_of(text)
        monkeypatch.undo()
        assert fast == slow, text
        found["histories" if isinstance(fast, History) else "errors"] += 1
    assert min(found.values()) > LINES // 200, found


def test_a_line_costs_time_in_proportion_to_its_length() -> None:
    """Lines made to lead an expression astray: almost right, and long."""
    shapes = Shapes()
    assert shapes.take(b"{:process 1, :type :ok, :f :read, :value [1]}\n") is not None
    before = time.process_time()
    for middle in (b"[" * 50_000, b"1 " * 30_000, b"[[] " * 15_000, b'"" ' * 20_000, b":a 1 " * 12_000, b" " * 60_000, b"[1] " * 15_000):
        for head in (b"{", b"{:process 1, :type :ok, :f :read, :value ", b"{:process 1, :type :ok, :f :read, :value [", b"{:x "):
            assert shapes.take(head + middle + b"!") is None
    assert time.process_time() - before < 1.0


def test_few_shapes_are_learnt() -> None:
    shapes = Shapes()
    for number in range(3 * MOST_SHAPES):
        taken = shapes.take(b"{:process 1, :type :ok, :f :read, :x%d nil}\n" % number)
        assert (taken is None) == (number >= MOST_SHAPES)


def test_values_of_vectors_are_those_of_the_full_reader() -> None:
    (form,) = EdnReader(io.BytesIO(b'[[:r 1 [2 "x"]]]'), "h", spread=False)
    taken = Shapes().take(b'{:process 1, :type :ok, :f :txn, :value [[:r 1 [2 "x"]]]}')
    assert taken is not None
    assert taken[3] == as_value(form)
