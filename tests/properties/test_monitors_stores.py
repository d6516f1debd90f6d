"""Key-value stores without the search: every way in which values can be wrong, told by few operations however long they are."""

import random

import pytest
from histories import operation

from killpoint.properties import KeyValue, Linearizable, Operation, SpecificationError, Status, Value
from killpoint.properties.linearizability import analyse
from killpoint.properties.monitors.stores import conflict
from killpoint.properties.search import Search

Line = tuple[str, Value, Value] | tuple[str, Value, Value, tuple[int, int | None]]


def history(*lines: Line) -> list[Operation]:
    """Operations of key "k", one after another unless told."""
    operations = []
    for number, (function, text, result, *rest) in enumerate(lines):
        span = rest[0] if rest else (10 * number, 10 * number + 1)
        operations.append(operation(number, function, "k" if function == "get" else ("k", text), result, span))
    return sorted(operations, key=lambda one: one.invoked)


def get(value: Value, *span: int | None) -> Line:
    return ("get", None, value, span) if span else ("get", None, value)  # type: ignore[return-value]


def put(text: Value, *span: int | None) -> Line:
    return ("put", text, None, span) if span else ("put", text, None)  # type: ignore[return-value]


def append(text: Value, *span: int | None) -> Line:
    return ("append", text, None, span) if span else ("append", text, None)  # type: ignore[return-value]


VIOLATIONS: dict[str, tuple[list[Line], str, int]] = {
    "never written": ([append("a"), get("ax")], "nobody wrote 'x'", 2),
    "torn": ([append("abc"), get("ab")], "nobody wrote 'ab'", 1),
    "lost beginning": ([put("a"), append("b"), append("c"), get("bc")], "as far as", 8),
    "twice in one value": ([append("a"), get("aa")], "'a' was written once, and shows twice", 2),
    "in two chains": ([put("a"), append("b"), get("ab"), put("c"), get("cb")], "'b' was written once, and shows after two beginnings", 5),
    "put after something": ([append("a"), put("b"), get("ab")], "'b' was not appended, so nothing comes before it", 3),
    "incomparable": ([append("a", 0, 50), append("b", 1, 51), get("ab", 2, 52), get("ba", 3, 53)], "one get shows", 4),
    "read before its append": ([get("a"), append("a")], "'a' was there before its append was invoked", 2),
    "read before its put": ([get("a"), put("a")], "'a' was there before its put was invoked", 2),
    "appends in the wrong order": ([append("a"), append("b"), get("ba")], "a get shows 'b' before 'a', which was there first", 3),
    "append not shown": ([append("a"), append("b"), get("a"), get("ab")], "'b' had been appended before, and the get does not show it", 3),
    "went back": ([append("a"), append("b", 10, 60), get("ab", 20, 30), get("a", 40, 50)], "'b' was there before, and is not there", 3),
    "overwritten": ([put("a"), put("b"), get("a")], "one value would have to be there before, during and after the other", 3),
    "unseen append": ([put("a"), append("b"), get("a")], "one value would have to be there before, during and after the other", 3),
    "two at a time": (
        [put("a", 0, 100), put("b", 1, 101), get("a", 2, 3), get("b", 4, 5), get("a", 6, 7), get("b", 8, 9)],
        "the key would have to hold two values at the same time",
        8,
    ),
    "missing again": ([put("a"), get("")], "one value would have to be there before, during and after the other", 2),
    "nil after an append": ([append("a"), get(None), get("a")], "'a' had been appended before, and the get does not show it", 3),
    "nil, and then too early": ([get(None), get("a"), append("a")], "'a' was there before its append was invoked", 2),
    "nil again": ([append("a"), get(None)], "one value would have to be there before, during and after the other", 2),
}


