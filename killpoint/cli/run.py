"""`killpoint run SCENARIO`: one schedule, simulated or on real processes of this machine."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections import Counter
from pathlib import Path

from ..explore.catalog import find_scenario
from ..explore.finding import expected, failing_lines
from ..explore.generate import generate
from ..properties.history import Outcome
from ..properties.readers.jsonl import write_history
from ..properties.verdict import Status
from ..real.run import SCHEDULE, run_for_real
from ..report.spacetime import spacetime_html
from ..report.summary import as_json
from ..report.text import schedule_lines, verdict_lines
from ..report.wording import counted
from ..run import reference_from, scenario_of
from ..sim import codec
from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.schedule import Schedule
from ..sim.session import run as run_simulated
from .arguments import INTERRUPTED, UsageError
from .console import Pulse, as_plain, code_of, print_json, progress_bar, refuse_unwritable, show
from .interrupt import Interruptible
from .scenarios import sound_scenario

__all__ = ["run"]

HISTORY = "history.jsonl"


def run(options: Namespace) -> int:
    """Run; the exit code says what the properties say."""
    scenario, schedule = _what(options)
    if options.html is not None:
        refuse_unwritable(options.html, Path(options.scenario))
    interrupted = False
    if options.real is None:
        record = run_simulated(schedule, scenario, trace=options.html is not None)
    else:
        record, interrupted = _for_real(options, scenario, schedule)
    if options.json:
        print_json(_document(record, options.real))
    else:
        show(_lines(record, options.real, scenario))
        show(["Interrupted: the properties speak of what happened until then."] if interrupted else [])
    if options.html is not None:
        codec.write_atomically(options.html, spacetime_html(record))
        show([f"The diagram is in {options.html}"] if not options.json else [])
    return INTERRUPTED if interrupted and record.failure is None else code_of(record.status)


def _what(options: Namespace) -> tuple[type[Scenario], Schedule]:
    """The scenario and the schedule that were asked for: of a file, or the N-th of a seed."""
    path = Path(options.scenario)
    if path.suffix == ".json":
        if options.seed is not None or options.number is not None or options.mutant is not None or options.budget is not None:
            raise UsageError("--seed, --number, --mutant and --budget choose a schedule, and this file is one: leave them out")
        reference = reference_from(codec.header(path).scenario, path)
        found = scenario_of(reference, path)
        return found, codec.read(path, found).schedule.replace(scenario=reference)
    scenario = sound_scenario(options.scenario, options.mutant)
    schedule = generate(scenario, options.seed or 0, options.number or 0, mutant=options.mutant, budget=options.budget)
    return scenario, schedule.replace(scenario=options.scenario)


def _for_real(options: Namespace, scenario: type[Scenario], schedule: Schedule) -> tuple[Record, bool]:
    folder: Path = options.real
    length = (schedule.actions[-1].at if schedule.actions else 0.0) + 1.0 + scenario.calm
    pulse = Pulse(quiet=options.json)
    interrupt = Interruptible()
    with interrupt, progress_bar(quiet=options.json) as progress:
        task = progress.add_task("running for real, s", total=length, told="")

        def each(seconds: float, what: str) -> None:
            done = min(seconds, length)
            progress.update(task, completed=done)
            if what:
                progress.update(task, told=what)
            pulse.tell("running for real, s", round(done), round(length), what)

        record = run_for_real(schedule, scenario, folder, reference=schedule.scenario, each=each, stop=interrupt)
    write_history(record.history, folder / HISTORY)
    return record, bool(interrupt)


def _lines(record: Record, folder: Path | None, scenario: type[Scenario]) -> list[str]:
    """What happened, what became of the faults, the verdicts."""
    schedule, counts = record.schedule, record.statistics
    where = "simulated" if folder is None else f"on {counted(len(scenario.hosts) + len(scenario.outsiders), 'real host')}"
    mutant = f" with {schedule.mutant}" if schedule.mutant else ""
    messages = f"{counts.messages_delivered:,} messages delivered, {counts.messages_dropped:,} lost"
    struck = counted(sum(strike.struck for strike in record.strikes), "fault")
    lines = [f"{schedule.scenario}{mutant}, {where}: {record.ended:.1f} s, {messages}, {struck} struck"]
    ends = Counter((operation.function, operation.outcome) for operation in record.history.operations)
    for function in scenario.operations():
        told = ", ".join(f"{ends[function, outcome]} {outcome.value}" for outcome in Outcome if ends[function, outcome])
        lines += [f"    {function}: {told}"] if told else []
    lines += ["", f"Schedule ({schedule.budget}; seed {schedule.seed}):", *schedule_lines(schedule, record.strikes), ""]
    held = {verdict.name: verdict for verdict in record.verdicts if verdict.status is Status.VALID}
    lines += [f"Holds: {', '.join(held)}."] if held else []
    for verdict in record.verdicts:
        lines += verdict_lines(verdict, record.history) if verdict.status is Status.UNKNOWN else []
    lines += failing_lines(record)
    if folder is not None:
        quoted = shlex.quote(str(folder / SCHEDULE))
        lines += ["", f"In {folder}: {HISTORY}, {SCHEDULE}, and of every host its disk and its output"]
        lines += [f"The same schedule, simulated:   killpoint run {quoted}"]
    return lines


def _document(record: Record, folder: Path | None) -> dict[str, object]:
    tally = expected(find_scenario(record.schedule.scenario))
    tally.add(record)
    return {
        "scenario": record.schedule.scenario,
        "mutant": record.schedule.mutant,
        "real": folder is not None,
        "verdict": record.status.value,
        "verdicts": [as_plain(verdict) for verdict in record.verdicts],
        "strikes": record.strikes,
        "summary": as_json(tally),
    }
