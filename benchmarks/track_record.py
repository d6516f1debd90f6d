"""How fast exploring finds the planted bugs, and how small it makes them: writes docs/track-record.md.

    python benchmarks/track_record.py [--scenario civictrust] [--seeds 10] [--examples 1500] [--processes 2] [--keep FOLDER] [MUTANT ...]

With --keep, every hunt that has ended is written to that folder, and taken from there the next time: an interrupted command goes on where
it was, and another version of the shrinker is measured without hunting again.  Delete the folder when anything else has changed.

Per mutant and seed: the number of schedules until the first failure (at most `--examples`), seconds of CPU, and the number of actions
after shrinking next to the mutant's minimal trigger.  Nothing depends on the machine but the seconds.  The unmutated system runs under
the same budget last, and must survive it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import Progress

from killpoint.explore.campaign import search
from killpoint.explore.catalog import find_scenario
from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.sim.codec import write_atomically
from killpoint.sim.record import Record
from killpoint.sim.scenario import Scenario
from killpoint.sim.session import run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "track-record.md"


class Hunt(msgspec.Struct):
    """One mutant under one seed."""

    mutant: str | None
    seed: int
    schedules: int = 0
    seconds: float = 0.0
    found: str = ""
    actions: int = 0
    overrides: int = 0
    shrink_runs: int = 0
    examples: int = 0


def hunt(reference: str, mutant: str | None, seed: int, examples: int, keep: Path | None) -> Hunt:
    """Explore until the first failure, then shrink it."""
    scenario = find_scenario(reference)
    kept = keep / f"{mutant or 'unmutated'}-{seed}.json" if keep else None
    result = before(kept, examples)
    if result is None:
        result, record = explored(scenario, mutant, seed, examples)
        if kept:
            write_atomically(kept, msgspec.json.encode(result).decode() + "\n")
    else:
        # The n-th schedule of a seed is always the same.
        record = run(generate(scenario, seed, result.schedules - 1, mutant=mutant), scenario) if result.found else None
    if record is not None:
        shrunk = shrink(scenario, record)
        result.actions = shrunk.actions
        result.overrides = len(shrunk.schedule.overrides)
        result.shrink_runs = shrunk.runs
    return result


def before(kept: Path | None, examples: int) -> Hunt | None:
    """What this hunt came to when it was last done, if it was."""
    if kept is None or not kept.exists():
        return None
    result = msgspec.json.decode(kept.read_bytes(), type=Hunt)
    return result if result.examples == examples or (result.found and result.schedules <= examples) else None


def explored(scenario: type[Scenario], mutant: str | None, seed: int, examples: int) -> tuple[Hunt, Record | None]:
    """Explore until the first failure."""
    result = Hunt(mutant, seed, examples=examples)

    def count(_number: int, _record: Record) -> None:
        result.schedules += 1

    began = time.process_time()
    record = search(scenario, seed=seed, examples=examples, mutant=mutant, each=count)
    result.seconds = time.process_time() - began
    if record is not None and record.failure is not None:
        result.found = record.failure.name
    return result, record


def row(name: str, hunts: list[Hunt], minimal: int) -> str:
    """One line of the table."""
    found = [hunt for hunt in hunts if hunt.found]
    if not found:
        return f"| `{name}` | 0 of {len(hunts)} | | | | | | {minimal} | |"
    schedules = [hunt.schedules for hunt in found]
    seconds = [hunt.seconds for hunt in found]
    actions = [hunt.actions for hunt in found]
    runs = max(hunt.shrink_runs for hunt in found)
    by = ", ".join(sorted({hunt.found for hunt in found}))
    return (
        f"| `{name}` | {len(found)} of {len(hunts)} | {statistics.median(schedules):g} | {max(schedules)} "
        f"| {statistics.median(seconds):.1f} | {max(seconds):.1f} | {statistics.median(actions):g} (worst {max(actions)}) "
        f"| {minimal} | {runs} | {by} |"
    )


def page(options: argparse.Namespace, table: list[str], survived: list[Hunt]) -> str:
    """The whole document."""
    alarms = [hunt for hunt in survived if hunt.found]
    runs = sum(hunt.schedules for hunt in survived)
    verdict = (
        f"The unmutated system survived {runs:,} schedules of the same seeds with no alarm."
        if not alarms
        else f"The unmutated system raised {len(alarms)} alarms: {', '.join(hunt.found for hunt in alarms)}."
    )
    command = f"python benchmarks/track_record.py --seeds {options.seeds} --examples {options.examples}"
    return "\n".join(
        [
            "# Track record",
            "",
            f"Planted bugs of `{options.scenario}`, hunted with one configuration of the generator under {options.seeds} seeds each,",
            f"at most {options.examples:,} schedules per seed. Made by",
            "",
            f"    {command}",
            "",
            "Schedules and actions are the same on every machine; seconds are of CPU on one core. *Minimal* is the number of",
            "actions of the shortest known schedule that exposes the bug (`killpoint mutants` tells each story); shrinking runs",
            "are those of the worst seed.",
            "",
            "| mutant | found | schedules, median | worst | seconds, median | worst | actions, shrunk | minimal | shrinking runs | by |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *table,
            "",
            verdict,
            "",
        ]
    )


def main() -> int:
    """Hunt, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="civictrust")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--examples", type=int, default=1500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("mutants", nargs="*")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    scenario = find_scenario(options.scenario)
    names: list[str | None] = [*(options.mutants or scenario.mutants), None]
    with ProcessPoolExecutor(options.processes) as pool, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("hunting", total=len(names) * options.seeds)
        futures = {
            name: [pool.submit(hunt, options.scenario, name, seed, options.examples, options.keep) for seed in range(options.seeds)]
            for name in names
        }
        for pending in futures.values():
            for future in pending:
                future.add_done_callback(lambda _: progress.advance(task))
        hunts = {name: [future.result() for future in pending] for name, pending in futures.items()}
    table = [row(name, hunts[name], scenario.mutant(name).minimal) for name in names if name is not None]
    text = page(options, table, hunts[None])
    if options.mutants:
        print(text)
    else:
        write_atomically(PAGE, text)
        print(f"wrote {PAGE}")
    return 1 if any(hunt.found for hunt in hunts[None]) else 0


if __name__ == "__main__":
    sys.exit(main())
