"""Checking a recorded history: what `killpoint check` does, without the terminal.

The deadline is in wall-clock seconds, because that is what somebody who waits for an answer means; a verdict that it cut short is
`unknown` and says that it depends on the machine.  Reading the file does not count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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

__all__ = ["ISOLATION", "LEVELS", "MODELS", "WORKLOADS", "ReadError", "UnknownModelError", "check_file", "functions_of", "models"]

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

ISOLATION = "strict-serializable"
"""The level of isolation that transactions are held to if nobody names one."""


class UnknownModelError(ValueError):
    """There is no model, or no level of isolation, of this name; says which ones there are."""


def models() -> dict[str, str]:
    """Everything that `--model` takes, with what it is in one sentence, and the functions that it understands."""
    described = {name: (type(model).__doc__ or "").strip().splitlines()[0] for name, model in MODELS.items()}
    described = {name: f"{text} [{', '.join(functions_of(MODELS[name]))}]" for name, text in described.items()}
    return {**described, **{name: f"{text} [txn]" for name, text in WORKLOADS.items()}}


def functions_of(specification: Specification) -> tuple[str, ...]:
    """The names of the functions that a specification understands."""
    try:
        specification.step(specification.initial, Call("", None))
    except UnknownFunctionError as error:
        return error.functions
    return ()


def check_file(path: str | Path, model_name: str, timeout: float | None = 60.0, *, isolation: str | None = None) -> Verdict:
    """Decide whether the history in a file is linearizable for a model, in at most about `timeout` seconds (None: no limit).

    A history of many registers, whose values are pairs of key and value, is judged key by key; the verdict's name says so.  A `set`
    whose only question is a read of all elements is a `grow-set`.  Where operations of a lock name no client, their process is it.
    Transactions (`list-append`, `rw-register`) are held to a level of isolation instead, by default `ISOLATION`; that
    takes time in proportion to their number, so the limit does not count.

    Raises:
        UnknownModelError: there is no such model or level, or it is not one of transactions and a level was given.
        ReadError: the file cannot be read as a history, or it has operations that the model does not know.
    """
    if model_name not in models():
        raise UnknownModelError(f"there is no model {model_name!r}: choose one of {', '.join(models())}")
    if isolation is not None and isolation not in LEVELS:
        raise UnknownModelError(f"there is no level of isolation {isolation!r}: choose one of {', '.join(LEVELS)}")
    if isolation is not None and model_name not in WORKLOADS:
        what = f"a level of isolation is for transactions ({' and '.join(WORKLOADS)})"
        raise UnknownModelError(f"{what}, and {model_name} is none of them")
    operations = read_history(path).operations
    try:
        if model_name in WORKLOADS:
            return Isolation(isolation or ISOLATION, model_name).judge(operations)
        return _linearizable(MODELS[model_name], operations, timeout)
    except UnknownFunctionError as error:
        raise ReadError(f"{error}: is it a history of another model ({', '.join(models())})?", str(path)) from None
    except SpecificationError as error:
        raise ReadError(str(error), str(path)) from None


def _linearizable(specification: Specification, operations: Sequence[Operation], timeout: float | None) -> Verdict:
    specification, operations = _as_meant(specification, operations)
    ends = None if timeout is None else time.monotonic() + timeout
    expired = None if ends is None else lambda: time.monotonic() > ends
    return Linearizable(specification, budget=None).judge(operations, expired, fast=True)


def _as_meant(specification: Specification, operations: Sequence[Operation]) -> tuple[Specification, Sequence[Operation]]:
    """The specification that these operations ask for, and the operations with what goes without saying in them."""
    if isinstance(specification, Register | CasRegister):
        return split_by_key(specification, operations), operations
    if isinstance(specification, OwnedMutex | ReentrantMutex | FencedMutex):
        return specification, owned_by_process(operations)
    if isinstance(specification, Set) and {operation.function for operation in operations} == {"add", "read"}:
        return GrowSet(), operations
    return specification, operations
