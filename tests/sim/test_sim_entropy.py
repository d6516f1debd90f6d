"""What programs draw is keyed by host and time: the same whatever else happens, and never the same twice."""

import trio
from sim_worlds import idle, open_world

from killpoint.sim.entropy import STRETCH, Entropy


def draws(moments, *, seed=0, kill_at=None):
    """What n1 draws at these moments (seconds), across a kill."""
    drawn = {}

    async def program(host):
        for moment in moments:
            if moment > trio.current_time():
                await trio.sleep_until(moment)
            if moment not in drawn and moment <= trio.current_time():
                drawn[moment] = host.random.random()

    with open_world(program, idle, seed=seed) as world:
        if kill_at is not None:
            world.advance(kill_at)
            world.kill(world.machines["n1"])
            world.restart(world.machines["n1"])
        world.advance(2.0)
    return drawn


def test_a_draw_less_does_not_move_the_others():
    everything = draws((0.1, 0.5, 0.9, 1.3))
    assert draws((0.1, 0.9, 1.3)) == {moment: number for moment, number in everything.items() if moment != 0.5}
    assert len(set(everything.values())) == 4


def test_a_kill_does_not_move_what_is_drawn_later():
    assert draws((0.1, 0.5, 0.9), kill_at=0.3) == draws((0.1, 0.5, 0.9))


def test_another_seed_draws_other_numbers():
    assert draws((0.1,)) != draws((0.1,), seed=1)


def test_hosts_draw_their_own_numbers_and_no_incarnation_repeats_an_earlier_one():
    drawn = []

    async def program(host):
        drawn.append(host.random.getrandbits(64))
        await trio.sleep_forever()

    with open_world(program, program) as world:
        for _ in range(50):
            world.kill(world.machines["n1"])
            world.restart(world.machines["n1"])
            world.advance(STRETCH / 10)
    assert len(drawn) == 51  # the first was killed before it drew
    assert len(set(drawn)) == 51


def test_every_method_of_a_generator_draws_from_the_stretch_at_hand():
    with open_world(idle) as world:
        methods = (
            lambda source: source.random(),
            lambda source: source.uniform(1, 2),
            lambda source: source.randrange(10**9),
            lambda source: source.sample(range(1000), 5),
            lambda source: source.gauss(0, 1),
            lambda source: source.randbytes(9),
        )
        for method in methods:
            one, other = Entropy(world, "n1"), Entropy(world, "n1")
            other.random()
            world.advance(2 * STRETCH)
            one.random()
            world.advance(2 * STRETCH)
            assert method(one) == method(other)


def test_numbers_are_spread_evenly_over_stretches():
    with open_world(idle) as world:
        source = Entropy(world, "n1")
        numbers = []
        for _ in range(500):
            world.advance(STRETCH)
            numbers.append(source.random())
    assert 0.45 < sum(numbers) / len(numbers) < 0.55
    assert len(set(numbers)) == 500


