"""How commands write: results to standard output, progress to standard error, JSON alone when it was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..properties.verdict import Status, Verdict
from .arguments import FAILED, UNKNOWN, VALID

__all__ = ["as_plain", "code_of", "print_json", "progress_bar", "result_console", "show"]

_CODES = {Status.VALID: VALID, Status.INVALID: FAILED, Status.UNKNOWN: UNKNOWN}


def code_of(status: Status) -> int:
    """The exit code that a verdict means."""
    return _CODES[status]


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
