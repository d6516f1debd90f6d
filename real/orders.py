"""What a supervisor tells the processes of its hosts."""

from __future__ import annotations

from typing import Any

import msgspec

from .host import Identity

__all__ = ["Armed", "Cuts", "Go", "Setup", "Told"]


class Setup(msgspec.Struct, frozen=True):
    """What to be: the first order.  `version` is one of the scenario's, empty for the first."""

    scenario: str
    mutant: str | None
    version: str
    identity: Identity


class Go(msgspec.Struct, frozen=True):
    """Begin the program."""


class Cuts(msgspec.Struct, frozen=True):
    """The links, (from, to), that nothing passes from now on."""

    links: frozenset[tuple[str, str]]


class Armed(msgspec.Struct, frozen=True):
    """The boundaries that faults wait for from now on."""

    boundaries: frozenset[str]


class Told(msgspec.Struct, frozen=True):
    """A message from outside the world."""

    body: Any
