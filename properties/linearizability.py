"""Linearizability: every operation seems to take effect at one moment between its invocation and its completion.

`analyse` splits a history into the parts that the specification names (locality: Herlihy & Wing 1990), searches each part (see
`search.py`), and says what it found.  The parts take turns with growing budgets, because one part may refute in a millisecond
what another cannot decide in an hour; and a search that is stuck is helped by a look at the stretch where it is (`stretches.py`).
Objects all of whose values are different (registers, queues, stacks, sets, ...) need no search: `monitors` decides them in log-linear
time, and the search is left with the few operations that explain a violation.

`Linearizable` is the property.  Linearizability is closed under prefixes, so its monitor says `invalid` at the very event that nothing
can repair: it keeps a witness, an order that explains all that has completed (see `witness.py`).  Where keeping it becomes too hard it
collects operations, and looks whenever they have grown by half, and at the end; all those looks together cost about as much as two
more searches at the end.

Inside a run the budget counts steps, so a verdict replays.  A deadline, which depends on the machine, may be given to `analyse`
only (`killpoint check` does); a verdict that it cut short says so.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .collecting import Collecting, advice
from .explanation import explain
from .furthest import furthest
from .guard import guarded, misfit
from .history import Complete, Event, Invoke, Operation, Outcome, operation_of, render
from .monitors import Conflict, conflict, method, whole
from .progress import Interrupted, Progress
from .search import Deepest, Memory, Search
from .specification import Specification, SpecificationError, unknown_of
from .stretches import Stretches
from .verdict import Evidence, Monitor, Status, Verdict
from .witness import Fate, Witness

__all__ = ["Analysis", "Linearizable", "analyse", "parts_of"]

DEFAULT_BUDGET = 2_000_000
"""Steps over all parts; a few seconds at most on an ordinary machine, and far more than a run of a simulation needs."""

EXPLAINING = 50_000
"""Steps that may be spent on a better explanation after a history was refuted."""

EXPLAINED = "an order of the operations explains every result"

LONGEST = 200_000
"""Steps that a search over a whole part may take in the middle of a run."""

FIRST_TURN, LONGEST_TURN = 256, 16_384
"""Steps that a part may take before it is another's turn: the first time, and at most (tens of milliseconds)."""

FIRST_LOOK, LONGEST_LOOK = 40_000, 1_000_000
"""Steps after which a search that has decided nothing is helped by its stretches: the first time (then whenever it has taken twice as
many), and how many that may take at most.
"""


@dataclass(frozen=True)
class Analysis:
    """What a search found.

    `status` is `invalid` as soon as one part is.  `part` is the part that was refuted, or that was not decided, and `deepest`
    how far its search got: None where nothing was searched or everything is valid.  `linearizations` holds, if asked for, one
    order per searched part that explains it.  `reason` says why an `unknown` one is not decided, or puts an `invalid` one in a
    few words.  `method` says how it was decided, for example "by zones" or "by search, in 312 steps".  `specification` is the one that
    refuses `deepest`, where that is not the one that was asked about (see `Conflict`).  `stuck` is the operation that could not be placed
    if there was no time to find out more about it.
    """

    status: Status
    steps: int
    part: Hashable = None
    deepest: Deepest | None = None
    linearizations: tuple[tuple[Operation, ...], ...] = ()
    reason: str = ""
    method: str = ""
    specification: Specification | None = None
    stuck: Operation | None = None


def parts_of(specification: Specification, operations: Iterable[Operation]) -> dict[Hashable, list[Operation]]:
    """Operations by the part of the object that they touch, without those that certainly had no effect.

    Raises:
        SpecificationError: the specification does not know an operation.
    """
    return _split(specification, _counting(specification, operations))


