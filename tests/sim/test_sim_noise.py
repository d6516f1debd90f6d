"""Keyed noise, and the promise that shrinking rests on: a noisy run is the quiet run with its noise as overrides."""

from collections import Counter

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_worlds import ROUGH, STEADY, Register, call, gossip, idle, inject, open_world

from killpoint.explore.generate import generate
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim import codec
from killpoint.sim.faults import Kill, Partition, Pause, PowerLoss
from killpoint.sim.noise import NoiseSource, keyed_bytes, keyed_integer
from killpoint.sim.schedule import DiskNoise, MessageNoise, Noise, Schedule, TaskNoise
from killpoint.sim.session import run

KINDS = {
    "latency": Noise(latency=3.0),
    "loss": Noise(loss=0.05),
    "duplicate": Noise(duplicate=0.2),
    "reorder": Noise(reorder=0.2),
    "tasks": Noise(tasks=0.7),
    "disk": Noise(disk=8.0),
    "all": ROUGH,
    "none": Noise(),
}

BUSY = tuple(
    sorted(
        [
            *[call(0.05 * n, f"c{1 + n % 2}", "write", value=n) for n in range(1, 30)],
            *[call(0.07 * n, f"c{2 - n % 2}", "read") for n in range(1, 20)],
            inject(0.3, Kill(target="n1", duration=0.1)),
            inject(0.6, PowerLoss(target="n1", keep="subset:5", duration=0.1), "n1", "disk:fsync", 2),
            inject(0.9, Pause(target="n1", duration=0.2), "leader", "before-reply"),
            inject(1.2, Partition(target="n2", shape="inbound", duration=0.3)),
            inject(1.3, Kill(target="n1"), "n1", "disk", 3),
        ],
        key=lambda action: action.at,
    )
)


def assert_overrides_say_it_all(schedule, scenario):
    noisy = run(schedule, scenario, keep_noise=True)
    quiet = schedule.replace(noise=Noise(), overrides=noisy.noise)
    told = run(quiet, scenario, keep_noise=True)
    assert told.digest == noisy.digest
    assert told.history == noisy.history
    assert (told.verdicts, told.strikes, told.logs) == (noisy.verdicts, noisy.strikes, noisy.logs)
    assert told.statistics == noisy.statistics
    assert told.noise == noisy.noise
    return noisy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_run_is_the_quiet_one_with_its_noise_as_overrides(kind, seed):
    schedule = Schedule("Register", seed, BUSY, noise=KINDS[kind], settings={"slow": 0.01}, budget="unlimited")
    noisy = assert_overrides_say_it_all(schedule, Register)
    kinds = Counter(type(override) for override in noisy.noise)
    expected = {"tasks": {TaskNoise}, "disk": {DiskNoise}, "none": set(), "all": {TaskNoise, DiskNoise, MessageNoise}}
    assert set(kinds) <= expected.get(kind, {MessageNoise})
    assert max((Counter(override.key for override in noisy.noise)).values(), default=1) == 1


@pytest.mark.parametrize("number", range(20))
def test_also_for_generated_schedules_of_the_issuance_cluster(number):
    schedule = generate(CivicTrust, 11, number)
    if number % 2:
        schedule = schedule.replace(noise=ROUGH)
    assert_overrides_say_it_all(schedule, CivicTrust)


def test_disk_operations_that_are_under_way_when_the_noise_ends():
    """Two that overlap must not go by one name: one of them may begin after the noise has ended."""

    async def program(host):
        async def write(name):
            while True:
                await host.disk.append(name, b"x")
                host.send("n2", name)
                await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(write, name)

    def play(noise, overrides=()):
        with open_world(program, idle, noise=noise, overrides=overrides, keep=True) as world:
            world.advance(0.5)
            world.noise.calm()
            world.advance(0.5)
            return world.digest.hexdigest(), world.noise.kept

    for amount in (1.0, 5.0, 50.0):
        digest, kept = play(Noise(disk=amount))
        assert len({override.key for override in kept}) == len(kept) > 10
        assert play(Noise(), kept) == (digest, kept)


def test_overrides_survive_a_file():
    noisy = run(Schedule("Register", 3, BUSY, noise=ROUGH, budget="unlimited"), Register, keep_noise=True)
    quiet = noisy.schedule.replace(noise=Noise(), overrides=noisy.noise)
    filed = codec.decode(codec.encode(quiet).encode(), "test", Register).schedule
    assert filed == quiet
    assert run(filed, Register).digest == noisy.digest


