"""Stepping a world: how one lets time pass does not change what happens."""

import math

import pytest
import trio
from sim_worlds import ROUGH, gossip, idle, open_world

from killpoint.sim.schedule import Noise
from killpoint.sim.world import World


def three(seed, noise=ROUGH):
    return open_world(gossip, gossip, gossip, seed=seed, noise=noise)


def alone(seed, seconds):
    with three(seed) as world:
        world.advance(seconds)
        return world.digest.hexdigest()


def test_worlds_stepped_in_turn_are_what_each_is_alone():
    expected = [alone(seed, 1.0) for seed in (1, 2, 3)]
    assert len(set(expected)) == 3
    with three(1) as one, three(2) as two, three(3) as other:
        worlds = [one, two, other]
        turn = 0
        while any(world.heap[0][0] <= 1.0 for world in worlds):
            turn += 1
            for world in worlds[turn % 3 :] + worlds[: turn % 3]:
                if world.heap[0][0] <= 1.0:
                    world.step()
        for world in worlds:
            world.advance(1.0 - world.now)
        assert [world.digest.hexdigest() for world in worlds] == expected


def test_five_thousand_slices_of_a_millisecond_are_one_advance():
    with three(4) as whole, three(4) as sliced:
        whole.advance(5.0)
        for _ in range(5000):
            sliced.advance(0.001)
        assert sliced.now == pytest.approx(5.0)
        sliced.advance(max(0.0, 5.0 - sliced.now))
        assert sliced.index == whole.index > 5000
        assert sliced.digest.hexdigest() == whole.digest.hexdigest()
        assert sliced.history == whole.history


def test_single_steps_are_one_advance():
    with three(4) as whole, three(4) as stepped:
        whole.advance(0.5)
        while stepped.heap[0][0] <= 0.5:
            assert stepped.step()
        assert stepped.now <= 0.5
        stepped.advance(0.5 - stepped.now)
        assert stepped.digest.hexdigest() == whole.digest.hexdigest()


def test_looking_at_the_digest_does_not_change_it():
    with three(4) as whole, three(4) as watched:
        whole.advance(2.0)
        seen = set()
        for _ in range(100):
            watched.advance(0.02)
            seen.add(watched.digest.hexdigest())
        watched.advance(max(0.0, 2.0 - watched.now))
        assert len(seen) > 50
        assert watched.digest.hexdigest() == whole.digest.hexdigest()
        assert watched.digest.blocks == whole.digest.blocks


def test_looks_change_nothing_and_come_after_everything_of_their_moment():
    seen = []

    async def says(host):
        await trio.sleep(0.5)
        host.observe(said=True)

    with open_world(says, gossip) as plain, open_world(says, gossip) as watched:
        plain.advance(1.0)
        for time in (0.5, 0.5, 0.25, 0.5):
            watched.look_at(time, lambda: seen.append((watched.now, watched.machines["n1"].observed.get("said"))))
        watched.advance(1.0)
        assert seen == [(0.25, None), (0.5, True), (0.5, True), (0.5, True)]
        assert watched.digest.hexdigest() == plain.digest.hexdigest()


def test_a_world_without_events_goes_nowhere_by_steps_and_anywhere_by_time():
    with open_world(idle) as world:
        assert world.step()  # the program begins
        assert not world.step()
        assert world.now == 0.0
        world.advance(2.5)
        assert world.now == 2.5
        assert not world.run_until(lambda: False, within=1.0)
        assert world.now == 3.5


def test_run_until_stops_at_the_event_that_makes_it_true():
    async def counts(host):
        for number in range(10):
            await trio.sleep(0.1)
            host.observe(number=number)

    with open_world(counts) as world:
        assert world.run_until(lambda: world.machines["n1"].observed.get("number") == 3, within=5.0)
        assert world.now == pytest.approx(0.4)
        assert not world.run_until(lambda: False, within=0.15)
        assert world.now == pytest.approx(0.55)
        assert world.run_until(lambda: True, within=0.0)


def test_settle_lets_hosts_begin_and_messages_arrive():
    async def asks(host):
        host.observe(answer=await host.request("n2", "question", timeout=1))
        await trio.sleep(3600)

    async def answers(host):
        message = await host.receive()
        message.reply("answer")
        await trio.sleep_forever()

    with open_world(asks, answers) as world:
        assert world.settle()
        assert world.machines["n1"].observed == {"answer": "answer"}
        assert world.now == pytest.approx(0.002)
        assert world.settle()
        assert world.now == pytest.approx(0.002)


def test_settle_gives_up_on_a_world_that_never_falls_silent():
    async def chatters(host):
        while True:
            host.send("n1", "x")
            await trio.sleep(0.0005)

    with open_world(chatters) as world:
        assert not world.settle(within=1.0)
        assert world.now == pytest.approx(1.0)


def test_time_never_goes_back():
    with three(7) as world:
        last = -math.inf
        for _ in range(3000):
            world.step()
            assert world.now >= last
            last = world.now


def test_the_simplest_world_has_one_latency_and_no_losses():
    with open_world(gossip, gossip, gossip, noise=Noise(), trace=True) as world:
        world.advance(1.0)
        sent = {event.index: event for event in world.trace if event.kind == "send"}
        delivered = [event for event in world.trace if event.kind == "deliver"]
        assert len(delivered) > 100
        assert {round(event.time - sent[event.cause].time, 9) for event in delivered} == {0.001}
        assert not [event for event in world.trace if event.kind == "drop"]


def test_two_hosts_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two hosts are called 'n1'"):
        World({"n1": idle}, clients={"n1": idle})


def test_a_world_that_was_buried_does_nothing_any_more():
    with three(1) as world:
        world.advance(0.1)
        world.bury()
        index = world.index
        world.advance(1.0)
        assert not world.step()
        assert (world.index, world.now) == (index, 0.1)
        world.bury()
