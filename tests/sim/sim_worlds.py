"""Worlds, programs and scenarios that the tests of the simulator share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar

import trio
from hypothesis import settings

from killpoint.sim import faults
from killpoint.sim.aim import Armed
from killpoint.sim.noise import NoiseSource
from killpoint.sim.scenario import Client, Failed, Scenario, Unknown, operation, unique
from killpoint.sim.schedule import Boundary, Call, Inject, Noise
from killpoint.sim.world import World

STEADY = settings(derandomize=True, database=None, deadline=None)
"""For Hypothesis: the same examples in every run."""

ROUGH = Noise(latency=2.0, loss=0.05, duplicate=0.1, reorder=0.1, tasks=0.5, disk=5.0)


@contextlib.contextmanager
def open_world(*programs, noise=None, overrides=(), seed=0, keep=False, boot=True, **options) -> Iterator[World]:
    """A booted world whose hosts n1, n2, ... run these programs; buried at the end."""
    named = {f"n{number}": program for number, program in enumerate(programs, 1)}
    source = NoiseSource(seed, noise or Noise(), overrides, keep=keep)
    world = World(named, seed=seed, noise=source, **options)
    if boot:
        world.boot()
    try:
        yield world
    finally:
        world.bury()


def at_boundary(world, host, event, strike, ordinal=1):
    """Call `strike` when a host next crosses a boundary."""
    machine = world.machines[host]
    machine.arm(Armed(0, event, None, "", ordinal, strike))


async def idle(host):
    await trio.sleep_forever()


async def gossip(host):
    """Talks to everybody, writes things down, sleeps, is random, starts tasks that race: something of everything."""
    heard = 0

    async def write():
        nonlocal heard
        await host.disk.append("log", host.random.randbytes(3))
        if heard % 3 == 0:
            await host.disk.fsync("log")
        host.observe(heard=heard)

    async def listen():
        nonlocal heard
        while True:
            message = await host.receive()
            heard += 1
            nursery.start_soon(write)
            if message.body[0] == "ping":
                message.reply(("pong", heard))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        while True:
            await trio.sleep(0.01 + host.random.random() * 0.02)
            for peer in host.peers:
                host.send(peer, ("ping", host.incarnation))
            await host.killpoint("round")


class Register(Scenario):
    """A register on a primary that writes it down and two copies that it tells; good and bad operations to try."""

    hosts: ClassVar = {}
    clients = 2
    roles: ClassVar = ("leader",)
    killpoints: ClassVar = ("before-fsync", "before-reply")
    settings: ClassVar = {"slow": (0.0, 0.05)}
    faults = faults.kills() | faults.power_losses() | faults.pauses() | faults.partitions()
    calm = 1.0

    @operation(value=unique, timeout=0.5)
    async def write(self, client: Client, value: int) -> str:
        return await client.request("n1", ("write", value), timeout=0.4)

    @operation(timeout=0.5)
    async def read(self, client: Client) -> object:
        return await client.request("n1", ("read",), timeout=0.4)

    @operation(weight=0.1)
    async def refuse(self, client: Client) -> None:
        raise Failed("not today")

    @operation(weight=0.1)
    async def wonder(self, client: Client) -> None:
        raise Unknown("who knows")

    @operation(weight=0.1, timeout=0.3)
    async def dawdle(self, client: Client) -> None:
        await trio.sleep_forever()

    @operation(final=True)
    async def audit(self, client: Client) -> object:
        return await client.request("n1", ("read",), timeout=1.0)


async def primary(host):
    host.observe(role="leader", term=host.incarnation, phase="recovery")
    value = int(await host.disk.read("value")) if await host.disk.exists("value") else 0
    host.observe(phase="serving", value=value)
    while True:
        message = await host.receive()
        if message.body[0] == "write":
            value = message.body[1]
            host.observe(phase="writing")
            await trio.sleep(host.settings["slow"])
            await host.disk.write("value.new", str(value).encode())
            await host.killpoint("before-fsync")
            await host.disk.fsync("value.new")
            await host.disk.rename("value.new", "value")
            await host.disk.fsync_directory()
            host.observe(phase="serving", value=value)
            for peer in host.peers:
                host.send(peer, ("value", value))
        await host.killpoint("before-reply")
        message.reply(value if message.body[0] == "read" else "ok")


async def copy(host):
    host.observe(role="copy")
    while True:
        message = await host.receive()
        host.observe(value=message.body[1])
        await host.disk.append("log", repr(message.body).encode())


Register.hosts = {"n1": primary, "n2": copy, "n3": copy}


def call(at, client, operation, **arguments):
    return Call(at, client, operation, arguments)


def inject(at, fault, host=None, event=None, ordinal=1):
    return Inject(at, fault, Boundary(host, event, ordinal) if host else None)
