"""Telling the kinds of cycles apart, against all simple cycles of small random graphs; strong components against networkx."""

import random
from collections import Counter
from collections.abc import Iterator

import networkx as nx
import pytest

from killpoint.properties.isolation.components import strong_components
from killpoint.properties.isolation.cycles import cycles
from killpoint.properties.isolation.dependencies import FREE, KIND, NEVER, PROCESS, REALTIME, RW, SHIFT, WR, WW, Dependencies
from killpoint.properties.isolation.levels import implied

Edge = tuple[int, int, int]


def random_graph(source: random.Random, size: int) -> tuple[Dependencies, list[str]]:
    """Transactions of a few processes, and edges of any kinds between them; sometimes junctions."""
    clock = 0
    spans: list[list[int]] = []
    flying: dict[str, int] = {}
    processes: list[str] = []
    while len(spans) < size or flying:
        clock += 1
        idle = [name for name in "abcd" if name not in flying]
        if len(spans) < size and idle and source.random() < 0.5:
            name = source.choice(idle)
            flying[name] = len(spans)
            spans.append([clock, NEVER])
            processes.append(name)
        elif flying:
            spans[flying.pop(source.choice(sorted(flying)))][1] = clock
    if source.random() < 0.3:
        # All overlap, but the first had ended when the last began.
        spans = [[number, 100 + number] for number in range(size)]
        spans[0][1], spans[-1][0] = 50, 60
        processes = [f"p{number}" for number in range(size)]
    dependencies = Dependencies([span[0] for span in spans], [span[1] for span in spans])
    kinds = source.choice([[WW], [WW, WR], [WW, WR, RW], [WR, RW, RW], [RW]])
    ring = source.sample(range(size), source.randrange(2, size + 1)) if source.random() < 0.7 else []
    if ring and source.random() < 0.5:
        ring = [max(ring), *(node for node in ring if min(ring) < node < max(ring)), min(ring)]
    pattern = source.choice([[RW, WR], [RW], [RW, RW, WW], kinds])
    # All of a ring, or all but the edge that real time or a process may make up for.
    for place, node in enumerate(ring[: len(ring) - source.randrange(2)]):
        dependencies.add(node, ring[(place + 1) % len(ring)], pattern[place % len(pattern)])
    for _ in range(source.randrange(3 if ring else 2 * size)):
        dependencies.add(source.randrange(size), source.randrange(size), source.choice(kinds))
    if source.random() < 0.3:
        half = source.sample(range(size), size)
        dependencies._join("x", half[: size // 2], half[size // 2 :])
    return dependencies, processes


def all_edges(dependencies: Dependencies, processes: list[str]) -> list[Edge]:
    """Every edge, junctions written out, those of processes and of all real time among them."""
    count = dependencies.transactions
    found = set()
    for source in range(count):
        for edge in dependencies.successors[source]:
            target = edge >> SHIFT
            following = [one >> SHIFT for one in dependencies.successors[target]] if target >= count else [target]
            found |= {(source, one, edge & KIND) for one in following}
        for target in range(count):
            if dependencies.completed[source] < dependencies.invoked[target]:
                found.add((source, target, REALTIME))
                if processes[source] == processes[target]:
                    found.add((source, target, PROCESS))
    return sorted(found)


def simple_cycles(edges: list[Edge], size: int) -> Iterator[list[int]]:
    """The kinds of the edges of every simple cycle, each once."""
    leaving: list[list[Edge]] = [[] for _ in range(size)]
    for edge in edges:
        leaving[edge[0]].append(edge)

    def extend(path: list[Edge], seen: set[int]) -> Iterator[list[int]]:
        for edge in leaving[path[-1][1]]:
            if edge[1] == path[0][0]:
                yield [kind for _source, _target, kind in (*path, edge)]
            elif edge[1] > path[0][0] and edge[1] not in seen:
                yield from extend([*path, edge], seen | {edge[1]})

    for start in range(size):
        for edge in leaving[start]:
            if edge[1] > start:
                yield from extend([edge], {start, edge[1]})


def kind_of(cycle: list[int]) -> str | None:
    """What a cycle is called; None if it mixes processes with real time, or takes several edges of real time where one does."""
    if cycle.count(REALTIME) > 1 or (REALTIME in cycle and PROCESS in cycle):
        return None
    suffix = "-realtime" if REALTIME in cycle else "-process" if PROCESS in cycle else ""
    count = cycle.count(RW)
    if count > 1:
        adjacent = any(one == other == RW for one, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        return ("G2-item" if adjacent else "G-nonadjacent") + suffix
    return ("G-single" if count else "G1c" if WR in cycle else "G0") + suffix


def test_every_kind_of_cycle_is_found_and_no_other() -> None:
    source = random.Random("cycles")
    tally: Counter[str] = Counter()
    for _ in range(5000):
        size = source.randrange(2, 8)
        dependencies, processes = random_graph(source, size)
        edges = all_edges(dependencies, processes)
        present = {kind_of(cycle) for cycle in simple_cycles(edges, size)}
        expected: list[str] = []
        for suffix in ("", "-process", "-realtime"):
            for kind in ("G0", "G1c", "G-single", "G-nonadjacent", "G2-item"):
                if f"{kind}{suffix}" in present and f"{kind}{suffix}" not in implied(expected):
                    expected.append(f"{kind}{suffix}")
        found = dict(cycles(dependencies, processes))
        assert [*found] == expected
        assert dependencies.consistent() is not bool(expected)
        for kind, cycle in found.items():
            assert [edge[1] for edge in cycle] == [*(edge[0] for edge in cycle[1:]), cycle[0][0]]
            assert kind_of([name for _source, _target, name in cycle if name != FREE]) == kind
        tally.update(expected or ["none"])
    assert len(tally) == 16, tally
    assert min(tally.values()) >= 10, tally


def test_many_readers_and_many_writers_need_few_edges() -> None:
    dependencies = Dependencies([*range(300)], [NEVER] * 300)
    dependencies.add_anti_dependencies("x", range(200), range(100, 300))
    assert sum(map(len, dependencies.successors)) < 1200
    reached = {node: {edge >> SHIFT for edge in dependencies.successors[node]} for node in range(302)}
    for reader in range(100):
        targets = {one for node in reached[reader] if node >= 300 for one in reached[node]}
        assert targets == {*range(100, 300)}
    for reader in range(100, 200):
        targets = {one for node in reached[reader] if node >= 300 for one in reached[node]}
        assert targets == {*range(200, 300)}
    for reader in range(101, 200):
        assert 100 in reached[reader]
        assert reader in reached[100]


@pytest.mark.parametrize("density", [0.3, 1.0, 2.0])
def test_strong_components_are_those_of_networkx_in_topological_order(density: float) -> None:
    source = random.Random(f"components {density}")
    for _ in range(300):
        size = source.randrange(1, 30)
        graph: nx.DiGraph[int] = nx.DiGraph()
        graph.add_nodes_from(range(size))
        graph.add_edges_from((source.randrange(size), source.randrange(size)) for _ in range(int(density * size)))
        found = strong_components([[*graph.successors(node)] for node in range(size)])
        assert sorted(map(sorted, found)) == sorted(map(sorted, nx.strongly_connected_components(graph)))
        home = {node: number for number, component in enumerate(found) for node in component}
        assert all(home[one] >= home[other] for one, other in graph.edges)


def test_a_cycle_may_need_several_edges_of_processes() -> None:
    """Of real time one edge is always enough, of processes not: two of these five lie on no cycle with a single one."""
    dependencies = Dependencies([2, 3, 4, 7, 11], [9, 5, 6, 8, 12])
    for source, target, kind in ((1, 2, WR), (3, 0, RW), (4, 1, RW)):
        dependencies.add(source, target, kind)
    found = dict(cycles(dependencies, ["a", "d", "b", "b", "a"]))
    assert [*found] == ["G-nonadjacent-process", "G-single-realtime"]
    assert [kind for _source, _target, kind in found["G-nonadjacent-process"]].count(PROCESS) == 2
