"""The vocabulary of what happened: operations, events, histories.

An **operation** is invoked by a **process** and ends `ok`, `fail` (it certainly did not happen) or `info` (nobody knows: it
stays pending for ever, as in Jepsen).  A process is a single thread of control, so it has at most one open operation; a client
whose operation ended `info` goes on under a new process name.

What a run leaves behind is a sequence of **events**, in one total order: the global event index, which no two events share.
Real time order in Killpoint *is* that order.  Virtual time (seconds) is for people: two events may carry the same time, and a
host's skewed clock never enters.  Besides invocations and completions the sequence holds what hosts said of themselves
(`Observe`) and what the world did to them (`Incident`), because properties such as convergence or election safety speak of those.

Histories that were recorded elsewhere have closed intervals, so a completion and an invocation at the same instant are
concurrent; readers give such events an order in which invocations come first.

Events are msgspec structs: creating one costs a fraction of a microsecond, and they encode themselves.  Those of which there are
millions are not tracked by the garbage collector: values are immutable, so nothing in them can be part of a cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias, overload

import msgspec

__all__ = ["Complete", "Event", "History", "HistoryError", "Incident", "Invoke", "Observe", "Operation", "Outcome", "Rules", "Value"]

Value: TypeAlias = object
"""An immutable, hashable value: None, bool, int, float, Fraction, str, bytes, a tuple of values, or a frozen struct of them."""


class Outcome(StrEnum):
    """How an operation ended.  `info` means that nobody knows whether it happened."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Invoke(msgspec.Struct, frozen=True, gc=False, tag="invoke"):
    """A process began an operation.  `time` is in virtual seconds."""

    index: int
    time: float
    process: str
    operation: int
    function: str
    argument: Value = None


class Complete(msgspec.Struct, frozen=True, gc=False, tag="complete"):
    """An operation ended.  `result` is what the client learnt; `error` says why it is not `ok`."""

    index: int
    time: float
    process: str
    operation: int
    outcome: Outcome
    result: Value = None
    error: str | None = None


class Observe(msgspec.Struct, frozen=True, tag="observe"):
    """A host said something of itself: `values` holds only what it said now, not what it said before."""

    index: int
    time: float
    host: str
    incarnation: int
    values: Mapping[str, Value]


class Incident(msgspec.Struct, frozen=True, tag="incident"):
    """The world did something: `kind` is kill, power-loss, restart, pause, resume, cut, heal, crash, calm, ...

    `host` is the host it happened to, or None when it concerns the network or the whole run.
    """

    index: int
    time: float
    kind: str
    host: str | None = None
    detail: Mapping[str, Value] = {}


