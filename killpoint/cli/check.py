"""`killpoint check FILE --model NAME`: is a history that was recorded elsewhere right, and if not, why?

Right means linearizable, or for transactions (`list-append`, `rw-register`) isolated as `--isolation LEVEL` says.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from ..checking import check_file, models
from ..limits import Limits, available_megabytes
from ..properties.progress import Interrupted
from ..properties.verdict import Status, Verdict
from ..report.text import verdict_lines
from .arguments import UNKNOWN, VALID, UsageError
from .console import as_plain, code_of, print_json, show

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Check one file, or list the models."""
    if options.list:
        described = models()
        if options.json:
            print_json(described)
        else:
            show(f"{name:<16} {text}" for name, text in described.items())
        return VALID
    if options.file is None:
        raise UsageError(f"check needs a FILE and --model NAME; models are {', '.join(models())}")
    if not options.file.exists():
        raise UsageError(f"{options.file} cannot be read: No such file or directory")
    if options.model is None:
        raise UsageError(f"--model is missing: say what {options.file} is a history of, with one of {', '.join(models())}")
    verdict = _within_limits(options)
    _tell(options, verdict)
    return code_of(verdict.status)


def _within_limits(options: Namespace) -> Verdict:
    """The verdict; `unknown` if a limit ends what gives none of itself, such as reading."""
    memory = options.memory
    if memory is None:
        available = available_megabytes()
        memory = None if available is None else available / 2

    def last_words(why: str) -> None:
        _tell(options, Verdict(options.model, Status.UNKNOWN, why))
        sys.stdout.flush()
        os._exit(UNKNOWN)

    try:
        with Limits(options.timeout, memory, last_words):
            return check_file(options.file, options.model, options.timeout, isolation=options.isolation)
    except Interrupted as stop:
        return Verdict(options.model, Status.UNKNOWN, str(stop))
    except MemoryError:
        return Verdict(options.model, Status.UNKNOWN, "not decided, as there is no more memory")


def _tell(options: Namespace, verdict: Verdict) -> None:
    if options.json:
        print_json({"file": str(options.file), "model": options.model, **as_plain(verdict)})
    else:
        show(verdict_lines(verdict))
