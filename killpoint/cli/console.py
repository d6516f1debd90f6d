"""How commands write: results to standard output, progress to standard error, JSON alone when it was asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..properties.verdict import Status, Verdict
from .arguments import FAILED, UNKNOWN, VALID, UsageError

__all__ = ["Pulse", "as_plain", "code_of", "print_json", "progress_bar", "refuse_unwritable", "result_console", "show"]

_CODES = {Status.VALID: VALID, Status.INVALID: FAILED, Status.UNKNOWN: UNKNOWN}


def code_of(status: Status) -> int:
    """The exit code that a verdict means."""
    return _CODES[status]


def refuse_unwritable(page: Path, read: Path | None = None, *, option: str = "--html: ") -> None:
    """Say before the work that its result could not be written, or would be in place of what is read.

    Raises:
        UsageError: the folder is not there, or it is a folder itself, or the file that is read.
    """
    folder = page.absolute().parent
    if page.is_dir():
        raise UsageError(f"{option}{page} cannot be written: it is a folder")
    if not folder.is_dir():
        raise UsageError(f"{option}{page} cannot be written: there is no folder {folder}")
    if read is not None and page.exists() and read.exists() and page.samefile(read):
        raise UsageError(f"{option}{page} is the file that is read: write to another")


def result_console() -> Console:
    """Standard output; never breaks or interprets what it is given."""
    return Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False, emoji=False)


def progress_bar(*, quiet: bool) -> Progress:
    """A progress display on standard error, where somebody is there to see it; tasks have a field `told`.

    It writes by its own handle: while a world is driven, `sys.stdout` belongs to the hosts.
    """
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[told]}", style="dim"),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=quiet or not sys.stderr.isatty(),
    )


class Pulse:
    """Where no progress display can be drawn, because standard error is no terminal: a plain line every few seconds.

    Without one a campaign in a pipe or a log of CI is silent for minutes, which looks as if it hung.
    """

    def __init__(self, *, quiet: bool, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = None if quiet or sys.stderr.isatty() else sys.stderr
        self._seconds = seconds
        self._clock = clock
        self._due = clock() + seconds

    def tell(self, what: str, done: int, total: int, told: str) -> None:
        """Write `exploring 120/300: told`, if the time has come."""
        now = self._clock()
        if self._stream is None or now < self._due:
            return
        self._due = now + self._seconds
        self._stream.write(f"{what} {done:,}/{total:,}: {told}\n")
        self._stream.flush()


def show(lines: Iterable[str], console: Console | None = None) -> None:
    """Print lines as they are, the verdicts among them in colour."""
    console = console or result_console()
    for line in lines:
        style = "bold red" if " fails: " in line and not line.startswith(" ") else ""
        console.print(Text(line, style=style))


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document, enc_hook=repr), indent=1).decode() + "\n")


def as_plain(verdict: Verdict) -> dict[str, object]:
    """A verdict for JSON."""
    evidence = verdict.evidence
    name, kind = verdict.signature
    plain: dict[str, object] = {"property": name, "kind": kind, "status": verdict.status.value, "reason": verdict.reason}
    if evidence is not None:
        plain |= {"lines": evidence.lines, "operations": evidence.operations, "events": evidence.events}
    return plain
