"""`killpoint check FILE --model NAME`: is a history that was recorded elsewhere right, and if not, why?

Right means linearizable, or what `--consistency NAME` says; for transactions (`list-append`, `rw-register`) isolated as
`--isolation LEVEL` says; for workloads (`bank`, `set-full`, `kafka`, ...) what they promise.  Several models may be asked about one
history.  `--html OUT` draws it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from ..checking import Question, examine_file, is_reference, models
from ..checking.limits import GRACE, Limits, available_megabytes
from ..pictures import Picture
from ..properties.progress import Interrupted
from ..properties.verdict import Status, Verdict
from ..report.text import verdict_lines
from .arguments import VALID, UsageError
from .child import in_child
from .console import as_plain, code_of, print_json, refuse_unwritable, show
from .reading import Reading

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
        refuse_unwritable(options.html, options.file)
    model = ",".join(options.model)
    verdict = _judged(model, options)
    if options.json:
        print_json({"file": str(options.file), "model": model, **as_plain(verdict)})
    else:
        show(verdict_lines(verdict))
        show([f"The picture is in {options.html}"] if options.html is not None and options.html.exists() else [])
    return code_of(verdict.status)


def _judged(model: str, options: Namespace) -> Verdict:
    """The verdict.  Specifications of somebody's own are asked in a child process, which can be ended whatever they do."""
    if not any(is_reference(name) for name in options.model):
        return _within_limits(model, options)
    verdict = in_child(lambda: _within_limits(model, options), options.timeout + GRACE)
    if verdict is None:
        why = f"not decided within {options.timeout:g} s, before the deadline, and what it was doing then could not be interrupted"
        verdict = Verdict(model, Status.UNKNOWN, why)
    return verdict


def _within_limits(model: str, options: Namespace) -> Verdict:
    """The verdict; `unknown` if a limit ends what gives none of itself, such as reading."""
    memory = options.memory
    if memory is None:
        available = available_megabytes()
        memory = None if available is None else available / 2
    try:
        with Limits(options.timeout, memory):
            question = Question.of(model, options.isolation, options.consistency, _settings(options.option))
            with Reading(quiet=options.json) as told:
                examined = examine_file(options.file, question, options.timeout, gaps=options.gaps, told=told)
    except Interrupted as stop:
        return Verdict(model, Status.UNKNOWN, str(stop))
    except MemoryError:
        return Verdict(model, Status.UNKNOWN, "not decided, as there is no more memory")
    if options.html is not None:
        try:
            Picture.of(examined, f"{options.file.name}, {model}", options.timeout).save(options.html)
        except OSError as error:
            raise UsageError(f"--html: {options.html} cannot be written: {error.strerror or error}") from None
    return examined.verdict


def _settings(words: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` as a dictionary."""
    settings = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--option takes NAME=VALUE, not {word}")
        settings[name] = value
    return settings
