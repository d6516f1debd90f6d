"""Trouble with messages: what each kind does to a host's links and to no others, and that each is found by a system that forgot it."""

from itertools import pairwise
from random import Random
from typing import ClassVar

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.sim import faults
from killpoint.sim.codec import decode, encode
from killpoint.sim.disk_trouble import DiskTrouble, DiskTroubles
from killpoint.sim.faults import Delay, Duplicate, Hold, Loss, Reorder, Throttle
from killpoint.sim.mix import Cast
from killpoint.sim.packets import packets
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Inject, Noise, Schedule
from killpoint.sim.session import run
from killpoint.sim.trouble import LinkTrouble, Trouble

MIXES = {
    "delay": faults.delays,
    "loss": faults.losses,
    "duplicate": faults.duplicates,
    "reorder": faults.reorderings,
    "throttle": faults.throttles,
    "hold": faults.holds,
}
KINDS = {kind.kind(): kind for kind in (Delay, Loss, Duplicate, Reorder, Throttle, Hold)}


def counting(heard):
    """A program that sends its peers a number every 10 ms and appends what it hears, and when, to a list."""

    async def program(host):
        async def listen():
            while True:
                message = await host.receive()
                heard.append((round(trio.current_time() - began, 6), message.sender, host.name, message.body[0]))

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            for number in range(100):
                for peer in host.peers:
                    host.send(peer, (number, b"x" * 100))
                await trio.sleep(0.01)

    return program


def heard_under(*troubles, until=1.5, seed=3):
    """What three hosts hear if faults strike at 0.095 s: (time, sender, receiver, number)."""
    heard = []
    with open_world(*[counting(heard)] * 3, seed=seed) as world:
        world.advance(0.095)
        for fault in troubles:
            assert fault.strike(world).hosts == ("n1",)
        world.advance(until)
    return heard


def between(heard, sender, to):
    return [(number, round(time - 0.01 * number, 4)) for time, by, at, number in heard if (by, at) == (sender, to)]


def test_links_of_other_hosts_are_not_troubled():
    undisturbed = [(number, 0.001) for number in range(100)]
    for kind in KINDS.values():
        heard = heard_under(kind(target="n1", duration=0.5))
        assert between(heard, "n2", "n3") == between(heard, "n3", "n2") == undisturbed
        for link in (("n1", "n2"), ("n2", "n1"), ("n1", "n3"), ("n3", "n1")):
            assert between(heard, *link) != undisturbed
            assert [item for item in between(heard, *link) if item[0] >= 90] == undisturbed[90:], "it has ended"


def test_a_delay_is_as_long_as_it_says_and_its_jitter_is_random_and_never_negative():
    late = dict(between(heard_under(Delay(target="n1", seconds=0.2, duration=0.5)), "n1", "n2"))
    assert {late[number] for number in range(10, 59)} == {0.201}
    uneven = [
        lag
        for number, lag in between(heard_under(Delay(target="n1", seconds=0.2, jitter=0.05, duration=0.5)), "n1", "n2")
        if 10 <= number < 59
    ]
    assert min(uneven) >= 0.201
    assert 0.03 < sum(uneven) / len(uneven) - 0.201 < 0.08
    assert len(set(uneven)) > 40


def test_loss_and_duplication_befall_their_share():
    assert [number for number, _ in between(heard_under(Loss(target="n1", rate=1.0, duration=0.5)), "n1", "n2") if 10 <= number < 59] == []
    some = [number for number, _ in between(heard_under(Loss(target="n1", rate=0.5, duration=0.5)), "n1", "n2") if 10 <= number < 59]
    assert 12 < len(some) < 37
    twice = [number for number, _ in between(heard_under(Duplicate(target="n1", rate=0.5, duration=0.5)), "n1", "n2")]
    assert sorted(set(twice)) == list(range(100))
    assert 112 < len(twice) < 137


def test_reordering_lets_later_messages_overtake():
    numbers = [number for number, _ in between(heard_under(Reorder(target="n1", rate=0.5, duration=0.5)), "n1", "n2")]
    assert sorted(numbers) == list(range(100))
    assert numbers != sorted(numbers)


def test_a_narrow_link_is_a_queue():
    lags = dict(between(heard_under(Throttle(target="n1", bytes_per_second=5_000.0, duration=0.5)), "n1", "n2"))
    waits = [lags[number] for number in range(10, 59)]
    assert waits == sorted(waits)
    # A message every 10 ms, of which each takes more than 20 ms: the queue grows by the difference.
    steps = {round(after - before, 4) for before, after in pairwise(waits)}
    assert len(steps) == 1
    assert 0.01 < steps.pop() < 0.03


def test_what_is_held_is_released_in_order_and_nothing_is_lost():
    heard = [(time, number) for time, by, at, number in heard_under(Hold(target="n1", duration=0.5)) if (by, at) == ("n1", "n2")]
    assert [number for _, number in heard] == list(range(100))
    assert {time for time, number in heard if 10 <= number < 60} == {0.596}


