"""Small histories of transactions: databases with planted bugs that make them, and oracles that try everything.

The oracles share nothing with what they judge: no graphs, no versions, only a database that runs transactions in every order.
"""

import random
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from killpoint.properties.history import Operation, Outcome

Mops = tuple[tuple[str, str, Any], ...]


def transaction(
    number: int,
    told: Mops,
    span: tuple[int, int | None],
    process: str | None = None,
    outcome: Outcome | None = None,
) -> Operation:
    """A transaction from its micro-operations with what they read; without a completion its outcome is unknown."""
    invoked, completed = span
    ending = outcome or (Outcome.INFO if completed is None else Outcome.OK)
    asked = tuple((function, key, None if function == "r" else value) for function, key, value in told)
    result = told if ending is Outcome.OK else None
    end = None if completed is None else completed / 10
    return Operation(number, process or f"p{number}", "txn", asked, ending, result, None, invoked, completed, invoked / 10, end)


# -- databases ----------------------------------------------------------------------------------------

DATABASES = ("serial", "stale", "snapshot", "careless snapshot", "committed", "careless", "confused")


class Client:
    """A transaction that is under way."""

    def __init__(self, number: int, process: str, asked: Mops, invoked: int) -> None:
        self.number = number
        self.process = process
        self.asked = asked
        self.invoked = invoked
        self.told: list[tuple[str, str, Any]] = []
        self.snapshot: dict[str, Any] = {}
        self.version = 0
        self.buffer: list[tuple[str, Any]] = []
        self.committed: bool | None = None


class Database:
    """Runs transactions, a micro-operation at a time, as well or as badly as its kind does."""

    def __init__(self, kind: str, workload: str, source: random.Random) -> None:
        self.kind = kind
        self.lists = workload == "list-append"
        self.source = source
        self.state: dict[str, Any] = {}
        self.past: list[dict[str, Any]] = [{}]
        self.changed: dict[str, int] = {}

    def begin(self, client: Client) -> None:
        """A transaction takes its snapshot."""
        client.version = len(self.past) - 1
        if self.kind == "stale" and self.source.random() < 0.4:
            client.version = self.source.randrange(len(self.past))
        client.snapshot = self.past[client.version]

    def step(self, client: Client) -> None:
        """The next micro-operation, or the commit; a serial database does all at once."""
        if not client.told and not client.buffer:
            self.begin(client)
        while client.committed is None:
            if len(client.told) == len(client.asked):
                self._commit(client)
            else:
                self._run(client, *client.asked[len(client.told)])
            if self.kind not in ("serial", "stale"):
                break

    def _run(self, client: Client, function: str, key: str, value: Any) -> None:
        if function != "r":
            client.told.append((function, key, value))
            client.buffer.append((key, value))
            if self.kind == "careless":
                self.state[key] = self._changed(self.state, key, value)
            return
        held = dict(self.state if self.kind in ("committed", "careless", "confused") else client.snapshot)
        for other, written in client.buffer if self.kind != "careless" else ():
            held[other] = self._changed(held, other, written)
        read = held.get(key, () if self.lists else None)
        if self.kind == "confused" and self.source.random() < 0.2:
            read = self._confuse(read)
        client.told.append(("r", key, read))

    def _confuse(self, read: Any) -> Any:
        if not self.lists:
            return self.source.choice([None, *range(1, 6)])
        mixed = [*read, *self.source.sample(range(1, 6), self.source.randrange(2))]
        self.source.shuffle(mixed)
        return tuple(mixed[: self.source.randrange(len(mixed) + 1)])

    def _changed(self, state: dict[str, Any], key: str, value: Any) -> Any:
        return (*state.get(key, ()), value) if self.lists else value

    def _commit(self, client: Client) -> None:
        written = {key for key, _value in client.buffer}
        clash = self.kind == "snapshot" and any(self.changed.get(key, 0) > client.version for key in written)
        client.committed = not clash and self.source.random() > 0.1
        if client.committed and self.kind != "careless":
            for key, value in client.buffer:
                self.state[key] = self._changed(self.state, key, value)
                self.changed[key] = len(self.past)
            self.past.append(dict(self.state))


