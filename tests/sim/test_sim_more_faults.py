"""Partitions of the rarer shapes, links that flap, machines that come back with another disk or starve: what each kind does."""

from random import Random
from typing import ClassVar

import pytest
import trio
from sim_worlds import gossip, idle, open_world

from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.properties.history import Incident
from killpoint.sim import faults
from killpoint.sim.budget import impaired
from killpoint.sim.codec import decode, encode
from killpoint.sim.faults import DiskLoss, DiskSwap, Flap, OutOfMemory, Partition, SlowCpu, Swizzle
from killpoint.sim.mix import Cast, FaultMix
from killpoint.sim.partition_faults import SHAPES
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Inject, Noise, Schedule
from killpoint.sim.session import run

MIXES = faults.shapes() | faults.flaps() | faults.swizzles()
MIXES |= faults.disk_losses() | faults.disk_swaps() | faults.slow_cpus() | faults.memory_shortages()


def incidents(world, *kinds):
    """What befell the world, of these kinds, in order."""
    return [event for event in world.history if isinstance(event, Incident) and event.kind in kinds]


def neighbours(world, name):
    """Whom a host hears and whom it reaches."""
    hears = {peer for peer in world.system if not world.network.is_cut(peer, name)}
    reaches = {peer for peer in world.system if not world.network.is_cut(name, peer)}
    return hears, reaches


# -- partitions ---------------------------------------------------------------------------------------


def test_a_bridge_is_reached_by_both_halves_which_do_not_reach_each_other():
    with open_world(*[idle] * 5) as world:
        assert Partition(target="n2", shape="bridge", duration=1.0).strike(world).effect == "struck"
        assert neighbours(world, "n2") == ({"n1", "n2", "n3", "n4", "n5"},) * 2
        assert neighbours(world, "n3") == ({"n2", "n3", "n4"},) * 2
        assert neighbours(world, "n1") == ({"n1", "n2", "n5"},) * 2
        world.advance(1.5)
        assert world.network.cuts == ()


def test_in_a_ring_of_majorities_each_host_hears_a_majority_and_no_two_the_same():
    with open_world(*[idle] * 5) as world:
        Partition(target="n1", shape="majorities-ring").strike(world)
        heard = [frozenset(neighbours(world, name)[0]) for name in world.system]
        assert {len(some) for some in heard} == {3}
        assert len(set(heard)) == 5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_within_the_budget_no_shape_ever_impairs_too_many(shape, count):
    with open_world(*[idle] * count, tolerates=(count - 1) // 2) as world:
        for target in world.system:
            outcome = Partition(target=target, shape=shape).strike(world)
            assert len(impaired(world)) <= (count - 1) // 2
            assert outcome.effect in ("struck", "nothing", "over-budget")


def test_a_flapping_link_is_cut_half_of_the_time_and_then_whole():
    with open_world(gossip, gossip, gossip) as world:
        Flap(target="n1", period=0.1, duration=1.0).strike(world)
        seen = []
        for _ in range(20):
            world.advance(0.05)
            seen.append(world.network.is_cut("n1", "n2"))
        assert 8 <= sum(seen) <= 12
        world.advance(0.2)
        assert world.network.cuts == ()
        kinds = [event.kind for event in incidents(world, "cut", "heal")]
        assert kinds in (["cut", "heal"] * 5, ["cut", "heal"] * 6)


def test_a_swizzle_cuts_one_after_the_other_and_heals_in_another_order():
    with open_world(*[idle] * 5) as world:
        Swizzle(targets=("n1", "n2", "n3", "n4"), gap=0.1, duration=1.0).strike(world)
        world.advance(5.0)
        assert [event.detail["inside"] for event in incidents(world, "cut")] == [("n1",), ("n2",), ("n3",), ("n4",)]
        assert [event.detail["links"][0][1] for event in incidents(world, "heal")] == ["n3", "n4", "n1", "n2"]
        assert world.network.cuts == ()
    with open_world(*[idle] * 5, tolerates=2) as world:
        Swizzle(targets=("n1", "n2", "n3", "n4"), gap=0.1).strike(world)
        world.advance(1.0)
        assert len(impaired(world)) == 2
        world.end_faults()
        assert world.network.cuts == ()


# -- processes and machines ---------------------------------------------------------------------------


async def keeper(host):
    """Remembers on its disk how often it began, and whose disk it is."""
    begun = int(await host.disk.read("begun")) if await host.disk.exists("begun") else 0
    owner = (await host.disk.read("owner")).decode() if await host.disk.exists("owner") else host.name
    host.observe(begun=begun + 1, owner=owner)
    await host.disk.write("begun", str(begun + 1).encode())
    await host.disk.write("owner", owner.encode())
    for path in ("begun", "owner"):
        await host.disk.fsync(path)
    await host.disk.fsync_directory()
    while True:
        await trio.sleep(0.01)
        host.observe(alive=True)


def test_a_machine_that_lost_its_disk_begins_from_nothing_and_counts_as_impaired():
    with open_world(keeper, keeper, keeper, tolerates=1) as world:
        world.advance(0.5)
        outcome = DiskLoss(target="n1", duration=0.2).strike(world)
        assert (outcome.effect, outcome.hosts, outcome.detail) == ("struck", ("n1",), "2 files gone, 0 there now")
        world.advance(0.5)
        assert world.machines["n1"].observed == {"begun": 1, "owner": "n1", "alive": True}
        assert DiskLoss(target="n2").strike(world).effect == "over-budget"


def test_a_machine_with_anothers_disk_finds_what_is_durable_there():
    with open_world(keeper, keeper) as world:
        world.advance(0.5)
        assert DiskSwap(target="n1", other="n1").strike(world).effect == "nothing"
        assert DiskSwap(target="n1", other="nobody").strike(world).effect == "nothing"
        DiskSwap(target="n1", other="n2", duration=0.1).strike(world)
        world.advance(0.5)
        assert world.machines["n1"].observed == {"begun": 2, "owner": "n2", "alive": True}
        assert world.machines["n2"].observed["begun"] == 1


def test_a_starved_machine_gets_less_done_and_is_then_as_fast_as_before():
    def rounds(*, starved):
        async def counts(host):
            for number in range(10_000):
                await trio.sleep(0.01)
                host.observe(number=number)

        with open_world(counts, idle) as world:
            if starved:
                SlowCpu(target="n1", seconds=0.05, duration=1.0).strike(world)
            world.advance(1.0)
            first = world.machines["n1"].observed["number"]
            world.advance(1.0)
            return first, world.machines["n1"].observed["number"] - first

    assert rounds(starved=False)[0] >= 98
    first, second = rounds(starved=True)
    assert first <= 20
    assert second >= 95


def test_a_process_is_killed_for_its_memory_as_often_as_said():
    with open_world(keeper, keeper) as world:
        world.advance(0.5)
        OutOfMemory(target="n1", times=3, uptime=0.1, delay=0.05).strike(world)
        world.advance(2.0)
        kinds = [event.kind for event in incidents(world, "kill", "restart")]
        assert kinds == ["kill", "restart"] * 3
        assert world.machines["n1"].observed["begun"] == 4


@pytest.mark.parametrize(
    "bad",
    [
        lambda: Partition(target="n1", shape="round"),
        lambda: Flap(target="n1", period=0.0),
        lambda: Swizzle(targets=()),
        lambda: Swizzle(targets=("n1",), gap=-1.0),
        lambda: SlowCpu(target="n1", seconds=0.0),
        lambda: OutOfMemory(target="n1", times=0),
        lambda: OutOfMemory(target="n1", uptime=0.0),
    ],
)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError, match=r"must be|is no shape|needs hosts"):
        bad()


