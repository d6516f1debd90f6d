"""The guide's examples hold the bugs that the guide says: the one-line fix removes the first, planted ones are found, and the property
and the specification of one's own catch what they are for."""

from __future__ import annotations

import re
import sys
from functools import reduce
from pathlib import Path

import pytest
from project_files import ROOT

from killpoint.checking import check_file
from killpoint.explore.campaign import search
from killpoint.explore.catalog import find_scenario
from killpoint.explore.shrink import shrink
from killpoint.properties import Status
from killpoint.sim.fault import Fault
from killpoint.sim.faults import PowerLoss
from killpoint.sim.scenario import Scenario
from killpoint.sim.schedule import Call, Inject

GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


EXAMPLE, BUG, FIX, SERVICE, OUTAGE, GROWS, FIFO, JOBS, _TEST, PLANTED = blocks("python")


@pytest.fixture
def corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Scenario]:
    """The example with the fix, and with the planted bug of the last section."""
    assert EXAMPLE.count(BUG) == 1
    assert BUG.count("\n") == FIX.count("\n") == 1
    return pasted(tmp_path, monkeypatch, EXAMPLE.replace(BUG, FIX) + PLANTED)


def pasted(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> type[Scenario]:
    """The scenario in a file of this text, found as the command line finds it; forgotten after the test."""
    path = folder / "guide_store.py"
    path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(sys.modules, path.stem, sys)  # so that what stands there is taken away again
    return find_scenario(f"{path}:Store")


def test_the_bug_of_the_example_is_found_and_comes_out_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = pasted(tmp_path, monkeypatch, EXAMPLE)
    record = search(store, seed=0, examples=100)
    assert record is not None
    small = shrink(store, record).record
    assert small.failure is not None
    assert small.failure.name in ("Durable(put)", "Linearizable(KeyValue)")
    actions = small.schedule.actions
    assert len(actions) <= 4
    assert any(isinstance(action, Call) and action.operation == "put" for action in actions)
    assert any(isinstance(action, Inject) and isinstance(action.fault, PowerLoss) for action in actions)


def test_the_fix_of_the_example_removes_it(corrected: type[Scenario]) -> None:
    assert search(corrected, seed=0, examples=100) is None


def test_a_service_that_knows_nothing_of_killpoint_is_killed_in_the_middle_of_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = pasted(tmp_path, monkeypatch, SERVICE)
    record = search(store, seed=0, examples=100)
    assert record is not None
    small = shrink(store, record).record
    assert small.failure is not None
    assert small.failure.signature == ("NoCrash", "crash:JSONDecodeError")
    put, kill = small.schedule.actions
    assert isinstance(put, Call)
    assert put.operation == "put"
    assert isinstance(kill, Inject)
    assert kill.boundary is not None
    assert kill.boundary.event in ("disk:write", "disk")


MIX = "faults.kills() | faults.power_losses()"


def test_the_fault_of_ones_own_strikes_and_finds_the_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fault, "registry", dict(Fault.registry))
    for fixed in (False, True):
        text = (EXAMPLE.replace(BUG, FIX) if fixed else EXAMPLE).replace(MIX, "outages")
        assert "outages" in text
        record = search(pasted(tmp_path, monkeypatch, f"{OUTAGE}\n\n{text}"), seed=0, examples=40, budget="unlimited")
        assert (record is None) is fixed
        if record is not None:
            assert "outage" in {strike.fault for strike in record.strikes if strike.struck}


def test_the_planted_bug_is_found(corrected: type[Scenario]) -> None:
    assert list(corrected.mutants) == ["name-not-synced"]
    record = search(corrected, seed=0, examples=40, mutant="name-not-synced")
    assert record is not None
    assert record.failure is not None
    assert record.failure.name in ("Durable(put)", "Linearizable(KeyValue)")


def jobs(folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> type[Scenario]:
    """The scenario of the queue, in files named as the guide says, with something replaced; forgotten after the test."""
    for old, _ in changes:
        assert (GROWS + FIFO + JOBS).count(old) == 1
    for text in (GROWS, FIFO, JOBS):
        name = text.partition("\n")[0].removeprefix("# ")
        changed = reduce(lambda before, change: before.replace(*change), changes, text)
        (folder / name).write_text(changed, encoding="utf-8")
        monkeypatch.setitem(sys.modules, Path(name).stem, sys)  # so that what stands there is taken away again
        monkeypatch.delitem(sys.modules, Path(name).stem)
    monkeypatch.syspath_prepend(str(folder))
    return find_scenario(f"{folder / 'jobs.py'}:Jobs")


def test_the_queue_keeps_its_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert search(jobs(tmp_path, monkeypatch), seed=0, examples=30) is None


def test_the_property_of_ones_own_catches_what_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = jobs(tmp_path, monkeypatch, ("len(answers)", "len(jobs)"))
    record = search(falling, seed=0, examples=30)
    assert record is not None
    assert record.failure is not None
    assert record.failure.signature == ("Grows(served)", "fell")
    assert len(shrink(falling, record).record.schedule.actions) == 2


def test_the_specification_of_ones_own_catches_a_lost_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = jobs(tmp_path, monkeypatch, ("faults.pauses()", "faults.pauses() | faults.kills()"))
    record = search(forgetful, seed=0, examples=30)
    assert record is not None
    assert record.failure is not None
    assert record.failure.name == "Linearizable(Queue)"
    assert "the oldest job is" in "\n".join(record.failure.evidence.lines if record.failure.evidence else ())


@pytest.mark.parametrize("aware", [True, False])
def test_the_property_of_ones_own_takes_a_restart_for_a_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aware: bool
) -> None:
    unaware = ("before.incarnation != event.incarnation or ", "")
    killed = ("faults.pauses()", "faults.kills()")
    forgetful = jobs(tmp_path, monkeypatch, killed, *([] if aware else [unaware]))
    monkeypatch.setattr(forgetful, "properties", forgetful.properties[1:])
    assert (search(forgetful, seed=0, examples=20) is None) is aware, "each life begins at 0 and grows"


def test_the_recorded_history_is_invalid_as_the_guide_says(tmp_path: Path) -> None:
    (lines,) = blocks("json")
    path = tmp_path / "history.jsonl"
    path.write_text(lines, encoding="utf-8")
    assert check_file(path, "kv").status is Status.INVALID
