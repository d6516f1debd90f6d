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
- States that no call can tell apart, more than once (`Specification.reducer`).
- What all the observations together rule out (`Specification.in_hindsight`).
- Anything, where the next read to return can no longer be explained: it does not fit the state, and nothing that can still come
  before it may help (`Specification.may_enable`).
- Once every completed operation is placed the search ends; pending ones need not be placed.

States and calls are interned as small integers and every step of the specification is computed once.

The search is **depth first and resumable**: `run(steps)` goes on from where it stopped, so that parts of a history can take
turns (one part may refute in a millisecond what another cannot decide in an hour), and a budget counts steps, so that verdicts
replay.  A step is one operation placed or one return passed.  Cost: linear for sequential histories; exponential in the
concurrency at worst, since the problem is NP-complete (Gibbons & Korach 1997).

`steps.py` holds the transitions and `window.py` what is open when.

Source: Wing & Gong 1993; Lowe, "Testing for linearizability", 2017 (the cache); Knossos and Porcupine.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import TypeAlias

from .compiled import LONG, Compiled, compiled
from .history import Operation
from .specification import Refusal, Specification, State, call_of
from .steps import Steps
from .window import Candidate, Window

__all__ = ["Deepest", "Memory", "Search"]

Path: TypeAlias = "tuple[Path, int] | None"
"""Operations placed by choice, the last one outermost: a list that branches share.  Pure calls follow from it."""

Hope: TypeAlias = tuple[int, int]
"""A mask m leaves hope for an operation if first & (m ^ second): a helper is not placed yet, or the operation itself is."""

FARTHEST, WITNESSES = 32, 4
"""How many returns ahead the next reads are looked for, and how many reads are looked at."""


