"""Parameters of a Raft cluster, the same on all its hosts."""

from __future__ import annotations

import msgspec

__all__ = ["Config"]


class Config(msgspec.Struct, frozen=True):
    """Times are in seconds.

    `election_timeout` is the range from which a host draws its own; the lower end is also how long a follower that heard from a
    leader refuses to help to depose it (pre-vote), the upper end how long a leader stays without hearing from a majority
    (check-quorum).  `append_batch` is how many entries one message carries at most.

    Raises:
        ValueError: a time is not positive, the range is reversed or not longer than a heartbeat, or the batch is below 1.
    """

    heartbeat: float = 0.05
    election_timeout: tuple[float, float] = (0.15, 0.3)
    append_batch: int = 64
    pre_vote: bool = True
    check_quorum: bool = True

    def __post_init__(self) -> None:
        low, high = self.election_timeout
        if not 0 < self.heartbeat < low <= high:
            times = f"heartbeat {self.heartbeat} s, election timeout {low} .. {high} s"
            raise ValueError(f"{times}: a heartbeat must be positive and shorter than every election timeout")
        if self.append_batch < 1:
            raise ValueError(f"append_batch is {self.append_batch}: a message carries at least 1 entry")
