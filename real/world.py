"""The real world, as far as faults can change it: processes that are killed and stopped, links that are cut.

A fault that says `for_real` strikes here as it strikes the simulated world, by the same code: this class has what such faults ask for,
under the same names.  What only a simulated machine can suffer, a skewed clock or a disk that lies, does nothing here, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

import trio

from ..properties.history import Value
from ..sim.fault import Fault, FaultOutcome
from ..sim.membership import REMOVED, SPARE, Membership
from ..sim.striking import end as end_fault
from ..sim.striking import strike
from .diary import Diary
from .line import Crossing, Happening
from .machine import RealMachine
from .network import RealNetwork

if TYPE_CHECKING:
    from ..sim.scenario import Scenario
    from ..sim.world import World

__all__ = ["BOOT_TIMEOUT", "RealWorld"]

BOOT_TIMEOUT = 30.0
"""Seconds in which a process must have loaded its program."""

SAY_AGAIN = 0.01
"""Seconds."""

_NOT_FOR_REAL = FaultOutcome("nothing", detail="cannot be done to real processes")


class RealWorld(Membership[RealMachine]):
    """Processes, links and pending ends of faults.  `tolerates` is as in the simulated world."""

    def __init__(
        self, machines: Mapping[str, RealMachine], scenario: Scenario, nursery: trio.Nursery, *, seed: int, tolerates: int | None
    ) -> None:
        super().__init__()
        self.machines = dict(machines)
        self.system = tuple(name for name, machine in machines.items() if machine.role == "system")
        self.seed = seed
        self.tolerates = tolerates
        self.scenario: Scenario | None = scenario
        self.diary = Diary()
        self.network = RealNetwork(self._cuts_changed)
        self.failed: Exception | None = None
        self.over = False
        self.strike_index: int | None = None
        self.strike_action = 0
        self.striking: Fault | None = None
        self._nursery = nursery
        self._pending: dict[int, Callable[[], None]] = {}
        self._ends = 0

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.diary.began

    def as_world(self) -> World:
        """What faults are given.  It is no simulated world; those that are `for_real` do not notice."""
        return cast("World", self)

    def incident(self, kind: str, host: str | None = None, cause: int | None = None, **detail: Value) -> int:
        """Record that something happened now; returns its number."""
        return self.diary.write(self.now, kind, host, detail, cause)

    def fail(self, error: Exception) -> None:
        """A fault failed to strike, which ends the run."""
        self.failed = self.failed or error

    # -- life and death ---------------------------------------------------------------------------

    def boot(self, machine: RealMachine, ready: Callable[[], None]) -> None:
        """Start a process; `ready` is called once it has loaded its program."""
        news = machine.begin(self.network.cuts)
        self._nursery.start_soon(self._listen, machine, news, ready)

    async def _listen(self, machine: RealMachine, news: trio.socket.SocketType, ready: Callable[[], None]) -> None:
        incarnation = machine.incarnation
        said_why = False

        def heard(happening: Happening) -> None:
            nonlocal said_why
            if happening.kind == "ready":
                ready()
                return
            if happening.kind == "observe":
                machine.observed.update(happening.detail)
            said_why = said_why or happening.kind in ("exit", "crash")
            self.diary.happened(machine.name, incarnation, happening)

        def stood(crossing: Crossing) -> None:
            if machine.alive and machine.incarnation == incarnation:
                self.cross(machine, *crossing.boundaries)
                machine.go_on()

        await machine.listen(news, heard, stood)
        status = machine.reap()
        if status is not None and not said_why:
            message = f"the process ended with status {status}; what it printed is in {machine.folder}"
            self.incident("crash", machine.name, error="Exit", message=message, where="", traceback=())

    def start(self, machine: RealMachine) -> None:
        """Begin the first program of a machine."""

        def ready() -> None:
            self.incident("start", machine.name, incarnation=1)
            machine.go()

        self.boot(machine, ready)

    def kill(self, machine: RealMachine, *, keep: str | None = None, cause: int | None = None) -> str:
        """Kill a process.  What it had written stays: only the simulator can take back what was not synced."""
        assert machine.alive
        moment = machine.kill()
        kept = "" if keep is None else "as a kill: what a real machine had cached stays"
        kind = "kill" if keep is None else "power-loss"
        detail = {"mode": "process" if keep is None else "power", "kept": kept}
        self.diary.write(moment - self.diary.began, kind, machine.name, detail, cause)
        return kept

    def restart(self, machine: RealMachine, cause: int | None = None) -> None:
        """Begin the program of a dead host again; it is up when its process has loaded it."""
        if machine.state == "down" and machine.role not in (SPARE, REMOVED):
            machine.state = "starting"
            self._nursery.start_soon(self._restart, machine, cause)

    async def _restart(self, machine: RealMachine, cause: int | None) -> None:
        await machine.silent.wait()
        if self.over:
            return

        def ready() -> None:
            self.incident("restart", machine.name, cause, incarnation=machine.incarnation)
            machine.go()

        self.boot(machine, ready)

    async def keep_telling(self) -> None:
        """Tell processes what they had no room for when it was said."""
        while True:
            await trio.sleep(SAY_AGAIN)
            for machine in self.machines.values():
                machine.say()

    def pause(self, machine: RealMachine, cause: int | None = None) -> None:
        """SIGSTOP."""
        machine.stop(on=True)
        self.incident("pause", machine.name, cause)

    def resume(self, machine: RealMachine, cause: int | None = None) -> None:
        """SIGCONT."""
        if machine.paused:
            self.incident("resume", machine.name, cause)
            machine.stop(on=False)

    def _cuts_changed(self) -> None:
        for machine in self.machines.values():
            machine.cut(self.network.cuts)

    # -- faults -----------------------------------------------------------------------------------

    def strike(self, number: int, fault: Fault) -> tuple[int, FaultOutcome]:
        """Let a fault strike now: the number of its incident, and what it did."""
        target = str(getattr(fault, "target", getattr(fault, "issuer", "")))
        outer = self.strike_index, self.strike_action, self.striking
        index = self.strike_index = self.incident("strike", None, None, action=number, fault=fault.kind(), target=target)
        self.strike_action, self.striking = number, fault
        result = strike(fault, number, self.as_world()) if fault.for_real else _NOT_FOR_REAL
        self.strike_index, self.strike_action, self.striking = outer
        return index, result

    def schedule_timer(self, time: float, _machine: RealMachine, call: Callable[[], None]) -> None:
        """Call something later."""
        self._nursery.start_soon(self._at, time, call)

    def schedule_end(self, time: float, _action: int, end: Callable[[], None]) -> None:
        """A fault will end."""
        self._ends += 1
        self._pending[self._ends] = end
        self._nursery.start_soon(self._at, time, partial(self._end, self._ends))

    def end_later(self, duration: float, end: Callable[[], None]) -> None:
        """The fault that is striking now will end after `duration` seconds, or with the calm phase if that is 0."""
        guarded = partial(end_fault, self.striking, end, self.as_world())
        if duration:
            self.schedule_end(self.now + duration, self.strike_action, guarded)
        else:
            self._ends += 1
            self._pending[self._ends] = guarded

    def end_faults(self) -> None:
        """Let every fault that has not ended end now."""
        while self._pending:
            self._end(next(iter(self._pending)))

    async def _at(self, time: float, call: Callable[[], None]) -> None:
        await trio.sleep(max(time - self.now, 0.0))
        try:
            call()
        except Exception as error:  # noqa: BLE001  # of a fault, which is the scenario's
            self.fail(error)

    def _end(self, number: int) -> None:
        end = self._pending.pop(number, None)
        if end is not None:
            try:
                end()
            except Exception as error:  # noqa: BLE001  # of a fault, which is the scenario's
                self.fail(error)

    # -- what scenarios ask for -------------------------------------------------------------------

    def tell(self, host: str, body: Value) -> None:
        """Send a host a message from outside the world."""
        self.machines[host].tell(body)
