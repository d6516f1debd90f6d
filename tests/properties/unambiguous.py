"""Random histories whose values are all different, for every kind of object with a monitor, and an oracle that knows no specification.

The objects here are Python's own lists, sets and numbers, changed in place of a specification's states; the oracle tries one order of
the operations after the other.  So a mistake in a specification shows as well as one in a monitor or in the search.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import msgspec
from histories import operation

from killpoint.properties import (
    CasRegister,
    Counter,
    FifoQueue,
    GrowSet,
    KeyValue,
    Operation,
    Outcome,
    PriorityQueue,
    Register,
    Set,
    Specification,
    Stack,
    Value,
)

State = tuple[Value, ...]
WRONG = "cannot be"


@dataclass(frozen=True)
class Kind:
    """An object: what its clients call, what a call does to a plain state and returns, and what might be returned instead."""

    specification: Specification
    invent: Callable[[random.Random, Iterator[int], State], tuple[str, Value]]
    act: Callable[[State, str, Value], tuple[State, Value]]
    lie: Callable[[random.Random, str, Value, State, State], Value]
    start: State = ()


Invent = Callable[[random.Random, Iterator[int], State], tuple[str, Value]]
Act = Callable[[State, str, Value], tuple[State, Value]]


def _contain(put: str, take: str, next_of: Callable[[State], Value]) -> tuple[Invent, Act]:
    def invent(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
        if source.random() < 0.5:
            number = next(fresh)
            return put, number if next_of is not min else (number * 7919) % 101
        return take, None

    def act(state: State, function: str, argument: Value) -> tuple[State, Value]:
        if function == put:
            return (*state, argument), None
        if not state:
            return state, None
        value = next_of(state)
        return tuple(one for one in state if one != value), value

    return invent, act


def lie_of_values(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    return source.choice([None, *before, *after, *before]) if function in ("dequeue", "pop", "poll", "read") else None


def invent_write(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("write", next(fresh)) if source.random() < 0.5 else ("read", None)


def invent_cas(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    choice = source.random()
    if choice < 0.5:
        guess = state[0] if choice < 0.4 else source.choice([None, *range(1, 6)])
        return "cas", (guess, next(fresh))
    return ("write", next(fresh)) if choice < 0.6 else ("read", None)


def act_register(state: State, function: str, argument: Value) -> tuple[State, Value]:
    if function == "write":
        return (argument, *state[1:]), None
    if function == "read":
        return state, state[0]
    assert isinstance(argument, tuple)
    if state[0] != argument[0]:
        return state, WRONG
    return (argument[1], *state[1:]), None


def lie_of_register(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    if function == "read":
        return source.choice([None, before[0], 1, 2, 3, 4])
    return None


def invent_element(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    choice = source.random()
    if choice < 0.3:
        return "add", 10 + next(fresh)
    return ("remove" if choice < 0.5 else "contains"), source.choice([11, 12, 13])


def act_set(state: State, function: str, argument: Value) -> tuple[State, Value]:
    there = argument in state
    if function == "contains":
        return state, there
    if function == "add":
        return (state if there else (*state, argument)), not there
    return tuple(one for one in state if one != argument), there


def lie_of_set(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    return source.choice([True, False] if function == "contains" else [True, False, None])


def invent_growth(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("add", next(fresh)) if source.random() < 0.5 else ("read", None)


def act_growth(state: State, function: str, argument: Value) -> tuple[State, Value]:
    return (state, tuple(sorted(state, key=repr))) if function == "read" else ((*state, argument), None)


def lie_of_growth(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    if function == "add":
        return None
    return tuple(value for value in {**dict.fromkeys(before), **dict.fromkeys(after), 3: None} if source.random() < 0.8)


def invent_step(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("inc", None) if source.random() < 0.5 else ("read", None)


def invent_steps(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("add", source.choice([2, 2, 3, -1])) if source.random() < 0.4 else ("read", None)


def act_counter(state: State, function: str, argument: Value) -> tuple[State, Value]:
    (number,) = state
    assert isinstance(number, int)
    if function == "read":
        return state, number
    return (number + (1 if argument is None else int(str(argument))),), None


def lie_of_counter(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    (number,) = after
    assert isinstance(number, int)
    return number + source.choice([-2, -1, 0, 1, 1]) if function == "read" else None


def invent_text(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    choice = source.random()
    if choice < 0.45:
        return "get", 0
    return ("append" if choice < 0.85 else "put"), (0, f"{next(fresh)},")


def invent_append(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("get", 0) if source.random() < 0.5 else ("append", (0, f"{next(fresh)},"))


def invent_put(source: random.Random, fresh: Iterator[int], state: State) -> tuple[str, Value]:
    return ("get", 0) if source.random() < 0.5 else ("put", (0, next(fresh)))


def act_text(state: State, function: str, argument: Value) -> tuple[State, Value]:
    if function == "get":
        return state, "".join(map(str, state)) if not state or isinstance(state[-1], str) else state[-1]
    assert isinstance(argument, tuple)
    return ((argument[1],) if function == "put" else (*state, argument[1])), None


def lie_of_text(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    """What was there when the call began, some of it, in another order, or with something that was or will be written."""
    if function != "get":
        return None
    if after and not isinstance(after[-1], str):
        return source.choice(["", 1, 2, 3, 4])
    texts = [*source.choice([before, after])]
    choice = source.random()
    if choice < 0.2:
        source.shuffle(texts)
    elif choice < 0.4:
        texts.append(f"{source.randrange(1, 6)},")
    elif choice < 0.7 and texts:
        texts.pop(source.randrange(len(texts)))
    return "".join(map(str, texts))[: None if source.random() < 0.9 else -1]


def act_text_or_nil(state: State, function: str, argument: Value) -> tuple[State, Value]:
    after, told = act_text(state, function, argument)
    return after, told or None


def lie_of_text_or_nil(source: random.Random, function: str, argument: Value, before: State, after: State) -> Value:
    return lie_of_text(source, function, argument, before, after) or None


def _kinds() -> dict[str, Kind]:
    queue = _contain("enqueue", "dequeue", lambda state: state[0])
    stack = _contain("push", "pop", lambda state: state[-1])
    priorities = _contain("insert", "poll", min)
    return {
        "register": Kind(Register(), invent_write, act_register, lie_of_register, (None,)),
        "cas": Kind(CasRegister(), invent_cas, act_register, lie_of_register, (None,)),
        "queue": Kind(FifoQueue(), *queue, lie_of_values),
        "stack": Kind(Stack(), *stack, lie_of_values),
        "priority queue": Kind(PriorityQueue(), *priorities, lie_of_values),
        "set": Kind(Set(), invent_element, act_set, lie_of_set),
        "growing set": Kind(GrowSet(), invent_growth, act_growth, lie_of_growth),
        "counter": Kind(Counter(), invent_step, act_counter, lie_of_counter, (0,)),
        "store": Kind(KeyValue(), invent_text, act_text, lie_of_text),
        "store of appends": Kind(KeyValue(), invent_append, act_text, lie_of_text),
        "store that is never empty": Kind(KeyValue(missing="none,"), invent_text, act_text, lie_of_text, ("none,",)),
        "store that returns nil": Kind(KeyValue(), invent_text, act_text_or_nil, lie_of_text_or_nil),
        "store of puts": Kind(KeyValue(), invent_put, act_text, lie_of_text),
        "counter of steps": Kind(Counter(), invent_steps, act_counter, lie_of_counter, (0,)),
    }


KINDS = _kinds()


def history_of(
    kind: Kind, source: random.Random, size: int, *, width: int = 4, pending: float = 0.0, lies: float = 0.1, swaps: int = 0
) -> list[Operation]:
    """A history of up to `width` clients; calls take effect at a random moment of their interval, and some answers are lies.

    `swaps` times two calls of one function exchange their answers, so that nothing is wrong but the order.
    """
    fresh, clock = count(1), count()
    state = kind.start
    open_calls: list[list[Value]] = []
    done: list[Operation] = []
    started = 0
    while started < size or open_calls:
        choice = source.random()
        if started < size and len(open_calls) < width and (choice < 0.45 or not open_calls):
            function, argument = kind.invent(source, fresh, state)
            open_calls.append([started, function, argument, next(clock), WRONG, state])
            started += 1
            continue
        call = source.choice(open_calls)
        number, function, argument, invoked, result, began = call
        assert isinstance(number, int)
        assert isinstance(invoked, int)
        assert isinstance(began, tuple)
        if result == WRONG:
            state, answer = kind.act(state, str(function), argument)
            if answer == WRONG and (not lies or source.random() < 0.9):
                open_calls.remove(call)  # it would fail
                continue
            call[4] = kind.lie(source, str(function), argument, began, state) if source.random() < lies or answer == WRONG else answer
            if choice < 0.8:
                continue
        open_calls.remove(call)
        if source.random() < pending:
            done.append(operation(number, str(function), argument, None, (invoked, None)))
        else:
            done.append(operation(number, str(function), argument, call[4], (invoked, next(clock))))
    done.sort(key=lambda one: one.invoked)
    for _ in range(swaps):
        told = [place for place, one in enumerate(done) if one.ok and one.result is not None]
        if told:
            here = source.choice(told)
            there = source.choice([place for place in told if done[place].function == done[here].function])
            one, other = done[here], done[there]
            if one.function != "contains":
                done[here] = msgspec.structs.replace(one, result=other.result)
                done[there] = msgspec.structs.replace(other, result=one.result)
    return done


def permutable(kind: Kind, operations: Sequence[Operation]) -> bool:
    """True if some order of all completed and some pending operations explains every result."""
    return _extends(kind, kind.start, tuple(operations), set())


def _extends(kind: Kind, state: State, rest: tuple[Operation, ...], seen: set[tuple[State, tuple[int, ...]]]) -> bool:
    due = [one.completed for one in rest if one.completed is not None]
    if not due:
        return True
    key = state, tuple(one.id for one in rest)
    if key in seen:
        return False
    seen.add(key)
    for one in rest:
        if one.invoked < min(due):
            following, answer = kind.act(state, one.function, one.argument)
            if one.outcome is Outcome.INFO or agree(one, answer):
                others = tuple(other for other in rest if other is not one)
                if _extends(kind, following, others, seen):
                    return True
    return False


def agree(one: Operation, answer: Value) -> bool:
    """Whether a call may have returned what it did, where this is the answer."""
    if one.function == "read" and isinstance(answer, tuple):
        assert isinstance(one.result, tuple)
        return sorted(map(repr, one.result)) == sorted(map(repr, answer))
    if one.function in ("add", "remove") and one.result is None:
        return True
    return answer != WRONG and one.result == answer
