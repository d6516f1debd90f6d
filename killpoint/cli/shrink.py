"""`killpoint shrink FILE`: go on shrinking a failing schedule, with as many runs as one likes."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from rich.progress import Progress

from ..explore import shrink
from ..explore.finding import found
from ..explore.shrink import Shrinker
from ..report.wording import counted
from ..run import load
from ..sim.record import Record
from ..sim.scenario import Scenario
from .arguments import FAILED, UsageError
from .console import Pulse, progress_bar, show
from .interrupt import Interruptible

__all__ = ["followed", "run"]


def run(options: Namespace) -> int:
    """Shrink, save beside the file, confirm.  Ctrl-C keeps the smallest schedule so far."""
    if not options.runs:
        raise UsageError("--runs 0 leaves nothing to try: give the number of runs, at least 1")
    loaded = load(options.file)
    record = loaded.record
    if record.failure is None:
        raise UsageError(f"{options.file}: this schedule does not fail, so there is nothing to shrink; `killpoint replay` shows its run")
    interrupt = Interruptible()
    with interrupt, progress_bar(quiet=False) as progress:
        shrinker = followed(loaded.scenario, record, progress, Pulse(quiet=False), interrupt, options.runs)
        name = options.file.stem.rpartition("-")[0] or options.file.stem
        try:
            finding = found(loaded.scenario, shrinker, folder=options.file.parent, name=name)
        except OSError as error:
            raise UsageError(f"the schedule cannot be saved beside {options.file}: {error.strerror}") from None
    show(finding.lines())
    return FAILED


def followed(
    scenario: type[Scenario], record: Record, progress: Progress, pulse: Pulse, stop: Callable[[], bool], runs: int | None = None
) -> Shrinker:
    """A shrinker whose runs are shown as they pass."""
    budget = shrink.BUDGET if runs is None else runs
    task = progress.add_task("shrinking", total=budget, told="")

    def each() -> None:
        told = f"{counted(shrinker.runs, 'run')}, {counted(len(shrinker.best.schedule.actions), 'action')} left"
        progress.update(task, completed=shrinker.runs, told=told)
        pulse.tell("shrinking", shrinker.runs, budget, told)

    shrinker = Shrinker(scenario, record, budget=budget, each=each, stop=stop)
    return shrinker
