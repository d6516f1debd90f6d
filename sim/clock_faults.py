"""Kinds of fault of one host's clock.

What a program reads of the time is not what it is: all safety properties may be asserted that the protocol does not rest on clocks.  None
of them impairs a host in the sense of the budget.  The wall clock (`time.time`, `datetime.now`) may be set at any moment; the monotonic
clock (`time.monotonic`, trio's sleeps and time-outs) never jumps, but it drifts.
"""

from __future__ import annotations

from math import isfinite
from random import Random
from typing import TYPE_CHECKING

from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, duration_of, target_of
from .pace import drift

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["ClockDrift", "ClockFreeze", "ClockJump", "ClockSkew", "ClockStrobe", "clocks"]


class _Clock(Fault, frozen=True):
    """What they have in common; `duration` is how long it lasts."""

    target: str

    def strike(self, world: World) -> FaultOutcome:
        """Disturb the target's clock, whether its program dies meanwhile or not."""
        machines = world.resolve_several(self.target, world.strike_action)
        for machine in machines:
            self.disturb(world, machine)
        return FaultOutcome("struck", tuple(machine.name for machine in machines)) if machines else FaultOutcome("nothing")

    def disturb(self, world: World, machine: Machine) -> None:
        """What it does to the clock."""
        raise NotImplementedError


class _Seconds(_Clock, frozen=True):
    """The wall clock is wrong by a number of seconds, ahead if it is positive."""

    seconds: float = 1.0

    def __post_init__(self) -> None:
        if not isfinite(self.seconds) or not self.seconds:
            raise ValueError(f"seconds is {self.seconds!r}: it must be finite, and not 0")

    def describe(self) -> str:
        """`clock-skew n1, 5 s ahead`."""
        return f"{self.kind()} {self.target}, {abs(self.seconds):g} s {'ahead' if self.seconds > 0 else 'behind'}"


class ClockSkew(_Seconds, frozen=True):
    """The wall clock is wrong by `seconds` (a machine that was set by hand, a time server that lies), and then right again."""

    def disturb(self, world: World, machine: Machine) -> None:
        """Set it wrong, and right after `duration`."""
        machine.clock.offset += self.seconds
        world.end_later(self.duration, lambda: _set(machine, -self.seconds))


class ClockJump(_Seconds, frozen=True):
    """The wall clock jumps by `seconds`, ahead or back, and stays there (a leap second, a step of the time daemon).

    `duration` means nothing.
    """

    def disturb(self, world: World, machine: Machine) -> None:  # noqa: ARG002  # the interface of these kinds
        """Set it."""
        _set(machine, self.seconds)


class ClockStrobe(_Seconds, frozen=True):
    """The wall clock jumps to `seconds` ahead and back again, every `period` seconds (two time daemons that disagree)."""

    period: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.001 <= self.period < float("inf"):
            raise ValueError(f"period is {self.period!r}: it must be at least 0.001, and finite")

    def disturb(self, world: World, machine: Machine) -> None:
        """Flip it until `duration` is over."""
        wrong = [False]
        over = [False]

        def flip() -> None:
            if not over[0]:
                wrong[0] = not wrong[0]
                _set(machine, self.seconds if wrong[0] else -self.seconds)
                world.schedule_timer(world.now + self.period, machine, flip)

        def end() -> None:
            over[0] = True
            if wrong[0]:
                _set(machine, -self.seconds)

        flip()
        world.end_later(self.duration, end)


class ClockFreeze(_Clock, frozen=True):
    """The wall clock stands still (a suspended time source, a virtual machine that was resumed), and then has the right time again."""

    def disturb(self, world: World, machine: Machine) -> None:
        """Stop it for `duration`."""
        machine.clock.freeze()
        world.end_later(self.duration, machine.clock.thaw)


class ClockDrift(_Clock, frozen=True):
    """Both clocks run at another `rate` (a bad oscillator): at 1.1 time-outs come a tenth too early, at 0.9 leases last too long.

    When it ends the clocks run at the right rate again, and are as far off as they have come.
    """

    rate: float = 1.1

    def __post_init__(self) -> None:
        if not 0.01 <= self.rate <= 100.0 or self.rate == 1.0:
            raise ValueError(f"rate is {self.rate!r}: it must be from 0.01 to 100, and not 1")

    def describe(self) -> str:
        """`clock-drift n1, at 1.1 times the speed`."""
        return f"{self.kind()} {self.target}, at {self.rate:g} times the speed"

    def disturb(self, world: World, machine: Machine) -> None:
        """Run at the other rate for `duration`; of several drifts the last one counts."""
        drift(world, machine, self.rate)
        world.end_later(self.duration, lambda: drift(world, machine, 1.0))


def _set(machine: Machine, seconds: float) -> None:
    machine.clock.offset += seconds


def clocks() -> FaultMix:
    """Wall clocks are skewed, jump, strobe or stand still; clocks drift."""

    def amount(random: Random) -> float:
        return round(float(random.choice([-1, 1]) * 0.01 * 100_000.0 ** random.random()), 3)

    def skew(random: Random, cast: Cast) -> Fault:
        return ClockSkew(target=target_of(random, cast), seconds=amount(random), duration=duration_of(random))

    def jump(random: Random, cast: Cast) -> Fault:
        return ClockJump(target=target_of(random, cast), seconds=amount(random))

    def strobe(random: Random, cast: Cast) -> Fault:
        period = round(0.001 * 500.0 ** random.random(), 4)
        return ClockStrobe(target=target_of(random, cast), seconds=amount(random), period=period, duration=duration_of(random))

    def freeze(random: Random, cast: Cast) -> Fault:
        return ClockFreeze(target=target_of(random, cast), duration=duration_of(random))

    def drifting(random: Random, cast: Cast) -> Fault:
        rate = random.choice([0.5, 0.8, 0.9, 0.99, 1.01, 1.1, 1.25, 2.0])
        return ClockDrift(target=target_of(random, cast), rate=rate, duration=duration_of(random))

    return FaultMix(
        [("clock-skew", skew), ("clock-jump", jump), ("clock-strobe", strobe), ("clock-freeze", freeze), ("clock-drift", drifting)]
    )
