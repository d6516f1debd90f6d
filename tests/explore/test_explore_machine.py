"""Scenarios as Hypothesis machines: what a test made by `machine` does, without pytest's plugin."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

import msgspec
import pytest
from explore_scenarios import Forgetful, Leaky, OneServer, Silent
from replicated_register import ReplicatedRegister

from killpoint import faults
from killpoint.explore.catalog import reference_to
from killpoint.explore.finding import failing_lines, save
from killpoint.explore.machine import PropertyFailedError, ScenarioMachine, machine
from killpoint.explore.options import Options, use
from killpoint.sim import codec
from killpoint.sim.codec import ScheduleError
from killpoint.sim.record import Record
from killpoint.sim.scenario import ScenarioError
from killpoint.sim.schedule import Call, Inject, Schedule
from killpoint.sim.session import run

STALE = Schedule(
    "replicated_register.py:ReplicatedRegister",
    seed=1,
    actions=(
        Inject(0.1, faults.Partition(target="n1", duration=1.0)),
        Call(0.2, "c1", "write", {"value": 1}),
        Call(0.3, "c2", "read"),
        Call(0.3, "c3", "read"),
    ),
)
"""A read of another replica than the first returns nothing, though the write was acknowledged."""


@pytest.fixture(autouse=True)
def short_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about what is told of a failure, not about how small it gets."""
    monkeypatch.setattr("killpoint.explore.shrink.BUDGET", 150)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(kind: type[ScenarioMachine], options: Options) -> unittest.TestResult:
    result = unittest.TestResult()
    with use(options):
        kind.TestCase("runTest").run(result)
    return result


def failure(kind: type[ScenarioMachine], options: Options) -> PropertyFailedError:
    with use(options), pytest.raises(PropertyFailedError) as caught:
        kind.TestCase("runTest").runTest()
    return caught.value


def stale_read() -> Record:
    """The seed decides which replicas the clients ask.  The reference is the one that a test of this folder notes."""
    schedule = STALE.replace(scenario=reference_to(ReplicatedRegister))
    runs = (run(schedule.replace(seed=seed), ReplicatedRegister) for seed in range(20))
    return next(record for record in runs if record.failure is not None)


def test_a_correct_system_passes_with_as_many_schedules_as_asked_for() -> None:
    options = Options(examples=12)
    result = outcome(machine(OneServer), options)
    assert result.wasSuccessful()
    assert result.testsRun == 1
    assert re.fullmatch(r"12 schedules, [\d,]+ virtual seconds, [\d,]+ faults struck", options.notes["summary"])
    assert "vacuous" not in options.notes


def test_a_planted_bug_fails_the_test_with_the_shrunk_schedule_only() -> None:
    failed = failure(machine(ReplicatedRegister), Options(seed=1))
    lines = str(failed).splitlines()
    assert lines[0].startswith("Linearizable(Register) fails: ")
    (middle,) = [place for place, line in enumerate(lines) if line.startswith("Shrunk from ")]
    pattern = r"Shrunk from \d+ actions to [234] \(\d+ runs, \d+\.\d s\), confirmed in a fresh process; noise 0; seed \d+:"
    assert re.fullmatch(pattern, lines[middle])
    assert 2 <= len(lines[middle + 1 : -2]) <= 4
    assert lines[-2] == f"Replay:   killpoint replay {failed.path}"
    assert lines[-1] == f"Look:     killpoint replay {failed.path} --html run.html"
    assert failed.__cause__ is None
    assert not hasattr(failed, "__notes__")


def test_the_failing_schedule_is_saved_under_the_names_of_test_and_run() -> None:
    failed = failure(machine(ReplicatedRegister), Options(seed=1, test="TestStale"))
    filed = codec.read(failed.path, ReplicatedRegister)
    assert filed.failure is not None
    assert failed.path == Path(".killpoint") / f"TestStale-{filed.failure.digest[:8]}.json"
    assert run(filed.schedule, ReplicatedRegister).digest == filed.failure.digest
    assert list(Path(".killpoint").iterdir()) == [failed.path]


def test_the_seed_decides_what_is_drawn() -> None:
    def found(seed: int, folder: str) -> Schedule:
        return codec.read(failure(machine(ReplicatedRegister), Options(seed=seed, folder=Path(folder))).path).schedule

    first = found(1, "a")
    assert found(1, "b") == first
    assert found(2, "c") != first


def test_a_failure_that_is_known_fails_at_once_and_again() -> None:
    kind = machine(ReplicatedRegister)
    first = failure(kind, Options(seed=1))
    again = failure(kind, Options(seed=2, examples=1))
    assert again.path == first.path
    assert f"Has failed before: {first.path}; noise 0; seed " in str(again)


def test_what_is_no_longer_a_schedule_of_the_scenario_is_not_replayed_from_the_folder_of_failures() -> None:
    record = stale_read()
    save(record, ReplicatedRegister, Path(".killpoint"), "TestOneServer")
    Path(".killpoint/TestOneServer-0.json").write_text("{")
    assert outcome(machine(OneServer), Options(examples=1)).wasSuccessful()


def test_a_property_that_was_given_twice_is_told_once() -> None:
    record = stale_read()
    twice = msgspec.structs.replace(record, verdicts=(*record.verdicts, *record.verdicts))
    assert failing_lines(twice) == failing_lines(record) != []


