"""Unique identifiers: no two calls get the same (Jepsen's `unique-ids`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..history import Operation, Value, render
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .workload import Workload

__all__ = ["UniqueIds"]


@dataclass(frozen=True)
class UniqueIds(Workload):
    """No two calls of `generate() -> id` get the same one.

    Formula: the results of calls that ended `ok` differ.  What a call with an unknown outcome was given nobody knows, so it excludes
    nothing.  Cost: linear.  The evidence's kind is `duplicate-id`.
    """

    functions: ClassVar[frozenset[str]] = frozenset({"generate"})
    lasting: ClassVar[frozenset[str]] = frozenset({"duplicate-id"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "duplicate-id")
        first: dict[Value, Operation] = {}
        for one in operations:
            if not one.ok:
                continue
            earlier = first.setdefault(one.result, one)
            if earlier is not one:
                findings.note("duplicate-id", partial(_twice, earlier, one), earlier, one)
        if findings:
            return findings.verdict()
        return self._valid(f"{counted(len(first), 'id')}, all different" if first else "no call was given an id")


def _twice(earlier: Operation, later: Operation) -> str:
    return f"id {render(later.result)} was given to {ended(earlier)} and to {ended(later)}"
