"""What a step of the Raft core asks of its shell, and what the shell gives back after a restart.

The order is the protocol's promise: `persist` must be durable before any of the rest is done.
"""

from __future__ import annotations

import msgspec

from .messages import Entry, RaftMessage

__all__ = ["Effects", "HardState", "Persist", "Read", "Saved"]


class HardState(msgspec.Struct, frozen=True, array_like=True):
    """What must survive besides the log: the current term and who got this host's vote in it."""

    term: int = 0
    vote: str | None = None


class Persist(msgspec.Struct, frozen=True):
    """What to make durable, all of it or nothing.

    `hard_state` is None if it did not change.  `first` is 0 if the log did not change, else from index `first` (1 is the log's
    first) on the log is exactly `entries`: what was there is truncated.
    """

    hard_state: HardState | None
    first: int = 0
    entries: tuple[Entry, ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """What a host's storage kept, from which the core begins."""

    hard_state: HardState = HardState()
    entries: tuple[Entry, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """Read `request` is linearizable once the state machine has applied the log up to `index`."""

    request: int
    index: int


class Effects(msgspec.Struct):
    """Everything since the last `take`: do `persist` first, the rest when it is durable.

    `messages` are (receiver, message), `committed` (index, entry) in rising order without gaps, `reads` those confirmed.
    """

    persist: Persist | None
    messages: list[tuple[str, RaftMessage]]
    committed: list[tuple[int, Entry]]
    reads: list[Read]
