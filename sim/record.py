"""What a run leaves behind.

A record is plain data.  While exploring it holds the history, what struck, counts and the rolling digest; made by a replay it
also holds the full trace.  `killpoint.Run` wraps it with everything that a person wants to ask.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..properties.history import History
from ..properties.verdict import Status, Verdict
from .schedule import Override, Schedule
from .trace import TraceEvent

__all__ = ["LogLine", "Record", "Statistics", "Strike"]


class Strike(msgspec.Struct, frozen=True):
    """What became of one fault action.

    `effect` is `struck`, or why it did nothing: `nothing` (it did not apply), `over-budget`, `never-reached` (its boundary
    was not crossed).  `hosts` are those it struck and `phase` is what the first of them had last observed as its phase.
    """

    action: int
    fault: str
    effect: str
    time: float
    index: int
    phase: str = ""
    hosts: tuple[str, ...] = ()
    detail: str = ""

    @property
    def struck(self) -> bool:
        """True if the fault took effect."""
        return self.effect == "struck"


class LogLine(msgspec.Struct, frozen=True):
    """One line that a host printed or logged, at its virtual time (seconds)."""

    index: int
    time: float
    host: str
    level: str
    text: str


class Statistics(msgspec.Struct, frozen=True):
    """Counts of one run."""

    events: int = 0
    messages_sent: int = 0
    messages_delivered: int = 0
    messages_dropped: int = 0
    disk_operations: int = 0
    busy: int = 0
    """Client calls that did nothing because the client still waited for an earlier one."""
    boundaries: Mapping[str, int] = {}
    """How often each kind of boundary (send, deliver, disk, kill points by name) was crossed, by any host."""


class Record(msgspec.Struct, frozen=True):
    """A finished run.  `ended` is in virtual seconds; `digest` is hexadecimal and covers every event in order."""

    schedule: Schedule
    digest: str
    ended: float
    history: History
    verdicts: tuple[Verdict, ...]
    strikes: tuple[Strike, ...]
    statistics: Statistics
    logs: tuple[LogLine, ...] = ()
    hosts: tuple[str, ...] = ()
    """All hosts in the order in which pictures show them: the system's, then clients."""
    noise: tuple[Override, ...] = ()
    """What the noise did in this run, kept only when asked for (the shrinker does)."""
    trace: tuple[TraceEvent, ...] | None = None

    @property
    def failure(self) -> Verdict | None:
        """The first invalid verdict, or None."""
        return next((verdict for verdict in self.verdicts if verdict.status is Status.INVALID), None)

    @property
    def status(self) -> Status:
        """Invalid if any verdict is, else unknown if any is, else valid."""
        statuses = {verdict.status for verdict in self.verdicts}
        return next((s for s in (Status.INVALID, Status.UNKNOWN) if s in statuses), Status.VALID)
