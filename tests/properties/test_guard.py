"""Specifications of somebody's own that fail, cannot be remembered, or change their mind: a sentence with the line, never a verdict."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence

import pytest
from histories import operation

from killpoint.properties import (
    Call,
    Linearizable,
    Operation,
    Refusal,
    Register,
    Specification,
    SpecificationError,
    Status,
    Value,
)
from killpoint.properties.linearizability import analyse
from killpoint.properties.progress import Interrupted
from killpoint.properties.specification import State

HISTORY = [operation(7, "write", 1, None, (3, 8), process="c1"), operation(8, "read", None, 1, (5, 6), process="c2")]
ASKED = "asked for c1 write(1) -> None (invoked at event 3) in the state None"


class Own(Specification):
    """A register."""

    initial: State = None

    def step(self, state: State, call: Call) -> State | Refusal:
        if call.function == "write":
            return call.argument
        return state if state == call.result else Refusal("it holds {}", state)


class Raises(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        return {}[call.result]  # type: ignore[var-annotated]


class Asserts(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        assert call.function != "read", "nothing is read"
        return super().step(state, call)


class Endless(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        return self.step(state, call)


class Forgets(Own):
    """A `return` is missing."""

    initial: State = 0

    def step(self, state: State, call: Call) -> State | Refusal:
        if call.function == "read" and call.result != state:
            Refusal("it holds {}", state)
            return None
        return super().step(state, call)


class Exits(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        sys.exit(7)


class Unhashable(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        return [state]  # type: ignore[return-value]


class Random(Own):
    def step(self, state: State, call: Call) -> State | Refusal:
        return random.random()


class Remembers(Own):
    def __init__(self) -> None:
        self.calls = 0

    def step(self, state: State, call: Call) -> State | Refusal:
        self.calls += 1
        return self.calls


class Changes(Own):
    """Its refusals cannot be put into words."""

    def step(self, state: State, call: Call) -> State | Refusal:
        return Refusal("{} and {}", state)


class ListAtFirst(Own):
    def __init__(self) -> None:
        self.initial = []  # type: ignore[assignment]


class NoFirst(Own):
    @property
    def initial(self) -> State:  # type: ignore[override]
        raise OSError("gone")


class NoPart(Own):
    def partition(self, operation: Operation) -> str:
        return operation.argument["key"]  # type: ignore[index, no-any-return]


class ListPart(Own):
    def partition(self, operation: Operation) -> list[int]:  # type: ignore[override]
        return [1]


class BadHint(Own):
    def pure(self, call: Call) -> bool:
        return call.function == "read"

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        raise LookupError("no idea")


class BadReducer(Own):
    def reducer(self, calls: Sequence[Call]) -> Callable[[State], State]:
        return lambda state: [state]  # type: ignore[return-value]


class BadPure(Own):
    def pure(self, call: Call) -> bool:
        raise AttributeError("pure")


class OfOurs(Register):
    """Inherits the rest, so that a monitor would apply if it said nothing of steps."""

    def step(self, state: State, call: Call) -> State | Refusal:
        raise ZeroDivisionError


def line(function: Callable[..., object], offset: int = 1) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno + offset} in {code.co_name}"


@pytest.mark.parametrize(
    ("specification", "words", "where"),
    [
        (Raises(), f"Raises.step failed, {ASKED}: KeyError: None", Raises.step),
        (Asserts(), "Asserts.step failed, asked for c2 read() -> 1 (invoked at event 5) in the state None: AssertionError", Asserts.step),
        (Endless(), "in the state None: RecursionError: maximum recursion depth exceeded", Endless.step),
        (Forgets(), "Forgets.step returned None, asked for c2 read() -> 1 (invoked at event 5) in the state 0", Forgets.step),
        (Exits(), f"Exits.step failed, {ASKED}: SystemExit: 7", Exits.step),
        (Changes(), f"Changes.step failed, {ASKED}: IndexError: Replacement index 1 out of range", Changes.step),
        (OfOurs(), f"OfOurs.step failed, {ASKED}: ZeroDivisionError", OfOurs.step),
        (NoFirst(), "NoFirst.initial failed: OSError: gone", NoFirst.initial.fget),  # type: ignore[attr-defined]
        (NoPart(), "NoPart.partition(c1 write(1) -> None) failed: TypeError", NoPart.partition),
        (BadHint(), "BadHint.may_enable failed, asked for c2 read() -> 1 (invoked at event 5) in", BadHint.may_enable),
        (BadPure(), "BadPure.pure(write(1) -> None) failed: AttributeError: pure", BadPure.pure),
    ],
)
def test_what_fails_is_told_with_the_operation_the_state_and_the_line(
    specification: Specification, words: str, where: Callable[..., object]
) -> None:
    with pytest.raises(SpecificationError) as error:
        Linearizable(specification).judge(HISTORY)
    assert words in str(error.value)
    assert line(where)[:-20] in str(error.value)
    assert f" in {where.__name__})" in str(error.value)
    assert where.__code__.co_filename in str(error.value)


@pytest.mark.parametrize(
    ("specification", "words"),
    [
        (Unhashable(), f"step returned, {ASKED}, a list ([None])"),
        (ListAtFirst(), "ListAtFirst: initial is a list ([])"),
        (ListPart(), "ListPart: partition(c1 write(1) -> None) is a list ([1])"),
        (BadReducer(), "BadReducer: its reducer gave a list ([None])"),
    ],
)
def test_what_cannot_be_remembered_is_told(specification: Specification, words: str) -> None:
    with pytest.raises(SpecificationError) as error:
        Linearizable(specification).judge(HISTORY)
    assert words in str(error.value)
    assert "it has to be hashable: make it a tuple" in str(error.value)


@pytest.mark.parametrize(("specification", "words"), [(Random(), "Random.step gives two"), (Remembers(), "None and 1")])
def test_who_changes_his_mind_is_told(specification: Specification, words: str) -> None:
    with pytest.raises(SpecificationError, match=r"gives two answers to one question: .* it must be a pure function") as error:
        Linearizable(specification).judge(HISTORY)
    assert words.replace("None and 1", "1 and 2") in str(error.value)
    assert __file__ in str(error.value)


def test_a_refusal_without_words_is_told() -> None:
    with pytest.raises(SpecificationError, match="IndexError"):
        Linearizable(Changes()).judge(HISTORY)


def test_what_is_right_stays_right() -> None:
    assert Linearizable(Own()).judge(HISTORY).status is Status.VALID
    wrong = Linearizable(Own()).judge([*HISTORY, operation(9, "read", None, 2, (9, 10))])
    assert wrong.status is Status.INVALID
    assert wrong.name == "Linearizable(Own)"
    assert wrong.evidence is not None
    assert any("it holds 1" in line for line in wrong.evidence.lines)


def test_two_methods_are_enough() -> None:
    class Plain:
        initial = None
        step = Own.step

    verdict = Linearizable(Plain()).judge(HISTORY)  # type: ignore[arg-type]
    assert (verdict.status, verdict.name) == (Status.VALID, "Linearizable(Plain)")


def nested(levels: int) -> Value:
    value: Value = ()
    for _ in range(levels):
        value = (value,)
    return value


@pytest.mark.parametrize("specification", [Register(), Own()])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1], "the argument of c1 write (operation 7, event 3) is [1], and a list cannot be remembered: make it a tuple"),
        ((1, {2: 3}), "and a tuple cannot be remembered"),
        (float("nan"), "the argument of c1 write (operation 7, event 3) is nan, which equals nothing, not even itself"),
    ],
)
def test_what_is_no_value_is_told(specification: Specification, value: Value, words: str) -> None:
    history = [operation(7, "write", value, None, (3, 4), process="c1"), operation(8, "read", None, value, (5, 6))]
    with pytest.raises(SpecificationError) as error:
        Linearizable(specification).judge(history)
    assert words in str(error.value)


@pytest.mark.parametrize("levels", [100, 1_000, 10_000])
@pytest.mark.parametrize("specification", [Register(), Own()])
def test_deep_values_are_judged_or_refused_in_words(specification: Specification, levels: int) -> None:
    """Two that are equal and not the same, so that somebody compares them."""
    for result, status in ((nested(levels), Status.VALID), (nested(levels + 1), Status.INVALID)):
        history = [operation(0, "write", nested(levels), None, (0, 1)), operation(1, "read", None, result, (2, 3))]
        refused = []
        try:
            found = Linearizable(specification).judge(history).status
        except SpecificationError as error:
            refused.append(str(error))
        if refused:
            assert levels > 200
            assert "has more than 200 brackets within brackets" in refused[0]
        else:
            assert found is status


def ring() -> None:
    raise Interrupted("the bell rang")


class Interrupting(Own):
    """Somebody's clock runs out in the middle of its third step, whatever it catches."""

    def __init__(self) -> None:
        self.asked = 0

    def step(self, state: State, call: Call) -> State | Refusal:
        self.asked += 1
        if self.asked == 12:
            try:
                ring()
            except Exception:
                return None
        return super().step(state, call)


