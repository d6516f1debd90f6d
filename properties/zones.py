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

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from .history import Operation, Outcome, Value, render
from .independent import Independent
from .registers import CasRegister, Register
from .specification import Specification

__all__ = ["NEVER_WRITTEN", "Conflict", "conflict"]

NEVER = float("inf")

NEVER_WRITTEN = "nobody wrote"
"""How the reason begins for a value that was read and never written."""


class Zone(NamedTuple):
    """A value's zone, [low, high], and the operations that span it (its write among them)."""

    low: float
    high: float
    forward: bool
    operations: tuple[Operation, ...]


class Conflict(NamedTuple):
    """Operations that together cannot be linearized (none: the history can), and why."""

    operations: tuple[Operation, ...]
    why: str = ""


NONE = Conflict(())


def conflict(specification: Specification, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found; one without operations if there is none; None if this monitor does not apply.

    It applies to a `Register` (or a `CasRegister` without compare-and-sets) whose written values are all different, and
    different from the initial one.
    """
    if isinstance(specification, Independent):
        found = conflict(specification.each, [specification.inner(operation) for operation in operations])
        outer = {operation.id: operation for operation in operations}
        return found and Conflict(tuple(outer[operation.id] for operation in found.operations), found.why)
    if not isinstance(specification, Register | CasRegister):
        return None
    writes: dict[Value, Operation] = {}
    reads: dict[Value, list[Operation]] = {}
    for operation in operations:
        if operation.function == "write":
            if operation.argument in writes or operation.argument == specification.initial_value:
                return None
            writes[operation.argument] = operation
        elif operation.function == "read":
            if operation.outcome is Outcome.OK:
                reads.setdefault(operation.result, []).append(operation)
        else:
            return None
    zones = []
    for value, seen in reads.items():
        write = writes.get(value)
        if write is None and value != specification.initial_value:
            return _in_its_time(Conflict((seen[0],), f"{NEVER_WRITTEN} {render(value)}"), writes)
        if write is not None:
            early = next((read for read in seen if read.completed is not None and read.completed < write.invoked), None)
            if early is not None:
                return Conflict((write, early), f"{render(value)} was read before its write was invoked")
        zones.append(_zone(write, seen))
    # One that is pending and unread makes a backward zone without end, which excludes nothing.
    zones += [_zone(write, []) for value, write in writes.items() if value not in reads]
    return _in_its_time(_overlap(zones), writes)


def _in_its_time(found: Conflict, writes: Mapping[Value, Operation]) -> Conflict:
    """With the write that had returned last before each read began."""
    latest: dict[int, Operation] = {}
    for read in found.operations:
        if read.function == "read":
            before = [write for write in writes.values() if write.ok and _returned(write) < read.invoked]
            if before:
                write = max(before, key=_returned)
                latest[write.id] = write
    known = {operation.id for operation in found.operations}
    return found._replace(operations=(*found.operations, *(write for write in latest.values() if write.id not in known)))


def _returned(operation: Operation) -> float:
    return NEVER if operation.completed is None else operation.completed


def _zone(write: Operation | None, reads: Iterable[Operation]) -> Zone:
    """The zone of a value; without a write it is the initial value, written before everything."""
    members = [*reads] if write is None else [write, *reads]
    first = -1.0 if write is None else min(map(_returned, members))
    last = max(member.invoked for member in members)
    ends = {} if write is None else {write.id: write}
    latest = max(members, key=lambda member: member.invoked)
    ends[latest.id] = latest
    if write is not None:
        earliest = min(members, key=_returned)
        ends[earliest.id] = earliest
    return Zone(min(first, last), max(first, last), first < last, tuple(ends.values()))


def _overlap(zones: list[Zone]) -> Conflict:
    """The operations of two zones that exclude each other, if there are any."""
    forward = sorted((zone for zone in zones if zone.forward), key=lambda zone: zone.low)
    for left, right in pairwise(forward):
        if right.low < left.high:
            return Conflict(left.operations + right.operations, "the register would have to hold two values at the same time")
    # Forward zones are disjoint now, so only the last one that begins before a backward zone can contain it.
    at = -1
    for zone in sorted((zone for zone in zones if not zone.forward), key=lambda zone: zone.low):
        while at + 1 < len(forward) and forward[at + 1].low < zone.low:
            at += 1
        if at >= 0 and zone.high < forward[at].high:
            why = "one value would have to be there before, during and after the other"
            return Conflict(forward[at].operations + zone.operations, why)
    return NONE
