"""`killpoint check FILE --model NAME`: is a history that was recorded elsewhere linearizable, and if not, why?"""

from __future__ import annotations

from argparse import Namespace

from ..checking import MODELS, check_file, functions_of
from ..properties.specification import Specification
from ..report.text import verdict_lines
from .arguments import VALID, UsageError
from .console import as_plain, code_of, print_json, show

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Check one file, or list the models."""
    if options.list:
        described = {name: f"{_first_line(model)} [{', '.join(functions_of(model))}]" for name, model in MODELS.items()}
        if options.json:
            print_json(described)
        else:
            show(f"{name:<16} {text}" for name, text in described.items())
        return VALID
    if options.file is None:
        raise UsageError(f"check needs a FILE and --model NAME; models are {', '.join(MODELS)}")
    if not options.file.exists():
        raise UsageError(f"{options.file} cannot be read: No such file or directory")
    if options.model is None:
        raise UsageError(f"--model is missing: say what {options.file} is a history of, with one of {', '.join(MODELS)}")
    verdict = check_file(options.file, options.model, options.timeout)
    if options.json:
        print_json({"file": str(options.file), "model": options.model, **as_plain(verdict)})
    else:
        show(verdict_lines(verdict))
    return code_of(verdict.status)


def _first_line(model: Specification) -> str:
    return (type(model).__doc__ or "").strip().splitlines()[0]
