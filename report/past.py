"""The past of a violation in a few lines: what matters of it first, whatever stands far back.

A causal past (`properties/graph.py`) is exact and long: an election, a recovery from disk and half a second of heartbeats are
hundreds of events, of which the last forty are seldom those that a person needs.  So lines are told by weight:

1. the events that the verdict speaks of;
2. all faults that struck before the last of them, and what they did: kills, restarts, cuts;
3. operations of clients;
4. messages to and from clients, and messages that were lost;
5. other messages that say something new, and changes of role or phase;
6. the rest: heartbeats and their replies, disk operations, kill points.

Of equal weight the latest come first.  They are written down in the order of time.  A message is one line, its delivery.  What is
said again and again on a link between two lines of the first three sorts is one line with a count: a client that is sent to and
fro, heartbeats.

Faults are told although most of them are no cause in Lamport's sense: they act by what then does not happen.

Cost: one pass over the trace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..sim.record import Record
from ..sim.trace import TraceEvent
from .messages import Arrow, arrows
from .wording import event_text, instant, value_text

__all__ = ["fault_events", "past_lines"]

_FAULTS = frozenset({"strike", "kill", "power-loss", "restart", "pause", "resume", "cut", "heal", "crash", "exit", "calm"})
_TURNS = frozenset({"role", "phase"})
_OWN, _FAULT, _OPERATION, _TELLING, _NEW, _REST = range(6)


def fault_events(record: Record, past: Collection[int]) -> list[int]:
    """Indices of the strikes that took effect before the last event of a past (indices of events), and of what they did, in order."""
    assert record.trace is not None
    last = max(past, default=-1)
    struck = {strike.index for strike in record.strikes if strike.struck}
    return [event.index for event in record.trace if event.index <= last and (event.index in struck or event.cause in struck)]


@dataclass
class _Line:
    """One line to be: `count` messages, the last one at `until`, `alike` to the word or but for a number; it stands for so many
    `events` of the past."""

    event: TraceEvent
    weight: int
    text: str
    events: int = 1
    count: int = 1
    until: float = 0.0
    alike: bool = True

    def __str__(self) -> str:
        like = "" if self.alike else ", and the like"
        more = f"{like}   ({self.count} times until {instant(self.until)})" if self.count > 1 else ""
        return f"{self.event.time:12.6f} s  {self.event.host or '-':6} {self.text}{more}".rstrip()


def past_lines(record: Record, past: Collection[int], own: Collection[int] = (), limit: int | None = 40) -> list[str]:
    """The past that the indices `past` are, in at most `limit` lines (None: as many as it takes), after one that counts what they
    leave out.  `own` are indices of the events that the verdict speaks of.

    Raises:
        ValueError: `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"a past cannot be told in {limit} lines: give a limit of at least 1, or None for no limit")
    assert record.trace is not None
    lines = _Teller(record.trace, past, own).lines
    chosen = sorted(lines, key=lambda line: (line.weight, -line.event.index))[:limit]
    left = sum(line.events for line in lines) - sum(line.events for line in chosen)
    told = [str(line) for line in sorted(chosen, key=lambda line: line.event.index)]
    return [*([f"({left} events of less weight left out)"] if left else []), *told]


class _Teller:
    """Goes through a trace once and makes lines of what is in the past."""

    def __init__(self, trace: Sequence[TraceEvent], past: Collection[int], own: Collection[int]) -> None:
        self._own = own
        self._lost = _at_stake(trace)
        self._clients = {event.host for event in trace if event.kind == "invoke"}
        flights = arrows(trace)
        self._flights = {trace[arrow.end].index: arrow for arrow in flights if arrow.end is not None}
        self._sends = {trace[arrow.start].index: arrow for arrow in reversed(flights)}
        # A send is told by what came of it, where that is in the past.
        told = {event.cause for event in trace if event.index in past and event.kind in ("deliver", "drop")}
        self.lines: list[_Line] = []
        self._open: dict[tuple[object, ...], _Line] = {}
        for event in trace:
            if event.index not in past:
                continue
            if event.kind == "send" and event.index in told and event.index not in own:
                continue
            self._tell(event)

    def _tell(self, event: TraceEvent) -> None:
        arrow = self._flights.get(event.index) or self._sends.get(event.index)
        if event.index in self._own:
            line = _Line(event, _OWN, _words(event))
        elif arrow is not None:
            self._message(event, arrow)
            return
        else:
            line = _Line(event, self._weight(event), _words(event))
        if line.weight <= _OPERATION:
            self._open.clear()
        self.lines.append(line)

    def _message(self, event: TraceEvent, arrow: Arrow) -> None:
        words = _words(event) + (f": {arrow.why}" if arrow.why and event.kind == "send" else "")
        link = (arrow.sender, arrow.to, event.kind)
        if not arrow.routine:  # what comes after it repeats this one
            self._open.pop((*link, arrow.type, True), None)
        key = (*link, arrow.type if arrow.routine else words, arrow.routine)
        line = self._open.get(key)
        if line is None:
            self._open[key] = line = _Line(event, self._news(event, arrow), words, events=0, count=0)
            self.lines.append(line)
        line.events, line.count, line.until = line.events + 1, line.count + 1, event.time
        line.alike = line.alike and line.text == words

    def _news(self, event: TraceEvent, arrow: Arrow) -> int:
        """How much a message matters."""
        if arrow.routine:
            return _REST
        lost = bool(arrow.why) or event.kind == "drop"
        if lost or arrow.sender in self._clients or arrow.to in self._clients:
            return _TELLING
        # What was sent and arrived outside the past had no part in it.
        return _REST if event.kind == "send" else _NEW

    def _weight(self, event: TraceEvent) -> int:
        if event.kind in _FAULTS or event.index in self._lost or "failed" in event.detail:
            return _FAULT
        if event.kind in ("invoke", "complete"):
            return _OPERATION
        return _NEW if event.kind == "observe" and not _TURNS.isdisjoint(event.detail) else _REST


def _at_stake(trace: Sequence[TraceEvent]) -> set[int]:
    """Indices of the disk operations that were not synced when their host lost power."""
    pending: dict[tuple[str | None, object], list[int]] = {}
    found: set[int] = set()
    for event in trace:
        file = event.host, event.detail.get("path")
        if event.kind == "disk" and event.detail["operation"] in ("write", "append", "truncate"):
            pending.setdefault(file, []).append(event.index)
        elif event.kind == "disk" and event.detail["operation"] == "fsync" and "failed" not in event.detail:
            pending.pop(file, None)
        elif event.kind == "power-loss":
            for other in [key for key in pending if key[0] == event.host]:
                found.update(pending.pop(other))
    return found


def _words(event: TraceEvent) -> str:
    words = event_text(event)
    if event.kind == "strike":
        words = f"{value_text(event.detail.get('fault'))} {value_text(event.detail.get('target') or '')}"
    elif event.kind == "power-loss":
        words = value_text(event.detail.get("kept", ""))
    return f"{event.kind}  {words}".rstrip()
