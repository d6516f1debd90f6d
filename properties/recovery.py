"""What a run owes once faults have ended: nothing acknowledged is lost, everything in flight ends, work goes on.

A run ends with a calm phase: an Incident of kind `calm` says that faults have ended.  These properties are `unknown` for a run
that never became calm, because nothing was promised about it.  All are folds with constant work per event, plus the size of
what is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .history import Event, Incident, Invoke, Operation, Outcome, Value
from .selectors import NEVER_CALM, SHOWN, Pairing, Selector, arguments_of, listed, results_of, shown
from .verdict import Evidence, Monitor, Status, Verdict

__all__ = ["Durable", "Progress", "Terminal"]


@dataclass(frozen=True)
class Durable:
    """What was acknowledged is there after recovery: `Durable(issued_documents, "audit")`.

    `acknowledged` selects the items that an operation was told are safe (as a name: the argument of each ok call of that
    function); `surviving` selects what an operation saw to be there (as a name: the tuples that the function returned).

    Formula: after the run became calm, the last ok operation that `surviving` speaks of shows every item whose
    acknowledgement came before it was invoked.  `unknown` if nobody looked (the selector gave None each time).  Cost: one set
    operation per item.  The evidence's kind is `lost`.
    """

    acknowledged: Selector | str
    surviving: Selector | str

    @property
    def name(self) -> str:
        """For example `Durable(issue)`."""
        return f"Durable({shown(self.acknowledged)})"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _DurabilityMonitor(self)


class _DurabilityMonitor:
    def __init__(self, prop: Durable) -> None:
        self._property = prop
        self._operations = Pairing()
        self._acknowledged = arguments_of(prop.acknowledged) if isinstance(prop.acknowledged, str) else prop.acknowledged
        self._surviving = results_of(prop.surviving) if isinstance(prop.surviving, str) else prop.surviving
        self._promised: dict[Value, Operation] = {}
        self._calm: int | None = None
        self._seen: tuple[Operation, frozenset[Value]] | None = None

    def feed(self, event: Event) -> Verdict | None:
        if isinstance(event, Incident) and event.kind == "calm":
            self._calm = event.index
        operation = self._operations.feed(event)
        if operation is None or not operation.ok:
            return None
        if self._calm is not None and operation.invoked > self._calm:
            survivors = self._surviving(operation)
            if survivors is not None:
                self._seen = operation, frozenset(survivors)
        for item in self._acknowledged(operation) or ():
            self._promised.setdefault(item, operation)
        return None

    def finish(self) -> Verdict:
        name = self._property.name
        if self._calm is None:
            return Verdict(name, Status.UNKNOWN, NEVER_CALM)
        if self._seen is None:
            return Verdict(name, Status.UNKNOWN, "nobody looked at what survived after the run became calm")
        audit, survivors = self._seen
        due = {item: by for item, by in self._promised.items() if by.completed is not None and by.completed < audit.invoked}
        lost = {item: by for item, by in due.items() if item not in survivors}
        if not lost:
            reason = f"all {len(due)} acknowledged items survived" if due else "nothing was acknowledged"
            return Verdict(name, Status.VALID, reason)
        lines = [f"{by.describe()}, acknowledged at {by.completed_at:.3f} s" for by in [*lost.values()][:SHOWN]]
        lines.append(f"{audit.process} {audit.function}, invoked at {audit.invoked_at:.3f} s, does not show {listed(lost)}")
        operations = (*(by.id for by in lost.values()), audit.id)
        reason = f"{len(lost)} of {len(due)} acknowledged items are gone: {listed(lost)}"
        return Verdict(name, Status.INVALID, reason, Evidence("lost", tuple(lines), operations, (audit.invoked,)))


@dataclass(frozen=True)
class Terminal:
    """Everything in flight reaches a terminal state: when the run is over, no operation is open and nothing is pending.

    `pending` selects what an operation saw to be neither committed nor aborted (as a name: the tuples that the function
    returned); the last ok operation after the run became calm that it speaks of must show nothing.

    Formula: every invocation has a completion, and the last such answer is empty.  `info` is an end for the client, who
    gave up; what became of the document is what `pending` is for.  Cost: constant per event.  The evidence's kind is
    `in-flight` or `pending`.
    """

    pending: Selector | str | None = None

    @property
    def name(self) -> str:
        """`Terminal`, and what it looks at."""
        return f"Terminal({shown(self.pending)})" if self.pending is not None else "Terminal"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _TerminalMonitor(self)


class _TerminalMonitor:
    def __init__(self, prop: Terminal) -> None:
        self._property = prop
        self._operations = Pairing()
        self._pending = results_of(prop.pending) if isinstance(prop.pending, str) else prop.pending
        self._calm: int | None = None
        self._count = 0
        self._last: tuple[Operation, tuple[Value, ...]] | None = None

    def feed(self, event: Event) -> Verdict | None:
        if isinstance(event, Incident) and event.kind == "calm":
            self._calm = event.index
        operation = self._operations.feed(event)
        if operation is None:
            return None
        self._count += 1
        if self._pending is not None and operation.ok and self._calm is not None and operation.invoked > self._calm:
            items = self._pending(operation)
            if items is not None:
                self._last = operation, tuple(items)
        return None

    def finish(self) -> Verdict:
        name = self._property.name
        if self._calm is None:
            return Verdict(name, Status.UNKNOWN, NEVER_CALM)
        waiting = [*self._operations.open.values()]
        if waiting:
            lines = [f"{one.process} {one.function}, invoked at {one.time:.3f} s, never ended" for one in waiting[:SHOWN]]
            events = tuple(one.index for one in waiting)
            evidence = Evidence("in-flight", tuple(lines), tuple(one.operation for one in waiting), events)
            return Verdict(name, Status.INVALID, f"{len(waiting)} operations are still in flight at the end", evidence)
        if self._pending is not None and self._last is None:
            return Verdict(name, Status.UNKNOWN, "nobody looked at what is pending after the run became calm")
        if self._last is not None and self._last[1]:
            operation, items = self._last
            line = f"{operation.process} {operation.function} at {operation.invoked_at:.3f} s shows as pending: {listed(items)}"
            evidence = Evidence("pending", (line,), (operation.id,), (operation.invoked,))
            return Verdict(name, Status.INVALID, f"{len(items)} items are still pending at the end", evidence)
        return Verdict(name, Status.VALID, f"all {self._count} operations ended" if self._count else "there were no operations")


@dataclass(frozen=True)
class Progress:
    """Work goes on once faults have ended: every operation invoked after the run became calm ends ok.

    `functions` restricts it to some operations; None takes them all.  With `may_fail` an operation may also end `fail`,
    where the system is right to refuse (a compare-and-set that lost).  Formula: liveness with a deadline, the operation's
    own time-out.  Cost: constant per event. The evidence's kind is `no-progress:` and the function.
    """

    functions: frozenset[str] | None = None
    may_fail: bool = False

    @property
    def name(self) -> str:
        """`Progress`."""
        return "Progress"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _ProgressMonitor(self)


class _ProgressMonitor:
    def __init__(self, prop: Progress) -> None:
        self._property = prop
        self._operations = Pairing()
        self._calm: int | None = None
        self._count = 0

    def feed(self, event: Event) -> Verdict | None:
        if isinstance(event, Incident) and event.kind == "calm":
            self._calm = event.index
        operation = self._operations.feed(event)
        if operation is None or not self._watched(operation.function, operation.invoked):
            return None
        self._count += 1
        if operation.ok or (self._property.may_fail and operation.outcome is Outcome.FAIL):
            return None
        line = f"{operation.describe()}, invoked at {operation.invoked_at:.3f} s, after faults had ended"
        return self._invalid(operation.function, line, operation.id, event.index)

    def _watched(self, function: str, invoked: int) -> bool:
        functions = self._property.functions
        return self._calm is not None and invoked > self._calm and (functions is None or function in functions)

    def _invalid(self, function: str, line: str, operation: int, event: int) -> Verdict:
        evidence = Evidence(f"no-progress:{function}", (line,), (operation,), (event,))
        reason = f"a {function} invoked after faults had ended did not succeed"
        return Verdict(self._property.name, Status.INVALID, reason, evidence)

    def finish(self) -> Verdict:
        if self._calm is None:
            return Verdict(self._property.name, Status.UNKNOWN, NEVER_CALM)
        for invoke in self._open():
            line = f"{invoke.process} {invoke.function}, invoked at {invoke.time:.3f} s, after faults had ended, never ended"
            return self._invalid(invoke.function, line, invoke.operation, invoke.index)
        counted = f"all {self._count} operations invoked after the calm succeeded"
        reason = counted if self._count else "nothing was invoked after the calm"
        return Verdict(self._property.name, Status.VALID, reason)

    def _open(self) -> Iterator[Invoke]:
        return (invoke for invoke in self._operations.open.values() if self._watched(invoke.function, invoke.index))
