"""Killpoint next to simloom and simloop, the two other simulators for Python: the same workloads, in one process, in CPU time.

    python -m venv peers && peers/bin/pip install . simloom simloop        # Python 3.12 or later
    peers/bin/python benchmarks/peers.py

Both run asyncio programs, so each workload is written twice, with the streams of each library.  Rounds take turns, so that ratios hold on
a machine whose speed drifts; figures are medians.

- echo: one server, four clients, 3,000 round trips of 8 bytes each over TCP, latency 1 to 10 ms;
- messages: the same as plain messages of hosts, where the peers have only TCP;
- heartbeats: three nodes that each tell both others that they live, every 50 ms for 300 virtual seconds.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable

import simloom
import simloop
import trio
from rich.console import Console
from rich.table import Table

from killpoint import Host
from killpoint.sim.noise import NoiseSource
from killpoint.sim.schedule import Noise
from killpoint.sim.world import World

ROUNDS = 5
CLIENTS, TRIPS, SIZE = 4, 3_000, 8
NODES, INTERVAL, SECONDS = ("n0", "n1", "n2"), 0.05, 300.0
LATENCY = (0.001, 0.010)
NOISE = Noise(latency=4.5)  # 1 ms, and on average 4.5 ms more


def cpu(work: Callable[[], None]) -> float:
    """Seconds of CPU."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


# -- Killpoint --------------------------------------------------------------------------------------


def _world(programs: dict[str, Callable[[Host], object]]) -> World:
    world = World(programs, noise=NoiseSource(1, NOISE))  # type: ignore[arg-type]
    world.boot()
    return world


def killpoint_echo() -> None:
    """Echo over TCP."""

    async def server(_host: Host) -> None:
        async def handle(stream: trio.SocketStream) -> None:
            while data := await stream.receive_some():
                await stream.send_all(data)

        await trio.serve_tcp(handle, 8000)

    async def client(host: Host) -> None:
        await trio.sleep(0.01)
        stream = await trio.open_tcp_stream("server", 8000)
        for _ in range(TRIPS):
            await stream.send_all(b"x" * SIZE)
            assert len(await stream.receive_some()) == SIZE
        host.observe(done=True)

    world = _world({"server": server, **{f"c{number}": client for number in range(CLIENTS)}})
    world.advance(200.0)
    assert all(world.machines[f"c{number}"].observed.get("done") for number in range(CLIENTS))
    world.bury()


def killpoint_messages() -> None:
    """The same as messages."""

    async def server(host: Host) -> None:
        while True:
            message = await host.receive()
            host.send(message.sender, message.body)

    async def client(host: Host) -> None:
        for _ in range(TRIPS):
            host.send("server", b"x" * SIZE)
            await host.receive()
        host.observe(done=True)

    world = _world({"server": server, **{f"c{number}": client for number in range(CLIENTS)}})
    world.advance(200.0)
    assert all(world.machines[f"c{number}"].observed.get("done") for number in range(CLIENTS))
    world.bury()


def killpoint_heartbeats() -> None:
    """Heartbeats."""

    async def node(host: Host) -> None:
        async def listen() -> None:
            while True:
                await host.receive()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            while True:
                for peer in host.peers:
                    host.send(peer, b"x" * SIZE)
                await trio.sleep(INTERVAL)

    world = _world(dict.fromkeys(NODES, node))
    world.advance(SECONDS)
    assert world.network.delivered > SECONDS / INTERVAL * 5
    world.bury()


# -- asyncio ----------------------------------------------------------------------------------------


async def _echo_server() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(64):
            writer.write(data)

    server = await asyncio.start_server(handle, "server", 8000)
    async with server:
        await server.serve_forever()


async def _echo_client() -> None:
    await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("server", 8000)
    for _ in range(TRIPS):
        writer.write(b"x" * SIZE)
        assert len(await reader.read(64)) == SIZE
    writer.close()


async def _node(name: str) -> None:
    async def handle(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(64):
            pass

    await asyncio.start_server(handle, name, 8000)
    await asyncio.sleep(0.05)
    writers = [(await asyncio.open_connection(peer, 8000))[1] for peer in NODES if peer != name]
    while True:
        for writer in writers:
            writer.write(b"x" * SIZE)
        await asyncio.sleep(INTERVAL)


def simloop_echo() -> None:
    """Echo over TCP."""

    @simloop.sim_test(seeds=1)
    async def run() -> None:
        net = asyncio.get_running_loop().net  # type: ignore[attr-defined]
        net.set_defaults(latency=LATENCY)
        net.host("server").create_task(_echo_server())
        await asyncio.gather(*[net.host(f"c{number}").create_task(_echo_client()) for number in range(CLIENTS)])

    run()


def simloop_heartbeats() -> None:
    """Heartbeats."""

    @simloop.sim_test(seeds=1)
    async def run() -> None:
        net = asyncio.get_running_loop().net  # type: ignore[attr-defined]
        net.set_defaults(latency=LATENCY)
        for name in NODES:
            net.host(name).create_task(_node(name))
        await asyncio.sleep(SECONDS)

    run()


def simloom_echo() -> None:
    """Echo over TCP."""

    async def run(world: simloom.World) -> None:
        world.net.set_latency(*LATENCY)
        world.host("server").spawn(_echo_server)
        await asyncio.gather(*[world.host(f"c{number}").spawn(_echo_client) for number in range(CLIENTS)])

    simloom.run(run, seed=1)


def simloom_heartbeats() -> None:
    """Heartbeats."""

    async def run(world: simloom.World) -> None:
        world.net.set_latency(*LATENCY)
        for name in NODES:
            world.host(name).spawn(lambda name=name: _node(name))
        await world.sleep(SECONDS)

    simloom.run(run, seed=1)


# -- the table --------------------------------------------------------------------------------------

ECHOED, BEATS = CLIENTS * TRIPS * 2, int(SECONDS / INTERVAL) * len(NODES) * (len(NODES) - 1)
RUNS: dict[str, dict[str, Callable[[], None]]] = {
    "echo": {"killpoint": killpoint_echo, "simloop": simloop_echo, "simloom": simloom_echo},
    "messages": {"killpoint": killpoint_messages, "simloop": simloop_echo, "simloom": simloom_echo},
    "heartbeats": {"killpoint": killpoint_heartbeats, "simloop": simloop_heartbeats, "simloom": simloom_heartbeats},
}
WANTED = {"echo": {"simloop": 1.0, "simloom": 2.0}, "messages": {"simloop": 3.0}, "heartbeats": {"simloop": 1.0, "simloom": 1.0}}


def main() -> None:
    """Measure, and print the table."""
    table = Table("workload", "simulator", "us per message", "times as long as Killpoint", "wanted at least")
    for workload, runs in RUNS.items():
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                times[name].append(cpu(run))
        count = BEATS if workload == "heartbeats" else ECHOED
        for name, seconds in times.items():
            ratio = statistics.median(other / own for other, own in zip(seconds, times["killpoint"], strict=True))
            wanted = WANTED[workload].get(name)
            said = "" if name == "killpoint" else f"{ratio:.2f}"
            table.add_row(workload, name, f"{statistics.median(seconds) / count * 1e6:.1f}", said, f"{wanted:.1f}" if wanted else "")
    Console().print(table)


if __name__ == "__main__":
    main()
