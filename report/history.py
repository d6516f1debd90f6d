"""A page with the picture of a history: what clients called and when, and the order that explains it, or why there is none.

Prior art: Porcupine's visualisation (one object's operations in an SVG that is drawn whole; linearization points; the partial
linearization under the pointer) and Jepsen's timeline.html (a box per operation).  Here one lane per client holds a bar per operation;
the order found runs through the bars as a line, with the state after each; where there is none, the longest partial order ends at the
operation that cannot be placed, and the side says of every operation that could have come next why it does not help.  For transactions
the side has the cycle, and the bars the same arrows.  A canvas is drawn for what is in sight only, so size costs little: see `bars.py`
for the table, and `assets/lanes.js`, `chart.js` and `history.js` for the script.

The page is a pure function of its input.  About 0.7 MB for 10,000 operations, and 60 kB for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..properties.constructions import Expired, never
from ..properties.history import Event, Operation
from ..properties.isolation import Anomaly
from ..properties.orders import Part
from ..properties.specification import State
from ..properties.verdict import Status, Verdict
from .bars import bars
from .cycles import anomaly_figure
from .page import asset, document, framed, safe
from .text import verdict_lines
from .wording import clean, counted

__all__ = ["history_fragment", "history_html"]

_SCRIPTS = ("lanes.js", "chart.js", "history.js")


def history_html(
    events: Sequence[Event],
    operations: Sequence[Operation],
    *,
    title: str,
    verdict: Verdict | None = None,
    parts: Sequence[Part] = (),
    initial: State | None = None,
    anomalies: Sequence[Anomaly] = (),
    counts: Sequence[tuple[str, int]] = (),
    expired: Expired = never,
) -> str:
    """The page.

    `events` are asked for incidents only; `operations` are drawn.  `parts` come with their orders (`properties/orders.py`), `initial` is
    the state in which each begins; `anomalies` and `counts` are those of an analysis of transactions.  Once `expired` no more states
    are told, which matters where each is as large as the history.
    """
    evidence = verdict.evidence.operations if verdict is not None and verdict.evidence is not None else ()
    table = bars(events, operations, parts=parts, initial=initial, anomalies=anomalies, evidence=evidence, expired=expired)
    heading = clean(title, 200)
    by_id = {operation.id: operation for operation in operations}
    told = _story(heading, operations, verdict, parts) + _anomalies(anomalies, counts, by_id)
    side = f'<aside class="side"><div class="words">{told}<section class="why scripted" hidden></section></div>{_PANEL}</aside>'
    stage = _stage(verdict, choice=len(parts) > 1 or bool(anomalies))
    return document(heading, "history.css", side + stage, table, _SCRIPTS)


def history_fragment(page: str, height: int = 560) -> str:
    """The page for a notebook cell of `height` pixels."""
    return framed(page, height)


# -- the side ---------------------------------------------------------------------------------------


def _story(heading: str, operations: Sequence[Operation], verdict: Verdict | None, parts: Sequence[Part]) -> str:
    """The verdict, in a sentence; its evidence where the script has nothing better; facts."""
    badge = reason = ""
    if verdict is not None:
        first, *lines = verdict_lines(verdict)
        badge = f'<p><span class="badge {verdict.status.value}">{verdict.status.value}</span></p>'
        reason = f'<p class="reason {verdict.status.value}">{safe(first)}</p>'
        if lines:
            rows = "".join(f"<li>{safe(line.strip())}</li>" for line in lines)
            reason += f'<details class="evidence"><summary>evidence in words</summary><ol>{rows}</ol></details>'
    ends = {outcome: sum(operation.outcome.value == outcome for operation in operations) for outcome in ("ok", "fail", "info")}
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in ends.items() if number)
    facts = [f"{counted(len(operations), 'operation')} ({told})" if operations else "no operations"]
    if len(parts) > 1:
        wrong = sum(part.status is Status.INVALID for part in parts)
        open_ = sum(part.status is Status.UNKNOWN for part in parts)
        facts.append(
            f"{len(parts):,} parts"
            + (f", {wrong:,} of them not linearizable" if wrong else "")
            + (f", {open_:,} not decided" if open_ else "")
        )
    return f'<header class="story"><h1>{safe(heading)}</h1>{badge}{reason}<p class="facts">{safe("; ".join(facts))}.</p></header>'


def _anomalies(anomalies: Sequence[Anomaly], counts: Sequence[tuple[str, int]], operations: dict[int, Operation]) -> str:
    """Every anomaly that was kept: its figure, and in words."""
    if not anomalies:
        return ""
    found = ", ".join(f"{kind} ({number:,})" if number > 1 else kind for kind, number in counts)
    rows = []
    for place, anomaly in enumerate(anomalies):
        lines = "".join(f"<li>{safe(clean(line, 600))}</li>" for line in anomaly.lines)
        head = f'<summary data-anomaly="{place}"><b>{safe(anomaly.kind)}</b></summary>'
        body = f'{anomaly_figure(anomaly, operations)}<ol class="evidence">{lines}</ol>'
        rows.append(f'<details class="anomaly"{" open" if not place else ""}>{head}{body}</details>')
    return f'<section class="anomalies"><h2>Anomalies <small>{safe(found)}</small></h2>{"".join(rows)}</section>'


_PANEL = (
    '<section class="panel scripted" hidden><p class="hint">Point at an operation to see what it was, click it to keep it. Wheel: zoom; '
    "drag: move. <kbd>?</kbd> explains marks and keys.</p></section>"
)

# -- the stage --------------------------------------------------------------------------------------

_BUTTONS = (
    ("k", "\u2190", "previous in the order (k)"),
    ("j", "\u2192", "next in the order (j)"),
    ("-", "\u2212", "zoom out (-)"),
    ("+", "+", "zoom in (+)"),
    ("0", "fit", "everything (0)"),
    ("t", "even", "even distances between events, or true to time (t)"),
    ("l", "order", "show the order, or not (l)"),
)


def _stage(verdict: Verdict | None, *, choice: bool) -> str:
    """Buttons, with `choice` a list of what to show, and room for the picture."""
    bar = "".join(f'<button data-key="{key}" title="{title}">{face}</button>' for key, face, title in _BUTTONS)
    if verdict is not None and verdict.status is not Status.VALID:
        face = "violation" if verdict.status is Status.INVALID else "how far"
        bar += f'<button data-key="v" class="go {verdict.status.value}" title="to where it ends (v)">{face}</button>'
    if choice:
        bar += '<select aria-label="what is shown"></select>'
    search = '<input type="search" placeholder="value, process (/)" aria-label="search"><output></output>'
    legend = '<button data-key="?" title="marks and keys (?)">?</button>'
    return "".join(
        (
            f'<main class="stage"><nav class="bar scripted" hidden>{bar}<span class="spring"></span>{search}{legend}</nav>',
            '<div class="chart" tabindex="0"><canvas role="img" aria-label="operations over time"></canvas></div>',
            '<div class="strip scripted" hidden><canvas></canvas><div></div></div>',
            f'{asset("history.html")}<div class="tip" hidden></div>',
            "<noscript>A script draws the picture. Without one, killpoint check FILE tells the same in words.</noscript></main>",
        )
    )
