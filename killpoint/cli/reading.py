"""How far a long file was read: a bar on standard error, once it takes longer than a second, and only where somebody sees it."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["Reading"]

PATIENCE = 1.0


class Reading:
    """While entered, may be called with the bytes that were read and those there are; the bar goes when all are read."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """So much was read."""
        if not self._shown:
            return
        if done >= total:
            self._close()
        elif self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done)
        elif time.monotonic() - self._began > PATIENCE:
            columns = (TextColumn("reading"), BarColumn(bar_width=24), DownloadColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(file=sys.stderr, highlight=False), transient=True)
            self._bar.add_task("", total=total, completed=done)
            self._bar.start()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
