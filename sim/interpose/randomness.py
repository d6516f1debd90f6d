"""Randomness, as the standard library gives it to a host: drawn from the host's own entropy, which the run's seed decides.

`random.Random(seed)` needs no help.  What does: the functions of `random`, which share one hidden generator among everything in the
process; generators without a seed; and what the operating system gives, `os.urandom`, from which `secrets` and `uuid4` draw.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .native import Native

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["FUNCTIONS", "NATIVES", "getnode", "uuid1"]

_HIDDEN: random.Random = random._inst

FUNCTIONS = tuple(name for name in random.__all__ if getattr(getattr(random, name), "__self__", None) is _HIDDEN)
"""The functions of `random` that draw from, or change, the hidden generator."""


def _urandom(machine: Machine, _module: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    (size,) = arguments
    if not isinstance(size, int) or size < 0:
        return real(size)  # which says what is wrong
    return machine.entropy.randbytes(size)


def _random(machine: Machine, owner: Any, _arguments: Any, _keywords: Any, real: Callable[..., Any]) -> Any:
    return machine.entropy.random() if owner is _HIDDEN else real()


def _getrandbits(machine: Machine, owner: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    (bits,) = arguments
    return machine.entropy.getrandbits(bits) if owner is _HIDDEN and isinstance(bits, int) and bits >= 0 else real(bits)


def _seed(machine: Machine, owner: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    """A generator that is to be seeded by the operating system is seeded by the host; the hidden one is not touched."""
    if owner is _HIDDEN:
        return None
    return real(*(arguments if arguments and arguments[0] is not None else (machine.entropy.getrandbits(128),)))


def _getpid(machine: Machine, *_: Any) -> int:
    """One of its own for every incarnation."""
    return 1000 + 100 * machine.index + machine.incarnation


def _getrandom(machine: Machine, _module: Any, arguments: tuple[Any, ...], _keywords: Any, real: Callable[..., Any]) -> Any:
    size = arguments[0] if arguments else None
    return machine.entropy.randbytes(size) if isinstance(size, int) and size >= 0 else real(*arguments)


def _uuid_bytes(machine: Machine, *_: Any) -> tuple[bytes, int]:
    """What `uuid.uuid1` asks the C library for, whoever holds it."""
    return uuid1(machine).bytes, 0


NATIVES = (
    Native(os.urandom, _urandom),
    Native(os.getpid, _getpid),
    *((Native(os.getrandom, _getrandom),) if hasattr(os, "getrandom") else ()),
    *((Native(uuid._generate_time_safe, _uuid_bytes),) if uuid._generate_time_safe is not None else ()),  # type: ignore[attr-defined]
    Native(_HIDDEN.random, _random),
    Native(_HIDDEN.getrandbits, _getrandbits),
    Native(super(random.Random, _HIDDEN).seed, _seed),
)


def getnode(machine: Machine) -> int:
    """A hardware address: locally administered, the machine's number."""
    return 0x02_00_00_00_00_00 | (machine.index + 1)


def uuid1(machine: Machine, node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
    """As `uuid.uuid1`, of the host's clock and hardware address; no two of one machine are alike."""
    ticks = max(round(machine.clock.wall() * 10_000_000) + 0x01B21DD213814000, machine.last_uuid + 1)
    machine.last_uuid = ticks
    sequence = machine.entropy.getrandbits(14) if clock_seq is None else clock_seq
    fields = (ticks & 0xFFFFFFFF, (ticks >> 32) & 0xFFFF, (ticks >> 48) & 0x0FFF, sequence >> 8 & 0x3F, sequence & 0xFF)
    return uuid.UUID(fields=(*fields, getnode(machine) if node is None else node), version=1)
