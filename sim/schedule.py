"""The schedule: the one artefact that a run is made from.

A run is a pure function of its schedule and of the code under test.  A schedule holds the scenario's name, a seed for the keyed
noise, how much of that noise there is, `overrides` of single noise decisions, and a list of actions: client calls and faults,
each with the virtual time at which it happens.  An action may instead wait for a **boundary**: armed at its time, it strikes
at the n-th send, delivery, disk operation or kill point of a host counted from there.

Schedules are what the generator makes, what the shrinker edits, what Hypothesis builds step by step, and what is kept on disk
(JSON, see `codec.py`).  They are immutable and compare by value.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..properties.history import Value
from .fault import Fault

__all__ = ["Action", "Boundary", "Call", "DiskNoise", "Inject", "MessageNoise", "Noise", "Override", "Schedule", "TaskNoise"]


class Noise(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How far the world strays from its simplest form; all zero is the simplest world.

    `latency` scales random extra latency (1.0: a message takes up to several times its link's base latency), `loss` and
    `duplicate` are probabilities per message, `reorder` is the probability that a message is held back behind later ones,
    `tasks` the probability that runnable tasks of a host run in another order than first in, first out, and `disk` scales
    the random time (milliseconds) that a disk operation takes.
    """

    latency: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    tasks: float = 0.0
    disk: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.latency or self.loss or self.duplicate or self.reorder or self.tasks or self.disk)


class MessageNoise(msgspec.Struct, frozen=True, tag_field="noise", tag="message", omit_defaults=True, forbid_unknown_fields=True):
    """What noise did, or is told to do, to one message.

    The first five fields are the key: the message is named by its link, the incarnation of its sender, the time of its
    sending and its ordinal among the sends on that link at that time.  `delay` is extra latency in seconds; `drop` loses
    it; `duplicate` delivers a second copy that many seconds after the first.
    """

    sender: str
    to: str
    incarnation: int
    time: float
    ordinal: int
    delay: float = 0.0
    drop: bool = False
    duplicate: float | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """Names the decision."""
        return ("message", self.sender, self.to, self.incarnation, self.time, self.ordinal)


class TaskNoise(msgspec.Struct, frozen=True, tag_field="noise", tag="tasks", forbid_unknown_fields=True):
    """In which order the runnable tasks of one batch of a host ran: `order[i]` is the first-in-first-out place of the i-th."""

    host: str
    incarnation: int
    batch: int
    order: tuple[int, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Names the decision."""
        return ("tasks", self.host, self.incarnation, self.batch)


class DiskNoise(msgspec.Struct, frozen=True, tag_field="noise", tag="disk", forbid_unknown_fields=True):
    """How long one disk operation of a host took (seconds); `ordinal` counts those that the host began, over the whole run."""

    host: str
    ordinal: int
    latency: float

    @property
    def key(self) -> tuple[object, ...]:
        """Names the decision."""
        return ("disk", self.host, self.ordinal)


Override = MessageNoise | TaskNoise | DiskNoise


class Boundary(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The n-th crossing of a kind by a host, counted from when the action is armed (the first is 1).

    `event` is `send`, `deliver`, `disk`, `disk:fsync` (any disk operation by name) or the name of a kill point.
    `host` is a host's name, or a role such as `leader`: then crossings count of whoever holds the role when it crosses, or
    `any` host of the system.  With a `phase`, they count only while the host observes itself in that phase, such as `election`.
    """

    host: str
    event: str
    ordinal: int = 1
    phase: str = ""


class Call(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A client begins an operation of the scenario at `at` (virtual seconds); if the client is busy, nothing happens."""

    at: float
    client: str
    operation: str
    arguments: Mapping[str, Value] = {}


class Inject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault strikes at `at` (virtual seconds), or at a boundary that is counted from then on."""

    at: float
    fault: Fault
    boundary: Boundary | None = None


Action = Call | Inject


class Schedule(msgspec.Struct, frozen=True):
    """All that a run depends on, besides the code.

    `mutant` names a planted bug of the scenario; `settings` are the scenario's own parameters, drawn per schedule; `budget`
    is `quorum-safe` (faults beyond what the system promises to survive do nothing) or `unlimited`.
    """

    scenario: str
    seed: int
    actions: tuple[Action, ...] = ()
    noise: Noise = Noise()
    overrides: tuple[Override, ...] = ()
    settings: Mapping[str, Value] = {}
    mutant: str | None = None
    budget: str = "quorum-safe"

    def replace(self, **changes: object) -> Schedule:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
