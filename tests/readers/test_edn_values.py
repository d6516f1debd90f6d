"""EDN values become ours; `edn_format` is the oracle where it is installed and agrees with the format's specification."""

import io
import os
from fractions import Fraction

import edn_format
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
        ("1/2 4/2 -3/4", (Fraction(1, 2), 2, Fraction(-3, 4))),
        ("0.1M 0.10M 2.50M 123456789012345678901M", (Fraction(1, 10), Fraction(1, 10), 2.5, Fraction(123456789012345678901))),
        ("0x1F -0xff", (31, -255)),
        ("^{:a 1} [2] ^:m 3 [^int x]", ((2,), 3, ("x",))),
        ('#killpoint/bytes "00ff" [#killpoint/bytes ""]', (b"\x00\xff", (b"",))),
        ('#uuid "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"', "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("#:a{:b 1} 2", ((("b", 1),), 2)),
        ('#object[clojure.lang.Atom 0x6d1ef78d "x"]', ("clojure.lang.Atom", 0x6D1EF78D, "x")),
        ('#error {:cause "a" :via [{:type E}]}', (("cause", "a"), ("via", ((("type", "E"),),)))),
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
        ("017", 1, "is not EDN"),
        ("1/0", 1, "is not EDN"),
        ("1e401M", 1, "beyond 400"),
        ("[1\n {:a 1 :b 2 :a 3}]", 2, "the key 'a' twice"),
        ('#killpoint/bytes "0"', 1, "hexadecimal"),
        ("#killpoint/bytes 7", 1, "hexadecimal"),
        ("[^]", 1, "a tag stands before"),
        ("[" * 100_000, 1, "nested"),
        ("9" * 10**6, 1, "digits"),
        ('"' + "x" * 10**7, 1, "longer than"),
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


FORMS = 10_000 if os.environ.get("NIGHTLY") else 300
NAMES = st.from_regex(r"[a-z][a-z0-9*+!?<>=-]{0,5}(/[a-z]{1,3})?", fullmatch=True).filter(lambda name: name not in ("nil", "true", "false"))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters='"\\\0', exclude_categories=["Cs"]), max_size=6)
ATOMS = st.one_of(
    st.sampled_from(["nil", "true", "false", "\\a", "\\newline", '"\\n\\t\\\\"', "7N", "-0", "+3"]),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e10, max_value=1e10).map(lambda number: f"{number:.6f}"),
    NAMES.map(":{}".format),
    NAMES,
    TEXTS.map('"{}"'.format),
)
GAPS = st.sampled_from([" ", ", ", "\n", " ; a comment\n", " #_ gone ", " #_[1 2] "])


def inside(forms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.tuples(st.lists(forms, max_size=4), GAPS)
    return st.one_of(
        some.map(lambda drawn: f"[{drawn[1].join(drawn[0])}]"),
        some.map(lambda drawn: f"({drawn[1].join(drawn[0])})"),
        st.tuples(st.dictionaries(NAMES, forms, max_size=3), GAPS).map(
            lambda drawn: "{" + drawn[1].join(f":{key}{drawn[1]}{one}" for key, one in drawn[0].items()) + "}"
        ),
        forms.map("#some/tag {}".format),
    )


edn_format.add_tag("some/tag", lambda value: value)


def plain(value: object) -> object:
    """What edn_format gives, in our terms."""
    if isinstance(value, edn_format.Keyword | edn_format.Symbol):
        return str(value).removeprefix(":")
    if isinstance(value, edn_format.ImmutableDict):
        return tuple(sorted(((plain(key), plain(one)) for key, one in value.items()), key=repr))
    if isinstance(value, list | tuple | edn_format.ImmutableList):
        return tuple(plain(item) for item in value)
    return value


@settings(max_examples=FORMS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.recursive(ATOMS, inside, max_leaves=12))
def test_random_forms_agree_with_edn_format(text: str) -> None:
    assert repr(parse_values(text)) == repr([plain(edn_format.loads(text))]), text
