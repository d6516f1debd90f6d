"""Sketches: small schedules that say only what the scenario knows, and never make up a duplicate."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest
from replicated_register import ReplicatedRegister

from killpoint import Client, Host, Scenario, faults, operation, unique
from killpoint.explore import trials
from killpoint.explore.census import Crossing
from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.explore.sketch import TRAIN, VOLLEY, Blow, Clues, in_situation, named_calls, probe, sketch
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.properties import Linearizable, Register
from killpoint.sim.faults import CompromiseKey, FaultMix, Kill, PowerLoss
from killpoint.sim.record import Record
from killpoint.sim.schedule import Boundary, Call, Inject, Noise, Schedule
from killpoint.sim.session import run
from killpoint.sim.vocabulary import strangers

CROSSING = Crossing("election", "follower", "killpoint", "raft-after-send")
WHOLE = next(s for number in range(50) if len((s := generate(CivicTrust, 1, number)).actions) > 60 and s.noise)
CALLS = tuple(action for action in WHOLE.actions if isinstance(action, Call))
BLOWS = tuple(Blow(action, "n1", (CROSSING,)) for action in WHOLE.actions if isinstance(action, Inject))


async def counter(host: Host) -> None:
    """Keeps the last number; forgets it for a while after every tenth message."""
    last, messages = 0, 0
    while True:
        message = await host.receive()
        messages += 1
        if message.body == "read":
            message.reply(0 if messages % 10 == 0 else last)
        else:
            last = message.body
            message.reply("done")


def clues(count: int = len(WHOLE.actions), *, named: tuple[Call, ...] = (), blows: tuple[Blow, ...] = BLOWS) -> Clues:
    return Clues(WHOLE.replace(actions=WHOLE.actions[:count]), named, blows, CALLS, 7)


@pytest.mark.parametrize("count", [2, 5, 60])
@pytest.mark.parametrize("named", [(), CALLS[-3:]], ids=["nothing named", "calls named"])
def test_a_sketch_is_a_small_schedule_of_the_scenario_and_depends_on_its_number_only(count: int, named: tuple[Call, ...]) -> None:
    told = clues(count, named=named)
    aimed, quiet, sizes = 0, 0, set()
    for number in range(200):
        drawn = sketch(told, CivicTrust, number)
        assert drawn == sketch(told, CivicTrust, number)
        assert list(strangers(drawn, CivicTrust)) == []
        assert [action.at for action in drawn.actions] == sorted(action.at for action in drawn.actions)
        assert drawn.actions[0].at >= 0.0
        aimed += any(isinstance(a, Inject) and a.boundary == Boundary("follower", "raft-after-send", 1, "election") for a in drawn.actions)
        quiet += not drawn.noise
        sizes.add(len(drawn.actions))
    assert aimed > 30
    assert 50 < quiet < 150
    assert max(sizes) <= (count if count <= 2 else max(count, TRAIN + 4))
    assert min(sizes) == 1


def test_a_train_repeats_the_decisive_call_by_all_clients_and_a_volley_a_fault_as_well() -> None:
    decisive = Call(3.0, "c1", "audit")
    lengths = set()
    for number in range(30):
        drawn = probe(clues(named=(CALLS[0], decisive)), CivicTrust, number)
        train = [action for action in drawn.actions if isinstance(action, Call) and action.operation == "audit"]
        struck = [action for action in drawn.actions if isinstance(action, Inject)]
        assert {call.client for call in train} == set(CivicTrust.client_names())
        assert len({call.at for call in train}) == len(train)
        assert len(struck) in ((1, 2) if len(train) == TRAIN else (VOLLEY,))
        lengths.add(len(train))
    assert lengths == {TRAIN, VOLLEY}


def documents(schedule: Schedule) -> list[object]:
    return [a.arguments["document"] for a in schedule.actions if isinstance(a, Call) and a.operation == "issue"]


def test_what_must_be_unique_is_never_repeated_not_even_in_sketches_of_sketches() -> None:
    """Else a duplicate could be of the shrinker's own making."""
    issues = tuple(call for call in CALLS if call.operation == "issue")
    told = clues(named=issues[-3:])
    for number in range(100):
        drawn = probe(told, CivicTrust, number)
        calls = tuple(action for action in drawn.actions if isinstance(action, Call) and action.operation == "issue")
        again = probe(msgspec.structs.replace(told, schedule=drawn, named=calls[-3:]), CivicTrust, number + 1)
        for schedule in (drawn, again, sketch(clues(), CivicTrust, number)):
            assert len(documents(schedule)) == len(set(documents(schedule)))
        assert len(documents(again)) >= VOLLEY