def test_a_replay_runs_this_schedule_and_nothing_else() -> None:
    record = stale_read()
    path = save(record, ReplicatedRegister, Path("elsewhere"), "x")
    options = Options(replay=path, node="test_it.py::TestIt")
    failed = failure(machine(ReplicatedRegister), options)
    assert f"Replayed: {path}; noise 0; seed {record.schedule.seed}:" in str(failed)
    assert f"Replay:   pytest test_it.py::TestIt --killpoint-replay={path}" in str(failed)
    assert options.notes["summary"] == f"replayed {path}"
    codec.write(path, STALE.replace(actions=STALE.actions[:2]))
    assert outcome(machine(ReplicatedRegister), options).wasSuccessful()


def test_a_replay_of_another_scenarios_schedule_is_refused() -> None:
    codec.write(Path("x.json"), STALE)
    with use(Options(replay=Path("x.json"))), pytest.raises(ScheduleError, match=r"x\.json is not a schedule of OneServer"):
        machine(OneServer).TestCase("runTest").runTest()


def test_the_corpus_is_replayed_before_anything_is_explored() -> None:
    record = stale_read()
    path = save(record, ReplicatedRegister, Path("corpus"), "found-in-march")
    codec.write(Path("corpus/another-scenario.json"), STALE.replace(scenario="civictrust", actions=()))
    failed = failure(machine(ReplicatedRegister), Options(corpus=Path("corpus"), examples=1))
    assert failed.path == path
    assert f"A schedule of the regression corpus: {path}" in str(failed)
    assert outcome(machine(OneServer), Options(corpus=Path("corpus"), examples=1)).wasSuccessful()


def test_failures_of_a_scenario_of_the_same_name_in_another_file_are_not_replayed() -> None:
    record = stale_read()
    other = msgspec.structs.replace(record, schedule=record.schedule.replace(scenario="other.py:ReplicatedRegister"))
    Path("other.py").write_text("")
    save(other, ReplicatedRegister, Path(".killpoint"), "TestReplicatedRegister")
    save(other, ReplicatedRegister, Path("corpus"), "x")
    kind = machine(ReplicatedRegister)
    told = str(failure(kind, Options(seed=1, corpus=Path("corpus"))))
    assert "Shrunk from " in told
    assert "Has failed before" not in told
    assert "regression corpus" not in told


def test_a_corpus_serves_from_whatever_folder_the_tests_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    source = sys.modules[ReplicatedRegister.__module__].__file__
    assert source is not None
    Path("project").mkdir()
    Path("project/replicated_register.py").symlink_to(source)
    record = stale_read()
    noted = msgspec.structs.replace(record, schedule=record.schedule.replace(scenario=STALE.scenario))
    path = save(noted, ReplicatedRegister, Path("project/schedules").absolute(), "x")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert failure(machine(ReplicatedRegister), Options(corpus=path.parent, examples=1)).path == path


def test_a_corpus_with_a_file_that_is_no_schedule_is_an_error() -> None:
    Path("corpus").mkdir()
    Path("corpus/rotten.json").write_text('{"format": ')
    (_, complaint), *_ = outcome(machine(OneServer), Options(corpus=Path("corpus"), examples=1)).errors
    assert "rotten.json, line 1: the file is cut off here" in complaint


def test_a_failure_of_another_kind_than_was_noted_says_so() -> None:
    record = stale_read()
    codec.write(Path("x.json"), record.schedule, failure=codec.Failure("NoCrash", "crash", "", ""))
    failed = failure(machine(ReplicatedRegister), Options(replay=Path("x.json")))
    assert "Replayed (it failed differently when it was saved: NoCrash): x.json" in str(failed)


def test_a_mutant_is_explored_and_its_schedules_are_its_own() -> None:
    failed = failure(machine(OneServer, mutant="deaf"), Options(seed=5))
    assert codec.read(failed.path, OneServer).schedule.mutant == "deaf"
    with use(Options(replay=failed.path)), pytest.raises(ScheduleError, match="not a schedule of OneServer"):
        machine(OneServer).TestCase("runTest").runTest()


def test_an_unknown_mutant_is_refused_when_the_machine_is_made() -> None:
    with pytest.raises(ScenarioError, match="has no mutant 'nonsense'"):
        machine(OneServer, mutant="nonsense")


def test_a_test_in_which_nothing_succeeded_fails_and_says_so() -> None:
    options = Options(examples=5)
    ((_, told),) = outcome(machine(Silent), options).failures
    assert re.search(r"NothingSucceededError: The system never did anything for a client: none of \d+ operations was ok", told)
    assert "No ask was ok" in options.notes["vacuous"]
    assert "compromise-key never struck" in options.notes["vacuous"]


def test_a_failure_that_a_fresh_process_does_not_see_is_told_to_be_unconfirmed() -> None:
    failed = failure(machine(Leaky), Options(seed=1))
    assert "NOT confirmed: in a fresh process it passes, so runs differ (see `killpoint determinism`)" in str(failed)


def test_arguments_come_from_their_strategies() -> None:
    failed = failure(machine(Forgetful), Options(seed=3))
    calls = [a for a in codec.read(failed.path, Forgetful).schedule.actions if isinstance(a, Call) and a.operation == "write"]
    assert calls
    assert all(a.arguments["value"] in range(1, 10) for a in calls)


def test_budget_holds_for_every_run() -> None:
    kind = machine(OneServer, budget="unlimited", examples=3)
    budgets: list[str] = []

    class Watched(kind):  # type: ignore[misc, valid-type]
        def teardown(self) -> None:
            if self._session is not None:
                budgets.append(self._session.finish().schedule.budget)
            super().teardown()

    Watched.TestCase = type("T", (kind.TestCase,), {"killpoint_machine": Watched})  # type: ignore[assignment]
    assert outcome(Watched, Options()).wasSuccessful()
    assert budgets == ["unlimited"] * 3
