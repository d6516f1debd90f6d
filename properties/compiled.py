"""Long searches go on in compiled code, where numba is installed and the object is small enough: `pip install killpoint[fast]`.

**The answers are the same.**  The kernel takes the steps of `Search.run`, in the same order, with the same count; so it is the same search
whoever does it, and verdict, evidence, number of steps and the moment at which a budget is spent do not depend on what is installed.
It begins anew and takes the steps that were taken already, which it does in less time than moving what was found out.

**Which searches.**  Loading the kernel takes half a second, and some seconds the first time on a machine, so only a search that has taken
`LONG` steps asks for it.  It needs a *closed* object: all states that its calls lead to are found by trying them, `STATES` of them at most,
and pure calls never change one.  That holds for registers of few values, locks, small stores and counters, and not where values are all
different, which the monitors decide.  No more than `BITS` operations may be open at once (pending ones apart).  All others stay in
Python.  Inside runs of a simulation nobody asks for it: a run should load nothing, and its searches are short.

Memory: about 100 bytes per operation and state, 48 per configuration that failed, and with pending operations as many bits again as there
are of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .history import Operation
from .specification import Specification
from .steps import Steps, closed
from .window import Window

if TYPE_CHECKING:
    from . import kernel

__all__ = ["LONG", "Compiled", "compiled", "load"]

LONG = 200_000
"""Steps that a search takes before it asks for the kernel: some tenths of a second."""

ROWS = 1 << 14
"""Entries that tables of failures begin with."""


def load(name: str) -> Any:
    """A module that needs numba, by its name relative to this package; None where it cannot be loaded.

    That is where numba is not installed, or at odds with the numpy that is, or finds no folder for what it compiles.
    """
    try:
        return import_module(name, __package__)
    except (ImportError, RuntimeError):
        return None


def compiled(
    specification: Specification, operations: Sequence[Operation], window: Window, goal: int, remembered: int, limits: tuple[int, int]
) -> Compiled | None:
    """This search from its beginning, in compiled code; None if it cannot be, or numba is not installed.

    `operations` are in order of invocation, `window` is theirs; `limits` are those of looking ahead (`FARTHEST`, `WITNESSES`).
    """
    code = load(".kernel") if window.returning else None
    if code is None or window.width > code.BITS:
        return None
    steps = closed(Steps(specification, operations), len(window.returning))
    if steps is None:
        return None
    return Compiled(code, window, steps, goal, remembered, limits)


class Compiled:
    """A search in compiled code: `run` as `Search.run`, and what became of it."""

    def __init__(
        self, code: Any, window: Window, steps: Steps, goal: int, remembered: int, limits: tuple[int, int]
    ) -> None:
        self._code = code
        self._tables = _tables(code, window, steps, goal, limits)
        self._memory = _memory(code, self._tables, remembered)

    @property
    def steps(self) -> int:
        """How many were taken."""
        return int(self._memory.registers[self._code.STEPS])

    def run(self, budget: int) -> bool | None:
        """Go on for about `budget` steps.  True: a linearization exists.  False: none does.  None: not decided yet."""
        code, begun = self._code, self.steps
        while True:
            found = code.run(self._tables, self._memory, budget - (self.steps - begun))
            if found == code.PAUSED:
                return None
            if found == code.DECIDED:
                return bool(self._memory.registers[code.RANK] >= self._tables.limits[0])
            self._memory = _roomier(code, self._memory)

    def best(self) -> tuple[int, list[int]]:
        """The return up to which the best order goes, and its choices."""
        registers = self._memory.registers
        return int(registers[self._code.BEST_RANK]), self._memory.best[: registers[self._code.BEST_DEPTH]].tolist()


def _tables(code: Any, window: Window, steps: Steps, goal: int, limits: tuple[int, int]) -> kernel.Tables:
    import numpy as np  # noqa: PLC0415  # not without `compiled`

    def words(values: Sequence[Any], width: int = 0) -> Any:
        return np.array(values, np.int64).reshape((len(values), width) if width else len(values))

    states, calls = range(len(steps.states)), range(len(steps.calls))
    demanding = [pure and call.known for pure, call in zip(steps.pure, steps.calls, strict=True)]
    following = words([[steps.step(call, state) for state in states] for call in calls], len(states))
    may = np.zeros((len(states), len(calls), len(calls)), np.int64)
    enables = steps.specification.may_enable
    for state in states:
        for call in calls:
            if following[call, state] < 0:
                may[state, call] = [enables(steps.states[state], steps.calls[call], other) for other in steps.calls]
    count = len(window.returning)
    window.open(count - 1)
    mutators, mutators_from, mutators_until = _shared(window.mutators)
    reads, reads_from, reads_until = _shared(window.reads)
    returns = np.zeros((count + 1, code.CALLED_FROM + 1), np.int64)
    returns[:count, code.BIT] = window.return_bits
    returns[:count, code.NUMBER] = window.returning
    returns[:count, code.PENDING_CALLED] = window.pending_called
    returns[:count, code.MUTATORS_FROM], returns[:count, code.MUTATORS_UNTIL] = mutators_from, mutators_until
    returns[:count, code.READS_FROM], returns[:count, code.READS_UNTIL] = reads_from, reads_until
    returns[1:, code.CALLED_FROM] = np.cumsum([len(called) for called in window.called])
    size, full = -(-len(window.pending) // code.BITS), (1 << code.BITS) - 1
    pending = [[*entry[3:], *(entry[2] >> code.BITS * word & full for word in range(size))] for entry in window.pending]
    made: kernel.Tables = code.Tables(
        following=following,
        may=may,
        returns=returns,
        mutators=words(mutators, 5),
        reads=words(reads, 3),
        called=words([number for called in window.called for number in called]),
        pending=words(pending, 2 + size),
        operations=words([*zip(window.bits, window.classes, strict=True)], 2),
        calls=words([*zip(steps.requests, demanding, strict=True)], 2),
        limits=words([goal, *limits]),
    )
    return made


def _shared(lists: Sequence[Sequence[Any]]) -> tuple[list[Any], list[int], list[int]]:
    """The lists one after another, those that are one object only once, and where each begins and ends."""
    flat: list[Any] = []
    begins: list[int] = []
    ends: list[int] = []
    before: Sequence[Any] | None = None
    for one in lists:
        if one is before:
            begins.append(begins[-1])
        else:
            begins.append(len(flat))
            flat += one
            before = one
        ends.append(begins[-1] + len(one))
    return flat, begins, ends


def _memory(code: Any, tables: kernel.Tables, remembered: int) -> kernel.Memory:
    import numpy as np  # noqa: PLC0415

    states, witnesses = tables.following.shape[1], int(tables.limits[2])
    returns, depth = len(tables.returns) - 1, len(tables.operations) + 1
    size = tables.pending.shape[1] - 2
    registers = np.zeros(code.RESUME + 1, np.int64)
    registers[code.BEST_RANK] = -1
    registers[code.ROOM] = remembered
    made: kernel.Memory = code.Memory(
        registers=registers,
        stack=np.zeros((depth, 5), np.int64),
        used=np.zeros((depth, size), np.int64),
        used_now=np.zeros(size, np.int64),
        best=np.zeros(depth, np.int64),
        demanding=tables.calls[:, 1].copy(),
        fitting=np.full((returns, states), -1, np.int64),
        hopes=np.full((returns, states, witnesses + 1, 2), code.UNKNOWN, np.int64),
        table=np.full((ROWS, 3), -1, np.int64),
        sets=np.zeros((ROWS if size else 0, size + 1), np.int64),
    )
    return made


def _roomier(code: Any, memory: kernel.Memory) -> kernel.Memory:
    """The same with twice the room for what is full."""
    import numpy as np  # noqa: PLC0415

    if 2 * memory.registers[code.FAILURES] >= len(memory.table):
        memory = memory._replace(table=code.grown(memory.table))
    if memory.registers[code.SETS] >= len(memory.sets) > 0:
        memory = memory._replace(sets=np.concatenate([memory.sets, np.zeros_like(memory.sets)]))
    return memory
