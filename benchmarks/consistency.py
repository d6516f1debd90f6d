"""How long judging histories by weaker models takes: registers by key, saturated with clients, made from a seed.

    python benchmarks/consistency.py

Prints seconds of CPU for each model, of a history that is linearizable and of one whose replicas lag behind one log, each client at
its own distance: sequentially consistent and nothing stronger.  10,000 operations of 10 clients.
"""

from __future__ import annotations

import random
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from killpoint.properties.consistency import (
    GUARANTEES,
    BoundedStaleness,
    KAtomic,
    Regular,
    Safe,
    SequentiallyConsistent,
    SessionGuarantee,
)
from killpoint.properties.history import Operation, Outcome
from killpoint.properties.independent import Independent
from killpoint.properties.registers import Register

REGISTERS = Independent(Register())
STEPS = 300_000

MODELS: dict[str, Any] = {
    "sequential": SequentiallyConsistent(REGISTERS, budget=STEPS),
    "regular": Regular(REGISTERS),
    "strong-regular": Regular(REGISTERS, strong=True),
    "safe": Safe(REGISTERS),
    "k-atomic=2": KAtomic(REGISTERS, 2, budget=STEPS),
    "staleness=0.5": BoundedStaleness(REGISTERS, 0.5),
    **{guarantee: SessionGuarantee(guarantee, REGISTERS) for guarantee in GUARANTEES},
}


def recorded(size: int, clients: int, keys: int, lag: int, seed: int = 1) -> list[Operation]:
    """A history in which reads see a log as it was up to `lag` writes ago, but never less than the client saw or wrote before."""
    source = random.Random(seed)
    log: list[tuple[int, int]] = []
    applied = {f"c{number}": 0 for number in range(clients)}
    idle = [*applied]
    flying: list[dict[str, Any]] = []
    done = []
    started = clock = 0
    while started < size or flying:
        clock += 1
        if started < size and idle and source.random() < 0.6:
            client = idle.pop(source.randrange(len(idle)))
            call = {"id": started, "client": client, "key": source.randrange(keys), "writes": source.random() < 0.5, "called": clock}
            flying.append(call)
            started += 1
            continue
        if not flying:
            continue
        call = source.choice(flying)
        client, key = call["client"], call["key"]
        if "value" not in call:
            if call["writes"]:
                log.append((key, call["id"]))
                applied[client] = len(log)
                call["value"] = call["id"]
            else:
                applied[client] = max(applied[client], len(log) - source.randrange(lag + 1))
                seen = map(log.__getitem__, range(applied[client] - 1, -1, -1))
                call["value"] = next((value for at, value in seen if at == key), None)
            continue
        flying.remove(call)
        idle.append(client)
        function, asked = ("write", call["value"]) if call["writes"] else ("read", None)
        told = None if call["writes"] else (key, call["value"])
        times = call["called"], clock, call["called"] / 100, clock / 100
        done.append(Operation(call["id"], client, function, (key, asked), Outcome.OK, told, None, *times))
    return sorted(done, key=lambda one: one.invoked)


def main() -> None:
    """Print the table."""
    size, clients, keys = 10_000, 10, 5
    histories = {"linearizable": recorded(size, clients, keys, 0), "lagging replicas": recorded(size, clients, keys, 20)}
    table = Table("model", *(f"{name}, s" for name in histories))
    for name, model in MODELS.items():
        row = []
        for history in histories.values():
            start = time.process_time()
            verdict = model.judge(history)
            row.append(f"{time.process_time() - start:.2f} {verdict.status.value}")
        table.add_row(name, *row)
    Console().print(f"{size:,} operations of {clients} clients, {keys} keys")
    Console().print(table)


if __name__ == "__main__":
    main()
