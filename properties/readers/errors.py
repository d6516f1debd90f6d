"""The one error that reading a history may raise."""

from __future__ import annotations

from ..history import HistoryError

__all__ = ["ReadError"]


class ReadError(HistoryError):
    """A file that cannot be read as a history: says what is wrong, in which file, and at which line (None: no line is to
    blame)."""

    def __init__(self, what: str, path: str, line: int | None = None) -> None:
        super().__init__(f"{path}: {what}" if line is None else f"{path}, line {line}: {what}")
        self.what = what
        self.path = path
        self.line = line
