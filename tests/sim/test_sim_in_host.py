"""What an ordinary trio program finds inside a host: time, tasks, cancellation, channels, events, tokens, idleness."""

import random

import pytest
import sniffio
import trio
import trio.testing
from sim_worlds import idle, open_world

from killpoint.properties.history import Incident


def play(program, *others, seconds=10.0, **options):
    """Run a program on n1 to its end; what it returned through `notes`."""
    notes = []

    async def main(host):
        await program(host, notes)
        notes.append("end")

    with open_world(main, *others, **options) as world:
        world.advance(seconds)
        crashes = [event.detail for event in world.history if isinstance(event, Incident) and event.kind == "crash"]
        assert crashes == []
        assert notes[-1] == "end"
    return notes[:-1]


def test_sleep_takes_exactly_its_time():
    async def program(host, notes):
        for seconds in (0.5, 0, 1e-9, 2.25):
            await trio.sleep(seconds)
            notes.append(trio.current_time())

    assert play(program) == [0.5, 0.5, 0.500000001, 2.750000001]


def test_cancel_scopes_and_timeouts():
    async def program(host, notes):
        with trio.move_on_after(1) as scope:
            await trio.sleep(5)
        notes.append((scope.cancelled_caught, trio.current_time()))
        with pytest.raises(trio.TooSlowError), trio.fail_at(2.5):
            await trio.sleep_forever()
        with trio.CancelScope() as outer:
            outer.cancel()
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
                notes.append(trio.current_time())
            await trio.sleep(1)
        notes.append((outer.cancelled_caught, trio.current_time()))

    assert play(program) == [(True, 1.0), 3.5, (True, 3.5)]


def test_deadlines_that_move_both_ways():
    async def program(host, notes):
        with trio.move_on_after(5) as scope:
            await trio.sleep(1)
            scope.deadline = 8
            await trio.sleep(6)
            notes.append(trio.current_time())
            scope.deadline = 7.5
            await trio.sleep_forever()
        notes.append(trio.current_time())

    assert play(program) == [7.0, 7.5]


def test_deadlines_of_one_moment_expire_in_the_order_in_which_they_were_set():
    async def waits(name, notes):
        with trio.move_on_at(1.0):
            await trio.sleep_forever()
        notes.append(name)

    async def program(host, notes):
        async with trio.open_nursery() as nursery:
            for name in "abcdef":
                nursery.start_soon(waits, name, notes)

    assert play(program) == list("abcdef")


def test_a_deadline_heap_full_of_stale_entries_is_pruned():
    async def program(host, notes):
        with trio.CancelScope() as scope:
            for number in range(3000):
                scope.deadline = 100.0 + number % 2
            await trio.sleep(0.1)
            scope.deadline = 1.0
            await trio.sleep_forever()
        notes.append(trio.current_time())

    assert play(program) == [1.0]


def test_tasks_run_first_in_first_out():
    async def child(number, notes):
        for _ in range(3):
            notes.append(number)
            await trio.lowlevel.checkpoint()

    async def program(host, notes):
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(child, number, notes)

    assert play(program) == [0, 1, 2, 3] * 3


def test_nurseries_cancel_the_siblings_of_a_task_that_failed():
    async def fails():
        await trio.sleep(1)
        raise KeyError("x")

    async def program(host, notes):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails)
                try:
                    await trio.sleep_forever()
                finally:
                    notes.append(trio.current_time())
        except* KeyError as caught:
            notes.append(str(caught.exceptions[0]))

    assert play(program) == [1.0, "'x'"]


def test_memory_channels_events_locks_and_conditions():
    async def produce(channel):
        async with channel:
            for number in range(3):
                await channel.send(number)
                await trio.sleep(0.1)

    async def program(host, notes):
        send, receive = trio.open_memory_channel(0)
        event, lock = trio.Event(), trio.Lock()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce, send)
            async for number in receive:
                notes.append(number)
            nursery.start_soon(event.wait)
            event.set()
        async with lock:
            notes.append(lock.locked())
        limiter = trio.CapacityLimiter(1)
        async with limiter:
            notes.append(limiter.borrowed_tokens)

    assert play(program) == [0, 1, 2, True, 1]


def test_wait_all_tasks_blocked_waits_until_the_host_is_idle():
    async def busy(notes):
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        notes.append("busy")
        await trio.sleep_forever()

    async def program(host, notes):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(busy, notes)
            await trio.testing.wait_all_tasks_blocked()
            notes.append(trio.current_time())
            await trio.testing.wait_all_tasks_blocked(0.25)
            notes.append(trio.current_time())
            nursery.cancel_scope.cancel()

    assert play(program) == ["busy", 0.0, 0.25]


