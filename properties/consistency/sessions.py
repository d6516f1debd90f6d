"""Session guarantees, and causal consistency, which is all of them together.

Terry, Demers, Petersen, Spreitzer, Theimer & Welch 1994, "Session guarantees for weakly consistent replicated data".  Every read sees some
set of writes, and returns the newest of its key in it, in one **order of writes** that all agree on.  A guarantee says what must be
in that set, because of the order of a session; each keeps some of the steps from one operation of a session to a later one:

=======================  ==========================================  ====================================================
`read-your-writes`       write, then read                            a read sees its session's earlier writes
`monotonic-reads`        read, then read                             a read sees what the session's earlier reads saw
`monotonic-writes`       write, then write (and monotonic reads)     who sees a write sees its session's earlier writes
`writes-follow-reads`    read, then write (and monotonic reads)      who sees a write sees what its session had read before it
`causal`                 all four
=======================  ==========================================  ====================================================

A write is visible to a read if such steps, and steps from a write to who read it, lead from one to the other.  Then the guarantee holds if
and only if what is visible and of the same key, but not what was read, can come earlier in the order of writes (see
`isolation/arbitration.py`).  Two things are taken for granted, since without them hardly anything could ever be wrong:

- The writes of one session to one key are in the order in which they were made.
- A single read of one key shows a single write, so that neither of the last two guarantees could be broken by it; they are judged by
  those who read twice, and so together with monotonic reads.

Causal consistency is the one with an agreed order (causal convergence; Bouajjani, Enea, Guerraoui & Hamza 2017); transactions that are
to be atomic as well are the business of `isolation/weak.py`.  Values must be unique (each key's by themselves): otherwise the verdict
is `unknown`.  Of lists (`list-append`) what was read shows the order of versions, which is respected too; the micro-operations of a
transaction follow one another in its session.

A session is a process.  A client whose operation ended `info` goes on as another process, and so in a new session: it may not
remember what it had asked for.  A pending write counts once somebody read it.

Cost: operations times sessions.  The evidence's kind is the guarantee's name, `never-written`, or `future-read`; an anomaly's for lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from ..collecting import Collecting
from ..history import Operation, Value, render
from ..isolation.arbitration import BEGINNING, Arbitration, Edge, Visibility, path
from ..isolation.lists import Lists
from ..isolation.registers import Registers as Transactional
from ..isolation.transactions import READ, AmbiguityError, Transactions
from ..registers import Register
from ..specification import Specification, SpecificationError
from ..verdict import Evidence, Monitor, Status, Verdict
from .accesses import Registers, registers, told

__all__ = ["GUARANTEES", "SessionGuarantee"]

PROGRAM, SAW, VERSION = -1, -2, -3
"""Why one comes before another, where no reader is to be named."""

GUARANTEES: dict[str, tuple[str, ...]] = {
    "read-your-writes": ("wr",),
    "monotonic-reads": ("rr",),
    "monotonic-writes": ("rr", "ww"),
    "writes-follow-reads": ("rr", "rw"),
    "causal": ("wr", "rr", "ww", "rw"),
}
"""Which steps of a session each guarantee keeps: from a read or write to a later read or write."""

BROKEN = ("garbage-read", "duplicate-elements", "incompatible-order", "G1a")
"""What is wrong with lists, or registers, whatever a session is promised."""


class Node(NamedTuple):
    """A read or a write of a session; `writer` is the node that wrote what a read saw."""

    operation: Operation
    key: Value
    value: Value
    writes: bool
    writer: int = BEGINNING


@dataclass(frozen=True)
class SessionGuarantee:
    """What a session may rely on: `SessionGuarantee("monotonic-reads", Register())`.

    `guarantee` is one of `GUARANTEES`.  With a `workload` (`list-append` or `rw-register`) the operations are transactions.  Formula,
    cost and sources: see the module.
    """

    guarantee: str = "causal"
    specification: Specification = field(default_factory=Register)
    workload: str = ""
    functions: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuses guarantees and workloads that there are not.

        Raises:
            SpecificationError: says which ones there are.
        """
        if self.guarantee not in GUARANTEES:
            raise SpecificationError(f"there is no session guarantee {self.guarantee!r}: there are {', '.join(GUARANTEES)}")
        if self.workload not in ("", "list-append", "rw-register"):
            raise SpecificationError(f"there is no workload {self.workload!r}: there are list-append and rw-register")

    @property
    def name(self) -> str:
        """For example `SessionGuarantee(monotonic-reads, Register)`."""
        return f"SessionGuarantee({self.guarantee}, {self.workload or self.specification.name})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks at the end: a value that nobody wrote yet may be written later."""
        return Collecting(self)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is no read or write, or no transaction.
        """
        chosen = [one for one in operations if self.functions is None or one.function in self.functions]
        if self.workload:
            try:
                history: Transactions = Lists(chosen) if self.workload == "list-append" else Transactional(chosen)
            except AmbiguityError as error:
                return Verdict(self.name, Status.UNKNOWN, str(error))
            wrong = next((anomaly for anomaly in history.findings.anomalies() if anomaly.kind in BROKEN), None)
            if wrong is not None:
                return Verdict(self.name, Status.INVALID, wrong.lines[0], Evidence(wrong.kind, wrong.lines, wrong.operations))
            return self._decided(_of_transactions(history), _versions(history))
        found = registers(self.specification, chosen, f"the guarantee of {self.guarantee}")
        repeated = found.repeated()
        if repeated:
            return Verdict(self.name, Status.UNKNOWN, f"{repeated}, so it is not known whose write some reads saw")
        nodes = _of_registers(found)
        return self._unreadable(found, nodes) or self._decided(nodes, ())

    def _unreadable(self, found: Registers, nodes: Sequence[Node]) -> Verdict | None:
        """A read of what nobody had written when it returned."""
        for node in nodes:
            if not node.writes and node.writer == BEGINNING and node.value != found.initial:
                why = f"{node.operation.describe()}: nobody wrote that"
                lines = (told(node.operation, "nobody wrote that"),)
                return Verdict(self.name, Status.INVALID, why, Evidence("never-written", lines, (node.operation.id,)))
            if node.writer != BEGINNING and nodes[node.writer].operation.invoked > (node.operation.completed or 0):
                write = nodes[node.writer].operation
                why = f"{node.operation.describe()}: that was written after it had returned"
                rows = (told(write, "was called after the read had returned"), told(node.operation))
                return Verdict(self.name, Status.INVALID, why, Evidence("future-read", rows, (write.id, node.operation.id)))
        return None

    def _decided(self, nodes: Sequence[Node], versions: Iterable[tuple[int, int]]) -> Verdict:
        sessions = Sessions(nodes, GUARANTEES[self.guarantee])
        edges = sessions.circle(versions)
        if edges is None:
            reads = sum(not node.writes for node in nodes)
            sentence = f"what {reads} reads of {sessions.count} sessions returned goes with {self.guarantee}"
            return Verdict(self.name, Status.VALID, sentence if reads else "nothing was read")
        numbers = dict.fromkeys([source for source, _target, _why in edges] + [why for *_ends, why in edges if why >= 0])
        operations = [*{nodes[number].operation.id: nodes[number].operation for number in numbers}.values()]
        reasons = [sessions.why(edge) for edge in edges]
        decisive = next((reason for reason, edge in zip(reasons, edges, strict=True) if edge[2] >= 0), reasons[-1])
        lines = (*map(told, operations), *reasons, "So each of these would have to come before itself.")
        events = tuple(event for one in operations for event in (one.invoked, one.completed) if event is not None)
        evidence = Evidence(self.guarantee, lines, tuple(one.id for one in operations), events)
        return Verdict(self.name, Status.INVALID, f"{self.guarantee} is broken: {decisive}", evidence)


class Sessions:
    """Reads and writes by session, and the steps of a session that count."""

    def __init__(self, nodes: Sequence[Node], steps: tuple[str, ...]) -> None:
        self.nodes = nodes
        self._steps = steps
        names: dict[str, int] = {}
        self._session = [names.setdefault(node.operation.process, len(names)) for node in nodes]
        self.count = len(names)
        # Of each session the last read and the last write; whoever counts steps knows all earlier ones through them.
        self.predecessors: list[list[int]] = []
        last: dict[tuple[int, str], int] = {}
        for number, node in enumerate(nodes):
            session, kind = self._session[number], "w" if node.writes else "r"
            row = [last[session, one] for one in "wr" if f"{one}{kind}" in steps and (session, one) in last]
            # Only where a write knows its session's earlier ones is the last enough; reads need not know of each other's.
            if node.writer != BEGINNING and node.writer not in row:
                row.append(node.writer)
            self.predecessors.append(row)
            last[session, kind] = number

    def circle(self, versions: Iterable[tuple[int, int]]) -> list[Edge] | None:
        """Edges that go round; None if the guarantee holds.  `versions` are pairs of writes in a known order."""
        found = Arbitration(len(self.nodes))
        for one, other in versions:
            found.add(one, other, VERSION)
        own: dict[tuple[int, Value], int] = {}
        for number, node in enumerate(self.nodes):
            for other in self.predecessors[number]:
                found.add(other, number, SAW if other == node.writer else PROGRAM)
            if node.writes:
                place = self._session[number], node.key
                if place in own:
                    found.add(own[place], number, PROGRAM)
                own[place] = number
        if self._steps == ("wr",):
            self._read_your_writes(found)
        else:
            self._visible(found)
        edges = found.circle()
        if edges is not None:
            return edges
        if found.vanished is None:
            return None
        write, reader = found.vanished
        way = path(self.predecessors, write, reader)
        steps = ((one, other, SAW if self.nodes[other].writer == one else PROGRAM) for one, other in pairwise(way))
        return [*steps, (reader, write, reader)]

    def _read_your_writes(self, found: Arbitration) -> None:
        """A session's own last write of a key: others of its writes need not be visible to whoever sees one."""
        own: dict[tuple[int, Value], int] = {}
        for number, node in enumerate(self.nodes):
            place = self._session[number], node.key
            if node.writes:
                own[place] = number
            elif place in own and own[place] != node.writer:
                found.overwritten(own[place], node.writer, number)
                if node.writer == BEGINNING and own[place] not in self.predecessors[number]:
                    self.predecessors[number].append(own[place])

    def _visible(self, found: Arbitration) -> None:
        """Where a session's writes know of each other they stand in chains; else its reads do, each with the write that it saw."""
        by_write = "ww" in self._steps
        chains = [session if node.writes is by_write else -1 for session, node in zip(self._session, self.nodes, strict=True)]
        marks: Iterator[tuple[int, Value, int]] = (
            (number, node.key, number if by_write else node.writer)
            for number, node in enumerate(self.nodes)
            if node.writes is by_write and (by_write or node.writer != BEGINNING)
        )
        reads = [[] if node.writes else [(node.key, node.writer)] for node in self.nodes]
        Visibility(self.predecessors, chains).edges(reads, marks, found)

    # -- words ------------------------------------------------------------------------------------------

    def why(self, edge: Edge) -> str:
        """An edge in words."""
        source, target, why = edge
        one, other = self._named(source), self._named(target)
        if why == SAW:
            return f"{other} saw what {one} wrote"
        if why == PROGRAM:
            return f"{self.nodes[source].operation.process} did {one} and then {other}"
        if why == VERSION:
            return f"{other} is the version after {one}, as reads show"
        if why == source:
            return f"{one} saw none of what was written, so not {other}, which it had to see"
        return f"{self._named(why)} returned {other}, and had to see {one} as well, which must then be older"

    def _named(self, number: int) -> str:
        node = self.nodes[number]
        key = "" if node.key is None else f" of {render(node.key)}"
        value = node.value[-1] if isinstance(node.value, tuple) and node.value and not node.writes else node.value
        return f"{node.operation.process}'s {'write' if node.writes else 'read'} {render(value)}{key}"


