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

from ..sim.scenario import Scenario

__all__ = ["UnknownScenarioError", "find_scenario", "reference_to", "scenario_names"]

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
    installed = scenario_names()
    try:
        if reference in installed:
            found = installed[reference].load()
        elif ":" in reference:
            module, _, name = reference.rpartition(":")
            found = getattr(_load(module), name)
        else:
            have = ", ".join(installed) or "none"
            raise UnknownScenarioError(
                f"there is no scenario {reference!r}; installed are {have}; your own is file.py:ClassName or package.module:ClassName"
            )
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise UnknownScenarioError(f"the scenario {reference!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Scenario)):
        raise UnknownScenarioError(f"{reference!r} is not a Scenario class but {found!r}")
    return found


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


def _load(module: str) -> object:
    """A module by dotted name, or by the path of its file."""
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
