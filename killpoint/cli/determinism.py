"""`killpoint determinism SCENARIO`: the same schedules in two unlike processes must give the same runs."""

from __future__ import annotations

from argparse import Namespace

from ..explore.determinism import DeterminismReport, Divergence, WorkerError, check_determinism
from ..explore.digests import Event
from .arguments import FAILED, INTERRUPTED, VALID, UsageError
from .console import print_json, progress_bar, show
from .interrupt import Interruptible
from .scenarios import sound_scenario

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Compare; 0 if every digest was the same in both processes."""
    if options.seeds < 1:
        raise UsageError("--seeds 0 leaves nothing to compare")
    sound_scenario(options.scenario, options.mutant)
    interrupt = Interruptible()
    with interrupt, progress_bar(quiet=options.json) as progress:
        task = progress.add_task("comparing", total=2 * options.seeds, told="two processes, the second backwards")
        try:
            report = check_determinism(
                options.scenario,
                schedules=options.seeds,
                first=options.start,
                seed=options.seed,
                mutant=options.mutant,
                each=lambda runs: progress.update(task, completed=runs),
                stop=interrupt,
            )
        except WorkerError as error:
            raise UsageError(f"a fresh process cannot run {options.scenario}: {error}") from None
    if options.json:
        print_json(
            {
                "scenario": options.scenario,
                "mutant": options.mutant,
                "seed": options.seed,
                "interrupted": bool(interrupt),
                "report": report,
            }
        )
    else:
        show(_lines(options.scenario, report, interrupted=bool(interrupt)))
    if report.divergence is not None:
        return FAILED
    return INTERRUPTED if interrupt else VALID


def _lines(scenario: str, report: DeterminismReport, *, interrupted: bool) -> list[str]:
    many = f"{report.compared:,} schedule{'s' if report.compared != 1 else ''} in two processes"
    head = f"{scenario}: {many} under different hash seeds, the second in reverse order{' (interrupted)' if interrupted else ''}: "
    if report.divergence is None:
        return [f"{head}0 differing digests."]
    return [f"{head}schedules {', '.join(map(str, report.differing))} differ.", *_divergence(report.divergence)]


def _divergence(found: Divergence) -> list[str]:
    lines = [f"Schedule {found.number} depends on {found.cause}."]
    if found.left is None and found.right is None:
        if found.before:
            lines.append("    Its traces are alike: the order of tasks or the content of disks differs, which only the digest covers.")
    else:
        lines.append("    First event that differs:")
        lines += [f"          {_event(event)}" for event in found.before]
        lines += [f"    one   {_event(found.left)}", f"    other {_event(found.right)}"]
    if found.leaked:
        lines.append("    Attributes that outlive a run:")
        lines += [f"        {text}" for text in found.leaked]
    return lines


def _event(event: Event | None) -> str:
    if event is None:
        return "(the run had ended)"
    return f"{event.index:>6}  {event.time:.6f} s  {event.host:<4} {event.kind:<9} {event.detail[:160]}"
