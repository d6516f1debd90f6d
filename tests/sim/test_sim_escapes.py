"""What reaches the real world although everything was done to prevent it is an error at its line, or is counted."""

import fcntl
import importlib
import os
import sqlite3
import sys

import pytest
import trio
from sim_worlds import gossip, open_world

from killpoint.properties.history import Incident
from killpoint.report.summary import Tally
from killpoint.sim.interpose.escapes import VARIABLE
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import run

CREATES = sys.modules["_io"].FileIO  # C code that no function of ours stands in front of


def play(act, *, seconds=1.0):
    async def program(host):
        await trio.sleep(0.1)
        act()
        host.observe(went_on=True)
        await trio.sleep_forever()

    with open_world(gossip, program) as world:
        world.advance(seconds)
        incidents = [event for event in world.history if isinstance(event, Incident) and event.kind in ("crash", "escape")]
        return incidents, world.machines["n2"].observed.get("went_on"), world.digest.hexdigest()


ESCAPES = {
    "sqlite3.connect": lambda folder: sqlite3.connect(folder / "x.db").close(),
    "open": lambda folder: CREATES(str(folder / "x"), "w").close(),
    "os.link": lambda folder: os.link("/proc/self/exe", folder / "x"),
    "os.symlink": lambda folder: os.symlink("nothing", folder / "x"),
    "os.chdir": os.chdir,
    "os.putenv": lambda folder: os.putenv("KILLPOINT_TEST", "x"),
    "fcntl.flock": lambda folder: fcntl.flock(0, fcntl.LOCK_UN),
}


@pytest.mark.parametrize("event", ESCAPES)
def test_an_escape_is_an_error_at_its_line_and_does_not_happen(event, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    before = os.getcwd(), os.environ.get("KILLPOINT_TEST")
    (crash,), went_on, digest = play(lambda: ESCAPES[event](tmp_path))
    assert crash.detail["error"] == "EscapeError"
    assert crash.detail["message"].startswith(f"{event}(")
    assert "this reaches the real world, and not that of n2" in crash.detail["message"]
    assert "test_sim_escapes.py" in crash.detail["where"]
    assert not went_on
    assert list(tmp_path.iterdir()) == []
    assert (os.getcwd(), os.environ.get("KILLPOINT_TEST")) == before
    assert play(lambda: ESCAPES[event](tmp_path))[2] == digest


def test_with_a_warning_it_happens_and_is_told_of_once_per_place(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "warn")
    (escape,), went_on, _ = play(lambda: [sqlite3.connect(tmp_path / "x.db").close() for _ in range(3)])
    assert went_on
    assert (tmp_path / "x.db").exists()
    assert (escape.kind, escape.host, escape.detail["what"]) == ("escape", "n2", "sqlite3.connect")
    assert "test_sim_escapes.py" in escape.detail["where"]


@pytest.mark.parametrize(
    "act",
    [
        lambda: sqlite3.connect(":memory:").close(),
        lambda: importlib.import_module("wave"),
        lambda: CREATES(__file__).close(),
        lambda: os.listdir(os.path.dirname(os.__file__)),
    ],
)
def test_reading_importing_and_databases_in_memory_are_no_escapes(act, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    sys.modules.pop("wave", None)
    incidents, went_on, _ = play(act)
    assert (incidents, went_on) == ([], True)


def test_outside_of_hosts_nothing_is_an_escape(tmp_path):
    play(lambda: None)
    sqlite3.connect(tmp_path / "x.db").close()
    assert (tmp_path / "x.db").exists()


def test_escapes_are_counted_in_the_summary(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "warn")

    async def program(host):
        sqlite3.connect(tmp_path / "x.db").close()
        await trio.sleep_forever()

    class Escaping(Scenario):
        """Reaches out."""

        hosts = {"n1": program}
        calm = 0.1

        @operation()
        async def nothing(self, client):
            pass

    tally = Tally()
    for seed in range(3):
        tally.add(run(Schedule(scenario="x", seed=seed), Escaping))
    assert list(tally.escapes.values()) == [3]
    assert any("Hosts reached the real world in 3 of 3 runs: sqlite3.connect at" in warning for warning in tally.warnings)
