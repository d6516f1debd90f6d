"""What the standard library does while a host runs: its own clock, entropy, files, names; and real again outside of hosts."""

import builtins
import datetime
import io
import os
import pathlib
import random
import secrets
import shutil
import socket
import tempfile
import threading
import time
import uuid
from time import monotonic as monotonic_by_name
from time import time as time_by_name

import pytest
import trio

from killpoint.sim.clock import EPOCH
from killpoint.sim.world import World


def play(*programs, seed=0, seconds=60.0):
    world = World({f"n{number}": program for number, program in enumerate(programs, 1)}, seed=seed, trace=True)
    world.boot()
    world.advance(seconds)
    return world


def observed(program, seed=0):
    """What a program observed, in a world of its own."""
    world = play(program, seed=seed)
    assert [event.detail["message"] for event in world.trace if event.kind == "crash"] == []
    return world.machines["n1"].observed


# -- clocks -------------------------------------------------------------------------------------------


def test_every_clock_of_the_standard_library_is_the_hosts():
    async def program(host):
        await trio.sleep(2.5)
        clocks = (time.time(), time_by_name(), time.time_ns() / 1e9, time.clock_gettime(time.CLOCK_REALTIME))
        assert clocks == (EPOCH + 2.5,) * 4
        ticks = (time.monotonic(), monotonic_by_name(), time.perf_counter(), time.monotonic_ns() / 1e9, time.perf_counter_ns() / 1e9)
        assert ticks == (2.5,) * 5
        assert time.process_time() == time.thread_time() == 2.5
        now = datetime.datetime(2026, 1, 1, 0, 0, 2, 500_000)  # noqa: DTZ001
        assert datetime.datetime.now() == datetime.datetime.utcnow() == now  # noqa: DTZ003, DTZ005
        assert datetime.datetime.now(datetime.UTC) == datetime.datetime.now(tz=datetime.UTC) == now.replace(tzinfo=datetime.UTC)
        assert datetime.date.today() == now.date()  # noqa: DTZ011
        assert time.strftime("%Y-%m-%d %H:%M:%S") == "2026-01-01 00:00:02"
        assert time.ctime() == time.asctime() == "Thu Jan  1 00:00:02 2026"
        assert time.gmtime() == time.localtime() == time.gmtime(EPOCH + 2)
        host.observe(done=True)

    assert observed(program) == {"done": True}


def test_a_host_that_blocks_stands_still_and_others_go_on():
    async def blocks(host):
        await trio.sleep(1)
        before = time.monotonic()
        time.sleep(3)
        host.observe(took=time.monotonic() - before, now=trio.current_time())
        await trio.sleep(0.5)
        host.observe(after=trio.current_time())

    async def ticks(host):
        for number in range(20):
            await trio.sleep(0.25)
            host.observe(ticks=number + 1)

    world = play(blocks, ticks)
    assert world.machines["n1"].observed == {"took": 3.0, "now": 4.0, "after": 4.5}
    assert world.machines["n2"].observed == {"ticks": 20}


# -- entropy ------------------------------------------------------------------------------------------


async def draws(host):
    drawn = (
        random.random(),
        random.choice(range(1000)),
        random.gauss(0, 1),
        random.getrandbits(60),
        random.Random().random(),
        random.SystemRandom().random(),
        os.urandom(8),
        secrets.token_hex(4),
        str(uuid.uuid4()),
        str(uuid.uuid1()),
        os.getpid(),
    )
    random.seed(5)
    host.observe(drawn=drawn, after=random.random(), seeded=random.Random(5).random())


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_else():
    first = observed(draws, seed=1)
    random.random()
    assert observed(draws, seed=1) == first
    assert len({repr(value) for value in first["drawn"]}) == 11
    other = observed(draws, seed=2)
    assert all(one != two for one, two in zip(first["drawn"][:9], other["drawn"][:9], strict=True))
    assert other["seeded"] == first["seeded"] == random.Random(5).random()


