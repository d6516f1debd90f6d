"""Steps of a specification, each computed once: states and calls become small integers.

A specification is pure, so what one call does in one state never changes; a search comes by the same pair thousands of times.
The table is sparse, one dictionary per call: where all values are unique a dense one would be quadratic.
"""

from __future__ import annotations

from collections.abc import Sequence

from .history import Operation, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, call_of

__all__ = ["Steps", "closed"]

STATES, ASKED, CELLS = 256, 200_000, 4_000_000
"""The most states of an object that count as few, questions to its specification, and returns times states."""


class Steps:
    """The calls of some operations, and the transitions that have been asked for.

    Raises:
        SpecificationError: when made; the specification does not know one of them.

    `classes` gives each operation's call; `next[call]` maps a state to the next one, -1 if the call is refused there (ask `step`
    for what is not in it).  States are condensed and reduced (see `Specification`); 0 is the initial one.
    """

    def __init__(self, specification: Specification, operations: Sequence[Operation]) -> None:
        self.calls: list[Call] = []
        self.next: list[dict[int, int]] = []
        self.pure: list[bool] = []
        self.demanding: list[bool] = []  # per call: it is a read, or was refused in some state
        self.requests: list[int] = []  # per call: its function and argument, whatever its result
        self.skip = -1
        self.specification = specification
        self.classes = self._intern(operations)
        self.specification = specification = specification.condensed(self.calls)
        self._reduce = specification.reducer(self.calls)
        initial = specification.initial if self._reduce is None else self._reduce(specification.initial)
        self.states: list[State] = [initial]
        self._numbers: dict[State, int] = {initial: 0}

    def _intern(self, operations: Sequence[Operation]) -> list[int]:
        # True equals 1, but is not the same answer to everybody.
        numbers: dict[tuple[Call, type], int] = {}
        requests: dict[tuple[str, Value], int] = {}
        classes = []
        for operation in operations:
            call = call_of(operation)
            number = numbers.setdefault((call, type(call.result)), len(numbers))
            if number == len(self.calls):
                # A search may end before it comes by a call that the specification does not know: ask now.
                self._ask(self.specification.initial, call)
                pure = self.specification.pure(call)
                self.calls.append(call)
                self.next.append({})
                self.pure.append(pure)
                self.demanding.append(pure and call.known)
                self.requests.append(requests.setdefault((call.function, call.argument), len(requests)))
            classes.append(number)
        return classes

    def add_skip(self) -> int:
        """One more call, which does nothing in any state: a number that is nobody's class."""
        self.skip = len(self.next)
        self.next.append({})
        self.requests.append(-1)
        return self.skip

    def step(self, call: int, state: int) -> int:
        """The next state, or -1 if the specification refuses."""
        if call == self.skip:
            return state
        known = self.next[call].get(state)
        if known is not None:
            return known
        following = self._ask(self.states[state], self.calls[call])
        if isinstance(following, Refusal):
            number = -1
            self.demanding[call] = True
        else:
            if self._reduce is not None:
                following = self._reduce(following)
            number = self._numbers.setdefault(following, len(self.states))
            if number == len(self.states):
                self.states.append(following)
        self.next[call][state] = number
        return number

    def _ask(self, state: State, call: Call) -> State | Refusal:
        try:
            return self.specification.step(state, call)
        except Exception as error:
            if not isinstance(error, SpecificationError):  # which says so itself
                shown = f"{call.function}({'' if call.argument is None else render(call.argument)})"
                error.add_note(f"{self.specification.name}.step was asked for {shown} -> {render(call.result)} in the state {state!r:.200}")
            raise


def closed(steps: Steps, returns: int) -> Steps | None:
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
