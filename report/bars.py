"""The picture of a history as data: one compact table of everything that the page's script draws, says or searches.

Operations are columns of integers in one flat list, about 30 bytes each; texts (arguments, results, states, reasons) are kept once.
The rest of what the picture shows, moments of effect among them, the script derives.  Cost: a few microseconds per operation and state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from ..properties.constructions import Expired, never
from ..properties.history import Event, Invoke, Operation, Outcome, render
from ..properties.isolation import Anomaly
from ..properties.orders import Order, Part
from ..properties.specification import State
from .cycles import micro_operations
from .incidents import bands_of
from .lanes import lanes_of
from .wording import call_text, clean, result_text

__all__ = ["Bars", "Drawn", "bars"]

LONGEST, LONGEST_STATE = 160, 40
LOOK = 64
"""After how many states somebody looks at the clock."""
CANDIDATES = 120
"""How many of those that could come next are kept; where many clients gave up there may be thousands."""
CODES = {Outcome.OK: 0, Outcome.FAIL: 1, Outcome.INFO: 2}
COLUMNS = 10


class Drawn(msgspec.Struct):
    """One order of a part: numbers of operations, each as a difference to the one before; the text of the state after each, -1 for
    one that did not change; the number of the operation that cannot be placed, -1 if all were; the reasons, that operation's first, and
    how many were left out."""

    operations: list[int]
    states: list[int]
    stuck: int
    reasons: list[tuple[int, int]]
    more: int


class Bars(msgspec.Struct):
    """What the script gets, as JSON.  Operations are known by their numbers, in the order of their invocations."""

    timed: bool
    """False if the history came without times: then only its order can be drawn."""
    processes: list[str]
    lanes: list[list[int]]
    texts: list[str]
    columns: list[int]
    """For each operation: process, call, result (-1: none), outcome, part (-1: none), the event of its invocation as a difference to the
    one before, how many events later it ended (-1: never), the microsecond of its invocation as a difference, how many later it ended or
    was given up (-1: never), and its id as a difference."""
    parts: list[tuple[str, str, str]]
    """Name, status, and what was not done."""
    initial: int
    """The text of the state before everything; -1 if there is none."""
    orders: list[list[Drawn]]
    """For each part."""
    bands: list[tuple[int, int, str]]
    """From, to (-1: the end), in microseconds, and what."""
    cycles: list[tuple[str, list[int], list[tuple[int, int, str, str]]]]
    """Anomalies: the kind, operations, and edges with their kind and why."""
    evidence: list[int]
    """Operations that the verdict speaks of, the decisive one last."""
    ended: int


def bars(
    events: Iterable[Event],
    operations: Sequence[Operation],
    *,
    parts: Sequence[Part] = (),
    initial: State | None = None,
    anomalies: Sequence[Anomaly] = (),
    evidence: Sequence[int] = (),
    expired: Expired = never,
) -> Bars:
    """The table of these operations; `events` are asked for incidents only.  States that come after `expired` says so are left out."""
    operations = sorted(operations, key=lambda one: one.invoked)
    events = [event for event in events if not isinstance(event, Invoke)]
    bands = bands_of(events)
    texts = _Texts()
    number = {operation.id: place for place, operation in enumerate(operations)}
    part_of = {operation.id: place for place, part in enumerate(parts) for operation in part.operations}
    moments = [moment for one in operations for moment in (one.invoked_at, one.completed_at) if moment is not None]
    moments += [moment for band in bands for moment in band[:2] if moment is not None]
    begin = min(moments, default=0.0)
    processes = {process: place for place, process in enumerate(dict.fromkeys(one.process for one in operations))}
    return Bars(
        timed=max(moments, default=0.0) > begin,
        processes=[clean(process, 40) for process in processes],
        lanes=[[processes[process] for process in lane] for lane in lanes_of(operations)],
        columns=_columns(operations, processes, part_of, texts, begin),
        parts=[(clean(render(part.name), 60) if part.name is not None else "", part.status.value, clean(part.note, 300)) for part in parts],
        initial=texts.number(_state(initial)) if parts else -1,
        orders=[[_drawn(order, number, texts, expired) for order in part.orders] for part in parts],
        bands=[(_micro(left - begin), -1 if right is None else _micro(right - begin), what) for left, right, what in bands],
        cycles=[_cycle(anomaly, number) for anomaly in anomalies],
        evidence=[number[identity] for identity in evidence if identity in number],
        ended=_micro(max(moments, default=begin) - begin),
        texts=list(texts.known),
    )


class _Texts:
    """Texts, each kept once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.known.setdefault(text, len(self.known))


