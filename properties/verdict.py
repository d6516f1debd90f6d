"""Verdicts: what a property says of a run, and why.

A verdict is `valid`, `invalid` with evidence that a person can follow, or `unknown` with the reason.  It is never a bare
boolean and a checker never hangs: searches count steps, and a budget that is spent gives `unknown`.

A **property** is an immutable description ("the register is linearizable"); `start()` makes a **monitor**, the mutable half,
which is fed the events of one run in order.  `feed` may return an `invalid` verdict as soon as no continuation can repair the
run, so that a simulation stops at the first violating event; `finish` says the last word.  Checking a recorded history is a
fold of the same (`check`), so online and offline agree by construction.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from .history import Event

__all__ = ["Evidence", "Monitor", "Property", "Status", "Verdict", "check"]


class Status(StrEnum):
    """The three things that a checker can say."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


class Evidence(msgspec.Struct, frozen=True):
    """Why a verdict is `invalid`.

    `kind` is a short stable word ("stale-read", "two-leaders"): shrinking accepts a smaller run only if it fails with the same
    property and the same kind.  `lines` are for a person.  `operations` are operation ids and `events` event indices that the
    evidence speaks of, the decisive one last; pictures highlight them.
    """

    kind: str
    lines: tuple[str, ...] = ()
    operations: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    hosts: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What one property says of one run: the property's name, the status, and the reason in one sentence."""

    name: str
    status: Status
    reason: str
    evidence: Evidence | None = None

    @property
    def signature(self) -> tuple[str, str]:
        """What must stay the same while a failure is shrunk: the property and the kind of evidence."""
        return self.name, self.evidence.kind if self.evidence else ""


class Monitor(Protocol):
    """The mutable half of a property, for one run."""

    def feed(self, event: Event) -> Verdict | None:
        """Take the next event; an `invalid` verdict if the run is beyond repair, else None."""
        ...

    def finish(self) -> Verdict:
        """The verdict on everything that was fed."""
        ...


@runtime_checkable
class Property(Protocol):
    """What must hold of every run.  Immutable: one instance serves many runs, side by side."""

    @property
    def name(self) -> str:
        """How reports call it, for example `Linearizable(Register)`."""
        ...

    def start(self) -> Monitor:
        """A fresh monitor."""
        ...


def check(prop: Property, events: Iterable[Event]) -> Verdict:
    """The verdict of one property on a finished history: a fold of its monitor."""
    monitor = prop.start()
    for event in events:
        verdict = monitor.feed(event)
        if verdict is not None:
            return verdict
    return monitor.finish()
