"""A history that was read: kept in columns, and made into events and operations only when somebody asks for them.

Checkers look at operations, pictures at events, nobody at both; and a recorded history may be long.  An event is an object of 150
bytes and its numbers; in columns it is 17 bytes.  So ten million lines take about a quarter of what their events would, while they
are read, and nothing is built for whom does not look.  Whoever fills the columns has checked that they make a history.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

from ..history import Complete, Event, History, Incident, Invoke, Observe, Operation, Outcome, Value

__all__ = ["FAIL", "INFO", "INVOKE", "OK", "OTHER", "Columns", "Recorded"]

INVOKE, OK, FAIL, INFO, OTHER = range(5)
"""What an event is: an invocation, how an operation ended, or neither."""

OUTCOMES = (None, Outcome.OK, Outcome.FAIL, Outcome.INFO)


@dataclass
class Columns:
    """One row per event: its kind, its slot, its time in `unit`s per second, and its index where that is not its place.

    The slot is the place of its operation in the columns of operations, or its place among the `others`.
    """

    unit: float = 1.0
    kinds: bytearray = field(default_factory=bytearray)
    slots: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))
    indices: array[int] | None = None
    processes: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    arguments: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    numbers: list[int] | None = None
    others: list[Incident | Observe] = field(default_factory=list)


class Recorded(History):
    """The history in some columns, which must not change any more."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    @cached_property
    def _events(self) -> tuple[Event, ...]:  # type: ignore[override]  # made when it is asked for
        return tuple(self)

    @cached_property
    def _operations(self) -> tuple[Operation, ...]:  # type: ignore[override]  # likewise
        return tuple(self._operate())

    def __len__(self) -> int:
        return len(self._columns.kinds)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self._events[index]

    def __iter__(self) -> Iterator[Event]:
        columns = self._columns
        indices, numbers, unit = columns.indices, columns.numbers, columns.unit
        for place, (kind, slot, time) in enumerate(zip(columns.kinds, columns.slots, columns.times, strict=True)):
            if kind == OTHER:
                yield columns.others[slot]
                continue
            index = place if indices is None else indices[place]
            number = slot if numbers is None else numbers[slot]
            process = columns.processes[slot]
            outcome = OUTCOMES[kind]
            if outcome is None:
                yield Invoke(index, time / unit, process, number, columns.functions[slot], columns.arguments[slot])
            else:
                result, error = columns.results[slot], columns.errors.get(slot)
                yield Complete(index, time / unit, process, number, outcome, result, error)

    def _operate(self) -> Iterator[Operation]:
        columns = self._columns
        indices, numbers, unit, times = columns.indices, columns.numbers, columns.unit, columns.times
        errors = columns.errors.get
        begun, ended = array("q", bytes(8 * len(columns.processes))), array("q", b"\xff" * (8 * len(columns.processes)))
        for place, (kind, slot) in enumerate(zip(columns.kinds, columns.slots, strict=True)):
            if kind == INVOKE:
                begun[slot] = place
            elif kind != OTHER:
                ended[slot] = place
        described = zip(columns.processes, columns.functions, columns.arguments, columns.results, begun, ended, strict=True)
        for slot, (process, function, argument, result, start, end) in enumerate(described):
            outcome = Outcome.INFO if end < 0 else OUTCOMES[columns.kinds[end]] or Outcome.INFO
            yield Operation(
                slot if numbers is None else numbers[slot],
                process,
                function,
                argument,
                outcome,
                result,
                errors(slot),
                start if indices is None else indices[start],
                None if outcome is Outcome.INFO else end if indices is None else indices[end],
                times[start] / unit,
                None if end < 0 else times[end] / unit,
            )