class Memory:
    """How many failed configurations may still be remembered, by all searches that share it; about 150 bytes each.

    Beyond that they go on, but may repeat themselves.
    """

    __slots__ = ("left",)

    def __init__(self, left: int = 4_000_000) -> None:
        self.left = left


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

    `operations` are those that count: no failed ones, except those that the specification takes as evidence.  With a `goal` it is
    enough to pass that many returns.  `fast` lets a long search go on in compiled code, with the same answers: `continued` is
    that (`compiled.py`), or None.  Operations whose ids are `optional` need not happen (see `stretches.py`).

    Raises:
        SpecificationError: the specification does not know an operation.
    """

    def __init__(
        self,
        specification: Specification,
        operations: Sequence[Operation],
        memory: Memory | None = None,
        goal: int | None = None,
        *,
        fast: bool = False,
        optional: Collection[int] = (),
    ) -> None:
        self.steps = 0
        self.outcome: bool | None = None
        self.fast = self._may_compile = fast
        self.continued: Compiled | None = None
        self._specification = specification
        self._memory = memory or Memory()
        self._remembered = self._memory.left
        self._operations = sorted(operations, key=attrgetter("invoked"))
        # With a goal the end need not be reached, so what is hopeless in the end is not.
        guide = specification.in_hindsight(self._operations) if goal is None else specification
        self._guide = guide
        self._table = Steps(guide, self._operations)
        skip = self._table.add_skip() if optional else -1
        self._window = Window(self._operations, self._table.classes, self._table.pure, optional, skip)
        returns = len(self._window.returning)
        self._goal = returns if goal is None else min(goal, returns)
        # Per return, by state: the open pure calls that fit it, what is known to help, and the configurations that failed.
        self._fitting: list[dict[int, int] | None] = [None] * returns
        self._hopes: list[dict[int, tuple[Hope, ...]] | None] = [None] * returns
        self._failed: list[set[int] | dict[int, list[int]] | None] = [None] * returns
        self._learners: dict[tuple[int, int], list[Candidate]] = {}
        # The frame at hand, and those below it: (return, mask, state, pending, path, next candidate).
        self._stack: list[tuple[int, int, int, int, Path, int]] = []
        self._frame: tuple[int, int, int, int, Path, int] = (0, 0, 0, 0, None, 0)
        self._best: tuple[int, int, int, Path] = (-1, 0, 0, None)

    def run(self, budget: int) -> bool | None:
        """Go on for about `budget` steps.  True: a linearization exists.  False: none does.  None: not decided yet."""
        if self.outcome is not None:
            return self.outcome
        if self._may_compile and self.steps >= LONG:
            self._compile()
        if self.continued is not None:
            self.outcome = self.continued.run(budget)
            self.steps = self.continued.steps
            return self.outcome
        window, transitions, stack, fittings = self._window, self._table.next, self._stack, self._fitting
        bits, mutators, total, has_pending = window.return_bits, window.mutators, self._goal, bool(window.pending)
        rank, mask, state, pending, path, at = self._frame
        best_rank = self._best[0]
        steps = 0
        try:
            while rank < total:
                alive = True
                if at == 0:
                    if steps >= budget:
                        self._frame = (rank, mask, state, pending, path, 0)
                        return None
                    # A new configuration: place what fits, pass the returns that this allows.
                    while rank < total:
                        known = fittings[rank]
                        fitting = known.get(state) if known is not None else None
                        mask |= self._fit(rank, state) if fitting is None else fitting
                        bit = bits[rank]
                        steps += 1
                        if not mask & bit:
                            break
                        mask ^= bit
                        rank += 1
                    if rank > best_rank:
                        best_rank = rank
                        self._best = (rank, mask, pending, path)
                    if rank == total:
                        break
                    alive = not self._is_dead(rank, mask, state, pending)
                if alive:
                    candidates = mutators[rank]
                    if self._learners and (rank, state) in self._learners:
                        candidates = candidates + self._learners[rank, state]
                    following = -1
                    while at < len(candidates):
                        bit, both, earlier, call, number = candidates[at]
                        at += 1
                        if mask & both == earlier:
                            next_state = transitions[call].get(state)
                            following = self._table.step(call, state) if next_state is None else next_state
                            if following >= 0:
                                stack.append((rank, mask, state, pending, path, at))
                                mask |= bit
                                break
                    if following < 0 and has_pending:
                        index, following = self._next_pending(rank, mask, state, pending, at - len(candidates))
                        if following >= 0:
                            stack.append((rank, mask, state, pending, path, len(candidates) + index + 1))
                            pending |= 1 << index
                            number = window.pending[index][4]
                    if following >= 0:
                        state, path, at = following, (path, number), 0
                        continue
                    self._remember(rank, mask, state, pending)
                if not stack:
                    break
                rank, mask, state, pending, path, at = stack.pop()
        finally:  # a step may be interrupted
            self.steps += steps
        self.outcome = rank == total
        return self.outcome

    def _compile(self) -> None:
        """From here on in compiled code, if that is possible; asked once."""
        self._may_compile = False
        limits = (FARTHEST, WITNESSES)
        self.continued = compiled(self._guide, self._operations, self._window, self._goal, self._remembered, limits)
        if self.continued is not None:
            self.continued.run(self.steps)
            # What was found out is there, too.
            self._stack, self._failed = [], []

    def _fit(self, rank: int, state: int) -> int:
        """The bits of the open pure calls that leave this state as it is; those that change it are noted as candidates."""
        known = self._fitting[rank]
        if known is None:
            self._window.open(rank)
            known = self._fitting[rank] = {}
        mask = 0
        for bit, call, number in self._window.reads[rank]:
            following = self._table.step(call, state)
            if following == state:
                mask |= bit
            elif following >= 0:
                self._learners.setdefault((rank, state), []).append((bit, bit, 0, call, number))
        known[state] = mask
        return mask

    def _next_pending(self, rank: int, mask: int, state: int, pending: int, start: int) -> tuple[int, int]:
        """The next pending operation from `start` that is worth placing here, and the state after it; (-1, -1): none is."""
        requests, step = self._table.requests, self._table.step
        twins: set[tuple[int, int]] | None = None
        for index in range(start, self._window.pending_called[rank]):
            _bit, both, earlier, call, _number = self._window.pending[index]
            if pending & both != earlier:
                continue
            following = step(call, state)
            if following < 0 or following == state:
                continue
            if twins is None:
                open_calls = [entry[3] for entry in self._window.mutators[rank] if not mask & entry[0]]
                twins = {(requests[twin], step(twin, state)) for twin in open_calls}
            if (requests[call], following) not in twins and self._needed(rank, mask, state, following, pending | 1 << index):
                return index, following
        return -1, -1

    def _needed(self, rank: int, mask: int, before: int, after: int, pending: int) -> bool:
        """True if some enabled call behaves differently in state `after` than in state `before`."""
        window, step = self._window, self._table.step
        known = self._fitting[rank]
        fitting = known.get(after) if known is not None else None
        if (self._fit(rank, after) if fitting is None else fitting) & ~mask or (rank, after) in self._learners:
            return True
        enabled = [entry[3] for entry in window.mutators[rank] if not mask & entry[0]]
        enabled += [entry[3] for entry in window.pending[: window.pending_called[rank]] if not pending & entry[0]]
        return any(step(call, after) >= 0 and step(call, after) != step(call, before) for call in enabled)

    # Configurations that are not worth a look

    def _is_dead(self, rank: int, mask: int, state: int, pending: int) -> bool:
        """True if a configuration is known to fail, or can be seen to."""
        failed = self._failed[rank]
        if failed is not None:
            key = state << self._window.width | mask
            if key in failed and (isinstance(failed, set) or any(used & pending == used for used in failed[key])):
                return True
        hopes = self._hopes[rank]
        witnesses = hopes[state] if hopes is not None and state in hopes else self._hope(rank, state)
        return any(not care & (mask ^ helpers) for care, helpers in witnesses)

    def _remember(self, rank: int, mask: int, state: int, pending: int) -> None:
        if self._memory.left <= 0:
            return
        self._memory.left -= 1
        key = state << self._window.width | mask
        failed = self._failed[rank]
        if failed is None:
            failed = self._failed[rank] = {} if self._window.pending else set()
        if isinstance(failed, set):
            failed.add(key)
        else:
            failed.setdefault(key, []).append(pending)

    def _hope(self, rank: int, state: int) -> tuple[Hope, ...]:
        """What the next demanding operations to return need, those that do not fit this state; computed once."""
        hopes = self._hopes[rank]
        if hopes is None:
            hopes = self._hopes[rank] = {}
        window, table = self._window, self._table
        found: list[Hope] = []
        later: list[int] = []
        looked_at = 0
        for at in range(rank, min(rank + FARTHEST, self._goal)):
            if at > rank:
                later += window.called[at]
            number = window.returning[at]
            if table.demanding[table.classes[number]] and not window.optional[number]:
                looked_at += 1
                if table.step(table.classes[number], state) < 0:
                    hope = self._helpers(rank, at, number, state, later)
                    if hope is not None:
                        found.append(hope)
                if looked_at == WITNESSES:
                    break
        hopes[state] = result = tuple(found)
        return result

    def _helpers(self, rank: int, at: int, number: int, state: int, later: list[int]) -> Hope | None:
        """What may help operation `number`, which returns at `at`; None if something may that is not open at `rank`."""
        window, classes, calls, may = self._window, self._table.classes, self._table.calls, self._table.specification.may_enable
        wanted, value = calls[classes[number]], self._table.states[state]
        for other in later:
            if other != number and may(value, wanted, calls[classes[other]]):
                return None
        for entry in window.pending[: window.pending_called[at]]:
            if may(value, wanted, calls[entry[3]]):
                return None
        helpers = own = 0
        for other in [entry[4] for entry in window.mutators[rank]] + [read[2] for read in window.reads[rank]]:
            if other == number:
                own = window.bits[number]
            elif may(value, wanted, calls[classes[other]]):
                helpers |= window.bits[other]
        return helpers | own, helpers

    # What it found

    @property
    def passed(self) -> int:
        """How many returns the best order passes."""
        return max(self._best_choices()[0], 0)

    @property
    def stuck(self) -> Operation | None:
        """The operation whose return the best order does not pass; None if it passes all."""
        window = self._window
        return self._operations[window.returning[self.passed]] if self.passed < len(window.returning) else None

    @property
    def returns(self) -> int:
        """How many returns there are."""
        return len(self._window.returning)

    def deepest(self) -> Deepest | None:
        """Where the search got furthest; None if it placed everything, or has not begun.

        It turns back where there is no hope, so `furthest` may get further.  Replays the choices that led there, putting in the
        pure calls that follow from them.
        """
        window, operations = self._window, self._operations
        if self._best_choices()[0] < 0:
            return None
        rank, done = self._replay()
        if rank == len(window.returning):
            return None
        stuck = window.returning[rank]
        open_now = [read[2] for read in window.reads[rank]] + [entry[4] for entry in window.mutators[rank]]
        open_now += [entry[4] for entry in window.pending[: window.pending_called[rank]]]
        rest = [number for number in open_now if number not in set(done) and number != stuck]
        placed = [operations[number] for number in done]
        # The search's own state may be a reduced one, which means nothing to people.
        state = self._specification.initial
        for operation in placed:
            following = self._specification.step(state, call_of(operation))
            assert not isinstance(following, Refusal)
            state = following
        return Deepest(placed, state, operations[stuck], [operations[number] for number in [stuck, *sorted(rest)]])

    def linearization(self) -> list[Operation] | None:
        """All operations that take effect, in an order that explains every result; None if none was found."""
        if not self.outcome:
            return None
        return [self._operations[number] for number in self._replay()[1]]

    def _replay(self) -> tuple[int, list[int]]:
        """The return at which the best order ends, and its operations."""
        best, choices = self._best_choices()
        window, table = self._window, self._table
        placed: list[int] = []
        rank = mask = state = position = 0
        while rank < len(window.returning):
            fitting = self._fitting[rank]
            fresh = (fitting[state] if fitting is not None and state in fitting else self._fit(rank, state)) & ~mask
            placed += [number for bit, _call, number in window.reads[rank] if bit & fresh]
            mask |= fresh
            if mask & window.return_bits[rank]:
                mask ^= window.return_bits[rank]
                rank += 1
            elif position == len(choices):
                break
            else:
                number = choices[position]
                position += 1
                placed.append(number)
                mask |= window.bits[number]
                state = table.step(table.classes[number], state)
        assert rank >= best
        assert position == len(choices)
        return rank, placed

    def _best_choices(self) -> tuple[int, list[int]]:
        """The return up to which the best order goes, and the operations placed by choice in it."""
        if self.continued is not None:
            return self.continued.best()
        rank, _mask, _pending, path = self._best
        choices = []
        while path is not None:
            path, number = path
            choices.append(number)
        return rank, choices[::-1]
