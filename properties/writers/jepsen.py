"""Histories for Jepsen's own checkers (Knossos, Elle) and for elle-cli: operation maps, in EDN or JSON.

    {:index 0, :time 100000000, :type :invoke, :process 0, :f :write, :value 3}

Knossos takes the value of an `ok` for what was invoked, so where a result says nothing the argument is repeated, and the result stands
beside it as `:killpoint/result`; likewise the name of a process that is no number, and an incident's host and detail.  Others leave
such fields out; our reader takes them, so that operations and incidents come back as they were.  Bytes are
`#killpoint/bytes "00ff"` in EDN, for which other readers need to be told of the tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

import msgspec

from ..history import Complete, History, HistoryError, Incident, Invoke, Outcome, Value, render
from ..readers.edn import BYTES
from ..readers.jsonl import plain
from ..readers.records import ARGUMENT, DETAIL, HOST, NEMESIS, PROCESS, RESULT, argument_of, result_of
from .export import Export, ExportError, number_processes, renumbered, unseen

__all__ = ["edn_text", "export_edn", "export_json"]

NANOSECONDS = 1e9
KEYWORD = re.compile(r"[a-zA-Z*!?<>=_+][\w.*+!?<>='/-]*", re.ASCII)
ESCAPED = re.compile('["\\\\\x00-\x1f\x7f\u0085\u2028\u2029\ud800-\udfff]')
ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"'}
EITHER = ("get", "delete")
PAIRED = ("put", "append")
KEYWORDS = ("type", "f")
MOST_DIGITS = 1000


def export_edn(history: History) -> Export:
    """`history.edn`: one map per line.

    Raises:
        ExportError: a value is none of a history.
    """
    return _exported(history, [b"{" + b", ".join(_edn_field(*field) for field in row.items()) + b"}\n" for row in _rows(history)])


def export_json(history: History) -> Export:
    """An array of maps, one per line.

    Raises:
        ExportError: a value is none of a history.
    """
    encode = msgspec.json.Encoder().encode
    parts, before = [], b"["
    for row in _rows(history):
        try:
            parts.append(before + encode({name: _plain(value) for name, value in row.items()}))
        except (HistoryError, UnicodeEncodeError) as error:
            raise ExportError(f"event {row['index']}: {error}") from None
        before = b",\n"
    return _exported(history, [*parts, b"]\n" if parts else b"[]\n"])


def _plain(value: Value) -> object:
    return {key: plain(one) for key, one in value.items()} if isinstance(value, Mapping) else plain(value)


def _exported(history: History, parts: list[bytes]) -> Export:
    notes = unseen(history) + renumbered(number_processes(history))
    if any(_nanoseconds(event.time) / NANOSECONDS != event.time for event in history):
        notes.append("times are rounded to nanoseconds")
    return Export(parts, tuple(notes))


def _nanoseconds(time: float) -> int:
    return round(time * NANOSECONDS)


def _rows(history: History) -> Iterator[dict[str, Value]]:
    """The fields of each event, by their names."""
    numbers = number_processes(history)
    index = 0
    for event in history:
        row: dict[str, Value] = {"index": index, "time": _nanoseconds(event.time)}
        if isinstance(event, Invoke):
            row |= {"type": "invoke", "process": numbers[event.process], "f": event.function}
            row |= _keyed(event.function, event.argument, event.argument)
            if argument_of(event.function, row.get("key"), row["value"]) != event.argument:
                row[ARGUMENT] = event.argument
        elif isinstance(event, Complete):
            invoked = history.operation(event.operation)
            row |= {"type": event.outcome.value, "process": numbers[event.process], "f": invoked.function}
            known = event.outcome is Outcome.OK and (event.result is not None or invoked.function in EITHER)
            row |= _keyed(invoked.function, invoked.argument, event.result if known else invoked.argument, known=known)
            read = result_of(invoked.function, row.get("key"), row["value"]) if event.outcome is Outcome.OK else None
            if read != event.result:
                row[RESULT] = event.result
            if event.error is not None:
                row["error"] = event.error
        elif isinstance(event, Incident):
            row |= {"type": "info", "process": NEMESIS, "f": event.kind, **_told(event)}
        else:
            continue
        if isinstance(event, Invoke | Complete) and event.process != str(numbers[event.process]):
            row[PROCESS] = event.process
        yield row
        index += 1


def _keyed(function: str, argument: Value, value: Value, *, known: bool = False) -> dict[str, Value]:
    """The value, and the key where the function has one."""
    if function in EITHER:
        return {"key": argument, "value": value if known else None}
    if function in PAIRED and isinstance(argument, tuple) and len(argument) == 2:
        return {"key": argument[0], "value": argument[1]}
    return {"value": value}


def _told(incident: Incident) -> dict[str, Value]:
    detail = dict(incident.detail)
    told: dict[str, Value] = {"value": detail.get("value") if list(detail) == ["value"] else None}
    if incident.host is not None:
        told[HOST] = incident.host
    if detail and (list(detail) != ["value"] or detail["value"] is None):
        told[DETAIL] = detail
    return told


def _edn_field(name: str, value: Value) -> bytes:
    if name in KEYWORDS or value == NEMESIS:
        text = _keyword(str(value))
    elif name in ("value", ARGUMENT, RESULT) and isinstance(value, tuple):
        text = _transaction(value)
    else:
        text = edn_text(value)
    return f":{name} {text}".encode()


def _keyword(name: str) -> str:
    return f":{name}" if KEYWORD.fullmatch(name) else edn_text(name)


def _transaction(value: tuple[Value, ...]) -> str:
    """Elle knows micro-operations by keywords: `[:append "x" 1]`."""
    return f"[{' '.join(_micro_operation(one) for one in value)}]"


def _micro_operation(one: Value) -> str:
    if isinstance(one, tuple) and len(one) in (2, 3) and isinstance(one[0], str):
        return f"[{' '.join((_keyword(one[0]), *map(edn_text, one[1:])))}]"
    return edn_text(one)


def edn_text(value: Value) -> str:
    """A value in EDN, on one line.

    Raises:
        ExportError: it is no value of a history.
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{ESCAPED.sub(_escape, value)}"'
    if isinstance(value, int) and abs(value) < 10**MOST_DIGITS:
        return f"{int(value)}N" if abs(value) >= 1 << 63 else f"{int(value)}"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "##NaN" if math.isnan(value) else "##Inf" if value > 0 else "##-Inf"
    if isinstance(value, bytes):
        return f'{BYTES} "{value.hex()}"'
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, tuple | list):
        return f"[{' '.join(map(edn_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{edn_text(key)} {edn_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        return edn_text(tuple(getattr(value, name) for name in value.__struct_fields__))
    raise ExportError(f"{render(value)} ({type(value).__name__}) is no value of a history, so it cannot be written")


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return ESCAPES.get(character) or f"\\u{ord(character):04x}"
