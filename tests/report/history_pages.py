"""Histories to be drawn, and their pages."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence

import msgspec

from killpoint.pictures import Picture, draw
from killpoint.properties import Complete, Event, History, Incident, Invoke, Outcome, Register, Value
from killpoint.properties.specification import Specification
from killpoint.report.bars import Bars

HOSTILE = "</script><script>alert(1)</script><b onload='x' class=\"y\">&amp;\u2028\ud800\x00\t]]>-->"

Row = tuple[str, str, Value, Value, float, float | None]
"""Process, function, argument, result, begin, end."""


def history_of(rows: Sequence[Row], incidents: Sequence[tuple[float, str, str | None]] = ()) -> History:
    """Operations that end `ok`, or never."""
    moments: list[tuple[float, int, int]] = [(row[4], 0, place) for place, row in enumerate(rows)]
    moments += [(row[5], 1, place) for place, row in enumerate(rows) if row[5] is not None]
    moments += [(incident[0], 2, place) for place, incident in enumerate(incidents)]
    events: list[Event] = []
    for time, kind, place in sorted(moments):
        index = len(events)
        if kind == 2:
            events.append(Incident(index, time, incidents[place][1], incidents[place][2]))
            continue
        process, function, argument, result, _begin, _end = rows[place]
        if kind == 0:
            events.append(Invoke(index, time, process, place, function, argument))
        else:
            events.append(Complete(index, time, process, place, Outcome.OK, result))
    return History(events)


STALE = history_of(
    [
        ("c1", "write", 1, None, 10.0, 10.2),
        ("c2", "write", 2, None, 10.3, 10.5),
        ("c3", "write", 3, None, 10.4, 10.6),
        ("c1", "write", 4, None, 10.45, None),
        ("c2", "read", None, 1, 10.7, 10.9),
        ("c3", "read", None, 3, 11.0, 11.1),
    ],
    [(10.1, "kill", "n1"), (10.65, "restart", "n1"), (10.8, "start-partition", None)],
)
"""Two writes side by side, and then a read of what was there before."""


def long_register(size: int, clients: int = 5) -> History:
    """A valid history of so many operations."""
    source = random.Random(size)
    rows: list[Row] = []
    free = [0.0] * clients
    for number in range(size):
        client = number % clients
        begin = free[client] = free[client] + source.random() / 100
        end = free[client] = begin + source.random() / 10
        rows.append((f"c{client}", "write", number, None, begin, end))
    return history_of(rows)


def page_of(history: History, model: Specification | None = None) -> str:
    """The page of a history, as one of a register if nothing else is said."""
    picture: Picture = draw(history, model or Register(), title="a history")
    return picture.html()


def table_of(page: str) -> Bars:
    """The table on a page."""
    found = re.search(r'<script type="application/json" class="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert "<" not in found[1]
    return msgspec.convert(json.loads(found[1]), Bars)
