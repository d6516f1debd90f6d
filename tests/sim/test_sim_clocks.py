"""Clocks that are wrong: what each kind does to the wall clock and to the monotonic one, and a bug that each of both finds."""

import time
from itertools import pairwise
from random import Random
from typing import ClassVar

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.sim import faults
from killpoint.sim.clock import EPOCH
from killpoint.sim.codec import decode, encode
from killpoint.sim.faults import ClockDrift, ClockFreeze, ClockJump, ClockSkew, ClockStrobe
from killpoint.sim.mix import Cast, FaultMix
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Inject, Noise, Schedule
from killpoint.sim.session import run


async def reads(host):
    """Looks at both clocks ten times a second, by its own count."""
    seen = []
    while True:
        seen.append((round(trio.current_time(), 6), round(time.monotonic(), 6), round(time.time() - EPOCH, 6)))
        host.observe(seen=tuple(seen))
        await trio.sleep(0.1)


def under(fault, *, seconds=3.0):
    """What a host sees whose clock is struck after a second; (world's time, what it saw), once per wake-up."""
    with open_world(reads, idle, trace=True) as world:
        world.advance(1.0)
        assert fault.strike(world).effect == "struck"
        world.advance(seconds)
        times = [event.time for event in world.trace if event.kind == "observe" and event.host == "n1"]
        return list(zip(times, world.machines["n1"].observed["seen"], strict=True))


def test_a_clock_that_nothing_struck_is_right():
    with open_world(reads, idle) as world:
        world.advance(2.0)
        assert {one == two == three for one, two, three in world.machines["n1"].observed["seen"]} == {True}


@pytest.mark.parametrize("seconds", [3600.0, -7.5])
def test_a_skewed_wall_clock_is_wrong_and_then_right(seconds):
    seen = under(ClockSkew(target="n1", seconds=seconds, duration=1.0))
    assert all(own == mono for _, (own, mono, _) in seen)
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if 1.05 < at < 1.95} == {seconds}
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if at < 0.95 or at > 2.05} == {0.0}


def test_a_jump_stays():
    seen = under(ClockJump(target="n1", seconds=-100.0))
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if at > 1.05} == {-100.0}


def test_a_strobing_clock_is_sometimes_right():
    seen = under(ClockStrobe(target="n1", seconds=10.0, period=0.07, duration=1.5))
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if 1.05 < at < 2.45} == {0.0, 10.0}
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if at > 2.55} == {0.0}


def test_a_frozen_wall_clock_stands_still_and_time_outs_do_not():
    seen = under(ClockFreeze(target="n1", duration=1.0))
    assert {wall for at, (_, _, wall) in seen if 1.05 < at < 1.95} == {1.0}
    assert {round(wall - own, 3) for at, (own, _, wall) in seen if at > 2.05} == {0.0}
    assert all(abs(own - at) < 1e-6 for at, (own, _, _) in seen)


@pytest.mark.parametrize("rate", [2.0, 0.5, 1.01, 0.99])
def test_a_drifting_clock_wakes_its_host_too_early_or_too_late(rate):
    seen = under(ClockDrift(target="n1", rate=rate, duration=2.0))
    during = [(at, own) for at, (own, _, _) in seen if 1.15 < at < 2.95]
    steps = [round(later - at, 6) for (at, _), (later, _) in pairwise(during)]
    assert set(steps) == {round(0.1 / rate, 6)}
    assert all(abs(own - (1.0 + (at - 1.0) * rate)) < 1e-5 for at, own in during)
    after = [own - at for at, (own, _, _) in seen if at > 3.15]
    assert all(abs(wrong - 2.0 * (rate - 1.0)) < 1e-5 for wrong in after)
    assert all(own == mono == wall for _, (own, mono, wall) in seen)


