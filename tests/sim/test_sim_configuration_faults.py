"""Hosts that join and leave, and deployments: who runs what, who knows whom, and what the budget says."""

from contextlib import suppress
from functools import partial
from random import Random
from typing import ClassVar

import pytest

from killpoint import Client, Scenario, operation
from killpoint.properties.history import Incident
from killpoint.sim.configuration_faults import AddHost, RemoveHost, RollingRestart
from killpoint.sim.faults import every
from killpoint.sim.mix import drawn
from killpoint.sim.noise import keyed_integer
from killpoint.sim.schedule import Call, Inject, Schedule
from killpoint.sim.session import Session
from killpoint.sim.validation import validated


async def node(version, host):
    """Says what it is, and counts its beginnings on its disk."""
    begun = b""
    with suppress(OSError):
        await host.disk.append("begun", version.encode())
        await host.disk.fsync("begun")
        await host.disk.fsync_directory()
        begun = await host.disk.read("begun")
    host.observe(version=version, peers=host.peers, begun=begun)
    while True:
        message = await host.receive()
        if message.sender == "world":
            host.observe(told=message.body)
        else:
            message.reply(version)


class Fleet(Scenario):
    hosts: ClassVar = dict.fromkeys(("n1", "n2", "n3"), partial(node, "1"))
    spares: ClassVar = dict.fromkeys(("n4", "n5"), partial(node, "1"))
    versions: ClassVar = {"second": dict.fromkeys(("n1", "n2", "n3", "n4"), partial(node, "2"))}
    clients = 1

    def added(self, world, host):
        world.tell("n1", ("added", host))

    def removed(self, world, host):
        world.tell("n2", ("removed", host))

    @operation(host=("n1", "n2", "n3"))
    async def ask(self, client: Client, host: str) -> object:
        return await client.request(host, "version", timeout=1)


_begun = []


@pytest.fixture(autouse=True)
def closed():
    """No session outlives its test: while one is open nothing else collects garbage."""
    yield
    while _begun:
        _begun.pop().close()


def session(*faults, budget="unlimited"):
    begun = Session(Fleet, budget=budget)
    _begun.append(begun)
    for at, fault in faults:
        begun.apply(Inject(at, fault))
    return begun


def observed(begun, name):
    return begun.world.machines[name].observed


def test_a_spare_host_runs_from_when_it_is_added_and_later_beginnings_know_of_it():
    begun = session()
    begun.advance_to(0.9)
    assert not begun.world.machines["n4"].alive
    for at, target in ((1.0, ""), (2.0, "n5"), (3.0, "")):
        begun.apply(Inject(at, AddHost(spare=target)))
    begun.advance_to(4.0)
    assert observed(begun, "n1")["told"] == ("added", "n5")
    assert observed(begun, "n4")["peers"] == ("n1", "n2", "n3")
    assert observed(begun, "n5")["peers"] == ("n1", "n2", "n3", "n4")
    assert observed(begun, "n1")["peers"] == ("n2", "n3")
    begun.world.kill(begun.world.machines["n1"])
    begun.world.restart(begun.world.machines["n1"])
    begun.advance_to(4.1)
    assert observed(begun, "n1")["peers"] == ("n2", "n3", "n4", "n5")
    record = begun.finish()
    assert [(strike.effect, strike.hosts) for strike in record.strikes] == [("struck", ("n4",)), ("struck", ("n5",)), ("nothing", ())]
    assert [(event.kind, event.host) for event in record.history if isinstance(event, Incident) and event.kind == "add"] == [
        ("add", "n4"),
        ("add", "n5"),
    ]


def test_a_spare_that_nobody_adds_never_runs():
    begun = session()
    begun.calm()
    assert [name for name, machine in begun.world.machines.items() if machine.alive] == ["n1", "n2", "n3", "c1"]
    assert begun.finish().failure is None


def test_a_host_that_is_removed_never_comes_back_and_counts_as_impaired():
    begun = session((1.0, RemoveHost(target="n3")), (2.0, RemoveHost(target="n2")), (3.0, RemoveHost(target="n3")), budget="quorum-safe")
    begun.calm()
    assert not begun.world.machines["n3"].alive
    assert begun.world.members == ("n1", "n2")
    assert observed(begun, "n2")["told"] == ("removed", "n3")
    assert [(strike.fault, strike.effect) for strike in begun.finish().strikes] == [
        ("remove-host", "struck"),
        ("remove-host", "over-budget"),
        ("remove-host", "nothing"),
    ]


