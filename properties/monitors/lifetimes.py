"""The values of a container, and when each was put in and taken out: what monitors of queues, stacks and priority queues begin with.

They apply where all values that are put in are different.  A value that somebody was given was certainly put in.  One whose putting
in is pending, and that nobody was given, can be left out of any linearization together with whatever pending operation took it: the
other values do not notice.  (Containers are *closed under projection*: forget a value, and what remains is a history of the same
container.)  So it is left out here.

What is left are values that were taken, values that were put in and never taken by anybody that we know of (they **stay**), findings
that the container was empty, and pending takings, each of which took some value that stays, or none.

**Times** are event indices, `NEVER` for the return of what is pending, in arrays: a million operations lie all over the memory, and to
look at each once more costs as much as all that a monitor computes.  They are those of the operations, or numbered anew where there are so
many other events that lists with a place for each would be long, and in small histories, which may be made by hand, where two
events have one number: then a return is before a call.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import gt, itemgetter, lt
from typing import NamedTuple, TypeAlias

from ..bags import UnorderedQueue
from ..conflict import NEVER, Conflict
from ..containers import Container
from ..history import Operation, Value, render

__all__ = ["Lifetimes", "cover", "covering", "empty_conflict", "lifetimes", "uncovered"]

Times: TypeAlias = "array[int]"

SPARSE, FEW = 8, 4096
"""Events per operation, and events altogether, up to which lists may have a place for each event."""


class Lifetimes(NamedTuple):
    """Values by their places: first those that were taken, in the order in which that was called, then those that stay.

    `put_called` and `put_returned` have a time for each value, `take_called` and `take_returned` for each that was taken; `empty_called`
    and `empty_returned` are of the findings that nothing was there, `pending_called` of takings of which nobody knows what they found.
    `last` is the last event.  The operations themselves are for telling.
    """

    last: int
    puts: Sequence[Operation]
    order: Sequence[int]
    takes: Sequence[Operation]
    empties: Sequence[Operation]
    pending: Sequence[Operation]
    put_called: Times
    put_returned: Times
    take_called: Times
    take_returned: Times
    empty_called: Times
    empty_returned: Times
    pending_called: Times

    def put(self, place: int) -> Operation:
        """What put this value in."""
        return self.puts[self.order[place]]

    @property
    def staying(self) -> int:
        """How many values stay."""
        return len(self.put_called) - len(self.takes)

    def without_staying(self) -> Lifetimes:
        """As if those values had never been put in."""
        taken = len(self.takes)
        return self._replace(put_called=self.put_called[:taken], put_returned=self.put_returned[:taken])

    def ends(self) -> list[int]:
        """When each value ceased to be certainly inside: those that stay, after everything."""
        return [*self.take_called, *[self.last + 1] * self.staying]


def lifetimes(specification: Container | UnorderedQueue, operations: Sequence[Operation]) -> Lifetimes | Conflict | None:
    """The values' lifetimes, or a conflict that concerns a single value, or None if a value was put in twice.

    Cost: one pass over the operations, which are in the order of their calls; else they are sorted.
    """
    puts_in, takes_out = specification.puts, specification.takes
    put: dict[Value, int] = {}
    taken: dict[Value, Operation] = {}
    puts: list[Operation] = []
    empties: list[Operation] = []
    pending: list[Operation] = []
    again: list[Operation] = []
    times = [array("q") for _ in range(7)]
    put_called, put_returned, take_called, take_returned, empty_called, empty_returned, pending_called = times
    for operation in operations:
        function, called, returned = operation.function, operation.invoked, operation.completed
        if function in puts_in:
            value = operation.argument
            if value is None or value in put:
                return None
            put[value] = len(puts)
            puts.append(operation)
            put_called.append(called)
            put_returned.append(NEVER if returned is None else returned)
        elif function not in takes_out:
            return None
        elif returned is None:
            pending.append(operation)
            pending_called.append(called)
        else:
            value = operation.result
            if value is None:
                empties.append(operation)
                empty_called.append(called)
                empty_returned.append(returned)
            elif value in taken:
                again.append(operation)
            else:
                taken[value] = operation
                take_called.append(called)
                take_returned.append(returned)
    if any(map(gt, take_called, take_called[1:])):
        return lifetimes(specification, sorted(operations, key=lambda one: one.invoked))
    try:
        order = [*map(put.__getitem__, taken)]
    except KeyError:
        value, take = next((value, take) for value, take in taken.items() if value not in put)
        return Conflict((take,), f"nobody put {render(value)} in")
    if again:
        value = again[0].result
        return Conflict((puts[put[value]], taken[value], again[0]), f"{render(value)} was put in once and taken twice")
    if len(taken) < len(put):
        order += [place for value, place in put.items() if value not in taken and put_returned[place] < NEVER]
    times[0] = array("q", map(put_called.__getitem__, order))
    times[1] = array("q", map(put_returned.__getitem__, order))
    last = _numbered(times, len(operations))
    lives = Lifetimes(last, puts, order, [*taken.values()], empties, pending, *times)
    if any(map(lt, lives.take_returned, lives.put_called)):
        place = next(place for place, end in enumerate(lives.take_returned) if end < lives.put_called[place])
        one, take = lives.put(place), lives.takes[place]
        return Conflict((one, take), f"{render(take.result)} was taken before it was put in")
    return lives


def _numbered(times: list[Times], size: int) -> int:
    """The last event; these times, if need be, are numbered anew, calls and returns in turns but for the last, which are calls."""
    latest = [max(row, default=0) for row in times]
    last = max(most if most < NEVER else max(filter(NEVER.__gt__, row), default=0) for most, row in zip(latest, times, strict=True))
    if last <= FEW:
        every = [time for row in times for time in row if time < NEVER]
        if len(set(every)) == len(every):
            return last
    elif last <= SPARSE * size:
        return last
    rows = range(len(times))
    events = sorted((time, not row % 2, row, place) for row in rows for place, time in enumerate(times[row]) if time < NEVER)
    for number, (_time, _calling, row, place) in enumerate(events):
        times[row][place] = number
    return len(events)


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

    `begins` and `ends` say of each value during which interval it was certainly inside.  Cost: O(n log n).
    """
    if not lives.empties:
        return None
    covered = cover(begins, ends, lives.last)
    # Mostly a moment that is not covered is found at once; but where findings take long, they must not be gone through one by one.
    widths = sum(lives.empty_returned) - sum(lives.empty_called)
    free = uncovered(covered) if widths > len(covered) else None
    for empty, called, end in zip(lives.empties, lives.empty_called, lives.empty_returned, strict=True):
        if free is None and 0 in covered[called:end]:
            continue
        if free is None or free[end - 1] < called:
            inside = covering(begins, ends, called, end)
            members = [lives.put(place) for place in inside]
            members += [lives.takes[place] for place in inside if place < len(lives.takes)]
            return Conflict((*members, empty), "there was a value in it all the time")
    return None
