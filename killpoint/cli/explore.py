"""`killpoint explore SCENARIO`: schedule after schedule, until one fails, enough have passed, or somebody presses Ctrl-C."""

from __future__ import annotations

import json
import shlex
import tempfile
import time
from argparse import Namespace
from pathlib import Path

from rich.progress import Progress

from ..explore.campaign import search
from ..explore.catalog import with_faults
from ..explore.finding import Finding, expected, found
from ..properties.verdict import Status
from ..report.summary import as_json, summary_table
from ..report.wording import counted
from ..sim.authors import AuthorError
from ..sim.record import Record
from ..sim.scenario import Scenario
from .arguments import FAILED, INTERRUPTED, UsageError
from .console import Pulse, as_plain, code_of, print_json, progress_bar, result_console, show
from .interrupt import Interruptible
from .scenarios import sound_scenario
from .shrink import followed

__all__ = ["run"]


class _Campaign:
    """One campaign and what is known of it so far."""

    def __init__(self, options: Namespace, scenario: type[Scenario], progress: Progress) -> None:
        self.options = options
        self.scenario = scenario
        self.tally = expected(scenario)
        self.next: int = options.start
        self._progress = progress
        self._pulse = Pulse(quiet=options.json)
        self._started = time.monotonic()
        self._struck = 0
        self._task = progress.add_task("exploring", total=options.examples - options.start, told="")

    def search(self, interrupt: Interruptible) -> Record | None:
        """Run schedules; the first failing record, or None.

        Raises:
            AuthorError: a property or a fault failed; says in which schedule, and how to run it again.
        """
        options = self.options
        try:
            return search(
                self.scenario,
                seed=options.seed,
                examples=options.examples,
                first=options.start,
                mutant=options.mutant,
                budget=options.budget,
                reference=options.scenario,
                each=self._finished,
                stop=interrupt,
            )
        except AuthorError as error:
            raise AuthorError(f"{error}.  This was {self._schedule(self.next)}") from error
        finally:
            self.tally.wall_seconds = time.monotonic() - self._started
            self._progress.stop_task(self._task)

    def _finished(self, number: int, record: Record) -> None:
        self.next = number + 1
        self.tally.add(record)
        self._struck += sum(strike.struck for strike in record.strikes)
        passed = max(time.monotonic() - self._started, 1e-9)
        speed = self.tally.schedules / passed
        told = f"{self.tally.virtual_seconds:,.0f} virtual s, {speed:.1f} schedules/s, {counted(self._struck, 'fault')} struck"
        self._progress.update(self._task, advance=1, told=told)
        self._pulse.tell("exploring", self.tally.schedules, self.options.examples - self.options.start, told)

    def shrink(self, record: Record, interrupt: Interruptible) -> Finding:
        """Shrink a failure, save it, confirm it.

        Raises:
            AuthorError: a property or a fault failed in one of the runs.
            UsageError: it cannot be saved.
        """
        shrinker = followed(self.scenario, record, self._progress, self._pulse, interrupt)
        name = f"{self.scenario.label()}-{self.options.mutant}" if self.options.mutant else self.scenario.label()
        try:
            return found(self.scenario, shrinker, folder=self.options.out, name=name)
        except OSError as error:
            raise UsageError(f"the schedule cannot be saved in {self.options.out}: {error.strerror}") from None
        except AuthorError as error:
            raise AuthorError(f"{error}.  This was in a run of shrinking {self._schedule(self.next - 1)}") from error

    def _schedule(self, number: int) -> str:
        return f"schedule {number} of seed {self.options.seed}; to run it again: {self.command(number + 1, start=number)}"

    def command(self, examples: int, *, start: int | None = None) -> str:
        """What to paste to take up the campaign where it stopped, or at `start`, up to that many examples."""
        options = self.options
        words = ["killpoint", "explore", options.scenario, "--seed", str(options.seed), "--examples", str(examples)]
        words += ["--mutant", options.mutant] if options.mutant else []
        words += ["--budget", options.budget] if options.budget else []
        words += ["--faults", options.faults] if options.faults else []
        words += ["--out", str(options.out)] if options.out != Path(".killpoint") else []
        return shlex.join([*words, "--start", str(self.next if start is None else start)])


def run(options: Namespace) -> int:
    """Explore; the exit code says what was found."""
    if not options.examples:
        raise UsageError("--examples 0 leaves nothing to run: give the number of schedules, at least 1")
    if options.start >= options.examples:
        raise UsageError(f"--start {options.start} leaves nothing to run: schedules go up to --examples {options.examples}")
    _writable(options.out)
    scenario = with_faults(sound_scenario(options.scenario, options.mutant), options.faults)
    interrupt = Interruptible()
    with interrupt, progress_bar(quiet=options.json) as progress:
        campaign = _Campaign(options, scenario, progress)
        record = campaign.search(interrupt)
        stopped = bool(interrupt)
        finding = None if record is None else campaign.shrink(record, interrupt)
    (_print_json if options.json else _print)(campaign, finding, stopped=stopped and record is None)
    if finding is not None:
        return FAILED
    return INTERRUPTED if stopped else code_of(campaign.tally.status)


def _writable(folder: Path) -> None:
    """Finding out after an hour that the finding cannot be saved would be a pity."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        # Permissions alone do not tell: the file system may be read-only, or none that holds files.
        with tempfile.TemporaryDirectory(prefix=".killpoint-", dir=nearest):
            pass
    except OSError as error:
        raise UsageError(f"--out: the folder {folder} cannot be written to: {error.strerror}") from None


def _print(campaign: _Campaign, finding: Finding | None, *, stopped: bool) -> None:
    console = result_console()
    console.print(summary_table(campaign.tally), soft_wrap=False)
    if finding is not None:
        show(["", *finding.lines()], console)
    elif stopped:
        told = f"Interrupted after {counted(campaign.tally.schedules, 'schedule')}.  To go on:"
        show(["", told, f"    {campaign.command(campaign.options.examples)}"], console)


def _print_json(campaign: _Campaign, finding: Finding | None, *, stopped: bool) -> None:
    options = campaign.options
    failure: dict[str, object] | None = None
    if finding is not None:
        verdict = finding.record.failure
        assert verdict is not None
        failure = {
            **as_plain(verdict),
            "found_at": campaign.next - 1,
            "file": str(finding.path),
            "actions": finding.shrunk.actions,
            "actions_before": finding.shrunk.before,
            "shrinking_runs": finding.shrunk.runs,
            "shrinking_seconds": finding.seconds,
            "digest": finding.record.digest,
            "confirmed": finding.confirmation.same,
            "confirmation": finding.confirmation.words,
        }
    print_json(
        {
            "scenario": options.scenario,
            "mutant": options.mutant,
            "seed": options.seed,
            "start": options.start,
            "next": campaign.next,
            "interrupted": stopped,
            "verdict": (Status.INVALID if finding is not None else campaign.tally.status).value,
            "summary": json.loads(as_json(campaign.tally)),
            "failure": failure,
        }
    )
