"""`killpoint shrink FILE`: go on shrinking a failing schedule, with as many runs as one likes."""

from __future__ import annotations

from argparse import Namespace

from ..explore.finding import found
from ..explore.shrink import Shrinker
from ..report.wording import counted
from ..run import load
from .arguments import FAILED, UsageError
from .console import progress_bar, show
from .interrupt import Interruptible

__all__ = ["run"]


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
        task = progress.add_task("shrinking", total=options.runs, told="")

        def each() -> None:
            left = counted(len(shrinker.best.schedule.actions), "action")
            progress.update(task, completed=shrinker.runs, told=f"{counted(shrinker.runs, 'run')}, {left} left")

        name = options.file.stem.rpartition("-")[0] or options.file.stem
        shrinker = Shrinker(loaded.scenario, record, budget=options.runs, each=each, stop=interrupt)
        try:
            finding = found(loaded.scenario, shrinker, folder=options.file.parent, name=name)
        except OSError as error:
            raise UsageError(f"the schedule cannot be saved beside {options.file}: {error.strerror}") from None
    show(finding.lines())
    return FAILED
