"""What a history consists of: how calls ended, and which errors nobody expected (Jepsen's `stats`, `unhandled-exceptions`).

A test whose every write failed has tested nothing, however valid all else is; and errors that nobody thought of are the
first place to look at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..history import Operation, Outcome
from ..verdict import Verdict
from .findings import Findings, counted
from .workload import Workload

__all__ = ["Stats", "UnhandledErrors", "error_class"]

TOLD = 12
"""How many functions or errors are told of."""


@dataclass(frozen=True)
class Stats(Workload):
    """Every function that was called has succeeded at least once; says how often each ended `ok`, `fail` and `info`.

    Formula: for each function that occurs, but for those in `hopeless` (calls that never can succeed, like Jepsen's `crash`), an
    operation ended `ok`.  Jepsen's documentation calls the other case unknown and its code false; here it is `invalid`.  Cost:
    linear.  The evidence's kind is `never-ok`.
    """

    hopeless: frozenset[str] = frozenset({"crash", "debug-topic-partitions"})

    functions: ClassVar[None] = None

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        counts: dict[str, dict[Outcome, int]] = {}
        first: dict[str, Operation] = {}
        for one in operations:
            first.setdefault(one.function, one)
            by_end = counts.setdefault(one.function, dict.fromkeys(Outcome, 0))
            by_end[one.outcome] += 1
        findings = Findings(self.name, "never-ok")
        for function, by_end in counts.items():
            if not by_end[Outcome.OK] and function not in self.hopeless:
                findings.note("never-ok", partial(_never, function, by_end), first[function])
        told = "; ".join(f"{function}: {_ends(by_end)}" for function, by_end in [*counts.items()][:TOLD])
        return findings.verdict() if findings else self._valid(f"{counted(len(operations), 'operation')}: {told}")


def _ends(by_end: dict[Outcome, int]) -> str:
    return ", ".join(f"{number} {outcome.value}" for outcome, number in by_end.items())


def _never(function: str, by_end: dict[Outcome, int]) -> str:
    return f"no {function} ever ended ok ({_ends(by_end)}), so it was not tested"


@dataclass(frozen=True)
class UnhandledErrors(Workload):
    """Which errors operations with an unknown outcome ended with: how often each, and an example.

    It is `valid` whatever there is, as in Jepsen; the reason tells.  With `allowed`, classes of errors that are expected, any other
    one is a violation.  An error's class is its first word where a colon follows or it stands alone or in brackets
    (`java.net.SocketTimeoutException: Read timed out`), else its text without numbers.

    Formula: every `info` completion has an error of an allowed class.  Cost: linear.  The evidence's kind is `error:` and the class.
    """

    allowed: frozenset[str] | None = None

    functions: ClassVar[None] = None

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        found: dict[str, list[Operation]] = {}
        for one in operations:
            # One that was never completed was cut off with the history and met no error.
            if one.pending and one.completed_at is not None:
                found.setdefault(error_class(one.error), []).append(one)
        ordered = sorted(found.items(), key=lambda item: -len(item[1]))
        if self.allowed is not None:
            unexpected = [(kind, examples) for kind, examples in ordered if kind not in self.allowed]
            if unexpected:
                findings = Findings(self.name, *(f"error:{kind}" for kind, _examples in unexpected))
                for kind, examples in unexpected:
                    for example in examples:
                        findings.note(f"error:{kind}", example.describe, example)
                return findings.verdict()
        if not ordered:
            return self._valid("no operation ended with an error of unknown consequence")
        told = "; ".join(f"{kind} {counted(len(examples), 'time')}, as {examples[0].describe()}" for kind, examples in ordered[:TOLD])
        more = f"; and {len(ordered) - TOLD} more kinds" if len(ordered) > TOLD else ""
        return self._valid(f"operations of unknown outcome ended with {told}{more}")


CLASS = re.compile(r"\s*:?(?P<alone>[A-Za-z_][\w.$/-]*)(?:$|:$|:\s)|[(\[{][\s(\[{:'\"]*(?P<inside>[A-Za-z_][\w.$/-]*)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
LONGEST = 60


def error_class(error: str | None) -> str:
    """The class of an error, by which errors are counted."""
    if not error:
        return "no reason given"
    word = CLASS.match(error)
    return (word["alone"] or word["inside"]) if word else NUMBER.sub("N", error)[:LONGEST]
