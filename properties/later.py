"""A specification from a later state on: for searches over a part of a history, whose beginning is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .specification import Call, Refusal, Specification, State

__all__ = ["Later"]


@dataclass(frozen=True)
class Later(Specification):
    """The object as it is, in another state at first.

    What looks at a whole history (hindsight) does not apply.  States are only reduced if `reduces`: whoever wants to go on from the
    last of them needs it as it is.
    """

    whole: Specification
    state: State
    reduces: bool = False

    @property
    def name(self) -> str:
        """That of the whole."""
        return self.whole.name

    @property
    def initial(self) -> State:
        """The state that was given."""
        return self.state

    def step(self, state: State, call: Call) -> State | Refusal:
        """As the whole."""
        return self.whole.step(state, call)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """As the whole."""
        return self.whole.may_enable(state, call, other)

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State] | None:
        """As the whole, or none."""
        return self.whole.reducer(calls) if self.reduces else None

    def pure(self, call: Call) -> bool:
        """As the whole."""
        return self.whole.pure(call)
