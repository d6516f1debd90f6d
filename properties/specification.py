"""Sequential specifications: what an object does when its operations happen one after another.

Linearizability (Herlihy & Wing 1990) compares a concurrent history with such a specification.  A specification here is a pure
function: `step(state, call)` gives the next state, or a `Refusal` that says in words why this call cannot have had this result
in this state.  States are immutable and hashable, because the search interns them and remembers every step that it has taken;
a step is therefore computed once per pair of state and call, however often the search comes by.

**Deterministic, also for the unknown.**  A call whose operation ended `info` has no known result: `step` must accept it whenever
it *could* have happened and give the one state that follows.  Where the effect itself is unknown (the log index of an issuance
that timed out) the state holds a placeholder that later observations fill in; no specification here needs non-determinism.

**Failed operations** certainly did not happen, so they are dropped (as in Knossos).  A failed compare-and-set is special: the
comparison was made, and it observed a value other than the expected one.  Porcupine's etcd model uses that; it can only be done
where the client reports nothing but a failed comparison as `fail`, so it is a choice (see `CasRegister`).

Prior art: Knossos's `model.clj`, Porcupine's `Model`; the refusals are what their users ask for most (porcupine issues 4,
21, 37).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, Protocol, Self, TypeAlias

from .history import HistoryError, Operation, Outcome, Value, render

__all__ = [
    "Call",
    "Refusal",
    "Specification",
    "SpecificationError",
    "State",
    "UnknownFunctionError",
    "call_of",
    "unknown_of",
]

State: TypeAlias = Hashable
"""An immutable, hashable value."""


class Call(NamedTuple):
    """What a specification sees of an operation: two operations with equal calls are interchangeable for it."""

    function: str
    argument: Value
    result: Value = None
    outcome: Outcome = Outcome.OK

    @property
    def known(self) -> bool:
        """False for an operation that ended `info`: it may have happened, and its result is not known."""
        return self.outcome is not Outcome.INFO


def call_of(operation: Operation) -> Call:
    """The call that an operation makes."""
    return Call(operation.function, operation.argument, operation.result, operation.outcome)


def unknown_of(operation: Operation) -> Call:
    """The call of an operation of which nothing counts but that a specification must know it: as if nobody knew its outcome."""
    return Call(operation.function, operation.argument, None, Outcome.INFO)


class Refusal:
    """Why a call cannot happen in a state: `Refusal("the register holds {}", state)`.

    The sentence is only put together when somebody reads it, because a search meets refusals by the million.
    """

    __slots__ = ("_template", "_values")

    def __init__(self, template: str, *values: Value) -> None:
        self._template = template
        self._values = values

    def __str__(self) -> str:
        return self._template.format(*(render(value) for value in self._values))

    def __repr__(self) -> str:
        return f"Refusal({str(self)!r})"


class SpecificationError(HistoryError):
    """An operation that the specification does not speak of: an unknown function, or an argument of the wrong shape.

    `operation` is the one, where that is known.
    """

    operation: Operation | None = None

    def about(self, operation: Operation | None) -> Self:
        """The error, which is about this operation."""
        self.operation = operation
        return self


class UnknownFunctionError(SpecificationError):
    """An operation that the specification does not have; `functions` are those that it has."""

    def __init__(self, name: str, function: str, *functions: str) -> None:
        *most, last = functions
        have = f"{', '.join(most)} and {last}" if most else last
        super().__init__(f"{name} has no operation {function!r}; it has {have}")
        self.functions = functions


class Specification(Protocol):
    """What an object does when its operations happen one after another.

    Specifications of your own subclass this one (which gives them everything but `initial` and `step`), or merely have
    the same methods.  Values compare by `==`.
    """

    @property
    def name(self) -> str:
        """How verdicts call it, for example `Register`."""
        return type(self).__name__

    @property
    @abstractmethod
    def initial(self) -> State:
        """The state before any operation."""
        ...

    @abstractmethod
    def step(self, state: State, call: Call) -> State | Refusal:
        """The state after `call`, or why it cannot happen here.

        Must be a pure function.  For a call that is not `known` the result is to be ignored.  None is a state only where it was one
        before, or `initial` is None, or the call has it as its argument: else a `return` is taken to be missing.

        Raises:
            SpecificationError: the function is not one of this object's, or the argument has the wrong shape.
        """
        ...

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # for those who override it
        """False if `other` cannot help `call`, which is refused in `state`, to become possible; True if in doubt.

        Precisely: no sequence of calls that all give False leads from `state` to a state in which `call` is possible.  The
        search asks this of everything that can still come before the next read, and turns back at once where there is no
        hope, rather than after every order of what is in flight.  It is what keeps appends searchable, whose orders all lead
        to different states.
        """
        return True

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State] | None:  # noqa: ARG002  # for those who override it
        """A function from states to states that nothing among `calls`, all there are, can tell from them; None: no such saving.

        A value that nobody ever reads is as good as any other such value.  The search applies it to every state, so that the
        many orders of operations whose outcome nobody looked at lead to one state and not to many.
        """
        return None

    def condensed(self, calls: Sequence[Call]) -> Specification:  # noqa: ARG002  # for those who override it
        """A specification with smaller states that takes the same steps on `calls`, all there are, and need not explain refusals.

        Where states are values that grow, a search that remembers them all would need the square of their number.
        """
        return self

    def in_hindsight(self, operations: Sequence[Operation]) -> Specification:  # noqa: ARG002  # for those who override it
        """A specification that admits the same linearizations of just these operations, and refuses hopeless steps earlier.

        What later observations show to be the only order, say, need not be found out by trying all others.  It may refuse what
        this specification accepts wherever no linearization of all `operations` goes on from there, and may treat pending calls
        that nobody needs as if they did nothing.
        """
        return self

    def partition(self, operation: Operation) -> Hashable:  # noqa: ARG002  # for those who override it
        """The part of the object that this operation touches, for example its key.

        A history is linearizable if and only if each part's history is (locality, Herlihy & Wing 1990; called
        P-compositionality by Horn & Kroening 2015), so the search takes the parts one by one.
        """
        return None

    def evidence_of_failure(self, operation: Operation) -> bool:  # noqa: ARG002  # for those who override it
        """True if this `fail`ed operation observed something, so that `step` should judge it; False drops it."""
        return False

    def pure(self, call: Call) -> bool:  # noqa: ARG002  # for those who override it
        """True if `call`, where it leaves a state unchanged, leaves every later state unchanged that it is possible in.

        Reads are pure.  The search takes a pure call as soon as it changes nothing, with no alternative.  Writing 5 where 5
        stands changes nothing either, but is not pure: it may be needed later to overwrite something else.
        """
        return False
