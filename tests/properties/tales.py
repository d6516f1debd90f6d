"""Histories written down by hand: `tale("c1 add 1", "c1 ok", ...)` would be nice, and calls are nearly as short."""

from __future__ import annotations

from killpoint.properties import Complete, Evidence, History, Invoke, Operation, Outcome, Status, Value, Verdict
from killpoint.properties.history import Event
from killpoint.properties.workloads import Workload

FAIL, INFO, OK = Outcome.FAIL, Outcome.INFO, Outcome.OK


class Tale:
    """Writes a history down, an event each tenth of a second.  Each call of `did` is an operation on its own; `begin` and `end` overlap."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._open: dict[str, Invoke] = {}
        self._number = 0
        self._spent: dict[str, int] = {}

    def _when(self, at: float | None) -> tuple[int, float]:
        last = self.events[-1].time if self.events else 0.0
        return len(self.events), max(last, last + 0.1 if at is None else at)

    def begin(self, process: str, function: str, argument: Value = None, at: float | None = None) -> Tale:
        name = f"{process}/{self._spent[process]}" if process in self._spent else process
        event = Invoke(*self._when(at), name, self._number, function, argument)
        self._number += 1
        self._open[process] = event
        self.events.append(event)
        return self

    def end(
        self, process: str, result: Value = None, outcome: Outcome = OK, error: str | None = None, at: float | None = None
    ) -> Tale:
        invoke = self._open.pop(process)
        self.events.append(Complete(*self._when(at), invoke.process, invoke.operation, outcome, result, error))
        if outcome is INFO:
            self._spent[process] = self._spent.get(process, 1) + 1
        return self

    def did(
        self, process: str, function: str, argument: Value = None, result: Value = None, outcome: Outcome = OK, error: str | None = None
    ) -> Tale:
        return self.begin(process, function, argument).end(process, result, outcome, error)

    @property
    def operations(self) -> tuple[Operation, ...]:
        return History(self.events).operations


def valid(prop: Workload, tale: Tale) -> Verdict:
    """The verdict, which is valid."""
    verdict = prop.judge(tale.operations)
    assert verdict.status is Status.VALID, (verdict.reason, verdict.evidence)
    return verdict


def unknown(prop: Workload, tale: Tale, saying: str) -> None:
    """It is unknown, and says why."""
    verdict = prop.judge(tale.operations)
    assert verdict.status is Status.UNKNOWN, (verdict.reason, verdict.evidence)
    assert saying in verdict.reason


def invalid(prop: Workload, tale: Tale, kind: str, saying: str = "") -> Evidence:
    """It is invalid for this reason, in operations that there are, and says so while it runs or at its end."""
    verdict = prop.judge(tale.operations)
    assert verdict.evidence is not None, verdict.reason
    assert (verdict.status, verdict.evidence.kind) == (Status.INVALID, kind), (verdict.reason, verdict.evidence)
    assert saying in verdict.reason, verdict.reason
    assert verdict.evidence.operations
    assert set(verdict.evidence.operations) <= {one.id for one in tale.operations}
    monitor = prop.start()
    early = [found for event in tale.events if (found := monitor.feed(event)) is not None]
    assert (early or [monitor.finish()])[0].status is Status.INVALID
    return verdict.evidence
