"""A scenario: a system under test, what clients do to it, what may go wrong, and what must hold.

A scenario is a class.  Its hosts are ordinary trio programs; its operations are methods marked with `@operation`, run on client hosts
of their own; its `faults` say what the world may do to it and its `properties` what must hold of every run.

::

    class ReplicatedRegister(Scenario):
        hosts = {name: replica for name in ("n1", "n2", "n3")}
        faults = faults.kills() | faults.partitions()
        properties = [Linearizable(Register())]

        @operation(value=unique)
        async def write(self, client, value): ...

An instance is made for every run, so attributes that a program sets on it do not outlive the run.

How an operation ends is what the client knows: returning is `ok`; raising `Failed` is `fail` (it certainly did not happen); raising
`Unknown`, or trio.TooSlowError, or running out of the operation's own time-out, is `info` (nobody knows).  Any other exception is a
bug in the client's code and fails the run.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from ..properties.history import Value
from ..properties.verdict import Property
from .authors import at
from .frames import defined_at
from .machine import SimHost
from .mix import Cast, FaultMix
from .noise import keyed_integer

if TYPE_CHECKING:
    from .world import World

__all__ = ["Client", "Failed", "OperationSpec", "Scenario", "ScenarioError", "Unknown", "operation", "planted", "unique"]


class Failed(Exception):  # noqa: N818  # how operations end: Failed, Unknown
    """Raised by an operation that certainly did not happen."""


class Unknown(Exception):  # noqa: N818
    """Raised by an operation of which the client cannot know whether it happened."""


class ScenarioError(ValueError):
    """A scenario that cannot be run: says which, and what to change."""


class _Unique:
    """An argument that never repeats within a run: checkers decide unique values fastest."""

    def __repr__(self) -> str:
        return "unique"


unique = _Unique()
"""As an operation's argument: successive integers from 1, so that no two calls of a run use the same."""


class Client(SimHost):
    """The host that an operation runs on.  `servers` are the system's hosts; `memory` is this client's own, across operations.

    `random` is new for every operation, keyed by the client and the time of the call: taking another call out of a schedule does not
    change which server this one chooses.
    """

    __slots__ = ("_called", "_random", "memory", "servers")

    def __init__(self, machine: Any) -> None:  # a Machine; handles are made by the world only
        super().__init__(machine)
        self.servers = machine.world.system
        self.memory: dict[str, Value] = {}
        self._called = 0.0
        self._random: Random | None = None

    def begin(self, time: float) -> None:
        """An operation begins (virtual seconds)."""
        self._called = time
        self._random = None

    @property
    def random(self) -> Random:
        """Entropy of the operation under way."""
        if self._random is None:
            self._random = Random(keyed_integer(self.world.seed, "operation", self.name, self._called))
        return self._random


class OperationSpec(msgspec.Struct, frozen=True):
    """One kind of client operation: its name, how its arguments are drawn, its time-out (seconds), its share of the calls.

    `final` operations are called once, on the first client, when the calm phase has settled.
    """

    name: str
    function: Callable[..., Awaitable[Value]]
    arguments: Mapping[str, object]
    timeout: float
    weight: float
    final: bool
    types: Mapping[str, object]


_Method = TypeVar("_Method", bound=Callable[..., Awaitable[Any]])


def operation(
    *misused: object, timeout: float = 2.0, weight: float | None = None, final: bool = False, **arguments: object
) -> Callable[[_Method], _Method]:
    """Mark an async method of a scenario as a client operation.

    Keyword arguments say how its arguments are drawn: a Hypothesis strategy, `unique`, or a sequence of values to choose from.
    `timeout` is in virtual seconds; an operation that takes longer ends `info`.  `weight` is its share of the calls, 1 if not given.
    A `final` operation is called by the run itself, once all faults have ended (an audit of what is there); it is drawn by generators
    only if it is given a weight.

    Raises:
        ScenarioError: it was used without brackets.
    """
    if misused:
        raise ScenarioError(f"write @operation() and not @operation{at(defined_at(misused[0]))}: what is in the brackets says how to draw")

    def mark(method: _Method) -> _Method:
        share = weight if weight is not None else 0.0 if final else 1.0
        method.__killpoint_operation__ = (timeout, share, final, arguments)  # type: ignore[attr-defined]
        return method

    return mark


