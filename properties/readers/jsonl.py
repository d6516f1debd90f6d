"""Our own format for histories: JSON Lines, one event per line after a header.

    {"format":"killpoint-history","version":1,"events":2}
    {"type":"invoke","index":0,"time":0.1,"process":"c1","operation":0,"function":"write","argument":3}
    {"type":"complete","index":1,"time":0.14,"process":"c1","operation":0,"outcome":"ok"}

JSON has fewer types than a history: tuples are arrays; bytes are `{"$bytes": "hexadecimal"}`; infinities and NaN are
`{"$float": "inf"}`; integers of more than 63 bits `{"$int": "digits"}`; fractions `{"$ratio": "1/3"}`; frozen structs become arrays
of their fields (and come back as tuples).  `events` lets a reader notice
a file that lost its end; it may be left out of files made by hand.
"""

from __future__ import annotations

import math
import os
import sys
from array import array
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from ..history import Complete, Event, History, HistoryError, Incident, Invoke, Observe, Outcome, Rules, Value, render
from .errors import ReadError
from .recorded import FAIL, INFO, INVOKE, OK, OTHER, Columns, Recorded

__all__ = ["decode_history", "encode_history", "looks_like_ours", "plain", "write_atomically", "write_history"]

FORMAT: Literal["killpoint-history"] = "killpoint-history"
VERSION = 1
LONGEST_HEADER = 4096
LONGEST_LINE = 1 << 26
DEEPEST = 64
LARGEST_INTEGER = 1 << 63


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line."""

    format: Literal["killpoint-history"]
    version: int
    events: int | None = None


def encode_history(history: Iterable[Event]) -> bytes:
    """A history as JSON Lines.

    Raises:
        HistoryError: a value cannot be written (it is no value of a history).
    """
    events = [*history]
    encoder = msgspec.json.Encoder()
    header = {"format": FORMAT, "version": VERSION, "events": len(events)}
    lines = [encoder.encode(header), *(encoder.encode(_plain_event(event)) for event in events), b""]
    return b"\n".join(lines)


def write_history(history: Iterable[Event], path: str | Path) -> None:
    """Write a history to a file, atomically: the file is either as it was or whole.

    Raises:
        HistoryError: a value cannot be written.
        OSError: the file cannot.
    """
    write_atomically(path, [encode_history(history)])


def write_atomically(path: str | Path, parts: Iterable[bytes]) -> None:
    """Write a file that is either as it was or whole.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def looks_like_ours(head: bytes) -> bool:
    """True if a file that begins like this says that it is in our format, of whatever version."""
    first = head[:LONGEST_HEADER].split(b"\n", 1)[0]
    return first.lstrip()[:1] == b"{" and b'"format"' in first and FORMAT.encode() in first


