"""A kill stops a program where it stands: not one line of clean-up runs, and what still runs of its step touches nothing."""

import contextlib
import logging

import pytest
import trio
from sim_worlds import at_boundary, gossip, idle, open_world

from killpoint.sim.aim import Armed
from killpoint.sim.fault import ANY

BOUNDARIES = ("send", "deliver", "disk", "disk:write", "disk:fsync", "middle")


def full_of_cleanup(effects):
    """A program in which every way of cleaning up is under way at any moment; `effects` collects what should never happen."""

    def effect(host, what):
        effects.append(what)
        host.send("n2", what)
        host.observe(cleaned=what)

    @contextlib.asynccontextmanager
    async def resource(host):
        try:
            yield
        finally:
            effect(host, "context manager")

    class Lock:
        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            effect(host_of[0], "aexit")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            effect(host_of[0], "exit")

    async def numbers(host):
        try:
            while True:
                yield 1
        finally:
            effect(host, "generator")

    async def stubborn(host):
        while True:
            try:
                await trio.sleep_forever()
            except BaseException:
                effect(host, "swallowed")
                raise

    async def works(host):
        async with resource(host), Lock():
            with Lock():
                async for _ in numbers(host):
                    try:
                        host.send("n2", "work")
                        await host.receive()
                        await host.disk.write("file", b"x")
                        await host.killpoint("middle")
                        await host.disk.fsync("file")
                    except BaseException:
                        effect(host, "except")
                        raise
                    else:
                        pass
                    finally:
                        if host.fenced:
                            effect(host, "finally")

    host_of = []

    async def program(host):
        host_of[:] = [host]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stubborn, host)
                nursery.start_soon(works, host)
        finally:
            effect(host, "main")

    return program


async def echo(host):
    while True:
        message = await host.receive()
        host.observe(heard=message.body)
        message.reply("echo")


def outside_of(world, name):
    """Everything that anybody could learn of a host: what others heard of it, what it observed, what its disk holds."""
    machine = world.machines[name]
    return (
        [event for event in world.history if getattr(event, "host", None) != name],
        dict(machine.observed),
        machine.disk.files(),
        machine.sends,
        machine.disk_operations,
    )


@pytest.mark.parametrize("keep", [None, "none", "all", "subset:3"])
@pytest.mark.parametrize("time", [0.0, 0.0005, 0.001, 0.0025, 0.5])
def test_a_kill_at_a_time_leaves_no_effects(time, keep):
    effects = []
    with open_world(full_of_cleanup(effects), echo) as world:
        world.advance(time)
        world.kill(world.machines["n1"], keep=keep)
        before = outside_of(world, "n1")[1:]
        world.advance(1.0)
        assert outside_of(world, "n1")[1:] == before
        assert effects == []


@pytest.mark.parametrize("keep", [None, "none"])
@pytest.mark.parametrize("ordinal", [1, 3])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_kill_at_a_boundary_leaves_no_effects(boundary, ordinal, keep):
    effects = []
    killed = []
    with open_world(full_of_cleanup(effects), echo, trace=True) as world:
        machine = world.machines["n1"]

        def strike():
            world.kill(machine, keep=keep)
            killed.append((world.index, outside_of(world, "n1")[1:]))

        at_boundary(world, "n1", boundary, strike, ordinal)
        world.advance(1.0)
        ((index, before),) = killed
        assert outside_of(world, "n1")[1:] == before
        assert effects == []
        mine = [event.kind for event in world.trace if event.index > index and event.host == "n1"]
        assert set(mine) <= {"drop"}


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_what_was_at_the_boundary_does_not_happen(boundary):
    """A boundary is crossed before it takes effect."""
    with open_world(full_of_cleanup([]), echo, trace=True) as world:
        machine = world.machines["n1"]
        at_boundary(world, "n1", boundary, lambda: world.kill(machine))
        world.advance(1.0)
        kinds = [event.kind for event in world.trace if event.host == "n1" and event.kind not in ("start", "kill", "drop")]
        expected = {
            "send": [],
            "deliver": ["send"],
            "disk": ["send", "deliver"],
            "disk:write": ["send", "deliver"],
            "middle": ["send", "deliver", "disk", "killpoint"],
            "disk:fsync": ["send", "deliver", "disk", "killpoint"],
        }[boundary]
        assert kinds == expected


