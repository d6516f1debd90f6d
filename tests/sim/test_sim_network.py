"""The network: latency, loss, duplication, reordering, cuts, partitions of every shape."""

from itertools import pairwise, permutations

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.sim.faults import Partition
from killpoint.sim.machine import UnknownHost
from killpoint.sim.schedule import MessageNoise, Noise


def numbers(count, gap=0.0, to="n2"):
    """Sends 0, 1, 2, ... one by one."""

    async def program(host):
        await trio.sleep(0.1)
        for number in range(count):
            host.send(to, number)
            if gap:
                await trio.sleep(gap)

    return program


async def hears(host):
    while True:
        message = await host.receive()
        host.observe(heard=(message.sender, message.body, trio.current_time()))


def heard(world, name="n2"):
    return [event.values["heard"] for event in world.history if hasattr(event, "values") and event.host == name]


def bodies(world, name="n2"):
    return [body for _, body, _ in heard(world, name)]


def test_messages_take_their_links_latency_and_keep_their_order():
    with open_world(numbers(5), hears) as world:
        world.advance(1)
        assert heard(world) == [("n1", number, 0.101) for number in range(5)]
        assert (world.network.sent, world.network.delivered, world.network.dropped) == (5, 5, 0)


def test_a_host_can_send_to_itself():
    async def program(host):
        host.send("n1", "me")
        await hears(host)

    with open_world(program) as world:
        world.advance(1)
        assert heard(world, "n1") == [("n1", "me", 0.001)]


def test_arrivals_of_one_moment_come_in_the_order_of_their_senders():
    with open_world(numbers(2, to="n4"), numbers(2, to="n4"), numbers(2, to="n4"), hears) as world:
        world.advance(1)
        assert [(sender, body) for sender, body, _ in heard(world, "n4")] == [
            (sender, number) for sender in ("n1", "n2", "n3") for number in range(2)
        ]


def test_random_latency_is_never_negative_and_scales_with_the_noise():
    def latencies(amount):
        with open_world(numbers(300, gap=0.001), hears, noise=Noise(latency=amount), trace=True) as world:
            world.advance(5)
            sent = {event.index: event.time for event in world.trace if event.kind == "send"}
            return [event.time - sent[event.cause] for event in world.trace if event.kind == "deliver"]

    for amount in (0.5, 5.0):
        found = latencies(amount)
        assert len(found) == 300
        assert min(found) >= 0.001 - 1e-12
        mean = sum(found) / 300 - 0.001
        assert 0.7 * amount * 0.001 < mean < 1.4 * amount * 0.001


def test_loss_loses_about_its_share():
    with open_world(numbers(1000, gap=0.001), hears, noise=Noise(loss=0.2)) as world:
        world.advance(5)
        assert 120 < world.network.dropped < 280
        assert world.network.delivered + world.network.dropped == 1000
        assert bodies(world) == sorted(bodies(world))


def test_duplication_delivers_the_same_message_twice():
    with open_world(numbers(1000, gap=0.001), hears, noise=Noise(duplicate=0.2)) as world:
        world.advance(5)
        assert sorted(set(bodies(world))) == list(range(1000))
        assert 120 < len(bodies(world)) - 1000 < 280
        assert max(map(bodies(world).count, range(1000))) == 2


def test_reordering_holds_messages_back_behind_later_ones():
    with open_world(numbers(1000, gap=0.001), hears, noise=Noise(reorder=0.1)) as world:
        world.advance(5)
        assert sorted(bodies(world)) == list(range(1000))
        assert 50 < sum(later < earlier for earlier, later in pairwise(bodies(world))) < 150


def test_noise_is_a_function_of_the_seed():
    noise = Noise(latency=2.0, loss=0.1, duplicate=0.1, reorder=0.1)

    def run(seed):
        with open_world(numbers(100, gap=0.001), hears, noise=noise, seed=seed) as world:
            world.advance(5)
            return heard(world)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_taking_one_thing_out_leaves_the_noise_of_everything_else():
    """Noise is keyed by what it decides; with a stream, every later message would fare differently."""
    noise = Noise(latency=2.0, loss=0.1, duplicate=0.1, reorder=0.1)

    def fates(*, without):
        async def sender(host):
            await trio.sleep(0.1)
            for number in range(200):
                if number != without:
                    host.send("n2", number)
                host.send("n3", number)
                await trio.sleep(0.001)

        with open_world(sender, hears, hears, numbers(100, gap=0.002), noise=noise) as world:
            world.advance(5)
            return [[(sender, body, time) for sender, body, time in heard(world, name)] for name in ("n2", "n3")]

    whole, less = fates(without=None), fates(without=20)
    assert 20 in [body for sender, body, _ in whole[0] if sender == "n1"]
    assert [item for item in whole[0] if item[:2] != ("n1", 20)] == less[0]
    assert whole[1] == less[1]


def test_an_override_decides_about_one_message_and_no_other():
    overrides = [
        MessageNoise("n1", "n2", 1, 0.1, 0, drop=True),
        MessageNoise("n1", "n2", 1, 0.1, 2, delay=0.5),
        MessageNoise("n1", "n2", 1, 0.1, 3, duplicate=0.25),
        MessageNoise("n1", "n2", 2, 0.1, 4, drop=True),
        MessageNoise("n1", "n3", 1, 0.1, 4, drop=True),
    ]
    with open_world(numbers(5), hears, hears, overrides=overrides) as world:
        world.advance(2)
        assert [(body, round(time, 6)) for _, body, time in heard(world)] == [
            (1, 0.101),
            (3, 0.101),
            (4, 0.101),
            (3, 0.351),
            (2, 0.601),
        ]


