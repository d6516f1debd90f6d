"""Histories as Jepsen and Maelstrom write them: the lines of a text log or of `history.txt`, and maps in EDN.

A log line holds process, type, function and value, separated by tabs or blanks, behind whatever the logger puts first; newer
loggers put `jepsen.util:` before it, and `history.txt` nothing:

    INFO  jepsen.util - 2	:invoke	:cas	[3 0]

Other lines are left out.  Of an operation that did not end `ok` the value may be a keyword that says why (`:timed-out`), or
the reason follows the value.

An EDN operation is a map with `:process`, `:type`, `:f` and `:value`, with or without `#jepsen.history.Op` before it; `:key`, `:time`
(nanoseconds), `:index` and `:error` (or `:exception`) are understood, other fields are left out.  Where each has a line of its own,
`shapes` takes it apart; all else goes through the full reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from ..history import History, Value, render
from .edn import EdnReader, Form, parse_values
from .errors import ReadError
from .records import ARGUMENT, DETAIL, HOST, NEMESIS, PROCESS, RESULT, Recording, error_told
from .shapes import UNKNOWN, Shapes, plain_value

__all__ = ["LOG_LINE", "NO_OPERATION", "read_edn", "read_log", "take"]

LOG_LINE = re.compile(rb'(?:^|\s)(\d{1,18}|:nemesis)\s+:(invoke|ok|fail|info)\s+:?([^\s"]+)[ \t]+(\S[^\r\n]*?)[ \t]*\r?\n?$')
CUT_LINE = re.compile(rb"jepsen\.util\s+-\s|\s:(?:invoke|ok|fail|info)\b")
LONGEST_LINE = 1 << 24
LONGEST_PLAIN_LINE = 1 << 16
CACHED, LONGEST_CACHED = 1 << 14, 64
STRANGE = 32
"""After so many elements in a row that are not plain lines, or lines in a row without one, nobody looks for plain ones any more."""

NO_OPERATION = "there is no operation of a client in this file"


def read_log(file: BinaryIO, path: str, *, halt: int | None = None) -> History:
    """The history in a Jepsen log.

    Raises:
        ReadError: a line is wrong, or its operation cannot follow those before it.
    """
    recording = Recording(halt=halt)
    values: dict[bytes, tuple[Value, str | None]] = {}
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise ReadError(f"the line is longer than {LONGEST_LINE} bytes: this is no log", path, number)
        if b"\0" in line:
            raise ReadError("there is a NUL byte in the text", path, number)
        match = LOG_LINE.search(line)
        if match is None:
            if line[-1:] != b"\n" and CUT_LINE.search(line):
                raise ReadError("the file ends inside an operation: it seems to be truncated", path, number)
            continue
        process, kind, function, rest = match.groups()
        try:
            if not process.isdigit():
                recording.disturb(kind.decode(), function.decode(), _told(rest.decode()))
                continue
            said = values.get(rest)
            if said is None:
                plain = UNKNOWN if rest[:1] == b":" else plain_value(rest)
                said = _value_and_reason(rest.decode()) if plain is UNKNOWN else (plain, None)
                if len(rest) < LONGEST_CACHED and len(values) < CACHED:
                    values[rest] = said
            value, reason = said
            ending = kind.decode()
            name = None if function == b"nil" else function.decode()
            recording.add(process.decode(), ending, name, value, error=reason if ending in ("fail", "info") else None)
        except UnicodeDecodeError as wrong:
            raise ReadError("this is not UTF-8 text", path, number) from wrong
        except ValueError as wrong:
            raise ReadError(str(wrong), path, number) from None
    if not recording.operations:
        raise ReadError(NO_OPERATION, path)
    return recording.history()


def _value_and_reason(text: str) -> tuple[Value, str | None]:
    """The last fields of a line: a value, or a keyword that says why there is none; then perhaps the reason.

    Raises:
        ValueError: there is no value; says why.
    """
    values = parse_values(text.partition("\t")[0])
    reason = text.partition("\t")[2].strip() or (render(values[1]) if len(values) > 1 else "")
    if text[0] == ":":
        reason = reason or str(values[0])
    return values[0], reason.removeprefix(":") or None


def _told(text: str) -> Value:
    """What the nemesis says it did; prose, if it is no single value."""
    said = text.partition("\t")[0]
    try:
        values = parse_values(said)
    except ValueError:
        return said
    return values[0] if len(values) == 1 else said


class Feed:
    """A file for the full reader, given line by line as long as lines are plain, else in blocks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.by_line = True
        self._handed = 0
        self._returned = b""

    def hand_back(self, line: bytes) -> None:
        """Have the full reader read a line that is not plain."""
        self._returned = line
        self._handed = 0

    def read(self, size: int, /) -> bytes:
        """The line that was handed back, else the next."""
        returned, self._returned = self._returned, b""
        if returned:
            return returned
        self._handed += 1
        self.by_line = self.by_line and self._handed <= STRANGE
        return self._file.readline(LONGEST_PLAIN_LINE) if self.by_line else self._file.read(size)


