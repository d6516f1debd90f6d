"""The same programs as operating-system processes: they are killed, stopped and cut off, and judged by the same checkers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from killpoint.explore.catalog import find_scenario
from killpoint.properties.history import Incident, Observe
from killpoint.properties.verdict import Status
from killpoint.real.run import FolderError, run_for_real
from killpoint.sim import codec
from killpoint.sim.configuration_faults import AddHost, RemoveHost, RollingRestart
from killpoint.sim.disk_faults import DiskFull
from killpoint.sim.faults import Flap, Kill, Partition, Pause
from killpoint.sim.scenario import ScenarioError
from killpoint.sim.schedule import Boundary, Call, Inject, Schedule
from killpoint.sim.session import run as run_simulated

FILE = "tests/real/real_registers.py"
KEPT = f"{FILE}:KeptRegister"


@pytest.fixture(autouse=True)
def root(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)


def both(schedule, folder):
    """The record of a schedule's simulated run, and that of its real one."""
    scenario = find_scenario(schedule.scenario)
    return run_simulated(schedule, scenario), run_for_real(schedule, scenario, folder, reference=schedule.scenario)


def shape(record):
    """What a run was like, without its times."""
    operations = [(op.process, op.function, op.argument, op.outcome, op.result) for op in record.history.operations]
    strikes = [(strike.fault, strike.effect, strike.hosts) for strike in record.strikes]
    verdicts = [(verdict.name, verdict.status) for verdict in record.verdicts]
    changes = [(e.kind, e.host) for e in record.history if isinstance(e, Incident) and e.kind not in ("start", "strike")]
    return operations, strikes, verdicts, changes


def observed(record, host):
    return [dict(event.values) for event in record.history if isinstance(event, Observe) and event.host == host]


TORTURE = (
    Call(0.1, "c1", "write", {"value": 1}),
    Inject(0.5, Kill(target="n1", duration=0.1)),
    Call(3.5, "c2", "read", {"through": "n2"}),
    Inject(3.7, Pause(target="n2", duration=0.6)),
    Call(3.8, "c2", "read", {"through": "n2"}),
    Inject(5.5, Partition(target="n1", shape="isolate", duration=1.8)),
    Call(5.6, "c1", "write", {"value": 2}),
    Call(7.8, "c1", "read", {"through": "n1"}),
    Inject(8.0, Kill(target="keeper", duration=0.1), Boundary("keeper", "before-write")),
    Call(8.2, "c2", "write", {"value": 3}),
    Call(11.2, "c1", "read", {"through": "n3"}),
)
"""With seconds to spare where a process has to be started: the machine may be busy."""


def test_one_schedule_both_ways_has_the_same_verdicts_and_the_same_shape(tmp_path):
    schedule = Schedule(KEPT, 1, TORTURE, budget="unlimited")
    simulated, real = both(schedule, tmp_path / "run")
    assert shape(real) == shape(simulated)
    assert real.status is Status.VALID
    assert observed(real, "n1") == observed(simulated, "n1")
    assert Counter(op.outcome.value for op in real.history.operations) == {"ok": 5, "info": 2}
    assert (tmp_path / "run/n1/disk/register/log").stat().st_size in (8, 16)
    assert real.trace is not None
    delivered = [event for event in real.trace if event.kind == "deliver" and event.detail["sender"] != "world"]
    assert all(event.cause is not None and event.cause < event.index for event in delivered)


def test_a_write_that_was_only_in_memory_is_lost_both_ways(tmp_path):
    actions = (
        Call(0.1, "c1", "write", {"value": 1}),
        Inject(0.5, Kill(target="n1", duration=0.1)),
        Call(3.5, "c2", "read", {"through": "n3"}),
    )
    simulated, real = both(Schedule(KEPT, 1, actions, mutant="forgetful"), tmp_path)
    # The simulation ends with the read that nothing explains; a real run goes on until it is calm, and is judged then.
    assert shape(real)[:2] == shape(simulated)[:2]
    assert shape(real)[3] == [*shape(simulated)[3], ("calm", None)]
    assert real.failure is not None
    assert real.failure.signature == simulated.failure.signature
    assert real.failure.reason == simulated.failure.reason


