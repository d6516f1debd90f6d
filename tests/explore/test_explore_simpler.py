"""Simpler and other forms of schedules: valid ones, of the same vocabulary, and the same for the same number."""

from __future__ import annotations

from killpoint.explore.generate import generate
from killpoint.explore.simpler import pinned, renumbered, simpler_actions, variant
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.fault import ANY
from killpoint.sim.faults import Kill, Partition, PowerLoss
from killpoint.sim.record import Strike
from killpoint.sim.schedule import Boundary, Call, Inject, Noise, Schedule
from killpoint.sim.vocabulary import strangers


def test_a_pinned_fault_waits_for_the_next_crossing_and_any_host_has_a_name() -> None:
    strike = Strike(0, "kill", "struck", 1.25, 70, "idle", ("n2",))
    waiting = Inject(0.5, Kill(target=ANY, duration=1.0), Boundary(ANY, "send", 7, "idle"))
    assert pinned(waiting, strike) == Inject(1.25, Kill(target="n2", duration=1.0), Boundary("n2", "send", 1, "idle"))
    aside = Inject(0.5, Kill(target="leader"), Boundary(ANY, "send", 7))
    assert pinned(aside, strike) == Inject(1.25, Kill(target="leader"), Boundary(ANY, "send"))
    plain = Inject(0.5, Kill(target="n1"))
    assert pinned(plain, strike) is plain
    assert pinned(waiting, None) is waiting


def test_simpler_forms_are_simpler_and_come_to_an_end() -> None:
    start = Inject(0.3, PowerLoss(target="n1", keep="subset:5", duration=0.7), Boundary("n1", "disk:fsync", 3, "commit"))
    seen, todo = [start], [start]
    while todo:
        for form in simpler_actions(todo.pop()):
            assert isinstance(form, Inject)
            if form not in seen:
                seen.append(form)
                todo.append(form)
        assert len(seen) < 500
    assert Inject(0.3, Kill(target="n1", duration=0.0)) in seen
    assert list(simpler_actions(Call(0.1, "c1", "audit"))) == []
    assert Inject(0.1, Partition(target="n1", shape="isolate")) in simpler_actions(Inject(0.1, Partition(target="n1", shape="inbound")))


def test_variants_keep_the_actions_and_draw_other_seeds() -> None:
    schedule = generate(CivicTrust, 2, 3).replace(noise=Noise())
    variants = [variant(schedule, number, CivicTrust) for number in range(30)]
    assert len({each.seed for each in variants}) == 30
    assert {len(each.actions) for each in variants} == {len(schedule.actions)}
    assert len({tuple(each.settings.items()) for each in variants}) > 3
    assert all(list(strangers(each, CivicTrust)) == [] for each in variants)


def test_unique_arguments_are_counted_from_one() -> None:
    calls = (Call(0.1, "c1", "issue", {"document": 17, "issuer": "court"}), Call(0.2, "c1", "lookup", {"document": 17}))
    schedule = Schedule("civictrust", seed=1, actions=(*calls, Call(0.3, "c2", "issue", {"document": 4, "issuer": "court"})))
    first, lookup, second = renumbered(schedule, CivicTrust).actions
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert (first.arguments, second.arguments) == ({"document": 1, "issuer": "court"}, {"document": 2, "issuer": "court"})
    assert lookup == calls[1], "what merely refers to a number is not unique"
