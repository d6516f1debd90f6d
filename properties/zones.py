"""Registers with unique written values: linearizable or not in O(n log n), however concurrent (Gibbons & Korach 1997).

Group the operations by value: its write, and the reads that returned it.  Let f be the first return in the group and s the last
call.  If f < s the value must have been in the register during all of [f, s], a **forward zone**; otherwise the whole group
fits at one moment, which may be any in [s, f], a **backward zone**.  The history is linearizable if and only if

- no read returns a value before that value's write is called (or one that is never written),
- no two forward zones overlap, and
- no backward zone lies inside a forward one.

The initial value counts as written before everything.  Pending reads say nothing; a pending write happened only if somebody
read its value, and then it never returns.  So crashed clients cost nothing here.

A violation involves the operations that span two zones, six at most.  They alone are an unlinearizable history, since their zones
are the same; so a history of any length is explained by six operations or fewer.  To these comes, for each read among them, the write
that had returned last when it began: it excludes nothing more, but what a register holds then is what people expect to be told.

Guarded by a differential test against the search.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import itemgetter, lt
from typing import TypeAlias

from .conflict import NEVER, NONE, Conflict, returned
from .history import Operation, Value, render
from .independent import Independent
from .registers import CasRegister, Register
from .specification import Specification

__all__ = ["NEVER_WRITTEN", "Conflict", "Zone", "conflict", "in_its_time", "overlap"]

NEVER_WRITTEN = "nobody wrote"
"""How the reason begins for a value that was read and never written."""

UNWRITTEN, BEGINNING = -2, -1
"""Of values, in place of when their write was called."""

Zone: TypeAlias = tuple[int, int, Value]
"""When the first of a value's operations returned, and when the last was called, and the value.  Forward if in this order."""


def conflict(specification: Specification, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found; one without operations if there is none; None if this monitor does not apply.

    It applies to a `Register` (or a `CasRegister` without compare-and-sets) whose written values are all different, and
    different from the initial one.
    """
    if isinstance(specification, Independent):
        found = conflict(specification.each, [specification.inner(operation) for operation in operations])
        outer = {operation.id: operation for operation in operations}
        return found and found._replace(operations=tuple(outer[operation.id] for operation in found.operations))
    if not isinstance(specification, Register | CasRegister):
        return None
    values: dict[Value, int] = {}
    first, last, written = array("q"), array("q"), array("q")
    for operation in operations:
        function, called, end = operation.function, operation.invoked, operation.completed
        if function == "write":
            value, writing = operation.argument, called
            if end is None:
                end = NEVER
        elif function == "read":
            if end is None:
                continue
            value, writing = operation.result, UNWRITTEN
        else:
            return None
        place = values.get(value)
        if place is None:
            values[value] = len(first)
            first.append(end)
            last.append(called)
            written.append(writing)
            continue
        if writing >= 0:
            if written[place] >= 0:
                return None
            written[place] = writing
        if end < first[place]:
            first[place] = end
        if called > last[place]:
            last[place] = called
    initial = specification.initial_value
    if initial in values:
        place = values[initial]
        if written[place] >= 0:
            return None
        first[place] = written[place] = BEGINNING
    if UNWRITTEN in written:
        value = next(value for value, place in values.items() if written[place] == UNWRITTEN)
        seen = _reads(operations, value)[0]
        return in_its_time(Conflict((seen,), f"{NEVER_WRITTEN} {render(value)}"), _writes(operations))
    if any(map(lt, first, written)):
        value = next(value for value, place in values.items() if first[place] < written[place])
        early = min(_reads(operations, value), key=returned)
        return Conflict((_writes(operations)[value], early), f"{render(value)} was read before its write was invoked")
    # A write that nobody read makes a backward zone; one that is pending as well excludes nothing.
    clash = overlap([*zip(first, last, values, strict=True)])
    if clash is None:
        return NONE
    left, right, why = clash
    spans = [_span(_writes(operations).get(zone[2]), _reads(operations, zone[2])) for zone in (left, right)]
    return in_its_time(Conflict((*spans[0], *spans[1]), why), _writes(operations))


def overlap(zones: Sequence[Zone]) -> tuple[Zone, Zone, str] | None:
    """Two zones that exclude each other, if there are any, and why."""
    forward = [zone for zone in zones if zone[0] < zone[1]]
    backward = [zone for zone in zones if zone[0] >= zone[1]]
    forward.sort(key=itemgetter(0))
    for left, right in pairwise(forward):
        if right[0] < left[1]:
            return left, right, "the register would have to hold two values at the same time"
    # Forward zones are disjoint now, so only the last one that begins before a backward zone can contain it.
    backward.sort(key=itemgetter(1))
    at, known = -1, len(forward)
    begins, ends = (forward[0][0] if known else NEVER), -1
    for zone in backward:
        called = zone[1]
        while begins < called:
            at += 1
            ends = forward[at][1]
            begins = forward[at + 1][0] if at + 1 < known else NEVER
        if zone[0] < ends:
            return forward[at], zone, "one value would have to be there before, during and after the other"
    return None


def in_its_time(found: Conflict, writes: Mapping[Value, Operation]) -> Conflict:
    """With the write that had returned last before each read began."""
    latest: dict[int, Operation] = {}
    for read in found.operations:
        if read.function == "read":
            before = [write for write in writes.values() if write.ok and returned(write) < read.invoked]
            if before:
                write = max(before, key=returned)
                latest[write.id] = write
    known = {operation.id for operation in found.operations}
    return found._replace(operations=(*found.operations, *(write for write in latest.values() if write.id not in known)))


def _writes(operations: Sequence[Operation]) -> dict[Value, Operation]:
    """The writes by their values."""
    return {operation.argument: operation for operation in operations if operation.function == "write"}


def _reads(operations: Sequence[Operation], value: Value) -> list[Operation]:
    """The reads that returned this value."""
    return [one for one in operations if one.function == "read" and one.completed is not None and one.result == value]


def _span(write: Operation | None, reads: Sequence[Operation]) -> tuple[Operation, ...]:
    """The operations that span a value's zone: its write, if it has one, the last to be called and the first to return."""
    members = [*reads] if write is None else [write, *reads]
    ends = {} if write is None else {write.id: write}
    latest = max(members, key=lambda member: member.invoked)
    ends[latest.id] = latest
    if write is not None:
        earliest = min(members, key=returned)
        ends[earliest.id] = earliest
    return tuple(ends.values())
