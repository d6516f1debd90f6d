"""Queues that promise no order: what is put in comes out once, whenever it likes (Knossos's `unordered-queue`, Jepsen's `queue`).

Who takes is given any of the values inside, so a call of which nobody knows what it took leads to several states.  `UnorderedQueue` keeps
them all: its states are sets of bags, of which each known result leaves those that fit.  Histories whose values are all different need no
search (`monitors/bags.py`), and where nobody ever found the queue empty, takings of unknown outcome change nothing for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from .history import Operation, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["UnorderedQueue"]

Bag: TypeAlias = "frozenset[tuple[Value, int]]"
"""Values, and how often each is inside."""

EMPTY: Bag = frozenset()

UNTAKEN = object()
"""Stands for every value that nobody was given."""


@dataclass(frozen=True)
class UnorderedQueue(Specification):
    """A queue without an order: `enqueue(value)`, and `dequeue()`, which returns any of the values inside, nil if there is none.

    With `forgetful`, takings of unknown outcome do nothing: nobody needs them where no `dequeue` returned nil.
    """

    forgetful: bool = False
    puts: ClassVar[tuple[str, ...]] = ("enqueue",)
    takes: ClassVar[tuple[str, ...]] = ("dequeue",)

    @property
    def initial(self) -> State:
        """Certainly empty."""
        return frozenset((EMPTY,))

    def step(self, state: State, call: Call) -> State | Refusal:
        """Put a value in, or take one out."""
        assert isinstance(state, frozenset)
        if call.function == "enqueue":
            if call.argument is None:
                raise SpecificationError(f"{self.name}: enqueue needs a value other than nil, which is what dequeue of nothing returns")
            return frozenset(_changed(bag, call.argument, 1) for bag in state)
        if call.function != "dequeue":
            raise UnknownFunctionError(self.name, call.function, "enqueue", "dequeue")
        if not call.known:
            taken = (_changed(bag, value, -1) for bag in state for value, _times in bag)
            return state if self.forgetful else state.union(taken)
        if call.result is None:
            return frozenset((EMPTY,)) if EMPTY in state else Refusal("{} is in it, so it is not empty", _some(state))
        left = frozenset(_changed(bag, call.result, -1) for bag in state if any(value == call.result for value, _times in bag))
        return left or Refusal("{} is not in it", call.result)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """Who takes a value waits for it to be put in, and who finds nothing for others to take what there is."""
        if call.function != "dequeue" or not call.known:
            return True
        return other.function == "dequeue" if call.result is None else other.function == "enqueue" and other.argument == call.result

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that nobody was given are one."""
        taken = {call.result for call in calls if call.function == "dequeue" and call.known}

        def reduce(state: State) -> State:
            assert isinstance(state, frozenset)
            return frozenset(_blurred(bag, taken) for bag in state)

        return reduce

    def in_hindsight(self, operations: Sequence[Operation]) -> Specification:
        """One that forgets takings of unknown outcome, unless somebody found nothing."""
        found = any(one.function == "dequeue" and one.ok and one.result is None for one in operations)
        return self if found else replace(self, forgetful=True)


def _changed(bag: Bag, value: Value, by: int) -> Bag:
    times = by + next((times for held, times in bag if held == value), 0)
    others = [pair for pair in bag if pair[0] != value]
    return frozenset([*others, (value, times)] if times else others)


def _some(state: frozenset[Bag]) -> Value:
    """A value that is certainly there, or could be; always the same one."""
    return min(_values(state), key=render)


def _values(state: frozenset[Bag]) -> Iterator[Value]:
    return (value for bag in state for value, _times in bag)


def _blurred(bag: Bag, taken: set[Value]) -> Bag:
    kept = [pair for pair in bag if pair[0] in taken]
    others = sum(times for value, times in bag if value not in taken)
    return frozenset([*kept, (UNTAKEN, others)] if others else kept)
