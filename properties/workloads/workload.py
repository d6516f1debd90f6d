"""What the checkers of workloads have in common: they collect some functions' operations, and judge them as a whole.

While a simulation runs they look whenever the history has doubled, and end the run at a violation that nothing can repair.  Not
all are of that kind: what is lost so far may yet be found.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from ..collecting import Collecting
from ..history import Operation
from ..verdict import Monitor, Status, Verdict

__all__ = ["Workload"]


@dataclass(frozen=True)
class Workload(ABC):
    """A property of the operations of certain functions, what a workload promises of them; others are not looked at.

    `lasting` are the kinds of evidence that stay true whatever follows.  Cost: all looks together, about two more than one at the end.
    """

    functions: ClassVar[frozenset[str] | None] = None
    lasting: ClassVar[frozenset[str]] = frozenset()

    @property
    def name(self) -> str:
        """How verdicts call it: by its class."""
        return type(self).__name__

    def start(self) -> Monitor:
        """A fresh monitor, which looks whenever the history has doubled."""
        return Collecting(self, growth=2, for_good=self._for_good)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is not of the shape that the workload has.
        """
        functions = self.functions
        chosen = [one for one in operations if functions is None or one.function in functions]
        chosen.sort(key=attrgetter("invoked"))
        if not chosen:
            return Verdict(self.name, Status.VALID, "there are no operations to judge")
        return self._judged(chosen)

    @abstractmethod
    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        """The verdict on operations of this workload in the order of their invocations, at least one."""

    def _for_good(self, verdict: Verdict) -> bool:
        return verdict.evidence is not None and verdict.evidence.kind in self.lasting

    def _valid(self, reason: str) -> Verdict:
        return Verdict(self.name, Status.VALID, reason)

    def _unknown(self, reason: str) -> Verdict:
        return Verdict(self.name, Status.UNKNOWN, reason)
