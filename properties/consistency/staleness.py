"""Bounded staleness: reads may be old, but by no more than some number of versions, or some time.

**By time** (Golab, Li & Shah 2011, "Analyzing consistency properties for fun and profit": Delta-atomicity).  A history is atomic up to t
seconds if it is linearizable once every read may have begun t seconds earlier than it did.  So reads are stretched, and whatever decides
linearizability decides this, with the same cost: O(n log n) where values are unique, by zones.  "Reads" are all operations that a
specification calls pure, so this is defined for sets and queues too.  What completed in the very moment that is t before a
read's call counts as concurrent with it.

**By versions** (Aiyer, Alvisi & Bazzi 2005: k-atomicity).  Some order of reads and writes goes with real time, and in it every read returns
one of the last k values written.  1-atomic is linearizable.  For k = 2 polynomial algorithms are known, for more none is (Golab et al.
2015, "Computing k-atomicity in polynomial time"; with weights it is NP-complete).  What is done here is exact where it decides:

- a linearizable history is k-atomic for every k (zones);
- if k writes lie wholly between the write of a value and a read of it, one after the other or not, no order saves the read;
- otherwise the search decides, over registers that remember their last k values; within its budget, or the verdict is `unknown`.

Both are local: each key by itself.  Cost: as linearizability, O(n log n) or a search; counting the writes between is linear in them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from ..collecting import Collecting
from ..conflict import returned
from ..explanation import explain
from ..history import Operation, Value
from ..linearizability import DEFAULT_BUDGET, Analysis, analyse
from ..registers import Register
from ..specification import Call, Refusal, Specification, SpecificationError, State, call_of
from ..verdict import Evidence, Monitor, Status, Verdict
from .accesses import Access, Registers, registers, told

__all__ = ["BoundedStaleness", "KAtomic"]

Expired = Callable[[], bool]

SAME = 1e-9
"""A difference between times, in seconds, that is none: they are sums of decimal fractions, which floats only approach."""

UNREAD = object()
"""Stands for every value that nobody read."""


@dataclass(frozen=True)
class BoundedStaleness:
    """Reads are at most so many seconds behind an atomic object: `BoundedStaleness(Register(), seconds=0.5)`.

    Formula, cost and source: see the module.  Seconds are those of the history, virtual ones in a simulation.  The evidence's kind is
    `too-stale`.
    """

    specification: Specification = field(default_factory=Register)
    seconds: float = 1.0
    budget: int | None = DEFAULT_BUDGET
    functions: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuses what is no time.

        Raises:
            SpecificationError: it is negative, or no number.
        """
        if not 0 <= self.seconds < float("inf"):
            raise SpecificationError(f"staleness is bounded by a number of seconds, 0 or more, and {self.seconds} is none")

    @property
    def name(self) -> str:
        """For example `BoundedStaleness(Register, 0.5 s)`."""
        return f"BoundedStaleness({self.specification.name}, {self.seconds:g} s)"

    def start(self) -> Monitor:
        """A fresh monitor, which looks whenever the history has grown by half."""
        return Collecting(self, growth=1.5, first=12)

    def judge(self, operations: Iterable[Operation], expired: Expired | None = None) -> Verdict:
        """The verdict on these operations; see `linearizability.analyse` for `expired`.

        Raises:
            SpecificationError: the specification does not know an operation, or the history was recorded without times.
        """
        chosen = [one for one in operations if self.functions is None or one.function in self.functions]
        if self.seconds and len(chosen) > 1 and not any(one.invoked_at or one.completed_at for one in chosen):
            raise SpecificationError("the history has no times (all are 0), so nobody can say how many seconds old a read was")
        stretched = self._stretched(chosen)
        analysis = analyse(self.specification, stretched, self.budget, expired)
        by = f"{self.seconds:g} s"
        if analysis.status is Status.VALID:
            return Verdict(self.name, Status.VALID, f"no read is more than {by} behind (decided {analysis.method or 'at once'})")
        if analysis.status is Status.UNKNOWN:
            return Verdict(self.name, Status.UNKNOWN, f"{analysis.reason} ({analysis.steps} steps taken)")
        note = (f"(every read was allowed to be {by} behind)",) if self.seconds else ()
        return _refuted(self.name, "too-stale", self.specification, analysis, chosen, note)

    def _stretched(self, operations: Sequence[Operation]) -> list[Operation]:
        """The operations with reads that begin earlier, and events numbered anew."""
        ends = sorted((one.completed, one.completed_at or 0.0) for one in operations if one.completed is not None)
        times = [time for _event, time in ends]
        moments: list[tuple[float, int, int]] = []
        for place, one in enumerate(operations):
            called = float(one.invoked)
            if self.seconds and one.ok and self.specification.pure(call_of(one)):
                # Half a place before the first that completed at the earliest moment, or later.
                at = bisect_left(times, one.invoked_at - self.seconds - SAME)
                called = min(called, ends[at][0] - 0.5) if at < len(ends) else called
            moments.append((called, 0, place))
            if one.completed is not None:
                moments.append((one.completed, 1, place))
        moments.sort()
        invoked: list[int] = [0] * len(operations)
        completed: list[int | None] = [None] * len(operations)
        for number, (_moment, ending, place) in enumerate(moments):
            if ending:
                completed[place] = number
            else:
                invoked[place] = number
        return [
            msgspec.structs.replace(one, invoked=invoked[place], completed=completed[place]) for place, one in enumerate(operations)
        ]


