"""A campaign: schedule after schedule of one seed, until one fails or enough have passed.

The n-th schedule depends on the seed and on n only, so a campaign that was interrupted goes on where it stopped, and two halves of one
can run on two machines.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.session import run
from .generate import generate

__all__ = ["search"]

COLLECT_EVERY = 64
"""Runs between two garbage collections: dead worlds are cyclic."""


def search(
    scenario: type[Scenario],
    *,
    seed: int,
    examples: int,
    first: int = 0,
    mutant: str | None = None,
    budget: str | None = None,
    reference: str | None = None,
    each: Callable[[int, Record], None] = lambda _number, _record: None,
    stop: Callable[[], bool] = lambda: False,
) -> Record | None:
    """Run schedules `first` to `examples - 1`; the first failing record, or None.

    `each` is told of every finished run, the failing one included; `stop` is asked before every run.
    """
    freezing = gc.get_freeze_count() == 0  # else somebody has, and thaws it when he likes
    if freezing:
        gc.collect()
        gc.freeze()
    try:
        for number in range(first, examples):
            if stop():
                return None
            schedule = generate(scenario, seed, number, mutant=mutant, budget=budget)
            record = run(schedule.replace(scenario=reference or schedule.scenario), scenario)
            each(number, record)
            if record.failure is not None:
                return record
            if number % COLLECT_EVERY == COLLECT_EVERY - 1:
                gc.collect()
    finally:
        if freezing:
            gc.unfreeze()
    return None