def test_the_cushion_of_wait_all_tasks_blocked_begins_anew_with_every_activity():
    async def ticks():
        for _ in range(3):
            await trio.sleep(0.2)

    async def program(host, notes):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ticks)
            await trio.testing.wait_all_tasks_blocked(0.3)
            notes.append(round(trio.current_time(), 9))

    assert play(program) == [0.9]


def test_an_old_deadline_does_not_cut_the_cushion_short():
    async def program(host, notes):
        with trio.move_on_after(0.5):
            await trio.sleep(0.4)
        await trio.testing.wait_all_tasks_blocked(0.3)
        notes.append(trio.current_time())

    assert play(program) == [0.7]


def test_messages_that_arrive_while_a_host_waits_for_idleness():
    async def program(host, notes):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, host, notes)
            await trio.testing.wait_all_tasks_blocked(0.3)
            notes.append(round(trio.current_time(), 9))
            nursery.cancel_scope.cancel()

    async def answer(host, notes):
        while True:
            notes.append((await host.receive()).body)

    async def sends(host):
        await trio.sleep(0.199)
        host.send("n1", "hello")

    assert play(program, sends) == ["hello", 0.5]


def test_a_token_runs_functions_inside_the_host():
    async def program(host, notes):
        token = trio.lowlevel.current_trio_token()
        for number in range(3):
            token.run_sync_soon(notes.append, number)
        token.run_sync_soon(notes.append, "once", idempotent=True)
        token.run_sync_soon(notes.append, "once", idempotent=True)
        await trio.sleep(0.1)
        token.run_sync_soon(notes.append, trio.current_time())
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

    assert play(program) == [0, 1, 2, "once", 0.1]


def test_system_tasks_belong_to_their_host():
    async def ticks(notes):
        while True:
            await trio.sleep(0.4)
            notes.append(round(trio.current_time(), 9))

    async def program(host, notes):
        trio.lowlevel.spawn_system_task(ticks, notes)
        await trio.sleep(1)

    assert play(program) == [0.4, 0.8]


def test_run_variables_belong_to_an_incarnation():
    variable = trio.lowlevel.RunVar("v", default="unset")

    async def program(host):
        host.observe(found=variable.get())
        variable.set(host.name)
        await trio.sleep_forever()

    with open_world(program, program) as world:
        world.advance(1)
        machine = world.machines["n1"]
        world.kill(machine)
        world.restart(machine)
        world.advance(1)
        assert [event.values["found"] for event in world.history if hasattr(event, "values")] == ["unset"] * 3


def test_libraries_see_that_they_are_under_trio():
    async def program(host, notes):
        notes.append(sniffio.current_async_library())
        await trio.lowlevel.checkpoint()
        notes.append(trio.lowlevel.in_trio_task())

    assert play(program) == ["trio", True]


def test_another_loop_is_refused_inside_a_host():
    async def program(host, notes):
        with pytest.raises(RuntimeError, match=r"Attempted to call run\(\) from inside a run\(\)"):
            trio.run(trio.sleep, 0)

    assert play(program) == []


def test_asyncio_code_inside_a_host_fails_that_host_with_its_reason():
    import asyncio

    async def program(host):
        future = asyncio.Future(loop=loop)
        await future

    loop = asyncio.new_event_loop()
    try:
        with open_world(program) as world:
            world.advance(1)
            crash = next(event for event in world.history if getattr(event, "kind", "") == "crash")
            assert "other framework like asyncio" in crash.detail["message"]
    finally:
        loop.close()


def test_what_a_host_knows_of_itself():
    async def program(host, notes):
        notes.extend([host.name, host.peers, host.incarnation, dict(host.settings)])
        host.settings["batch"] = 9
        notes.append(host.settings["batch"])

    found = play(program, idle, idle, settings={"batch": 1})
    assert found == ["n1", ("n2", "n3"), 1, {"batch": 1}, 1]


def test_entropy_is_per_host_and_incarnation_and_repeats_with_the_seed():
    async def draws(host):
        host.observe(drawn=host.random.random())
        await trio.sleep_forever()

    def drawn(seed):
        with open_world(draws, draws, seed=seed) as world:
            world.advance(1)
            world.kill(world.machines["n1"])
            world.restart(world.machines["n1"])
            world.advance(1)
            return [event.values["drawn"] for event in world.history if hasattr(event, "values")]

    first = drawn(1)
    assert len(set(first)) == 3
    assert drawn(1) == first
    assert not set(drawn(2)) & set(first)
    state = random.getstate()
    drawn(3)
    assert random.getstate() == state


def test_waiting_for_a_real_descriptor_fails_the_host_and_says_why():
    async def program(host):
        await trio.lowlevel.wait_readable(0)

    with open_world(program) as world:
        world.advance(1)
        crash = next(event for event in world.history if getattr(event, "kind", "") == "crash")
        assert "descriptor" in crash.detail["message"]
        assert "test_sim_in_host.py" in crash.detail["where"]
