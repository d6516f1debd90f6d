"""Orders that need no search: linearizations of valid histories whose values are all different.

The monitors say *that* there is an order; a person who looks at a history wants to see one.  For three kinds of object it can be
written down:

- **Register** (and compare-and-set registers that nobody swaps).  The operations of a value stand together.  A forward zone (see
  `zones.py`) lies where it lies; a backward one goes to any moment of it that no forward zone covers, which a valid history has.
- **Growing set.**  Reads one after the other as they grow, before each the elements that it has and the one before had not.
- **Queue.**  Values have an order that respects both their enqueues and their dequeues, found by taking again and again one that
  no other must precede.  Enqueues and dequeues in that order happen as early as they can; a dequeue that found nothing makes the
  enqueues after it wait.

What comes out is checked by `explains` before anybody sees it, in one pass: a construction that does not apply (values that are not
unique, dequeues of which nobody knows what they took) gives None, never a wrong order.  Cost: O(n log n), times the concurrency for queues.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from .conflict import NEVER, returned
from .containers import FifoQueue
from .history import Operation, Value
from .registers import CasRegister, Register
from .sets import GrowSet
from .specification import Refusal, Specification, State, call_of

__all__ = ["Expired", "constructed", "explains", "never", "state_after", "states_along"]

Order: TypeAlias = list[Operation]

Expired: TypeAlias = Callable[[], bool]

LOOK = 256
"""After how many steps somebody looks at the clock."""


def never() -> bool:
    """There is no deadline."""
    return False


def constructed(specification: Specification, operations: Sequence[Operation], expired: Expired = never) -> Order | None:
    """A linearization of the operations of one part, none of which failed; None if no construction leads to one in time."""
    build = BUILDERS.get(type(specification))
    if build is None:
        return None
    order = build(specification, operations)
    return order if order is not None and explains(specification, operations, order, expired) else None


def explains(
    specification: Specification, operations: Sequence[Operation], order: Sequence[Operation], expired: Expired = never
) -> bool:
    """True if `order` is a linearization: every completed operation once, nothing before what had returned, all results as they were.

    False as well if there was no time to see it.
    """
    latest = -1
    for operation in order:
        if returned(operation) < latest:
            return False
        latest = max(latest, operation.invoked)
    placed = {operation.id for operation in order}
    if len(placed) < len(order) or any(one.completed is not None and one.id not in placed for one in operations):
        return False
    steps = 0
    for steps, state in enumerate(states_along(specification, order), 1):
        if isinstance(state, Refusal) or (steps % LOOK == 0 and expired()):
            return False
    return steps == len(order)


def states_along(specification: Specification, order: Iterable[Operation]) -> Iterator[State | Refusal]:
    """The state after each operation, up to and including the first refusal.

    One at a time: all the states of a container that is never emptied would take as much memory as the square of its size.
    """
    state = specification.initial
    for operation in order:
        following = specification.step(state, call_of(operation))
        yield following
        if isinstance(following, Refusal):
            return
        state = following


def state_after(specification: Specification, order: Iterable[Operation]) -> State | Refusal:
    """The state at the end of an order, or the refusal that ended it before."""
    state: State | Refusal = specification.initial
    for state in states_along(specification, order):  # noqa: B007  # the last one
        pass
    return state


# -- registers --------------------------------------------------------------------------------------


def _register(specification: Specification, operations: Sequence[Operation]) -> Order | None:
    """Values one after the other, each at the moment of its zone."""
    assert isinstance(specification, Register | CasRegister)
    groups: dict[Value, Order] = {specification.initial_value: []}
    for operation in operations:
        if operation.function == "write":
            if operation.argument in groups:
                return None
            groups[operation.argument] = [operation]
        elif operation.function != "read":
            return None
    for operation in operations:
        if operation.function == "read" and operation.completed is not None:
            if operation.result not in groups:
                return None
            groups[operation.result].append(operation)
    initial = groups.pop(specification.initial_value)
    observed = [group for group in groups.values() if len(group) > 1 or group[0].completed is not None]
    zones = [(min(map(returned, group)), max(one.invoked for one in group), group) for group in observed]
    forward = sorted((zone[0], zone[1]) for zone in zones if zone[0] < zone[1])
    begins = [first for first, _last in forward]
    until = max((one.invoked for one in initial), default=-1)
    placed: list[tuple[int, int, int, Order]] = []
    for first, last, group in zones:
        moment = first
        if first >= last:
            moment = max(last, until)
            at = bisect_right(begins, moment) - 1
            if at >= 0 and forward[at][1] > moment:
                moment = forward[at][1]
        placed.append((moment, last, group[0].invoked, group))
    placed.sort(key=lambda entry: entry[:3])
    order = sorted(initial, key=lambda one: one.invoked)
    for *_moment, group in placed:
        write, *reads = group
        order.append(write)
        order += sorted(reads, key=lambda one: one.invoked)
    return order


# -- growing sets -----------------------------------------------------------------------------------


def _growing(_specification: Specification, operations: Sequence[Operation]) -> Order | None:
    """Elements in the order in which reads show them first, and after the last read those that no read shows."""
    adds = {operation.argument: operation for operation in operations if operation.function == "add"}
    reads = [operation for operation in operations if operation.function == "read" and operation.completed is not None]
    shown = [(read, frozenset(read.result)) for read in reads if isinstance(read.result, tuple)]
    if len(adds) + len(reads) < sum(one.function == "add" or one.completed is not None for one in operations) or len(shown) < len(reads):
        return None
    shown.sort(key=lambda entry: (len(entry[1]), entry[0].invoked))
    order: Order = []
    there: frozenset[Value] = frozenset()
    for read, elements in shown:
        fresh = elements - there
        if not fresh <= adds.keys():
            return None
        order += sorted((adds[element] for element in fresh), key=lambda add: add.invoked)
        order.append(read)
        there = elements
    unseen = [add for element, add in adds.items() if element not in there and add.completed is not None]
    return order + sorted(unseen, key=lambda add: add.invoked)


# -- queues -----------------------------------------------------------------------------------------


def _queue(_specification: Specification, operations: Sequence[Operation]) -> Order | None:
    """Enqueues and dequeues in the order of the values, as early as they can, with the moments of emptiness between them."""
    puts = {operation.argument: operation for operation in operations if operation.function == "enqueue"}
    takes: dict[Value, Operation] = {}
    empties: Order = []
    for operation in operations:
        if operation.function == "dequeue" and operation.completed is not None:
            if operation.result is None:
                empties.append(operation)
            elif operation.result in takes or operation.result not in puts:
                return None
            else:
                takes[operation.result] = operation
    values = _values_in_order(puts, takes)
    waits = _waits(values, puts, takes, empties)
    return None if waits is None else _as_early_as_possible(values, puts, takes, waits)


def _values_in_order(puts: Mapping[Value, Operation], takes: Mapping[Value, Operation]) -> list[Value]:
    """The values that were taken, then those that were put in for certain and are still there.

    Each is one that none of the others must precede: what is put in first is taken first, so a value precedes another if its put had
    returned when the other's was called, or its taking when the other's was.  A value is put in before it is taken.
    """
    taken = [value for value in puts if value in takes]
    put_calls = [puts[value].invoked for value in taken]
    puts_by = [(min(returned(puts[value]), returned(takes[value])), place) for place, value in enumerate(taken)]
    takes_by = [(returned(takes[value]), place) for place, value in enumerate(taken)]
    heapify(puts_by)
    heapify(takes_by)
    waiting = sorted(range(len(taken)), key=put_calls.__getitem__, reverse=True)
    ready: list[tuple[int, int]] = []
    done = bytearray(len(taken))
    found: list[Value] = []
    while len(found) < len(taken):
        for first in (puts_by, takes_by):
            while done[first[0][1]]:
                heappop(first)
        while waiting and (not ready or put_calls[waiting[-1]] <= puts_by[0][0]):
            place = waiting.pop()
            heappush(ready, (max(takes[taken[place]].invoked, put_calls[place]), place))
        place = heappop(ready)[1]
        done[place] = 1
        found.append(taken[place])
    left = [value for value, put in puts.items() if value not in takes and put.completed is not None]
    return found + sorted(left, key=lambda value: returned(puts[value]))


Waits: TypeAlias = dict[int, list[tuple[int, Operation]]]
"""By how many values were put in and taken before: moments at which the queue was found empty, and by which operations."""


def _waits(values: Sequence[Value], puts: Mapping[Value, Operation], takes: Mapping[Value, Operation], empties: Order) -> Waits | None:
    """A moment for every dequeue that found nothing: after some value was taken, and when the next need not be there yet."""
    latest = [NEVER] * (len(values) + 1)
    taking = NEVER
    for place in reversed(range(len(values))):
        value = values[place]
        taking = min(taking, returned(takes[value])) if value in takes else taking
        latest[place] = min(latest[place + 1], returned(puts[value]), taking)
    earliest = [-1]
    putting = -1
    for value in values:
        putting = max(putting, puts[value].invoked)
        earliest.append(max(earliest[-1], putting, takes[value].invoked if value in takes else NEVER))
    waits: Waits = {}
    for empty in sorted(empties, key=lambda one: one.invoked):
        # Places at which the queue may still be empty when it is called; both bounds rise with the place.
        place = bisect_right(latest, empty.invoked - 1)
        end = returned(empty)
        while place <= len(values) and max(empty.invoked, earliest[place]) > latest[place]:
            place += 1
        if place > len(values) or max(empty.invoked, earliest[place]) > end:
            return None
        moment = max(empty.invoked, earliest[place])
        waits.setdefault(place, []).append((moment, empty))
    return waits


def _as_early_as_possible(
    values: Sequence[Value], puts: Mapping[Value, Operation], takes: Mapping[Value, Operation], waits: Waits
) -> Order:
    moments: list[tuple[int, int, int, Operation]] = []
    putting = taking = -1
    for place, value in enumerate(values):
        for moment, empty in waits.get(place, ()):
            # Before the next value, after all that was taken until then: by the number of the value that follows.
            putting = max(putting, taking, moment)
            moments.append((putting, 2 * place, 0, empty))
        putting = max(putting, puts[value].invoked)
        moments.append((putting, 2 * place + 1, 0, puts[value]))
        if value in takes:
            taking = max(taking, putting, takes[value].invoked)
            moments.append((taking, 2 * place + 1, 1, takes[value]))
    moments += [(max(putting, taking, moment), 2 * len(values), 0, empty) for moment, empty in waits.get(len(values), ())]
    moments.sort(key=lambda entry: entry[:3])
    return [operation for *_moment, operation in moments]


BUILDERS: Mapping[type, Callable[[Specification, Sequence[Operation]], Order | None]] = {
    Register: _register,
    CasRegister: _register,
    GrowSet: _growing,
    FifoQueue: _queue,
}
"""By exact type: a specification of somebody's own is another object."""
