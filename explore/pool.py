"""Arguments from Hypothesis strategies, outside of a Hypothesis test.

A strategy can only be drawn from inside a running test, so a pool of examples is collected once per strategy, by a test that does
nothing else, with a fixed seed and no database.  Which values are in the pool depends on the version of Hypothesis; schedules
carry their arguments, so nothing that is kept depends on the pool.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..properties.history import Value
from ..sim.scenario import ScenarioError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["argument_pool"]

POOL = 100
_pools: dict[int, tuple[object, list[Value]]] = {}


def argument_pool(strategy: object) -> list[Value]:
    """Examples of a strategy, simple ones among them.  Cost: about 50 ms the first time.

    Raises:
        ScenarioError: it is not a Hypothesis strategy.
    """
    known = _pools.get(id(strategy))
    if known is not None and known[0] is strategy:
        return known[1]
    from hypothesis.strategies import SearchStrategy  # noqa: PLC0415  # half a second that only scenarios with strategies pay

    if not isinstance(strategy, SearchStrategy):
        use = "use a Hypothesis strategy, a list of values, or `unique`"
        raise ScenarioError(f"{strategy!r} does not say how to draw an argument: {use}")
    values: list[Value] = []
    _collect(strategy, values)
    _pools[id(strategy)] = (strategy, values)
    return values


def _collect(strategy: SearchStrategy[Value], values: list[Value]) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: PLC0415

    @seed(0)
    @settings(max_examples=POOL, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: Value) -> None:
        values.append(value)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
