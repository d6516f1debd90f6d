"""`killpoint explore`: what it prints, saves and returns."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from cli_runs import REGISTER, Killpoint, interrupted_after

from killpoint.cli.console import Pulse
from killpoint.cli.interrupt import Interruptible
from killpoint.sim import codec


def test_a_correct_system_gives_a_summary_and_exit_code_0(killpoint: Killpoint) -> None:
    ended = killpoint("explore", "explore_scenarios.py:OneServer", "--examples", 20)
    assert ended.code == 0
    assert "20 schedules" in ended.out
    assert re.search(r"pause +[1-9]", ended.out)
    assert re.search(r"Linearizable\(Register\) +20 +0 +0", ended.out)
    assert "verdict valid" in ended.out
    assert not Path(".killpoint").exists()


def test_a_bug_gives_reason_shrunk_schedule_and_the_lines_to_paste(killpoint: Killpoint) -> None:
    ended = killpoint("explore", REGISTER, "--seed", 3)
    assert ended.code == 1
    (path,) = Path(".killpoint").iterdir()
    assert "Linearizable(Register) fails: " in ended.out
    assert re.search(r"Shrunk from \d+ actions to \d+ \(\d+ runs, [\d.]+ s\), confirmed in a fresh process; noise 0;", ended.out)
    assert f"Replay:   killpoint replay {path}\n" in ended.out
    assert f"Look:     killpoint replay {path} --html run.html\n" in ended.out
    assert killpoint("replay", path).code == 1


def test_other_faults_than_the_scenarios_own_strike_and_are_kept_when_it_goes_on(
    killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = killpoint("explore", "explore_scenarios.py:OneServer", "--examples", 30, "--faults", "clock-skew,slow-cpu")
    assert ended.code == 0
    assert re.search(r"clock-skew +[1-9]", ended.out)
    assert re.search(r"slow-cpu +[1-9]", ended.out)
    assert "pause" not in ended.out
    with interrupted_after(3, monkeypatch):
        ended = killpoint("explore", "explore_scenarios.py:OneServer", "--examples", 500, "--faults", "all")
    assert "--faults all --start 2" in ended.out


def test_json_is_one_document_and_nothing_else(killpoint: Killpoint) -> None:
    ended = killpoint("explore", REGISTER, "--seed", 3, "--json")
    assert ended.code == 1
    assert ended.err == ""
    document = ended.document
    failure = document["failure"]
    assert isinstance(failure, dict)
    assert document["verdict"] == "invalid"
    assert document["next"] == failure["found_at"] + 1
    assert failure["property"] == "Linearizable(Register)"
    assert failure["confirmed"] is True
    filed = codec.read(Path(failure["file"]))
    assert len(filed.schedule.actions) == failure["actions"] <= failure["actions_before"]
    assert filed.failure is not None
    assert filed.failure.digest == failure["digest"]


def test_what_is_found_does_not_depend_on_the_run(killpoint: Killpoint) -> None:
    def found(out: str) -> object:
        failure = killpoint("explore", REGISTER, "--seed", 4, "--json", "--out", out).document["failure"]
        assert isinstance(failure, dict)
        return failure["digest"], failure["found_at"], failure["shrinking_runs"]

    assert found("one") == found("other")


def test_a_mutant_is_explored_and_named_in_the_file(killpoint: Killpoint) -> None:
    ended = killpoint("explore", "explore_scenarios.py:OneServer", "--mutant", "deaf", "--out", "found")
    assert ended.code == 1
    (path,) = Path("found").iterdir()
    assert path.name.startswith("OneServer-deaf-")
    assert codec.read(path).schedule.mutant == "deaf"


def test_a_system_that_does_nothing_is_not_valid(killpoint: Killpoint) -> None:
    ended = killpoint("explore", "explore_scenarios.py:Silent", "--examples", 5)
    assert ended.code == 2
    assert re.search(r"! The system never did anything for a client: none of \d+ operations was ok", ended.out)
    assert "verdict unknown  vacuous: no operation was ever ok" in ended.out
    assert " held\n" not in ended.out
    assert "No ask was ok" in ended.out
    assert "compromise-key never struck" in ended.out
    summary = killpoint("explore", "explore_scenarios.py:Silent", "--examples", 5, "--json").document["summary"]
    assert isinstance(summary, dict)
    assert any("No ask was ok" in warning for warning in summary["warnings"])


HALF_GONE = """
from killpoint import Scenario, operation