class Scenario:
    """Base of all scenarios; see the module docstring.  Class attributes:

    `hosts`: programs by host name.  `spares`: likewise, of hosts that do not run until a fault adds them.  `versions`: by name, other
    programs for these hosts, for rolling restarts.  `clients`: how many client hosts (c1, c2, ...).  `outsiders`: hosts that are neither.
    `faults`: a mix, see `faults.py`.  `properties`: what must hold.  `liveness`: what must hold besides, in quorum-safe runs.
    `roles`: roles that hosts observe and faults may aim at.  `phases`: likewise phases, in which faults may strike.  `keys`: keys
    that can be stolen.  `killpoints`: kill points that actions may wait for (if there are none, those that are seen).
    `tolerates`: how many system hosts may be impaired at once (default: a minority).
    `settings`: parameters of a run with the values to draw from, the simplest first.  `calm`: virtual seconds between the end of
    the faults and the final operations.  `mutants`: planted bugs by name, each a subclass, as `module:ClassName` (see `planted`).
    `minimal`: of a planted bug, how many actions its shortest known trigger has.
    """

    name: ClassVar[str] = ""
    hosts: Mapping[str, Callable[[Any], Awaitable[None]]] = {}
    clients: ClassVar[int] = 3
    outsiders: Mapping[str, Callable[[Any], Awaitable[None]]] = {}
    spares: Mapping[str, Callable[[Any], Awaitable[None]]] = {}
    versions: Mapping[str, Mapping[str, Callable[[Any], Awaitable[None]]]] = {}
    faults: ClassVar[FaultMix] = FaultMix()
    properties: Sequence[Property] = ()
    liveness: Sequence[Property] = ()
    roles: ClassVar[Sequence[str]] = ()
    phases: ClassVar[Sequence[str]] = ()
    keys: ClassVar[Sequence[str]] = ()
    killpoints: ClassVar[Sequence[str]] = ()
    tolerates: ClassVar[int | None] = None
    settings: ClassVar[Mapping[str, Sequence[Value]]] = {}
    calm: ClassVar[float] = 3.0
    mutants: ClassVar[Mapping[str, str]] = {}
    minimal: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        """Refuses planted bugs under the name of the method that picks one.

        Raises:
            ScenarioError: there are any.
        """
        super().__init_subclass__()
        if isinstance(cls.mutant, Mapping):
            raise ScenarioError(f"{cls.__name__}: `mutant` is what picks a planted bug: did you mean `mutants`?")

    @classmethod
    def operations(cls) -> dict[str, OperationSpec]:
        """The operations by name, in order of definition, base classes first."""
        found: dict[str, OperationSpec] = {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                mark = getattr(member, "__killpoint_operation__", None)
                if mark is not None:
                    timeout, weight, final, arguments = mark
                    types = {n: t for n, t in inspect.get_annotations(member, eval_str=True).items() if n in arguments}
                    # A subclass may replace the method and leave how it is drawn to the base.
                    found[name] = OperationSpec(name, getattr(cls, name), arguments, timeout, weight, final, types)
        return found

    @classmethod
    def cast(cls) -> Cast:
        """Who can be struck."""
        return Cast(tuple(cls.hosts), tuple(cls.roles), tuple(cls.keys), tuple(cls.versions), tuple(cls.spares))

    @classmethod
    def client_names(cls) -> tuple[str, ...]:
        """c1, c2, ..."""
        return tuple(f"c{number}" for number in range(1, cls.clients + 1))

    @classmethod
    def survives(cls) -> int:
        """How many system hosts may be impaired at once in a quorum-safe run."""
        return cls.tolerates if cls.tolerates is not None else (len(cls.hosts) - 1) // 2

    @classmethod
    def label(cls) -> str:
        """How reports call it."""
        return cls.name or cls.__name__

    @classmethod
    def mutant(cls, name: str | None) -> type[Scenario]:
        """The scenario with a planted bug, or itself for None.

        Raises:
            ScenarioError: there is no mutant of that name.
        """
        if name is None:
            return cls
        if name not in cls.mutants:
            raise ScenarioError(f"{cls.label()} has no mutant {name!r}; it has {', '.join(cls.mutants) or 'none'}")
        module, _, attribute = cls.mutants[name].partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert issubclass(found, cls)
        return found  # type: ignore[no-any-return]  # narrowed by the assertion above

    @classmethod
    def code_digest(cls) -> str:
        """A digest of the source files that define the scenario: its module, or the whole package that it stands in."""
        files: set[Path] = set()
        for base in cls.__mro__:
            module = sys.modules.get(base.__module__)
            source = getattr(module, "__file__", None)
            if base in (Scenario, object) or source is None:
                continue
            path = Path(source)
            in_package = bool(getattr(module, "__package__", ""))
            files.update(path.parent.glob("**/*.py") if in_package else [path])
        digest = hashlib.sha256()
        for path in sorted(files):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:16]

    def compromise(self, world: World, key: str) -> tuple[str, ...]:  # noqa: ARG002  # for subclasses
        """A key was stolen: tell the thief.  Returns the hosts concerned; nothing happens if empty."""
        return ()

    def notice(self, world: World, key: str) -> None:
        """The theft was noticed: begin to revoke."""

    def added(self, world: World, host: str) -> None:
        """A spare host has been started: tell the system, if it needs to be told."""

    def removed(self, world: World, host: str) -> None:
        """A host is gone for good: tell the system, if it needs to be told."""


def planted(module: str, *classes: str) -> dict[str, str]:
    """`mutants` for classes of one module, which is imported only when one is asked for: `AckBeforeFsync` is `ack-before-fsync`."""
    return {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): f"{module}:{name}" for name in classes}