def _of_registers(found: Registers) -> list[Node]:
    """Nodes of single reads and writes, without pending writes that nobody read."""
    read = {(one.key, one.value) for one in found.accesses if not one.writes}
    kept = [one for one in found.accesses if not one.writes or one.operation.completed is not None or (one.key, one.value) in read]
    writers = {(one.key, one.value): number for number, one in enumerate(kept) if one.writes}
    return [
        Node(one.operation, one.key, one.value, one.writes, BEGINNING if one.writes else writers.get((one.key, one.value), BEGINNING))
        for one in kept
    ]


def _of_transactions(history: Transactions) -> list[Node]:
    """Nodes of micro-operations, in the order of their transactions."""
    nodes: list[Node] = []
    writers: dict[tuple[Value, Value], int] = {}
    for number, operation in enumerate(history.operations):
        if history.committed(number):
            told_parts: Any = operation.result if operation.ok and operation.result is not None else operation.argument
            for function, key, value in told_parts:
                if function != READ:
                    writers[key, value] = len(nodes)
                elif not operation.ok:
                    continue
                nodes.append(Node(operation, key, value, function != READ))
    return [node if node.writes else node._replace(writer=writers.get((node.key, _last(node.value)), BEGINNING)) for node in nodes]


def _last(value: Value) -> Value:
    return value if not isinstance(value, tuple) else value[-1] if value else None


def _versions(history: Transactions) -> list[tuple[int, int]]:
    """Pairs of appends that reads show one after the other, and the last of these before those that nobody read."""
    if not isinstance(history, Lists):
        return []
    numbers = {(node.key, node.value): number for number, node in enumerate(_of_transactions(history)) if node.writes}
    pairs: list[tuple[int, int]] = []
    for key, log in history.logs.items():
        known = [numbers[key, item] for item in log.order if (key, item) in numbers]
        pairs += pairwise(known)
        if known:
            seen = set(known)
            unread = (numbers[key, item] for item in log.appenders if (key, item) in numbers)
            pairs += [(known[-1], number) for number in unread if number not in seen]
    return pairs
