"""A CivicTrust node: issues documents, keeps them, and answers about them.

Issuing, on the leader, with a kill point between every two steps:

1. the document in canonical form, and its digest
2. the intent, durable in the write-ahead log
3. the signature
4. the document in the content store of a majority of nodes, this one first
5. the entry in the replicated log
6. the end of the intent
7. the acknowledgement

So an entry in the log always finds its document on a majority of disks, and what is acknowledged is both.  Requests may be repeated
to any leader; the log entry carries the request's name, and Raft's session table lets it take effect once.

Messages from clients are tuples; answers are `("issued", index)`, `("rejected", why)`, `("redirect", leader)`, `("retry",)`,
or what was asked for.
"""

from __future__ import annotations

import trio

from ...properties.history import Value
from ...sim.host import Host, Message, Program
from ..raft import Config, LeadershipLostError, NotLeaderError, RaftNode, RaftStorage, Request
from .document import Document, Signed, content_of, digest_of, issue_document, parse_signed
from .intents import IntentLog
from .keys import KeyRing
from .ledger import Entry, Ledger
from .recovery import issue_command, recover_partial_issuances
from .store import ContentStore

__all__ = ["CivicTrustNode"]

SWEEP = 0.5
"""Seconds between two looks for partial issuances."""


class CivicTrustNode:
    """One node.  The classes that it is made of are attributes, so that a variant replaces one in a subclass."""

    raft_class: type[RaftNode] = RaftNode
    storage_class: type[RaftStorage] = RaftStorage
    ledger_class: type[Ledger] = Ledger
    store_class: type[ContentStore] = ContentStore

    def __init__(self, host: Host, keys: KeyRing) -> None:
        self.host = host
        self.keys = keys
        self.ledger = self.ledger_class(keys.public)
        self.store = self.store_class(host.disk)
        self.intents = IntentLog(host.disk)
        self.policy = str(host.settings.get("policy", "complete"))
        self.raft = self.raft_class(host, self, storage=self.storage_class(host.disk), config=self.raft_config())
        self._issuing: dict[str, int] = {}

    def raft_config(self) -> Config:
        """Raft's parameters, as far as the installation sets them."""
        settings = self.host.settings
        return Config(
            append_batch=int(settings.get("batch", 64)),  # type: ignore[call-overload]  # a whole number
            election_timeout=(0.15, float(settings.get("election_timeout", 0.3))),  # type: ignore[arg-type]  # seconds
            pre_vote=bool(settings.get("pre_vote", True)),
        )

    # -- life -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Recover, then serve until killed."""
        await self.store.clean()
        await self.intents.recover()
        await self.raft.recover()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.raft.run)
            nursery.start_soon(self._sweep)
            while True:
                message = await self.host.receive()
                if not await self.raft.handle(message):
                    nursery.start_soon(self._serve, message)

    async def _sweep(self) -> None:
        """Look for partial issuances: after a start, and again and again, since a leader's death leaves some on live nodes."""
        seen: frozenset[str] = frozenset()

        def busy(digest: str) -> bool:
            # What was not there at the last look may be under way, or in a part of the log that this node has not heard of yet.
            return digest in self._issuing or digest not in seen

        while True:
            await trio.sleep(SWEEP)
            if self.raft.core.leader is not None:
                await recover_partial_issuances(
                    self.store,
                    self,
                    intents=self.intents,
                    policy=self.policy,
                    busy=busy,
                    killpoint=self.host.killpoint,
                )
            seen = frozenset(await self.store.digests()) | frozenset(intent.digest for intent in self.intents.open)

    # -- the state machine ------------------------------------------------------------------------

    async def apply(self, index: int, command: Value) -> Value:
        """A committed command: the ledger decides, the world is told."""
        outcome = self.ledger.apply(index, command)
        if outcome[0] == "issued":
            assert isinstance(command, tuple)
            self.host.observe(accepted=(index, command[1], command[2], command[3]), state_hash=self.ledger.state_hash)
        elif outcome[0] == "revoked":
            assert isinstance(command, tuple)
            self.host.observe(revoked=(command[1], outcome[1]), state_hash=self.ledger.state_hash)
        else:
            self.host.observe(state_hash=self.ledger.state_hash)
        return outcome

    # -- serving ----------------------------------------------------------------------------------

    async def _serve(self, message: Message) -> None:
        """Answer one request of a client or of another node."""
        try:
            message.reply(await self._answer(message.body))
        except NotLeaderError as error:
            message.reply(("redirect", error.leader))
        except LeadershipLostError:
            message.reply(("retry",))

    async def _answer(self, body: Value) -> Value:
        match body:
            case ("issue", str(request), str(issuer), str(subject), float(issued_at)):
                return await self.issue(Document(request, issuer, subject, issued_at))
            case ("submit", bytes(content)):
                return await self.accept_signed(parse_signed(content))
            case ("store", bytes(content)):
                return await self.keep(content)
            case ("append", str(request), tuple(command)):
                return (await self.raft.propose(Request(request, 0, command))).result
            case ("revoke", str(issuer)):
                return (await self.raft.propose(Request(f"revoke {issuer}", 0, ("revoke", issuer)))).result
            case ("audit",):
                await self.read_barrier()
                return tuple(entry.request for entry in self.ledger.entries)
            case ("lookup", str(request)):
                await self.read_barrier()
                entry = self.ledger.find(request)
                return None if entry is None else entry.index
            case ("inventory",):
                return await self.inventory()
        return ("rejected", "unknown request")

    async def read_barrier(self) -> None:
        """Wait until what this node knows is all that had happened when it was asked."""
        await self.raft.read_barrier()

    async def inventory(self) -> Value:
        """What this node holds: digests in its ledger, digests in its store, open intents.  Reads and checks every document.

        Raises:
            StoreCorruptionError: a document is not what its name says.
        """
        logged = tuple(sorted(entry.digest for entry in self.ledger.entries))
        stored = await self.store.digests()
        for digest in stored:
            await self.store.get(digest)
        return logged, stored, len(self.intents.open)

    # -- issuing ----------------------------------------------------------------------------------

    async def issue(self, document: Document) -> tuple[str, Value]:
        """Issue a document; see the module docstring."""
        self._must_lead()
        known = self.known(document.request)
        if known is not None:
            return "issued", known.index
        if document.issuer not in self.keys.secrets:
            return "rejected", f"unknown issuer {document.issuer}"
        digest = digest_of(document)
        with self._marked(digest):
            await self.host.killpoint("after-canonical-form")
            await self.intents.begin(document, digest)
            await self.host.killpoint("after-intent")
            signed = issue_document(document, self.keys.secrets[document.issuer])
            await self.host.killpoint("after-signature")
            return await self.store_and_log(signed)

    def known(self, request: str) -> Entry | None:
        """The entry of a request that was carried out before; most repetitions end here."""
        return self.ledger.find(request)

    async def accept_signed(self, signed: Signed) -> tuple[str, Value]:
        """Issue a document that its issuer has signed elsewhere."""
        self._must_lead()
        with self._marked(signed.digest):
            await self.intents.begin(signed.document, signed.digest)
            return await self.store_and_log(signed)

    async def store_and_log(self, signed: Signed) -> tuple[str, Value]:
        """Steps 4 to 6: documents first, so that what the log speaks of is there."""
        if not await self.store_on_majority(signed):
            return ("retry", "the document could not be stored on a majority of nodes")
        await self.host.killpoint("after-cas-store")
        outcome = await self.append(signed)
        await self.host.killpoint("after-log-append")
        return await self.conclude(signed, outcome)

    async def append(self, signed: Signed) -> tuple[str, Value]:
        """Step 5: the entry in the replicated log."""
        result = (await self.raft.propose(Request(signed.document.request, 0, issue_command(signed)))).result
        assert isinstance(result, tuple)
        return result

    async def conclude(self, signed: Signed, outcome: tuple[str, Value]) -> tuple[str, Value]:
        """Step 6: the intent comes to its end; a document that was refused leaves the store."""
        if outcome[0] == "issued":
            await self.intents.end(signed.digest, "committed")
        else:
            await self.store.remove(signed.digest)
            await self.intents.end(signed.digest, "aborted")
        await self.host.killpoint("after-intent-end")
        return outcome

    async def store_on_majority(self, signed: Signed) -> bool:
        """Step 4: the document on this disk, then on enough others.  False if not enough answered."""
        await self.store.put(signed)
        needed = (len(self.host.peers) + 1) // 2
        if not needed:
            return True
        kept = 0
        async with trio.open_nursery() as nursery:

            async def copy(peer: str) -> None:
                nonlocal kept
                try:
                    await self.host.request(peer, ("store", content_of(signed)), timeout=0.2)
                except trio.TooSlowError:
                    return
                kept += 1
                if kept == needed:
                    nursery.cancel_scope.cancel()

            for peer in self.host.peers:
                nursery.start_soon(copy, peer)
        return kept >= needed

    async def keep(self, content: bytes) -> Value:
        """Keep a document on another node's behalf."""
        await self.store.put(parse_signed(content))
        return ("kept",)

    # -- the log, wherever its leader is ----------------------------------------------------------

    async def submit(self, request: str, command: tuple[Value, ...]) -> tuple[str, Value] | None:
        """Put a command into the log, here or at the leader; None if nobody could say in time what became of it."""
        leader = self.raft.core.leader
        try:
            if leader == self.host.name:
                with trio.fail_after(1.0):
                    outcome = (await self.raft.propose(Request(request, 0, command))).result
            elif leader is not None:
                outcome = await self.host.request(leader, ("append", request, command), timeout=1.0)
            else:
                return None
        except (trio.TooSlowError, NotLeaderError, LeadershipLostError):
            return None
        assert isinstance(outcome, tuple)
        return outcome if outcome[0] in ("issued", "aborted", "rejected") else None

    def _must_lead(self) -> None:
        if self.raft.core.leader != self.host.name:
            raise NotLeaderError(self.host.name, self.raft.core.leader)

    def _marked(self, digest: str) -> _Marked:
        """While entered, a document is being issued here, so recovery leaves it alone."""
        return _Marked(self._issuing, digest)


class _Marked:
    """Counts how many tasks are issuing a document."""

    def __init__(self, counts: dict[str, int], digest: str) -> None:
        self._counts = counts
        self._digest = digest

    def __enter__(self) -> None:
        self._counts[self._digest] = self._counts.get(self._digest, 0) + 1

    def __exit__(self, *_: object) -> None:
        self._counts[self._digest] -= 1
        if not self._counts[self._digest]:
            del self._counts[self._digest]


def program(node: type[CivicTrustNode], keys: KeyRing) -> Program:
    """A node's program."""

    async def main(host: Host) -> None:
        await node(host, keys).run()

    return main
