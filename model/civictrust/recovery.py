"""What a crash leaves behind, and how it is made whole.

Issuing takes several steps on several disks.  Whoever dies in between leaves a **partial issuance**: a document in some store that
has no place in the log.  Recovery brings each to an end, by one of two policies:

- `complete`: the document was signed, so it is valid: store it on a majority, and propose its log entry again.  Log entries carry the
  request's name, so an entry that was already there, or that two nodes complete at the same time, takes effect once.
- `rollback`: propose an abort.  Only when the abort has its place in the log, so that no entry for it can follow, is the document
  removed from the store.

Both end in the log, never in a local decision, because a proposal of a dead leader may still be under way.  So recovery may be run at
any time, by any number of nodes, any number of times, and may be killed itself at any point.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from ...properties.history import Value
from .document import Signed
from .intents import IntentLog
from .ledger import Ledger
from .store import ContentStore

__all__ = ["LogWriter", "Recovered", "recover_partial_issuances"]

KillPoint = Callable[[str], Awaitable[None]]


class LogWriter(Protocol):
    """Puts a command into the replicated log, wherever the leader is."""

    @property
    def ledger(self) -> Ledger:
        """This node's ledger."""
        ...

    async def store_on_majority(self, signed: Signed) -> bool:
        """Have a document stored on a majority of nodes; False if not enough of them answered."""
        ...

    async def submit(self, request: str, command: tuple[Value, ...]) -> tuple[str, Value] | None:
        """What became of the command, or None if nobody could say in time."""
        ...


class Recovered(msgspec.Struct):
    """What one run of recovery did."""

    completed: int = 0
    rolled_back: int = 0
    aborted: int = 0
    left: int = 0
    """Partial issuances that could not be brought to an end now, for want of a leader."""


async def recover_partial_issuances(
    store: ContentStore,
    log: LogWriter,
    *,
    intents: IntentLog,
    policy: str = "complete",
    busy: Callable[[str], bool] = lambda _: False,
    killpoint: KillPoint,
) -> Recovered:
    """Bring every partial issuance that this node can see to an end.  Idempotent.

    `policy` is `complete` or `rollback`; `busy` says which documents are being issued right now, which are left alone.
    Cost: one listing of the store; per partial issuance one read and one proposal.
    """
    done = Recovered()
    for digest in await store.digests():
        if log.ledger.has(digest) or busy(digest):
            continue
        signed = await store.get(digest)
        if signed is None:
            continue
        await killpoint("recovery-found-partial")
        if log.ledger.hopeless(signed.document.request, signed.document.issuer):
            await store.remove(digest)
            done.rolled_back += 1
        elif policy == "complete":
            await _complete(signed, store, log, done)
        else:
            await _roll_back(signed, store, log, done)
        await killpoint("recovery-ended-partial")
    await _end_intents(store, log, intents, busy, done)
    return done


async def _complete(signed: Signed, store: ContentStore, log: LogWriter, done: Recovered) -> None:
    # The copy that was found may be the only one; the log must not speak of what a single disk holds.
    stored = await log.store_on_majority(signed)
    outcome = await log.submit(signed.document.request, issue_command(signed)) if stored else None
    if outcome is None:
        done.left += 1
    elif outcome[0] == "issued":
        done.completed += 1
    else:
        # Refused for good: the key was revoked meanwhile, or the request aborted.
        await store.remove(signed.digest)
        done.rolled_back += 1


async def _roll_back(signed: Signed, store: ContentStore, log: LogWriter, done: Recovered) -> None:
    request = signed.document.request
    outcome = await log.submit(f"abort {request}", ("abort", request, signed.digest))
    if outcome is None:
        done.left += 1
    elif outcome[0] == "aborted":
        await store.remove(signed.digest)
        done.rolled_back += 1
    else:
        # Issued after all: the entry was under way.  This node will see it when its log catches up.
        done.completed += 1


async def _end_intents(
    store: ContentStore, log: LogWriter, intents: IntentLog, busy: Callable[[str], bool], done: Recovered
) -> None:
    """Open intents whose document is in the log are committed; those whose document is nowhere come to nothing."""
    present = set(await store.digests()) if intents.open else set()
    for intent in intents.open:
        if busy(intent.digest):
            continue
        if log.ledger.has(intent.digest):
            await intents.end(intent.digest, "committed")
        elif intent.digest not in present:
            await intents.end(intent.digest, "aborted")
            done.aborted += 1


def issue_command(signed: Signed) -> tuple[Value, ...]:
    """The log entry of a document."""
    return ("issue", signed.document.request, signed.document.issuer, signed.digest, signed.signature)
