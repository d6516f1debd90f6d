"""A run to look at: a record with everything that a person wants to ask of it.

`load` replays a schedule file with the full trace; `Run` then answers from the record, and runs the schedule again, up to a
moment, when asked what the hosts were at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .explore.catalog import UnknownScenarioError, find_scenario
from .pictures import Picture, draw
from .properties.graph import causal_past, causal_words, history_graph
from .properties.history import History, Outcome, Value, render
from .properties.linearizability import Linearizable
from .properties.verdict import Evidence, Verdict
from .report.past import fault_events, past_lines
from .report.spacetime import spacetime_fragment, spacetime_html
from .report.text import operations_table, schedule_lines, timeline_lines, verdict_lines
from .report.wording import instant
from .sim import codec
from .sim.codec import Failure, Filed
from .sim.disk import DiskImage
from .sim.record import Record
from .sim.scenario import Scenario
from .sim.schedule import Schedule
from .sim.session import Session, run
from .sim.trace import TraceEvent
from .sim.world import World
from .tables import Table

if TYPE_CHECKING:
    from .properties.graph import HistoryGraph, Node

__all__ = ["Explanation", "FileState", "HostState", "Moment", "Run", "Timeline", "UnknownHostError", "end_of", "load", "parse_time"]

HALF_A_MICROSECOND = 4.9e-7


class UnknownHostError(KeyError):
    """A moment was asked for a host that the run does not have: says which ones it has."""

    def __str__(self) -> str:
        return str(self.args[0])


class FileState(msgspec.Struct, frozen=True):
    """One file at a moment: what programs read there, and what a power loss would leave of it if it kept nothing unsynced.

    `content` is None where the name is gone (removed or renamed, not yet durably), `durable` where it would be gone.
    """

    content: bytes | None
    durable: bytes | None


class HostState(msgspec.Struct, frozen=True):
    """One host at a moment: whether it lives, what it had observed, the files of its disk by path."""

    name: str
    alive: bool
    paused: bool
    incarnation: int
    observed: Mapping[str, Value]
    files: Mapping[str, FileState]


class _Hosts(dict[str, HostState]):
    """Hosts by name.

    Raises:
        UnknownHostError: there is none of that name.
    """

    def __missing__(self, name: object) -> HostState:
        raise UnknownHostError(f"there is no host {name!r}; there are {', '.join(self)}")


class Moment(msgspec.Struct, frozen=True):
    """The whole cluster at a moment (virtual seconds), and the links (from, to) that were cut.

    `hosts` are all of the run, clients too; asking for another raises `UnknownHostError`, which says which ones there are.
    """

    time: float
    hosts: Mapping[str, HostState]
    cuts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"at {instant(self.time)}"]
        width = max(map(len, self.hosts), default=0)
        for host in self.hosts.values():
            status = "paused" if host.paused else "up" if host.alive else "down"
            said = "  ".join(f"{key}={render(value)}" for key, value in host.observed.items())
            lines.append(f"{host.name:<{width}}  {status:<6} incarnation {host.incarnation}  {said}".rstrip())
        lines += [f"cut: {', '.join(f'{sender} -> {to}' for sender, to in self.cuts)}"] if self.cuts else []
        return "\n".join(lines)


class Timeline:
    """The space-time diagram of a run; a notebook shows it as a picture, `print` as lines."""

    def __init__(self, record: Record, until: float | None = None) -> None:
        self._record = record
        self._until = until

    def html(self) -> str:
        """A complete page, which needs nothing else."""
        return spacetime_html(self._record, until=self._until)

    def save(self, path: str | Path) -> None:
        """Write the page to a file, atomically."""
        codec.write_atomically(Path(path), self.html())

    def _repr_html_(self) -> str:
        return spacetime_fragment(self._record, until=self._until)

    def __str__(self) -> str:
        return "\n".join(timeline_lines(self._record.trace or (), until=self._until))


class Explanation:
    """The causal past of a violation: everything that can have had a part in it, and nothing that cannot.

    `graph` is networkx's, see `properties/graph.py`; `words` are its events in order, one line each.  Printed, it is at most
    `limit` lines: what the verdict speaks of, faults and operations first, then messages that say something new
    (`report/past.py`).
    """

    def __init__(self, record: Record, verdict: Verdict, graph: HistoryGraph, limit: int | None) -> None:
        self.verdict = verdict
        self.graph = graph
        self._record = record
        past = {number for kind, number in graph if kind == "event"}
        ends = [
            index
            for operation in record.history.operations
            if verdict.evidence is not None and operation.id in verdict.evidence.operations
            for index in (operation.invoked, operation.completed)
            if index is not None
        ]
        own = {*ends, *(verdict.evidence.events if verdict.evidence is not None else ())}
        self._lines = past_lines(record, past | {*fault_events(record, past)}, own, limit)

    @property
    def words(self) -> list[str]:
        """Every event of the past."""
        return causal_words(self.graph)

    def __str__(self) -> str:
        verdict = verdict_lines(self.verdict, self._record.history)
        return "\n".join([*verdict, "Causal past:", *self._lines])

    def __repr__(self) -> str:
        return f"<Explanation of {self.verdict.name}: {len(self.graph)} events and operations>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Run:
    """A finished run.  `record` may come from exploring; without a trace the schedule is run again to get one.

    `filed` is what was noted in the file that the schedule came from, if it came from one.
    """

    def __init__(self, record: Record, scenario: type[Scenario], filed: Filed | None = None) -> None:
        if record.trace is None:
            record = run(record.schedule, scenario, trace=True)
        self.record = record
        self.scenario = scenario
        self._filed = filed

    # -- what it was ------------------------------------------------------------------------------

    @property
    def schedule(self) -> Schedule:
        """What the run was made from."""
        return self.record.schedule

    @property
    def history(self) -> History:
        """Invocations, completions, observations and incidents."""
        return self.record.history

    @property
    def trace(self) -> tuple[TraceEvent, ...]:
        """Every event with its cause."""
        assert self.record.trace is not None
        return self.record.trace

    @property
    def operations(self) -> Table:
        """What clients did, one row per operation."""
        return Table(operations_table(self.history), answers=_answers)

    @property
    def digest(self) -> str:
        """Hexadecimal; two runs are the same run if and only if their digests are equal."""
        return self.record.digest

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each property says."""
        return self.record.verdicts

    @property
    def failure(self) -> Verdict | None:
        """The first property that failed, or None."""
        return self.record.failure

    # -- compared with the file -------------------------------------------------------------------

    @property
    def noted(self) -> Failure | None:
        """How the schedule failed when it was saved; None if that is not known."""
        return self._filed.failure if self._filed is not None else None

    @property
    def comparison(self) -> str:
        """`same failure`, `different failure`, `passes now`; or `fails` or `passes` if none was noted in the file."""
        if self.noted is None:
            return "fails" if self.failure is not None else "passes"
        if self.failure is None:
            return "passes now"
        return "same failure" if self.failure.signature == (self.noted.property, self.noted.kind) else "different failure"

    @property
    def identical(self) -> bool | None:
        """True if this is the very run that was saved, to the last event; None if its digest was not noted."""
        return self.noted.digest == self.digest if self.noted is not None and self.noted.digest else None

    @property
    def changes(self) -> tuple[str, ...]:
        """What has changed since the schedule was saved, in words: the scenario's code, Killpoint, Python, trio."""
        if self._filed is None:
            return ()
        now = codec.versions()
        then = self._filed.made_by
        words = [f"{name} {then[name]} then, {now[name]} now" for name in sorted(now) if name in then and then[name] != now[name]]
        code = self.scenario.mutant(self.schedule.mutant).code_digest()
        return (*(["the scenario's code has changed"] if self._filed.code not in ("", code) else []), *words)

    # -- looked at --------------------------------------------------------------------------------

    def timeline(self, until: str | float | None = None) -> Timeline:
        """The space-time diagram, up to a virtual time (`0.35`, `"350 ms"`) if one is given.

        Raises:
            ValueError: that is no time.
        """
        return Timeline(self.record, None if until is None else end_of(parse_time(until)))

    def picture(self, prop: Linearizable | None = None) -> Picture:
        """What clients did, and in which order it took effect; or why there is no such order (see `pictures.py`).

        The order is that of the scenario's first property that asks for one, unless another is given.
        """
        if prop is None:
            prop = next((each for each in self.scenario.properties if isinstance(each, Linearizable)), None)
        mutant = f" with {self.schedule.mutant}" if self.schedule.mutant else ""
        return draw(self.history, prop, title=f"{self.schedule.scenario}{mutant}, seed {self.schedule.seed}")

    @property
    def graph(self) -> HistoryGraph:
        """The history graph of operations and events, networkx's.  Made anew each time; half a second the first time."""
        return history_graph(self.history.operations, self.trace)

    def explain(self, limit: int | None = 40) -> Explanation | None:
        """The causal past of everything that the first violation speaks of; None if no property failed.

        If the evidence names neither events nor operations it is that of the last event of the run.  Printed, it has at most
        `limit` lines, None means all of them.

        Raises:
            ValueError: `limit` is less than 1.
        """
        verdict = self.failure
        if verdict is None:
            return None
        graph = self.graph
        evidence = verdict.evidence or Evidence("")
        named: list[Node] = [("event", index) for index in evidence.events]
        named += [("operation", number) for number in evidence.operations]
        ends = [node for node in named if node in graph] or [("event", self.trace[-1].index)]
        return Explanation(self.record, verdict, causal_past(graph, *ends), limit)

    def at(self, time: str | float) -> Moment:
        """The state of every host once everything up to and including a virtual time has happened.  Cost: the run, again.

        Files come with their content and what of it is durable.  Times after the end give the end.  A time that was copied from a
        listing, which rounds to microseconds, includes what stands there.

        Raises:
            ValueError: that is no time.
        """
        moment = parse_time(time)
        schedule = self.schedule
        session = Session.under(schedule, self.scenario)
        seen: list[Moment] = []
        world = session.world
        try:
            world.look_at(end_of(moment), lambda: seen.append(_moment(world, moment)))
            steps: list[Callable[[], None]] = [*(lambda action=action: session.apply(action) for action in schedule.actions)]
            for step in [*steps, session.calm]:
                step()
                if seen:
                    break
            return seen[0] if seen else _moment(world, world.now)
        finally:
            session.close()

    def __str__(self) -> str:
        lines = [f"{self.schedule.scenario}: {self.record.status.value}, {self.comparison}; digest {self.digest}"]
        if self.failure is not None:
            lines += verdict_lines(self.failure, self.history)
        return "\n".join([*lines, *schedule_lines(self.schedule, self.record.strikes)])

    def __repr__(self) -> str:
        return f"<Run of {self.schedule.scenario}, {self.record.status.value}, {self.comparison}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _answers(row: Mapping[str, Value]) -> frozenset[str]:
    """Where None is an answer: what a read found, say."""
    return frozenset({"result"}) if row["outcome"] == Outcome.OK else frozenset()


