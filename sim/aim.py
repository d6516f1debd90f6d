"""Aiming: which machine a target means, and which action strikes when a boundary is crossed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ..properties.history import Value
from .fault import ANY
from .noise import keyed_integer

__all__ = ["Aim", "Armed", "Target"]


class Target(Protocol):
    """A machine, as far as aiming goes."""

    name: str
    role: str
    observed: dict[str, Value]
    armed: dict[str, list[Armed]]

    @property
    def alive(self) -> bool:
        """True while a program runs there."""
        ...

    def disarm(self, armed: Armed) -> None:
        """Let an action wait there no more."""
        ...


class Armed:
    """An action that waits for a boundary: strikes at the `remaining`-th crossing of `event` from now.

    With a `role`, crossings count only of the host that holds it at that moment; such an action waits on every host at once.
    With a `phase`, they count only while the host is in it.  `number` is the order of arming.
    """

    __slots__ = ("event", "number", "phase", "remaining", "role", "strike")

    def __init__(self, number: int, event: str, role: str | None, phase: str, remaining: int, strike: Callable[[], None]) -> None:
        self.number = number
        self.event = event
        self.role = role
        self.phase = phase
        self.remaining = remaining
        self.strike = strike

    def counts(self, machine: Target) -> bool:
        """True if a machine that crosses the boundary now is what this waits for."""
        observed = machine.observed
        return (self.role is None or self.role == observed.get("role")) and (not self.phase or self.phase == observed.get("phase"))


_Machine = TypeVar("_Machine", bound=Target)


class Aim(Generic[_Machine]):
    """The part of a world that knows who is meant.  `crossing` is the machine at whose boundary a fault is striking, if any."""

    def __init__(self) -> None:
        self.machines: dict[str, _Machine] = {}
        self.crossing: _Machine | None = None
        self.seed = 0

    def fail(self, error: Exception) -> None:
        """A fault failed to strike."""
        raise NotImplementedError

    def resolve(self, target: str) -> _Machine | None:
        """The live machine that a target means: by name, or the holder of a role such as `leader`; None if there is none.

        A role's holder is the live host that last observed that role: the one whose boundary crossing made the fault strike, if it
        is one of them, else the one with the highest term, then by name.  `any` is the host at whose boundary the fault strikes.
        """
        machine = self.machines.get(target)
        if machine is None and self.crossing is not None and target in (ANY, self.crossing.observed.get("role")):
            machine = self.crossing
        if machine is not None:
            return machine if machine.alive else None
        holders = [m for m in self.machines.values() if m.alive and m.observed.get("role") == target]
        return min(holders, key=lambda m: (-_term(m), m.name), default=None)

    def resolve_several(self, target: str, key: int) -> list[_Machine]:
        """The live machines that a target means: a `minority`, a `majority` or `all` of the system, a number of its hosts, or one.

        Which ones of a count is a function of the run's seed and of the key.
        """
        system = [machine for machine in self.machines.values() if machine.role == "system"]
        counts = {"minority": (len(system) - 1) // 2, "majority": len(system) // 2 + 1, "all": len(system)}
        count = counts.get(target, int(target) if target.isdecimal() and target not in self.machines else None)
        if count is None or target in self.machines:
            machine = self.resolve(target)
            return [machine] if machine is not None else []
        chosen = sorted(system, key=lambda machine: keyed_integer(self.seed, "several", key, machine.name))[:count]
        return [machine for machine in chosen if machine.alive]

    def cross(self, machine: _Machine, *events: str) -> None:
        """A host with armed actions crosses a boundary."""
        ready: Armed | None = None
        for event in events:
            for armed in machine.armed.get(event, ()):
                if armed.counts(machine):
                    armed.remaining -= 1
                    if armed.remaining <= 0 and (ready is None or armed.number < ready.number):
                        ready = armed
        if ready is not None:
            # One strike per crossing: others that are due wait for the next, so that several make a series and not a heap.
            for other in self.machines.values():
                other.disarm(ready)
            outer, self.crossing = self.crossing, machine
            try:
                ready.strike()
            except Exception as error:  # noqa: BLE001  # of a fault, which is the scenario's
                self.fail(error)
            finally:
                self.crossing = outer


def _term(machine: Target) -> int:
    term = machine.observed.get("term")
    return term if isinstance(term, int) else 0
