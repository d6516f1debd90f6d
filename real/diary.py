"""The diary: what happened in a real run, put in order when it is over.

News of processes arrive as they please, so what is written down carries the time at which it happened, and order is made in the end:
by time, then by arrival.  Until then everything is known by its number of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..properties.history import Event, Incident, Observe, Value
from ..sim.trace import TraceEvent
from .line import Happening, Key

__all__ = ["Diary"]

_TRACED_ONLY = ("send", "deliver", "drop")


class _Entry(msgspec.Struct, frozen=True):
    time: float
    number: int
    kind: str
    host: str | None
    detail: Mapping[str, Value]
    cause: int | Key | None
    event: Event | None


class Diary:
    """Everything of one run.  `began` is the moment, on the monotonic clock, from which times are counted."""

    def __init__(self) -> None:
        self.began = 0.0
        self._entries: list[_Entry] = []
        self._keys: dict[Key, int] = {}

    def write(
        self,
        time: float,
        kind: str,
        host: str | None,
        detail: Mapping[str, Value],
        cause: int | Key | None = None,
        event: Event | None = None,
    ) -> int:
        """Something happened at a time (seconds since the beginning); its number.

        Without an `event` of its own it is an incident.
        """
        number = len(self._entries) + 1
        if event is None and kind not in _TRACED_ONLY:
            event = Incident(0, 0.0, kind, host, detail)
        self._entries.append(_Entry(max(time, 0.0), number, kind, host, detail, cause, event))
        return number

    def happened(self, host: str, incarnation: int, happening: Happening) -> None:
        """Something happened in a process."""
        time = happening.time - self.began
        detail = happening.detail
        event = Observe(0, 0.0, host, incarnation, detail) if happening.kind == "observe" else None
        if happening.kind == "deliver":
            sent: Any = detail["sent"]
            detail = {**detail, "sent": max(sent - self.began, 0.0)}
        number = self.write(time, happening.kind, host, detail, happening.cause, event)
        if happening.key is not None:
            self._keys[happening.key] = number

    def counts(self) -> dict[str, int]:
        """How many of each kind there are."""
        found: dict[str, int] = {}
        for entry in self._entries:
            found[entry.kind] = found.get(entry.kind, 0) + 1
        return found

    def in_order(self) -> tuple[tuple[Event, ...], tuple[TraceEvent, ...], dict[int, int]]:
        """The events for properties, the full trace, and for each number of arrival its index in both."""
        entries = sorted(self._entries, key=lambda entry: (entry.time, entry.number))
        indices = {entry.number: index for index, entry in enumerate(entries, 1)}
        events, trace = [], []
        for index, entry in enumerate(entries, 1):
            if entry.event is not None:
                events.append(msgspec.structs.replace(entry.event, index=index, time=entry.time))
            cause = self._keys.get(entry.cause) if isinstance(entry.cause, tuple) else entry.cause
            trace.append(TraceEvent(index, entry.time, entry.kind, entry.host, indices.get(cause or 0), entry.detail))
        return tuple(events), tuple(trace), indices
