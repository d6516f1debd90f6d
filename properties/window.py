"""Which operations are open when: a history, seen from each of its returns.

Completed operations are sorted by return.  Each borrows a bit for as long as it is open, so a set of open operations is a small
integer, however long the history.  The lists of what is open at a return are made when a search first gets there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

from .history import Operation

__all__ = ["Candidate", "Pending", "Read", "Window"]

Candidate: TypeAlias = tuple[int, int, int, int, int]
"""An operation: its bit; that bit and those of equal calls that return earlier; the latter alone; its call; its number."""

Pending: TypeAlias = Candidate
"""The same for a pending operation; bits are its own, and of equal calls the one invoked first goes first."""

Read: TypeAlias = tuple[int, int, int]
"""An open pure operation: its bit, its call, its number."""


class Window:
    """Operations in order of invocation, known by their numbers in it.  `classes` and `pure` are those of `Steps`.

    Per return: `return_bits`, `returning` (the operation), `called` (what is invoked since the return before), `pending_called`
    (how many of `pending` are invoked before it).  `open(rank)` fills `reads` and `mutators` up to that return.

    Operations whose ids are `optional` need not happen.  So at the return of one there is a further candidate: that it did nothing,
    which is the call `skip`.  Among equal calls only those of one kind go in order of return: an optional one that returns first does
    not spare a search the other, which must happen.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        classes: Sequence[int],
        pure: Sequence[bool],
        optional: Collection[int] = (),
        skip: int = -1,
    ) -> None:
        self.operations = operations
        self.classes = classes
        self.return_bits: list[int] = []
        self.returning: list[int] = []
        self.called: list[list[int]] = []
        self.bits: list[int] = [0] * len(operations)
        self.width = 0
        self.pending: list[Pending] = []
        self.pending_called: list[int] = []
        self.reads: list[list[Read]] = []
        self.mutators: list[list[Candidate]] = []
        self.optional = [one.id in optional for one in operations]
        self._skip = skip
        self._pure = pure
        self._rank: list[int] = [0] * len(operations)
        self._lay_out()
        self._place_pending()

    def _lay_out(self) -> None:
        """Give every completed operation a bit, and list what is called before each return."""
        returns = sorted(
            (operation.completed, number) for number, operation in enumerate(self.operations) if operation.completed is not None
        )
        free: list[int] = []
        width = 0
        calls = (number for number, operation in enumerate(self.operations) if operation.completed is not None)
        upcoming = next(calls, None)
        for rank, (returned, number) in enumerate(returns):
            called = []
            while upcoming is not None and self.operations[upcoming].invoked < returned:
                if free:
                    self.bits[upcoming] = free.pop()
                else:
                    self.bits[upcoming] = 1 << width
                    width += 1
                called.append(upcoming)
                upcoming = next(calls, None)
            self.called.append(called)
            self._rank[number] = rank
            self.returning.append(number)
            self.return_bits.append(self.bits[number])
            free.append(self.bits[number])
        self.width = width

    def _place_pending(self) -> None:
        """Pending operations that could matter, and how many of them are called before each return."""
        available: dict[int, int] = {}
        for number, operation in enumerate(self.operations):
            call = self.classes[number]
            if operation.completed is None and not self._pure[call]:
                bit = 1 << len(self.pending)
                earlier = available.get(call, 0)
                available[call] = earlier | bit
                self.pending.append((bit, bit | earlier, earlier, call, number))
        count = 0
        for number in self.returning:
            returned = self.operations[number].completed
            assert returned is not None
            while count < len(self.pending) and self.operations[self.pending[count][4]].invoked < returned:
                count += 1
            self.pending_called.append(count)

    def open(self, rank: int) -> None:
        """Prepare the lists of operations that are open at this return, and at all before it."""
        while len(self.mutators) <= rank:
            at = len(self.mutators)
            gone = self.returning[at - 1] if at else -1
            reads = self.reads[at - 1] if at else []
            mutators = self.mutators[at - 1] if at else []
            new_reads = [number for number in self.called[at] if self._pure[self.classes[number]]]
            new_mutators = [number for number in self.called[at] if not self._pure[self.classes[number]]]
            if new_reads or (at and self._pure[self.classes[gone]]):
                reads = [read for read in reads if read[2] != gone]
                reads += [(self.bits[number], self.classes[number], number) for number in new_reads]
            if new_mutators or (at and not self._pure[self.classes[gone]]):
                mutators = self._candidates([entry[4] for entry in mutators if entry[4] != gone and entry[3] != self._skip] + new_mutators)
            due = self.returning[at]
            if self.optional[due]:
                mutators = [*mutators, (self.bits[due], self.bits[due], 0, self._skip, due)]
            self.reads.append(reads)
            self.mutators.append(mutators)

    def _candidates(self, numbers: list[int]) -> list[Candidate]:
        rank, bits, classes = self._rank, self.bits, self.classes
        numbers.sort(key=rank.__getitem__)
        seen: dict[tuple[int, bool], int] = {}
        candidates = []
        for number in numbers:
            bit, call = bits[number], classes[number]
            kind = call, self.optional[number]
            earlier = seen.get(kind, 0)
            seen[kind] = both = earlier | bit
            candidates.append((bit, both, earlier, call, number))
        return candidates
