"""A node that dies anywhere in the middle of issuing leaves nothing partial behind.

One document is issued, and the leader is struck at one kill point; after recovery every document in a store has its place in the log,
every entry of the log has its document on a majority of disks, and no intent is open.
"""

from random import Random

import pytest

from killpoint import Boundary, Call, Inject, Noise, Schedule
from killpoint.explore.options import current
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.properties import Outcome, Status
from killpoint.sim.fault import Fault
from killpoint.sim.faults import Kill, PowerLoss
from killpoint.sim.record import Record
from killpoint.sim.session import run

ISSUE = Call(0.5, "c1", "issue", {"document": 1, "issuer": "court"})
STRIKES = {
    "kill": Kill(target="leader", duration=0.3),
    "power-loss": PowerLoss(target="leader", keep="none", duration=0.3),
    "torn": PowerLoss(target="leader", keep="prefix:1", duration=0.3),
}
# Recovery has something to find only after a first crash: those two points are struck in the second test.
IN_ISSUANCE = [name for name in CivicTrust.killpoints if not name.startswith("recovery-")]


def crash(*actions: Inject, settings: dict[str, object] | None = None, noise: Noise | None = None) -> Record:
    """Issue one document while these actions wait."""
    ordered = tuple(sorted((*actions, ISSUE), key=lambda action: action.at))
    return run(Schedule("civictrust", seed=7, actions=ordered, settings=settings or {}, noise=noise or Noise()), CivicTrust)


def assert_nothing_partial(record: Record) -> None:
    assert record.failure is None, record.failure
    judged = {verdict.name: verdict.status for verdict in record.verdicts}
    assert judged["NothingPartial"] is Status.VALID
    assert judged["LoggedIsStored"] is Status.VALID


@pytest.mark.parametrize("policy", ["complete", "rollback"])
@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("killpoint", IN_ISSUANCE)
def test_crash_issuance_at_every_kill_point(killpoint: str, strike: str, policy: str) -> None:
    record = crash(Inject(0.45, STRIKES[strike], Boundary("leader", killpoint)), settings={"policy": policy})
    assert [s.effect for s in record.strikes] == ["struck"], "the kill point was never reached, so this shows nothing"
    assert_nothing_partial(record)


@pytest.mark.parametrize("policy", ["complete", "rollback"])
@pytest.mark.parametrize("again", ["recovery-found-partial", "recovery-ended-partial"])
def test_crash_issuance_while_recovering_from_a_crash(again: str, policy: str) -> None:
    first = Inject(0.45, STRIKES["kill"], Boundary("leader", "after-cas-store"))
    # The client dies too, so that no retry mends it; then whoever finds the partial issuance dies over it, on every host in turn.
    client = Inject(0.52, Kill(target="c1"))
    more = [Inject(0.53, Kill(target=host, duration=0.3), Boundary(host, again)) for host in CivicTrust.hosts]
    record = crash(first, client, *more, settings={"policy": policy})
    assert any(s.struck for s in record.strikes[2:]), "recovery was never struck, so this shows nothing"
    assert_nothing_partial(record)


def test_crash_issuance_at_ten_random_places() -> None:
    random = Random(current().seed)
    places = [*CivicTrust.killpoints, "send", "deliver", "disk", "disk:fsync", "disk:rename", "disk:write"]
    for _ in range(10):
        ordinal = 1 + int(random.expovariate(0.5))
        keep = random.choice(["none", "all", f"prefix:{random.randrange(5)}", f"subset:{random.randrange(999)}"])
        fault: Fault = random.choice([STRIKES["kill"], PowerLoss(target="leader", keep=keep, duration=0.3)])
        strike = Inject(0.45, fault, Boundary("leader", random.choice(places), ordinal))
        assert_nothing_partial(crash(strike, noise=Noise(latency=1.0, disk=1.0)))


def test_an_acknowledged_document_survives_its_leader() -> None:
    record = crash(Inject(0.45, STRIKES["power-loss"], Boundary("leader", "after-intent-end")))
    issue, *_, audit, _ = record.history.operations
    assert issue.outcome is Outcome.OK
    assert audit.result == (1,)
    assert_nothing_partial(record)
