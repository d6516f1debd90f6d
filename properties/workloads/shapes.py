"""The shapes in which histories give what operations said: maps, collections, numbers.

A value of a history is immutable, so a map arrives as a tuple of pairs (see `readers/edn.py`), as does a vector of pairs; both
mean the same here.  A program of one's own may give a mapping.  Everything that is of another shape is an error of the history
or of whoever chose the checker, and says which operation it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..history import Operation, Value, render
from ..specification import SpecificationError

__all__ = ["collection", "field", "malformed", "mapping", "whole"]


def malformed(name: str, operation: Operation, what: str) -> SpecificationError:
    """The error for an operation that cannot be understood: whose checker asks, which operation, and what is wrong with it."""
    said = f"{name}: operation {operation.id} of process {operation.process}, {operation.called()}: {what}"
    return SpecificationError(said).about(operation)


def mapping(value: Value) -> dict[Value, Value] | None:
    """The map that a value is; None if it is none."""
    if isinstance(value, tuple):
        for pair in value:
            if not isinstance(pair, tuple) or len(pair) != 2:
                return None
        return dict(value)
    return dict(value) if isinstance(value, Mapping) else None


def field(value: Value, *names: str) -> Value:
    """What a map has under the first of these names that it has; None if it is no map, or has none of them."""
    fields = mapping(value) if isinstance(value, tuple | Mapping) else None
    if fields:
        for name in names:
            if name in fields:
                return fields[name]
    return None


def collection(name: str, operation: Operation) -> tuple[Value, ...]:
    """The elements that an operation returned; nil is no element at all.

    Raises:
        SpecificationError: it returned something else.
    """
    result = operation.result
    if isinstance(result, tuple):
        return result
    if result is None:
        return ()
    if isinstance(result, frozenset | set):
        return tuple(sorted(result, key=repr))
    if isinstance(result, list):
        return tuple(result)
    raise malformed(name, operation, f"{operation.function} returns a collection of elements, not {render(result)}")


def whole(value: Value) -> int | None:
    """The whole number that a value is; None if it is none.  Sums of fractions are rounded, which is no evidence of anything."""
    if type(value) is int:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None
