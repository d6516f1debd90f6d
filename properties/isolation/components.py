"""Strongly connected components of a graph that is a list of lists: Tarjan's algorithm (1972) without recursion.

Cost: linear.  Components come with those that no edge leaves first, so that the list, read backwards, is a topological order of
them; whoever computes something along paths needs no other sort.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["strong_components"]


def strong_components(successors: Sequence[Sequence[int]]) -> list[list[int]]:
    """The components of the graph with nodes 0 to n - 1 and these edges; every node is in one, be it alone."""
    count = len(successors)
    order = [0] * count  # when a node was met first, from 1; 0: not yet
    low = [0] * count
    taken = bytearray(count)  # already in a component
    met = 0
    trail: list[int] = []  # nodes whose component is not known yet
    components: list[list[int]] = []
    for root in range(count):
        if order[root]:
            continue
        met += 1
        order[root] = low[root] = met
        trail.append(root)
        path = [root]
        pending = [iter(successors[root])]
        while path:
            node = path[-1]
            for other in pending[-1]:
                if not order[other]:
                    met += 1
                    order[other] = low[other] = met
                    trail.append(other)
                    path.append(other)
                    pending.append(iter(successors[other]))
                    break
                if not taken[other] and order[other] < low[node]:
                    low[node] = order[other]
            else:
                path.pop()
                pending.pop()
                if path and low[node] < low[path[-1]]:
                    low[path[-1]] = low[node]
                if low[node] == order[node]:
                    components.append(_unwind(trail, node, taken))
    return components


def _unwind(trail: list[int], root: int, taken: bytearray) -> list[int]:
    """The component of a root: all that was met since."""
    component = []
    while True:
        node = trail.pop()
        taken[node] = 1
        component.append(node)
        if node == root:
            return component
