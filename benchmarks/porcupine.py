"""Killpoint next to Porcupine, on the same histories and the same machine; and whether they agree on random ones.

    python benchmarks/porcupine.py PROGRAM [NAME ...]
    python benchmarks/porcupine.py PROGRAM --random 1000

PROGRAM judges with Porcupine; `porcupine/main.go` is its source, and says how to build it.  It reads what `killpoint convert --to
porcupine` writes, so the random histories try that, too: registers, compare-and-sets and stores of 30 operations, some of which fail or
never end, and of whose answers some are made up.

Histories are those of `hard.py` and `checkers.py`, which also measure how much memory killpoint takes.  Seconds are CPU time of the check
alone, megabytes the peak of the whole process with the history; Porcupine runs on one core, and is stopped after 60 s or at 12 GB.
"""

from __future__ import annotations

import heapq
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import checkers
import hard
from rich.console import Console
from rich.table import Table

from killpoint.properties import CasRegister, KeyValue, Operation, Outcome, Register, Specification
from killpoint.properties.history import Complete, History, Invoke, Value
from killpoint.properties.linearizability import analyse
from killpoint.properties.writers import ExportError, write_as

LIMIT = 60
VERDICTS = {"Ok": "valid", "Illegal": "invalid", "Unknown": "unknown"}
HARD = [*hard.PEERS, "twenty: 0 valid", "twenty: 0 stale", "twenty: 1 valid", "twenty: 1 stale"]
CHECKERS = [name for name, case in checkers.CASES.items() if case.size and isinstance(case.specification, Register | KeyValue)]


def porcupine(program: str, files: Sequence[Path], limit: float) -> list[tuple[str, float, float]]:
    """What Porcupine says of these files: verdict, seconds and megabytes; fewer of them if it was stopped for its memory."""
    command = f"ulimit -v {14 << 20}; exec timeout {int(100 * limit)} {program} {limit} {' '.join(map(str, files))}"
    bounds = {**os.environ, "GOMAXPROCS": "1", "GOMEMLIMIT": "12GiB"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=bounds, check=False)
    rows = (line.split() for line in done.stdout.splitlines())
    return [(VERDICTS[verdict], float(seconds), float(megabytes)) for verdict, seconds, megabytes in rows]


def recorded(specification: Specification, operations: Sequence[Operation]) -> History:
    """The history of these operations, with texts for keys, and with a write of 0 at its beginning where a cas expects nothing."""
    store = isinstance(specification, KeyValue)
    begins = any(isinstance(one.argument, tuple) and one.function == "cas" and one.argument[0] is None for one in operations)
    points = sorted((at, end, one.id) for one in operations for at, end in ((one.invoked, 0), (one.completed, 1)) if at is not None)
    known = {one.id: one for one in operations}
    events: list[Invoke | Complete] = []
    if begins:
        events += [Invoke(0, 0.0, "999999", 1 << 40, "write", 0), Complete(1, 0.0, "999999", 1 << 40, Outcome.OK)]
    free: list[int] = []
    places: dict[int, int] = {}
    for _at, end, number in points:
        one, index = known[number], len(events)
        if end:
            heapq.heappush(free, places[number])
            result = 0 if begins and one.function == "read" and one.result is None else one.result
            events.append(Complete(index, 0.0, str(places[number]), number, one.outcome, result))
            continue
        places[number] = heapq.heappop(free) if free else len(set(places.values()))
        events.append(Invoke(index, 0.0, str(places[number]), number, one.function, _argument(one, store, begins)))
    return History(events)


def _argument(one: Operation, store: bool, begins: bool) -> Value:
    argument = one.argument
    if store:
        return (str(argument[0]), argument[1]) if isinstance(argument, tuple) else str(argument)
    if begins and isinstance(argument, tuple):
        return tuple(0 if value is None else value for value in argument)
    return argument


def compared(program: str, names: Sequence[str]) -> int:
    """Print the table; the number of verdicts that differ."""
    table = Table("history", "Porcupine s", "its MB", "killpoint s", "times")
    different = 0
    for name in [*HARD, *CHECKERS]:
        if names and not any(part in name for part in names):
            continue
        case = checkers.CASES.get(name)
        if case is None:
            specification, operations, _valid = hard.history(name)
            ours = hard.measured(name, fast=False)
        else:
            specification = case.specification
            operations = checkers.recorded(case.make(), case.clients, case.size or 0, crashed=case.crashed, stale=case.stale)
            ours = checkers.measured(name, case.size or 0, fast=False)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history"
            write_as(recorded(specification, operations), path, "porcupine")
            theirs = porcupine(program, [path], LIMIT)
        verdict, seconds, megabytes = theirs[0] if theirs else ("out of memory", float("nan"), float("nan"))
        different += verdict in ("valid", "invalid") and verdict != str(ours["found"]).split()[0]
        told = f"{seconds:.3g}" if verdict in ("valid", "invalid") else f"{verdict}, {seconds:.0f}"
        times = f"{seconds / float(ours['seconds']):,.1f}"
        table.add_row(name, told, f"{megabytes:,.0f}", f"{float(ours['seconds']):.3g}", times)
        print(f"{name}: measured", file=sys.stderr, flush=True)
    Console(width=120).print(table)
    return different