def random_history(
    source: random.Random, workload: str, kind: str, size: int, *, keys: str = "xy", unknown: float = 0.1
) -> list[Operation]:
    """Transactions of three clients in a database of some kind.  Some abort, of some nobody knows how they ended."""
    write = "append" if workload == "list-append" else "w"
    database = Database(kind, workload, source)
    clients: list[Client] = []
    done: list[Operation] = []
    free = [("a", 0), ("b", 0), ("c", 0)]
    fresh = dict.fromkeys(keys, 0)
    clock = 0
    started = 0
    while started < size or clients:
        clock += 1
        if started < size and free and (not clients or source.random() < 0.4):
            asked = []
            for _ in range(source.randrange(1, 4)):
                key = source.choice(keys)
                fresh[key] += 1
                asked.append(("r", key, None) if source.random() < 0.5 else (write, key, fresh[key]))
            name, life = free.pop(source.randrange(len(free)))
            clients.append(Client(started, f"{name}{life}", tuple(asked), clock))
            started += 1
            continue
        client = source.choice(clients)
        if client.committed is None:
            database.step(client)
            continue
        clients.remove(client)
        crashed = source.random() < unknown
        free.append((client.process[0], int(client.process[1:]) + crashed))
        told = tuple(client.told)
        if crashed:
            done.append(transaction(client.number, told, (client.invoked, None), client.process))
        else:
            ending = Outcome.OK if client.committed else Outcome.FAIL
            done.append(transaction(client.number, told, (client.invoked, clock), client.process, ending))
    return sorted(done, key=lambda one: one.invoked)


# -- oracles ------------------------------------------------------------------------------------------


class Rules(NamedTuple):
    """What an order of transactions must respect: nothing, the order of each process, or real time."""

    processes: bool = False
    real_time: bool = False

    def before(self, one: Operation, other: Operation) -> bool:
        """True if `one` must come before `other`."""
        if one.completed is None or one.completed > other.invoked:
            return False
        return self.real_time or (self.processes and one.process == other.process)


State = tuple[tuple[str, Any], ...]


def serializable(operations: Sequence[Operation], rules: Rules) -> bool:
    """True if the transactions that committed, and some of unknown outcome, can have run one after another in some order."""
    judged = [one for one in operations if one.outcome is not Outcome.FAIL]
    first = [[place for place, other in enumerate(judged) if rules.before(other, one)] for one in judged]

    @cache
    def possible(done: frozenset[int], state: State) -> bool:
        if all(place in done for place, one in enumerate(judged) if one.ok):
            return True
        for place, one in enumerate(judged):
            if place not in done and done.issuperset(first[place]):
                after = _run_alone(one, dict(state))
                if after is not None and possible(done | {place}, _frozen(after)):
                    return True
        return False

    return possible(frozenset(), ())


def snapshot_isolated(operations: Sequence[Operation], rules: Rules) -> bool:
    """True if each transaction can have read from a snapshot, and of two that overlap at most one wrote to any key.

    Tries every order of beginnings and commits.
    """
    judged = [one for one in operations if one.outcome is not Outcome.FAIL]
    first = [[place for place, other in enumerate(judged) if rules.before(other, one)] for one in judged]
    writes = [frozenset(key for function, key, _value in _micro(one) if function != "r") for one in judged]

    @cache
    def possible(begun: frozenset[int], done: frozenset[int], blocked: frozenset[tuple[int, str]], state: State) -> bool:
        if all(place in done for place, one in enumerate(judged) if one.ok):
            return True
        for place, one in enumerate(judged):
            if place not in begun and done.issuperset(first[place]) and _run_alone(one, dict(state)) is not None:
                if possible(begun | {place}, done, blocked, state):
                    return True
            elif place in begun and place not in done and not any((place, key) in blocked for key in writes[place]):
                now = blocked | {(other, key) for other in begun - done for key in writes[place]}
                if possible(begun, done | {place}, now, _frozen(_applied(one, dict(state)))):
                    return True
        return False

    return possible(frozenset(), frozenset(), frozenset(), ())


LEVELS = {
    "serializable": (serializable, Rules()),
    "strong-session-serializable": (serializable, Rules(processes=True)),
    "strict-serializable": (serializable, Rules(real_time=True)),
    "snapshot-isolation": (snapshot_isolated, Rules()),
    "strong-session-snapshot-isolation": (snapshot_isolated, Rules(processes=True)),
    "strong-snapshot-isolation": (snapshot_isolated, Rules(real_time=True)),
}


def levels(operations: Sequence[Operation]) -> Iterator[tuple[str, bool]]:
    """What the oracles say of each level that they know."""
    for level, (oracle, rules) in LEVELS.items():
        yield level, oracle(operations, rules)


def _micro(one: Operation) -> Any:
    return one.argument if one.result is None else one.result


def _run_alone(one: Operation, state: dict[str, Any]) -> dict[str, Any] | None:
    """The state after a transaction that runs with nobody else; None if it would have read something else."""
    for function, key, value in _micro(one):
        if function == "append":
            state[key] = (*state.get(key, ()), value)
        elif function == "w":
            state[key] = value
        elif one.ok and (state.get(key) or None) != (value or None):
            return None
    return state


def _applied(one: Operation, state: dict[str, Any]) -> dict[str, Any]:
    for function, key, value in _micro(one):
        if function != "r":
            state[key] = (*state.get(key, ()), value) if function == "append" else value
    return state


def _frozen(state: dict[str, Any]) -> State:
    return tuple(sorted(state.items()))
