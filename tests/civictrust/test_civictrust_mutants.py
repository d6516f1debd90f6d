"""Every planted bug has a schedule that exposes it, and the system without the bug survives that schedule.

These are the shortest triggers known, written down, so that a mutant that has ceased to be one is noticed at once; that exploring
finds them by itself is shown by benchmarks/track_record.py.
"""

import pytest

from killpoint import Boundary, Call, Inject, Schedule
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.faults import CompromiseKey, Kill, Partition, PowerLoss
from killpoint.sim.schedule import Action
from killpoint.sim.session import run


def issue(at: float, document: int, client: str = "c1") -> Call:
    return Call(at, client, "issue", {"document": document, "issuer": "court"})


def at_leader(at: float, fault: type[Kill] | type[Partition], boundary: str, duration: float = 0.0) -> Inject:
    return Inject(at, fault(target="leader", duration=duration), Boundary("leader", boundary))


TRIGGERS: dict[str, tuple[str, tuple[Action, ...]]] = {
    "ack-before-fsync": ("NothingPartial", (issue(0.5, 1), Inject(0.6, PowerLoss(target="n1")))),
    "no-request-dedup": ("NoDuplicates(audit)", (at_leader(0.5, Kill, "after-log-append"), issue(0.5, 1))),
    "local-leader-read": (
        "Linearizable(IssuanceLedger)",
        (issue(0.5, 1), Inject(0.5, Partition(target="leader")), Call(0.8, "c2", "audit")),
    ),
    "store-after-log": ("LoggedIsStored", (at_leader(0.5, Kill, "after-log-append"), issue(0.5, 1))),
    "revocation-off-by-one": ("RevocationHolds", (Inject(0.5, CompromiseKey(issuer="court", duration=0.1)),)),
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_the_trigger_exposes_the_bug_and_nothing_else(name: str) -> None:
    found_by, actions = TRIGGERS[name]
    for seed in range(30):
        schedule = Schedule("civictrust", seed=seed, actions=actions, budget="quorum-safe")
        assert run(schedule, CivicTrust).failure is None
        failure = run(schedule.replace(mutant=name), CivicTrust).failure
        if failure is not None and failure.name == found_by:
            return
    pytest.fail(f"under none of 30 seeds does its trigger expose {name}")


def test_every_mutant_tells_its_story_and_its_minimal_trigger() -> None:
    for name in CivicTrust.mutants:
        mutant = CivicTrust.mutant(name)
        assert mutant.__doc__ is not None
        assert f"Minimal trigger: {mutant.minimal} action" in mutant.__doc__
        assert len(mutant.__doc__.strip().splitlines()) > 3, f"{name} has no story"
