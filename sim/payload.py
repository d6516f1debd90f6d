"""Message bodies: immutable values, encoded canonically.

Hosts share an interpreter, so a list that is sent and changed afterwards would change inside its receiver, which no network does.
Bodies must therefore be immutable all the way down.  What a type promises by its annotations is looked at once per type: a frozen
struct of numbers costs one dictionary look-up per message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import get_type_hints

import msgspec

from ..properties.history import Value

__all__ = ["encode", "encode_observed", "encode_recorded"]

_FIT = "None, numbers, strings, bytes, tuples, enums, frozen dataclasses or frozen msgspec structs"
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_encode = msgspec.msgpack.Encoder(order="deterministic").encode

_open_fields: dict[type, tuple[str, ...] | None] = {}
"""Per type, the fields whose values have to be looked at each time; None for a type that is not immutable."""


def encode(body: Value, sender: str, to: str) -> bytes:
    """The canonical bytes of a message body.

    Raises:
        TypeError: it is, or holds, something mutable, or something that has no canonical form.
    """
    if not _immutable(body):
        raise TypeError(f"the message from {sender} to {to} holds something that could change after it was sent: {body!r}; send {_FIT}")
    try:
        return _encode(body)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise TypeError(f"the message from {sender} to {to} has no canonical form: {error}: {body!r}") from error


def encode_observed(values: Mapping[str, Value], host: str) -> bytes:
    """The canonical bytes of what a host says of itself.

    Raises:
        TypeError: as for `encode`, with the name of the value.
    """
    for name, value in values.items():
        if not _immutable(value):
            raise TypeError(f"{host} observes {name}, which could change afterwards: {value!r}; say it with {_FIT}")
    try:
        return _encode(values)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise TypeError(f"{host} observes what has no canonical form: {error}: {values!r}") from error


def encode_recorded(value: Value, of: str, instead: str) -> bytes:
    """The canonical bytes of an operation's argument or result.  `of` says what it is, as in "operation read returned".

    Raises:
        TypeError: as for `encode`; says what to do `instead`.
    """
    if not _immutable(value):
        name = type(value).__name__
        kind = "a tuple that holds something mutable" if isinstance(value, tuple) else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
        raise TypeError(f"{of} {kind}, {value!r}, which could change after it was recorded: {instead}; a history holds {_FIT}")
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise TypeError(f"{of} {value!r}, which cannot be recorded: {error}") from error


def _immutable(value: Value) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is tuple or kind is frozenset:
        return all(map(_immutable, value))  # type: ignore[call-overload]  # it is iterable
    try:
        fields = _open_fields[kind]
    except KeyError:
        fields = _open_fields[kind] = _fields_to_check(kind)
    if fields is None:
        return False
    return not fields or all(_immutable(getattr(value, name)) for name in fields)


def _fields_to_check(kind: type) -> tuple[str, ...] | None:
    """Fields that are not annotated as scalars; None if the type is not frozen."""
    if issubclass(kind, Enum):
        return ()
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    if issubclass(kind, msgspec.Struct):
        frozen, names = kind.__struct_config__.frozen, kind.__struct_fields__
    elif dataclasses.is_dataclass(kind):
        frozen = kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # what @dataclass leaves there
        names = tuple(field.name for field in dataclasses.fields(kind))
    else:
        return None
    if not frozen:
        return None
    try:
        hints = get_type_hints(kind)
    except Exception:  # noqa: BLE001  # annotations are code, and this only saves looking
        hints = {}
    return tuple(name for name in names if hints.get(name) not in _SCALARS)
