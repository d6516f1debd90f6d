"""Hosts on one trio run with a mock clock: just enough of the Host protocol to run the shell on."""

from contextlib import asynccontextmanager
from math import ceil
from random import Random

import trio
import trio.testing

from killpoint.model.raft import NotLeaderError, RaftNode
from killpoint.properties.history import Observe
from killpoint.properties.raft import ElectionSafety, LeaderCompleteness, LogMatching, StateMachineSafety
from killpoint.properties.verdict import Status, check


class Disk:
    """`cached` is what programs see, `durable` what a power loss leaves."""

    def __init__(self):
        self.cached: dict[str, bytes] = {}
        self.durable: dict[str, bytes] = {}
        self.fsyncs = 0
        self.slow = 0.0
        self.busy = False

    @asynccontextmanager
    async def operation(self, seconds=0.0):
        assert not self.busy, "two tasks use one log at the same time"
        self.busy = True
        await trio.sleep(seconds)
        yield
        self.busy = False

    async def exists(self, path):
        return path in self.cached

    async def read(self, path):
        return self.cached[path]

    async def write(self, path, data, offset=0):
        async with self.operation():
            old = self.cached.get(path, b"")
            self.cached[path] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]

    async def truncate(self, path, size):
        self.cached[path] = self.cached[path][:size]

    async def fsync(self, path):
        async with self.operation(self.slow):
            self.fsyncs += 1
            self.durable[path] = self.cached[path]

    async def fsync_directory(self, path=""):
        await trio.lowlevel.checkpoint()


class Message:
    def __init__(self, sender, body):
        self.sender = sender
        self.body = body


class Host:
    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.peers = tuple(other for other in cluster.names if other != name)
        self.incarnation = cluster.incarnations[name]
        self.disk = cluster.disks[name]
        self.random = Random(f"{cluster.seed} {name} {self.incarnation}")
        self.inbox, self.receive_channel = trio.open_memory_channel(10_000)
        self.scope = trio.CancelScope()

    def send(self, to, body):
        self.cluster.send(self, to, body)

    async def receive(self):
        return await self.receive_channel.receive()

    def observe(self, **values):
        events = self.cluster.events
        events.append(Observe(len(events), trio.current_time(), self.name, self.incarnation, values))

    async def killpoint(self, name):
        self.cluster.killpoints.append((self.name, name))


class Journal:
    """A state machine: a list of commands; the result is its length."""

    def __init__(self):
        self.commands = []

    async def apply(self, index, command):
        await trio.lowlevel.checkpoint()
        self.commands.append(command)
        return len(self.commands)


class Cluster:
    """Hosts, their network (1 ms each way, in order) and what they told."""

    def __init__(self, nursery, n=3, seed=1, node_class=RaftNode):
        self.names = tuple(f"n{i + 1}" for i in range(n))
        self.nursery = nursery
        self.seed = seed
        self.node_class = node_class
        self.incarnations = dict.fromkeys(self.names, 0)
        self.disks = {name: Disk() for name in self.names}
        self.hosts = {}
        self.nodes = {}
        self.events = []
        self.killpoints = []
        self.sent = 0
        self.cut = set()
        self.on_send = None

    def send(self, host, to, body):
        if self.on_send is not None:
            self.on_send(host, body)
        if host is self.hosts.get(host.name) and to in self.hosts and (host.name, to) not in self.cut:
            self.sent += 1
            self.nursery.start_soon(self.deliver, self.hosts[to], Message(host.name, body))

    async def deliver(self, host, message):
        await trio.sleep(0.001)
        host.inbox.send_nowait(message)

    async def start(self, *names):
        for name in names or self.names:
            self.incarnations[name] += 1
            host = self.hosts[name] = Host(self, name)
            node = self.nodes[name] = self.node_class(host, Journal())
            await node.recover()
            self.nursery.start_soon(self.program, host, node)

    async def program(self, host, node):
        with host.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run)
                while True:
                    assert await node.handle(await host.receive())

    def power_loss(self, *names):
        for name in names or self.names:
            self.hosts.pop(name).scope.cancel()
            self.disks[name].cached = dict(self.disks[name].durable)
            self.disks[name].busy = False

    def isolate(self, name):
        self.cut = {pair for other in self.names for pair in ((name, other), (other, name))}

    async def leader(self):
        """The node that leads, confirmed by a read; waits for one at most 5 s."""
        for _ in range(ceil(5 / 0.02)):
            for name in self.hosts:
                node = self.nodes[name]
                if node.core.role == "leader" and not all((name, peer) in self.cut for peer in node.host.peers):
                    try:
                        await node.read_barrier()
                    except NotLeaderError:
                        continue
                    return node
            await trio.sleep(0.02)
        raise AssertionError("no leader within 5 s")

    def verdicts(self):
        properties = (ElectionSafety(), LogMatching(), LeaderCompleteness(), StateMachineSafety())
        return [verdict for p in properties if (verdict := check(p, self.events)).status is not Status.VALID]


def simulate(scenario, **kwargs):
    """Run `await scenario(cluster)` on a started cluster, check the four properties, and stop everything."""

    async def main():
        async with trio.open_nursery() as nursery:
            cluster = Cluster(nursery, **kwargs)
            await cluster.start()
            with trio.fail_after(120):
                await scenario(cluster)
            assert cluster.verdicts() == []
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def immediately(coroutine):
    """The result of a coroutine that never has to wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")
