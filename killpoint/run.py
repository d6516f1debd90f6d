"""A run to look at: a record with everything that a person wants to ask of it.

`load` replays a schedule file with the full trace; `Run` then answers from the record, and runs the schedule again, up to a moment, when
asked what the hosts were at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .explore.catalog import find_scenario
from .properties.history import History, Operation, Value
from .properties.verdict import Status, Verdict
from .sim import codec
from .sim.record import Record
from .sim.scenario import Scenario
from .sim.schedule import Schedule
from .sim.session import Session, run
from .sim.trace import TraceEvent

if TYPE_CHECKING:
    from networkx import MultiDiGraph

__all__ = ["HostState", "Moment", "Run", "load", "parse_time"]


class HostState(msgspec.Struct, frozen=True):
    """One host at a moment: whether it lives, what it had observed, the files that its disk holds (bytes each)."""

    name: str
    alive: bool
    paused: bool
    incarnation: int
    observed: Mapping[str, Value]
    files: Mapping[str, int]


class Moment(msgspec.Struct, frozen=True):
    """The whole cluster at a moment (virtual seconds)."""

    time: float
    hosts: Mapping[str, HostState]
    cuts: tuple[tuple[str, str], ...]


def parse_time(text: str | float) -> float:
    """Virtual seconds from `0.35`, `"0.35 s"`, `"350 ms"`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(text, int | float):
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|ms|us)?\s*", text)
    if match is None:
        raise ValueError(f"{text!r} is no time: write 3.2s, 350ms or a number of seconds")
    return float(match[1]) * {"s": 1.0, "ms": 1e-3, "us": 1e-6}[match[2] or "s"]
