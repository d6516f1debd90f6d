"""Selectors: which items an operation speaks of; and what properties that pair operations share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from .history import Complete, Event, HistoryError, Invoke, Operation, Value, operation_of, render

__all__ = ["NEVER_CALM", "SHOWN", "Pairing", "Selector", "arguments_of", "listed", "results_of", "shown"]

Selector: TypeAlias = "Callable[[Operation], Iterable[Value] | None]"
"""The items that an operation speaks of; None if it speaks of none at all, which is not the same as showing an empty tuple."""

SHOWN = 8
"""How many items, hosts or operations are listed before `and 12 more`."""

NEVER_CALM = "the run never became calm, so nothing can be said about what follows"


class Pairing:
    """Pairs invocations with completions as they come."""

    def __init__(self) -> None:
        self.open: dict[int, Invoke] = {}

    def feed(self, event: Event) -> Operation | None:
        """The operation that this event completes, if it does."""
        if isinstance(event, Invoke):
            self.open[event.operation] = event
        elif isinstance(event, Complete) and event.operation in self.open:
            return operation_of(self.open.pop(event.operation), event)
        return None


def listed(items: Iterable[Value]) -> str:
    """Items in words: the first few, and how many more there are."""
    rest = [*items]
    more = f" and {len(rest) - SHOWN} more" if len(rest) > SHOWN else ""
    return ", ".join(render(item) for item in rest[:SHOWN]) + more


def results_of(function: str) -> Selector:
    """Items of the tuples that `function` returned.

    Raises:
        HistoryError: from the selector: it returned something else.
    """

    def select(operation: Operation) -> Iterable[Value] | None:
        if operation.function != function or not operation.ok:
            return None
        if not isinstance(operation.result, tuple | frozenset):
            raise HistoryError(f"{operation.describe()}: a property looks at its items, but this is no tuple: give it a selector")
        return operation.result

    return select


def arguments_of(function: str) -> Selector:
    """The argument of every acknowledged call of `function`, as one item."""
    return lambda operation: (operation.argument,) if operation.function == function and operation.ok else None


def shown(selector: Selector | str | None) -> str:
    """A selector as it stands in the name of a property."""
    if selector is None or isinstance(selector, str):
        return selector or ""
    return getattr(selector, "__name__", type(selector).__name__)
