"""The session: the only thing that ever executes a schedule.

A Hypothesis machine applies actions one at a time, the shrinker and `killpoint replay` apply a whole schedule, a notebook steps to a
moment and looks.  All go through `Session.apply`, which processes every event before the action's time, then the action, and nothing
after it, so one at a time and all at once are the same run.

A run ends with a **calm phase**: once the last action has had time to work, every fault ends, dead hosts are restarted, noise stops,
and the system gets bounded virtual time to recover.  Then the scenario's final operations look at what is there, and the properties
give their verdicts.  Properties are fed while the run goes on, and the first violation stops it.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Mapping

import outcome
from trio.lowlevel import Abort, Task, current_task, wait_task_rescheduled

from ..properties.common import NoCrash
from ..properties.history import Complete, History, Invoke, Outcome, Value
from ..properties.verdict import Property, Status, Verdict
from .aim import Armed
from .calling import carry_out
from .fault import ANY
from .frames import defined_at
from .machine import Machine
from .monitoring import finished, started
from .noise import NoiseSource
from .payload import encode_recorded
from .record import Record, Statistics, Strike
from .scenario import Client, OperationSpec, Scenario, ScenarioError
from .schedule import Action, Call, Inject, Noise, Override, Schedule
from .striking import strike
from .trace import TraceEvent
from .validation import validated
from .world import World

__all__ = ["LINGER", "Session", "run"]

LINGER = 1.0
"""Virtual seconds between the last action and the end of the faults, in which boundaries may still be reached."""

_holders = 0
_collecting = True


class _Desk:
    """Where a client waits for its next call."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.processes = 1
        self.process = machine.name
        self.task: Task | None = None
        self.open: Invoke | None = None