def lacks_header(head: bytes) -> bool:
    """True if a file begins with an event of ours."""
    try:
        msgspec.json.decode(head.lstrip().split(b"\n", 1)[0], type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def decode_history(file: BinaryIO, path: str, *, halt: int | None = None) -> History:
    """The history in a file in our format.  `halt` is the number of an operation at which to stop.

    Raises:
        ReadError: a line is wrong, the version is newer, events are missing, or they make no history.
    """
    expected = _header(file, path).events
    decoder = msgspec.json.Decoder(Event)
    columns = Columns(indices=array("q"), numbers=[])
    rules = Rules()
    slots: dict[str, int] = {}
    number = 1
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise ReadError(f"the line is longer than {LONGEST_LINE} bytes", path, number)
        try:
            event = _valued(decoder.decode(line))
            rules.follow(event)
            if isinstance(event, Invoke) and len(columns.functions) == halt:
                break
            _keep(event, columns, slots)
        except msgspec.ValidationError as error:
            hint = f": an outcome is {OUTCOMES}" if str(error).endswith("`$.outcome`") else ""
            raise ReadError(f"this is no event: {error}{hint}", path, number) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            truncated = line[-1:] != b"\n"
            raise ReadError("the file ends here: it seems to be truncated" if truncated else f"{error}", path, number) from None
        except RecursionError:
            raise ReadError(f"more than {DEEPEST} brackets are nested", path, number) from None
        except OverflowError:
            raise ReadError(f"the index of an event is less than {LARGEST_INTEGER}", path, number) from None
        except ValueError as error:
            raise ReadError(str(error), path, number) from None
    if len(columns.functions) == halt:
        raise ReadError("here begins the operation that was looked for", path, number)
    if expected is not None and expected != len(columns.kinds):
        raise ReadError(f"the header promises {expected} events and there are {len(columns.kinds)}: it seems to be truncated", path)
    return Recorded(columns)


def _keep(event: Event, columns: Columns, slots: dict[str, int]) -> None:
    """Put an event into columns; `slots` has the place of what each process does."""
    if event.time < 0:
        raise ValueError(f"event {event.index} is at {event.time} s, before the beginning of time")
    if isinstance(event, Invoke):
        process = sys.intern(event.process)
        kind, slot = INVOKE, len(columns.processes)
        slots[process] = slot
        columns.processes.append(process)
        columns.functions.append(sys.intern(event.function))
        columns.arguments.append(event.argument)
        columns.results.append(None)
        assert columns.numbers is not None
        columns.numbers.append(event.operation)
    elif isinstance(event, Complete):
        kind, slot = ENDINGS[event.outcome], slots[event.process]
        columns.results[slot] = event.result
        if event.error is not None:
            columns.errors[slot] = event.error
    else:
        kind, slot = OTHER, len(columns.others)
        columns.others.append(event)
    assert columns.indices is not None
    columns.indices.append(event.index)
    columns.kinds.append(kind)
    columns.slots.append(slot)
    columns.times.append(event.time)


OUTCOMES = ", ".join(outcome.value for outcome in Outcome)

ENDINGS = {Outcome.OK: OK, Outcome.FAIL: FAIL, Outcome.INFO: INFO}


def _header(file: BinaryIO, path: str) -> Header:
    line = file.readline(LONGEST_HEADER)
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReadError(f"the header is wrong: {error}", path, 1) from None
    if header.version > VERSION:
        what = f"this is version {header.version} of the format, and this Killpoint reads up to {VERSION}: use a newer one"
        raise ReadError(what, path, 1)
    if header.version < 1:
        raise ReadError(f"there is no version {header.version} of the format", path, 1)
    return header


def _plain_event(event: Event) -> dict[str, object]:
    fields: dict[str, object] = {"type": type(event).__struct_config__.tag}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if value is not None:
            fields[name] = {key: plain(item) for key, item in value.items()} if isinstance(value, Mapping) else plain(value)
    return fields


def plain(value: Value) -> object:
    """A value in terms of JSON.

    Raises:
        HistoryError: it is no value of a history.
    """
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        if -LARGEST_INTEGER <= value < LARGEST_INTEGER:
            return int(value)
        return {"$int": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Fraction):
        return {"$ratio": str(value)}
    if isinstance(value, msgspec.Struct):
        return [plain(getattr(value, name)) for name in value.__struct_fields__]
    raise HistoryError(f"{render(value)} ({type(value).__name__}) is no value of a history, so it cannot be written")


def _valued(event: Event) -> Event:
    """The event with its values as they were before JSON."""
    if isinstance(event, Invoke):
        return msgspec.structs.replace(event, argument=_value(event.argument)) if _compound(event.argument) else event
    if isinstance(event, Complete):
        return msgspec.structs.replace(event, result=_value(event.result)) if _compound(event.result) else event
    if isinstance(event, Observe):
        return msgspec.structs.replace(event, values={key: _value(item) for key, item in event.values.items()})
    assert isinstance(event, Incident)
    return msgspec.structs.replace(event, detail={key: _value(item) for key, item in event.detail.items()})


def _compound(value: Value) -> bool:
    return isinstance(value, list | dict)


def _value(value: object, depth: int = 0) -> Value:
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} brackets are nested")
    if isinstance(value, list):
        return tuple(_value(item, depth + 1) for item in value)
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, text),) = value.items()
            if isinstance(text, str) and name in TAGGED:
                return TAGGED[name](text)
        raise ValueError("a value is no object, except {$bytes}, {$float}, {$int} and {$ratio}")
    return value


def _integer(text: str) -> int:
    if len(text) > 1000:
        raise ValueError("an integer has more than 1000 digits")
    return int(text)


def _float(text: str) -> float:
    if text not in ("inf", "-inf", "nan"):
        raise ValueError("$float is inf, -inf or nan")
    return float(text)


def _ratio(text: str) -> Fraction:
    numerator, _slash, denominator = text.partition("/")
    if not _integer(denominator):
        raise ValueError("a ratio has no 0 below")
    return Fraction(_integer(numerator), _integer(denominator))


TAGGED = {"$bytes": bytes.fromhex, "$float": _float, "$int": _integer, "$ratio": _ratio}
