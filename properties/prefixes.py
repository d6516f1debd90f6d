"""Values of a store as places in the values that gets returned: small states for a search over texts that grow.

A key to which n texts are appended has n values, which are n * n / 2 texts long together.  But only a value that some get returned, or
can still be completed to one by appends, matters to a search; from all others only a put leads away.  So a state is a place:
which of the returned values begins with it, and how far.  Of those that begin with each other only the longest is kept, and of several that
share the beginning the first in order, so that equal values are equal places.  Appending compares the text with what stands there.

Cost: memory in proportion to the history, whose gets hold those values anyway; a step compares one text, in as many values as
share the beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

from .history import Value
from .specification import Call, Refusal, Specification, State

__all__ = ["Prefixes"]

REFUSED = Refusal("the key holds another value")


class Place(NamedTuple):
    """The first `length` characters of the value with this number."""

    text: int
    length: int


class Whole(NamedTuple):
    """A value that is no text, so that nothing can be appended."""

    value: Value


NOWHERE = Place(-1, 0)
"""All values that no get returned and that no append completes to one."""

Standing: TypeAlias = Place | Whole


class Store(Protocol):
    """What a key-value store has to say."""

    @property
    def missing(self) -> Value:
        """What a missing key reads as."""
        ...

    def step(self, state: State, call: Call) -> State | Refusal:
        """What a call does to the value of a key."""
        ...


class Prefixes(Specification):
    """What `store` does on just these calls, gets, puts and appends of one key.  For searches: refusals are not explained."""

    def __init__(self, store: Store, calls: Sequence[Call]) -> None:
        self._store = store
        results = [call.result for call in calls if call.function == "get" and call.known]
        self._texts = _longest({value for value in (store.missing, *results) if isinstance(value, str)})
        self._shared = [_common(left, right) for left, right in pairwise(self._texts)]
        self._shown = {result: self._standing(result) for result in (store.missing, *results)}
        self._last: dict[tuple[Value, Place], int] = {}

    @property
    def initial(self) -> State:
        """Where the value of a missing key stands."""
        return self._shown[self._store.missing]

    def step(self, state: State, call: Call) -> State | Refusal:
        """What the store does."""
        if call.function == "get":
            if not call.known or state == self._shown[call.result] or (call.result is None and state == self.initial):
                return state
            return REFUSED
        assert isinstance(call.argument, tuple)
        text: Value = call.argument[1]
        if call.function == "put":
            return self._standing(text)
        if isinstance(state, Whole) or not isinstance(text, str):
            return self._store.step(state.value if isinstance(state, Whole) else "", call)  # which says what is wrong
        assert isinstance(state, Place)
        return state if state == NOWHERE else self._after(state, text)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """A get waits for what is missing at the end of its value, or for a put that begins the value anew."""
        if call.function != "get" or other.function == "get":
            return call.function != "get"
        awaited = self._shown[self._store.missing if call.result is None else call.result]
        assert isinstance(other.argument, tuple)
        text = other.argument[1]
        if isinstance(awaited, Whole) or isinstance(state, Whole) or not isinstance(text, str):
            return True
        assert isinstance(state, Place)
        if other.function == "put":
            return self._texts[awaited.text].startswith(text, 0, awaited.length)
        if state == NOWHERE or state.length > awaited.length or self._first(awaited.text, state.length) != state.text:
            return False
        at = (text, awaited)
        if at not in self._last:
            self._last[at] = self._texts[awaited.text].rfind(text, 0, awaited.length)
        return self._last[at] >= state.length

    def pure(self, call: Call) -> bool:
        """Gets are."""
        return call.function == "get"

    def _standing(self, value: Value) -> Standing:
        if not isinstance(value, str):
            return Whole(value)
        number = bisect_left(self._texts, value)
        return Place(number, len(value)) if self._texts[number : number + 1] and self._texts[number].startswith(value) else NOWHERE

    def _after(self, state: Place, text: str) -> Place:
        """The first value that goes on with `text`."""
        number, length = state
        if not length:
            following = self._standing(text)
            assert isinstance(following, Place)
            return following
        while not self._texts[number].startswith(text, length):
            if number == len(self._shared) or self._shared[number] < length:
                return NOWHERE
            number += 1
        return Place(number, length + len(text))

    def _first(self, number: int, length: int) -> int:
        """The first value that begins with as many characters as this one does."""
        if not length:
            return 0
        while number and self._shared[number - 1] >= length:
            number -= 1
        return number


def _longest(texts: Iterable[str]) -> list[str]:
    """In order, without those with which others begin."""
    ordered = sorted(texts)
    return [text for text, following in pairwise([*ordered, ""]) if not following or not following.startswith(text)]


def _common(left: str, right: str) -> int:
    """How many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if right.startswith(left[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low
