"""Why a history is not linearizable, in words that a person at 3 am understands.

The search leaves the longest order that it could build, the state after it, and the operation that could not be placed.  The
explanation shows the end of that order, then that operation, then everything else that could have come next, each with the
specification's own reason.  Where the last operation that changed the state had returned before the stuck one began, it says so,
because that is what rules out every other order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .containers import Container, FifoQueue
from .history import Operation, Outcome, render
from .search import Deepest
from .specification import Refusal, Specification, call_of
from .zones import NEVER_WRITTEN

__all__ = ["Explanation", "explain", "reasons"]

SHOWN = 6
"""How many operations of the order, and how many candidates, are shown."""


TOO_LATE = "had returned before it began"
"""What rules out every other order, where nothing else could come next: no more need be said."""


class Explanation(NamedTuple):
    """A sentence, lines for a person, and the operations and events that they speak of, the decisive one last."""

    reason: str
    lines: tuple[str, ...]
    operations: tuple[int, ...]
    events: tuple[int, ...]


def explain(specification: Specification, deepest: Deepest, note: str = "") -> Explanation:
    """The explanation of an unlinearizable history from the configuration that got furthest; `note` is added where that helps."""
    stuck = deepest.stuck
    placed = deepest.placed[-SHOWN:]
    hidden = len(deepest.placed) - len(placed)
    others = [operation for operation in deepest.candidates if operation is not stuck]
    rows = [(operation, "") for operation in placed]
    why = _why(specification, deepest)
    rows.append((stuck, f"cannot be placed: {why}"))
    rows += [(operation, _alternative(specification, deepest, operation)) for operation in others[:SHOWN]]
    answers = _Answers(specification, [operation for operation, _note in rows])
    lines = _table(rows, answers)
    if hidden:
        lines.insert(0, f"(an order of {hidden} earlier operations, then)")
    if len(others) > SHOWN:
        lines.append(f"(and {len(others) - SHOWN} more that could come next, none of which leads on)")
    if note and (others or not why.endswith(TOO_LATE) or note.startswith(NEVER_WRITTEN)):
        lines.append(f"({note})")
    shown = [*placed, *others[:SHOWN], stuck]
    events = [event for operation in (*placed, stuck) for event in (operation.invoked, operation.completed) if event is not None]
    return Explanation(_reason(stuck, answers), tuple(lines), tuple(operation.id for operation in shown), tuple(events))


def reasons(specification: Specification, deepest: Deepest) -> list[tuple[Operation, str]]:
    """The operation that cannot be placed, and then every other candidate, each with what stands against it."""
    others = [operation for operation in deepest.candidates if operation is not deepest.stuck]
    stuck = (deepest.stuck, f"cannot be placed: {_why(specification, deepest)}")
    return [stuck, *((operation, _alternative(specification, deepest, operation)) for operation in others)]


class _Answers:
    """Which operations are there for what they return: reads, and whatever else was answered with more than None.

    Of these None is what they found, for example a register that nobody has written; of a write it is no news.
    """

    def __init__(self, specification: Specification, operations: Sequence[Operation]) -> None:
        self._specification = specification
        self._finding = {operation.function for operation in operations if operation.ok and _tells(operation)}

    def tells(self, operation: Operation) -> bool:
        """True if what this operation returned is worth showing."""
        finds = operation.function in self._finding or self._specification.pure(call_of(operation))
        return operation.ok and (finds or _tells(operation))


def _tells(operation: Operation) -> bool:
    return operation.result is not None and operation.result != operation.argument


def _reason(stuck: Operation, answers: _Answers) -> str:
    if stuck.outcome is Outcome.FAIL:
        return f"{_a(stuck.function)} failed, and no order of the operations explains it"
    if not answers.tells(stuck):
        return f"{_called(stuck)} of {stuck.process} returned, and no order of the operations explains it"
    return f"{_a(stuck.function)} returned {render(stuck.result)}, and no order of the operations explains it"


def _a(function: str) -> str:
    return f"{'an' if function[:1].lower() in tuple('aeiou') else 'a'} {function}"


def _why(specification: Specification, deepest: Deepest) -> str:
    """Why the stuck operation does not fit, and who is to blame for the state that it met."""
    stuck = deepest.stuck
    following = specification.step(deepest.state, call_of(stuck))
    if not isinstance(following, Refusal):
        return "after it, nothing explains the operations that follow"
    why = str(following)
    if isinstance(specification, Container) and (first := _in_the_way(specification, deepest)):
        return f"{why}; {first}"
    state = specification.initial
    blamed = None
    for operation in deepest.placed:
        after = specification.step(state, call_of(operation))
        if isinstance(after, Refusal):
            return why
        if after != state:
            blamed = operation
        state = after
    if blamed is None:
        return f"{why}, as at the beginning"
    if blamed.completed is not None and blamed.completed < stuck.invoked:
        return f"{why}; {_called(blamed)} of {blamed.process} {TOO_LATE}"
    return f"{why}, after {_called(blamed)} of {blamed.process}"


def _in_the_way(container: Container, deepest: Deepest) -> str:
    """Who put in what would have to be taken first, if that is why nothing else can be; empty if it is not, or if values repeat."""
    state, stuck = deepest.state, deepest.stuck
    assert isinstance(state, tuple)
    put = [operation for operation in deepest.placed if operation.function in container.puts]
    puts = {operation.argument: operation for operation in put}
    if len(puts) < len(put) or not state or stuck.function not in container.takes:
        return ""
    first, wanted = puts[container.next(state)], puts.get(stuck.result)
    if first.completed is None:
        return ""
    if isinstance(container, FifoQueue) and wanted is not None and first.completed < wanted.invoked:
        return f"{_called(first)} of {first.process} had returned before {_called(wanted)} of {wanted.process} began"
    return f"{_called(first)} of {first.process} {TOO_LATE}" if first.completed < stuck.invoked else ""


def _alternative(specification: Specification, deepest: Deepest, operation: Operation) -> str:
    """Why this candidate does not help."""
    following = specification.step(deepest.state, call_of(operation))
    if isinstance(following, Refusal):
        return f"cannot come next: {following}"
    after = specification.step(following, call_of(deepest.stuck))
    if isinstance(after, Refusal):
        return f"could come next, but then {after}"
    return "could come next, but leads no further"


def _called(operation: Operation) -> str:
    return f"{operation.function}({'' if operation.argument is None else render(operation.argument)})"


def _table(rows: list[tuple[Operation, str]], answers: _Answers) -> list[str]:
    """`c1 write(3)   0.100 s .. 0.141 s   ok   note`, in columns."""
    cells = [
        (f"{operation.process} {_called(operation)}", _when(operation), _end(operation, answers), note) for operation, note in rows
    ]
    if not any(operation.completed_at or operation.invoked_at for operation, _note in rows):
        # The history came without times: positions in it say the same.
        cells = [(row[0], _where(operation), *row[2:]) for row, (operation, _note) in zip(cells, rows, strict=True)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return ["   ".join(text.ljust(width) for text, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in cells]


def _when(operation: Operation) -> str:
    if operation.completed is None or operation.completed_at is None:
        return f"{operation.invoked_at:.3f} s .. ?"
    return f"{operation.invoked_at:.3f} s .. {operation.completed_at:.3f} s"


def _where(operation: Operation) -> str:
    return f"#{operation.invoked} .. {'?' if operation.completed is None else f'#{operation.completed}'}"


def _end(operation: Operation, answers: _Answers) -> str:
    if operation.outcome is not Outcome.OK:
        return "unknown" if operation.outcome is Outcome.INFO else "fail"
    return f"-> {render(operation.result)}" if answers.tells(operation) else "ok"
