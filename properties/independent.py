"""Many objects of one kind in one history, as Jepsen's `independent` records them: every value is a pair of key and value.

    :invoke :write [7 1]      :ok :write [7 1]      :invoke :read [7 nil]      :ok :read [7 1]

By locality (Herlihy & Wing 1990) each key's operations are judged by themselves.  `keyed` recognises such histories: to a single object,
a read that is invoked with a pair makes no sense, and its answers would be called wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeGuard

import msgspec

from .history import Operation, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State

__all__ = ["Independent", "keyed", "operations_by_key"]

TELLING = frozenset({"read", "generate"})
"""Functions that never return nothing."""


@dataclass(frozen=True)
class Independent(Specification):
    """One object per key, each as `each` says: arguments are (key, argument), results (key, result) or whatever echoes nothing."""

    each: Specification

    @property
    def name(self) -> str:
        """For example `Register by key`."""
        return f"{self.each.name} by key"

    @property
    def initial(self) -> State:
        """Of every object."""
        return self.each.initial

    def step(self, state: State, call: Call) -> State | Refusal:
        """What the object of that key does."""
        return self.each.step(state, self._call(call))

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """As for one object: the search asks of calls of one key only."""
        return self.each.may_enable(state, self._call(call), self._call(other))

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State] | None:
        """As for one object."""
        return self.each.reducer([self._call(call) for call in calls])

    def condensed(self, calls: Sequence[Call]) -> Specification:
        """As for one object."""
        return Independent(self.each.condensed([self._call(call) for call in calls]))

    def in_hindsight(self, operations: Sequence[Operation]) -> Specification:
        """As for one object."""
        return Independent(self.each.in_hindsight([self.inner(operation) for operation in operations]))

    def partition(self, operation: Operation) -> Hashable:
        """The key, and the part of its object."""
        return self._pair(operation.argument, operation.function)[0], self.each.partition(self.inner(operation))

    def evidence_of_failure(self, operation: Operation) -> bool:
        """As for one object."""
        return self.each.evidence_of_failure(self.inner(operation))

    def pure(self, call: Call) -> bool:
        """As for one object."""
        return self.each.pure(self._call(call))

    def inner(self, operation: Operation) -> Operation:
        """The operation as its object sees it."""
        _key, argument = self._pair(operation.argument, operation.function)
        return msgspec.structs.replace(operation, argument=argument, result=_answer(operation.result))

    def _call(self, call: Call) -> Call:
        return call._replace(argument=self._pair(call.argument, call.function)[1], result=_answer(call.result))

    def _pair(self, value: Value, function: str) -> tuple[Value, Value]:
        if not _is_pair(value):
            raise SpecificationError(f"{self.name}: the argument of {function} is (key, value), not {render(value)}")
        return value[0], value[1]


def keyed(operations: Iterable[Operation], asking: AbstractSet[str]) -> bool:
    """True if these are operations on many objects, which say on which.

    `asking` are the functions that one object has no argument for: these are invoked with (key, nil), all others with (key, argument), and
    what returns anything returns (key, answer).  Where nobody asks, compare-and-sets show it, (key, (expected, new)).  A transaction names
    its key before its micro-operations.
    """
    asked = compared = False
    for operation in operations:
        argument, result, function = operation.argument, operation.result, operation.function
        if not _is_pair(argument) or (operation.ok and result is not None and not (_is_pair(result) and result[0] == argument[0])):
            return False
        key, inner = argument
        if function in asking:
            if function == "txn":
                if not isinstance(inner, tuple) or not all(isinstance(part, tuple) for part in inner) or _is_micro(key):
                    return False
            elif inner is not None or (operation.ok and result is None and function in TELLING):
                return False
            asked = True
        elif function == "cas":
            if not _is_pair(inner):
                return False
            compared = compared or not (key is None or _is_pair(key))
    return asked or compared


def _is_micro(key: Value) -> bool:
    return isinstance(key, tuple) and key[:1] in (("r",), ("w",), ("append",))


def operations_by_key(name: str, operations: Iterable[Operation]) -> dict[Value, list[Operation]]:
    """For each key its operations, as its object sees them.

    Raises:
        SpecificationError: an argument is no pair; `name` is whose.
    """
    found: dict[Value, list[Operation]] = {}
    for operation in operations:
        argument = operation.argument
        if not _is_pair(argument):
            raise SpecificationError(f"{name}: the argument of {operation.function} is (key, value), not {render(argument)}")
        inner = msgspec.structs.replace(operation, argument=argument[1], result=_answer(operation.result))
        found.setdefault(argument[0], []).append(inner)
    return found


def _is_pair(value: Value) -> TypeGuard[tuple[Value, Value]]:
    return isinstance(value, tuple) and len(value) == 2


def _answer(result: Value) -> Value:
    return result[1] if _is_pair(result) else result
