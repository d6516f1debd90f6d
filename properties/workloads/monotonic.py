"""Values that grow with the database's timestamps (the `monotonic` test of Jepsen's CockroachDB suite).

Each add inserts a row with a value greater than all before, and with the timestamp of its transaction.  If the database's timestamps
are an order of its transactions, then rows in the order of their timestamps have rising values, in every read.

Rows of equal timestamps are in no order, so they are never at fault.  Timestamps may be numbers or texts of digits, since some
databases have more digits than a float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import pairwise
from typing import ClassVar, NamedTuple

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, began, counted, ended
from .shapes import collection, field, malformed, mapping, whole
from .workload import Workload

__all__ = ["Monotonic"]


TIMESTAMP = ("sts", "timestamp", "ts")


class _Row(NamedTuple):
    timestamp: int | Decimal
    value: int
    group: Value


@dataclass(frozen=True)
class Monotonic(Workload):
    """In the order of timestamps values never go backwards: `add(...) -> row`, `read() -> (row, ...)`.

    A row is a map with `val` and `sts` (or `value` and `timestamp`), a pair of value and timestamp, or a value alone, whose place in the
    read is its timestamp.  With `by` rows are only compared with those that have the same value in that field, such as `proc`.

    Formula: in every read, rows with a greater timestamp have a greater value, and no value occurs twice; the read that ended last has
    every row that an add returned before it began; no read has a row whose add failed, as far as its argument is a row.  Without a read
    the verdict is `unknown`.  Cost: O(n log n) in what was read.

    The evidence's kind is `nonmonotonic`, `duplicate`, `lost` or `aborted-read`.
    """

    by: str | None = None

    functions: ClassVar[frozenset[str]] = frozenset({"add", "read"})
    lasting: ClassVar[frozenset[str]] = frozenset({"nonmonotonic", "duplicate", "aborted-read"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "nonmonotonic", "duplicate", "aborted-read", "lost")
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("nothing was ever read")
        attempts = [(value, one) for one in operations if one.function == "add" and (value := _named(one.argument)) is not None]
        possible = {value for value, one in attempts if one.outcome is not Outcome.FAIL}
        failed = {value: one for value, one in attempts if one.outcome is Outcome.FAIL and value not in possible}
        final = max(reads, key=lambda one: one.completed or 0)
        there: set[int] = set()
        for read in reads:
            rows = [self._row(read, place, row) for place, row in enumerate(collection(self.name, read))]
            self._ordered(read, rows, findings)
            if read is final:
                there.update([row.value for row in rows])
            for row in rows if failed else ():
                if (add := failed.get(row.value)) is not None:
                    findings.note("aborted-read", partial(_aborted, read, row, add), add, read)
        added = 0
        for one in operations:
            if one.function == "add" and one.completed is not None and one.ok and one.completed < final.invoked:
                value = _named(one.result)
                added += value is not None
                if value is not None and value not in there:
                    findings.note("lost", partial(_lost, value, one, final), one, final)
        if findings:
            return findings.verdict()
        return self._valid(f"{counted(len(reads), 'read')} in the order of timestamps, the last with all {added} acknowledged rows")

    def _row(self, read: Operation, place: int, row: Value) -> _Row:
        if (value := whole(row)) is not None:
            return _Row(place, value, None)
        timestamp = group = None
        if isinstance(row, tuple) and len(row) == 2 and not isinstance(row[0], tuple):
            value, timestamp = whole(row[0]), row[1]
        elif fields := mapping(row):
            value = whole(fields["val"] if "val" in fields else fields.get("value"))
            timestamp = next((fields[name] for name in TIMESTAMP if name in fields), None)
            group = None if self.by is None else fields.get(self.by)
        stamp = _timestamp(timestamp)
        if value is None or stamp is None:
            raise malformed(self.name, read, f"{render(row)} is no row, which has a whole value and a timestamp (val and sts)")
        return _Row(stamp, value, group)

    @staticmethod
    def _ordered(read: Operation, rows: Iterable[_Row], findings: Findings) -> None:
        groups: dict[Value, list[_Row]] = {}
        values: dict[int, _Row] = {}
        for row in rows:
            groups.setdefault(row.group, []).append(row)
            other = values.setdefault(row.value, row)
            if other is not row:
                findings.note("duplicate", partial(_twice, read, other, row), read)
        for group in groups.values():
            group.sort(key=lambda row: row[:2])
            # Among equal timestamps values are sorted, so that only the greatest before a later timestamp matters.
            for earlier, later in pairwise(group):
                if later.value < earlier.value:
                    findings.note("nonmonotonic", partial(_backwards, read, earlier, later), read)


def _named(value: Value) -> int | None:
    """The value of a row; None if this is none, for an argument may be anything."""
    if (named := whole(field(value, "val", "value"))) is not None:
        return named
    pair = isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple)
    return whole(value[0]) if pair and isinstance(value, tuple) else None


def _timestamp(value: Value) -> int | Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _backwards(read: Operation, earlier: _Row, later: _Row) -> str:
    return (
        f"{ended(read)} shows {later.value} with timestamp {later.timestamp}, after {earlier.value} with timestamp {earlier.timestamp}: "
        "the values go backwards"
    )


def _twice(read: Operation, one: _Row, other: _Row) -> str:
    return f"{ended(read)} shows {one.value} twice, with timestamps {one.timestamp} and {other.timestamp}"


def _aborted(read: Operation, row: _Row, add: Operation) -> str:
    return f"{ended(read)} shows {row.value}, which {ended(add)} did not add"


def _lost(value: int, add: Operation, final: Operation) -> str:
    return f"{value} was added by {ended(add)} and is missing from the final read, {began(final)}"
