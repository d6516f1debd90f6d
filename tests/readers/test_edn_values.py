"""EDN values become ours; `edn_format` is the oracle where it is installed and agrees with the format's specification."""

import io
import random

import edn_format
import pytest

from killpoint.properties.readers import ReadError
from killpoint.properties.readers.edn import BLOCK, EdnReader, Form, parse_values


def elements(text: str | bytes) -> list[Form]:
    data = text.encode() if isinstance(text, str) else text
    return list(EdnReader(io.BytesIO(data), "x.edn"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true false", (True, False)),
        ("-12 +3 7N", (-12, 3, 7)),
        ("1.5 -2e3 3M 4.25M", (1.5, -2000.0, 3.0, 4.25)),
        ('"a\\n\\"b\\" \\u00e9"', 'a\n"b" é'),
        (":read :jepsen/x sym a.b/c", ("read", "jepsen/x", "sym", "a.b/c")),
        (r"\a \newline \u0041 \(", ("a", "\n", "A", "(")),
        ("[1 [2 (3)] []]", (1, (2, (3,)), ())),
        ("#{3 1 2}", (1, 2, 3)),
        ("[{:b 1, :a [2]}]", ((("a", (2,)), ("b", 1)),)),
        ('#inst "2020" #foo/bar [1]', ("2020", (1,))),
        ("1 #_ 2 3 #_[4 5] #_ #_ 6 7 8", (1, 3, 8)),
        ("1 ; a comment [\n 2", (1, 2)),
        ("##Inf ##-Inf", (float("inf"), float("-inf"))),
        ("1,2,,3", (1, 2, 3)),
    ],
)
def test_values(text: str, value: object) -> None:
    values = parse_values(text)
    assert (tuple(values) if len(values) > 1 else values[0]) == value


def test_a_vector_at_the_top_and_a_sequence_of_forms_are_the_same() -> None:
    expected: list[Form] = [{"a": 1}, {"b": ("c", None)}]
    forms = "{:a 1}\n{:b [:c nil]}"
    for text in (f"[{forms}]", f"({forms})", f"{forms}\n", f"; x\n#_1 [{forms}] ; y"):
        assert elements(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[{:a 1}\n {:b", 2, "truncated"),
        ('{:a "xy', 1, "inside a string"),
        ("{:a 1}\n]", 2, "closes nothing"),
        ("[{:a 1)]", 1, "closes nothing"),
        ("\n\n{:a}", 3, "without a value"),
        ("[1]\n\n[2]", 3, "after the end"),
        ("[1] 2", 1, "after the end"),
        ("[1 #foo ]", 1, "tag"),
        ("#foo", 1, "tag"),
        ("[" * 100, 1, "nested"),
        ("9" * 5000, 1, "digits"),
        ("12abc", 1, "is not EDN"),
        ("\n:", 2, "is not EDN"),
        ('"\\q"', 1, "escape"),
        (r"\nope", 1, "character"),
        (b"{:a \x00}", 1, "NUL"),
        (b"{:a 1}\n{:a \xff}", 2, "UTF-8"),
        (b'{:a 1}\n{:a "\xc3', 2, "UTF-8"),
        ("`", 1, "is not EDN"),
    ],
)
def test_errors_name_the_line(text: str | bytes, line: int, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        elements(text)
    assert caught.value.line == line
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"x.edn, line {line}: ")


class Trickle(io.BytesIO):
    """A file that gives a few bytes at a time, as slow pipes do."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size)


TEXT = '[{:a "x\\"y é", :b #{1 2}} ; a long comment, with [ and "\n #_ {:c 3} {:d \\newline, :e ##Inf, :f -1.5e3} #x/y {:g :h}]\n'


@pytest.mark.parametrize("size", range(1, 12))
def test_tokens_may_be_cut_anywhere(size: int) -> None:
    assert list(EdnReader(Trickle(TEXT.encode(), size), "x")) == elements(TEXT)


def test_lines_are_counted_across_blocks() -> None:
    row = '{:a "one\ntwo"} ; comment\n'
    rows = BLOCK // len(row) * 2
    with pytest.raises(ReadError) as caught:
        elements(row * rows + "}")
    assert caught.value.line == 2 * rows + 1


def test_memory_stays_small_for_a_long_comment_and_a_long_string_fails() -> None:
    assert elements(";" + "x" * (3 * BLOCK) + "\n1") == [1]
    assert elements(" " * (3 * BLOCK) + "1") == [1]


def random_form(source: random.Random, depth: int) -> str:
    choice = source.randrange(10 if depth else 6)
    if choice == 0:
        return str(source.randrange(-(10**9), 10**9))
    if choice == 1:
        return source.choice(["nil", "true", "false", "1.25", "-0.5"])
    if choice == 2:
        return ":" + source.choice(["read", "write", "a-b", "ok"])
    if choice in (3, 4):
        letters = ["a", "é", "\\n", '\\"', " ", "[", ";", "\\\\"]
        return '"' + "".join(source.choice(letters) for _ in range(source.randrange(6))) + '"'
    if choice == 5:
        return source.choice(["sym", "x/y"])
    inside = [random_form(source, depth - 1) for _ in range(source.randrange(4))]
    return ("[" + " ".join(inside) + "]") if choice < 8 else ("(" + ", ".join(inside) + ")")


def plain(value: object) -> object:
    """What edn_format gives, in our terms."""
    if isinstance(value, edn_format.Keyword | edn_format.Symbol):
        return value.name
    if isinstance(value, list | tuple | edn_format.ImmutableList):
        return tuple(plain(item) for item in value)
    return value


def test_random_forms_agree_with_edn_format() -> None:
    source = random.Random("edn")
    for _ in range(150):
        text = random_form(source, 3)
        assert parse_values(text) == [plain(edn_format.loads(text))], text
