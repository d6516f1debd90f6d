"""What every sequentially consistent order of reads and writes must respect, where written values are unique.

Then it is known whose write each read saw; from these and the order of each process follows more.  (Gibbons & Korach 1997 show that the
question as a whole stays NP-complete: the rules find most violations, not all.)  For a read R of `x` from W, and another write V of `x`:

- if V comes before R, it comes before W;
- if W comes before V, so does R.

The rules are applied until nothing is new.  "Comes before" is any path; of each process the first operation that a path leads to, and the
last from which one leads here, say all about its others, so that a pass is one topological walk with vector clocks in each direction: n
times processes.  A circle refutes the history, in a few operations.  If there is none, an order is tried that places reads as
soon as they fit and writes when nobody waits for what they overwrite, earliest call first; if every read fits, it is one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from heapq import heappop, heappush

from ..history import Operation, Value, render
from ..isolation.arbitration import BEGINNING, Arbitration, Edge
from .accesses import Access, Registers
from .interleavings import Awaiting, Required

__all__ = ["Saturation"]

PROGRAM, READ, OVERWRITTEN = -1, -2, -3
"""Why one comes before another, where no reader is to be named."""

EFFORT = 30_000_000
"""Entries of clocks that may be computed before the rules are left as they are."""


class Saturation:
    """The accesses of some registers, in which no value is written twice, and what must come before what."""

    def __init__(self, found: Registers) -> None:
        read = {(one.key, one.value) for one in found.accesses if not one.writes}
        # A pending write that nobody read may be left out.
        self.nodes = [
            one for one in found.accesses if not one.writes or one.operation.completed is not None or (one.key, one.value) in read
        ]
        writers = {(one.key, one.value): number for number, one in enumerate(self.nodes) if one.writes}
        self.unwritten = next(
            (one for one in self.nodes if not one.writes and (one.key, one.value) not in writers and one.value != found.initial), None
        )
        """A read of what nobody wrote."""
        self.writer = [BEGINNING if one.writes else writers.get((one.key, one.value), BEGINNING) for one in self.nodes]
        self._initial = found.initial
        self.before = Arbitration(len(self.nodes))
        self._successors: list[list[int]] = [[] for _ in self.nodes]
        names: dict[str, int] = {}
        self._process: list[int] = []
        self._place: list[int] = []
        last: dict[int, int] = {}
        rows: dict[Value, dict[int, tuple[list[int], list[int]]]] = {}
        for number, one in enumerate(self.nodes):
            process = names.setdefault(one.operation.process, len(names))
            self._process.append(process)
            previous = last.get(process, -1)
            self._place.append(1 if previous < 0 else self._place[previous] + 1)
            last[process] = number
            if previous >= 0:
                self._add(previous, number, PROGRAM)
            if self.writer[number] != BEGINNING:
                self._add(self.writer[number], number, READ)
            if one.writes:
                places, writes = rows.setdefault(one.key, {}).setdefault(process, ([], []))
                places.append(self._place[number])
                writes.append(number)
        self._width = len(names)
        self._names = [*names]
        self._rows = {key: [(process, *row) for process, row in chains.items()] for key, chains in rows.items()}
        self._clocks: list[list[int]] = []

    def _add(self, source: int, target: int, why: int) -> None:
        self.before.add(source, target, why)
        self._successors[source].append(target)

    def close(self, expired: Callable[[], bool] | None = None) -> bool:
        """Apply the rules until nothing is new, or the effort is spent; False if something would have to come before itself."""
        spent = 0
        while spent <= EFFORT and not (expired is not None and expired()):
            order = self._order()
            if order is None:
                return False
            self._clocks = self._latest(order)
            if not self._infer(self._clocks, self._earliest(order)):
                return self.before.vanished is None
            if self.before.vanished is not None:
                return False
            spent += 4 * len(self.nodes) * self._width
        return True

    def _order(self) -> list[int] | None:
        waiting = [0] * len(self.nodes)
        for targets in self._successors:
            for target in targets:
                waiting[target] += 1
        ready = [node for node, count in enumerate(waiting) if not count]
        for node in ready:
            for target in self._successors[node]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        return ready if len(ready) == len(self.nodes) else None

    def _latest(self, order: Sequence[int]) -> list[list[int]]:
        """For each node and process, how many of its operations come before the node, itself included."""
        clocks = [[0] * self._width for _ in self.nodes]
        for node in order:
            clock = clocks[node]
            clock[self._process[node]] = max(clock[self._process[node]], self._place[node])
            for target in self._successors[node]:
                clocks[target] = [*map(max, clocks[target], clock)]
        return clocks

    def _earliest(self, order: Sequence[int]) -> list[list[int]]:
        """For each node and process, the place of its first operation that comes after the node, itself included."""
        never = len(self.nodes) + 1
        clocks = [[never] * self._width for _ in self.nodes]
        for node in reversed(order):
            clock = clocks[node]
            for target in self._successors[node]:
                clock = [*map(min, clock, clocks[target])]
            clock[self._process[node]] = self._place[node]
            clocks[node] = clock
        return clocks

    def _infer(self, latest: list[list[int]], earliest: list[list[int]]) -> bool:
        """One pass of both rules; True if anything is new."""
        new = False
        nothing, everything = [0] * self._width, [1] * self._width
        for node, one in enumerate(self.nodes):
            if one.writes:
                continue
            writer = self.writer[node]
            before, after = (nothing, everything) if writer == BEGINNING else (latest[writer], earliest[writer])
            for process, places, writes in self._rows.get(one.key, ()):
                at = bisect_right(places, latest[node][process]) - 1
                if at >= 0 and places[at] > before[process] and writes[at] != writer:
                    self.before.overwritten(writes[at], writer, node)
                    if writer != BEGINNING:
                        self._successors[writes[at]].append(writer)
                    new = True
                at = bisect_left(places, after[process])
                if at < len(writes) and writes[at] == writer:
                    at += 1
                if at < len(writes) and earliest[node][process] > places[at]:
                    self._add(node, writes[at], OVERWRITTEN)
                    new = True
        return new

    def required(self) -> Required:
        """For each operation how many of each process must come before it, as far as that is known."""
        found: dict[int, list[tuple[str, int]]] = {}
        kept = {one.operation.id for one in self.nodes}
        assert len(kept) == len(self.nodes)
        for node, clock in enumerate(self._clocks):
            own = self._process[node]
            needs = [(self._names[process], count) for process, count in enumerate(clock) if count and process != own]
            found[self.nodes[node].operation.id] = needs
        return found

    def awaiting(self) -> Awaiting:
        """For each key and value how many of each process must come before it is overwritten."""
        found: dict[tuple[Hashable, Value], dict[str, int]] = {}
        for node, one in enumerate(self.nodes):
            if not one.writes:
                found.setdefault((one.part, one.value), {})[one.operation.process] = self._place[node]
        return {place: [*row.items()] for place, row in found.items()}

    def attempt(self) -> list[Operation] | None:
        """An order that explains every read, if the first attempt is one."""
        waiting = [0] * len(self.nodes)
        for targets in self._successors:
            for target in targets:
                waiting[target] += 1
        readers: dict[tuple[Value, int], int] = {}
        for node, one in enumerate(self.nodes):
            if not one.writes:
                place = one.key, self.writer[node]
                readers[place] = readers.get(place, 0) + 1
        current: dict[Value, int] = {}
        held: dict[Value, list[tuple[int, int]]] = {}  # writes that would overwrite what somebody still has to read
        ready: list[tuple[bool, int, int]] = []
        order: list[Operation] = []
        for node, count in enumerate(waiting):
            if not count:
                heappush(ready, self._rank(node))
        while ready:
            _writes, called, node = heappop(ready)
            one = self.nodes[node]
            now = one.key, current.get(one.key, BEGINNING)
            if one.writes:
                if readers.get(now):
                    heappush(held.setdefault(one.key, []), (called, node))
                    continue
                current[one.key] = node
            elif now[1] != self.writer[node]:
                return None
            else:
                readers[now] -= 1
                if not readers[now]:
                    for _called, other in held.pop(one.key, ()):
                        heappush(ready, self._rank(other))
            order.append(one.operation)
            for target in self._successors[node]:
                waiting[target] -= 1
                if not waiting[target]:
                    heappush(ready, self._rank(target))
        return order if len(order) == len(self.nodes) else None

    def _rank(self, node: int) -> tuple[bool, int, int]:
        return self.nodes[node].writes, self.nodes[node].called, node

    # -- words ------------------------------------------------------------------------------------------

    def circle(self) -> list[Edge]:
        """Edges that go round, where the rules found some."""
        found = self.before.circle()
        if found is not None:
            return found
        assert self.before.vanished is not None
        write, reader = self.before.vanished
        return [(write, reader, BEGINNING), (reader, write, OVERWRITTEN)]

    def why(self, edge: Edge) -> str:
        """An edge in words."""
        source, target, why = edge
        one, other = self.nodes[source], self.nodes[target]
        if why == READ:
            return f"{_named(other)} saw what {_named(one)} wrote"
        if why == OVERWRITTEN:
            return f"{_named(other)} overwrote what {_named(one)} saw"
        if why == PROGRAM:
            same = one.operation.process == other.operation.process
            return f"{_named(one)}, and then {_named(other)}" if same else f"{_named(one)} had led to {_named(other)}"
        return f"{_named(self.nodes[why])} comes after {_named(one)}, but saw what {_named(other)} wrote, which must be newer"


def _named(access: Access) -> str:
    one = access.operation
    argument = "" if one.argument is None else render(one.argument)
    return f"{one.process} {one.function}({argument})" + ("" if access.writes else f" -> {render(one.result)}")
