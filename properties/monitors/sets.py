"""Sets: whether a history is linearizable in one pass, for elements that were added and removed at most once.

Elements have nothing to do with each other.  Of one that was added once and removed once, the operations come in this order:

    found absent ..., add, found present ..., remove, found absent ...

"Found present" are `contains -> true` and an add that changed nothing; "found absent" are `contains -> false` and a remove that
changed nothing.  All that is open is on which side of the two changes an operation that found the element absent belongs.  Between
the changes and what found it present there is an order if and only if none of them returned before one of an earlier phase was
called; and each operation that found it absent must be able to come first (it was called before any of them returned) or last (it returned
after all were called).  Of two such operations, one that must be last and one that may be first, the latter was called earlier, so
they agree.

A remove that does not say whether it changed anything, or of which nobody knows whether it happened, either did so at the place above, or
changed nothing; an add whose outcome nobody knows happened if the element was found present or successfully removed, and otherwise need
not have happened.  Both are tried.  Where an element was added or removed twice this monitor does not apply to it, and the search
decides.

Source: Lee & Mathur, OOPSLA 2025, arXiv 2410.04581, for the principle.  Cost: O(n).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..conflict import NEVER, NONE, Conflict, returned
from ..history import Operation, Value, render
from ..sets import Set, answer_of

__all__ = ["conflict"]


def conflict(specification: Set, operations: Sequence[Operation]) -> Conflict | None:  # noqa: ARG001  # as all monitors
    """The first conflict found, one without operations if there is none, None if an element was added or removed twice."""
    adds: dict[Value, Operation] = {}
    removes: dict[Value, Operation] = {}
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}
    absent: list[Operation] = []
    for operation in operations:
        function = operation.function
        end = operation.completed
        if function == "contains":
            if end is None:
                continue
            result = operation.result
            answer = result if result is True or result is False else answer_of(operation)
            if answer is None:
                return None
        elif function == "add":
            answer = answer_of(operation)
            if end is None or answer is not False:
                if operation.argument in adds:
                    return None
                adds[operation.argument] = operation
                continue
            answer = True
        elif function == "remove":
            answer = answer_of(operation)
            if end is None or answer is not False:
                if operation.argument in removes:
                    return None
                removes[operation.argument] = operation
                continue
        else:
            return None
        if not answer:
            absent.append(operation)
            continue
        value = operation.argument
        called = operation.invoked
        if value not in first:
            first[value] = end
            last[value] = called
            continue
        if end < first[value]:
            first[value] = end
        if called > last[value]:
            last[value] = called
    doubtful = _doubtful(adds, removes, first, last, absent)
    if not doubtful:
        return NONE
    members: dict[Value, list[Operation]] = {value: [] for value in doubtful}
    for operation in operations:
        if operation.argument in members:
            members[operation.argument].append(operation)
    return next((found for found in map(_judge, members.values()) if found), NONE)


def _doubtful(
    adds: dict[Value, Operation], removes: dict[Value, Operation], first: dict[Value, int], last: dict[Value, int], absent: list[Operation]
) -> dict[Value, None]:
    """Elements that need a closer look: all others, whose operations are all known, are in order."""
    doubtful: dict[Value, None] = {}
    # For elements that were found absent: when the first operation that found or made it present returned, and when the last was called.
    asked: dict[Value, tuple[int, int]] = {operation.argument: (NEVER, -1) for operation in absent}
    for value in first:
        if value not in adds:
            doubtful[value] = None
    for value in removes:
        if value not in adds:
            doubtful[value] = None
    for value, add in adds.items():
        end = add.completed
        earliest = first.get(value, NEVER)
        latest = called = add.invoked
        if end is None or earliest < called:
            doubtful[value] = None
            continue
        if end < earliest:
            earliest = end
        if value in last and last[value] > latest:
            latest = last[value]
        if value in removes:
            remove = removes[value]
            gone = remove.completed
            if gone is None or gone < latest or answer_of(remove) is None:
                doubtful[value] = None
                continue
            if gone < earliest:
                earliest = gone
            if remove.invoked > latest:
                latest = remove.invoked
        else:
            latest = NEVER
        if value in asked:
            asked[value] = (earliest, latest)
    for operation in absent:
        earliest, latest = asked[operation.argument]
        if operation.invoked >= earliest and returned(operation) <= latest:
            doubtful[operation.argument] = None
    return doubtful


def _judge(operations: Sequence[Operation]) -> Conflict | None:
    """A conflict among the operations on one element, if there is one."""
    add = remove = None
    present: list[Operation] = []
    absent: list[Operation] = []
    for operation in operations:
        answer = answer_of(operation)
        if operation.function != "contains" and answer is not False:
            if operation.function == "add":
                add = operation
            else:
                remove = operation
        elif operation.completed is not None:
            # An add that changed nothing found it present.
            (present if answer is True or operation.function == "add" else absent).append(operation)
    certain = remove is not None and answer_of(remove) is True
    if add is None:
        witness = present[0] if present else remove if certain else None
        return None if witness is None else Conflict((witness,), f"nobody added {render(witness.argument)}")
    if add.completed is None and not present and not certain:
        return None
    ways = [_disorder(add, remove, present, absent)]
    if remove is None:
        why = f"{render(add.argument)} was added once, and nobody removed it"
    elif certain:
        why = f"{render(add.argument)} was added once and removed once"
    else:
        # It changed nothing: so it came before the add, or need not have come at all.
        ways.append(_disorder(add, None, present, absent if remove.completed is None else [*absent, remove]))
        why = f"{render(add.argument)} was added once, and removed at most once"
    if not all(ways):
        return None
    members = {operation.id: operation for way in ways if way for operation in way}
    if add.completed is None and present:
        members[present[0].id] = present[0]
    return Conflict(tuple(members.values()), why)


def _disorder(
    add: Operation, remove: Operation | None, present: Sequence[Operation], absent: Sequence[Operation]
) -> list[Operation] | None:
    """Operations that cannot all be in the order of this module's docstring; None if all can."""
    changes = [add] if remove is None else [add, remove]
    inside = [*changes, *present]
    first = min(inside, key=returned)
    if returned(first) < add.invoked:
        return [*changes, first]
    if remove is not None:
        late = max((add, *present), key=lambda one: one.invoked)
        if returned(remove) < late.invoked:
            return [*changes, late]
    last = max(inside, key=lambda one: one.invoked)
    for one in absent:
        if one.invoked >= returned(first) and (remove is None or returned(one) <= last.invoked):
            return [*changes, first, last, one]
    return None