def test_an_interruption_gives_unknown_and_says_how_far_it_came() -> None:
    verdict = Linearizable(Interrupting()).judge(
        [operation(number, "write", number, None, (2 * number, 2 * number + 1)) for number in range(20)]
    )
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.startswith("the bell rang: no operation was placed yet")


class Patient(Own):
    """Is interrupted only when the search is under way: in the state that the tenth write leaves."""

    def step(self, state: State, call: Call) -> State | Refusal:
        if state == 9 and call.argument == 10:
            raise Interrupted("the bell rang")
        return super().step(state, call)


def test_the_longest_prefix_and_the_operation_that_is_next_are_told() -> None:
    writes = [operation(number, "write", number, None, (2 * number, 2 * number + 1)) for number in range(20)]
    verdict = Linearizable(Patient()).judge(writes)
    assert verdict.status is Status.UNKNOWN
    assert "10 of 20 completed operations were placed in order; the next to return is p10 write(10)" in verdict.reason
    assert verdict.reason.endswith(" steps taken)")


class Late(Own):
    """Has no time for an explanation: it is interrupted where a history that was refuted is looked at again."""

    def __init__(self) -> None:
        self.asked = 0

    def step(self, state: State, call: Call) -> State | Refusal:
        self.asked += 1
        if self.asked > 12:
            raise Interrupted("the bell rang")
        return super().step(state, call)


