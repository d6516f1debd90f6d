"""The history graph: its edges, its queries, and registers decided by cycles as a check on the search."""

import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import networkx as nx
import pytest
from histories import operation, random_history
from test_search_against_oracle import register_answer, register_call, unique_writes

from killpoint.properties import Operation, Outcome, Register, Status
from killpoint.properties.graph import (
    HistoryGraph,
    causal_past,
    causal_words,
    duplicates,
    history_graph,
    operations_of,
    reads_from,
    register_cycles,
)
from killpoint.properties.history import Value
from killpoint.properties.linearizability import analyse


def edges(graph: HistoryGraph, kind: str) -> set[tuple[int, int]]:
    return {(earlier[1], later[1]) for earlier, later, found in graph.edges(data="kind") if found == kind}


def random_register(source: random.Random, size: int) -> list[Operation]:
    options = {"width": source.choice([2, 3, 6]), "pending": source.choice([0.0, 0.2]), "wrong": source.choice([0.0, 0.3])}
    history = random_history(source, Register(), register_call, register_answer, size, **options)
    return unique_writes([one for one in history if one.outcome is not Outcome.FAIL])


def test_real_time_is_the_transitive_reduction_of_precedence() -> None:
    source = random.Random("reduction")
    for _ in range(150):
        history = random_register(source, source.randrange(1, 12))
        full = nx.DiGraph()
        full.add_nodes_from(one.id for one in history)
        full.add_edges_from((a.id, b.id) for a in history for b in history if a.completed is not None and a.completed < b.invoked)
        assert edges(history_graph(history), "real-time") == set(nx.transitive_reduction(full).edges())


def test_process_order_joins_neighbours() -> None:
    spans = [(0, 1), (2, 3), (4, 5), (6, 7)]
    names = ["a", "b", "a", "a"]
    history = [operation(n, "read", span=span, process=name) for n, (span, name) in enumerate(zip(spans, names, strict=True))]
    assert edges(history_graph(history), "process") == {(0, 2), (2, 3)}


def test_reads_from_needs_one_writer() -> None:
    history = [
        operation(0, "write", "a", span=(0, 1)),
        operation(1, "write", "b", span=(2, 3)),
        operation(2, "write", "b", span=(4, 5)),
        operation(3, "read", None, "a", span=(6, 7)),
        operation(4, "read", None, "b", span=(8, 9)),
        operation(5, "read", None, "c", span=(10, 11)),
        operation(6, "write", "d", span=(12, 13), outcome=Outcome.FAIL),
        operation(7, "read", None, "d", span=(14, 15)),
    ]
    graph = history_graph(history)
    assert reads_from(graph) == [(0, 3)]
    assert edges(graph, "reads-from") == {(0, 3)}
    assert operations_of(graph) == history


def test_duplicates_name_their_operations() -> None:
    history = [operation(0, "issue", "x", 7), operation(1, "issue", "y", 8), operation(2, "issue", "z", 7)]
    graph = history_graph(history)
    assert duplicates(graph, lambda one: (one.result,)) == {7: [0, 2]}
    assert duplicates(graph, lambda one: (one.argument,)) == {}
    assert duplicates(graph, lambda one: None) == {}


def test_cycles_agree_with_the_search() -> None:
    source = random.Random("cycles")
    found = {True: 0, False: 0}
    for _ in range(700):
        history = random_register(source, source.randrange(1, 12))
        cycles = register_cycles(history_graph(history))
        valid = analyse(Register(), history).status is Status.VALID
        assert valid is (not cycles), [one.describe() for one in history]
        for cycle in cycles:
            assert len(cycle.words()) == len(cycle.steps) >= 1
        found[valid] += 1
    assert min(found.values()) > 100, found


def test_cycles_refuse_what_they_cannot_judge() -> None:
    twice = [operation(0, "write", 1, span=(0, 1)), operation(1, "write", 1, span=(2, 3))]
    for history in (twice, [operation(0, "write", None)], [operation(0, "cas", (1, 2))]):
        with pytest.raises(ValueError, match=r"p[01] (write|cas)"):
            register_cycles(history_graph(history))


@dataclass(frozen=True)
class Traced:
    index: int
    kind: str
    host: str | None = None
    cause: int | None = None
    detail: Mapping[str, Value] = field(default_factory=dict)

    @property
    def time(self) -> float:
        return self.index / 10


TRACE = [
    Traced(0, "start", "n2"),
    Traced(1, "invoke", "c1", None, {"operation": 0, "function": "write"}),
    Traced(2, "send", "c1", 1, {"to": "n1", "boundary": 3}),
    Traced(3, "disk", "n2"),
    Traced(4, "deliver", "n1", 2, {"sender": "c1"}),
    Traced(5, "send", "n1", 4, {"to": "c1"}),
    Traced(6, "disk", "n1"),
    Traced(7, "deliver", "c1", 5, {"sender": "n1"}),
    Traced(8, "complete", "c1", 1, {"operation": 0, "outcome": "ok"}),
    Traced(9, "send", "n2", None, {"to": "n1"}),
]


def test_causal_past_follows_messages_and_nothing_else() -> None:
    history = [operation(0, "write", 1, span=(1, 8), process="c1"), operation(1, "read", None, 1, span=(9, 10), process="c2")]
    graph = history_graph(history, TRACE)
    past = causal_past(graph, ("operation", 0))
    assert sorted(number for kind, number in past if kind == "event") == [1, 2, 4, 5, 7, 8]
    assert ("operation", 0) in past
    assert ("operation", 1) not in past
    assert sorted(number for kind, number in causal_past(graph, ("event", 5)) if kind == "event") == [1, 2, 4, 5]
    assert set(causal_past(graph, ("operation", 1))) == {("operation", 1)}, "real time is no cause"
    with pytest.raises(KeyError, match="no event 99"):
        causal_past(graph, ("operation", 0), ("event", 99))


def test_the_past_of_several_is_that_of_each() -> None:
    graph = history_graph([operation(0, "write", 1, span=(1, 8), process="c1")], TRACE)
    both = causal_past(graph, ("event", 4), ("event", 9))
    assert sorted(number for kind, number in both if kind == "event") == [0, 1, 2, 3, 4, 9]
    assert not both.has_edge(("event", 4), ("event", 9))
    assert len(causal_past(graph)) == 0


def test_causal_past_in_words() -> None:
    history = [operation(0, "write", 1, span=(1, 8), process="c1")]
    words = causal_words(causal_past(history_graph(history, TRACE), ("operation", 0)))
    assert words[1] == "    0.200000 s  c1     send to n1"
    assert len(words) == 6
    assert causal_words(causal_past(history_graph(history), ("operation", 0))) == ["    0.100000 s  c1 write(1) -> None"]


def test_networkx_is_imported_only_when_a_graph_is_made() -> None:
    code = """
import sys, killpoint.properties, killpoint.properties.graph as graph
assert "networkx" not in sys.modules
graph.history_graph(())
assert "networkx" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