def test_a_drift_outlives_its_program_and_time_outs_of_requests_are_the_hosts():
    async def asks(host):
        try:
            await host.request("n2", "anybody?", timeout=1.0)
        except trio.TooSlowError:
            host.observe(gave_up=True)
        await trio.sleep_forever()

    with open_world(asks, idle, trace=True) as world:
        ClockDrift(target="n1", rate=2.0).strike(world)
        world.advance(0.3)
        world.kill(world.machines["n1"])
        world.restart(world.machines["n1"])
        world.advance(0.45)
        assert "gave_up" not in world.machines["n1"].observed
        world.advance(0.1)
        assert world.machines["n1"].observed["gave_up"]


def test_a_dead_hosts_clock_cannot_be_struck_and_bad_parameters_are_refused():
    with open_world(idle, idle) as world:
        world.kill(world.machines["n1"])
        assert ClockSkew(target="n1").strike(world).effect == "nothing"
    for bad in (
        lambda: ClockSkew(target="n1", seconds=0.0),
        lambda: ClockJump(target="n1", seconds=float("inf")),
        lambda: ClockStrobe(target="n1", period=0.0),
        lambda: ClockDrift(target="n1", rate=1.0),
        lambda: ClockDrift(target="n1", rate=-1.0),
    ):
        with pytest.raises(ValueError, match="must be"):
            bad()


def test_every_kind_is_drawn_and_survives_its_file():
    random, cast = Random(1), Cast(("n1", "n2"))
    kinds = dict(faults.clocks())
    assert set(kinds) == {kind.kind() for kind in (ClockSkew, ClockJump, ClockStrobe, ClockFreeze, ClockDrift)}
    for draw in kinds.values():
        for _ in range(200):
            fault = draw(random, cast)
            schedule = Schedule(scenario="x", seed=1, actions=(Inject(1.0, fault),))
            assert decode(encode(schedule).encode(), "here").schedule.actions[0].fault == fault
            assert fault.describe().startswith(fault.kind())


# -- planted bugs -------------------------------------------------------------------------------------


class WentBackError(Exception):
    pass


class ExpiredError(Exception):
    pass


class StoodStillError(Exception):
    pass


async def stamps(host):
    """Orders what it does by the wall clock."""
    last = 0.0
    while True:
        now = time.time()
        if now < last:
            raise WentBackError
        if now == last:
            raise StoodStillError
        last = now
        await trio.sleep(0.02)


async def leases(host):
    """Grants a lease for 0.5 s by its own clock, and believes until then that the other host has not had it ended."""
    if host.name == "n1":
        while True:
            host.send("n2", ("held until", trio.current_time() + 0.5))
            with trio.move_on_after(0.5):
                await trio.sleep_forever()
    while True:
        _, until = (await host.receive()).body
        if until <= trio.current_time():
            raise ExpiredError


class Clocked(Scenario):
    """Two hosts that trust their clocks."""

    hosts: ClassVar = {"n1": stamps, "n2": stamps}
    calm = 0.1

    @operation()
    async def nothing(self, client):
        pass


class Leased(Clocked):
    """Two hosts that trust each other's clocks."""

    hosts: ClassVar = {"n1": leases, "n2": leases}


@pytest.mark.parametrize(
    ("kind", "scenario", "error"),
    [
        ("clock-skew", Clocked, WentBackError),
        ("clock-jump", Clocked, WentBackError),
        ("clock-strobe", Clocked, WentBackError),
        ("clock-freeze", Clocked, StoodStillError),
        ("clock-drift", Leased, ExpiredError),
    ],
)
def test_a_system_that_trusts_its_clocks_is_found_by_the_kind_that_denies_it(kind, scenario, error):
    mix = FaultMix([(name, draw) for name, draw in faults.clocks() if name == kind])
    scenario = type(scenario.__name__, (scenario,), {"faults": mix})
    quiet = [generate(scenario, 5, number).replace(noise=Noise()) for number in range(40)]
    for schedule in quiet[:10]:
        assert run(schedule.replace(actions=()), scenario).failure is None
    records = (run(schedule, scenario) for schedule in quiet)
    wanted = ("NoCrash", f"crash:{error.__name__}")
    found = next(record for record in records if record.failure is not None and record.failure.signature == wanted)
    small = shrink(scenario, found)
    (action,) = small.schedule.actions
    assert action.fault.kind() == kind
    assert run(small.schedule, scenario).digest == small.record.digest
