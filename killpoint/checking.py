"""Checking a recorded history: what `killpoint check` does, without the terminal.

The deadline is in wall-clock seconds, because that is what somebody who waits for an answer means; a verdict that it cut short is
`unknown` and says that it depends on the machine.  Reading the file does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from .properties.containers import FifoQueue, PriorityQueue, Stack
from .properties.counter import Counter
from .properties.history import Operation
from .properties.independent import split_by_key
from .properties.isolation import LEVELS, WORKLOADS, Isolation
from .properties.ledger import IssuanceLedger
from .properties.linearizability import Linearizable
from .properties.locks import FencedMutex, OwnedMutex, ReentrantMutex, owned_by_process
from .properties.readers import ReadError, read_history
from .properties.registers import CasRegister, MultiRegister, Register
from .properties.sets import GrowSet, Set
from .properties.specification import Call, Specification, SpecificationError, UnknownFunctionError
from .properties.stores import KeyValue, Mutex
from .properties.verdict import Verdict
from .properties.workloads import (
    Bank,
    CausalReverse,
    CounterBounds,
    KafkaLog,
    Lease,
    LongFork,
    Monotonic,
    SetFinal,
    SetFull,
    Stats,
    TotalQueue,
    UnhandledErrors,
    UniqueIds,
    Workload,
    composed,
)

__all__ = [
    "CHECKERS", "ISOLATION", "LEVELS", "MODELS", "WORKLOADS", "ReadError", "UnknownModelError", "check_file", "functions_of", "models",
]  # fmt: skip

MODELS: dict[str, Specification] = {
    "register": Register(),
    "cas-register": CasRegister(),
    "kv": KeyValue(),
    "fifo-queue": FifoQueue(),
    "priority-queue": PriorityQueue(),
    "stack": Stack(),
    "set": Set(),
    "grow-set": GrowSet(),
    "counter": Counter(),
    "mutex": Mutex(),
    "owned-mutex": OwnedMutex(),
    "reentrant-mutex": ReentrantMutex(),
    "fenced-mutex": FencedMutex(),
    "multi-register": MultiRegister(),
    "issuance-ledger": IssuanceLedger(),
}
"""Sequential specifications by the name that `--model` takes."""

CHECKERS: dict[str, Workload] = {
    "total-queue": TotalQueue(),
    "set-final": SetFinal(),
    "set-full": SetFull(),
    "unique-ids": UniqueIds(),
    "counter-bounds": CounterBounds(),
    "bank": Bank(),
    "long-fork": LongFork(),
    "monotonic": Monotonic(),
    "causal-reverse": CausalReverse(),
    "kafka": KafkaLog(),
    "lease": Lease(),
    "stats": Stats(),
    "unhandled-errors": UnhandledErrors(),
}
"""Checkers of workloads, which are no sequential specifications, by the name that `--model` takes."""

ISOLATION = "strict-serializable"
"""The level of isolation that transactions are held to if nobody names one."""


class UnknownModelError(ValueError):
    """There is no model, or no level of isolation, of this name; says which ones there are."""


def models() -> dict[str, str]:
    """Everything that `--model` takes, with what it is in one sentence, and the functions that it understands."""
    described = {name: (type(model).__doc__ or "").strip().splitlines()[0] for name, model in MODELS.items()}
    described = {name: f"{text} [{', '.join(functions_of(MODELS[name]))}]" for name, text in described.items()}
    described |= {name: f"{text} [txn]" for name, text in WORKLOADS.items()}
    return {**described, **{name: _described(checker) for name, checker in CHECKERS.items()}}


def _described(checker: Workload) -> str:
    text = (type(checker).__doc__ or "").strip().splitlines()[0]
    of = ", ".join(sorted(checker.functions)) if checker.functions is not None else "any function"
    options = ", ".join(_options(checker))
    return f"{text} [{of}]{f' [options: {options}]' if options else ''}"


def functions_of(specification: Specification) -> tuple[str, ...]:
    """The names of the functions that a specification understands."""
    try:
        specification.step(specification.initial, Call("", None))
    except UnknownFunctionError as error:
        return error.functions
    return ()


def check_file(
    path: str | Path,
    model_name: str,
    timeout: float | None = 60.0,
    *,
    isolation: str | None = None,
    options: Mapping[str, str] | None = None,
) -> Verdict:
    """Decide whether the history in a file is right for a model, in at most about `timeout` seconds (None: no limit).

    For a sequential specification that means linearizable.  A history of many registers, whose values are pairs of key and value, is
    judged key by key; the verdict's name says so.  A `set` whose only question is a read of all elements is a `grow-set`.  Where
    operations of a lock name no client, their process is it.  Transactions (`list-append`, `rw-register`) are held to a level of
    isolation instead, by default `ISOLATION`, and workloads (`CHECKERS`) to what they promise; both take time in proportion to
    their number, so the limit does not count.

    Several models, with commas between, each have a verdict, and the worst status is that of all.  A workload looks at its own
    functions only, and so does each of several models.  `options` are parameters of workloads by name, as words: `{"total": "100"}`.

    Raises:
        UnknownModelError: there is no such model, level or option, or a level was given and none is of transactions.
        ReadError: the file cannot be read as a history, or it has no operations that the model knows, or others.
    """
    names = [name.strip() for name in model_name.split(",")]
    for name in names:
        if name not in models():
            raise UnknownModelError(f"there is no model {name!r}: choose one of {', '.join(models())}")
    if isolation is not None and isolation not in LEVELS:
        raise UnknownModelError(f"there is no level of isolation {isolation!r}: choose one of {', '.join(LEVELS)}")
    if isolation is not None and not any(name in WORKLOADS for name in names):
        what = f"a level of isolation is for transactions ({' and '.join(WORKLOADS)})"
        raise UnknownModelError(f"{what}, and {' and '.join(names)} is none of them")
    checkers = _configured([name for name in names if name in CHECKERS], options or {})
    operations = read_history(path).operations
    try:
        verdicts = []
        for name in dict.fromkeys(names):
            known = _functions_known(name)
            judged = operations if known is None else [one for one in operations if one.function in known]
            if operations and not judged:
                raise ReadError(f"{_without(known or (), operations)}: is it a history of another model than {name}?", str(path))
            if name in CHECKERS:
                verdicts.append(checkers[name].judge(judged))
                continue
            # Alone, a model that does not know an operation is probably the wrong one.
            given = operations if len(names) == 1 else judged
            if name in WORKLOADS:
                verdicts.append(Isolation(isolation or ISOLATION, name).judge(given))
            else:
                verdicts.append(_linearizable(MODELS[name], given, timeout))
        return verdicts[0] if len(verdicts) == 1 else composed(verdicts)
    except UnknownFunctionError as error:
        raise ReadError(f"{error}: is it a history of another model ({', '.join(models())})?", str(path)) from None
    except SpecificationError as error:
        raise ReadError(str(error), str(path)) from None


def _functions_known(name: str) -> Sequence[str] | None:
    """The functions that a model understands; None if all."""
    if name in CHECKERS:
        functions = CHECKERS[name].functions
        return None if functions is None else sorted(functions)
    if name in WORKLOADS:
        return ("txn",)
    # A `set` may be read as a whole, see `_as_meant`.
    return (*functions_of(MODELS[name]), *(("read",) if name == "set" else ()))


def _without(known: Iterable[str], operations: Iterable[Operation]) -> str:
    there = dict.fromkeys(operation.function for operation in operations)
    return f"there is no operation {' or '.join(known)} here, only {', '.join([*there][:8])}"


def _options(checker: Workload) -> list[str]:
    """The parameters of a checker that a word on the command line can set."""
    return [one.name.replace("_", "-") for one in fields(checker) if "frozenset[Value]" not in str(one.type)]


def _configured(names: Sequence[str], options: Mapping[str, str]) -> dict[str, Workload]:
    """The checkers of these names, each with the options that are its own.

    Raises:
        UnknownModelError: an option is none of theirs, or its value is of the wrong kind.
    """
    checkers = {name: CHECKERS[name] for name in names}
    for option, text in options.items():
        owners = [name for name in names if option.replace("_", "-") in _options(checkers[name])]
        if not owners:
            have = [f"{name} has {', '.join(_options(checkers[name])) or 'none'}" for name in names]
            raise UnknownModelError(f"there is no option {option!r}: {'; '.join(have) or 'options are for workloads'}")
        for name in owners:
            try:
                checkers[name] = _with(checkers[name], option.replace("-", "_"), text)
            except ValueError as error:
                raise UnknownModelError(f"{name} cannot have the option {option}={text}: {error}") from None
    return checkers


def _with(checker: Workload, option: str, text: str) -> Workload:
    """The checker with an option set, from a word.

    Raises:
        ValueError: the word is no such value.
    """
    kind = next(str(one.type) for one in fields(checker) if one.name == option)
    value: object = text
    if kind.startswith("bool"):
        if text not in ("true", "false"):
            raise ValueError("it is true or false")
        value = text == "true"
    elif kind.startswith("int"):
        value = _number(int, text, "a whole number")
    elif kind.startswith("float"):
        value = _number(float, text, "a number")
    elif kind.startswith("frozenset"):
        value = frozenset(text.split(","))
    return replace(checker, **{option: value})


def _number(kind: Callable[[str], float], text: str, what: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"it is {what}") from None


def _linearizable(specification: Specification, operations: Sequence[Operation], timeout: float | None) -> Verdict:
    specification, operations = _as_meant(specification, operations)
    ends = None if timeout is None else time.monotonic() + timeout
    expired = None if ends is None else lambda: time.monotonic() > ends
    return Linearizable(specification, budget=None).judge(operations, expired)


def _as_meant(specification: Specification, operations: Sequence[Operation]) -> tuple[Specification, Sequence[Operation]]:
    """The specification that these operations ask for, and the operations with what goes without saying in them."""
    if isinstance(specification, Register | CasRegister):
        return split_by_key(specification, operations), operations
    if isinstance(specification, OwnedMutex | ReentrantMutex | FencedMutex):
        return specification, owned_by_process(operations)
    if isinstance(specification, Set) and {operation.function for operation in operations} == {"add", "read"}:
        return GrowSet(), operations
    return specification, operations
