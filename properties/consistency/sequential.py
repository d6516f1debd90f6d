"""Sequential consistency: one order of all operations that respects the order of each process, and not real time.

Lamport 1979, "How to make a multiprocessor computer that correctly executes multiprocess programs".  A read may be as old as you like,
as long as nobody can tell by comparing it with what he himself did or saw.  A process is a single thread of control; a client whose
operation ended `info` goes on as another process, so nothing need come after that operation.  To take the two for one would ask for more,
so that `invalid` is right however one sees it.

**Not local**: keys may not be judged one by one, nor may a prefix (what is read may be written later), so the monitor looks at
the end.  Only groups of processes and keys that have nothing to do with each other are judged apart.

How it is decided, cheapest first:

- a linearizable history is sequentially consistent (monitors, or a short search);
- registers with unique values: orders that must hold, by saturation (`saturation.py`), until they go in a circle, or an order
  made from them explains every read;
- otherwise a search (`interleavings.py`), which respects what saturation found.  NP-complete in general, so it counts steps, and
  `unknown` is the verdict when they are spent.

Cost: O(n log n) for what is linearizable, processes times operations for each pass of saturation, exponential in the number of
processes at worst.  Any specification will do.  The evidence's kind is `no-order` (or `never-written`): its lines are a circle of
operations each of which must come before the next; or, where only the search could tell, where the longest order found ends, and why
no process can go on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from ..collecting import Collecting
from ..history import Operation
from ..independent import Independent
from ..linearizability import analyse, parts_of
from ..registers import CasRegister, Register
from ..specification import Refusal, Specification, SpecificationError, State, call_of
from ..stores import KeyValue
from ..verdict import Evidence, Monitor, Status, Verdict
from .accesses import registers, told
from .interleavings import Awaiting, Interleavings, Required
from .saturation import Saturation

__all__ = ["SequentiallyConsistent"]

DEFAULT_BUDGET = 300_000
"""Steps of the search; a few seconds."""

GLANCE = 20_000
"""Steps that are spent on whether the history is linearizable."""

SHOWN = 8
"""How many processes are told of where a search ended."""


@dataclass(frozen=True)
class SequentiallyConsistent:
    """Some order of all operations explains every result and respects each process: `SequentiallyConsistent(Register())`.

    Formula, cost and source: see the module.  `budget` counts steps of the search (None: unlimited).
    """

    specification: Specification = field(default_factory=Register)
    budget: int | None = DEFAULT_BUDGET
    functions: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """For example `SequentiallyConsistent(Register)`."""
        return f"SequentiallyConsistent({self.specification.name})"

    def start(self) -> Monitor:
        """A fresh monitor, which looks at the end: what was read too early may be written later."""
        return Collecting(self)

    def judge(self, operations: Iterable[Operation], expired: Callable[[], bool] | None = None) -> Verdict:
        """The verdict on these operations; `expired` is asked now and then, and True ends the search with `unknown`.

        Raises:
            SpecificationError: the specification does not know an operation.
        """
        chosen = [one for one in operations if self.functions is None or one.function in self.functions]
        parts = parts_of(self.specification, chosen)
        unknown: Verdict | None = None
        how: dict[str, None] = {}
        for group in _groups(parts):
            members = sorted((one for part in group for one in parts[part]), key=lambda one: one.invoked)
            status, said = self._decide(members, expired)
            if isinstance(said, Verdict) and status is Status.INVALID:
                return said
            if isinstance(said, Verdict):
                unknown = unknown or said
            else:
                how[said] = None
        if unknown is not None:
            return unknown
        if not chosen:
            return Verdict(self.name, Status.VALID, "there are no operations to explain")
        return Verdict(self.name, Status.VALID, f"an order of each process's operations explains every result ({' and '.join(how)})")

    def _decide(self, members: Sequence[Operation], expired: Callable[[], bool] | None) -> tuple[Status, Verdict | str]:
        """The verdict on operations that hang together, or how they were found valid."""
        if analyse(self.specification, members, GLANCE, expired).status is Status.VALID:
            return Status.VALID, "it is linearizable"
        required: Required | None = None
        awaiting: Awaiting | None = None
        counting = members
        saturation = self._saturated(members)
        if saturation is not None:
            if saturation.unwritten is not None:
                read = saturation.unwritten.operation
                line = told(read, "nobody wrote that")
                evidence = Evidence("never-written", (line,), (read.id,))
                return Status.INVALID, Verdict(self.name, Status.INVALID, f"{read.describe()}: nobody wrote that", evidence)
            if not saturation.close(expired):
                return Status.INVALID, self._circle(saturation)
            order = saturation.attempt()
            if order is not None and _explains(self.specification, order):
                return Status.VALID, "by an order made from what must come before what"
            required, awaiting = saturation.required(), saturation.awaiting()
            counting = [one.operation for one in saturation.nodes]
        search = Interleavings(self.specification, counting, required, awaiting)
        outcome = search.run(1 << 62 if self.budget is None else self.budget, expired)
        steps = f"{search.steps} step{'' if search.steps == 1 else 's'}"
        if outcome:
            return Status.VALID, f"by search, in {steps}"
        if outcome is None:
            return Status.UNKNOWN, Verdict(self.name, Status.UNKNOWN, f"not decided within {steps}, or before the deadline")
        return Status.INVALID, self._stuck(search)

    def _saturated(self, members: Sequence[Operation]) -> Saturation | None:
        """For registers with unique values."""
        each = self.specification.each if isinstance(self.specification, Independent) else self.specification
        if type(each) not in (Register, CasRegister, KeyValue):
            return None
        try:
            found = registers(self.specification, members, self.name)
        except SpecificationError:  # compare-and-sets or appends
            return None
        return None if found.repeated() else Saturation(found)

    def _circle(self, saturation: Saturation) -> Verdict:
        edges = saturation.circle()
        numbers = dict.fromkeys([source for source, _target, _why in edges] + [why for *_ends, why in edges if why >= 0])
        operations = [saturation.nodes[number].operation for number in numbers]
        lines = [*map(told, operations), *(saturation.why(edge) for edge in edges)]
        lines.append("So each of them would have to come before itself, in any order that respects the processes.")
        why = f"{len(edges)} operations would each have to come before the next, in a circle: {'; '.join(map(saturation.why, edges[:3]))}"
        evidence = Evidence("no-order", tuple(lines), tuple(one.id for one in operations), _events(operations))
        return Verdict(self.name, Status.INVALID, why, evidence)

    def _stuck(self, search: Interleavings) -> Verdict:
        rows = [(one, self._refusal(one, state)) for one, state in search.stuck()]
        rows.sort(key=lambda row: (not row[1], row[0].invoked))
        lines = [f"(an order of {sum(search.best[0])} operations, then)"]
        lines += [told(one, why or "could come next, but leads no further") for one, why in rows[:SHOWN]]
        if len(rows) > SHOWN:
            lines.append(f"(and {len(rows) - SHOWN} processes more, none of which can go on)")
        operations = [one for one, _why in rows[:SHOWN]]
        why = "no order of the operations explains every result and respects each process"
        evidence = Evidence("no-order", tuple(lines), tuple(one.id for one in operations), _events(operations))
        return Verdict(self.name, Status.INVALID, why, evidence)

    def _refusal(self, operation: Operation, state: State) -> str:
        following = self.specification.step(state, call_of(operation))
        return f"cannot come next: {following}" if isinstance(following, Refusal) else ""


def _groups(parts: dict[Hashable, list[Operation]]) -> list[list[Hashable]]:
    """The parts that hang together, because some process touched both, directly or by way of others."""
    home: dict[str, int] = {}
    groups: dict[int, list[Hashable]] = {}
    for number, (part, members) in enumerate(parts.items()):
        touching = {home[one.process] for one in members if one.process in home}
        merged = [part]
        for other in sorted(touching):
            merged = groups.pop(other) + merged
        groups[number] = merged
        home.update((process, number) for process, at in [*home.items()] if at in touching)
        home.update((one.process, number) for one in members)
    return [*groups.values()]


def _explains(specification: Specification, order: Sequence[Operation]) -> bool:
    """Whether an order of operations is legal, part by part."""
    states: dict[Hashable, State] = {}
    for one in order:
        part = specification.partition(one)
        following = specification.step(states.get(part, specification.initial), call_of(one))
        if isinstance(following, Refusal):
            return False
        states[part] = following
    return True


def _events(operations: Iterable[Operation]) -> tuple[int, ...]:
    return tuple(event for one in operations for event in (one.invoked, one.completed) if event is not None)
