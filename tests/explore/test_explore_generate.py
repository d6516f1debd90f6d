"""What schedules look like that the generator draws."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import ClassVar

import pytest
from explore_scenarios import OneServer, Rough, store
from replicated_register import ReplicatedRegister

from killpoint import faults
from killpoint.explore.generate import MAX_ACTIONS, Draft, generate
from killpoint.explore.pool import argument_pool
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.scenario import Scenario, ScenarioError
from killpoint.sim.schedule import Call, Inject
from killpoint.sim.vocabulary import strangers

MANY = 300


def test_a_schedule_depends_on_its_seed_and_number_only() -> None:
    backwards = [generate(Rough, 7, number) for number in reversed(range(20))]
    assert backwards[::-1] == [generate(Rough, 7, number) for number in range(20)]
    assert len({repr(schedule) for schedule in backwards}) == 20
    assert generate(Rough, 8, 0) != generate(Rough, 7, 0)


@pytest.mark.parametrize("scenario", [OneServer, Rough, ReplicatedRegister, CivicTrust])
def test_schedules_speak_only_of_what_the_scenario_has(scenario: type[Scenario]) -> None:
    for number in range(MANY):
        assert list(strangers(generate(scenario, 1, number), scenario)) == []


def test_times_rise_and_actions_are_bounded() -> None:
    for number in range(MANY):
        times = [action.at for action in generate(Rough, 2, number).actions]
        assert times == sorted(times)
        assert len(times) <= MAX_ACTIONS


def test_every_kind_of_fault_is_used_by_some_schedules_and_switched_off_in_others() -> None:
    with_kind: Counter[str] = Counter()
    for number in range(MANY):
        kinds = {a.fault.kind() for a in generate(Rough, 3, number).actions if isinstance(a, Inject)}
        with_kind.update(kinds)
    assert set(with_kind) == {"kill", "power-loss", "pause", "partition", "compromise-key"}
    assert all(MANY * 0.1 < times < MANY * 0.9 for times in with_kind.values())


def test_a_good_part_of_schedules_has_no_noise_at_all() -> None:
    quiet = sum(not generate(Rough, 4, number).noise for number in range(MANY))
    assert MANY * 0.1 < quiet < MANY * 0.5


def test_faults_wait_for_times_in_some_schedules_and_for_boundaries_in_others() -> None:
    faults = [a for number in range(MANY) for a in generate(Rough, 5, number).actions if isinstance(a, Inject)]
    waiting = [a for a in faults if a.boundary is not None]
    assert 0.2 < len(waiting) / len(faults) < 0.8
    assert {"before-answer", "deliver", "send"} <= {a.boundary.event for a in waiting if a.boundary is not None}


def test_unique_arguments_never_repeat_within_a_schedule() -> None:
    for number in range(50):
        calls = [a for a in generate(ReplicatedRegister, 6, number).actions if isinstance(a, Call)]
        written = [a.arguments["value"] for a in calls if a.operation == "write"]
        assert written == list(range(1, len(written) + 1))


def test_settings_take_each_of_their_values() -> None:
    assert {generate(Rough, 9, number).settings["batch"] for number in range(40)} == {64, 1}


def test_budget_and_mutant_are_taken_over() -> None:
    assert generate(Rough, 0, 0, budget="unlimited").budget == "unlimited"
    assert generate(CivicTrust, 0, 0, mutant="ack-before-fsync").mutant == "ack-before-fsync"
    assert {generate(Rough, 0, number).budget for number in range(40)} == {"quorum-safe", "unlimited"}


def test_a_scenario_without_operations_is_refused_by_name() -> None:
    class Nothing(Scenario):
        """No operations."""

        hosts: ClassVar = OneServer.hosts

    with pytest.raises(ScenarioError, match="Nothing has no operations"):
        Draft(Nothing, Random(0), seed=0)


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ({"hosts": {}}, "has no hosts: set `hosts`"),
        ({"hosts": {"c1": store}}, "has two hosts called 'c1'"),
        ({"outsiders": {"n1": store}}, "has two hosts called 'n1'"),
        ({"faults": faults.key_compromise()}, "has key_compromise"),
    ],
)
def test_a_scenario_that_cannot_be_struck_is_refused(attributes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        generate(type("Odd", (OneServer,), attributes), 0, 0)


def test_pools_hold_simple_values_and_are_the_same_twice() -> None:
    strategy = Rough.operations()["write"].arguments["value"]
    pool = argument_pool(strategy)
    assert set(pool) == set(range(1, 10))
    assert argument_pool(strategy) is pool


def test_arguments_that_are_neither_strategy_nor_values_are_refused() -> None:
    with pytest.raises(ScenarioError, match="use a Hypothesis strategy, a list of values, or `unique`"):
        argument_pool(3)
