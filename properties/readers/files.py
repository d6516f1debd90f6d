"""Which reader a file needs: decided from its first kilobytes."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import BinaryIO

from ..history import History
from .errors import ReadError
from .jepsen import LOG_LINE, read_edn, read_log
from .jsonl import decode_history, lacks_header, looks_like_ours
from .maps import JSON_BEGINS, read_json
from .streams import Told, open_stream, unpacked

__all__ = ["decode", "line_of", "read_history"]

SNIFFED = 1 << 16
EDN_BEGINS = re.compile(rb"(?:[\s,]|;[^\n]*(?:\n|\Z))*(?:[\[({#^]|\Z)")

EDN_OPERATION = re.compile(rb"(?:[\s,]|;[^\n]*\n)*[\[(]?(?:[\s,]|;[^\n]*\n)*(?:#[^\s{]*\s*)?\{\s*:")
"""The beginning of a map with a keyword: surely EDN, though a whole map on a line may look like a line of a log."""

PROCESS = b'process"'
"""Of all JSON a history alone has this field."""

SCHEDULE = re.compile(rb'\s*\{\s*"format"\s*:\s*"killpoint\.schedule/')

HEADER = '{"format":"killpoint-history","version":1}'

NO_HISTORY = (
    "this is no history: expected a text log of Jepsen's, EDN (maps with :process, :type, :f and :value), JSON likewise, "
    f"or JSON Lines that begin with {HEADER}"
)


def read_history(path: str | Path, told: Told | None = None, *, gaps: bool = False) -> History:
    """The history in a file, whatever its format, packed or not.  Cost: linear, streaming.

    `told` is told of the progress.  With `gaps` indices may be missing, because operations were left out on purpose.

    Raises:
        ReadError: the file is not there, is none of these, or is wrong; says where.
    """
    with open_stream(path, told) as stream:
        return _decode(stream, str(path), gaps=gaps)


def line_of(path: str | Path, number: int) -> int | None:
    """The line at which the `number`-th operation (from 0) of a history begins; None if it cannot be told.  Reads the file anew."""
    try:
        with open_stream(path) as stream:
            _decode(stream, str(path), gaps=True, halt=number)
    except ReadError as error:
        return error.line
    return None


def decode(file: BinaryIO, name: str, *, gaps: bool = False) -> History:
    """The history in a seekable binary file, which errors call `name`.

    Raises:
        ReadError: see `read_history`.
    """
    return _decode(unpacked(file, name), name, gaps=gaps)


def _decode(file: io.BufferedReader, name: str, *, gaps: bool, halt: int | None = None) -> History:
    head = file.peek(SNIFFED)[:SNIFFED]
    if not head.strip():
        raise ReadError("the file begins with much white space: this is no history" if len(head) == SNIFFED else "the file is empty", name)
    if looks_like_ours(head):
        return decode_history(file, name, halt=halt)
    if b"\0" in head:
        raise ReadError("this is a binary file, not a history", name)
    if EDN_OPERATION.match(head):
        return read_edn(file, name, gaps=gaps, halt=halt)
    if any(LOG_LINE.search(line) for line in head.splitlines(keepends=True)):
        return read_log(file, name, halt=halt)
    if SCHEDULE.match(head):
        raise ReadError("this is a schedule, not a history: `killpoint replay` runs it", name, 1)
    if lacks_header(head):
        raise ReadError(f"this is an event of a history of ours, and the header is missing: begin the file with {HEADER}", name, 1)
    if JSON_BEGINS.match(head) and PROCESS in head:
        return read_json(file, name, gaps=gaps, halt=halt)
    if not EDN_BEGINS.match(head):
        raise ReadError(NO_HISTORY, name, 1)
    try:
        return read_edn(file, name, gaps=gaps, halt=halt)
    except ReadError as error:
        # A heading of Markdown, a comment of Python and a table of TOML begin as EDN may, and are none.
        raise ReadError(f"{NO_HISTORY} (as EDN: {error.what})", name, error.line) from None
