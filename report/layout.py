"""Where things stand in a space-time diagram: who has a lane, and a time axis downwards that breathes.

A cluster is idle for 40 ms and then does thirty things in five.  On a linear axis (Jepsen's timeline) one is unreadable or the
other is endless; with one row per event (ShiViz) time is gone.  Here the height of a gap is the square root of its length, so
bursts open up, pauses fold, and order and rough proportion survive; ticks say the real time.

Events that share an instant (a simulated disk may take no time at all) are spread over a few pixels in causal order: a row
below the host's previous event and below the event that caused them, except that one host's consecutive sends share a row and
leave as a fan.  So every arrow and every program order points down.

How far apart the lanes stand depends on the window, and so is left to the page's script; so are zooming, which is proportional, and
folding of stretches in which nothing worth seeing happens.

Cost: one pass over the events.  Heights are in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import sqrt

import msgspec

from ..sim.trace import TraceEvent

__all__ = ["Lane", "Layout", "arrange"]

TOP = 26.0
ROW = 4.0
"""Height of one causal step within an instant."""
LABEL = 13.0
"""Least distance of two texts under each other."""
_ROWS_PER_INSTANT = 30
_STRETCH = ((200, 15.0), (12_000, 9.0))
"""Pixels per square root of a millisecond, for traces of at most so many events; longer ones get 5."""
_STEPLESS = frozenset({"observe", "log", "drop", "strike", "cut", "heal", "calm"})
_LABELLED = frozenset({"invoke", "complete", "kill", "power-loss", "restart", "crash", "pause", "resume"})


class Lane(msgspec.Struct, frozen=True):
    """One host's column; `client` is True for hosts that call operations."""

    name: str
    client: bool


class Layout(msgspec.Struct, frozen=True):
    """Where everything stands: `y` has one entry per event, `height` is where the run ends."""

    lanes: tuple[Lane, ...]
    y: tuple[float, ...]
    height: float


def arrange(events: Sequence[TraceEvent], hosts: Sequence[str], ended: float) -> Layout:
    """Place the events of a trace up to `ended` (virtual seconds); `hosts` gives the order of the lanes.

    A host that did nothing but start has no lane.
    """
    y, end = _place(events, ended)
    return Layout(tuple(_lanes(events, hosts)), tuple(y), height=round(end + 30, 1))


def _lanes(events: Sequence[TraceEvent], hosts: Sequence[str]) -> Iterator[Lane]:
    clients = {event.host for event in events if event.kind == "invoke"}
    busy = dict.fromkeys(event.host for event in events if event.host is not None and event.kind != "start")
    for name in [name for name in dict.fromkeys([*hosts, *busy]) if name in busy] or list(hosts):
        yield Lane(name, name in clients)


def _ranks(instant: Sequence[tuple[int, TraceEvent]]) -> dict[int, int]:
    """The row of each event of one instant, by event index."""
    rank: dict[int, int] = {}
    latest: dict[str | None, tuple[int, str]] = {}
    for _, event in instant:
        row, kind = latest.get(event.host, (-1, "observe"))
        fan = event.kind == kind == "send"
        own = max(row, 0) if fan or event.kind in _STEPLESS else row + 1
        caused = rank.get(event.cause, -1) + 1 if event.cause is not None else 0
        rank[event.index] = max(own, caused)
        if event.host is not None:
            latest[event.host] = (rank[event.index], kind if event.kind in _STEPLESS else event.kind)
    return rank


def _place(events: Sequence[TraceEvent], ended: float) -> tuple[list[float], float]:
    """The y of each event, and where the run ends."""
    stretch = next((pixels for most, pixels in _STRETCH if len(events) <= most), 5.0)
    y: list[float] = []
    before, bottom = 0.0, TOP
    free: dict[str, float] = {}
    for time, group in groupby(enumerate(events), key=lambda item: item[1].time):
        instant = list(group)
        rank = _ranks(instant)
        row = min(ROW, ROW * _ROWS_PER_INSTANT / max(rank.values(), default=1)) if max(rank.values()) else ROW
        top = bottom + _gap(time - before, stretch)
        for _, event in instant:
            top = max(top, free.get(_column(event), 0.0) - rank[event.index] * row)
        for _, event in instant:
            y.append(round(top + rank[event.index] * row, 1))
            if event.kind == "strike" or event.kind in _LABELLED:
                free[_column(event)] = y[-1] + (3 * LABEL if event.kind == "strike" else LABEL)
        before, bottom = time, max(y[-len(instant) :])
    return y, bottom + _gap(ended - before, stretch)


def _gap(length: float, stretch: float) -> float:
    """Height of a gap of `length` seconds."""
    return min(max(stretch * sqrt(length * 1000.0), 1.5), 180.0) if length > 0 else 0.0


def _column(event: TraceEvent) -> str:
    """Where the event's text stands: texts of one column must not overlap."""
    return "" if event.kind == "strike" or event.host is None else event.host