def test_an_issuance_cluster_loses_nothing_when_its_leader_is_killed_between_two_steps(tmp_path):
    actions = (
        Call(1.5, "c1", "issue", {"document": 1, "issuer": "court"}),
        Inject(2.2, Kill(target="leader", duration=0.1), Boundary("leader", "after-cas-store")),
        Call(2.3, "c2", "issue", {"document": 2, "issuer": "court"}),
    )
    scenario = find_scenario("civictrust")
    real = run_for_real(Schedule("civictrust", 1, actions), scenario, tmp_path, reference="civictrust")
    assert [(verdict.name, verdict.reason) for verdict in real.verdicts if verdict.status is not Status.VALID] == []
    assert [strike.effect for strike in real.strikes] == ["struck"]
    assert [op.outcome.value for op in real.history.operations if op.function == "issue"] == ["ok", "ok"]


def test_hosts_are_added_and_removed_and_a_deployment_changes_their_programs_both_ways(tmp_path):
    reference = f"{FILE}:Deployed"
    actions = (
        Inject(0.1, AddHost()),
        Inject(2.0, RollingRestart(version="second", gap=1.2, downtime=0.1)),
        Call(7.0, "c1", "version", {"host": "n1"}),
        Call(7.1, "c2", "version", {"host": "n3"}),
        Inject(7.3, RemoveHost(target="n2")),
        Call(7.4, "c1", "version", {"host": "n2"}),
    )
    simulated, real = both(Schedule(reference, 1, actions, budget="unlimited"), tmp_path)
    assert shape(real) == shape(simulated)
    assert [op.result for op in real.history.operations] == ["second", "first", None]
    assert [observed(real, name)[-1]["peers"] for name in ("n1", "n3")] == [("n2", "n3"), ("n1", "n2")]


def test_services_with_sockets_of_their_own_are_found_by_name_and_cut_off_both_ways(tmp_path):
    reference = f"{FILE}:Listed"
    ask = [
        Call(0.3, "c1", "name_of", {"through": "n1", "of": "n1"}),
        Call(0.4, "c2", "name_of", {"through": "n3", "of": "n2"}),
        Inject(0.8, Partition(target="n2", duration=1.6)),
        Call(0.9, "c1", "name_of", {"through": "n3", "of": "n1"}),
        Call(1.0, "c2", "name_of", {"through": "n1", "of": "n2"}),
        Call(1.9, "c1", "name_of", {"through": "n2", "of": "n2"}),
        Inject(3.0, Kill(target="n1", duration=0.5)),
        Call(3.1, "c1", "name_of", {"through": "n2", "of": "n1"}),
        Call(6.5, "c2", "name_of", {"through": "n2", "of": "n1"}),
    ]
    simulated, real = both(Schedule(reference, 1, tuple(ask), budget="unlimited"), tmp_path)
    assert [op.result or op.outcome.value for op in real.history.operations] == ["n1", "n2", "n1", "info", "n2", "ok", "n1"]
    assert shape(real) == shape(simulated)
    assert (tmp_path / "n2/disk/name.txt").read_text() == "n2"


def test_programs_that_crash_exit_return_or_spin_get_their_verdict_and_leave_nothing_behind(tmp_path):
    scenario = find_scenario(f"{FILE}:OddPrograms")
    schedule = Schedule(f"{FILE}:OddPrograms", 1, (Call(0.6, "c1", "read", {"through": "n1"}),))
    real = run_for_real(schedule, scenario, tmp_path, reference=schedule.scenario)
    crashes = {event.host: event.detail for event in real.history if isinstance(event, Incident) and event.kind == "crash"}
    assert {host: detail["error"] for host, detail in crashes.items()} == {"n2": "KeyError", "n3": "Exit"}
    assert "real_registers.py" in crashes["n2"]["where"]
    assert "status 7" in crashes["n3"]["message"]
    # It is begun again in the calm phase, as a supervisor would, and as in the simulator.
    assert [event.host for event in real.history if isinstance(event, Incident) and event.kind == "exit"] == ["n4", "n4"]
    assert real.failure is not None
    assert real.failure.name == "NoCrash"
    assert [op.outcome.value for op in real.history.operations] == ["ok"]
    assert not living()


def test_what_a_supervisor_has_trouble_with_ends_with_a_verdict_and_leaves_nothing_behind(tmp_path):
    reference = f"{FILE}:Hostile"
    actions = (
        Call(0.3, "c1", "leaves"),
        Inject(0.6, Kill(target="n1", duration=0.1)),
        Call(3.0, "c2", "write", {"value": 1}),
    )
    real = run_for_real(Schedule(reference, 1, actions, budget="unlimited"), find_scenario(reference), tmp_path, reference=reference)
    crashes = {event.host: event.detail for event in real.history if isinstance(event, Incident) and event.kind == "crash"}
    assert {host: detail["error"] for host, detail in crashes.items()} == {"n2": "Exit", "n3": "BrokenTextError", "c1": "SystemExit"}
    assert crashes["n3"]["message"] == "a BrokenTextError whose text cannot be made"
    assert [event.kind for event in real.history if isinstance(event, Incident) and event.host == "n1"] == ["start", "kill", "restart"]
    assert real.ended < 20
    # The child of the first incarnation died with it, and that of the second with the run.
    child = tmp_path / "n1/disk/child.txt"
    assert child.read_text() == "2"
    child.unlink()
    assert not child.exists()
    assert not living()


