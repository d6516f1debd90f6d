"""A scenario as a Hypothesis state machine, for `TestX = machine(X).TestCase` and `pytest -k invariants`.

Hypothesis chooses, Killpoint does the rest.  A run's character and each action are one integer draw, which seeds the same
`Draft` that `killpoint explore` uses; arguments of operations are drawn from their strategies.  So a step costs a handful of
choices, never one per message, and no two places decide what a schedule looks like.  Actions are applied to a session while
they are drawn.  The same seed draws the same in every process, but for arguments whose strategies let Hypothesis insert
constants that it finds in whatever modules are imported; a schedule carries its arguments, so its replay does not depend on that.

Hypothesis's shrinker is switched off: it deletes choices, of which a step has several, and needs thousands of runs for what delta
debugging of the schedule does in a hundred.  So is its database: a failing schedule is kept as a file, which survives an
upgrade of Hypothesis and can be read, replayed and committed.  What fails the test is one short error, without the pages of
steps before it.

Hypothesis runs a failing example twice; if the second run is another, the runs of this scenario are not deterministic, and we
say so.
"""

from __future__ import annotations

import sys
import unittest
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ..properties.history import Value
from ..report.summary import Tally
from ..report.text import noise_text, schedule_lines
from ..report.wording import counted
from ..sim import codec
from ..sim.authors import AuthorError
from ..sim.noise import keyed_integer
from ..sim.record import Record
from ..sim.scenario import Scenario, ScenarioError
from ..sim.session import Session, run
from ..sim.validation import validated
from .catalog import reference_to
from .determinism import check_determinism
from .divergence import divergence_lines
from .finding import expected, failing_lines, found
from .generate import MAX_ACTIONS, Draft, pooled
from .options import Options, current
from .shrink import Shrinker

__all__ = ["NotDeterministicError", "NothingSucceededError", "PropertyFailedError", "ScenarioMachine", "machine"]

_words = st.integers(2**70, 2**70 + 2**64 - 1)
"""What an action is drawn from.

Hypothesis likes to draw numbers that stand in the code of modules that happen to be imported, so the same seed would give other
schedules in another process.  Nobody writes numbers as large as these.
"""


class PropertyFailedError(AssertionError):
    """A property of a scenario failed: what failed and why, the shrunk schedule, and how to replay it.

    `path` is the schedule's file, `replay` the command that replays it.
    """

    def __init__(self, lines: list[str], path: Path, replay: str) -> None:
        super().__init__("\n".join(lines))
        self.path = path
        self.replay = replay


class NothingSucceededError(AssertionError):
    """Operations were called and none succeeded in any run: the properties held of a system that did nothing."""


class NotDeterministicError(AssertionError):
    """Runs of the same schedule differ: in which event first, and what that depends on.

    `in_its_own_words` tells the pytest plugin that what it says is all there is to say.
    """

    in_its_own_words = True


class _FailingRunError(Exception):
    """Ends an example whose run failed."""


