"""Specifications of somebody's own, asked with care: whatever goes wrong in one is a sentence, and never a verdict.

A specification is code, and may fail: raise, return what cannot be remembered, or give two answers to one question.  Then nothing
that a search found means anything, so there is a `SpecificationError` that says what was asked and where in the author's file it went
wrong.  `Interrupted` passes, since it is no `Exception`.

That a step is a pure function cannot be proved.  Each question is asked twice at first, and some of them later; an answer that differs
is told, as is a linearization that the specification refuses when it is asked again.  Specifications of ours are tested for that,
and not wrapped.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn, TypeVar

from .history import Operation, Value, render
from .independent import Independent
from .specification import Call, Refusal, Specification, SpecificationError, State, call_of

__all__ = ["Guarded", "guarded", "misfit"]

ALWAYS, SOMETIMES = 1000, 16
"""How many steps are asked for twice, and then every how many."""

_OURS = tuple(f"{path.parent.as_posix()}/" for path in (Path(__file__), Path(__file__).resolve()))
_PYTHON = Path(os.__file__).parent.as_posix() + "/"

DEEPEST = 200
"""Brackets within brackets that a value may have: Python compares values by recursion."""

Answer = TypeVar("Answer")


def guarded(specification: Specification, operations: Sequence[Operation] = ()) -> Specification:
    """The specification itself if all of it is ours, else a `Guarded` one, which names these operations if it fails."""
    innermost = specification
    while isinstance(innermost, Independent):
        innermost = innermost.each
    own = type(innermost).__module__.startswith(f"{__package__}.")
    return specification if own or isinstance(specification, Guarded) else Guarded(specification, operations)


def misfit(operations: Sequence[Operation]) -> SpecificationError | None:
    """What to say of the first operation whose argument or result is no value; None if all are."""
    for operation in operations:
        for what, value in (("argument", operation.argument), ("result", operation.result)):
            where = f"the {what} of {operation.process} {operation.function} (operation {operation.id}, event {operation.invoked})"
            if _too_deep(value):
                return SpecificationError(f"{where} has more than {DEEPEST} brackets within brackets")
            try:
                hash(value)
            except TypeError:
                kind = type(value).__name__
                return SpecificationError(f"{where} is {render(value)}, and a {kind} cannot be remembered: make it a tuple of values")
            if value != value:  # it is not a number
                return SpecificationError(f"{where} is {render(value)}, which equals nothing, not even itself: record it as a text")
    return None


def _too_deep(value: Value) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level if isinstance(outer, tuple) for inner in outer]
        if not level:
            return False
    return True


class Guarded(Specification):
    """A specification whose failures are `SpecificationError`s."""

    def __init__(self, specification: Specification, operations: Sequence[Operation] = ()) -> None:
        self._inner = specification
        self._operations = operations
        self._asked = 0
        # What it does not have goes without saying.
        self._may_enable = self._method("may_enable")
        self._reducer = self._method("reducer")
        self._condensed = self._method("condensed")
        self._in_hindsight = self._method("in_hindsight")
        self._partition = self._method("partition")
        self._evidence_of_failure = self._method("evidence_of_failure")
        self._pure = self._method("pure")

    def _method(self, name: str) -> Callable[..., Any]:
        own = getattr(self._inner, name, None)
        return partial(getattr(Specification, name), self._inner) if own is None else own

    @property
    def name(self) -> str:
        """That of the specification."""
        return str(self._ask(lambda: getattr(self._inner, "name", type(self._inner).__name__), "name"))

    @property
    def initial(self) -> State:
        """That of the specification, if it can be remembered."""
        state: State = self._ask(lambda: self._inner.initial, "initial")
        return self._hashable(state, "initial is")

    def step(self, state: State, call: Call) -> State | Refusal:
        """What the specification says, asked twice now and then."""
        asked = self._asked = self._asked + 1
        following = self._ask(lambda: self._inner.step(state, call), "step", state, call)
        if following is None:
            self._check_none(state, call)
        elif not isinstance(following, Refusal):
            try:
                hash(following)
            except (TypeError, RecursionError):
                self._hashable(following, f"step returned, {self._asked_for(state, call)},", call)
        if asked <= ALWAYS or asked % SOMETIMES == 0:
            if isinstance(following, Refusal):
                self._ask(lambda: str(following), "step", state, call)
            again = self._ask(lambda: self._inner.step(state, call), "step", state, call)
            same = isinstance(again, Refusal) if isinstance(following, Refusal) else again == following
            if not same:
                raise SpecificationError(
                    f"{self.name}.step gives two answers to one question: {_answer(following)} and {_answer(again)}, "
                    f"{self._asked_for(state, call)}{self._defined()}; "
                    "it must be a pure function, which changes nothing, and its states must compare by value"
                )
        return following

    def _check_none(self, state: State, call: Call) -> None:
        """A step that forgets to return something returns None; that is a state only where there was such a one, or nil was called for."""
        given = call.argument if isinstance(call.argument, tuple) else (call.argument,)
        nothing = None in given and (call.argument is not None or call.result is None)
        if state is None or nothing or self._inner.initial is None:
            return
        raise SpecificationError(
            f"{self.name}.step returned None, {self._asked_for(state, call)}{self._defined()}; "
            "it must return the next state or a Refusal: is there a `return` missing?"
        ).about(self._of(call))

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """What the specification says."""
        return bool(self._ask(lambda: self._may_enable(state, call, other), "may_enable", state, call))

    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State] | None:
        """What the specification says; what it gives is guarded too."""
        reduce = self._ask(lambda: self._reducer(calls), "reducer")
        if reduce is None:
            return None
        return lambda state: self._hashable(self._ask(lambda: reduce(state), "reducer", state), "its reducer gave")

    def condensed(self, calls: Sequence[Call]) -> Specification:
        """What the specification says, guarded too."""
        other = self._ask(lambda: self._condensed(calls), "condensed")
        return self if other is self._inner else Guarded(other, self._operations)

    def in_hindsight(self, operations: Sequence[Operation]) -> Specification:
        """What the specification says, guarded too."""
        other = self._ask(lambda: self._in_hindsight(operations), "in_hindsight")
        return self if other is self._inner else Guarded(other, self._operations)

    def partition(self, operation: Operation) -> Hashable:
        """What the specification says, if it can be remembered."""
        part: Hashable = self._ask(lambda: self._partition(operation), f"partition({operation.describe()})")
        return self._hashable(part, f"partition({operation.describe()}) is")

    def evidence_of_failure(self, operation: Operation) -> bool:
        """What the specification says."""
        return bool(self._ask(lambda: self._evidence_of_failure(operation), f"evidence_of_failure({operation.describe()})"))

    def pure(self, call: Call) -> bool:
        """What the specification says."""
        return bool(self._ask(lambda: self._pure(call), f"pure({_shown(call)})"))

    def _asked_for(self, state: State, call: Call) -> str:
        one = self._of(call)
        asked = f"{_shown(call)}" if one is None else f"{one.describe()} (invoked at event {one.invoked})"
        return f"asked for {asked} in the state {render(state)}"

    def _of(self, call: Call | None) -> Operation | None:
        """The first operation that makes this call."""
        return None if call is None else next((one for one in self._operations if call_of(one) == call), None)

    def _ask(self, question: Callable[[], Answer], what: str, state: State = None, call: Call | None = None) -> Answer:
        try:
            return question()
        except SpecificationError as error:
            error.about(error.operation or self._of(call))
            raise  # it says itself what is wrong
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  # of a specification, which may raise anything
            self._failed(error, what, "" if call is None else f", {self._asked_for(state, call)}", self._of(call))

    def _failed(self, error: BaseException, what: str, when: str, about: Operation | None) -> NoReturn:
        if isinstance(error, RecursionError) and (deep := misfit(self._operations)) is not None:
            raise deep from error  # comparing such values is what failed
        said = f"{type(error).__name__}{f': {error!s:.500}' if str(error) else ''}"
        name = type(self._inner).__name__
        sentence = f"{name}.{what} failed{when}: {said}{_where(error) or self._defined()}"
        raise SpecificationError(sentence).about(about).with_traceback(error.__traceback__) from error

    def _defined(self) -> str:
        """Where the specification says what a step is."""
        code = getattr(getattr(self._inner, "step", None), "__code__", None)
        return f" ({code.co_filename}:{code.co_firstlineno} in {code.co_name})" if isinstance(code, CodeType) else ""

    def _hashable(self, value: State, what: str, call: Call | None = None) -> State:
        try:
            hash(value)
        except (TypeError, RecursionError) as error:
            kind = f"a {type(value).__name__}" if isinstance(error, TypeError) else "a value that is nested too deep"
            advice = "it has to be hashable: make it a tuple, a frozenset or a frozen dataclass"
            where = "" if call is None else self._defined()
            sentence = f"{type(self._inner).__name__}: {what} {kind} ({render(value)}){where}; {advice}"
            raise SpecificationError(sentence).about(self._of(call)) from None
        return value


def _shown(call: Call) -> str:
    argument = "" if call.argument is None else render(call.argument)
    return f"{call.function}({argument}) -> {render(call.result) if call.known else 'unknown'}"


def _answer(following: State | Refusal) -> str:
    return f"a refusal ({following})" if isinstance(following, Refusal) else render(following)


def _where(error: BaseException) -> str:
    """The author's line: the innermost that is neither ours nor Python's."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        file = frame.filename.replace("\\", "/")
        if not file.startswith((*_OURS, "<")) and not (file.startswith(_PYTHON) and "/site-packages/" not in file):
            return f" ({frame.filename}:{frame.lineno} in {frame.name})"
    return ""