def read_edn(file: BinaryIO, path: str, *, gaps: bool = False, halt: int | None = None) -> History:
    """The history in an EDN file: operation maps one after another, or in one vector.

    Raises:
        ReadError: it is not EDN, an element is no operation, or one cannot follow those before it.
    """
    recording = Recording(gaps=gaps, halt=halt)
    feed = Feed(file)
    reader = EdnReader(feed, path)
    elements = iter(reader)
    shapes = Shapes()
    strange = 0
    while True:
        if feed.by_line and reader.idle:
            strange = 0 if _take_plain_lines(feed, file, reader, shapes, recording) else strange + 1
            feed.by_line = feed.by_line and strange < STRANGE
        form = next(elements, None)
        if form is None:
            break
        _take_form(form, reader, recording)
    if not recording.operations:
        raise ReadError(NO_OPERATION, path)
    return recording.history()


def _take_plain_lines(feed: Feed, file: BinaryIO, reader: EdnReader, shapes: Shapes, recording: Recording) -> int:
    """Take lines as long as they are plain, and hand the first that is not back; how many there were."""
    readline, take_line, add = file.readline, shapes.take, recording.add
    passed = 0
    try:
        while True:
            line = readline(LONGEST_PLAIN_LINE)
            operation = take_line(line)
            if operation is None:
                feed.hand_back(line)
                break
            add(*operation)
            passed += 1
    except ReadError:
        raise
    except ValueError as wrong:
        reader.pass_over(passed)
        raise reader.error(str(wrong)) from None
    if passed:
        reader.pass_over(passed)
    return passed


def _take_form(form: Form | None, reader: EdnReader, recording: Recording) -> None:
    if not isinstance(form, dict):
        raise reader.error("an operation is a map with :process, :type, :f and :value, and this is none")
    try:
        take(form, recording)
    except ValueError as wrong:
        raise reader.error(str(wrong)) from None


def take(form: Mapping[Value, Value], recording: Recording) -> None:
    """Put the operation in a map down.

    Raises:
        ValueError: it is no operation, or cannot follow those before it; says why.
    """
    own = form.get(PROCESS)
    process, kind, function = form.get("process") if own is None else own, form.get("type"), form.get("f")
    if type(process) is int:
        process = str(process)
    elif not isinstance(process, str):
        raise ValueError("an operation needs a :process, a number or a name")
    if not isinstance(kind, str):
        raise ValueError("an operation needs a :type: invoke, ok, fail or info")  # noqa: TRY004  # callers catch ValueError
    if not isinstance(function, str | None):
        raise ValueError(f"the :f of an operation is the name of a function, and not {render(function)}")  # noqa: TRY004  # as above
    time, index, error = form.get("time"), form.get("index"), form.get("error")
    if type(time) is not int and time is not None:
        raise ValueError(f"the :time of an operation is a whole number of nanoseconds, and not {render(time)}")
    if type(index) is not int and index is not None:
        raise ValueError(f"the :index of an operation is a whole number, and not {render(index)}")
    exception = form.get("exception")
    if exception is not None:
        error = error_told(error, exception)
    value = form.get("value")
    if own is None and process == NEMESIS:
        recording.disturb(kind, function, value, error, time, index, form.get(HOST), form.get(DETAIL))
    elif (name := ARGUMENT if kind == "invoke" else RESULT) in form:
        recording.add(process, kind, function, value, form.get("key"), error, time, index, form[name])
    else:
        recording.add(process, kind, function, value, form.get("key"), error, time, index)
