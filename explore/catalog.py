"""Finding scenarios by name.

A reference is the name of an entry point of the group `killpoint.scenarios` (`civictrust`), or `path/to/file.py:ClassName`, or
`package.module:ClassName`.  A user's scenario is thereby no different from a bundled one.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ..sim.faults import chosen
from ..sim.frames import authored
from ..sim.scenario import Scenario

__all__ = ["UnknownScenarioError", "find_scenario", "module_of", "reference_to", "scenario_names", "with_faults"]

GROUP = "killpoint.scenarios"


class UnknownScenarioError(LookupError):
    """No scenario of that name: says what there is."""

    def __str__(self) -> str:
        return str(self.args[0])


def scenario_names() -> dict[str, EntryPoint]:
    """Installed scenarios by name, sorted."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def find_scenario(reference: str) -> type[Scenario]:
    """The scenario that a reference names.

    Raises:
        UnknownScenarioError: there is none, or its module cannot be imported.
    """
    try:
        found = _load(reference)
    except UnknownScenarioError:
        raise
    except Exception as error:  # a module may raise anything while it is imported
        frame = authored(error)
        where = f" ({frame.filename}, line {frame.lineno})" if frame is not None and frame.filename != __file__ else ""
        said = f"{type(error).__name__}: {error}{where}"
        raise UnknownScenarioError(f"the scenario {reference!r} cannot be loaded: {said}") from error
    if not (isinstance(found, type) and issubclass(found, Scenario)):
        raise UnknownScenarioError(f"{reference!r} is not a Scenario class but {found!r}")
    return found


def with_faults(scenario: type[Scenario], names: str | None) -> type[Scenario]:
    """The scenario with other faults: `all`, or kinds by name with commas between; as it is for None.

    Raises:
        FaultError: there is no such kind.
    """
    if names is None:
        return scenario

    def mutant(kind: type[Scenario], name: str | None) -> type[Scenario]:
        return kind if name is None else scenario.mutant(name)

    members = {"faults": chosen(names, scenario.cast()), "mutant": classmethod(mutant), "__doc__": scenario.__doc__}
    members |= {"__module__": scenario.__module__, "__qualname__": scenario.__qualname__}
    return type(scenario.__name__, (scenario,), members)


def reference_to(scenario: type[Scenario]) -> str:
    """A reference by which `find_scenario` finds a scenario again, from the same folder."""
    for name, point in scenario_names().items():
        if point.value == f"{scenario.__module__}:{scenario.__qualname__}":
            return name
    source = getattr(sys.modules.get(scenario.__module__), "__file__", None)
    if source is None or "." in scenario.__module__:
        return f"{scenario.__module__}:{scenario.__qualname__}"
    path = Path(source)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{scenario.__qualname__}"


def _load(reference: str) -> object:
    """Whatever a reference names."""
    installed = scenario_names()
    if reference in installed:
        return installed[reference].load()
    if ":" not in reference and reference.endswith(".py"):
        raise UnknownScenarioError(_which_of(reference))
    if ":" not in reference:
        have = ", ".join(installed) or "none"
        raise UnknownScenarioError(
            f"there is no scenario {reference!r}; installed are {have}; your own is file.py:ClassName or package.module:ClassName"
        )
    file, _, name = reference.rpartition(":")
    module = module_of(file)
    if not hasattr(module, name):
        have = ", ".join(_scenarios_of(module)) or "none"
        raise UnknownScenarioError(f"{file} has nothing called {name!r}; its scenarios: {have}")
    return getattr(module, name)


def _which_of(file: str) -> str:
    """What to say to a file without a class: which scenarios are in it."""
    if not Path(file).is_file():
        return f"there is no file {file}"
    own = _scenarios_of(module_of(file))
    if not own:
        return f"{file} defines no class that derives from Scenario"
    return f"{file} is a file; say which of its scenarios: {', '.join(f'{file}:{name}' for name in own)}"


def _scenarios_of(module: object) -> list[str]:
    """The scenarios that a module defines, in order."""
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Scenario)]
    return list(dict.fromkeys(kind.__qualname__ for kind in classes if kind.__module__ == getattr(module, "__name__", None)))


def module_of(module: str) -> object:
    """A module by dotted name, or by the path of its file; whatever it raises while it is imported is raised."""
    if not module.endswith(".py"):
        return importlib.import_module(module)
    path = Path(module).resolve()
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        raise ImportError(f"there is no file {module}")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    # Its neighbours may be imported too, as pytest allows.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return loaded
