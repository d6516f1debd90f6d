"""`killpoint replay FILE`: the identical run again, told line by line, drawn as a page, or as JSON."""

from __future__ import annotations

from argparse import Namespace

from ..explore.finding import failing_lines
from ..properties.verdict import Status
from ..report.text import noise_text, schedule_lines, state_lines, states_at, timeline_lines, verdict_lines
from ..report.wording import instant
from ..run import Run, end_of, load, parse_time
from .arguments import UsageError
from .console import as_plain, code_of, print_json, refuse_unwritable, show

__all__ = ["run"]

_OF_CLIENTS = ("invoke", "complete")
_OF_THE_WORLD = ("strike", "kill", "power-loss", "restart", "pause", "resume", "cut", "heal", "calm")
_OF_HOSTS = ("observe", "log", "crash", "exit")
_TOLD = (*_OF_CLIENTS, *_OF_THE_WORLD, *_OF_HOSTS)
"""Kinds of events that are told unless all are asked for: what a person would want to be told first."""


def run(options: Namespace) -> int:
    """Replay; the exit code says what the properties say."""
    try:
        until = None if options.until is None else parse_time(options.until)
    except ValueError as error:
        raise UsageError(f"--until: {error}") from None
    replayed = load(options.file)
    if options.html is not None:
        refuse_unwritable(options.html, options.file)
        try:
            replayed.timeline(until).save(options.html)
        except OSError as error:
            raise UsageError(f"--html: {options.html} cannot be written: {error.strerror}") from None
    if options.json:
        print_json(_document(replayed))
    else:
        show(_lines(replayed, until, everything=options.all))
        if options.html is not None:
            show(["", f"The diagram is in {options.html}"])
    return code_of(replayed.record.status)


def _lines(replayed: Run, asked: float | None, *, everything: bool) -> list[str]:
    """Timeline, states if a moment was asked for, verdicts, schedule, comparison; the most important last."""
    record = replayed.record
    until = None if asked is None else end_of(asked)
    lines = timeline_lines(replayed.trace, until=until, kinds=None if everything else _TOLD)
    if asked is not None and until is not None:
        states = state_lines(states_at(replayed.trace, record.hosts, until))
        lines += ["", f"At {instant(asked)}:", *(f"    {line}" for line in states)]
    lines += ["", f"Schedule ({noise_text(replayed.schedule.noise)}; seed {replayed.schedule.seed}):"]
    lines += [*schedule_lines(replayed.schedule, record.strikes), ""]
    # By name, since a property may be given twice: NoCrash is there without being given.
    held = {verdict.name: verdict for verdict in record.verdicts if verdict.status is Status.VALID}
    lines += [f"Holds: {', '.join(held)}."] if held else []
    unknown = {verdict.name: verdict for verdict in record.verdicts if verdict.status is Status.UNKNOWN}
    if record.failure is None:
        for verdict in unknown.values():
            lines += verdict_lines(verdict, record.history)
    elif unknown:
        # The first violation stops a run; what the others would have said is no news then.
        lines += [f"Undecided, because the run ends with the violation: {', '.join(unknown)}."]
    return [*lines, *failing_lines(record), _comparison(replayed)]


def _comparison(replayed: Run) -> str:
    """Same failure, different failure, passes now; and what has changed since it was saved."""
    words = replayed.comparison.capitalize()
    if replayed.identical is not None:
        words += ", the identical run" if replayed.identical else ", but not the identical run"
    changes = f" ({'; '.join(replayed.changes)})" if replayed.changes else ""
    return f"{words}{changes}; digest {replayed.digest}."


def _document(replayed: Run) -> dict[str, object]:
    failure = replayed.failure
    return {
        "scenario": replayed.schedule.scenario,
        "mutant": replayed.schedule.mutant,
        "verdict": replayed.record.status.value,
        "comparison": replayed.comparison,
        "identical": replayed.identical,
        "changes": replayed.changes,
        "digest": replayed.digest,
        "ended": replayed.record.ended,
        "failure": None if failure is None else as_plain(failure),
        "verdicts": [as_plain(verdict) for verdict in replayed.verdicts],
        "strikes": replayed.record.strikes,
        "operations": list(replayed.operations),
    }
