"""Queues, priority queues and stacks as sequential specifications.

All three hold values that are put in and taken out again; they differ only in which one is next.  Taking from an empty container
returns nil, so nil cannot be put in.  Where nobody knows how a taking ended it took what was next, if there was anything.

States are whole containers (a tuple, the next value to be taken first for queues, last for stacks), so that a step of the search
costs as many steps as there are values inside.  Histories in which all values are different need no search: see `monitors`.

Under Jepsen's names, `:enqueue`, `:dequeue`, `:push`, `:pop`, `:insert` and `:poll`.  Its `:drain` is no operation of a queue, but
many dequeues at moments that nobody wrote down.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .history import Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["Container", "FifoQueue", "PriorityQueue", "Stack"]

UNTAKEN = object()
"""Stands for every value that nobody was given."""


@dataclass(frozen=True)
class Container(Specification):
    """What queues and stacks have in common: functions that put a value in, and functions that take the next one out."""

    puts: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ()

    @property
    def initial(self) -> State:
        """Empty."""
        return ()

    def step(self, state: State, call: Call) -> State | Refusal:
        """Put a value in, or take out the one that is next."""
        assert isinstance(state, tuple)
        if call.function in self.puts:
            if call.argument is None:
                raise SpecificationError(
                    f"{self.name}: {call.function} needs a value other than nil, which is what {self.takes[0]} of nothing returns"
                )
            return self.put(state, call.argument)
        if call.function not in self.takes:
            raise UnknownFunctionError(self.name, call.function, *self.puts, *self.takes)
        if call.known and call.result is None:
            return Refusal("{} is in it, so it is not empty", self.next(state)) if state else state
        if not state:
            return Refusal("it is empty, so {} is not there", call.result) if call.known else state
        if call.known and self.next(state) != call.result:
            return Refusal("{} is next, not {}", self.next(state), call.result)
        return self.rest(state)

    @abstractmethod
    def put(self, state: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """With one value more."""
        ...

    @abstractmethod
    def next(self, state: tuple[Value, ...]) -> Value:
        """The value that would be taken from this container, which is not empty."""
        ...

    @abstractmethod
    def rest(self, state: tuple[Value, ...]) -> tuple[Value, ...]:
        """Without that value."""
        ...

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """Who takes a value waits for it to be put in; if it is there, for whoever takes the one that is next now.

        For that one is in the way until it is taken: nothing that is put in takes it out.
        """
        assert isinstance(state, tuple)
        if call.function not in self.takes:
            return True
        if call.known and call.result is not None and call.result not in state:
            return other.function in self.puts and other.argument == call.result
        return other.function in self.takes and bool(state) and (not other.known or other.result == self.next(state))

    def pure(self, call: Call) -> bool:
        """Finding it empty is."""
        return call.function in self.takes and call.known and call.result is None


class _Blurred(Container):
    """A container whose order does not come from its values, so that those that nobody was given are all one."""

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that nobody was given are one."""
        taken = {call.result for call in calls if call.function in self.takes and call.known}

        def reduce(state: State) -> State:
            assert isinstance(state, tuple)
            return tuple([value if value in taken else UNTAKEN for value in state])

        return reduce


@dataclass(frozen=True)
class FifoQueue(_Blurred):
    """A queue: `enqueue(value)`, and `dequeue()`, which returns the value that has been in it longest, nil if it is empty."""

    puts: ClassVar[tuple[str, ...]] = ("enqueue",)
    takes: ClassVar[tuple[str, ...]] = ("dequeue",)

    def put(self, state: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """At the end."""
        return (*state, value)

    def next(self, state: tuple[Value, ...]) -> Value:
        """The first."""
        return state[0]

    def rest(self, state: tuple[Value, ...]) -> tuple[Value, ...]:
        """All but the first."""
        return state[1:]


@dataclass(frozen=True)
class Stack(_Blurred):
    """A stack: `push(value)`, and `pop()`, which returns the value that was pushed last, nil if it is empty."""

    puts: ClassVar[tuple[str, ...]] = ("push",)
    takes: ClassVar[tuple[str, ...]] = ("pop",)

    def put(self, state: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """On top."""
        return (*state, value)

    def next(self, state: tuple[Value, ...]) -> Value:
        """The top."""
        return state[-1]

    def rest(self, state: tuple[Value, ...]) -> tuple[Value, ...]:
        """All below the top."""
        return state[:-1]

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """As for all containers, and one more of a value that is inside comes to lie on top."""
        again = other.function == "push" and call.result is not None and other.argument == call.result
        return again or super().may_enable(state, call, other)


@dataclass(frozen=True)
class PriorityQueue(Container):
    """A priority queue: `insert(value)` or `enqueue`, and `poll()` or `dequeue`, which returns the least value, nil if it is empty.

    The least value has the highest priority, as in Java's PriorityQueue and in heapq; with `greatest_first` the greatest has.
    Values compare with one another: numbers, texts, or (priority, item) pairs, which compare by item where priorities are equal.
    """

    greatest_first: bool = False
    puts: ClassVar[tuple[str, ...]] = ("insert", "enqueue")
    takes: ClassVar[tuple[str, ...]] = ("poll", "dequeue")

    def put(self, state: tuple[Value, ...], value: Value) -> tuple[Value, ...]:
        """Where it belongs; states are in rising order."""
        values: list[Any] = [*state]  # whatever compares
        try:
            insort(values, value)
        except TypeError:
            raise SpecificationError(
                f"{self.name}: {render(value)} and {render(values[0])} do not compare, so neither has the higher priority"
            ) from None
        return tuple(values)

    def next(self, state: tuple[Value, ...]) -> Value:
        """The least, or the greatest."""
        return state[-1] if self.greatest_first else state[0]

    def rest(self, state: tuple[Value, ...]) -> tuple[Value, ...]:
        """All but that one."""
        return state[:-1] if self.greatest_first else state[1:]