@pytest.mark.parametrize("which", VIOLATIONS)
def test_a_violation_is_found_and_told_by_few(which: str) -> None:
    lines, why, most = VIOLATIONS[which]
    operations = history(*lines)
    assert Search(KeyValue(), operations).run(1 << 20) is False
    found = conflict(KeyValue(), operations)
    assert found is not None
    assert 0 < len(found.operations) <= most
    verdict = Linearizable(KeyValue()).judge(operations)
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert why in "\n".join([*verdict.evidence.lines, found.why])


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [get(""), get(None)],
        [append("a"), append("b", 10, None), get("a"), get("ab")],
        [append("a"), append("b", 10, None), get("a")],
        [put("a", 0, None), append("b", 1, 9), get("ab", 10, 11), get("ab", 12, 13)],
        [append("b", 0, 100), put("a", 1, 5), get("a", 6, 7), get("a", 8, 9)],
        [append(""), put("a"), append(""), get("a")],
        [put(1), put(10), get(10)],
        [put("1"), put("10"), get("10")],
    ],
)
def test_what_is_right_is_found_right(lines: list[Line]) -> None:
    operations = history(*lines)
    assert Search(KeyValue(), operations).run(1 << 20) is True
    assert conflict(KeyValue(), operations) == ((), "", None)


@pytest.mark.parametrize(
    "lines",
    [
        [append("a"), append("a"), get("aa")],
        [put("a"), put("a"), get("a")],
        [append("1"), append("10"), get("110")],
        [put(""), get("")],
        [put(None), get(None)],
        [append("1", 0, None), append("1"), get("1")],
    ],
)
def test_what_is_ambiguous_is_left_to_the_search(lines: list[Line]) -> None:
    operations = history(*lines)
    assert conflict(KeyValue(), operations) is None
    analysis = analyse(KeyValue(), operations)
    assert analysis.status is Status.VALID
    assert analysis.method.startswith("by search")


def test_nothing_cannot_be_appended_to_what_is_no_text() -> None:
    operations = history(put(5), append(""), get(5))
    assert conflict(KeyValue(), operations) is None
    with pytest.raises(SpecificationError, match="append joins strings, not 5 and ''"):
        analyse(KeyValue(), operations)


def test_long_values_are_refuted_by_few_operations() -> None:
    texts = [f"{number:05}," for number in range(3000)]
    lines = [append(text) for text in texts]
    whole = "".join(texts)
    for wrong in (whole[: 6 * 1500] + whole[6 * 1501 :], whole[:-6], whole + whole[:6], whole[: 6 * 10]):
        found = conflict(KeyValue(), history(*lines, get(whole), get(wrong)))
        assert found is not None
        assert 0 < len(found.operations) <= 8
        assert Search(found.specification or KeyValue(), found.operations).run(1000) is False


def test_pending_operations_cost_nothing() -> None:
    """A thousand appends of which nobody knows, some of which were seen: the search would try their orders."""
    source = random.Random(5)
    lines: list[Line] = [append(f"{number},", number, None) for number in range(1000)]
    order = source.sample(range(1000), 200)
    value, at = "", 2000
    for number in order:
        value += f"{number},"
        lines.append(get(value, at, at + 1))
        at += 2
    assert analyse(KeyValue(), history(*lines)).status is Status.VALID
    refuted = analyse(KeyValue(), history(*lines, get(value[: len(value) // 2], at, at + 1)))
    assert refuted.status is Status.INVALID
    assert refuted.steps < 100


def test_keys_are_judged_one_by_one() -> None:
    """An ambiguous key goes to the search, the others do not."""
    clear = [operation(number, "append", ("a", f"{number},"), None, (number, number + 100)) for number in range(50)]
    vague = [operation(100 + number, "append", ("b", "x"), None, (200 + 2 * number, 201 + 2 * number)) for number in range(3)]
    seen = operation(200, "get", "b", "xxx", (300, 301))
    analysis = analyse(KeyValue(), [*clear, *vague, seen])
    assert analysis.status is Status.VALID
    assert analysis.method.startswith("by the chains of values and by search, in ")
    wrong = operation(200, "get", "b", "xx", (300, 301))
    assert analyse(KeyValue(), [*clear, *vague, wrong]).status is Status.INVALID


def test_a_get_that_returned_nothing_is_told_as_it_was() -> None:
    """Not as the text that a missing key stands for."""
    verdict = Linearizable(KeyValue()).judge(history(put("a"), get(None)))
    assert verdict.evidence is not None
    assert any("key 'k' holds 'a', not None" in line for line in verdict.evidence.lines)
