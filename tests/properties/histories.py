"""Random histories, and the oracle: every order of the operations, tried one by one."""

import random
from collections.abc import Callable, Sequence
from itertools import count

from killpoint.properties.history import Operation, Outcome, Value
from killpoint.properties.specification import Call, Refusal, Specification, State, call_of

Invent = Callable[[random.Random], tuple[str, Value]]
Answer = Callable[[random.Random, str, Value], Value]


def operation(
    number: int,
    function: str,
    argument: Value = None,
    result: Value = None,
    span: tuple[int, int | None] = (0, 1),
    outcome: Outcome | None = None,
    process: str | None = None,
) -> Operation:
    """An operation from its call and return; without a return it is pending."""
    invoked, completed = span
    ending = outcome or (Outcome.INFO if completed is None else Outcome.OK)
    return Operation(
        number,
        process or f"p{number}",
        function,
        argument,
        ending,
        result,
        None,
        invoked,
        completed,
        invoked / 10,
        None if completed is None else completed / 10,
    )


def random_history(
    source: random.Random,
    specification: Specification,
    invent: Invent,
    answer: Answer,
    size: int,
    *,
    width: int = 4,
    pending: float = 0.15,
    wrong: float = 0.2,
) -> list[Operation]:
    """A history of up to `width` clients.  Calls take effect at a random moment of their interval; some answers are wrong.

    So about half of the histories are linearizable, and the others only nearly fail to be.
    """
    clock = count()
    state = specification.initial
    open_calls: list[dict[str, object]] = []
    done: list[Operation] = []
    started = 0
    while started < size or open_calls:
        choice = source.random()
        if started < size and len(open_calls) < width and (choice < 0.45 or not open_calls):
            function, argument = invent(source)
            call = {"number": started, "function": function, "argument": argument, "invoked": next(clock), "result": None}
            open_calls.append(call)
            started += 1
            continue
        call = source.choice(open_calls)
        if "effect" not in call:
            call["effect"] = True
            function, argument = str(call["function"]), call["argument"]
            state, result = _take_effect(specification, state, function, argument, answer, source)
            call["result"] = answer(source, function, argument) if source.random() < wrong else result
            if choice < 0.8:
                continue
        open_calls.remove(call)
        number, invoked = int(str(call["number"])), int(str(call["invoked"]))
        if source.random() < pending:
            done.append(operation(number, str(call["function"]), call["argument"], None, (invoked, None)))
            next(clock)
        elif call["result"] is FAILED:
            done.append(operation(number, str(call["function"]), call["argument"], None, (invoked, next(clock)), Outcome.FAIL))
        else:
            done.append(operation(number, str(call["function"]), call["argument"], call["result"], (invoked, next(clock))))
    return sorted(done, key=lambda one: one.invoked)


FAILED = object()


def _take_effect(
    specification: Specification, state: State, function: str, argument: Value, answer: Answer, source: random.Random
) -> tuple[State, Value]:
    """The state after the call, and a result that the specification accepts, found by asking for all it might be."""
    for _ in range(200):
        result = answer(source, function, argument)
        outcome = Outcome.FAIL if result is FAILED else Outcome.OK
        following = specification.step(state, Call(function, argument, None if result is FAILED else result, outcome))
        if not isinstance(following, Refusal):
            return following, result
    return state, FAILED


def brute_force(specification: Specification, operations: Sequence[Operation], returns: int | None = None) -> bool:
    """True if some order of all completed and some pending operations is legal.  Remembers where it has been, and knows no trick.

    With `returns` only the first so many to complete, of each part, must be placed; those that complete later may be.
    """
    judged = [one for one in operations if one.outcome is not Outcome.FAIL or specification.evidence_of_failure(one)]
    parts: dict[object, list[Operation]] = {}
    for one in judged:
        parts.setdefault(specification.partition(one), []).append(one)
    return all(_extend(specification, specification.initial, part, _due(part, returns), set()) for part in parts.values())


def _due(operations: Sequence[Operation], returns: int | None) -> frozenset[int]:
    completed = sorted((one.completed, one.id) for one in operations if one.completed is not None)
    return frozenset(number for _return, number in completed[:returns])


Seen = set[tuple[tuple[int, ...], State]]


def _extend(specification: Specification, state: State, rest: list[Operation], due: frozenset[int], seen: Seen) -> bool:
    completed = [one.completed for one in rest if one.completed is not None and one.id in due]
    if not completed:
        return True
    key = tuple(one.id for one in rest), state
    if key in seen:
        return False
    seen.add(key)
    first_return = min(completed)
    for position, one in enumerate(rest):
        if one.invoked < first_return:
            following = specification.step(state, call_of(one))
            others = rest[:position] + rest[position + 1 :]
            if not isinstance(following, Refusal) and _extend(specification, following, others, due, seen):
                return True
    return False
