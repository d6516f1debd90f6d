"""What all writers have in common: what they give, what they complain of, and how processes get numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..history import Complete, History, HistoryError, Invoke, Observe

__all__ = ["Export", "ExportError", "number_processes", "renumbered", "unseen"]

SHOWN = 6
LONGEST_NUMBER = 18


class Export(NamedTuple):
    """A history in another format: its bytes in parts, and what was left out, one sentence each."""

    parts: Iterable[bytes]
    notes: tuple[str, ...]


class ExportError(HistoryError):
    """A history that cannot be written in some format: says why, and because of which operation."""


def number_processes(history: History) -> dict[str, int]:
    """A number for each process: its own if its name is one, else the next that is free, in the order of appearance."""
    names = dict.fromkeys(event.process for event in history if isinstance(event, Invoke))
    numbers = {name: int(name) for name in names if _is_number(name)}
    free = max(numbers.values(), default=-1) + 1
    for name in names:
        if name not in numbers:
            numbers[name] = free
            free += 1
    return numbers


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= LONGEST_NUMBER and (name == "0" or name[0] != "0")


def renumbered(numbers: dict[str, int]) -> list[str]:
    """The note on processes whose numbers are not their names."""
    given = [f"{name} is {number}" for name, number in numbers.items() if name != str(number)]
    if not given:
        return []
    more = f" and so on ({len(given)} in all)" if len(given) > SHOWN else ""
    return [f"processes are numbers there: {', '.join(given[:SHOWN])}{more}"]


def unseen(history: History) -> list[str]:
    """The notes on what no other format holds."""
    notes = []
    if observations := sum(isinstance(event, Observe) for event in history):
        notes.append(f"what hosts said of themselves was left out ({observations} times): only our own format has a place for it")
    events = [event for event in history if not isinstance(event, Observe)]
    if any(event.index != place for place, event in enumerate(events)):
        notes.append("events are numbered anew, from 0")
    invocations = [event.operation for event in events if isinstance(event, Invoke)]
    if any(number != place for place, number in enumerate(invocations)):
        notes.append("operations are numbered anew, from 0")
    ends = [event for event in events if isinstance(event, Invoke | Complete)]
    if any(event.time < 0 for event in events):
        raise ExportError(f"event {ends[0].index} is before the beginning of time, at {ends[0].time} s")
    return notes
