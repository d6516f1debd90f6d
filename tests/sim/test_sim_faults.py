"""The kinds of fault: what they draw, whom they aim at, and that each of them strikes in runs that are generated."""

from random import Random

import pytest
import trio
from sim_worlds import ROUGH, Register, idle, open_world

from killpoint.explore.generate import generate
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim import faults
from killpoint.sim.fault import Fault
from killpoint.sim.faults import Cast, CompromiseKey, Kill, Partition, Pause, PowerLoss
from killpoint.sim.schedule import Noise
from killpoint.sim.session import run

CAST = Cast(("n1", "n2", "n3"), ("leader",), ("k1",))
MIXES = {
    "kill": faults.kills(),
    "power-loss": faults.power_losses(),
    "pause": faults.pauses(),
    "partition": faults.partitions(),
    "compromise-key": faults.key_compromise(),
}


def test_every_kind_of_fault_strikes_in_some_generated_schedule_and_some_do_nothing():
    struck, effects = set(), set()
    for number in range(200):
        record = run(generate(CivicTrust, 4, number), CivicTrust)
        struck |= {strike.fault for strike in record.strikes if strike.struck}
        effects |= {strike.effect for strike in record.strikes}
        if struck >= set(MIXES) and len(effects) == 4:
            break
    assert struck >= set(MIXES)
    assert effects == {"struck", "nothing", "over-budget", "never-reached"}
    assert number < 60


def test_the_dead_and_the_paused_do_nothing_in_any_generated_run():
    """Whatever the boundary; only the rest of a step, at the very moment, still belongs to a host that is paused as it sends."""
    assert sum(events_beside_the_dead_and_the_paused(number) for number in range(12)) > 1000


def events_beside_the_dead_and_the_paused(number):
    schedule = generate(CivicTrust, 6, number, budget="unlimited").replace(noise=ROUGH if number % 2 else Noise())
    dead, paused, silent = set(), {}, 0
    for event in run(schedule, CivicTrust, trace=True).trace:
        match event.kind:
            case "kill" | "power-loss" | "crash" | "exit":
                dead.add(event.host)
                paused.pop(event.host, None)
            case "restart":
                dead.discard(event.host)
            case "pause":
                paused[event.host] = event.time
            case "resume":
                del paused[event.host]
            case "send" | "deliver" | "disk" | "observe" | "killpoint" | "log" | "invoke":
                assert event.host not in dead
                assert event.time <= paused.get(event.host, event.time)
                silent += bool(dead or paused)
    return silent


@pytest.mark.parametrize("kind", MIXES)
def test_mixes_draw_faults_of_their_kind(kind):
    ((name, draw),) = MIXES[kind]
    random = Random(1)
    drawn = [draw(random, CAST) for _ in range(300)]
    assert name == kind
    assert {fault.kind() for fault in drawn} == {kind}
    assert all(0 < fault.duration < 60 for fault in drawn)
    if kind != "compromise-key":
        assert {fault.target for fault in drawn} == {"n1", "n2", "n3", "leader"}
    if kind == "power-loss":
        assert {fault.keep.partition(":")[0] for fault in drawn} == {"none", "all", "prefix", "subset"}
    if kind == "partition":
        assert {fault.shape for fault in drawn} == {"isolate", "inbound", "outbound", "halves"}


def test_mixes_are_joined():
    mix = faults.kills() | faults.pauses() | faults.partitions()
    assert list(mix.names()) == ["kill", "pause", "partition"]
    assert isinstance(mix | faults.kills(), faults.FaultMix)


def test_without_roles_only_hosts_are_struck():
    random = Random(1)
    ((_, draw),) = faults.kills()
    assert {draw(random, Cast(("n1", "n2"))).target for _ in range(100)} == {"n1", "n2"}


