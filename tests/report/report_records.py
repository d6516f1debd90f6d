"""Synthetic records: a crude Raft-like cluster, driven by a seeded event heap, written down the way the simulator writes.

Nothing here is a protocol worth trusting; it is what a picture has to cope with: elections, heartbeats, client operations,
disk operations, kills, power losses, partitions, pauses, lost and duplicated messages, and a violation at the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

import msgspec

from killpoint.properties.history import Complete, Event, History, Incident, Invoke, Observe, Outcome
from killpoint.properties.verdict import Evidence, Status, Verdict
from killpoint.sim.faults import Fault, Kill, Partition, PowerLoss
from killpoint.sim.record import Record, Statistics, Strike
from killpoint.sim.schedule import Action, Boundary, Call, Inject, Noise, Schedule
from killpoint.sim.trace import TraceEvent


class RequestVote(msgspec.Struct, frozen=True):
    term: int
    candidate: str


class Vote(msgspec.Struct, frozen=True):
    term: int
    granted: bool


class AppendEntries(msgspec.Struct, frozen=True):
    term: int
    leader: str
    previous: int
    entries: tuple[object, ...]
    commit: int


class AppendReply(msgspec.Struct, frozen=True):
    term: int
    match: int


class Issue(msgspec.Struct, frozen=True):
    request: str
    document: str


class Issued(msgspec.Struct, frozen=True):
    request: str
    index: int


class Cluster:
    """The heap, the hosts' state, and the record under construction."""

    def __init__(self, seed: int, hosts: int, clients: int, noise: float) -> None:
        self.random = Random(seed)
        self.noise = noise
        self.names = tuple(f"n{i + 1}" for i in range(hosts))
        self.clients = tuple(f"c{i + 1}" for i in range(clients))
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.sequence = 0
        self.now = 0.0
        self.trace: list[TraceEvent] = []
        self.history: list[Event] = []
        self.strikes: list[Strike] = []
        self.actions: list[Action] = []
        self.alive = dict.fromkeys(self.names + self.clients, True)
        self.paused = dict.fromkeys(self.names + self.clients, False)
        self.incarnation = dict.fromkeys(self.names + self.clients, 1)
        self.role = dict.fromkeys(self.names, "follower")
        self.term = dict.fromkeys(self.names, 0)
        self.log = dict.fromkeys(self.names, 0)
        self.votes: dict[str, set[str]] = {}
        self.acks: dict[int, int] = {}
        self.waiting: dict[int, tuple[str, str]] = {}
        self.deadline = dict.fromkeys(self.names, 0.0)
        self.cut: set[tuple[str, str]] = set()
        self.sent = 0
        self.operations = 0
        self.open: dict[str, tuple[int, int, str]] = {}
        self.generation = dict.fromkeys(self.clients, 1)

    # -- the record ---------------------------------------------------------------------------------------------------------

    def note(self, kind: str, host: str | None, cause: int | None = None, /, **detail: object) -> int:
        index = len(self.trace)
        self.trace.append(TraceEvent(index=index, time=self.now, kind=kind, host=host, cause=cause, detail=detail))
        return index

    def later(self, delay: float, action: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.heap, (round(self.now + delay, 6), self.sequence, action))

    def incident(self, kind: str, host: str | None, cause: int | None = None, /, **detail: object) -> int:
        index = self.note(kind, host, cause, **detail)
        self.history.append(Incident(index=index, time=self.now, kind=kind, host=host, detail=detail))
        return index

    def observe(self, host: str, **values: object) -> None:
        index = self.note("observe", host, None, **values)
        self.history.append(Observe(index=index, time=self.now, host=host, incarnation=self.incarnation[host], values=values))

    def send(self, sender: str, to: str, body: object) -> None:
        self.sent += 1
        index = self.note("send", sender, None, to=to, body=body, boundary=self.sent)
        sent, latency = self.now, 0.004 + self.noise * self.random.expovariate(400)
        if (sender, to) in self.cut:
            self.note("drop", sender, index, sender=sender, body=body, why="cut")
        elif self.random.random() < 0.01 * self.noise:
            self.note("drop", sender, index, sender=sender, body=body, why="lost")
        else:
            self.later(latency, lambda: self.arrive(sender, to, body, index, sent))
            if self.random.random() < 0.01 * self.noise:
                self.later(latency * 2, lambda: self.arrive(sender, to, body, index, sent))

    def arrive(self, sender: str, to: str, body: object, index: int, sent: float) -> None:
        if not self.alive[to]:
            self.note("drop", to, index, sender=sender, body=body, why="dead")
            return
        self.note("deliver", to, index, sender=sender, body=body, sent=sent)
        self.handle(sender, to, body)

    # -- the hosts ----------------------------------------------------------------------------------------------------------

    def handle(self, sender: str, to: str, body: object) -> None:
        if isinstance(body, RequestVote):
            granted = body.term > self.term[to]
            if granted:
                self.become(to, "follower", body.term)
                self.disk(to, "write", "vote")
                self.disk(to, "fsync", "vote")
            self.send(to, sender, Vote(body.term, granted))
        elif isinstance(body, Vote):
            if body.granted and self.role[to] == "candidate" and body.term == self.term[to]:
                self.votes[to].add(sender)
                if len(self.votes[to]) * 2 > len(self.names):
                    self.become(to, "leader", self.term[to])
                    self.beat(to, self.term[to])
        elif isinstance(body, AppendEntries):
            if body.term < self.term[to]:
                return
            if body.term > self.term[to] or self.role[to] != "follower":
                self.become(to, "follower", body.term)
            self.rearm(to)
            if body.entries:
                self.disk(to, "append", "log")
                self.note("killpoint", to, None, name="between-append-and-fsync", ordinal=self.log[to])
                self.disk(to, "fsync", "log")
                self.log[to] = body.previous + len(body.entries)
            self.send(to, sender, AppendReply(body.term, self.log[to]))
        elif isinstance(body, AppendReply):
            self.acks[body.match] = self.acks.get(body.match, 0) + 1
            if body.match in self.waiting and self.acks[body.match] * 2 >= len(self.names) - 1:
                client, request = self.waiting.pop(body.match)
                self.observe(to, commit=body.match, phase="idle")
                self.send(to, client, Issued(request, body.match))
        elif isinstance(body, Issue):
            if self.role[to] == "leader":
                self.observe(to, phase="store")
                self.disk(to, "write", f"store/{body.request}")
                self.note("killpoint", to, None, name="after-cas-store", ordinal=self.log[to])
                self.disk(to, "append", "log")
                self.disk(to, "fsync", "log")
                self.log[to] += 1
                self.waiting[self.log[to]] = (sender, body.request)
                for peer in self.names:
                    if peer != to:
                        entry = ("issue", body.request, body.document)
                        self.send(to, peer, AppendEntries(self.term[to], to, self.log[to] - 1, (entry,), self.log[to] - 1))
        elif isinstance(body, Issued) and to in self.open and self.open[to][2] == body.request:
            self.complete(to, Outcome.OK, body.index)

    def disk(self, host: str, operation: str, path: str) -> None:
        self.note("disk", host, None, operation=operation, path=path, size=self.random.randrange(40, 600), boundary=self.sent)

    def become(self, host: str, role: str, term: int) -> None:
        self.role[host], self.term[host] = role, term
        self.observe(host, role=role, term=term, phase="idle")
        self.rearm(host)

    def rearm(self, host: str) -> None:
        self.deadline[host] = self.now + self.random.uniform(0.15, 0.3)
        incarnation, deadline = self.incarnation[host], self.deadline[host]

        def expire() -> None:
            current = self.alive[host] and self.incarnation[host] == incarnation and self.deadline[host] == deadline
            if current and not self.paused[host] and self.role[host] != "leader":
                self.become(host, "candidate", self.term[host] + 1)
                self.votes[host] = {host}
                for peer in self.names:
                    if peer != host:
                        self.send(host, peer, RequestVote(self.term[host], host))

        self.later(deadline - self.now, expire)

    def beat(self, host: str, term: int) -> None:
        if self.alive[host] and self.role[host] == "leader" and self.term[host] == term:
            if not self.paused[host]:
                for peer in self.names:
                    if peer != host:
                        self.send(host, peer, AppendEntries(term, host, self.log[host], (), self.log[host]))
            self.later(0.05, lambda: self.beat(host, term))

    # -- clients ------------------------------------------------------------------------------------------------------------

    def call(self, client: str) -> None:
        if client in self.open:
            return
        self.operations += 1
        operation, request = self.operations, f"{client}-{self.operations}"
        document = self.random.choice(["passport", "permit", "</script><b>deed", "licence"])
        process = client if self.generation[client] == 1 else f"{client}.{self.generation[client]}"
        argument = (request, document)
        index = self.note("invoke", client, None, process=process, operation=operation, function="issue", argument=argument)
        self.history.append(Invoke(index, self.now, process, operation, "issue", argument))
        self.open[client] = (operation, index, request)
        target = next((n for n in self.names if self.role[n] == "leader" and self.alive[n]), self.random.choice(self.names))
        self.send(client, target, Issue(request, document))

        def give_up() -> None:
            if client in self.open and self.open[client][0] == operation:
                self.complete(client, Outcome.INFO, None, "no reply within 0.4 s")
                self.generation[client] += 1

        self.later(0.4, give_up)

    def complete(self, client: str, outcome: Outcome, result: object, error: str | None = None) -> None:
        operation, cause, _ = self.open.pop(client)
        process = client if self.generation[client] == 1 else f"{client}.{self.generation[client]}"
        index = self.note(
            "complete", client, cause, process=process, operation=operation, outcome=outcome.value, result=result, error=error
        )
        self.history.append(Complete(index, self.now, process, operation, outcome, result, error))

    # -- faults -------------------------------------------------------------------------------------------------------------

    def strike(self, fault: Fault, hosts: tuple[str, ...], effect: str = "struck", detail: str = "") -> int:
        action = next(i for i, a in enumerate(self.actions) if isinstance(a, Inject) and a.fault is fault)
        index = self.note("strike", None, None, action=action, fault=fault.kind(), target=fault.target)
        self.strikes.append(Strike(action, fault.kind(), effect, self.now, index, "idle" if hosts else "", hosts, detail))
        return index

    def kill(self, fault: Kill | PowerLoss) -> None:
        leader = next((n for n in self.names if self.role[n] == "leader" and self.alive[n]), None)
        target = leader if fault.target == "leader" else fault.target
        if target is None or not self.alive[target]:
            self.strike(fault, (), "nothing")
            return
        power = isinstance(fault, PowerLoss)
        kept = "kept 3 of 7 units not yet synced" if power else ""
        cause = self.strike(fault, (target,), detail=kept)
        self.alive[target] = False
        self.role[target] = "follower"
        mode = "power" if power else "process"
        self.incident("power-loss" if power else "kill", target, cause, mode=mode, kept=kept)

        def restart() -> None:
            self.alive[target] = True
            self.incarnation[target] += 1
            index = self.incident("restart", target, cause, incarnation=self.incarnation[target])
            self.note("start", target, index, incarnation=self.incarnation[target])
            self.become(target, "follower", self.term[target])

        self.later(fault.duration, restart)

    def partition(self, fault: Partition) -> None:
        side = [n for n in self.names if self.role[n] == "leader" and self.alive[n]][-1:] or [self.names[0]]
        rest = [n for n in self.names if n not in side]
        links = tuple((a, b) for a in side for b in rest) + tuple((b, a) for a in side for b in rest)
        cause = self.strike(fault, tuple(side))
        self.cut.update(links)
        self.incident("cut", None, cause, links=links, inside=tuple(side))

        def heal() -> None:
            self.cut.difference_update(links)
            self.incident("heal", None, cause, links=links)

        self.later(fault.duration, heal)

    def pause(self, host: str, duration: float) -> None:
        self.paused[host] = True
        self.incident("pause", host)

        def resume() -> None:
            self.paused[host] = False
            self.incident("resume", host)

        self.later(duration, resume)

    # -- the run ------------------------------------------------------------------------------------------------------------

    def inject(self, at: float, fault: Fault, run: Callable[[], None], boundary: Boundary | None = None) -> None:
        self.actions.append(Inject(at=at, fault=fault, boundary=boundary))
        self.later(at, run)

    def run(self, *, until: float, messages: int | None) -> None:
        while self.heap and self.heap[0][0] <= until and (messages is None or self.sent < messages):
            self.now, _, action = heapq.heappop(self.heap)
            action()


