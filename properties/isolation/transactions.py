"""Transactions: what an operation must look like to be one, and what every workload needs to know of them.

A transaction is an operation with function `txn`.  Its argument is a tuple of micro-operations `(f, key, value)`, as Jepsen records
them: `("append", "x", 5)`, `("w", "x", 5)`, `("r", "x", None)`.  The result of one that ended `ok` is the same with what was read
filled in; where nothing is read it may be None.  One that ended `fail` certainly did not commit.  One that ended `info` may
have: what it read is unknown, and it counts as committed once somebody saw one of its writes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ..history import HistoryError, Operation, Outcome, Value, render
from ..specification import SpecificationError, UnknownFunctionError
from .anomalies import Anomaly, Findings
from .dependencies import NEVER, Dependencies

__all__ = ["READ", "AmbiguityError", "Transactions", "Unread", "shown", "told_of"]

READ = "r"

SHOWN = 6
"""How many elements of a long list are shown, the last ones."""


class AmbiguityError(HistoryError):
    """Two writes of one value to one key: nobody can tell from a read which of them it saw.  `keys` are all keys of which that is so."""

    def __init__(self, message: str, keys: Sequence[Value]) -> None:
        super().__init__(message)
        self.keys = keys


class Unread:
    """A version that nobody read, and that equals no other one, whatever was written."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def __repr__(self) -> str:
        return render(self._value)


