"""The space-time diagram as data: one compact table of everything that the page's script draws, says or searches.

The script (`assets/`) derives what can be derived: where lanes stand in a window, arrows, heads, labels and where they fit, the
causal past.  The table holds the rest, and says nothing twice.  What two thousand messages cost is numbers (times, heights,
causes, counters in messages), so:

- an event is a few integers in one flat list; what many events have in common (kind, host, type of message, which fields, the
  words of their values) is a **shape**, kept once;
- a value's text is kept without its numbers, `AppendReply(term=<tab>, match=<tab>)`, and the event brings them along; no text of
  a run contains a tab, since `clean` writes it as an escape;
- a delivery does not repeat what its send says, and a counter of boundaries that goes on by one is not written down.

That is about 50 bytes per message, disk operations included: a third of what plain rows and paths take, and still JSON that a
person can read.  Compressing it would save more, but the bytes of a compressor depend on its version, and the same run shall
give the same page.

Everything is a pure function of its input.  Cost: a few microseconds per event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TypeVar

import msgspec

from ..properties.history import Operation, Outcome, Value, render
from ..properties.verdict import Evidence
from ..sim.record import Record, Strike
from ..sim.trace import TraceEvent
from .hosts import Span, cuts, spans
from .layout import Layout
from .messages import Arrow, message_types
from .text import action_text, strike_text
from .wording import call_text, clean, result_text, value_text

__all__ = ["Item", "Table", "evidence_items", "table"]

_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:0|[1-9][0-9]{0,14})(?![0-9A-Za-z])")
"""What becomes a number: JavaScript's integers are exact up to 15 digits, and leading zeros must stay."""
_COUNTED = -1
"""Stands for a text: one more than this host's previous event of this kind said."""
_LONGEST = 200


class Table(msgspec.Struct):
    """What the script gets, as JSON.  Positions are those of events in `events`, lanes those in `lanes`; -1 is none."""

    lanes: list[tuple[str, bool]]
    """Name, and whether it is a client."""
    types: list[str]
    """Of messages, the rarest first."""
    kinds: list[str]
    keys: list[list[str]]
    texts: list[str]
    shapes: list[list[int]]
    """Kind, lane, 1 if it has a cause, twice the type of message it sends plus 1 if that is routine, keys, a text for each."""
    count: int
    events: list[int]
    """For each event: microseconds and tenths of a pixel since the previous one, shape, how many events back its cause is (if
    the shape has one), and the numbers for the tabs in its texts."""
    indices: list[tuple[int, int]]
    """(position, index - position) wherever that difference changes."""
    height: float
    ended: float
    """In virtual seconds."""
    operations: list[tuple[int, int, str, str, str]]
    """Positions of invocation and completion, outcome, what was called, what came of it."""
    spans: list[tuple[int, str, int, int, str, int, str]]
    """Lane, what to draw, from, to, label, number of the term, the term in words, with which the label ends: see `_span`."""
    cuts: list[tuple[int, int, list[int], list[int], str, str]]
    """From, to, lanes inside, lanes outside, way, words: see `hosts.Cut`."""
    strikes: list[tuple[int, str, str, bool, list[int]]]
    """Position, what it was, what became of it, whether it struck, which lanes."""
    evidence: list[tuple[int, int]]
    """Position and operation of what the verdict speaks of, in the order of time."""
    violation: int
    """Position of the event at which the verdict fell."""


class Item(msgspec.Struct, frozen=True):
    """Something that evidence speaks of: an event, and the operation that ended or began with it, if it is one."""

    place: int
    event: TraceEvent
    operation: Operation | None


def evidence_items(record: Record, events: Sequence[TraceEvent]) -> tuple[list[Item], Item | None]:
    """What the first failing verdict speaks of, as far as it is in `events`, in the order of time; and the decisive one.

    The decisive one is the last operation named, if it ended in time, or else the last event that is named.
    """
    evidence = record.failure.evidence if record.failure is not None else None
    if evidence is None:
        return [], None
    position = {event.index: place for place, event in enumerate(events)}
    ends = {event.detail.get("operation"): place for place, event in enumerate(events) if event.kind == "complete"}
    found: dict[int, Item] = {}
    decisive = None
    for operation in (operation for operation in record.history.operations if operation.id in evidence.operations):
        place = ends.get(operation.id, position.get(operation.invoked))
        if place is not None:
            item = found[place] = Item(place, events[place], operation)
            if operation.id == evidence.operations[-1] and operation.id in ends:
                decisive = item
    last = next((position[index] for index in reversed(evidence.events) if index in position), None)
    for place in _spoken_of(evidence, events, position):
        found.setdefault(place, Item(place, events[place], None))
    if decisive is None and last is not None:
        decisive = found.setdefault(last, Item(last, events[last], None))
    return [found[place] for place in sorted(found)], decisive


