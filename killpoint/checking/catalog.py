"""Everything that a recorded history can be held to, by the name that the command line takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from ..properties.bags import UnorderedQueue
from ..properties.consistency import GUARANTEES
from ..properties.containers import FifoQueue, PriorityQueue, Stack
from ..properties.counter import Counter
from ..properties.isolation import WORKLOADS, Isolation
from ..properties.ledger import IssuanceLedger
from ..properties.locks import FencedMutex, OwnedMutex, ReentrantMutex
from ..properties.registers import CasRegister, MultiRegister, Register
from ..properties.sets import GrowSet, Set
from ..properties.specification import Call, Specification, UnknownFunctionError
from ..properties.stores import KeyValue, Mutex
from ..properties.workloads import (
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
)

__all__ = [
    "ASKING",
    "CHECKERS",
    "CONSISTENCY",
    "ISOLATION",
    "MODELS",
    "TRANSACTIONS",
    "Configurable",
    "UnknownModelError",
    "functions_known",
    "functions_of",
    "models",
    "options_of",
]

MODELS: dict[str, Specification] = {
    "register": Register(),
    "cas-register": CasRegister(),
    "kv": KeyValue(),
    "fifo-queue": FifoQueue(),
    "unordered-queue": UnorderedQueue(),
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

Configurable: TypeAlias = "Any"
"""A model that is a dataclass: a specification, a checker of a workload, or a level of isolation."""

ISOLATION = "strict-serializable"
"""The level of isolation that transactions are held to if nobody names one."""

TRANSACTIONS: dict[str, Isolation] = {name: Isolation(ISOLATION, name) for name in WORKLOADS}
"""Workloads of transactions, at the level that they are held to if nobody names one, by the name that `--model` takes."""

COUNTING = frozenset({"read", "inc", "dec", "increment", "decrement"})
LOCKING = frozenset({"acquire", "release"})
ASKING: dict[str, frozenset[str]] = {
    **dict.fromkeys(("register", "cas-register", "set", "grow-set", "set-final", "set-full", "bank", "monotonic"), frozenset({"read"})),
    **dict.fromkeys(("fifo-queue", "unordered-queue"), frozenset({"dequeue"})),
    **dict.fromkeys(("counter", "counter-bounds"), COUNTING),
    **dict.fromkeys(("mutex", "owned-mutex", "reentrant-mutex", "fenced-mutex"), LOCKING),
    **dict.fromkeys(("list-append", "rw-register", "long-fork"), frozenset({"txn"})),
    "priority-queue": frozenset({"poll", "dequeue"}),
    "stack": frozenset({"pop"}),
    "total-queue": frozenset({"dequeue", "drain"}),
    "unique-ids": frozenset({"generate"}),
}
"""The functions of each model that one object has no argument for, and that show whether there are many (see `keyed`).

What is not here has keys of its own, or arguments that look like pairs with keys, and is always one object.
"""

CONSISTENCY: dict[str, str] = {
    "linearizable": "One order of all operations, which goes with real time.  The default.",
    "sequential": "One order of all operations, which respects each process and not real time.",
    "regular": "A read returns the value last written, or one that is being written.",
    "strong-regular": "The same, with one order of writes for all reads.",
    "safe": "A read returns the value last written, or anything while somebody writes.",
    "k-atomic": "A read returns one of the last K values: k-atomic=2.",
    "staleness": "A read is at most so many seconds behind: staleness=0.5.",
    **{name: f"A guarantee to each session, {name.replace('-', ' ')}." for name in GUARANTEES if name != "causal"},
    "causal": "All four guarantees to sessions together.",
}
"""What `--consistency` takes, with what it is in one sentence."""


class UnknownModelError(ValueError):
    """There is no model, level of isolation, consistency or option of this name; says which ones there are."""


def models() -> dict[str, str]:
    """Everything that `--model` takes, with what it is in one sentence, the functions that it understands, and its options."""
    described = {name: _told(_summary(model), functions_of(model), model) for name, model in MODELS.items()}
    described |= {name: _told(text, ("txn",), TRANSACTIONS[name]) for name, text in WORKLOADS.items()}
    return described | {name: _described(checker) for name, checker in CHECKERS.items()}


def _described(checker: Workload) -> str:
    return _told(_summary(checker), sorted(checker.functions) if checker.functions is not None else ("any function",), checker)


def _told(summary: str, functions: Sequence[str], model: Configurable) -> str:
    options = ", ".join(options_of(model))
    return f"{summary} [{', '.join(functions)}]{f' [options: {options}]' if options else ''}"


def _summary(described: object) -> str:
    return (type(described).__doc__ or "").strip().splitlines()[0]


def functions_of(specification: Specification) -> tuple[str, ...]:
    """The names of the functions that a specification understands."""
    try:
        specification.step(specification.initial, Call("", None))
    except UnknownFunctionError as error:
        return error.functions
    return ()


def functions_known(name: str) -> Sequence[str] | None:
    """The functions that a model understands; None if all, or if nobody knows."""
    if name in CHECKERS:
        functions = CHECKERS[name].functions
        return None if functions is None else sorted(functions)
    if name in WORKLOADS:
        return ("txn",)
    if name not in MODELS:
        return None
    # A `set` may be read as a whole: it is a `grow-set` then.
    return (*functions_of(MODELS[name]), *(("read",) if name == "set" else ()))


def options_of(model: Configurable) -> dict[str, str]:
    """The parameters of a model that a word on the command line can set, with the names of their fields."""
    if isinstance(model, Isolation) and model.workload != "rw-register":
        return {}
    known = [one.name for one in fields(model) if not any(kind in str(one.type) for kind in ("frozenset[Value]", "tuple["))]
    if isinstance(model, Isolation):
        known = ["sequential_keys", "linearizable_keys"]
    elif isinstance(model, UnorderedQueue):
        known = []
    return {name.removesuffix("_value").replace("_", "-"): name for name in known}
