"""Which stack frames belong to a program, and not to what runs it.

Sentences about programs (where one crashed, where one spins) name the line of the program: `host.send` to an unknown name fails
in `network.py`, but its author wants to read where he called it.
"""

from __future__ import annotations

import inspect
import os
import traceback
from pathlib import Path
from types import CodeType, FrameType

__all__ = ["authored", "awaited", "defined_at", "innermost", "is_program"]

_HERE = Path(__file__)
_OURS = tuple(f"{top.as_posix()}/{name}/" for top in (_HERE.parents[1], _HERE.resolve().parents[1]) for name in ("sim", "real"))
_CHECKERS = Path(__file__).parent.parent.as_posix() + "/properties/"
_PYTHON = Path(os.__file__).parent.as_posix() + "/"


def is_program(filename: str) -> bool:
    """True unless the file is part of the simulator, of trio, of its helper `outcome`, or of Python itself."""
    name = filename.replace("\\", "/")
    if name.startswith(_PYTHON) and "/site-packages/" not in name:
        return False
    return not (name.startswith((*_OURS, "<")) or "/trio/" in name or name.endswith("/outcome/_impl.py"))


def defined_at(function: object) -> str:
    """`file:line in name` of where a function, or the function of a coroutine, is defined; empty if it is not Python's."""
    while callable(function) and not hasattr(function, "__code__") and hasattr(function, "func"):
        function = function.func  # of functools.partial
    unwrapped = inspect.unwrap(function) if callable(function) else function
    code = getattr(unwrapped, "__code__", None) or getattr(unwrapped, "cr_code", None)
    return f"{code.co_filename}:{code.co_firstlineno} in {code.co_qualname}" if isinstance(code, CodeType) else ""


def authored(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of an exception that the scenario's author wrote: neither a checker of ours nor what runs programs."""
    frames: list[traceback.FrameSummary] = list(traceback.extract_tb(error.__traceback__))
    programs = [frame for frame in frames if is_program(frame.filename)]
    own = [frame for frame in programs if not frame.filename.replace("\\", "/").startswith(_CHECKERS)]
    return next((some[-1] for some in (own, programs, frames) if some), None)


def awaited(coroutine: object) -> object:
    """What a suspended coroutine or generator waits for, or None."""
    return getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def innermost(coroutine: object) -> str:
    """Where a suspended coroutine stands: its program's deepest frame."""
    place = "nowhere"
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        if is_program(frame.f_code.co_filename):
            place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        coroutine = awaited(coroutine)
    return place
