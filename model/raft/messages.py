"""What the members of a Raft cluster say to each other: four messages, and the entry of the log.

All are frozen, hashable, and encode as arrays.  The sender is not in the message: the network tells.  A heartbeat is an `Append`
without entries.
"""

from __future__ import annotations

import msgspec

from ...properties.history import Value

__all__ = ["Append", "AppendReply", "Entry", "RaftMessage", "VoteReply", "VoteRequest"]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log.  The command belongs to the state machine; None is the no-op that begins each leader's term."""

    term: int
    command: Value = None


class RaftMessage(msgspec.Struct, frozen=True, array_like=True):
    """Base of the messages, so that the owner of a receive loop knows them: `isinstance(body, RaftMessage)`."""

    term: int


class Append(RaftMessage, frozen=True, array_like=True):
    """From the leader of `term`: entries that follow (`previous`, `previous_term`), and how far the log is committed.

    `round` numbers the leader's heartbeat rounds; the answer repeats it, which is what confirms reads.
    """

    previous: int
    previous_term: int
    commit: int
    round: int
    entries: tuple[Entry, ...] = ()


class AppendReply(RaftMessage, frozen=True, array_like=True):
    """Answer to an `Append`.

    Accepted: the log agrees with the leader's up to `index`.  Rejected: `index` repeats `previous`, where it does not; (`hint`,
    `hint_term`) is the last place where it still may.
    """

    accepted: bool
    index: int
    round: int
    hint: int = 0
    hint_term: int = 0


class VoteRequest(RaftMessage, frozen=True, array_like=True):
    """A candidate of `term`, whose log ends at (`last`, `last_term`), asks for a vote; with `pre`, whether it would get one."""

    last: int
    last_term: int
    pre: bool = False


class VoteReply(RaftMessage, frozen=True, array_like=True):
    """Answer to a `VoteRequest`.  A granted pre-vote repeats the term that was asked for; others carry the voter's own."""

    granted: bool
    pre: bool = False
