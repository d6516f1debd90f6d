"""A serial order of transactions on registers: where there is one, nothing is wrong at any level.

Reads of registers say little of the order of versions, so levels are decided one by one: who may have seen whom, with clocks, and what
follows if each key goes with real time.  But most histories are strictly serializable, and an order that shows it decides all levels
at once, the weakest and the strongest.  Deciding whether there is one is NP-complete (Papadimitriou 1979), so nothing is concluded where
none is found.

The order is built from left to right, as late as can be: whenever a transaction completes, it is put next in the order unless it is there
already, and before it what must come before it.  As values are unique, that is mostly forced:

- who wrote what it read, if that is not what the key holds now;
- for each key that it writes, the readers of what the key holds now, which nobody can read afterwards;
- and, if its own version will be read by somebody who is not even invoked yet, the other writers of the key that complete before that.

Calls for what must come before may lead back to the caller, or to somebody who is not invoked yet.  Then some version was put into the
order too early: one that overwrites a version cannot wait for its reader, so it must come before who wrote that version.  This is
noted, the order taken back to where it went wrong, and built anew.  Where a chain of calls has several such places, the latest is tried
first, and the others if what was noted leads to a dead end: notes know because of which others they were made, so that only those are
taken back (conflict-directed backjumping: Prosser 1993; the notes are what solvers call learnt clauses).

Nothing is put before it is invoked, nothing later than it completes, a read is put where the key holds what it saw, and a version is
overwritten only after all who read it; so whatever was noted, an order that comes out is one.  Of an outcome that nobody knows, a
transaction counts if its writes were seen, and is put only where it is called for.

Cost: linear in the micro-operations, times the writers of a key that are in flight at once, where little has to be taken back; it gives
up when each transaction has been taken back `PATIENCE` times, on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ..history import Value
from .dependencies import NEVER
from .registers import Registers

__all__ = ["serial_order"]

DEEPEST = 200
"""How many transactions may call for one another."""

PATIENCE = 5
"""How often a transaction may be taken back, on average."""

NOBODY = NOTHING = -1

NOT_CALLED, CALLED, PLACED = range(3)

Pair: TypeAlias = tuple[int, int]
"""A transaction, and one that has to come before it."""


def serial_order(history: Registers) -> list[int] | None:
    """Numbers of the committed transactions in an order that explains every read and respects real time; None if none was found.

    `history` has no findings: every transaction agrees with itself, and no read is of what nobody wrote, or was aborted, or not final.
    Those of unknown outcome are in the order if somebody needs them.
    """
    return _Orderer(history).order() if _sessions_keep_time(history) else None


def _sessions_keep_time(history: Registers) -> bool:
    """True if each process has one transaction at a time, and none after an unknown outcome: then its order is part of real time."""
    ended: dict[str, int] = {}
    for operation in history.operations:
        if ended.get(operation.process, -1) > operation.invoked:
            return False
        ended[operation.process] = NEVER if operation.completed is None else operation.completed
    return True


class _Orderer:
    """Versions are numbered: first what each key begins with, then what was written.  Each completion is a turn."""

    def __init__(self, history: Registers) -> None:
        count = len(history.operations)
        self.invoked: Sequence[int] = history.dependencies.invoked
        self.completed: Sequence[int] = history.dependencies.completed
        self.counting = [history.committed(number) for number in range(count)]
        self.reads: list[list[int]] = [[] for _ in range(count)]
        self.writes: list[list[int]] = [[] for _ in range(count)]
        keys = len(history.logs)
        self.holds = [*range(keys)]  # per key: its version now
        self.keys = [*range(keys)]  # per version: its key, who wrote it, who reads it,
        self.writers = [NOBODY] * keys
        self.readers: list[list[int]] = [[] for _ in range(keys)]
        for key, log in enumerate(history.logs.values()):
            versions: dict[Value, int] = {None: key}
            for number, value in log.finals.items():
                if self.counting[number]:
                    versions[value] = len(self.keys)
                    self.writes[number].append(len(self.keys))
                    self.keys.append(key)
                    self.writers.append(number)
                    self.readers.append([])
            for number, value in log.reads:
                version = versions[value]
                self.reads[number].append(version)
                self.readers[version].append(number)
        self.left = [*map(len, self.readers)]  # how many of them are not in the order yet,
        self.until = [max((self.invoked[one] for one in row), default=-1) for row in self.readers]  # when the last is invoked,
        self.replaced = [NOTHING] * len(self.keys)  # and which version it replaced
        self.flying: list[dict[int, int]] = [{} for _ in range(keys)]  # per key: who was invoked and will write it, and what
        ended = [number for number in range(count) if self.counting[number] and self.completed[number] != NEVER]
        self.ends = sorted(ended, key=self.completed.__getitem__)  # whose turn it is
        self.status = bytearray(count)
        self.turns = [0] * count  # per transaction in the order: the turn in which it was put there
        self.found: list[int] = []
        self.earlier: dict[int, list[int]] = {}  # per transaction: those that were found to have to come before it
        self.lessons: list[tuple[Pair, list[Pair], set[Pair]]] = []  # what was noted, what else might be, and because of what
        self.known: dict[Pair, int] = {}  # their places
        self.calls: list[tuple[int, int]] = []  # who called for whom, and the version that the one overwrites and the other reads
        self.callers: dict[int, tuple[int, int]] = {}  # the same of all in the order: who called for each of them
        self.missing = NOBODY  # whom the last of them called for in vain
        self.now = self.turn = 0

    def order(self) -> list[int] | None:
        """The order, if it is found."""
        invoked, completed, status, ends = self.invoked, self.completed, self.status, self.ends
        starts = [0] * len(ends)  # how long the order was before each turn
        begun = 0
        patience = PATIENCE * len(self.counting)
        while self.turn < len(ends):
            number = ends[self.turn]
            self.now = completed[number]
            starts[self.turn] = len(self.found)
            while begun < len(self.counting) and invoked[begun] < self.now:
                for version in self.writes[begun]:
                    self.flying[self.keys[version]][begun] = version
                begun += 1
            if status[number] != PLACED:
                self.callers[number] = NOBODY, NOTHING
                if not self._place(number):
                    turn = self._learn()
                    patience -= len(self.found) - starts[turn] + 1
                    if turn < 0 or patience < 0:
                        return None
                    self._take_back(starts[turn])
                    self.turn = turn
                    continue
            self.turn += 1
        return self.found

    def _place(self, number: int) -> bool:
        """Put a transaction next, and before it those that it calls for."""
        status, holds, keys, left = self.status, self.holds, self.keys, self.left
        reads, writes = self.reads[number], self.writes[number]
        status[number] = CALLED
        called = True
        while called:
            called = False
            for other, held in self._wanted(number):
                called = True
                if not self._call(number, other, held):
                    return False
        for version in reads:
            left[version] -= 1
        for version in writes:
            key = keys[version]
            self.replaced[version] = holds[key]
            holds[key] = version
            del self.flying[key][number]
        status[number] = PLACED
        self.turns[number] = self.turn
        self.found.append(number)
        return True

    def _wanted(self, number: int) -> Iterator[tuple[int, int]]:
        """Who must come before a transaction, and the version that it overwrites and they read, if that is why."""
        status, holds, keys, now = self.status, self.holds, self.keys, self.now
        reads = self.reads[number]
        for other in self.earlier.get(number, ()):
            if status[other] != PLACED:
                yield other, NOTHING
        for version in reads:
            if holds[keys[version]] != version:
                yield self.writers[version], NOTHING
        for version in self.writes[number]:
            key = keys[version]
            until = self.until[version]
            if until > now:
                for other in [*self.flying[key]]:
                    if other != number and self.completed[other] < until and self.invoked[other] < now and status[other] != PLACED:
                        yield other, NOTHING
            held = holds[key]
            if self.left[held] > (held in reads):
                for reader in self.readers[held]:
                    if reader != number and status[reader] != PLACED:
                        yield reader, held

    def _call(self, number: int, other: int, held: int) -> bool:
        """Put `other` before `number`."""
        self.calls.append((number, held))
        if other == NOBODY or self.status[other] or self.invoked[other] > self.now or len(self.calls) > DEEPEST:
            self.missing = other
            return False
        self.callers[other] = number, held
        if not self._place(other):
            return False
        self.calls.pop()
        return True

    def _learn(self) -> int:
        """Note who should have come before whom, so that what failed does not fail again; the turn to go back to, or -1."""
        choices, because = self._choices()
        known, back = self.known, self.turn
        while not choices:
            if not because:
                return -1
            last = max(known[pair] for pair in because)
            for pair, _choices, _because in self.lessons[last:]:
                self.earlier[pair[0]].remove(pair[1])
                del known[pair]
                back = min(back, self._turn(pair[0]))
            pair, choices, more = self.lessons[last]
            del self.lessons[last:]
            because.discard(pair)
            because |= more
        writer, number = choices.pop()
        known[writer, number] = len(self.lessons)
        self.lessons.append(((writer, number), choices, because))
        self.earlier.setdefault(writer, []).append(number)
        return min(back, self._turn(writer))

    def _choices(self) -> tuple[list[Pair], set[Pair]]:
        """What might be noted of the calls that failed, the latest last, and the notes because of which there is nothing else.

        The calls lead from a transaction to one that is not invoked yet, or back to itself.
        """
        calls, self.calls = self.calls, []
        chain = calls
        for place, (number, _held) in enumerate(calls):
            self.status[number] = NOT_CALLED
            if number == self.missing:
                chain = calls[place:]
        others = [*(number for number, _held in chain[1:]), self.missing]
        links = {(number, held, other): None for (number, held), other in zip(chain, others, strict=True)}
        todo = [*links]
        choices: dict[Pair, None] = {}
        because: set[Pair] = set()
        for number, held, other in todo:
            if (number, other) in self.known:
                because.add((number, other))
            writer = NOBODY if held == NOTHING else self.writers[held]
            if writer == NOBODY:
                continue
            if self.invoked[number] > self.completed[self.ends[self.turns[writer]]]:
                # It cannot have come before, so the other was called for too early.
                while (caller := self.callers[writer])[0] != NOBODY and (link := (*caller, writer)) not in links:
                    links[link] = None
                    todo.append(link)
                    writer = caller[0]
            elif (writer, number) in self.known:
                because.add((writer, number))
            elif not self._outlives(number, held) and not self._needs(number, writer, because):
                choices[writer, number] = None
        return sorted(choices, key=lambda choice: self.turns[choice[0]]), because

    def _outlives(self, number: int, held: int) -> bool:
        """True if somebody reads what a transaction writes only after another version was written, which so came first."""
        end = self.completed[self.writers[held]]
        return any(self.until[version] > end for version in self.writes[number] if self.keys[version] == self.keys[held])

    def _turn(self, number: int) -> int:
        """The turn in which a transaction was put into the order, if it was."""
        return self.turns[number] if self.status[number] == PLACED else self.turn

    def _needs(self, number: int, other: int, because: set[Pair]) -> bool:
        """True if a transaction must come after another, by what was read and noted; then `because` of these notes."""
        since = self.turns[other]
        came = {number: NOBODY}
        found = [number]
        for one in found:
            for before in (*(self.writers[version] for version in self.reads[one]), *self.earlier.get(one, ())):
                if before != NOBODY and before not in came and (self.status[before] != PLACED or self.turns[before] >= since):
                    came[before] = one
                    found.append(before)
        if other not in came:
            return False
        while other != number:
            if (came[other], other) in self.known:
                because.add((came[other], other))
            other = came[other]
        return True

    def _take_back(self, length: int) -> None:
        """Make the order as short as it was."""
        for number in reversed(self.found[length:]):
            self.status[number] = NOT_CALLED
            for version in self.reads[number]:
                self.left[version] += 1
            for version in self.writes[number]:
                key = self.keys[version]
                self.holds[key] = self.replaced[version]
                self.flying[key][number] = version
        del self.found[length:]
