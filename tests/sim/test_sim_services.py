"""What services that exist already do besides serving: clean up, log, lock, ask who and where they are."""

import atexit
import bz2
import datetime
import fcntl
import gc
import io
import logging
import logging.config
import os
import pathlib
import platform
import shutil
import signal
import socket
import sys
import tarfile
import time
import uuid
import weakref
import zipfile
import zoneinfo
from os import listdir as listdir_by_name
from os import remove as remove_by_name
from os import replace as replace_by_name
from socket import gethostname as gethostname_by_name
from uuid import uuid1 as uuid1_by_name

import pytest
import trio

from killpoint.sim.clock import EPOCH
from killpoint.sim.world import World

open_by_name = open


def play(*programs, seed=0, seconds=10.0, steps=1):
    world = World({f"n{number}": program for number, program in enumerate(programs, 1)}, seed=seed, trace=True)
    world.boot()
    for _ in range(steps):
        world.advance(seconds / steps)
    return world


def crashes(world):
    return [event.detail["message"] for event in world.trace if event.kind == "crash"]


def observed(program):
    world = play(program)
    assert crashes(world) == []
    return world.machines["n1"].observed


# -- clean-up code ------------------------------------------------------------------------------------


class Cycle:
    """Garbage that only the collector frees."""

    def __init__(self, act):
        self.me = self
        self.act = act

    def __del__(self):
        self.act()


CLEANERS = {
    "remove": os.remove,
    "unlink": lambda path: pathlib.Path(path).unlink(),
    "rmtree": lambda path: shutil.rmtree(os.path.dirname(path)),
    "write": lambda path: pathlib.Path(path).write_text("changed"),
    "by name": remove_by_name,
}


@pytest.mark.parametrize("clean", CLEANERS.values(), ids=CLEANERS)
@pytest.mark.parametrize("how", ["finally", "finalizer", "garbage", "garbage of a killed one", "atexit"])
def test_clean_up_code_of_hosts_that_are_over_leaves_the_real_disk_alone(how, clean, tmp_path, capfd):
    precious = tmp_path / "precious" / "app.pid"
    precious.parent.mkdir()
    precious.write_text("1")

    async def program(host):
        pathlib.Path(precious).parent.mkdir(parents=True)
        precious.write_text("2")
        if how == "finally":
            try:
                await trio.sleep_forever()
            finally:
                clean(str(precious))
        if how == "finalizer":
            held = Cycle(lambda: None)
            weakref.finalize(held, clean, str(precious))
        if how.startswith("garbage"):
            held = Cycle(lambda: clean(str(precious)))
        if how == "atexit":
            atexit.register(clean, str(precious))
        await trio.sleep_forever()

    world = play(program)
    assert crashes(world) == []
    if how.endswith("killed one"):
        world.kill(world.machines["n1"])
        world.restart(world.machines["n1"])
        world.advance(1.0)
    world.bury()
    gc.collect()
    assert precious.read_text() == "1"
    assert capfd.readouterr() == ("", "")


# -- logging ------------------------------------------------------------------------------------------


def logs_to(path):
    async def program(host):
        handler = logging.FileHandler(path)
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger("svc").addHandler(handler)
        logging.getLogger("svc").setLevel(logging.INFO)
        for number in range(10):
            logging.getLogger("svc").info("%s %d", host.name, number)
            await trio.sleep(0.1)

    return program


async def configures(host):
    logging.basicConfig(filename="/var/log/root.log", force=True, level=logging.DEBUG, format="%(message)s")
    while True:
        logging.debug("%s at %.1f", host.name, trio.current_time())
        await trio.sleep(0.5)


def test_a_handler_that_a_host_makes_writes_what_that_host_says_on_its_own_disk():
    digests = []
    for _ in range(2):
        world = play(logs_to("/var/log/app.log"), logs_to("/var/log/app.log"))
        for name in ("n1", "n2"):
            lines = bytes(world.machines[name].disk.read("var/log/app.log")).decode().split("\n")
            assert lines == [*(f"{name} {number}" for number in range(10)), ""]
        digests.append(world.digest.hexdigest())
        world.bury()
        assert logging.getLogger("svc").handlers == []
    assert digests[0] == digests[1]


