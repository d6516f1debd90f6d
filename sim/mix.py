"""Mixes: how a generator draws faults.

A mix is a tuple of named ways of drawing, joined with `|`; each name is one kind that a schedule may switch off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

import msgspec

from .authors import at, told
from .fault import Fault, FaultError
from .frames import defined_at

__all__ = ["AT_ONCE", "Cast", "Draw", "FaultMix", "downtime_of", "drawn", "duration_of", "target_of"]

AT_ONCE = 0.0005
"""Seconds that a host is down when a supervisor restarts it at once: less than a message takes."""


class Cast(msgspec.Struct, frozen=True):
    """Who can be struck: the system's hosts in order, roles that they observe, keys that can be stolen, versions, spare hosts."""

    hosts: tuple[str, ...]
    roles: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()


Draw: TypeAlias = Callable[[Random, Cast], Fault]
"""Draws one fault of a kind."""


def drawn(kind: tuple[str, Draw], random: Random, cast: Cast) -> Fault:
    """One fault of a kind of a mix.

    Raises:
        FaultError: its author's code raised, or made something else.
    """
    name, draw = kind
    try:
        fault: object = draw(random, cast)
    except Exception as error:
        raise FaultError(f"no fault of the kind {name!r} can be drawn: {told(error)}") from error
    if not isinstance(fault, Fault):
        where = at(defined_at(draw))
        raise FaultError(f"drawing a fault of the kind {name!r} made {fault!r}{where}: it must be a Fault")
    return fault


class FaultMix(tuple[tuple[str, Draw], ...]):
    """Named ways of drawing faults; each is one kind that a schedule may switch off."""

    __slots__ = ()

    def __or__(self, other: FaultMix) -> FaultMix:
        return FaultMix((*self, *other))

    def names(self) -> Iterator[str]:
        """The kinds, in order."""
        return (name for name, _ in self)


def target_of(random: Random, cast: Cast) -> str:
    """Roles more often than hosts, the first role most: interesting moments happen where the leader is."""
    if cast.roles and random.random() < 0.6:
        return cast.roles[0] if random.random() < 0.6 else random.choice(cast.roles)
    return random.choice(cast.hosts)


def duration_of(random: Random, *, least: float = 0.02, most: float = 2.0) -> float:
    """Log-uniform seconds, rounded to milliseconds."""
    return round(float(least * (most / least) ** random.random()), 3)


def downtime_of(random: Random) -> float:
    """As `duration_of`; every fourth comes back at once, as under a supervisor, while messages to it are still under way."""
    return AT_ONCE if random.random() < 0.25 else duration_of(random)
