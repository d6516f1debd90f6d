"""Log-linear monitors: histories that need no search.

Deciding linearizability is NP-complete, but not where all values are different: then who took what is known, and what remains is a
question of intervals.  Each module here decides one kind of object, says in its docstring why that is right and what it costs, and is
compared with the search and with all orders in `tests/properties`.  `conflict` picks the one for a specification.

Besides a verdict a monitor gives reasons: a few operations that cannot be linearized by themselves, so that the search, which can explain
itself, refutes those.

A specification of somebody's own that inherits from one of ours is another object as soon as it says otherwise what a step does, so then no
monitor applies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ..compiled import load
from ..conflict import Conflict, last_event
from ..containers import FifoQueue, PriorityQueue, Stack
from ..counter import Counter
from ..history import Operation
from ..independent import Independent
from ..registers import CasRegister, Register
from ..sets import GrowSet, Set
from ..specification import Specification
from ..stores import KeyValue
from ..zones import conflict as zones_conflict
from . import chains, counting, growing, priorities, queues, sets, stacks, stores

__all__ = ["Conflict", "conflict", "method", "whole"]

Decide: TypeAlias = Callable[[Any, Sequence[Operation]], "Conflict | None"]
DecideEvents: TypeAlias = Callable[..., "Conflict | None"]


class Method(NamedTuple):
    """How one kind of object is decided, and what that is called: by `decide`, or by `decide_events`.

    The latter has lists with a place for each event, and is told the last one; `sweeps` if it can be given the module of that name, too.
    """

    kind: type[Specification]
    name: str
    decide: Decide | None = None
    decide_events: DecideEvents | None = None
    sweeps: bool = False


def _register(specification: Register | CasRegister, operations: Sequence[Operation]) -> Conflict | None:
    found = zones_conflict(specification, operations)
    if found is None and isinstance(specification, CasRegister):
        return chains.conflict(specification, operations)
    return found


METHODS = (
    Method(Register, "by zones", _register),
    Method(CasRegister, "by zones", _register),
    Method(FifoQueue, "by the four patterns of a queue", decide_events=queues.conflict),
    Method(Stack, "by taking away outermost values", decide_events=stacks.conflict, sweeps=True),
    Method(PriorityQueue, "by priorities", decide_events=priorities.conflict, sweeps=True),
    Method(Set, "by the life of each element", sets.conflict),
    Method(GrowSet, "by the chain of reads", growing.conflict),
    Method(Counter, "by counting", counting.conflict),
    Method(KeyValue, "by the chains of values", stores.conflict),
)

MANY = 200_000
"""Operations from which on it pays to load compiled code."""

SPARSE, FEW = 8, 4096
"""Events per operation, and events altogether, up to which lists may have a place for each event."""


def conflict(specification: Specification, operations: Sequence[Operation], *, fast: bool = False) -> Conflict | None:
    """What the monitor for this specification says: a conflict, one without operations, or None if there is none or it cannot tell.

    `operations` are those of one part of the object, or of all of them if `whole` says so: elements of sets are told apart here, and most
    other objects have one part.  None of them failed, except those that the specification takes as evidence.  `fast` lets long
    histories be judged in compiled code, where that is installed: the answer is the same.

    Cost: O(n log n), see the modules.
    """
    if isinstance(specification, Independent):
        inner = [specification.inner(operation) for operation in operations]
        return _outer(conflict(specification.each, inner, fast=fast), operations, keyed=True)
    chosen = _choose(specification)
    if chosen is None:
        return None
    if chosen.decide is not None:
        return chosen.decide(specification, operations)
    assert chosen.decide_events is not None
    dense, last = _dense(operations)
    compiled = load(".monitors.sweeps") if fast and chosen.sweeps and len(operations) >= MANY else None
    found = chosen.decide_events(specification, dense, last, *([compiled] if compiled is not None else []))
    return found if dense is operations else _outer(found, operations)


def whole(specification: Specification) -> bool:
    """True if the monitor takes the operations of all parts of the object at once; False: those of one key."""
    return not isinstance(specification, Independent | KeyValue)


def method(specification: Specification) -> str:
    """How the monitor for this specification decides, in a few words that follow "decided"."""
    if isinstance(specification, Independent):
        return method(specification.each)
    chosen = _choose(specification)
    return "" if chosen is None else chosen.name


def _choose(specification: Specification) -> Method | None:
    given = type(specification)
    for candidate in METHODS:
        kind = candidate.kind
        if issubclass(given, kind) and all(
            getattr(given, name) is getattr(kind, name) for name in ("initial", "step", "partition", "evidence_of_failure")
        ):
            return candidate
    return None


def _outer(found: Conflict | None, operations: Sequence[Operation], *, keyed: bool = False) -> Conflict | None:
    """A conflict among operations that stand for others, by their numbers."""
    if not found or not found.operations:
        return found
    outer = {operation.id: operation for operation in operations}
    other = found.specification
    return found._replace(
        operations=tuple(outer[operation.id] for operation in found.operations),
        specification=Independent(other) if keyed and other is not None else other,
    )


def _dense(operations: Sequence[Operation]) -> tuple[Sequence[Operation], int]:
    """The operations and their last event, with events numbered anew where there are so many others that lists of them would be long.

    In small histories, which may be made by hand, also where two events have one number: a return is before a call of the same number.
    """
    size = len(operations)
    last = last_event(operations)
    few = last <= FEW
    if last <= SPARSE * size or few:
        if not few:
            return operations, last
        events = [one.invoked for one in operations] + [one.completed for one in operations if one.completed is not None]
        if len(set(events)) == len(events):
            return operations, last
    numbers: list[tuple[int, bool, int]] = [(one.invoked, True, place) for place, one in enumerate(operations)]
    numbers += [(one.completed, False, place) for place, one in enumerate(operations) if one.completed is not None]
    numbers.sort()
    invoked, completed = [0] * size, [0] * size
    for number, (_event, calling, place) in enumerate(numbers):
        (invoked if calling else completed)[place] = number
    renumbered = [
        msgspec.structs.replace(one, invoked=invoked[place], completed=None if one.completed is None else completed[place])
        for place, one in enumerate(operations)
    ]
    return renumbered, len(numbers)
