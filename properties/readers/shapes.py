"""A fast way to read EDN in which every operation has a line of its own, as recorders write it.

The keys of such lines come in very few orders.  So the order is learnt from a line, and made into one regular expression that takes
all its fields apart at once: about two microseconds per line, where tokens one by one take ten.  What an expression takes is
what the full reader would (`EdnReader`), to the value; it takes only what is plain (printable ASCII, atoms, vectors up to three
deep) and leaves everything else, whatever is wrong included, to the full reader.  Fields that nobody asks for are not looked into.
Its quantifiers are possessive, so a line costs time in proportion to its length, whatever stands in it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..history import Value
from .edn import TOKEN, atom

__all__ = ["UNKNOWN", "Line", "Shapes", "plain_value"]

# Inside of character classes: what is neither white space nor has a meaning of its own.
_PLAIN = rb"!$-'*+\-./0-9:<=>?A-Z_a-z|"
_ATOM = rb"[" + _PLAIN + rb"]++"
_STRING = rb'"[ !#-\[\]-~]*+"'
_FLAT = rb"(?:[" + _PLAIN + rb"\s,]++|" + _STRING + rb")"
_VECTOR = rb"\[" + _FLAT + rb"*+\]"
for _ in range(2):
    _VECTOR = rb"\[(?:" + _FLAT + rb"|" + _VECTOR + rb")*+\]"
_VALUE = rb"(?:" + _ATOM + rb"|" + _STRING + rb"|" + _VECTOR + rb")"
_FIELD = rb":([a-zA-Z][\w./\-]*+)[\s,]++(" + _VALUE + rb")"
_OPEN, _CLOSE = rb"[\s,]*+(?:#jepsen\.history\.Op)?\{[\s,]*+", rb"[\s,]*+\}[\s,]*+"

VALUE = re.compile(_VALUE, re.ASCII)
FIELD = re.compile(_FIELD, re.ASCII)
MAP = re.compile(_OPEN + rb"(?:" + _FIELD + rb"(?:[\s,]++(?=:)|(?=[\s,]*+\})))*+" + _CLOSE, re.ASCII)

KEYS: dict[bytes, bytes] = {
    b"process": rb"(0|[1-9]\d{0,17}+)(?=[\s,}])",
    b"type": rb":(invoke|ok|fail|info)(?=[\s,}])",
    b"f": rb":(" + _ATOM + rb")",
    b"value": rb"(" + _VALUE + rb")",
    b"key": rb"(" + _VALUE + rb")",
    b"error": rb"(" + _VALUE + rb")",
    b"time": rb"(0|[1-9]\d{0,17}+)(?=[\s,}])",
    b"index": rb"(0|[1-9]\d{0,17}+)(?=[\s,}])",
}
"""The fields of an operation that are looked at, and what they look like where they are as usual."""

OURS = b"killpoint/"
MOST_SHAPES = 16
CACHED, LONGEST_CACHED = 1 << 14, 64
UNKNOWN = object()
OPENS, CLOSES = "[", "]"


Line = tuple[str, str, str, Value, Value, Value, int | None, int | None]
"""The fields of an operation in the order of `KEYS`."""


class Shapes:
    """The orders of keys that were met so far, the latest first."""

    def __init__(self) -> None:
        self._shapes: list[tuple[re.Pattern[bytes], tuple[int, ...]]] = []
        self._values: dict[bytes, Value] = {b"": None}
        self._names: dict[bytes, str] = {}

    def take(self, line: bytes) -> Line | None:
        """The operation that is all of a line; None if the full reader has to look.

        Raises:
            ValueError: a value is no EDN; says what is wrong.
        """
        taken = self._match(line)
        if taken is None:
            return None
        match, order = taken
        process, kind, function, value, key, error, time, index = match.group(*order)
        values, names = self._values, self._names
        one = values.get(value, UNKNOWN)
        return (
            names.get(process) or self._name(process),
            names.get(kind) or self._name(kind),
            names.get(function) or self._name(function),
            self._value(value) if one is UNKNOWN else one,
            self._value(key) if key else None,
            self._value(error) if error else None,
            int(time) if time else None,
            int(index) if index else None,
        )

    def _match(self, line: bytes) -> tuple[re.Match[bytes], tuple[int, ...]] | None:
        """The match with a shape, known or new, and which groups are which fields."""
        for place, (pattern, order) in enumerate(self._shapes):
            match = pattern.fullmatch(line)
            if match is not None:
                if place > 0:
                    self._shapes.insert(0, self._shapes.pop(place))
                return match, order
        return self._learn(line)

    def _learn(self, line: bytes) -> tuple[re.Match[bytes], tuple[int, ...]] | None:
        """Make a shape of a line, if it is plain."""
        if len(self._shapes) >= MOST_SHAPES or MAP.fullmatch(line) is None:
            return None
        keys = [key for key, _value in FIELD.findall(line[line.index(b"{") :])]
        if len({*keys}) < len(keys) or any(key.startswith(OURS) for key in keys) or not {b"process", b"type", b"f"} <= {*keys}:
            return None
        if b"exception" in keys:
            return None  # which says more than the error beside it
        fields = [rb":" + re.escape(key) + rb"[\s,]++" + KEYS.get(key, _VALUE) for key in keys]
        pattern = re.compile(_OPEN + rb"[\s,]++".join(fields) + rb"()" + _CLOSE, re.ASCII)
        known = [key for key in keys if key in KEYS]
        order = tuple(known.index(key) + 1 if key in known else len(known) + 1 for key in KEYS)
        match = pattern.fullmatch(line)
        if match is None:
            return None
        self._shapes.insert(0, (pattern, order))
        return match, order

    def _name(self, text: bytes) -> str:
        name = text.decode()
        if len(self._names) < CACHED and len(text) < LONGEST_CACHED:
            self._names[text] = name
        return name

    def _value(self, text: bytes) -> Value:
        value = self._values.get(text, UNKNOWN)
        if value is not UNKNOWN:
            return value
        value = plain_value(text)
        if len(self._values) < CACHED and len(text) < LONGEST_CACHED:
            self._values[text] = value
        return value


def plain_value(text: bytes) -> Value:
    """The value that is all of a text, or `UNKNOWN` if the full reader has to look.

    Raises:
        ValueError: it is no EDN; says what is wrong.
    """
    if text.isdigit() and len(text) < 19 and (text[0] != 48 or len(text) == 1):
        return int(text)
    return UNKNOWN if VALUE.fullmatch(text) is None else _plain_value(text.decode())


def _plain_value(text: str) -> Value:
    """The value in a text that holds nothing but atoms and vectors."""
    stack: list[list[Value]] = [[]]
    for token in TOKEN.findall(text):
        if token == OPENS:
            stack.append([])
        elif token == CLOSES:
            done = tuple(stack.pop())
            stack[-1].append(done)
        else:
            stack[-1].append(_atom(token))
    return stack[0][0]


@lru_cache(CACHED)
def _atom(token: str) -> Value:
    return NAMED[token] if token in NAMED else atom(token)


NAMED: dict[str, Value] = {"nil": None, "true": True, "false": False}
