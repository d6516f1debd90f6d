"""Linearizability: every operation seems to take effect at one moment between its invocation and its completion.

`analyse` splits a history into the parts that the specification names (locality: Herlihy & Wing 1990), searches each part (see
`search.py`), and says what it found.  The parts take turns with growing budgets, because one part may refute in a millisecond
what another cannot decide in an hour.  Registers with unique written values are decided by the log-linear monitor in `zones.py`.

`Linearizable` is the property.  Its monitor collects operations and searches at the end.  Linearizability is closed under
prefixes, so a run that cannot be repaired is recognised on the way too, whenever the history has grown by half since the last
look; all those looks together cost about as much as two more searches at the end.

Inside a run the budget counts steps, so a verdict replays.  A deadline, which depends on the machine, may be given to `analyse`
only (`killpoint check` does); a verdict that it cut short says so.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from .explanation import explain
from .history import Complete, Event, Invoke, Operation, Outcome, operation_of, render
from .search import Deepest, Search, furthest
from .specification import Specification, SpecificationError, UnknownFunctionError, call_of
from .verdict import Evidence, Status, Verdict
from .zones import conflict

__all__ = ["Analysis", "Linearizable", "analyse", "parts_of"]

DEFAULT_BUDGET = 2_000_000
"""Steps over all parts; a few seconds at most on an ordinary machine, and far more than a run of a simulation needs."""

EXPLAINING = 200_000
"""Steps that may be spent on a better explanation after a history was refuted."""

FIRST_TURN, LONGEST_TURN = 256, 16_384
"""Steps that a part may take before it is another's turn: the first time, and at most (tens of milliseconds)."""


@dataclass(frozen=True)
class Analysis:
    """What a search found.

    `status` is `invalid` as soon as one part is.  `part` is the part that was refuted, or that was not decided, and `deepest`
    how far its search got: None where nothing was searched or everything is valid.  `linearizations` holds, if asked for, one
    order per searched part that explains it.  `reason` says why an `unknown` one is not decided, or puts an `invalid` one in a
    few words.
    """

    status: Status
    steps: int
    part: Hashable = None
    deepest: Deepest | None = None
    linearizations: tuple[tuple[Operation, ...], ...] = ()
    reason: str = ""


def parts_of(specification: Specification, operations: Iterable[Operation]) -> dict[Hashable, list[Operation]]:
    """Operations by the part of the object that they touch, without those that certainly had no effect.

    Raises:
        SpecificationError: the specification does not know an operation.
    """
    parts: dict[Hashable, list[Operation]] = {}
    failed: set[str] = set()
    for operation in operations:
        if operation.outcome is not Outcome.FAIL or specification.evidence_of_failure(operation):
            parts.setdefault(specification.partition(operation), []).append(operation)
        elif operation.function not in failed:
            # It does not count, but one that the specification does not know is a mistake all the same.
            failed.add(operation.function)
            specification.step(specification.initial, call_of(operation))
    return parts


def analyse(
    specification: Specification,
    operations: Iterable[Operation],
    budget: int | None = DEFAULT_BUDGET,
    expired: Callable[[], bool] | None = None,
    *,
    orders: bool = False,
) -> Analysis:
    """Decide whether `operations` are linearizable, in at most `budget` steps (None: as many as it takes).

    `expired` is asked every few thousand steps; True ends the search with `unknown`.  With `orders` a valid analysis holds the
    order found for each part that was searched.

    Raises:
        SpecificationError: the specification does not know an operation.
    """
    searches: list[tuple[Hashable, Search]] = []
    parts = parts_of(specification, operations)
    for part, members in parts.items():
        # Two clusters of a register's operations that exclude each other are a whole, tiny, unlinearizable history.
        found = conflict(specification, members)
        if found is None:
            searches.append((part, Search(specification, members)))
        elif found.operations:
            search = Search(specification, found.operations)
            refuted = search.run(1 << 30)
            assert refuted is False, "the register monitor and the search contradict each other: please report this"
            deepest = furthest(specification, found.operations, search, EXPLAINING)
            return Analysis(Status.INVALID, search.steps, part, deepest, reason=found.why)
    analysis, refutation = _take_turns(searches, budget, expired)
    if refutation is not None:
        deepest = furthest(specification, parts[analysis.part], refutation, EXPLAINING)
        return replace(analysis, deepest=deepest)
    if analysis.status is Status.VALID and orders:
        found_orders = (search.linearization() for _part, search in searches)
        return replace(analysis, linearizations=tuple(tuple(order) for order in found_orders if order is not None))
    return analysis


