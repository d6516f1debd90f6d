"""How fast a machine goes: programs that block, machines that are starved, clocks that drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["drift", "stand_still"]


def stand_still(world: World, machine: Machine) -> None:
    """After a slice: what its program has blocked for, and what it is starved of, passes now.  Messages wait as for a paused host."""
    seconds = machine.clock.unblock() + machine.slow
    if not machine.paused:
        machine.paused = True
        incarnation = machine.incarnation

        def go_on() -> None:
            if machine.incarnation == incarnation and machine.alive:
                world.resume(machine)

        world.schedule_timer(world.now + seconds, machine, go_on)


def drift(world: World, machine: Machine, rate: float) -> None:
    """A machine's clocks run at another rate from now on, so when it is to be woken is another moment."""
    machine.clock.run_at(rate)
    if machine.engine is not None and not machine.paused and world.running is not machine:
        machine.deadline = max(world.now, machine.clock.in_world(machine.engine.next_deadline()))
        world.wake(machine, machine.deadline)
