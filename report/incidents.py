"""What the world did while a history was recorded, as bands over the picture: from when until when, and what.

Kills, pauses and cuts of simulated and real runs end when `hosts.py` says so.  Incidents of other recorders (a nemesis) come as words:
one that begins with `start` lasts until the one that says `stop` of the same; any other is a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..properties.history import Event, Incident
from ..sim.trace import TraceEvent
from .hosts import cuts, spans
from .wording import clean, event_text

__all__ = ["Band", "bands_of"]

Band = tuple[float, float | None, str]
"""Begin and end (None: to the end of the picture; the same: a moment), and what it was."""

_OF_HOSTS = ("start", "restart", "exit", "kill", "power-loss", "crash", "pause", "resume", "cut", "heal", "calm")
_SILENT = ("calm", "cut", "escape", "exit", "heal", "log", "stable", "strike")
"""What says no more than others do, or nothing about when operations met with trouble."""


def bands_of(history: Iterable[Event]) -> list[Band]:
    """The bands of a history's incidents, in the order in which they begin."""
    incidents = [event for event in history if isinstance(event, Incident)]
    events = [TraceEvent(one.index, one.time, one.kind, one.host, None, one.detail) for one in incidents]
    hosts = dict.fromkeys(event.host for event in events if event.host is not None)
    ends = [*(event.time for event in events), None]
    found: list[Band] = [(events[cut.top].time, ends[cut.bottom], clean(cut.describe(), 80)) for cut in cuts(events)]
    halts = (span for span in spans(events, hosts) if span.kind != "role")
    found += [(events[halt.top].time, ends[halt.bottom], clean(f"{halt.host} {halt.label}", 80)) for halt in halts]
    found += _others([event for event in events if event.host is None or event.kind not in _OF_HOSTS])
    return sorted(found, key=lambda band: band[0])


def _others(events: Sequence[TraceEvent]) -> Iterable[Band]:
    for place, event in enumerate(events):
        if event.kind in _SILENT or event.kind.startswith("stop"):
            continue
        what = clean(" ".join(filter(None, (event.host, event.kind, event_text(event)))), 80)
        if not event.kind.startswith("start"):
            yield event.time, event.time, what
            continue
        ending = "stop" + event.kind.removeprefix("start")
        end = next((later.time for later in events[place + 1 :] if later.kind == ending and later.host == event.host), None)
        yield event.time, end, what
