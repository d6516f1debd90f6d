"""Messages and disks that say what nobody wrote, and several hosts that go down at once: what each kind does, and a bug that it finds."""

from random import Random
from typing import ClassVar

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from sim_worlds import STEADY, idle, open_world

from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.sim import faults
from killpoint.sim.clock import EPOCH
from killpoint.sim.codec import decode, encode
from killpoint.sim.corruption import corrupted
from killpoint.sim.faults import Corrupt, Kill, MisdirectedWrite, Pause, PowerLoss, TruncatedFile
from killpoint.sim.mix import Cast
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Inject, Noise, Schedule
from killpoint.sim.session import run
from killpoint.sim.world import World

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def shape(value):
    """What a value is made of, without its content."""
    if isinstance(value, tuple):
        return tuple(map(shape, value))
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return type(value), len(value) if isinstance(value, str | bytes) else None


@STEADY
@given(VALUES, st.integers(0, 2**32))
def test_what_is_corrupt_has_the_same_shape_and_one_part_at_most_is_other(value, number):
    other = corrupted(value, number)
    assert shape(other) == shape(value)
    assert corrupted(value, number) == other


@pytest.mark.parametrize("value", [True, 5, 2.5, "abc", b"abc", (1, "a"), {"k": 1}])
def test_what_has_content_is_changed(value):
    assert all(corrupted(value, number) != value for number in range(64))


def test_a_share_of_the_messages_arrives_corrupt_and_the_same_ones_again():
    async def sender(host):
        for number in range(400):
            host.send("n2", ("number", number))
            await trio.sleep(0.001)

    async def receiver(host):
        heard = []
        while True:
            heard.append((await host.receive()).body)
            host.observe(heard=tuple(heard))

    def play(rate):
        with open_world(sender, receiver) as world:
            Corrupt(target="n1", rate=rate).strike(world)
            world.advance(2.0)
            return world.machines["n2"].observed["heard"]

    heard = play(0.25)
    wrong = [body for number, body in enumerate(heard) if body != ("number", number)]
    assert 60 < len(wrong) < 140
    assert play(0.25) == heard
    assert all(isinstance(word, str) and isinstance(number, int) for word, number in heard)
    assert all(body != ("number", number) for number, body in enumerate(play(1.0)))


def test_segments_have_checksums_so_a_corrupt_one_is_lost_and_sent_again():
    async def server(host):
        async def handle(stream):
            async for data in stream:
                await stream.send_all(data)

        await trio.serve_tcp(handle, 8000)

    async def client(host):
        await trio.sleep(0.1)
        stream = await trio.open_tcp_stream("s", 8000)
        for number in range(50):
            await stream.send_all(b"%04d" % number)
            assert await stream.receive_some() == b"%04d" % number
        host.observe(done=True)

    world = World({"s": server, "c": client}, trace=True)
    world.boot()
    Corrupt(target="c", rate=0.2).strike(world)
    world.advance(60)
    assert world.machines["c"].observed == {"done": True}
    assert {event.detail["why"] for event in world.trace if event.kind == "drop"} == {"corrupt"}


async def two_sectors(host):
    if not await host.disk.exists("a"):
        await host.disk.write("a", b"1" * 512 + b"2" * 512)
        await host.disk.fsync("a")
        await host.disk.fsync_directory()
    await trio.sleep(1.0)
    await host.disk.write("a", b"X" * 10)
    await host.disk.append("a", b"Y" * 10)
    await host.disk.fsync("a")
    await trio.sleep_forever()


def test_a_misdirected_write_lands_a_sector_further_and_counts_to_the_end():
    with open_world(two_sectors, idle, idle, tolerates=1) as world:
        world.advance(0.5)
        assert MisdirectedWrite(target="n1", duration=1.0).strike(world).effect == "struck"
        world.advance(3.0)
        content = world.machines["n1"].disk.read("a")
        assert content[:10] == b"1" * 10
        assert content[512:522] == b"X" * 10
        assert content[1024:] == bytes(512) + b"Y" * 10
        assert MisdirectedWrite(target="n2").strike(world).effect == "over-budget"


def test_a_truncated_file_is_short_for_good():
    with open_world(two_sectors) as world:
        assert TruncatedFile(target="n1").strike(world).effect == "nothing"
        world.advance(0.5)
        assert TruncatedFile(target="n1", place=7).strike(world).detail == "a lost 512 bytes"
        assert world.machines["n1"].disk.read("a") == b"1" * 512
        PowerLoss(target="n1", keep="all", duration=0.1).strike(world)
        assert world.machines["n1"].disk.read("a") == b"1" * 512