def _counting(specification: Specification, operations: Iterable[Operation]) -> list[Operation]:
    """The operations without those that certainly had no effect."""
    fail = Outcome.FAIL
    everything = [*operations]
    # What does not equal itself is not a number; one pass for both, as memory is what takes the time.
    failures = [operation for operation in everything if operation.outcome is fail or operation.result != operation.result]
    if not failures:
        return everything
    if any(operation.result != operation.result for operation in failures):
        raise misfit(everything) or SpecificationError("an operation returned a value that does not equal itself")
    dropped: set[int] = set()
    failed: set[str] = set()
    for operation in failures:
        if specification.evidence_of_failure(operation):
            continue
        dropped.add(operation.id)
        if operation.function not in failed:
            # It does not count, but one that the specification does not know is a mistake all the same.
            failed.add(operation.function)
            specification.step(specification.initial, unknown_of(operation))
    return [operation for operation in everything if operation.id not in dropped]


def _split(specification: Specification, operations: Sequence[Operation]) -> dict[Hashable, list[Operation]]:
    parts: dict[Hashable, list[Operation]] = {}
    partition = specification.partition
    for operation in operations:
        parts.setdefault(partition(operation), []).append(operation)
    return parts


def analyse(
    specification: Specification,
    operations: Iterable[Operation],
    budget: int | None = DEFAULT_BUDGET,
    expired: Callable[[], bool] | None = None,
    *,
    orders: bool = False,
    fast: bool = False,
) -> Analysis:
    """Decide whether `operations` are linearizable, in at most `budget` steps (None: as many as it takes).

    `expired` is asked every few thousand steps; True ends the search with `unknown`, and so does `Interrupted`, raised by whoever
    watches a clock or the memory, wherever it comes.  With `orders` a valid analysis holds the order found for each part that was
    searched.  `fast` lets long searches go on in compiled code where that is installed (see `compiled.py`): the answer is the same.

    Raises:
        SpecificationError: the specification does not know an operation, or fails (see `guard`).
    """
    progress = Progress()
    operations = [*operations]
    try:
        return _analyse(specification, guarded(specification, operations), operations, budget, expired, progress, orders=orders, fast=fast)
    except (Interrupted, MemoryError) as stop:
        why = str(stop) if isinstance(stop, Interrupted) else "not decided, as there is no more memory"
    except (TypeError, RecursionError) as error:
        raise (misfit(operations) or error) from None
    if progress.refuted is not None:
        part, search = progress.refuted
        return Analysis(Status.INVALID, progress.steps, part, reason=why, method=_searched(progress.steps), stuck=search.stuck)
    return Analysis(Status.UNKNOWN, progress.steps, reason=f"{why}: {progress.told()}")


def _analyse(
    given: Specification,
    specification: Specification,
    operations: Iterable[Operation],
    budget: int | None,
    expired: Callable[[], bool] | None,
    progress: Progress,
    *,
    orders: bool,
    fast: bool,
) -> Analysis:
    """Monitors look at the specification that was `given`, the search asks the guarded one."""
    counting = _counting(specification, operations)
    at_once = whole(given)
    found = conflict(given, counting, fast=fast) if at_once else None
    if found is not None:
        return _decided(given, specification, counting, found)
    parts = _split(specification, counting)
    progress.parts, progress.method = len(parts), method(given)
    memory = Memory()
    for part, members in parts.items():
        found = None if at_once and len(parts) == 1 else conflict(given, members, fast=fast)
        if found is None:
            progress.searches.append((part, Search(specification, members, memory, fast=fast)))
        elif found.operations:
            return _decided(given, specification, members, found)
        else:
            progress.monitored += 1
    analysis = _take_turns(specification, parts, progress, budget, expired)
    if progress.refuted is not None:
        stretches = progress.stretches
        impossible = None if stretches is None else stretches.first(2 * EXPLAINING + stretches.steps, expired)
        deepest = furthest(specification, parts[analysis.part], progress.refuted[1], EXPLAINING, impossible)
        return replace(analysis, deepest=deepest, method=_searched(analysis.steps))
    ways = (progress.method if progress.monitored else "", _searched(analysis.steps) if progress.searches else "")
    analysis = replace(analysis, method=" and ".join(filter(None, ways)))
    if analysis.status is Status.VALID and orders:
        found_orders = (search.linearization() for _part, search in progress.searches)
        return replace(analysis, linearizations=tuple(tuple(order) for order in found_orders if order is not None))
    return analysis