def test_what_a_host_does_to_the_root_logger_lasts_however_time_is_let_pass():
    before = list(logging.getLogger().handlers), logging.getLogger().level
    digests, files = [], []
    for steps in (1, 7):
        world = play(configures, configures, steps=steps)
        assert crashes(world) == []
        files.append(bytes(world.machines["n2"].disk.read("var/log/root.log")))
        digests.append(world.digest.hexdigest())
        world.bury()
    assert digests[0] == digests[1]
    assert files[0] == files[1]
    assert files[0].count(b"n2 at") == 21
    assert b"n1" not in files[0]
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before


def test_bytes_may_be_written_to_standard_output(capfd):
    async def program(host):
        sys.stdout.buffer.write("größer\n".encode())
        host.observe(encoding=sys.stdout.encoding)

    world = play(program)
    assert crashes(world) == []
    assert [line.text for line in world.logs] == ["größer"]
    assert capfd.readouterr() == ("", "")


# -- names that were imported before the world was ------------------------------------------------------


def test_functions_that_were_imported_by_name_are_the_hosts_too():
    async def program(host):
        with open_by_name("/srv/one", "w") as file:
            file.write("1")
        replace_by_name("/srv/one", "/srv/two")
        there = tuple(listdir_by_name("/srv"))
        remove_by_name("/srv/two")
        host.observe(there=there, after=tuple(listdir_by_name("/srv")), name=gethostname_by_name(), id=str(uuid1_by_name()))

    first, second = observed(program), observed(program)
    assert first == second
    assert (first["there"], first["after"], first["name"]) == (("two",), (), "n1")
    assert uuid.UUID(first["id"]).version == 1
    assert gethostname_by_name() == socket.gethostname()


def test_reading_real_files_that_are_no_code_is_an_escape(tmp_path):
    (tmp_path / "secret").write_text("x")

    async def program(host):
        io.FileIO(str(tmp_path / "secret"))

    (said,) = crashes(play(program))
    assert "this reaches the real world, and not that of n1" in said


def test_archives_are_made_and_read_on_the_hosts_disk():
    async def program(host):
        os.makedirs("/srv/data")
        pathlib.Path("/srv/data/a").write_text("a")
        with tarfile.open("/srv/data.tar.gz", "w:gz") as archive:
            archive.add("/srv/data/a", "a")
        with tarfile.open("/srv/data.tar.gz") as archive:
            names = tuple(archive.getnames())
        with bz2.open("/srv/a.bz2", "wb") as file:
            file.write(b"abc")
        shutil.make_archive("/srv/all", "zip", "/srv/data")
        with zipfile.ZipFile("/srv/all.zip") as archive:
            zipped = tuple(name for name in archive.namelist() if not name.endswith("/"))
        host.observe(names=names, bz2=bz2.open("/srv/a.bz2").read(), zipped=zipped)

    assert observed(program) == {"names": ("a",), "bz2": b"abc", "zipped": ("a",)}


# -- who, where, when ---------------------------------------------------------------------------------


