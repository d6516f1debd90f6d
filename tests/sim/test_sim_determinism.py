"""What must not make a difference: hash seeds, what ran before, who drives, how deep the stack is, which folder, which version."""

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trio
from sim_worlds import ROUGH, Register, gossip, open_world

from killpoint.explore.generate import generate
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.schedule import Noise
from killpoint.sim.session import run

HERE = Path(__file__).parent

NUMBERS = (0, 3, 7)


async def herd(host):
    """Many tasks that trio keeps in sets: waiting for one event, cancelled by one scope, woken by one moment."""
    event = trio.Event()
    condition = trio.Condition()

    async def waits(number):
        await event.wait()
        host.send("n1", ("woken", number))
        async with condition:
            await condition.wait()
        with trio.move_on_at(0.3):
            try:
                await trio.sleep_forever()
            finally:
                host.send("n1", ("cancelled", number))
        async for item in counts(number):
            host.observe(item=item)

    async def counts(number):
        yield number
        yield number + 1

    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(waits, number)
        await trio.sleep(0.1)
        event.set()
        await trio.sleep(0.1)
        async with condition:
            condition.notify_all()
        await trio.sleep(0.2)
        nursery.start_soon(trio.sleep_forever)
        nursery.cancel_scope.cancel()


def digests():
    """Of a raw world, of a small scenario and of the bundled one."""
    with open_world(gossip, gossip, gossip, noise=ROUGH, seed=3) as world:
        world.advance(1.0)
        found = [world.digest.hexdigest()]
    for noise in (Noise(), ROUGH):
        with open_world(herd, noise=noise) as world:
            world.advance(1.0)
            found.append(world.digest.hexdigest())
    found += [run(generate(Register, 2, number).replace(noise=ROUGH), Register).digest for number in NUMBERS]
    found += [run(generate(CivicTrust, 2, number), CivicTrust).digest for number in NUMBERS]
    return found


@pytest.fixture(scope="module")
def expected():
    return digests()


def in_another_process(*, cwd=None, options=(), **environment):
    code = "import json, test_sim_determinism as t; print(json.dumps(t.digests()))"
    paths = os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_under_another_hash_seed(expected, seed, tmp_path):
    assert in_another_process(PYTHONHASHSEED=seed, cwd=tmp_path) == expected


def test_development_mode(expected):
    assert in_another_process(options=("-X", "dev")) == expected


def test_what_ran_before_in_the_process(expected):
    for number in range(4):
        run(generate(Register, 9, number), Register)
    with open_world(gossip, gossip) as still_open:
        still_open.advance(0.3)
        assert digests() == expected


def test_the_order_of_runs():
    schedules = [generate(CivicTrust, 5, number) for number in range(5)]
    forwards = [run(schedule, CivicTrust).digest for schedule in schedules]
    backwards = [run(schedule, CivicTrust).digest for schedule in reversed(schedules)]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 5


def test_who_drives(expected):
    found = []

    async def in_asyncio():
        found.append(digests())

    async def in_trio():
        found.append(digests())

    asyncio.run(in_asyncio())
    trio.run(in_trio)
    thread = threading.Thread(target=lambda: found.append(digests()))
    thread.start()
    thread.join()
    assert found == [expected] * 3


def test_how_deep_the_stack_is(expected):
    def deep(depth):
        return digests() if depth == 0 else deep(depth - 1)

    assert deep(300) == expected


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_and_garbage(expected, collecting):
    garbage = []
    for _ in range(1000):
        cycle = [object()]
        cycle.append(cycle)
        garbage.append(cycle)
    threshold, was = gc.get_threshold(), gc.isenabled()
    gc.set_threshold(5)
    (gc.enable if collecting else gc.disable)()
    try:
        del garbage
        assert digests() == expected
    finally:
        gc.set_threshold(*threshold)
        (gc.enable if was else gc.disable)()


def test_global_random_state_is_neither_used_nor_changed(expected):
    random.seed(99)
    state = random.getstate()
    assert digests() == expected
    assert random.getstate() == state


def test_being_traced(expected):
    events = []

    def tracer(frame, event, _):
        events.append(event)

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        found = run(generate(CivicTrust, 2, NUMBERS[0]), CivicTrust).digest
    finally:
        sys.settrace(before)
    assert found == expected[-len(NUMBERS)]
    assert events


def test_different_schedules_have_different_digests(expected):
    assert len(set(expected)) == len(expected)


def test_the_digest_sees_everything_that_programs_do():
    """One program per thing that a run may consist of; no two runs look alike, and each looks like itself."""

    def program(act):
        async def main(host):
            await trio.sleep(0.1)
            await act(host)
            await trio.sleep_forever()

        return main

    async def passes(host):
        await trio.lowlevel.checkpoint()

    async def sleeps(host, seconds):
        await trio.sleep(seconds)

    async def says(host, *bodies):
        for body in bodies:
            host.send("n1", body)

    async def writes(host, path, data, offset=0):
        await host.disk.write(path, data, offset)

    async def observes(host, **values):
        host.observe(**values)

    acts = [
        passes,
        lambda host: sleeps(host, 0.1),
        lambda host: sleeps(host, 0.2),
        lambda host: says(host, 1),
        lambda host: says(host, 1.0),
        lambda host: says(host, True),
        lambda host: says(host, "1"),
        lambda host: says(host, b"1"),
        lambda host: says(host, 1, 2),
        lambda host: says(host, 2, 1),
        lambda host: says(host, (1, 2)),
        lambda host: writes(host, "a", b"x"),
        lambda host: writes(host, "a", b"y"),
        lambda host: writes(host, "b", b"x"),
        lambda host: writes(host, "a", b"x", 1),
        lambda host: host.disk.append("a", b"x"),
        lambda host: host.disk.exists("a"),
        lambda host: host.disk.list("a"),
        lambda host: observes(host, a=1),
        lambda host: observes(host, a=2),
        lambda host: observes(host, b=1),
        lambda host: host.killpoint("a"),
        lambda host: host.killpoint("b"),
    ]

    def digest(act):
        with open_world(program(act)) as world:
            world.advance(1)
            return world.digest.hexdigest()

    found = [digest(act) for act in acts]
    assert len(set(found)) == len(acts)
    assert found == [digest(act) for act in acts]
