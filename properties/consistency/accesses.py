"""Reads and writes of registers, whatever a model calls them: what the weaker models of this package are defined for.

A single register (`read`, `write`), many of them in one history (`Independent`: arguments and answers are pairs of key and value), and a
key-value store (`get`, `put`) are the same to these models.  A compare-and-set or an append reads and writes at once, which regular
registers and sessions of reads and writes do not define, so histories with one are refused rather than guessed at.

Operations that failed did not happen, and a pending read says nothing.  A pending write may take effect at any later time, or never.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from ..history import Operation, Outcome, Value, render
from ..independent import Independent
from ..registers import CasRegister, Register
from ..specification import Specification, SpecificationError, UnknownFunctionError
from ..stores import KeyValue

__all__ = ["Access", "Registers", "registers", "told"]


class Access(NamedTuple):
    """A read or a write: of which key, and what was read or written; `part` is what the specification calls the key."""

    operation: Operation
    key: Value
    value: Value
    writes: bool
    part: Hashable

    @property
    def called(self) -> int:
        """When it was invoked."""
        return self.operation.invoked


class Registers(NamedTuple):
    """The accesses of a history, in the order of their invocations, and what every key holds in the beginning."""

    accesses: tuple[Access, ...]
    initial: Value

    def by_key(self) -> dict[Value, list[Access]]:
        """The accesses of each key."""
        found: dict[Value, list[Access]] = {}
        for access in self.accesses:
            found.setdefault(access.key, []).append(access)
        return found

    def repeated(self) -> str:
        """What makes it ambiguous who wrote what was read, in words; empty if nothing does."""
        writers: dict[tuple[Value, Value], Operation] = {}
        for access in self.accesses:
            if access.writes:
                place = access.key, access.value
                where = "" if access.key is None else f" to {render(access.key)}"
                if access.value == self.initial:
                    return f"{render(access.value)} is written{where}, which is what was there in the beginning"
                if place in writers:
                    return f"{render(access.value)} is written{where} more than once"
                writers[place] = access.operation
        return ""


def registers(specification: Specification, operations: Iterable[Operation], model: str) -> Registers:
    """The reads and writes among some operations.

    Raises:
        SpecificationError: the specification is none of registers, or an operation is no read or write; `model` says for what.
    """
    each = specification.each if isinstance(specification, Independent) else specification
    if isinstance(each, KeyValue):
        read, write, initial = "get", "put", each.missing
    elif isinstance(each, Register | CasRegister):
        read, write, initial = "read", "write", each.initial_value
    else:
        raise SpecificationError(f"{model} is about registers (register, cas-register, kv), and {specification.name} is none")
    found = []
    for operation in operations:
        function = operation.function
        if function not in (read, write):
            if function in ("cas", "append") and not isinstance(each, Register):
                what = f"operation {operation.id} of {operation.process} is {function}, which reads and writes at once"
                raise SpecificationError(f"{model} is about reads and writes: {what}")
            raise UnknownFunctionError(specification.name, function, read, write)
        if operation.outcome is Outcome.FAIL or (function == read and not operation.ok):
            continue
        inner = specification.inner(operation) if isinstance(specification, Independent) else operation
        value = inner.argument if function == write else inner.result
        if isinstance(each, KeyValue):
            assert function == read or isinstance(inner.argument, tuple)
            value = inner.argument[1] if isinstance(inner.argument, tuple) and function == write else value
            value = initial if value is None and function == read else value
        part = specification.partition(operation)
        key = part[0] if isinstance(specification, Independent) and isinstance(part, tuple) else part
        found.append(Access(operation, key, value, function == write, part))
    found.sort(key=lambda access: access.called)
    return Registers(tuple(found), initial)


def told(operation: Operation, note: str = "") -> str:
    """An operation in one line: `c1 read() -> 3   0.100 s .. 0.141 s   note`."""
    if operation.invoked_at or operation.completed_at:
        end = "?" if operation.completed is None or operation.completed_at is None else f"{operation.completed_at:.3f} s"
        when = f"{operation.invoked_at:.3f} s .. {end}"
    else:
        when = f"#{operation.invoked} .. {'?' if operation.completed is None else f'#{operation.completed}'}"
    return f"{operation.describe()}   {when}" + (f"   {note}" if note else "")
