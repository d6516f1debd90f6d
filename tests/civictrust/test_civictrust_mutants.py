"""Every planted bug has a schedule that exposes it, and the system without the bug survives that schedule.

These are the shortest triggers known, written down, so that a mutant that has ceased to be one is noticed at once; that exploring
finds them by itself is shown by benchmarks/track_record.py.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from killpoint import Boundary, Call, Inject, Noise, Schedule
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.faults import CompromiseKey, Kill, Partition, PowerLoss
from killpoint.sim.schedule import Action
from killpoint.sim.session import run


def issue(at: float, document: int, client: str = "c1") -> Call:
    return Call(at, client, "issue", {"document": document, "issuer": "court"})


def at_leader(at: float, fault: type[Kill] | type[Partition], boundary: str, duration: float = 0.0) -> Inject:
    return Inject(at, fault(target="leader", duration=duration), Boundary("leader", boundary))


class Trigger(NamedTuple):
    """What exposes a bug, and by which property."""

    found_by: str
    actions: tuple[Action, ...]
    settings: Mapping[str, object] = {}
    budget: str = "quorum-safe"
    noise: Noise = Noise()


TRIGGERS = {
    "ack-before-fsync": Trigger("NothingPartial", (issue(0.5, 1), Inject(0.6, PowerLoss(target="n1")))),
    "vote-not-persisted": Trigger(
        "ElectionSafety",
        (Inject(0.0, Kill(target="follower", duration=0.0005), Boundary("follower", "raft-after-send")),),
        {"pre_vote": False, "election_timeout": 0.16},
        "unlimited",
    ),
    "prior-term-commit": Trigger(
        "LeaderCompleteness",
        (
            at_leader(0.05, Kill, "raft-after-persist", 0.0005),
            at_leader(0.1, Kill, "raft-after-persist", 0.1),
            at_leader(0.15, Kill, "raft-after-commit"),
        ),
        {"batch": 1},
        "unlimited",
    ),
    "no-request-dedup": Trigger("NoDuplicates(audit)", (at_leader(0.5, Kill, "after-log-append"), issue(0.5, 1))),
    "local-leader-read": Trigger(
        "Linearizable(IssuanceLedger)",
        (issue(0.5, 1), Inject(0.5, Partition(target="leader")), Call(0.8, "c2", "audit")),
    ),
    "append-truncates": Trigger(
        "LeaderCompleteness",
        (issue(0.5, 1), issue(0.502, 2, "c2"), at_leader(0.505, Kill, "after-log-append")),
        noise=Noise(latency=20.0, reorder=0.2),
    ),
    "store-after-log": Trigger("LoggedIsStored", (at_leader(0.5, Kill, "after-log-append"), issue(0.5, 1))),
    "directory-not-synced": Trigger(
        "LoggedIsStored", (issue(0.5, 1), Inject(0.6, PowerLoss(target="n1")), Inject(0.6, PowerLoss(target="n2"))), budget="unlimited"
    ),
    "rename-without-fsync": Trigger("NoCrash", (issue(0.5, 1), Inject(0.6, PowerLoss(target="n1")))),
    "revocation-off-by-one": Trigger("RevocationHolds", (Inject(0.5, CompromiseKey(issuer="court", duration=0.1)),)),
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_the_trigger_exposes_the_bug_and_nothing_else(name: str) -> None:
    trigger = TRIGGERS[name]
    for seed in range(60):
        schedule = Schedule(
            "civictrust",
            seed=seed,
            actions=trigger.actions,
            settings=trigger.settings,
            budget=trigger.budget,
            noise=trigger.noise,
        )
        assert run(schedule, CivicTrust).failure is None
        failure = run(schedule.replace(mutant=name), CivicTrust).failure
        if failure is not None and failure.name == trigger.found_by:
            return
    pytest.fail(f"under none of 60 seeds does its trigger expose {name}")


def test_every_mutant_tells_its_story_and_its_minimal_trigger() -> None:
    for name in CivicTrust.mutants:
        mutant = CivicTrust.mutant(name)
        assert mutant.__doc__ is not None
        assert f"Minimal trigger: {mutant.minimal} action" in mutant.__doc__
        assert len(mutant.__doc__.strip().splitlines()) > 3, f"{name} has no story"