def test_after_the_noise_has_ended_messages_and_tasks_are_in_order():
    with open_world(gossip, gossip, noise=ROUGH, keep=True, trace=True) as world:
        world.advance(1)
        world.noise.calm()
        world.advance(0.2)
        kept = len(world.noise.kept)
        calm = world.index
        world.advance(1)
        assert len(world.noise.kept) == kept > 100
        sent = {event.index: event.time for event in world.trace if event.kind == "send" and event.index > calm}
        times = {round(event.time - sent[event.cause], 9) for event in world.trace if event.cause in sent}
        assert times == {0.001}


def test_noise_of_one_kind_does_not_change_the_draws_of_another():
    kept = {}
    for name, noise in {"one": Noise(latency=2.0), "both": Noise(latency=2.0, loss=0.2, duplicate=0.2)}.items():
        source = NoiseSource(5, noise, keep=True)
        for time in range(200):
            source.message("a", "b", 1, float(time), 0, 0.001, source.amount)
        kept[name] = {override.time: override.delay for override in source.kept if not override.drop}
    assert len(kept["one"]) == 200
    assert 100 < len(kept["both"]) < 200
    assert kept["both"].items() <= kept["one"].items()


def test_a_task_order_for_another_number_of_tasks_is_not_used():
    source = NoiseSource(1, Noise(), [TaskNoise("n1", 1, 1, (1, 0)), TaskNoise("n1", 1, 2, (2, 0, 1))])
    assert source.tasks("n1", 1, 1, 2) == (1, 0)
    assert source.tasks("n1", 1, 1, 3) is None
    assert source.tasks("n1", 1, 2, 3) == (2, 0, 1)
    assert source.tasks("n2", 1, 1, 2) is None
    assert source.tasks("n1", 2, 1, 2) is None


@settings(STEADY, max_examples=200)
@given(st.integers(2, 30), st.integers(0, 2**32), st.integers(0, 5))
def test_task_orders_are_permutations(size, seed, batch):
    order = NoiseSource(seed, Noise(tasks=1.0)).tasks("n1", 1, batch, size)
    assert sorted(order) == list(range(size))


def test_all_orders_of_three_tasks_are_tried():
    source = NoiseSource(1, Noise(tasks=1.0))
    assert len({source.tasks("n1", 1, batch, 3) for batch in range(100)}) == 6


def test_an_override_of_the_task_order_is_what_happens():
    ran = []

    async def child(name):
        ran.append(name)

    async def program(host):
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(child, name)

    def order_with(overrides):
        ran.clear()
        with open_world(program, overrides=overrides) as world:
            world.advance(1)
        return "".join(ran)

    assert order_with([]) == "abc"
    assert order_with([TaskNoise("n1", 1, batch, (2, 0, 1)) for batch in range(6)]) == "cab"


def test_names_of_decisions_do_not_run_into_each_other():
    names = [("a", "b"), ("ab",), ("a", "b", ""), ("a\x1fb",), ("a", 1), ("a", "1"), (1.0,), (1,), ()]
    assert len({keyed_bytes(1, *name) for name in names}) == len(names)
    assert keyed_bytes(1, "a") != keyed_bytes(2, "a") != keyed_bytes(-1, "a")
    assert keyed_bytes(1, "a", size=8) == keyed_bytes(1, "a", size=8)
    assert 0 <= keyed_integer(2**63 - 1, "a") < 2**64


def test_the_smallest_and_largest_draws_are_within_bounds(monkeypatch):
    """A word of all ones is 1.0 as a float, whose complement has no logarithm."""
    import killpoint.sim.noise as noise_module

    class Digest:
        def __init__(self, fill):
            self.fill = fill

        def copy(self):
            return self

        def update(self, data):
            pass

        def digest(self):
            return bytes([self.fill]) * 32

    for fill in (0x00, 0xFF):
        monkeypatch.setattr(noise_module, "blake2b", lambda *_, fill=fill, **__: Digest(fill))
        source = NoiseSource(1, Noise(1.0, 0.0, 0.0, 0.5, 1.0, 1.0))
        assert 0.0 <= source.message("a", "b", 1, 0.0, 0, 0.001, source.amount)[0] < 1.0
        assert 0.0 <= source.disk("a", 1) < 1.0
        assert source.tasks("a", 1, 1, 3) in (None, (0, 1, 2), (2, 1, 0))
