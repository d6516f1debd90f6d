"""Many objects in one history, as Jepsen's `independent` records them: each key's operations are judged by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..collecting import Collecting
from ..consistency import SessionGuarantee
from ..history import Operation, Value, render
from ..independent import operations_by_key
from ..isolation import Isolation
from ..verdict import Evidence, Monitor, Status, Verdict
from .findings import counted
from .workload import Workload

__all__ = ["ByKey"]


@dataclass(frozen=True)
class ByKey:
    """What a workload, or a level of isolation, promises, of every key by itself: `ByKey(SetFull())`.

    Arguments are pairs of key and argument, results too: `add((key, x))`, `read((key, None)) -> (key, (x, ...))`.

    The verdict is that of the first key that is `invalid`, else of the first that is `unknown`, and so is the evidence.  Cost: that of
    all keys together.
    """

    each: Workload | Isolation | SessionGuarantee

    @property
    def functions(self) -> frozenset[str] | None:
        """Those of what is promised."""
        return self.each.functions

    @property
    def name(self) -> str:
        """For example `SetFull by key`."""
        return f"{self.each.name} by key"

    def start(self) -> Monitor:
        """A fresh monitor, which looks whenever the history has doubled."""
        lasting = self.each.lasting if isinstance(self.each, Workload) else frozenset()
        return Collecting(self, growth=2, for_good=lambda verdict: verdict.evidence is not None and verdict.evidence.kind in lasting)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations.

        Raises:
            SpecificationError: one of them is not of the shape that the workload has, or has no key.
        """
        return self.decisive(operations)[0]

    def decisive(self, operations: Iterable[Operation]) -> tuple[Verdict, Sequence[Operation]]:
        """The verdict, and the operations that it is about, without their key: those of one key.

        Raises:
            SpecificationError: as `judge`.
        """
        functions = self.functions
        parts = operations_by_key(self.name, [one for one in operations if functions is None or one.function in functions])
        verdicts = {key: self.each.judge(part) for key, part in parts.items()}
        for status in (Status.INVALID, Status.UNKNOWN):
            keys = [key for key, verdict in verdicts.items() if verdict.status is status]
            if keys:
                return self._told(keys, len(verdicts), verdicts[keys[0]]), parts[keys[0]]
        if not verdicts:
            return Verdict(self.name, Status.VALID, "there are no operations to judge"), ()
        key, first = next(iter(verdicts.items()))
        reason = f"each of {counted(len(verdicts), 'key')} by itself; key {render(key)}: {first.reason}"
        return Verdict(self.name, Status.VALID, reason), parts[key]

    def _told(self, keys: list[Value], count: int, verdict: Verdict) -> Verdict:
        """What is wrong with the first of these keys, and how many others there are."""
        others = f" (and so are {len(keys) - 1} more of {count} keys)" if len(keys) > 1 else ""
        reason = f"key {render(keys[0])} is {verdict.status.value}: {verdict.reason}{others}"
        told = verdict.evidence
        if told is not None:
            lines = (f"Of key {render(keys[0])}:", *told.lines)
            told = Evidence(told.kind, lines, told.operations, told.events, told.hosts)
        return Verdict(self.name, verdict.status, reason, told)