def _micro(seconds: float) -> int:
    # Thirty thousand years are enough for any clock that went wrong.
    return round(max(min(seconds, 1e12), -1e12) * 1e6)


def _columns(
    operations: Sequence[Operation], processes: dict[str, int], part_of: dict[int, int], texts: _Texts, begin: float
) -> list[int]:
    finding = {one.function for one in operations if one.outcome is Outcome.OK and one.result is not None}
    rows = []
    event = clock = identity = 0
    for one in operations:
        called = _micro(one.invoked_at - begin)
        took = -1 if one.completed_at is None else max(_micro(one.completed_at - begin) - called, 0)
        said = _result(one, finds=one.function in finding)
        rows.append(
            (
                processes[one.process],
                texts.number(_called(one)),
                texts.number(said) if said else -1,
                CODES[one.outcome],
                part_of.get(one.id, -1),
                one.invoked - event,
                -1 if one.completed is None else one.completed - one.invoked,
                called - clock,
                took,
                one.id - identity,
            )
        )
        event, clock, identity = one.invoked, called, one.id
    return [*chain.from_iterable(rows)]


def _called(operation: Operation) -> str:
    """`write(3)`; of a transaction what it did, as far as that is known."""
    micro = micro_operations(operation) if operation.function == "txn" else []
    return clean(", ".join(micro) if micro else call_text(operation.function, operation.argument), LONGEST)


def _result(operation: Operation, *, finds: bool) -> str:
    """What came of it: what was found, or why nobody knows; nothing where it was just ok, or where the call says it."""
    if operation.outcome is not Outcome.OK:
        word = "fail" if operation.outcome is Outcome.FAIL else "unknown"
        return clean(f"{word} ({operation.error})" if operation.error else word, LONGEST)
    if operation.function == "txn" and micro_operations(operation):
        return ""
    if finds:
        return clean(render(operation.result), LONGEST)
    return "" if operation.result is None else clean(result_text(operation.argument, operation.result), LONGEST)


def _state(state: State) -> str:
    """A state in a few words; of a large set only its size, since writing it out takes as long as it is large."""
    if isinstance(state, frozenset):
        if len(state) > 8:
            return f"{len(state):,} elements"
        return f"{{{', '.join(sorted(map(render, state)))}}}" if state else "nothing"
    text = render(state)
    return clean(text, LONGEST_STATE) if len(text) <= LONGEST_STATE else f"{clean(text[: LONGEST_STATE - 22])} ... {clean(text[-17:])}"


def _drawn(order: Order, number: dict[int, int], texts: _Texts, expired: Expired) -> Drawn:
    places = [number[operation.id] for operation in order.operations]
    # Those that returned matter more than those of which nobody knows.
    reasons = [*order.reasons[:1], *sorted(order.reasons[1:], key=lambda reason: reason[0].pending)]
    states: list[int] = []
    known: State = None
    shown = -1
    for position, state in enumerate(order.states()):
        if position and state == known:
            states.append(-1)
            continue
        known, shown = state, texts.number(_state(state))
        states.append(shown)
        if position % LOOK == 0 and expired():
            states += [texts.number("(there was no time to tell)"), *([-1] * len(order.operations))]
            break
    return Drawn(
        operations=[after - before for before, after in zip([0, *places], places, strict=False)],
        states=states[: len(places)],
        stuck=-1 if order.stuck is None else number[order.stuck.id],
        reasons=[(number[operation.id], texts.number(clean(why, 400))) for operation, why in reasons[:CANDIDATES]],
        more=max(len(reasons) - CANDIDATES, 0),
    )


def _cycle(anomaly: Anomaly, number: dict[int, int]) -> tuple[str, list[int], list[tuple[int, int, str, str]]]:
    steps = [(number[step.before], number[step.after], step.kind, clean(step.why, 300)) for step in anomaly.steps]
    return anomaly.kind, [number[identity] for identity in anomaly.operations if identity in number], steps