def test_a_program_that_seeds_the_shared_generator_does_not_touch_that_of_others():
    random.seed(7)
    expected = random.random()
    random.seed(7)
    observed(draws)
    assert random.random() == expected


def test_hosts_draw_different_numbers():
    world = play(draws, draws)
    assert world.machines["n1"].observed["drawn"][6] != world.machines["n2"].observed["drawn"][6]


# -- files --------------------------------------------------------------------------------------------


def test_files_are_on_the_hosts_disk_and_nowhere_else(tmp_path):
    async def program(host):
        folder = pathlib.Path("/var/lib/app/deep")
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("eins\nzwei\n")
        with open(folder / "a.txt") as file:
            assert [line.strip() for line in file] == ["eins", "zwei"]
        with open("/log", "ab") as file:
            file.write(b"one")
            assert file.tell() == 3
        with open("/log", "r+b") as file:
            file.seek(1)
            file.write(b"XX")
        async with await trio.open_file("/log", "rb") as file:
            assert await file.read() == b"oXX"
        assert await trio.Path("/log").exists()
        os.replace("/log", "/log.old")
        assert not os.path.exists("/log")
        assert os.stat("/log.old").st_size == os.path.getsize("log.old") == 3
        shutil.copytree("/var/lib/app", "/srv/copy")
        assert sorted(map(str, pathlib.Path("/srv").rglob("*"))) == ["/srv/copy", "/srv/copy/deep", "/srv/copy/deep/a.txt"]
        shutil.rmtree("/srv/copy")
        assert not os.path.exists("/srv/copy")
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "x").touch()
        assert not os.path.exists(folder)
        with tempfile.TemporaryFile() as file:
            file.write(b"x")
        descriptor = os.open("/raw", os.O_CREAT | os.O_RDWR)
        assert (os.write(descriptor, b"abcdef"), os.lseek(descriptor, 2, 0), os.read(descriptor, 2)) == (6, 2, b"cd")
        assert os.pread(descriptor, 2, 4) == b"ef"
        os.ftruncate(descriptor, 1)
        assert os.fstat(descriptor).st_size == 1
        os.close(descriptor)
        assert os.getcwd() == "/"
        host.observe(files=tuple(sorted(await host.disk.list())))

    files = observed(program)["files"]
    assert files[:2] == ("log.old", "raw")
    assert not os.path.exists("/log.old")
    assert not os.path.exists("/var/lib/app/deep")
    with open(tmp_path / "real", "w") as file:
        file.write("x")
    assert (tmp_path / "real").read_text() == "x"


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda: open("/nowhere/file", "w"), FileNotFoundError),
        (lambda: open("/missing"), FileNotFoundError),
        (lambda: open("/var"), IsADirectoryError),
        (lambda: os.mkdir("/var"), FileExistsError),
        (lambda: os.rmdir("/var"), OSError),
        (lambda: os.remove("/missing"), FileNotFoundError),
        (lambda: os.listdir("/missing"), FileNotFoundError),
        (lambda: open("/etc/passwd"), FileNotFoundError),
        (lambda: open("/x", "q"), ValueError),
        (lambda: open("/x", "xb").close() or open("/x", "xb"), FileExistsError),
        (lambda: open("/x", "w").read(), io.UnsupportedOperation),
        (lambda: open(1_234_567), OSError),
    ],
)
def test_what_fails_on_a_real_disk_fails_here(attempt, error):
    async def program(host):
        with pytest.raises(error):
            attempt()
        host.observe(done=True)

    assert observed(program) == {"done": True}


