"""`killpoint scenarios`: what is installed, and what each is about."""

from __future__ import annotations

from argparse import Namespace

from ..explore.catalog import find_scenario, scenario_names
from ..sim.scenario import Scenario, ScenarioError
from ..sim.validation import validated
from .arguments import VALID
from .console import print_json, show

__all__ = ["about", "run", "sound_scenario"]


def run(options: Namespace) -> int:
    """List the installed scenarios."""
    found = {name: find_scenario(name) for name in scenario_names()}
    if options.json:
        print_json(
            {
                name: {
                    "about": about(kind),
                    "hosts": list(kind.hosts),
                    "operations": list(kind.operations()),
                    "faults": list(kind.faults.names()),
                    "properties": [prop.name for prop in (*kind.properties, *kind.liveness)],
                    "mutants": list(kind.mutants),
                }
                for name, kind in found.items()
            }
        )
        return VALID
    for name, kind in found.items():
        show(
            [
                f"{name:<14} {about(kind)}",
                f"    hosts       {' '.join(kind.hosts)}",
                f"    operations  {' '.join(kind.operations())}",
                f"    faults      {' '.join(kind.faults.names())}",
                f"    properties  {', '.join(prop.name for prop in (*kind.properties, *kind.liveness))}",
                f"    mutants     {len(kind.mutants)} (killpoint mutants {name})",
            ]
        )
    return VALID


def sound_scenario(reference: str, mutant: str | None) -> type[Scenario]:
    """The scenario that a reference names, looked over with that mutant before anything else looks at it.

    Raises:
        UnknownScenarioError: there is no such scenario.
        ScenarioError: it has no such mutant, or something in it is wrong.
    """
    scenario = find_scenario(reference)
    problem = validated(scenario.mutant(mutant))
    if problem is not None:
        raise ScenarioError(problem)
    return scenario


def about(kind: type) -> str:
    """The first line of a docstring, as words."""
    return (kind.__doc__ or "").strip().partition("\n")[0].strip()
