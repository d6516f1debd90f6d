"""How long the checkers of workloads take on large histories, and how much memory: what is wanted, and what was measured.

    python benchmarks/workloads.py [NAME ...]

A name (or part of one) selects.  Histories are made from seeds: 50 clients that are always about to call (two thirds of them are
in flight at any time), calls that take effect at a random moment, 2 % with an unknown outcome, and no violation.  Reads of everything
come whenever what there is has doubled, so that histories grow with their operations and not with the square.  Each case is a
process of its own: seconds are the median CPU time of three looks, memory is the peak of the process, history included.  Time is to
grow at most twelvefold from 100,000 to 1,000,000 operations.
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
from itertools import count

from rich.console import Console
from rich.table import Table

from killpoint.properties import (
    Bank,
    CausalReverse,
    CounterBounds,
    KafkaLog,
    Lease,
    LongFork,
    Monotonic,
    Operation,
    Outcome,
    SetFinal,
    SetFull,
    Stats,
    TotalQueue,
    UnhandledErrors,
    UniqueIds,
    Value,
)
from killpoint.properties.workloads import Workload

CLIENTS = 50
CRASHED = 0.02
SECONDS = 10.0
GROWTH = 12.0
LOOKS = 3

Call = tuple[str, Value, Value]
Act = Callable[[random.Random, str], Call]
"""Makes one call of a client take effect: its function, argument and result."""


def queue() -> Act:
    """A queue of tasks, drained in the end by whoever comes."""
    fresh = count()
    inside: deque[int] = deque()

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        if source.random() < 0.48:
            inside.append(next(fresh))
            return "enqueue", inside[-1], None
        return "dequeue", None, inside.popleft() if inside else None

    return act


def growing(add: str) -> Act:
    """Something that grows, read as a whole whenever it has doubled."""
    inside: list[int] = []
    due = 100

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        nonlocal due
        if len(inside) == due:
            due *= 2
            return "read", None, tuple(inside)
        inside.append(len(inside))
        return add, inside[-1], None

    return act


def rows() -> Act:
    """Rows with timestamps, read as a whole whenever there are twice as many."""
    inside: list[Value] = []
    due = 100

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        nonlocal due
        if len(inside) == due:
            due *= 2
            return "read", None, tuple(inside)
        inside.append((("sts", 10 * len(inside)), ("val", len(inside))))
        return "add", None, inside[-1]

    return act


def ids() -> Act:
    """Numbers that are all different."""
    fresh = count()
    return lambda _source, _client: ("generate", None, next(fresh))


def counter() -> Act:
    """A counter that goes up and down."""
    value = 0

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        nonlocal value
        if source.random() < 0.5:
            return "read", None, value
        amount = source.randrange(-3, 9)
        value += amount
        return "add", amount, None

    return act


def bank() -> Act:
    """Ten accounts."""
    balances = [100] * 10

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        if source.random() < 0.5:
            return "read", None, tuple(enumerate(balances))
        one, other = source.sample(range(10), 2)
        amount = source.randrange(balances[one] + 1)
        balances[one] -= amount
        balances[other] += amount
        return "transfer", (one, other, amount), None

    return act


def forks() -> Act:
    """Keys in groups of three."""
    fresh = count()
    there: set[int] = set()

    def act(source: random.Random, client: str) -> Call:  # noqa: ARG001  # as all others
        if source.random() < 0.5:
            key = next(fresh)
            there.add(key)
            return "txn", (("w", key, 1),), (("w", key, 1),)
        group = source.randrange(len(there) // 3 + 1) * 3
        keys = range(group, group + 3)
        return "txn", tuple(("r", key, None) for key in keys), tuple(("r", key, 1 if key in there else None) for key in keys)

    return act


def logs() -> Act:
    """Ten logs; each client polls on from where it was, and reads up to three messages."""
    log: list[list[int]] = [[] for _ in range(10)]
    places: dict[tuple[str, int], int] = {}
    fresh = count()

    def act(source: random.Random, client: str) -> Call:
        key = source.randrange(10)
        if source.random() < 0.5:
            log[key].append(next(fresh))
            return "send", (key, log[key][-1]), len(log[key]) - 1
        begin = places.get((client, key), 0)
        messages = tuple(zip(range(begin, begin + 3), log[key][begin : begin + 3], strict=False))
        places[client, key] = begin + len(messages)
        return "poll", None, ((key, messages),)

    return act


def leases() -> Act:
    """A lease that goes round, and writes with its token."""
    tokens = count(1)
    token, owner = 0, ""

    def act(source: random.Random, client: str) -> Call:
        nonlocal token, owner
        if not owner:
            token, owner = next(tokens), client
            return "acquire", client, (token, None)
        if source.random() < 0.3:
            # Whoever acts gives it back in the holder's name, who may have crashed.
            last, owner = owner, ""
            return "release", last, None
        return "write", (token, 0), None

    return act


CASES: dict[str, tuple[Workload, Callable[[], Act]]] = {
    "total-queue": (TotalQueue(exactly_once=True), queue),
    "set-final": (SetFinal(), lambda: growing("add")),
    "set-full": (SetFull(linearizable=True), lambda: growing("add")),
    "unique-ids": (UniqueIds(), ids),
    "counter-bounds": (CounterBounds(), counter),
    "bank": (Bank(), bank),
    "long-fork": (LongFork(), forks),
    "monotonic": (Monotonic(), rows),
    "causal-reverse": (CausalReverse(), lambda: growing("write")),
    "kafka": (KafkaLog(final_polls=False), logs),
    "lease": (Lease(duration=1e9), leases),
    "stats": (Stats(), bank),
    "unhandled-errors": (UnhandledErrors(), bank),
}


def recorded(act: Act, size: int) -> list[Operation]:
    """So many operations, each of which takes effect once at a random moment while it is open."""
    source = random.Random(7)
    chance = source.random
    idle = [f"c{number}" for number in range(CLIENTS)]
    waiting: list[tuple[str, int]] = []
    done: list[tuple[str, int, Call]] = []
    operations: list[Operation] = []
    started = clock = 0
    while started < size or waiting or done:
        if started < size and idle and (not (waiting or done) or chance() < 0.6):
            waiting.append((idle.pop(int(chance() * len(idle))), clock))
            started += 1
            clock += 1
            continue
        acting = bool(waiting) and (not done or chance() < 0.6)
        calls: list[tuple[str, int]] | list[tuple[str, int, Call]] = waiting if acting else done
        at = int(chance() * len(calls))
        calls[at], calls[-1] = calls[-1], calls[at]  # type: ignore[assignment]
        if acting:
            client, invoked = waiting.pop()
            done.append((client, invoked, act(source, client)))
            continue
        client, invoked, (function, argument, result) = done.pop()
        crashed = chance() < CRASHED
        times = invoked / 1000, clock / 1000
        operations.append(
            Operation(
                len(operations), client, function, argument, Outcome.INFO if crashed else Outcome.OK, None if crashed else result,
                "timeout: no answer" if crashed else None, invoked, None if crashed else clock, *times,
            )
        )  # fmt: skip
        idle.append(f"{client}'" if crashed else client)
        clock += 1
    operations.sort(key=lambda one: one.invoked)
    return operations


def measure(name: str, size: int) -> dict[str, object]:
    """Seconds, megabytes and the verdict for one case, in this process."""
    prop, make = CASES[name]
    operations = recorded(make(), size)
    seconds = []
    for _ in range(LOOKS):
        began = time.process_time()
        verdict = prop.judge(operations)
        seconds.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(seconds), "megabytes": peak, "status": verdict.status.value, "found": verdict.reason}


def measured(name: str, size: int) -> dict[str, str | float]:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--case", name, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, str | float] = json.loads(done.stdout)
    return result


def main(names: list[str]) -> int:
    """Print the table; 1 if a verdict is wrong."""
    if names[:1] == ["--case"]:
        print(json.dumps(measure(names[1], int(names[2]))))
        return 0
    table = Table("workload", "100,000: s", "1,000,000: s", "growth", "MB", "found")
    wrong = 0
    for name in CASES:
        if names and not any(part in name for part in names):
            continue
        small, large = measured(name, 100_000), measured(name, 1_000_000)
        seconds = float(small["seconds"]), float(large["seconds"])
        growth = seconds[1] / max(seconds[0], 1e-9)
        invalid = "invalid" in (small["status"], large["status"])
        wrong += invalid
        table.add_row(
            name, f"{seconds[0]:.2f}", f"{seconds[1]:.2f}{'' if seconds[1] <= SECONDS else '  MISSED'}",
            f"{growth:.1f}{'' if growth <= GROWTH else '  MISSED'}", f"{large['megabytes']:.0f}",
            f"{large['status']}: {str(large['found'])[:70]}{'  WRONG' if invalid else ''}",
        )  # fmt: skip
        print(f"{name}: measured", file=sys.stderr, flush=True)
    Console(width=160).print(table)
    print(f"A million operations are to take at most {SECONDS:.0f} s, and at most {GROWTH:.0f} times as long as 100,000.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