Event: TypeAlias = Invoke | Complete | Observe | Incident


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One operation, from invocation to completion.

    `invoked` and `completed` are event indices; `completed` is None while the operation is pending and for `info`, which is
    pending for ever.  `invoked_at` and `completed_at` are virtual seconds, for people; for `info`, `completed_at` says when
    the client gave up.
    """

    id: int
    process: str
    function: str
    argument: Value
    outcome: Outcome
    result: Value
    error: str | None
    invoked: int
    completed: int | None
    invoked_at: float
    completed_at: float | None

    @property
    def ok(self) -> bool:
        """True if the client was told that it happened."""
        return self.outcome is Outcome.OK

    @property
    def pending(self) -> bool:
        """True if nobody knows whether it happened, so it may take effect at any later moment, or never."""
        return self.outcome is Outcome.INFO

    def describe(self) -> str:
        """`c1 write(5) -> ok`, on one line."""
        return f"{self.process} {self.called()}"

    def called(self) -> str:
        """`write(5) -> ok`."""
        argument = "" if self.argument is None else render(self.argument)
        end = {Outcome.OK: render(self.result), Outcome.FAIL: "fail", Outcome.INFO: "unknown"}[self.outcome]
        why = f" ({self.error})" if self.error else ""
        return f"{self.function}({argument}) -> {end}{why}"


DEEPEST = 30
"""How many brackets within brackets are shown."""


def render(value: Value, depth: int = 0) -> str:
    """A value as a person would write it, long byte strings, texts and tuples shortened."""
    if isinstance(value, tuple) and type(value) is tuple:
        if depth == DEEPEST:
            return "(...)"
        shown = [render(item, depth + 1) for item in (value if len(value) <= 40 else (*value[:6], *value[-2:]))]
        if len(value) > 40:
            shown.insert(6, f"... {len(value) - 8} more ...")
        return "(" + ", ".join(shown) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, bytes) and len(value) > 8:
        return value[:4].hex() + "..."
    if isinstance(value, str) and len(value) > 60:
        return repr(value[:28] + "..." + value[-28:])
    return repr(value)


class HistoryError(ValueError):
    """A history that cannot have happened: says what is wrong, with which operation, and where it was read."""


class History(Sequence[Event]):
    """The events of one run, in order.  Immutable once made.

    Building checks what must hold of any history: indices rise, times do not go backwards, a completion follows its
    invocation, a process has at most one open operation.  Cost: one pass.

    Raises:
        HistoryError: the first of those rules that is broken, with the event and the operation.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events: tuple[Event, ...] = tuple(events)
        self._operations = tuple(_pair(self._events))

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Operations in the order of their invocations.  One that never completed has outcome `info`."""
        return self._operations

    def operation(self, operation: int) -> Operation:
        """The operation with this id.

        Raises:
            KeyError: there is none.
        """
        return self._by_id[operation]

    @cached_property
    def _by_id(self) -> dict[int, Operation]:
        return {operation.id: operation for operation in self.operations}

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, index: int | slice) -> Event | tuple[Event, ...]:
        return self._events[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(len(self))

    def __repr__(self) -> str:
        return f"<History of {len(self.operations)} operations, {len(self)} events>"


class Rules:
    """What must hold of any history, checked event by event: see `History`.

    Raises:
        HistoryError: from `follow`: the event cannot follow those before it; says why.
    """

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._last_index, self._last_time = -1, float("-inf")
        # Numbers of operations mostly rise one by one, and of those only the last is kept.
        self._next_number = 0
        self._other_numbers: set[int] = set()

    def follow(self, event: Event) -> None:
        """Take the next event."""
        if event.index <= self._last_index:
            raise HistoryError(f"event {event.index} comes after event {self._last_index}: indices must rise")
        if not event.time >= self._last_time:
            raise HistoryError(
                f"event {event.index} is at {event.time} s, after one at {self._last_time} s: time must not go backwards"
            )
        self._last_index, self._last_time = event.index, event.time
        if isinstance(event, Invoke):
            number = event.operation
            if number == self._next_number:
                self._next_number += 1
            elif 0 <= number < self._next_number or number in self._other_numbers:
                raise HistoryError(f"operation {number} of {event.process} is invoked twice (event {event.index})")
            else:
                self._other_numbers.add(number)
            if event.process in self._open:
                raise HistoryError(
                    f"{event.process} invokes {event.function} (event {event.index}) while its operation "
                    f"{self._open[event.process]} is still open: a process has one operation at a time"
                )
            self._open[event.process] = number
        elif isinstance(event, Complete):
            if self._open.get(event.process) != event.operation:
                raise HistoryError(
                    f"event {event.index} completes operation {event.operation} of {event.process}, which is not open"
                )
            # After `info` the process name is spent: its operation stays open for ever.
            if event.outcome is not Outcome.INFO:
                del self._open[event.process]


def _pair(events: tuple[Event, ...]) -> Iterator[Operation]:
    """Operations from events, checking the rules on the way."""
    invocations: dict[int, Invoke] = {}
    completions: dict[int, Complete] = {}
    follow = Rules().follow
    for event in events:
        follow(event)
        if isinstance(event, Invoke):
            invocations[event.operation] = event
        elif isinstance(event, Complete):
            completions[event.operation] = event
    for number, invoke in invocations.items():
        yield operation_of(invoke, completions.get(number))


def operation_of(invoke: Invoke, complete: Complete | None) -> Operation:
    """The operation that these two events make; without a completion it is `info`."""
    known = complete is not None and complete.outcome is not Outcome.INFO
    return Operation(
        id=invoke.operation,
        process=invoke.process,
        function=invoke.function,
        argument=invoke.argument,
        outcome=complete.outcome if complete is not None else Outcome.INFO,
        result=complete.result if complete is not None else None,
        error=complete.error if complete is not None else None,
        invoked=invoke.index,
        completed=complete.index if complete is not None and known else None,
        invoked_at=invoke.time,
        completed_at=complete.time if complete is not None else None,
    )
