"""Regular and safe registers: what a register may answer that is weaker than atomic.

Lamport (1986, "On interprocess communication") defines both for one writer.  A **safe** register answers right when no write is
under way, and anything at all otherwise.  A **regular** one never answers anything but the last value written before the read began, or one
that is being written while it runs; two reads in a row may see the new value and then the old one, which is what atomicity forbids.

For several writers there are several generalizations (Shao, Welch, Pierce & Lee 2011, "Multiwriter consistency conditions for shared
memory registers"); here are the ends of their range, and both are Lamport's where there is one writer:

- `Regular()`, their weak one (MWR1): for each read some order of all writes, that goes with real time, ends before the read with
  the value that it returned.  So the write was called before the read returned, and no other write came wholly between them.
- `Regular(strong=True)`: one order of all writes does so for every read.
- `Safe()`: as `Regular()`, for reads during which no write was in flight.  After a write whose outcome is unknown one may always be.

**Weak and safe** ask about each read by itself, so they need no unique values: some write of the value must do.  Of the writes that
had returned when a read began only the one that was called last matters.

**Strong**, with unique values: group each write with its reads, and let A come before B if A's write returned before anything of B's was
called, or anything of A's before B's write was called.  An order exists if and only if this goes in no circle.  Both halves are
comparisons of numbers, so a group that nothing precedes is found from two minima, and taking such groups away until none is left
takes O(n log n).  Where values repeat, an atomic history is regular and one that is not weakly so is not; all else is `unknown`.

Cost: O(n log n).  Pending writes are exact: nothing comes after them, and they count only if somebody read them.  Every key by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ..collecting import Collecting
from ..conflict import NEVER, returned
from ..history import Operation, Value, render
from ..linearizability import analyse
from ..registers import Register
from ..specification import Specification
from ..verdict import Evidence, Monitor, Status, Verdict
from .accesses import Access, Registers, registers, told

__all__ = ["Regular", "Safe"]

SEARCHED = 100_000
"""Steps in search of an order that would make a history atomic, where values repeat."""


class Wrong(NamedTuple):
    """What is wrong: the kind, a sentence, and operations with a note on each, the decisive one last."""

    kind: str
    why: str
    rows: tuple[tuple[Operation, str], ...]


@dataclass(frozen=True)
class Safe:
    """A read during which nobody writes returns the value last written: `Safe(Register())`.

    Formula, cost and sources: see the module.  The evidence's kind is `stale-read`, `never-written` or `future-read`.
    """

    specification: Specification = field(default_factory=Register)
    functions: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """For example `Safe(Register)`."""
        return f"Safe({self.specification.name})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks at the end: a value that nobody wrote yet may be written later."""
        return Collecting(self)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is no read or write.
        """
        found = registers(self.specification, _chosen(operations, self.functions), "a safe register")
        for accesses in found.by_key().values():
            wrong = _misread(accesses, found.initial, safe=True)
            if wrong is not None:
                return _verdict(self.name, wrong)
        return Verdict(self.name, Status.VALID, "every read during which nobody wrote returned the value last written")


@dataclass(frozen=True)
class Regular:
    """Every read returns the value last written, or one that was being written: `Regular(Register())`.

    Formula, cost and sources: see the module.  `strong` asks for one order of writes for all reads.  The evidence's kind is `stale-read`,
    `never-written`, `future-read` or, for the strong one, `no-order-of-writes`.
    """

    specification: Specification = field(default_factory=Register)
    strong: bool = False
    functions: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """For example `Regular(Register)`."""
        return f"{'StronglyRegular' if self.strong else 'Regular'}({self.specification.name})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks at the end: a value that nobody wrote yet may be written later."""
        return Collecting(self)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is no read or write.
        """
        operations = [*_chosen(operations, self.functions)]
        found = registers(self.specification, operations, "a regular register")
        for accesses in found.by_key().values():
            wrong = _misread(accesses, found.initial, safe=False)
            if wrong is not None:
                return _verdict(self.name, wrong)
        if self.strong:
            return self._in_one_order(found, operations)
        return Verdict(self.name, Status.VALID, "every read returned the value last written, or one that was being written")

    def _in_one_order(self, found: Registers, operations: Sequence[Operation]) -> Verdict:
        repeated = found.repeated()
        if repeated:
            if analyse(self.specification, operations, SEARCHED).status is Status.VALID:
                return Verdict(self.name, Status.VALID, "the history is linearizable, which is more")
            return Verdict(self.name, Status.UNKNOWN, f"{repeated}, so it is not known whose write some reads saw")
        for accesses in found.by_key().values():
            wrong = _disagreement(accesses, found.initial)
            if wrong is not None:
                return _verdict(self.name, wrong)
        return Verdict(self.name, Status.VALID, "one order of all writes explains every read")


def _chosen(operations: Iterable[Operation], functions: frozenset[str] | None) -> Iterable[Operation]:
    return (one for one in operations if functions is None or one.function in functions)


def _verdict(name: str, wrong: Wrong) -> Verdict:
    lines = tuple(told(operation, note) for operation, note in wrong.rows)
    shown = dict.fromkeys(operation.id for operation, _note in wrong.rows)
    events = [event for one, _note in wrong.rows for event in (one.invoked, one.completed) if event is not None]
    return Verdict(name, Status.INVALID, wrong.why, Evidence(wrong.kind, lines, tuple(shown), tuple(dict.fromkeys(events))))


# -- each read by itself ------------------------------------------------------------------------------


def _misread(accesses: Sequence[Access], initial: Value, *, safe: bool) -> Wrong | None:
    """A read of one key that no order of the writes explains; the first to return."""
    writes = [access.operation for access in accesses if access.writes]
    by_value: dict[Value, list[Operation]] = {}
    for access in accesses:
        if access.writes:
            by_value.setdefault(access.value, []).append(access.operation)
    calls = sorted(write.invoked for write in writes)
    ended = sorted((write for write in writes if write.completed is not None), key=returned)
    returns = [returned(write) for write in ended]
    latest: list[Operation] = []
    for write in ended:
        latest.append(write if not latest or write.invoked > latest[-1].invoked else latest[-1])
    for access in sorted((one for one in accesses if not one.writes), key=lambda one: returned(one.operation)):
        read = access.operation
        over = bisect_left(returns, read.invoked)
        if safe and bisect_left(calls, returned(read)) > over:
            continue
        between = latest[over - 1] if over else None
        candidates = by_value.get(access.value, [])
        in_time = [write for write in candidates if write.invoked < returned(read)]
        if any(between is None or returned(write) > between.invoked for write in in_time):
            continue
        if access.value == initial and between is None:
            continue
        return _of_one_read(access, initial, candidates, in_time, between)
    return None


def _of_one_read(
    access: Access, initial: Value, candidates: Sequence[Operation], in_time: Sequence[Operation], between: Operation | None
) -> Wrong:
    read = access.operation
    value = render(access.value)
    rows: tuple[tuple[Operation, str], ...] = ()
    note = ""
    if between is not None:
        rows = ((between, "was called after that had returned, and returned before the read was called"),)
    if in_time:
        last = max(in_time, key=returned)
        kind, why, rows = "stale-read", f"{read.process} read {value}, which had been overwritten", ((last, ""), *rows)
    elif access.value == initial:
        rows = tuple((one, "had returned before the read was called") for one, _note in rows)
        kind, why = "stale-read", f"{read.process} read {value}, which was there in the beginning and had been overwritten"
    elif candidates:
        rows = ((candidates[0], "was called after the read had returned"),)
        kind, why = "future-read", f"{read.process} read {value} before anybody wrote it"
    else:
        rows, note = (), "nobody wrote that"
        kind, why = "never-written", f"{read.process} read {value}, which nobody wrote"
    return Wrong(kind, why, (*rows, (read, note)))


# -- one order for all reads --------------------------------------------------------------------------


class Group:
    """A write, or what was there in the beginning, and who read it, as four moments and the operations that they belong to."""

    __slots__ = ("called", "ended", "first", "last", "members", "returned")

    def __init__(self, write: Operation | None) -> None:
        self.called, self.ended = (-2, -1) if write is None else (write.invoked, returned(write))
        """When the write was called and returned."""
        self.first, self.last = self.ended, self.called
        """When the first of all returned and the last was called."""
        self.members: dict[str, Operation | None] = dict.fromkeys(("write", "first", "last"), write)

    def read(self, operation: Operation) -> None:
        """Add a read."""
        if returned(operation) < self.first:
            self.first, self.members["first"] = returned(operation), operation
        if operation.invoked > self.last:
            self.last, self.members["last"] = operation.invoked, operation


def _disagreement(accesses: Sequence[Access], initial: Value) -> Wrong | None:
    """Groups that would each have to come before the next, in a circle."""
    groups: dict[Value, Group] = {initial: Group(None)}
    for access in accesses:
        if access.writes:
            groups[access.value] = Group(access.operation)
    read = set()
    for access in accesses:
        if not access.writes:
            groups[access.value].read(access.operation)
            read.add(access.value)
    # A pending write that nobody read may never have happened.
    rows = [group for value, group in groups.items() if value in read or group.ended != NEVER]
    circle = _circle(rows)
    if circle is None:
        return None
    told_rows: list[tuple[Operation, str]] = []
    for place, (number, by_write) in enumerate(circle):
        group, after = rows[number], rows[circle[(place + 1) % len(circle)][0]]
        one = group.members["write" if by_write else "first"]
        other = after.members["last" if by_write else "write"]
        if one is not None and other is not None:
            told_rows.append((one, f"had returned when {other.process} called {other.function} ({other.describe()})"))
            told_rows.append((other, ""))
    last = max((operation for operation, _note in told_rows), key=lambda one: one.invoked)
    told_rows.append((last, "so no order of the writes explains all of these"))
    values = [render(value) for value, group in groups.items() if any(rows[number] is group for number, _by in circle)]
    why = f"the writes of {', '.join(values)} would each have to come before the next, in a circle"
    return Wrong("no-order-of-writes", why, tuple(told_rows))


class Earliest:
    """The two smallest of some numbers, as they are taken away."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._order = sorted(range(len(numbers)), key=numbers.__getitem__)
        self._rank = [0] * len(numbers)
        for rank, place in enumerate(self._order):
            self._rank[place] = rank
        self._next = [*range(len(numbers) + 1)]  # from each rank to itself, or one nearer to the next that is left

    def remove(self, place: int) -> None:
        """Take one away."""
        self._next[self._rank[place]] = self._rank[place] + 1

    def but(self, place: int) -> int | None:
        """The place of the smallest that is left, other than this one."""
        rank = self._from(0)
        if rank < len(self._order) and self._order[rank] == place:
            rank = self._from(rank + 1)
        return self._order[rank] if rank < len(self._order) else None

    def _from(self, rank: int) -> int:
        following = self._next
        while following[rank] != rank:
            following[rank] = following[following[rank]]
            rank = following[rank]
        return rank


