"""The chronicle: what happened in a world, as it happens.

Everything has a place in one **global index**; history, trace and digest are three views of that sequence.  The history keeps what
properties need and is fed to them at once, so that a run stops at the first violation; the trace, when asked for, holds everything with
its cause; the digest is a hash of everything.  The index rises alike in all modes, so it names the same event in a light run and in the
traced replay of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..properties.history import Event, Incident, Observe, Value
from ..properties.verdict import Monitor, Property, Verdict
from .digest import Digest, canonical
from .monitoring import PropertyError, checked, misjudged
from .payload import encode_observed
from .record import LogLine
from .trace import TraceEvent

if TYPE_CHECKING:
    from .machine import Machine

__all__ = ["Chronicle"]


class Chronicle:
    """The half of a world that writes down.  `now` is in virtual seconds; `running` is the host whose slice it is."""

    def __init__(self, *, trace: bool) -> None:
        self._escapes: set[tuple[str, int, str, str]] = set()
        self.now = 0.0
        self.index = 0
        self.trace: list[TraceEvent] | None = [] if trace else None
        self.history: list[Event] = []
        self.logs: list[LogLine] = []
        self.properties: list[Property] = []
        self.monitors: list[Monitor] = []
        """Of these properties, in their order; a monitor alone, as a notebook may add one, is known by its class."""
        self.verdict: Verdict | None = None
        self.violated: Monitor | None = None
        self.digest = Digest()
        self.note = self.digest.note
        self.running: Machine | None = None
        self.stopped = False
        self.failed: Exception | None = None

    def record(self, event: Event) -> None:
        """Append to the history and let the properties look at it."""
        self.history.append(event)
        if self.verdict is None:
            # The time that properties take, and what they print, is not the program's in whose slice this happens.
            running, self.running = self.running, None
            try:
                for place, monitor in enumerate(self.monitors):
                    prop = self.properties[place] if place < len(self.properties) else None
                    verdict = monitor.feed(event)
                    if verdict is not None:
                        self.verdict, self.violated = checked(prop, monitor, verdict, event), monitor
                        self.stopped = True
                        return
            except PropertyError as error:
                self.running = running
                self.fail(error)
            except Exception as error:  # noqa: BLE001  # of a property, which is the scenario's
                self.running = running
                wrapped = misjudged(prop, monitor, error, event)
                wrapped.__cause__ = error
                self.fail(wrapped)
            finally:
                self.running = running

    def fail(self, error: Exception) -> None:
        """A fault or a property failed, which ends the run.

        Within a slice the program that happens to run must neither see it nor be blamed for it: it is raised after the slice.
        """
        self.stopped = True
        if self.running is None:
            raise error
        self.failed = self.failed or error

    def next_index(self) -> int:
        """The next place in the global order."""
        self.index += 1
        return self.index

    def traced(self, index: int, kind: str, host: str | None, cause: int | None, detail: Mapping[str, Value]) -> None:
        """Append to the full trace, which must be on."""
        assert self.trace is not None
        self.trace.append(TraceEvent(index, self.now, kind, host, cause, detail))

    def _emit(self, kind: str, host: str | None, cause: int | None, detail: Mapping[str, Value]) -> int:
        """Record an incident."""
        index = self.next_index()
        # Texts of a crash hold paths and addresses, which differ where runs do not.
        shown = {key: value for key, value in detail.items() if key not in ("message", "traceback", "where")}
        self.note((7, self.now, kind, host, canonical(shown)))
        if self.trace is not None:
            self.traced(index, kind, host, cause, detail)
        self.record(Incident(index, self.now, kind, host, detail))
        return index

    def incident(self, kind: str, host: str | None = None, cause: int | None = None, **detail: Value) -> int:
        """Record that something happened to a host or to the whole run; returns its index."""
        return self._emit(kind, host, cause, detail)

    def escaped(self, machine: Machine, what: str, where: str) -> None:
        """A program reached the real world, by this audit event and from this line; told of once per incarnation and place."""
        place = machine.name, machine.incarnation, what, where
        if place not in self._escapes:
            self._escapes.add(place)
            self._emit("escape", machine.name, None, {"what": what, "where": where})

    def observed(self, machine: Machine, values: Mapping[str, Value]) -> None:
        """A host told something of itself."""
        code = encode_observed(values, machine.name)
        index = self.next_index()
        self.note((8, self.now, machine.index, code))
        if self.trace is not None:
            self.traced(index, "observe", machine.name, None, values)
        self.record(Observe(index, self.now, machine.name, machine.incarnation, values))

    def disk_operation(self, machine: Machine, operation: str, path: str, size: int, offset: int, checksum: int, failed: str) -> None:
        """A disk operation takes effect, or fails with an error of that name."""
        index = self.next_index()
        self.note((6, self.now, machine.index, f"{operation} {failed}" if failed else operation, path, size, offset, checksum))
        if self.trace is not None:
            detail: dict[str, Value] = {"operation": operation, "path": path, "size": size, "boundary": machine.disk_operations}
            if failed:
                detail["failed"] = failed
            self.traced(index, "disk", machine.name, None, detail)

    def passed_killpoint(self, machine: Machine, name: str) -> None:
        """A host stands at a kill point."""
        index = self.next_index()
        self.note((9, self.now, machine.index, name))
        if self.trace is not None:
            self.traced(index, "killpoint", machine.name, None, {"name": name, "ordinal": machine.crossings[name]})

    def log(self, level: str, text: str) -> None:
        """The running host printed or logged a line."""
        if self.running is not None and self.running.alive:
            index = self.next_index()
            self.logs.append(LogLine(index, self.now, self.running.name, level, text))
            if self.trace is not None:
                self.traced(index, "log", self.running.name, None, {"level": level, "message": text})
