"""Trouble with disks: what each kind does, and that each is found by a system that does not reckon with it."""

import errno
from contextlib import suppress
from random import Random
from typing import ClassVar

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.explore.generate import generate
from killpoint.explore.shrink import shrink
from killpoint.properties import Durable
from killpoint.sim import faults
from killpoint.sim.codec import decode, encode
from killpoint.sim.faults import BitRot, DiskFull, FsyncError, LostFsync, PowerLoss, ReadError, SlowDisk, WriteError
from killpoint.sim.mix import Cast, FaultMix
from killpoint.sim.scenario import Failed, Scenario, operation, unique
from killpoint.sim.schedule import Inject, Noise, Schedule
from killpoint.sim.session import run

KINDS = (SlowDisk, DiskFull, ReadError, WriteError, FsyncError, LostFsync, BitRot)
MIXES = faults.slow_disks() | faults.full_disks() | faults.disk_errors() | faults.lost_fsyncs() | faults.bit_rot()
OPERATIONS = {
    "write": ("a", b"new"),
    "append": ("a", b"more"),
    "truncate": ("a", 1),
    "rename": ("b", "c"),
    "read": ("a",),
    "fsync": ("a",),
    "fsync_directory": ("",),
    "exists": ("a",),
    "list": ("",),
    "remove": ("c",),
}


def outcomes_under(fault):
    """What each operation of a host does while its disk is in trouble: an errno, or None."""
    found = {}

    async def program(host):
        for path in ("a", "b", "c"):
            await host.disk.write(path, b"old")
            await host.disk.fsync(path)
        await host.disk.fsync_directory()
        await trio.sleep(1.0)
        for name, arguments in OPERATIONS.items():
            try:
                await getattr(host.disk, name)(*arguments)
                found[name] = None
            except OSError as error:
                found[name] = error.errno
        await trio.sleep_forever()

    with open_world(program, idle) as world:
        world.advance(0.5)
        assert fault.strike(world).hosts == ("n1",)
        world.advance(5.0)
        return found, world.machines["n1"].disk


@pytest.mark.parametrize(
    ("kind", "failing", "number"),
    [
        (DiskFull, {"write", "append", "truncate", "rename"}, errno.ENOSPC),
        (ReadError, {"read"}, errno.EIO),
        (WriteError, {"write", "append", "truncate"}, errno.EIO),
        (FsyncError, {"fsync", "fsync_directory"}, errno.EIO),
        (LostFsync, set(), None),
        (SlowDisk, set(), None),
    ],
)
def test_exactly_these_operations_fail_and_change_nothing(kind, failing, number):
    found, disk = outcomes_under(kind(target="n1", duration=60.0))
    assert found == {name: number if name in failing else None for name in OPERATIONS}
    if kind in (DiskFull, WriteError):
        assert disk.read("a") == b"old"


def test_trouble_is_of_one_host_and_ends():
    times = {}

    async def program(host):
        while True:
            began = trio.current_time()
            await host.disk.append("log", b"x")
            times.setdefault(host.name, []).append(round(trio.current_time() - began, 6))
            await trio.sleep(0.05)

    with open_world(program, program) as world:
        world.advance(0.1)
        SlowDisk(target="n1", seconds=0.2, duration=0.5).strike(world)
        SlowDisk(target="n1", seconds=0.1, duration=0.5).strike(world)
        world.advance(2.0)
    assert set(times["n2"]) == {0.0}
    assert set(times["n1"]) == {0.0, 0.3}
    assert times["n1"][-5:] == [0.0] * 5


def test_trouble_outlives_the_program_but_not_its_time():
    async def program(host):
        await trio.sleep(0.2)
        await host.disk.write("a", b"x")
        host.observe(done=True)
        await trio.sleep_forever()

    with open_world(program) as world:
        world.advance(0.1)
        machine = world.machines["n1"]
        DiskFull(target="n1", duration=1.0).strike(world)
        world.kill(machine)
        world.restart(machine)
        world.advance(0.5)
        assert not machine.alive, "it crashed, since it did not reckon with ENOSPC"
        world.advance(1.0)
        world.restart(machine)
        world.advance(0.5)
        assert machine.observed == {"done": True}


