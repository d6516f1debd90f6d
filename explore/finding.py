"""A finding: a failure as it is handed to people, shrunk, saved, confirmed, and told in a dozen lines.

`killpoint explore` and Hypothesis machines find failures in different ways; from there on they do the same, here.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from random import Random

import msgspec

from ..properties.verdict import Status
from ..report.summary import Tally
from ..report.text import noise_text, schedule_lines, verdict_lines
from ..report.wording import counted
from ..sim import codec
from ..sim.mix import drawn
from ..sim.record import Record
from ..sim.scenario import Scenario
from .confirm import Confirmation, confirm
from .shrink import Shrinker, Shrunk

__all__ = ["Finding", "expected", "failing_lines", "file_name", "found", "save"]


class Finding(msgspec.Struct, frozen=True):
    """One failure.  `seconds` is real time spent on shrinking."""

    shrunk: Shrunk
    path: Path
    seconds: float
    confirmation: Confirmation

    @property
    def record(self) -> Record:
        """The run of the shrunk schedule."""
        return self.shrunk.record

    def lines(self, replay: str | None = None) -> list[str]:
        """What to show; `replay` is the command that replays it, if it is not the command line's own."""
        record, shrunk = self.record, self.shrunk
        schedule = record.schedule
        lines = failing_lines(record)
        decisions = f" and {counted(len(schedule.overrides), 'decision')} of noise" if schedule.overrides else ""
        lines.append(
            f"Shrunk from {counted(shrunk.before, 'action')} to {shrunk.actions}{decisions} "
            f"({counted(shrunk.runs, 'run')}, {self.seconds:.1f} s"
            f"{'; ended early, since each takes long' if shrunk.cut_short else ''}"
            f"{'; the limit, `killpoint shrink` goes on' if shrunk.spent else ''}), "
            f"{self.confirmation.words}; {noise_text(schedule.noise)}; seed {schedule.seed}:"
        )
        lines += schedule_lines(schedule, record.strikes)
        lines.append(f"Replay:   {replay or f'killpoint replay {self.path}'}")
        lines.append(f"Look:     killpoint replay {self.path} --html run.html")
        return lines


def expected(scenario: type[Scenario]) -> Tally:
    """An empty tally that knows what ought to happen: every kind of fault strikes, every operation succeeds once."""
    tally = Tally()
    # What a mix calls itself need not be what its faults are called; one draw tells.
    kinds = [drawn(kind, Random(0), scenario.cast()).kind() for kind in scenario.faults]
    functions = [spec.name for spec in scenario.operations().values() if spec.weight > 0 or spec.final]
    tally.expect(faults=kinds, functions=functions, hosts=scenario.hosts)
    return tally


def failing_lines(record: Record) -> list[str]:
    """Every invalid verdict with its evidence, once if a property was given twice."""
    told = [tuple(verdict_lines(verdict, record.history)) for verdict in record.verdicts if verdict.status is Status.INVALID]
    return [line for lines in dict.fromkeys(told) for line in lines]


def file_name(name: str, record: Record) -> str:
    """`TestRegister-3fa91c02.json`: a name that a file system takes, and the first digits of the run's digest."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name).strip('.-') or 'schedule'}-{record.digest[:8]}.json"


def save(record: Record, scenario: type[Scenario], folder: Path, name: str) -> Path:
    """Write the schedule of a failing record, with how it failed.

    Raises:
        OSError: the folder cannot be written to.
    """
    verdict = record.failure
    assert verdict is not None, "only a failing run is worth keeping"
    property_name, kind = verdict.signature
    failure = codec.Failure(property_name, kind, verdict.reason, record.digest)
    path = folder / file_name(name, record)
    codec.write(path, record.schedule, failure=failure, code=scenario.mutant(record.schedule.mutant).code_digest())
    return path


def found(scenario: type[Scenario], shrinker: Shrinker, *, folder: Path, name: str) -> Finding:
    """Shrink a failure, save it, confirm it in a fresh process."""
    started = time.monotonic()
    shrunk = shrinker.shrink()
    seconds = time.monotonic() - started
    path = save(shrunk.record, scenario, folder, name)
    return Finding(shrunk, path, seconds, confirm(path, shrunk.record))
