"""Pausing: a host stops, its clock goes on, its messages wait."""

import pytest
import trio
import trio.testing
from sim_worlds import at_boundary, gossip, idle, open_world


async def ticks(host):
    while True:
        await trio.sleep(0.1)
        host.observe(tick=round(trio.current_time(), 6))


def ticked(world, name="n1"):
    return [event.values["tick"] for event in world.history if hasattr(event, "values") and event.host == name]


def test_a_paused_host_does_nothing_and_its_clock_goes_on():
    with open_world(ticks, ticks) as world:
        machine = world.machines["n1"]
        world.advance(0.25)
        world.pause(machine)
        world.advance(1.0)
        assert (ticked(world), machine.alive, machine.paused) == ([0.1, 0.2], True, True)
        world.resume(machine)
        world.advance(0.25)
        assert ticked(world) == [0.1, 0.2, 1.25, 1.35, 1.45]
        assert len(ticked(world, "n2")) == 14


def test_messages_wait_for_a_paused_host_in_their_order():
    async def receives(host):
        while True:
            message = await host.receive()
            host.observe(heard=(message.body, round(trio.current_time(), 6)))

    async def sends(host):
        for number in range(3):
            host.send("n1", number)
            await trio.sleep(0.1)

    with open_world(receives, sends) as world:
        machine = world.machines["n1"]
        world.advance(0.05)
        world.pause(machine)
        world.advance(0.95)
        world.resume(machine)
        world.advance(0.1)
        heard = [event.values["heard"] for event in world.history if hasattr(event, "values")]
        assert heard == [(0, 0.001), (1, 1.0), (2, 1.0)]


def test_a_message_that_has_reached_a_paused_host_is_not_lost_to_a_later_cut():
    async def receives(host):
        while True:
            host.observe(heard=(await host.receive()).body)

    async def sends(host):
        host.send("n1", "before the cut")
        await trio.sleep(0.5)
        host.send("n1", "during the cut")

    with open_world(receives, sends) as world:
        machine = world.machines["n1"]
        world.pause(machine)
        world.advance(0.2)
        world.network.cut([("n2", "n1")])
        world.advance(0.5)
        world.resume(machine)
        world.advance(0.1)
        assert [event.values["heard"] for event in world.history if hasattr(event, "values")] == ["before the cut"]


def test_timeouts_that_ran_out_during_a_pause_are_found_afterwards():
    async def asks(host):
        try:
            await host.request("n2", "x", timeout=0.2)
        except trio.TooSlowError:
            host.observe(slow=round(trio.current_time(), 6))

    with open_world(asks, idle) as world:
        machine = world.machines["n1"]
        world.advance(0.1)
        world.pause(machine)
        world.advance(0.5)
        world.resume(machine)
        world.advance(0.1)
        assert machine.observed == {"slow": 0.6}


@pytest.mark.parametrize("boundary", ["send", "disk", "disk:write", "point"])
def test_pausing_within_the_hosts_own_slice_and_going_on(boundary):
    """Time does not go back, and every task goes on where it stopped."""

    async def worker(host, name):
        for number in range(5):
            host.send("n2", number)
            await host.disk.write(name, bytes([number]))
            await host.killpoint("point")
            await trio.sleep(0.01)
            host.observe(done=(name, number))

    async def program(host):
        with trio.move_on_after(0.015):
            await trio.sleep(0.012)
        async with trio.open_nursery() as nursery:
            for name in "ab":
                nursery.start_soon(worker, host, name)

    with open_world(program, idle) as world:
        machine = world.machines["n1"]

        def pause():
            world.pause(machine)
            world.schedule_end(world.now + 0.5, 0, lambda: world.resume(machine))
            at_boundary(world, "n1", boundary, pause, 2)

        at_boundary(world, "n1", boundary, pause, 2)
        last = 0.0
        while world.now < 10 and world.step():
            assert world.now >= last
            last = world.now
        done = [event.values["done"] for event in world.history if hasattr(event, "values")]
        assert sorted(done) == [(name, number) for name in "ab" for number in range(5)]
        assert [event.kind for event in world.history if hasattr(event, "kind")].count("pause") == 5


