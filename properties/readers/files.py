"""Which reader a file needs: decided from its first kilobytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from ..history import History
from .errors import ReadError
from .jepsen import LOG_LINE, read_edn, read_log
from .jsonl import decode_history, looks_like_ours

__all__ = ["decode", "read_history"]

SNIFFED = 1 << 16
EDN_BEGINS = re.compile(rb"(?:[\s,]|;[^\n]*(?:\n|\Z))*(?:#_|[\[({#]|\Z)")

EDN_OPERATION = re.compile(rb"(?:[\s,]|;[^\n]*\n)*[\[(]?(?:[\s,]|;[^\n]*\n)*(?:#[^\s{]*\s*)?\{\s*:")
"""The beginning of a map with a keyword: surely EDN, though a whole map on a line may look like a line of a log."""

SCHEDULE = re.compile(rb'\s*\{\s*"format"\s*:\s*"killpoint\.schedule/')

NO_HISTORY = (
    "this is no history: expected a text log of Jepsen's, EDN (maps with :process, :type, :f and :value), "
    'or JSON Lines that begin with {"format":"killpoint-history","version":1}'
)


def read_history(path: str | Path) -> History:
    """The history in a file, whatever its format: a Jepsen log, EDN, or our JSON Lines.  Cost: linear, streaming.

    Raises:
        ReadError: the file is not there, is none of these, or is wrong; says where.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            return decode(file, name)
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror or error}", name) from error


def decode(file: BinaryIO, name: str) -> History:
    """The history in a seekable binary file, which errors call `name`.

    Raises:
        ReadError: see `read_history`.
    """
    head = file.read(SNIFFED)
    file.seek(0)
    if not head.strip():
        raise ReadError("the file is empty", name)
    if looks_like_ours(head):
        return decode_history(file, name)
    if b"\0" in head:
        raise ReadError("this is a binary file, not a history", name)
    if EDN_OPERATION.match(head):
        return read_edn(file, name)
    if any(LOG_LINE.search(line) for line in head.splitlines(keepends=True)):
        return read_log(file, name)
    if SCHEDULE.match(head):
        raise ReadError("this is a schedule, not a history: `killpoint replay` runs it", name, 1)
    if not EDN_BEGINS.match(head):
        raise ReadError(NO_HISTORY, name, 1)
    try:
        return read_edn(file, name)
    except ReadError as error:
        # A heading of Markdown, a comment of Python and a table of TOML begin as EDN may, and are none.
        raise ReadError(f"{NO_HISTORY} (as EDN: {error.what})", name, error.line) from None
