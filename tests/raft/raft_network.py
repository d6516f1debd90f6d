"""A cluster of bare cores on a network of lists, under one seeded generator: thousands of schedules in seconds.

Each host's effects are performed as its shell would: persist, tell, send, apply.  A crash may come between any two of these.
What hosts tell is judged by the product's own properties, online.
"""

from random import Random

from killpoint.model.raft import Config, HardState, Raft, Role, Saved
from killpoint.properties.history import Observe
from killpoint.properties.raft import ElectionSafety, LeaderCompleteness, LogMatching, StateMachineSafety


class Violation(Exception):
    """A property failed; the verdict is the argument."""


class Storage:
    """What one host's disk keeps."""

    def __init__(self):
        self.hard_state = HardState()
        self.entries = []

    def save(self, persist):
        if persist.hard_state is not None:
            self.hard_state = persist.hard_state
        if persist.first:
            self.entries[persist.first - 1 :] = persist.entries

    @property
    def saved(self):
        return Saved(self.hard_state, tuple(self.entries))


class Network:
    """`n` hosts; `step` does one random thing.  Each schedule draws how often which fault strikes in it (swarm testing)."""

    def __init__(self, seed, n=3, core=Raft, storage=Storage):
        self.random = Random(seed)
        self.names = [f"n{i + 1}" for i in range(n)]
        self.core = core
        self.config = Config(
            append_batch=self.random.choice((1, 2, 64)),
            election_timeout=self.random.choice(((0.15, 0.3), (0.15, 0.155))),
            pre_vote=self.random.random() < 0.7,
            check_quorum=self.random.random() < 0.7,
        )
        self.crashes, self.restarts, self.cuts = (self.random.choice((0, 0.005, 0.02, 0.06)) for _ in range(3))
        self.losses, self.repeats, self.reorders = (self.random.choice((0, 0.05, 0.2, 0.4)) for _ in range(3))
        self.busy = self.random.choice((0.02, 0.1, 0.2))
        self.coups = self.random.choice((0, 0, 0.5, 0.8))  # how often a new leader is cut off before anybody hears from it
        self.haste = self.random.choice((0.01, 0.03, 0.15))  # how often a timer runs out while messages are under way
        self.now = 0.0
        self.events = 0
        self.monitors = [p.start() for p in (ElectionSafety(), LogMatching(), LeaderCompleteness(), StateMachineSafety())]
        self.disks = {name: storage() for name in self.names}
        self.incarnations = dict.fromkeys(self.names, 0)
        self.rafts = {}
        self.told = {}
        self.messages = []
        self.cut = set()
        self.proposed = 0
        self.reads = {}
        self.answered = 0
        self.commit = 0
        for name in self.names:
            self.start(name)

    def start(self, name):
        self.incarnations[name] += 1
        self.told[name] = (None, None)
        peers = [other for other in self.names if other != name]
        saved = self.disks[name].saved
        self.rafts[name] = raft = self.core(name, peers, Random(self.random.random()), self.now, saved, self.config)
        self.tell(name, log=(1, raft.log.summary(1)))
        self.tell_state(name)

    def tell(self, name, **values):
        self.events += 1
        event = Observe(self.events, self.now, name, self.incarnations[name], values)
        for monitor in self.monitors:
            if verdict := monitor.feed(event):
                raise Violation(verdict)

    def tell_state(self, name):
        raft = self.rafts[name]
        state = (str(raft.role), raft.term)
        if state != self.told[name]:
            self.told[name] = state
            if state[0] == "leader" and self.random.random() < self.coups:
                self.cut = {(a, b) for a in self.names for b in self.names if (a == name) != (b == name)}
            self.tell(name, role=state[0], term=state[1])

    def perform(self, name, crash=0.0):
        """Perform a host's effects; with this probability it crashes between two of their steps."""
        while (effects := self.rafts[name].take()) is not None:
            crash_at = self.random.randrange(3) if self.random.random() < crash else None
            if crash_at == 0:
                return self.start(name)
            if effects.persist is not None:
                self.disks[name].save(effects.persist)
                self.tell_state(name)
                if effects.persist.first:
                    self.tell(name, log=(effects.persist.first, effects.persist.summary))
            if crash_at == 1:
                return self.start(name)
            if effects.committed:
                last = effects.committed[-1]
                self.commit = max(self.commit, last.index)
                self.tell(name, commit=last.index)
            self.messages += [(name, to, message) for to, message in effects.messages if (name, to) not in self.cut]
            if crash_at == 2:
                return self.start(name)
            if effects.committed:
                self.tell(name, applied=(last.index, last.chain))
            for read in effects.reads:
                asked = self.reads.pop((name, self.incarnations[name], read.request))
                self.answered += 1
                if read.index < asked:
                    raise Violation(f"a read that began when {asked} was committed was answered at {read.index}")
        self.tell_state(name)
        return None

    def deliver(self, index, keep=False):
        sender, to, message = self.messages[index] if keep else self.messages.pop(index)
        self.rafts[to].receive(self.now, sender, message)
        return to

    def tick(self):
        """The next timer runs out."""
        name = min(self.names, key=lambda name: self.rafts[name].deadline)
        self.now = max(self.now, self.rafts[name].deadline)
        self.rafts[name].tick(self.now)
        return name

    def leaders(self):
        return [name for name in self.names if self.rafts[name].role is Role.LEADER]

    def propose(self, name):
        self.proposed += 1
        self.rafts[name].propose(self.now, self.proposed)

    def read(self, name):
        """Reads are numbered by the world, and must see all that anybody had committed when they began."""
        self.proposed += 1
        if self.rafts[name].read(self.now, self.proposed):
            self.reads[name, self.incarnations[name], self.proposed] = self.commit

    def step(self):
        """One random thing."""
        random = self.random
        self.now += random.random() * 0.004
        if random.random() < self.restarts:
            self.start(random.choice(self.names))
        if random.random() < self.cuts:
            self.cut = set() if self.cut and random.random() < 0.7 else self.some_cut()
            self.messages = [sent for sent in self.messages if sent[:2] not in self.cut]
        if random.random() < self.busy and (leaders := self.leaders()):
            name = random.choice(leaders)
            if random.random() < 0.3:
                self.read(name)
            else:
                self.propose(name)
            if random.random() < 0.7:  # else the next step's effects join the same batch
                self.perform(name, self.crashes)
        elif self.messages and random.random() > self.haste:
            index = random.randrange(len(self.messages)) if random.random() < self.reorders else 0
            if random.random() < self.losses:
                self.messages.pop(index)
            else:
                self.perform(self.deliver(index, keep=random.random() < self.repeats), self.crashes)
        else:
            self.perform(self.tick(), self.crashes)

    def some_cut(self):
        """A group of hosts, at least one, is cut off from the rest."""
        group = self.random.sample(self.names, self.random.randint(1, len(self.names) - 1)) if len(self.names) > 1 else []
        return {(a, b) for a in self.names for b in self.names if (a in group) != (b in group)}

    def calm(self, seconds=3.0):
        """No more faults: messages in order, timers when they are due."""
        self.cut, self.coups = set(), 0
        end = self.now + seconds
        while self.now < end:
            while self.messages:
                self.perform(self.deliver(0))
            self.perform(self.tick())
