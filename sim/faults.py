"""The kinds of fault that every scenario can use.

Each kind is a noun, names the real event that it models and says what may still be asserted while it lasts.  Targets are hosts by
name, or a role such as `leader`, resolved when the fault strikes; what befalls single hosts can also befall a `minority`, a `majority` or
`all` of the system, or a number of its hosts, at the same moment.  A fault that would impair more hosts than the system promises to
survive is over budget and does nothing; that is decided at the moment of striking, so that moving actions about (as shrinking does)
cannot make an illegal pair out of two legal faults.

`kills()`, `partitions()`, ... are **mixes**: how a generator draws faults of a kind (`mix.py`).  Mixes are joined with `|`.  Kinds that
trouble messages stand in `packets.py`, those of disks in `disk_faults.py`, of clocks in `clock_faults.py`, partitions in
`partition_faults.py`, what befalls a process or its machine besides dying in `process_faults.py`,
and changes of the configuration in `configuration_faults.py`.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, ClassVar

from .budget import strike_hosts
from .clock_faults import ClockDrift, ClockFreeze, ClockJump, ClockSkew, ClockStrobe, clocks
from .configuration_faults import AddHost, RemoveHost, RollingRestart, additions, reconfigurations, removals, rolling_restarts
from .disk import parse_keep
from .disk_faults import (
    BitRot,
    DiskFull,
    FsyncError,
    LostFsync,
    MisdirectedWrite,
    ReadError,
    SlowDisk,
    TruncatedFile,
    WriteError,
    bit_rot,
    disk_errors,
    full_disks,
    lost_fsyncs,
    misdirected_writes,
    slow_disks,
    truncated_files,
)
from .fault import Fault, FaultError, FaultOutcome
from .mix import Cast, FaultMix, downtime_of, duration_of, target_of
from .packets import (
    Corrupt,
    Delay,
    Duplicate,
    Hold,
    Loss,
    Reorder,
    Throttle,
    corruptions,
    delays,
    duplicates,
    holds,
    losses,
    packets,
    reorderings,
    throttles,
)
from .partition_faults import Flap, Partition, Swizzle, flaps, partitions, shapes, swizzles
from .process_faults import DiskLoss, DiskSwap, OutOfMemory, SlowCpu, disk_losses, disk_swaps, memory_shortages, slow_cpus

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["Cast", "CompromiseKey", "Delay", "Duplicate", "Fault", "FaultMix", "FaultOutcome", "Hold", "Kill", "Loss", "Partition"]
__all__ += ["Pause", "PowerLoss", "Reorder", "Throttle", "delays", "duplicates", "holds", "key_compromise", "kills", "losses"]
__all__ += ["Corrupt", "MisdirectedWrite", "TruncatedFile", "corruptions", "misdirected_writes", "outages", "truncated_files"]
__all__ += ["BitRot", "DiskFull", "FsyncError", "LostFsync", "ReadError", "SlowDisk", "WriteError"]
__all__ += ["bit_rot", "disk_errors", "full_disks", "lost_fsyncs", "slow_disks"]
__all__ += ["ClockDrift", "ClockFreeze", "ClockJump", "ClockSkew", "ClockStrobe", "clocks"]
__all__ += ["DiskLoss", "DiskSwap", "Flap", "OutOfMemory", "SlowCpu", "Swizzle"]
__all__ += ["disk_losses", "disk_swaps", "flaps", "memory_shortages", "shapes", "slow_cpus", "swizzles"]
__all__ += ["AddHost", "RemoveHost", "RollingRestart", "additions", "chosen", "every", "reconfigurations", "removals", "rolling_restarts"]
__all__ += ["packets", "partitions", "pauses", "power_losses", "reorderings", "throttles"]

class _Stop(Fault, frozen=True):
    """What killing and losing power have in common; `duration` is how long the host stays down."""

    for_real: ClassVar[bool] = True
    target: str

    def _keep(self) -> str | None:
        raise NotImplementedError

    def strike(self, world: World) -> FaultOutcome:
        """Stop the host, or several; restart them after `duration`."""

        def stop(machine: Machine) -> str:
            kept = world.kill(machine, keep=self._keep(), cause=world.strike_index)
            world.end_later(self.duration, partial(world.restart, machine))
            return kept

        return strike_hosts(world, world.resolve_several(self.target, world.strike_action), stop)


class Kill(_Stop, frozen=True):
    """The process dies where it stands (SIGKILL, an out-of-memory kill); the kernel survives, so the disk loses nothing.

    No clean-up code runs.  Messages to it are lost until it is restarted, after `duration` seconds.  Every safety property and
    durability may be asserted; progress while no more hosts are down than the system tolerates.
    """

    def _keep(self) -> str | None:
        return None


class PowerLoss(_Stop, frozen=True):
    """The machine loses power: the process dies, and of what was written but not synced the disk keeps only what `keep` says.

    `keep` is `none`, `all`, `prefix:N`, `subset:N` (a pseudo-random half) or `units:N,N,...`, in units of 512-byte sectors and
    directory operations.  Everything that was acknowledged after an fsync must still be there.
    """

    keep: str = "none"

    def _keep(self) -> str | None:
        return self.keep

    def __post_init__(self) -> None:
        parse_keep(self.keep)


class Pause(Fault, frozen=True):
    """The process is stopped and later continued (SIGSTOP, a long garbage collection, a suspended virtual machine).

    Messages wait for it; its clock goes on, so it may believe for a while to be what it no longer is.  All safety properties
    may be asserted.
    """

    for_real: ClassVar[bool] = True
    target: str

    def strike(self, world: World) -> FaultOutcome:
        """Pause for `duration` seconds."""

        def pause(machine: Machine) -> None:
            world.pause(machine, world.strike_index)
            world.end_later(self.duration, partial(_resume, world, machine, machine.incarnation))

        machines = world.resolve_several(self.target, world.strike_action)
        return strike_hosts(world, [machine for machine in machines if not machine.paused], pause)


def _resume(world: World, machine: Machine, incarnation: int) -> None:
    if machine.incarnation == incarnation and machine.alive:
        world.resume(machine)


class CompromiseKey(Fault, frozen=True):
    """Somebody else has a copy of a private key, and uses it from now on; `duration` is how long it takes to be noticed.

    What the thief can do and what noticing means is the scenario's business (`Scenario.compromise`, `Scenario.notice`): in the
    issuance cluster an outsider signs documents with it, back-dated as it pleases, and on noticing an operator revokes the key.
    Signatures by that key between theft and revocation are suspect; from the revocation's place in the log on, none may be
    accepted, whatever time it claims.
    """

    for_real: ClassVar[bool] = True
    issuer: str

    def strike(self, world: World) -> FaultOutcome:
        """Hand the key to the thief; notice after `duration` seconds."""
        victims = world.compromise(self.issuer)
        if not victims:
            return FaultOutcome("nothing")
        world.end_later(self.duration, lambda: world.notice(self.issuer))
        return FaultOutcome("struck", victims)


# -- mixes ------------------------------------------------------------------------------------------


def kills() -> FaultMix:
    """Processes die and are restarted."""
    return FaultMix([("kill", lambda random, cast: Kill(target=target_of(random, cast), duration=downtime_of(random)))])


def power_losses() -> FaultMix:
    """Machines lose power; what the disk keeps is drawn from all forms."""

    def draw(random: Random, cast: Cast) -> Fault:
        keep = random.choice(["none", "none", "all", f"prefix:{random.randrange(6)}", f"subset:{random.randrange(2**16)}"])
        return PowerLoss(target=target_of(random, cast), keep=keep, duration=downtime_of(random))

    return FaultMix([("power-loss", draw)])


def pauses() -> FaultMix:
    """Processes stop for a while."""
    return FaultMix([("pause", lambda random, cast: Pause(target=target_of(random, cast), duration=duration_of(random)))])


def outages() -> FaultMix:
    """Several hosts die, or lose power, at the same moment: a rack, a room, a bad release."""

    def kill(random: Random, _cast: Cast) -> Fault:
        return Kill(target=random.choice(["minority", "majority", "all"]), duration=downtime_of(random))

    def power_loss(random: Random, _cast: Cast) -> Fault:
        keep = random.choice(["none", "all", f"subset:{random.randrange(2**16)}"])
        return PowerLoss(target=random.choice(["minority", "majority", "all"]), keep=keep, duration=downtime_of(random))

    return FaultMix([("kill", kill), ("power-loss", power_loss)])


def key_compromise() -> FaultMix:
    """Keys are stolen, and it is noticed."""

    def draw(random: Random, cast: Cast) -> Fault:
        return CompromiseKey(issuer=random.choice(cast.keys), duration=duration_of(random))

    return FaultMix([("compromise-key", draw)])


def every(cast: Cast) -> FaultMix:
    """All kinds at once, as far as a scenario has what they need."""
    mixes = [kills(), power_losses(), pauses(), outages(), partitions(), shapes(), flaps(), swizzles(), packets(), corruptions(), clocks()]
    mixes += [slow_cpus(), memory_shortages(), disk_losses(), disk_swaps(), slow_disks(), full_disks(), disk_errors(), lost_fsyncs()]
    mixes += [bit_rot(), misdirected_writes(), truncated_files(), removals(), rolling_restarts()]
    mixes += [key_compromise()] if cast.keys else []
    mixes += [additions()] if cast.spares else []
    return FaultMix([kind for mix in mixes for kind in mix])


def chosen(names: str, cast: Cast) -> FaultMix:
    """`all`, or kinds by name, with commas between.

    Raises:
        FaultError: there is no such kind, or the scenario has not what it needs.
    """
    mix = every(cast)
    if names == "all":
        return mix
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in mix.names():
            there_are = ", ".join(dict.fromkeys(mix.names()))
            raise FaultError(f"no faults of the kind {name!r} can be drawn for this scenario; there are all, {there_are}")
    return FaultMix([kind for kind in mix if kind[0] in wanted])
