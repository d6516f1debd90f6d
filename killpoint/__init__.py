"""Killpoint: a Jepsen-style, property-based model checker for distributed systems written in Python on trio.

The names below are the public interface; everything else is reachable through its module (`killpoint.properties`,
`killpoint.sim`). They are imported when they are first asked for: pytest loads Killpoint's plugin into every project of the
environment, and a project that does not use it must not pay for trio, Hypothesis and networkx.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .explore.machine import machine
    from .pictures import Picture, draw
    from .run import Run, load
    from .sim import faults
    from .sim.host import Disk, Host, Message
    from .sim.scenario import Client, Failed, Scenario, Unknown, operation, planted, unique
    from .sim.schedule import Boundary, Call, Inject, Noise, Schedule
    from .sim.session import Session

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
    "Picture",
    "Run",
    "Scenario",
    "Schedule",
    "Session",
    "Unknown",
    "draw",
    "faults",
    "load",
    "machine",
    "operation",
    "planted",
    "unique",
]

_HOMES = {
    "explore.machine": ("machine",),
    "pictures": ("Picture", "draw"),
    "run": ("Run", "load"),
    "sim.host": ("Disk", "Host", "Message"),
    "sim.scenario": ("Client", "Failed", "Scenario", "Unknown", "operation", "planted", "unique"),
    "sim.schedule": ("Boundary", "Call", "Inject", "Noise", "Schedule"),
    "sim.session": ("Session",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name from where it is defined."""
    if name == "faults":
        return import_module(".sim.faults", __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'killpoint' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    """Every public name, imported or not."""
    return sorted({*globals(), *__all__})
