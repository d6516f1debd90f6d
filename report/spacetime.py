"""A page with the space-time diagram of a run: one file, no network, right without a script, better with one.

Prior art: Lamport's diagrams, ShiViz (order without time), Maelstrom's messages.svg (static), Jepsen's timeline.html (operations
without messages).  Here hosts, clients, messages, disks, faults, roles and the verdict share one picture; the static SVG comes
from `diagram.py`, and the script in `assets/` adds zoom, hover, search and the causal past of whatever is clicked, from a compact
table of the events at the end of the page.

The page is a pure function of the record: same record, same bytes.  Nothing of a run is ever markup: texts are escaped, the table
is JSON without a `<`, and the script builds what it shows from text nodes.  About 150 bytes per message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from re import sub

import msgspec

from ..properties.history import Value
from ..properties.verdict import Status, Verdict
from ..sim.record import Record, Strike
from ..sim.schedule import Call
from ..sim.trace import TraceEvent
from .diagram import Diagram, number
from .layout import AXIS_WIDTH, Lane, Layout, arrange
from .messages import Arrow, arrows, message_types
from .text import action_text, noise_text, override_text, strike_text, verdict_lines
from .wording import clean, seconds, value_text

__all__ = ["MissingTraceError", "spacetime_fragment", "spacetime_html"]


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
    types = message_types(flights)
    heading = clean(title or _title(record), 200)
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_safe(heading)}</title><style>{_asset('spacetime.css')}{_filter_rules(types)}</style></head><body>",
            f'<aside class="side">{_story(record, heading)}{_PANEL}{_filters(types, events)}{_LEGEND}</aside>',
            _stage(record, events, layout, flights, types),
            f'<script type="application/json" class="data">{_table(record, events, layout, flights, types)}</script>',
            f"<script>{_asset('spacetime.js')}</script></body></html>\n",
        )
    )


def spacetime_fragment(record: Record, *, title: str | None = None, until: float | None = None, height: int = 640) -> str:
    """The same page for a notebook cell of `height` pixels: an isolated frame, so that many can live in one notebook.

    Raises:
        MissingTraceError: the record has no trace.
    """
    page = spacetime_html(record, title=title, until=until).replace("&", "&amp;").replace('"', "&quot;")
    style = f"width:100%;height:{height}px;border:1px solid #8886;border-radius:6px"
    return f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{page}"></iframe>'


def _title(record: Record) -> str:
    mutant = f" with {record.schedule.mutant}" if record.schedule.mutant else ""
    return f"{record.schedule.scenario}{mutant}, seed {record.schedule.seed}"


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _safe(text: str) -> str:
    return escape(text, quote=True)


# -- the side ---------------------------------------------------------------------------------------


def _story(record: Record, heading: str) -> str:
    """Verdicts, schedule, facts."""
    worst = record.status
    verdicts = sorted(record.verdicts, key=lambda verdict: [Status.INVALID, Status.UNKNOWN, Status.VALID].index(verdict.status))
    told = "".join(_verdict(verdict, record) for verdict in verdicts if verdict.status is worst is not Status.VALID)
    others = _names("Holds", verdicts, Status.VALID)
    if worst is Status.INVALID:
        others += _names("Undecided, as the run stopped here", verdicts, Status.UNKNOWN)
    counts, schedule = record.statistics, record.schedule
    facts = (
        f"{record.ended:.3f} virtual seconds, {counts.events} events, {counts.messages_sent} messages "
        f"({counts.messages_dropped} dropped), {counts.disk_operations} disk operations; "
        f"{noise_text(schedule.noise)}; {schedule.budget}; digest {record.digest[:16]}"
    )
    badge = f'<span class="badge {worst.value}">{worst.value}</span>'
    return (
        f'<header class="story"><h1>{_safe(heading)}</h1><p>{badge}</p>{told}'
        f'<h2>Schedule</h2>{_plan(record)}{others}<p class="facts">{_safe(clean(facts))}</p></header>'
    )


def _names(heading: str, verdicts: Sequence[Verdict], status: Status) -> str:
    names = [verdict.name for verdict in verdicts if verdict.status is status]
    return f'<p class="facts">{heading}: {_safe(clean(", ".join(names), 600))}.</p>' if names else ""


def _verdict(verdict: Verdict, record: Record) -> str:
    first, *rest = verdict_lines(verdict, record.history)
    lines = "\n".join(sub(" {2,}", "  ", line.strip()) for line in rest)
    evidence = f"<pre>{_safe(lines)}</pre>" if rest else ""
    return f'<p class="reason {verdict.status.value}">{_safe(first)}</p>{evidence}'


def _plan(record: Record) -> str:
    """The schedule as a table; a row leads to where its fault struck."""
    strikes: dict[int, Strike] = {strike.action: strike for strike in record.strikes}
    invocations = {(event.time, event.host): event.index for event in record.trace or () if event.kind == "invoke"}
    rows = []
    for place, action in enumerate(record.schedule.actions):
        what, more = action_text(action)
        strike = strikes.get(place)
        became = strike_text(strike) if strike is not None else ""
        target = strike.index if strike is not None and strike.struck else None
        if isinstance(action, Call):
            target = invocations.get((action.at, action.client))
        style = "became struck" if strike is not None and strike.struck else "became"
        words = " — ".join(filter(None, (more, became)))
        detail = f'<br><span class="{style}">{_safe(words)}</span>' if words else ""
        link = f' data-event="{target}"' if target is not None else ""
        rows.append(f"<tr{link}><td>{seconds(action.at)}</td><td>{_safe(what)}{detail}</td></tr>")
    rows += [f"<tr><td></td><td>{_safe(override_text(override))}</td></tr>" for override in record.schedule.overrides]
    return f'<table class="plan">{"".join(rows)}</table>'


_KEYS = (
    ("j k", "next and previous event"),
    ("/", "search"),
    ("n N", "next and previous find"),
    ("v", "the violation"),
    ("+ - 0", "or Ctrl and wheel: zoom"),
    ("f", "fit"),
    ("Esc", "let go"),
)
_PANEL = (
    '<section class="panel" hidden><p class="hint">Point at anything to see what it was; click it to see its '
    '<b>causal past</b>; drag to move.</p><p class="hint">'
    + ", ".join(" ".join(f"<kbd>{key}</kbd>" for key in keys.split()) + f" {words}" for keys, words in _KEYS)
    + ".</p></section>"
)


def _filter_rules(types: Sequence[tuple[str, int]]) -> str:
    """Colours of message types, and rules by which unticked boxes hide things, without a script."""
    rules = [f".t{place}{{--c:var(--t{place % 8})}}" for place in range(len(types))]
    names = [f"t{place}" for place in range(len(types))]
    hidden = [(name, f".{name}") for name in names]
    hidden += [("r", ".r"), ("disk", ".disk,.fsync"), ("killpoint", ".kp"), ("log", "path.log")]
    for name, what in hidden:
        selectors = ",".join(f"body:has(.f-{name}:not(:checked)) svg {part}" for part in what.split(","))
        rules.append(f"{selectors}{{display:none}}")
    return "".join(rules)


def _filters(types: Sequence[tuple[str, int]], events: Sequence[TraceEvent]) -> str:
    present = {event.kind for event in events}
    boxes = [
        f'<label><input type="checkbox" checked class="f-t{place}"><i style="background:var(--t{place % 8})"></i>'
        f"{_safe(name)} {count}</label>"
        for place, (name, count) in reversed(list(enumerate(types)))
    ]
    extra = [("r", "routine messages"), ("disk", "disk"), ("killpoint", "kill points"), ("log", "log lines")]
    extra += [("observe", "observations")]
    boxes += [
        f'<label><input type="checkbox" checked class="f-{name}">{words}</label>'
        for name, words in extra
        if name == "r" or name in present
    ]
    return f'<section class="filters"><h2>Show</h2>{"".join(boxes)}</section>'


def _sample(shape: str) -> str:
    return f'<svg width="22" height="16" viewBox="-11 -8 22 16">{shape}</svg>'


_LEGEND_ROWS = (
    ('<rect class="lane l q0" x="-5" y="-8" width="10" height="16"/>', "leader (hue: its term)"),
    ('<rect class="lane c q1" x="-3.5" y="-8" width="7" height="16"/>', "candidate"),
    ('<rect class="lane f q0" x="-2" y="-8" width="4" height="16"/>', "follower"),
    ('<rect class="band down" x="-8" y="-8" width="16" height="16"/>', "down"),
    ('<rect class="band paused" x="-8" y="-8" width="16" height="16"/>', "paused"),
    ('<rect class="band cut" x="-11" y="-8" width="22" height="16"/>', "cut off"),
    ('<rect class="op ok" x="-4" y="-8" width="9" height="16"/>', "operation: ok"),
    ('<rect class="op info" x="-4" y="-8" width="9" height="16"/>', "operation: unknown"),
    ('<rect class="op fail" x="-4" y="-8" width="9" height="16"/>', "operation: failed"),
    ('<use href="#kill"/>', "kill"),
    ('<use href="#power"/>', "power loss"),
    ('<use href="#up"/>', "restart"),
    ('<use href="#crash"/>', "crash"),
    ('<path class="m x" d="M-10-3L6 3m-3.500-3.500l7 7m0-7l-7 7"/>', "dropped message"),
    ('<path class="fsync" d="M-9-3h10"/><path class="disk" d="M-9 3h6"/>', "fsync, other disk"),
    ('<path class="kp" d="M-3 0l4-3 4 3-4 3z"/>', "kill point"),
)
_LEGEND = (
    '<details class="legend"><summary>Legend</summary><ul>'
    + "".join(f"<li>{_sample(shape)}{words}</li>" for shape, words in _LEGEND_ROWS)
    + "</ul></details>"
)


# -- the stage --------------------------------------------------------------------------------------


def _stage(
    record: Record, events: Sequence[TraceEvent], layout: Layout, flights: Sequence[Arrow], types: Sequence[tuple[str, int]]
) -> str:
    evidence = record.failure.evidence if record.failure is not None else None
    violation = _violation(record, events)
    described = {
        strike.index: (record.schedule.actions[strike.action], strike)
        for strike in record.strikes
        if strike.action < len(record.schedule.actions)
    }
    diagram = Diagram(
        events,
        layout,
        flights,
        {name: place for place, (name, _) in enumerate(types)},
        record.history,
        evidence=evidence,
        violation=violation,
        strikes={index: (action_text(action)[0], strike) for index, (action, strike) in described.items()},
    )
    heads = [
        f'<span class="{_side(lane)}" style="left:{number(lane.x)}px">{_safe(clean(lane.name, 20))}</span>'
        for lane in layout.lanes
    ]
    heads += [f'<span class="note" style="left:{number(AXIS_WIDTH + 8)}px">faults</span>'] if layout.gutter else []
    left = number(layout.lanes[0].x - 30 if layout.lanes else 0)
    buttons = (
        ("k", "↑", "previous event (k)"),
        ("j", "↓", "next event (j)"),
        ("-", "−", "zoom out (-)"),  # noqa: RUF001  # a minus sign as wide as the plus
        ("+", "+", "zoom in (+)"),
        ("0", "1:1", "normal size (0)"),
        ("f", "fit", "whole run (f)"),
    )
    bar = "".join(f'<button data-key="{key}" title="{title}">{face}</button>' for key, face, title in buttons)
    if violation is not None:
        bar += '<button data-key="v" class="go" title="go to the violation (v)">violation</button>'
    return (
        f'<main class="stage"><nav class="bar" hidden>{bar}<span class="spring"></span>'
        '<input type="search" placeholder="search (/)" aria-label="search"><output></output></nav>'
        f'<div class="scroll" tabindex="0"><div class="heads" style="width:{number(layout.width)}px">{"".join(heads)}</div>'
        f'{diagram.svg()}</div><div class="map" hidden><svg preserveAspectRatio="none" '
        f'viewBox="{left} 0 {number(layout.width - float(left))} {number(layout.height)}"><use href="#shapes"/></svg><div></div>'
        "</div></main>"
    )


def _side(lane: Lane) -> str:
    return "client" if lane.client else "server"


def _violation(record: Record, events: Sequence[TraceEvent]) -> int | None:
    """Index of the event at which the first failing verdict fell: the decisive operation's end, or the last event named."""
    evidence = record.failure.evidence if record.failure is not None else None
    if evidence is None:
        return None
    last = evidence.operations[-1] if evidence.operations else None
    ends = [event.index for event in events if event.kind == "complete" and event.detail.get("operation") == last]
    named = [index for index in evidence.events if index <= (events[-1].index if events else -1)]
    return next(iter([*ends, *named[-1:]]), None)


