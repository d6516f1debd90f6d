"""Orders that must exist: which writes come before which, from what was read, and the circle in which that cannot be.

Weak models have one thing in common.  Reads say who wrote what they saw; the model says which other writes they must have seen as
well (**visible** ones: of the same session, or seen by who wrote what was read, ...).  A visible write of the same key that was not what
the read returned has been overwritten: it comes earlier in the **order of writes** (arbitration, or commit order).  The history fits the
model if and only if these edges and those that the model orders anyway make no circle, since any order that respects them will do
(Bouajjani et al. 2017; Biswas & Enea 2019).  Visibility here never depends on the order, so one pass finds all edges.

Where visibility follows chains (a session whose n-th write is visible has the first n visible), it is one number per chain, a
**vector clock**.  Nodes are visited in topological order; of each chain only the latest visible write of the key makes an edge, and
only if what was read does not come after it anyway.  Cost: nodes and reads times chains (AWDIT: Møldrup & Pavlogiannis, PLDI 2025), with
a very small constant, since most chains have nothing new.  A clock is forgotten after its last use.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from .components import strong_components

__all__ = ["BEGINNING", "EFFORT", "Arbitration", "Edge", "Visibility", "path"]

BEGINNING = -1
"""Who wrote what every key begins with."""

EFFORT = 400_000
"""How many edges may be looked at in search of a shorter circle."""

Edge: TypeAlias = tuple[int, int, int]
"""Source, target, and why: the number of a reader, or one of the caller's own kinds, which are negative."""


