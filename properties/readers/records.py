"""From recorded operations to a history: what Jepsen's logs and EDN files have in common.

`Recording` takes the records (process, type, function, value) in the order of the file and checks each as it comes, so that
an error names its line.  The order of the file is the order of events.  Where a file gives times but no indices, a
completion and an invocation at the very same time are concurrent (intervals are closed), so within such an instant
invocations come first. Times are for people: recorders take them in several threads, so one that runs backwards is raised
to the one before.

Processes are named by their numbers.  After `info` a process is spent; where a file lets it go on regardless, the name gets a
suffix: `4`, `4/2`, `4/3`.  Records without a process number (the nemesis) are not operations of the system and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..history import Complete, Event, History, Invoke, Outcome, Value

__all__ = ["Record", "Recording"]

OUTCOMES = {"ok": Outcome.OK, "fail": Outcome.FAIL, "info": Outcome.INFO}
NANOSECONDS = 1e-9
KEYED = ("get", "put", "append", "delete")
LATEST = 1 << 63


class Record(NamedTuple):
    """One line of a recorded history.  `time` is in nanoseconds, None if the file gives none; `key` is `NO_KEY` likewise."""

    process: int
    type: str
    function: str
    value: Value
    key: Value = None
    error: str | None = None
    time: int | None = None


class Recording:
    """Records in the order of the file; `history` makes them one.  `ordered` says that the file numbers its records itself.

    Raises:
        ValueError: from `add`: the record cannot follow those before it; says why.
    """

    def __init__(self) -> None:
        self.ordered = False
        self._names: dict[int, str] = {}
        self._lives: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._invocations: list[tuple[str, str]] = []
        self._rows: list[tuple[int | None, int, int, Outcome | None, Value, str | None]] = []

    def add(self, record: Record) -> None:
        """Take the next record."""
        process = record.process
        if record.type == "invoke":
            if process in self._open:
                open_function = self._invocations[self._open[process]][1]
                raise ValueError(
                    f"process {process} invokes {record.function} while its {open_function} is still open: "
                    "a process has one operation at a time"
                )
            if process not in self._names:
                self._lives[process] = life = self._lives.get(process, 0) + 1
                self._names[process] = str(process) if life == 1 else f"{process}/{life}"
            operation = self._open[process] = len(self._invocations)
            self._invocations.append((self._names[process], record.function))
            self._rows.append((record.time, process, operation, None, _argument(record), None))
            return
        outcome = OUTCOMES.get(record.type)
        if outcome is None:
            raise ValueError(f"the type of an operation is invoke, ok, fail or info, not {record.type!r}")
        if process not in self._open:
            raise ValueError(f"process {process} ends a {record.function} ({record.type}) that was never invoked")
        operation = self._open.pop(process)
        invoked = self._invocations[operation][1]
        if invoked != record.function:
            raise ValueError(f"process {process} ends a {record.function}, but what it invoked is a {invoked}")
        if outcome is Outcome.INFO:
            del self._names[process]
        result = _result(record) if outcome is Outcome.OK else None
        self._rows.append((record.time, process, operation, outcome, result, record.error))

    def history(self) -> History:
        """All records as a history."""
        rows = self._rows if self.ordered else _closed_intervals(self._rows)
        events: list[Event] = []
        now = 0
        for index, (time, _process, operation, outcome, value, error) in enumerate(rows):
            if time is not None and time > now:
                now = time
            name, function = self._invocations[operation]
            if outcome is None:
                events.append(Invoke(index, now * NANOSECONDS, name, operation, function, value))
            else:
                events.append(Complete(index, now * NANOSECONDS, name, operation, outcome, value, error))
        return History(events)


def _argument(record: Record) -> Value:
    if record.function in KEYED:
        key, value = _key_and_value(record)
        return key if record.function in ("get", "delete") else (key, value)
    return record.value if record.key is None else (record.key, record.value)


def _result(record: Record) -> Value:
    if record.function not in KEYED:
        return record.value
    # What echoes the argument says nothing.
    return _key_and_value(record)[1] if record.function == "get" else None


def _key_and_value(record: Record) -> tuple[Value, Value]:
    """`:key "x" :value "y"`, or `:value ["x" "y"]` as Jepsen's independent keys have it."""
    if record.key is None and isinstance(record.value, tuple) and len(record.value) == 2:
        return record.value[0], record.value[1]
    return record.key, record.value


Row = tuple[int | None, int, int, Outcome | None, Value, str | None]


def _closed_intervals(rows: Sequence[Row]) -> list[Row]:
    """Within each instant, invocations first, as far as their processes are free."""
    ordered: list[Row] = []
    start = 0
    while start < len(rows):
        end = start + 1
        time = rows[start][0]
        while time is not None and end < len(rows) and rows[end][0] == time:
            end += 1
        instant = rows[start:end]
        if len(instant) > 1:
            busy: set[int] = set()
            first, later = [], []
            for row in instant:
                if row[3] is None and row[1] not in busy:
                    first.append(row)
                else:
                    later.append(row)
                busy.add(row[1])
            ordered += first
            ordered += later
        else:
            ordered += instant
        start = end
    return ordered
