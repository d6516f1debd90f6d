"""The dependency graph of transactions, and whether it has a cycle at all.

Edges are Adya's (1999): `ww` from a writer to the writer of the next version, `wr` from a writer to who read its version, `rw`
(an anti-dependency) from a reader to the writer of the next version.  A history is serializable if and only if some version
order gives a graph without cycles, strictly so if the order of real time can be added.

**Real time needs no edges.**  It is an interval order, and so of several real-time edges in a cycle one is enough: were every path of
dependencies from A to B such that A was invoked before B completed, then going round the cycle would go forward in time for ever.
So there is a cycle with real-time edges if and only if some path of dependencies leads from A to a B that had completed before A was
invoked.  One topological pass that carries along the latest invocation among all ancestors finds it.  The dependencies
of the smaller cycle are part of the larger, so that nothing is lost for telling the kinds of cycles apart either.  A
process's order is part of real time, and only matters once something was found; it is no interval order, so there a cycle may need
several of its edges.

Where many readers of a version meet many possible next writers, a **junction** stands between them, so that edges stay linear in the
number of micro-operations: into it leads an `rw` edge, out of it one that counts for nothing.

An edge is kept as `target << 3 | kind` in the list of its source.  Cost: linear in transactions and edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..history import Value
from .components import strong_components

__all__ = ["FREE", "KIND", "KINDS", "NEVER", "PROCESS", "REALTIME", "RW", "SHIFT", "WR", "WW", "Dependencies", "Successors"]

WW, WR, RW, FREE, PROCESS, REALTIME = range(6)

KINDS = ("ww", "wr", "rw", "", "process", "realtime")
"""How the kinds of edges are called."""

SHIFT, KIND = 3, 7

NEVER = 1 << 62
"""When a transaction completed that nobody saw complete."""

Successors: TypeAlias = list[list[int]]
"""For each node its edges."""


class Dependencies:
    """Edges between transactions 0 to n - 1, and junctions from n upwards.

    `invoked` and `completed` are event indices.
    """

    def __init__(self, invoked: Sequence[int], completed: Sequence[int]) -> None:
        self.transactions = len(invoked)
        self.invoked = list(invoked)
        self.completed = list(completed)
        self.successors: Successors = [[] for _ in invoked]
        self.incoming = [0] * len(invoked)
        self.junctions: list[Value] = []
        """The key of each junction."""

    def add(self, source: int, target: int, kind: int) -> None:
        """One edge; none from a transaction to itself."""
        if source != target:
            self.successors[source].append(target << SHIFT | kind)
            self.incoming[target] += 1

    def add_anti_dependencies(self, key: Value, readers: Iterable[int], writers: Iterable[int]) -> None:
        """`rw` edges from each reader of a version to each possible writer of the next, except to itself."""
        sources, targets = [*dict.fromkeys(readers)], [*dict.fromkeys(writers)]
        if len(sources) * len(targets) <= 2 * (len(sources) + len(targets)):
            for source in sources:
                for target in targets:
                    self.add(source, target, RW)
            return
        written = set(targets)
        both = [source for source in sources if source in written]
        updating = set(both)
        self._join(key, sources, [target for target in targets if target not in updating])
        self._join(key, [source for source in sources if source not in updating], both)
        # Each of several updates of one version must come before the others; that each and the first must come before one
        # another says so in pairs, which are the shortest cycles there are.  The update is lost in any case.
        for source in both[1:]:
            self.add(source, both[0], RW)
            self.add(both[0], source, RW)

    def _join(self, key: Value, sources: list[int], targets: list[int]) -> None:
        if not sources or not targets:
            return
        junction = len(self.successors)
        self.junctions.append(key)
        self.successors.append([])
        self.incoming.append(0)
        self.invoked.append(-1)
        self.completed.append(NEVER)
        for source in sources:
            self.add(source, junction, RW)
        for target in targets:
            self.add(junction, target, FREE)

    def consistent(self) -> bool:
        """True if there is no cycle, be it of dependencies alone or with the order of processes or real time."""
        incoming = self.incoming.copy()
        latest = self.invoked.copy()
        completed, successors = self.completed, self.successors
        ready = [node for node, count in enumerate(incoming) if not count]
        for node in ready:
            bound = latest[node]
            if bound > completed[node]:
                return False
            for edge in successors[node]:
                target = edge >> SHIFT
                if latest[target] < bound:
                    latest[target] = bound
                count = incoming[target] - 1
                incoming[target] = count
                if not count:
                    ready.append(target)
        return len(ready) == len(successors)

    def suspects(self, processes: Sequence[str]) -> list[int]:
        """Every node that a cycle may need, in order; `processes` says whose each transaction is.

        Those are the nodes on cycles of dependencies and the order of processes, which may need several edges of the latter,
        and on paths from a transaction to one that had completed before it was invoked.  Cost: linear, but several times that
        of `consistent`.
        """
        plain = [[edge >> SHIFT for edge in edges] for edges in self.successors]
        last: dict[str, int] = {}
        for node, process in enumerate(processes):
            if process in last:
                plain[last[process]].append(node)
            last[process] = node
        components = strong_components(plain)
        latest = self.invoked.copy()  # the latest invocation among all from which a path leads here
        for component in reversed(components):
            bound = max(latest[node] for node in component)
            for node in component:
                latest[node] = bound
                for target in plain[node]:
                    latest[target] = max(latest[target], bound)
        earliest = self.completed.copy()  # the earliest completion among all to which a path leads from here
        found = []
        for component in components:
            bound = min(min(earliest[node], min((earliest[target] for target in plain[node]), default=NEVER)) for node in component)
            for node in component:
                earliest[node] = bound
            if len(component) > 1 or latest[component[0]] > bound:
                found += component
        return sorted(found)