def _take_turns(
    searches: Sequence[tuple[Hashable, Search]], budget: int | None, expired: Callable[[], bool] | None
) -> tuple[Analysis, Search | None]:
    """The analysis, and the search that refuted a part."""
    spent = 0
    undecided = list(searches)
    turn = FIRST_TURN
    while undecided:
        remaining = []
        for part, search in undecided:
            if budget is not None and spent >= budget:
                reason = f"not decided within {budget} steps"
                return Analysis(Status.UNKNOWN, spent, part, search.deepest(), reason=reason), None
            if expired is not None and expired():
                reason = "not decided before the deadline, which depends on the machine"
                return Analysis(Status.UNKNOWN, spent, part, search.deepest(), reason=reason), None
            before = search.steps
            outcome = search.run(turn if budget is None else min(turn, budget - spent))
            spent += search.steps - before
            if outcome is False:
                return Analysis(Status.INVALID, spent, part), search
            if outcome is None:
                remaining.append((part, search))
        undecided = remaining
        turn = min(2 * turn, LONGEST_TURN)
    return Analysis(Status.VALID, spent), None


@dataclass(frozen=True)
class Linearizable:
    """The object behaves as if its operations happened one after another: `Linearizable(Register())`.

    Formula: some total order of all completed and some pending operations respects real time, and the specification accepts it.
    Cost: linear for histories with little concurrency, exponential in the concurrency at worst; `budget` counts steps over
    all parts (None: unlimited), and `unknown` is the verdict when it is spent.  `functions` restricts the property to some of
    the operations; None takes them all.  Source: Herlihy & Wing 1990; `search.py` and `zones.py` for the algorithms.

    The evidence's kind is `cannot-be-placed`; its lines give the longest order found, the first operation, by completion, that no
    order can place, and why each candidate fails to continue it.  The kind does not name the operation: which of two conflicting
    ones cannot be placed is an accident that shrinking must be free to change.
    """

    specification: Specification
    budget: int | None = DEFAULT_BUDGET
    functions: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuses what is no specification.

        Raises:
            SpecificationError: it is a class, or something else that has no `step`.
        """
        given = self.specification
        if isinstance(given, type):
            raise SpecificationError(f"Linearizable({given.__name__}): it needs a specification, not its class: {given.__name__}()")
        if not callable(getattr(given, "step", None)):
            raise SpecificationError(f"Linearizable({render(given)}): it needs a specification, such as Register(), which this is not")

    @property
    def name(self) -> str:
        """For example `Linearizable(Register)`."""
        return f"Linearizable({self.specification.name})"

    def start(self) -> LinearizabilityMonitor:
        """A fresh monitor."""
        return LinearizabilityMonitor(self)

    def judge(self, operations: Iterable[Operation], expired: Callable[[], bool] | None = None) -> Verdict:
        """The verdict on these operations; see `analyse` for `expired`.

        Raises:
            SpecificationError: the specification does not know an operation.
        """
        operations = tuple(operations)
        analysis = analyse(self.specification, operations, self.budget, expired)
        if analysis.status is Status.VALID:
            explained = "an order of the operations explains every result"
            return Verdict(self.name, Status.VALID, explained if operations else "there are no operations to explain")
        if analysis.status is Status.UNKNOWN:
            return Verdict(self.name, Status.UNKNOWN, f"{analysis.reason} ({analysis.steps} steps taken)")
        assert analysis.deepest is not None
        explanation = explain(self.specification, analysis.deepest, analysis.reason)
        evidence = Evidence("cannot-be-placed", explanation.lines, explanation.operations, explanation.events)
        return Verdict(self.name, Status.INVALID, explanation.reason, evidence)


FIRST_LOOK = 12
"""Completed operations before the monitor looks for the first time."""


class LinearizabilityMonitor:
    """Collects operations; looks whenever the history has grown by half, and at the end."""

    def __init__(self, prop: Linearizable) -> None:
        self._property = prop
        self._invoked: dict[int, Invoke] = {}
        self._completed: dict[int, Complete] = {}
        self._next_look = FIRST_LOOK

    def feed(self, event: Event) -> Verdict | None:
        """Take the next event; `invalid` if a look finds that nothing can repair the run."""
        functions = self._property.functions
        if isinstance(event, Invoke):
            if functions is None or event.function in functions:
                self._invoked[event.operation] = event
        elif isinstance(event, Complete) and event.operation in self._invoked:
            self._completed[event.operation] = event
            if len(self._completed) >= self._next_look:
                self._next_look += self._next_look // 2
                verdict = self._judge()
                if verdict.status is Status.INVALID:
                    return verdict
        return None

    def finish(self) -> Verdict:
        """The verdict on all operations; those without a completion may have happened or not."""
        return self._judge()

    def _judge(self) -> Verdict:
        try:
            pairs = ((invoke, self._completed.get(number)) for number, invoke in self._invoked.items())
            return self._property.judge(operation_of(*pair) for pair in pairs)
        except UnknownFunctionError as error:
            known = ", ".join(f'"{function}"' for function in error.functions)
            advice = f"let the property judge only those, Linearizable(..., functions=frozenset({{{known}}}))"
            raise SpecificationError(f"{error}: {advice}, or give it another specification") from None
