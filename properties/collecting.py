"""The monitor of properties that judge operations as a whole: it collects them, looks now and then, and says the last word.

A property that has `judge(operations)` needs no more than this to be used while a simulation runs.  Where what is wrong with a
prefix of a history stays wrong, whatever follows, the monitor may look before the end: whenever the history has grown by a
given factor since the last look, so all looks together cost about as much as a few more at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from .history import Complete, Event, Invoke, Operation, operation_of
from .specification import SpecificationError, UnknownFunctionError
from .verdict import Status, Verdict

__all__ = ["Collecting", "Judging", "advice"]


class Judging(Protocol):
    """A property of operations.  `functions` restricts it to some of them; None takes them all."""

    @property
    def functions(self) -> frozenset[str] | None:
        """The functions that it looks at."""
        ...

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations."""
        ...


class Collecting:
    """A monitor for `prop`.

    It looks first after `first` completed operations, and again whenever they have grown by `growth` (None: only at the end).
    `for_good` says of an `invalid` verdict whether nothing that may follow can repair the history; by default nothing can.
    """

    def __init__(
        self,
        prop: Judging,
        growth: float | None = None,
        first: int = 16,
        for_good: Callable[[Verdict], bool] = lambda _verdict: True,
    ) -> None:
        self._property = prop
        self._growth = growth
        self._next_look = first
        self._for_good = for_good
        self._invoked: dict[int, Invoke] = {}
        self._completed: dict[int, Complete] = {}

    def feed(self, event: Event) -> Verdict | None:
        """Take the next event; `invalid` if a look finds what nothing can repair."""
        if isinstance(event, Invoke):
            functions = self._property.functions
            if functions is None or event.function in functions:
                self._invoked[event.operation] = event
        elif isinstance(event, Complete) and event.operation in self._invoked:
            self._completed[event.operation] = event
            if self._growth is not None and len(self._completed) >= self._next_look:
                self._next_look = int(self._next_look * self._growth)
                verdict = self.finish()
                if verdict.status is Status.INVALID and self._for_good(verdict):
                    return verdict
        return None

    def finish(self) -> Verdict:
        """The verdict on all operations so far; those without a completion may have happened or not."""
        with advice(self._property):
            pairs = ((invoke, self._completed.get(number)) for number, invoke in self._invoked.items())
            return self._property.judge(operation_of(*pair) for pair in pairs)


@contextmanager
def advice(prop: Judging) -> Iterator[None]:
    """Where a run has operations that a property does not know, its author is told how to leave them out."""
    try:
        yield
    except UnknownFunctionError as error:
        known = ", ".join(f'"{function}"' for function in error.functions)
        leave_out = f"let the property judge only those, {type(prop).__name__}(..., functions=frozenset({{{known}}}))"
        raise SpecificationError(f"{error}: {leave_out}, or give it another specification") from None
