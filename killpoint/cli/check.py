"""`killpoint check FILE --model NAME`: is a history that was recorded elsewhere right, and if not, why?

Right means linearizable, or for transactions (`list-append`, `rw-register`) isolated as `--isolation LEVEL` says.
"""

from __future__ import annotations

from argparse import Namespace

from ..checking import check_file, models
from ..limits import GRACE, Limits, available_megabytes
from ..models import is_reference
from ..properties.progress import Interrupted
from ..properties.verdict import Status, Verdict
from ..report.text import verdict_lines
from .arguments import VALID, UsageError
from .child import in_child
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
    verdict = _judged(options)
    if options.json:
        print_json({"file": str(options.file), "model": options.model, **as_plain(verdict)})
    else:
        show(verdict_lines(verdict))
    return code_of(verdict.status)


def _judged(options: Namespace) -> Verdict:
    """The verdict.  Specifications of somebody's own are asked in a child process, which can be ended whatever they do."""
    if not is_reference(options.model):
        return _within_limits(options)
    verdict = in_child(lambda: _within_limits(options), options.timeout + GRACE)
    if verdict is None:
        why = f"not decided within {options.timeout:g} s, before the deadline, and what it was doing then could not be interrupted"
        verdict = Verdict(options.model, Status.UNKNOWN, why)
    return verdict


def _within_limits(options: Namespace) -> Verdict:
    """The verdict; `unknown` if a limit ends what gives none of itself, such as reading."""
    memory = options.memory
    if memory is None:
        available = available_megabytes()
        memory = None if available is None else available / 2
    try:
        with Limits(options.timeout, memory):
            return check_file(options.file, options.model, options.timeout, isolation=options.isolation)
    except Interrupted as stop:
        return Verdict(options.model, Status.UNKNOWN, str(stop))
    except MemoryError:
        return Verdict(options.model, Status.UNKNOWN, "not decided, as there is no more memory")
