"""`killpoint check FILE --model NAME`: is a history that was recorded elsewhere right, and if not, why?

Right means linearizable, or what `--consistency NAME` says; for transactions (`list-append`, `rw-register`) isolated as
`--isolation LEVEL` says.  `--html OUT` draws it.
"""

from __future__ import annotations

from argparse import Namespace

from ..checking import examine_file, models
from ..pictures import Picture
from ..report.text import verdict_lines
from .arguments import VALID, UsageError
from .console import as_plain, code_of, print_json, refuse_unwritable, show

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
    if options.html is not None:
        refuse_unwritable(options.html)
    asked = {"isolation": options.isolation, "consistency": options.consistency}
    examined = examine_file(options.file, options.model, options.timeout, **asked)
    verdict = examined.verdict
    picture = Picture.of(examined, f"{options.file.name}, {options.model}", options.timeout) if options.html is not None else None
    if picture is not None:
        try:
            picture.save(options.html)
        except OSError as error:
            raise UsageError(f"--html: {options.html} cannot be written: {error.strerror or error}") from None
    if options.json:
        print_json({"file": str(options.file), "model": options.model, **as_plain(verdict)})
    else:
        show(verdict_lines(verdict))
        show([f"The picture is in {options.html}"] if picture is not None else [])
    return code_of(verdict.status)
