"""What a step of the Raft core asks of its shell, and what the shell gives back after a restart.

The order is the protocol's promise: `persist` must be durable before any of the rest is done.
"""

from __future__ import annotations

import msgspec

from .messages import Entry, RaftMessage
from .role import Role

__all__ = ["Committed", "Effects", "HardState", "Persist", "Read", "Saved"]


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """What must survive besides the log: the current term and who got this host's vote in it."""

    term: int = 0
    vote: str | None = None


class Persist(msgspec.Struct, frozen=True):
    """What to make durable, all of it or nothing.

    `hard_state` is None if it did not change.  `first` is 0 if the log did not change, else from index `first` (1 is the log's
    first) on the log is exactly `entries`: what was there is truncated.  `summary` is (term, chain) of each, for observers.
    """

    hard_state: HardState | None
    first: int = 0
    entries: tuple[Entry, ...] = ()
    summary: tuple[tuple[int, str], ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """What a host's storage kept, from which the core begins."""

    hard_state: HardState = HardState()
    entries: tuple[Entry, ...] = ()


class Committed(msgspec.Struct, frozen=True):
    """An entry to apply.  `chain` is the hash of the log up to it."""

    index: int
    chain: str
    entry: Entry


class Read(msgspec.Struct, frozen=True):
    """Read `request` is linearizable once the state machine has applied the log up to `index`."""

    request: int
    index: int


class Effects(msgspec.Struct):
    """Everything since the last `take`: do `persist` first, the rest when it is durable.

    `messages` are (receiver, message); `committed` is what is newly so, each index once, in order; `reads` are confirmed.
    `role`, `term` and `leader` are the core's at the time of the `take`, to be told when they are durable.
    """

    persist: Persist | None
    messages: list[tuple[str, RaftMessage]]
    committed: list[Committed]
    reads: list[Read]
    role: Role
    term: int
    leader: str | None
