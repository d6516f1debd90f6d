"""What can be wrong with a history of transactions: anomalies, and the notebook in which they are collected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from .levels import ANOMALIES

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Anomaly", "Findings", "Step", "picture"]

EXAMPLES = 4
"""How many anomalies of a kind are kept; of a database that is thoroughly broken there may be as many as reads."""


class Step(msgspec.Struct, frozen=True):
    """One edge of a cycle: operation `before` must come before operation `after`, and why.

    `kind` is ww, wr, rw, process or realtime.
    """

    before: int
    after: int
    kind: str
    why: str


class Anomaly(msgspec.Struct, frozen=True):
    """Something that must not happen at some level of isolation.

    `kind` is one of `levels.ANOMALIES`.  `lines` tell it to a person; `operations` are ids, the decisive one last; a cycle has its
    `steps`, in order, the last of which leads back to the first.
    """

    kind: str
    lines: tuple[str, ...]
    operations: tuple[int, ...]
    steps: tuple[Step, ...] = ()


class Findings:
    """The anomalies of a history: the first few of each kind, and how many there are."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._kept: dict[str, list[Anomaly]] = {}

    def wants(self, kind: str) -> bool:
        """Count one more of a kind; True if it should be told in full."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind] <= EXAMPLES

    def keep(self, anomaly: Anomaly) -> None:
        """Take one that was wanted."""
        self._kept.setdefault(anomaly.kind, []).append(anomaly)

    def anomalies(self) -> tuple[Anomaly, ...]:
        """Those that were kept, the gravest first."""
        return tuple(anomaly for kind in ANOMALIES for anomaly in self._kept.get(kind, ()))


def picture(anomalies: Iterable[Anomaly]) -> nx.MultiDiGraph[int]:
    """The cycles of some anomalies as one graph, for people and for drawing: nodes are operation ids, edges have `kind` and `why`.

    networkx is imported when this is called, which takes half a second the first time.
    """
    import networkx as nx  # noqa: PLC0415  # half a second

    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    for anomaly in anomalies:
        graph.add_nodes_from(anomaly.operations)
        for step in anomaly.steps:
            graph.add_edge(step.before, step.after, key=step.kind, kind=step.kind, why=step.why)
    return graph
