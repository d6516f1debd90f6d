"""A Raft member as a program on a host: the core, its storage and a state machine, driven by trio.

The owner of the host's receive loop hands messages in; a timer task ticks.  Whoever steps the core while nobody performs its
effects performs them until there are none; whoever comes in between only steps, and its effects join the next batch.  So effects
are performed one batch after the other, entries that come during an fsync share the next one, and an idle heartbeat costs no
task switch beyond the receive loop's own:

    node = RaftNode(host, machine)
    await node.recover()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        while True:
            message = await host.receive()
            if not await node.handle(message):
                nursery.start_soon(serve, message)      # which may await node.propose(...)

`propose` and `read_barrier` wait for the receive loop, so they belong into other tasks.  Cancelling these two is safe, cancelling
`handle` or `run` means the end of the node.

What the world is told: `phase` (recovery, election, commit, idle) as soon as it changes; `role`, `term`, `leader` when they have
changed and `log=(first, ((term, chain), ...))` when the log from index `first` on has, both once that is durable;
`commit=index`; `applied=(index, chain)`, once for a batch.  An idle heartbeat tells nothing.

Kill points, in the order of a batch: raft-before-persist, raft-after-persist (nothing sent yet), raft-after-commit (the commit is
told, but to no other host), raft-before-apply (once for each entry).
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import trio

from ...properties.history import Value
from ...sim.host import Host, Message
from .config import Config
from .core import Raft
from .effects import Effects, Persist
from .messages import Entry, RaftMessage
from .role import Role
from .sessions import Request, SessionTable
from .storage import RaftStorage

__all__ = ["Applied", "LeadershipLostError", "NotLeaderError", "RaftNode", "StateMachine"]

_STATE = ("role", "term", "leader")


class StateMachine(Protocol):
    """What the log drives.  Deterministic: the same commands in the same order give the same state and results on each host."""

    async def apply(self, index: int, command: Value) -> Value:
        """Take the committed command at this index; its result is what `propose` returns."""
        ...


class Applied(msgspec.Struct, frozen=True):
    """Where a command stands in the log, and what the state machine answered."""

    index: int
    result: Value


class NotLeaderError(Exception):
    """This host does not lead, and the request had no effect.  `leader` is who does, as far as it knows, or None."""

    def __init__(self, name: str, leader: str | None) -> None:
        super().__init__(f"{name} does not lead; " + (f"ask {leader}" if leader else "no leader is known, try again later"))
        self.leader = leader


class LeadershipLostError(Exception):
    """This host ceased to lead before the command was committed: it may or may not take effect."""

    def __init__(self, name: str, index: int, term: int) -> None:
        super().__init__(f"{name} ceased to lead before entry {index} of term {term} was committed; nobody knows if it will be")


class _Waiter:
    """A task that waits for the outcome of what it asked in one term: a result, or an error."""

    __slots__ = ("done", "error", "result", "term")

    def __init__(self, term: int) -> None:
        self.term = term
        self.done = trio.Event()
        self.result: Value = None
        self.error: Exception | None = None

    async def wait(self) -> Value:
        await self.done.wait()
        if self.error is not None:
            raise self.error
        return self.result

    def finish(self, result: Value = None, error: Exception | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()


class RaftNode:
    """One member on one host.  `members` are the names of the others, by default all peers of the host.

    The classes of the core, the storage and the session table are attributes, so that a variant replaces one in a subclass.
    """

    core_class: type[Raft] = Raft
    session_class: type[SessionTable] = SessionTable

    def __init__(
        self,
        host: Host,
        machine: StateMachine,
        *,
        storage: RaftStorage | None = None,
        members: tuple[str, ...] | None = None,
        config: Config | None = None,
    ) -> None:
        self.host = host
        self.machine = machine
        self.storage = storage or RaftStorage(host.disk)
        self.sessions = self.session_class()
        self.applied = 0
        """The index of the last entry that the state machine has taken."""
        self._members = host.peers if members is None else members
        self._config = config or Config()
        self._core: Raft | None = None
        self._performing = False
        self._timer = trio.CancelScope()
        self._wake_at = 0.0
        # A follower's timer is put off when it is about to run out, not at every heartbeat: that would cost more than it saves.
        self._slack = self._config.election_timeout[0] / 2
        self._proposals: dict[tuple[int, int], _Waiter] = {}
        self._reads: dict[int, _Waiter] = {}
        self._next_read = 0
        self._told: tuple[str, int, str | None] = ("", -1, "")
        self._told_phase = "recovery"

    @property
    def core(self) -> Raft:
        """The core, to be looked at.  Exists after `recover`."""
        assert self._core is not None, "recover() comes first"
        return self._core

    # ---- what the owner calls

    async def recover(self) -> None:
        """Begin, or begin again, with what the disk kept.

        Raises:
            WalCorruptionError: the log on disk cannot be believed.
        """
        self.host.observe(phase="recovery")
        saved = await self.storage.recover()
        core = self._core = self.core_class(
            self.host.name, self._members, self.host.random, trio.current_time(), saved, self._config
        )
        if core.log.last:
            self.host.observe(log=(1, core.log.summary(1)))
        self.tell_phase()
        self.tell_state(core.role, core.term, core.leader)

    async def run(self) -> None:
        """The timer task; runs until cancelled, or until the disk fails."""
        core = self.core
        while True:
            now = trio.current_time()
            if now >= core.deadline:
                core.tick(now)
            await self._drain()
            self._wake_at = core.deadline
            with trio.CancelScope(deadline=self._wake_at) as self._timer:
                await trio.sleep_forever()

    async def handle(self, message: Message) -> bool:
        """Take a message if it is Raft's; False if it is not."""
        body = message.body
        if not isinstance(body, RaftMessage):
            return False
        now = trio.current_time()
        core = self.core
        core.receive(now, message.sender, body)
        await self._drain()
        deadline = core.deadline
        if deadline < self._wake_at or (deadline != self._wake_at and self._wake_at - now < self._slack):
            self._wake_at = self._timer.deadline = deadline
        return True

    async def propose(self, command: Value) -> Applied:
        """Have a command replicated and applied: its index, and the state machine's result.  A `Request` takes effect once.

        Raises:
            NotLeaderError: certainly nothing happened.
            LeadershipLostError: nobody knows yet.
        """
        place = self._core.propose(trio.current_time(), command) if self._core else None
        if place is None:
            raise self._not_leader()
        waiter = self._proposals[place] = _Waiter(place[1])
        self._wake()
        try:
            return Applied(place[0], await waiter.wait())
        finally:
            self._proposals.pop(place, None)

    async def read_barrier(self) -> int:
        """Wait until the local state is fit for a linearizable read; the index up to which the log was applied by then.

        Raises:
            NotLeaderError: this host does not lead, or ceased to.
        """
        self._next_read += 1
        number = self._next_read
        if self._core is None or not self._core.read(trio.current_time(), number):
            raise self._not_leader()
        waiter = self._reads[number] = _Waiter(self._core.term)
        self._wake()
        try:
            await waiter.wait()
        finally:
            self._reads.pop(number, None)
        return self.applied

    # ---- performing effects

    async def _drain(self) -> None:
        """Perform batches of effects until there are none, unless another task is at it and will take ours as well."""
        if self._performing:
            return
        core = self.core
        self._performing = True
        try:
            while (effects := core.take()) is not None:
                await self.perform(effects)
        finally:
            self._performing = False
        self.tell_phase()
        self.tell_state(core.role, core.term, core.leader)
        if self._proposals or self._reads:
            self._fail_waiters()

    async def perform(self, effects: Effects) -> None:
        """One batch, in the order that makes Raft safe: nothing is said or done before it is durable."""
        if effects.persist is not None:
            await self.persist(effects.persist)
            self.tell_state(effects.role, effects.term, effects.leader)
            # The world knows the role by now, so that "the leader, after it has persisted" can be its first entry, too.
            await self.host.killpoint("raft-after-persist")
        if effects.committed:
            self.host.observe(commit=effects.committed[-1].index)
            await self.host.killpoint("raft-after-commit")
        self.send(effects)
        if effects.persist is not None:
            await self.host.killpoint("raft-after-send")
        if effects.committed:
            await self.apply(effects)
        if effects.reads:
            self.confirm_reads(effects)

    async def persist(self, persist: Persist) -> None:
        """Make it durable, then tell the world of the log."""
        self.tell_phase()
        await self.host.killpoint("raft-before-persist")
        await self.storage.save(persist)
        if persist.first:
            self.host.observe(log=(persist.first, persist.summary))

    def send(self, effects: Effects) -> None:
        """Send the batch's messages."""
        send = self.host.send
        for to, message in effects.messages:
            send(to, message)

    async def apply(self, effects: Effects) -> None:
        """Give committed entries to the state machine, and their results to those who wait."""
        for committed in effects.committed:
            await self.host.killpoint("raft-before-apply")
            result = await self.apply_entry(committed.index, committed.entry)
            self.applied = committed.index
            waiter = self._proposals.get((committed.index, committed.entry.term))
            if waiter is not None:
                waiter.finish(result)
        self.host.observe(applied=(committed.index, committed.chain))

    async def apply_entry(self, index: int, entry: Entry) -> Value:
        """The result of one entry; a repetition of a client's request is answered from the session table."""
        command = entry.command
        if command is None:
            return None
        if not isinstance(command, Request):
            return await self.machine.apply(index, command)
        if self.sessions.seen(command):
            return self.sessions.result(command)
        result = await self.machine.apply(index, command.command)
        self.sessions.remember(command, result)
        return result

    def confirm_reads(self, effects: Effects) -> None:
        """Let reads go on.  What was committed when they began is in this batch at the latest, and applied by now."""
        for read in effects.reads:
            waiter = self._reads.pop(read.request, None)
            if waiter is not None:
                waiter.finish()

    def tell_phase(self) -> None:
        """Tell the world what this host is at, if it is something else than before."""
        core = self.core
        phase = "election" if core.leader is None else "commit" if self.applied < core.log.last else "idle"
        if phase != self._told_phase:
            self._told_phase = phase
            self.host.observe(phase=phase)

    def tell_state(self, role: Role, term: int, leader: str | None) -> None:
        """Tell the world what has changed of role, term and leader, all of it durable."""
        state = (role.value, term, leader)
        if state != self._told:
            changed = {name: new for name, new, old in zip(_STATE, state, self._told, strict=True) if new != old}
            self._told = state
            self.host.observe(**changed)

    # ---- tasks that wait

    def _wake(self) -> None:
        """Have the timer task perform what was just stepped, unless somebody is at it."""
        if not self._performing:
            self._timer.cancel()

    def _fail_waiters(self) -> None:
        """Whoever asked in a term that this host does not lead any more gets an error."""
        core = self.core
        leading = core.term if core.role is Role.LEADER else 0
        for (index, term), waiter in self._proposals.items():
            if term != leading and not waiter.done.is_set():
                waiter.finish(error=LeadershipLostError(core.name, index, term))
        for waiter in self._reads.values():
            if waiter.term != leading:
                waiter.finish(error=self._not_leader())

    def _not_leader(self) -> NotLeaderError:
        return NotLeaderError(self.host.name, self._core.leader if self._core else None)