@dataclass(frozen=True)
class LastVersions(Specification):
    """A register of which a read may return any of the last so many values; if `keyed`, many of them: `write((key, value))`."""

    versions: int
    initial_value: Value = None
    keyed: bool = False

    @property
    def initial(self) -> State:
        """The values that a read may return, the newest last."""
        return (self.initial_value,)

    def step(self, state: State, call: Call) -> State | Refusal:
        """A write adds a value and drops the oldest; a read returns one of them."""
        assert isinstance(state, tuple)
        if call.function == "write":
            return (*state, self._pair(call.argument)[1])[-self.versions :]
        if call.result in state:
            return state
        return Refusal("the last values are {}, and it returned {}", state, call.result)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """A read waits for a write of its value."""
        return call.function == "write" or (other.function == "write" and self._pair(other.argument)[1] == call.result)

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that nobody read are one."""
        seen = {call.result for call in calls if call.function == "read"}
        return lambda state: tuple(value if value in seen else UNREAD for value in state) if isinstance(state, tuple) else state

    def partition(self, operation: Operation) -> Hashable:
        """The key."""
        return self._pair(operation.argument)[0]

    def pure(self, call: Call) -> bool:
        """Reads are."""
        return call.function == "read"

    def _pair(self, argument: Value) -> tuple[Value, Value]:
        return (argument[0], argument[1]) if self.keyed and isinstance(argument, tuple) else (None, argument)


@dataclass(frozen=True)
class KAtomic:
    """Every read returns one of the last k values of an atomic register: `KAtomic(Register(), versions=2)`.

    Formula, cost and sources: see the module.  The evidence's kind is `too-stale`, or `never-written`.
    """

    specification: Specification = field(default_factory=Register)
    versions: int = 2
    budget: int | None = DEFAULT_BUDGET
    functions: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuses what is no number of versions.

        Raises:
            SpecificationError: it is less than 1.
        """
        if self.versions < 1:
            raise SpecificationError(f"staleness is bounded by a number of versions, 1 or more, and {self.versions} is none")

    @property
    def name(self) -> str:
        """For example `KAtomic(Register, 2 versions)`."""
        return f"KAtomic({self.specification.name}, {self.versions} version{'' if self.versions == 1 else 's'})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks whenever the history has grown by half."""
        return Collecting(self, growth=1.5, first=12)

    def judge(self, operations: Iterable[Operation], expired: Expired | None = None) -> Verdict:
        """The verdict on these operations; see `linearizability.analyse` for `expired`.

        Raises:
            SpecificationError: one of them is no read or write.
        """
        chosen = [one for one in operations if self.functions is None or one.function in self.functions]
        found = registers(self.specification, chosen, "k-atomicity")
        keys = [wrong for accesses in found.by_key().values() if (wrong := _overtaken(accesses, found, self.versions)) is not None]
        if keys:
            return self._overtaken(keys[0])
        # Uniform operations, whatever the model calls them; the monitor of registers first, since most histories are linearizable.
        keyed = any(access.key is not None for access in found.accesses)
        uniform = [_uniform(access, keyed=keyed) for access in found.accesses]
        suspects = _not_atomic(found)
        judge = LastVersions(self.versions, found.initial, keyed)
        analysis = analyse(judge, [one for one in uniform if judge.partition(one) in suspects], self.budget, expired)
        if analysis.status is Status.VALID:
            how = "it is linearizable" if not suspects else f"decided {analysis.method}"
            return Verdict(self.name, Status.VALID, f"every read returned one of the last {self.versions} values ({how})")
        if analysis.status is Status.UNKNOWN:
            return Verdict(self.name, Status.UNKNOWN, f"{analysis.reason} ({analysis.steps} steps taken)")
        note = f"(every read was allowed to return any of the last {self.versions} values)"
        return _refuted(self.name, "too-stale", judge, analysis, uniform, (note,))

    def _overtaken(self, rows: Sequence[tuple[Operation, str]]) -> Verdict:
        read = rows[-1][0]
        kind = "too-stale" if len(rows) > 1 else "never-written"
        why = f"{read.describe()}: at least {self.versions} newer values had been written before it was called"
        why = why if len(rows) > 1 else f"{read.describe()}: {rows[0][1]}"
        lines = tuple(told(operation, note) for operation, note in rows)
        operations = [one for one, _note in rows]
        evidence = Evidence(kind, lines, tuple(one.id for one in operations), _events(operations))
        return Verdict(self.name, Status.INVALID, why, evidence)


