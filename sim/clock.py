"""A machine's clocks: what time its programs believe it is.

The **monotonic** clock is the one that trio's deadlines are on; the **wall** clock tells the date, and may be wrong by any number of
seconds.  Both begin anew with nothing but the world: a kill does not touch them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .machine import Machine

__all__ = ["EPOCH", "MachineClock"]

EPOCH = 1_767_225_600.0
"""When every world begins, by the wall: the first second of 2026, UTC."""


class MachineClock:
    """The clocks of one machine.

    `offset` is how many seconds the wall clock is ahead of the truth; `blocked` how long the program has blocked in its present slice.
    """

    __slots__ = ("_machine", "blocked", "offset")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.offset = 0.0
        self.blocked = 0.0

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self._machine.world.now + self.blocked

    def wall(self) -> float:
        """Seconds since 1970, UTC."""
        return EPOCH + self._machine.world.now + self.blocked + self.offset