def test_the_rest_of_the_step_is_a_ghost_that_touches_nothing():
    steps = []

    async def program(host):
        message = await host.receive()
        host.send("n2", "before")
        host.send("n2", "at the kill")
        steps.append("ghost")
        host.send("n2", "ghost")
        host.send("nobody", "ghost")
        host.send("n2", ["mutable"])
        message.reply("ghost")
        host.observe(ghost=True)
        print("ghost")
        logging.getLogger("ghost").warning("ghost")
        assert host.fenced
        assert "dead" in repr(host)
        channel.send_nowait(1)
        event.set()
        nursery_of[0].cancel_scope.cancel()
        nursery_of[0].start_soon(other, host)
        trio.lowlevel.spawn_system_task(other, host)
        trio.lowlevel.current_trio_token().run_sync_soon(steps.append, "token")
        try:
            await host.disk.write("ghost", b"ghost")
        finally:
            steps.append("never")

    async def other(host):
        steps.append("other")

    async def waits(awaitable):
        await awaitable()
        steps.append("woken")

    async def main(host):
        nonlocal channel, event
        channel, receive = trio.open_memory_channel(1)
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery_of.append(nursery)
            nursery.start_soon(waits, event.wait)
            nursery.start_soon(waits, receive.receive)
            await program(host)

    async def sends(host):
        await trio.sleep(0.1)
        host.send("n1", "go")
        while True:
            host.observe(heard=(await host.receive()).body)

    channel = event = None
    nursery_of = []
    with open_world(main, sends) as world:
        machine = world.machines["n1"]
        at_boundary(world, "n1", "send", lambda: world.kill(machine), 2)
        world.advance(1)
        heard = [event.values["heard"] for event in world.history if hasattr(event, "values")]
        assert heard == ["before"]
        assert (machine.sends, machine.disk.files(), machine.observed, world.logs) == (2, {}, {}, [])
        assert world.network.sent == 2
        assert steps == ["ghost"]
    assert steps[:1] == ["ghost"]


def test_every_awaited_call_of_a_ghost_stops_it():
    def calls(host):
        yield host.receive()
        yield host.request("n2", "x", timeout=1)
        yield host.killpoint("x")
        for name in ("read", "fsync", "remove", "exists", "list", "fsync_directory"):
            yield getattr(host.disk, name)("file")
        yield host.disk.write("file", b"")
        yield host.disk.append("file", b"")
        yield host.disk.truncate("file", 0)
        yield host.disk.rename("file", "file2")
        yield host.disk.read("other")

    async def make(number, passed):
        async def program(host):
            await trio.sleep(0.1)
            host.send("n2", "x")
            for place, call in enumerate(calls(host)):
                if place == number:
                    await call
                    passed.append(number)
                else:
                    call.close()

        return program

    passed = []
    for number in range(13):
        coroutine = make(number, passed)
        with pytest.raises(StopIteration) as made:
            coroutine.send(None)
        with open_world(made.value.value, idle) as world:
            at_boundary(world, "n1", "send", lambda world=world: world.kill(world.machines["n1"]))
            world.advance(5)
            assert not world.machines["n1"].alive
    assert passed == []


