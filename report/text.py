"""Runs in plain lines: verdicts, schedules, operations, events, states of hosts.

Pure functions from data to lists of lines without markup or trailing blanks; whoever calls prints, colours or indents them.
Columns are padded to the widest entry, so a few lines stay a table when they are pasted into a bug report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..properties.history import History, Operation, Outcome, Value, render
from ..properties.verdict import Status, Verdict
from ..sim.fault import Fault
from ..sim.faults import Partition, PowerLoss
from ..sim.record import Record, Strike
from ..sim.schedule import Action, Call, DiskNoise, MessageNoise, Noise, Override, Schedule
from ..sim.trace import TraceEvent
from .hosts import HostState, states_at
from .wording import clean, duration, event_text, instant, result_text, seconds, value_text

__all__ = [
    "action_text",
    "failure_lines",
    "noise_text",
    "operation_lines",
    "operations_table",
    "override_text",
    "schedule_lines",
    "state_lines",
    "states_at",
    "strike_text",
    "timeline_lines",
    "verdict_lines",
]

_STATUS = {Status.VALID: "holds", Status.INVALID: "fails", Status.UNKNOWN: "is undecided"}
_EFFECTS = {"nothing": "did nothing", "over-budget": "did nothing: over budget", "never-reached": "never reached its boundary"}
_EFFECTS_AT_LENGTH = {
    "nothing": "did nothing: down, paused or cut off already, or nobody held the role",
    "over-budget": "did nothing: over budget, more hosts would have been impaired than a quorum-safe run may",
    "never-reached": "never struck: the boundary that it waited for was not crossed before the faults ended",
}
_SHAPES = {
    "isolate": "partition {} from all other hosts of the system",
    "inbound": "partition {}, it hears nothing of the other hosts",
    "outbound": "partition {}, no other host hears it",
    "halves": "partition {} and its half of the system from the rest",
}
_KEPT = {
    "none": "none of what was not synced",
    "all": "all of what was not synced",
    "prefix": "the first {} units not synced",
    "subset": "half of what was not synced (subset:{})",
    "units": "only units {} of those not synced",
}


def failure_lines(record: Record) -> list[str]:
    """Why the run failed: each invalid verdict with its operations, then the schedule and what its faults struck."""
    lines: list[str] = []
    for verdict in record.verdicts:
        if verdict.status is Status.INVALID:
            lines += verdict_lines(verdict, record.history)
    schedule = record.schedule
    return [*lines, f"Schedule ({noise_text(schedule.noise)}; seed {schedule.seed}):", *schedule_lines(schedule, record.strikes)]


def verdict_lines(verdict: Verdict, history: History | None = None) -> list[str]:
    """The verdict as a sentence, and below it its evidence, indented.

    Operations that the evidence names but its lines do not show are looked up in `history` and shown first.
    """
    reason = verdict.reason.rstrip(".")
    lines = [f"{clean(verdict.name, 200)} {_STATUS[verdict.status]}{': ' if reason else ''}{clean(reason, 2000)}."]
    if verdict.evidence is None:
        return lines
    told = [clean(line, 2000) for line in verdict.evidence.lines]
    wanted = frozenset(verdict.evidence.operations)
    named = [operation for operation in history.operations if operation.id in wanted] if history is not None else []
    untold = [operation for operation in named if not any(line.startswith(_called(operation)) for line in told)]
    return [*lines, *_indent(operation_lines(untold, history.operations if history is not None else ())), *_indent(told)]


def operation_lines(operations: Sequence[Operation], history: Sequence[Operation] = ()) -> list[str]:
    """One line per operation: `c1 write(3)   0.100 s .. 0.141 s   ok`.

    None is what an operation found, not just `ok`, if others of its function, there or elsewhere in `history`, found something.
    """
    finding = {done.function for done in (*operations, *history) if done.outcome is Outcome.OK and done.result is not None}
    rows = [
        (
            _called(operation),
            f"{seconds(operation.invoked_at)} .. {seconds(operation.completed_at) if operation.completed_at is not None else ''}",
            clean(_end(operation, finds=operation.function in finding), 100),
        )
        for operation in operations
    ]
    return _columns(rows, gap=3)


def _called(operation: Operation) -> str:
    argument = "" if operation.argument is None else render(operation.argument)
    return clean(f"{operation.process} {operation.function}({argument})", 100)


def _end(operation: Operation, *, finds: bool) -> str:
    if operation.outcome is Outcome.OK:
        if finds:
            return f"-> {render(operation.result)}"
        result = result_text(operation.argument, operation.result)
        return result if operation.result is None and result == "ok" else f"-> {result}"
    word = "fail" if operation.outcome is Outcome.FAIL else "unknown"
    return f"{word} ({operation.error})" if operation.error else word


def schedule_lines(schedule: Schedule, strikes: Sequence[Strike] = ()) -> list[str]:
    """Actions and overrides in the order of time, each action with what became of it (see `failure_lines`), at length."""
    results: dict[int, list[str]] = {}
    for strike in strikes:
        results.setdefault(strike.action, []).append(strike_text(strike, at_length=True))
    rows: list[tuple[float, tuple[str, ...]]] = []
    for place, action in enumerate(schedule.actions):
        rows.append((action.at, (seconds(action.at), *action_text(action, at_length=True), "; ".join(results.get(place, ())))))
    for override in schedule.overrides:
        time = override.time if isinstance(override, MessageNoise) else float("inf")
        rows.append((time, (seconds(time) if time < float("inf") else "", override_text(override), "", "")))
    rows.sort(key=lambda row: row[0])
    return _indent(_columns([row for _, row in rows]))


def action_text(action: Action, *, at_length: bool = False) -> tuple[str, str]:
    """What an action is, and for how long or where it strikes: `("partition leader isolate", "for 1.0 s")`.

    `at_length` spells out a fault's parameters, for which pictures have no room.
    """
    if isinstance(action, Call):
        arguments = "".join(f" {value_text(value, 40)}" for value in action.arguments.values())
        return clean(f"{action.client} {action.operation}{arguments}", 100), ""
    length = f"for {duration(action.fault.duration)}" if action.fault.duration else ""
    what = clean(_fault_at_length(action.fault) if at_length else action.fault.describe(), 100)
    if action.boundary is None:
        return what, length
    boundary = action.boundary
    where = f"at the {_ordinal(boundary.ordinal)} {boundary.event} of {boundary.host}"
    where += f" in phase {boundary.phase}" if boundary.phase else ""
    return what, clean(" ".join(filter(None, (where, length))), 100)


def _fault_at_length(fault: Fault) -> str:
    """`power-loss n1, keeps none of what was not synced`."""
    if isinstance(fault, PowerLoss):
        form, _, which = fault.keep.partition(":")
        return f"power-loss {fault.target}, keeps {_KEPT[form].format(which)}"
    if isinstance(fault, Partition):
        return _SHAPES[fault.shape].format(fault.target)
    return fault.describe()


def strike_text(strike: Strike, *, at_length: bool = False) -> str:
    """What became of a fault: `struck n1, phase idle`, `did nothing: over budget`; `at_length` says what that means."""
    if not strike.struck:
        words = (_EFFECTS_AT_LENGTH if at_length else _EFFECTS).get(strike.effect, strike.effect)
        return clean(f"{words} ({strike.detail})" if strike.detail else words, 100)
    parts = [f"struck {' '.join(strike.hosts)}".strip()]
    parts += [f"phase {strike.phase}"] if strike.phase else []
    return clean(", ".join([*parts, *([strike.detail] if strike.detail else [])]), 100)


def override_text(override: Override) -> str:
    """What an override of one noise decision does: `drop n1 -> n2`."""
    if isinstance(override, MessageNoise):
        which = f" ({_ordinal(override.ordinal + 1)} sent at that time)" if override.ordinal else ""
        deeds = ["drop"] if override.drop else [f"delay by {duration(override.delay)}"] if override.delay else []
        deeds += [f"duplicate after {duration(override.duplicate)}"] if override.duplicate is not None else []
        return f"{' and '.join(deeds) or 'no noise for'} {override.sender} -> {override.to}{which}"
    if isinstance(override, DiskNoise):
        return f"{override.host} disk operation {override.ordinal} takes {duration(override.latency)}"
    return f"{override.host} batch {override.batch} runs its tasks in the order {' '.join(map(str, override.order))}"


def noise_text(noise: Noise) -> str:
    """`noise 0`, or what is not zero: `noise: latency 1.0, loss 0.05`."""
    parts = [f"{name} {getattr(noise, name):g}" for name in noise.__struct_fields__ if getattr(noise, name)]
    return f"noise: {', '.join(parts)}" if parts else "noise 0"


def operations_table(history: History) -> list[dict[str, Value]]:
    """One row per operation, in the order of invocations, ready for `pandas.DataFrame`.  Times are virtual seconds."""
    return [
        {
            "id": operation.id,
            "process": operation.process,
            "function": operation.function,
            "argument": operation.argument,
            "outcome": operation.outcome.value,
            "result": operation.result,
            "error": operation.error,
            "invoked_at": operation.invoked_at,
            "completed_at": operation.completed_at,
        }
        for operation in history.operations
    ]


def timeline_lines(
    events: Iterable[TraceEvent], *, since: float = 0.0, until: float | None = None, kinds: Iterable[str] | None = None
) -> list[str]:
    """Events between two virtual times (seconds, both included), one per line: index, time, host, kind, what happened.

    `kinds` keeps only events of those kinds (see `TraceEvent`), and operations of disks that failed.
    """
    wanted = None if kinds is None else frozenset(kinds)
    rows = [
        (f"{event.index:>6}", instant(event.time), event.host or "", event.kind, event_text(event))
        for event in events
        if since <= event.time and (until is None or event.time <= until)
        if wanted is None or event.kind in wanted or "failed" in event.detail
    ]
    return _columns(rows)


def state_lines(states: Mapping[str, HostState]) -> list[str]:
    """One line per host: `n1   up  role=leader  term=3`."""
    return _columns([(host, state.describe()) for host, state in states.items()], gap=3)


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _columns(rows: Sequence[tuple[str, ...]], gap: int = 2) -> list[str]:
    """Rows padded to columns; the last cell of a row, or one over 60 characters, does not push the others away."""
    widths = [0] * (len(rows[0]) if rows else 0)
    for row in rows:
        for column, cell in enumerate(row):
            if len(cell) <= 60 and any(row[column + 1 :]):
                widths[column] = max(widths[column], len(cell))
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width or cell]
        lines.append((" " * gap).join(cells).rstrip())
    return lines