def _moment(world: World, time: float) -> Moment:
    """What the world is now, as plain values."""
    hosts = _Hosts(
        (
            machine.name,
            HostState(machine.name, machine.alive, machine.paused, machine.incarnation, dict(machine.observed), _files(machine.disk)),
        )
        for machine in world.machines.values()
    )
    return Moment(time, hosts, world.network.cuts)


def _files(disk: DiskImage) -> dict[str, FileState]:
    """Every file that there is, or would be after a power loss, sorted."""
    files, durable = disk.files(), disk.durable()
    return {path: FileState(disk.read(path) if path in files else None, durable.get(path)) for path in sorted({*files, *durable})}


def end_of(time: float) -> float:
    """The last instant (virtual seconds) that listings show as this time: they round to microseconds."""
    return time + HALF_A_MICROSECOND


def load(path: str | Path, scenario: type[Scenario] | None = None) -> Run:
    """Replay a schedule file with the full trace.

    The scenario is found by the reference in the file unless it is given; a reference to a file is looked for from the working
    folder and then from the folders above the schedule.

    Raises:
        ScheduleError: the file is no schedule, or speaks of hosts, operations, ... that the scenario does not have.
        UnknownScenarioError: there is no such scenario.
        ScenarioError: the scenario has no such mutant.
    """
    path = Path(path)
    if scenario is None:
        scenario = scenario_of(reference_from(codec.header(path).scenario, path), path)
    filed = codec.read(path, scenario)
    return Run(run(filed.schedule, scenario, trace=True), scenario, filed)


def reference_from(reference: str, path: Path) -> str:
    """A reference of the schedule in `path` as it is found from the working folder; see `load`."""
    source, _, name = reference.rpartition(":")
    if source.endswith(".py") and not Path(source).exists():
        for folder in path.resolve().parents:
            if (folder / source).exists():
                return f"{folder / source}:{name}"
    return reference


def scenario_of(reference: str, path: Path) -> type[Scenario]:
    """The scenario that a reference of the schedule in `path` means.

    Raises:
        UnknownScenarioError: there is none.
    """
    try:
        return find_scenario(reference)
    except UnknownScenarioError as error:
        raise UnknownScenarioError(f"{path}{codec.line_of(path, 'scenario')}: {error}") from None


def parse_time(text: str | float) -> float:
    """Virtual seconds from `0.35`, `"0.35 s"`, `"350 ms"`.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        if not (isfinite(text) and text >= 0):
            raise ValueError(f"{text} is no time: virtual time begins at 0")
        return float(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|ms|us)?\s*", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no time: write 3.2s, 350ms or a number of seconds")
    return float(match[1]) * {"s": 1.0, "ms": 1e-3, "us": 1e-6}[match[2] or "s"]
