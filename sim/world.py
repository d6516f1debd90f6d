"""The world: virtual time, one heap of events, and the machines that they happen to.

Events are ordered by an explicit key, **(time, kind, source, sequence number of that source)**, never by order of insertion, so that
what happens does not depend on who asked first:

====  ==================  =======================================  =============================
kind  event               source                                   sequence number
====  ==================  =======================================  =============================
0     an action           (applied from outside, before all else)
1     a fault ends        the action's place in the schedule       how many it has caused so far
2     a message arrives   its sender                               the sender's count of sends
3     a kernel's timer    the host                                 how many its world has set so far
4     a host wakes        the host                                 -
5     somebody looks      (from outside; changes nothing)          -
====  ==================  =======================================  =============================

Processing an event runs a **slice** of at most one host: everything in it that is runnable, until it waits for time or messages
again.  Between events nothing moves, so `step`, `advance` and `run_until` are plain synchronous calls that work from a test, a
debugger, a notebook, or inside another event loop, and several worlds can be stepped in turn.

What happens is written down by `Chronicle`; who is meant, and what strikes at which boundary, is `Aim`'s business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any

from ..properties.history import Value
from .burial import bury, collect, open_worlds
from .chronicle import Chronicle
from .digest import BLOCK
from .drive import Drive
from .machine import Delivery, Machine
from .membership import REMOVED, SPARE, Membership
from .network import ARRIVAL, Network
from .noise import NoiseSource
from .pace import stand_still
from .payload import encode
from .schedule import Noise
from .striking import end as end_fault
from .task_order import arrange
from .trio_driver import Engine, LivelockError, TaskTrap
from .watchdog import NeverYieldsError, watchdog

if TYPE_CHECKING:
    from .fault import Fault

__all__ = ["World"]

FAULT_ENDS, TIMER, WAKE, LOOK = 1, 3, 4, 5

MAX_EVENTS = 3_000_000
"""A run with more events than this is stopped: something floods."""

COLLECT_EVERY = 2048
"""Blocks of the digest between two garbage collections within a run: a fixed point, since collections can run `__del__`."""

_WITHIN = "a world cannot be stepped from within one of its own hosts"

Entry = tuple[float, int, int, float, Callable[[Any], None], Any]


class World(Chronicle, Membership[Machine]):
    """A simulated world.

    `programs` are the system's hosts; `clients` and `outsiders` are hosts that faults spare unless aimed at.  `noise` decides
    everything random; `tolerates` is how many system hosts may be impaired at once (None: any number).
    """

    def __init__(
        self,
        programs: Mapping[str, Callable[[Any], Awaitable[None]]],
        *,
        clients: Mapping[str, Callable[[Any], Awaitable[None]]] | None = None,
        outsiders: Mapping[str, Callable[[Any], Awaitable[None]]] | None = None,
        spares: Mapping[str, Callable[[Any], Awaitable[None]]] | None = None,
        seed: int = 0,
        noise: NoiseSource | None = None,
        settings: Mapping[str, Value] | None = None,
        tolerates: int | None = None,
        trace: bool = False,
    ) -> None:
        Chronicle.__init__(self, trace=trace)
        Membership.__init__(self)
        self.seed = seed
        self.settings = dict(settings or {})
        self.noise = noise if noise is not None else NoiseSource(seed, Noise())
        self.tolerates = tolerates
        self.network = Network(self)
        self.system = tuple(programs)
        self.slices = self.collections = 0
        self.heap: list[Entry] = []
        """What will happen, as a heap."""
        self._dead: list[tuple[Machine, Engine]] = []
        self.trap = TaskTrap(partial(arrange, self))
        self.drive = Drive(self, self.trap)
        self._ends = 0
        self._looks = 0
        self._timers = 0
        self._at_calm: list[Callable[[], None]] = []
        self.on_death: Callable[[Machine], None] = lambda _machine: None
        self.strike_index: int | None = None
        self.strike_action = 0
        self.striking: Fault | None = None
        for role, group in (("system", programs), ("client", clients or {}), ("outsider", outsiders or {}), (SPARE, spares or {})):
            for name, program in group.items():
                if name in self.machines:
                    raise ValueError(f"two hosts are called {name!r}: names are addresses and must differ")
                self.machines[name] = Machine(self, name, len(self.machines), role, program)
        open_worlds.add(self)

    def boot(self) -> None:
        """Start every host; their programs run once time is let pass."""
        for machine in self.machines.values():
            if machine.role != SPARE:
                self.start(machine)

    # -- stepping ---------------------------------------------------------------------------------

    def step(self) -> bool:
        """Process one event.  False if there is none, or the run was stopped."""
        with self.drive:
            return self._step(inf)
        return False  # the watchdog broke it off

    def advance(self, seconds: float) -> None:
        """Let virtual time pass: process every event up to and including that instant."""
        until = self.now + seconds
        with self.drive:
            self._run_to(until, last=True)
        if not self.stopped:
            self.now = max(self.now, until)

    def advance_before(self, time: float) -> None:
        """Process every event strictly before `time`, then set the clock to it: an action at `time` comes next."""
        with self.drive:
            self._run_to(time, last=False)
        if not self.stopped:
            self.now = max(self.now, time)

    def run_until(self, predicate: Callable[[], bool], *, within: float) -> bool:
        """Process events until the predicate holds, at most `within` virtual seconds.  True if it held."""
        until = self.now + within
        with self.drive:
            while not predicate():
                if not self._step(until):
                    break
            else:
                return True
        if not self.stopped:
            self.now = max(self.now, until)
        return predicate()

    def settle(self, *, within: float = 60.0) -> bool:
        """Process events until no message is under way and no host has anything left to do but sleep.  True if it settled."""
        return self.run_until(lambda: not any(entry[1] == ARRIVAL or entry[0] <= self.now for entry in self.heap), within=within)

    def _run_to(self, until: float, *, last: bool) -> None:
        """Process every event before an instant, and those of the instant itself if they are to come `last`."""
        if self.running is not None:
            raise RuntimeError(_WITHIN)
        heap, entries = self.heap, self.digest.entries
        while heap and not self.stopped:
            time = heap[0][0]
            if time > until or (time == until and not last):
                return
            entry = heappop(heap)
            self.now = time
            entry[4](entry[5])
            if len(entries) >= BLOCK:
                self._digest()

    def _step(self, until: float) -> bool:
        heap = self.heap
        if not heap or heap[0][0] > until or self.stopped:
            return False
        if self.running is not None:
            raise RuntimeError(_WITHIN)
        entry = heappop(heap)
        self.now = entry[0]
        entry[4](entry[5])
        if len(self.digest.entries) >= BLOCK:
            self._digest()
        return True

    def _digest(self) -> None:
        """Digest what has been noted; now and then collect garbage, and see whether this will ever end."""
        self.digest.flush()
        if len(self.digest.blocks) % COLLECT_EVERY == 0:
            self.collections += 1
            collect(self)
        if max(self.index, len(self.digest.blocks) * BLOCK) > MAX_EVENTS:
            self._give_up()

    def _give_up(self) -> None:
        busiest = max(self.machines.values(), key=lambda machine: (machine.sends + machine.wake_ticket, machine.name))
        where = busiest.engine.where() if busiest.engine is not None else ""
        message = f"the run was ended after {MAX_EVENTS:,} events: something floods; {busiest.name} sent and slept most"
        self.crash(busiest, "Flood", message, where, ())
        self.stopped = True

    def look_at(self, time: float, look: Callable[[], None]) -> None:
        """Call `look` once everything up to and including `time` has happened; it must not change anything."""
        self._looks += 1
        heappush(self.heap, (time, LOOK, 0, self._looks, self._end, look))

    # -- the heap ---------------------------------------------------------------------------------

    def schedule_delivery(self, time: float, source: int, sequence: float, message: Delivery, target: Machine) -> None:
        """A message will arrive."""
        heappush(self.heap, (time, ARRIVAL, source, sequence, self.network.arrive, (message, target)))

    def schedule_timer(self, time: float, machine: Machine, call: Callable[[], None]) -> None:
        """A kernel has something to do later."""
        self._timers += 1
        heappush(self.heap, (time, TIMER, machine.index, self._timers, self._end, call))

    def schedule_end(self, time: float, action: int, end: Callable[[], None]) -> None:
        """A fault will end."""
        self._ends += 1
        heappush(self.heap, (time, FAULT_ENDS, action, self._ends, self._end, end))

    def end_later(self, duration: float, end: Callable[[], None]) -> None:
        """The fault that is striking now will end after `duration` seconds, or with the calm phase if that is 0."""
        guarded = partial(end_fault, self.striking, end, self)
        if duration:
            self.schedule_end(self.now + duration, self.strike_action, guarded)
        else:
            self._at_calm.append(guarded)

    def tell(self, host: str, body: Value) -> None:
        """Send a host a message from outside the world, which arrives at once."""
        machine = self.machines[host]
        self._ends += 1
        message = Delivery("world", host, body, 0, 0, self.index, self.now)
        self.note((13, self.now, machine.index, encode(body, "world", host)))
        self.schedule_delivery(self.now, -1, self._ends, message, machine)

    def _end(self, end: Callable[[], None]) -> None:
        end()

    def end_faults(self) -> None:
        """Let every fault that has not ended end now, in the order in which they would have."""
        with self.drive:
            ending = sorted(entry for entry in self.heap if entry[1] == FAULT_ENDS)
            self.heap[:] = [entry for entry in self.heap if entry[1] != FAULT_ENDS]
            heapify(self.heap)
            for entry in ending:
                entry[4](entry[5])
            for end in self._at_calm:
                end()
            self._at_calm.clear()

    # -- slices -----------------------------------------------------------------------------------

    def run_now(self, machine: Machine) -> None:
        """Run one slice of a host from outside the heap."""
        with self.drive:
            self.run(machine)

    def run(self, machine: Machine) -> None:
        """Run one slice of a host, and note when it wants to be woken."""
        if machine.paused or machine.engine is None:
            return
        if self.running is not None:
            # Within another host's slice, as when a fault at its boundary resumes this one: as soon as that slice is over.
            self.wake(machine, self.now)
            return
        engine = machine.engine
        if machine.clock.drifts:
            machine.clock.update()
        self.running = machine
        self.slices += 1
        try:
            deadline = engine.slice()
        except BaseException as error:  # noqa: BLE001  # of the event loop, not of the program in it
            self._broken(machine, engine, error)
            return
        finally:
            self.running = None
        if watchdog.alarmed and self.drive.check():
            engine.poisoned = True
        if self.failed is not None:
            raise self.failed
        if engine.poisoned or machine.engine is not engine:
            return
        if machine.clock.blocked or machine.slow:
            stand_still(self, machine)
        if not machine.clock.true:
            deadline = machine.clock.in_world(deadline)
        machine.deadline = deadline
        if engine.finished:
            self._exited(machine, engine.error())
        elif deadline < machine.wake_at:
            self.wake(machine, deadline)

    def exit_now(self, machine: Machine, status: int) -> None:
        """A program has ended its process on the spot."""
        if machine.alive:
            self.crash(machine, "Exit", f"the program called os._exit({status})", "", ())
            self._stop(machine)

    def _broken(self, machine: Machine, engine: Engine, error: BaseException) -> None:
        """A slice did not end by itself: the host spins, was broken off or interrupted, or its program damaged its event loop."""
        self.running = None
        cause = self.drive.culprit(error.__cause__ or error)
        if isinstance(error, LivelockError):
            self.crash(machine, "LivelockError", str(error), engine.where(), ())
        elif not self.drive.check():
            if isinstance(cause, KeyboardInterrupt | NeverYieldsError):
                raise cause
            where, lines = self.drive.describe(cause)
            self.crash(machine, type(cause).__name__, self.drive.text(cause), where, lines)
        if machine.engine is engine:
            self._stop(machine)

    def wake(self, machine: Machine, deadline: float) -> None:
        """Plan the next slice of a host."""
        machine.wake_at = deadline
        machine.wake_ticket += 1
        if deadline < inf:
            heappush(self.heap, (deadline, WAKE, machine.index, machine.wake_ticket, self._woken, (machine, machine.wake_ticket)))

    def _woken(self, item: tuple[Machine, int]) -> None:
        machine, ticket = item
        if machine.wake_ticket != ticket:
            return
        machine.wake_at = inf
        engine = machine.engine
        if engine is None or machine.paused:
            return
        if machine.deadline > self.now:
            # The deadline has moved since this wake-up was planned, or something else is due; asking costs, so only now.
            deadline = machine.clock.in_world(engine.next_deadline())
            if deadline > self.now:
                self.wake(machine, deadline)
                return
        self.note((4, self.now, machine.index))
        self.run(machine)

    # -- life and death ---------------------------------------------------------------------------

    def start(self, machine: Machine) -> None:
        """Begin the first program of a machine."""
        machine.boot()
        self._emit("start", machine.name, None, {"incarnation": machine.incarnation})
        self.wake(machine, self.now)

    def kill(self, machine: Machine, *, keep: str | None = None, cause: int | None = None) -> str:
        """Stop a host for ever where it stands.

        Without `keep` only the process dies: peers' messages are lost, the disk keeps what was written.  With it the machine
        loses power and the disk keeps what `keep` says (see `disk.py`).  Returns what to tell people about the disk.
        """
        assert machine.alive
        kept = ""
        if keep is not None:
            survived, pending = machine.disk.power_loss(keep)
            kept = f"kept {survived} of {pending} units not yet synced"
        kind = "kill" if keep is None else "power-loss"
        self._emit(kind, machine.name, cause, {"mode": "process" if keep is None else "power", "kept": kept})
        if keep is not None:
            machine.powered, machine.stack = False, None
        self._stop(machine)
        return kept

    def _stop(self, machine: Machine) -> None:
        engine, handle = machine.engine, machine.handle
        assert engine is not None
        assert handle is not None
        machine.engine = machine.handle = None
        machine.paused = False
        machine.held.clear()
        machine.wake_ticket += 1
        machine.wake_at = inf
        if machine.stack is not None:
            machine.stack.process_killed()
        if self.running is machine:
            engine.poison(self.trap)
        self._dead.append((machine, engine))
        self.on_death(machine)

    def restart(self, machine: Machine, cause: int | None = None) -> None:
        """Begin the program of a dead host again, with what its disk kept."""
        if not machine.alive and machine.role not in (SPARE, REMOVED):
            machine.boot()
            self._emit("restart", machine.name, cause, {"incarnation": machine.incarnation})
            self.wake(machine, self.now)

    def pause(self, machine: Machine, cause: int | None = None) -> None:
        """Stop a host as SIGSTOP does: messages wait, time passes."""
        machine.paused = True
        if self.running is machine and machine.engine is not None:
            machine.engine.suspend(self.trap)
        self._emit("pause", machine.name, cause, {})

    def resume(self, machine: Machine, cause: int | None = None) -> None:
        """Let a paused host go on: it sees the time that passed and the messages that waited."""
        if machine.paused:
            machine.paused = False
            self._emit("resume", machine.name, cause, {})
            with self.drive:
                while machine.held and not machine.paused:
                    self.network.hand_over(machine.held.popleft(), machine)
            if machine.engine is not None:
                self.wake(machine, max(self.now, machine.clock.in_world(machine.engine.next_deadline())))

    def _exited(self, machine: Machine, error: BaseException | None) -> None:
        if machine.stack is not None:
            machine.stack.process_ended()
        if error is None:
            self._emit("exit", machine.name, None, {})
        else:
            error = self.drive.culprit(error)
            if isinstance(error, KeyboardInterrupt):
                self._stop(machine)
                raise error
            where, lines = self.drive.describe(error)
            self.crash(machine, type(error).__name__, self.drive.text(error), where, lines)
        self._stop(machine)

    def crash(self, machine: Machine, error: str, message: str, where: str, lines: Sequence[str]) -> None:
        """Node code failed in a way that nobody declared: the run has an invalid verdict."""
        self._emit("crash", machine.name, None, {"error": error, "message": message, "where": where, "traceback": tuple(lines)})

    def bury(self) -> None:
        """Free every dead program, and the living ones: the run is over and nothing of it will be stepped again."""
        self.stopped = True
        for machine in self.machines.values():
            if machine.engine is not None:
                self._dead.append((machine, machine.engine))
                machine.engine = machine.handle = None
        self.heap.clear()
        dead, self._dead = self._dead, []
        bury(self, dead)

    def __del__(self) -> None:
        # A world that is merely dropped is buried before its programs are freed, so that what they then do is fenced and silent.
        # The collector finalises older objects first, and a world is older than its programs.
        if self._dead or any(machine.engine is not None for machine in self.machines.values()):
            self.bury()
