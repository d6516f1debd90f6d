"""Real SQLite on a host's simulated disk: what it promises holds there, what it does not is seen to fail, and it is the same twice."""

import importlib.util
import sqlite3
from pathlib import Path

import apsw
import pytest
import trio
from sim_worlds import idle, open_world

from killpoint import sqlite
from killpoint.sim.faults import DiskFull, FsyncError

PROJECT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("sqlite_power_loss", PROJECT / "benchmarks" / "sqlite_power_loss.py")
assert spec is not None
assert spec.loader is not None
power_loss = importlib.util.module_from_spec(spec)
spec.loader.exec_module(power_loss)

FILE = "/var/lib/app.db"


def crashes(world):
    return [event.detail["message"] for event in world.trace if event.kind == "crash"]


@pytest.mark.parametrize("mode", power_loss.DOCUMENTED, ids=" ".join)
def test_power_losses_do_what_sqlite_says_of_each_mode(mode):
    count = power_loss.torture(*mode, losses=12, transactions=30)
    assert power_loss.holds(power_loss.DOCUMENTED[mode], count), count


def test_a_run_with_sqlite_is_the_same_twice_and_another_under_another_seed():
    async def program(host):
        connection = sqlite.connect(FILE)
        assert connection.execute("PRAGMA journal_mode=WAL").get == "wal"
        connection.execute("CREATE TABLE IF NOT EXISTS t(x, y, z)")
        for _ in range(5):
            connection.execute("INSERT INTO t VALUES(random(), datetime('now'), hex(randomblob(8)))")
            await trio.sleep(1)
        host.observe(rows=tuple(connection.execute("SELECT * FROM t").fetchall()))

    def run(seed):
        with open_world(program, program, seed=seed, trace=True) as world:
            world.advance(10)
            assert crashes(world) == []
            return world.digest.hexdigest(), world.machines["n1"].observed["rows"], world.machines["n2"].observed["rows"]

    first = run(1)
    assert run(1) == first
    assert run(2) != first
    assert first[1][0][1] == "2026-01-01 00:00:00"
    assert first[1][0][0] != first[2][0][0]


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_two_connections_of_a_host_see_each_other_and_wait_for_each_other(journal):
    async def program(host):
        one, two = sqlite.connect(FILE), sqlite.connect(FILE)
        assert one.execute(f"PRAGMA journal_mode={journal}").get == journal
        assert one.execute("PRAGMA locking_mode").get == "normal"
        one.execute("CREATE TABLE t(x)")
        for number in range(3):
            one.execute("INSERT INTO t VALUES(?)", (number,))
            assert two.execute("SELECT count(*) FROM t").get == number + 1
        two.execute("BEGIN IMMEDIATE")
        two.execute("INSERT INTO t VALUES(9)")
        assert one.execute("SELECT count(*) FROM t").get == 3
        with pytest.raises(apsw.BusyError):
            one.execute("INSERT INTO t VALUES(10)")
        two.execute("COMMIT")
        assert one.execute("SELECT count(*) FROM t").get == 4
        one.close()
        two.close()
        host.observe(done=True)

    with open_world(program, idle, trace=True) as world:
        world.advance(1)
        assert crashes(world) == []
        assert world.machines["n1"].observed == {"done": True}
        assert sorted(world.machines["n1"].disk.files()) == ["var/lib/app.db"]


def test_a_killed_process_leaves_what_it_committed_and_no_locks():
    async def program(host):
        connection = sqlite.connect(FILE)
        assert connection.execute("PRAGMA journal_mode=WAL").get == "wal"
        connection.execute("CREATE TABLE IF NOT EXISTS t(x)")
        connection.execute("INSERT INTO t VALUES(1)")
        host.observe(rows=connection.execute("SELECT count(*) FROM t").get)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES(2)")
        await trio.sleep_forever()

    with open_world(program, idle, trace=True) as world:
        for rows in (1, 2, 3):
            world.advance(1)
            assert world.machines["n1"].observed == {"rows": rows}
            world.kill(world.machines["n1"])
            world.restart(world.machines["n1"])
        assert crashes(world) == []


@pytest.mark.parametrize(
    ("journal", "fault", "error"),
    [
        ("wal", DiskFull(target="n1"), apsw.FullError),
        ("delete", DiskFull(target="n1"), apsw.CantOpenError),
        ("wal", FsyncError(target="n1"), apsw.IOError),
        ("delete", FsyncError(target="n1"), apsw.IOError),
    ],
)
def test_trouble_with_the_disk_is_an_error_of_sqlite_and_passes(fault, error, journal, capfd):
    async def program(host):
        connection = sqlite.connect(FILE)
        assert connection.execute(f"PRAGMA journal_mode={journal}").get == journal
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE t(x)")
        await trio.sleep(1)
        with pytest.raises(error):
            connection.execute("INSERT INTO t VALUES(zeroblob(9000))")
        host.observe(failed=True)
        await trio.sleep(1)
        connection.execute("INSERT INTO t VALUES(1)")
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        host.observe(rows=connection.execute("SELECT count(*) FROM t").get)

    with open_world(program, idle, trace=True) as world:
        world.advance(0.5)
        fault.strike(world)
        world.advance(1.0)
        world.end_faults()
        world.advance(2.0)
        assert crashes(world) == []
        assert world.machines["n1"].observed == {"failed": True, "rows": 1}
    assert capfd.readouterr().err == ""


def test_outside_of_hosts_it_is_a_real_file(tmp_path):
    connection = sqlite.connect(str(tmp_path / "real.db"))
    connection.execute("CREATE TABLE t(x)")
    connection.close()
    with sqlite3.connect(tmp_path / "real.db") as real:
        assert real.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    real.close()
    with pytest.raises(RuntimeError, match="serves programs of simulated hosts only"):
        apsw.Connection("/x.db", vfs="killpoint")