def test_several_troubles_of_one_link_add_up_and_end_at_their_own_times():
    both = dict(
        between(heard_under(Delay(target="n1", seconds=0.1, duration=0.2), Delay(target="n1", seconds=0.03, duration=0.4)), "n1", "n2")
    )
    assert {both[number] for number in range(10, 29)} == {0.131}
    assert {both[number] for number in range(30, 49)} == {0.031}
    assert {both[number] for number in range(50, 99)} == {0.001}
    held = heard_under(Hold(target="n1", duration=0.2), Hold(target="n1", duration=0.4))
    assert {time for time, by, at, number in held if (by, at) == ("n1", "n2") and 10 <= number < 50} == {0.496}


def test_the_dead_and_those_nobody_is_are_not_troubled():
    with open_world(idle, idle) as world:
        world.advance(0.1)
        world.kill(world.machines["n1"])
        for kind in KINDS.values():
            assert kind(target="n1").strike(world).effect == "nothing"
            assert kind(target="leader").strike(world).effect == "nothing"


def test_all_kinds_are_drawn_written_and_read():
    cast = Cast(("n1", "n2"), ("leader",))
    random = Random(1)
    drawn = [draw(random, cast) for _, draw in packets() for _ in range(50)]
    assert {fault.kind() for fault in drawn} == set(KINDS) == set(packets().names())
    schedule = Schedule("nowhere", seed=1, actions=tuple(Inject(0.1 * place, fault) for place, fault in enumerate(drawn)))
    assert decode(encode(schedule).encode(), "here").schedule == schedule


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Loss(target="n1", rate=0.0), "rate is 0.0: it must be a share of the messages, above 0 and at most 1"),
        (lambda: Duplicate(target="n1", rate=1.5), "rate is 1.5: it must be a share"),
        (lambda: Reorder(target="n1", rate=float("nan")), "rate is nan: it must be a share"),
        (lambda: Delay(target="n1", seconds=-1.0), "seconds is -1.0: it must be above 0, and finite"),
        (lambda: Delay(target="n1", jitter=-1.0), "jitter is -1.0: it must not be negative, and finite"),
        (lambda: Throttle(target="n1", bytes_per_second=float("inf")), "bytes_per_second is inf: it must be above 0, and finite"),
    ],
)
def test_trouble_that_cannot_be_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_each_says_how_much():
    said = [kind(target="n1").describe() for kind in KINDS.values()]
    assert said == [
        "delay n1, 0.05 s",
        "loss n1, 30% of its messages",
        "duplicate n1, 30% of its messages",
        "reorder n1, 30% of its messages",
        "throttle n1, 10,000 bytes per second",
        "hold n1",
    ]
    assert Delay(target="n1", seconds=0.1, jitter=0.02).describe() == "delay n1, 0.1 s and about 0.02 s more"


class LostError(Exception):
    """A number is missing."""


class RepeatedError(Exception):
    """A number came twice."""


class OvertakenError(Exception):
    """A number came after a later one."""


class LateError(Exception):
    """A number took longer than the network ever takes, or so its author thought."""


async def trusting(host):
    """Counts what its peer says, and takes for granted that all of it comes once, in order and soon."""

    async def listen():
        following, missing, seen = None, set(), set()
        while True:
            number, sent = (await host.receive()).body
            if number in missing:
                raise OvertakenError
            if number in seen:
                raise RepeatedError
            if trio.current_time() - sent > 0.1:
                raise LateError
            if following is not None:
                missing.update(range(following, number))
            if missing and number > min(missing) + 10:
                raise LostError
            following = number + 1
            seen.add(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        number = 0
        while True:
            for peer in host.peers:
                host.send(peer, (number, trio.current_time()))
            number += 1
            await trio.sleep(0.02)


class Trusting(Scenario):
    """Two hosts that trust their network."""

    hosts: ClassVar = {"n1": trusting, "n2": trusting}
    calm = 0.1

    @operation()
    async def nothing(self, client):
        pass


FOUND_BY = {
    "delay": LateError,
    "loss": LostError,
    "duplicate": RepeatedError,
    "reorder": OvertakenError,
    "throttle": LateError,
    "hold": LateError,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_system_takes_for_granted_is_found_by_the_kind_that_denies_it(kind):
    scenario = type("Trusting", (Trusting,), {"faults": MIXES[kind]()})
    quiet = [generate(scenario, 5, number).replace(noise=Noise()) for number in range(40)]
    for schedule in quiet[:10]:
        assert run(schedule.replace(actions=()), scenario).failure is None
    records = (run(schedule, scenario) for schedule in quiet)
    wanted = ("NoCrash", f"crash:{FOUND_BY[kind].__name__}")
    found = next(record for record in records if record.failure is not None and record.failure.signature == wanted)
    small = shrink(scenario, found)
    (action,) = small.schedule.actions
    assert isinstance(action.fault, KINDS[kind])
    assert run(small.schedule, scenario).digest == small.record.digest


def test_what_several_troubles_add_up_to_is_the_same_number_under_every_python():
    """`sum` of floats rounds differently from 3.12 on; `fsum` rounds once."""
    link, disk = LinkTrouble(Noise()), DiskTroubles()
    for seconds in (0.1, 0.2, 0.3):
        link.add(Trouble(delay=seconds))
        disk.add(DiskTrouble(slow=seconds))
    assert (link.delay, disk.slow) == (0.6, 0.6)
    assert 0.1 + 0.2 + 0.3 != 0.6
