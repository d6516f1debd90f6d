"""Everything that is wrong with a history of transactions, and what that leaves of the levels of isolation.

The steps: read the operations and infer the order of versions (`lists.py`, `registers.py`), which finds what is wrong with single
reads; build the graph of dependencies and ask whether it has any cycle (`dependencies.py`), which most histories have not; if it
has, tell the kinds apart (`cycles.py`) and put each into words.  Where that does not settle the weak levels, decide them (`weak.py`);
where it leaves consistent view standing, look for cycles among what that forces as well (`forced.py`).  Registers whose transactions fit
into a serial order need none of this (`serial.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from ..history import Operation, Value
from ..specification import SpecificationError
from .anomalies import Anomaly, Step
from .cycles import Cycle, cycles
from .dependencies import FREE, KINDS, PROCESS, REALTIME
from .forced import Forced, at_least_single
from .levels import implied, ruled_out, strongest
from .lists import Lists
from .registers import Registers
from .serial import serial_order
from .transactions import READ, AmbiguityError, Transactions, told_of
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

    `anomalies` holds a few of each kind, the gravest first, and `counts` how many were met (of cycles, one of each kind is looked for).
    `ruled_out` are the levels that cannot hold, `standing` the strongest of the others.  `ambiguous` says why nothing could be inferred
    of some keys; empty where it could of all.  `serial` is true if a serial order was found that explains every read and respects real
    time, which no level asks more than.
    """

    transactions: int
    anomalies: tuple[Anomaly, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    ruled_out: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    ambiguous: str = ""
    serial: bool = False


def analyse(
    operations: Iterable[Operation],
    workload: str = "list-append",
    *,
    sequential_keys: bool = False,
    linearizable_keys: bool = False,
    weak: bool = True,
) -> Analysis:
    """Find every kind of anomaly in these operations, all of which must be transactions.

    Those of `weak.py`, and what makes a search for them needless (`serial.py`), are looked for only if `weak`.

    `sequential_keys` and `linearizable_keys` are assumptions about each key of `rw-register`; see `registers.py`.

    Raises:
        SpecificationError: an operation is no transaction of this workload, or there is no such workload.
    """
    if workload not in WORKLOADS:
        raise SpecificationError(f"there is no workload {workload!r}: there are {' and '.join(WORKLOADS)}")
    given = [*operations]
    ambiguous = ""
    try:
        history = _read(given, workload, sequential_keys, linearizable_keys)
    except AmbiguityError as error:
        # What holds of a whole history holds of some of its keys, so what is wrong with the others is wrong.
        ambiguous = str(error)
        history = _read(_without(given, frozenset(error.keys)), workload, sequential_keys, linearizable_keys)
    consistent = history.dependencies.consistent()
    if consistent and not history.findings.counts and (not isinstance(history, Registers) or (weak and serial_order(history) is not None)):
        return Analysis(len(given), standing=strongest(()), ambiguous=ambiguous, serial=True)
    if not consistent:
        _find_cycles(history)
    # Of lists the order of versions is known, so that one without cycles is the serial order that every level asks for.
    undecided = not consistent or isinstance(history, Registers)
    out = frozenset(ruled_out(history.findings.counts))
    if undecided and weak and not out.issuperset(WEAK.values()):
        anomaly = weak_anomaly(history)
        if anomaly is not None and WEAK[anomaly.kind] not in out and history.findings.wants(anomaly.kind):
            history.findings.keep(anomaly)
    # Forced edges are for consistent view and above only, so nothing that is decided for other levels may see them.
    if undecided and "consistent-view" not in out:
        forced = Forced(history)
        if forced.reasons and not history.dependencies.consistent():
            _find_cycles(history, forced)
    counts = history.findings.counts
    anomalies = history.findings.anomalies()
    kinds = dict.fromkeys(anomaly.kind for anomaly in anomalies)
    told = tuple((kind, counts[kind]) for kind in kinds)
    return Analysis(len(given), anomalies, told, ruled_out(kinds), strongest(kinds), ambiguous)


def _read(operations: Sequence[Operation], workload: str, sequential_keys: bool, linearizable_keys: bool) -> Transactions:
    """The transactions; some write down what is to be read without the place for what is (`[:r :x]`)."""
    try:
        return _made(operations, workload, sequential_keys, linearizable_keys)
    except SpecificationError:
        completed = [_with_places(operation) for operation in operations]
        if completed == operations:
            raise
        return _made(completed, workload, sequential_keys, linearizable_keys)


def _made(operations: Sequence[Operation], workload: str, sequential_keys: bool, linearizable_keys: bool) -> Transactions:
    if workload == "list-append":
        return Lists(operations)
    return Registers(operations, sequential_keys=sequential_keys, linearizable_keys=linearizable_keys)


def _with_places(operation: Operation) -> Operation:
    asked: Any = operation.argument
    if not isinstance(asked, tuple) or not any(isinstance(part, tuple) and len(part) == 2 and part[0] == READ for part in asked):
        return operation
    places = (part if not isinstance(part, tuple) or len(part) != 2 or part[0] != READ else (*part, None) for part in asked)
    return replace(operation, argument=tuple(places))


def _without(operations: Sequence[Operation], keys: AbstractSet[Value]) -> list[Operation]:
    """The operations without what they do to some keys."""
    found = []
    for operation in operations:
        asked: Any = operation.argument
        told: Any = operation.result
        left = tuple(part for part in asked if part[1] not in keys)
        found.append(replace(operation, argument=left, result=told and tuple(part for part in told if part[1] not in keys)))
    return found


def _find_cycles(history: Transactions, forced: Forced | None = None) -> None:
    """Put down one cycle of each kind, with forced edges or without."""
    findings = history.findings
    before = frozenset() if forced is None else implied(findings.counts)
    for found, cycle in cycles(history.dependencies, (operation.process for operation in history.operations)):
        kind = found if forced is None else at_least_single(found)
        if kind not in before and findings.wants(kind):
            findings.keep(_told(history, kind, cycle, forced))


def _told(history: Transactions, kind: str, cycle: Cycle, forced: Forced | None) -> Anomaly:
    """A cycle in words: its transactions, and for each the reason why it must come before the next."""
    edges = _without_junctions(history, cycle)
    numbers = [source for source, _target, _kind in edges]
    steps = tuple(
        Step(history.operations[source].id, history.operations[target].id, KINDS[name], _why(history, source, target, name, forced))
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


def _why(history: Transactions, source: int, target: int, kind: int, forced: Forced | None) -> str:
    one, other = history.operations[source], history.operations[target]
    if kind == PROCESS:
        return f"{one.process} ran T{one.id} and then T{other.id}"
    if kind == REALTIME:
        ended = f"T{one.id} had ended (event {one.completed}, {one.completed_at} s)"
        return f"{ended} when T{other.id} began (event {other.invoked}, {other.invoked_at} s)"
    return (forced and forced.why(source, target, kind)) or history.why(source, target, kind)
