"""Orders for people: of each part of an object one that explains it, or the longest partial ones and why they end.

A verdict needs one refuted part and a handful of operations.  A picture wants more: an order of every part, and where there is none,
how far the operations *can* be put in order, and what stands against each that could come next.  So, part by part:

1. A construction, where there is one (`constructions.py`), or else the search, gives the order of a valid part.
2. Linearizability is closed under prefixes.  So where a monitor refutes a part, bisection finds the first return that cannot be
   passed: a dozen looks of the monitor.  What was called before it, all that had not returned taken as pending, is a valid history,
   whose order is the longest partial one, unless it needs an operation whose answer came later and was another.  Then, and where there
   is no monitor, the search says how far it came.
3. From the end of that order a small search in what was concurrent finds up to four that end in different states, since "the register
   holds 3" is only half the answer if it might as well hold 4.

Steps are counted and `expired` is asked, so this ends; what was not found by then is said (`Part.note`).  Parts take turns in no order but
their own: the budget of one part is its share of what is left, so that a hard one does not starve the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from .conflict import returned
from .constructions import Expired, constructed, never, state_after, states_along
from .explanation import reasons
from .furthest import furthest
from .history import Operation, Outcome
from .independent import Independent
from .linearizability import parts_of
from .monitors import conflict, method
from .search import Deepest, Search
from .specification import Refusal, Specification, State, call_of
from .verdict import Status

__all__ = ["Order", "Part", "orders_of"]

BUDGET = 1_000_000
"""Steps of all searches together; some ten seconds at most."""

WAYS, LOCAL, WIDEST = 4, 3_000, 12
"""How many partial orders of a part are shown, and the steps and the operations that looking for others may take."""


@dataclass(frozen=True)
class Order:
    """Operations in linearization order, which `specification` accepts.

    A partial one ends at `stuck`, which cannot come next; `reasons` say why, and what stands against each other candidate.
    """

    specification: Specification
    operations: tuple[Operation, ...]
    stuck: Operation | None = None
    reasons: tuple[tuple[Operation, str], ...] = ()

    def states(self) -> Iterator[State]:
        """The state after each operation.  Made as they are asked for, since all of them may be much."""
        return states_along(self.specification, self.operations)


@dataclass(frozen=True)
class Part:
    """One part of an object, its operations (without failed ones that say nothing), and the orders found.

    `orders` has one that is whole if the part is valid, partial ones otherwise, the longest first; none if none was found.  `note`
    says what was not done, and why.
    """

    name: Hashable
    operations: tuple[Operation, ...]
    status: Status
    orders: tuple[Order, ...] = ()
    note: str = ""


@dataclass
class _Allowance:
    """What is left to be spent."""

    steps: int
    expired: Expired
    parts: int
    _share: int = field(default=0, init=False)

    def next_part(self) -> None:
        self._share = max(self.steps // max(self.parts, 1), 1)
        self.parts -= 1

    def spend(self, search: Search) -> bool | None:
        """Let a search go on for its share, in short turns, as long as there is time."""
        end = search.steps + self._share
        outcome = search.outcome
        while outcome is None and search.steps < end and not self.expired():
            before = search.steps
            outcome = search.run(min(2_000, end - search.steps))
            self.steps -= search.steps - before
        return outcome


def orders_of(
    specification: Specification,
    operations: Iterable[Operation],
    budget: int = BUDGET,
    expired: Expired = never,
) -> list[Part]:
    """The parts of the object in the order of their first operations, each with its orders.

    Raises:
        SpecificationError: the specification does not know an operation.
    """
    parts = parts_of(specification, operations)
    allowance = _Allowance(budget, expired, len(parts))
    found = []
    for name, members in parts.items():
        allowance.next_part()
        found.append(_part(specification, _told(specification, name), members, allowance))
    return found


def _told(specification: Specification, name: Hashable) -> Hashable:
    """What people call a part: of independent objects that have no parts themselves, the key."""
    if isinstance(specification, Independent) and isinstance(name, tuple) and name[1] is None:
        key: Hashable = name[0]
        return key
    return name


def _part(specification: Specification, name: Hashable, members: Sequence[Operation], allowance: _Allowance) -> Part:
    monitored = conflict(specification, members)
    if monitored is None:
        return _searched(specification, name, members, allowance)
    if not monitored.operations:
        order = _valid_order(specification, members, allowance)
        if order is not None:
            return Part(name, tuple(members), Status.VALID, (Order(specification, tuple(order)),))
        how = f"decided {method(specification)}, which gives no order, and a search has not found one in its time"
        return Part(name, tuple(members), Status.VALID, note=how)
    return _refuted(specification, name, members, allowance)


def _searched(
    specification: Specification, name: Hashable, members: Sequence[Operation], allowance: _Allowance, refuted: bool = False
) -> Part:
    """What the search finds in its share; `refuted` if a monitor has decided it already."""
    search = Search(specification, members)
    outcome = allowance.spend(search)
    if outcome:
        order = search.linearization()
        assert order is not None
        return Part(name, tuple(members), Status.VALID, (Order(specification, tuple(order)),))
    if outcome is False:
        deepest: Deepest | None = furthest(specification, members, search, 100_000)
        status, note = Status.INVALID, ""
    else:
        deepest = search.deepest()
        status, note = Status.UNKNOWN, "not decided: this is how far the search came in its time"
        if refuted:
            status, note = Status.INVALID, f"decided {method(specification)}: this is how far a search came in its time"
    orders = _partial(specification, deepest, allowance.expired) if deepest is not None else ()
    return Part(name, tuple(members), status, orders, note)


def _valid_order(specification: Specification, members: Sequence[Operation], allowance: _Allowance) -> Sequence[Operation] | None:
    if isinstance(specification, Independent):
        inner = constructed(specification.each, [specification.inner(operation) for operation in members], allowance.expired)
        outer = {operation.id: operation for operation in members}
        order = None if inner is None else [outer[operation.id] for operation in inner]
    else:
        order = constructed(specification, members, allowance.expired)
    if order is not None:
        return order
    search = Search(specification, members)
    return search.linearization() if allowance.spend(search) else None


def _refuted(specification: Specification, name: Hashable, members: Sequence[Operation], allowance: _Allowance) -> Part:
    """The longest prefix that the monitor accepts, and the operation whose return ends it."""
    returns = sorted((one for one in members if one.completed is not None), key=returned)
    low, high = 0, len(returns) - 1  # the returns before `low` can be passed, those up to `high` cannot
    while low < high:
        middle = (low + high) // 2
        prefix = _until(members, returns[middle], inclusive=True)
        said = conflict(specification, prefix)
        if said is None:
            return _searched(specification, name, members, allowance, refuted=True)
        if said.operations:
            high = middle
        else:
            low = middle + 1
    stuck = returns[low]
    prefix = _until(members, stuck, inclusive=False)
    order = _valid_order(specification, prefix, allowance)
    if order is None:
        return _searched(specification, name, members, allowance, refuted=True)
    real = {operation.id: operation for operation in members}
    order = _without_tail([real[operation.id] for operation in order], stuck)
    state = state_after(specification, order)
    if isinstance(state, Refusal):  # an open operation was placed whose own result does not fit: it counts as unknown here
        return _searched(specification, name, members, allowance, refuted=True)
    placed = {operation.id for operation in order}
    others = [one for one in prefix if one.id not in placed and one.id != stuck.id]
    deepest = Deepest(order, state, stuck, [stuck, *(real[one.id] for one in others)])
    return Part(name, tuple(members), Status.INVALID, _partial(specification, deepest, allowance.expired))


def _without_tail(order: list[Operation], stuck: Operation) -> list[Operation]:
    """The order up to the last operation that had to be there, so that what stands at its end was needed."""
    assert stuck.completed is not None
    keep = len(order)
    while keep and (order[keep - 1].id == stuck.id or returned(order[keep - 1]) > stuck.completed):
        keep -= 1
    return [operation for operation in order[:keep] if operation.id != stuck.id]


def _until(members: Sequence[Operation], last: Operation, *, inclusive: bool) -> list[Operation]:
    """The operations as they were known when `last` returned (`inclusive`), or just before."""
    end = returned(last)
    known = []
    for one in members:
        if one.invoked >= end:
            continue
        if returned(one) < end or (inclusive and one is last):
            known.append(one)
        else:
            known.append(msgspec.structs.replace(one, outcome=Outcome.INFO, result=None, error=None, completed=None, completed_at=None))
    return known


# -- partial orders ---------------------------------------------------------------------------------


def _partial(specification: Specification, deepest: Deepest, expired: Expired) -> tuple[Order, ...]:
    """The partial order that got furthest, and others that end in another state."""
    found = [_order(specification, deepest)]
    ends = {deepest.state}
    for order, state in () if expired() else _elsewhere(specification, deepest):
        if state in ends:
            continue
        ends.add(state)
        placed = {operation.id for operation in order}
        open_now = [one for one in (*deepest.placed, *deepest.candidates) if one.id not in placed and one.id != deepest.stuck.id]
        found.append(_order(specification, Deepest(order, state, deepest.stuck, [deepest.stuck, *open_now])))
        if len(found) == WAYS or expired():
            break
    return tuple(found)


def _order(specification: Specification, deepest: Deepest) -> Order:
    return Order(specification, tuple(deepest.placed), deepest.stuck, tuple(reasons(specification, deepest)))


def _elsewhere(specification: Specification, deepest: Deepest) -> Iterator[tuple[list[Operation], State]]:
    """Other orders that pass the same returns: the last operations of the order, and what is open, put together anew."""
    end = returned(deepest.stuck)
    room = max(WIDEST - len(deepest.candidates), 4)
    kept = deepest.placed[: max(len(deepest.placed) - room, 0)]
    start = state_after(specification, kept)
    assert not isinstance(start, Refusal)
    movable = [*deepest.placed[len(kept) :], *[one for one in deepest.candidates if one.id != deepest.stuck.id][:WIDEST]]
    musts = sum(1 << place for place, one in enumerate(movable) if returned(one) < end)
    before = [sum(1 << other for other, earlier in enumerate(movable) if returned(earlier) < one.invoked) for one in movable]
    stack: list[tuple[int, State, tuple[int, ...]]] = [(0, start, ())]
    seen: set[tuple[int, State]] = set()
    steps = 0
    while stack and steps < LOCAL:
        mask, state, path = stack.pop()
        steps += 1
        if mask & musts == musts:
            yield [*kept, *(movable[place] for place in path)], state
            continue
        for place in reversed(range(len(movable))):
            bit = 1 << place
            if mask & bit or before[place] & ~mask:
                continue
            following = specification.step(state, call_of(movable[place]))
            if not isinstance(following, Refusal) and (mask | bit, following) not in seen:
                seen.add((mask | bit, following))
                stack.append((mask | bit, following, (*path, place)))
