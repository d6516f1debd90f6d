"""Everything that is wrong with a history of transactions, and what that leaves of the levels of isolation.

The steps: read the operations and infer the order of versions (`lists.py`, `registers.py`), which finds what is wrong with single
reads; build the graph of dependencies and ask whether it has any cycle (`dependencies.py`), which most histories have not; if it
has, tell the kinds apart (`cycles.py`) and put each into words.  Where that does not settle the weak levels, decide them (`weak.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..history import Operation
from ..specification import SpecificationError
from .anomalies import Anomaly, Step
from .cycles import Cycle, cycles
from .dependencies import FREE, KINDS, PROCESS, REALTIME
from .levels import ruled_out, strongest
from .lists import Lists
from .registers import Registers
from .transactions import AmbiguityError, Transactions, told_of
from .weak import WEAK, weak_anomaly

__all__ = ["WORKLOADS", "Analysis", "analyse"]

WORKLOADS: dict[str, str] = {
    "list-append": "Transactions that append unique elements to lists and read them, judged by a level of isolation.",
    "rw-register": "Transactions that write unique values to registers and read them, judged by a level of isolation.",
}
"""What the two workloads are, by their names."""

TOLD = 20
"""How many transactions of a cycle are told of; few cycles are that long."""


@dataclass(frozen=True)
class Analysis:
    """What is wrong with a history.

    `anomalies` holds a few of each kind, the gravest first, and `counts` how many there are (of cycles, one of each kind is
    looked for).  `ruled_out` are the levels that cannot hold, `standing` the strongest of the others.  `ambiguous` says why
    nothing could be inferred; empty where it could.
    """

    transactions: int
    anomalies: tuple[Anomaly, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    ruled_out: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    ambiguous: str = ""


def analyse(
    operations: Iterable[Operation],
    workload: str = "list-append",
    *,
    sequential_keys: bool = False,
    linearizable_keys: bool = False,
    weak: bool = True,
) -> Analysis:
    """Find every kind of anomaly in these operations, all of which must be transactions; those of `weak.py` only if `weak`.

    `sequential_keys` and `linearizable_keys` are assumptions about each key of `rw-register`; see `registers.py`.

    Raises:
        SpecificationError: an operation is no transaction of this workload, or there is no such workload.
    """
    operations = [*operations]
    make: dict[str, Callable[[], Transactions]] = {
        "list-append": lambda: Lists(operations),
        "rw-register": lambda: Registers(operations, sequential_keys=sequential_keys, linearizable_keys=linearizable_keys),
    }
    if workload not in make:
        raise SpecificationError(f"there is no workload {workload!r}: there are {' and '.join(make)}")
    try:
        history = make[workload]()
    except AmbiguityError as error:
        return Analysis(len(operations), ambiguous=str(error))
    consistent = history.dependencies.consistent()
    if not consistent:
        for kind, cycle in cycles(history.dependencies, (operation.process for operation in history.operations)):
            if history.findings.wants(kind):
                history.findings.keep(_told(history, kind, cycle))
    # Of lists the order of versions is known, so that one without cycles is the serial order that every level asks for.
    out = frozenset(ruled_out(history.findings.counts))
    if weak and (not consistent or workload != "list-append") and not out.issuperset(WEAK.values()):
        anomaly = weak_anomaly(history)
        if anomaly is not None and WEAK[anomaly.kind] not in out and history.findings.wants(anomaly.kind):
            history.findings.keep(anomaly)
    counts = history.findings.counts
    anomalies = history.findings.anomalies()
    kinds = dict.fromkeys(anomaly.kind for anomaly in anomalies)
    return Analysis(len(operations), anomalies, tuple((kind, counts[kind]) for kind in kinds), ruled_out(kinds), strongest(kinds))


def _told(history: Transactions, kind: str, cycle: Cycle) -> Anomaly:
    """A cycle in words: its transactions, and for each the reason why it must come before the next."""
    edges = _without_junctions(history, cycle)
    numbers = [source for source, _target, _kind in edges]
    steps = tuple(
        Step(history.operations[source].id, history.operations[target].id, KINDS[name], _why(history, source, target, name))
        for source, target, name in edges
    )
    lines = [told_of(history.operations[number]) for number in numbers[:TOLD]]
    lines += [f"T{step.before} before T{step.after}: {step.why}" for step in steps[:TOLD]]
    if len(steps) > TOLD:
        lines.append(f"and so on, through {len(steps) - TOLD} transactions more, back to T{steps[0].before}")
    return Anomaly(kind, tuple(lines), tuple(step.before for step in steps), steps)


def _without_junctions(history: Transactions, cycle: Cycle) -> Cycle:
    """The cycle with each pair of edges through a junction as the one that it stands for."""
    count = history.dependencies.transactions
    through = {source: target for source, target, kind in cycle if kind == FREE}
    return tuple(
        (source, target if target < count else through[target], kind) for source, target, kind in cycle if kind != FREE
    )


def _why(history: Transactions, source: int, target: int, kind: int) -> str:
    one, other = history.operations[source], history.operations[target]
    if kind == PROCESS:
        return f"{one.process} ran T{one.id} and then T{other.id}"
    if kind == REALTIME:
        ended = f"T{one.id} had ended (event {one.completed}, {one.completed_at} s)"
        return f"{ended} when T{other.id} began (event {other.invoked}, {other.invoked_at} s)"
    return history.why(source, target, kind)