def test_faults_describe_themselves_in_a_line():
    assert Kill(target="n1", duration=2.0).describe() == "kill n1"
    assert PowerLoss(target="leader", keep="prefix:3").describe() == "power-loss leader prefix:3"
    assert Partition(target="n1", shape="halves").describe() == "partition n1 halves"
    assert CompromiseKey(issuer="registry").describe() == "compromise-key registry"


def test_every_kind_has_a_name_of_its_own():
    assert set(MIXES) <= set(Fault.registry)
    assert all(kind.kind() == name for name, kind in Fault.registry.items())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PowerLoss(target="n1", keep="half"), "'half' does not say what a power loss keeps"),
        (lambda: Partition(target="n1", shape="round"), "'round' is no shape of a partition: isolate, inbound, outbound, halves, bridge"),
    ],
)
def test_faults_that_cannot_be_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_kind_that_does_not_say_how_it_strikes_is_refused():
    class Vague(Fault, frozen=True):
        """Says nothing."""

    try:
        with open_world(idle) as world, pytest.raises(TypeError, match="Vague does not say how it strikes"):
            Vague().strike(world)
    finally:
        Fault.registry.pop("vague")


async def holds(host):
    """The role that its host's name says, with a term."""
    roles = {"n1": ("leader", 3), "n2": ("leader", 5), "n3": ("follower", 9), "n4": ("leader", 5)}
    role, term = roles[host.name]
    host.observe(role=role, term=term)
    await trio.sleep_forever()


def test_a_role_means_the_live_holder_with_the_highest_term_then_by_name():
    with open_world(holds, holds, holds, holds) as world:
        world.advance(0.1)
        order = []
        while (machine := world.resolve("leader")) is not None:
            order.append(machine.name)
            world.kill(machine)
        assert order == ["n2", "n4", "n1"]
        assert world.resolve("follower").name == "n3"
        assert world.resolve("king") is None
        assert world.resolve("n1") is None
        assert world.resolve("n3").name == "n3"


@pytest.mark.parametrize("term", [None, "high", 2.5, ()])
def test_a_term_that_is_no_number_counts_as_none(term):
    async def odd(host):
        host.observe(role="leader", term=term)
        await trio.sleep_forever()

    async def even(host):
        host.observe(role="leader", term=1)
        await trio.sleep_forever()

    with open_world(odd, even) as world:
        world.advance(0.1)
        assert world.resolve("leader").name == "n2"


def test_the_keys_of_a_power_loss_tell_what_it_kept():
    async def writes(host):
        await host.disk.write("a", b"x" * 1024)
        await trio.sleep_forever()

    with open_world(writes) as world:
        world.advance(0.1)
        outcome = PowerLoss(target="n1", keep="prefix:2", duration=1.0).strike(world)
        assert (outcome.effect, outcome.hosts, outcome.detail) == ("struck", ("n1",), "kept 2 of 3 units not yet synced")


def test_one_pause_does_not_end_another():
    with open_world(idle, idle) as world:
        world.advance(0.1)
        machine = world.machines["n1"]
        assert Pause(target="n1", duration=1.0).strike(world).effect == "struck"
        world.advance(0.5)
        world.kill(machine)
        world.restart(machine)
        assert Pause(target="n1", duration=2.0).strike(world).effect == "struck"
        world.advance(1.0)
        assert machine.paused  # the first one's end is not for this life
        world.advance(1.0)
        assert not machine.paused


def test_a_host_that_died_and_came_back_is_not_restarted_by_an_old_kill():
    with open_world(idle, idle) as world:
        world.advance(0.1)
        machine = world.machines["n1"]
        Kill(target="n1", duration=1.0).strike(world)
        world.restart(machine)
        world.advance(2.0)
        assert machine.incarnation == 2


def test_generated_schedules_only_name_what_the_scenario_has():
    for number in range(30):
        for action in generate(Register, 3, number).actions:
            target = getattr(getattr(action, "fault", None), "target", None)
            assert target in (None, "any", "n1", "n2", "n3", "leader")