def test_the_time_of_day_is_in_utc_wherever_the_simulator_runs(monkeypatch):
    async def program(host):
        now = time.time()
        host.observe(
            today=datetime.datetime.today() == datetime.datetime.fromtimestamp(now),
            stamp=datetime.datetime.now().timestamp() == now,
            mktime=time.mktime(time.localtime(now)) == int(now),
            tokyo=datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Tokyo")).hour,
            year=datetime.date.today().year,
        )

    expected = {"today": True, "stamp": True, "mktime": True, "tokyo": (EPOCH // 3600 + 9) % 24, "year": 2026}
    assert observed(program) == expected
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert observed(program) == expected
        assert time.timezone == 18000
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_host_is_told_its_own_name_disk_and_parent():
    async def program(host):
        usage = shutil.disk_usage("/")
        pathlib.Path("/srv/data").write_bytes(bytes(100_000))
        less = shutil.disk_usage("/srv").free
        host.observe(names=(platform.node(), os.uname().nodename, socket.gethostname()), used=usage.free - less, parent=os.getppid())
        host.observe(random=len(os.getrandom(8)), umask=os.umask(0), tasks=trio.lowlevel.current_statistics().tasks_living > 0)
        signal.alarm(1)
        signal.setitimer(signal.ITIMER_REAL, 1.0)

    assert observed(program) == {
        "names": ("n1", "n1", "n1"),
        "used": 25 * 4096 if 100_000 % 4096 else 100_000,
        "parent": 1,
        "random": 8,
        "umask": 0o022,
        "tasks": True,
    }
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_directories_are_not_the_same_file_and_sources_that_a_host_writes_can_be_read_back():
    async def program(host):
        os.mkdir("/srv/a")
        os.mkdir("/srv/b")
        pathlib.Path("/srv/gen.py").write_text("x = 1")
        host.observe(
            same=os.path.samefile("/srv/a", "/srv/b"),
            mount=os.path.ismount("/srv/a"),
            source=pathlib.Path("/srv/gen.py").read_text(),
            link=_error(lambda: os.readlink("/srv/gen.py")),
            rename=_error(lambda: os.rename("/srv/a", "/srv/c")),
        )

    assert observed(program) == {
        "same": False,
        "mount": False,
        "source": "x = 1",
        "link": "[Errno 22] Invalid argument: '/srv/gen.py'",
        "rename": "[Errno 95] a simulated disk cannot rename directories, only files: /srv/a: '/srv/a'",
    }


def _error(act):
    try:
        act()
    except OSError as error:
        return str(error)
    return ""


def test_vectors_of_buffers_are_read_and_written():
    async def program(host):
        descriptor = os.open("/srv/v", os.O_RDWR | os.O_CREAT)
        written = os.writev(descriptor, [b"ab", b"cde"]) + os.pwritev(descriptor, [b"X"], 1)
        one, two = bytearray(2), bytearray(9)
        read = os.preadv(descriptor, [one, two], 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        again = os.readv(descriptor, [bytearray(3)])
        os.posix_fallocate(descriptor, 0, 100)
        host.observe(counts=(written, read, again), data=bytes(one) + bytes(two)[:3], size=os.fstat(descriptor).st_size)

    assert observed(program) == {"counts": (6, 5, 3), "data": b"aXcde", "size": 100}


# -- locks --------------------------------------------------------------------------------------------


def test_a_lock_file_is_held_by_one_open_until_it_is_closed_or_its_process_is_killed():
    async def program(host):
        one, two = open("/run/app.lock", "w"), open("/run/app.lock", "w")
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BlockingIOError):
            fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with pytest.raises(OSError, match="deadlock"):
            fcntl.flock(two, fcntl.LOCK_EX)
        fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(two, fcntl.LOCK_EX)
        two.close()
        fcntl.flock(one, fcntl.LOCK_SH)
        with open("/run/app.lock") as three:
            fcntl.flock(three, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.lockf(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(one, fcntl.LOCK_EX)
        host.observe(done=host.incarnation)
        await trio.sleep_forever()

    world = play(program)
    world.kill(world.machines["n1"])
    world.restart(world.machines["n1"])
    world.advance(1.0)
    assert crashes(world) == []
    assert world.machines["n1"].observed == {"done": 2}


# -- what there is none of ----------------------------------------------------------------------------

NONE_OF = {
    "named pipes and devices": lambda: os.mkfifo("/srv/fifo"),
    "pairs of sockets": lambda: socket.socketpair(),
    "other processes": lambda: os.fork(),
    "threads that can wait for trio": lambda: trio.from_thread.run(trio.sleep, 1),
}


@pytest.mark.parametrize("act", NONE_OF.values(), ids=NONE_OF)
def test_what_a_simulated_host_has_none_of_is_said_in_those_words(act, request):
    async def program(host):
        act()

    (said,) = crashes(play(program))
    assert f"n1 is a simulated host: it has no {request.node.callspec.id}" in said
    assert not pathlib.Path("/srv/fifo").exists()


def test_the_way_back_from_a_thread_is_a_call():
    async def program(host):
        host.observe(done=await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(lambda: 5)))

    assert observed(program) == {"done": 5}