# -- the table of events ----------------------------------------------------------------------------


class _Words:
    """Texts by number, each kept once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def _table(
    record: Record, events: Sequence[TraceEvent], layout: Layout, flights: Sequence[Arrow], types: Sequence[tuple[str, int]]
) -> str:
    """What the script needs to know of the events, as JSON that can stand in a script element.

    One row per event: microseconds since the previous one, kind, lane, how many rows back its cause is (0: none), which list of
    keys, and the texts under those keys.  A delivery does not repeat what its send says.
    """
    kinds, keys, texts = _Words(), _Words(), _Words()
    lanes = {lane.name: place for place, lane in enumerate(layout.lanes)}
    position = {event.index: place for place, event in enumerate(events)}
    struck = {strike.index: {"what became of it": strike_text(strike)} for strike in record.strikes if strike.struck}
    rows: list[list[int]] = []
    clock = 0
    for place, event in enumerate(events):
        cause = position.get(event.cause, place) if event.cause is not None else place
        detail = _shown(event, cause != place) | struck.get(event.index, {})
        now = round(event.time * 1e6)
        head = [now - clock, kinds.number(event.kind), lanes.get(event.host or "", -1), place - cause]
        rows.append([*head, keys.number("\n".join(detail)), *(texts.number(text) for text in detail.values())])
        clock = now
    numbers = {name: place for place, (name, _) in enumerate(types)}
    heights = [round(y * 10) for y in layout.y]
    table = {
        "lanes": [[lane.name, lane.x] for lane in layout.lanes],
        "kinds": list(kinds.numbers),
        "keys": [key.split("\n") if key else [] for key in keys.numbers],
        "texts": list(texts.numbers),
        "events": rows,
        "y": [after - before for before, after in zip([0, *heights], heights, strict=False)],
        "sends": [numbers[arrow.type] * 2 + arrow.routine for arrow in flights if not arrow.copy],
        "shifts": list(_shifts(events)),
        "width": layout.width,
        "height": layout.height,
        "left": layout.lanes[0].x - 30 if layout.lanes else 0,
        "gutter": AXIS_WIDTH + 8,
        "violation": _violation(record, events),
    }
    return msgspec.json.encode(table).decode("utf-8").replace("<", "\\u003c")


def _shown(event: TraceEvent, caused: bool) -> dict[str, str]:
    """What the panel shows of an event; for a delivery or a drop it looks the message up at its send."""
    skipped = ("sender", "body", "sent") if caused and event.kind in ("deliver", "drop") else ()
    detail: Mapping[str, Value] = event.detail
    return {clean(key, 60): _lines(key, value) for key, value in detail.items() if key not in skipped and value not in (None, "")}


def _lines(key: str, value: Value) -> str:
    """A value as text; a traceback keeps its lines."""
    if key == "traceback":
        lines = value if isinstance(value, tuple) else str(value).split("\n")
        return "\n".join(clean(str(line).rstrip(), 200) for line in lines[-40:])
    return value_text(value)


def _shifts(events: Iterable[TraceEvent]) -> Iterable[tuple[int, int]]:
    """(position, index - position) wherever that difference changes."""
    differences = ((place, event.index - place) for place, event in enumerate(events))
    for _, group in groupby(differences, key=lambda pair: pair[1]):
        yield next(group)