def raft_record(
    *,
    seed: int = 7,
    hosts: int = 5,
    clients: int = 2,
    until: float = 2.0,
    messages: int | None = None,
    noise: float = 1.0,
    faults: bool = True,
    violation: bool = True,
) -> Record:
    """A record of a run that lasts `until` virtual seconds, or until that many messages were sent."""
    cluster = Cluster(seed, hosts, clients, noise)
    for name in cluster.names + cluster.clients:
        cluster.note("start", name, None, incarnation=1)
    for name in cluster.names:
        cluster.become(name, "follower", 0)
    at = 0.4
    while at < until - 0.1:
        client = cluster.random.choice(cluster.clients)
        cluster.actions.append(Call(at=round(at, 3), client=client, operation="issue", arguments={"document": "permit"}))
        cluster.later(round(at, 3), lambda client=client: cluster.call(client))
        at += cluster.random.uniform(0.02, 0.12)
    if faults:
        kill = Kill(target="leader", duration=0.3)
        cluster.inject(0.7, kill, lambda: cluster.kill(kill), Boundary("leader", "disk:fsync", 3))
        power = PowerLoss(target=cluster.names[-1], keep="prefix:3", duration=0.15)
        cluster.inject(0.95, power, lambda: cluster.kill(power))
        partition = Partition(target="leader", duration=0.4)
        cluster.inject(1.3, partition, lambda: cluster.partition(partition))
        cluster.later(1.5, lambda: cluster.pause(cluster.names[1], 0.2))
        again = Kill(target=cluster.names[-1], duration=0.1)
        cluster.inject(1.0, again, lambda: cluster.kill(again))
        cluster.later(1.75, lambda: cluster.incident("calm", None))
    cluster.run(until=until, messages=messages)
    return _finish(cluster, violation)


