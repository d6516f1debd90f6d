"""Which cycles a graph of transactions has: the kinds that Adya, Cerone and Kingsbury tell apart, each with a short example.

==============  =================================================================================================
G0              `ww` edges only
G1c             `ww` and `wr` edges
G-single        exactly one `rw` edge
G-nonadjacent   several `rw` edges, no two of them in a row
G2-item         some `rw` edges in a row
==============  =================================================================================================

Each with `-process` if it needs the order of a process as well, with `-realtime` if it needs that of real time.  A kind that
follows from one that was found is not searched for, so that what is said is the gravest, and never a longer version of it: a
cycle that needs no real time is not told as one that does.

Only nodes that lie on some cycle take part (`Dependencies.suspects`).  Every kind is decided exactly, by

- strong components, of the edges that are allowed.  For G-nonadjacent of the graph whose nodes also remember whether the
  last edge was `rw`; a closed walk there that meets a node twice contains a shorter one of the same or a graver kind;
- for G-single, whether the target of any `rw` edge reaches its source without another one: bits, one for each such edge, are
  passed on in topological order, thousands at a time;
- for real time, the latest invocation among all that lead to a node (see `dependencies.py`).

The example is the shortest that breadth-first searches from the first few hundred candidates find; in small components, the shortest
of all.  Cost: linear in the suspects and their edges, but for G-single, which takes suspects times `rw` edges divided by some thousands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import eq
from typing import NamedTuple, TypeAlias

from .components import strong_components
from .dependencies import FREE, KIND, PROCESS, REALTIME, RW, SHIFT, WR, WW, Dependencies, Successors
from .levels import implied

__all__ = ["Cycle", "cycles"]

Edge: TypeAlias = tuple[int, int, int]
"""Source, target, kind."""

Cycle: TypeAlias = tuple[Edge, ...]
"""Edges, each beginning where the one before ends, and the first where the last ends."""

EFFORT = 200_000
"""How many nodes may be visited in search of a shorter example of one kind."""

MEMORY = 1 << 28
"""Bits that the search for G-single holds at a time, at most."""

ALLOWED = {
    "G0": frozenset({WW, PROCESS}),
    "G1c": frozenset({WW, WR, PROCESS}),
    "G2-item": frozenset({WW, WR, RW, FREE, PROCESS}),
}
NEEDED = {"G0": WW, "G1c": WR, "G-single": RW, "G-nonadjacent": RW, "G2-item": RW}


class Layered(NamedTuple):
    """A graph whose nodes are `node * width + memory`."""

    width: int
    successors: Successors

    def below(self, edges: Iterable[Edge]) -> list[Edge]:
        """Edges as those between nodes, without what is remembered."""
        return [(source // self.width, target // self.width, kind) for source, target, kind in edges]


def cycles(dependencies: Dependencies, processes: Iterable[str]) -> Iterator[tuple[str, Cycle]]:
    """The kinds of cycles there are, and one of each, over the numbers of the transactions; junctions are among them.

    `processes` says whose each transaction is.
    """
    search = Search(dependencies, [*processes])
    found: list[str] = []
    for suffix in ("", "-process", "-realtime"):
        for kind in ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item"):
            if f"{kind}{suffix}" not in implied(found) and (cycle := search.find(kind, suffix)):
                found.append(f"{kind}{suffix}")
                yield f"{kind}{suffix}", cycle


class Search:
    """The part of a graph that has cycles, and the searches in it."""

    def __init__(self, dependencies: Dependencies, processes: list[str]) -> None:
        self.nodes = dependencies.suspects(processes)
        places = {node: place for place, node in enumerate(self.nodes)}
        self.invoked = [dependencies.invoked[node] for node in self.nodes]
        self.completed = [dependencies.completed[node] for node in self.nodes]
        self.edges: Successors = [
            [
                places[edge >> SHIFT] << SHIFT | edge & KIND
                for edge in dict.fromkeys(dependencies.successors[node])
                if edge >> SHIFT in places
            ]
            for node in self.nodes
        ]
        self.with_processes: Successors = [edges.copy() for edges in self.edges]
        last: dict[str, int] = {}
        for place, node in enumerate(self.nodes):
            if node < dependencies.transactions:
                process = processes[node]
                if process in last:
                    self.with_processes[last[process]].append(place << SHIFT | PROCESS)
                last[process] = place

    def find(self, kind: str, suffix: str) -> Cycle | None:
        """A short cycle of this kind; None if there is none.

        Whatever implies the kind is known not to exist, so that its edges need not be excluded.
        """
        edges = self.with_processes if suffix == "-process" else self.edges
        if suffix == "-realtime":
            found = self._in_real_time(_layered(kind, edges, PATHS), kind)
        elif kind == "G-single":
            found = self._single(edges)
        else:
            found = self._around(_layered(kind, edges, ROUND), NEEDED[kind])
        return tuple((self.nodes[source], self.nodes[target], name) for source, target, name in found) if found else None

    def _around(self, layered: Layered, needed: int) -> list[Edge] | None:
        """A cycle that has an edge of the kind that is needed."""
        home = _homes(layered.successors)
        wanted = [
            (source, edge >> SHIFT, needed)
            for source, row in enumerate(layered.successors)
            for edge in row
            if edge & KIND == needed and home[edge >> SHIFT] == home[source]
        ]
        return _shortest_around(layered, wanted)

    # -- one `rw` edge ----------------------------------------------------------------------------------

    def _single(self, edges: Successors) -> list[Edge] | None:
        """A cycle with exactly one `rw` edge."""
        whole = _homes(edges)
        wanted = [
            (source, edge >> SHIFT, RW)
            for source, row in enumerate(edges)
            for edge in row
            if edge & KIND == RW and whole[source] == whole[edge >> SHIFT]
        ]
        quiet = Layered(1, [[edge for edge in row if edge & KIND != RW] for row in edges])
        at_once = max(64, MEMORY // max(1, len(edges)))
        closing = (one for begin in range(0, len(wanted), at_once) for one in _closing(wanted[begin : begin + at_once], quiet.successors))
        return _shortest_around(quiet, closing)

    # -- real time --------------------------------------------------------------------------------------

    def _in_real_time(self, layered: Layered, kind: str) -> list[Edge] | None:
        """A path from a transaction to one that had completed before it was invoked, and the edge that closes it."""
        width, successors = layered.width, layered.successors
        latest = [self.invoked[state // width] if state % width == 0 else -1 for state in range(len(successors))]
        for component in reversed(strong_components([[edge >> SHIFT for edge in row] for row in successors])):
            bound = max(latest[state] for state in component)
            for state in component:
                latest[state] = bound
                for edge in successors[state]:
                    latest[edge >> SHIFT] = max(latest[edge >> SHIFT], bound)
        backwards: Successors = [[] for _ in successors]
        for source, row in enumerate(successors):
            for edge in row:
                backwards[edge >> SHIFT].append(source << SHIFT | edge & KIND)
        best: list[Edge] | None = None
        spent = 0
        for state, bound in enumerate(latest):
            ended = self.completed[state // width]
            if bound <= ended or (NEEDED[kind] == RW and state % width == 0):
                continue
            if best is not None and (spent > EFFORT or len(best) == 2):
                break
            path, visited = _path(backwards, state, self._invoked_after(ended, width), None if best is None else len(best) - 2)
            spent += visited
            if path:
                cycle = layered.below([(source, target, name) for target, source, name in reversed(path)])
                cycle.append((cycle[-1][1], cycle[0][0], REALTIME))
                if _simple(cycle):
                    best = cycle
        return best

    def _invoked_after(self, ended: int, width: int) -> Callable[[int], bool]:
        """Whether a node of a layered graph is where a path may begin that leads to what ended then."""
        return lambda state: state % width == 0 and self.invoked[state // width] > ended


def _layered(kind: str, edges: Successors, rules: Mapping[str, Rule]) -> Layered:
    """The edges that a cycle of this kind may have, with what must be remembered on the way."""
    if kind not in rules:
        return Layered(1, [[edge for edge in row if edge & KIND in ALLOWED[kind]] for row in edges])
    width, after = rules[kind]
    rows: Successors = []
    for row in edges:
        for memory in range(width):
            steps = ((edge, after(memory, edge & KIND)) for edge in row)
            rows.append([(width * (edge >> SHIFT) + then) << SHIFT | edge & KIND for edge, then in steps if then is not None])
    return Layered(width, rows)


def _once(memory: int, kind: int) -> int | None:
    """Remembers whether there was an `rw` edge, and allows one only."""
    return memory if kind != RW else 1 if memory == 0 else None


def _some(memory: int, kind: int) -> int | None:
    """Remembers whether there was an `rw` edge."""
    return 1 if kind == RW else memory


def _apart(memory: int, kind: int) -> int | None:
    """Remembers whether the last edge was `rw`, and allows none after it; a junction belongs to the edge that leads into it."""
    if kind == RW:
        return None if memory == 1 else 1
    return memory if kind == FREE else 0


def _some_apart(memory: int, kind: int) -> int | None:
    """The same, and 2 instead of 0 once there was one."""
    then = _apart(memory, kind)
    return 2 if memory and then == 0 else then


Rule: TypeAlias = tuple[int, Callable[[int, int], int | None]]
"""How many things there are to remember, 0 in the beginning, and how an edge changes what is; None: it is not allowed."""

ROUND: Mapping[str, Rule] = {"G-nonadjacent": (2, _apart)}

PATHS: Mapping[str, Rule] = {"G-single": (2, _once), "G-nonadjacent": (3, _some_apart), "G2-item": (2, _some)}


def _homes(successors: Successors) -> list[int]:
    """For each node the number of its strong component; components that no edge leaves come first."""
    home = [0] * len(successors)
    for number, component in enumerate(strong_components([[edge >> SHIFT for edge in row] for row in successors])):
        for node in component:
            home[node] = number
    return home


def _closing(wanted: Sequence[Edge], quiet: Successors) -> Iterator[Edge]:
    """Those edges whose target reaches their source.  All at once: one bit for each, passed on in topological order."""
    components = strong_components([[edge >> SHIFT for edge in row] for row in quiet])
    home = [0] * len(quiet)
    for number, component in enumerate(components):
        for node in component:
            home[node] = number
    arrived = [0] * len(components)
    for bit, (_source, target, _kind) in enumerate(wanted):
        arrived[home[target]] |= 1 << bit
    for number in reversed(range(len(components))):
        if arrived[number]:
            for node in components[number]:
                for edge in quiet[node]:
                    arrived[home[edge >> SHIFT]] |= arrived[number]
    return (one for bit, one in enumerate(wanted) if arrived[home[one[0]]] >> bit & 1)


def _shortest_around(layered: Layered, wanted: Iterable[Edge]) -> list[Edge] | None:
    """The shortest cycle through any of these edges, as far as the effort goes; it meets no node twice."""
    best: list[Edge] | None = None
    spent = 0
    for source, target, kind in wanted:
        if best is not None and (spent > EFFORT or len(best) == 2):
            break
        path, visited = _path(layered.successors, target, partial(eq, source), None if best is None else len(best) - 2)
        spent += visited
        if path:
            cycle = layered.below([(source, target, kind), *path])
            if _simple(cycle):
                best = cycle
    return best


def _path(successors: Successors, start: int, reached: Callable[[int], bool], longest: int | None) -> tuple[list[Edge], int]:
    """The shortest path from `start`, of at most so many edges (empty: there is none), and how many nodes were visited."""
    came: dict[int, tuple[int, int]] = {start: (start, 0)}
    level, length = [start], 0
    while level and (longest is None or length < longest):
        length += 1
        following = []
        for node in level:
            for edge in successors[node]:
                other = edge >> SHIFT
                if other not in came:
                    came[other] = (node, edge & KIND)
                    if reached(other):
                        return _traced(came, start, other), len(came)
                    following.append(other)
        level = following
    return [], len(came)


def _traced(came: dict[int, tuple[int, int]], start: int, end: int) -> list[Edge]:
    path = []
    while end != start:
        before, kind = came[end]
        path.append((before, end, kind))
        end = before
    return path[::-1]


def _simple(cycle: Sequence[Edge]) -> bool:
    return len({source for source, _target, _kind in cycle}) == len(cycle)