def test_a_stream_loses_nothing_to_a_partition_though_its_reader_gives_up_waiting(tmp_path):
    reference = f"{FILE}:Streams"
    schedule = Schedule(reference, 1, (Inject(1.0, Partition(target="n2", duration=0.7)),), budget="unlimited")
    simulated, real = both(schedule, tmp_path)
    assert shape(real) == shape(simulated)
    read = observed(real, "n2")[-1]["read"]
    assert read > 300


def test_orders_to_a_host_that_is_stopped_hold_up_nobody(tmp_path):
    flapping = (
        Inject(0.3, Pause(target="n3", duration=2.0)),
        Inject(0.4, Flap(target="n2", period=0.005, duration=1.5)),
        Call(2.6, "c1", "write", {"value": 1}),
        Call(3.2, "c2", "read", {"through": "n3"}),
    )
    real = run_for_real(Schedule(KEPT, 1, flapping, budget="unlimited"), find_scenario(KEPT), tmp_path, reference=KEPT)
    assert [op.outcome.value for op in real.history.operations] == ["ok", "ok"]
    assert real.ended < 8


def test_a_fault_that_no_real_machine_suffers_on_demand_does_nothing_and_says_so(tmp_path):
    schedule = Schedule(KEPT, 1, (Inject(0.1, DiskFull(target="n1", duration=0.1)),))
    (strike,) = run_for_real(schedule, find_scenario(KEPT), tmp_path, reference=KEPT).strikes
    assert (strike.effect, strike.detail) == ("nothing", "cannot be done to real processes")


def test_a_run_that_is_stopped_is_judged_by_what_it_was(tmp_path):
    lasted = [0.0]
    schedule = Schedule(KEPT, 1, (Call(0.0, "c1", "read", {"through": "n1"}), Call(60.0, "c1", "read", {"through": "n1"})))
    real = run_for_real(
        schedule,
        find_scenario(KEPT),
        tmp_path,
        reference=KEPT,
        each=lambda seconds, _what: lasted.append(seconds),
        stop=lambda: lasted[-1] > 1.0,
    )
    assert [op.outcome.value for op in real.history.operations] == ["ok"]
    assert real.ended < 10
    assert real.status is Status.VALID


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(FolderError, match=r"there is something in .* already"):
        run_for_real(Schedule(KEPT, 1), find_scenario(KEPT), tmp_path, reference=KEPT)
    with pytest.raises(FolderError, match=r"cannot be used: (Not a directory|File exists)"):
        run_for_real(Schedule(KEPT, 1), find_scenario(KEPT), tmp_path / "mine", reference=KEPT)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_program_that_cannot_be_loaded_is_named_with_its_output(tmp_path):
    scenario = find_scenario(KEPT)
    with pytest.raises(ScenarioError, match=r"the process of n1 did not load nowhere.py:Nothing; what it printed is in .*output.txt"):
        run_for_real(Schedule(KEPT, 1), scenario, tmp_path, reference="nowhere.py:Nothing")
    assert "there is no file nowhere.py" in (tmp_path / "n1/output.txt").read_text()


def test_the_command_runs_for_real_and_leaves_a_history_that_can_be_checked(tmp_path):
    folder, page, file = tmp_path / "run", tmp_path / "run.html", tmp_path / "given.json"
    codec.write(file, Schedule(KEPT, 1, TORTURE[:2]))
    ended = killpoint("run", file, "--real", folder, "--html", page)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "on 3 real hosts" in ended.stdout
    assert "struck n1" in ended.stdout
    assert "Holds: NoCrash, Linearizable(Register)." in ended.stdout
    assert page.read_text().startswith("<!doctype html>")
    assert killpoint("check", folder / "history.jsonl", "--model", "register").returncode == 0
    assert killpoint("run", folder / "schedule.json").returncode == 0
    assert (folder / "schedule.json").read_text() == file.read_text()


def living():
    """The processes of hosts that this one has started and that still run; others may be running tests of their own."""
    shown = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in shown if line.split()[0] in (str(os.getpid()), "1") and "killpoint.real.process" in line]


def killpoint(*arguments):
    command = [sys.executable, "-m", "killpoint", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
