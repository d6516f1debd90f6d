"""A queue that is drained in the end: what went in must have come out (Jepsen's `total-queue`).

Order is not looked at; `FifoQueue` is for that.  Counting is enough, in the order of events: an element may come out as often as
enqueues of it had begun by then, not counting those that failed.  Backwards, each acknowledged enqueue must find an element of its own
that came out after it began.

What is exact about unknown outcomes: an enqueue that ended `info` may have happened, so its element may come out, and need not.  A
dequeue that ended `info` may have taken any one element, so as many elements as there are such dequeues may be missing without
being lost, and a drain that ended `info` may have taken everything.  Jepsen ignores the former and refuses the latter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
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

    Formula: every dequeued element was enqueued before, by a call that did not fail; every acknowledged enqueue has a dequeue of its own
    by the end, for it is assumed that the queue is drained.  With `exactly_once`, nothing comes out more often than it was put in;
    otherwise that is only counted, as in Jepsen.  Cost: linear, after sorting by completion.

    The evidence's kind is `unexpected` (nobody enqueued it), `aborted-read` (who enqueued it failed), `duplicate` or `lost`.
    """

    exactly_once: bool = False

    functions: ClassVar[frozenset[str]] = frozenset({"enqueue", "dequeue", "drain"})
    lasting: ClassVar[frozenset[str]] = frozenset({"unexpected", "aborted-read", "duplicate"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "unexpected", "aborted-read", "duplicate", "lost")
        takes = [one for one in operations if one.function != "enqueue" and one.ok]
        takes.sort(key=lambda one: one.completed or 0)
        repeated = self._come_out(operations, takes, findings)
        missing = self._missing(operations, takes)
        pending = [one for one in operations if one.pending and one.function != "enqueue"]
        excuse = "" if not pending else _excuse(len(missing), pending)
        if missing and not excuse:
            drained = any(one.function == "drain" or one.result is None for one in takes)
            doubt = "" if drained else " (nothing here shows that the queue was ever empty; it is taken to have been drained)"
            for enqueue in missing:
                findings.note("lost", partial(_lost, enqueue, doubt), enqueue)
        if findings:
            return findings.verdict()
        if missing:
            return self._unknown(f"{counted(len(missing), 'acknowledged element')} never came out, and {excuse}")
        if not any(one.function == "enqueue" for one in operations):
            return self._valid("nothing was enqueued, and nothing came out")
        again = f", {counted(repeated, 'element')} more than once, which is not held against the queue" if repeated else ""
        return self._valid(f"every acknowledged element came out{again}")

    def _come_out(self, operations: Sequence[Operation], takes: Sequence[Operation], findings: Findings) -> int:
        """Note what cannot have come out; gives how many elements came out too often, where that is allowed."""
        put: Counter[Value] = Counter()
        taken: Counter[Value] = Counter()
        enqueues = (one for one in operations if one.function == "enqueue")
        failed: dict[Value, Operation] = {}
        repeated: dict[Value, None] = {}
        following = next(enqueues, None)
        for take in takes:
            while following is not None and following.invoked < (take.completed or 0):
                if following.outcome is Outcome.FAIL:
                    failed[following.argument] = following
                else:
                    put[following.argument] += 1
                following = next(enqueues, None)
            for value in self._elements(take):
                taken[value] += 1
                if taken[value] <= put[value]:
                    continue
                if put[value] == 0:
                    self._note_unexpected(value, take, failed.get(value), findings)
                elif self.exactly_once:
                    before = self._story(value, operations, takes, take) if findings.wants("duplicate") else ()
                    self._note_duplicate(value, before, take, put[value], taken[value], findings)
                else:
                    repeated[value] = None
        return len(repeated)

    def _missing(self, operations: Sequence[Operation], takes: Sequence[Operation]) -> list[Operation]:
        """Acknowledged enqueues that are left over if each is given an element of its own that came out after it began."""
        missing: list[Operation] = []
        out: Counter[Value] = Counter()
        at = len(takes)
        for enqueue in reversed(operations):
            if enqueue.function != "enqueue" or not enqueue.ok:
                continue
            while at and (takes[at - 1].completed or 0) > enqueue.invoked:
                at -= 1
                out.update(self._elements(takes[at]))
            if out[enqueue.argument]:
                out[enqueue.argument] -= 1
            else:
                missing.append(enqueue)
        return missing[::-1]

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

    def _story(self, value: Value, operations: Sequence[Operation], takes: Sequence[Operation], last: Operation) -> list[Operation]:
        """Who put an element in, and with whom it came out before."""
        put = [one for one in operations if one.function == "enqueue" and one.argument == value and one.outcome is not Outcome.FAIL]
        return [*put, *(take for take in takes[: takes.index(last)] if value in self._elements(take))]

    @staticmethod
    def _note_duplicate(
        value: Value, before: Sequence[Operation], dequeue: Operation, put: int, taken: int, findings: Findings
    ) -> None:
        findings.note(
            "duplicate",
            lambda: f"element {render(value)} was put in {counted(put, 'time')} and came out {counted(taken, 'time')}, "
            f"last with {ended(dequeue)}",
            *before,
            dequeue,
        )


def _excuse(missing: int, pending: Sequence[Operation]) -> str:
    """Why so many elements need not be lost; empty if some must be."""
    drain = next((one for one in pending if one.function == "drain"), None)
    if drain is not None:
        return f"{began(drain)}, whose outcome is unknown, may have taken any number"
    if missing <= len(pending):
        return f"{counted(len(pending), 'dequeue')} whose outcome is unknown may have taken as many"
    return ""


def _lost(enqueue: Operation, doubt: str) -> str:
    return f"element {render(enqueue.argument)} was put in by {ended(enqueue)} and never came out{doubt}"
