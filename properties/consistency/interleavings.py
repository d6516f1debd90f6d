"""The search for an order that respects each process's own, and nothing else.

An order of this kind is an interleaving of the processes, so a configuration is how far each of them has come, and the states of the
object's parts.  Unlike with linearizability the parts (keys) cannot be searched one by one: an order for each of them may fit each
process's order, and no order of all of them may (Lamport 1979; sequential consistency is not local).  What can be taken apart soundly
are groups of processes that share no part with any other group.

What is not tried, and why nothing is lost:

- A pure call (a read) that leaves the state as it is comes next at once: in any order that goes on from here it can be moved here.
- A configuration that failed before.
- One in which some process waits for what nothing that is left can bring about (`Specification.may_enable`), in small histories.
- What must come after something that has not come yet, where that is known (`required`; see `saturation.py`).
- What would change a state in which somebody still has to read, where values are unique (`awaiting`).

A pending operation is the last of its process, and may come or not.  Of those who could come next, the one that returned first is
tried first, since what really happened was close to the order of time.  Cost: exponential in the number of processes at worst
(NP-complete for registers even with unique values: Gibbons & Korach 1997), so steps are counted and may run out.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeAlias

from ..history import Operation, Value
from ..specification import Specification, State
from ..steps import Steps

__all__ = ["Awaiting", "Interleavings", "Required"]

Required: TypeAlias = Mapping[int, Sequence[tuple[str, int]]]
"""For the id of an operation: (process, n) pairs, the first n operations of which must come before it."""

Awaiting: TypeAlias = Mapping[tuple[Hashable, Value], Sequence[tuple[str, int]]]
"""For a part and a state of it: (process, n) pairs, the first n operations of which must come before that state is left."""

REMEMBERED = 500_000
"""So many failed configurations are remembered (some 300 bytes each); after that the search goes on, but may repeat itself."""

SMALL = 400
"""So many operations at most, if it is looked for what can still help whom."""

Frame: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], int]
"""How far each process has come, the state of each part, and which candidate is next."""


class Interleavings:
    """The search.  `steps` counts operations placed; `outcome` is None while nothing is decided.

    `operations` are those that count: none that failed, except those that the specification takes as evidence.

    Raises:
        SpecificationError: the specification does not know an operation.
    """

    def __init__(
        self,
        specification: Specification,
        operations: Sequence[Operation],
        required: Required | None = None,
        awaiting: Awaiting | None = None,
    ) -> None:
        self.steps = 0
        self.outcome: bool | None = None
        rows: dict[str, list[Operation]] = {}
        parts: dict[Hashable, list[Operation]] = {}
        for one in sorted(operations, key=lambda one: one.invoked):
            rows.setdefault(one.process, []).append(one)
            parts.setdefault(specification.partition(one), []).append(one)
        self.rows = [*rows.values()]
        self._tables = [Steps(specification, members) for members in parts.values()]
        where: dict[int, tuple[int, int]] = {}
        for place, (members, table) in enumerate(zip(parts.values(), self._tables, strict=True)):
            where.update((one.id, (place, call)) for one, call in zip(members, table.classes, strict=True))
        self._calls = [[where[one.id] for one in row] for row in self.rows]
        self._due = tuple(sum(one.completed is not None for one in row) for row in self.rows)
        numbers = {process: number for number, process in enumerate(rows)}
        needs = required or {}
        self._needs = [[[(numbers[p], n) for p, n in needs.get(one.id, ()) if p in numbers] for one in row] for row in self.rows]
        self._parts = [*parts]
        self._awaiting = awaiting or {}
        self._numbers = numbers
        self._awaited: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._helpers: dict[tuple[int, int, int], list[int]] = {}
        self._small = len(operations) <= SMALL
        self._failed: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        start = tuple(0 for _ in self.rows)
        self._stack: list[Frame] = [self._settle(start, tuple(0 for _ in self._tables))]
        self.best: Frame = self._stack[0]

    def run(self, budget: int, expired: Callable[[], bool] | None = None) -> bool | None:
        """Go on for about `budget` steps.  True: an order exists.  False: none does.  None: not decided yet."""
        limit = self.steps + budget
        looked = self.steps
        while self.outcome is None:
            if not self._stack:
                self.outcome = False
            elif self._done(self._stack[-1][0]):
                self.best = self._stack[-1]
                self.outcome = True
            elif self.steps >= limit or (expired is not None and self.steps - looked > 4096 and expired()):
                return None
            else:
                if self.steps - looked > 4096:
                    looked = self.steps
                self._step()
        return self.outcome

    def _step(self) -> None:
        """Place the next candidate of the topmost configuration, or give it up."""
        positions, states, at = self._stack.pop()
        candidates = self._candidates(positions)
        while at < len(candidates):
            process = candidates[at]
            at += 1
            part, call = self._calls[process][positions[process]]
            following = self._tables[part].step(call, states[part])
            self.steps += 1
            if following < 0 or not self._allowed(process, positions):
                continue
            if following != states[part] and self._is_awaited(part, states[part], positions):
                continue
            frame = self._settle(_with(positions, process, positions[process] + 1), _with(states, part, following))
            if (frame[0], frame[1]) in self._failed or self._hopeless(frame[0], frame[1]):
                continue
            self._stack.append((positions, states, at))
            self._stack.append(frame)
            if sum(frame[0]) > sum(self.best[0]):
                self.best = frame
            return
        if len(self._failed) < REMEMBERED:
            self._failed.add((positions, states))

    def _settle(self, positions: tuple[int, ...], states: tuple[int, ...]) -> Frame:
        """The configuration after all that is pure and fits."""
        places = [*positions]
        moved = True
        while moved:
            moved = False
            for process, row in enumerate(self._calls):
                while places[process] < len(row):
                    part, call = row[places[process]]
                    table = self._tables[part]
                    if not table.pure[call] or table.step(call, states[part]) != states[part]:
                        break
                    if not self._allowed(process, places):
                        break
                    places[process] += 1
                    self.steps += 1
                    moved = True
        return tuple(places), states, 0

    def _allowed(self, process: int, positions: Sequence[int]) -> bool:
        return all(positions[other] >= count for other, count in self._needs[process][positions[process]])

    def _is_awaited(self, part: int, state: int, positions: Sequence[int]) -> bool:
        """True if somebody still has to see this state."""
        known = self._awaited.get((part, state))
        if known is None:
            pairs = self._awaiting.get((self._parts[part], self._tables[part].states[state]), ())
            known = self._awaited[part, state] = [(self._numbers[process], count) for process, count in pairs]
        return any(positions[process] < count for process, count in known)

    def _candidates(self, positions: tuple[int, ...]) -> list[int]:
        """The processes that have something left, by the return of what they do next; what is pending comes last."""
        left = [process for process, place in enumerate(positions) if place < len(self.rows[process])]
        following = [self.rows[process][positions[process]] for process in left]
        order = sorted(range(len(left)), key=lambda place: (following[place].completed is None, following[place].completed or 0))
        return [left[place] for place in order]

    def _done(self, positions: tuple[int, ...]) -> bool:
        return all(place >= due for place, due in zip(positions, self._due, strict=True))

    def _hopeless(self, positions: tuple[int, ...], states: tuple[int, ...]) -> bool:
        """True if some process waits for what nothing that is left can bring about."""
        if not self._small:
            return False
        for process, place in enumerate(positions):
            if place < self._due[process]:
                part, call = self._calls[process][place]
                if self._tables[part].step(call, states[part]) < 0:
                    last = self._last_helpers(part, call, states[part])
                    if all(at >= until for at, until in zip(positions, last, strict=True)):
                        return True
        return False

    def _last_helpers(self, part: int, call: int, state: int) -> list[int]:
        """Of each process, how far it must have come for nothing of it to be able to help any more."""
        known = self._helpers.get((part, call, state))
        if known is None:
            table = self._tables[part]
            value, wanted, may = table.states[state], table.calls[call], table.specification.may_enable
            known = []
            for row in self._calls:
                helping = (at + 1 for at, (where, other) in enumerate(row) if where == part and may(value, wanted, table.calls[other]))
                known.append(max(helping, default=0))
            self._helpers[part, call, state] = known
        return known

    def stuck(self) -> list[tuple[Operation, State]]:
        """Where the best order ends: what each process would do next, and the state that it would meet."""
        positions, states, _at = self.best
        found = []
        for process, place in enumerate(positions):
            if place < len(self.rows[process]):
                part, _call = self._calls[process][place]
                found.append((self.rows[process][place], self._tables[part].states[states[part]]))
        return found


def _with(row: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*row[:place], value, *row[place + 1 :])
