"""Whose code is running: the world that is driven, the thread that drives it, and the machine whose slice it is."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..machine import Machine
    from ..world import World

__all__ = ["begin", "end", "machine", "nested"]

_driven: list[tuple[World, int]] = []


def begin(world: World) -> None:
    """This thread drives a world from now on; worlds nest."""
    _driven.append((world, get_ident()))


def end() -> None:
    """It does so no more."""
    _driven.pop()


def nested() -> bool:
    """True if the world that is driven now is driven from within another."""
    return len(_driven) > 1


def machine() -> Machine | None:
    """The machine whose program calls, or None if it is no program of a host."""
    if not _driven:
        return None
    world, thread = _driven[-1]
    return world.running if thread == get_ident() else None