class Transactions(ABC):
    """The transactions of a history, numbered from 0 in the order of their invocations, and what is to be said of them.

    `pending` are those with an unknown outcome of which nobody saw yet that they committed.

    Raises:
        UnknownFunctionError: an operation is no transaction.
    """

    def __init__(self, workload: str, write: str, operations: Iterable[Operation]) -> None:
        self.workload = workload
        self.write = write
        self.operations = [*operations]
        invoked = [operation.invoked for operation in self.operations]
        if any(earlier > later for earlier, later in pairwise(invoked)):
            self.operations.sort(key=lambda operation: operation.invoked)
            invoked.sort()
        completed = []
        self.aborted: set[int] = set()
        self.pending: set[int] = set()
        for number, operation in enumerate(self.operations):
            if operation.function != "txn":
                raise UnknownFunctionError(workload, operation.function, "txn")
            end = operation.completed
            if operation.outcome is not Outcome.OK:
                end = self._not_ok(number, operation)
            completed.append(NEVER if end is None else end)
        self.dependencies = Dependencies(invoked, completed)
        self.findings = Findings()

    def _not_ok(self, number: int, operation: Operation) -> int | None:
        """Note how a transaction ended; when it did, if anybody saw that."""
        if operation.outcome is Outcome.FAIL:
            self.aborted.add(number)
            return operation.completed
        self.pending.add(number)
        return None

    @abstractmethod
    def why(self, source: int, target: int, kind: int) -> str:
        """Why there is an edge between two transactions, in words."""

    @abstractmethod
    def observed(self, number: int) -> list[tuple[Value, int]]:
        """What a transaction that ended ok read of others, in its order: keys, and who wrote what was there (or `BEGINNING`).

        Reads of what nobody wrote, or of what was aborted, say nothing of any order, so they are left out.
        """

    def written(self, number: int) -> dict[Value, None]:
        """The keys that a transaction wrote."""
        asked: Any = self.operations[number].argument
        return {part[1]: None for part in asked if part[0] == self.write}

    def committed(self, number: int) -> bool:
        """True if the transaction is known to have committed."""
        return number not in self.aborted and number not in self.pending

    def name(self, number: int) -> str:
        """How sentences call a transaction: by the id of its operation."""
        return f"T{self.operations[number].id}"

    def note(self, kind: str, numbers: Sequence[int], sentence: str, **values: Value) -> None:
        """Put an anomaly that is no cycle down, with the transactions that it is about, the decisive one last.

        `sentence` calls them `{0}`, `{1}`, and values by their names; it is only put together for those that are told in full.
        """
        if self.findings.wants(kind):
            said = sentence.format(*map(self.name, numbers), **{name: shown(value) for name, value in values.items()})
            involved = [self.operations[number] for number in dict.fromkeys(numbers)]
            lines = (said, *map(told_of, involved))
            self.findings.keep(Anomaly(kind, lines, tuple(operation.id for operation in involved)))

    def refuse_ambiguous(self, keys: Iterable[Value]) -> dict[Value, dict[Value, list[int]]]:
        """Refuse those of these keys of which somebody read a value that is not unique; else who wrote which value, by key.

        Raises:
            AmbiguityError: there are such keys; says which transactions wrote a value of the first.
        """
        writers: dict[Value, dict[Value, list[int]]] = {key: {} for key in keys}
        read: dict[Value, set[Value]] = {key: set() for key in writers}
        for number, operation in enumerate(self.operations):
            asked: Any = operation.argument
            told: Any = operation.result if operation.ok else None
            for function, key, value in asked:
                if function == self.write and key in writers:
                    writers[key].setdefault(value, []).append(number)
            for function, key, value in told or ():
                if function == READ and key in read:
                    read[key].update(value or () if self.write == "append" else (value,))
        ambiguous: dict[Value, str] = {}
        for key, written in writers.items():
            repeated = {value: numbers for value, numbers in written.items() if len(numbers) > 1 or value is None}
            if not read[key].isdisjoint(repeated):
                ambiguous[key] = self._ambiguity(key, *next((value, row) for value, row in repeated.items() if value in read[key]))
        if ambiguous:
            raise AmbiguityError(next(iter(ambiguous.values())), tuple(ambiguous))
        return writers

    def _ambiguity(self, key: Value, value: Value, numbers: Sequence[int]) -> str:
        one, other = self.name(numbers[0]), self.name(numbers[-1])
        if value is None:
            what = f"{one} writes None to {render(key)}, which is what every key begins with"
            return f"{what}: who read it does not say whether it saw that write"
        both = f"{one} writes it twice" if one == other else f"both {one} and {self.name(numbers[1])} write it"
        return f"{render(value)} is not a unique value of {render(key)}, {both}: who read it does not say whose write it saw"

    def malformed(self, operation: Operation) -> SpecificationError:
        """The error for a transaction that cannot be understood: which, and what is wrong with it."""
        said = f"{self.workload}: operation {operation.id} of process {operation.process}: {self._fault(operation)}"
        return SpecificationError(said).about(operation)

    def unhashable(self) -> SpecificationError | None:
        """The error for the first transaction that holds something mutable; None if none does."""
        for operation in self.operations:
            try:
                hash((operation.argument, operation.result))
            except TypeError:
                return self.malformed(operation)
        return None

    def _fault(self, operation: Operation) -> str:
        asked, told = operation.argument, operation.result
        if not isinstance(asked, tuple):
            return f"the argument of a transaction is a tuple of micro-operations (f, key, value), not {render(asked)}"
        for one in asked:
            if wrong := self._micro_fault(one):
                return wrong
        if operation.outcome is not Outcome.OK:
            return UNHASHABLE
        if not isinstance(told, tuple):
            return f"it ended ok, so its result must be its micro-operations with what they read, not {render(told)}"
        if len(told) != len(asked):
            return f"its result has {len(told)} micro-operations and its argument {len(asked)}"
        for one, other in zip(asked, told, strict=True):
            if wrong := self._micro_fault(other):
                return wrong
            if one[:2] != other[:2] or (one[0] == self.write and one != other):
                return f"its argument has {render(one)} where its result has {render(other)}"
            if self.write == "append" and one[0] == READ and not isinstance(other[2], tuple | None):
                return f"{render(other)} must have read a tuple, or None for an empty list"
        return UNHASHABLE

    def _micro_fault(self, one: Value) -> str:
        if not isinstance(one, tuple) or len(one) != 3:
            return f"a micro-operation is a triple (f, key, value), not {render(one)}"
        if one[0] not in (self.write, READ):
            return f"there is no micro-operation {render(one[0])}: there are {self.write} and {READ}"
        return ""


UNHASHABLE = "a key or a value in it is not immutable, so it cannot be told from others"


def shown(value: Value) -> str:
    """A value as sentences show it: of a long list the last elements, which are what matters."""
    if isinstance(value, tuple) and len(value) > SHOWN:
        return "(... " + ", ".join(render(item) for item in value[-SHOWN:]) + ")"
    return render(value)


def told_of(operation: Operation) -> str:
    """One line on a transaction: `T3 = c1: append x 1, r y (2,)`."""
    told = operation.result if operation.outcome is Outcome.OK and operation.result is not None else operation.argument
    parts = []
    for part in told if isinstance(told, tuple) else ():
        function, key, value = part
        known = function != READ or operation.outcome is Outcome.OK
        parts.append(f"{function} {render(key)} {shown(value) if known else '?'}")
    end = {Outcome.OK: "", Outcome.FAIL: ", which failed", Outcome.INFO: ", whose outcome is unknown"}[operation.outcome]
    return f"T{operation.id} = {operation.process}: {', '.join(parts) or 'nothing'}{end}"
