"""Sets that only grow and are read as a whole: linearizable or not in time proportional to what the reads show.

If every element is added at most once, a linearization shows the reads in the order of their sizes, each a superset of the one before.
So the reads must form a chain, and the elements come in between: those of the smallest read, the reads that show just these,
the elements that the next larger read shows besides, and so on; in the end the elements that nobody read.  There is a linearization if
and only if every element that was read was added, the reads form a chain, and none of these segments holds an operation that returned
before one of an earlier segment was called.  A pending add whose element was read happened and returns never; one whose element was
not read need not have happened.

A violation concerns one or two elements: an operation x was called after y of a later segment had returned.  If both are adds, a
read of the segment between shows the element of x and not that of y; if one is a read, some element is in one and not in the other.
Forget all other elements, and these two, three or four operations are a history of a set of which only those elements count (`GrowSet`
with `within`); an order of the whole history would give an order of theirs.

Cost: O(n log n + m), where m is the number of elements in all reads together.  For the chain of reads see Bouajjani, Emmi, Enea & Hamza
2015 and, as a checker, Jepsen's `set-full`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..conflict import NONE, Conflict
from ..history import Operation, Value, render
from ..sets import GrowSet, elements_of, twice
from ..specification import SpecificationError

__all__ = ["conflict"]


def conflict(specification: GrowSet, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if an element was added twice."""
    if specification.within is not None:
        return None
    adds: dict[Value, Operation] = {}
    reads: list[Operation] = []
    for operation in operations:
        function = operation.function
        if function == "add":
            if operation.argument in adds:
                return None
            adds[operation.argument] = operation
        elif function != "read":
            return None
        elif operation.completed is not None:
            reads.append(operation)
    try:
        reads.sort(key=lambda read: len(elements_of(read.result)))
    except SpecificationError:
        return None
    return _Growth(specification, adds, reads).conflict()


class _Growth:
    """The reads by size, and the segments between them."""

    def __init__(self, specification: GrowSet, adds: dict[Value, Operation], reads: Sequence[Operation]) -> None:
        self.specification = specification
        self.adds = adds
        self.reads = reads

    def conflict(self) -> Conflict:
        """The first conflict, or none."""
        segments: list[list[Operation]] = []
        before: frozenset[Value] = frozenset()
        unread = dict(self.adds)
        smaller: Operation | None = None
        for read in self.reads:
            elements = elements_of(read.result)
            seen = frozenset(elements)
            if len(seen) != len(elements):
                return Conflict((read,), f"no set has {render(twice(elements))} in it twice")
            if not before <= seen:
                assert smaller is not None
                return self._incomparable(smaller, read)
            fresh = [element for element in elements if element not in before]
            if not fresh and smaller is not None:
                segments[-1].append(read)
                continue
            for element in fresh:
                if element not in self.adds:
                    return self._within((read,), f"nobody added {render(element)}", element)
            segments.append([self.adds[element] for element in fresh])
            segments.append([read])
            for element in fresh:
                del unread[element]
            before, smaller = seen, read
        segments.append([add for add in unread.values() if add.completed is not None])
        return self._disorder(segments)

    def _disorder(self, segments: Sequence[Sequence[Operation]]) -> Conflict:
        late: Operation | None = None
        latest, where = -1, 0
        for place, segment in enumerate(segments):
            last, called = late, latest
            for one in segment:
                end = one.completed
                if end is not None and end < latest:
                    assert late is not None
                    return self._explain(late, one, segments, where)
                if one.invoked > called:
                    last, called = one, one.invoked
            if called > latest:
                late, latest, where = last, called, place
        return NONE

    def _explain(self, late: Operation, early: Operation, segments: Sequence[Sequence[Operation]], where: int) -> Conflict:
        """`early` returned before `late` was called, and belongs after it."""
        if late.function == "add" and early.function == "add":
            read = segments[where + 1][0]
            why = f"a read shows {render(late.argument)} and not {render(early.argument)}, which was there first"
            return self._within((early, late, read), why, late.argument, early.argument)
        if late.function == "add":
            return self._within((late, early), f"{render(late.argument)} was read before its add was invoked", late.argument)
        if early.function == "add":
            return self._within((early, late), f"{render(early.argument)} was added before, and the read does not show it", early.argument)
        lost = _besides(early, late)
        why = f"{render(lost)} was read before, and is not in the set any more"
        return self._within((self.adds[lost], early, late), why, lost)

    def _incomparable(self, one: Operation, other: Operation) -> Conflict:
        mine, theirs = _besides(one, other), _besides(other, one)
        members = [self.adds[element] for element in (mine, theirs) if element in self.adds]
        why = f"one read shows {render(mine)} and not {render(theirs)}, the other the other way round"
        return self._within((*members, one, other), why, mine, theirs)

    def _within(self, operations: Sequence[Operation], why: str, *elements: Value) -> Conflict:
        return Conflict(tuple(operations), why, replace(self.specification, within=frozenset(elements)))




def _besides(read: Operation, other: Operation) -> Value:
    """An element that a read shows and another does not."""
    known = frozenset(elements_of(other.result))
    return next(element for element in elements_of(read.result) if element not in known)