def test_the_dead_hear_nothing_and_the_trace_says_why():
    with open_world(numbers(3, gap=0.1), hears, trace=True) as world:
        world.advance(0.15)
        world.kill(world.machines["n2"])
        world.advance(1)
        assert bodies(world) == [0]
        assert [event.detail["why"] for event in world.trace if event.kind == "drop"] == ["dead", "dead"]


# -- cuts ---------------------------------------------------------------------------------------------


def test_cuts_are_directed():
    with open_world(numbers(2, to="n2"), numbers(2, to="n1")) as world:
        world.network.cut([("n1", "n2")])
        assert (world.network.is_cut("n1", "n2"), world.network.is_cut("n2", "n1")) == (True, False)
        world.advance(1)
        assert (world.network.delivered, world.network.dropped) == (0, 4)  # the programs have ended, so nobody hears

    async def both(host):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(numbers(2, to="n2" if host.name == "n1" else "n1"), host)
            nursery.start_soon(hears, host)

    with open_world(both, both) as world:
        world.network.cut([("n1", "n2")])
        world.advance(1)
        assert (bodies(world, "n1"), bodies(world, "n2")) == ([0, 1], [])


def test_cuts_are_counted_so_overlapping_ones_end_independently():
    with open_world(idle, idle) as world:
        network = world.network
        network.cut([("n1", "n2"), ("n2", "n1")])
        network.cut([("n1", "n2")])
        network.heal([("n1", "n2"), ("n2", "n1")])
        assert network.cuts == (("n1", "n2"),)
        network.heal([("n1", "n2")])
        network.heal([("n1", "n2")])
        assert network.cuts == ()
        network.cut([("n1", "n2")])
        assert network.is_cut("n1", "n2")
        network.heal_all()
        assert not network.is_cut("n1", "n2")


def test_a_message_is_lost_if_its_link_is_cut_when_it_is_sent_or_when_it_arrives():
    async def sends(host):
        for moment in range(1, 5):
            await trio.sleep_until(moment)
            host.send("n2", moment)

    with open_world(sends, hears, trace=True) as world:
        network = world.network
        world.look_at(1.0005, lambda: network.cut([("n1", "n2")]))  # under way: cut at arrival
        world.look_at(2.0005, network.heal_all)  # cut when it was sent
        world.look_at(3.0002, lambda: network.cut([("n1", "n2")]))
        world.look_at(3.0004, network.heal_all)  # cut and healed while under way
        world.advance(5)
        assert bodies(world) == [3, 4]
        assert [(event.detail["body"], event.detail["why"]) for event in world.trace if event.kind == "drop"] == [
            (1, "cut"),
            (2, "cut"),
        ]


SHAPES = {
    "isolate": lambda inside, a, b: (a in inside) != (b in inside),
    "halves": lambda inside, a, b: (a in inside) != (b in inside),
    "inbound": lambda inside, a, b: b in inside and a not in inside,
    "outbound": lambda inside, a, b: a in inside and b not in inside,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", range(1, 8))
def test_every_shape_of_a_partition_cuts_exactly_its_links_and_heals(shape, size):
    with open_world(*[idle] * size, clients={"c1": idle}) as world:
        names = list(world.system)
        for place, target in enumerate(names):
            outcome = Partition(target=target, shape=shape, duration=1.0).strike(world)
            if size == 1:
                assert outcome.effect == "nothing"
                assert world.network.cuts == ()
                continue
            width = max((size - 1) // 2, 1) if shape == "halves" else 1
            inside = [names[(place + step) % size] for step in range(width)]
            assert (outcome.effect, list(outcome.hosts)) == ("struck", inside)
            expected = {link for link in permutations(names, 2) if SHAPES[shape](inside, *link)}
            assert set(world.network.cuts) == expected
            assert len(inside) * 2 <= size
            world.advance(1.5)
            assert world.network.cuts == ()


def test_partitions_of_others_than_system_hosts_do_nothing():
    with open_world(idle, idle, clients={"c1": idle}) as world:
        for target in ("c1", "n9", "leader"):
            assert Partition(target=target).strike(world).effect == "nothing"


def test_overlapping_partitions_end_at_their_own_times():
    with open_world(idle, idle, idle) as world:
        Partition(target="n1", duration=1.0).strike(world)
        Partition(target="n2", duration=2.0).strike(world)
        world.advance(1.5)
        assert set(world.network.cuts) == {("n1", "n2"), ("n2", "n1"), ("n2", "n3"), ("n3", "n2")}
        world.advance(1.0)
        assert world.network.cuts == ()


# -- what may be sent ---------------------------------------------------------------------------------


def test_sending_to_nobody_is_an_error_that_names_who_there_is():
    async def program(host):
        with pytest.raises(UnknownHost, match="n1 sends to 'n9', but this world has only n1, n2, c1"):
            host.send("n9", "x")
        with pytest.raises(UnknownHost):
            await host.request("n9", "x", timeout=1)
        host.observe(done=True)

    with open_world(program, idle, clients={"c1": idle}) as world:
        world.advance(1)
        assert world.machines["n1"].observed == {"done": True}
