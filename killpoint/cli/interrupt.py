"""Ctrl-C that keeps what was found: the first asks to stop after the run in progress, the second aborts.

A run in progress must not be torn apart by an exception at a random bytecode: it drives trio programs, and their clean-up code
would run where no schedule says so.  So the handler only sets a flag, which campaigns and shrinking look at between runs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Self

from .arguments import INTERRUPTED

__all__ = ["Interruptible"]

SHOW_CURSOR = "\x1b[?25h"
"""A progress display hides it."""


class Interruptible:
    """While entered, `requested` says whether somebody pressed Ctrl-C; afterwards signals are handled as before."""

    def __init__(self) -> None:
        self.requested = False
        self._before: signal.Handlers | object = None

    def __bool__(self) -> bool:
        return self.requested

    def __call__(self) -> bool:
        """Whether to stop, in the form that a campaign asks for it."""
        return self.requested

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]  # what signal.signal gave us

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            # Not by an exception either, which the program of some host would get, and the run would count as its crash.
            sys.stderr.write(f"{SHOW_CURSOR if sys.stderr.isatty() else ''}aborted\n")
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        self.requested = True
        sys.stderr.write("\nstopping after the run in progress; Ctrl-C again aborts\n")