def test_what_was_not_synced_is_lost_with_the_power_and_what_was_is_not():
    async def program(host):
        if host.incarnation > 1:
            host.observe(kept=open("/synced").read(), lost=os.path.exists("/loose"))
            return
        with open("/loose", "w") as file:
            file.write("loose")
        with open("/synced", "w") as file:
            file.write("synced")
            file.flush()
            os.fsync(file.fileno())
        folder = os.open("/", os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        with open("/synced", "a") as file:
            file.write(", more")
        await trio.sleep_forever()

    world = play(program, seconds=1)
    world.kill(world.machines["n1"], keep="none")
    world.restart(world.machines["n1"])
    world.advance(1)
    # The directory's sync took the name of the file that was not synced along; its content was not.
    assert world.machines["n1"].observed == {"kept": "synced", "lost": True}
    assert world.machines["n1"].disk.read("loose") == b""


def test_what_stays_in_a_buffer_dies_with_its_process():
    async def program(host):
        if host.incarnation == 1:
            file = open("/buffered", "w")
            file.write("never flushed")
            await trio.sleep_forever()
        host.observe(content=open("/buffered").read())

    world = play(program, seconds=1)
    world.kill(world.machines["n1"])
    world.restart(world.machines["n1"])
    world.advance(1)
    world.bury()
    assert world.machines["n1"].observed == {"content": ""}
    assert world.machines["n1"].disk.read("buffered") == b""


def test_the_code_that_runs_can_be_read_and_not_written():
    async def program(host):
        assert "def test_the_code" in open(__file__).read()
        assert pathlib.Path(pathlib.__file__).exists()
        assert "pathlib" in str(os.listdir(os.path.dirname(os.__file__)))
        with pytest.raises(OSError, match="No such file"):
            open(pathlib.__file__, "a")
        host.observe(done=True)

    assert observed(program) == {"done": True}


# -- threads ------------------------------------------------------------------------------------------


def test_what_is_given_to_a_thread_is_done_at_once_by_nobody_else():
    async def program(host):
        before = trio.current_time()
        ident = await trio.to_thread.run_sync(threading.get_ident)
        with pytest.raises(ValueError, match="no int"):
            await trio.to_thread.run_sync(lambda: int("no int"), abandon_on_cancel=True)
        host.observe(same=ident == threading.get_ident(), took=trio.current_time() - before)

    assert observed(program) == {"same": True, "took": 0.0}


# -- outside ------------------------------------------------------------------------------------------


def snapshot():
    modules = (time, random, os, builtins, io, socket, tempfile, threading, trio.socket, uuid)
    return {(module.__name__, name): id(value) for module in modules for name, value in vars(module).items() if callable(value)}


def test_outside_of_hosts_everything_is_as_it_was():
    before = snapshot()
    inside = []

    async def program(host):
        await trio.sleep(1)

    def look():
        inside.append(time.time() > EPOCH + 1000)
        return False

    world = World({"n1": program})
    world.boot()
    world.run_until(look, within=2)
    assert all(inside)
    assert snapshot() == before
    assert abs(time.time() - time_by_name()) < 1
    assert time.time() > EPOCH + 1000
    assert os.getpid() > 0
    assert len(os.urandom(4)) == 4


def test_other_threads_keep_their_own_while_a_world_is_driven():
    seen = []

    async def program(host):
        await trio.sleep(1)
        done = threading.Event()
        go.set()
        ready.wait(5)
        del done

    def other():
        go.wait(5)
        seen.append((time.time() > EPOCH + 1000, os.path.exists(__file__), socket.gethostname() != "n1"))
        ready.set()

    go, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    play(program)
    thread.join()
    assert seen == [(True, True, True)]


def test_a_world_within_a_world_has_its_own_time():
    async def inner(host):
        await trio.sleep(7)
        host.observe(wall=time.time())

    async def outer(host):
        await trio.sleep(1)
        world = World({"m": inner})
        world.boot()
        world.advance(10)
        host.observe(inner=world.machines["m"].observed["wall"], mine=time.time())
        world.bury()

    assert observed(outer) == {"inner": EPOCH + 7, "mine": EPOCH + 1}
