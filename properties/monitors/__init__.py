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
from typing import NamedTuple, TypeAlias

from ..bags import UnorderedQueue
from ..compiled import load
from ..conflict import Conflict
from ..containers import FifoQueue, PriorityQueue, Stack
from ..counter import Counter
from ..history import Operation
from ..independent import Independent
from ..registers import CasRegister, Register
from ..sets import GrowSet, Set
from ..specification import Specification
from ..stores import KeyValue
from ..zones import conflict as zones_conflict
from . import bags, chains, counting, growing, priorities, queues, sets, stacks, stores

__all__ = ["Conflict", "conflict", "method", "whole"]

Decide: TypeAlias = Callable[..., "Conflict | None"]


class Method(NamedTuple):
    """How one kind of object is decided, and what that is called; `sweeps` if it can be given the module of that name, too."""

    kind: type[Specification]
    name: str
    decide: Decide
    sweeps: bool = False


def _register(specification: Register | CasRegister, operations: Sequence[Operation]) -> Conflict | None:
    found = zones_conflict(specification, operations)
    if found is None and isinstance(specification, CasRegister):
        return chains.conflict(specification, operations)
    return found


METHODS = (
    Method(Register, "by zones", _register),
    Method(CasRegister, "by zones", _register),
    Method(FifoQueue, "by the four patterns of a queue", queues.conflict),
    Method(UnorderedQueue, "by the three patterns of a queue without order", bags.conflict),
    Method(Stack, "by taking away outermost values", stacks.conflict, sweeps=True),
    Method(PriorityQueue, "by priorities", priorities.conflict, sweeps=True),
    Method(Set, "by the life of each element", sets.conflict),
    Method(GrowSet, "by the chain of reads", growing.conflict),
    Method(Counter, "by counting", counting.conflict),
    Method(KeyValue, "by the chains of values", stores.conflict),
)

MANY = 200_000
"""Operations from which on it pays to load compiled code."""

def conflict(specification: Specification, operations: Sequence[Operation], *, fast: bool = False) -> Conflict | None:
    """What the monitor for this specification says: a conflict, one without operations, or None if there is none or it cannot tell.

    `operations` are those of one part of the object, or of all of them if `whole` says so: elements of sets are told apart here, and most
    other objects have one part.  None of them failed, except those that the specification takes as evidence.  `fast` lets long
    histories be judged in compiled code, where that is installed: the answer is the same.

    Cost: O(n log n), see the modules.
    """
    if isinstance(specification, Independent):
        inner = [specification.inner(operation) for operation in operations]
        return _outer(conflict(specification.each, inner, fast=fast), operations)
    chosen = _choose(specification)
    if chosen is None:
        return None
    compiled = load(".monitors.sweeps") if fast and chosen.sweeps and len(operations) >= MANY else None
    return chosen.decide(specification, operations, *([compiled] if compiled is not None else []))


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


def _outer(found: Conflict | None, operations: Sequence[Operation]) -> Conflict | None:
    """A conflict among operations of one key, as those of all keys that they stand for."""
    if not found or not found.operations:
        return found
    outer = {operation.id: operation for operation in operations}
    other = found.specification
    return found._replace(
        operations=tuple(outer[operation.id] for operation in found.operations),
        specification=None if other is None else Independent(other),
    )