def test_every_kind_is_drawn_strikes_and_survives_its_file():
    random, cast = Random(1), Cast(("n1", "n2", "n3"))
    for _, draw in MIXES:
        effects = set()
        for _ in range(6):
            fault = draw(random, cast)
            schedule = Schedule(scenario="x", seed=1, actions=(Inject(1.0, fault),))
            assert decode(encode(schedule).encode(), "here").schedule.actions[0].fault == fault
            with open_world(keeper, keeper, keeper) as world:
                world.advance(0.1)
                effects.add(fault.strike(world).effect)
                world.advance(0.5)
                world.end_faults()
                world.advance(2.0)
                assert world.network.cuts == ()
                assert [machine.name for machine in world.machines.values() if not machine.alive or machine.paused] == []
        assert "struck" in effects


# -- planted bugs -------------------------------------------------------------------------------------


class ForgotError(Exception):
    pass


class StrangerError(Exception):
    pass


class LateError(Exception):
    pass


class TornError(Exception):
    pass


async def trusting(host):
    """Believes that it remembers, that its disk is its own, that it is on time, that it lives long enough, that peers stay."""
    promised = host.settings["promised"]
    if host.incarnation > 1 and not await host.disk.exists("promise"):
        raise ForgotError
    owner = await host.disk.read("promise") if await host.disk.exists("promise") else host.name.encode()
    if owner != host.name.encode():
        raise StrangerError
    await host.disk.write("promise", owner)
    await host.disk.fsync("promise")
    await host.disk.fsync_directory()
    if host.incarnation > 2 and promised == "settled":
        raise TornError
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beats, host)
        nursery.start_soon(_listens, host, promised)


async def _beats(host):
    while True:
        due = trio.current_time() + 0.05
        for peer in host.peers:
            host.send(peer, "beat")
        await trio.sleep_until(due)
        if host.settings["promised"] == "punctual" and trio.current_time() > due + 0.02:
            raise LateError


async def _listens(host, promised):
    heard = {}
    while True:
        message = await host.receive()
        now = trio.current_time()
        gap = now - heard.get(message.sender, now)
        if promised == "steady" and gap > 0.15 and len(heard) == len(host.peers):
            raise TornError
        heard[message.sender] = now


class Trusting(Scenario):
    """Three hosts that take much for granted."""

    hosts: ClassVar = dict.fromkeys(("n1", "n2", "n3", "n4", "n5"), trusting)
    calm = 0.1

    @operation()
    async def nothing(self, client):
        pass


@pytest.mark.parametrize(
    ("kind", "promised", "error"),
    [
        ("disk-loss", "", ForgotError),
        ("disk-swap", "", StrangerError),
        ("slow-cpu", "punctual", LateError),
        ("out-of-memory", "settled", TornError),
        ("partition", "steady", TornError),
        ("flap", "steady", TornError),
        ("swizzle", "steady", TornError),
    ],
)
def test_what_a_system_takes_for_granted_is_found_by_the_kind_that_denies_it(kind, promised, error):
    mix = FaultMix([(name, draw) for name, draw in MIXES if name == kind])
    scenario = type("Trusting", (Trusting,), {"faults": mix, "settings": {"promised": (promised,)}})
    quiet = [generate(scenario, 5, number).replace(noise=Noise()) for number in range(60)]
    for schedule in quiet[:10]:
        assert run(schedule.replace(actions=()), scenario).failure is None
    records = (run(schedule, scenario) for schedule in quiet)
    wanted = ("NoCrash", f"crash:{error.__name__}")
    found = next(record for record in records if record.failure is not None and record.failure.signature == wanted)
    small = shrink(scenario, found)
    assert small.actions <= 2
    assert {action.fault.kind() for action in small.schedule.actions} == {kind}
    assert run(small.schedule, scenario).digest == small.record.digest
