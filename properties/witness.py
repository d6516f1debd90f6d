"""A witness: an order of the operations so far that explains every result, kept up with each completion.

A run is to stop at the first event that nothing can repair, and a search after every event would cost as much as the run.  But what
one completion changes is local.  A witness is a linearization of all that has completed; when an operation completes,

1. it is put at the end of the order, or, if it is a read, somewhere within its interval where its result fits: most are;
2. if it stood in the order already, because somebody had seen its effect, its result must be the one that was assumed;
3. otherwise the *window* is ordered anew: the operations from the first place where it may stand, by a search that starts from the
   state there.  If no order of them will do, a longer window, and in the end all of the history;
4. if that fails too, the history is not linearizable, and was until this event.

Sound both ways: an order is only kept if the specification accepts every step of it and it respects real time (the window keeps
this against what lies before, since what lies before stood before all of the window already, and the new operation completes now);
a violation is only reported when the whole history was searched.  Linearizability is closed under prefixes and local, so each part
of the object has a witness of its own, and one refuted part ends it.

Cost: for each completion a few steps of the specification, one per operation that overlaps it; a search over the window now and
then.  Compared with looking whenever the history has grown by half it costs about the same, and it needs no look at the end.
Prior art: the just-in-time linearization of Lowe 2017 keeps all configurations; one is enough until it fails.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from enum import Enum

from .history import Operation, Outcome
from .later import Later
from .search import Search
from .specification import Refusal, Specification, State, call_of, unknown_of

__all__ = ["Fate", "Witness"]

SHORT = 2_000
"""Steps that a search over a window may take."""

WINDOWS = (8, 32)
"""How many operations more than it must a window takes in, before the whole history is searched."""


class Fate(Enum):
    """What became of a witness: an order is known, there is none, or nobody knows."""

    ALIVE = "alive"
    REFUTED = "refuted"
    LOST = "lost"


class Witness:
    """Orders for all parts of an object.  Once it is not `ALIVE` any more it takes no further operations.

    `longest` is how many steps a search over the whole history of a part may take, before the witness is given up as lost.

    Raises:
        SpecificationError: from all methods: the specification does not know an operation.
    """

    def __init__(self, specification: Specification, longest: int) -> None:
        self.fate = Fate.ALIVE
        self._specification = specification
        self._longest = longest
        self._parts: dict[Hashable, _Order] = {}
        self._part_of: dict[int, Hashable] = {}

    def invoke(self, operation: Operation) -> None:
        """An operation began; it may take effect from now on."""
        part = self._specification.partition(operation)
        order = self._parts.get(part)
        if order is None:
            order = self._parts[part] = _Order(self._specification, self._longest)
        self._part_of[operation.id] = part
        order.open[operation.id] = operation

    def complete(self, operation: Operation) -> Fate:
        """An operation ended, in whatever way."""
        part = self._part_of.pop(operation.id)
        if operation.outcome is not Outcome.INFO:
            # Where only the result tells which part is meant, what was assumed of it so far may be wrong.
            moved = self._specification.partition(operation) != part
            self.fate = Fate.LOST if moved else self._parts[part].complete(operation)
        return self.fate

    def finish(self) -> Fate:
        """Nothing follows: operations that are still open were perhaps never looked at, and may be unknown to the specification."""
        for order in self._parts.values():
            for operation in order.open.values():
                self._specification.step(self._specification.initial, unknown_of(operation))
        return self.fate


class _Order:
    """One part's operations in the order of the witness; `states[i]` is the state before `order[i]`."""

    def __init__(self, specification: Specification, longest: int) -> None:
        self._longest = longest
        self.open: dict[int, Operation] = {}
        self._specification = specification
        self._order: list[Operation] = []
        self._states: list[State] = [specification.initial]
        self._seen_early: set[int] = set()

    def complete(self, operation: Operation) -> Fate:
        """Make room for what is now known of an operation."""
        counts = operation.outcome is Outcome.OK or self._specification.evidence_of_failure(operation)
        if operation.id in self._seen_early:
            self._seen_early.discard(operation.id)
            return self._settle(operation, counts=counts)
        del self.open[operation.id]
        if not counts:
            # It does not count, but one that the specification does not know is a mistake all the same.
            self._specification.step(self._specification.initial, unknown_of(operation))
            return Fate.ALIVE
        if self._put(operation):
            return Fate.ALIVE
        return self._reorder(self._earliest(operation), [operation])

    def _put(self, operation: Operation) -> bool:
        """Put it at the end, or where it changes nothing, if that will do."""
        step, states, call = self._specification.step, self._states, call_of(operation)
        following = step(states[-1], call)
        if not isinstance(following, Refusal):
            self._order.append(operation)
            states.append(following)
            return True
        if self._specification.pure(call):
            for place in range(len(self._order) - 1, self._earliest(operation) - 1, -1):
                if step(states[place], call) == states[place]:
                    self._order.insert(place, operation)
                    states.insert(place, states[place])
                    return True
        return False

    def _earliest(self, operation: Operation) -> int:
        """The first place in the order where it may stand: after everything that completed before it was invoked."""
        order, place = self._order, len(self._order)
        while place > 0:
            completed = order[place - 1].completed
            if completed is not None and completed < operation.invoked:
                break
            place -= 1
        return place

    def _settle(self, operation: Operation, *, counts: bool) -> Fate:
        """The result of an operation is known that stands in the order already."""
        place = next(place for place in range(len(self._order) - 1, -1, -1) if self._order[place].id == operation.id)
        if not counts:
            del self._order[place]
            return self._reorder(place, [])
        self._order[place] = operation
        if self._specification.step(self._states[place], call_of(operation)) == self._states[place + 1]:
            return Fate.ALIVE
        # It may have to move before things that it stands after now.
        return self._reorder(min(place, self._earliest(operation)), [])

    def _reorder(self, start: int, added: Sequence[Operation]) -> Fate:
        """Find another order for everything from `start` on, and what was added; look further back if there is none."""
        starts = sorted({max(start - more, 0) for more in WINDOWS}, reverse=True)
        for cut in (start, *(other for other in starts if other < start)):
            if cut == 0:
                break
            members = [*self._order[cut:], *added, *self.open.values()]
            search = Search(Later(self._specification, self._states[cut]), members)
            if search.run(min(SHORT, self._longest)):
                self._splice(cut, search, added)
                return Fate.ALIVE
        search = Search(self._specification, [*self._order, *added, *self.open.values()])
        found = search.run(self._longest)
        if found:
            self._splice(0, search, added)
        return {True: Fate.ALIVE, False: Fate.REFUTED, None: Fate.LOST}[found]

    def _splice(self, cut: int, search: Search, added: Sequence[Operation]) -> None:
        """Take over the order that a search found for everything from `cut` on."""
        found = search.linearization()
        assert found is not None
        for operation in (*self._order[cut:], *added):
            if operation.pending:
                self.open[operation.id] = operation
                self._seen_early.discard(operation.id)
        del self._order[cut:], self._states[cut + 1 :]
        for operation in found:
            following = self._specification.step(self._states[-1], call_of(operation))
            assert not isinstance(following, Refusal), "the search and the specification contradict each other: please report this"
            self._order.append(operation)
            self._states.append(following)
            if operation.pending:
                del self.open[operation.id]
                self._seen_early.add(operation.id)