def test_after_an_fsync_error_the_next_fsync_succeeds_and_the_data_is_read_and_lost():
    seen = []

    async def program(host):
        if host.incarnation == 1:
            await host.disk.write("a", b"old")
            await host.disk.fsync("a")
            await host.disk.fsync_directory()
            await trio.sleep(0.5)
            await host.disk.write("a", b"new")
            with pytest.raises(OSError, match="Input/output error"):
                await host.disk.fsync("a")
            await trio.sleep(1.0)
            await host.disk.fsync("a")
        seen.append(await host.disk.read("a"))
        await trio.sleep_forever()

    with open_world(program) as world:
        world.advance(0.2)
        FsyncError(target="n1", duration=0.5).strike(world)
        world.advance(2.0)
        PowerLoss(target="n1", keep="all", duration=0.1).strike(world)
        world.advance(1.0)
    assert seen == [b"new", b"old"]


def test_a_flipped_bit_is_one_bit_of_one_file_and_stays():
    async def program(host):
        if host.incarnation == 1:
            for path, content in (("a", b"\x00" * 3), ("b", b"\x00" * 5)):
                await host.disk.write(path, content)
                await host.disk.fsync(path)
            await host.disk.fsync_directory()
        await trio.sleep_forever()

    places = set()
    for place in range(64, 130):
        with open_world(program) as world:
            assert BitRot(target="n1", place=place).strike(world).effect == "nothing", "there is no file yet"
            world.advance(0.1)
            outcome = BitRot(target="n1", place=place).strike(world)
            PowerLoss(target="n1", duration=0.1).strike(world)
            world.advance(1.0)
            disk = world.machines["n1"].disk
            content = disk.read("a") + disk.read("b")
            assert sum(byte.bit_count() for byte in content) == 1
            assert outcome.effect == "struck"
            places.add((outcome.detail, content))
    assert len(places) == 64


def test_the_dead_and_those_nobody_is_have_no_trouble_but_their_disks_rot():
    async def program(host):
        await host.disk.write("a", b"x")
        await trio.sleep_forever()

    with open_world(program, idle) as world:
        world.advance(0.1)
        world.kill(world.machines["n1"])
        for kind in KINDS:
            assert kind(target="leader").strike(world).effect == "nothing"
            assert kind(target="n1").strike(world).effect == ("struck" if kind is BitRot else "nothing")


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_disks_are_in_trouble_than_the_system_tolerates(kind):
    async def program(host):
        await host.disk.write("a", b"x")
        await trio.sleep_forever()

    with open_world(program, program, program, tolerates=1) as world:
        world.advance(0.1)
        assert kind(target="n1", duration=0.5).strike(world).effect == "struck"
        assert kind(target="n1", duration=0.5).strike(world).effect == "struck"
        assert kind(target="n2", duration=0.5).strike(world).effect == "over-budget"
        assert PowerLoss(target="n2", duration=0.1).strike(world).effect == "over-budget"
        world.advance(1.0)
        later = kind(target="n2", duration=0.5).strike(world).effect
        assert later == ("over-budget" if kind in (FsyncError, LostFsync, BitRot) else "struck")


def test_all_kinds_are_drawn_written_and_read():
    cast, random = Cast(("n1", "n2"), ("leader",)), Random(1)
    drawn = [draw(random, cast) for _, draw in MIXES for _ in range(50)]
    assert {fault.kind() for fault in drawn} == {kind.kind() for kind in KINDS} == set(MIXES.names())
    schedule = Schedule("nowhere", seed=1, actions=tuple(Inject(0.1 * place, fault) for place, fault in enumerate(drawn)))
    assert decode(encode(schedule).encode(), "here").schedule == schedule
    with pytest.raises(ValueError, match=r"seconds is 0\.0: it must be above 0, and finite"):
        SlowDisk(target="n1", seconds=0.0)


