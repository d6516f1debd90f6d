"""Locks that know who holds them, as sequential specifications: owned, re-entrant, and with fencing tokens.

What a specification sees of an operation is function, argument and result, not the process; so the argument of `acquire` and of
`release` is the client that calls.  Recorded histories say it in three ways: as the argument, as `:client` in a map, or not at all,
where a process is a client (`owned_by_process` writes it in; `killpoint check` does that).

A client whose operation ended `info` may hold the lock for ever.  `acquire` that failed or found the lock held is `fail`, and did not
happen.

There is no lease here: that it ends by itself after a while is a statement about clocks, and a history that is judged by the order of
its events has none.  `workloads/leases.py` judges leases, by times; fencing tokens that rise are in `FencedMutex` too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from .history import Operation, Value
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["FencedMutex", "OwnedMutex", "ReentrantMutex", "owned_by_process"]

NOBODY = None


@dataclass(frozen=True)
class OwnedMutex(Specification):
    """A lock: `acquire(client)` and `release(client)`, free at first; only the client that holds it may release it."""

    @property
    def initial(self) -> State:
        """Nobody holds it."""
        return NOBODY

    def step(self, state: State, call: Call) -> State | Refusal:
        """Acquiring needs a free lock, releasing one that is one's own; where nobody knows, it may have had no effect."""
        client = _client(self, call)
        if call.function == "acquire":
            if state is NOBODY or not call.known:
                return client if state is NOBODY else state
            return Refusal("{} holds the lock", state)
        if state == client or not call.known:
            return NOBODY if state == client else state
        return _not_ones_own(state, client)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """Who acquires waits for whoever holds it; who releases waits to hold it."""
        if call.function == "acquire":
            return other.function == "release" and _client(self, other) == state
        return other.function == "acquire" and _client(self, other) == _client(self, call)


@dataclass(frozen=True)
class ReentrantMutex(Specification):
    """A lock that its holder may acquire again: `acquire(client)` and `release(client)`, free after as many releases.

    With `limit`, at most that many times (Jepsen's test of Hazelcast has 2).
    """

    limit: int | None = None

    def __post_init__(self) -> None:
        """Refuses a limit of nothing.

        Raises:
            SpecificationError: it is less than one.
        """
        if self.limit is not None and self.limit < 1:
            raise SpecificationError(f"{self.name}: a lock that nobody may acquire, with a limit of {self.limit}, is none")

    @property
    def initial(self) -> State:
        """Nobody holds it: the holder, and how often."""
        return NOBODY, 0

    def step(self, state: State, call: Call) -> State | Refusal:
        """As a lock, but counting."""
        assert isinstance(state, tuple)
        holder, times = state
        client = _client(self, call)
        if call.function == "acquire":
            if (holder is NOBODY or holder == client) and (self.limit is None or times < self.limit):
                return client, times + 1
            if not call.known:
                return state
            if holder == client:
                return Refusal("{} holds the lock {} times already, which is the limit", holder, times)
            return Refusal("{} holds the lock", holder)
        if holder == client:
            return (client, times - 1) if times > 1 else (NOBODY, 0)
        return _not_ones_own(holder, client) if call.known else state

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """Who acquires waits for the holder to release it; who releases waits to hold it."""
        assert isinstance(state, tuple)
        if call.function == "acquire":
            return other.function == "release" and _client(self, other) == state[0]
        return other.function == "acquire" and _client(self, other) == _client(self, call)


@dataclass(frozen=True)
class FencedMutex(Specification):
    """A lock that gives out fencing tokens: `acquire(client) -> token`, greater than every token before, and `release(client)`.

    A token is a number, or (`client`, `token`) as a map with `:fence`; an `acquire` that returned anything else says nothing of it.
    """

    @property
    def initial(self) -> State:
        """Nobody holds it, and no token was seen: the holder, and the last token."""
        return NOBODY, None

    def step(self, state: State, call: Call) -> State | Refusal:
        """As a lock, and tokens must rise."""
        assert isinstance(state, tuple)
        holder, last = state
        client = _client(self, call)
        if call.function == "release":
            if holder == client:
                return NOBODY, last
            return _not_ones_own(holder, client) if call.known else state
        if holder is not NOBODY:
            return Refusal("{} holds the lock", holder) if call.known else state
        token = _token(call)
        if token is not None and last is not None and token <= last:
            return Refusal("token {} was given out before, and {} does not exceed it", last, token)
        return client, last if token is None else token

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """Who acquires waits for the holder to release it, in vain with a token that is too small; who releases waits to hold it."""
        assert isinstance(state, tuple)
        holder, last = state
        if call.function == "acquire":
            token = _token(call)
            if token is not None and last is not None and token <= last:
                return False
            return other.function == "release" and _client(self, other) == holder
        return other.function == "acquire" and _client(self, other) == _client(self, call)


def owned_by_process(operations: Iterable[Operation], *, keyed: bool = False) -> list[Operation]:
    """Operations that name no client, with their process as the client; `keyed` if arguments are (key, client)."""
    found = []
    for operation in operations:
        argument: Value = operation.argument
        if keyed and isinstance(argument, tuple) and argument[1] is None:
            argument = (argument[0], operation.process)
        elif argument is None:
            argument = operation.process
        found.append(operation if argument is operation.argument else msgspec.structs.replace(operation, argument=argument))
    return found


def _client(specification: Specification, call: Call) -> Value:
    if call.function not in ("acquire", "release"):
        raise UnknownFunctionError(specification.name, call.function, "acquire", "release")
    client = _field(call.argument, "client")
    if client is None:
        raise SpecificationError(f"{specification.name}: the argument of {call.function} is the client, for nothing else says who it is")
    return client


def _token(call: Call) -> int | float | None:
    token = _field(call.result, "fence")
    return token if call.known and isinstance(token, int | float) and not isinstance(token, bool) else None


def _field(value: Value, name: str) -> Value:
    """What a map, read as a tuple of pairs, has under this name; the value itself if it is none or has no such field."""
    if isinstance(value, tuple) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return next((pair[1] for pair in value if pair[0] == name), value)
    return value


def _not_ones_own(holder: Value, client: Value) -> Refusal:
    if holder is NOBODY:
        return Refusal("the lock is free, so there is nothing to release")
    return Refusal("{} holds the lock, so it is not for {} to release", holder, client)
