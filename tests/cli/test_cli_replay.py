"""`killpoint replay`: the identical run, told and drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import REGISTER, Killpoint

import killpoint as api
from killpoint import Call, Inject, Noise, Schedule, faults
from killpoint.run import UnknownHostError
from killpoint.sim import codec

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
def found(killpoint: Killpoint) -> Path:
    killpoint("explore", REGISTER, "--seed", 3)
    (path,) = Path(".killpoint").iterdir()
    return path


def test_a_replay_tells_events_schedule_verdict_and_comparison(killpoint: Killpoint) -> None:
    codec.write(Path("lost.json"), LOST)
    ended = killpoint("replay", "lost.json")
    assert ended.code == 1
    lines = ended.out.splitlines()
    kinds = [line.split()[4] for line in lines[: lines.index("")] if line.split()[3] == "n1"]
    assert kinds == ["kill", "restart"]
    assert "Schedule (noise 0; seed 1):" in lines
    assert any(re.fullmatch(r" +0\.200 s  kill n1 +for 0\.1 s +struck n1", line) for line in lines)
    assert "Undecided, because the run ends with the violation: NoCrash." in lines
    assert any(line.startswith("Linearizable(Register) fails: a read returned None") for line in lines)
    assert re.fullmatch(r"Fails; digest [0-9a-f]{32}\.", lines[-1])


def test_a_saved_failure_is_the_same_and_the_identical_run(killpoint: Killpoint, found: Path) -> None:
    ended = killpoint("replay", found)
    assert ended.code == 1
    assert "Same failure, the identical run; digest " in ended.out


def test_a_schedule_that_passes_now_says_so_and_returns_0(killpoint: Killpoint) -> None:
    cut = Inject(0.1, faults.Partition(target="n1", duration=1.0))
    reads = [Call(0.3, client, "read") for client in ("c1", "c2", "c3")]
    stale = Schedule(REGISTER, seed=1, actions=(cut, Call(0.2, "c1", "write", {"value": 1}), *reads))
    noted = codec.Failure("Linearizable(Register)", "cannot-be-placed", "", "00")
    codec.write(Path("stale.json"), stale, failure=noted, code="0123456789abcdef")
    text = "Same failure, but not the identical run (the scenario's code has changed); digest "
    ended = killpoint("replay", "stale.json")
    assert ended.code == 1
    assert text in ended.out
    source = Path("replicated_register.py").read_text()
    Path("replicated_register.py").write_text(source.replace("client.random.choice(client.servers)", '"n1"'))
    del sys.modules["replicated_register"]
    ended = killpoint("replay", "stale.json")
    assert ended.code == 0
    assert "Passes now, but not the identical run (the scenario's code has changed); digest " in ended.out


def test_until_stops_the_story_and_shows_every_host_at_that_moment(killpoint: Killpoint) -> None:
    codec.write(Path("lost.json"), LOST)
    ended = killpoint("replay", "lost.json", "--until", "250ms")
    assert "restart" not in ended.out
    assert "At 0.250000 s:" in ended.out
    assert re.search(r"^    n1 +down", ended.out, re.MULTILINE)
    assert re.search(r"^    c1 +up", ended.out, re.MULTILINE)


def test_all_tells_messages_too(killpoint: Killpoint) -> None:
    codec.write(Path("lost.json"), LOST)
    assert " deliver " not in killpoint("replay", "lost.json").out
    assert " deliver " in killpoint("replay", "lost.json", "--all").out


def test_the_diagram_is_written(killpoint: Killpoint, found: Path) -> None:
    Path("pages").mkdir()
    ended = killpoint("replay", found, "--html", "pages/run.html")
    assert "The diagram is in pages/run.html" in ended.out
    assert Path("pages/run.html").read_text().startswith("<!doctype html>")
    assert [path.name for path in Path("pages").iterdir()] == ["run.html"]


def test_json_holds_verdicts_strikes_and_operations(killpoint: Killpoint) -> None:
    codec.write(Path("lost.json"), LOST)
    document = killpoint("replay", "lost.json", "--json").document
    assert document["verdict"] == "invalid"
    assert document["comparison"] == "fails"
    assert document["identical"] is None
    failure, strikes, operations = document["failure"], document["strikes"], document["operations"]
    assert isinstance(failure, dict)
    assert isinstance(strikes, list)
    assert isinstance(operations, list)
    assert failure["property"] == "Linearizable(Register)"
    assert [strike["effect"] for strike in strikes] == ["struck"]
    assert [operation["function"] for operation in operations] == ["write", "read"]


def test_a_replay_works_from_another_folder(killpoint: Killpoint, found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = found.resolve()
    Path("deeper").mkdir()
    monkeypatch.chdir("deeper")
    assert "Same failure, the identical run" in killpoint("replay", path).out


def test_a_time_copied_from_the_listing_includes_what_stands_there(killpoint: Killpoint) -> None:
    """Times under noise have more digits than are shown."""
    codec.write(Path("lost.json"), LOST.replace(noise=Noise(latency=1.0)))
    listing = [line.split() for line in killpoint("replay", "lost.json", "--all").out.splitlines()]
    run = api.load("lost.json")
    rounded = [event for event in run.trace if event.kind == "complete" and event.time > float(f"{event.time:.6f}")]
    assert rounded
    for event in rounded:
        shown = next(words[1] for words in listing if words and words[0] == str(event.index))
        assert shown == f"{event.time:.6f}"
        # The run's last moment is the end of it, which has all its digits.
        assert run.at(f"{shown} s").time == (event.time if event is run.trace[-1] else float(shown))
        assert str(run.timeline(shown)).splitlines()
        told = killpoint("replay", "lost.json", "--until", f"{shown}s", "--all").out
        assert f"\n{event.index:>6}  {shown} s" in told
        assert f"At {shown} s:" in told


def test_listing_explanation_and_moments_give_times_alike(killpoint: Killpoint) -> None:
    codec.write(Path("lost.json"), LOST.replace(noise=Noise(latency=1.0)))
    listing = {line.split()[1] for line in killpoint("replay", "lost.json", "--all").out.splitlines() if " s  " in line}
    run = api.load("lost.json")
    explained = run.explain()
    assert explained is not None
    assert {line.split()[0] for line in explained.words} <= listing
    assert str(run.at("0.25 s")).startswith("at 0.250000 s\n")


def test_an_explanation_shows_none_as_an_answer() -> None:
    codec.write(Path("lost.json"), LOST)
    explained = api.load("lost.json").explain()
    assert explained is not None
    assert explained.words[-1].endswith("outcome ok, result None")
    assert any(line.endswith("send to c1, body None") for line in explained.words)


def test_a_host_that_the_run_does_not_have_is_answered_with_those_that_it_has() -> None:
    codec.write(Path("lost.json"), LOST)
    with pytest.raises(UnknownHostError) as caught:
        _ = api.load("lost.json").at("0.25 s").hosts["nope"]
    assert str(caught.value) == "there is no host 'nope'; there are n1, c1, c2"


OWN_FAULT = '''
import explore_scenarios
from killpoint import faults


class Outage(faults.Fault, frozen=True):
    """The only host dies."""

    def strike(self, world):
        machine = world.machines["n1"]
        if not machine.alive:
            return faults.FaultOutcome("nothing")
        world.kill(machine, cause=world.strike_index)
        world.end_later(self.duration, lambda: world.restart(machine))
        return faults.FaultOutcome("struck", ("n1",))


class Fragile(explore_scenarios.Forgetful):
    """Forgets what it was told in an outage."""

    faults = faults.FaultMix([("outage", lambda random, cast: Outage(duration=0.1))])
'''


def test_a_fault_that_the_scenario_defines_is_known_before_its_schedule_is_read() -> None:
    Path("fragile.py").write_text(OWN_FAULT)

    def killpoint(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "killpoint", *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    explored = killpoint("explore", "fragile.py:Fragile", "--seed", "1")
    assert "confirmed in a fresh process" in explored.stdout, explored.stdout + explored.stderr
    (path,) = map(str, Path(".killpoint").iterdir())
    assert '"fault": "outage"' in Path(path).read_text(encoding="utf-8")
    for command in ("replay", "run"):
        ended = killpoint(command, path)
        assert (ended.returncode, ended.stderr) == (1, ""), ended.stderr


def test_a_schedule_is_run_from_another_folder_than_its_scenario_is_in(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    codec.write(Path("schedules/lost.json"), LOST)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for command in ("replay", "run"):
        ended = killpoint(command, "../schedules/lost.json", "--json")
        assert ended.code == 1, ended.err
        assert ended.document["verdict"] == "invalid"