class Counting(Scenario):
    """A counter that carries a request out once, and whose reads are now and then behind."""

    hosts: ClassVar = {"n1": counter}
    faults = faults.pauses()
    properties: ClassVar = [Linearizable(Register(initial_value=0))]

    @operation(request=unique)
    async def write(self, client: Client, request: int) -> None:
        await client.request("n1", request, timeout=1.0)

    @operation()
    async def read(self, client: Client) -> object:
        return await client.request("n1", "read", timeout=1.0)


def test_no_run_of_shrinking_repeats_what_must_be_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def watched(schedule: Schedule, *given: object, **named: object) -> Record:
        nonlocal tried
        tried += 1
        values = [action.arguments["request"] for action in schedule.actions if isinstance(action, Call) and action.arguments]
        assert len(values) == len(set(values))
        return run(schedule, Counting, **named)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(trials, "run", watched)
    for seed in range(3):
        records = (run(generate(Counting, seed, number), Counting) for number in range(100))
        found = next(record for record in records if record.failure is not None and len(record.schedule.actions) > 60)
        shrink(Counting, found)
    assert tried > 500


def test_a_fault_in_a_situation_strikes_whoever_holds_the_role() -> None:
    blow = Blow(Inject(0.3, PowerLoss(target="n1", keep="all")), "n1", (CROSSING,))
    there = Boundary("follower", "raft-after-send", 1, "election")
    assert in_situation(blow, CROSSING) == Inject(0.3, PowerLoss(target="follower", keep="all"), there)
    alone = in_situation(blow, Crossing("", "", "message", "send"))
    assert alone == Inject(0.3, PowerLoss(target="n1", keep="all"), Boundary("n1", "send"))
    theft = in_situation(Blow(Inject(0.3, CompromiseKey(issuer="court")), "n1", ()), CROSSING)
    assert theft.fault == CompromiseKey(issuer="court")
    twice = Clues(WHOLE, (), (blow, blow, Blow(Inject(0.4, Kill(target="n1")), "n1", (CROSSING,))), (), 1)
    assert [type(action.fault) for action in twice.situations()] == [Kill, PowerLoss]


def failing(scenario: type[Scenario]) -> Record:
    records = (run(generate(scenario, 3, number), scenario) for number in range(300))
    return next(record for record in records if record.failure is not None)


def test_the_evidence_names_the_calls_of_its_operations_the_decisive_one_last() -> None:
    record = failing(ReplicatedRegister)
    named = named_calls(record)
    assert record.failure is not None
    assert record.failure.evidence is not None
    decisive = record.history.operation(record.failure.evidence.operations[-1])
    assert (named[-1].operation, named[-1].client) == (decisive.function, decisive.process.partition(".")[0])
    assert 1 < len(named) <= len(record.failure.evidence.operations)
    assert named_calls(run(Schedule(ReplicatedRegister.label(), seed=1), ReplicatedRegister)) == ()


class NoFaults(ReplicatedRegister):
    """A scenario in which nothing ever strikes."""

    faults: ClassVar = FaultMix()


def test_a_scenario_without_faults_is_sketched_too() -> None:
    plain = Schedule(NoFaults.label(), seed=1, actions=(Call(0.1, "c1", "write", {"value": 1}), Call(0.2, "c1", "read")) * 4)
    calls = tuple(action for action in plain.actions if isinstance(action, Call))
    for named in ((), calls[:2]):
        told = Clues(plain, named, (), calls, 1)
        for number in range(100):
            drawn = sketch(told, NoFaults, number)
            assert all(isinstance(action, Call) for action in drawn.actions)
            assert drawn.noise == Noise()
