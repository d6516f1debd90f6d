"""The census: which boundaries hosts of a scenario cross, in which situation, and what schedules make of it."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import ClassVar

import trio
from explore_scenarios import OneServer
from replicated_register import ReplicatedRegister

from killpoint import Host, faults
from killpoint.explore.census import Crossing, choose
from killpoint.explore.generate import crossings, generate
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.fault import ANY
from killpoint.sim.schedule import Inject


async def changing(host: Host) -> None:
    """Leads from 0.5 s on; writes now and then; never comes to the kill point `unreached`."""
    host.observe(role="follower", phase="starting", mood="fine")
    await host.disk.write("f", b"x")
    await trio.sleep(0.5)
    host.observe(role="leader", phase="working")
    while True:
        await trio.sleep(0.1)
        await host.killpoint("tick")


class Changing(OneServer):
    """A host with two roles and two phases, of which one role is declared."""

    hosts: ClassVar = {"n1": changing}
    faults = faults.kills()
    roles: ClassVar = ("leader",)
    phases: ClassVar = ("starting", "working")
    killpoints: ClassVar = ("tick", "unreached")


def test_crossings_are_told_by_the_situations_that_are_declared() -> None:
    found = crossings(Changing)
    assert Crossing("starting", "", "disk", "disk:write") in found
    assert Crossing("working", "leader", "killpoint", "tick") in found
    assert Crossing("", "", "killpoint", "unreached") in found
    assert {(crossing.phase, crossing.role) for crossing in found} <= {("", ""), ("starting", ""), ("working", "leader")}
    assert list(found) == sorted(set(found))


def test_a_scenario_that_declares_nothing_has_its_messages_and_what_it_was_seen_to_do() -> None:
    found = crossings(ReplicatedRegister)
    assert {crossing.event for crossing in found} == {"send", "deliver"}
    assert {(crossing.phase, crossing.role) for crossing in found} == {("", "")}


def test_a_census_is_taken_once_and_is_the_same_for_the_same_code() -> None:
    assert crossings(CivicTrust) is crossings(CivicTrust)
    again = type("Again", (Changing,), {"name": "Changing"})
    assert crossings(again) == crossings(Changing)


def test_rare_situations_are_chosen_as_often_as_common_ones() -> None:
    random = Random(1)
    among = [Crossing("busy", "leader", "killpoint", f"k{number}") for number in range(20)]
    among += [Crossing("election", "follower", "killpoint", "vote"), Crossing("election", "follower", "message", "send")]
    chosen = Counter(choose(random, among).event for _ in range(3000))
    assert 0.28 < chosen["vote"] / 3000 < 0.39
    assert 0.13 < chosen["send"] / 3000 < 0.21
    assert all(chosen[f"k{number}"] > 30 for number in range(20))


def test_schedules_besiege_roles_phases_and_any_host() -> None:
    aims: Counter[str] = Counter()
    for number in range(200):
        boundaries = [a.boundary for a in generate(CivicTrust, 3, number).actions if isinstance(a, Inject) and a.boundary is not None]
        hosts, phases = {boundary.host for boundary in boundaries}, {boundary.phase for boundary in boundaries} - {""}
        aims["one role"] += len(boundaries) > 5 and len(hosts) == 1 and ANY not in hosts
        aims["one phase"] += len(boundaries) > 5 and len(phases) == 1
        aims["any"] += ANY in hosts
        aims["one place"] += len(boundaries) > 5 and len({boundary.event for boundary in boundaries}) == 1
    assert all(aims[aim] > 15 for aim in ("one role", "one phase", "any", "one place")), aims


def test_without_a_census_faults_strike_at_times() -> None:
    actions = [action for number in range(20) for action in generate(CivicTrust, 4, number, where=()).actions]
    assert sum(isinstance(action, Inject) for action in actions) > 50
    assert all(action.boundary is None for action in actions if isinstance(action, Inject))