def test_a_pause_at_an_awaited_boundary_stops_exactly_there():
    async def program(host):
        await trio.sleep(0.1)
        await host.killpoint("decided")
        host.send("n2", "acted")
        await host.disk.write("file", b"x")
        host.send("n2", "written")

    async def hears(host):
        while True:
            body = (await host.receive()).body
            host.observe(heard=(body, round(trio.current_time(), 6)))

    def heard(boundary):
        with open_world(program, hears) as world:
            machine = world.machines["n1"]

            def pause():
                world.pause(machine)
                world.schedule_end(world.now + 1.0, 0, lambda: world.resume(machine))

            at_boundary(world, "n1", boundary, pause)
            world.advance(0.5)
            assert machine.paused
            files = machine.disk.files()
            world.advance(2)
            return files, [event.values["heard"] for event in world.history if hasattr(event, "values")]

    assert heard("decided") == ({}, [("acted", 1.101), ("written", 1.101)])
    assert heard("disk") == ({}, [("acted", 0.101), ("written", 1.101)])


def test_resuming_another_host_at_ones_own_boundary():
    async def program(host):
        while True:
            await trio.sleep(0.1)
            await host.killpoint("tick")
            host.observe(tick=round(trio.current_time(), 6))
            host.send("n2", "x")

    async def hears(host):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ticks, host)
            while True:
                await host.receive()

    with open_world(program, hears) as world:
        other = world.machines["n2"]
        world.pause(other)
        at_boundary(world, "n1", "tick", lambda: world.resume(other), 3)
        world.advance(1.0)
        assert [event.kind for event in world.history if getattr(event, "kind", "") in ("crash", "exit")] == []
        assert ticked(world) == [round(0.1 * number, 6) for number in range(1, 11)]
        assert ticked(world, "n2")[0] == 0.4


@pytest.mark.parametrize("keep", [None, "none"])
def test_killing_a_paused_host(keep):
    ended = []

    async def program(host):
        try:
            await host.receive()
        finally:
            ended.append(host.incarnation)

    async def sends(host):
        await trio.sleep(0.1)
        host.send("n1", "x")

    with open_world(program, sends) as world:
        machine = world.machines["n1"]
        world.advance(0.05)
        world.pause(machine)
        world.advance(0.5)
        world.kill(machine, keep=keep)
        assert (machine.alive, machine.paused, list(machine.held)) == (False, False, [])
        world.resume(machine)
        world.advance(0.5)
        world.restart(machine)
        world.advance(0.5)
        assert ended == []
        assert machine.alive


def test_a_host_that_is_paused_and_killed_at_one_boundary_is_dead():
    ran = []

    async def program(host):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep(0.1)
            host.send("n1", "x")
            await trio.lowlevel.checkpoint()
            ran.append("leak")

    with open_world(program) as world:
        machine = world.machines["n1"]
        at_boundary(world, "n1", "send", lambda: (world.pause(machine), world.kill(machine)))
        world.advance(1)
        world.resume(machine)
        world.advance(1)
        assert ran == []


def test_pausing_before_the_program_has_begun():
    with open_world(ticks) as world:
        machine = world.machines["n1"]
        world.pause(machine)
        world.advance(0.5)
        assert ticked(world) == []
        world.resume(machine)
        world.advance(0.15)
        assert ticked(world) == [0.6]


def test_resuming_a_host_that_is_not_paused_does_nothing():
    with open_world(gossip, gossip) as plain, open_world(gossip, gossip) as other:
        for world in (plain, other):
            world.advance(0.5)
            if world is other:
                world.resume(world.machines["n1"])
            world.advance(0.5)
        assert plain.digest.hexdigest() == other.digest.hexdigest()


def test_a_pause_does_not_cut_the_wait_for_idleness_short():
    async def program(host):
        await trio.testing.wait_all_tasks_blocked(1.0)
        host.observe(idle=trio.current_time())

    with open_world(program) as world:
        machine = world.machines["n1"]
        world.advance(0.1)
        world.pause(machine)
        world.advance(0.1)
        world.resume(machine)
        world.advance(2)
        assert machine.observed == {"idle": 1.0}
