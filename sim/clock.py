"""A machine's clocks: what time its programs believe it is.

The **monotonic** clock is the one that trio's deadlines are on; it may run fast or slow.  The **wall** clock tells the date: it is the
monotonic one plus an offset that may be anything, may change at any moment, and may stand still.  They belong to the machine: a kill does
not touch them.

The world's time is nobody's: hosts read `world.now + ahead`, where `ahead` is brought up to date before each slice of a host whose clock
drifts, and never for all others.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .machine import Machine

__all__ = ["EPOCH", "MachineClock"]

EPOCH = 1_767_225_600.0
"""When every world begins, by the wall: the first second of 2026, UTC."""


class MachineClock:
    """The clocks of one machine.

    `ahead` is how many seconds the monotonic clock is ahead of the world now, and `offset` the wall clock of the monotonic one;
    `blocked` is how long the program has blocked in its present slice, of which `ahead` takes account.
    """

    __slots__ = ("_frozen", "_machine", "_since", "_wrong", "ahead", "blocked", "drifts", "offset", "rate", "true")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._since = 0.0
        self._wrong = 0.0
        self._frozen: float | None = None
        self.ahead = 0.0
        self.blocked = 0.0
        self.drifts = False
        self.offset = 0.0
        self.rate = 1.0
        self.true = True
        """Whether the monotonic clock has never drifted: then its time is the world's."""

    def monotonic(self) -> float:
        """Seconds since the world began, as this machine counts them."""
        return self._machine.world.now + self.ahead

    def wall(self) -> float:
        """Seconds since 1970, UTC, as this machine has it."""
        return EPOCH + (self.monotonic() if self._frozen is None else self._frozen) + self.offset

    # -- what faults do ---------------------------------------------------------------------------

    def run_at(self, rate: float) -> None:
        """From now on a second of the world takes `rate` seconds here."""
        self._wrong = self._ahead()
        self._since = self._machine.world.now
        self.rate = rate
        self.drifts = rate != 1.0
        self.true = False
        self.update()

    def freeze(self) -> None:
        """The wall clock stands still."""
        self._frozen = self.monotonic()

    def thaw(self) -> None:
        """It goes on, with the right time."""
        self._frozen = None

    # -- for whoever runs the machine -------------------------------------------------------------

    def update(self) -> None:
        """Bring `ahead` up to date; to be called before a slice while the clock drifts."""
        self.ahead = self._ahead() + self.blocked

    def block(self, seconds: float) -> None:
        """The program has blocked for so long, by its own clock."""
        self.blocked += seconds
        self.ahead += seconds

    def unblock(self) -> float:
        """The slice is over: for how many seconds of the world the machine stands still."""
        seconds, self.blocked = self.blocked, 0.0
        self.ahead -= seconds
        return seconds / self.rate

    def in_world(self, deadline: float) -> float:
        """When the world reaches what this machine calls `deadline`: the first moment at which its clock is not before it."""
        if self.true:
            return deadline
        if not self.drifts:
            moment = deadline - self._wrong
        elif deadline == inf:
            return inf
        else:
            moment = self._since + (deadline - self._wrong - self._since) / self.rate
        while moment + self._ahead_at(moment) < deadline:
            moment = nextafter(moment, inf)
        return moment

    def _ahead(self) -> float:
        return self._ahead_at(self._machine.world.now)

    def _ahead_at(self, moment: float) -> float:
        return self._wrong + (moment - self._since) * (self.rate - 1.0)
