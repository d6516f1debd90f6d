"""`killpoint mutants [SCENARIO]`: the planted bugs, their stories, and the shortest schedules known to expose them."""

from __future__ import annotations

import re
from argparse import Namespace

from ..explore.catalog import find_scenario, scenario_names
from ..report.wording import counted
from ..sim.scenario import Scenario
from .arguments import VALID
from .console import print_json, show
from .scenarios import about

__all__ = ["run"]


def run(options: Namespace) -> int:
    """List the mutants of one scenario, or of all that are installed."""
    references = [options.scenario] if options.scenario is not None else list(scenario_names())
    found = {
        reference: {name: scenario.mutant(name) for name in scenario.mutants}
        for reference in references
        for scenario in [find_scenario(reference)]
    }
    if options.json:
        print_json({reference: {name: _plain(kind) for name, kind in mutants.items()} for reference, mutants in found.items()})
        return VALID
    for reference, mutants in found.items():
        how = f"; try {'it' if len(mutants) == 1 else 'one'} with killpoint explore {reference} --mutant NAME" if mutants else ""
        show([f"{reference} has {counted(len(mutants), 'planted bug') if mutants else 'no planted bugs'}{how}"])
        for name, kind in mutants.items():
            show([f"    {name:<24} {about(kind)}", f"    {'':<24} minimal trigger: {_trigger(kind)}"])
    return VALID


def _trigger(kind: type[Scenario]) -> str:
    """What the docstring says of the minimal trigger."""
    told = re.search(r"Minimal trigger:\s*(.*?)(?:\n\s*\n|\Z)", kind.__doc__ or "", re.DOTALL)
    return " ".join(told[1].split()).rstrip(".") if told is not None else f"{kind.minimal} actions"


def _plain(kind: type[Scenario]) -> dict[str, object]:
    story = " ".join((kind.__doc__ or "").split())
    return {"about": about(kind), "story": story, "minimal_actions": kind.minimal, "trigger": _trigger(kind)}