def test_tasks_that_were_runnable_at_the_kill_never_run():
    ran = []

    async def child(name):
        ran.append(name)

    async def program(host):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, "before")
            await trio.sleep(0.1)
            for name in "abc":
                nursery.start_soon(child, name)
            await trio.lowlevel.cancel_shielded_checkpoint()
            nursery.start_soon(child, "d")
            host.send("n1", "x")  # a, b and c are in the batch that is being run, d is to be in the next
            nursery.start_soon(child, "e")

    with open_world(program) as world:
        at_boundary(world, "n1", "send", lambda: world.kill(world.machines["n1"]))
        world.advance(1)
    assert ran == ["before"]


def test_a_message_that_was_handed_over_but_not_yet_looked_at_dies_with_its_receiver():
    async def receives(host):
        while True:
            host.observe(heard=(await host.receive()).body)

    async def sends(host):
        for number in range(3):
            host.send("n1", number)
            await trio.sleep(0.001)

    with open_world(receives, sends) as world:
        machine = world.machines["n1"]
        at_boundary(world, "n1", "deliver", lambda: world.kill(machine), 2)
        world.advance(1)
        assert [event.values for event in world.history if hasattr(event, "values")] == [{"heard": 0}]
        assert world.network.delivered == 1


def test_killing_another_host_at_ones_own_boundary():
    effects = []
    with open_world(gossip, full_of_cleanup(effects), gossip, trace=True) as world:
        at_boundary(world, "n1", "round", lambda: world.kill(world.machines["n2"]), 3)
        world.advance(1.0)
        dead = next(event.index for event in world.trace if event.kind == "kill")
        assert {event.kind for event in world.trace if event.index > dead and event.host == "n2"} <= {"drop"}
        assert [event for event in world.trace if event.index > dead and event.host == "n1" and event.kind == "send"]
        assert [event for event in world.history if getattr(event, "kind", "") == "crash"] == []
        assert effects == []


def test_a_role_is_struck_at_its_holders_boundary():
    async def program(host):
        host.observe(role="leader" if host.name == "n2" else "follower", term=1)
        while True:
            await trio.sleep(0.1)
            await host.killpoint("tick")

    with open_world(program, program, program) as world:
        struck = []

        def strike():
            struck.append((world.now, world.resolve("leader").name))
            world.kill(world.resolve("leader"))

        armed = Armed(0, "tick", "leader", "", 3, strike)
        for machine in world.machines.values():
            machine.arm(armed)
        world.advance(1)
        assert struck == [(pytest.approx(0.3), "n2")]
        assert [machine.alive for machine in world.machines.values()] == [True, False, True]
        assert all(not machine.armed for machine in world.machines.values())


def test_a_boundary_in_a_phase_is_crossed_only_in_that_phase():
    async def program(host):
        host.observe(phase="idle")
        for number in range(1, 6):
            await trio.sleep(0.1)
            if number == 3:
                host.observe(phase="election")
            await host.killpoint("tick")

    with open_world(program) as world:
        struck = []
        world.machines["n1"].arm(Armed(0, "tick", None, "election", 2, lambda: struck.append(world.now)))
        world.advance(1)
        assert struck == [pytest.approx(0.4)]


def test_any_host_is_the_one_that_crosses():
    async def program(host):
        await trio.sleep(0.1 if host.name == "n3" else 0.2)
        await host.killpoint("tick")
        await trio.sleep_forever()

    with open_world(program, program, program) as world:
        armed = Armed(0, "tick", None, "", 1, lambda: world.kill(world.resolve(ANY)))
        for machine in world.machines.values():
            machine.arm(armed)
        world.advance(1)
        assert [machine.alive for machine in world.machines.values()] == [True, True, False]
        assert world.resolve(ANY) is None


def test_of_two_that_wait_for_one_crossing_the_one_that_was_armed_first_strikes():
    async def program(host):
        for _ in range(3):
            await trio.sleep(0.1)
            await host.disk.write("f", b"x")

    with open_world(program) as world:
        struck = []
        machine = world.machines["n1"]
        machine.arm(Armed(1, "disk", None, "", 1, lambda: struck.append(("disk", world.now))))
        machine.arm(Armed(0, "disk:write", None, "", 1, lambda: struck.append(("write", world.now))))
        world.advance(1)
        assert struck == [("write", pytest.approx(0.1)), ("disk", pytest.approx(0.2))]
        assert not machine.armed


