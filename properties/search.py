"""The search for a linearization: Wing & Gong's, with Lowe's cache, over the returns of a history.

**Configurations.**  An operation must take effect between its call and its return.  Sort the completed operations by return; a
configuration is

    (the first return whose operation is not yet placed, which open operations are placed, which pending ones are, the state)

Everything that returned earlier is placed and everything called later is not, so the middle part is as wide as the history is
concurrent, however long it is: each operation borrows the bit of an operation that has returned.  Memory is linear in the
number of remembered configurations; a bit set over the whole history, as in Porcupine, costs n bits for each.

**What is not tried**, and why nothing is lost (each is an exchange argument on a linearization that extends a configuration):

- A pure call (a read) that fits the state is placed at once: moving it here from later disturbs nobody.
- Of two open operations with equal calls, only the one that returns first: swap them.  Pending ones return last, so of a
  pending and a completed operation with equal function and argument that lead to the same state, only the completed one.
- A pending operation, unless some call that is enabled now behaves differently after it: with as few pending operations as
  possible, the next call must need it.  So a crashed write costs nothing until somebody may have read it.
- A configuration that failed, and one that has the same position and state but has used up more pending operations than one that
  failed: it can do less.
- Anything, where the next read to return can no longer be explained: it does not fit the state, and nothing that can still come
  before it may help (`Specification.may_enable`).
- Once every completed operation is placed the search ends; pending ones need not be placed.

States and calls are interned as small integers and every step of the specification is computed once.

The search is **depth first and resumable**: `run(steps)` goes on from where it stopped, so that parts of a history can take
turns (one part may refute in a millisecond what another cannot decide in an hour), and a budget counts steps, so that verdicts
replay.  A step is one operation placed or one return passed.  Cost: linear for sequential histories; exponential in the
concurrency at worst, since the problem is NP-complete (Gibbons & Korach 1997).

Source: Wing & Gong 1993; Lowe, "Testing for linearizability", 2017 (the cache); Knossos and Porcupine.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TypeAlias

from .history import Operation, Value
from .specification import Call, Refusal, Specification, State, call_of

__all__ = ["Deepest", "Search"]

Path: TypeAlias = "tuple[Path, int] | None"
"""Operations placed by choice, the last one outermost: a list that branches share.  Pure calls follow from it."""

Candidate: TypeAlias = tuple[int, int, int, int, int]
"""An open operation: its bit; that bit and those of equal calls that return earlier; the latter alone; its call; its number."""

Hope: TypeAlias = tuple[int, int]
"""A mask m leaves hope for an operation if first & (m ^ second): a helper is not placed yet, or the operation itself is."""

FARTHEST, WITNESSES = 32, 4
"""How many returns ahead the next reads are looked for, and how many reads are looked at."""


class Deepest:
    """The configuration that got furthest: operations in linearization order, and what stopped there.

    `stuck` is the operation whose return could not be passed, `state` the state it met, and `candidates` the operations that
    could come next as far as time is concerned, `stuck` first.
    """

    __slots__ = ("candidates", "placed", "state", "stuck")

    def __init__(self, placed: list[Operation], state: State, stuck: Operation, candidates: list[Operation]) -> None:
        self.placed = placed
        self.state = state
        self.stuck = stuck
        self.candidates = candidates


class Search:
    """The search for one part of a history.  `steps` counts what was spent, `outcome` is None while nothing is decided.

    `operations` are those that count: no failed ones, except those that the specification takes as evidence.  At most `memory`
    failed configurations are remembered (about 150 bytes each); beyond that the search goes on, but may repeat itself.

    Raises:
        SpecificationError: the specification does not know an operation.
    """

    def __init__(self, specification: Specification, operations: Sequence[Operation], memory: int = 4_000_000) -> None:
        self.steps = 0
        self.outcome: bool | None = None
        self._specification = specification
        self._memory = memory
        self._states: list[State] = [specification.initial]
        self._state_numbers: dict[State, int] = {specification.initial: 0}
        self._calls: list[Call] = []
        self._demanding: list[bool] = []  # per call: it is a read, or was refused in some state
        self._requests: list[int] = []  # per call: its function and argument, whatever its result
        self._next: list[dict[int, int]] = []
        self._pure: list[bool] = []
        self._operations = sorted(operations, key=attrgetter("invoked"))
        self._classes = self._intern_calls()
        self._lay_out()
        self._place_pending()
        self._quiet: list[dict[int, int] | None] = [None] * len(self._return_bits)
        self._mutators: list[list[Candidate]] = []
        self._reads: list[list[tuple[int, int, int]]] = []
        self._learners: dict[tuple[int, int], list[Candidate]] = {}
        self._hopes: list[dict[int, tuple[Hope, ...]] | None] = [None] * len(self._return_bits)
        self._failed: list[set[int] | dict[int, list[int]] | None] = [None] * len(self._return_bits)
        # The frame at hand, and those below it: (return, mask, state, pending, path, next candidate).
        self._stack: list[tuple[int, int, int, int, Path, int]] = []
        self._frame: tuple[int, int, int, int, Path, int] = (0, 0, 0, 0, None, 0)
        self._best: tuple[int, int, int, int, Path] = (-1, 0, 0, 0, None)

    # Preparation

    def _intern_calls(self) -> list[int]:
        numbers: dict[Call, int] = {}
        requests: dict[tuple[str, Value], int] = {}
        classes = []
        for operation in self._operations:
            call = call_of(operation)
            number = numbers.setdefault(call, len(numbers))
            if number == len(self._calls):
                self._calls.append(call)
                self._requests.append(requests.setdefault((call.function, call.argument), len(requests)))
                self._next.append({})
                pure = self._specification.pure(call)
                self._pure.append(pure)
                self._demanding.append(pure and call.known)
            classes.append(number)
        return classes

    def _lay_out(self) -> None:
        """Give every completed operation a bit, and list what is called before each return."""
        returns = sorted(
            (operation.completed, number) for number, operation in enumerate(self._operations) if operation.completed is not None
        )
        self._return_bits: list[int] = []
        self._returning: list[int] = []
        self._called: list[list[int]] = []
        self._bits: list[int] = [0] * len(self._operations)
        self._rank: list[int] = [0] * len(self._operations)
        free: list[int] = []
        width = 0
        calls = (number for number, operation in enumerate(self._operations) if operation.completed is not None)
        upcoming = next(calls, None)
        for rank, (returned, number) in enumerate(returns):
            called = []
            while upcoming is not None and self._operations[upcoming].invoked < returned:
                if free:
                    self._bits[upcoming] = free.pop()
                else:
                    self._bits[upcoming] = 1 << width
                    width += 1
                called.append(upcoming)
                upcoming = next(calls, None)
            self._called.append(called)
            self._rank[number] = rank
            self._returning.append(number)
            self._return_bits.append(self._bits[number])
            free.append(self._bits[number])
        self._width = width

    def _place_pending(self) -> None:
        """Pending operations that could matter, and how many of them are called before each return."""
        self._pending: list[tuple[int, int, int, int, int]] = []
        available: dict[int, int] = {}
        for number, operation in enumerate(self._operations):
            call = self._classes[number]
            if operation.completed is None and not self._pure[call]:
                bit = 1 << len(self._pending)
                earlier = available.get(call, 0)
                available[call] = earlier | bit
                self._pending.append((bit, bit | earlier, earlier, call, number))
        self._pending_called: list[int] = []
        count = 0
        for number in self._returning:
            returned = self._operations[number].completed
            assert returned is not None
            while count < len(self._pending) and self._operations[self._pending[count][4]].invoked < returned:
                count += 1
            self._pending_called.append(count)

    def _open(self, rank: int) -> dict[int, int]:
        """Prepare the lists of operations that are open at this return (and at all before it)."""
        while len(self._mutators) <= rank:
            at = len(self._mutators)
            gone = self._returning[at - 1] if at else -1
            reads = self._reads[at - 1] if at else []
            mutators = self._mutators[at - 1] if at else []
            new_reads = [number for number in self._called[at] if self._pure[self._classes[number]]]
            new_mutators = [number for number in self._called[at] if not self._pure[self._classes[number]]]
            if new_reads or (at and self._pure[self._classes[gone]]):
                reads = [read for read in reads if read[2] != gone]
                reads += [(self._bits[number], self._classes[number], number) for number in new_reads]
            if new_mutators or (at and not self._pure[self._classes[gone]]):
                mutators = self._candidates([entry[4] for entry in mutators if entry[4] != gone] + new_mutators)
            self._reads.append(reads)
            self._mutators.append(mutators)
            self._quiet[at] = {}
        quiet = self._quiet[rank]
        assert quiet is not None
        return quiet

    def _candidates(self, numbers: list[int]) -> list[Candidate]:
        rank, bits, classes = self._rank, self._bits, self._classes
        numbers.sort(key=rank.__getitem__)
        seen: dict[int, int] = {}
        candidates = []
        for number in numbers:
            bit, call = bits[number], classes[number]
            earlier = seen.get(call, 0)
            seen[call] = both = earlier | bit
            candidates.append((bit, both, earlier, call, number))
        return candidates

    # Steps of the specification

    def _step(self, call: int, state: int) -> int:
        """The number of the next state, or -1 if the specification refuses; computed once."""
        following = self._specification.step(self._states[state], self._calls[call])
        if isinstance(following, Refusal):
            number = -1
            self._demanding[call] = True
        else:
            number = self._state_numbers.setdefault(following, len(self._states))
            if number == len(self._states):
                self._states.append(following)
        self._next[call][state] = number
        return number

    def _fitting(self, rank: int, state: int) -> int:
        """The bits of the open pure calls that leave this state as it is; those that change it are noted as candidates."""
        mask = 0
        for bit, call, number in self._reads[rank]:
            following = self._next[call].get(state)
            if following is None:
                following = self._step(call, state)
            if following == state:
                mask |= bit
            elif following >= 0:
                self._learners.setdefault((rank, state), []).append((bit, bit, 0, call, number))
        quiet = self._quiet[rank]
        assert quiet is not None
        quiet[state] = mask
        return mask

    def _hope(self, rank: int, state: int) -> tuple[Hope, ...]:
        """What the next demanding operations to return need, those that do not fit this state; computed once."""
        hopes = self._hopes[rank]
        if hopes is None:
            hopes = self._hopes[rank] = {}
        found: list[Hope] = []
        later: list[int] = []
        looked_at = 0
        for at in range(rank, min(rank + FARTHEST, len(self._returning))):
            if at > rank:
                later += self._called[at]
            number = self._returning[at]
            call = self._classes[number]
            if self._demanding[call]:
                looked_at += 1
                following = self._next[call].get(state)
                if (self._step(call, state) if following is None else following) < 0:
                    hope = self._helpers(rank, at, number, state, later)
                    if hope is not None:
                        found.append(hope)
                if looked_at == WITNESSES:
                    break
        hopes[state] = result = tuple(found)
        return result

    def _helpers(self, rank: int, at: int, number: int, state: int, later: list[int]) -> Hope | None:
        """What may help operation `number`, which returns at `at`; None if something may that is not open at `rank`."""
        classes, calls, may = self._classes, self._calls, self._specification.may_enable
        wanted, value = calls[classes[number]], self._states[state]
        for other in later:
            if other != number and may(value, wanted, calls[classes[other]]):
                return None
        for entry in self._pending[: self._pending_called[at]]:
            if may(value, wanted, calls[entry[3]]):
                return None
        helpers = own = 0
        for other in [candidate[4] for candidate in self._mutators[rank]] + [read[2] for read in self._reads[rank]]:
            if other == number:
                own = self._bits[number]
            elif may(value, wanted, calls[classes[other]]):
                helpers |= self._bits[other]
        return helpers | own, helpers

    # The search

    def run(self, budget: int) -> bool | None:
        """Go on for about `budget` steps.  True: a linearization exists.  False: none does.  None: not decided yet."""
        if self.outcome is not None:
            return self.outcome
        if not self._return_bits:
            self.outcome = True
            return True
        rank, mask, state, pending, path, at = self._frame
        stack, quiets, bits, total = self._stack, self._quiet, self._return_bits, len(self._return_bits)
        width, mutators, transitions = self._width, self._mutators, self._next
        has_pending = bool(self._pending)
        best_rank = self._best[0]
        steps = 0
        while True:
            if at == 0:
                if steps >= budget:
                    self.steps += steps
                    self._frame = (rank, mask, state, pending, path, 0)
                    return None
                # A new configuration: place what fits, pass the returns that this allows.
                while True:
                    quiet = quiets[rank]
                    if quiet is None:
                        quiet = self._open(rank)
                    fitting = quiet.get(state)
                    if fitting is None:
                        fitting = self._fitting(rank, state)
                    mask |= fitting
                    bit = bits[rank]
                    steps += 1
                    if not mask & bit:
                        break
                    mask ^= bit
                    rank += 1
                    if rank == total:
                        self.steps += steps
                        self._best = (rank, mask, state, pending, path)
                        self.outcome = True
                        return True
                if rank > best_rank:
                    best_rank = rank
                    self._best = (rank, mask, state, pending, path)
                if self._is_dead(rank, mask, state, pending):
                    if not stack:
                        self.steps += steps
                        self.outcome = False
                        return False
                    rank, mask, state, pending, path, at = stack.pop()
                    continue
            candidates = mutators[rank]
            if self._learners and (rank, state) in self._learners:
                candidates = candidates + self._learners[rank, state]
            count = len(candidates)
            while at < count:
                bit, both, earlier, call, number = candidates[at]
                at += 1
                if mask & both != earlier:
                    continue
                following = transitions[call].get(state)
                if following is None:
                    following = self._step(call, state)
                if following >= 0:
                    stack.append((rank, mask, state, pending, path, at))
                    mask |= bit
                    state = following
                    path = (path, number)
                    at = 0
                    break
            else:
                found = self._next_pending(rank, mask, state, pending, at - count) if has_pending else None
                if found is not None:
                    index, following = found
                    stack.append((rank, mask, state, pending, path, count + index + 1))
                    pending |= 1 << index
                    state = following
                    path = (path, self._pending[index][4])
                    at = 0
                else:
                    self._remember(rank, state << width | mask, pending)
                    if not stack:
                        self.steps += steps
                        self.outcome = False
                        return False
                    rank, mask, state, pending, path, at = stack.pop()

    def _is_dead(self, rank: int, mask: int, state: int, pending: int) -> bool:
        """True if a configuration is known to fail, or can be seen to."""
        failed = self._failed[rank]
        if failed is not None:
            key = state << self._width | mask
            if key in failed and (not self._pending or _dominated(failed, key, pending)):
                return True
        hopes = self._hopes[rank]
        witnesses = hopes[state] if hopes is not None and state in hopes else self._hope(rank, state)
        return any(not care & (mask ^ helpers) for care, helpers in witnesses)

    def _next_pending(self, rank: int, mask: int, state: int, pending: int, start: int) -> tuple[int, int] | None:
        """The next pending operation from `start` that is worth placing here, and the state after it."""
        twins: set[tuple[int, int]] | None = None
        for index in range(start, self._pending_called[rank]):
            _bit, both, earlier, call, _number = self._pending[index]
            if pending & both != earlier:
                continue
            following = self._next[call].get(state)
            if following is None:
                following = self._step(call, state)
            if following < 0 or following == state:
                continue
            if twins is None:
                open_calls = [candidate[3] for candidate in self._mutators[rank] if not mask & candidate[0]]
                twins = {(self._requests[twin], self._next[twin].get(state, -1)) for twin in open_calls}
            if (self._requests[call], following) in twins:
                continue
            if self._needed(rank, mask, state, following, pending | 1 << index):
                return index, following
        return None

    def _needed(self, rank: int, mask: int, before: int, after: int, pending: int) -> bool:
        """True if some enabled call behaves differently in state `after` than in state `before`."""
        quiet = self._quiet[rank]
        assert quiet is not None
        fitting = quiet.get(after)
        if fitting is None:
            fitting = self._fitting(rank, after)
        if fitting & ~mask or (rank, after) in self._learners:
            return True
        enabled = [candidate[3] for candidate in self._mutators[rank] if not mask & candidate[0]]
        enabled += [entry[3] for entry in self._pending[: self._pending_called[rank]] if not pending & entry[0]]
        for call in enabled:
            steps = self._next[call]
            then = steps[after] if after in steps else self._step(call, after)
            if then >= 0 and then != (steps[before] if before in steps else self._step(call, before)):
                return True
        return False

    def _remember(self, rank: int, key: int, pending: int) -> None:
        if self._memory <= 0:
            return
        self._memory -= 1
        failed = self._failed[rank]
        if not self._pending:
            if failed is None:
                self._failed[rank] = {key}
            else:
                assert isinstance(failed, set)
                failed.add(key)
            return
        if failed is None:
            failed = self._failed[rank] = {}
        assert isinstance(failed, dict)
        failed.setdefault(key, []).append(pending)

    # What it found

    def deepest(self) -> Deepest | None:
        """Where the search got furthest; None if it placed everything.

        Replays the choices that led there, putting in the pure calls that follow from them.
        """
        rank, mask, state, pending, path = self._best
        if not 0 <= rank < len(self._return_bits):
            return None
        open_now = [read[2] for read in self._reads[rank]] + [candidate[4] for candidate in self._mutators[rank]]
        stuck = self._returning[rank]
        rest = [number for number in open_now if not mask & self._bits[number] and number != stuck]
        rest += [entry[4] for entry in self._pending[: self._pending_called[rank]] if not pending & entry[0]]
        operations = self._operations
        return Deepest(
            [operations[number] for number in self._replay(rank, path)],
            self._states[state],
            operations[stuck],
            [operations[number] for number in [stuck, *sorted(rest)]],
        )

    def linearization(self) -> list[Operation] | None:
        """All operations that take effect, in an order that explains every result; None if none was found."""
        if not self.outcome:
            return None
        return [self._operations[number] for number in self._replay(len(self._return_bits), self._best[4])]

    def _replay(self, last: int, path: Path) -> list[int]:
        choices = []
        while path is not None:
            path, number = path
            choices.append(number)
        choices.reverse()
        placed: list[int] = []
        rank = mask = state = position = 0
        while rank < last or position < len(choices):
            fresh = self._fitting_at(rank, state) & ~mask
            placed += [number for bit, _call, number in self._reads[rank] if bit & fresh]
            mask |= fresh
            if mask & self._return_bits[rank]:
                mask ^= self._return_bits[rank]
                rank += 1
                continue
            if position == len(choices):
                break
            number = choices[position]
            position += 1
            placed.append(number)
            mask |= self._bits[number]
            state = self._next[self._classes[number]][state]
        if rank < len(self._return_bits):
            fresh = self._fitting_at(rank, state) & ~mask
            placed += [number for bit, _call, number in self._reads[rank] if bit & fresh]
        return placed

    def _fitting_at(self, rank: int, state: int) -> int:
        quiet = self._quiet[rank]
        assert quiet is not None
        return quiet[state]


def _dominated(failed: set[int] | dict[int, list[int]], key: int, pending: int) -> bool:
    assert isinstance(failed, dict)
    return any(used & pending == used for used in failed[key])
