"""A key-value store and a lock as sequential specifications."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .history import Operation, Value, render
from .prefixes import Prefixes
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError, call_of

__all__ = ["KeyValue", "Mutex"]


@dataclass(frozen=True)
class KeyValue(Specification):
    """A map from keys to values: `get(key) -> value`, `put((key, value))`, `append((key, text))`; one part per key.

    A missing key reads as `missing`: the empty string unless told, so that appending to it is concatenation, as in MIT 6.824's
    key-value service and Porcupine's model of it.  A `get` of a missing key may also return nil.  States are whole values; a search
    has smaller ones (`Prefixes`).
    """

    missing: Value = ""

    @property
    def initial(self) -> State:
        """The value of a key before anything is put."""
        return self.missing

    def partition(self, operation: Operation) -> Hashable:
        """The key.

        Raises:
            SpecificationError: the argument has no key.
        """
        if operation.function == "get":
            return operation.argument
        argument = operation.argument
        if operation.function in ("append", "put") and isinstance(argument, tuple) and len(argument) == 2:
            key: Value = argument[0]
            return key
        return self._key(call_of(operation))  # which says what is wrong

    def step(self, state: State, call: Call) -> State | Refusal:
        """What happens to the value of one key."""
        if call.function == "get":
            if not call.known or state == call.result or (call.result is None and state == self.missing):
                return state
            return Refusal("key {} holds {}, not {}", self._key(call), state, call.result)
        self._key(call)
        assert isinstance(call.argument, tuple)
        value: Value = call.argument[1]
        if call.function == "put":
            return value
        if isinstance(state, str) and isinstance(value, str):
            return state + value
        raise SpecificationError(f"{self.name}: append joins strings, not {render(state)} and {render(value)}")

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """A get waits for what is missing at the end of its value, or for a put that begins the value anew."""
        awaited = self.missing if call.result is None else call.result
        if call.function != "get" or other.function == "get" or not isinstance(awaited, str) or not isinstance(state, str):
            return call.function != "get" or other.function != "get"
        value = other.argument[1] if isinstance(other.argument, tuple) else None
        if not isinstance(value, str):
            return True
        if other.function == "put":
            return awaited.startswith(value)
        return awaited.startswith(state) and awaited.find(value, len(state)) >= 0

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that no get returned, and that no append can complete to one, are one: only a put leads away from them."""
        gets = [call for call in calls if call.function == "get" and call.known]
        values = {self.missing if call.result is None else call.result for call in gets} | {call.result for call in gets}
        texts = sorted(value for value in values if isinstance(value, str))
        # A text that no value begins with, nor any text that begins with it.
        beginnings = {text[:1] for text in texts}
        unread = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in beginnings)

        def reduce(state: State) -> State:
            if not isinstance(state, str):
                return state
            place = bisect_left(texts, state)
            return state if place < len(texts) and texts[place].startswith(state) else unread

        return reduce

    def condensed(self, calls: Sequence[Call]) -> Specification:
        """Places in the values that gets returned; what derives from this says itself what its states are."""
        return Prefixes(self, calls) if type(self) is KeyValue else self

    def pure(self, call: Call) -> bool:
        """Gets are."""
        return call.function == "get"

    def _key(self, call: Call) -> Value:
        if call.function == "get":
            return call.argument
        if call.function not in ("put", "append"):
            raise UnknownFunctionError(self.name, call.function, "get", "put", "append")
        if isinstance(call.argument, tuple) and len(call.argument) == 2:
            return call.argument[0]
        raise SpecificationError(f"{self.name}: the argument of {call.function} is (key, value), not {render(call.argument)}")


@dataclass(frozen=True)
class Mutex(Specification):
    """A lock: `acquire()` and `release()`, free at first.  It does not ask who holds it, so anyone may release (as Knossos's)."""

    @property
    def initial(self) -> State:
        """False: free."""
        return False

    def step(self, state: State, call: Call) -> State | Refusal:
        """Acquiring needs a free lock, releasing a held one; where nobody knows the outcome, it may have had no effect."""
        if call.function not in ("acquire", "release"):
            raise UnknownFunctionError(self.name, call.function, "acquire", "release")
        acquire = call.function == "acquire"
        if state is not acquire or not call.known:
            return acquire
        return Refusal("the lock is held already") if acquire else Refusal("the lock is free, so there is nothing to release")

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """Who acquires waits for a release, and the other way round."""
        return other.function != call.function