class Arbitration:
    """What must come before what, among nodes 0 to n - 1.

    An edge is kept as `target * span + why`, where whoever read is `why`, and kinds of the caller come after all readers.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._span = count + 8
        self._edges: list[list[int]] = [[] for _ in range(count)]
        self.vanished: tuple[int, int] | None = None
        """A write and a reader that must have seen it, but saw what was there in the beginning."""

    def add(self, source: int, target: int, why: int) -> None:
        """One edge; none from a node to itself."""
        if source != target:
            self._edges[source].append(target * self._span + why % self._span)

    def overwritten(self, write: int, later: int, reader: int) -> None:
        """`reader` saw `later` although `write`, of the same key, was visible to it."""
        if later != BEGINNING:
            self.add(write, later, reader)
        elif self.vanished is None:
            self.vanished = write, reader

    def successors(self, node: int) -> Iterator[tuple[int, int]]:
        """Where edges lead, and why."""
        for edge in self._edges[node]:
            target, why = divmod(edge, self._span)
            yield target, why if why < self.count else why - self._span

    def circular(self) -> bool:
        """True if there is a circle, so that no order exists."""
        return bool(self._tangles())

    def circle(self) -> list[Edge] | None:
        """A short circle; None if an order exists."""
        best: list[Edge] | None = None
        spent = 0
        for component in self._tangles():
            among = set(component)
            for start in component:
                if best is not None and (spent > EFFORT or len(best) == 2):
                    return best
                found, looked = self._round(start, among, None if best is None else len(best) - 1)
                spent += looked
                best = found or best
        return best

    def _tangles(self) -> list[list[int]]:
        """The strong components with circles in them, the smallest first."""
        span = self._span
        components = strong_components([[edge // span for edge in edges] for edges in self._edges])
        return sorted((sorted(one) for one in components if len(one) > 1), key=lambda one: (len(one), one))

    def _round(self, start: int, among: AbstractSet[int], longest: int | None) -> tuple[list[Edge] | None, int]:
        """The shortest circle through a node, of at most so many edges, and how many edges were looked at."""
        came: dict[int, tuple[int, int]] = {}
        level, length, looked = [start], 0, 0
        while level and (longest is None or length < longest):
            length += 1
            following = []
            for node in level:
                for target, why in self.successors(node):
                    looked += 1
                    if target == start:
                        came[target] = node, why
                        return _traced(came, start, start), looked
                    if target in among and target not in came:
                        came[target] = node, why
                        following.append(target)
            level = following
        return None, looked


class Visibility:
    """Who is visible to whom by paths: nodes with predecessors, some of which stand in chains.

    `chains[node]` is the chain in which the node counts, -1 for none; the nodes of a chain come in its order, and each has the one
    before it among its `predecessors`, directly or not.
    """

    def __init__(self, predecessors: Sequence[Sequence[int]], chains: Sequence[int]) -> None:
        self.predecessors = predecessors
        self.chains = chains
        self.width = max(chains, default=-1) + 1

    def edges(
        self,
        reads: Sequence[Sequence[tuple[Hashable, int]]],
        marks: Iterable[tuple[int, Hashable, int]],
        arbitration: Arbitration,
    ) -> bool:
        """Put down which writes were overwritten; False if the predecessors go in a circle.

        `reads` holds for each node what it read: keys, and who wrote what was there.  `marks` are (node, key, write): who sees this
        node sees this write of this key.  Of each chain and key the marks come in order, and so do their writes.
        """
        places, predecessors, chains = self._places(), self.predecessors, self.chains
        rows = self._rows(marks, places)
        uses = [0] * len(predecessors)
        following: list[list[int]] = [[] for _ in predecessors]
        for node, before in enumerate(predecessors):
            for other in before:
                uses[other] += 1
                following[other].append(node)
        waiting = [len(before) for before in predecessors]
        clocks: list[list[int] | None] = [None] * len(predecessors)
        nothing = [0] * self.width
        ready = [node for node, count in enumerate(waiting) if not count]
        for node in ready:
            known = [clock for other in predecessors[node] if (clock := clocks[other]) is not None]
            clock = [*map(max, *known)] if len(known) > 1 else known[0].copy() if known else nothing.copy()
            for key, writer in reads[node]:
                before_it = nothing if writer == BEGINNING else clocks[writer]
                assert before_it is not None, "who wrote what was read comes before the reader"
                for chain, positions, writes in rows.get(key, ()):
                    bound, old = clock[chain], before_it[chain]
                    if bound > old:
                        at = bisect_right(positions, bound) - 1
                        if at >= 0 and positions[at] > old and writes[at] != writer:
                            arbitration.overwritten(writes[at], writer, node)
            for other in predecessors[node]:
                uses[other] -= 1
                if not uses[other]:
                    clocks[other] = None
            if uses[node]:
                if chains[node] >= 0:
                    clock[chains[node]] = places[node]
                clocks[node] = clock
            for other in following[node]:
                waiting[other] -= 1
                if not waiting[other]:
                    ready.append(other)
        return len(ready) == len(predecessors)

    def _places(self) -> list[int]:
        """The place of each node in its chain, from 1."""
        lengths = [0] * self.width
        places = [0] * len(self.chains)
        for node, chain in enumerate(self.chains):
            if chain >= 0:
                lengths[chain] += 1
                places[node] = lengths[chain]
        return places

    def _rows(
        self, marks: Iterable[tuple[int, Hashable, int]], places: Sequence[int]
    ) -> dict[Hashable, list[tuple[int, list[int], list[int]]]]:
        """For each key its chains, with the places of the marks in each, and their writes."""
        found: dict[Hashable, dict[int, tuple[list[int], list[int]]]] = {}
        for node, key, write in marks:
            positions, writes = found.setdefault(key, {}).setdefault(self.chains[node], ([], []))
            if positions and positions[-1] == places[node]:
                writes[-1] = write
            else:
                positions.append(places[node])
                writes.append(write)
        return {key: [(chain, *row) for chain, row in chains.items()] for key, chains in found.items()}


def path(predecessors: Sequence[Sequence[int]], start: int, end: int) -> list[int]:
    """The nodes of a shortest path from one node to another, both included; empty if there is none."""
    came = {end: end}
    level = [end]
    while level and start not in came:
        following = []
        for node in level:
            for other in predecessors[node]:
                if other not in came:
                    came[other] = node
                    following.append(other)
        level = following
    if start not in came:
        return []
    nodes = [start]
    while nodes[-1] != end:
        nodes.append(came[nodes[-1]])
    return nodes


def _traced(came: dict[int, tuple[int, int]], start: int, end: int) -> list[Edge]:
    edges: list[Edge] = []
    while not edges or end != start:
        before, why = came[end]
        edges.append((before, end, why))
        end = before
    return edges[::-1]
