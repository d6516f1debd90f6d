"""Hosts that never stop computing, flood, or swallow what would end them: each ends with a verdict that names host and line."""

import gc
import inspect
import signal
import subprocess
import sys
import threading
from typing import ClassVar

import pytest
import trio
from sim_worlds import gossip, idle, open_world

import killpoint.sim.world as world_module
from killpoint.properties.history import Incident
from killpoint.properties.verdict import Status
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Call, Schedule
from killpoint.sim.session import run
from killpoint.sim.watchdog import watchdog


@pytest.fixture
def impatient():
    before, watchdog.limit = watchdog.limit, 0.1
    yield
    watchdog.limit = before


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return f"test_sim_watchdog.py:{first + next(number for number, line in enumerate(lines) if text in line)} "


def crash_of(world):
    crashes = [event for event in world.history if isinstance(event, Incident) and event.kind == "crash"]
    assert len(crashes) == 1, crashes
    return crashes[0].host, crashes[0].detail["error"], crashes[0].detail["where"]


async def computes(host):
    await trio.sleep(0.1)
    while True:
        pass


async def computes_in_many_calls(host):
    def work(number):
        return number + 1

    number = 0
    while True:
        number = work(number)


async def swallows(host):
    """Catches what would stop it, and goes on."""
    number = 0
    while True:
        try:
            number = int(str(number)) + 1
        except BaseException:
            number = 0


async def computes_in_cleanup(host):
    try:
        await trio.sleep(0.1)
        host.send("nobody", "x")
    finally:
        while True:
            pass


@pytest.mark.parametrize("program", [computes, computes_in_many_calls, swallows, computes_in_cleanup])
def test_a_host_that_never_yields_is_named_with_its_line(impatient, program):
    with open_world(idle, program) as world:
        world.advance(1)
        host, error, where = crash_of(world)
        assert (host, error) == ("n2", "NeverYields")
        name, line = where.split(":")[-2:]
        _, first = inspect.getsourcelines(program)
        assert name.endswith("test_sim_watchdog.py")
        assert first < int(line.split()[0]) < first + 12
        assert world.stopped
        world.advance(1)
    with open_world(gossip, gossip) as world:
        world.advance(0.5)
        assert world.machines["n1"].observed["heard"] > 10


def test_whoever_was_broken_off_is_told_the_limit_and_how_to_set_another(impatient):
    with open_world(computes) as world:
        world.advance(1)
        (crash,) = [event for event in world.history if isinstance(event, Incident) and event.kind == "crash"]
    assert crash.detail["message"] == (
        "the host computed for 0.1 s of real time without awaiting anything; "
        "the environment variable KILLPOINT_WATCHDOG sets another limit in seconds, 0 none"
    )


def test_the_line_of_an_endless_loop(impatient):
    with open_world(computes) as world:
        world.advance(1)
        _, _, where = crash_of(world)
    assert line_of(computes, "while True") in where or line_of(computes, "pass") in where
    assert where.endswith("in computes")


def test_a_host_that_computes_for_ever_in_a_task_of_trio(impatient):
    """The exception may land in trio's own loop, which then is beyond repair; the world is not."""

    async def spins(host):
        while True:
            await trio.lowlevel.checkpoint()

    import killpoint.sim.trio_driver as driver

    ticks, driver._MAX_TICKS = driver._MAX_TICKS, 10**9
    try:
        for _ in range(3):
            with open_world(spins, gossip) as world:
                world.advance(1)
                host, error, where = crash_of(world)
                assert (host, error) == ("n1", "NeverYields")
                assert "test_sim_watchdog.py" in where
    finally:
        driver._MAX_TICKS = ticks
    with open_world(gossip, gossip) as world:
        world.advance(0.5)
        assert world.machines["n1"].observed["heard"] > 10


async def spins(host):
    await trio.sleep(0.1)
    while True:
        await trio.lowlevel.checkpoint()


async def spins_on_the_disk(host):
    while True:
        await host.disk.exists("never")


async def spins_in_a_child(host):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(spins, host)


@pytest.mark.parametrize(
    ("program", "line"),
    [
        (spins, line_of(spins, "checkpoint")),
        (spins_on_the_disk, line_of(spins_on_the_disk, "exists")),
        (spins_in_a_child, line_of(spins, "checkpoint")),
    ],
)
def test_a_host_that_spins_without_time_passing_is_named_with_its_line(program, line):
    with open_world(idle, program, gossip) as world:
        world.advance(1)
        host, error, where = crash_of(world)
        assert (host, error) == ("n2", "LivelockError")
        assert line in where
        assert not world.machines["n2"].alive
        assert world.now == 1.0


async def multiplies_messages(host):
    host.send("n2", "one")
    while True:
        await host.receive()
        host.send("n2", "again")
        host.send("n2", "and again")


async def sleeps_next_to_nothing(host):
    while host.name:
        host.observe()
        await trio.sleep(1e-9)


async def prints(host):
    while True:
        for _ in range(100):
            print("x")
        await trio.sleep(0.0001)


