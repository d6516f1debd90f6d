"""Letting faults strike and end.  They are code of the scenario's author too: what goes wrong in them is told in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .authors import AuthorError, at, told
from .fault import EFFECTS, Fault, FaultError, FaultOutcome
from .frames import defined_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import World

__all__ = ["end", "strike"]


def strike(fault: Fault, number: int, world: World) -> FaultOutcome:
    """Let the fault of the `number`-th action take effect; what it did.

    Raises:
        FaultError: its author's code raised, or did not say what it did.
    """
    try:
        result: object = fault.strike(world)
    except AuthorError:  # of a property, which saw what the fault did
        raise
    except Exception as error:
        raise FaultError(f"{_named(fault, number, world)} failed to strike: {told(error)}") from error
    if not isinstance(result, FaultOutcome) or result.effect not in EFFECTS or not set(result.hosts) <= set(world.machines):
        needed = f"it must return a FaultOutcome, with one of {', '.join(EFFECTS)} as its effect and names of hosts"
        raise FaultError(f"{_named(fault, number, world)} returned {result!r}{at(defined_at(fault.strike))}: {needed}")
    return result


def _named(fault: Fault, number: int, world: World) -> str:
    return f"the fault {fault.describe()} (action {number + 1}, at {world.now:.6f} s)"


def end(fault: Fault | None, how: Callable[[], None], world: World) -> None:
    """Let a fault end; None is one that no action stands for.

    Raises:
        FaultError: its author's code raised.
    """
    try:
        how()
    except AuthorError:  # of a property, which saw what ended
        raise
    except Exception as error:
        which = f"the fault {fault.describe()}" if fault is not None else "a fault"
        raise FaultError(f"{which} failed to end at {world.now:.6f} s: {told(error)}") from error
