"""CivicTrust as a scenario: three nodes issue documents while they are killed, cut off, and robbed of a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import trio

from ...properties.common import Converges, NoDuplicates
from ...properties.history import Operation, Value
from ...properties.ledger import IssuanceLedger
from ...properties.linearizability import Linearizable
from ...properties.raft import ElectionSafety, LeaderCompleteness, LogMatching, StateMachineSafety
from ...properties.recovery import Durable, Progress, Terminal
from ...sim import faults
from ...sim.host import Program
from ...sim.scenario import Client, Failed, Scenario, Unknown, operation, planted, unique
from .invariants import LoggedIsStored, NothingPartial, RevocationHolds
from .keys import KeyRing
from .node import CivicTrustNode, program
from .outsiders import ask_cluster, mallory, operator

if TYPE_CHECKING:
    from ...sim.world import World

__all__ = ["CivicTrust"]

ISSUERS = ("registry", "court")
_keys = KeyRing(ISSUERS)


def issued(operation: Operation) -> tuple[Value, ...] | None:
    """The document that an acknowledged issue speaks of."""
    if operation.function != "issue" or not operation.ok:
        return None
    assert isinstance(operation.argument, tuple)
    return operation.argument[:1]


class CivicTrust(Scenario):
    """A replicated issuance cluster.

    Clients issue documents, look them up, and list the whole log; requests are repeated until some leader answers.  The run
    ends with an audit of the log and an inventory of every node.
    """

    name = "civictrust"
    node: ClassVar[type[CivicTrustNode]] = CivicTrustNode
    nodes: ClassVar[int] = 3
    outsiders: Mapping[str, Program] = {"mallory": mallory, "operator": operator}
    faults = faults.kills() | faults.power_losses() | faults.pauses() | faults.partitions() | faults.key_compromise()
    roles = ("leader", "candidate", "follower")
    phases = ("recovery", "election", "commit", "idle")
    keys = ISSUERS
    mutants = planted(
        "killpoint.model.civictrust.mutants",
        "AckBeforeFsync",
        "VoteNotPersisted",
        "PriorTermCommit",
        "NoRequestDedup",
        "LocalLeaderRead",
        "AppendTruncates",
        "StoreAfterLog",
        "RevocationOffByOne",
        "RenameWithoutFsync",
        "DirectoryNotSynced",
    )
    settings: ClassVar[Mapping[str, Sequence[Value]]] = {
        "batch": (64, 1),
        "policy": ("complete", "rollback"),
        "pre_vote": (True, False),
        # The longest election timeout: with little room above the shortest, candidates often stand against each other.
        "election_timeout": (0.3, 0.16),
    }
    calm = 2.5
    killpoints = (
        "after-canonical-form",
        "after-intent",
        "after-signature",
        "after-cas-store",
        "after-log-append",
        "after-intent-end",
        "recovery-found-partial",
        "recovery-ended-partial",
        "raft-before-persist",
        "raft-after-persist",
        "raft-after-commit",
        "raft-after-send",
        "raft-before-apply",
    )
    properties = (
        ElectionSafety(),
        LogMatching(),
        LeaderCompleteness(),
        StateMachineSafety(),
        RevocationHolds(),
        # Before linearizability, which looks now and then only: a duplicate then has one name, however long the run was.
        NoDuplicates("audit"),
        Linearizable(IssuanceLedger(), functions=frozenset({"issue", "lookup", "audit"})),
        Durable(issued, "audit"),
        LoggedIsStored(),
    )
    liveness = (Converges("state_hash"), Terminal(), Progress(), NothingPartial())

    hosts: Mapping[str, Program] = {name: program(CivicTrustNode, _keys) for name in ("n1", "n2", "n3")}
    spares: Mapping[str, Program] = {"n4": program(CivicTrustNode, _keys)}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.hosts = {name: program(cls.node, _keys) for name in CivicTrust.hosts}
        cls.spares = {name: program(cls.node, _keys) for name in CivicTrust.spares}

    # -- operations -------------------------------------------------------------------------------

    @operation(document=unique, issuer=ISSUERS, weight=4.0)
    async def issue(self, client: Client, document: int, issuer: str) -> int:
        """Have a document issued; its log index."""
        request = ("issue", f"d{document}", issuer, f"subject {document}", trio.current_time())
        match await ask_cluster(client, client.servers, request, client.memory):
            case ("issued", int(index)):
                return index
            case ("rejected", str(why)):
                raise Failed(why)
            case other:
                raise Unknown(repr(other))

    @operation(document=range(1, 20))
    async def lookup(self, client: Client, document: int) -> int | None:
        """The log index of a document, None if it was not issued."""
        reply = await ask_cluster(client, client.servers, ("lookup", f"d{document}"), client.memory)
        return reply if isinstance(reply, int) else None

    @operation(final=True, weight=1.0)
    async def audit(self, client: Client) -> tuple[int, ...]:
        """All documents that clients had issued, in the order of the log."""
        reply = await ask_cluster(client, client.servers, ("audit",), client.memory)
        assert isinstance(reply, tuple)
        return tuple(int(request[1:]) for request in reply if request.startswith("d"))

    @operation(final=True, timeout=3.0)
    async def inventory(self, client: Client) -> tuple[Value, ...]:
        """What every node holds: its name, digests in its ledger, digests in its store, number of open intents."""
        inventory = []
        for server in client.servers:
            reply = await client.request(server, ("inventory",), timeout=0.5)
            assert isinstance(reply, tuple)
            inventory.append((server, *reply))
        return tuple(inventory)

    # -- a stolen key -----------------------------------------------------------------------------

    def compromise(self, world: World, key: str) -> tuple[str, ...]:
        """Mallory gets a copy of an issuer's key."""
        secret = _keys.secrets.get(key)
        if secret is None:
            return ()
        world.tell("mallory", ("stolen", key, secret))
        return ("mallory",)

    def notice(self, world: World, key: str) -> None:
        """The operator is told to revoke it."""
        world.tell("operator", ("revoke", key))
