"""A run to look at: replayed, compared with what was noted, asked what the hosts were at a moment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from explore_scenarios import Forgetful
from replicated_register import ReplicatedRegister

import killpoint
from killpoint import Call, Host, Inject, Run, Schedule, faults
from killpoint.explore.catalog import UnknownScenarioError
from killpoint.explore.finding import save
from killpoint.properties import Linearizable, Register
from killpoint.run import parse_time
from killpoint.sim import codec
from killpoint.sim.codec import Failure, ScheduleError
from killpoint.sim.session import run

HERE = Path(__file__).parent
LOST = Schedule(
    "explore_scenarios.py:Forgetful",
    seed=1,
    actions=(
        Call(0.1, "c1", "write", {"value": 4}),
        Inject(0.2, faults.Kill(target="n1", duration=0.1)),
        Call(0.4, "c1", "read"),
    ),
    budget="unlimited",
)


@pytest.fixture
def lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(HERE)
    return killpoint.load(save(run(LOST, Forgetful), Forgetful, tmp_path, "lost"))


def test_without_pandas_a_table_says_what_to_install(lost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"^to_pandas needs pandas: pip install 'killpoint\[notebook\]'$"):
        lost.operations.to_pandas()


def test_a_saved_failure_is_the_same_failure_and_the_identical_run(lost: Run) -> None:
    assert lost.comparison == "same failure"
    assert lost.identical is True
    assert lost.changes == ()
    assert lost.failure is not None
    assert lost.failure.name == "Linearizable(Register)"
    assert lost.digest == run(LOST, Forgetful).digest
    assert [verdict.name for verdict in lost.verdicts] == ["NoCrash", "Linearizable(Register)"]


@pytest.mark.parametrize(
    ("schedule", "noted", "comparison", "identical"),
    [
        (LOST, Failure("NoCrash", "crash", "", "00"), "different failure", False),
        (LOST.replace(actions=LOST.actions[:1]), Failure("Linearizable(Register)", "x", "", "00"), "passes now", False),
        (LOST, Failure("Linearizable(Register)", "x", "", ""), "different failure", None),
        (LOST, None, "fails", None),
        (LOST.replace(actions=()), None, "passes", None),
    ],
)
def test_a_replay_says_how_it_compares_with_what_was_noted(
    tmp_path: Path, schedule: Schedule, noted: Failure | None, comparison: str, identical: bool | None
) -> None:
    codec.write(tmp_path / "s.json", schedule, failure=noted)
    replayed = killpoint.load(tmp_path / "s.json", Forgetful)
    assert replayed.comparison == comparison
    assert replayed.identical is identical
    assert comparison in repr(replayed)


def test_changes_since_the_schedule_was_saved_are_named(tmp_path: Path, lost: Run) -> None:
    text = codec.encode(LOST, failure=lost.noted, code="0123456789abcdef").replace('"trio": "', '"trio": "0.1+')
    (tmp_path / "s.json").write_text(text)
    code, trio = killpoint.load(tmp_path / "s.json", Forgetful).changes
    assert code == "the scenario's code has changed"
    assert trio.startswith("trio 0.1+")
    assert trio.endswith(" now")


def test_a_moment_shows_hosts_before_during_and_after_a_kill(lost: Run) -> None:
    before, during, after = (lost.at(time).hosts["n1"] for time in ("0.15 s", "250 ms", 0.35))
    assert (before.alive, before.incarnation) == (True, 1)
    assert (during.alive, during.incarnation) == (False, 1)
    assert (after.alive, after.incarnation) == (True, 2)
    assert lost.at(0.15).time == 0.15
    assert str(lost.at(0.25)).splitlines()[1].split() == ["n1", "down", "incarnation", "1"]


def test_a_moment_includes_what_happens_at_that_very_instant(lost: Run) -> None:
    assert lost.at(0.1999).hosts["n1"].alive
    assert not lost.at(0.2).hosts["n1"].alive


def test_moments_after_the_end_are_the_end() -> None:
    whole = Run(run(LOST.replace(actions=LOST.actions[:2]), Forgetful), Forgetful)
    assert whole.at(1e6).time == whole.record.ended


def test_moments_of_the_calm_phase_can_be_looked_at() -> None:
    whole = Run(run(LOST.replace(actions=LOST.actions[:1]), Forgetful), Forgetful)
    assert whole.at(2.0).time == 2.0


def test_looking_at_a_moment_shows_cuts_and_files() -> None:
    schedule = Schedule(
        "replicated_register.py:ReplicatedRegister",
        seed=1,
        actions=(Inject(0.1, faults.Partition(target="n1", shape="inbound", duration=1.0)),),
    )
    moment = Run(run(schedule, ReplicatedRegister), ReplicatedRegister).at("0.5 s")
    assert moment.cuts == (("n2", "n1"), ("n3", "n1"))
    assert moment.hosts["n1"].files == {}
    assert "cut: n2 -> n1, n3 -> n1" in str(moment)


@pytest.mark.parametrize(("text", "seconds"), [("3.2s", 3.2), ("350 ms", 0.35), ("20us", 2e-5), (".5", 0.5), (7, 7.0)])
def test_times_are_read_in_the_units_that_people_write(text: str | float, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "3 h", "-1", "1e3", -1.0, float("nan"), float("inf")])
def test_what_is_no_time_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match="no time"):
        parse_time(text)


def test_operations_are_a_table(lost: Run) -> None:
    write, read = lost.operations
    assert (write["function"], write["outcome"], read["result"]) == ("write", "ok", None)
    assert lost.operations.columns[:3] == ("id", "process", "function")
    assert len(lost.operations[:1]) == 1
    assert str(lost.operations).splitlines()[0].split()[:3] == ["id", "process", "function"]
    assert lost.operations._repr_html_().count("<tr>") == 3


def test_the_table_escapes_what_it_shows(lost: Run) -> None:
    from killpoint.tables import Table

    assert "<b>" not in Table([{"x": "<b>bold</b>"}])._repr_html_()


def test_the_picture_is_of_the_property_that_asks_for_an_order(lost: Run) -> None:
    page = lost.picture().html()
    assert "Linearizable(Register) fails: a read returned " in page
    assert "cannot be placed: " in page
    assert "Linearizable(Register) holds" in lost.picture(Linearizable(Register(), functions=frozenset({"write"}))).html()


def test_the_timeline_is_a_page_a_cell_and_lines(tmp_path: Path, lost: Run) -> None:
    timeline = lost.timeline()
    assert timeline.html().startswith("<!doctype html>")
    assert timeline._repr_html_().startswith("<iframe")
    assert "c1 write(4)" in str(lost)
    assert len(str(lost.timeline("0.15 s")).splitlines()) < len(str(timeline).splitlines())
    timeline.save(tmp_path / "run.html")
    assert (tmp_path / "run.html").read_text() == timeline.html()


def test_a_reference_to_a_file_is_found_from_the_folders_above_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "above_scenario.py").write_text((HERE / "replicated_register.py").read_text())
    path = tmp_path / "project" / ".killpoint" / "s.json"
    codec.write(path, Schedule("above_scenario.py:ReplicatedRegister", seed=1))
    monkeypatch.chdir(tmp_path)
    assert killpoint.load(path).comparison == "passes"


def test_a_schedule_of_an_unknown_scenario_is_named_with_the_line(tmp_path: Path) -> None:
    codec.write(tmp_path / "s.json", Schedule("atlantis", seed=1))
    with pytest.raises(UnknownScenarioError, match=r"s\.json, line 3: there is no scenario 'atlantis'"):
        killpoint.load(tmp_path / "s.json")


def test_a_schedule_that_does_not_fit_its_scenario_is_refused(tmp_path: Path) -> None:
    codec.write(tmp_path / "s.json", LOST)
    with pytest.raises(ScheduleError, match="there is no host or role 'n1'"):
        killpoint.load(tmp_path / "s.json", type("Other", (Forgetful,), {"hosts": {"m1": None}}))


def test_an_explanation_is_the_causal_past_of_the_violation_and_nothing_else(lost: Run) -> None:
    explained = lost.explain()
    assert explained is not None
    assert set(explained.graph) < set(lost.graph)
    read = lost.history.operations[-1]
    assert ("operation", read.id) in explained.graph
    assert ("event", read.completed) in explained.graph
    # What happens after the read has completed had no part in it.
    assert max(index for kind, index in explained.graph if kind == "event") == read.completed
    assert any("kill" in line for line in explained.words)
    assert str(explained).startswith("Linearizable(Register) fails: ")
    assert "Causal past:" in str(explained)
    assert explained._repr_html_().startswith("<pre>")


def test_a_run_in_which_everything_holds_has_nothing_to_explain() -> None:
    assert Run(run(LOST.replace(actions=()), Forgetful), Forgetful).explain() is None


def test_a_crash_is_explained_by_what_led_to_it() -> None:
    async def brittle(host: Host) -> None:
        while True:
            message = await host.receive()
            assert message.body != ("read",)
            message.reply("ok")

    fragile = type("Fragile", (Forgetful,), {"hosts": {"n1": brittle}})
    explained = Run(run(LOST.replace(actions=LOST.actions[2:]), fragile), fragile).explain()
    assert explained is not None
    assert explained.verdict.name == "NoCrash"
    assert [line.split()[3] for line in explained.words][-3:] == ["send", "deliver", "crash"]
