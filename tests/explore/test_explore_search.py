"""Searching and shrinking: planted bugs are found, and come out small."""

from __future__ import annotations

import gc
from typing import ClassVar

import pytest
import trio
from explore_scenarios import Forgetful, OneServer
from replicated_register import ReplicatedRegister

from killpoint import Client, Host, Scenario, operation
from killpoint.explore.campaign import search
from killpoint.explore.shrink import Shrinker, shrink
from killpoint.properties import Event, Evidence, Observe, Status, Verdict
from killpoint.sim.record import Record
from killpoint.sim.schedule import Call, Schedule
from killpoint.sim.session import run
from killpoint.sim.watchdog import watchdog


def first_failure(seed: int) -> Record:
    record = search(ReplicatedRegister, seed=seed, examples=50)
    assert record is not None
    return record


def test_a_stale_read_is_found_within_fifty_schedules_from_any_seed() -> None:
    for seed in range(10):
        failure = first_failure(seed).failure
        assert failure is not None
        assert failure.name == "Linearizable(Register)"


def test_a_system_without_a_bug_passes() -> None:
    seen: list[int] = []
    assert search(OneServer, seed=0, examples=40, each=lambda number, _: seen.append(number)) is None
    assert seen == list(range(40))


def test_a_campaign_goes_on_where_it_stopped() -> None:
    def digests(first: int, examples: int) -> list[str]:
        found: list[str] = []
        search(OneServer, seed=3, examples=examples, first=first, each=lambda _, record: found.append(record.digest))
        return found

    assert digests(0, 6) + digests(6, 12) == digests(0, 12)


def test_a_campaign_that_is_asked_to_stop_runs_nothing_more() -> None:
    seen: list[int] = []
    assert search(OneServer, seed=0, examples=40, each=lambda number, _: seen.append(number), stop=lambda: len(seen) == 3) is None
    assert seen == [0, 1, 2]


def test_a_campaign_leaves_the_garbage_collector_as_it_was() -> None:
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    search(ReplicatedRegister, seed=0, examples=20)
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
    gc.freeze()
    search(ReplicatedRegister, seed=0, examples=20)
    assert gc.get_freeze_count() > frozen, "what somebody else has frozen stays so"
    gc.unfreeze()


@pytest.mark.parametrize("seed", range(10))
def test_a_stale_read_shrinks_to_a_write_a_read_and_at_most_one_cause(seed: int) -> None:
    found = first_failure(seed)
    shrunk = shrink(ReplicatedRegister, found)
    schedule = shrunk.schedule
    calls = [action.operation for action in schedule.actions if isinstance(action, Call)]
    causes = len(schedule.actions) - len(calls) + len(schedule.overrides)
    assert sorted(calls) == ["read", "write"]
    assert causes <= 1
    assert not schedule.noise
    assert shrunk.runs <= 600
    assert found.failure is not None
    assert shrunk.record.failure is not None
    assert shrunk.record.failure.signature == found.failure.signature


def test_a_shrunk_schedule_replays_to_the_record_it_came_with() -> None:
    shrunk = shrink(ReplicatedRegister, first_failure(1))
    assert run(shrunk.schedule, ReplicatedRegister).digest == shrunk.record.digest


def test_shrinking_twice_gives_the_same_schedule() -> None:
    one, other = (shrink(ReplicatedRegister, first_failure(2)) for _ in range(2))
    assert one.schedule == other.schedule
    assert one.runs == other.runs


def test_shrinking_keeps_within_its_budget_and_says_what_it_had_to_begin_with() -> None:
    found = first_failure(3)
    shrunk = shrink(ReplicatedRegister, found, budget=7)
    assert shrunk.runs <= 7
    assert shrunk.before == len(found.schedule.actions)
    assert shrunk.record.failure is not None


