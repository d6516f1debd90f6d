"""Histories in JSON as people have them: Jepsen's operations, one map per line, or all in one array, as elle-cli reads them.

    {"process":0,"type":"invoke","f":"txn","value":[["append","x",1],["r","y",null]],"time":12000,"index":0}

The fields are those of Jepsen's EDN with the same meaning: `time` is in nanoseconds, `f` may be missing where it is `txn`, the process
`nemesis` is no client.  Objects in values become pairs of key and value, as EDN's maps do, except our own `{"$bytes": ...}` and
its like.  Lines are decoded by msgspec; an array, or maps over several lines, by the standard library, which can begin in the middle of
a text, so that neither needs more memory than its largest element.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import BinaryIO

import msgspec

from ..history import History, Value
from .errors import ReadError
from .jepsen import LONGEST_LINE, NO_OPERATION, take
from .jsonl import DEEPEST, TAGGED
from .records import ARGUMENT, DETAIL, HOST, NEMESIS, PROCESS, RESULT, Recording, error_told

__all__ = ["JSON_BEGINS", "read_json"]

JSON_BEGINS = re.compile(rb'\s*(?:\[\s*)?\{\s*"')

BLOCK = 1 << 18
BETWEEN = re.compile(r"[\s,]*")
ENDS_OF_LONGEST_ATOM = 32
TOO_LONG = "integer string conversion"


class Row(msgspec.Struct):
    """An operation in one line."""

    process: int | str | None = None
    type: str | None = None
    f: str | None = None
    value: object = None
    key: object = None
    error: object = None
    exception: object = None
    time: int | None = None
    index: int | None = None
    own_process: str | None = msgspec.field(default=None, name=PROCESS)
    own_argument: object = msgspec.field(default=msgspec.UNSET, name=ARGUMENT)
    own_result: object = msgspec.field(default=msgspec.UNSET, name=RESULT)
    own_host: str | None = msgspec.field(default=None, name=HOST)
    own_detail: dict[str, object] | None = msgspec.field(default=None, name=DETAIL)


def read_json(file: BinaryIO, path: str, *, gaps: bool = False, halt: int | None = None) -> History:
    """The history in a file of JSON maps.

    Raises:
        ReadError: it is not JSON, an element is no operation, or one cannot follow those before it.
    """
    recording = Recording(gaps=gaps, halt=halt)
    # Not peeked at: the first line may be longer than a buffer.
    first = file.readline(LONGEST_LINE)
    try:
        whole = isinstance(msgspec.json.decode(first), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        whole = False
    if whole:
        _read_lines(first, file, path, recording)
    else:
        _read_elements(first, file, path, recording)
    if not recording.operations:
        raise ReadError(NO_OPERATION, path)
    return recording.history()


def _read_lines(first: bytes, file: BinaryIO, path: str, recording: Recording) -> None:
    decode = msgspec.json.Decoder(Row).decode
    line, number = first, 0
    while line:
        number += 1
        if len(line) == LONGEST_LINE:
            raise ReadError(f"the line is longer than {LONGEST_LINE} bytes", path, number)
        try:
            _take_row(decode(line), recording)
        except msgspec.ValidationError as error:
            raise ReadError(f"this is no operation: {error}", path, number) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if line.strip():
                raise ReadError(_fault(line, error), path, number) from None
        except RecursionError:
            raise ReadError(f"more than {DEEPEST} brackets are nested", path, number) from None
        except ValueError as error:
            raise ReadError(str(error), path, number) from None
        line = file.readline(LONGEST_LINE)


def _fault(line: bytes, error: Exception) -> str:
    try:
        line.decode()
    except UnicodeDecodeError:
        return "this is not UTF-8 text"
    return f"{error}" if line[-1:] == b"\n" else "the file ends here: it seems to be truncated"


def _take_row(row: Row, recording: Recording) -> None:
    """Put an operation down; what is unusual goes the way of maps."""
    process, value, error = row.process, row.value, row.error
    own = row.own_result is not msgspec.UNSET or row.own_argument is not msgspec.UNSET
    if own or row.own_process is not None or process == NEMESIS:
        said = {row_field.encode_name: getattr(row, row_field.name) for row_field in FIELDS}
        form: dict[Value, Value] = {name: _value(one) for name, one in said.items() if one is not msgspec.UNSET and name != DETAIL}
        if row.own_detail is not None:
            form[DETAIL] = {name: _value(one) for name, one in row.own_detail.items()}
        take(form, recording)
        return
    if process is None:
        raise ValueError("an operation needs a process, a number or a name")
    if row.type is None:
        raise ValueError("an operation needs a type: invoke, ok, fail or info")
    if isinstance(value, list | dict):
        value = _value(value)
    key = _value(row.key) if isinstance(row.key, list | dict) else row.key
    if isinstance(error, list | dict):
        error = _value(error)
    if row.exception is not None:
        error = error_told(error, _value(row.exception))
    recording.add(str(process), row.type, row.f, value, key, error, row.time, row.index)


FIELDS = msgspec.structs.fields(Row)


def _read_elements(first: bytes, file: BinaryIO, path: str, recording: Recording) -> None:
    """An array of maps, or maps one after another, wherever their lines end."""
    text = _Text(first, file, path)
    in_array = ended = False
    while text.skip():
        character = text.character
        if ended:
            raise text.error("there is something after the end of the history")
        if character == "[" and not in_array and not recording.operations:
            in_array = True
            text.drop()
        elif character == "]" and in_array:
            ended = True
            text.drop()
        elif character != "{":
            raise text.error(f"an operation is a map with process, type, f and value, and here is {character!r}")
        else:
            element = text.element()
            try:
                form: dict[Value, Value] = {name: _value(one) for name, one in element.items()}
                detail = element.get(DETAIL)
                if isinstance(detail, dict):
                    form[DETAIL] = {name: _value(one) for name, one in detail.items()}
                take(form, recording)
            except ValueError as wrong:
                raise text.error(str(wrong)) from None
    if in_array and not ended:
        raise text.error("the array has no end: the file seems to be truncated")


class _Text:
    """The text of a file, of which elements are taken one after another."""

    def __init__(self, first: bytes, file: BinaryIO, path: str) -> None:
        self._file = file
        self._path = path
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._scan = json.JSONDecoder(parse_constant=_constant).raw_decode
        self._lines = 1
        self._at = self._began = 0
        self._text = ""
        self._more = True
        self._append(first)

    @property
    def character(self) -> str:
        """Where the next element begins."""
        return self._text[self._at]

    def error(self, what: str, at: int | None = None) -> ReadError:
        """The error for something wrong with the element that was taken last, or just there."""
        return ReadError(what, self._path, self._lines + self._text.count("\n", 0, self._began if at is None else at))

    def skip(self) -> bool:
        """Go to the next element; False if there is none."""
        while True:
            match = BETWEEN.match(self._text, self._at)
            self._at = self._began = match.end() if match else self._at
            if self._at < len(self._text):
                return True
            if not self._read():
                return False

    def drop(self) -> None:
        """Go over one character."""
        self._at += 1

    def element(self) -> dict[str, object]:
        """Take the map that begins here."""
        while True:
            try:
                made, self._at = self._scan(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - ENDS_OF_LONGEST_ATOM
                if not cut or len(self._text) - self._at > LONGEST_LINE or not self._read():
                    ended = cut and not self._more
                    what = "the file ends here: it seems to be truncated" if ended else f"this is not JSON: {error.msg}"
                    raise self.error(what, error.pos) from None
            except RecursionError:
                raise self.error(f"more than {DEEPEST} brackets are nested") from None
            except ValueError as error:
                raise self.error("a number has too many digits" if TOO_LONG in str(error) else str(error)) from None
            else:
                assert isinstance(made, dict)
                return made

    def _read(self) -> bool:
        """Have more text; False at the end of the file."""
        if not self._more:
            return False
        # As much again as there is left, so that a long element is not tried too often.
        data = self._file.read(max(BLOCK, len(self._text) - self._at))
        self._lines += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :]
        self._at = self._began = 0
        self._append(data)
        return True

    def _append(self, data: bytes) -> None:
        self._more = bool(data)
        try:
            self._text += self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._lines + self._text.count("\n") + error.object[: error.start].count(b"\n")
            raise ReadError("this is not UTF-8 text", self._path, line) from error


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no value of JSON")


def _value(value: object, depth: int = 0) -> Value:
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} brackets are nested")
    if isinstance(value, list):
        return tuple([_value(item, depth + 1) for item in value])
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, text),) = value.items()
            if isinstance(text, str) and name in TAGGED:
                return TAGGED[name](text)
        return tuple(sorted(((name, _value(item, depth + 1)) for name, item in value.items()), key=repr))
    return value
