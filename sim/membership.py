"""Who belongs to the system, and which program they run: what changes when a cluster is reconfigured or upgraded.

A scenario's `spares` are machines that are there and do not run until they are added.  What is added is one of the system's hosts from then
on, to faults and to the budget; what is removed counts as impaired to the end, since the others go on without it, and is never begun
again.  A program is told of its peers when it begins, as by a file of configuration that was changed meanwhile: those that run go on with
what they were told.  What else a system needs to be told (a command of its protocol) is said by `Scenario.added` and `Scenario.removed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from .aim import Aim, Target

if TYPE_CHECKING:
    from .scenario import Scenario
    from .world import World

__all__ = ["REMOVED", "SPARE", "Member", "Membership"]

SPARE, REMOVED = "spare", "removed"
"""Roles of machines that run no program."""


class Member(Target, Protocol):
    """A machine, as far as belonging goes."""

    def install(self, program: Callable[[Any], Any], version: str) -> None:
        """What it begins next is another version."""
        ...


_Machine = TypeVar("_Machine", bound=Member)


class Membership(Aim[_Machine]):
    """The part of a world that knows who belongs to the system: `system` are the names of its hosts, past and present."""

    def __init__(self) -> None:
        super().__init__()
        self.system: tuple[str, ...] = ()
        self.scenario: Scenario | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The system's hosts as a file of configuration would list them now."""
        return tuple(name for name in self.system if self.machines[name].role != REMOVED)

    def incident(self, kind: str, host: str | None = None, cause: int | None = None, **detail: Any) -> int:
        """Record that something happened."""
        raise NotImplementedError

    def start(self, machine: _Machine) -> None:
        """Begin the first program of a machine."""
        raise NotImplementedError

    def kill(self, machine: _Machine, *, keep: str | None = None, cause: int | None = None) -> str:
        """Stop a host."""
        raise NotImplementedError

    def spare(self, name: str = "") -> _Machine | None:
        """A machine that was not added yet, by name or the first; None if there is none."""
        spares = [machine for machine in self.machines.values() if machine.role == SPARE]
        return next((machine for machine in spares if not name or machine.name == name), None)

    def add(self, machine: _Machine, cause: int | None = None) -> None:
        """A spare machine joins the system."""
        machine.role = "system"
        self.system = (*self.system, machine.name)
        self.incident("add", machine.name, cause)
        self.start(machine)
        if self.scenario is not None:
            self.scenario.added(self._world(), machine.name)

    def remove(self, machine: _Machine, cause: int | None = None) -> None:
        """A machine leaves the system for good, disk and all."""
        self.kill(machine, cause=cause)
        machine.role = REMOVED
        self.incident("remove", machine.name, cause)
        if self.scenario is not None:
            self.scenario.removed(self._world(), machine.name)

    def install(self, machine: _Machine, version: str) -> None:
        """What a machine begins next is the program of another version of the scenario; of the first for an empty name."""
        assert self.scenario is not None
        programs = self.scenario.versions[version] if version else {**self.scenario.hosts, **self.scenario.spares}
        if machine.name in programs:
            machine.install(programs[machine.name], version)

    def compromise(self, key: str) -> tuple[str, ...]:
        """A key was stolen; the scenario knows who profits."""
        return self.scenario.compromise(self._world(), key) if self.scenario is not None else ()

    def notice(self, key: str) -> None:
        """The theft was noticed; the scenario knows what is done about it."""
        if self.scenario is not None:
            self.scenario.notice(self._world(), key)

    def _world(self) -> World:
        return cast("World", self)
