"""What a workload's checker found, and how it is told to a person.

A violation may occur a million times; it is counted each time and put into words a few times.  What is told first, and what the
evidence's kind is, is the gravest kind that occurred, in the order in which the checker names its kinds.  The reason is a sentence
on the first violation of that kind; the lines show its operations, then sentences on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..history import Operation, Outcome
from ..verdict import Evidence, Status, Verdict

__all__ = ["Findings", "began", "counted", "ended", "listed"]

TOLD = 5
"""How many violations of the decisive kind are put into words."""


class Findings:
    """Violations by kind; `kinds` names all there can be, the gravest first."""

    def __init__(self, name: str, *kinds: str) -> None:
        self.name = name
        self.counts = dict.fromkeys(kinds, 0)
        self._told: dict[str, list[tuple[str, tuple[Operation, ...]]]] = {kind: [] for kind in kinds}

    def note(self, kind: str, sentence: Callable[[], str], *operations: Operation) -> None:
        """Put a violation down, with the operations that it is about, the decisive one last."""
        self.counts[kind] += 1
        if self.wants(kind):
            self._told[kind].append((sentence(), tuple({one.id: one for one in operations}.values())))

    def wants(self, kind: str) -> bool:
        """True if the next violation of this kind will be put into words."""
        return len(self._told[kind]) < TOLD

    def __bool__(self) -> bool:
        return any(self.counts.values())

    def verdict(self) -> Verdict:
        """The `invalid` verdict on what was found, which is something."""
        found = [kind for kind, count in self.counts.items() if count]
        kind = found[0]
        told = self._told[kind]
        sentence, operations = told[0]
        lines = [*_table(operations), *(one for one, _operations in told[1:])]
        more = self.counts[kind] - len(told)
        lines += [f"and {more} more of this kind"] if more else []
        lines += [f"also {other}, {counted(self.counts[other], 'time')}: {self._told[other][0][0]}" for other in found[1:]]
        others = f" ({self.counts[kind]} of this kind)" if self.counts[kind] > 1 else ""
        evidence = Evidence(kind, tuple(lines), tuple(one.id for one in operations))
        return Verdict(self.name, Status.INVALID, f"{kind}: {sentence}{others}", evidence)


def _table(operations: Sequence[Operation]) -> list[str]:
    """`c1 read()   4 s .. 5.2 s   -> (17,)`, in columns, in the order in which they began."""
    rows = []
    for one in sorted(operations, key=lambda one: one.invoked):
        called, _arrow, end = one.describe().partition(" -> ")
        span = f"{one.invoked_at:.6g} s .. {'?' if one.completed_at is None else f'{one.completed_at:.6g} s'}"
        # Histories without times have them all at 0; positions say the same.
        place = f"#{one.invoked} .. {'?' if one.completed is None else f'#{one.completed}'}"
        rows.append((called, span if one.completed_at or one.invoked_at else place, f"-> {end}"))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    return [f"{called.ljust(widths[0])}   {span.ljust(widths[1])}   {end}" for called, span, end in rows]


def ended(operation: Operation) -> str:
    """An operation by its end: `c3's add (operation 12, ok at 4.2 s)`."""
    how = "outcome unknown" if operation.outcome is Outcome.INFO else operation.outcome.value
    return f"{operation.process}'s {operation.function} (operation {operation.id}, {how}{_at(operation.completed_at)})"


def began(operation: Operation) -> str:
    """An operation by its beginning: `c1's read (operation 40, begun at 9 s)`."""
    when = _at(operation.invoked_at)
    return f"{operation.process}'s {operation.function} (operation {operation.id}{', begun' + when if when else ''})"


def _at(time: float | None) -> str:
    # Histories without times have them all at 0.
    return f" at {time:.6g} s" if time else ""


def counted(number: int, thing: str) -> str:
    """`1 read`, `3 reads`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
