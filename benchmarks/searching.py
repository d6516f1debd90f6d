"""How long deciding takes: saturated histories (about two thirds of the clients are always in flight), made from a seed.

    python benchmarks/searching.py [NAME ...]

Prints seconds of CPU and search steps for each; a name (or part of one) selects.  Every history is deterministic.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from itertools import count

from killpoint.properties import CasRegister, KeyValue, Operation, Outcome, Register, Specification
from killpoint.properties.history import Value
from killpoint.properties.linearizability import analyse
from killpoint.properties.search import Search


def saturated(
    kind: str, clients: int, size: int, seed: int, *, values: int = 0, crashed: float = 0.0, stale: bool = False, keys: int = 10
) -> list[Operation]:
    """A linearizable history; with `stale`, one late read returns what was overwritten long ago."""
    source = random.Random(seed)
    fresh = count(1)
    clock = count()
    state: dict[Value, str] = {}
    register: Value = None
    open_calls: list[list[Value]] = []
    operations: list[Operation] = []
    started = 0
    while started < size or open_calls:
        if started < size and len(open_calls) < clients and (not open_calls or source.random() < 0.6):
            function, argument = _invent(kind, source, fresh, values, keys, register)
            open_calls.append([started, function, argument, next(clock), None, None])
            started += 1
            continue
        waiting = [call for call in open_calls if call[5] is None]
        if waiting and (source.random() < 0.6 or len(waiting) == len(open_calls)):
            call = source.choice(waiting)
            register = _take_effect(call, register, state)
            continue
        call = open_calls.pop(source.choice([place for place, call in enumerate(open_calls) if call[5] is not None]))
        outcome = Outcome(str(call[5]))
        if source.random() < crashed:
            outcome = Outcome.INFO
        operations.append(_operation(call, outcome, next(clock)))
    operations.sort(key=lambda one: one.invoked)
    return _make_stale(operations) if stale else operations


def _invent(kind: str, source: random.Random, fresh: Iterator[int], values: int, keys: int, register: Value) -> tuple[str, Value]:
    if kind == "kv":
        key = source.randrange(keys)
        function = source.choice(["get", "get", "append", "append", "append", "put"])
        return function, key if function == "get" else (key, f"{source.randrange(values) if values else next(fresh)} ")
    value = source.randrange(values) if values else next(fresh)
    choice = source.random()
    if kind == "cas" and choice < 0.33:
        return "cas", (source.randrange(values) if values else register, value)
    return ("read", None) if choice < 0.66 else ("write", value)


def _take_effect(call: list[Value], register: Value, state: dict[Value, str]) -> Value:
    _number, function, argument = call[:3]
    call[5] = "ok"
    if function == "read":
        call[4] = register
    elif function == "write":
        return argument
    elif function == "get":
        call[4] = state.get(argument, "")
    else:
        assert isinstance(argument, tuple)
        if function in ("append", "put"):
            state[argument[0]] = (state.get(argument[0], "") if function == "append" else "") + argument[1]
        elif register == argument[0]:
            return argument[1]
        else:
            call[5] = "fail"
    return register


def _operation(call: list[Value], outcome: Outcome, returned: int) -> Operation:
    number, function, argument, invoked, result, _effect = call
    assert isinstance(number, int)
    assert isinstance(invoked, int)
    done = outcome is not Outcome.INFO
    return Operation(
        number, f"p{number}", str(function), argument, outcome, result if done else None, None, invoked,
        returned if done else None, float(invoked), float(returned),
    )  # fmt: skip


def _make_stale(operations: list[Operation]) -> list[Operation]:
    """The last read but a few returns what a read halfway through returned."""
    reads = [place for place, one in enumerate(operations) if one.function in ("read", "get") and one.ok]
    late = reads[-max(1, len(reads) // 20)]
    then = next(operations[place] for place in reads[len(reads) // 2 :] if operations[place].argument == operations[late].argument)
    changed = operations[late]
    operations[late] = Operation(
        changed.id, changed.process, changed.function, changed.argument, changed.outcome, then.result, None,
        changed.invoked, changed.completed, changed.invoked_at, changed.completed_at,
    )  # fmt: skip
    return operations


def cases() -> Iterator[tuple[str, Specification, list[Operation], bool]]:
    """Name, specification, history, and whether the zones may be used."""
    sizes = ((5, 10_000, True), (10, 10_000, True), (20, 1_000, False), (20, 10_000, False), (5, 100_000, False))
    for clients, size, stale in sizes:
        name = f"register c{clients} n{size} {'stale' if stale else 'valid'}"
        history = saturated("register", clients, size, 1, stale=stale)
        yield f"{name} unique zones", Register(), history, True
        yield f"{name} unique search", Register(), history, False
        yield f"{name} 5 values", Register(), saturated("register", clients, size, 1, values=5, stale=stale), False
    yield "cas c10 n10000 5 values stale", CasRegister(), saturated("cas", 10, 10_000, 2, values=5, stale=True), False
    yield "cas c10 n10000 unique stale", CasRegister(), saturated("cas", 10, 10_000, 2, stale=True), False
    yield "cas c10 n10000 unique valid", CasRegister(), saturated("cas", 10, 10_000, 2), False
    yield "kv c50 n100000 10 keys", KeyValue(), saturated("kv", 50, 100_000, 3), False
    yield "kv c50 n100000 1000 keys", KeyValue(), saturated("kv", 50, 100_000, 3, keys=1000), False
    yield "kv c50 n10000 10 keys stale", KeyValue(), saturated("kv", 50, 10_000, 3, stale=True), False
    for keys in (10, 100):
        for stale in (False, True):
            repeating = saturated("kv", 5, 10_000, 3, values=50, keys=keys, stale=stale)
            yield f"kv c5 n10000 {keys} keys 50 texts {'stale' if stale else 'valid'}", KeyValue(), repeating, False
    for size in (1_000, 10_000):
        for stale in (False, True):
            kind = "stale" if stale else "valid"
            crashed = saturated("register", 5, size, 4, crashed=0.05, stale=stale)
            yield f"register c5 n{size} 5 % crashed {kind} unique search", Register(), crashed, False
            few = saturated("register", 5, size, 4, values=5, crashed=0.05, stale=stale)
            yield f"register c5 n{size} 5 % crashed {kind} 5 values", Register(), few, False
            few = saturated("cas", 5, size, 4, values=5, crashed=0.05, stale=stale)
            yield f"cas c5 n{size} 5 % crashed {kind} 5 values", CasRegister(), few, False


def main(names: list[str]) -> None:
    """Print the table."""
    for name, specification, history, zones in cases():
        if names and not any(part in name for part in names):
            continue
        start = time.process_time()
        if zones or isinstance(specification, KeyValue):
            analysis = analyse(specification, history, 30_000_000)
            outcome, steps = analysis.status.value, analysis.steps
        else:
            search = Search(specification, [one for one in history if one.outcome is not Outcome.FAIL])
            decided = search.run(5_000_000)
            outcome, steps = "unknown" if decided is None else "valid" if decided else "invalid", search.steps
        print(f"{name:52} {outcome:8} {time.process_time() - start:8.3f} s {steps:10} steps", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
