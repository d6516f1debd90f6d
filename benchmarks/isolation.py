"""How long judging transactions takes: valid histories of 50 clients with about four micro-operations each, made from a seed.

    python benchmarks/isolation.py [--large]

Registers whose transactions fit into a serial order keep every level, so their row is the figure of each.

Prints what is wanted and what was measured, in seconds of CPU and in memory beyond what the history itself takes; `--large` adds a
history of a million transactions, which takes about 3 GB.  Invalid histories are the same with one stale read.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from resource import RUSAGE_SELF, getrusage
from typing import Any

from rich.console import Console
from rich.table import Table

from killpoint.properties.history import Operation, Outcome
from killpoint.properties.isolation import Isolation

CLIENTS = 50
ACTIVE_KEYS = 10
WRITES_PER_KEY = 64
LEVEL = "strict-serializable"


def recorded(workload: str, size: int, seed: int, *, stale: bool = False) -> list[Operation]:
    """A strictly serializable history; with `stale`, one transaction near the end reads what was there before the previous write.

    Each of the clients has a transaction in flight at all times; it takes effect at a random moment between its invocation
    and its completion.  A key is given up after some number of writes, and another takes its place.
    """
    source = random.Random(seed)
    write = "append" if workload == "list-append" else "w"
    keys = [*range(ACTIVE_KEYS)]
    written: dict[int, int] = {}
    state: dict[int, Any] = {}
    flying: list[list[Any]] = []
    idle = [f"c{number}" for number in range(CLIENTS)]
    operations = []
    for clock in range(size + CLIENTS):
        if clock < size:
            asked = tuple(_invent(source, write, keys, written) for _ in range(source.randrange(2, 7)))
            flying.append([clock, idle.pop(), 2 * clock, asked, None])
        if flying and (len(flying) == CLIENTS or clock >= size):
            _take_effect(source.choice(flying), state)
            done = flying.pop(source.randrange(len(flying)))
            _take_effect(done, state)
            idle.append(done[1])
            number, client, invoked, asked, told = done
            operations.append(_operation(number, client, asked, told, invoked, 2 * clock + 1))
    operations.sort(key=lambda operation: operation.invoked)
    return _make_stale(operations) if stale else operations


def _invent(source: random.Random, write: str, keys: list[int], written: dict[int, int]) -> tuple[str, int, Any]:
    place = source.randrange(ACTIVE_KEYS)
    key = keys[place]
    if source.random() < 0.5:
        return "r", key, None
    written[key] = written.get(key, 0) + 1
    if written[key] == WRITES_PER_KEY:
        keys[place] = max(keys) + 1
    return write, key, written[key]


def _take_effect(transaction: list[Any], state: dict[int, Any]) -> None:
    """Runs a transaction against the state, unless it has been."""
    if transaction[4] is not None:
        return
    told = []
    for function, key, value in transaction[3]:
        if function == "append":
            state[key] = (*state.get(key, ()), value)
        elif function == "w":
            state[key] = value
        told.append((function, key, state.get(key) if function == "r" else value))
    transaction[4] = tuple(told)


def _operation(number: int, client: str, asked: Any, told: Any, invoked: int, completed: int) -> Operation:
    return Operation(
        number, client, "txn", asked, Outcome.OK, told, None, invoked, completed, float(invoked), float(completed)
    )


def _make_stale(operations: list[Operation]) -> list[Operation]:
    """One late read of a list misses the last element."""
    for place in reversed(range(len(operations) - CLIENTS)):
        told: Any = operations[place].result
        keys = [key for _function, key, _value in told]
        part = next((one for one in told if one[0] == "r" and one[2] and len(one[2]) > 1 and keys.count(one[1]) == 1), None)
        if part is not None:
            changed = tuple(("r", part[1], part[2][:-1]) if one is part else one for one in told)
            one = operations[place]
            operations[place] = _operation(one.id, one.process, one.argument, changed, one.invoked, one.completed or 0)
            return operations
    return operations


def measured(workload: str, history: Sequence[Operation]) -> tuple[str, float, float]:
    """The status, seconds of CPU, and megabytes that the peak grew by."""
    before = getrusage(RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    verdict = Isolation(LEVEL, workload).judge(history)
    seconds = time.process_time() - start
    return verdict.status.value, seconds, (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024


CASES = (
    ("list-append", 10_000, False, "-"),
    ("list-append", 100_000, False, "1.5"),
    ("list-append", 100_000, True, "-"),
    ("rw-register", 100_000, False, "-"),
)
LARGE = (("list-append", 1_000_000, False, "20"),)


def main(arguments: list[str]) -> None:
    """Print the table."""
    table = Table("workload", "transactions", "history", "wanted, s", "measured, s", "memory, MB", "verdict")
    for workload, size, stale, wanted in CASES + (LARGE if "--large" in arguments else ()):
        history = recorded(workload, size, seed=1, stale=stale)
        status, seconds, memory = measured(workload, history)
        kind = "one stale read" if stale else "valid"
        table.add_row(workload, f"{size:,}", kind, wanted, f"{seconds:.2f}", f"{memory:.0f}", status)
        del history
    Console().print(table)
    print(f"peak of the whole process: {getrusage(RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
