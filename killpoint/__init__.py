"""Killpoint: a Jepsen-style, property-based model checker for distributed systems written in Python on trio.

The names below are the public interface; everything else is reachable through its module (`killpoint.properties`, `killpoint.sim`).
"""

from typing import TYPE_CHECKING

from .sim import faults
from .sim.host import Disk, Host, Message
from .sim.scenario import Client, Failed, Scenario, Unknown, operation, unique
from .sim.schedule import Boundary, Call, Inject, Noise, Schedule
from .sim.session import Session

if TYPE_CHECKING:
    from .explore.machine import machine
    from .run import Run, load

__all__ = [
    "Boundary",
    "Call",
    "Client",
    "Disk",
    "Failed",
    "Host",
    "Inject",
    "Message",
    "Noise",
    "Run",
    "Scenario",
    "Schedule",
    "Session",
    "Unknown",
    "faults",
    "load",
    "machine",
    "operation",
    "unique",
]

_LAZY = {"machine": "killpoint.explore.machine", "Run": "killpoint.run", "load": "killpoint.run"}


def __getattr__(name: str) -> object:
    """Hypothesis and networkx take half a second each to import: only those who use them pay."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'killpoint' has no attribute {name!r}")
