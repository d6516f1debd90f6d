"""What must hold of CivicTrust in particular.

`RevocationHolds` folds over what nodes say that they accepted; the other two look at the inventory that the run takes at its end,
when every node is up again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ...properties.history import Complete, Event, Invoke, Observe, Outcome, Value
from ...properties.verdict import Evidence, Status, Verdict

__all__ = ["LoggedIsStored", "NothingPartial", "RevocationHolds"]


@dataclass(frozen=True)
class RevocationHolds:
    """From a key's revocation on, by place in the log, no node accepts a signature by it, whatever time the signature claims.

    Formula: for all hosts, accepted(index, key) and revoked(key, r) imply index <= r.  Cost: a dictionary look-up per event.
    """

    name: str = "RevocationHolds"

    def start(self) -> _RevocationMonitor:
        """A fresh monitor."""
        return _RevocationMonitor(self.name)


@dataclass
class _RevocationMonitor:
    name: str
    revoked: dict[str, int] = field(default_factory=dict)
    highest: dict[str, tuple[int, str, str, int]] = field(default_factory=dict)
    """Per key the accepted entry with the highest index: (index, request, host, event)."""

    def feed(self, event: Event) -> Verdict | None:
        if not isinstance(event, Observe):
            return None
        accepted = event.values.get("accepted")
        if isinstance(accepted, tuple):
            index, request, issuer, _ = accepted
            if index > self.highest.get(issuer, (0, "", "", 0))[0]:
                self.highest[issuer] = (index, request, event.host, event.index)
            return self._judge(issuer)
        revoked = event.values.get("revoked")
        if isinstance(revoked, tuple):
            issuer, index = revoked
            self.revoked.setdefault(issuer, index)
            return self._judge(issuer)
        return None

    def _judge(self, issuer: str) -> Verdict | None:
        cut = self.revoked.get(issuer)
        index, request, host, event = self.highest.get(issuer, (0, "", "", 0))
        if cut is None or index <= cut:
            return None
        reason = f"{host} accepted a signature by the key of {issuer} at log index {index}, though it was revoked at index {cut}"
        lines = (
            f"index {cut}   the key of {issuer} is revoked",
            f"index {index}   {host} accepts document {request}, signed with that key",
        )
        return Verdict(self.name, Status.INVALID, reason, Evidence("accepted-after-revocation", lines, (), (event,), (host,)))

    def finish(self) -> Verdict:
        """Valid: nothing was accepted too late."""
        keys = ", ".join(sorted(self.revoked)) or "no key"
        return Verdict(self.name, Status.VALID, f"{keys} revoked, and nothing signed with it was accepted after that")


@dataclass(frozen=True)
class LoggedIsStored:
    """What the log speaks of is there: every document in a ledger is in the store of a majority of nodes.

    Formula: for every digest in any node's ledger, the nodes whose store holds it are more than half.  Judged on the inventory.
    """

    name: str = "LoggedIsStored"

    def start(self) -> _InventoryMonitor:
        """A fresh monitor."""
        return _InventoryMonitor(self.name, partial=False)


@dataclass(frozen=True)
class NothingPartial:
    """No issuance is left half done: every stored document has its place in the log, and no intent is open.

    Judged on the inventory, after recovery had bounded time in which a majority was up; so it is a liveness property.
    """

    name: str = "NothingPartial"

    def start(self) -> _InventoryMonitor:
        """A fresh monitor."""
        return _InventoryMonitor(self.name, partial=True)


class _Holdings(NamedTuple):
    """One node's row of the inventory."""

    host: str
    logged: tuple[str, ...]
    stored: tuple[str, ...]
    intents: int


@dataclass
class _InventoryMonitor:
    name: str
    partial: bool
    open: set[int] = field(default_factory=set)

    def feed(self, event: Event) -> Verdict | None:
        if isinstance(event, Invoke) and event.function == "inventory":
            self.open.add(event.operation)
        if not isinstance(event, Complete) or event.operation not in self.open or event.outcome is not Outcome.OK:
            return None
        assert isinstance(event.result, tuple)
        return self._partial(event, event.result) if self.partial else self._missing(event, event.result)

    def _missing(self, event: Complete, inventory: tuple[Value, ...]) -> Verdict | None:
        nodes = [_Holdings(*row) for row in inventory]  # type: ignore[misc]  # rows are tuples of its fields
        for node in nodes:
            for digest in node.logged:
                holders = [other.host for other in nodes if digest in other.stored]
                if 2 * len(holders) <= len(nodes):
                    where = ", ".join(holders) or "nowhere"
                    reason = f"document {digest[:8]} is in the log of {node.host}, but stored only on: {where}"
                    return self._invalid("log-without-document", reason, event, node)
        return None

    def _partial(self, event: Complete, inventory: tuple[Value, ...]) -> Verdict | None:
        for node in (_Holdings(*row) for row in inventory):  # type: ignore[misc]
            orphans = [digest for digest in node.stored if digest not in node.logged]
            if orphans:
                reason = f"document {orphans[0][:8]} is in the store of {node.host}, but has no place in the log"
                return self._invalid("document-without-log", reason, event, node)
            if node.intents:
                return self._invalid("open-intent", f"{node.host} still has {node.intents} open intents", event, node)
        return None

    def _invalid(self, kind: str, reason: str, event: Complete, node: _Holdings) -> Verdict:
        evidence = Evidence(kind, (f"inventory taken at {event.time:.3f} s",), (event.operation,), (event.index,), (node.host,))
        return Verdict(self.name, Status.INVALID, reason, evidence)

    def finish(self) -> Verdict:
        """Valid if an inventory was taken."""
        if not self.open:
            return Verdict(self.name, Status.UNKNOWN, "no inventory was taken")
        return Verdict(self.name, Status.VALID, "the inventory is in order")