@pytest.mark.parametrize(
    "program",
    [multiplies_messages, sleeps_next_to_nothing, prints],
)
def test_a_flood_of_events_stops_the_run_and_names_the_host(monkeypatch, program):
    monkeypatch.setattr(world_module, "MAX_EVENTS", 20_000)
    with open_world(idle, program) as world:
        world.advance(3600)
        host, error, where = crash_of(world)
        assert (host, error) == ("n2", "Flood")
        assert where.endswith(f"in {program.__name__}")
        assert world.stopped
        assert world.now < 3600


class Stuck(Scenario):
    """One host that computes for ever when it is asked to."""

    hosts: ClassVar = {}
    clients = 1

    @operation()
    async def ask(self, client):
        await client.request("n1", "compute", timeout=1)


async def on_demand(host):
    await host.receive()
    while True:
        pass


Stuck.hosts = {"n1": on_demand}


def test_a_whole_run_ends_with_the_verdict(impatient):
    record = run(Schedule("Stuck", 1, (Call(0.1, "c1", "ask"), Call(0.2, "c1", "ask"))), Stuck)
    assert record.status is Status.INVALID
    assert record.failure.name == "NoCrash"
    assert record.failure.evidence.kind == "crash:NeverYields"
    assert record.failure.evidence.hosts == ("n1",)
    assert "test_sim_watchdog.py" in "".join(record.failure.evidence.lines)
    assert gc.isenabled()


def test_the_watchdog_has_no_say_between_slices(impatient):
    """Whoever drives the world may take his time."""
    limit = threading.Event()

    async def program(host):
        await trio.sleep(0.1)

    with open_world(program) as world:
        world.look_at(0.05, lambda: limit.wait(0.3))
        world.advance(1)
        assert [event.kind for event in world.history if hasattr(event, "kind")] == ["start", "exit"]
    limit.wait(0.3)


def test_a_watchdog_that_is_switched_off_watches_nothing():
    before, watchdog.limit = watchdog.limit, 0.0
    try:
        with open_world(gossip) as world, world.drive:
            assert not watchdog.watches(world)
    finally:
        watchdog.limit = before
    with open_world(gossip) as world:
        with world.drive:
            assert watchdog.watches(world)
        assert not watchdog.watches(world)


def test_the_time_that_a_property_takes_is_not_the_hosts():
    class Slow:
        def feed(self, event):
            assert world.running is None

    with open_world(gossip, gossip) as world:
        world.monitors = [Slow()]
        world.advance(0.5)
        assert world.machines["n1"].observed["heard"] > 10


@pytest.mark.parametrize("limit", ["", "soon", "0.5"])
def test_the_limit_comes_from_the_environment(monkeypatch, limit):
    from killpoint.sim.watchdog import Watchdog

    monkeypatch.setenv("KILLPOINT_WATCHDOG", limit)
    assert Watchdog().limit == (0.5 if limit == "0.5" else 10.0)


def interrupts(where):
    async def program(host):
        if where == "a task":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await trio.sleep(0.1)
                signal.raise_signal(signal.SIGINT)
                for _ in range(1000):
                    pass
        else:
            await trio.sleep(0.1)
            signal.raise_signal(signal.SIGINT)
            for _ in range(1000):
                pass

    return program


@pytest.fixture
def control_c():
    """SIGINT raises KeyboardInterrupt: an interpreter that was started in the background finds it ignored, and leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("where", ["the program", "a task"])
@pytest.mark.usefixtures("control_c")
def test_control_c_belongs_to_whoever_drives_the_world(where):
    """It is not a crash of the host that happened to be running."""
    with open_world(gossip, interrupts(where)) as world:
        with pytest.raises(KeyboardInterrupt):
            world.advance(1)
        assert [event for event in world.history if getattr(event, "kind", "") == "crash"] == []
    with open_world(gossip, gossip) as world:
        world.advance(0.5)
        assert world.machines["n1"].observed["heard"] > 10


BROKEN_OFF = """
import sys
from killpoint.sim.watchdog import NeverYieldsError, break_off, watchdog
from killpoint.sim.world import World

def spins():
    while True:
        pass

async def hangs(host):
    spins()

broken = []
if sys.argv[1] == "slice":
    watchdog.limit = 0.05
    world = World({"n1": hangs})
    world.boot()
    world.advance(1)
    broken.append(world.stopped)
    world.bury()
else:
    try:
        break_off(spins)
    except NeverYieldsError:
        broken.append(True)
calls = []
sys.settrace(lambda frame, event, argument: calls.append(frame.f_code.co_name))
(lambda: None)()
sys.settrace(None)
print(broken, calls[0])
"""


@pytest.mark.parametrize("what", ["slice", "call"])
def test_what_is_broken_off_leaves_nothing_behind_that_hangs_a_tracer(what):
    """Coverage and debuggers; in a process of its own, which can be given up."""
    ended = subprocess.run([sys.executable, "-c", BROKEN_OFF, what], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "[True] <lambda>\n"
