"""Warnings of hosts are lines of theirs, the same everywhere; a coroutine that was never awaited is a crash."""

import gc
import warnings
from typing import ClassVar

import pytest
import trio
from sim_worlds import call, idle, open_world

from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import run


def crashes(world):
    return [event for event in world.history if getattr(event, "kind", "") == "crash"]


async def forgets(host):
    await host.disk.write("v", b"1")
    host.disk.fsync("v")  # what this file is about
    await host.disk.write("v", b"2")


FORGOTTEN = f"{__file__}:{forgets.__code__.co_firstlineno + 2} in forgets"


def test_a_forgotten_await_ends_the_run_and_names_the_line():
    with open_world(forgets) as world:
        world.advance(1)
        (crash,) = crashes(world)
        assert world.stopped
        assert (crash.host, crash.detail["error"], crash.detail["where"]) == ("n1", "NeverAwaited", FORGOTTEN)
        assert crash.detail["message"] == "coroutine 'SimDisk.fsync' was never awaited: write `await` before the call"


class Forgetful(Scenario):
    """Client code that forgets one too."""

    hosts: ClassVar = {"n1": idle}

    @operation()
    async def ask(self, client):
        client.request("n1", "ask", timeout=1.0)


@pytest.mark.parametrize("action", ["ignore", "error", "default", "always", "once"])
def test_the_run_is_the_same_under_all_filters_and_whoever_collects_warnings(action):
    schedule = Schedule(scenario="Forgetful", seed=1, actions=(call(0.1, "c1", "ask"),))
    plain = run(schedule, Forgetful)
    with warnings.catch_warnings(record=True) as collected:
        warnings.simplefilter(action)
        assert run(schedule, Forgetful).digest == plain.digest
    assert collected == []
    assert plain.failure.signature == ("NoCrash", "crash:NeverAwaited")
    line = Forgetful.ask.__code__.co_firstlineno + 2
    assert plain.failure.evidence.lines[1].strip() == f"at {__file__}:{line} in ask"


def test_a_coroutine_that_is_kept_and_then_let_go_of_is_said_to_be():
    async def program(host):
        written = host.disk.write("v", b"1")
        await trio.sleep(0.1)
        written = None
        await trio.sleep(0.1)
        return written

    with open_world(program) as world:
        world.advance(1)
        (crash,) = crashes(world)
        assert crash.time == 0.1
        assert crash.detail["where"] == f"{__file__}:{program.__code__.co_firstlineno + 3} in program"
        assert "`await` is missing where it was made" in crash.detail["message"]


def test_where_no_line_of_a_program_lets_go_the_program_is_shown():
    async def program(host):
        written = host.disk.write("v", b"1")
        await trio.sleep(0.1)
        del host
        _ = written  # freed with the frame, when nothing of the program is left

    with open_world(program) as world:
        world.advance(1)
        (crash,) = crashes(world)
        code = program.__code__
        assert crash.detail["where"] == f"{__file__}:{code.co_firstlineno} in {code.co_qualname}"


def test_a_killed_program_is_not_blamed_for_what_it_could_not_await():
    async def program(host):
        written = host.disk.write("v", b"1")
        await trio.sleep(0.1)
        await written

    with warnings.catch_warnings(record=True) as collected, open_world(program) as world:
        world.advance(0.05)
        world.kill(world.machines["n1"])
        world.advance(1)
        world.bury()
        gc.collect()
        assert crashes(world) == []
    assert collected == []


async def warns(host):
    for _ in range(3):
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
        await trio.sleep(0.1)
    await trio.sleep_forever()


@pytest.mark.parametrize("action", ["ignore", "error", "once"])
def test_warnings_are_lines_of_their_host_once_per_life_whatever_the_filters(action, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        for _ in range(2):
            with open_world(warns) as world:
                world.advance(1)
                world.kill(world.machines["n1"])
                world.restart(world.machines["n1"])
                world.advance(1)
                told = f"DeprecationWarning: old ways ({__file__}:{warns.__code__.co_firstlineno + 2})"
                assert [(line.time, line.level, line.text) for line in world.logs] == [(0.0, "warning", told), (1.0, "warning", told)]
    assert capsys.readouterr() == ("", "")


def test_warnings_of_anybody_else_go_where_they_always_go():
    with open_world(idle) as world:
        world.look_at(0.5, lambda: warnings.warn("a test's own", UserWarning, stacklevel=1))
        with pytest.warns(UserWarning, match="a test's own"):
            world.advance(1)
        assert world.logs == []
    with open_world(idle) as world:
        world.look_at(0.5, lambda: warnings.warn("a test's own", UserWarning, stacklevel=1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning):
                world.advance(1)


async def unawaited():
    """Of a test, not of a host."""


def test_coroutines_of_anybody_else_are_none_of_ours():
    with open_world(idle) as world:
        world.look_at(0.5, lambda: unawaited() and None)
        with pytest.warns(RuntimeWarning, match="unawaited"):
            world.advance(1)
        assert crashes(world) == []