def _spoken_of(evidence: Evidence, events: Sequence[TraceEvent], position: Mapping[int, int]) -> Iterator[int]:
    """Positions of the events of evidence, but for the two ends of its operations, which are marked as one."""
    for index in evidence.events:
        place = position.get(index)
        if place is not None and events[place].detail.get("operation") not in evidence.operations:
            yield place


def table(record: Record, events: Sequence[TraceEvent], layout: Layout, flights: Sequence[Arrow]) -> Table:
    """The table of these events, which are in the order of their indices; `layout` and `flights` are theirs."""
    lanes = {lane.name: place for place, lane in enumerate(layout.lanes)}
    types = [name for name, _ in message_types(flights)]
    rows = _Rows(lanes, types, flights)
    heights = [round(y * 10) for y in layout.y]
    steps = [after - before for before, after in pairwise([0, *heights])]
    struck = {strike.index: strike for strike in record.strikes if strike.struck}
    for place, (event, step) in enumerate(zip(events, steps, strict=True)):
        rows.add(place, event, step, struck.get(event.index))
    items, decisive = evidence_items(record, events)
    numbers = {operation.id: number for number, operation in enumerate(record.history.operations)}
    terms: dict[str, int] = {}
    return Table(
        lanes=[(lane.name, lane.client) for lane in layout.lanes],
        types=types,
        kinds=list(rows.kinds),
        keys=[key.split("\n") if key else [] for key in rows.keys],
        texts=list(rows.texts),
        shapes=[list(shape) for shape in rows.shapes],
        count=len(events),
        events=rows.flat,
        indices=list(_indices(events)),
        height=layout.height,
        ended=record.ended,
        operations=_operations(record, events, decisive),
        spans=[_span(span, lanes, terms) for span in spans(events, [*lanes]) if span.host in lanes],
        cuts=[
            (cut.top, cut.bottom, _lanes(cut.inside, lanes), _lanes(cut.outside, lanes), cut.way, clean(cut.describe(), 120))
            for cut in cuts(events)
        ],
        strikes=_strikes(record, events, lanes),
        evidence=[(item.place, numbers[item.operation.id] if item.operation is not None else -1) for item in items],
        violation=decisive.place if decisive is not None else -1,
    )


class _Rows:
    """Events under encoding, and the words that they share."""

    def __init__(self, lanes: Mapping[str, int], types: Sequence[str], flights: Sequence[Arrow]) -> None:
        numbers = {name: number for number, name in enumerate(types)}
        self.sends = {arrow.start: 2 * numbers[arrow.type] + arrow.routine for arrow in flights}
        self.lanes = lanes
        self.kinds: dict[str, int] = {}
        self.keys: dict[str, int] = {}
        self.texts: dict[str, int] = {}
        self.shapes: dict[tuple[int, ...], int] = {}
        self.flat: list[int] = []
        self._clock = 0
        self._places: dict[int, int] = {}
        self._counters: dict[tuple[str, str | None], int] = {}

    def add(self, place: int, event: TraceEvent, step: int, strike: Strike | None) -> None:
        """Append one event; `step` is how much lower than the previous one it stands, in tenths of a pixel."""
        cause = self._places.get(event.cause) if event.cause is not None else None
        self._places[event.index] = place
        values, numbers = [], []
        for key, text in _shown(event, cause is not None, strike).items():
            if self._counts(event, key):
                values.append(_COUNTED)
                continue
            values.append(_number(self.texts, _NUMBER.sub("\t", text)))
            numbers += [int(found) for found in _NUMBER.findall(text)]
        keys = _number(self.keys, "\n".join(_shown(event, cause is not None, strike)))
        kind, lane = _number(self.kinds, event.kind), self.lanes.get(event.host or "", -1)
        shape = _number(self.shapes, (kind, lane, int(cause is not None), self.sends.get(place, -1), keys, *values))
        now = round(event.time * 1e6)
        self.flat += [now - self._clock, step, shape, *([place - cause] if cause is not None else []), *numbers]
        self._clock = now

    def _counts(self, event: TraceEvent, key: str) -> bool:
        """True if this is the number of a boundary, and one more than before."""
        value = event.detail.get(key)
        if key != "boundary" or not isinstance(value, int):
            return False
        before = self._counters.get((event.kind, event.host), 0)
        self._counters[event.kind, event.host] = value
        return value == before + 1


