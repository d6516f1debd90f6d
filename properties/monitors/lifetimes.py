"""The values of a container, and when each was put in and taken out: what monitors of queues, stacks and priority queues begin with.

They apply where all values that are put in are different.  A value that somebody was given was certainly put in.  One whose putting
in is pending, and that nobody was given, can be left out of any linearization together with whatever pending operation took it: the
other values do not notice.  (Containers are *closed under projection*: forget a value, and what remains is a history of the same
container.)  So it is left out here.

What is left are values that were taken, values that were put in and never taken by anybody that we know of (they **stay**), findings
that the container was empty, and pending takings, each of which took some value that stays, or none.

Times are event indices; `NEVER` is the return of what is pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from ..conflict import NEVER, Conflict
from ..containers import Container
from ..history import Operation, Value, render

__all__ = ["Lifetimes", "cover", "covering", "empty_conflict", "lifetimes", "uncovered"]


class Lifetimes(NamedTuple):
    """Values in parallel lists: of those that were taken `values`, `puts` and `takes`; of those that stay `staying`.

    `empties` found nothing, `pending` are takings of which nobody knows what they found.  `last` is the last event.
    """

    puts: list[Operation]
    takes: list[Operation]
    staying: list[Operation]
    empties: list[Operation]
    pending: list[Operation]
    last: int


def lifetimes(specification: Container, operations: Sequence[Operation], last: int) -> Lifetimes | Conflict | None:
    """The values' lifetimes, or a conflict that concerns a single value, or None if a value was put in twice.

    Cost: one pass.
    """
    puts_in, takes_out = specification.puts, specification.takes
    put: dict[Value, Operation] = {}
    taken: dict[Value, Operation] = {}
    empties: list[Operation] = []
    pending: list[Operation] = []
    again: list[Operation] = []
    for operation in operations:
        function = operation.function
        if function in puts_in:
            value = operation.argument
            if value is None or value in put:
                return None
            put[value] = operation
        elif function not in takes_out:
            return None
        elif operation.completed is None:
            pending.append(operation)
        else:
            value = operation.result
            if value is None:
                empties.append(operation)
            elif value in taken:
                again.append(operation)
            else:
                taken[value] = operation
    puts: list[Operation] = []
    for value, take in taken.items():
        if value not in put:
            return Conflict((take,), f"nobody put {render(value)} in")
        one = put[value]
        end = take.completed
        if end is not None and end < one.invoked:
            return Conflict((one, take), f"{render(value)} was taken before it was put in")
        puts.append(one)
    if again:
        value = again[0].result
        return Conflict((put[value], taken[value], again[0]), f"{render(value)} was put in once and taken twice")
    staying: list[Operation] = []
    if len(taken) < len(put):
        staying = [operation for value, operation in put.items() if value not in taken and operation.completed is not None]
    return Lifetimes(puts, [*taken.values()], staying, empties, pending, last)


def cover(begins: Sequence[int], ends: Sequence[int], last: int) -> list[int]:
    """For each event, how many of the intervals (begin, end) hold the moment after it; those without extent hold none."""
    change = [0] * (last + 2)
    for begin, end in zip(begins, ends, strict=True):
        if begin < end:
            change[begin] += 1
            if end <= last:
                change[end] -= 1
    return [*accumulate(change)]


def uncovered(covered: Sequence[int]) -> list[int]:
    """For each event, the last event up to it after which nothing is covered; -1: there is none."""
    free = -1
    result = []
    for event, count in enumerate(covered):
        if not count:
            free = event
        result.append(free)
    return result


def covering(begins: Sequence[int], ends: Sequence[int], low: int, high: int) -> list[int]:
    """A smallest selection of the intervals (begin, end), by their places, that covers all moments between `low` and `high`.

    Raises:
        ValueError: they do not cover them.
    """
    ordered = sorted(((begin, place) for place, begin in enumerate(begins) if begin < ends[place]), key=itemgetter(0))
    chosen: list[int] = []
    reach, best, farthest = low, -1, low
    for begin, place in ordered:
        if begin > reach:
            if best < 0 or farthest <= reach:
                break
            chosen.append(best)
            reach, best = farthest, -1
            if reach >= high:
                return chosen
            if begin > reach:
                break
        if ends[place] > farthest:
            best, farthest = place, ends[place]
    if best >= 0 and farthest >= high:
        return [*chosen, best]
    raise ValueError(f"the intervals do not cover {low} to {high}")


def empty_conflict(lives: Lifetimes, begins: Sequence[int], ends: Sequence[int]) -> Conflict | None:
    """A finding that the container was empty, while it was not: one during which there always was a value that must have been in it.

    `begins` and `ends` say of each value, those that stay last, during which interval it was certainly inside.  Cost: O(n log n).
    """
    if not lives.empties:
        return None
    covered = cover(begins, ends, lives.last)
    # Mostly a moment that is not covered is found at once; but where findings take long, they must not be gone through one by one.
    widths = sum(far(empty.completed) - empty.invoked for empty in lives.empties)
    free = uncovered(covered) if widths > len(covered) else None
    for empty in lives.empties:
        end = empty.completed
        assert end is not None
        if free is None and 0 in covered[empty.invoked : end]:
            continue
        if free is None or free[end - 1] < empty.invoked:
            inside = covering(begins, ends, empty.invoked, end)
            count = len(lives.puts)
            members = [lives.puts[place] if place < count else lives.staying[place - count] for place in inside]
            members += [lives.takes[place] for place in inside if place < count]
            return Conflict((*members, empty), "there was a value in it all the time")
    return None


def far(time: int | None) -> int:
    """A return, `NEVER` if there is none."""
    return NEVER if time is None else time