def _finish(cluster: Cluster, violation: bool) -> Record:
    history = History(cluster.history)
    verdicts = [Verdict("NoDuplicates", Status.VALID, "no document was issued twice")]
    ended = [operation for operation in history.operations if operation.ok]
    if violation and len(ended) > 3:
        last = ended[-1]
        evidence = Evidence(
            kind="lost-write",
            lines=(f"operation {last.id} cannot be placed: {ended[-2].describe()} had returned before it began",),
            operations=(ended[-3].id, ended[-2].id, last.id),
            events=(last.invoked, last.completed or last.invoked),
            hosts=(cluster.names[0],),
        )
        reason = f"an issue returned index {last.result}, and no order of the operations explains it"
        verdicts.insert(0, Verdict("Linearizable(Ledger)", Status.INVALID, reason, evidence))
    counts = {kind: sum(event.kind == kind for event in cluster.trace) for kind in ("send", "deliver", "drop", "disk")}
    actions = tuple(sorted(cluster.actions, key=lambda action: action.at))
    position = {id(action): i for i, action in enumerate(actions)}
    moved = {old: position[id(action)] for old, action in enumerate(cluster.actions)}
    strikes = tuple(msgspec.structs.replace(s, action=moved[s.action]) for s in cluster.strikes)
    trace = tuple(
        msgspec.structs.replace(e, detail={**e.detail, "action": moved[e.detail["action"]]}) if e.kind == "strike" else e
        for e in cluster.trace
    )
    return Record(
        schedule=Schedule(
            scenario="civictrust", seed=20261, actions=actions, noise=Noise(latency=1.0), mutant="ack-before-fsync"
        ),
        digest="3fa91c02d1e7b6a4",
        ended=cluster.now,
        history=history,
        verdicts=tuple(verdicts),
        strikes=strikes,
        statistics=Statistics(
            events=len(cluster.trace),
            messages_sent=counts["send"],
            messages_delivered=counts["deliver"],
            messages_dropped=counts["drop"],
            disk_operations=counts["disk"],
            boundaries={"send": counts["send"], "disk": counts["disk"], "after-cas-store": 12},
        ),
        hosts=cluster.names + cluster.clients,
        trace=trace,
    )
