"""Weaker models of consistency by their definitions: every order of small histories, tried one by one."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

from histories import operation

from killpoint.properties.history import Operation

Before = Callable[[Operation, Operation], bool]
Step = Callable[[Any, Operation], Any]

REFUSED = object()


def random_registers(source: random.Random, *, pending: float, keys: str = "", unique: bool = True) -> list[Operation]:
    """Reads and writes of a few processes, at random moments; what is read was written by somebody, mostly not long ago.

    With `keys` arguments and answers are pairs, as of many registers.
    """
    clock = 0
    values = 0
    live: dict[str, tuple[int, str, Any, int, float]] = {}
    lives: dict[str, int] = {}
    done: list[Operation] = []
    recent: dict[str, list[Any]] = {key: [None] for key in keys or "-"}
    size = source.randrange(3, 10)
    clients = [f"p{number}" for number in range(source.randrange(1, 4))]
    lying = source.choice([0.05, 0.3, 0.8])
    number = 0
    now = 1.0
    while number < size or live:
        clock += 1
        now += source.choice([0.0, 0.1, 0.3])
        idle = [client for client in clients if client not in live]
        if number < size and idle and (not live or source.random() < 0.5):
            client = source.choice(idle)
            key = source.choice(keys or "-")
            if source.random() < 0.5:
                values += 1
                value = values if unique else source.randrange(3)
                live[client] = (number, key, value, clock, now)
                if source.random() < 0.7:
                    recent[key].append(value)
            else:
                live[client] = (number, key, REFUSED, clock, now)
            number += 1
            continue
        client = source.choice([*live])
        which, key, value, invoked, invoked_at = live.pop(client)
        writes = value is not REFUSED
        if writes and value not in recent[key]:
            recent[key].append(value)
        crashed = source.random() < pending
        read = recent[key][-1] if source.random() > lying else source.choice([recent[key][0], source.choice(recent[key])])
        argument = (value if writes else None) if not keys else (key, value if writes else None)
        result = None if writes else read if not keys else (key, read)
        process = f"{client}/{lives.get(client, 0)}"
        made = operation(which, "write" if writes else "read", argument, None if crashed else result, (invoked, None), process=process)
        if crashed:
            lives[client] = lives.get(client, 0) + 1
        else:
            made = operation(which, made.function, argument, result, (invoked, clock), process=process)
        done.append(timed(made, invoked_at, None if crashed else now))
    return sorted(done, key=lambda one: one.invoked)


def timed(one: Operation, invoked_at: float, completed_at: float | None) -> Operation:
    """The same with other times."""
    return Operation(
        *(one.id, one.process, one.function, one.argument, one.outcome, one.result, one.error, one.invoked, one.completed),
        *(invoked_at, completed_at),
    )


def real_time(one: Operation, other: Operation) -> bool:
    """True if one returned before the other was called."""
    return one.completed is not None and one.completed < other.invoked


def in_process(one: Operation, other: Operation) -> bool:
    """True if a process did one before the other."""
    return one.process == other.process and one.invoked < other.invoked


def within(seconds: float) -> Before:
    """Real time, for reads that may have begun so many seconds earlier."""

    def before(one: Operation, other: Operation) -> bool:
        if not real_time(one, other):
            return False
        return other.function != "read" or not seconds or one.completed_at < other.invoked_at - seconds - 1e-9

    return before


def register(versions: int = 1) -> Step:
    """A register of which a read may return any of the last so many values."""

    def step(state: tuple[Any, ...], one: Operation) -> Any:
        if one.function == "write":
            return (*state, one.argument)[-versions:]
        return state if one.completed is None or one.result in state else REFUSED

    return step


def by_key(state: tuple[tuple[str, Any], ...], one: Operation) -> Any:
    """Registers of which each has a key."""
    key, value = one.argument
    held = dict(state)
    if one.function == "write":
        return tuple(sorted({**held, key: value}.items()))
    return state if one.completed is None or held.get(key) == one.result[1] else REFUSED


def ordered(operations: Sequence[Operation], before: Before, step: Step, initial: Any) -> bool:
    """True if all completed operations and some of the others have an order that respects `before` and that every step accepts."""
    seen: set[tuple[frozenset[int], Any]] = set()

    def extend(rest: frozenset[int], state: Any) -> bool:
        left = [one for one in operations if one.id in rest]
        if all(one.completed is None for one in left):
            return True
        if (rest, state) in seen:
            return False
        seen.add((rest, state))
        for one in left:
            if not any(before(other, one) for other in left if other is not one):
                following = step(state, one)
                if following is not REFUSED and extend(rest - {one.id}, following):
                    return True
        return False

    return extend(frozenset(one.id for one in operations), initial)


def chosen(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """The writes that happened: all that completed, and any of the others."""
    writes = [one for one in operations if one.function == "write"]
    doubtful = [one for one in writes if one.completed is None]
    for size in range(len(doubtful) + 1):
        for happened in combinations(doubtful, size):
            yield [one for one in writes if one.completed is not None or one in happened]


def orders(writes: Sequence[Operation]) -> Iterator[tuple[Operation, ...]]:
    """All orders of writes that go with real time."""
    for order in permutations(writes):
        if not any(real_time(later, one) for place, one in enumerate(order) for later in order[place + 1 :]):
            yield order


def fits(read: Operation, order: Sequence[Operation]) -> bool:
    """True if a read has a place in an order of writes, after a write of its value, that goes with real time."""
    for place in range(len(order) + 1):
        value = order[place - 1].argument if place else None
        late = any(real_time(read, one) for one in order[:place])
        if value == read.result and not late and not any(real_time(one, read) for one in order[place:]):
            return True
    return False


def regular(operations: Sequence[Operation], *, strong: bool) -> bool:
    """Shao et al.: every read fits an order of the writes; if `strong`, all the same."""
    reads = [one for one in operations if one.function == "read" and one.completed is not None]
    for writes in chosen(operations):
        if strong and any(all(fits(read, order) for read in reads) for order in orders(writes)):
            return True
        if not strong and all(any(fits(read, order) for order in orders(writes)) for read in reads):
            return True
    return False


def safe(operations: Sequence[Operation]) -> bool:
    """Lamport, with several writers: a read that overlaps no write fits an order of the writes."""
    reads = [one for one in operations if one.function == "read" and one.completed is not None]
    for writes in chosen(operations):
        alone = [read for read in reads if all(real_time(one, read) or real_time(read, one) for one in writes)]
        if all(any(fits(read, order) for order in orders(writes)) for read in alone):
            return True
    return False


def guaranteed(guarantee: str, operations: Sequence[Operation]) -> bool:
    """Terry et al.: some order of writes, in which every read returns the newest of what it must see; values are unique."""
    reads = [one for one in operations if one.function == "read" and one.completed is not None]
    writes = [one for one in operations if one.function == "write"]
    source: dict[int, Operation | None] = {}
    for read in reads:
        key, value = read.result
        source[read.id] = next((one for one in writes if one.argument == (key, value)), None)
        writer = source[read.id]
        if value is not None and (writer is None or (read.completed or 0) < writer.invoked):
            return False
    seen = must_see(guarantee, reads, writes, source)
    happened = [one for one in writes if one.completed is not None or one in source.values()]
    return any(
        all(newest(read, source[read.id], seen[read.id], order) for read in reads)
        for order in permutations(happened)
        if sorted_as_made(guarantee, order, reads, seen)
    )


def must_see(
    guarantee: str, reads: Sequence[Operation], writes: Sequence[Operation], source: dict[int, Operation | None]
) -> dict[int, set[int]]:
    """For each read the writes that it must see, by the words of the guarantees, until nothing is new."""
    everything = guarantee == "causal"
    monotonic = everything or guarantee in ("monotonic-reads", "monotonic-writes", "writes-follow-reads")
    seen: dict[int, set[int]] = {read.id: {one.id for one in (source[read.id],) if one is not None} for read in reads}
    before: dict[int, set[int]] = {}
    while seen != before:
        before = {number: set(some) for number, some in seen.items()}
        for read in reads:
            if everything or guarantee == "read-your-writes":
                seen[read.id] |= {one.id for one in writes if in_process(one, read)}
            if monotonic:
                for other in reads:
                    if in_process(other, read):
                        seen[read.id] |= seen[other.id]
            for write in writes:
                if write.id in seen[read.id]:
                    if everything or guarantee == "monotonic-writes":
                        seen[read.id] |= {one.id for one in writes if in_process(one, write)}
                    if everything or guarantee == "writes-follow-reads":
                        for other in reads:
                            if in_process(other, write):
                                seen[read.id] |= seen[other.id]
    return seen


def sorted_as_made(guarantee: str, order: Sequence[Operation], reads: Sequence[Operation], seen: dict[int, set[int]]) -> bool:
    """Whether an order of writes is one that the guarantee allows."""
    everything = guarantee == "causal"
    for place, one in enumerate(order):
        for later in order[place + 1 :]:
            same_key = one.argument[0] == later.argument[0]
            if in_process(later, one) and (same_key or everything or guarantee == "monotonic-writes"):
                return False
            follows = everything or guarantee == "writes-follow-reads"
            if follows and any(later.id in seen[read.id] for read in reads if in_process(read, one)):
                return False
    return True


def newest(read: Operation, writer: Operation | None, seen: set[int], order: Sequence[Operation]) -> bool:
    """Whether a read returned the newest of its key that it saw."""
    visible = [one for one in order if one.id in seen and one.argument[0] == read.argument[0]]
    return (visible[-1] if visible else None) is writer