def test_the_last_member_is_not_removed():
    begun = session(*((1.0, RemoveHost(target=name)) for name in ("n1", "n2", "n3")))
    assert begun.world.members == ("n3",)


def test_a_deployment_restarts_one_after_the_other_with_the_new_version_on_the_old_disk():
    begun = session((1.0, RollingRestart(version="second", gap=0.5, downtime=0.1)))
    begun.advance_to(1.3)
    assert [observed(begun, name)["version"] for name in ("n1", "n2", "n3")] == ["2", "1", "1"]
    begun.advance_to(2.3)
    assert [observed(begun, name)["begun"] for name in ("n1", "n2", "n3")] == [b"12"] * 3
    begun.apply(Inject(2.4, AddHost()))
    begun.advance_to(2.5)
    assert observed(begun, "n4")["version"] == "1"
    record = begun.finish()
    kills = [(event.kind, event.host) for event in record.history if isinstance(event, Incident) and event.kind in ("kill", "restart")]
    assert kills == [(kind, host) for host in ("n1", "n2", "n3") for kind in ("kill", "restart")]


def test_a_deployment_can_be_rolled_back_and_what_is_left_of_it_happens_before_the_calm():
    begun = session((1.0, RollingRestart(version="second", gap=0.2, downtime=0.05, duration=1.0)))
    begun.advance_to(1.9)
    assert [observed(begun, name)["version"] for name in ("n1", "n2", "n3")] == ["2"] * 3
    begun.advance_to(2.9)
    assert [observed(begun, name)["begun"] for name in ("n1", "n2", "n3")] == [b"121"] * 3
    begun.apply(Inject(3.0, RollingRestart(version="second", gap=0.9, downtime=0.1)))
    begun.calm()
    assert [observed(begun, name)["version"] for name in ("n1", "n2", "n3")] == ["2"] * 3
    assert not begun.world.stopped


def test_a_deployment_spares_hosts_that_are_needed():
    begun = session((0.5, RemoveHost(target="n3")), (1.0, RollingRestart(gap=0.2)), budget="quorum-safe")
    begun.advance_to(3.0)
    assert [begun.world.machines[name].incarnation for name in ("n1", "n2", "n3")] == [1, 1, 1]


def test_a_version_that_there_is_not_does_nothing_and_a_plain_restart_needs_none():
    begun = session((1.0, RollingRestart(version="third")), (2.0, RollingRestart(gap=0.1)))
    begun.advance_to(4.0)
    assert [observed(begun, name)["begun"] for name in ("n1", "n2", "n3")] == [b"11"] * 3
    assert [strike.effect for strike in begun.finish().strikes] == ["nothing", "struck"]


def test_parameters_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match=r"gap is 0.0: it must be above 0"):
        RollingRestart(gap=0.0)
    with pytest.raises(ValueError, match="downtime is inf"):
        RollingRestart(downtime=float("inf"))


def test_what_is_wrong_with_versions_and_spares_is_said():
    kinds = {
        "`versions` maps names to programs by host": {"versions": ["second"]},
        "version 'second' maps names of hosts to their programs": {"versions": {"second": {"n9": node}}},
        "it has two hosts called 'n1'": {"spares": {"n1": node}, "versions": {}},
        "the program of 'n7' is an `async def`": {"spares": {"n7": "node"}, "versions": {}},
    }
    for said, attributes in kinds.items():
        assert said in str(validated(type("Wrong", (Fleet,), attributes)))


def test_all_kinds_at_once_are_the_same_run_twice():
    cast = Fleet.cast()
    kinds = list(every(cast))

    def play():
        begun = Session(Fleet, budget="unlimited", seed=3)
        random = Random(keyed_integer(3, "all"))
        for number in range(120):
            begun.apply(Inject(number / 20, drawn(random.choice(kinds), random, cast)))
            begun.apply(Call(number / 20, "c1", "ask", {"host": "n1"}))
        return begun.finish()

    first, second = play(), play()
    assert first.digest == second.digest
    assert len({strike.fault for strike in first.strikes if strike.struck}) > 20
    assert isinstance(first.schedule, Schedule)
