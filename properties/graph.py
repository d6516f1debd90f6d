"""The history graph: what came before what, and why.

A networkx `MultiDiGraph` whose nodes are operations, `("operation", id)`, and, if a trace is given, events, `("event", index)`.
Edges point from earlier to later and carry a `kind`:

==============  ====================================================================================================
process         the next operation of the same process
real-time       returned before the other was invoked; transitively reduced (what follows from two others is left out)
reads-from      from the write to the read that returned its value, where only one write can be meant
program         the next event of the same host
cause           the event that made this one happen (the send of a delivery, the strike of a kill)
invoke          from the event of the invocation to the operation
complete        from the operation to the event of its completion
==============  ====================================================================================================

`program`, `cause`, `process`, `invoke` and `complete` together are Lamport's happened-before; `causal_past` follows them
backwards.  Real time is not among them: that one operation ended before another began does not mean that it had a part in it.

Cost: O(n log n) time and, for n operations of which c overlap, O(n c) real-time edges.  This is the graph that people and graph
algorithms look at; checkers of long histories use arrays.  networkx is imported when a graph is made, which takes half a second
the first time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from .history import Operation, Value, render

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "Cycle",
    "HistoryGraph",
    "Node",
    "TraceEventLike",
    "causal_past",
    "causal_words",
    "duplicates",
    "history_graph",
    "operations_of",
    "reads_from",
    "register_cycles",
]

Node: TypeAlias = tuple[Literal["operation", "event"], int]
"""An operation by its id, or an event by its index."""

HistoryGraph: TypeAlias = "nx.MultiDiGraph[Node]"
"""What `history_graph` makes."""

HAPPENED_BEFORE = frozenset({"process", "program", "cause", "invoke", "complete"})


class TraceEventLike(Protocol):
    """An event of a full trace, wherever it comes from: `sim.trace.TraceEvent` is one."""

    @property
    def index(self) -> int:
        """The global event index."""
        ...

    @property
    def time(self) -> float:
        """Virtual seconds."""
        ...

    @property
    def kind(self) -> str:
        """send, deliver, disk, invoke, complete, kill, ..."""
        ...

    @property
    def host(self) -> str | None:
        """The host it happened on."""
        ...

    @property
    def cause(self) -> int | None:
        """The index of the event that made it happen."""
        ...

    @property
    def detail(self) -> Mapping[str, Value]:
        """What else is known."""
        ...


class Cycle(NamedTuple):
    """Why a register is not linearizable: in each pair the first operation must come before the second, and that goes round.

    A read of a value that nobody wrote stands alone, before itself.
    """

    steps: tuple[tuple[Operation, Operation], ...]

    def words(self) -> list[str]:
        """One line for each step."""
        return [f"{first.describe()}   must come before   {second.describe()}" for first, second in self.steps]


def history_graph(operations: Iterable[Operation], trace: Iterable[TraceEventLike] = ()) -> HistoryGraph:
    """The graph of these operations and, if given, of the events of the full trace of the same run.

    Nodes of operations have the attribute `operation`, those of events `event`.
    """
    import networkx as nx  # noqa: PLC0415  # half a second

    graph: HistoryGraph = nx.MultiDiGraph()
    known = sorted(operations, key=lambda operation: operation.invoked)
    for operation in known:
        graph.add_node(("operation", operation.id), operation=operation)
    latest: dict[str, int] = {}
    for operation in known:
        if operation.process in latest:
            _edge(graph, ("operation", latest[operation.process]), ("operation", operation.id), "process")
        latest[operation.process] = operation.id
    for earlier, later in _real_time(known):
        _edge(graph, ("operation", earlier.id), ("operation", later.id), "real-time")
    for write, read in _reads_from(known, "write", "read"):
        _edge(graph, ("operation", write.id), ("operation", read.id), "reads-from")
    _add_trace(graph, trace)
    return graph


def _edge(graph: HistoryGraph, earlier: Node, later: Node, kind: str) -> None:
    graph.add_edge(earlier, later, key=kind, kind=kind)


def _add_trace(graph: HistoryGraph, trace: Iterable[TraceEventLike]) -> None:
    latest: dict[str, int] = {}
    for event in trace:
        node: Node = ("event", event.index)
        graph.add_node(node, event=event)
        if event.host is not None:
            if event.host in latest:
                _edge(graph, ("event", latest[event.host]), node, "program")
            latest[event.host] = event.index
        if event.cause is not None and ("event", event.cause) in graph:
            _edge(graph, ("event", event.cause), node, "cause")
        number = event.detail.get("operation")
        if event.kind in ("invoke", "complete") and isinstance(number, int) and ("operation", number) in graph:
            operation: Node = ("operation", number)
            first, second = (node, operation) if event.kind == "invoke" else (operation, node)
            _edge(graph, first, second, event.kind)


def _real_time(operations: Sequence[Operation]) -> Iterator[tuple[Operation, Operation]]:
    """The transitive reduction of real-time order: an interval order, so one sweep over the returns is enough.

    `a` precedes `b` with nothing between them if and only if `a` returned before `b` was called, and after the last call among
    all that returned before `b` was called.
    """
    returned = sorted(
        (operation.completed, operation.invoked, position)
        for position, operation in enumerate(operations)
        if operation.completed is not None
    )
    returns = [entry[0] for entry in returned]
    last_call: list[int] = []
    for _return, call, _position in returned:
        last_call.append(max(call, last_call[-1]) if last_call else call)
    for later in operations:
        end = bisect_left(returns, later.invoked)
        if end:
            for _return, _call, position in returned[bisect_right(returns, last_call[end - 1]) : end]:
                yield operations[position], later


def operations_of(graph: HistoryGraph) -> list[Operation]:
    """The operations of a graph, in the order of their invocations."""
    found = [data["operation"] for _node, data in graph.nodes(data=True) if "operation" in data]
    return sorted(found, key=lambda operation: operation.invoked)


def duplicates(graph: HistoryGraph, select: Callable[[Operation], Iterable[Value] | None]) -> dict[Value, list[int]]:
    """Items that are selected more than once, with the ids of the operations that they come from."""
    found: dict[Value, list[int]] = {}
    for operation in operations_of(graph):
        for item in select(operation) or ():
            found.setdefault(item, []).append(operation.id)
    return {item: sources for item, sources in found.items() if len(sources) > 1}


def reads_from(graph: HistoryGraph, write: str = "write", read: str = "read") -> list[tuple[int, int]]:
    """Pairs of ids (write, read): the read returned the value, and only that write can have written it.

    A value that two writes may have written gives no pair; nor does one that nobody wrote.
    """
    return [(source.id, reader.id) for source, reader in _reads_from(operations_of(graph), write, read)]


def _reads_from(operations: Sequence[Operation], write: str, read: str) -> Iterator[tuple[Operation, Operation]]:
    writers: dict[Value, list[Operation]] = {}
    for operation in operations:
        if operation.function == write and (operation.ok or operation.pending):
            writers.setdefault(operation.argument, []).append(operation)
    for operation in operations:
        if operation.function == read and operation.ok and len(writers.get(operation.result, ())) == 1:
            yield writers[operation.result][0], operation


def register_cycles(graph: HistoryGraph, initial: Value = None) -> list[Cycle]:
    """Why the history of a register whose written values are all different is not linearizable; empty if it is.

    All operations of one value must stand together, the write first.  So if any of them precedes, in real time, any of another
    value, the whole first group precedes the second.  The register is linearizable if and only if these orders of groups have no
    cycle and no read returned before its write was invoked.  Cost: quadratic in the number of values; for small runs, and to
    cross-check the search.

    Raises:
        ValueError: two writes of one value, or of the initial one, or operations other than `write` and `read`.
    """
    import networkx as nx  # noqa: PLC0415  # half a second

    writes, reads = _groups(operations_of(graph), initial)
    for value, members in reads.items():
        if value in writes:
            early = next((read for read in members if _before(read, writes[value])), None)
            if early is not None:
                return [Cycle(((early, writes[value]), (writes[value], early)))]
        elif value != initial:
            return [Cycle(((members[0], members[0]),))]
    values = [*dict.fromkeys([*reads, *(value for value, write in writes.items() if write.completed is not None)])]
    groups = {value: [*([writes[value]] if value in writes else []), *reads.get(value, [])] for value in values}
    orders: nx.DiGraph[int] = nx.DiGraph()
    witnesses: dict[tuple[int, int], tuple[Operation, Operation]] = {}
    for first, value in enumerate(values):
        for second, other in enumerate(values):
            if first != second and (witness := _witness(groups[value], groups[other], value not in writes)):
                orders.add_edge(first, second)
                witnesses[first, second] = witness
    cycles = []
    for component in nx.strongly_connected_components(orders):
        if len(component) > 1:
            inside = orders.subgraph(sorted(component))
            cycles.append(Cycle(tuple(witnesses[edge[0], edge[1]] for edge in nx.find_cycle(inside))))
    return sorted(cycles, key=lambda cycle: min(first.invoked for first, _second in cycle.steps))


def _groups(operations: Sequence[Operation], initial: Value) -> tuple[dict[Value, Operation], dict[Value, list[Operation]]]:
    writes: dict[Value, Operation] = {}
    reads: dict[Value, list[Operation]] = {}
    for operation in operations:
        if operation.function not in ("write", "read"):
            raise ValueError(f"{operation.describe()}: cycles are known for registers with write and read only")
        if operation.function == "read" and operation.ok:
            reads.setdefault(operation.result, []).append(operation)
        elif operation.function == "write" and (operation.ok or operation.pending):
            if operation.argument in writes or operation.argument == initial:
                raise ValueError(f"{operation.describe()}: this value is written twice, so it does not say who wrote it")
            writes[operation.argument] = operation
    return writes, reads


def _before(first: Operation, second: Operation) -> bool:
    return first.completed is not None and first.completed < second.invoked


def _witness(first: Sequence[Operation], second: Sequence[Operation], is_initial: bool) -> tuple[Operation, Operation] | None:
    """Two operations that show that the first group comes before the second.  The initial value comes before everything."""
    last = max(second, key=lambda operation: operation.invoked)
    if is_initial:
        return first[0], last
    done = [operation for operation in first if operation.completed is not None]
    early = min(done, key=lambda operation: operation.completed or 0, default=None)
    return (early, last) if early is not None and _before(early, last) else None


def causal_past(graph: HistoryGraph, *ends: Node) -> HistoryGraph:
    """The part of the graph that happened before any of these operations and events (Lamport 1978), and they themselves.

    Without a trace the past of an operation is what its process did before.

    Raises:
        KeyError: one of them is not in the graph.
    """
    import networkx as nx  # noqa: PLC0415  # half a second

    causal = nx.subgraph_view(graph, filter_edge=_happened_before)
    past: set[Node] = set()
    for node in ends:
        if node not in graph:
            raise KeyError(f"there is no {node[0]} {node[1]} in the graph")
        # What a client learnt is known when its operation completes.
        completions = [later for _node, later, data in graph.out_edges(node, data=True) if data["kind"] == "complete"]
        last = next(iter(completions), node)
        past |= nx.ancestors(causal, last) | {last}
    # Node by node, because a subgraph of networkx may come in the order of a set.
    part: HistoryGraph = nx.MultiDiGraph()
    part.add_nodes_from((found, data) for found, data in graph.nodes(data=True) if found in past)
    for earlier, later, data in causal.edges(data=True):
        if earlier in past and later in past:
            _edge(part, earlier, later, data["kind"])
    return part


def _happened_before(_earlier: Node, _later: Node, kind: object) -> bool:
    return kind in HAPPENED_BEFORE


def causal_words(past: HistoryGraph) -> list[str]:
    """A causal past in words, in order, one line for each event (for each operation where there is no trace)."""
    events = sorted((data["event"] for _node, data in past.nodes(data=True) if "event" in data), key=lambda event: event.index)
    if events:
        return [f"{event.time:12.6f} s  {event.host or '-':6} {event.kind} {_details(event)}".rstrip() for event in events]
    return [f"{operation.invoked_at:12.6f} s  {operation.describe()}" for operation in operations_of(past)]


HIDDEN = frozenset({"boundary", "traceback", "incarnation", "sent"})


def _details(event: TraceEventLike) -> str:
    # None is a message like any other, and an answer; elsewhere it is that there is nothing to say.
    telling = {"body"} | ({"result"} if event.detail.get("outcome") == "ok" else set())
    shown = {name: value for name, value in event.detail.items() if name not in HIDDEN and (value is not None or name in telling)}
    return ", ".join(f"{name} {_shown(value)}" for name, value in shown.items())


def _shown(value: Value) -> str:
    return value if isinstance(value, str) and len(value) < 40 else render(value)