def invented(source: random.Random, kind: str) -> Iterator[Invoke | Complete]:
    """The events of a small history; answers are right when they are given, or made up."""
    held: dict[Value, Value] = {"x": "", "y": "", None: None}
    open_calls: dict[str, tuple[int, str, Value, Value]] = {}
    names = [f"{number}" for number in range(4)]
    index = number = 0
    while number < 30 or open_calls:
        name = source.choice(names)
        if name not in open_calls:
            if number == 30 or source.random() < 0.3:
                number = min(30, number + 1)
                continue
            function, argument = _call(source, kind)
            open_calls[name] = (number, function, argument, _answer(function, argument, held))
            yield Invoke(index, 0.0, name, number, function, argument)
            number += 1
        elif source.random() < 0.5:
            begun, function, argument, result = open_calls.pop(name)
            reads = function in ("read", "get")
            if reads and source.random() < 0.1:
                result = source.choice(["", "a", "ab"]) if kind == "store" else source.choice([None, 1, 2])
            outcome = source.choice([Outcome.OK] * 10 + [Outcome.INFO]) if function != "cas" or result else Outcome.FAIL
            yield Complete(index, 0.0, name, begun, outcome, result if reads and outcome is Outcome.OK else None)
            if outcome is Outcome.INFO:
                names[names.index(name)] = f"{name}{number}"
        else:
            continue
        index += 1


def _call(source: random.Random, kind: str) -> tuple[str, Value]:
    if kind == "store":
        key, function = source.choice("xy"), source.choice(["get", "put", "append"])
        return function, key if function == "get" else (key, source.choice("ab"))
    function = source.choice(["read", "write", "cas"] if kind == "cas" else ["read", "write"])
    value = source.randrange(1, 4)
    return function, {"read": None, "write": value, "cas": (source.randrange(1, 4), value)}[function]


def _answer(function: str, argument: Value, held: dict[Value, Value]) -> Value:
    """The answer; what is held changes."""
    if function in ("read", "get"):
        return held[argument]
    if function == "write":
        held[None] = argument
        return None
    assert isinstance(argument, tuple)
    first, second = argument
    if function == "cas":
        replaces = held[None] == first
        held[None] = second if replaces else held[None]
        return replaces
    held[first] = second if function == "put" else f"{held[first]}{second}"
    return None


def agreed(program: str, count: int) -> int:
    """Print how many random histories both call the same; the number of others."""
    specifications = {"register": Register(), "cas": CasRegister(failed_cas_observes=True), "store": KeyValue()}
    tally: Counter[str] = Counter()
    for kind, specification in specifications.items():
        verdicts: list[str] = []
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(count):
                history = History(invented(random.Random(f"{kind} {seed}"), kind))
                try:
                    write_as(history, Path(folder) / str(len(verdicts)), "porcupine")
                except ExportError:
                    tally[f"{kind}: nothing to judge"] += 1
                    continue
                verdicts.append(analyse(specification, history.operations, None).status.value)
            theirs = porcupine(program, [Path(folder) / str(place) for place in range(len(verdicts))], 10.0)
        for one, (other, _seconds, _megabytes) in zip(verdicts, theirs, strict=True):
            tally[f"{kind}: both {one}" if one == other else f"{kind}: Porcupine undecided" if other == "unknown" else "differ"] += 1
    for line, number in sorted(tally.items()):
        print(f"{line}: {number}")
    return tally["differ"]


def main(arguments: list[str]) -> int:
    """Compare; 1 if a verdict differs."""
    if not arguments or not Path(arguments[0]).is_file() or (arguments[1:2] == ["--random"] and not "".join(arguments[2:]).isdigit()):
        print(__doc__)
        return 3
    program, *names = arguments
    program = str(Path(program).resolve())
    if names[:1] == ["--random"]:
        return int(agreed(program, int(names[1])) > 0)
    return int(compared(program, names) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
