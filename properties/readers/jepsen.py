"""Histories as Jepsen writes them: the lines of its text log, and maps in EDN.

A log line holds process, type, function and value, separated by tabs or blanks, behind whatever the logger puts first:

    INFO  jepsen.util - 2	:invoke	:cas	[3 0]

Other lines are left out.  Of an operation that did not end `ok` the value may be a keyword that says why (`:timed-out`), or
the reason follows the value.

An EDN operation is a map with `:process`, `:type`, `:f` and `:value`; `:key`, `:time` (nanoseconds), `:index` and `:error` are
understood, other fields are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO

from ..history import History, Value, render
from .edn import EdnReader, parse_values
from .errors import ReadError
from .records import LATEST, Record, Recording

__all__ = ["LOG_LINE", "read_edn", "read_log"]

LOG_LINE = re.compile(rb"(?:^|\s)(\d{1,18}|:nemesis)\s+:(invoke|ok|fail|info)\s+:(\S+)[ \t]+(\S[^\r\n]*?)[ \t]*\r?\n?$")
CUT_LINE = re.compile(rb"jepsen\.util\s+-\s|\s:(?:invoke|ok|fail|info)\b")
LONGEST_LINE = 1 << 24


def read_log(file: BinaryIO, path: str) -> History:
    """The history in a Jepsen log.

    Raises:
        ReadError: a line is wrong, or its operation cannot follow those before it.
    """
    recording = Recording()
    values: dict[bytes, tuple[Value, str | None]] = {}
    number = 0
    found = False
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
        if not process.isdigit():
            continue
        try:
            if rest not in values:
                values[rest] = _value_and_reason(rest.decode())
            value, reason = values[rest]
            error = reason if kind in (b"fail", b"info") else None
            found = True
            recording.add(Record(int(process), kind.decode(), function.decode(), value, error=error))
        except UnicodeDecodeError as wrong:
            raise ReadError("this is not UTF-8 text", path, number) from wrong
        except ValueError as wrong:
            raise ReadError(str(wrong), path, number) from None
    if not found:
        raise ReadError("there is no operation of a client in this file", path)
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


def read_edn(file: BinaryIO, path: str) -> History:
    """The history in an EDN file: operation maps one after another, or in one vector.

    Raises:
        ReadError: it is not EDN, an element is no operation, or one cannot follow those before it.
    """
    recording = Recording()
    reader = EdnReader(file, path)
    found = False
    for form in reader:
        if not isinstance(form, dict):
            raise reader.error("an operation is a map with :process, :type, :f and :value, and this is none")
        try:
            record = _record(form)
            if record is not None:
                found = True
                recording.ordered = recording.ordered or "index" in form
                recording.add(record)
        except ValueError as wrong:
            raise reader.error(str(wrong)) from None
    if not found:
        raise ReadError("there is no operation of a client in this file", path)
    return recording.history()


def _record(form: Mapping[Value, Value]) -> Record | None:
    """The operation in a map; None if it is not one of a client.

    Raises:
        ValueError: it is no operation; says what is missing.
    """
    process, kind, function = form.get("process"), form.get("type"), form.get("f")
    if type(process) is not int:
        if isinstance(process, str):
            return None
        raise ValueError("an operation needs a :process, a number")
    if not isinstance(kind, str):
        raise ValueError("an operation needs a :type: invoke, ok, fail or info")  # noqa: TRY004  # callers catch ValueError
    if not isinstance(function, str):
        raise ValueError("an operation needs an :f, the function that was called")  # noqa: TRY004  # as above
    time, error = form.get("time"), form.get("error")
    if time is not None and (type(time) is not int or not 0 <= time < LATEST):
        raise ValueError("the :time of an operation is a number of nanoseconds")
    value = form.get("value")
    said = None if error is None else error if isinstance(error, str) else render(error)
    return Record(process, kind, function, value, form.get("key"), said, time)
