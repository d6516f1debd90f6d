"""Kinds of fault of one host's disk.

A program may handle the errors that they raise, as it would for real (`OSError` with its `errno`); who does not handle them crashes,
and `NoCrash` says where.  Power losses and what they tear stand in `faults.py`.

A host whose disk is in trouble counts as impaired while that lasts, and one whose disk lied, rotted or lost what it was to sync counts
to the end of the run: what a majority has may be gone if each of its members forgets in turn.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

from .budget import affords, strike_hosts
from .disk import SECTOR, DiskImage
from .disk_trouble import DiskTrouble
from .fault import Fault, FaultOutcome
from .mix import Cast, FaultMix, duration_of, target_of

if TYPE_CHECKING:
    from .machine import Machine
    from .world import World

__all__ = ["BitRot", "DiskFull", "FsyncError", "LostFsync", "MisdirectedWrite", "ReadError", "SlowDisk", "TruncatedFile", "WriteError"]
__all__ += ["bit_rot", "disk_errors", "full_disks", "lost_fsyncs", "misdirected_writes", "slow_disks", "truncated_files"]


class _Disk(Fault, frozen=True):
    """What they have in common; `duration` is how long it lasts."""

    target: str

    def trouble(self) -> DiskTrouble:
        """What it does to the disk."""
        raise NotImplementedError

    def strike(self, world: World) -> FaultOutcome:
        """Trouble the target's disk for `duration` seconds, whether its program dies meanwhile or not."""
        trouble = self.trouble()

        def begin(machine: Machine) -> None:
            machine.spoiled = machine.spoiled or trouble.lies or trouble.fails == "fsync" or trouble.astray > 0
            machine.disk_troubles.add(trouble)
            world.end_later(self.duration, partial(machine.disk_troubles.remove, trouble))

        return strike_hosts(world, world.resolve_several(self.target, world.strike_action), begin)


class _Scar(Fault, frozen=True):
    """What is wrong with a file from one moment on, for good; `place` chooses where."""

    target: str
    place: int = 0

    def scar(self, disk: DiskImage) -> str | None:
        """Damage the disk and say what was damaged; None if there is nothing to be."""
        raise NotImplementedError

    def strike(self, world: World) -> FaultOutcome:
        """Damage the target's disk; nothing happens to an empty one."""
        machine = world.machines.get(self.target) or world.resolve(self.target)
        if machine is not None and not affords(world, [machine.name]):
            return FaultOutcome("over-budget")
        damaged = None if machine is None else self.scar(machine.disk)
        if machine is None or damaged is None:
            return FaultOutcome("nothing")
        machine.spoiled = True
        return FaultOutcome("struck", (machine.name,), damaged)


class SlowDisk(_Disk, frozen=True):
    """Each operation takes `seconds` longer (a throttled volume, a rebuilding array).  Every property may be asserted but speed."""

    seconds: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.seconds < float("inf"):
            raise ValueError(f"seconds is {self.seconds!r}: it must be above 0, and finite")

    def trouble(self) -> DiskTrouble:
        """Time."""
        return DiskTrouble(slow=self.seconds)


class DiskFull(_Disk, frozen=True):
    """There is no space left: whatever writes, or makes or renames a file or directory, raises ENOSPC and changes nothing.

    What was acknowledged before must stay, and nothing may be acknowledged that was not written.
    """

    def trouble(self) -> DiskTrouble:
        """No space."""
        return DiskTrouble(fails="full")


class ReadError(_Disk, frozen=True):
    """`read` raises EIO (a bad sector, a cable).  It says nothing of what is stored: an unreadable file is not a missing one."""

    def trouble(self) -> DiskTrouble:
        """Reads fail."""
        return DiskTrouble(fails="read")


class WriteError(_Disk, frozen=True):
    """`write`, `append` and `truncate` raise EIO and change nothing."""

    def trouble(self) -> DiskTrouble:
        """Writes fail."""
        return DiskTrouble(fails="write")


