"""Is a scenario well formed?  Asked once per class, before anything runs.

Slips in a class body (`faults = faults.kills` without the call, one property instead of a list) otherwise surface deep inside a run,
as exceptions that name none of the author's own lines; or never, as `fault = faults.kills()` does, with which nothing is ever struck.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from weakref import WeakSet

from ..properties.verdict import Property
from .mix import FaultMix
from .scenario import Scenario

__all__ = ["problems", "validated"]

NEAR = 0.82
"""From which similarity on (difflib's ratio) a name is taken for a misspelt one; `rules` and `roles` are at 0.8."""

UNHARMED = ("name", "minimal")
"""Declarations of which a misspelt one does no harm, while `names` is what anybody may call something of his own."""

NAMES = ("roles", "phases", "keys", "killpoints")

_valid: WeakSet[type[Scenario]] = WeakSet()


def validated(scenario: type[Scenario]) -> str | None:
    """The first thing that is wrong with a scenario, as a sentence, or None."""
    if scenario in _valid:
        return None
    problem = next(problems(scenario), None)
    if problem is not None:
        return f"{scenario.__name__}: {problem}"
    _valid.add(scenario)
    return None


def problems(scenario: type[Scenario]) -> Iterator[str]:
    """All that is wrong with a scenario, one sentence each."""
    yield from _misspelt(scenario)
    for attribute in ("hosts", "outsiders", "spares"):
        programs = getattr(scenario, attribute)
        if not isinstance(programs, Mapping):
            yield f"`{attribute}` maps names to programs, and is not {_kind(programs)}"
        else:
            for name, program in programs.items():
                if not callable(program):
                    yield f"the program of {name!r} is an `async def` with one argument, the host, and not {_kind(program)}"
    yield from _about_versions(scenario)
    if not scenario.hosts:
        yield "it has no hosts: set `hosts` to a mapping from names to programs"
    if not isinstance(scenario.clients, int) or scenario.clients < 1:
        yield f"`clients` is how many client hosts there are, at least 1, and not {scenario.clients!r}"
    else:
        every = [*scenario.hosts, *scenario.client_names(), *scenario.outsiders, *scenario.spares]
        for name in dict.fromkeys(name for place, name in enumerate(every) if name in every[:place]):
            yield f"it has two hosts called {name!r}: names are addresses and must differ"
    tolerates: object = scenario.tolerates
    if tolerates is not None and (not isinstance(tolerates, int) or tolerates < 0):
        yield f"`tolerates` is how many hosts may be impaired at once, from 0 on, or None for a minority, and not {tolerates!r}"
    if not isinstance(scenario.faults, FaultMix):
        yield f"`faults` is a mix such as faults.kills() | faults.partitions(), and not {_kind(scenario.faults)}"
    elif "compromise-key" in scenario.faults.names() and not scenario.keys:
        yield "it has key_compromise() among its faults, but no `keys` that could be stolen"
    for attribute in ("properties", "liveness"):
        yield from _about_properties(attribute, getattr(scenario, attribute))
    for attribute in NAMES:
        names = getattr(scenario, attribute, ())
        if not isinstance(names, Sequence) or isinstance(names, str):
            yield f"`{attribute}` is a sequence of names, and not {names!r}"
    for attribute in ("settings", "mutants"):
        if not isinstance(getattr(scenario, attribute), Mapping):
            yield f"`{attribute}` is a mapping, and not {_kind(getattr(scenario, attribute))}"
            return
    for name, values in scenario.settings.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            yield f"setting {name!r} is a sequence of values to draw from, the simplest first, and not {values!r}"
    for name, spec in scenario.operations().items():
        yield from _about_operation(name, spec.function, tuple(spec.arguments))


def _about_versions(scenario: type[Scenario]) -> Iterator[str]:
    if not isinstance(scenario.versions, Mapping):
        yield f"`versions` maps names to programs by host, and is not {_kind(scenario.versions)}"
        return
    for version, programs in scenario.versions.items():
        known = isinstance(programs, Mapping) and set(programs) <= {*scenario.hosts, *scenario.spares}
        if not known or not all(map(callable, programs.values())):
            yield f"version {version!r} maps names of hosts to their programs, `async def`s with one argument, and not {programs!r}"


def _misspelt(scenario: type[Scenario]) -> Iterator[str]:
    """Attributes that are nearly called as one that scenarios declare; unlike a declaration they would be ignored without a word."""
    declared = [name for name in inspect.get_annotations(Scenario) if name not in UNHARMED]
    for kind in scenario.__mro__:
        for name, value in vars(kind).items():
            meant = next((other for other in declared if _near(name, other)), None)
            if meant is not None and not hasattr(Scenario, name) and not _is_own(name, value):
                yield f"`{name}` means nothing to a scenario: did you mean `{meant}`?  Else give it a name less like that one"


def _near(name: str, declared: str) -> bool:
    """Whether it is the singular, the same letters in another order, or begins alike and goes on much alike."""
    singular = declared.removesuffix("ies") + "y" if declared.endswith("ies") else declared.removesuffix("s")
    if name == singular or sorted(name) == sorted(declared):
        return True
    return name[0] == declared[0] and SequenceMatcher(None, name, declared).ratio() >= NEAR


def _is_own(name: str, value: object) -> bool:
    """Whether an attribute is surely the author's own: a method, a class, or what no declaration is."""
    defined = isinstance(value, property | staticmethod | classmethod) or getattr(value, "__name__", None) == name
    return defined or value is None or isinstance(value, str)


def _about_properties(attribute: str, properties: object) -> Iterator[str]:
    if not isinstance(properties, Sequence):
        yield f"`{attribute}` is a list of properties, and not {_kind(properties)}"
        return
    for prop in properties:
        if isinstance(prop, type) or not isinstance(prop, Property):
            yield f"`{attribute}` holds {_kind(prop)}, which is no property: it needs a name and start()"


def _about_operation(name: str, function: Callable[..., object], arguments: tuple[str, ...]) -> Iterator[str]:
    if not inspect.iscoroutinefunction(function):
        yield f"operation {name} must be an `async def`"
        return
    parameters = list(inspect.signature(function).parameters.values())[2:]
    takes = {parameter.name for parameter in parameters}
    needs = {parameter.name for parameter in parameters if parameter.default is parameter.empty}
    missing, unknown = sorted(needs - set(arguments)), sorted(set(arguments) - takes)
    if missing:
        yield f"operation {name} takes {missing[0]!r}, but @operation does not say how to draw it"
    if unknown:
        yield f"@operation of {name} draws {unknown[0]!r}, which the operation does not take"


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
