"""What operations on partitioned logs sent and polled, out of the shapes in which histories give it.

Jepsen's `kafka` workload writes operations as micro-operations, `[[:send k v] [:poll]]`, whose results are `[:send k [offset v]]` and
`[:poll {k [[offset v] ...]}]`.  A program of one's own may leave the brackets out where there is one: `send((k, v)) -> offset`, or
`-> (offset, v)`, and `poll() -> {k: ((offset, v), ...)}`.  An offset that nobody was told is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeGuard

from ..history import Operation, Outcome, Value, render
from ..specification import SpecificationError
from .shapes import malformed, mapping

__all__ = ["Message", "asks", "assigned", "polled", "sent"]

Message: TypeAlias = "tuple[int | None, Value]"
"""An offset and a value."""


def sent(name: str, operation: Operation) -> list[tuple[Value, Message]]:
    """What an operation sent, or tried to: keys, with the offset where it is known, and the value.

    Raises:
        SpecificationError: the operation is of another shape.
    """
    if operation.outcome is Outcome.INFO and operation.result is not None:
        try:
            return _sent(name, operation, operation.result)
        except SpecificationError:
            pass  # whatever came back of what did not end well
    return _sent(name, operation, operation.result if operation.ok else None)


def _sent(name: str, operation: Operation, told: Value) -> list[tuple[Value, Message]]:
    asked = operation.argument
    if not _micro(asked):
        if operation.function == "txn" and asked != ():
            raise malformed(name, operation, "a transaction is a tuple of micro-operations (send, key, value) and (poll,)")
        if operation.function != "send":
            return []
        if not isinstance(asked, tuple) or len(asked) != 2:
            raise malformed(name, operation, "the argument of send is a key and a value")
        key, value = asked
        if isinstance(told, tuple) and len(told) == 2 and told[0] == key and isinstance(told[1], tuple):
            told = told[1]
        return [(key, (_offset(name, operation, told, value), value))]
    results: Sequence[Value] = told if isinstance(told, tuple) and len(told) == len(asked) else asked
    messages: list[tuple[Value, Message]] = []
    for part, result in zip(asked, results, strict=True):
        if part[0] == "send":
            if len(part) != 3 or not isinstance(result, tuple) or len(result) != 3:
                raise malformed(name, operation, "what is sent is (send, key, value)")
            offset = None if result[2] == part[2] else _offset(name, operation, result[2], part[2])
            messages.append((part[1], (offset, part[2])))
    return messages


def polled(name: str, operation: Operation) -> list[dict[Value, Sequence[Message]]]:
    """What each poll of an operation returned, by key; of one that did not end `ok`, what is known of that.

    Raises:
        SpecificationError: the operation is of another shape.
    """
    if operation.function == "send":
        return []
    if operation.ok:
        return _polled(name, operation)
    try:
        return [] if operation.result is None else _polled(name, operation)
    except SpecificationError:
        return []


def _polled(name: str, operation: Operation) -> list[dict[Value, Sequence[Message]]]:
    told = operation.result
    if not _micro(operation.argument) and not _micro(told):
        return [_messages(name, operation, told)]
    parts = told if isinstance(told, tuple) else ()
    return [_messages(name, operation, part[1]) for part in parts if isinstance(part, tuple) and part[0] == "poll" and len(part) > 1]


def asks(operation: Operation) -> bool:
    """True if the operation asks for messages."""
    asked = operation.argument
    return any(part[0] == "poll" for part in asked) if _micro(asked) else operation.function == "poll"


def assigned(name: str, operation: Operation) -> tuple[Value, ...]:
    """The keys that an `assign` or `subscribe` names."""
    keys = operation.argument
    if not isinstance(keys, tuple):
        raise malformed(name, operation, f"the argument of {operation.function} is a collection of keys")
    return keys


def _micro(value: Value) -> TypeGuard[tuple[tuple[Value, ...], ...]]:
    if not isinstance(value, tuple) or not value or not isinstance(value[0], tuple):
        return False
    return all(isinstance(part, tuple) and bool(part) and part[0] in ("send", "poll") for part in value)


def _offset(name: str, operation: Operation, told: Value, value: Value) -> int | None:
    if isinstance(told, tuple) and len(told) == 2 and told[1] == value:
        told = told[0]
    if told is None or type(told) is int:
        return told
    raise malformed(name, operation, f"a send returns an offset, or an offset and the value, not {render(told)}")


def _messages(name: str, operation: Operation, told: Value) -> dict[Value, Sequence[Message]]:
    by_key = {} if told is None else mapping(told)
    if by_key is None:
        raise malformed(name, operation, f"a poll returns messages by key, not {render(told)}")
    for messages in by_key.values():
        if not isinstance(messages, tuple):
            raise malformed(name, operation, f"the messages of a key are pairs of offset and value, not {render(messages)}")
        for message in messages:
            if not isinstance(message, tuple) or len(message) != 2 or not (message[0] is None or type(message[0]) is int):
                raise malformed(name, operation, f"a message is an offset and a value, not {render(message)}")
    return by_key  # type: ignore[return-value]  # which the loop has just seen
