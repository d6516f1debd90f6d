"""Where things stand in a space-time diagram: lanes across, virtual time downwards, and a time axis that breathes.

A cluster is idle for 40 ms and then does thirty things in five.  On a linear axis (Jepsen's timeline) one is unreadable or the
other is endless; with one row per event (ShiViz) time is gone.  Here the height of a gap is the square root of its length, so
bursts open up, pauses fold, and order and rough proportion survive; ticks say the real time.

Events that share an instant (a simulated disk may take no time at all) are spread over a few pixels in causal order: a row
below the host's previous event and below the event that caused them, except that one host's consecutive sends share a row and
leave as a fan.  So every arrow and every program order points down.

Cost: one pass over the events.  Coordinates are in pixels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from math import sqrt

import msgspec

from ..sim.trace import TraceEvent

__all__ = ["Lane", "Layout", "arrange"]

TOP = 26.0
AXIS_WIDTH = 62.0
GUTTER_WIDTH = 148.0
CLIENT_WIDTH = 156.0
ROW = 4.0
"""Height of one causal step within an instant."""
LABEL = 13.0
"""Least distance of two texts under each other."""
_ROWS_PER_INSTANT = 30
_STRETCH = ((200, 15.0), (12_000, 9.0))
"""Pixels per square root of a millisecond, for traces of at most so many events; longer ones get 5."""
_STEPLESS = frozenset({"observe", "log", "drop", "strike", "cut", "heal", "calm"})
_LABELLED = frozenset({"invoke", "complete", "kill", "restart", "crash", "pause", "resume"})
_STEPS = (100.0, 10.0, 1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001)


class Lane(msgspec.Struct, frozen=True):
    """One host's column; `x` is where its line runs, `width` how far the column reaches to the right of it."""

    name: str
    x: float
    width: float
    client: bool


class Layout(msgspec.Struct, frozen=True):
    """Where everything stands.  `y` has one entry per event, `ticks` are (virtual seconds, y, level): the
    higher the level, the sooner a tick goes when zooming out."""

    lanes: tuple[Lane, ...]
    y: tuple[float, ...]
    ticks: tuple[tuple[float, float, int], ...]
    width: float
    height: float
    gutter: bool

    def x_of(self) -> dict[str, float]:
        """Host name to x."""
        return {lane.name: lane.x for lane in self.lanes}


def arrange(events: Sequence[TraceEvent], hosts: Sequence[str], ended: float) -> Layout:
    """Place the events of a trace up to `ended` (virtual seconds); `hosts` gives the order of the lanes.

    A host that did nothing but start has no lane.
    """
    y, anchors = _place(events, ended)
    gutter = any(event.kind == "strike" for event in events)
    lanes = tuple(_lanes(events, hosts, AXIS_WIDTH + (GUTTER_WIDTH if gutter else 0.0)))
    last = lanes[-1] if lanes else None
    return Layout(
        lanes=lanes,
        y=tuple(y),
        ticks=tuple(_ticks(anchors)),
        width=round(last.x + last.width, 1) if last else AXIS_WIDTH + 300,
        height=round(anchors[-1][1] + 30, 1),
        gutter=gutter,
    )


def _lanes(events: Sequence[TraceEvent], hosts: Sequence[str], left: float) -> Iterator[Lane]:
    clients = {event.host: None for event in events if event.kind == "invoke" and event.host is not None}
    busy = dict.fromkeys(event.host for event in events if event.host is not None and event.kind != "start")
    names = [name for name in dict.fromkeys([*hosts, *busy]) if name in busy] or list(hosts)
    servers = sum(name not in clients for name in names)
    spacing = 120.0 if servers <= 3 else 98.0 if servers <= 5 else 86.0
    x = left + 32.0
    room = CLIENT_WIDTH if len(clients) <= 2 else 134.0
    for name in names:
        width = room if name in clients else spacing
        yield Lane(name, x, width, name in clients)
        x += width


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


def _place(events: Sequence[TraceEvent], ended: float) -> tuple[list[float], list[tuple[float, float]]]:
    """The y of each event, and (time, y) pairs between which the axis is linear."""
    stretch = next((pixels for most, pixels in _STRETCH if len(events) <= most), 5.0)
    y: list[float] = []
    anchors = [(0.0, TOP)]
    free: dict[str, float] = {}
    for time, group in groupby(enumerate(events), key=lambda item: item[1].time):
        instant = list(group)
        rank = _ranks(instant)
        row = min(ROW, ROW * _ROWS_PER_INSTANT / max(rank.values(), default=1)) if max(rank.values()) else ROW
        top = anchors[-1][1] + _gap(time - anchors[-1][0], stretch)
        for _, event in instant:
            top = max(top, free.get(_column(event), 0.0) - rank[event.index] * row)
        for _, event in instant:
            y.append(round(top + rank[event.index] * row, 1))
            if event.kind == "strike" or event.kind in _LABELLED:
                free[_column(event)] = y[-1] + (2 * LABEL if event.kind == "strike" else LABEL)
        anchors += [(time, top), (time, max(y[-len(instant) :]))]
    if ended > anchors[-1][0]:
        anchors.append((ended, anchors[-1][1] + _gap(ended - anchors[-1][0], stretch)))
    return y, anchors


def _gap(length: float, stretch: float) -> float:
    """Height of a gap of `length` seconds."""
    return min(max(stretch * sqrt(length * 1000.0), 1.5), 180.0) if length > 0 else 0.0


def _column(event: TraceEvent) -> str:
    """Where the event's text stands: texts of one column must not overlap."""
    return "" if event.kind == "strike" or event.host is None else event.host


def _ticks(anchors: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, int]]:
    """Round times, coarse ones first; level 0 stands at least 640 pixels apart, levels up to 1 160, up to 2 54."""
    chosen: list[tuple[float, float, int]] = []
    span = anchors[-1][0] - anchors[0][0]
    for level, apart in enumerate((640.0, 160.0, 54.0)):
        for step in _STEPS:
            if step > span or span / step > 20_000:
                continue
            for time, y in _along(anchors, step):
                place = bisect_left(chosen, (time, y, 0))
                if all(abs(y - near) >= apart for _, near, _ in chosen[max(place - 1, 0) : place + 1]):
                    chosen.insert(place, (time, y, level))
    yield from chosen


def _along(anchors: Sequence[tuple[float, float]], step: float) -> Iterator[tuple[float, float]]:
    """The multiples of `step` and their heights."""
    multiple = 0
    for (start, above), (end, below) in pairwise(anchors):
        while multiple * step <= end:
            time = multiple * step
            if time >= start:
                share = (time - start) / (end - start) if end > start else 0.0
                yield round(time, 7), round(above + share * (below - above), 1)
            multiple += 1
