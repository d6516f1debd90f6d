"""In which order the runnable tasks of a host run: oldest first, unless the noise decides otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .trio_driver import Batch
    from .world import World

__all__ = ["arrange"]


def arrange(world: World, batch: Batch) -> None:
    """Arrange a batch of runnable tasks of the host that is running; trio takes them from the end."""
    machine = world.running
    if machine is None:
        return
    machine.batches += 1
    order = world.noise.tasks(machine.name, machine.incarnation, machine.batches, len(batch))
    world.note((5, machine.index, len(batch), order))
    if order is not None:
        oldest_first = batch[::-1]
        batch[:] = [oldest_first[place] for place in reversed(order)]
