"""Several checkers over one history, each with its own verdict; the worst status is the status of all (Jepsen's `compose`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from ..history import Event, Operation
from ..specification import SpecificationError
from ..verdict import Evidence, Monitor, Property, Status, Verdict

__all__ = ["Compose", "composed"]

BADNESS = (Status.VALID, Status.UNKNOWN, Status.INVALID)


@runtime_checkable
class _Judge(Protocol):
    def judge(self, operations: Iterable[Operation]) -> Verdict: ...


def composed(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict out of several: the worst status, with a line or more on each, and the evidence of the first that is invalid."""
    name = f"Compose({', '.join(verdict.name for verdict in verdicts)})"
    status = max((verdict.status for verdict in verdicts), key=BADNESS.index, default=Status.VALID)
    reason = "; ".join(f"{verdict.name} is {verdict.status.value}: {verdict.reason}" for verdict in verdicts)
    worst = next((verdict for verdict in verdicts if verdict.status is Status.INVALID), None)
    if worst is None or worst.evidence is None:
        return Verdict(name, status, reason)
    lines: list[str] = []
    for verdict in verdicts:
        # What the reason says already is not said again.
        lines.append(f"{verdict.name} is {verdict.status.value}:{'' if verdict is worst else f' {verdict.reason}'}")
        lines += [f"    {line}" for line in verdict.evidence.lines] if verdict.evidence is not None else []
    told = worst.evidence
    # A smaller run must fail in the same way, so the kind says whose evidence it is.
    evidence = Evidence(f"{worst.name}: {told.kind}", tuple(lines), told.operations, told.events, told.hosts)
    failed = [verdict.name for verdict in verdicts if verdict.status is Status.INVALID]
    others = f" ({', '.join(failed[1:])} fails too)" if len(failed) > 1 else ""
    return Verdict(name, status, f"{worst.name}: {worst.reason}{others}", evidence)


@dataclass(frozen=True, init=False)
class Compose:
    """Several properties as one: `Compose(Bank(), Stats())`.  What must hold is what each of them says must hold.

    The verdict's status is the worst of theirs, `invalid` before `unknown` before `valid`; its reason and lines tell of each.  The
    evidence's kind is that of the first property that is `invalid`, with its name.  Cost: the sum of theirs.

    Raises:
        SpecificationError: one of them is no property.
    """

    properties: tuple[Property, ...]
    functions: ClassVar[None] = None

    def __init__(self, *properties: Property) -> None:
        for prop in properties:
            if isinstance(prop, type) or not isinstance(prop, Property):
                what = f"{prop.__name__}, a class" if isinstance(prop, type) else repr(prop)
                raise SpecificationError(f"Compose takes properties, such as Bank(), and this is none: {what}")
        object.__setattr__(self, "properties", properties)

    @property
    def name(self) -> str:
        """For example `Compose(Bank, Stats)`."""
        return f"Compose({', '.join(prop.name for prop in self.properties)})"

    def start(self) -> Monitor:
        """A fresh monitor: one of each property."""
        return _ComposeMonitor(self)

    def judge(self, operations: Iterable[Operation]) -> Verdict:
        """The verdict on these operations, if all the properties are of operations.

        Raises:
            SpecificationError: one of the properties looks at events, or cannot understand an operation.
        """
        given = [*operations]
        verdicts = []
        for prop in self.properties:
            if not isinstance(prop, _Judge):
                raise SpecificationError(f"{prop.name} looks at the events of a run, so operations alone cannot be judged")
            verdicts.append(prop.judge(given))
        return composed(verdicts)


class _ComposeMonitor:
    def __init__(self, prop: Compose) -> None:
        self._property = prop
        self._monitors = [part.start() for part in prop.properties]

    def feed(self, event: Event) -> Verdict | None:
        found = [monitor.feed(event) for monitor in self._monitors]
        if not any(found):
            return None
        stopped = "the run was stopped at the first violation of another property"
        parts = zip(self._property.properties, found, strict=True)
        return composed([verdict or Verdict(part.name, Status.UNKNOWN, stopped) for part, verdict in parts])

    def finish(self) -> Verdict:
        return composed([monitor.finish() for monitor in self._monitors])
