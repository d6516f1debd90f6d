"""Sets as sequential specifications: one whose elements are asked for one by one, and one that only grows and is read as a whole.

They are two, because the elements of the first have nothing to do with each other, so that each is judged by itself, whereas a read
of the whole set ties all of them together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from .history import Operation, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["GrowSet", "Set", "answer_of", "elements_of", "twice"]


@dataclass(frozen=True)
class Set(Specification):
    """A set: `add(element)` and `remove(element)`, which may return whether they changed it, and `contains(element) -> bool`.

    Empty at first.  One part per element.  An `add` or `remove` that returns anything but true or false (or 1 or 0) says nothing of
    what it found; Jepsen's return the element.
    """

    @property
    def initial(self) -> State:
        """False: the element is not there."""
        return False

    def partition(self, operation: Operation) -> Hashable:
        """The element."""
        return operation.argument

    def step(self, state: State, call: Call) -> State | Refusal:
        """What happens to one element."""
        if call.function not in ("add", "remove", "contains"):
            raise UnknownFunctionError(self.name, call.function, "add", "remove", "contains")
        answer = answer_of(call)
        if call.function == "contains":
            if answer is None:
                if call.known:
                    raise SpecificationError(f"{self.name}: contains returns true or false, not {render(call.result)}")
                return state
            return state if answer is state else _refusal(state, call)
        adding = call.function == "add"
        # It was there before an add that changed nothing, and before a remove that did.
        if answer is not None and (answer is adding) is state:
            return _refusal(state, call)
        return adding

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """Who was told that the element is there waits for an add, and the other way round."""
        answer = answer_of(call)
        if answer is None:
            return True
        found = answer is (call.function != "add")
        return other.function == ("add" if found else "remove") and answer_of(other) is not False

    def pure(self, call: Call) -> bool:
        """Asking is, and so are adds and removes that changed nothing."""
        return call.function == "contains" or answer_of(call) is False


def answer_of(call: Call | Operation) -> bool | None:
    """What a call said of its element, if it said anything: true or false, or 1 or 0 for them, as Redis has it.

    An `add` or `remove` that gives back its argument says nothing by it; `contains` may return (element, answer).
    """
    result, argument = call.result, call.argument
    if call.function == "contains":
        if isinstance(result, tuple) and len(result) == 2:
            result = result[1]
    elif type(result) is type(argument) and result == argument:
        return None
    return bool(result) if isinstance(result, int) and result in (0, 1) else None


def _refusal(state: State, call: Call) -> Refusal:
    """In words: each of these is refused in one state only."""
    there = "is there already" if call.function == "add" else "is there"
    return Refusal("{} " + (there if state else "is not there"), call.argument)


@dataclass(frozen=True)
class GrowSet(Specification):
    """A set that only grows, as in Jepsen's set test: `add(element)`, and `read()`, which returns all elements.

    Empty at first.  The order in which a read lists the elements is of no account, but no element is in a set twice.  With `within`
    only these elements count, and reads are asked of no other: what the whole set does, each selection of its elements does too.
    """

    within: frozenset[Value] | None = None

    @property
    def initial(self) -> State:
        """The empty set."""
        return frozenset()

    def step(self, state: State, call: Call) -> State | Refusal:
        """An add puts its element in; a read shows all that are."""
        assert isinstance(state, frozenset)
        if call.function == "add":
            return state if self.within is not None and call.argument not in self.within else state | {call.argument}
        if call.function != "read":
            raise UnknownFunctionError(self.name, call.function, "add", "read")
        if not call.known:
            return state
        shown = elements_of(call.result)
        seen = frozenset(shown)
        if len(seen) != len(shown):
            return Refusal("the read shows {} twice", twice(shown))
        if self.within is not None:
            seen &= self.within
        if seen == state:
            return state
        missing = sorted(state - seen, key=repr)
        if missing:
            return Refusal("{} is in the set, and the read does not show it", missing[0])
        return Refusal("{} is not in the set, and the read shows it", min(seen - state, key=repr))

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """A read waits for the elements that it shows; where the set has others already, it waits in vain."""
        assert isinstance(state, frozenset)
        if call.function != "read" or not call.known:
            return True
        shown = elements_of(call.result)
        seen = frozenset(shown) if self.within is None else frozenset(shown) & self.within
        return other.function == "add" and other.argument in seen and other.argument not in state and state <= seen

    def pure(self, call: Call) -> bool:
        """Reads are."""
        return call.function == "read"


def twice(shown: Iterable[Value]) -> Value:
    """The first element that stands there for the second time; nil if none does."""
    seen = set()
    for element in shown:
        if element in seen:
            return element
        seen.add(element)
    return None


def elements_of(result: Value) -> Sequence[Value]:
    """The elements that a read of a whole set shows.

    Raises:
        SpecificationError: it is no collection.
    """
    if isinstance(result, tuple):
        return result
    if isinstance(result, frozenset) and isinstance(result, Iterable):
        return sorted(result, key=repr)
    raise SpecificationError(f"GrowSet: read returns all elements of the set, not {render(result)}")