def test_a_restarted_program_begins_again_with_what_the_disk_kept():
    async def program(host):
        host.observe(begun=host.incarnation, files=tuple(await host.disk.list()))
        await host.disk.append("synced", b"x")
        await host.disk.fsync("synced")
        await host.disk.fsync_directory()
        await host.disk.append("unsynced", b"x")
        await trio.sleep_forever()

    def files_after(keep):
        with open_world(program) as world:
            machine = world.machines["n1"]
            world.advance(0.1)
            world.kill(machine, keep=keep)
            assert (machine.alive, machine.observed) == (False, {"begun": 1, "files": ()})
            world.advance(0.1)
            world.restart(machine)
            world.restart(machine)
            assert machine.observed == {}
            world.advance(0.1)
            assert machine.observed["begun"] == machine.incarnation == 2
            return machine.observed["files"]

    assert files_after(None) == ("synced", "unsynced")
    assert files_after("all") == ("synced", "unsynced")
    assert files_after("none") == ("synced",)


def test_a_kill_and_a_restart_in_one_moment_within_the_hosts_own_slice():
    begun = []

    async def program(host):
        begun.append(host.incarnation)
        await trio.sleep(0.1)
        host.send("n2", host.incarnation)
        begun.append("ghost")
        await trio.sleep(0.1)
        begun.append("leak" if host.fenced else "went on")

    with open_world(program, idle) as world:
        machine = world.machines["n1"]
        at_boundary(world, "n1", "send", lambda: (world.kill(machine), world.restart(machine)))
        world.advance(1)
        assert begun == [1, "ghost", 2, "ghost", "went on"]
        assert world.network.sent == 1


def test_handles_of_a_dead_incarnation_are_useless_to_the_next():
    stash = []

    async def program(host):
        stash.append(host)
        if host.incarnation == 1:
            stash.append(await host.receive())
            await trio.sleep_forever()
        old_host, old_message = stash[0], stash[1]
        old_host.send("n2", "from the grave")
        old_message.reply("from the grave")
        old_host.observe(dead=True)
        host.send("n2", "alive")
        with trio.move_on_after(1):
            await old_host.disk.write("grave", b"")
            host.observe(leaked=True)
        host.observe(waited=trio.current_time())

    async def sends(host):
        host.send("n1", "x")
        while True:
            host.observe(heard=(await host.receive()).body)

    with open_world(program, sends) as world:
        world.advance(0.5)
        world.kill(world.machines["n1"])
        world.restart(world.machines["n1"])
        world.advance(3)
        assert world.machines["n2"].observed == {"heard": "alive"}
        assert "leaked" not in world.machines["n1"].observed
        assert "dead" not in world.machines["n1"].observed
        assert world.machines["n1"].disk.files() == {}


def test_programs_that_end_are_dead_and_can_be_restarted():
    async def program(host):
        await trio.sleep(0.1)
        host.observe(done=host.incarnation)

    with open_world(program) as world:
        machine = world.machines["n1"]
        world.advance(1)
        assert not machine.alive
        assert [event.kind for event in world.history if hasattr(event, "kind")] == ["start", "exit"]
        world.restart(machine)
        world.advance(1)
        assert machine.observed == {"done": 2}


def test_killing_costs_the_others_nothing_but_their_messages():
    with open_world(gossip, gossip, gossip) as world:
        world.advance(0.5)
        world.kill(world.machines["n2"])
        dropped = world.network.dropped
        world.advance(0.5)
        assert world.network.dropped > dropped
        heard = [world.machines[name].observed["heard"] for name in ("n1", "n3")]
        assert min(heard) > 30
