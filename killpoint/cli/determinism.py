"""`killpoint determinism SCENARIO`: the same schedules in two unlike processes must give the same runs."""

from __future__ import annotations

from argparse import Namespace

from ..explore.catalog import with_faults
from ..explore.determinism import WorkerError, check_determinism
from ..explore.divergence import divergence_lines
from .arguments import FAILED, INTERRUPTED, VALID, UsageError
from .console import print_json, progress_bar, show
from .interrupt import Interruptible
from .scenarios import sound_scenario

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Compare; 0 if every digest was the same in both processes."""
    if options.seeds < 1:
        raise UsageError("--seeds 0 leaves nothing to compare")
    if options.python is not None and not options.python.is_file():
        raise UsageError(f"--python: there is no file {options.python}")
    with_faults(sound_scenario(options.scenario, options.mutant), options.faults)
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
                faults=options.faults,
                python=options.python,
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
        show(divergence_lines(options.scenario, report, interrupted=bool(interrupt)))
    if report.divergence is not None:
        return FAILED
    return INTERRUPTED if interrupt else VALID