def _searched(steps: int) -> str:
    return f"by search, in {steps} step{'' if steps == 1 else 's'}"


def _decided(given: Specification, specification: Specification, operations: Sequence[Operation], found: Conflict) -> Analysis:
    """What a monitor found, in the words of the search.

    Operations that exclude each other are a whole, unlinearizable history, which is small or nearly without choices (see `Conflict`).
    The monitor's proof is what decides; the search is there to put it into words and to contradict a monitor that is wrong, so one that
    does not finish (none is known) takes nothing from the verdict.
    """
    how = method(given) if operations else ""
    if not found.operations:
        return Analysis(Status.VALID, 0, method=how)
    judge = found.specification or specification
    search = Search(judge, found.operations)
    refuted = search.run(EXPLAINING)
    assert refuted is not True, f"the monitor that decides {how} and the search contradict each other: please report this"
    part = specification.partition(found.operations[0])
    # Many pending operations may make a small history hard to search; then how far the search came has to do.
    deepest = search.deepest() if refuted is None else furthest(judge, found.operations, search, EXPLAINING)
    return Analysis(Status.INVALID, search.steps, part, deepest, reason=found.why, method=how, specification=found.specification)


def _take_turns(
    specification: Specification,
    parts: Mapping[Hashable, Sequence[Operation]],
    progress: Progress,
    budget: int | None,
    expired: Callable[[], bool] | None,
) -> Analysis:
    """Search all parts until one is refuted, by its search or by a stretch, all are decided, or the limits are reached."""
    spent = 0
    undecided = [_Part(part, search, Stretches(specification, parts[part]), FIRST_LOOK) for part, search in progress.searches]
    turn = FIRST_TURN
    while undecided:
        remaining = []
        for one in undecided:
            search, stretches = one.search, one.stretches
            if budget is not None and spent >= budget:
                reason = f"not decided within {budget} steps: {progress.told()}"
                return Analysis(Status.UNKNOWN, spent, one.part, search.deepest(), reason=reason)
            if expired is not None and expired():
                raise Interrupted("not decided before the deadline, which depends on the machine")
            before, looked = search.steps, stretches.steps
            outcome = search.run(turn if budget is None else min(turn, budget - spent))
            if outcome is None and search.steps >= one.look_at:
                one.look_at *= 2
                look = min(search.steps // 2, LONGEST_LOOK)
                if budget is not None:
                    look = min(look, budget - spent - (search.steps - before))
                if stretches.refute(search.passed, look, expired):
                    outcome, progress.stretches = False, stretches
            spent += search.steps - before + stretches.steps - looked
            if outcome is False:
                progress.refuted = one.part, search
                return Analysis(Status.INVALID, spent, one.part)
            if outcome is None:
                remaining.append(one)
        undecided = remaining
        turn = min(2 * turn, LONGEST_TURN)
    return Analysis(Status.VALID, spent)


@dataclass
class _Part:
    """A part that is not decided yet; when its search has taken `look_at` steps, its stretches are looked at."""

    part: Hashable
    search: Search
    stretches: Stretches
    look_at: int


@dataclass(frozen=True)
class Linearizable:
    """The object behaves as if its operations happened one after another: `Linearizable(Register())`.

    Formula: some total order of all completed and some pending operations respects real time, and the specification accepts it.
    Cost: O(n log n) for histories whose values are all different (see `monitors`); for others linear where there is little
    concurrency, exponential in the concurrency at worst; `budget` counts steps over all parts (None: unlimited), and `unknown` is the
    verdict when it is spent.  `functions` restricts the property to some of
    the operations; None takes them all.  Source: Herlihy & Wing 1990; `search.py`, `zones.py` and `monitors` for the algorithms.

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
        return f"Linearizable({guarded(self.specification).name})"

    def start(self) -> Monitor:
        """A fresh monitor, which says `invalid` at the very event that nothing can repair (see `witness.py`)."""
        return _Following(self)

    def judge(
        self, operations: Iterable[Operation], expired: Callable[[], bool] | None = None, *, fast: bool = False
    ) -> Verdict:
        """The verdict on these operations; see `analyse` for `expired` and `fast`.

        Raises:
            SpecificationError: the specification does not know an operation.
        """
        operations = [*operations]
        analysis = analyse(self.specification, operations, self.budget, expired, fast=fast)
        if analysis.status is Status.VALID:
            if not operations:
                return Verdict(self.name, Status.VALID, "there are no operations to explain")
            how = f" (decided {analysis.method})" if analysis.method else ""
            return Verdict(self.name, Status.VALID, f"{EXPLAINED}{how}")
        if analysis.status is Status.UNKNOWN:
            return Verdict(self.name, Status.UNKNOWN, f"{analysis.reason} ({analysis.steps} steps taken)")
        if analysis.deepest is None:
            return self._unexplained(analysis)
        try:
            explanation = explain(analysis.specification or guarded(self.specification, operations), analysis.deepest, analysis.reason)
        except Interrupted as stop:
            return self._unexplained(replace(analysis, stuck=analysis.deepest.stuck, reason=str(stop)))
        evidence = Evidence("cannot-be-placed", explanation.lines, explanation.operations, explanation.events)
        return Verdict(self.name, Status.INVALID, explanation.reason, evidence)

    def _unexplained(self, analysis: Analysis) -> Verdict:
        """The verdict on a history that was refuted when there was no time left to say more."""
        stuck = analysis.stuck
        lines = () if stuck is None else (stuck.describe(), f"(an order that places it was not found; {analysis.reason})")
        events = () if stuck is None else tuple(event for event in (stuck.invoked, stuck.completed) if event is not None)
        evidence = Evidence("cannot-be-placed", lines, () if stuck is None else (stuck.id,), events)
        return Verdict(self.name, Status.INVALID, "no order of the operations explains every result", evidence)


class _Following(Collecting):
    """Keeps a witness for as long as one is found easily, and from then on looks whenever the history has grown by half."""

    def __init__(self, prop: Linearizable) -> None:
        super().__init__(prop, growth=1.5, first=12)
        self._linearizable = prop
        self._witness = Witness(guarded(prop.specification), LONGEST if prop.budget is None else min(prop.budget, LONGEST))

    def feed(self, event: Event) -> Verdict | None:
        """Take the next event; `invalid` if nothing can repair the run."""
        if self._witness.fate is not Fate.ALIVE:
            return super().feed(event)
        if isinstance(event, Invoke):
            functions = self._linearizable.functions
            if functions is None or event.function in functions:
                self._invoked[event.operation] = event
                with advice(self._linearizable):
                    self._witness.invoke(operation_of(event, None))
        elif isinstance(event, Complete) and event.operation in self._invoked:
            self._completed[event.operation] = event
            with advice(self._linearizable):
                fate = self._witness.complete(operation_of(self._invoked[event.operation], event))
            if fate is Fate.REFUTED:
                verdict = super().finish()
                return verdict if verdict.status is Status.INVALID else None
        return None

    def finish(self) -> Verdict:
        """The verdict on all operations; those without a completion may have happened or not."""
        if self._witness.fate is not Fate.ALIVE or not self._invoked:
            return super().finish()
        with advice(self._linearizable):
            self._witness.finish()
        return Verdict(self._linearizable.name, Status.VALID, EXPLAINED)
