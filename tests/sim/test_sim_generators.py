"""Async generators of hosts end in their own host, or, when it is dead, not at all."""

import gc
import weakref

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.sim.world import World


@pytest.fixture
def ended():
    return []


def dropper(ended, *, after, reference_cycle=False):
    """A program that drops an async generator unfinished."""

    async def numbers(host):
        try:
            for number in range(10):
                yield number
        finally:
            with trio.CancelScope(shield=True):
                await trio.lowlevel.checkpoint()
            ended.append((host.name, trio.current_time()))
            host.send(host.name, "ended")

    async def program(host):
        generator = numbers(host)
        await generator.__anext__()
        if reference_cycle:
            cycle = [generator]
            cycle.append(cycle)
        await trio.sleep(after)
        generator = cycle = None
        if reference_cycle:
            gc.collect()
        await trio.sleep(1)

    return program


@pytest.mark.parametrize("reference_cycle", [False, True])
def test_a_dropped_generator_is_ended_by_its_own_host(ended, reference_cycle):
    first = dropper(ended, after=0.1, reference_cycle=reference_cycle)
    second = dropper(ended, after=0.2, reference_cycle=reference_cycle)
    with open_world(first, second, idle) as world:
        world.advance(0.5)
        assert ended == [("n1", 0.1), ("n2", 0.2)]
        assert [(line.host, line.time, line.text.partition(":")[0]) for line in world.logs] == [
            ("n1", 0.1, "ResourceWarning"),
            ("n2", 0.2, "ResourceWarning"),
        ]


def test_also_after_another_host_has_exited_in_the_same_step(ended):
    async def returns(host):
        await trio.sleep(0.05)

    async def begins_later(host):
        await trio.sleep(0.1)
        await dropper(ended, after=0.1)(host)

    with open_world(returns, begins_later) as world:
        world.advance(1)
        assert ended == [("n2", 0.2)]
        assert [(line.host, line.time) for line in world.logs] == [("n2", 0.2)]


def test_a_generator_that_is_left_open_ends_with_its_program(ended):
    async def leaves_open(host):
        kept.append(generator_of(ended, host))
        await kept[-1].__anext__()

    kept = []
    with open_world(leaves_open) as world:
        world.advance(1)
        assert ended == ["n1"]


def generator_of(ended, host):
    async def numbers():
        try:
            yield 1
        finally:
            ended.append(host.name)

    return numbers()


@pytest.mark.parametrize("keep", [None, "all"])
def test_a_generator_of_a_killed_host_never_ends(ended, keep):
    kept = []

    async def program(host):
        generator = generator_of(ended, host)
        await generator.__anext__()
        kept.append(weakref.ref(generator))
        async for _ in generator_of(ended, host):
            await trio.sleep(1)

    with open_world(program) as world:
        world.advance(0.5)
        world.kill(world.machines["n1"], keep=keep)
        world.advance(5)
        assert ended == []
        assert kept[0]() is not None
    gc.collect()
    assert kept[0]() is None


def test_worlds_that_used_generators_are_freed_without_being_buried():
    async def program(host):
        generator = generator_of([], host)
        await generator.__anext__()
        await trio.sleep_forever()

    world = World({"n1": program, "n2": program})
    world.boot()
    world.advance(1)
    gone = weakref.ref(world)
    del world
    gc.collect()
    assert gone() is None