class FsyncError(_Disk, frozen=True):
    """`fsync` raises EIO, and what was to be synced will never be: the kernel marks the pages clean, as Linux does.

    Programs still read what they wrote, and the next `fsync` succeeds without having anything to do.  So a program that only tries
    again believes to be durable what a power loss takes (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
    """

    def trouble(self) -> DiskTrouble:
        """Syncing fails."""
        return DiskTrouble(fails="fsync")


class LostFsync(_Disk, frozen=True):
    """`fsync` says that it succeeded and does nothing (a drive that lies about its cache, a hypervisor that ignores flushes).

    No single host can defend itself: durability may be asserted only of what a majority has.
    """

    def trouble(self) -> DiskTrouble:
        """Syncing is a lie."""
        return DiskTrouble(lies=True)


class BitRot(_Scar, frozen=True):
    """One bit of one file is flipped, on the platter and in the cache, for good; `place` chooses which.

    A program that checks what it reads notices, and must not serve it.  `duration` means nothing.
    """

    def scar(self, disk: DiskImage) -> str | None:
        """Flip the bit."""
        flipped = disk.flip(self.place)
        return None if flipped is None else f"bit {flipped[1] % 8} of byte {flipped[1] // 8} of {flipped[0]}"


class MisdirectedWrite(_Disk, frozen=True):
    """What is written lands one sector too far (a firmware bug, a wrong offset in a driver), and says that it succeeded.

    What should have been overwritten is still there, and what is there instead was not meant to be: checksums that do not know where
    they belong do not notice.
    """

    def trouble(self) -> DiskTrouble:
        """Writes go astray."""
        return DiskTrouble(astray=SECTOR)


class TruncatedFile(_Scar, frozen=True):
    """A file loses its second half, for good (a file system check, a restore that stopped); `place` chooses which file.

    A program that checks what it reads notices.  `duration` means nothing.
    """

    def scar(self, disk: DiskImage) -> str | None:
        """Cut the file."""
        lost = disk.lose_tail(self.place)
        return None if lost is None else f"{lost[0]} lost {lost[1]} bytes"


# -- mixes ------------------------------------------------------------------------------------------


def slow_disks() -> FaultMix:
    """Operations take up to a second longer."""

    def draw(random: Random, cast: Cast) -> Fault:
        seconds = round(0.001 * 1000.0 ** random.random(), 4)
        return SlowDisk(target=target_of(random, cast), seconds=seconds, duration=duration_of(random))

    return FaultMix([("slow-disk", draw)])


def full_disks() -> FaultMix:
    """Disks are full for a while."""
    return FaultMix([("disk-full", lambda random, cast: DiskFull(target=target_of(random, cast), duration=duration_of(random)))])


def disk_errors() -> FaultMix:
    """Reading, writing or syncing fails."""
    return FaultMix(
        [
            ("read-error", lambda random, cast: ReadError(target=target_of(random, cast), duration=duration_of(random))),
            ("write-error", lambda random, cast: WriteError(target=target_of(random, cast), duration=duration_of(random))),
            ("fsync-error", lambda random, cast: FsyncError(target=target_of(random, cast), duration=duration_of(random))),
        ]
    )


def lost_fsyncs() -> FaultMix:
    """Disks lie about having synced."""
    return FaultMix([("lost-fsync", lambda random, cast: LostFsync(target=target_of(random, cast), duration=duration_of(random)))])


def bit_rot() -> FaultMix:
    """Single bits flip."""
    return FaultMix([("bit-rot", lambda random, cast: BitRot(target=target_of(random, cast), place=random.randrange(2**32)))])


def misdirected_writes() -> FaultMix:
    """Writes land elsewhere."""

    def draw(random: Random, cast: Cast) -> Fault:
        return MisdirectedWrite(target=target_of(random, cast), duration=duration_of(random))

    return FaultMix([("misdirected-write", draw)])


def truncated_files() -> FaultMix:
    """Files lose their second half."""
    return FaultMix([("truncated-file", lambda random, cast: TruncatedFile(target=target_of(random, cast), place=random.randrange(2**32)))])