class Session:
    """One run in progress.  `world` may be looked at and stepped between actions.

    `scenario` is the class as the user wrote it; `mutant` picks one of its planted bugs.  With `trace` the record will hold the
    full trace; with `keep_noise` what the noise did.

    Raises:
        ScenarioError: the scenario has no such mutant, or no hosts.
        PropertyError: one of its properties cannot start; from then on also: one failed to judge the run.
    """

    def __init__(
        self,
        scenario: type[Scenario],
        *,
        seed: int = 0,
        noise: Noise | None = None,
        overrides: Iterable[Override] = (),
        settings: Mapping[str, Value] | None = None,
        mutant: str | None = None,
        budget: str = "quorum-safe",
        reference: str | None = None,
        trace: bool = False,
        keep_noise: bool = False,
    ) -> None:
        kind = scenario.mutant(mutant)
        problem = validated(kind)
        if problem is not None:
            raise ScenarioError(problem)
        self.scenario = kind()
        self.operations = kind.operations()
        noise = noise or Noise()
        chosen = {name: values[0] for name, values in kind.settings.items()} | dict(settings or {})
        self._header = Schedule(
            scenario=reference or kind.label(),
            seed=seed,
            noise=noise,
            overrides=tuple(overrides),
            settings=chosen,
            mutant=mutant,
            budget=budget,
        )
        self._actions: list[Action] = []
        self._strikes: list[Strike] = []
        self._waiting: dict[int, Inject] = {}
        self._operations = 0
        self._busy = 0
        self._calm = False
        self._record: Record | None = None
        self._release = _hold_collector(self)
        self.world = World(
            self.scenario.hosts,
            clients=dict.fromkeys(kind.client_names(), self._serve),
            outsiders=self.scenario.outsiders,
            spares=self.scenario.spares,
            seed=seed,
            noise=NoiseSource(seed, noise, self._header.overrides, keep=keep_noise),
            settings=chosen,
            tolerates=kind.survives() if budget == "quorum-safe" else None,
            trace=trace,
        )
        self.world.scenario = self.scenario
        self.world.on_death = self._died
        self._desks: dict[str, _Desk] = {}
        for name in kind.client_names():
            machine = self.world.machines[name]
            machine.handle_type = Client
            self._desks[name] = _Desk(machine)
        self.properties: list[Property] = [NoCrash(), *self.scenario.properties]
        if budget == "quorum-safe":
            self.properties += self.scenario.liveness
        self.world.properties = self.properties
        self.world.monitors = [started(prop) for prop in self.properties]
        self.world.boot()
        for desk in self._desks.values():
            self.world.run_now(desk.machine)  # so that a call at time 0 finds its client ready

    @classmethod
    def under(
        cls, schedule: Schedule, scenario: type[Scenario], *, trace: bool = False, keep_noise: bool = False, reference: str | None = None
    ) -> Session:
        """A session under everything that a schedule says, but for its actions, of which none is applied yet."""
        return cls(
            scenario,
            seed=schedule.seed,
            noise=schedule.noise,
            overrides=schedule.overrides,
            settings=schedule.settings,
            mutant=schedule.mutant,
            budget=schedule.budget,
            reference=reference or schedule.scenario,
            trace=trace,
            keep_noise=keep_noise,
        )

    # -- applying ---------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.world.now

    @property
    def stopped(self) -> bool:
        """True once a property was violated, or the run gave up."""
        return self.world.stopped

    def advance_to(self, time: float) -> None:
        """Process every event before `time`."""
        self.world.advance_before(time)

    def apply(self, action: Action) -> None:
        """Process every event before the action's time, then the action.  After a violation nothing happens any more.

        Raises:
            ScenarioError: the action names an unknown operation, client or host.
        """
        number = len(self._actions)
        self._actions.append(action)
        if self.stopped:
            return
        with self.world.drive:
            self.advance_to(action.at)
            if self.stopped:
                return
            if isinstance(action, Call):
                self._call(action)
            elif action.boundary is None:
                self._strike(number, action)
            else:
                self._arm(number, action)

    def _call(self, action: Call) -> bool:
        """Begin an operation on a client; False if the client is busy or dead."""
        spec = self.operations.get(action.operation)
        desk = self._desks.get(action.client)
        if spec is None or desk is None:
            what = f"operation {action.operation!r}" if spec is None else f"client {action.client!r}"
            have = ", ".join(self.operations if spec is None else self._desks)
            raise ScenarioError(f"{self._header.scenario} has no {what}; it has {have}")
        missing = [name for name in spec.arguments if name not in action.arguments]
        extra = [name for name in action.arguments if name not in spec.arguments]
        if missing or extra:
            raise ScenarioError(f"operation {spec.name} takes {', '.join(spec.arguments) or 'no arguments'}, not {action.arguments}")
        machine = desk.machine
        if desk.task is None or desk.open is not None or machine.paused or machine.engine is None:
            self._busy += 1
            return False
        world = self.world
        values = tuple(action.arguments[name] for name in spec.arguments)
        argument = None if not values else values[0] if len(values) == 1 else values
        self._operations += 1
        index = world.next_index()
        invoke = desk.open = Invoke(index, world.now, desk.process, self._operations, spec.name, argument)
        try:
            code = encode_recorded(argument, f"operation {spec.name} is called with", "draw a tuple (of a strategy: .map(tuple))")
        except TypeError as error:
            raise ScenarioError(f"{self._header.scenario}: {error}") from None
        world.note((10, world.now, desk.process, spec.name, code))
        if world.trace is not None:
            detail = {"process": desk.process, "operation": invoke.operation, "function": spec.name, "argument": argument}
            world.traced(index, "invoke", machine.name, None, detail)
        world.record(invoke)
        task, desk.task = desk.task, None
        machine.engine.reschedule(task, outcome.Value((spec, action, invoke)))
        world.run_now(machine)
        return True

    def _strike(self, number: int, action: Inject) -> None:
        """Let a fault strike now, and note what became of it."""
        world = self.world
        fault = action.fault
        target = str(getattr(fault, "target", getattr(fault, "issuer", "")))
        outer = world.strike_index, world.strike_action, world.striking
        index = world.strike_index = world.incident("strike", None, None, action=number, fault=fault.kind(), target=target)
        world.strike_action, world.striking = number, fault
        # What phase a host was in is what it had observed before the fault changed it.
        phases = {name: str(machine.observed.get("phase", "")) for name, machine in world.machines.items()}
        with world.drive:
            result = strike(fault, number, world)
        world.strike_index, world.strike_action, world.striking = outer
        phase = phases[result.hosts[0]] if result.hosts else ""
        self._strikes.append(Strike(number, fault.kind(), result.effect, world.now, index, phase, result.hosts, result.detail))
        world.note((11, world.now, number, result.effect, result.detail))

    def _arm(self, number: int, action: Inject) -> None:
        """Let a fault wait for a boundary: of one host, or of whoever holds a role when it crosses."""
        boundary = action.boundary
        assert boundary is not None
        machine = self.world.machines.get(boundary.host)
        machines = [machine] if machine is not None else [self.world.machines[name] for name in self.world.system]
        self._waiting[number] = action

        def reached() -> None:
            del self._waiting[number]
            self._strike(number, action)

        role = None if machine is not None or boundary.host == ANY else boundary.host
        armed = Armed(number, boundary.event, role, boundary.phase, max(boundary.ordinal, 1), reached)
        for machine in machines:
            machine.arm(armed)

    # -- clients ----------------------------------------------------------------------------------

    async def _serve(self, host: Client) -> None:
        """The program of a client host: wait for a call, carry it out, say how it ended."""
        desk = self._desks[host.name]
        while True:
            desk.task = current_task()
            spec, action, invoke = await wait_task_rescheduled(lambda _: Abort.FAILED)
            host.begin(invoke.time)
            ended, result, error = await carry_out(self.scenario, spec, host, action.arguments)
            if host.fenced:
                return
            try:
                code = encode_recorded(result, f"operation {spec.name} returned", "return a tuple")
            except TypeError as unfit:
                # It has returned, so no traceback leads to it; the crash ends the run, and this program stops with it.
                self.world.crash(desk.machine, "TypeError", str(unfit), defined_at(spec.function), ())
                await wait_task_rescheduled(lambda _: Abort.FAILED)
            self._complete(desk, invoke, ended, result, error, code)

    def _complete(self, desk: _Desk, invoke: Invoke, ended: Outcome, result: Value, error: str | None, code: bytes) -> None:
        world = self.world
        index = world.next_index()
        desk.open = None
        world.note((12, world.now, invoke.operation, str(ended), code))
        if world.trace is not None:
            detail = {"process": invoke.process, "operation": invoke.operation, "outcome": str(ended), "result": result, "error": error}
            world.traced(index, "complete", desk.machine.name, invoke.index, detail)
        if ended is Outcome.INFO:
            desk.processes += 1
            desk.process = f"{desk.machine.name}.{desk.processes}"
        world.record(Complete(index, world.now, invoke.process, invoke.operation, ended, result, error))

    def _died(self, machine: Machine) -> None:
        """A machine died; if it is a client's, nobody will learn how its operation ended."""
        desk = self._desks.get(machine.name)
        if desk is not None:
            desk.task = None
            if desk.open is not None:
                self._complete(desk, desk.open, Outcome.INFO, None, "the client died", encode_recorded(None, "", ""))

    # -- ending -----------------------------------------------------------------------------------

    def finish(self) -> Record:
        """The calm phase, the final operations, the verdicts; then everything is freed.  A second call returns the same record."""
        if self._record is None:
            try:
                self.calm()
                self._record = self._make_record()
            finally:
                self.close()
        return self._record

    def close(self) -> None:
        """Free the world without a verdict."""
        self.world.bury()
        self._release()

    def calm(self) -> None:
        """The calm phase and the final operations: what `finish` does first.  The world is still there to be looked at afterwards."""
        world = self.world
        if self._calm:
            return
        self._calm = True
        world.advance(LINGER)
        if self.stopped:
            return
        for machine in world.machines.values():
            machine.armed.clear()
        for number, action in self._waiting.items():
            self._strikes.append(Strike(number, action.fault.kind(), "never-reached", world.now, world.index))
        self._waiting.clear()
        world.incident("calm")
        world.noise.calm()
        with world.drive:
            world.end_faults()
            world.network.heal_all()
            for machine in world.machines.values():
                world.resume(machine)
                world.restart(machine)
        world.advance(self.scenario.calm)
        client = next(iter(self._desks.values()), None)
        if client is not None and client.open is not None:
            # Nothing but the final operations themselves may be under way when they look.
            world.run_until(lambda: client.open is None, within=max(spec.timeout for spec in self.operations.values()))
        for spec in self.operations.values():
            if spec.final and client is not None and not self.stopped:
                self._final(client, spec)

    def _final(self, desk: _Desk, spec: OperationSpec) -> None:
        if self._call(Call(self.world.now, desk.machine.name, spec.name)):
            self.world.run_until(lambda: desk.open is None, within=spec.timeout + 1.0)

    def _make_record(self) -> Record:
        world = self.world
        verdicts = []
        for prop, monitor in zip(self.properties, world.monitors, strict=True):
            if world.verdict is not None and monitor is world.violated:
                verdicts.append(world.verdict)
            elif world.stopped:
                verdicts.append(Verdict(prop.name, Status.UNKNOWN, "the run was stopped at the first violation of another property"))
            else:
                verdicts.append(finished(prop, monitor, world.history))
        boundaries = {"send": 0, "deliver": 0, "disk": 0}
        for machine in world.machines.values():
            boundaries["send"] += machine.sends
            boundaries["deliver"] += machine.deliveries
            boundaries["disk"] += machine.disk_operations
            for name, number in machine.crossings.items():
                boundaries[name] = boundaries.get(name, 0) + number
        network = world.network
        return Record(
            schedule=self._header.replace(actions=tuple(self._actions)),
            digest=world.digest.hexdigest(),
            ended=world.now,
            history=History(world.history),
            verdicts=tuple(verdicts),
            strikes=tuple(self._strikes),
            statistics=Statistics(
                events=world.index,
                messages_sent=network.sent,
                messages_delivered=network.delivered,
                messages_dropped=network.dropped,
                disk_operations=boundaries["disk"],
                busy=self._busy,
                boundaries=boundaries,
            ),
            logs=tuple(world.logs),
            hosts=tuple(world.machines),
            noise=tuple(world.noise.kept),
            trace=tuple(world.trace) if world.trace is not None else None,
        )


def run(
    schedule: Schedule,
    scenario: type[Scenario],
    *,
    trace: bool = False,
    keep_noise: bool = False,
    trace_to: list[TraceEvent] | None = None,
) -> Record:
    """Execute a whole schedule.  `trace_to` is a list that the trace goes into, for somebody who wants to watch it grow."""
    session = Session.under(schedule, scenario, trace=trace, keep_noise=keep_noise)
    if trace_to is not None:
        trace_to.extend(session.world.trace or ())
        session.world.trace = trace_to
    try:
        with session.world.drive:  # once, and not for every action: a run of many short ones takes half the time
            for action in schedule.actions:
                session.apply(action)
        return session.finish()
    finally:
        session.close()


def _hold_collector(session: Session) -> weakref.finalize[[], Session]:
    """No automatic garbage collection while any session is open; the last to close puts it back as it was."""
    global _holders, _collecting  # noqa: PLW0603  # collection is a switch of the whole process
    if _holders == 0:
        _collecting = gc.isenabled()
        gc.disable()
    _holders += 1
    return weakref.finalize(session, _let_collector_go)


def _let_collector_go() -> None:
    global _holders  # noqa: PLW0603
    _holders -= 1
    if _holders == 0 and _collecting:
        gc.enable()
