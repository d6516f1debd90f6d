"""Registers as sequential specifications: one value, with or without compare-and-set, and several values in one transaction.

`MultiRegister` begins with *unknown* values: nobody writes down what a recorded store held before the recording began, so the
first transaction that reads a key says what it was.  That learning is the only way in which a read changes a state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from .history import Operation, Outcome, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["CasRegister", "MultiRegister", "Register"]

UNREAD = object()
"""Stands for every value that nobody read."""


@dataclass(frozen=True)
class Register(Specification):
    """One register: `write(value)` and `read() -> value`.  It begins as `initial_value`, nil unless told."""

    initial_value: Value = None

    @property
    def initial(self) -> State:
        """The value before any write."""
        return self.initial_value

    def step(self, state: State, call: Call) -> State | Refusal:
        """A write replaces the value; a read returns it."""
        if call.function == "write":
            return call.argument
        if call.function == "read":
            return _read(state, call)
        raise UnknownFunctionError(self.name, call.function, "read", "write")

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """A read waits for a write of its value."""
        return call.function != "read" or (other.function == "write" and other.argument == call.result)

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that nobody read are one."""
        return _unread_values({call.result for call in calls if call.function == "read" and call.known})

    def pure(self, call: Call) -> bool:
        """Reads are."""
        return call.function == "read"


@dataclass(frozen=True)
class CasRegister(Specification):
    """A register with `write(value)`, `read() -> value` and `cas((expected, new))`, which ends `ok` if it replaced the value.

    `failed_cas_observes` says what a `fail`ed cas means.  True: the comparison was made and failed, so at that moment the value
    was not the expected one (Porcupine's reading of the etcd logs).  False: it did not happen, for whatever reason (Knossos's
    reading).  False never calls a good history bad, so it is what `fail` promises in general.  True finds strictly more, and is
    right where nothing but a failed comparison ends `fail`; a failed cas that carries an error says something else ("not
    leader", "connection refused") and is dropped in both cases.
    """

    initial_value: Value = None
    failed_cas_observes: bool = False

    @property
    def initial(self) -> State:
        """The value before any write."""
        return self.initial_value

    def step(self, state: State, call: Call) -> State | Refusal:
        """As `Register`, and a cas replaces the expected value only."""
        if call.function == "read":
            return _read(state, call)
        if call.function == "write":
            return call.argument
        if call.function != "cas":
            raise UnknownFunctionError(self.name, call.function, "read", "write", "cas")
        if not isinstance(call.argument, tuple) or len(call.argument) != 2:
            raise SpecificationError(f"{self.name}: the argument of cas is (expected, new), not {render(call.argument)}")
        expected, new = call.argument
        if state == expected:
            return Refusal("the register holds {}, so this cas could not fail", state) if call.outcome is Outcome.FAIL else new
        return Refusal("the register holds {}, and it expects {}", state, expected) if call.outcome is Outcome.OK else state

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """A read waits for its value, and a cas for the value it expects."""
        if call.outcome is not Outcome.OK or call.function == "write":
            return True
        awaited = call.result if call.function == "read" else _second_last(call.argument)
        if other.function == "cas":
            return other.outcome is not Outcome.FAIL and _last(other.argument) == awaited
        return other.function == "write" and other.argument == awaited

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values that nobody read and no cas expected are one."""
        seen = {call.result for call in calls if call.function == "read" and call.known}
        return _unread_values(seen | {_second_last(call.argument) for call in calls if call.function == "cas"})

    def evidence_of_failure(self, operation: Operation) -> bool:
        """A cas that failed without an error, if the specification was told so."""
        return self.failed_cas_observes and operation.function == "cas" and operation.error is None

    def pure(self, call: Call) -> bool:
        """Reads, and compare-and-sets that failed."""
        return call.function == "read" or call.outcome is Outcome.FAIL


def _unread_values(seen: AbstractSet[Value]) -> Callable[[State], State]:
    return lambda state: state if state in seen else UNREAD


def _last(argument: Value) -> Value:
    return argument[-1] if isinstance(argument, tuple) else None


def _second_last(argument: Value) -> Value:
    return argument[-2] if isinstance(argument, tuple) else None


def _read(state: State, call: Call) -> State | Refusal:
    if not call.known or state == call.result:
        return state
    return Refusal("the register holds {}, not {}", state, call.result)


@dataclass(frozen=True)
class MultiRegister(Specification):
    """Several registers, read and written in atomic transactions (as Knossos's `multi-register`).

    The argument of `txn` is a tuple of (`read` | `write`, key, value), or `r` | `w` for short; its result is the same tuple
    with the values that were read.  Functions called `read` and `write` take the same tuples.  `initial_values` are
    (key, value) pairs; the value of every other key is unknown until the first read.
    """

    initial_values: tuple[tuple[Value, Value], ...] = ()

    @property
    def initial(self) -> State:
        """What is known of the registers: a frozen set of (key, value)."""
        return frozenset(self.initial_values)

    def step(self, state: State, call: Call) -> State | Refusal:
        """The transaction's reads and writes in order."""
        if call.function not in ("txn", "read", "write"):
            raise UnknownFunctionError(self.name, call.function, "txn")
        assert isinstance(state, frozenset)
        values = dict(state)
        changed = False
        for function, key, value in self._parts(call.result if call.outcome is Outcome.OK and call.result else call.argument):
            if function in ("read", "r"):
                if not call.known:
                    continue
                if key in values:
                    if values[key] != value:
                        return Refusal("{} holds {}, not {}", key, values[key], value)
                    continue
            values[key] = value
            changed = True
        return frozenset(values.items()) if changed else state

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """A transaction waits for others that write what it read."""
        reads = {part[1:] for part in self._parts(call.result or call.argument) if part[0] in ("read", "r")}
        return any(part[0] in ("write", "w") and part[1:] in reads for part in self._parts(other.argument))

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        """Values of a key that nobody read are one."""
        read = {
            part[1:]
            for call in calls
            if call.known
            for part in self._parts(call.result or call.argument)
            if part[0] in ("read", "r")
        }

        def reduce(state: State) -> State:
            assert isinstance(state, frozenset)
            return frozenset((key, value if (key, value) in read else UNREAD) for key, value in state)

        return reduce

    def pure(self, call: Call) -> bool:
        """Transactions that only read: they learn at most once."""
        return all(part[0] in ("read", "r") for part in self._parts(call.argument))

    def _parts(self, argument: Value) -> tuple[tuple[Value, Value, Value], ...]:
        if isinstance(argument, tuple) and all(isinstance(part, tuple) and len(part) == 3 for part in argument):
            parts: tuple[tuple[Value, Value, Value], ...] = argument
            if all(part[0] in ("read", "write", "r", "w") for part in parts):
                return parts
        raise SpecificationError(f"{self.name}: a transaction is a tuple of (read|write, key, value), not {render(argument)}")