def _circle(groups: Sequence[Group]) -> list[tuple[int, bool]] | None:
    """Groups that precede each other in a circle, each with whether its write did (or else whatever of it returned first)."""
    ended, first = Earliest([group.ended for group in groups]), Earliest([group.first for group in groups])

    def before(place: int) -> tuple[int, bool] | None:
        """A group that precedes this one, of those that are left."""
        one = ended.but(place)
        if one is not None and groups[one].ended < groups[place].last:
            return one, True
        one = first.but(place)
        return (one, False) if one is not None and groups[one].first < groups[place].called else None

    by_last = [(group.last, place) for place, group in enumerate(groups)]
    by_call: list[tuple[int, int]] = []
    heapify(by_last)
    left = dict.fromkeys(range(len(groups)))
    while left:
        smallest = ended.but(-1)
        assert smallest is not None
        while by_last and by_last[0][0] <= groups[smallest].ended:
            place = heappop(by_last)[1]
            heappush(by_call, (groups[place].called, place))
        while by_call and by_call[0][1] not in left:
            heappop(by_call)
        soonest = first.but(-1)
        assert soonest is not None
        candidates = [*(place for _called, place in by_call[:1]), smallest, soonest]
        free = next((place for place in candidates if before(place) is None), None)
        if free is None:
            break
        del left[free]
        ended.remove(free)
        first.remove(free)
    if not left:
        return None
    trail: dict[int, int] = {}
    steps: list[tuple[int, bool]] = []
    place = next(iter(left))
    while place not in trail:
        trail[place] = len(steps)
        found = before(place)
        assert found is not None
        steps.append(found)
        place = found[0]
    # Each step says who precedes the one before; backwards it is the circle.
    return steps[trail[place] :][::-1]
