"""Code of the scenario's author that the simulator calls, other than programs of hosts: properties, faults, how faults are drawn.

It may fail.  That says nothing about the system, so it is neither a violation nor a crash of a host: the run ends with an `AuthorError`,
one sentence that says which part of the scenario, where in its author's code, and why.
"""

from __future__ import annotations

from ..properties.history import HistoryError
from .frames import authored

__all__ = ["AuthorError", "at", "told"]


class AuthorError(ValueError):
    """A part of a scenario failed: says which, where, and of what."""


def told(error: Exception) -> str:
    """What was raised, and the author's line: neither ours nor the standard library's, if there is one."""
    try:
        said = str(error)
    except Exception:  # noqa: BLE001  # of the program
        said = "whose text cannot be made"
    # Ours are whole sentences.
    what = said if isinstance(error, HistoryError) else f"{type(error).__name__}{f': {said}' if said else ''}"
    frame = authored(error)
    where = at(f"{frame.filename}:{frame.lineno} in {frame.name}") if frame is not None else ""
    if where in what:  # of a specification, which is told with its line
        where = ""
    return "; ".join([what + where, *map(str, getattr(error, "__notes__", ()))])


def at(where: str) -> str:
    """A place in brackets, if there is one."""
    return f" ({where})" if where else ""
