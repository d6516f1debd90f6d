"""How long checkers take on large histories, and how much memory: what is wanted, and what was measured.

    python benchmarks/checkers.py [--fast] [NAME ...]

A name (or part of one) selects; `--fast` judges in compiled code, where it pays.  Histories are made from seeds by one generator for all
objects: clients that are always about to call (two thirds of them are in flight at any time), calls that take effect at a random moment,
and all values different, except for the store.  Each case is a process of its own: seconds are the median CPU time of five looks, memory
is the peak of the process, history included.  Time is to grow at most twelvefold from 100,000 to 1,000,000 operations.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from killpoint.properties import (
    CasRegister,
    Counter,
    FifoQueue,
    GrowSet,
    KeyValue,
    Operation,
    Outcome,
    PriorityQueue,
    Register,
    Set,
    Specification,
    Stack,
)
from killpoint.properties.history import Value
from killpoint.properties.linearizability import analyse

CLIENTS = 50
GROWTH = 12.0
LOOKS = 5
MEGABYTES = 1000

Act = Callable[[random.Random], tuple[str, Value, Value]]
"""Makes one call take effect: its function, argument and result."""


def registers(swaps: float) -> Act:
    """A register with reads, writes, and compare-and-sets that succeed."""
    fresh = count(1)
    value: Value = None

    def act(source: random.Random) -> tuple[str, Value, Value]:
        nonlocal value
        choice = source.random()
        if choice < 0.5:
            return "read", None, value
        before, value = value, next(fresh)
        return ("cas", (before, value), None) if choice < 0.5 + swaps else ("write", value, None)

    return act


def queue() -> Act:
    """A queue, hardly ever long."""
    fresh = count(1)
    inside: deque[int] = deque()

    def act(source: random.Random) -> tuple[str, Value, Value]:
        if source.random() < 0.5:
            inside.append(next(fresh))
            return "enqueue", inside[-1], None
        return "dequeue", None, inside.popleft() if inside else None

    return act


def stack() -> Act:
    """A stack."""
    fresh = count(1)
    inside: list[int] = []

    def act(source: random.Random) -> tuple[str, Value, Value]:
        if source.random() < 0.5:
            inside.append(next(fresh))
            return "push", inside[-1], None
        return "pop", None, inside.pop() if inside else None

    return act


def priority_queue() -> Act:
    """A priority queue, of random priorities."""
    fresh = count(1)
    inside: list[int] = []

    def act(source: random.Random) -> tuple[str, Value, Value]:
        if source.random() < 0.5:
            value = source.randrange(1 << 20) << 24 | next(fresh)
            heappush(inside, value)
            return "insert", value, None
        return "poll", None, heappop(inside) if inside else None

    return act


def elements() -> Act:
    """A set whose elements come and go, and are asked for."""
    fresh = count(1)
    inside: deque[int] = deque()
    gone: deque[int] = deque([0], maxlen=100)

    def act(source: random.Random) -> tuple[str, Value, Value]:
        choice = source.random()
        if choice < 0.34 or len(inside) < 10:
            inside.append(next(fresh))
            return "add", inside[-1], True
        if choice < 0.6:
            gone.append(inside.popleft())
            return "remove", gone[-1], True
        if choice < 0.8:
            return "contains", inside[source.randrange(len(inside))], True
        return "contains", gone[source.randrange(len(gone))], False

    return act


def growing_set() -> Act:
    """A set that grows, read as a whole whenever it has doubled: what reads show is proportional to what is added."""
    inside: list[int] = []
    due = 100

    def act(source: random.Random) -> tuple[str, Value, Value]:  # noqa: ARG001  # as all others
        nonlocal due
        if len(inside) == due:
            due *= 2
            return "read", None, tuple(inside)
        inside.append(len(inside))
        return "add", inside[-1], None

    return act


def counter() -> Act:
    """A counter that is incremented and read."""
    number = 0

    def act(source: random.Random) -> tuple[str, Value, Value]:
        nonlocal number
        if source.random() < 0.5:
            return "read", None, number
        number += 1
        return "inc", None, None

    return act


def store(keys: int) -> Act:
    """So many keys, with puts, appends and gets."""
    fresh = count(1)
    values: dict[int, str] = {}

    def act(source: random.Random) -> tuple[str, Value, Value]:
        key = source.randrange(keys)
        function = source.choice(["get", "get", "append", "append", "append", "put"])
        if function == "get":
            return "get", key, values.get(key, "")
        text = f"{next(fresh)} "
        values[key] = (values.get(key, "") if function == "append" else "") + text
        return function, (key, text), None

    return act


def recorded(act: Act, clients: int, size: int, *, crashed: float = 0.0, stale: bool = False) -> list[Operation]:
    """A linearizable history; with `stale`, a late read returns what one halfway through returned."""
    source = random.Random(7)
    chance = source.random
    ok, info = Outcome.OK, Outcome.INFO
    waiting: list[tuple[int, int]] = []
    done: list[tuple[int, int, str, Value, Value]] = []
    operations: list[Operation] = []
    started = clock = 0
    while started < size or waiting or done:
        if started < size and len(waiting) + len(done) < clients and (not (waiting or done) or chance() < 0.6):
            waiting.append((started, clock))
            started += 1
            clock += 1
            continue
        acting = bool(waiting) and (not done or chance() < 0.6)
        calls = waiting if acting else done
        at = int(chance() * len(calls))
        calls[at], calls[-1] = calls[-1], calls[at]
        if acting:
            done.append((*waiting.pop(), *act(source)))
            continue
        number, invoked, function, argument, result = done.pop()
        if chance() < crashed:
            operations.append(Operation(number, "p", function, argument, info, None, None, invoked, None, 0.0, None))
        else:
            operations.append(Operation(number, "p", function, argument, ok, result, None, invoked, clock, 0.0, 0.0))
        clock += 1
    operations.sort(key=lambda one: one.invoked)
    if stale:
        reads = [place for place, one in enumerate(operations) if one.function in ("read", "get") and one.ok]
        at = reads[-len(reads) // 20]
        late = operations[at]
        then = next(operations[place] for place in reads[len(reads) // 2 :] if operations[place].argument == late.argument)
        operations[at] = Operation(
            late.id, "p", late.function, late.argument, ok, then.result, None, late.invoked, late.completed, 0.0, 0.0
        )
    return operations


class Case(NamedTuple):
    """What is judged: without a `size`, 100,000 operations are compared with a million, for which `wanted` seconds are meant."""

    specification: Specification
    make: Callable[[], Act]
    clients: int
    wanted: float
    size: int | None = None
    crashed: float = 0.0
    stale: bool = False


CASES: dict[str, Case] = {
    "register": Case(Register(), lambda: registers(0.0), CLIENTS, 2.0),
    "cas chains": Case(CasRegister(), lambda: registers(0.4), CLIENTS, 2.0),
    "queue": Case(FifoQueue(), queue, CLIENTS, 2.0),
    "set": Case(Set(), elements, CLIENTS, 2.0),
    "growing set": Case(GrowSet(), growing_set, CLIENTS, 2.0),
    "counter": Case(Counter(), counter, CLIENTS, 20.0),
    "stack": Case(Stack(), stack, CLIENTS, 20.0),
    "priority queue": Case(PriorityQueue(), priority_queue, CLIENTS, 20.0),
    "register of few": Case(Register(), lambda: registers(0.0), 5, 0.05, 100_000),
    "register, 5 % crashed": Case(Register(), lambda: registers(0.0), 5, 1.0, 100_000, 0.05),
    "register, 5 % crashed, stale": Case(Register(), lambda: registers(0.0), 5, 1.0, 100_000, 0.05, stale=True),
    "register, 5 % crashed, stale, short": Case(Register(), lambda: registers(0.0), 5, 0.003, 1_000, 0.05, stale=True),
    "queue of few": Case(FifoQueue(), queue, 5, 0.01, 1_000),
    "store of 10 keys": Case(KeyValue(), lambda: store(10), CLIENTS, 0.5, 100_000),
    "store of 10 keys, stale": Case(KeyValue(), lambda: store(10), CLIENTS, 0.5, 100_000, stale=True),
    "store of 10 keys, 5 % crashed": Case(KeyValue(), lambda: store(10), CLIENTS, 0.5, 100_000, 0.05),
    "store of 1,000 keys": Case(KeyValue(), lambda: store(1_000), CLIENTS, 0.12, 100_000),
}


def measure(name: str, size: int, *, fast: bool) -> dict[str, object]:
    """Seconds, megabytes and the verdict for one case, in this process."""
    case = CASES[name]
    operations = recorded(case.make(), case.clients, size, crashed=case.crashed, stale=case.stale)
    seconds = []
    for _ in range(LOOKS):
        began = time.process_time()
        analysis = analyse(case.specification, operations, None, fast=fast)
        seconds.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = f"{analysis.status.value} {analysis.method}"
    right = (analysis.status.value == "invalid") is case.stale
    return {"seconds": statistics.median(seconds), "megabytes": peak, "found": found, "right": right}


def measured(name: str, size: int, *, fast: bool) -> dict[str, float | str | bool]:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--case", name, str(size), *(["--fast"] if fast else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float | str | bool] = json.loads(done.stdout)
    return result


def main(names: list[str]) -> int:
    """Print the table; 1 if a verdict is wrong."""
    fast = "--fast" in names
    names = [name for name in names if name != "--fast"]
    if names[:1] == ["--case"]:
        print(json.dumps(measure(names[1], int(names[2]), fast=fast)))
        return 0
    table = Table("history", "operations", "wanted s", "measured s", "MB", "growth", "found")
    wrong = 0
    for name, case in CASES.items():
        if names and not any(part in name for part in names):
            continue
        small = measured(name, case.size or 100_000, fast=fast)
        rows = [(case.size or 100_000, small, case.wanted if case.size else None, "")]
        if not case.size:
            large = measured(name, 1_000_000, fast=fast)
            growth = float(large["seconds"]) / max(float(small["seconds"]), 1e-9)
            rows.append((1_000_000, large, case.wanted, f"{growth:.1f}{'' if growth <= GROWTH else '  MISSED'}"))
        for size, found, limit, growth_shown in rows:
            wrong += not found["right"]
            met = limit is None or float(found["seconds"]) <= limit
            table.add_row(
                f"{name}, {case.clients} clients", f"{size:,}", "" if limit is None else f"{limit:g}",
                f"{found['seconds']:.{2 if size >= 100_000 else 4}f}{'' if met else '  MISSED'}", f"{found['megabytes']:.0f}", growth_shown,
                f"{found['found']}{'' if found['right'] else '  WRONG'}",
            )  # fmt: skip
        print(f"{name}: measured", file=sys.stderr, flush=True)
    Console(width=160).print(table)
    print(f"Memory is to stay below {MEGABYTES} MB, and growth from 100,000 to 1,000,000 operations below {GROWTH:.0f}.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
