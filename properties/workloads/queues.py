"""A queue that is drained in the end: what went in must have come out (Jepsen's `total-queue`).

Order is not looked at; `FifoQueue` is for that.  Counting is enough, in the order of events: an element may come out as often as
enqueues of it had begun by then, not counting those that failed.  In the end each acknowledged enqueue must have been matched.

What is exact about unknown outcomes: an enqueue that ended `info` may have happened, so its element may come out, and need not.  A
dequeue that ended `info` may have taken any one element, so as many elements as there are such dequeues may be missing without
being lost, and a drain that ended `info` may have taken everything.  Jepsen ignores the former and refuses the latter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, began, counted, ended
from .shapes import collection
from .workload import Workload

__all__ = ["TotalQueue"]


@dataclass(frozen=True)
class TotalQueue(Workload):
    """What goes in must come out: `enqueue(x)`, `dequeue() -> x` (None: empty) and `drain() -> (x, ...)`.

    Formula: every dequeued element was enqueued before, by a call that did not fail; every acknowledged enqueue has its dequeue by
    the end, for it is assumed that the queue is drained.  With `exactly_once`, nothing comes out more often than it was put in;
    otherwise that is only counted, as in Jepsen.  Cost: linear, after sorting by completion.

    The evidence's kind is `unexpected` (nobody enqueued it), `aborted-read` (who enqueued it failed), `duplicate` or `lost`.
    """

    exactly_once: bool = False

    functions: ClassVar[frozenset[str]] = frozenset({"enqueue", "dequeue", "drain"})
    lasting: ClassVar[frozenset[str]] = frozenset({"unexpected", "aborted-read", "duplicate"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "unexpected", "aborted-read", "duplicate", "lost")
        taken, repeated = self._taken(operations, findings)
        missing = Counter(one.argument for one in operations if one.function == "enqueue" and one.ok)
        missing.subtract({value: count for value, count in taken.items() if value in missing})
        missing = +missing
        pending = [one for one in operations if one.pending and one.function != "enqueue"]
        excuse = "" if not pending else self._excuse(missing.total(), pending)
        if missing and not excuse:
            self._lost(operations, missing, findings)
        if findings:
            return findings.verdict()
        if missing:
            return self._unknown(f"{counted(missing.total(), 'acknowledged element')} never came out, and {excuse}")
        if not any(one.function == "enqueue" for one in operations):
            return self._valid("nothing was enqueued, and nothing came out")
        again = f", {counted(repeated, 'element')} more than once, which is not held against the queue" if repeated else ""
        return self._valid(f"every acknowledged element came out{again}")

    def _taken(self, operations: Sequence[Operation], findings: Findings) -> tuple[Counter[Value], int]:
        """How often each element came out, and how many came out too often where that is allowed."""
        put: Counter[Value] = Counter()
        taken: Counter[Value] = Counter()
        enqueues = (one for one in operations if one.function == "enqueue")
        failed: dict[Value, Operation] = {}
        repeated: dict[Value, None] = {}
        following = next(enqueues, None)
        for dequeue in _dequeues(operations):
            assert dequeue.completed is not None
            while following is not None and following.invoked < dequeue.completed:
                if following.outcome is Outcome.FAIL:
                    failed[following.argument] = following
                else:
                    put[following.argument] += 1
                following = next(enqueues, None)
            for value in self._elements(dequeue):
                taken[value] += 1
                if taken[value] <= put[value]:
                    continue
                if put[value] == 0:
                    self._note_unexpected(value, dequeue, failed.get(value), findings)
                elif self.exactly_once:
                    self._note_duplicate(value, dequeue, put[value], taken[value], findings)
                else:
                    repeated[value] = None
        return taken, len(repeated)

    def _elements(self, operation: Operation) -> tuple[Value, ...]:
        if operation.function == "drain":
            return collection(self.name, operation)
        return () if operation.result is None else (operation.result,)

    @staticmethod
    def _note_unexpected(value: Value, dequeue: Operation, failed: Operation | None, findings: Findings) -> None:
        if failed is not None:
            findings.note(
                "aborted-read",
                lambda: f"element {render(value)} came out with {ended(dequeue)}, but {ended(failed)} did not put it in",
                failed,
                dequeue,
            )
        else:
            findings.note(
                "unexpected",
                lambda: f"element {render(value)} came out with {ended(dequeue)}, and nobody had put it in by then",
                dequeue,
            )

    @staticmethod
    def _note_duplicate(value: Value, dequeue: Operation, put: int, taken: int, findings: Findings) -> None:
        findings.note(
            "duplicate",
            lambda: f"element {render(value)} was put in {counted(put, 'time')} and came out {counted(taken, 'time')}, "
            f"last with {ended(dequeue)}",
            dequeue,
        )

    @staticmethod
    def _excuse(missing: int, pending: Sequence[Operation]) -> str:
        """Why so many elements need not be lost; empty if some must be."""
        drain = next((one for one in pending if one.function == "drain"), None)
        if drain is not None:
            return f"{began(drain)}, whose outcome is unknown, may have taken any number"
        if missing <= len(pending):
            return f"{counted(len(pending), 'dequeue')} whose outcome is unknown may have taken as many"
        return ""

    @staticmethod
    def _lost(operations: Sequence[Operation], missing: Counter[Value], findings: Findings) -> None:
        drained = any(one.ok and (one.function == "drain" or (one.function == "dequeue" and one.result is None)) for one in operations)
        doubt = "" if drained else " (nothing here shows that the queue was ever empty; it is taken to have been drained)"
        for enqueue in operations:
            if enqueue.function == "enqueue" and enqueue.ok and missing[enqueue.argument] > 0:
                missing[enqueue.argument] -= 1
                _note_lost(enqueue, doubt, findings)


def _note_lost(enqueue: Operation, doubt: str, findings: Findings) -> None:
    findings.note(
        "lost",
        lambda: f"element {render(enqueue.argument)} was put in by {ended(enqueue)} and never came out{doubt}",
        enqueue,
    )


def _dequeues(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Those that took something out, in the order of their completions."""
    found = [one for one in operations if one.function != "enqueue" and one.ok]
    found.sort(key=lambda one: one.completed or 0)
    return iter(found)
