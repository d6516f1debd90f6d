"""Freeing what dead programs have left behind.

A killed program's frames are kept as they stand, since freeing them runs its clean-up code.  When the run is over they are freed, with
every handle fenced and everything that they print or raise discarded.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING
from weakref import WeakSet

from .interpose import logs
from .watchdog import NeverYieldsError, watchdog

if TYPE_CHECKING:
    from .machine import Machine
    from .trio_driver import Engine
    from .world import World

__all__ = ["bury", "collect", "open_worlds"]

open_worlds: WeakSet[World] = WeakSet()
"""Worlds that have not been buried."""


def bury(world: World, dead: Sequence[tuple[Machine, Engine]]) -> None:
    """Free programs of a world that is over."""
    if dead:
        with world.drive:
            for machine, engine in dead:
                _bury(world, machine, engine)
            if any(machine.files is not None for machine, _ in dead):
                # While a session is open nothing else collects, so what the run has left is in the youngest generation.
                collect(world, 2 if world.drive.collecting or world.collections else 0)
    logs.forget(world)


def collect(world: World, generation: int = 2) -> None:
    """Collect garbage.  Its clean-up code is that of dead hosts, which must not touch the files of the machine that simulates them."""
    before, world.running = world.running, _nobody(world)
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect(generation)
    finally:
        world.running, sys.unraisablehook = before, unraisable


def _nobody(world: World) -> Machine | None:
    """Some machine, as it would be without a program."""
    machine = next(iter(world.machines.values()), None)
    if machine is None:
        return None
    nobody = copy(machine)
    nobody.handle = nobody.engine = nobody.files = None
    return nobody


def _bury(world: World, machine: Machine, engine: Engine) -> None:
    # While it is the running one, what clean-up code prints is that of a dead host, which is nobody's.
    world.running = machine
    world.slices += 1
    try:
        engine.bury()
    except NeverYieldsError:
        pass  # it came too late to be caught where it belonged
    finally:
        world.running = None
    if watchdog.alarmed:
        world.drive.check()


@atexit.register
def _bury_all() -> None:
    """Worlds that are still open when the interpreter ends are buried while there still is an interpreter."""
    for world in list(open_worlds):
        world.bury()
