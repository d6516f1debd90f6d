"""Writers of histories, for other checkers: what Jepsen, Knossos, Elle, elle-cli and Porcupine read.

What is written is read back by our readers as the same history, as far as the format has words for it; what it has none for is
left out, and said (`Export.notes`).  What it cannot hold at all is an error, before anything is written.  Cost: linear.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..history import History, HistoryError
from ..readers.jsonl import encode_history, write_atomically
from .export import Export, ExportError
from .jepsen import export_edn, export_json
from .porcupine import export_porcupine

__all__ = ["FORMATS", "Export", "ExportError", "export", "write_as"]


def _ours(history: History) -> Export:
    try:
        return Export([encode_history(history)], ())
    except HistoryError as error:
        raise ExportError(str(error)) from None


FORMATS: dict[str, tuple[Callable[[History], Export], str]] = {
    "jsonl": (_ours, "our own JSON Lines, which hold everything"),
    "edn": (export_edn, "history.edn, for Jepsen, Knossos and Elle"),
    "elle": (export_json, "a JSON array of operations, for elle-cli"),
    "porcupine": (export_porcupine, "what Porcupine's tests read: a log of read, write, cas, or lines of get, put, append"),
}
"""Each format by its name, with what it is."""


def export(history: History, form: str) -> Export:
    """A history in another format.

    Raises:
        ExportError: there is no such format, or it cannot hold this history; says why.
    """
    if form not in FORMATS:
        raise ExportError(f"there is no format {form!r}: choose one of {', '.join(FORMATS)}")
    return FORMATS[form][0](history)


def write_as(history: History, path: str | Path, form: str) -> tuple[str, ...]:
    """Write a history to a file in another format, atomically; what was left out, one sentence each.

    Raises:
        ExportError: as for `export`, or the file cannot be written.
    """
    exported = export(history, form)
    try:
        write_atomically(path, exported.parts)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    return exported.notes
