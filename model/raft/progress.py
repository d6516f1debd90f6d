"""What a leader knows of one follower's log (etcd's `Progress`).

While **replicating**, entries are sent ahead of their answers.  After a rejection the leader is **probing**: it sends one message
at a time from where the logs may agree, until one is accepted.
"""

from __future__ import annotations

__all__ = ["Progress"]


class Progress:
    """`match`: known to be in the follower's log.  `next`: what to send next.  `round`, `heard`: its latest answer."""

    __slots__ = ("heard", "match", "next", "probing", "round")

    def __init__(self, next_index: int, now: float) -> None:
        self.match = 0
        self.next = next_index
        self.probing = True
        self.round = 0
        self.heard = now

    def accept(self, index: int) -> bool:
        """The follower's log agrees up to `index`; True if that is news.  Answers may come late and out of order."""
        news = index > self.match
        if news:
            self.match = index
        if self.probing and index >= self.match:
            self.probing = False
            self.next = self.match + 1
        elif index >= self.next:
            self.next = index + 1
        return news

    def reject(self, previous: int, hint: int) -> bool:
        """The follower has not what precedes `previous`; True if that is news and not an answer that was overtaken."""
        if not self.probing:
            if previous <= self.match:
                return False
            self.probing = True
            self.next = self.match + 1
            return True
        # Below `match` it cannot go: a follower that lost what it had acknowledged is beyond help, and gets heartbeats only.
        if previous != self.next - 1 or previous <= self.match:
            return False
        self.next = max(self.match + 1, min(previous, hint + 1))
        return True