def test_shrinking_that_is_asked_to_stop_keeps_the_best_so_far() -> None:
    found = first_failure(4)
    runs: list[int] = []
    shrinker = Shrinker(ReplicatedRegister, found, each=lambda: runs.append(shrinker.runs), stop=lambda: len(runs) >= 12)
    shrunk = shrinker.shrink()
    assert shrunk.runs == len(runs) == 12
    assert shrunk.record is shrinker.best
    assert len(shrunk.schedule.actions) < len(found.schedule.actions)


def test_a_kill_that_loses_a_write_shrinks_to_write_kill_read() -> None:
    found = search(Forgetful, seed=1, examples=50)
    assert found is not None
    schedule = shrink(Forgetful, found).schedule
    kinds = [action.operation if isinstance(action, Call) else action.fault.kind() for action in schedule.actions]
    assert kinds == ["write", "kill", "read"]
    assert {action.client for action in schedule.actions if isinstance(action, Call)} == {"c1"}


async def computes_once_told(host: Host) -> None:
    while True:
        message = await host.receive()
        while message.body == ("write", 5):
            pass
        message.reply(None)


def test_shrinking_a_host_that_hangs_hangs_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "limit", 0.1)
    hanging = type("Hanging", (OneServer,), {"hosts": {"n1": computes_once_told}, "properties": ()})
    record = search(hanging, seed=0, examples=50)
    assert record is not None
    assert record.failure is not None
    assert record.failure.signature == ("NoCrash", "crash:NeverYields")
    hung = 0
    shrinker = Shrinker(hanging, record, budget=600)
    monkeypatch.setattr("killpoint.explore.trials.run", lambda *given, **named: counted(run(*given, **named)))

    def counted(record: Record) -> Record:
        nonlocal hung
        hung += record.failure is not None
        return record

    shrunk = shrinker.shrink()
    assert hung == 2
    assert shrunk.cut_short
    assert shrunk.actions < len(record.schedule.actions)


async def done_soon_or_never(host: Host) -> None:
    """Says that it is done after a second unless it was told to be quiet; told to break, it breaks unless it is quiet."""
    quiet = False
    while True:
        with trio.move_on_after(1.0) as waited:
            match (await host.receive()).body:
                case "quiet":
                    quiet = True
                case "break" if not quiet:
                    raise RuntimeError("broken")
        if waited.cancelled_caught and not quiet:
            host.observe(done=True)


class Finishes:
    """Some host says that it is done, sooner or later: of a run that was cut short nobody knows."""

    name = "Finishes"

    def start(self) -> Finishes:
        other = Finishes()
        other.done = False
        return other

    done = False

    def feed(self, event: Event) -> None:
        self.done = self.done or (isinstance(event, Observe) and "done" in event.values)

    def finish(self) -> Verdict:
        never = Evidence("never-done", ("nobody was ever done",))
        return Verdict(self.name, Status.VALID, "done") if self.done else Verdict(self.name, Status.INVALID, "not done", never)


class Told(Scenario):
    """One host and its two orders."""

    hosts: ClassVar = {"n1": done_soon_or_never}
    clients = 1
    properties: ClassVar = [Finishes()]

    @operation(order=("quiet", "break"))
    async def tell(self, client: Client, order: str) -> None:
        client.send("n1", order)


def test_a_run_that_crashed_before_its_end_does_not_stand_for_one_that_never_got_done() -> None:
    orders = (Call(0.2, "c1", "tell", {"order": "quiet"}), Call(0.3, "c1", "tell", {"order": "break"}))
    record = run(Schedule("Told", 1, orders), Told)
    assert record.failure is not None
    assert record.failure.signature == ("Finishes", "never-done")
    crashed = run(Schedule("Told", 1, orders[1:]), Told)
    assert crashed.failure is not None
    assert crashed.failure.name == "NoCrash"
    shrunk = shrink(Told, record)
    assert shrunk.record.failure is not None
    assert shrunk.record.failure.name == "Finishes"
    assert [action.arguments for action in shrunk.schedule.actions if isinstance(action, Call)] == [{"order": "quiet"}]