async def works(host):
    while True:
        (await host.receive()).reply(1)

async def returns(host):
    return

class HalfGone(Scenario):
    hosts = {"n1": works, "n2": returns}

    @operation()
    async def ask(self, client):
        return await client.request("n1", "ask", timeout=0.1)
"""


def test_a_host_that_is_gone_for_good_is_named_and_the_closing_line_points_there(killpoint: Killpoint) -> None:
    Path("half_gone.py").write_text(HALF_GONE)
    ended = killpoint("explore", "half_gone.py:HalfGone", "--examples", 3)
    assert ended.code == 0
    assert "! n2 was not running at the end of 3 of 3 runs: its program had returned." in ended.out
    assert "verdict valid  1 of 1 property held, but not everything was put to the test (see above)" in ended.out


def test_in_a_pipe_progress_is_told_in_plain_lines(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("killpoint.cli.explore.Pulse", partial(Pulse, seconds=1e-9))
    ended = killpoint("explore", REGISTER, "--seed", 3)
    lines = ended.err.splitlines()
    assert re.fullmatch(r"exploring 1/300: [\d,]+ virtual s, [\d.]+ schedules/s, \d+ faults struck", lines[0])
    assert re.fullmatch(r"shrinking \d+/[\d,]+: \d+ runs, \d+ actions left", lines[-1])
    assert killpoint("explore", REGISTER, "--seed", 3, "--json").err == ""


def test_a_line_of_progress_comes_once_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    pulse = Pulse(quiet=False, clock=lambda: now)
    for second in range(26):
        now = float(second)
        pulse.tell("exploring", second, 1_000, "fine")
    assert capsys.readouterr().err == "exploring 10/1,000: fine\nexploring 20/1,000: fine\n"


def test_a_budget_holds_for_all_schedules(killpoint: Killpoint) -> None:
    killpoint("explore", REGISTER, "--budget", "unlimited")
    (path,) = Path(".killpoint").iterdir()
    assert codec.read(path).schedule.budget == "unlimited"


def test_ctrl_c_keeps_what_was_found_and_says_how_to_go_on(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("explore", "explore_scenarios.py:OneServer", "--seed", 2, "--examples", 30, "--budget", "quorum-safe")
    with interrupted_after(8, monkeypatch):
        ended = killpoint(*arguments)
    assert ended.code == 130
    assert "stopping after the run in progress; Ctrl-C again aborts" in ended.err
    assert "7 schedules" in ended.out
    goes_on = "killpoint explore explore_scenarios.py:OneServer --seed 2 --examples 30 --budget quorum-safe --start 7"
    assert goes_on in ended.out
    rest = killpoint(*goes_on.split()[1:])
    assert rest.code == 0
    assert "23 schedules" in rest.out


def test_ctrl_c_while_shrinking_saves_the_smallest_failure_so_far(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = killpoint("explore", REGISTER, "--seed", 3, "--json", "--out", "whole").document["failure"]
    assert isinstance(whole, dict)
    with interrupted_after(whole["found_at"] + 12, monkeypatch):
        ended = killpoint("explore", REGISTER, "--seed", 3, "--json")
    assert ended.code == 1
    partly = ended.document["failure"]
    assert isinstance(partly, dict)
    assert partly["shrinking_runs"] < whole["shrinking_runs"]
    assert partly["actions"] >= whole["actions"]
    assert partly["confirmed"] is True


def test_a_second_ctrl_c_aborts() -> None:
    code = """if True:
        import signal
        from killpoint.cli.interrupt import Interruptible
        with Interruptible() as interrupt:
            signal.raise_signal(signal.SIGINT)
            print(interrupt.requested, flush=True)
            signal.raise_signal(signal.SIGINT)
            print("still here")"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (130, "True\n")
    assert ended.stderr.endswith("aborted\n")


def test_signals_are_handled_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruptible():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_the_module_can_be_run(folder: Path) -> None:
    command = [sys.executable, "-m", "killpoint", "explore", "explore_scenarios.py:OneServer", "--examples", "3", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)
    assert json.loads(ended.stdout)["summary"]["schedules"] == 3
    assert ended.stderr == ""
