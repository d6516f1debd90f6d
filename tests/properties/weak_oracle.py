"""Weak isolation by its definition: every commit order is tried, and every read asked whether it returned the newest that it could see.

Biswas & Enea 2019, "On the complexity of checking transactional consistency", definitions of their axioms; nothing is inferred.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

from isolation_oracle import transaction

from killpoint.properties.history import Operation, Outcome

LEVELS = ("monotonic-atomic-view", "strong-session-monotonic-atomic-view", "read-atomic", "causal-consistency")


def scrambled(source: random.Random, workload: str, *, pending: float) -> list[Operation]:
    """Transactions of a few sessions, one after another, whose reads are of whatever anybody ever writes: right only by chance."""
    sessions = [f"p{number}" for number in range(source.randrange(1, 4))]
    keys = "xy" if source.random() < 0.6 else "xyz"
    write = "append" if workload == "list-append" else "w"
    plans: list[list[list[Any]]] = []
    versions: dict[str, list[Any]] = {key: [] for key in keys}
    for _ in range(source.choice([2, 3, 3, 4, 4, 4, 5])):
        plan: list[list[Any]] = []
        for _ in range(source.randrange(1, 4)):
            key = source.choice(keys)
            if source.random() < 0.5 and all(part[:2] != [write, key] for part in plan):
                value = len(versions[key]) + 1
                versions[key].append(value)
                plan.append([write, key, value])
            elif source.random() < 0.9:
                plan.append(["r", key, None])
        if plan:
            plans.append(plan)
    orders = {key: source.sample(values, len(values)) for key, values in versions.items()}
    done = []
    dead: dict[str, int] = {}
    for number, plan in enumerate(plans):
        mine: dict[str, Any] = {}
        for part in plan:
            function, key, value = part
            if function != "r":
                mine[key] = value
            elif workload == "list-append":
                read = tuple(orders[key][: source.randrange(len(orders[key]) + 1)])
                read = tuple(item for item in read if item not in [p[2] for p in plan if p[0] == write and p[1] == key])
                part[2] = (*read, *([mine[key]] if key in mine else []))
            else:
                others = [item for item in versions[key] if [write, key, item] not in plan]
                part[2] = mine[key] if key in mine else source.choice([None, *others])
        client = source.choice(sessions)
        process = f"{client}/{dead.get(client, 0)}"
        told = tuple(tuple(part) for part in plan)
        crashed = source.random() < pending
        if crashed:
            dead[client] = dead.get(client, 0) + 1
        done.append(transaction(number, told, (2 * number, None if crashed else 2 * number + 1), process))
    return done


def holds(level: str, operations: Sequence[Operation]) -> bool:
    """True if some commit order of all that committed and some of the others explains every read."""
    certain = [one for one in operations if one.outcome is Outcome.OK]
    if level in ("read-atomic", "causal-consistency") and any(map(contradicts_itself, certain)):
        return False
    doubtful = [one for one in operations if one.outcome is Outcome.INFO]
    return any(
        explained(level, order)
        for size in range(len(doubtful) + 1)
        for chosen in combinations(doubtful, size)
        for order in permutations([*certain, *chosen])
    )


def explained(level: str, order: Sequence[Operation]) -> bool:
    """Whether this commit order explains every read."""
    place = {one.id: at for at, one in enumerate(order)}
    sessions = [(a, b) for a in order for b in order if a.process == b.process and a.invoked < b.invoked]
    if level != "monotonic-atomic-view" and any(place[a.id] > place[b.id] for a, b in sessions):
        return False
    writers = {(key, value): one for one in order for function, key, value in one.argument if function != "r"}
    read_from: set[tuple[int, int]] = set()
    seen: dict[int, list[tuple[str, Operation | None]]] = {one.id: [] for one in order}
    for one in order:
        for key, value, whole in external_reads(one):
            writer = None if value is None else writers.get((key, value))
            if value is not None and writer is None:
                return False
            if writer is not None:
                read_from.add((writer.id, one.id))
                if place[writer.id] > place[one.id]:
                    return False
            if whole is not None and whole != version(order, key, writer):
                return False
            seen[one.id].append((key, writer))
    paths = closure({(a.id, b.id) for a, b in sessions} | read_from)
    for one in order:
        for at, (key, writer) in enumerate(seen[one.id]):
            earlier = {other.id for _key, other in seen[one.id][:at] if other is not None}
            visible = {
                "monotonic-atomic-view": earlier,
                "strong-session-monotonic-atomic-view": earlier,
                "read-atomic": {a for a, b in read_from if b == one.id} | {a.id for a, b in sessions if b is one},
                "causal-consistency": {a for a, b in paths if b == one.id},
            }[level]
            for other in order:
                writes = any(part[0] != "r" and part[1] == key for part in other.argument)
                if other.id in visible and writes and other is not writer and (writer is None or place[other.id] > place[writer.id]):
                    return False
    return True


def version(order: Sequence[Operation], key: str, writer: Operation | None) -> tuple[int, ...]:
    """The list that a writer leaves behind."""
    found: list[int] = []
    if writer is not None:
        for one in order:
            found += [part[2] for part in one.argument if part[0] != "r" and part[1] == key]
            if one is writer:
                break
    return tuple(found)


def external_reads(one: Operation) -> Iterator[tuple[str, Any, Any]]:
    """What a transaction read of others: the key, the value or last element, and the whole list."""
    mine: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    told: Any = one.result or ()
    for function, key, value in told:
        if function != "r":
            mine[key] = value
            if key in expected:
                expected[key] = (*expected[key], value)
        elif isinstance(value, tuple):
            fits = expected.get(key, value) == value and (key not in mine or value[-1:] == (mine[key],))
            if fits and key not in expected and key in mine:
                # What stands before one's own append is what was read; the append may be added to another list at the commit.
                yield key, value[-2] if len(value) > 1 else None, value[:-1]
            elif (key not in expected or expected[key] != value) and mine.get(key) not in value:
                yield key, value[-1] if value else None, value
            expected[key] = value
        elif key not in mine:
            yield key, value, None


def contradicts_itself(one: Operation) -> bool:
    """True if a read does not fit what the transaction itself had read and written before."""
    expected: dict[str, Any] = {}
    mine: dict[str, Any] = {}
    told: Any = one.result or ()
    for function, key, value in told:
        if function == "r":
            ends = key not in mine or not isinstance(value, tuple) or value[-1:] == (mine[key],)
            if expected.get(key, value) != value or not ends:
                return True
            expected[key] = value
        else:
            mine[key] = value
            if function == "w":
                expected[key] = value
            elif key in expected:
                expected[key] = (*expected[key], value)
    return False


def closure(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """All paths."""
    found = set(pairs)
    while True:
        more = {(a, d) for a, b in found for c, d in found if b == c} - found
        if not more:
            return found
        found |= more
