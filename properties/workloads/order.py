"""Writes that are seen in an order in which they cannot have happened: Jepsen's `causal-reverse`.

Each write inserts a value of its own, and a read shows all that are there.  If a write was acknowledged before another began, no read
may show the later one without the earlier one: that would be strict serializability violated, though not serializability.

For a read it is enough to know which of its values began last: all that was acknowledged before that must be in it.  How many those
are is known after sorting, so what is missing is only looked for where the number is wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .shapes import collection
from .workload import Workload

__all__ = ["CausalReverse"]

NEVER = 1 << 62


@dataclass(frozen=True)
class CausalReverse(Workload):
    """No read shows a write without one that was acknowledged before it began: `write(x)`, `read() -> (x, ...)`.

    Formula: for each value in a read, every value whose write ended `ok` before all writes of the former began is in it too.  Also, no
    read shows what was not yet written, or by writes that failed only.  Where all arguments are pairs of key and value, as are what
    reads return, keys are judged on their own.  Cost: O(n log n) and what was read.

    The evidence's kind is `causal-reverse`, `unexpected` or `aborted-read`.
    """

    functions: ClassVar[frozenset[str]] = frozenset({"write", "read"})
    lasting: ClassVar[frozenset[str]] = frozenset({"causal-reverse", "unexpected", "aborted-read"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "causal-reverse", "unexpected", "aborted-read")
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("nothing was ever read")
        keyed = _keyed(operations)
        parts = _by_key(operations) if keyed else {None: operations}
        for part in parts.values():
            _Part(part, keyed=keyed).judge(findings)
        return findings.verdict() if findings else self._valid(f"{counted(len(reads), 'read')} in accordance with real time")


def _keyed(operations: Sequence[Operation]) -> bool:
    """True if every write, and every result of a read, is a pair of key and value, as Jepsen's independent keys have it."""
    for one in operations:
        if one.function == "write":
            if not isinstance(one.argument, tuple) or len(one.argument) != 2:
                return False
        elif one.ok:
            pair = one.result
            if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], tuple | None):
                return False
            if isinstance(pair[0], tuple) and len(pair[0]) == 2:  # A read of two pairs, and not of one key.
                return False
    return True


def _by_key(operations: Sequence[Operation]) -> Mapping[Value, list[Operation]]:
    parts: dict[Value, list[Operation]] = {}
    for one in operations:
        pair = one.argument if one.function == "write" else one.result
        if isinstance(pair, tuple):
            parts.setdefault(pair[0], []).append(one)
    return parts


class _Part:
    """Writes and reads of one key; `keyed` if they name it."""

    def __init__(self, operations: Sequence[Operation], *, keyed: bool) -> None:
        self._keyed = keyed
        self._reads = [one for one in operations if one.function == "read" and one.ok]
        self._first: dict[Value, Operation] = {}
        self._failed: dict[Value, Operation] = {}
        acknowledged: dict[Value, Operation] = {}
        for one in operations:
            if one.function != "write":
                continue
            value = self._part(one.argument)
            if one.outcome is Outcome.FAIL:
                self._failed.setdefault(value, one)
                continue
            self._first.setdefault(value, one)
            if one.completed is not None and (value not in acknowledged or one.completed < (acknowledged[value].completed or 0)):
                acknowledged[value] = one
        self._acknowledged = sorted(acknowledged.values(), key=lambda one: one.completed or 0)
        self._ends = [one.completed or 0 for one in self._acknowledged]
        self._rank = {self._part(one.argument): rank for rank, one in enumerate(self._acknowledged)}

    def _part(self, value: Value) -> Value:
        return value[1] if self._keyed and isinstance(value, tuple) else value

    def _elements(self, read: Operation) -> tuple[Value, ...]:
        if not self._keyed:
            return collection(CausalReverse.__name__, read)
        elements = self._part(read.result)
        return elements if isinstance(elements, tuple) else ()

    def judge(self, findings: Findings) -> None:
        """Note what is wrong with each read."""
        for read in self._reads:
            shown = dict.fromkeys(self._elements(read))
            last: Operation | None = None
            for value in shown:
                write = self._first.get(value)
                if write is None or write.invoked > (read.completed or 0):
                    self._note_unexpected(value, read, findings)
                elif last is None or write.invoked > last.invoked:
                    last = write
            if last is None:
                continue
            due = bisect_left(self._ends, last.invoked)
            rank, none = self._rank, len(self._ends)
            if sum(rank.get(value, none) < due for value in shown) < due:
                missing = next(one for one in self._acknowledged if self._part(one.argument) not in shown)
                findings.note("causal-reverse", partial(_reversed, read, last, missing), missing, last, read)

    def _note_unexpected(self, value: Value, read: Operation, findings: Findings) -> None:
        failed = self._failed.get(value)
        if failed is not None:
            findings.note("aborted-read", lambda: f"{ended(read)} shows {render(value)}, which {ended(failed)} did not write", failed, read)
        else:
            findings.note("unexpected", lambda: f"{ended(read)} shows {render(value)}, which nobody had written by then", read)


def _reversed(read: Operation, last: Operation, missing: Operation) -> str:
    return (
        f"{ended(read)} shows {render(last.argument)}, and not {render(missing.argument)}, though {ended(missing)} had ended "
        f"before {ended(last)} began"
    )