def _uniform(access: Access, *, keyed: bool) -> Operation:
    """A read or write as `LastVersions` knows them."""
    value = access.value if access.writes else None
    argument = (access.key, value) if keyed else value
    if access.writes:
        return msgspec.structs.replace(access.operation, function="write", argument=argument)
    return msgspec.structs.replace(access.operation, function="read", argument=argument, result=access.value)


def _not_atomic(found: Registers) -> dict[Value, None]:
    """The keys that are not linearizable at a glance."""
    register = Register(found.initial)
    keys = {key: [_uniform(access, keyed=False) for access in accesses] for key, accesses in found.by_key().items()}
    return {key: None for key, members in keys.items() if analyse(register, members, 0).status is not Status.VALID}


def _overtaken(accesses: Sequence[Access], found: Registers, versions: int) -> list[tuple[Operation, str]] | None:
    """A read that no order saves: with what it read, and so many writes that lie wholly between the two."""
    by_value: dict[Value, list[Operation]] = {}
    for access in accesses:
        if access.writes:
            by_value.setdefault(access.value, []).append(access.operation)
    ended = sorted((one.operation for one in accesses if one.writes and one.operation.completed is not None), key=returned)
    returns = [returned(one) for one in ended]
    for access in accesses:
        read = access.operation
        if access.writes:
            continue
        writers = [one for one in by_value.get(access.value, ()) if one.invoked < (read.completed or 0)]
        if not writers and access.value != found.initial:
            return [(read, "nobody had written that")]
        if any(one.completed is None for one in writers):
            continue
        since = max((one.completed or 0 for one in writers), default=-1)
        between: list[Operation] = []
        # Backwards from the read; what returned before that write was called lies before it.
        for place in range(bisect_left(returns, read.invoked) - 1, -1, -1):
            if returns[place] < since or len(between) == versions:
                break
            if ended[place].invoked > since:
                between.append(ended[place])
        if len(between) == versions:
            rows = [(one, "") for one in writers[-1:]]
            rows += [(one, "wholly between the two") for one in reversed(between)]
            return [*rows, (read, "is too old")]
    return None


def _refuted(
    name: str, kind: str, specification: Specification, analysis: Analysis, operations: Sequence[Operation], note: tuple[str, ...]
) -> Verdict:
    """An invalid verdict in the words of the search, about the operations as they were."""
    assert analysis.deepest is not None
    explanation = explain(analysis.specification or specification, analysis.deepest, analysis.reason)
    known = {one.id: one for one in operations}
    events = _events(known[number] for number in explanation.operations)
    evidence = Evidence(kind, (*explanation.lines, *note), explanation.operations, events)
    return Verdict(name, Status.INVALID, explanation.reason, evidence)


def _events(operations: Iterable[Operation]) -> tuple[int, ...]:
    return tuple(event for one in operations for event in (one.invoked, one.completed) if event is not None)
