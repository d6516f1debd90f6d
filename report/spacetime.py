"""A page with the space-time diagram of a run: one file, no network, no dependencies.

Prior art: Lamport's diagrams; ShiViz (order without time, a log line per event); Maelstrom's messages.svg (static); Jepsen's
timeline.html (operations without messages); Porcupine's visualisation (one object's operations).  Here hosts, clients, messages,
disks, faults, roles and the verdict share one picture, and the verdict stands in it: numbers at what it speaks of, a card where
it fell, its causal past in full colour.

The page holds words as HTML (verdict, schedule, legend), which are there without a script, the run as a compact table
(`diagram.py`), and a plain script that draws the table for the window it finds itself in.

The page is a pure function of the record: same record, same bytes.  Nothing of a run is ever markup: texts are escaped, the table
is JSON without a `<`, and the script builds what it shows from text nodes.  About 50 bytes per message, and 75 kB for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from re import sub

import msgspec

from ..properties.verdict import Status, Verdict
from ..sim.record import Record, Strike
from ..sim.schedule import Call
from ..sim.trace import TraceEvent
from .diagram import Item, evidence_items, table
from .layout import Layout, arrange
from .messages import arrows, message_types
from .page import asset, document, framed, safe
from .text import action_text, noise_text, operation_lines, override_text, strike_text, verdict_lines
from .wording import clean, event_text, seconds

__all__ = ["MissingTraceError", "spacetime_fragment", "spacetime_html"]

_SCRIPTS = ("run.js", "text.js", "scenery.js", "drawing.js", "details.js", "page.js")


class MissingTraceError(ValueError):
    """The record was made while exploring, so it has no trace to draw; replay its schedule with the full trace."""


def spacetime_html(record: Record, *, title: str | None = None, until: float | None = None) -> str:
    """The diagram as a complete HTML page; `until` (virtual seconds) leaves out what came later.

    Raises:
        MissingTraceError: the record has no trace.
    """
    if record.trace is None:
        raise MissingTraceError(
            f"the record of {record.schedule.scenario} (seed {record.schedule.seed}) has no trace to draw: replay its schedule"
        )
    ended = record.ended if until is None else min(record.ended, until)
    events = sorted((event for event in record.trace if event.time <= ended), key=lambda event: event.index)
    layout = arrange(events, record.hosts, ended)
    flights = arrows(events)
    heading = clean(title or _title(record), 200)
    data = table(msgspec.structs.replace(record, ended=ended), events, layout, flights)
    items, decisive = evidence_items(record, events)
    side = f"{_story(record, heading, items, decisive)}{_PANEL}{_filters(message_types(flights), layout, events)}"
    body = f'<aside class="side">{side}</aside>{_stage(record, layout, items, decisive)}'
    return document(heading, "spacetime.css", body, data, _SCRIPTS)


def spacetime_fragment(record: Record, *, title: str | None = None, until: float | None = None, height: int = 640) -> str:
    """The same page for a notebook cell of `height` pixels: an isolated frame, so that many can live in one notebook.

    Raises:
        MissingTraceError: the record has no trace.
    """
    return framed(spacetime_html(record, title=title, until=until), height)


def _title(record: Record) -> str:
    mutant = f" with {record.schedule.mutant}" if record.schedule.mutant else ""
    return f"{record.schedule.scenario}{mutant}, seed {record.schedule.seed}"


# -- the side ---------------------------------------------------------------------------------------


def _story(record: Record, heading: str, items: Sequence[Item], decisive: Item | None) -> str:
    """Verdicts, schedule, facts."""
    worst = record.status
    verdicts = sorted(record.verdicts, key=lambda verdict: [Status.INVALID, Status.UNKNOWN, Status.VALID].index(verdict.status))
    failed = [verdict for verdict in verdicts if verdict.status is worst is not Status.VALID]
    told = "".join(_verdict(verdict, record, items if verdict is record.failure else (), decisive) for verdict in failed)
    others = _names("Holds", verdicts, Status.VALID)
    if worst is Status.INVALID:
        others += _names("Undecided, as the run stopped here", verdicts, Status.UNKNOWN)
    badge = f'<span class="badge {worst.value}">{worst.value}</span>'
    return (
        f'<header class="story"><h1>{safe(heading)}</h1><p>{badge}</p>{told}'
        f'<h2>Schedule</h2>{_plan(record)}{others}<p class="facts">{safe(clean(_facts(record)))}</p></header>'
    )


def _facts(record: Record) -> str:
    """How much it was.  A run on real processes is measured in seconds, has no digest, and nobody counts its disk operations."""
    counts, schedule = record.statistics, record.schedule
    messages = f"{counts.events} events, {counts.messages_sent} messages ({counts.messages_dropped} dropped)"
    if not record.digest:
        return f"{record.ended:.3f} seconds on real processes, {messages}; {schedule.budget}"
    simulated = f"{counts.disk_operations} disk operations; {noise_text(schedule.noise)}; {schedule.budget}; digest {record.digest[:16]}"
    return f"{record.ended:.3f} virtual seconds, {messages}, {simulated}"


def _names(heading: str, verdicts: Sequence[Verdict], status: Status) -> str:
    names = [verdict.name for verdict in verdicts if verdict.status is status]
    return f'<p class="facts">{heading}: {safe(clean(", ".join(names), 600))}.</p>' if names else ""


def _verdict(verdict: Verdict, record: Record, items: Sequence[Item], decisive: Item | None) -> str:
    """The verdict as a sentence, and what it rests on; lines about something in the picture have its number and lead to it."""
    first, *rest = verdict_lines(verdict, record.history)
    lines = [sub(" {2,}", "  ", line.strip()) for line in rest]
    numbers = {id(item): number for number, item in enumerate(items, 1)}
    spoken = _match(lines, items)
    rows = [_evidence_row(line, spoken.get(place), numbers, decisive) for place, line in enumerate(lines)]
    left = [item for item in items if item not in spoken.values()]
    rows += [_evidence_row(_item_line(item), item, numbers, decisive) for item in left]
    evidence = f'<ol class="evidence">{"".join(rows)}</ol>' if rows else ""
    return f'<p class="reason {verdict.status.value}">{safe(first)}</p>{evidence}'


def _evidence_row(line: str, item: Item | None, numbers: dict[int, int], decisive: Item | None) -> str:
    if item is None:
        return f"<li>{safe(line)}</li>"
    last = " last" if item is decisive else ""
    return f'<li data-event="{item.event.index}"><i class="number{last}">{numbers[id(item)]}</i>{safe(line)}</li>'


def _match(lines: Sequence[str], items: Sequence[Item]) -> dict[int, Item]:
    """Which line, by position, is about which item: it begins like the operation, or names the event's host and its index or
    time; failing that, the last line left that names the host at all."""
    found: dict[int, Item] = {}
    for exactly in (True, False):
        for item in (item for item in items if item not in found.values()):
            free = (place for place in reversed(range(len(lines))) if place not in found)
            place = next((place for place in free if _speaks_of(lines[place], item, exactly)), None)
            if place is not None:
                found[place] = item
    return found


def _speaks_of(line: str, item: Item, exactly: bool) -> bool:
    if item.operation is not None:
        called = f"{item.operation.process} {item.operation.function}("
        return line.startswith(called) and seconds(item.operation.invoked_at) in line
    event = item.event
    moment = f"event {event.index})" in line or seconds(event.time) in line
    return (moment or not exactly) and (event.host or "") in line.replace(":", " ").split()


def _item_line(item: Item) -> str:
    if item.operation is not None:
        return sub(" {2,}", "  ", operation_lines([item.operation])[0])
    return clean(f"{seconds(item.event.time)}  {item.event.host or ''} {item.event.kind} {event_text(item.event)}", 120)


def _plan(record: Record) -> str:
    """The schedule as a table; a row leads to where its fault struck."""
    strikes: dict[int, Strike] = {strike.action: strike for strike in record.strikes}
    invocations = {(event.time, event.host): event.index for event in record.trace or () if event.kind == "invoke"}
    rows = []
    for place, action in enumerate(record.schedule.actions):
        what, more = action_text(action, at_length=True)
        strike = strikes.get(place)
        became = strike_text(strike, at_length=True) if strike is not None else ""
        target = strike.index if strike is not None and strike.struck else None
        if isinstance(action, Call):
            target = invocations.get((action.at, action.client))
        style = "became struck" if strike is not None and strike.struck else "became"
        words = " — ".join(filter(None, (more, became)))
        detail = f'<br><span class="{style}">{safe(words)}</span>' if words else ""
        link = f' data-event="{target}"' if target is not None else ""
        rows.append(f"<tr{link}><td>{seconds(action.at)}</td><td>{safe(what)}{detail}</td></tr>")
    rows += [f"<tr><td></td><td>{safe(override_text(override))}</td></tr>" for override in record.schedule.overrides]
    return f'<table class="plan">{"".join(rows)}</table>'


_PANEL = (
    '<section class="panel scripted" hidden><p class="hint">Point at anything to see what it was. Click it to see its <b>causal '
    "past</b>: what can have had a part in it. Drag to move, Ctrl and wheel to zoom. <kbd>?</kbd> explains marks and keys.</p></section>"
)


def _filters(types: Sequence[tuple[str, int]], layout: Layout, events: Sequence[TraceEvent]) -> str:
    """Boxes for hosts, types of messages and kinds of events."""
    present = {event.kind for event in events}
    extra = [("routine", "routine messages"), ("disk", "disk"), ("killpoint", "kill points"), ("log", "log lines")]
    extra += [("observe", "observations")]
    hosts = "".join(_box(f'data-host="{place}"', clean(lane.name, 20)) for place, lane in enumerate(layout.lanes))
    messages = "".join(
        _box(f'data-type="{place}"', f"{name} {count}", f"t{place % 8}") for place, (name, count) in reversed([*enumerate(types)])
    )
    kinds = "".join(_box(f'data-kind="{kind}"', words) for kind, words in extra if kind == "routine" or kind in present)
    return (
        '<section class="filters scripted" hidden><h2>Show <small>double click: only this</small></h2>'
        f"<div>{hosts}</div><div>{messages}</div><div>{kinds}</div></section>"
    )


def _box(data: str, words: str, colour: str = "") -> str:
    swatch = f'<i class="{colour}"></i>' if colour else ""
    return f'<label><input type="checkbox" checked {data}>{swatch}{safe(words)}</label>'


# -- the stage --------------------------------------------------------------------------------------

_BUTTONS = (
    ("k", "\u2191", "previous event (k)"),
    ("j", "\u2193", "next event (j)"),
    ("-", "\u2212", "zoom out (-)"),
    ("+", "+", "zoom in (+)"),
    ("0", "1:1", "normal size (0)"),
    ("f", "fit", "whole run (f)"),
    ("q", "fold", "fold what is quiet (q)"),
    ("p", "past only", "only the causal past of what is selected (p)"),
)


def _stage(record: Record, layout: Layout, items: Sequence[Item], decisive: Item | None) -> str:
    """Buttons, and room for the picture."""
    bar = "".join(
        f'<button data-key="{key}" title="{title}"{" class=down" if key == "q" else ""}>{face}</button>'
        for key, face, title in _BUTTONS
    )
    if decisive is not None:
        bar += '<button data-key="v" class="go" title="go to the violation (v)">violation</button>'
    evidence = record.failure.evidence if record.failure is not None else None
    blamed = evidence.hosts if evidence is not None else ()
    heads = ""
    for lane in layout.lanes:
        style = ("client" if lane.client else "server") + " blamed" * (lane.name in blamed)
        heads += f'<span class="{style}"><b>{safe(clean(lane.name, 20))}</b><small></small></span>'
    search = '<input type="search" placeholder="search (/)" aria-label="search"><output></output>'
    legend = '<button data-key="?" title="marks and keys (?)">?</button>'
    picture, card = asset("diagram.svg"), _card(record, items, decisive)
    return "".join(
        (
            f'<main class="stage"><nav class="bar scripted" hidden>{bar}<span class="spring"></span>{search}{legend}</nav>',
            f'<div class="scroll" tabindex="0"><div class="heads">{heads}</div>{picture}{card}</div>',
            '<div class="map scripted" hidden><svg preserveAspectRatio="none"><use href="#shapes"/></svg><div></div></div>',
            f'{asset("legend.html")}<div class="tip" hidden></div>',
            "<noscript>A script draws the picture. Without one, killpoint replay FILE tells the run line by line.</noscript></main>",
        )
    )


def _card(record: Record, items: Sequence[Item], decisive: Item | None) -> str:
    """What went wrong, where it went wrong."""
    if record.failure is None or decisive is None:
        return ""
    return (
        f'<section class="card scripted" hidden>{_verdict(record.failure, record, items, decisive)}'
        '<p class="bearing" hidden>Faults in its past: </p></section>'
    )
