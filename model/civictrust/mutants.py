"""Planted bugs: CivicTrust as it would be if one rule had been forgotten.

Each is a small variant of one class of the system, found here and not behind a switch in the system.  A docstring tells the bug's story
and, in its last line, the minimal trigger: the shortest schedule known to expose it, in actions.  `docs/track-record.md` says how fast
exploring finds each.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from ...properties.history import Value
from ..raft import Config, HardState, Raft, RaftNode, RaftStorage, Request, SessionTable
from ..raft import Entry as RaftEntry
from .document import Signed, content_of
from .ledger import Entry as LedgerEntry
from .ledger import Ledger
from .node import CivicTrustNode
from .scenario import CivicTrust
from .store import ContentStore

__all__ = [
    "AckBeforeFsync",
    "AppendTruncates",
    "DirectoryNotSynced",
    "LocalLeaderRead",
    "NoRequestDedup",
    "PriorTermCommit",
    "RenameWithoutFsync",
    "RevocationOffByOne",
    "StoreAfterLog",
    "VoteNotPersisted",
]


class _LateSync(RaftStorage):
    """Syncs a record only when the next one is written."""

    _written = False

    async def append(self, record: bytes) -> None:
        if self._written:
            await super().sync()
        await super().append(record)
        self._written = True

    async def sync(self) -> None:
        """Left for the next append."""


class AckBeforeFsync(CivicTrust):
    """A follower acknowledges entries that are written but not yet synced.

    Somebody moved the fsync off the critical path: a record is synced when the next one comes.  Benchmarks doubled.  A committed
    entry is then on no platter at all.  A node that loses power forgets what it had acknowledged; if a majority does, so does the cluster.

    Minimal trigger: 2 actions (issue; a node loses power, and the leader goes on believing that it has the entry).
    """

    minimal: ClassVar[int] = 2

    class node(CivicTrustNode):  # noqa: N801  # the attribute that it overrides
        """With the late sync."""

        storage_class = _LateSync


class _Forgetful(RaftStorage):
    """Keeps the term and forgets the vote."""

    def kept_hard_state(self, hard_state: HardState | None) -> HardState | None:
        return None if hard_state is None else HardState(hard_state.term, None)


class VoteNotPersisted(CivicTrust):
    """The term is persisted, the vote is not.

    Two fields, two writes, one forgotten in a refactoring.  A node that votes, dies, comes back and is asked again by the other
    candidate votes twice in one term, and the term has two leaders.

    Minimal trigger: 1 action (a node restarts at once after it has voted, while two candidates ask for its vote).
    """

    minimal: ClassVar[int] = 1

    class node(CivicTrustNode):  # noqa: N801
        """With the forgetful storage."""

        storage_class = _Forgetful


class _Figure8(Raft):
    """Commits by counting, whatever the term."""

    def may_commit(self, index: int) -> bool:  # noqa: ARG002  # forgetting to look at it is the bug
        return True


class PriorTermCommit(CivicTrust):
    """A leader commits an entry of an earlier term as soon as a majority has it (figure 8 of the Raft paper).

    It looks safe, since a majority has it.  But a node whose log ends in a later term can still win an election without it, and
    overwrites it.

    Minimal trigger: 3 actions (a leader dies with its first entry, before anybody hears of it; a second one likewise; the first leads
    again, replicates one entry at a time, and dies when it has committed the first).
    """

    minimal: ClassVar[int] = 3

    class node(CivicTrustNode):  # noqa: N801
        """With the careless commit rule."""

        class raft_class(RaftNode):  # noqa: N801
            """With the careless core."""

            core_class = _Figure8


class _NoTable(SessionTable):
    """Remembers nothing."""

    def seen(self, request: Request) -> bool:  # noqa: ARG002
        return False


class NoRequestDedup(CivicTrust):
    """A request that is repeated takes effect again.

    The client got no answer, so it asked the next leader, which did what it was asked to: the document stands twice in the log.

    Minimal trigger: 2 actions (issue; the leader dies before it answers).
    """

    minimal: ClassVar[int] = 2

    class node(CivicTrustNode):  # noqa: N801
        """Neither the session table nor the ledger is asked whether a request was carried out before."""

        class raft_class(RaftNode):  # noqa: N801
            """Without sessions."""

            session_class = _NoTable

        def known(self, request: str) -> LedgerEntry | None:  # noqa: ARG002
            """Nothing is."""
            return None


class LocalLeaderRead(CivicTrust):
    """A leader answers reads from its own state, without asking whether it still leads.

    Nor does it step down when it hears from nobody: that, too, was thought to be the read index's job.  A leader that was cut off does not
    know that there is a new one, and answers with the past.

    Minimal trigger: 3 actions (the leader is cut off; issue, at the new leader; read, at the old one).
    """

    minimal: ClassVar[int] = 3

    class node(CivicTrustNode):  # noqa: N801
        """Without the read index and without the quorum check."""

        async def read_barrier(self) -> None:
            """Whoever once led answers."""
            self._must_lead()

        def raft_config(self) -> Config:
            """Without the quorum check."""
            return msgspec.structs.replace(super().raft_config(), check_quorum=False)


class _Truncating(Raft):
    """Takes every message at its word."""

    def accept_entries(self, previous: int, entries: tuple[RaftEntry, ...]) -> None:
        if previous + 1 <= self.log.last or entries:
            self.write_log(previous + 1, entries)


class AppendTruncates(CivicTrust):
    """A follower cuts its log at the end of every append, conflict or not.

    With messages in order nothing is wrong.  A heartbeat that was sent before the latest entries and arrives after them removes
    entries that the follower has acknowledged; if it is elected then, what was committed is gone.

    Minimal trigger: 2 actions (issue; the leader dies), and one late message.
    """

    minimal: ClassVar[int] = 2

    class node(CivicTrustNode):  # noqa: N801
        """With the truncating core."""

        class raft_class(RaftNode):  # noqa: N801
            """With the truncating core."""

            core_class = _Truncating


class _LazyStore(ContentStore):
    """Writes documents and lets the operating system sync them some day."""

    async def write(self, signed: Signed) -> None:
        await self._disk.write(f"{self._directory}/{signed.digest}", content_of(signed))


class StoreAfterLog(CivicTrust):
    """The log entry comes first, the document afterwards and without fsync.

    One round trip less in the common case.  If the node dies in between, the log speaks of a document that nobody has.

    Minimal trigger: 2 actions (issue; the leader dies after the log entry).
    """

    minimal: ClassVar[int] = 2

    class node(CivicTrustNode):  # noqa: N801
        """Steps 5 and 4, in that order."""

        store_class = _LazyStore

        async def store_and_log(self, signed: Signed) -> tuple[str, Value]:
            """The log first."""
            outcome = await self.append(signed)
            await self.host.killpoint("after-log-append")
            if outcome[0] == "issued":
                await self.store_on_majority(signed)
            await self.host.killpoint("after-cas-store")
            return await self.conclude(signed, outcome)


class _HastyStore(ContentStore):
    """Renames into place what was written, and syncs the directory only."""

    async def write(self, signed: Signed) -> None:
        partial = f"{self._directory}/{signed.digest}.partial"
        await self._disk.write(partial, content_of(signed))
        await self._disk.rename(partial, f"{self._directory}/{signed.digest}")
        await self._disk.fsync_directory(self._directory)


class RenameWithoutFsync(CivicTrust):
    """The store renames a document into place before its content is synced.

    The rename is atomic, so a reader never sees half a document; everybody knows that trick.  After a power loss the name is there,
    since the directory was synced, and the file is empty.

    Minimal trigger: 2 actions (issue; a node loses power).
    """

    minimal: ClassVar[int] = 2

    class node(CivicTrustNode):  # noqa: N801
        """With the hasty store."""

        store_class = _HastyStore


class _NamelessStore(ContentStore):
    """Syncs what it writes, and not the directory that it stands in."""

    async def write(self, signed: Signed) -> None:
        partial = f"{self._directory}/{signed.digest}.partial"
        await self._disk.write(partial, content_of(signed))
        await self._disk.fsync(partial)
        await self._disk.rename(partial, f"{self._directory}/{signed.digest}")


class DirectoryNotSynced(CivicTrust):
    """The store syncs a document, renames it into place, and believes that it is there.

    Every byte is on the platter, and its name is not: a rename changes the directory, which needs an fsync of its own.  After a power
    loss nobody finds the document.

    Minimal trigger: 3 actions (issue; a node loses power; so does another).
    """

    minimal: ClassVar[int] = 3

    class node(CivicTrustNode):  # noqa: N801
        """With the store that leaves directories alone."""

        store_class = _NamelessStore


class _OffByOne(Ledger):
    """Revokes from the entry after the next on."""

    def is_revoked(self, issuer: str, index: int) -> bool:
        revoked = self._revoked.get(issuer)
        return revoked is not None and index > revoked + 1


class RevocationOffByOne(CivicTrust):
    """A revocation takes effect one entry too late.

    The entry right behind the revocation may still be signed with the stolen key.

    Minimal trigger: 1 action (a key is stolen and revoked).
    """

    minimal: ClassVar[int] = 1

    class node(CivicTrustNode):  # noqa: N801
        """With the late ledger."""

        ledger_class = _OffByOne

