"""Isolation as a property: a level of isolation that a run, or a recorded history, must keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..collecting import Collecting
from ..history import Operation
from ..specification import SpecificationError
from ..verdict import Evidence, Monitor, Status, Verdict
from .analysis import WORKLOADS, Analysis, analyse
from .anomalies import Anomaly
from .levels import LEVELS, ruled_out, strongest

__all__ = ["Isolation"]

REAL_TIME = {"strict-serializable": "G2-item-realtime", "strong-snapshot-isolation": "G-nonadjacent-realtime"}
"""The levels that promise that each key goes with real time, and the anomaly that rules each out, and nothing weaker."""

SESSIONS = {
    "strong-session-serializable": "G2-item-process",
    "strong-session-snapshot-isolation": "G-nonadjacent-process",
    "parallel-snapshot-isolation": "G-single-process",
}
"""Those that promise that each session sees the versions of a key in their order."""


@dataclass(frozen=True)
class Isolation:
    """The transactions of a run keep a level of isolation: `Isolation("snapshot-isolation", workload="list-append")`.

    Formula: nothing that the level forbids can be inferred from what the transactions read (see `levels.py` for what each forbids,
    `transactions.py` for what a transaction looks like).  What cannot be seen in the reads is not held against the database.  If a
    value that was read was written twice to one key, reads do not say which write they saw, and the verdict is `unknown`, unless other
    keys show what the level forbids.  Cost: linear for lists without cycles and for registers with a serial order (`serial.py`), else
    transactions times sessions for registers (`weak.py`); see `cycles.py` for the others.  Sources: Adya 1999; Kingsbury & Alvaro 2020;
    for the weak levels see `weak.py`.

    `functions` restricts the property to some of the operations; None takes them all, and refuses those that are no transactions.
    `sequential_keys` and `linearizable_keys` are assumptions about registers (see `registers.py`).  Strict serializability and strong
    snapshot isolation imply both, strong session serializability, strong session and parallel snapshot isolation the former, so registers
    that are held to them are judged with them too.

    The evidence's kind is the gravest anomaly that rules the level out, such as `G-single-realtime`; its lines give the
    transactions, why each must come before the next, and which levels are ruled out and which still stand.
    """

    level: str = "strict-serializable"
    workload: str = "list-append"
    functions: frozenset[str] | None = None
    sequential_keys: bool = False
    linearizable_keys: bool = False

    def __post_init__(self) -> None:
        """Refuses levels and workloads that there are not.

        Raises:
            SpecificationError: says which ones there are.
        """
        if self.level not in LEVELS:
            raise SpecificationError(f"there is no level of isolation {self.level!r}: there are {', '.join(LEVELS)}")
        if self.workload not in WORKLOADS:
            raise SpecificationError(f"there is no workload {self.workload!r}: there are {' and '.join(WORKLOADS)}")
        if self.workload == "list-append" and (self.sequential_keys or self.linearizable_keys):
            raise SpecificationError("lists show the order of their versions: assumptions about keys are for rw-register")

    @property
    def name(self) -> str:
        """For example `Isolation(strict-serializable, list-append)`."""
        return f"Isolation({self.level}, {self.workload})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks whenever the history has doubled."""
        return Collecting(self, growth=2, for_good=_for_good)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is no transaction of this workload.
        """
        chosen = [one for one in operations if self.functions is None or one.function in self.functions]
        assumed = {"sequential_keys": self.sequential_keys, "linearizable_keys": self.linearizable_keys}
        analysis = analyse(chosen, self.workload, **assumed)
        if self.level in analysis.ruled_out:
            return self._invalid(analysis)
        late = None if analysis.serial else self._late(chosen, analysis)
        if late is not None:
            return late
        if analysis.ambiguous:
            return Verdict(self.name, Status.UNKNOWN, analysis.ambiguous)
        if not analysis.transactions:
            return Verdict(self.name, Status.VALID, "there are no transactions to judge")
        found = ", ".join(kind for kind, _count in analysis.counts)
        others = f"; but for {found}, which this level allows" if found else ""
        return Verdict(self.name, Status.VALID, f"nothing that {self.level} forbids was read{others}")

    def _late(self, operations: Sequence[Operation], analysis: Analysis) -> Verdict | None:
        """What some levels forbid of registers, since they promise something of every key, so that more versions have an order."""
        promised = REAL_TIME if self.level in REAL_TIME else SESSIONS
        if self.workload != "rw-register" or self.level not in promised:
            return None
        found = analyse(operations, self.workload, sequential_keys=True, linearizable_keys=promised is REAL_TIME, weak=False)
        known = {kind for kind, _count in analysis.counts}
        fresh = [anomaly for anomaly in found.anomalies if anomaly.kind not in known]
        decisive = next((anomaly for anomaly in fresh if self.level in ruled_out([anomaly.kind])), None)
        if decisive is None:
            return None
        out = [kind for level, kind in promised.items() if any(level in ruled_out([one.kind]) for one in fresh)]
        how = "each key goes with real time" if promised is REAL_TIME else "each session sees the versions of a key in their order"
        lines = [*decisive.lines, f"It takes for granted that {how}, which this level promises."]
        lines.append(f"Still standing: {', '.join(strongest([*known, *out])) or 'nothing'}.")
        reason = f"{decisive.kind}, if {how}, as {self.level} promises: {_summary(decisive)}"
        return Verdict(self.name, Status.INVALID, reason, Evidence(decisive.kind, tuple(lines), decisive.operations))

    def _invalid(self, analysis: Analysis) -> Verdict:
        against = {kind for kind, _count in analysis.counts if self.level in ruled_out([kind])}
        decisive = next(anomaly for anomaly in analysis.anomalies if anomaly.kind in against)
        lines = [*decisive.lines]
        if decisive.steps:
            lines.append(f"So each comes before the next, and T{decisive.operations[0]} before itself: {decisive.kind}.")
        found = [f"{kind} ({count} times)" if count > 1 else kind for kind, count in analysis.counts]
        if found != [decisive.kind]:
            lines.append(f"Found in all: {', '.join(found)}.")
        lines.append(f"Ruled out: {', '.join(analysis.ruled_out)}.")
        lines.append(f"Still standing: {', '.join(analysis.standing) or 'nothing'}.")
        evidence = Evidence(decisive.kind, tuple(lines), decisive.operations)
        reason = f"{decisive.kind}, which {self.level} forbids: {_summary(decisive)}"
        return Verdict(self.name, Status.INVALID, reason, evidence)


def _for_good(verdict: Verdict) -> bool:
    # A value that nobody wrote so far may be one that somebody writes later, which is another anomaly.
    return verdict.evidence is not None and verdict.evidence.kind != "garbage-read"


def _summary(anomaly: Anomaly) -> str:
    if not anomaly.steps:
        return anomaly.lines[0]
    if len(anomaly.steps) == 2:
        return "; ".join(step.why for step in anomaly.steps)
    names = [f"T{step.before}" for step in anomaly.steps]
    return f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''} would each have to come before the next, in a circle"
