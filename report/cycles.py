"""Anomalies of transactions as figures: the transactions of a cycle on a ring, each with an arrow to the one that must come after it.

A cycle has one natural layout, so nothing is computed but angles: in the order of its edges, clockwise from the top.  The kinds of
edges differ by their words and their dashes as well as by colour.  Elements of `svg` only; what transactions say is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import cos, hypot, pi, sin

from ..properties.history import Operation, Outcome
from ..properties.isolation import Anomaly
from .wording import clean, short

__all__ = ["anomaly_figure", "micro_operations"]

WIDTH, BOX, TALL = 372, 132, 34
MOST = 12
"""Transactions on one ring; longer cycles are told in words only."""


def micro_operations(operation: Operation) -> list[str]:
    """`append x 3`, `r y (1, 2)`: what a transaction did, as far as that is known."""
    known = operation.outcome is Outcome.OK and isinstance(operation.result, tuple)
    told = operation.result if known else operation.argument
    found = []
    for one in told if isinstance(told, tuple) else ():
        if not isinstance(one, tuple) or len(one) != 3:
            return []
        function, key, value = one
        shown = "?" if function == "r" and not known else " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        shown = f"[{shown}]" if isinstance(value, tuple) else shown
        found.append(clean(f"{function} {key} {shown}", 80))
    return found


def anomaly_figure(anomaly: Anomaly, operations: Mapping[int, Operation]) -> str:
    """The ring of a cycle; empty for anomalies that are none, and for very long ones."""
    nodes = [step.before for step in anomaly.steps]
    if not 2 <= len(nodes) <= MOST or len(set(nodes)) < len(nodes):
        return ""
    places = _ring(len(nodes))
    tall = round(max(y for _x, y in places) + TALL / 2 + (26 if len(nodes) == 2 else 8))
    where = dict(zip(nodes, places, strict=True))
    edges = "".join(_edge(where[step.before], where[step.after], step.kind, step.why, len(nodes)) for step in anomaly.steps)
    boxes = "".join(_box(identity, operations.get(identity), where[identity]) for identity in nodes)
    label = escape(f"cycle of {', '.join(f'T{identity}' for identity in nodes)}", quote=True)
    return f'<svg class="ring" viewBox="0 0 {WIDTH} {tall}" role="img" aria-label="{label}">{edges}{boxes}</svg>'


def _ring(count: int) -> list[tuple[float, float]]:
    """Places of the boxes' centres, clockwise from the top."""
    across = (WIDTH - BOX) / 2 - 6
    down = max(58.0, count * 19.0)
    turns = [2 * pi * place / count - pi / 2 for place in range(count)]
    if count == 2:  # side by side reads better than one above the other
        return [(BOX / 2 + 4, 44.0), (WIDTH - BOX / 2 - 4, 44.0)]
    return [(WIDTH / 2 + across * cos(turn), down + TALL / 2 + 6 + down * sin(turn)) for turn in turns]


def _box(identity: int, operation: Operation | None, at: tuple[float, float]) -> str:
    x, y = at
    told = ", ".join(micro_operations(operation)) if operation is not None else ""
    whose = f" of {operation.process}" if operation is not None else ""
    frame = f'<rect x="{x - BOX / 2:.1f}" y="{y - TALL / 2:.1f}" width="{BOX}" height="{TALL}" rx="5"/>'
    name = f'<text x="{x:.1f}" y="{y - 3:.1f}"><tspan class="id">T{identity}</tspan>{escape(short(whose, 16))}</text>'
    words = f'<text x="{x:.1f}" y="{y + 10:.1f}" class="does">{escape(short(told, 25))}</text>'
    return f'<g class="node" data-op="{identity}"><title>{escape(told)}</title>{frame}{name}{words}</g>'


def _edge(start: tuple[float, float], end: tuple[float, float], kind: str, why: str, count: int) -> str:
    """A curve that bends outwards, from border to border."""
    (x1, y1), (x2, y2) = start, end
    length = hypot(x2 - x1, y2 - y1) or 1.0
    bend = 34.0 if count == 2 else 14.0
    middle = ((x1 + x2) / 2 + (y2 - y1) / length * bend, (y1 + y2) / 2 - (x2 - x1) / length * bend)
    x1, y1 = _border(start, middle)
    x2, y2 = _border(end, middle)
    back = hypot(x2 - middle[0], y2 - middle[1]) or 1.0
    ux, uy = (x2 - middle[0]) / back, (y2 - middle[1]) / back
    head = f"M{x2:.1f} {y2:.1f}l{-8 * ux - 3.4 * uy:.1f} {-8 * uy + 3.4 * ux:.1f}l{6.8 * uy:.1f} {-6.8 * ux:.1f}z"
    line = f'<path class="way" d="M{x1:.1f} {y1:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {x2:.1f} {y2:.1f}"/><path class="head" d="{head}"/>'
    at = ((x1 + 2 * middle[0] + x2) / 4, (y1 + 2 * middle[1] + y2) / 4)
    label = f'<text x="{at[0]:.1f}" y="{at[1] + 3:.1f}">{escape(kind)}</text>'
    return f'<g class="edge {escape(kind)}"><title>{escape(why)}</title>{line}{label}</g>'


def _border(centre: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Where the way from a box's centre leaves the box."""
    x, y = centre
    dx, dy = towards[0] - x, towards[1] - y
    share = min(BOX / 2 / abs(dx) if dx else 1e9, TALL / 2 / abs(dy) if dy else 1e9, 1.0)
    return x + dx * share, y + dy * share

