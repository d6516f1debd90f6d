"""A counter as a sequential specification."""

from __future__ import annotations

from dataclasses import dataclass

from .history import Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

__all__ = ["Counter"]

SIGNS = {"add": 1, "inc": 1, "increment": 1, "dec": -1, "decrement": -1}
"""Functions that change a counter, and in which direction."""


@dataclass(frozen=True)
class Counter(Specification):
    """A counter: `add(n)`, `inc()` and `dec()` (or `increment` and `decrement`), by one unless told, and `read() -> n`.

    It begins at `initial_value`, 0 unless told.
    """

    initial_value: int = 0

    @property
    def initial(self) -> State:
        """The number before anything is added."""
        return self.initial_value

    def step(self, state: State, call: Call) -> State | Refusal:
        """Add, or read the sum."""
        if call.function == "read":
            if not call.known or state == call.result:
                return state
            return Refusal("the counter stands at {}, not {}", state, call.result)
        assert isinstance(state, int | float)
        return state + self.amount(call.function, call.argument)

    def amount(self, function: str, argument: Value) -> int | float:
        """How much this call adds.

        Raises:
            SpecificationError: there is no such function, or the argument is no number.
        """
        sign = SIGNS.get(function)
        if sign is None:
            raise UnknownFunctionError(self.name, function, *SIGNS, "read")
        if argument is None and function != "add":
            return sign
        if isinstance(argument, bool) or not isinstance(argument, int | float):
            raise SpecificationError(f"{self.name}: the argument of {function} is a number, not {render(argument)}")
        return sign * argument

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """A read of more than there is waits for something to be added, a read of less for something to be taken away."""
        if call.function != "read" or not isinstance(call.result, int | float) or not isinstance(state, int | float):
            return True
        if other.function == "read":
            return False
        amount = self.amount(other.function, other.argument)
        return amount > 0 if call.result > state else amount < 0

    def pure(self, call: Call) -> bool:
        """Reads are."""
        return call.function == "read"
