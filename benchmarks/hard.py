"""Hard histories: what is wanted of the search, and what was measured.

    python benchmarks/hard.py [--without-fast] [NAME ...]

A name (or part of one) selects.  All histories come from the generator of `searching.py`.

- `twenty`: compare-and-set registers, 20 clients, 10,000 operations, values drawn from five; ten seeds, each as it was recorded and with
  a stale read, in the middle for odd seeds and near the end for even ones.  Wanted: at most one `unknown` within 10 seconds each.
- `peers`: the histories of which Porcupine's figures are known (seconds on the same machine; over 60 means that it did not end).
  Wanted: no more than that.

Failed compare-and-sets do not count, as in `killpoint check --model cas-register`.  Each history is judged in a process of its own: seconds
are CPU time, loading compiled code included (but not compiling it, which is done once on a machine), memory is the peak of
the process.  A stale read is one that returns what certainly was overwritten: all that could have written it returned before a write that
returned before the read was called.  So what the verdict must be is known without any checker.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from searching import saturated

from killpoint.properties import CasRegister, Operation, Outcome, Register, Specification
from killpoint.properties.linearizability import analyse

SEEDS = 10
VALUES = 5
LIMIT = 10.0
NEVER = 60.0

PEERS: dict[str, tuple[str, int, int, int, bool, float]] = {
    "register, 5 clients, stale": ("register", 5, 10_000, 1, True, 0.13),
    "register, 10 clients, stale": ("register", 10, 10_000, 1, True, 2.0),
    "register, 20 clients, valid": ("register", 20, 1_000, 1, False, 1.9),
    "register, 20 clients, valid, long": ("register", 20, 10_000, 1, False, NEVER),
    "register, 20 clients, stale, long": ("register", 20, 10_000, 1, True, NEVER),
    "register, 5 clients, valid, long": ("register", 5, 100_000, 1, False, 2.4),
    "cas-register, 10 clients, stale": ("cas", 10, 10_000, 2, True, 2.0),
}
"""Kind, clients, operations, seed, whether a read is stale, and Porcupine's seconds."""


def planted(operations: Sequence[Operation], near: float) -> list[Operation]:
    """The history with one read, as close as may be to this share of it, returning what certainly was overwritten."""
    changed = list(operations)
    wanted = int(near * len(operations))
    reads = [place for place, one in enumerate(operations) if one.function == "read" and one.ok]
    for place in sorted(reads, key=lambda place: abs(place - wanted)):
        read = operations[place]
        for value in range(VALUES):
            if value != read.result and _overwritten(operations[max(0, place - 2000) : place + 100], read, value):
                changed[place] = msgspec.structs.replace(read, result=value)
                return changed
    raise AssertionError("no value is certainly overwritten anywhere")


def _overwritten(around: Sequence[Operation], read: Operation, value: int) -> bool:
    assert read.completed is not None
    before = [one for one in around if one.invoked < read.completed and _sets(one) == value]
    last = max((one.completed or sys.maxsize for one in before), default=0)
    others = [one for one in around if one.function == "write" and one.argument != value and one.completed is not None]
    return any(last < one.invoked and one.completed < read.invoked for one in others if one.completed is not None)


def _sets(one: Operation) -> object:
    if one.function == "read" or one.outcome is Outcome.FAIL:
        return None
    return one.argument[1] if isinstance(one.argument, tuple) else one.argument


def history(name: str) -> tuple[Specification, list[Operation], bool]:
    """What a name stands for, and whether it is linearizable."""
    if name in PEERS:
        kind, clients, size, seed, stale, _seconds = PEERS[name]
        specification = CasRegister() if kind == "cas" else Register()
        return specification, saturated(kind, clients, size, seed, stale=stale), not stale
    seed = int(name.split()[1])
    operations = saturated("cas", 20, 10_000, seed, values=VALUES)
    if name.endswith("stale"):
        return CasRegister(), planted(operations, 0.5 if seed % 2 else 0.95), False
    return CasRegister(), operations, True


def judged(name: str, fast: bool) -> dict[str, object]:
    """The verdict on one history, in this process."""
    specification, operations, valid = history(name)
    began = time.process_time()
    analysis = analyse(specification, operations, None, lambda: time.process_time() - began > LIMIT, fast=fast)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"found": analysis.status.value, "valid": valid, "steps": analysis.steps, "seconds": seconds, "megabytes": peak}


def measured(name: str, fast: bool) -> dict[str, float | str | bool]:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--case", name, *([] if fast else ["--without-fast"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float | str | bool] = json.loads(done.stdout)
    return result


def names() -> Iterator[str]:
    """All histories."""
    for seed in range(SEEDS):
        yield f"twenty: {seed} valid"
        yield f"twenty: {seed} stale"
    yield from PEERS


def main(arguments: list[str]) -> int:
    """Print the table; 1 if a verdict is wrong or something wanted is missed."""
    fast = "--without-fast" not in arguments
    chosen = [argument for argument in arguments if not argument.startswith("--")]
    if "--case" in arguments:
        print(json.dumps(judged(chosen[0], fast)))
        return 0
    table = Table("history", "wanted s", "measured s", "steps", "MB", "verdict", "ok")
    wrong = unknown = missed = 0
    for name in names():
        group = "peers" if name in PEERS else "twenty"
        if chosen and not any(part in f"{group} {name}" for part in chosen):
            continue
        found = measured(name, fast)
        wanted = PEERS[name][5] if name in PEERS else LIMIT
        undecided = found["found"] == "unknown"
        right = undecided or (found["found"] == "valid") is found["valid"]
        met = right and not undecided and float(found["seconds"]) <= wanted
        unknown += undecided and group == "twenty"
        wrong += not right
        missed += not met and group == "peers"
        table.add_row(
            name, "any" if wanted == NEVER else f"{wanted:g}", f"{float(found['seconds']):.2f}", f"{int(found['steps']):,}",
            f"{float(found['megabytes']):.0f}", f"{found['found']}{'' if right else '  WRONG'}", "yes" if met else "no",
        )  # fmt: skip
        print(f"{name}: measured", file=sys.stderr, flush=True)
    Console(width=120).print(table)
    print(f"{unknown} unknown of the twenty, of which one may be; {missed} of the peers' figures missed; {wrong} verdicts wrong.")
    return int(wrong > 0 or missed > 0 or unknown > 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
