"""What the simulator costs, as multiples of a bare trio checkpoint measured in the same process.

    python benchmarks/simulator.py

CPU time; every figure is the median of several rounds, and each round measures the checkpoint next to it, so that ratios hold on a
machine whose speed drifts.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

import trio
from rich.console import Console
from rich.table import Table

from killpoint import Host
from killpoint.model.raft import RaftNode
from killpoint.sim.noise import NoiseSource
from killpoint.sim.schedule import Noise
from killpoint.sim.world import World

ROUNDS = 7
EXPLORING = Noise(latency=1.0, loss=0.001, duplicate=0.001, reorder=0.01, tasks=0.05)


def checkpoint() -> float:
    """Seconds of CPU per bare checkpoint."""

    async def main() -> float:
        began = time.process_time()
        for _ in range(40_000):
            await trio.lowlevel.checkpoint()
        return (time.process_time() - began) / 40_000

    return trio.run(main)


async def echo(host: Host) -> None:
    """Send everything back."""
    while True:
        message = await host.receive()
        host.send(message.sender, message.body)


async def starter(host: Host) -> None:
    """Send the first four."""
    for number in range(4):
        host.send("a", ("ping", number))
    await echo(host)


def per_message(noise: Noise, *, trace: bool = False, digest: bool = True) -> float:
    """Seconds of CPU per delivered message: two hosts that answer each other, four messages under way."""
    world = World({"a": echo, "b": starter}, noise=NoiseSource(1, noise), trace=trace)
    if not digest:
        world.note = lambda _: None  # type: ignore[assignment]
    world.boot()
    began = time.process_time()
    world.advance(5.0 if noise else 2.5)
    spent = time.process_time() - began
    delivered = world.network.delivered
    world.bury()
    return spent / delivered


def per_sleep() -> float:
    """Seconds of CPU per `trio.sleep` wake-up."""

    async def sleeper(_: Host) -> None:
        for _wake in range(100_000):
            await trio.sleep(0.001)

    world = World({"a": sleeper})
    world.boot()
    began = time.process_time()
    world.advance(10.0)
    spent = time.process_time() - began
    world.bury()
    return spent / 10_000


class Nothing:
    """A state machine that does nothing."""

    async def apply(self, index: int, command: object) -> None:
        """Nothing."""


async def raft(host: Host) -> None:
    """A Raft member without clients."""
    node = RaftNode(host, Nothing())
    await node.recover()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        while True:
            await node.handle(await host.receive())


def idle_raft(size: int) -> float:
    """Virtual seconds per second of CPU, an idle cluster with 50 ms heartbeats, noise as exploring draws it."""
    world = World({f"n{number}": raft for number in range(size)}, noise=NoiseSource(1, Noise(latency=0.5)))
    world.boot()
    world.advance(2.0)
    began = time.process_time()
    world.advance(30.0)
    spent = time.process_time() - began
    world.bury()
    return 30.0 / spent


def kill_and_restart() -> float:
    """Seconds of CPU per kill and restart of a host with a few tasks, burying and collecting included."""

    async def program(host: Host) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.sleep_forever)
            await echo(host)

    began = time.process_time()
    for _ in range(10):
        world = World({"a": program})
        world.boot()
        world.advance(0.001)
        for _ in range(50):
            world.kill(world.machines["a"])
            world.restart(world.machines["a"])
            world.advance(0.001)
        world.bury()
    gc.collect()
    return (time.process_time() - began) / 500


def ratio(measure: Callable[[], float]) -> tuple[float, float]:
    """(multiple of a checkpoint, microseconds), medians over the rounds."""
    multiples, absolute = [], []
    for _ in range(ROUNDS):
        unit = checkpoint()
        spent = measure()
        multiples.append(spent / unit)
        absolute.append(spent * 1e6)
    return statistics.median(multiples), statistics.median(absolute)


def main() -> None:
    """Measure and print."""
    table = Table("measure", "wanted", "measured", "")
    rows: list[tuple[str, str, Callable[[], float]]] = [
        ("message, noise 0, no digest", "2.0 checkpoints", lambda: per_message(Noise(), digest=False)),
        ("message, as explore runs it", "3.0 checkpoints", lambda: per_message(EXPLORING)),
        ("message, with the full trace", "4.5 checkpoints", lambda: per_message(EXPLORING, trace=True)),
        ("trio.sleep wake-up", "5.0 checkpoints", per_sleep),
    ]
    for name, wanted, measure in rows:
        multiple, microseconds = ratio(measure)
        table.add_row(name, wanted, f"{multiple:.2f} checkpoints", f"{microseconds:.1f} us")
    for size, wanted in ((3, 500), (5, 300)):
        speed = statistics.median(idle_raft(size) for _ in range(ROUNDS))
        table.add_row(f"{size} idle Raft nodes", f"{wanted} virtual s per CPU s", f"{speed:.0f} virtual s per CPU s", "")
    spent = statistics.median(kill_and_restart() for _ in range(ROUNDS))
    table.add_row("kill and restart", "1000 us", f"{spent * 1e6:.0f} us", "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
