"""Kinds of fault of one host's process and machine, besides being killed, losing power and being paused (`faults.py`)."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, ClassVar

from .budget import affords, strike_hosts
from .disk import DiskImage
from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, downtime_of, duration_of, target_of

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["DiskLoss", "DiskSwap", "OutOfMemory", "SlowCpu", "disk_losses", "disk_swaps", "memory_shortages", "slow_cpus"]


class _Replaced(Fault, frozen=True):
    """The machine dies, and its program begins again with another disk; `duration` is how long it stays down."""

    target: str

    def disk(self, world: World, machine: Machine) -> DiskImage | None:
        """The disk that it gets; None if there is none to be had."""
        raise NotImplementedError

    def strike(self, world: World) -> FaultOutcome:
        """Stop the host, change its disk, restart it after `duration`."""
        machines = world.resolve_several(self.target, world.strike_action)
        # All of them before any machine dies: hosts may get each other's.
        disks = {machine.name: disk for machine in machines if (disk := self.disk(world, machine)) is not None}

        def replace(machine: Machine) -> str:
            detail = f"{len(machine.disk.files())} files gone, {len(disks[machine.name].files())} there now"
            world.kill(machine, keep="none", cause=world.strike_index)
            machine.disk = disks[machine.name]
            machine.spoiled = True
            world.end_later(self.duration, partial(world.restart, machine))
            return detail

        return strike_hosts(world, [machine for machine in machines if machine.name in disks], replace)


class DiskLoss(_Replaced, frozen=True):
    """The machine is replaced by a new one with an empty disk and the old name (a dead drive, a rescheduled container).

    It has forgotten what it promised, its vote for one, so a system that lets it take part at once may break its own rules.  It counts as
    impaired to the end of the run: what a majority has must survive.
    """

    def disk(self, world: World, machine: Machine) -> DiskImage:  # noqa: ARG002  # the interface of these kinds
        """An empty one."""
        return DiskImage()


class DiskSwap(_Replaced, frozen=True):
    """The machine comes back with what is durable on another host's disk (the wrong volume mounted, the wrong backup restored).

    What it finds is consistent and is not its own: a program that writes down who it is can notice.
    """

    other: str = ""

    def disk(self, world: World, machine: Machine) -> DiskImage | None:
        """A copy of the other host's."""
        other = world.machines.get(self.other)
        if other is None or other is machine:
            return None
        copy = DiskImage()
        for path, content in other.disk.durable().items():
            copy.write(path, 0, content)
            copy.fsync(path)
            copy.fsync_directory(path.rpartition("/")[0])
        return copy


class SlowCpu(Fault, frozen=True):
    """The machine is starved: whenever its program has run, it stands still for `seconds` (a noisy neighbour, swapping, a debugger).

    Messages wait for it, and its clocks go on.  All safety properties may be asserted.
    """

    target: str
    seconds: float = 0.01

    def __post_init__(self) -> None:
        if not 0.0 < self.seconds < float("inf"):
            raise ValueError(f"seconds is {self.seconds!r}: it must be above 0, and finite")

    def strike(self, world: World) -> FaultOutcome:
        """Slow the target down for `duration` seconds, whether its program dies meanwhile or not."""

        def slow_down(machine: Machine) -> None:
            machine.slow += self.seconds
            world.end_later(self.duration, partial(_faster, machine, self.seconds))

        return strike_hosts(world, world.resolve_several(self.target, world.strike_action), slow_down)


def _faster(machine: Machine, seconds: float) -> None:
    machine.slow = max(round(machine.slow - seconds, 12), 0.0)


class OutOfMemory(Fault, frozen=True):
    """The kernel kills the process for its memory, and a supervisor restarts it after `delay` seconds, `times` times in all.

    Each time it lives for `uptime` seconds, which may not be enough to recover.  `duration` means nothing.
    """

    for_real: ClassVar[bool] = True
    target: str
    times: int = 3
    uptime: float = 0.1
    delay: float = 0.05

    def __post_init__(self) -> None:
        if not 1 <= self.times <= 1000:
            raise ValueError(f"times is {self.times!r}: it must be from 1 to 1000")
        for name in ("uptime", "delay"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be above 0, and finite")

    def strike(self, world: World) -> FaultOutcome:
        """Kill it now, and again and again."""
        machines = world.resolve_several(self.target, world.strike_action)
        return strike_hosts(world, machines, lambda machine: self._kill(world, machine, self.times))

    def _kill(self, world: World, machine: Machine, left: int) -> None:
        if machine.coming_up:  # real processes take a moment
            world.schedule_timer(world.now + self.uptime, machine, lambda: self._kill(world, machine, left))
        elif machine.alive and affords(world, [machine.name]):
            world.kill(machine, cause=world.strike_index)
            action = world.strike_action
            world.schedule_end(world.now + self.delay, action, lambda: world.restart(machine))
            if left > 1:
                again = world.now + self.delay + self.uptime
                world.schedule_timer(again, machine, lambda: self._kill(world, machine, left - 1))


# -- mixes ------------------------------------------------------------------------------------------


def disk_losses() -> FaultMix:
    """Machines are replaced by empty ones."""
    return FaultMix([("disk-loss", lambda random, cast: DiskLoss(target=target_of(random, cast), duration=downtime_of(random)))])


def disk_swaps() -> FaultMix:
    """Machines come back with another host's disk."""

    def draw(random: Random, cast: Cast) -> Fault:
        return DiskSwap(target=target_of(random, cast), other=random.choice(cast.hosts), duration=downtime_of(random))

    return FaultMix([("disk-swap", draw)])


def slow_cpus() -> FaultMix:
    """Machines are starved for a while."""

    def draw(random: Random, cast: Cast) -> Fault:
        seconds = round(0.001 * 200.0 ** random.random(), 4)
        return SlowCpu(target=target_of(random, cast), seconds=seconds, duration=duration_of(random))

    return FaultMix([("slow-cpu", draw)])


def memory_shortages() -> FaultMix:
    """Processes are killed for their memory, and restarted, over and over."""

    def draw(random: Random, cast: Cast) -> Fault:
        uptime, delay = duration_of(random, most=0.5), downtime_of(random)
        return OutOfMemory(target=target_of(random, cast), times=random.randint(1, 5), uptime=uptime, delay=delay)

    return FaultMix([("out-of-memory", draw)])
