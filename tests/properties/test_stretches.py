"""A stretch of a history refutes it only if it is wrong, and finds what the search would look for in all that came before."""

import os
import random

import msgspec
import pytest
from histories import brute_force, operation, random_history
from test_search_against_oracle import SPECIFICATIONS, wrong_once

from killpoint.properties import CasRegister, Counter, Register, Specification, Status, stretches
from killpoint.properties.history import Operation, Outcome
from killpoint.properties.linearizability import FIRST_LOOK, analyse
from killpoint.properties.search import Search
from killpoint.properties.stretches import Stretches

HISTORIES = 30_000 if os.environ.get("NIGHTLY") else 3_000


def judged(specification: Specification, history: list[Operation]) -> list[Operation]:
    return [one for one in history if one.outcome is not Outcome.FAIL or specification.evidence_of_failure(one)]


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("which", ["register", "cas", "observed cas", "mutex", "known transactions"])
def test_what_a_stretch_refutes_has_no_order(which: str, crashes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    specification, invent, answer, size = SPECIFICATIONS[which]
    source = random.Random(f"stretches {which} {crashes}")
    refuted = missed = 0
    for _ in range(HISTORIES // 10):
        monkeypatch.setattr(stretches, "REACHES", (source.randrange(1, 4), source.randrange(1, 6)))
        monkeypatch.setattr(stretches, "FARTHEST", source.randrange(4))
        options = {"width": source.choice([2, 3, 5]), "pending": 0.3 if crashes else 0.0, "wrong": wrong_once(source)}
        history = judged(specification, random_history(source, specification, invent, answer, size + 3, **options))
        returns = sum(one.completed is not None for one in history)
        looks = Stretches(specification, history)
        at = next((rank for rank in range(returns) if looks.refute(rank, 10_000)), None)
        found = at is not None
        if found:
            # It takes that return to be impossible, which the search confirms.
            assert Search(specification, history, goal=looks.first(10_000) + 1).run(1_000_000) is False
        valid = brute_force(specification, history)
        assert not (found and valid), "\n".join(f"{one.describe()} [{one.invoked}, {one.completed}]" for one in history)
        refuted += found
        missed += not found and not valid
    assert refuted > HISTORIES // 300, f"{refuted} refuted and {missed} not: too few to show anything"


def test_an_operation_that_was_open_at_the_beginning_lapses() -> None:
    """The last write of 1 returned before the stretch ends, so it does not explain a read that comes later."""
    write = operation(0, "write", 1, None, (0, 41))
    others = [operation(number, "write", 2, None, (2 * number, 2 * number + 1)) for number in range(1, 40)]
    read = operation(99, "read", None, 1, (100, 101))
    history = [write, *others, read]
    assert Stretches(Register(), history).refute(len(history) - 1, 10_000)
    explained = [operation(0, "write", 1, None, (0, 200)), *others, read]
    assert not Stretches(Register(), explained).refute(len(history) - 1, 10_000)


def long_history(returns: int) -> list[Operation]:
    """Eight clients whose writes all overlap, eight by eight; and in the end a read of what cannot be there any more."""
    operations = []
    for turn in range(returns // 8):
        at = 20 * turn
        operations += [operation(8 * turn + client, "write", client % 4, None, (at + client, at + 10 + client)) for client in range(7)]
        operations.append(operation(8 * turn + 7, "read", None, turn % 4, (at + 8, at + 18)))
    at = 20 * (returns // 8)
    last = len(operations)
    return [*operations, operation(last, "write", 0, None, (at, at + 1)), operation(last + 1, "read", None, 3, (at + 2, at + 3))]


@pytest.mark.parametrize("seed", [0, 1, 5, 7])
def test_the_read_that_nothing_explains_is_named_and_not_one_before_it(seed: int) -> None:
    """A search turns back some returns before it, where it sees that there is no hope; these four are refuted by stretches."""
    specification, invent, answer, _size = SPECIFICATIONS["cas"]
    history = random_history(random.Random(seed), specification, invent, answer, 2500, width=16, pending=0.0, wrong=0.0)
    history = judged(specification, history)
    reads = [place for place, one in enumerate(history) if one.function == "read"]
    late = reads[9 * len(reads) // 10]
    history[late] = msgspec.structs.replace(history[late], result=3)
    analysis = analyse(specification, history)
    assert analysis.steps > FIRST_LOOK
    assert analysis.deepest is not None
    assert analysis.deepest.stuck is history[late]


def test_steps_do_not_grow_with_what_came_before() -> None:
    """Which the search alone would try over and over."""
    history = long_history(4000)
    assert Search(CasRegister(), history).run(5 * FIRST_LOOK) is None, "the search needs no help here"
    analysis = analyse(CasRegister(), history, None)
    assert analysis.status is Status.INVALID
    assert analysis.steps < 2 * FIRST_LOOK
    assert analysis.deepest is not None
    assert analysis.deepest.stuck.result == 3


def test_too_little_budget_concludes_nothing() -> None:
    history = long_history(800)
    looks = Stretches(CasRegister(), history)
    assert not looks.refute(len(history) - 1, 0)
    assert looks.refute(len(history) - 1, 10_000)


def test_objects_without_end_have_no_stretches() -> None:
    steps = [operation(number, "inc", None, None, (2 * number, 2 * number + 1)) for number in range(400)]
    history = [*steps, operation(400, "read", None, 7, (1000, 1001))]
    looks = Stretches(Counter(), history)
    assert not looks.refute(400, 100_000)
    assert looks.steps == 0
