"""The space-time diagram as static SVG: the whole picture, right without any script.

Hosts are lanes, time runs down (`layout.py`).  Thousands of arrows become few elements: within a chunk of about a screen,
all messages of one type are one path, and so are all disk operations and all kill points.  The script zooms by rewriting the
heights in those paths, for visible chunks only, so a picture of 10,000 messages stays responsive.

Texts on arrows are placed greedily where they collide with nothing: at the receiver's end or at the sender's.  What finds no
room at normal size is tried again for a magnification of 2.5 and shown from there on (class `z2`).

Every text of the run goes through `escape`.  Output is a pure function of its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import copysign, hypot

from ..properties.history import History, Operation
from ..properties.verdict import Evidence
from ..sim.record import Strike
from ..sim.trace import TraceEvent
from .hosts import Span, spans
from .layout import AXIS_WIDTH, Layout
from .messages import Arrow
from .text import strike_text
from .wording import call_text, clean, duration, result_text, seconds, short, value_text

__all__ = ["CHUNK", "Diagram", "number"]

CHUNK = 1200.0
"""Height of a chunk in pixels."""
_MAGNIFIED = 2.5
_PRIMARY = ("leader", "primary", "master", "coordinator", "sequencer")
_ASPIRING = ("candidate", "pre-candidate", "precandidate", "prospect")
_MARKS = {"kill": "kill", "power-loss": "power", "restart": "up", "crash": "crash", "exit": "exit"}
_MARKS |= {"pause": "pause", "resume": "play"}


def number(value: float) -> str:
    """A coordinate: one decimal at most."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


