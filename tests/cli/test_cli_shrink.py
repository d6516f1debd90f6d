"""`killpoint shrink`: a failing schedule gets smaller, whoever saved it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import Killpoint, interrupted_after

from killpoint import Call, Inject, Schedule, faults
from killpoint.sim import codec

LONG = Schedule(
    "explore_scenarios.py:Forgetful",
    seed=1,
    actions=(
        *(Call(0.02 * number, f"c{1 + number % 2}", "read") for number in range(1, 20)),
        Call(0.5, "c1", "write", {"value": 4}),
        Inject(0.6, faults.Kill(target="n1", duration=0.1)),
        Call(0.8, "c2", "read"),
    ),
    budget="unlimited",
)


def saved() -> Path:
    codec.write(Path("long.json"), LONG)
    return Path("long.json")


def test_a_failing_schedule_is_shrunk_and_saved_beside_it(killpoint: Killpoint) -> None:
    ended = killpoint("shrink", saved())
    assert ended.code == 1
    assert "Shrunk from 22 actions to 3 (" in ended.out
    assert "limit" not in ended.out
    (path,) = Path().glob("long-*.json")
    assert f"Replay:   killpoint replay {path}" in ended.out
    assert len(codec.read(path).schedule.actions) == 3
    assert killpoint("replay", path).code == 1


def test_shrinking_that_used_up_its_runs_says_so_and_can_go_on(killpoint: Killpoint) -> None:
    ended = killpoint("shrink", saved(), "--runs", 5)
    assert "(5 runs, " in ended.out
    assert "the limit, `killpoint shrink` goes on" in ended.out
    (path,) = Path().glob("long-*.json")
    assert "to 3 (" in killpoint("shrink", path).out


def test_interrupting_keeps_the_smallest_so_far(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved()
    with interrupted_after(6, monkeypatch):
        ended = killpoint("shrink", path)
    assert ended.code == 1
    assert len(codec.read(next(Path().glob("long-*.json"))).schedule.actions) < 22


def test_a_schedule_that_does_not_fail_is_no_input(killpoint: Killpoint) -> None:
    codec.write(Path("fine.json"), LONG.replace(actions=LONG.actions[:3]))
    ended = killpoint("shrink", "fine.json")
    assert ended.code == 3
    assert "fine.json: this schedule does not fail" in ended.err
    assert killpoint("shrink", saved(), "--runs", 0).code == 3
    assert killpoint("shrink", "nosuch.json").code == 3
    assert list(Path().glob("*-*.json")) == []
