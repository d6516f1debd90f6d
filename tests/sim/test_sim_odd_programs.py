"""Programs that do odd things: the world survives each, says the same twice, and the next run does not notice."""

import os
import sys
import threading
import warnings
from pathlib import Path

import pytest
import trio
from sim_worlds import gossip, open_world

from killpoint.properties.history import Incident


class BrokenText(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Odd(BaseException):
    pass


async def recurses_for_ever(host):
    await recurses_for_ever(host)


async def has_no_text(host):
    await trio.sleep(0.1)
    raise BrokenText


async def raises_a_base_exception(host):
    await trio.sleep(0.1)
    raise Odd("odd")


async def exits(host):
    await trio.sleep(0.1)
    sys.exit(2)


async def raises_generator_exit(host):
    await trio.sleep(0.1)
    raise GeneratorExit


async def fails_in_many_ways(host):
    async def fail(error):
        raise error

    async with trio.open_nursery() as nursery:
        for error in (KeyError("a"), OSError("b"), Odd("c")):
            nursery.start_soon(fail, error)


async def fails_in_a_system_task(host):
    async def fail():
        raise KeyError("system")

    trio.lowlevel.spawn_system_task(fail)
    await trio.sleep_forever()


async def reschedules_a_task_that_runs(host):
    task = trio.lowlevel.current_task()
    trio.lowlevel.reschedule(task)
    await trio.sleep(1)


async def uses_a_thread(host):
    await trio.to_thread.run_sync(threading.get_ident)


async def starts_a_thread(host):
    threading.Thread(target=print).start()


async def reads_a_file_that_is_nobodys(host):
    await trio.Path("/etc/passwd").read_text()


async def ends_its_process(host):
    try:
        os._exit(0)
    finally:
        host.observe(done=True)


async def fills_the_disk(host):
    while True:
        await host.disk.append("log", bytes(2**23))


async def fills_the_disk_with_files(host):
    for number in range(1000):
        Path(f"/srv/{number}").write_bytes(bytes(2**23))  # noqa: ASYNC240  # as a program may


async def runs_a_process(host):
    await trio.run_process([sys.executable, "-c", ""])


async def asks_for_a_name_that_is_nobodys(host):
    await trio.socket.getaddrinfo("example.com", 80)


async def awaits_something_foreign(host):
    class Foreign:
        def __await__(self):
            yield "what is this"

    await Foreign()


async def starts_thousands_of_tasks(host):
    async def child(number):
        await trio.sleep(number % 7 / 1000)

    async with trio.open_nursery() as nursery:
        for number in range(3000):
            nursery.start_soon(child, number)
    host.observe(done=True)


async def leaves_everything_open(host):
    manager = trio.open_nursery()
    nursery = await manager.__aenter__()
    nursery.start_soon(trio.sleep_forever)
    trio.CancelScope().__enter__()
    host.observe(done=True)


async def replaces_standard_output(host):
    sys.stdout = open(os.devnull, "w")  # noqa: ASYNC230, PTH123, SIM115  # as a program may
    warnings.simplefilter("error")
    await trio.sleep(0.1)
    sys.stdout.close()


async def talks_to_itself(host):
    host.send(host.name, "x")
    message = await host.receive()
    message.reply("y")
    message.reply("z")
    assert [(await host.receive()).body for _ in range(2)] == ["y", "z"]
    host.observe(done=True)


CRASHES = {
    recurses_for_ever: "RecursionError",
    has_no_text: "BrokenText",
    raises_a_base_exception: "Odd",
    exits: "SystemExit",
    raises_generator_exit: "GeneratorExit",
    fails_in_many_ways: "BaseExceptionGroup",
    fails_in_a_system_task: "KeyError",
    reschedules_a_task_that_runs: "RuntimeError",
    uses_a_thread: "",
    starts_a_thread: "RuntimeError",
    reads_a_file_that_is_nobodys: "FileNotFoundError",
    fills_the_disk: "OSError",
    fills_the_disk_with_files: "OSError",
    runs_a_process: "RuntimeError",
    asks_for_a_name_that_is_nobodys: "gaierror",
    ends_its_process: "Exit",
    awaits_something_foreign: "TypeError",
    starts_thousands_of_tasks: "",
    leaves_everything_open: None,
    replaces_standard_output: "",
    talks_to_itself: "",
}


def play(program):
    with open_world(gossip, program, gossip) as world:
        world.advance(1.0)
        crashes = [event for event in world.history if isinstance(event, Incident) and event.kind == "crash"]
        heard = world.machines["n1"].observed["heard"]
        return world.digest.hexdigest(), [(crash.host, crash.detail["error"]) for crash in crashes], crashes, heard


@pytest.fixture(autouse=True)
def surroundings():
    before = sys.stdout, sys.stderr, list(warnings.filters), Path.cwd()
    with warnings.catch_warnings():
        yield
    assert (sys.stdout, sys.stderr, Path.cwd()) == (before[0], before[1], before[3])


@pytest.mark.parametrize("program", CRASHES, ids=lambda program: program.__name__)
def test_the_world_survives_says_the_same_twice_and_names_the_culprit(program, capfd):
    digest, found, crashes, heard = play(program)
    assert heard > 10
    if CRASHES[program]:
        assert found == [("n2", CRASHES[program])]
        assert "test_sim_odd_programs.py" in crashes[0].detail["where"] or program is ends_its_process
    elif CRASHES[program] == "":
        assert found == []
    assert play(program)[0] == digest
    assert capfd.readouterr() == ("", "")


def test_threads_of_hosts_are_refused_by_name_and_threads_of_others_are_not():
    _, _, (crash,), _ = play(starts_a_thread)
    assert "n2 is a simulated host: it has no threads" in crash.detail["message"]
    assert threading.active_count() <= 3

    async def main():
        return await trio.to_thread.run_sync(lambda: 5)

    assert trio.run(main) == 5


def test_a_world_cannot_be_stepped_from_within_one_of_its_hosts():
    async def steps(host):
        await trio.sleep(0.1)
        host.world.advance(1)

    _, found, (crash,), _ = play(steps)
    assert found == [("n2", "RuntimeError")]
    assert "cannot be stepped from within one of its own hosts" in crash.detail["message"]


@pytest.mark.parametrize(
    "value", [[1], {"a": 1}, {1}, bytearray(b"x"), object(), (1, [2])], ids=lambda value: type(value).__name__
)
def test_what_a_host_observes_must_not_be_able_to_change(value):
    async def observes(host):
        host.observe(fine=1, state=value)

    _, found, (crash,), _ = play(observes)
    assert found == [("n2", "TypeError")]
    assert "n2 observes state, which could change afterwards" in crash.detail["message"]
