"""Random histories of a partitioned log, and which anomalies they have: every message compared with every other."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count, pairwise

from killpoint.properties import Operation, Outcome, Value

Sent = tuple[Operation, Value, int | None, Value]


def log_history(source: random.Random, pending: float) -> list[Operation]:
    """Producers and consumers of two short logs, one operation after the other, with mistakes."""
    log: dict[str, list[int]] = {"x": [], "y": []}
    values, clock = count(), count()
    places: dict[str, dict[str, int]] = {}
    operations = []
    crashed = count()
    names = {name: name for name in ("a", "b", "c")}
    for number in range(source.randrange(4, 14)):
        name = source.choice("abc")
        process, key = names[name], source.choice("xxxy")
        chance = source.random()
        argument: Value = None
        result: Value = None
        if chance < 0.45:
            function, value = "send", next(values)
            offset = len(log[key]) if source.random() < 0.93 else source.randrange(4)
            argument, result = (key, value), source.choice([offset, offset, offset, None])
            log[key].append(value)
        elif chance < 0.9 or source.random() < 0.5:
            function = "poll"
            begin = places.setdefault(process, {}).get(key, 0)
            messages = [*enumerate(log[key])][begin : begin + source.randrange(1, 5)]
            if messages and source.random() < 0.06:
                messages.remove(source.choice(messages))
            if messages and source.random() < 0.04:
                messages.append(source.choice(messages))
            if messages and source.random() < 0.04:
                messages[-1] = (messages[-1][0], source.randrange(6))
            odds = source.random()
            if odds < 0.97:
                places[process][key] = begin + len(messages) + (odds < 0.05)
            result = ((key, tuple(messages)),)
        else:
            function, argument = source.choice(["assign", "subscribe"]), source.choice([("x",), ("x", "y")])
            if source.random() < 0.5:
                places[process] = {}
        odds = source.random()
        outcome = Outcome.INFO if odds < pending else Outcome.FAIL if odds > 0.93 else Outcome.OK
        invoked, completed = next(clock), next(clock)
        told = result if outcome is Outcome.OK or source.random() < 0.3 else None
        ended = None if outcome is Outcome.INFO else completed
        operations.append(Operation(number, process, function, argument, outcome, told, None, invoked, ended, 0.0, 0.0))
        if outcome is Outcome.INFO:
            names[name] = f"{name}/{next(crashed)}"
    return operations


def sends_of(operations: Sequence[Operation]) -> list[Sent]:
    """What was sent; the offset is what was told of it, if the outcome is known or somebody polled what only this send can have sent."""
    found: list[Sent] = []
    for one in operations:
        if one.function == "send" and isinstance(one.argument, tuple):
            key, value = one.argument
            told = isinstance(one.result, int) and (one.ok or (one.pending and was_polled(operations, key, value)))
            found.append((one, key, one.result if told else None, value))  # type: ignore[arg-type]  # it is a number then
    return found


def was_polled(operations: Sequence[Operation], key: Value, value: Value) -> bool:
    return any(k == key and value in [v for _o, v in messages] for _poll, k, messages in polls_of(operations))


def polls_of(
    operations: Sequence[Operation], outcomes: tuple[Outcome, ...] = (Outcome.OK,)
) -> list[tuple[Operation, Value, list[tuple[int, Value]]]]:
    found = []
    for one in operations:
        if one.function == "poll" and one.outcome in outcomes and isinstance(one.result, tuple):
            found += [(one, key, list(messages)) for key, messages in one.result]
    return found


def inferred(sends: Sequence[Sent], told: Sequence[tuple[Value, int, Value]]) -> list[Sent]:
    """The sends, with offsets that only polls show."""
    found = []
    for one, key, offset, value in sends:
        offsets = {o for k, o, v in told if (k, v) == (key, value)}
        if offset is not None and one.ok:
            found.append((one, key, offset, value))
        else:
            known = one.outcome is not Outcome.FAIL and len(offsets) == 1
            found.append((one, key, offsets.pop() if known else None, value))
    return found


def kafka_kinds(operations: Sequence[Operation]) -> set[str]:
    """The anomalies of a history."""
    sends, polls = sends_of(operations), polls_of(operations)
    if not polls:
        polls = []
    kinds: set[str] = set()
    told = [(key, offset, value) for _one, key, offset, value in sends if offset is not None]
    told += [(key, offset, value) for _one, key, messages in polls_of(operations, tuple(Outcome)) for offset, value in messages]
    for key, offset, value in told:
        if any(key == k and offset == o and value != v for k, o, v in told):
            kinds.add("inconsistent-offsets")
        offsets = {o for k, o, v in told if (k, v) == (key, value)}
        tries = [one for one, k, _o, v in sends if (k, v) == (key, value) and one.outcome is not Outcome.FAIL]
        if len(offsets) > max(1, len(tries)):
            kinds.add("duplicate")
    kinds |= strange_polls(sends, polls)
    known_sends = inferred(sends, told)
    for (one, key, offset, _value), (other, k, o, _v) in [(a, b) for a in known_sends for b in known_sends if a[0].id < b[0].id]:
        known = offset is not None and o is not None
        last = [s for s in known_sends if s[1] == key and s[0].process == other.process and s[2] is not None and s[0].id < other.id]
        if known and one.process == other.process and key == k and o <= offset and last[-1][0] is one:  # type: ignore[operator]
            kinds.add("nonmonotonic-send")
    kinds |= walks(operations, first_values(operations))
    return kinds | losses(operations, sends, polls)


def strange_polls(sends: Sequence[Sent], polls: Sequence[tuple[Operation, Value, list[tuple[int, Value]]]]) -> set[str]:
    kinds = set()
    for poll, key, messages in polls:
        for _offset, value in messages:
            of_it = [one for one, k, _o, v in sends if (k, v) == (key, value)]
            alive = [one for one in of_it if one.outcome is not Outcome.FAIL]
            if alive and alive[0].invoked < (poll.completed or 0):
                continue
            kinds.add("aborted-read" if of_it and not alive else "unexpected")
    return kinds


def first_values(operations: Sequence[Operation]) -> dict[Value, dict[int, Value]]:
    """What exists at each offset: whatever was told of it first, but for what failed sends left."""
    values: dict[Value, dict[int, Value]] = {}
    failed = {(one.argument) for one in operations if one.function == "send" and one.outcome is Outcome.FAIL}
    sends = sends_of(operations)
    for one in operations:
        for _one, key, offset, value in [send for send in sends if send[0] is one and one.ok]:
            if offset is not None:
                values.setdefault(key, {}).setdefault(offset, value)
        for _one, key, messages in polls_of([one], tuple(Outcome)):
            for offset, value in messages:
                values.setdefault(key, {}).setdefault(offset, value)
    for one, key, offset, value in sends:
        if one.pending and offset is not None:
            values.setdefault(key, {}).setdefault(offset, value)
    return {key: {o: v for o, v in known.items() if (key, v) not in failed} for key, known in values.items()}


def between(known: dict[int, Value], low: int, high: int) -> bool:
    return any(low < offset < high for offset in known)


def walks(operations: Sequence[Operation], values: dict[Value, dict[int, Value]]) -> set[str]:
    """Skips and steps back, within polls and from one to the next."""
    kinds = set()
    for process in dict.fromkeys(one.process for one in operations):
        mine = [one for one in operations if one.process == process]
        for key, known in values.items():
            # The offsets this consumer polled, with the number of the poll; None where it may have been moved.
            seen: list[tuple[int, int] | None] = []
            subscribed = rewound = False
            for one in mine:
                if one.function in ("assign", "subscribe") and one.outcome is not Outcome.FAIL:
                    assert isinstance(one.argument, tuple)
                    if subscribed or one.function == "subscribe" or key not in one.argument:
                        seen.append(None)
                    subscribed = one.function == "subscribe"
                    rewound = True
                for _one, k, messages in polls_of([one], tuple(Outcome)):
                    if k != key:
                        continue
                    was = seen.copy(), rewound
                    for at, (offset, _value) in enumerate(messages):
                        if offset not in known:
                            seen.append(None)
                            continue
                        if (rewound and offset == min(known)) or (subscribed and at == 0):
                            seen.append(None)
                        rewound = False
                        seen.append((offset, one.id))
                    kinds |= steps(seen, known)
                    if not one.ok:  # it gives its place back
                        seen, rewound = was
    return kinds


def steps(seen: Sequence[tuple[int, int] | None], known: dict[int, Value]) -> set[str]:
    kinds = set()
    for earlier, later in pairwise(seen):
        if earlier is None or later is None:
            continue
        inside = "int-" if earlier[1] == later[1] else ""
        if later[0] <= earlier[0]:
            kinds.add(f"{inside}nonmonotonic-poll")
        elif between(known, earlier[0], later[0]):
            kinds.add(f"{inside}poll-skip")
    return kinds


def losses(
    operations: Sequence[Operation], sends: Sequence[Sent], polls: Sequence[tuple[Operation, Value, list[tuple[int, Value]]]]
) -> set[str]:
    """`final_polls` is False, so pending polls excuse nothing that is passed over, and excuse the rest."""
    for _send, key, offset, value in sends:
        if offset is None or any(k == key and value in [v for _o, v in messages] for _p, k, messages in polls):
            continue
        highest = max((o for _p, k, messages in polls if k == key for o, _v in messages), default=-1)
        if offset > highest:
            continue
        if not excused(operations) or passed_over(operations, key, offset):
            return {"lost-write"}
    return set()


def excused(operations: Sequence[Operation]) -> bool:
    for one in operations:
        if one.function == "poll" and one.pending:
            moves = [other for other in operations if other.process == one.process and other.function in ("assign", "subscribe")]
            moves = [other for other in moves if other.id < one.id and other.outcome is not Outcome.FAIL]
            if not moves or moves[-1].function == "subscribe":
                return True
    return False


def passed_over(operations: Sequence[Operation], key: Value, offset: int) -> bool:
    """Somebody polled before and after it, without being moved."""
    known = first_values(operations)
    return offset in known.get(key, {}) and any(kind.endswith("poll-skip") for kind in walks_around(operations, known, key, offset))


def walks_around(operations: Sequence[Operation], known: dict[Value, dict[int, Value]], key: Value, offset: int) -> set[str]:
    """The skips that there are if, besides what was polled, only this offset exists."""
    kept = {o: v for o, v in known[key].items() if o == offset or polled_at_all(operations, key, o)}
    return walks(operations, {key: kept}) - (walks(operations, {key: {o: v for o, v in kept.items() if o != offset}}))


def polled_at_all(operations: Sequence[Operation], key: Value, offset: int) -> bool:
    return any(offset == o for _p, k, messages in polls_of(operations) if k == key for o, _v in messages)
