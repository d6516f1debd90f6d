"""The messages of a trace, as arrows: where each begins and ends, of what type it is, and whether it is routine.

A message between two hosts of the system is **routine** if it says what the previous message on the same link said, but for
one number, which may be a counter of rounds, though not a term, and if its sender has heard from no client in between:
heartbeats, their replies, and idle polling.  No knowledge of any protocol is needed, and the picture can dim most of the ink and
fold what is nothing else, without hiding what changes.

A body that says nothing of its type (a number, a tuple of values) is called a reply to the last message the other way that did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from ..properties.history import Value
from ..sim.trace import TraceEvent
from .hosts import TERMS
from .wording import NAMELESS, message_name, value_text

__all__ = ["Arrow", "arrows", "message_types"]


class Arrow(msgspec.Struct, frozen=True):
    """One flight of one message.

    `start` and `end` are positions in the sequence of events; `end` is None while it is in the air.  `why` says why it was
    dropped, else it is empty.  `copy` is True for the second and later deliveries of one send.
    """

    start: int
    end: int | None
    sender: str
    to: str
    type: str
    routine: bool
    copy: bool
    why: str


def arrows(events: Sequence[TraceEvent]) -> list[Arrow]:
    """All flights, in the order of their sends.  Cost: one pass, one comparison of bodies per message."""
    position = {event.index: place for place, event in enumerate(events)}
    ends: dict[int, list[int]] = {}
    for place, event in enumerate(events):
        if event.kind in ("deliver", "drop") and event.cause in position:
            ends.setdefault(position[event.cause], []).append(place)
    previous: dict[tuple[str, str], tuple[int, Value]] = {}
    clients = {event.host for event in events if event.kind == "invoke"}
    asked: dict[tuple[str, str], str] = {}
    heard: dict[str | None, int] = {}
    found: list[Arrow] = []
    for place, event in enumerate(events):
        if event.kind == "deliver" and event.detail.get("sender") in clients:
            heard[event.host] = place
        if event.kind != "send" or event.host is None:
            continue
        to, body = value_text(event.detail.get("to")), event.detail.get("body")
        link = (event.host, to)
        last, before = previous.get(link, (-1, None))
        quiet = clients.isdisjoint(link) and heard.get(event.host, -1) < last
        routine = quiet and _repeats(before, body)
        previous[link] = place, body
        name = message_name(body)
        if name in NAMELESS:
            name = f"{asked[to, event.host]} reply" if (to, event.host) in asked else name
        else:
            asked[link] = name
        for copy, end in enumerate(ends.get(place, [None])):
            why = value_text(events[end].detail.get("why", "")) if end is not None and events[end].kind == "drop" else ""
            dropped = why or ("dropped" if end is not None and events[end].kind == "drop" else "")
            found.append(Arrow(place, end, event.host, to, name, routine, copy > 0, dropped))
    return found


def _repeats(before: Value, body: Value) -> bool:
    """True if both say the same, but for at most one integer that is not a term."""
    if type(before) is not type(body) or before == body:
        return before == body
    if isinstance(body, msgspec.Struct):
        pairs = [(name, getattr(before, name), getattr(body, name)) for name in body.__struct_fields__]
    elif isinstance(before, tuple) and isinstance(body, tuple) and len(before) == len(body):
        pairs = [("", old, new) for old, new in zip(before, body, strict=True)]
    else:
        return False
    changed = [(name, old, new) for name, old, new in pairs if old != new]
    return len(changed) == 1 and changed[0][0] not in TERMS and type(changed[0][1]) is type(changed[0][2]) is int


def message_types(flights: Sequence[Arrow]) -> list[tuple[str, int]]:
    """Types of messages and how many of each, the rarest first: those are the ones that stand out."""
    counts = Counter(arrow.type for arrow in flights if not arrow.copy)
    return sorted(counts.items(), key=lambda item: (item[1], item[0]))
