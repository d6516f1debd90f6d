"""A real run: the supervisor that starts the processes, lets a schedule's actions happen, and asks the properties.

It goes through the phases of a simulated run: actions at their times, a moment in which boundaries may still be reached, the calm phase in
which everything is healed and restarted, the final operations, the verdicts.  Times are real seconds; a schedule is thereby an outline
of what happens and not a function to it, which is why a real run has no digest, and why properties are asked in the end: only then is
the order of all that happened known.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import trio

from ..properties.common import NoCrash
from ..properties.history import History
from ..sim import codec
from ..sim.aim import Armed
from ..sim.fault import ANY
from ..sim.membership import SPARE
from ..sim.monitoring import judged
from ..sim.record import Record, Statistics, Strike
from ..sim.scenario import Scenario, ScenarioError
from ..sim.schedule import Call, Inject, Schedule
from ..sim.session import LINGER
from ..sim.validation import validated
from .clients import Desk, OwnLine
from .host import Identity, RealClient
from .machine import OUTPUT, RealMachine
from .orders import Setup
from .sockets import addresses_for, resolving
from .wire import SECRET_SIZE
from .world import BOOT_TIMEOUT, RealWorld

__all__ = ["SCHEDULE", "FolderError", "run_for_real"]

SCHEDULE = "schedule.json"
"""What is written into the folder first: what is to happen."""

LOOK = 0.1
"""Seconds between two looks at whether the run is to be stopped."""

LONGEST_OPERATION = 60.0
"""Seconds that the last operation of the first client gets before the final ones begin."""


class FolderError(ValueError):
    """The folder for a real run cannot be used: says why."""


def run_for_real(
    schedule: Schedule,
    scenario: type[Scenario],
    folder: Path,
    *,
    reference: str,
    each: Callable[[float, str], None] = lambda _seconds, _what: None,
    stop: Callable[[], bool] = lambda: False,
) -> Record:
    """Execute a schedule on processes of this machine, with their files below `folder`, which must be empty or not there.

    `scenario` is the class as its author wrote it and `reference` says where other processes find it.  `each` is told how far the run
    is, and what happens; `stop` is asked several times a second, and a run that is stopped is judged by what it was.

    Raises:
        FolderError: there is something in the folder already, or it cannot be made.
        ScenarioError: the scenario cannot be run, or has no such mutant, operation or client.
        PropertyError: a property failed to judge the run.
    """
    kind = scenario.mutant(schedule.mutant)
    problem = validated(kind)
    if problem is not None:
        raise ScenarioError(problem)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FolderError(f"there is something in {folder} already: a real run needs a folder of its own")
        codec.write(folder / SCHEDULE, schedule)
    except OSError as error:
        raise FolderError(f"{folder} cannot be used: {error.strerror}") from None
    try:
        run = _RealRun(schedule, kind, folder.absolute(), reference, each, stop)
        with resolving(run.addresses):  # for the clients, which live here
            return trio.run(run.run)
    except BaseExceptionGroup as group:
        raise _leaf(group) from None


class _StoppedError(Exception):
    """Somebody has stopped the run."""


def _leaf(error: BaseException) -> BaseException:
    """What went wrong first, out of the groups that nurseries make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _RealRun:
    def __init__(
        self,
        schedule: Schedule,
        kind: type[Scenario],
        folder: Path,
        reference: str,
        each: Callable[[float, str], None],
        stop: Callable[[], bool],
    ) -> None:
        self.schedule = schedule
        self.kind = kind
        self.scenario = kind()
        self.operations = kind.operations()
        self.settings = {name: values[0] for name, values in kind.settings.items()} | dict(schedule.settings)
        self.folder = folder
        self.reference = reference
        self.each = each
        self.stop = stop
        self.secret = secrets.token_bytes(SECRET_SIZE)
        self.strikes: list[Strike] = []
        self.waiting: dict[int, Inject] = {}
        self.numbers = count(1)
        self.busy = 0
        names = [*self.scenario.hosts, *kind.client_names(), *self.scenario.outsiders, *self.scenario.spares]
        self.ports = dict(zip(names, _free_ports(len(names)), strict=True))
        self.addresses = addresses_for(names)

    async def run(self) -> Record:
        """The whole run; whatever happens, no process outlives it."""
        async with trio.open_nursery() as nursery:
            world = RealWorld(
                self._machines(),
                self.scenario,
                nursery,
                seed=self.schedule.seed,
                tolerates=self.kind.survives() if self.schedule.budget == "quorum-safe" else None,
            )
            self.world = world
            self.nursery = nursery
            nursery.start_soon(world.keep_telling)
            try:
                desks = await self._clients()
                await self._boot()
                await self._act(desks)
                await self._calm(desks)
            except _StoppedError:
                world.incident("stopped")
            finally:
                world.over = True
                for machine in world.machines.values():
                    if machine.running:
                        machine.kill()
            with trio.move_on_after(BOOT_TIMEOUT):
                for machine in world.machines.values():
                    await machine.silent.wait()
            nursery.cancel_scope.cancel()
        return self._record()

    # -- beginning --------------------------------------------------------------------------------

    def _machines(self) -> Mapping[str, RealMachine]:
        roles = dict.fromkeys(self.scenario.hosts, "system") | dict.fromkeys(self.scenario.outsiders, "outsider")
        roles |= dict.fromkeys(self.scenario.spares, SPARE)
        return {name: RealMachine(name, role, self.folder / name, self._setup) for name, role in roles.items()}

    def _setup(self, machine: RealMachine) -> Setup:
        return Setup(self.reference, self.schedule.mutant, machine.version, self._identity(machine.name, machine.incarnation))

    def _identity(self, name: str, incarnation: int) -> Identity:
        root = self.folder / name / "disk"
        root.mkdir(parents=True, exist_ok=True)
        return Identity(
            name, self.world.members, incarnation, root, self.schedule.seed, self.settings, self.ports, self.secret, self.addresses
        )

    async def _clients(self) -> dict[str, Desk]:
        desks = {}
        for name in self.kind.client_names():
            client = RealClient(self._identity(name, 1), OwnLine(name, self.world.diary))
            desks[name] = Desk(client, self.scenario, self.world.diary, lambda: self.world.now, lambda: next(self.numbers))
            await self.nursery.start(client.transport.run)
        return desks

    async def _boot(self) -> None:
        """Start all processes, and let their programs begin together: that is the beginning of time."""
        machines = {name: machine for name, machine in self.world.machines.items() if machine.role != SPARE}
        loaded = {name: trio.Event() for name in machines}
        for name, machine in machines.items():
            self.world.boot(machine, loaded[name].set)
        with trio.move_on_after(BOOT_TIMEOUT):
            for name, machine in machines.items():
                while machine.state == "starting" and not loaded[name].is_set():
                    await self._nap()
        for name, event in loaded.items():
            if not event.is_set():
                output = self.folder / name / OUTPUT
                raise ScenarioError(f"the process of {name} did not load {self.reference}; what it printed is in {output}")
        self.world.diary.began = time.monotonic()
        for machine in machines.values():
            self.world.incident("start", machine.name, incarnation=1)
            machine.go()

    # -- acting -----------------------------------------------------------------------------------

    async def _act(self, desks: Mapping[str, Desk]) -> None:
        for number, action in enumerate(self.schedule.actions):
            await self._until(action.at)
            if isinstance(action, Call):
                self._call(desks, action)
            elif action.boundary is None:
                self._strike(number, action)
            else:
                self._arm(number, action)
        await self._until(self.world.now + LINGER)

    async def _until(self, time: float) -> None:
        while True:
            left = time - self.world.now
            await trio.sleep(min(max(left, 0.0), LOOK))
            self.each(self.world.now, "")
            if self.world.failed is not None:
                raise self.world.failed
            if self.stop():
                raise _StoppedError
            if left <= LOOK:
                return

    async def _nap(self) -> None:
        """Wait a little for something else, unless the run is to be stopped."""
        await trio.sleep(0.005)
        if self.stop():
            raise _StoppedError

    def _call(self, desks: Mapping[str, Desk], action: Call) -> bool:
        spec, desk = self.operations.get(action.operation), desks.get(action.client)
        if spec is None or desk is None:
            what = f"operation {action.operation!r}" if spec is None else f"client {action.client!r}"
            raise ScenarioError(f"{self.reference} has no {what}; it has {', '.join(self.operations if spec is None else desks)}")
        if desk.dead or not desk.idle.is_set():
            self.busy += 1
            return False
        desk.reserve()
        self.nursery.start_soon(desk.call, spec, action)
        return True

    def _strike(self, number: int, action: Inject) -> None:
        phases = {name: str(machine.observed.get("phase", "")) for name, machine in self.world.machines.items()}
        index, result = self.world.strike(number, action.fault)
        phase = phases[result.hosts[0]] if result.hosts else ""
        self.strikes.append(
            Strike(number, action.fault.kind(), result.effect, self.world.now, index, phase, result.hosts, result.detail)
        )
        self.each(self.world.now, f"{action.fault.describe()}: {result.effect}")

    def _arm(self, number: int, action: Inject) -> None:
        boundary = action.boundary
        assert boundary is not None
        if not action.fault.for_real:
            self._strike(number, action)
            return
        world = self.world
        machine = world.machines.get(boundary.host)
        machines = [machine] if machine is not None else [world.machines[name] for name in world.system]
        self.waiting[number] = action

        def reached() -> None:
            if self.waiting.pop(number, None) is not None:
                self._strike(number, action)

        role = None if machine is not None or boundary.host == ANY else boundary.host
        armed = Armed(number, boundary.event, role, boundary.phase, max(boundary.ordinal, 1), reached)
        for each in machines:
            each.arm(armed)

    # -- ending -----------------------------------------------------------------------------------

    async def _calm(self, desks: Mapping[str, Desk]) -> None:
        world = self.world
        for machine in world.machines.values():
            machine.disarm_all()
        index = world.incident("calm")
        for number, action in self.waiting.items():
            self.strikes.append(Strike(number, action.fault.kind(), "never-reached", world.now, index))
        self.waiting.clear()
        world.end_faults()
        world.network.heal_all()
        for machine in world.machines.values():
            world.resume(machine)
            world.restart(machine)
        with trio.move_on_after(BOOT_TIMEOUT):
            while any(machine.state == "starting" for machine in world.machines.values()):
                await self._nap()
        await self._until(world.now + self.scenario.calm)
        first = next(iter(desks.values()), None)
        if first is not None:
            await self._idle(first)
            for spec in self.operations.values():
                if spec.final and self._call(desks, Call(world.now, first.client.name, spec.name)):
                    await self._idle(first)

    async def _idle(self, desk: Desk) -> None:
        with trio.move_on_after(LONGEST_OPERATION):
            while not desk.idle.is_set():
                await self._nap()
        await self._until(self.world.now)

    def _record(self) -> Record:
        world = self.world
        ended = world.now
        events, trace, indices = world.diary.in_order()
        properties = [NoCrash(), *self.scenario.properties]
        if self.schedule.budget == "quorum-safe":
            properties += self.scenario.liveness
        counts = world.diary.counts()
        strikes = sorted((self._placed(strike, indices) for strike in self.strikes), key=lambda strike: strike.index)
        return Record(
            schedule=self.schedule,
            digest="",
            ended=ended,
            history=History(events),
            verdicts=tuple(judged(prop, events) for prop in properties),
            strikes=tuple(strikes),
            statistics=Statistics(
                events=len(trace),
                messages_sent=counts.get("send", 0),
                messages_delivered=counts.get("deliver", 0),
                messages_dropped=counts.get("drop", 0),
                busy=self.busy,
            ),
            hosts=(*self.scenario.hosts, *self.kind.client_names(), *self.scenario.outsiders, *self.scenario.spares),
            trace=trace,
        )

    @staticmethod
    def _placed(strike: Strike, indices: Mapping[int, int]) -> Strike:
        return Strike(
            strike.action, strike.fault, strike.effect, strike.time, indices[strike.index], strike.phase, strike.hosts, strike.detail
        )


def _free_ports(number: int) -> list[int]:
    """Ports of loopback on which nobody listens now, all different."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