class ScenarioMachine(RuleBasedStateMachine):
    """Base of the classes that `machine` makes: one instance is one run.

    `tally` counts the runs of a test and `failing` is the first that failed; both are reset when a test begins.
    """

    scenario: ClassVar[type[Scenario]]
    mutant: ClassVar[str | None] = None
    budget: ClassVar[str | None] = None
    examples: ClassVar[int | None] = None
    reference: ClassVar[str]
    salt: ClassVar[int] = 0
    """Mixed into what is drawn: Hypothesis begins with the simplest example whatever its seed."""
    tally: ClassVar[Tally]
    failing: ClassVar[Record | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._draft: Draft | None = None
        self._session: Session | None = None
        self._steps = 0

    @initialize(word=_words)  # type: ignore[untyped-decorator, unused-ignore]
    def begin(self, word: int) -> None:
        """Draw the run's character and start the world."""
        random = Random(keyed_integer(word, "character", self.salt))
        draft = self._draft = Draft(self.scenario, random, seed=random.getrandbits(62), mutant=self.mutant, budget=self.budget)
        self._session = Session.under(draft.header, self.scenario, reference=self.reference)

    @rule(word=_words, data=st.data())  # type: ignore[untyped-decorator, unused-ignore]
    def act(self, word: int, data: st.DataObject) -> None:
        """Draw one action and apply it; once the schedule's span is over, nothing."""
        draft, session = self._draft, self._session
        if draft is None or session is None or session.stopped:
            return

        def argument(random: Random, description: object) -> Value:
            return data.draw(description) if isinstance(description, st.SearchStrategy) else pooled(random, description)

        self._steps += 1
        action = draft.next(Random(keyed_integer(word, "action", self.salt, self._steps)), argument)
        if action is None:
            self._draft = None
        else:
            session.apply(action)

    def teardown(self) -> None:
        """Finish the run, unless it is being abandoned, and end the example if a property failed."""
        session, self._session = self._session, None
        if session is None:
            return
        if sys.exc_info()[0] is not None:  # Hypothesis gives the example up, or something is broken: no verdict
            session.close()
            return
        record = session.finish()
        kind = type(self)
        kind.tally.add(record)
        if record.failure is not None:
            kind.failing = kind.failing or record
            raise _FailingRunError


class _ScenarioTest(unittest.TestCase):
    """The test case of a machine: replays what is known to have failed, then explores."""

    killpoint_machine: ClassVar[type[ScenarioMachine]]

    def runTest(self) -> None:  # noqa: N802  # unittest's name
        """Fail with one short error if any property fails in any run, or if no operation succeeds in any."""
        __tracebackhide__ = True
        failed = _examine(self.killpoint_machine, current())
        if failed is not None:
            raise failed


def machine(
    scenario: type[Scenario], *, mutant: str | None = None, budget: str | None = None, examples: int | None = None
) -> type[ScenarioMachine]:
    """A Hypothesis state machine that explores a scenario; its `TestCase` is what pytest and unittest collect.

    `mutant` plants one of the scenario's bugs.  `budget` restricts faults (`quorum-safe` or `unlimited`); without it, runs draw
    either.  `examples` overrides how many schedules the chosen profile runs.

    Raises:
        ScenarioError: there is no such mutant, or something in the scenario is wrong.
    """
    problem = validated(scenario.mutant(mutant))
    if problem is not None:
        raise ScenarioError(problem)
    name = scenario.__name__
    body: dict[str, object] = {
        "scenario": scenario,
        "mutant": mutant,
        "budget": budget,
        "examples": examples,
        "__module__": scenario.__module__,
    }
    body |= {"reference": reference_to(scenario), "tally": expected(scenario)}
    made: type[ScenarioMachine] = type(f"{name}Machine", (ScenarioMachine,), body)
    case = type(f"Test{name}", (_ScenarioTest,), {"killpoint_machine": made, "__module__": scenario.__module__})
    made.TestCase = case  # type: ignore[assignment]  # Hypothesis declares its own
    return made


# -- one test -----------------------------------------------------------------------------------------


def _examine(kind: type[ScenarioMachine], options: Options) -> AssertionError | None:
    """Replay what was asked for, or known failures and then exploration; the first failure, ready to be raised."""
    name = options.test or f"Test{kind.scenario.__name__}"
    if options.replay is not None:
        return _replay(kind, options, options.replay, "Replayed", name)
    for path in _corpus(kind, options):
        failed = _replay(kind, options, path, "A schedule of the regression corpus", name)
        if failed is not None:
            return failed
    for path in sorted(options.folder.glob(f"{name}-*.json")):
        with suppress(codec.ScheduleError):  # of this scenario before it was changed, or no schedule at all
            # Two files may hold tests and scenarios of the same names; their failures share the folder.
            failed = _replay(kind, options, path, "Has failed before", name) if _is_its_own(kind, path) else None
            if failed is not None:
                return failed
    return _explore(kind, options, name) or _determinism(kind, options)


def _determinism(kind: type[ScenarioMachine], options: Options) -> NotDeterministicError | None:
    """Run schedules in two unlike processes, if the test is to; where they differ."""
    if not options.determinism:
        return None
    report = check_determinism(kind.reference, schedules=options.determinism, seed=options.seed, mutant=kind.mutant)
    return NotDeterministicError("\n".join(divergence_lines(kind.reference, report))) if report.divergence is not None else None


def _explore(kind: type[ScenarioMachine], options: Options, name: str) -> AssertionError | None:
    """Explore; the first failure, shrunk.

    Raises:
        AuthorError: a property or a fault failed; says in which schedule.
    """
    kind.tally = expected(kind.scenario)
    kind.failing = None
    kind.salt = options.seed
    seed(options.seed)(kind)
    try:
        run_state_machine_as_test(kind, settings=_settings(kind, options))
    except _FailingRunError:
        pass
    except AuthorError as error:
        which = f"This was schedule {kind.tally.schedules + 1} of {name}"
        raise AuthorError(f"{error}.  {which}; {options.again} gives it again") from error
    except Flaky:
        if kind.failing is None:
            raise
    options.notes["summary"] = _summary(kind.tally)
    options.notes["struck"] = kind.tally.in_short
    if kind.tally.warnings:
        options.notes["vacuous"] = " ".join(kind.tally.warnings)
    record = kind.failing
    if record is None:
        return None if kind.tally.dead is None else NothingSucceededError(kind.tally.dead)
    try:
        finding = found(kind.scenario, Shrinker(kind.scenario, record), folder=options.folder, name=name)
    except AuthorError as error:
        which = f"This was in a run of shrinking schedule {kind.tally.schedules} of {name}"
        raise AuthorError(f"{error}.  {which}; {options.again} gives it again") from error
    replay = _command(options, finding.path)
    return PropertyFailedError(finding.lines(replay), finding.path, replay)


def _settings(kind: type[ScenarioMachine], options: Options) -> settings:
    return settings(
        max_examples=options.examples or kind.examples or options.schedules,
        stateful_step_count=MAX_ACTIONS,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )


def _summary(tally: Tally) -> str:
    struck = sum(number for phases in tally.struck.values() for number in phases.values())
    words = f"{counted(tally.schedules, 'schedule')}, {tally.virtual_seconds:,.0f} virtual seconds, {counted(struck, 'fault')} struck"
    undecided = sum(counts.get("unknown", 0) for counts in tally.properties.values())
    return f"{words}, {counted(undecided, 'verdict')} unknown" if undecided else words


def _command(options: Options, path: Path) -> str:
    """What to paste to replay a schedule with the test."""
    return f"pytest {options.node} --killpoint-replay={path}" if options.node else f"killpoint replay {path}"


def _replay(kind: type[ScenarioMachine], options: Options, path: Path, what: str, name: str) -> PropertyFailedError | None:
    """Run one saved schedule; how it failed, or None.

    Raises:
        ScheduleError: it cannot be used, or is not of this scenario.
    """
    if not _is_of(kind, path):
        wanted = f"{kind.scenario.label()} with {kind.mutant}" if kind.mutant else kind.scenario.label()
        raise codec.ScheduleError(f"{path} is not a schedule of {wanted}, which {name} explores")
    filed = codec.read(path, kind.scenario)
    record = run(filed.schedule, kind.scenario)
    options.notes["summary"] = f"replayed {path}"
    if record.failure is None:
        return None
    if filed.failure is None or (filed.failure.property, filed.failure.kind) == record.failure.signature:
        change = ""
    else:
        change = f" (it failed differently when it was saved: {filed.failure.property})"
    replay = _command(options, path)
    lines = failing_lines(record)
    lines.append(f"{what}{change}: {path}; {noise_text(record.schedule.noise)}; seed {record.schedule.seed}:")
    lines += [*schedule_lines(record.schedule, record.strikes), f"Replay:   {replay}"]
    lines.append(f"Look:     killpoint replay {path} --html run.html")
    return PropertyFailedError(lines, path, replay)


def _corpus(kind: type[ScenarioMachine], options: Options) -> Iterator[Path]:
    """The schedules of the corpus that this test is meant to run.

    Raises:
        ScheduleError: a file of the corpus is no schedule; to skip it quietly would be to lose a regression test.
    """
    for path in sorted(options.corpus.glob("*.json")) if options.corpus is not None else ():
        if _is_its_own(kind, path):
            yield path


def _is_its_own(kind: type[ScenarioMachine], path: Path) -> bool:
    """Whether the reference in a file names the machine's scenario itself, and the mutant is the same.

    A reference to a Python file is looked for as `killpoint replay` does: from the working folder, then from the folders above
    the schedule; so a corpus serves whatever folder the tests are started from.

    Raises:
        ScheduleError: it holds no schedule.
    """
    schedule = codec.header(path)
    if schedule.mutant != kind.mutant:
        return False
    if schedule.scenario == kind.reference:
        return True
    source, _, name = schedule.scenario.rpartition(":")
    own = getattr(sys.modules.get(kind.scenario.__module__), "__file__", None)
    if own is None or not source.endswith(".py") or name != kind.scenario.__qualname__:
        return False
    places = (folder / source for folder in (Path.cwd(), *path.resolve().parents))
    return next((place.resolve() for place in places if place.is_file()), None) == Path(own).resolve()


def _is_of(kind: type[ScenarioMachine], path: Path) -> bool:
    """Whether a file that was asked for by name can be meant for the machine: scenario and mutant are called the same.

    It may have been saved elsewhere, so of a reference to a file only the class counts.

    Raises:
        ScheduleError: it holds no schedule.
    """
    schedule = codec.header(path)
    names = (kind.reference, kind.scenario.label())
    same_class = ":" in schedule.scenario and schedule.scenario.rpartition(":")[2] == kind.scenario.__qualname__
    return (schedule.scenario in names or same_class) and schedule.mutant == kind.mutant