@pytest.mark.parametrize(("target", "count"), [("minority", 2), ("majority", 3), ("all", 5), ("2", 2), ("n4", 1)])
def test_a_target_may_be_a_number_of_hosts_which_go_down_at_the_same_moment(target, count):
    def struck(seed):
        with open_world(*[idle] * 5, seed=seed) as world:
            world.advance(0.1)
            outcome = Kill(target=target, duration=0.5).strike(world)
            assert outcome.effect == "struck"
            assert [name for name in world.system if not world.machines[name].alive] == sorted(outcome.hosts)
            world.advance(1.0)
            assert all(machine.alive for machine in world.machines.values())
            return outcome.hosts

    assert {len(struck(seed)) for seed in range(8)} == {count}
    assert struck(3) == struck(3)
    if 1 < count < 5:
        assert len({frozenset(struck(seed)) for seed in range(20)}) > 3


OF_SEVERAL = [
    Pause(target="minority", duration=0.2),
    faults.SlowCpu(target="minority", duration=0.2),
    faults.OutOfMemory(target="minority", times=1),
    faults.DiskLoss(target="minority", duration=0.2),
    faults.SlowDisk(target="minority", duration=0.2),
    faults.LostFsync(target="minority", duration=0.2),
    faults.ClockSkew(target="minority", duration=0.2),
    faults.ClockDrift(target="minority", duration=0.2),
    faults.Loss(target="minority", duration=0.2),
    faults.Hold(target="minority", duration=0.2),
]


@pytest.mark.parametrize("fault", OF_SEVERAL, ids=lambda fault: fault.kind())
def test_what_befalls_one_host_can_befall_several_and_ends_for_all(fault):
    with open_world(*[idle] * 5, tolerates=2) as world:
        world.advance(0.1)
        outcome = fault.strike(world)
        assert (outcome.effect, len(outcome.hosts)) == ("struck", 2)
        world.advance(1.0)
        machines = world.machines.values()
        assert all(machine.alive and not machine.paused and not machine.slow and not machine.disk_troubles for machine in machines)
        assert {round(machine.clock.wall() - EPOCH, 2) for machine in machines} <= {1.1, 1.12}
        assert world.network._troubles == {}


def test_more_hosts_than_the_system_tolerates_are_over_budget_together():
    with open_world(*[idle] * 5, tolerates=2) as world:
        assert Kill(target="majority").strike(world).effect == "over-budget"
        assert PowerLoss(target="minority").strike(world).effect == "struck"
        assert Pause(target="minority").strike(world).effect == "nothing"


def test_every_kind_is_drawn_and_survives_its_file():
    random, cast = Random(1), Cast(("n1", "n2", "n3"))
    for _, draw in faults.corruptions() | faults.misdirected_writes() | faults.truncated_files() | faults.outages():
        for _ in range(50):
            fault = draw(random, cast)
            schedule = Schedule(scenario="x", seed=1, actions=(Inject(1.0, fault),))
            assert decode(encode(schedule).encode(), "here").schedule.actions[0].fault == fault


# -- planted bugs -------------------------------------------------------------------------------------


class BelievedError(Exception):
    pass


async def believes(host):
    """Believes what it is told, and what it reads."""
    record = b"%08d" % 7 * 64
    if await host.disk.exists("log"):
        content = await host.disk.read("log")
        if content != record * (len(content) // len(record)) or not content:
            raise BelievedError
    await host.disk.write("log", record)
    await host.disk.fsync("log")
    await host.disk.fsync_directory()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tells, host)
        nursery.start_soon(_rewrites, host, record)
        while True:
            if (await host.receive()).body != ("fact", 7):
                raise BelievedError


async def _tells(host):
    while True:
        for peer in host.peers:
            host.send(peer, ("fact", 7))
        await trio.sleep(0.05)


async def _rewrites(host, record):
    while True:
        await trio.sleep(0.05)
        await host.disk.write("log", record)
        if await host.disk.read("log") != record:
            raise BelievedError


class Believing(Scenario):
    """Three hosts that check nothing."""

    hosts: ClassVar = dict.fromkeys(("n1", "n2", "n3"), believes)
    calm = 0.1

    @operation()
    async def nothing(self, client):
        pass


@pytest.mark.parametrize("mix", [faults.corruptions, faults.misdirected_writes, faults.truncated_files], ids=lambda mix: mix.__name__)
def test_a_system_that_checks_nothing_is_found_by_the_kind_that_lies(mix):
    scenario = type("Believing", (Believing,), {"faults": mix()})
    quiet = [generate(scenario, 5, number).replace(noise=Noise()) for number in range(40)]
    for schedule in quiet[:10]:
        assert run(schedule.replace(actions=()), scenario).failure is None
    records = (run(schedule, scenario) for schedule in quiet)
    found = next(record for record in records if record.failure is not None)
    assert found.failure.signature == ("NoCrash", "crash:BelievedError")
    small = shrink(scenario, found)
    (action,) = small.schedule.actions
    assert action.fault.kind() == next(name for name, _ in mix())
    assert run(small.schedule, scenario).digest == small.record.digest
