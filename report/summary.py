"""The summary of an exploration: what was tried, what it struck, what came of it; and whether any of that was empty.

"No failure found" means little by itself.  So the summary counts how often each kind of fault struck, in which phase of its
victim, and how often it did nothing; how operations ended; which boundaries were crossed; what each property said.  A kind of
fault that never struck, or an operation that never succeeded, is named as a warning: the run was **vacuous** there (Jepsen's
users know the test that passed because every request failed), and so is a host of the system that was not running when runs
ended.  If operations were called and none succeeded at all, the system may as well have been switched off, and what the
properties say means nothing: the verdict is unknown, and the closing line says why instead of counting what held.

A `Tally` folds records one by one and merges with others, so workers can count apart; it keeps counts only, never records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..properties.history import Incident
from ..properties.verdict import Status, Verdict
from ..sim.record import Record
from ..sim.schedule import Inject
from .wording import clean, counted

__all__ = ["Tally", "as_json", "summary_table"]

NO_PHASE = "no phase"

SOON = 20
"""Schedules up to which a campaign that failed cannot have tried everything."""

_NOT_KILL_POINTS = ("send", "deliver", "disk")
_MEANINGS = {
    "nothing": "nothing: it did not apply, the host was down, paused or cut off already, or nobody held the role",
    "over-budget": "over budget: it would have impaired more hosts than a quorum-safe run may",
    "never-reached": "not reached: the boundary that it waited for was not crossed before the faults ended",
    "run-ended": "run ended: a violation had ended the run before its time",
    "info": "info: nobody knows whether the operation happened",
}
"""What columns mean, told below a table in which they are not empty."""
_BADNESS = (Status.VALID, Status.UNKNOWN, Status.INVALID)
_STYLES = {Status.VALID: "bold green", Status.INVALID: "bold red", Status.UNKNOWN: "bold yellow"}


class Tally(msgspec.Struct):
    """Counts of many runs.

    `struck` maps kind of fault and phase of its victim to how often it struck; `idle` maps kind and reason (nothing,
    over-budget, never-reached, run-ended) to how often it did not.  `operations` maps function and outcome, `properties` name and status,
    to counts.  `absent` maps each expected host to how many runs it was not running at the end of, because its program had
    returned, and `escapes` each place at which a host reached the real world to how many runs it did so in.  `wall_seconds` is for the
    caller to fill in, since nothing here reads a clock.
    """

    scenario: str = ""
    schedules: int = 0
    virtual_seconds: float = 0.0
    wall_seconds: float = 0.0
    events: int = 0
    messages: int = 0
    dropped: int = 0
    busy: int = 0
    struck: dict[str, dict[str, int]] = {}
    idle: dict[str, dict[str, int]] = {}
    operations: dict[str, dict[str, int]] = {}
    boundaries: dict[str, int] = {}
    absent: dict[str, int] = {}
    escapes: dict[str, int] = {}
    properties: dict[str, dict[str, int]] = {}
    reasons: dict[str, str] = {}
    """Why each property was not valid: the first reason for being invalid, or else for being undecided."""

    def expect(self, *, faults: Iterable[str] = (), functions: Iterable[str] = (), hosts: Iterable[str] = ()) -> None:
        """Name kinds of faults and operations that should occur, and hosts that should run to the end, so that absence is seen."""
        for kind in faults:
            self.struck.setdefault(kind, {})
        for function in functions:
            self.operations.setdefault(function, {})
        for host in hosts:
            self.absent.setdefault(host, 0)

    def add(self, record: Record) -> None:
        """Count one run.  Cost: one pass over its operations and strikes."""
        self.scenario = self.scenario or record.schedule.scenario
        self.schedules += 1
        self.virtual_seconds += record.ended
        self.events += record.statistics.events
        self.messages += record.statistics.messages_sent
        self.dropped += record.statistics.messages_dropped
        self.busy += record.statistics.busy
        for strike in record.strikes:
            phases = self.struck.setdefault(strike.fault, {})
            if strike.struck:
                _count(phases, strike.phase or NO_PHASE)
            else:
                _count(self.idle.setdefault(strike.fault, {}), strike.effect)
        came = {strike.action for strike in record.strikes}
        for number, action in enumerate(record.schedule.actions):
            if isinstance(action, Inject) and number not in came:
                self.struck.setdefault(action.fault.kind(), {})
                _count(self.idle.setdefault(action.fault.kind(), {}), "run-ended")
        for operation in record.history.operations:
            _count(self.operations.setdefault(operation.function, {}), operation.outcome.value)
        running: dict[str | None, bool] = {}
        escaped: dict[str, int] = {}
        for event in record.history:
            if isinstance(event, Incident) and event.kind in ("start", "restart", "exit"):
                running[event.host] = event.kind != "exit"
            elif isinstance(event, Incident) and event.kind == "escape":
                escaped[f"{event.detail['what']} at {event.detail['where']}"] = 1
        for place in escaped:
            _count(self.escapes, place)
        for host in self.absent:
            self.absent[host] += not running.get(host, True)
        for boundary, crossed in record.statistics.boundaries.items():
            _count(self.boundaries, boundary, crossed)
        for verdict in _one_each(record.verdicts):
            counts = self.properties.setdefault(verdict.name, {})
            _count(counts, verdict.status.value)
            if verdict.status is Status.INVALID and counts[verdict.status.value] == 1:
                self.reasons[verdict.name] = verdict.reason
            elif verdict.status is not Status.VALID:
                self.reasons.setdefault(verdict.name, verdict.reason)

    def merge(self, other: Tally) -> None:
        """Add the counts of another tally; `wall_seconds` adds up too, so workers side by side are the caller's to correct."""
        self.scenario = self.scenario or other.scenario
        for name in ("schedules", "virtual_seconds", "wall_seconds", "events", "messages", "dropped", "busy"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("struck", "idle", "operations", "properties"):
            mine: dict[str, dict[str, int]] = getattr(self, name)
            theirs: dict[str, dict[str, int]] = getattr(other, name)
            for key, counts in theirs.items():
                into = mine.setdefault(key, {})
                for inner, number in counts.items():
                    _count(into, inner, number)
        for host, number in other.absent.items():
            _count(self.absent, host, number)
        for place, number in other.escapes.items():
            _count(self.escapes, place, number)
        for boundary, crossed in other.boundaries.items():
            _count(self.boundaries, boundary, crossed)
        self.reasons = {**other.reasons, **self.reasons}

    @property
    def in_short(self) -> str:
        """What struck, and how often operations succeeded, on one line: `kill 12, pause 0; read 90 of 93 ok`."""
        struck = [f"{clean(kind, 24)} {sum(phases.values()):,}" for kind, phases in sorted(self.struck.items())]
        succeeded = [
            f"{clean(function, 24)} {outcomes.get('ok', 0):,} of {sum(outcomes.values()):,} ok"
            for function, outcomes in sorted(self.operations.items())
        ]
        return "; ".join(", ".join(part) for part in (struck, succeeded) if part)

    @property
    def dead(self) -> str | None:
        """A sentence if operations were called and none of them ever succeeded, or None."""
        called = sum(number for outcomes in self.operations.values() for number in outcomes.values())
        if not called or any(outcomes.get("ok") for outcomes in self.operations.values()):
            return None
        none = f"none of {called:,} operations was ok" if called > 1 else "the only operation was not ok"
        return f"The system never did anything for a client: {none}, so nothing was put to the test."

    @property
    def status(self) -> Status:
        """Invalid if any property failed in any run, else unknown if any was undecided or no operation succeeded, else valid."""
        said = [status for counts in self.properties.values() for status, number in counts.items() if number]
        said += [Status.UNKNOWN.value] if self.dead is not None else []
        return next((status for status in (Status.INVALID, Status.UNKNOWN) if status.value in said), Status.VALID)

    @property
    def warnings(self) -> list[str]:
        """Where the exploration was vacuous, in sentences; empty if nowhere."""
        if not self.schedules:
            return ["No schedule was run."]
        found = []
        # A violation ends the search; if it does so soon, that much was not tried is its doing, and no news.
        cut_short = self.schedules <= SOON and any(counts.get("invalid") for counts in self.properties.values())
        for kind in sorted(self.struck):
            if not sum(self.struck[kind].values()):
                idle = self.idle.get(kind, {})
                tried = sum(idle.values()) - idle.get("run-ended", 0)
                attempts = counted(tried, "attempt")
                if tried or not cut_short:
                    found.append(f"{kind} never struck{f' in {attempts}' if tried else ': it was never tried'}.")
        for function in sorted(self.operations):
            if not self.operations[function].get("ok"):
                tried = sum(self.operations[function].values())
                if tried or not cut_short:
                    found.append(f"No {function} was ok{f' of {tried:,}' if tried else ': it was never called'}.")
        for host, number in self.absent.items():
            if number:
                runs = f"{number:,} of {counted(self.schedules, 'run')}"
                found.append(f"{host} was not running at the end of {runs}: its program had returned.")
        for place, number in sorted(self.escapes.items()):
            found.append(f"Hosts reached the real world in {number:,} of {counted(self.schedules, 'run')}: {place}.")
        found += [self.dead] if self.dead is not None and not cut_short else []
        return found if self.operations else [*found, "No operation was called."]


def as_json(tally: Tally) -> str:
    """The tally as one line of JSON, with its verdict and its warnings."""
    data = {"verdict": tally.status.value, "warnings": tally.warnings, **msgspec.structs.asdict(tally)}
    return msgspec.json.encode(data, order="deterministic").decode("utf-8")


def summary_table(tally: Tally) -> RenderableType:
    """The summary for a terminal of 80 columns and more."""
    parts: list[RenderableType] = [_headline(tally)]
    if tally.struck:
        parts += [Padding(_faults(tally), ABOVE), *_meanings(tally.idle.values())]
    tables = [table for table in (_operations(tally), _properties(tally)) if table.row_count]
    if tables:
        # The blank line is part of each table, so that it is there too where they stand one below the other.
        parts += [Columns([Padding(table, (1, 4, 0, 0)) for table in tables], padding=0), *_meanings(tally.operations.values())]
    crossed = _kill_points(tally)
    if crossed is not None:
        parts += [Padding(Text("kill points crossed", style="dim"), ABOVE), Padding(crossed, (0, 0, 0, 2))]
    return Group(*parts, Text(), *_verdict(tally))


ABOVE = (1, 0, 0, 0)


def _meanings(counts: Iterable[Mapping[str, int]]) -> list[RenderableType]:
    """What those columns of a table mean that count something and do not explain themselves."""
    counted = {name for row in counts for name, number in row.items() if number}
    return [Padding(Text(meaning, style="dim"), (0, 0, 0, 2)) for name, meaning in _MEANINGS.items() if name in counted]


def _headline(tally: Tally) -> Text:
    wall = ""
    if tally.wall_seconds > 0:
        wall = f" in {tally.wall_seconds:,.1f} s ({tally.virtual_seconds / tally.wall_seconds:,.0f} times real time)"
    return Text.assemble(
        (clean(tally.scenario, 60), "bold"),
        f"  {counted(tally.schedules, 'schedule')}, {tally.virtual_seconds:,.0f} virtual seconds",
        wall,
        f", {counted(tally.messages, 'message')} ({tally.dropped:,} dropped)",
    )


def _faults(tally: Tally) -> Table:
    ended = any(idle.get("run-ended") for idle in tally.idle.values())
    effects = ("nothing", "over-budget", "never-reached", *(("run-ended",) if ended else ()))
    table = _table("fault", "struck", "in phase", "nothing", "over budget", "not reached", *(("run ended",) if ended else ()))
    table.columns[2].justify = "left"
    table.columns[2].no_wrap = False
    for kind in sorted(tally.struck):
        phases, idle = tally.struck[kind], tally.idle.get(kind, {})
        total = sum(phases.values())
        ordered = sorted(phases.items(), key=lambda item: (-item[1], item[0]))
        # Where hosts observe no phase there is nothing to tell.
        words = ", ".join(f"{clean(phase, 24)} {number:,}" for phase, number in ordered) if [*phases] != [NO_PHASE] else ""
        cells = [_number(idle.get(effect, 0)) for effect in effects]
        table.add_row(clean(kind, 24), Text(f"{total:,}", style="" if total else "bold yellow"), words, *cells)
    return table


def _operations(tally: Tally) -> Table:
    table = _table("operation", "ok", "fail", "info")
    for function in sorted(tally.operations):
        counts = tally.operations[function]
        succeeded = counts.get("ok", 0)
        style = "" if succeeded else "bold yellow"
        cells = [_number(counts.get(outcome, 0)) for outcome in ("fail", "info")]
        table.add_row(clean(function, 24), Text(f"{succeeded:,}", style=style), *cells)
    return table


def _properties(tally: Tally) -> Table:
    table = _table("property", "valid", "invalid", "unknown")
    for name, counts in tally.properties.items():
        failed, undecided = counts.get("invalid", 0), counts.get("unknown", 0)
        table.add_row(
            clean(name, 40),
            _number(counts.get("valid", 0)),
            Text(f"{failed:,}", style="bold red") if failed else _number(0),
            Text(f"{undecided:,}", style="bold yellow") if undecided else _number(0),
        )
    return table


def _kill_points(tally: Tally) -> Text | None:
    """Kill points by name; sends, deliveries and disk operations are in the headline's spirit, not here."""
    names = [name for name in sorted(tally.boundaries) if name.split(":")[0] not in _NOT_KILL_POINTS]
    return Text(", ".join(f"{clean(name, 40)} {tally.boundaries[name]:,}" for name in names)) if names else None


def _verdict(tally: Tally) -> list[RenderableType]:
    """Warnings, what was wrong, and the verdict."""
    colour = "red" if tally.status is Status.INVALID else "yellow"
    lines: list[RenderableType] = [Text(f"! {warning}", style="yellow") for warning in tally.warnings]
    # The first violation stops a run, which leaves its other properties undecided: beside a failure that is no news.
    told = {
        name: reason
        for name, reason in tally.reasons.items()
        if tally.status is not Status.INVALID or tally.properties[name].get("invalid")
    }
    lines += [Text(f"{clean(name, 60)}: {clean(reason, 300)}", style=colour) for name, reason in told.items()]
    return [*lines, Text.assemble("verdict ", (tally.status.value, _STYLES[tally.status]), f"  {_counted(tally)}")]


def _counted(tally: Tally) -> str:
    """How many properties failed and which; or, if none did, that nothing was tested, or how many were undecided, or that all held."""
    every = len(tally.properties)
    of = f"of {every} {'property' if every == 1 else 'properties'}"
    failed = [name for name, counts in tally.properties.items() if counts.get("invalid")]
    if failed:
        return f"{len(failed)} {of} failed: {', '.join(clean(name, 60) for name in failed)}"
    if tally.dead is not None:
        return "vacuous: no operation was ever ok, so that the properties held means nothing"
    undecided = [name for name, counts in tally.properties.items() if counts.get("unknown")]
    if undecided:
        return f"none {of} failed, {len(undecided)} undecided: {', '.join(clean(name, 60) for name in undecided)}"
    held = f"{every} {of} held" if every else "no property was checked"
    return f"{held}, but not everything was put to the test (see above)" if tally.warnings else held


def _table(first: str, *rest: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in rest:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: int) -> Text:
    return Text(f"{value:,}", style="" if value else "dim")


def _one_each(verdicts: Iterable[Verdict]) -> Iterable[Verdict]:
    """One verdict per name, the worst: a property may be given twice, and `NoCrash` is there without being given."""
    found: dict[str, Verdict] = {}
    for verdict in verdicts:
        known = found.setdefault(verdict.name, verdict)
        if _BADNESS.index(verdict.status) > _BADNESS.index(known.status):
            found[verdict.name] = verdict
    return found.values()


def _count(counts: dict[str, int], key: str, number: int = 1) -> None:
    counts[key] = counts.get(key, 0) + number
