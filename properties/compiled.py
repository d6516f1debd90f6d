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
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .history import Operation
from .specification import Specification
from .steps import Steps
from .window import Window

if TYPE_CHECKING:
    from . import kernel

__all__ = ["LONG", "Compiled", "compiled"]

LONG = 200_000
"""Steps that a search takes before it asks for the kernel: some tenths of a second."""

STATES, ASKED, CELLS = 256, 200_000, 4_000_000
"""The most states of an object, questions to its specification, and returns times states: beyond those a search stays in Python."""

ROWS = 1 << 14
"""Entries that tables of failures begin with."""


def compiled(
    specification: Specification, operations: Sequence[Operation], window: Window, goal: int, remembered: int, limits: tuple[int, int]
) -> Compiled | None:
    """This search from its beginning, in compiled code; None if it cannot be, or numba is not installed.

    `operations` are in order of invocation, `window` is theirs; `limits` are those of looking ahead (`FARTHEST`, `WITNESSES`).
    """
    if find_spec("numba") is None or not window.returning:
        return None
    kernel = import_module(".kernel", __package__)
    if window.width > kernel.BITS:
        return None
    closed = _closed(Steps(specification, operations), len(window.returning))
    if closed is None:
        return None
    return Compiled(kernel, window, closed, goal, remembered, limits)


def _closed(steps: Steps, returns: int) -> Steps | None:
    """The table with every call asked in every state that can be reached; None if that is too much, or a pure call changes a state."""
    calls = range(len(steps.calls))
    state = 0
    while state < len(steps.states):
        for call in calls:
            following = steps.step(call, state)
            if following >= 0 and following != state and steps.pure[call]:
                return None
        state += 1
        known = len(steps.states)
        if known > STATES or known * max(len(calls) ** 2, 1) > ASKED * 10 or known * len(calls) > ASKED or known * returns > CELLS:
            return None
    return steps


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
                return bool(self._memory.registers[code.RANK] >= self._tables.goal)
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
    reading = [pure and call.known for pure, call in zip(steps.pure, steps.calls, strict=True)]
    following = words([[steps.step(call, state) for state in states] for call in calls], len(states))
    may = np.zeros((len(states), len(calls), len(calls)), np.uint8)
    enables = steps.specification.may_enable
    for state in states:
        for call in calls:
            if following[call, state] < 0:
                may[state, call] = [enables(steps.states[state], steps.calls[call], other) for other in steps.calls]
    returns = len(window.returning)
    window.open(returns - 1)
    mutators, mutator_places = _shared(window.mutators)
    reads, read_places = _shared(window.reads)
    called_from = np.zeros(returns + 1, np.int64)
    called_from[1:] = np.cumsum([len(called) for called in window.called])
    size = -(-len(window.pending) // code.BITS)
    earlier = [[entry[2] >> code.BITS * word & (1 << code.BITS) - 1 for word in range(size)] for entry in window.pending]
    made: kernel.Tables = code.Tables(
        following=following,
        may=may,
        bits=words(window.return_bits),
        returning=words(window.returning),
        pending_called=words(window.pending_called),
        mutators=words(mutators, 5),
        mutators_from=mutator_places[0],
        mutators_until=mutator_places[1],
        reads=words(reads, 3),
        reads_from=read_places[0],
        reads_until=read_places[1],
        called=words([number for called in window.called for number in called]),
        called_from=called_from,
        pending=words([entry[3:] for entry in window.pending], 2),
        pending_earlier=words(earlier, size) if size else np.zeros((0, 0), np.int64),
        own=words(window.bits),
        classes=words(window.classes),
        requests=words(steps.requests),
        reading=np.array(reading, np.uint8),
        goal=goal,
        farthest=limits[0],
        witnesses=limits[1],
    )
    return made


def _shared(lists: Sequence[Sequence[Any]]) -> tuple[list[Any], tuple[Any, Any]]:
    """The lists one after another, those that are one object only once, and where each begins and ends."""
    import numpy as np  # noqa: PLC0415

    flat: list[Any] = []
    begins, ends = np.zeros(len(lists), np.int64), np.zeros(len(lists), np.int64)
    before: Sequence[Any] | None = None
    for place, one in enumerate(lists):
        if one is before:
            begins[place], ends[place] = begins[place - 1], ends[place - 1]
            continue
        begins[place] = len(flat)
        flat += one
        ends[place] = len(flat)
        before = one
    return flat, (begins, ends)


def _memory(code: Any, tables: kernel.Tables, remembered: int) -> kernel.Memory:
    import numpy as np  # noqa: PLC0415

    states = tables.following.shape[1]
    returns, depth = len(tables.bits), len(tables.own) + 1
    size = tables.pending_earlier.shape[1]
    registers = np.zeros(code.RESUME + 1, np.int64)
    registers[code.BEST_RANK] = -1
    registers[code.ROOM] = remembered
    made: kernel.Memory = code.Memory(
        registers=registers,
        stack=np.zeros((depth, 5), np.int64),
        used=np.zeros((depth, size), np.int64),
        used_now=np.zeros(size, np.int64),
        best=np.zeros(depth, np.int64),
        demanding=tables.reading.copy(),
        fitting=np.full((returns, states), -1, np.int64),
        hopes=np.zeros((returns, states, tables.witnesses, 2), np.int64),
        hopes_known=np.zeros((returns, states), np.uint8),
        table=np.full((ROWS, 3), -1, np.int64),
        sets=np.zeros((ROWS if size else 0, size), np.int64),
        sets_next=np.zeros(ROWS if size else 0, np.int64),
    )
    return made


def _roomier(code: Any, memory: kernel.Memory) -> kernel.Memory:
    """The same with twice the room for what is full."""
    import numpy as np  # noqa: PLC0415

    if 2 * memory.registers[code.FAILURES] >= len(memory.table):
        memory = memory._replace(table=code.grown(memory.table))
    if memory.registers[code.SETS] >= len(memory.sets) > 0:
        sets = np.concatenate([memory.sets, np.zeros_like(memory.sets)])
        memory = memory._replace(sets=sets, sets_next=np.concatenate([memory.sets_next, np.zeros_like(memory.sets_next)]))
    return memory
