"""Logging: every incarnation of a host has handlers of its own on every logger, and none at first.

Loggers are shared by everything in the process.  A `FileHandler` that one host adds to one would be asked to write what others log, on a
disk that is not theirs, and for the next run too; and a program that asks "has this logger handlers?" before it adds some, as many do,
would find those of another host.  So while a world is driven `Logger.handlers` is looked up by whose code is running.  The root logger
also has a listener, the world's, that programs do not see.

Levels are shared by the hosts of a world, and are what they were when it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from . import running

if TYPE_CHECKING:
    from ..machine import Machine
    from ..world import World

__all__ = ["REFUSED", "REPLACED", "HostHandlers", "Loggers", "forget"]

Loggers: TypeAlias = "tuple[object, dict[str, list[logging.Handler]]]"
"""The handle of an incarnation, and its handlers by logger."""

_set_level = logging.Logger.setLevel


class _RootHandlers(list[logging.Handler]):
    """What a host has added to the root logger; who walks through it for a record meets the world's listener first."""

    def __init__(self, listener: logging.Handler) -> None:
        super().__init__()
        self._listener = listener

    def __iter__(self) -> Iterator[logging.Handler]:
        yield self._listener
        yield from super().__iter__()


class HostHandlers:
    """The attribute `handlers` of loggers, while a world is driven."""

    def __get__(self, logger: logging.Logger | None, _owner: type | None = None) -> Any:
        if logger is None:
            return self
        machine = running.machine()
        if machine is None:
            return logger.__dict__["handlers"]
        own = _own(machine)
        if logger.name not in own:
            own[logger.name] = _RootHandlers(machine.world.drive.listener) if logger is logging.root else []
        return own[logger.name]

    def __set__(self, logger: logging.Logger, handlers: Any) -> None:
        machine = running.machine()
        if machine is None:
            logger.__dict__["handlers"] = handlers
            return
        logger.__dict__.setdefault("handlers", [])  # of a logger that is made now
        if logger is logging.root:
            handlers, given = _RootHandlers(machine.world.drive.listener), handlers
            handlers.extend(given)
        _own(machine)[logger.name] = handlers


def _own(machine: Machine) -> dict[str, list[logging.Handler]]:
    if machine.loggers is None or machine.loggers[0] is not machine.handle:
        machine.loggers = machine.handle, {}
    return machine.loggers[1]


def _level(real: Callable[..., None]) -> Callable[..., None]:
    def either(logger: logging.Logger, level: int | str) -> None:
        machine = running.machine()
        if machine is not None and logger is not logging.root:  # whose level the drive looks after
            machine.world.drive.levels.setdefault(logger, logger.level)
        real(logger, level)

    return either


def _shut_down(_machine: Machine, *_: Any) -> None:
    """Handlers are not listed by host, and those that matter have written everything already."""


REPLACED = ((logging.Logger, "setLevel", _level(_set_level)),)
REFUSED: tuple[tuple[Any, str, Callable[..., Any]], ...] = ((logging, "shutdown", _shut_down),)


def forget(world: World) -> None:
    """Give loggers the levels back that they had before hosts of this world changed them."""
    levels = world.drive.levels
    while levels:
        logger, level = levels.popitem()
        _set_level(logger, level)
