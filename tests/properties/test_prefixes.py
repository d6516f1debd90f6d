"""The small states that a search has for stores: the same verdicts and steps as with whole values, in linear memory."""

import random
import tracemalloc

import pytest
from histories import Answer, brute_force, operation, random_history

from killpoint.properties import Call, KeyValue, Operation, Outcome, SpecificationError, Value
from killpoint.properties.prefixes import Prefixes
from killpoint.properties.search import Search
from killpoint.properties.specification import Refusal


class Whole(KeyValue):
    """A store of its own, whose states in a search are values."""


def drawn(texts: list[Value]) -> tuple[object, Answer]:
    def invent(source: random.Random) -> tuple[str, Value]:
        choice = source.random()
        if choice < 0.4:
            return "get", "k"
        text = source.choice(texts)
        return ("append" if choice < 0.8 and isinstance(text, str) else "put"), ("k", text)

    def answer(source: random.Random, function: str, argument: Value) -> Value:
        if function != "get":
            return None
        some = [source.choice(texts) for _ in range(source.randrange(4))]
        return source.choice([None, "".join(map(str, some)), *some])

    return invent, answer


@pytest.mark.parametrize("missing", ["", "a", None])
@pytest.mark.parametrize("texts", [["a", "b"], ["a", "aa", "ab", ""], ["1", "11", "2", "12"]])
def test_places_and_values_give_the_same_verdicts(texts: list[Value], missing: Value) -> None:
    invent, answer = drawn(texts)
    source = random.Random(f"{texts} {missing}")
    found = {True: 0, False: 0}
    for _ in range(60):
        options = {"width": source.choice([2, 4]), "pending": source.choice([0.0, 0.3]), "wrong": source.choice([0.0, 0.2])}
        history = random_history(source, KeyValue(), invent, answer, source.randrange(2, 9), **options)  # type: ignore[arg-type]
        # Nothing can be appended to nothing.
        history = [one for one in history if one.outcome is not Outcome.FAIL and (missing is not None or one.function != "append")]
        store, whole = KeyValue(missing=missing), Whole(missing=missing)
        expected = brute_force(store, history)
        small, large = Search(store, history), Search(whole, history)
        assert small.run(1 << 20) is large.run(1 << 20) is expected
        assert small.steps <= 2 * large.steps + 10
        found[expected] += 1
    assert min(found.values()) > 5, found


def test_every_step_is_that_of_the_store() -> None:
    """Along random walks: what a get may show is the same, whichever way the value came about."""
    source = random.Random(3)
    refused = 0
    for _ in range(300):
        texts = [source.choice(["a", "b", "ab", "ba", "aab"]) for _ in range(6)]
        shown = ["".join(texts[:length]) for length in range(6)] + ["b", "abab"]
        gets = [Call("get", "k", text) for text in source.sample(shown, 4)]
        changes = [Call(source.choice(["append", "append", "put"]), ("k", text)) for text in texts]
        small, large = Prefixes(KeyValue(), [*gets, *changes]), KeyValue()
        place, value = small.initial, large.initial
        for change in changes:
            place, value = small.step(place, change), large.step(value, change)  # type: ignore[arg-type]
            for get in gets:
                assert isinstance(small.step(place, get), Refusal) is isinstance(large.step(value, get), Refusal)
                refused += isinstance(small.step(place, get), Refusal)
                assert isinstance(place, tuple)
                if isinstance(small.step(place, get), Refusal) and place[0] >= 0:
                    for change_ahead in changes:
                        assert small.may_enable(place, get, change_ahead) == large.may_enable(value, get, change_ahead)
    assert refused > 1000


def test_what_cannot_be_joined_is_told_as_by_the_store() -> None:
    history = [operation(0, "put", ("k", 5), None, (0, 1)), operation(1, "append", ("k", "x"), None, (2, 3))]
    with pytest.raises(SpecificationError, match="append joins strings, not 5 and 'x'"):
        Search(KeyValue(), history).run(100)


def test_memory_is_linear_in_the_history() -> None:
    """Two thousand appends of ten characters that repeat, and a get: whole values would take 20 MB."""
    count = 2000
    appends = [operation(at, "append", ("k", f"{at % 50:09} "), None, (2 * at, 2 * at + 1)) for at in range(count)]
    value = "".join(f"{at % 50:09} " for at in range(count))
    history: list[Operation] = [*appends, operation(count, "get", "k", value, (3 * count, 3 * count + 1))]
    peaks = []
    for store in (KeyValue(), Whole()):
        tracemalloc.start()
        assert Search(store, history).run(1 << 20) is True
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 4 << 20 < 16 << 20 < peaks[1], peaks