class _Room:
    """Which stretches of which rows are taken by text."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._rows: dict[int, list[tuple[float, float]]] = {}

    def _span(self, y: float) -> range:
        y *= self._scale
        return range(int((y - 8) // 5), int((y + 2) // 5) + 1)

    def take(self, x: float, y: float, width: float) -> None:
        for row in self._span(y):
            self._rows.setdefault(row, []).append((x, x + width))

    def free(self, x: float, y: float, width: float) -> bool:
        return not any(x < right and left < x + width for row in self._span(y) for left, right in self._rows.get(row, ()))


class Diagram:
    """Draws one trace.  `svg()` is the picture; cost: a few microseconds per event."""

    def __init__(
        self,
        events: Sequence[TraceEvent],
        layout: Layout,
        flights: Sequence[Arrow],
        types: Mapping[str, int],
        history: History,
        *,
        evidence: Evidence | None = None,
        violation: int | None = None,
        strikes: Mapping[int, tuple[str, Strike]] | None = None,
    ) -> None:
        self.events, self.layout, self.flights, self.types, self.history = events, layout, flights, types, history
        self.evidence = evidence or Evidence("")
        self.violation = violation
        self.strikes = strikes or {}
        self.x = layout.x_of()
        self.client = {lane.name: lane.client for lane in layout.lanes}
        self.position = {event.index: place for place, event in enumerate(events)}
        self.completed = {e.detail.get("operation"): place for place, e in enumerate(events) if e.kind == "complete"}
        self.rooms = (_Room(), _Room(_MAGNIFIED))
        self.terms: dict[str, int] = {}

    def svg(self) -> str:
        """The `<svg>` element: first what is long (axis, lanes, bands, operations), then the chunks, then marks and evidence."""
        width, height = number(self.layout.width), number(self.layout.height)
        found = spans(self.events, self.layout.y, self.layout.height - 12, [x.name for x in self.layout.lanes if not x.client])
        found = [span for span in found if span.host in self.x]
        shapes, words = [*self._lanes(found)], [*self._faults(), *self._marks(), *self._role_labels(found)]
        for operation in self.history.operations:
            bar, texts = self._operation(operation)
            shapes.append(bar)
            words += texts
        words += [*self._band_labels(found), *self._evidence()]
        # The texts above have taken their room before the arrows look for theirs.
        chunks = "".join(self._chunks())
        drawn = "".join(shapes)
        return (
            f'<svg class="diagram" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">{_DEFINITIONS}'
            f'<g class="grid">{"".join(self._axis())}</g><g class="shapes" id="shapes">{drawn}</g>'
            f'<g class="chunks">{chunks}</g><g class="words">{"".join(words)}</g><g class="over"></g></svg>'
        )

    # -- background ---------------------------------------------------------------------------------------------------------

    def _axis(self) -> Iterator[str]:
        right = number(self.layout.width)
        for wanted in range(3):
            ticks = [(time, y) for time, y, level in self.layout.ticks if level == wanted]
            rules = "".join(f"M{number(AXIS_WIDTH)} {number(y)}H{right}" for _, y in ticks)
            words = (_text(AXIS_WIDTH - 6, y, duration(time), "tick", 3.5) for time, y in ticks)
            yield f'<g class="v{wanted}"><path class="rule" d="{rules}"/>{"".join(words)}</g>' if ticks else ""
        # Lane names again and again, for paper only.
        for chunk in range(int(self.layout.height // CHUNK) + 1):
            yield from (_text(lane.x, chunk * CHUNK, clean(lane.name, 20), "again", 16) for lane in self.layout.lanes)
        for place, event in enumerate(self.events):
            if event.kind == "calm":
                y = self.layout.y[place]
                yield f'<path class="calm" d="M{number(AXIS_WIDTH)} {number(y)}H{right}"/>'
                yield _text(AXIS_WIDTH + 6, y, "calm: all faults end", "calm", -4)

    def _lanes(self, found: Sequence[Span]) -> Iterator[str]:
        """Bands below lanes below the lines of clients."""
        for span in found:
            half = 15 if span.kind == "cut" else 8
            weight = f' opacity="{0.35 + 0.65 * span.weight:.2f}"' if span.kind == "cut" else ""
            if span.kind != "role":
                left, tall = self.x[span.host] - half, span.bottom - span.top
                yield _rect(left, span.top, 2 * half, tall, f"band {span.kind}", f'{weight} rx="{half // 4}"')
        yield from (self._lane(span) for span in found if span.kind == "role")
        for lane in self.layout.lanes:
            if lane.client:
                yield _rect(lane.x - 0.5, 0, 1, self.layout.height - 12, "clientlane")
        if self.violation is not None:
            y = number(self.layout.y[self.position[self.violation]])
            yield f'<path class="violation" d="M{number(AXIS_WIDTH)} {y}H{number(self.layout.width)}"/>'

    def _band_labels(self, found: Sequence[Span]) -> Iterator[str]:
        for span in found:
            if span.kind != "role" and span.bottom - span.top > 10 and span.weight >= 0.5:
                label = short(span.label, 28)
                end = self.x[span.host] - (18 if span.kind == "cut" else 11)
                if self._reserve(end - _wide(label, 9.5), span.top + 9, label, 9.5):
                    yield _text(end, span.top, label, f"bandlabel {span.kind}", 9)

    def _lane(self, span: Span) -> str:
        style, width = "f", 4.0
        if span.role.lower() in _PRIMARY:
            style, width = "l", 10.0
        elif span.role.lower() in _ASPIRING:
            style, width = "c", 7.0
        elif not span.role:
            style, width = "n", 2.0
        colour = f" q{self._term(span.term)}" if span.term else ""
        top, tall = span.top, span.bottom - span.top
        return _rect(self.x[span.host] - width / 2, top, width, tall, f"lane {style}{colour}")

    def _term(self, term: str) -> int:
        return self.terms.setdefault(term, len(self.terms)) % 6

    def _role_labels(self, found: Sequence[Span]) -> Iterator[str]:
        """Names the role where it begins; a mere change of term only where there is room."""
        before: dict[str, Span] = {}
        for span in sorted((s for s in found if s.kind == "role" and s.role), key=lambda s: s.top):
            last = before.get(span.host)
            before[span.host] = span
            if last is not None and (last.role, last.term) == (span.role, span.term):
                continue
            outstanding = span.role.lower() in _PRIMARY + _ASPIRING
            changed = last is not None and last.role != span.role
            term = f"term {span.term}" if span.term else ""
            label = f"{span.role} {term}".strip() if outstanding or changed else term if last is not None else ""
            x, y = self.x[span.host] + 15, span.top
            if label and self._reserve(x, y + 10, label, 10, force=outstanding):
                yield _text(x, y, label, f"role {'l' if outstanding else 'f'} q{self._term(span.term)}", 10)

    # -- chunks: messages and ticks -----------------------------------------------------------------------------------------

    def _chunks(self) -> Iterator[str]:
        count = int(self.layout.height // CHUNK) + 1
        paths: list[dict[str, list[str]]] = [{} for _ in range(count)]
        texts: list[list[str]] = [[] for _ in range(count)]
        reach = [(i * CHUNK, (i + 1) * CHUNK) for i in range(count)]
        for arrow in self.flights:
            top, bottom, style, path = self._arrow(arrow)
            chunk = int(top // CHUNK)
            reach[chunk] = (reach[chunk][0], max(reach[chunk][1], bottom))
            paths[chunk].setdefault(style, []).append(path)
        for label in (self._lost, self._name):  # what was lost matters more than what arrived
            for arrow in self.flights:
                texts[int(self.layout.y[arrow.start] // CHUNK)] += label(arrow)
        for place, event in enumerate(self.events):
            tick = self._tick(place, event)
            if tick is not None:
                paths[int(self.layout.y[place] // CHUNK)].setdefault(tick[0], []).append(tick[1])
        for (top, bottom), grouped, words in zip(reach, paths, texts, strict=True):
            lines = "".join(f'<path class="{style}" d="{"".join(parts)}"/>' for style, parts in sorted(grouped.items()))
            if lines or words:
                yield f'<g data-y="{number(top)} {number(bottom)}">{lines}{"".join(words)}</g>'

    def _flight(self, arrow: Arrow) -> tuple[float, float, float, float]:
        """Both ends of an arrow; a message that did not arrive ends on the way."""
        x1, y1 = self.x[arrow.sender], self.layout.y[arrow.start]
        x2 = self.x.get(arrow.to, x1)
        if arrow.end is None:
            return x1, y1, x1 + 0.3 * (x2 - x1), y1 + 8
        y2 = self.layout.y[arrow.end]
        if arrow.why:
            early = self.events[arrow.end].time <= self.events[arrow.start].time
            near = copysign(36 + 0.12 * abs(x2 - x1), x2 - x1)
            return (x1, y1, x1 + near, y1 + 7) if early else (x1, y1, x2 - copysign(14, x2 - x1), y2)
        return x1, y1, x2, y2

    def _arrow(self, arrow: Arrow) -> tuple[float, float, str, str]:
        x1, y1, x2, y2 = self._flight(arrow)
        style = f"m t{self.types[arrow.type]}" + " r" * arrow.routine + " d" * arrow.copy
        if arrow.sender == arrow.to:
            middle = (y1 + y2) / 2
            there = f"M{number(x1 + 3)} {number(y1)}L{number(x1 + 18)} {number(middle)}"
            back = f"M{number(x1 + 18)} {number(middle)}L{number(x1 + 4)} {number(y2)}"
            return y1, y2, style, there + back + _head(-14, y2 - middle)
        side = 1 if x2 >= x1 else -1
        left, right = x1 + 3 * side, x2 - (4 * side if arrow.end is not None and not arrow.why else 0)
        line = f"M{number(left)} {number(y1)}L{number(right)} {number(y2)}"
        if arrow.why:
            return y1, y2, style + " x", line + "m-3.5-3.5l7 7m0-7l-7 7"
        if arrow.end is None:
            return y1, y2, style + " o", line
        return y1, y2, style, line + _head(right - left, y2 - y1)

    def _lost(self, arrow: Arrow) -> Iterator[str]:
        """What was dropped and why, next to the cross."""
        if not arrow.why or arrow.routine:
            return
        x1, _, x2, y = self._flight(arrow)
        label = short(f"{arrow.type}: {arrow.why}", 26)
        x = x2 + 7 if x2 >= x1 else x2 - 7 - _wide(label, 9.5)
        if self._reserve(x, y + 3, label, 9.5):
            yield _text(x, y, label, f"lost t{self.types[arrow.type]}", 3)

    def _name(self, arrow: Arrow) -> Iterator[str]:
        """The type of a message that arrived, near its receiver or else near its sender."""
        x1, y1, x2, y2 = self._flight(arrow)
        style = f"t{self.types[arrow.type]}"
        if arrow.why or arrow.routine or arrow.end is None or arrow.sender == arrow.to:
            return
        label = short(arrow.type, 20)
        wide = _wide(label, 9.5)
        if abs(x2 - x1) < wide + 14:
            return
        for room, level in zip(self.rooms, ("", " z2"), strict=True):
            for share in (min(1.0, (abs(x2 - x1) - wide / 2 - 10) / abs(x2 - x1)), (wide / 2 + 10) / abs(x2 - x1)):
                x, y = x1 + share * (x2 - x1) - wide / 2, y1 + share * (y2 - y1)
                if room.free(x, y - 3, wide):
                    for each in self.rooms if not level else (room,):
                        each.take(x, y - 3, wide)
                    yield _text(x, y, label, f"name {style}{level}", -3)
                    return

    def _tick(self, place: int, event: TraceEvent) -> tuple[str, str] | None:
        """Disk operations to the right of the lane, kill points and log lines to the left."""
        if event.host is None or event.kind not in ("disk", "killpoint", "log"):
            return None
        x, y = self.x[event.host], number(self.layout.y[place])
        if event.kind == "killpoint":
            return "kp", f"M{number(x - 11)} {y}l3-2 3 2-3 2z"
        if event.kind == "log":
            return "log", f"M{number(x - 16)} {y}h4"
        durable = value_text(event.detail.get("operation")).startswith("fsync")
        return ("fsync", f"M{number(x + 4)} {y}h9") if durable else ("disk", f"M{number(x + 4)} {y}h5")

    # -- foreground ---------------------------------------------------------------------------------------------------------

    def _operation(self, operation: Operation) -> tuple[str, list[str]]:
        """The bar of an operation and the texts beside it: what was called where it begins, what came of it where it ends."""
        start, end = self.position.get(operation.invoked), self.completed.get(operation.id)
        host = self.events[start].host if start is not None else None
        if start is None or host is None:
            return "", []
        x, top = self.x[host], self.layout.y[start]
        low = max(self.layout.y[end], top + 4) if end is not None else self.layout.height - 12
        outcome = operation.outcome.value if end is not None else "info"
        decisive = operation.id == (self.evidence.operations or (None,))[-1]
        blame = " decisive" if decisive else " blamed" if operation.id in self.evidence.operations else ""
        head = short(call_text(operation.function, operation.argument), 25)
        result = {"fail": "fail", "info": "unknown"}.get(outcome) or result_text(operation.argument, operation.result)
        tail = "" if end is None else short(f"→ {result}", 25)
        if low - top < 14:
            head, tail = short(f"{head} {tail}", 26), ""
        words = [_text(x + 9, top, head, "optext" + blame, 9)]
        words += [_text(x + 9, low, tail, f"optext {outcome}{blame}")] if tail else []
        self._reserve(x + 9, top + 9, head, 10.5, force=True)
        self._reserve(x + 9, low, tail, 10.5, force=True)
        style = f"op {outcome}{blame}" + " open" * (end is None)
        title = f"<title>{_escape(clean(operation.describe(), 200))}</title>"
        bar = _rect(x - 4.5, top, 9, low - top, style)
        return f"<g>{title}{bar}</g>", words

    def _marks(self) -> Iterator[str]:
        for place, event in enumerate(self.events):
            if event.kind not in _MARKS or event.host is None:
                continue
            x, y = self.x[event.host], self.layout.y[place]
            shape = _MARKS[event.kind]
            label = event.kind
            if event.kind in ("kill", "power-loss"):
                power = event.kind == "power-loss" or event.detail.get("mode") == "power"
                shape, label = ("power", "power loss") if power else ("kill", "killed")
            elif event.kind == "restart":
                label = f"restart {value_text(event.detail.get('incarnation', ''))}".strip()
            elif event.kind == "crash":
                label = short(f"crash: {value_text(event.detail.get('error'))}", 32)
            yield f'<use href="#{shape}" x="{number(x)}" y="{number(y)}"/>'
            if self._reserve(x + 10, y + 3.5, label, 10, force=event.kind in ("kill", "power-loss", "crash")):
                yield _text(x + 10, y, label, f"mark {shape}", 3.5)

    def _faults(self) -> Iterator[str]:
        """The gutter: what each fault action was, and what became of it."""
        x = AXIS_WIDTH + 8
        for place, event in enumerate(self.events):
            if event.kind != "strike":
                continue
            y = self.layout.y[place]
            what, strike = self.strikes.get(event.index, (value_text(event.detail.get("fault")), None))
            struck = strike is None or strike.struck
            style = "fault" if struck else "fault idle"
            reach = self.x.get(strike.hosts[0], 0.0) - 18 if strike is not None and struck and strike.hosts else 0.0
            if reach > x:
                yield f'<path class="reach" d="M{number(AXIS_WIDTH)} {number(y)}H{number(reach)}"/>'
            yield f'<use href="#{"bolt" if struck else "dud"}" x="{number(x - 3)}" y="{number(y)}"/>'
            self._reserve(x + 5, y + 4, what[:24], 10.5, force=True)
            self._reserve(x + 5, y + 15, "x" * 24, 10, force=True)
            yield _text(x + 5, y, short(what, 24), style, 4)
            if strike is not None:
                yield _text(x + 5, y, short(strike_text(strike), 27), style + " sub", 15)

    def _evidence(self) -> Iterator[str]:
        """Rings around the events that the verdict speaks of, and a line at the decisive moment."""
        for index in self.evidence.events:
            place = self.position.get(index)
            if place is not None and self.events[place].kind not in ("invoke", "complete"):
                x = self.x.get(self.events[place].host or "", AXIS_WIDTH)
                yield f'<use href="#ring" x="{number(x)}" y="{number(self.layout.y[place])}"/>'
        if self.violation is not None:
            place = self.position[self.violation]
            y = self.layout.y[place]
            yield _text(self.layout.width - 6, y, f"violation, {seconds(self.events[place].time)}", "violation", 13)

    def _reserve(self, x: float, y: float, label: str, size: float, force: bool = False) -> bool:
        """Take the room that a text needs; False, taking nothing, if it is not free (unless forced)."""
        wide = _wide(label, size)
        if not force and not self.rooms[0].free(x, y, wide):
            return False
        for room in self.rooms:
            room.take(x, y, wide)
        return True


def _wide(label: str, size: float) -> float:
    """About how wide a text is in a proportional sans-serif face of that size, pixels."""
    return len(label) * size * 0.54


def _escape(text: str) -> str:
    return escape(text, quote=True)


def _text(x: float, y: float, label: str, style: str, dy: float = 0.0) -> str:
    """A text `dy` pixels below the height `y`; the script zooms `y` and leaves `dy` alone."""
    shift = f' dy="{number(dy)}"' if dy else ""
    return f'<text class="{style}" x="{number(x)}" y="{number(y)}"{shift}>{_escape(label)}</text>'


def _rect(x: float, y: float, width: float, height: float, style: str, more: str = "") -> str:
    place = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
    return f'<rect class="{style}" {place}{more}/>'


def _head(dx: float, dy: float) -> str:
    """A filled arrowhead at the end of a path that arrived in the direction (dx, dy)."""
    length = hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    bx, by, nx, ny = -7 * ux, -7 * uy, -2.7 * uy, 2.7 * ux
    return f"m0 0l{number(bx + nx)} {number(by + ny)}l{number(-2 * nx)} {number(-2 * ny)}z"


_DEFINITIONS = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path class="hatch" d="M0 0V6"/></pattern>'
    '<pattern id="bars" width="6" height="5" patternUnits="userSpaceOnUse"><path class="bars" d="M0 1H6"/></pattern>'
    '<g id="kill"><circle class="disc" r="6.5"/><path class="glyph" d="M-3-3L3 3M3-3L-3 3"/></g>'
    '<g id="power"><circle class="disc" r="6.5"/><path class="glyph fill" d="M1-5L-3 1H0L-1 5L3-1H0z"/></g>'
    '<g id="crash"><path class="disc" d="M0-9L2.5-3.5L8.5-3L4 1L5.500 7L0 4L-5.500 7L-4 1L-8.500-3L-2.500-3.500z"/></g>'
    '<g id="up"><circle class="disc good" r="6"/><path class="glyph" d="M-3 1.500L0-2.500L3 1.500"/></g>'
    '<g id="exit"><rect class="disc plain" x="-4" y="-4" width="8" height="8"/></g>'
    '<g id="pause"><circle class="disc plain" r="6"/><path class="glyph" d="M-1.700-3V3M1.700-3V3"/></g>'
    '<g id="play"><circle class="disc plain" r="6"/><path class="glyph fill" d="M-1.500-3L3 0L-1.500 3z"/></g>'
    '<g id="bolt"><path class="bolt" d="M1-7L-5 1H-1L-2 7L4-1H0z"/></g>'
    '<g id="dud"><path class="dud" d="M1-7L-5 1H-1L-2 7L4-1H0z"/></g>'
    '<g id="ring"><circle class="ring" r="10"/></g></defs>'
)
