"""Burying: frames are freed once the run is over, and the clean-up code in them can touch nothing and end nobody's day."""

import gc
import logging
import sys
import tracemalloc
import weakref

import pytest
import trio
from sim_worlds import gossip, open_world

from killpoint.sim.trio_driver import Engine
from killpoint.sim.world import World


@pytest.fixture(autouse=True, scope="module")
def quick_collections():
    """Only what these tests make is looked at."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def engines():
    gc.collect()
    gc.collect()  # what a finaliser touched is looked at once more
    return sum(1 for thing in gc.get_objects() if type(thing) is Engine)


@pytest.mark.parametrize("die", ["killed", "alive"])
def test_cleanup_code_of_buried_programs_changes_nothing(die, capfd):
    ran = []

    async def program(host):
        try:
            await trio.sleep_forever()
        finally:
            ran.append(host.name)
            print("cleaning up")
            print("cleaning up", file=sys.stderr)
            logging.getLogger("cleanup").error("cleaning up")
            host.send("n2", "clean")
            host.observe(clean=True)
            await host.disk.write("clean", b"up")

    with open_world(program, gossip) as world:
        world.advance(0.5)
        if die == "killed":
            world.kill(world.machines["n1"])
        assert ran == []
        index, digest, logs = world.index, world.digest.hexdigest(), list(world.logs)
        world.bury()
        assert (world.index, world.digest.hexdigest(), world.logs) == (index, digest, logs)
        assert world.machines["n1"].observed == {}
        assert world.machines["n1"].disk.files() == {}
    assert ran == ["n1"]
    assert capfd.readouterr() == ("", "")


def raises(make):
    async def program(host):
        try:
            await trio.sleep_forever()
        finally:
            raise make()

    return program


async def awaits_in_cleanup(host):
    try:
        await trio.sleep_forever()
    finally:
        for _ in range(5):
            await trio.sleep(1)


async def awaits_for_ever(host):
    while True:
        try:
            await trio.sleep(1)
        except BaseException:
            continue


async def swallows_everything(host):
    while True:
        try:
            await host.receive()
        except BaseException as error:
            host.observe(problem=repr(error))


async def opens_a_nursery_in_cleanup(host):
    try:
        await trio.sleep_forever()
    finally:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)


async def children(host):
    async def child():
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await host.disk.fsync("x")

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(child)
        async with trio.open_nursery() as inner:
            inner.start_soon(child)
            await trio.sleep_forever()


async def calls_trio_in_cleanup(host):
    event, (send, receive) = trio.Event(), trio.open_memory_channel(0)
    scope = trio.CancelScope()
    try:
        with scope:
            await receive.receive()
    finally:
        event.set()
        scope.cancel()
        send.close()
        trio.lowlevel.current_task()


async def exits_the_interpreter(host):
    try:
        await trio.sleep_forever()
    finally:
        sys.exit(3)


HARD_TO_BURY = {
    "raises": raises(ValueError),
    "raises KeyboardInterrupt": raises(KeyboardInterrupt),
    "raises GeneratorExit": raises(GeneratorExit),
    "raises an exception group": raises(lambda: ExceptionGroup("late", [OSError()])),
    "awaits in clean-up": awaits_in_cleanup,
    "awaits for ever": awaits_for_ever,
    "swallows everything": swallows_everything,
    "opens a nursery in clean-up": opens_a_nursery_in_cleanup,
    "has children": children,
    "calls trio in clean-up": calls_trio_in_cleanup,
    "exits the interpreter": exits_the_interpreter,
}


@pytest.mark.parametrize("how", ["buried", "killed", "dropped"])
@pytest.mark.parametrize("program", HARD_TO_BURY.values(), ids=HARD_TO_BURY)
def test_programs_that_are_hard_to_bury(program, how, capfd):
    before = engines()
    world = World({"n1": program, "n2": gossip})
    world.boot()
    world.advance(0.5)
    if how == "killed":
        world.kill(world.machines["n1"], keep="none")
        world.restart(world.machines["n1"])
        world.advance(0.5)
    if how != "dropped":
        world.bury()
    gone = weakref.ref(world)
    del world
    assert engines() == before
    assert gone() is None
    assert capfd.readouterr() == ("", "")


def test_unraisable_hooks_and_warnings_are_put_back():
    hook = sys.unraisablehook
    with open_world(awaits_for_ever) as world:
        world.advance(1)
        world.bury()
        assert sys.unraisablehook is hook


def test_the_next_world_does_not_notice_the_burial_of_another():
    def digest(bury_after=None):
        with open_world(gossip, gossip, seed=3) as world, open_world(children, gossip, awaits_for_ever) as other:
            other.advance(0.2)
            for step in range(10):
                if step == bury_after:
                    other.bury()
                world.advance(0.05)
            return world.digest.hexdigest()

    assert digest() == digest(bury_after=5)


def test_five_hundred_kills_leave_nothing_behind():
    async def program(host):
        payload = bytes(10_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            while True:
                await host.disk.write("file", payload[:100])
                await trio.sleep(0.001)

    before = engines()

    def live():
        for _ in range(3):
            gc.collect()
        return len(gc.get_objects())

    def one_run():
        with open_world(program, program) as world:
            machine = world.machines["n1"]
            for _ in range(250):
                world.advance(0.002)
                world.kill(machine)
                world.restart(machine)
            world.advance(0.01)
            assert machine.incarnation == 251

    one_run()
    once = live()
    one_run()
    assert engines() == before
    assert live() - once < 500


def test_a_dead_host_is_small_until_it_is_buried():
    """Frames are kept until the verdict is in; that has to stay cheap."""
    async def program(host):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()

    with open_world(program) as world:
        machine = world.machines["n1"]
        world.advance(0.001)
        tracemalloc.start()
        try:
            for _ in range(50):
                world.kill(machine)
                world.restart(machine)
                world.advance(0.001)
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert size / 50 < 60_000
