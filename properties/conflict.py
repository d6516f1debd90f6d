"""What a log-linear monitor answers: a few operations that exclude each other, or that there are none."""

from __future__ import annotations

from typing import NamedTuple

from .history import Operation
from .specification import Specification

__all__ = ["NEVER", "NONE", "Conflict", "returned"]

NEVER = 1 << 62
"""Later than every event: the return of an operation that is pending for ever.  An integer, since those compare fastest."""


class Conflict(NamedTuple):
    """Operations that together cannot be linearized (none: the history can), and why.

    They are refuted by `specification`, where one is given, instead of the history's own: by a register that begins with what it held
    before the first of them, say, or by a set of which only two elements count.  It is such that an order of the whole history would
    give an order of these operations that it accepts, so that what it refutes is refuted.

    **How many.**  A handful for registers (six, and the writes before them: `zones`), sets, growing sets, counters and stores (eight,
    or the beginning of a value up to sixteen), whatever the history; a chain of compare-and-sets and a queue that was never empty may
    take as many as are in it.  There is hardly a choice among those, since their values are all different and say who followed whom, so
    that a search takes a few steps for each; `tests/properties/test_monitors_cores.py` measures it, with many pending operations.
    """

    operations: tuple[Operation, ...]
    why: str = ""
    specification: Specification | None = None


NONE = Conflict(())


def returned(operation: Operation) -> int:
    """When it returned, `NEVER` if it is pending."""
    return NEVER if operation.completed is None else operation.completed