class Careful:
    """A log of bytes on a disk, as it should be but for checksums and copies elsewhere."""

    def __init__(self, host):
        self.disk = host.disk
        self.known = b""

    async def load(self):
        if await self.disk.exists("log"):
            self.known = await self.disk.read("log")

    async def put(self, value):
        await self.disk.write("log", bytes([value]), offset=len(self.known))
        await self.sync()
        self.known += bytes([value])

    async def sync(self):
        await self.disk.fsync("log")
        await self.disk.fsync_directory()


class Swallows(Careful):
    """Goes on where writing failed."""

    async def put(self, value):
        with suppress(OSError):
            await super().put(value)


class Repeats(Careful):
    """Syncs again where syncing failed, as if nothing had been lost."""

    async def sync(self):
        while True:
            with suppress(OSError):
                return await super().sync()
            await trio.sleep(0.05)


class TakesForMissing(Careful):
    """Takes what cannot be read for what is not there."""

    async def load(self):
        with suppress(OSError):
            await super().load()


class InAHurry(Careful):
    """Gives up too soon, and says that it was done."""

    async def put(self, value):
        with trio.move_on_after(0.02):
            await super().put(value)


def server(log_type):
    async def program(host):
        log = log_type(host)
        while True:
            with suppress(OSError):
                await log.load()
                break
            await trio.sleep(0.1)
        while True:
            message = await host.receive()
            try:
                if message.body == "all":
                    message.reply(tuple(await host.disk.read("log")) if await host.disk.exists("log") else ())
                else:
                    await log.put(message.body)
                    message.reply("done")
            except OSError:
                message.reply(None)

    return program


class Store(Scenario):
    """One server that keeps bytes."""

    hosts: ClassVar = {"db": server(Careful)}
    tolerates = 1
    calm = 0.5
    properties: ClassVar = [Durable("put", "audit")]

    @operation(value=unique)
    async def put(self, client, value):
        if await client.request("db", value, timeout=1.0) is None:
            raise Failed

    @operation(final=True)
    async def audit(self, client):
        return await client.request("db", "all", timeout=1.0)


PLANTED = {
    "slow-disk": (InAHurry, faults.slow_disks() | faults.power_losses()),
    "disk-full": (Swallows, faults.full_disks()),
    "write-error": (Swallows, faults.disk_errors()),
    "read-error": (TakesForMissing, faults.disk_errors() | faults.kills()),
    "fsync-error": (Repeats, faults.disk_errors() | faults.power_losses()),
    "lost-fsync": (Careful, faults.lost_fsyncs() | faults.power_losses()),
    "bit-rot": (Careful, faults.bit_rot()),
}


def failing(scenario, number):
    schedules = (generate(scenario, 5, n).replace(noise=Noise(), budget="unlimited") for n in range(number))
    return next((record for record in (run(schedule, scenario) for schedule in schedules) if record.failure is not None), None)


@pytest.mark.parametrize("kind", PLANTED)
def test_what_a_system_does_not_reckon_with_is_found_by_its_kind(kind):
    log_type, mix = PLANTED[kind]
    mix = FaultMix(pair for pair in mix if pair[0] in (kind, "power-loss", "kill"))
    scenario = type("Planted", (Store,), {"hosts": {"db": server(log_type)}, "faults": mix})
    without = type("Without", (scenario,), {"faults": FaultMix(pair for pair in mix if pair[0] != kind)})
    assert failing(without, 8) is None
    if log_type is not Careful:
        assert failing(type("Sound", (scenario,), {"hosts": Store.hosts}), 8) is None
    found = failing(scenario, 150)
    small = shrink(scenario, found)
    struck = {action.fault.kind() for action in small.schedule.actions if isinstance(action, Inject)}
    assert kind in struck
    assert len(small.schedule.actions) <= 5
    assert run(small.schedule, scenario).digest == small.record.digest