_Word = TypeVar("_Word")


def _number(known: dict[_Word, int], what: _Word) -> int:
    """The number of this word; a new one gets the next."""
    return known.setdefault(what, len(known))


def _shown(event: TraceEvent, caused: bool, strike: Strike | None) -> dict[str, str]:
    """What the page shows of an event; for a delivery or a drop it looks the message up at its send."""
    skipped = ("sender", "body", "sent") if caused and event.kind in ("deliver", "drop") else ()
    detail = {clean(key, 60): _lines(key, value) for key, value in event.detail.items() if key not in skipped}
    if strike is not None:
        detail["what became of it"] = strike_text(strike)
    return {key: text for key, text in detail.items() if text not in ("", "None")}


def _lines(key: str, value: Value) -> str:
    """A value as text; a traceback keeps its lines."""
    if key == "traceback":
        text = "\n".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return "\n".join(clean(line.rstrip(), 200) for line in text.split("\n")[-60:])
    return value_text(value)


def _indices(events: Iterable[TraceEvent]) -> Iterator[tuple[int, int]]:
    differences = ((place, event.index - place) for place, event in enumerate(events))
    for _, group in groupby(differences, key=lambda pair: pair[1]):
        yield next(group)


# -- what stands over several events ----------------------------------------------------------------


def _operations(record: Record, events: Sequence[TraceEvent], decisive: Item | None) -> list[tuple[int, int, str, str, str]]:
    """All operations of the history that began in time, whether or not they ended."""
    position = {event.index: place for place, event in enumerate(events)}
    ends = {event.detail.get("operation"): place for place, event in enumerate(events) if event.kind == "complete"}
    operations = record.history.operations
    finding = {done.function for done in operations if done.outcome is Outcome.OK and done.result is not None}
    blamed = decisive.operation.id if decisive is not None and decisive.operation is not None else None
    found = []
    for operation in operations:
        end = ends.get(operation.id, -1)
        outcome = operation.outcome if end >= 0 else Outcome.INFO
        result = {"fail": "fail", "info": "unknown"}.get(outcome.value, "")
        if outcome is Outcome.OK:
            # None is what a lookup found, and not just "ok", where others found something or the verdict turns on it.
            finds = operation.function in finding or operation.id == blamed
            result = render(operation.result) if finds else result_text(operation.argument, operation.result)
        call = clean(call_text(operation.function, operation.argument), _LONGEST)
        found.append((position.get(operation.invoked, -1), end, outcome.value, call, clean(result, _LONGEST)))
    return found


def _lanes(hosts: Iterable[str], lanes: Mapping[str, int]) -> list[int]:
    return [lanes[host] for host in hosts if host in lanes]


_OUTSTANDING = {
    "l": ("leader", "primary", "master", "coordinator", "sequencer"),
    "c": ("candidate", "pre-candidate", "precandidate", "prospect"),
}


def _span(span: Span, lanes: Mapping[str, int], terms: dict[str, int]) -> tuple[int, str, int, int, str, int, str]:
    """What to draw is `l` for whoever leads, `c` for whoever would like to, `f` for any other role, `n` for none, or the span's
    kind.  Terms are numbered as they appear, since they may be any text."""
    if span.kind != "role":
        return lanes[span.host], span.kind, span.top, span.bottom, span.label, -1, ""
    role = span.role.lower()
    style = next((style for style, roles in _OUTSTANDING.items() if role in roles), "f" if role else "n")
    label = " ".join(filter(None, (span.role, span.term)))
    return lanes[span.host], style, span.top, span.bottom, label, _number(terms, span.term) if span.term else -1, span.term


def _strikes(
    record: Record, events: Sequence[TraceEvent], lanes: Mapping[str, int]
) -> list[tuple[int, str, str, bool, list[int]]]:
    actions = record.schedule.actions
    described = {strike.index: strike for strike in record.strikes if strike.action < len(actions)}
    found = []
    for place, event in enumerate(events):
        strike = described.get(event.index)
        if event.kind == "strike" and strike is not None:
            what = action_text(actions[strike.action], at_length=True)[0]
            found.append((place, what, strike_text(strike), strike.struck, _lanes(strike.hosts, lanes)))
        elif event.kind == "strike":
            found.append((place, value_text(event.detail.get("fault"), 100), "", True, []))
    return found