def test_what_was_refuted_before_the_bell_stays_refuted() -> None:
    wrong = [operation(0, "write", 1, None, (0, 1)), operation(1, "read", None, 2, (2, 3), process="c9")]
    statuses: set[Status] = set()
    unexplained = 0
    for most in range(1, 40):
        specification = Late()
        specification.asked = 12 - most
        verdict = Linearizable(specification).judge(wrong)
        statuses.add(verdict.status)
        if verdict.status is Status.INVALID:
            assert verdict.evidence is not None
            assert any("c9 read()" in line for line in verdict.evidence.lines)
            unexplained += "the bell rang" in verdict.evidence.lines[-1]
            assert verdict.evidence.kind == "cannot-be-placed"
    assert statuses == {Status.UNKNOWN, Status.INVALID}
    assert unexplained > 0


def test_a_budget_that_is_spent_tells_what_was_decided() -> None:
    writes = [operation(number, "write", number % 3, None, (number, 100 + number)) for number in range(12)]
    reads = [operation(50 + number, "read", None, 7, (number, 90 + number)) for number in range(2)]
    analysis = analyse(Own(), [*writes, *reads], 20)
    assert analysis.status is Status.UNKNOWN
    assert analysis.reason.startswith("not decided within 20 steps: 0 of 14 completed operations were placed in order; the next to")
