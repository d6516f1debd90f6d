"""Checking a recorded history: what `killpoint check` does, without the terminal.

The deadline is in wall-clock seconds, because that is what somebody who waits for an answer means; a verdict that it cut short is
`unknown` and says that it depends on the machine.  Reading the file does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .properties.consistency import GUARANTEES, BoundedStaleness, KAtomic, Regular, Safe, SequentiallyConsistent, SessionGuarantee
from .properties.containers import FifoQueue, PriorityQueue, Stack
from .properties.counter import Counter
from .properties.history import History, Operation
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

__all__ = [
    "CONSISTENCY",
    "ISOLATION",
    "LEVELS",
    "MODELS",
    "WORKLOADS",
    "Examined",
    "ReadError",
    "UnknownModelError",
    "check_file",
    "examine_file",
    "functions_of",
    "models",
]

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


def check_file(
    path: str | Path, model_name: str, timeout: float | None = 60.0, *, isolation: str | None = None, consistency: str | None = None
) -> Verdict:
    """Decide whether the history in a file is linearizable for a model, in at most about `timeout` seconds (None: no limit).

    `consistency` asks for something weaker than that, one of `CONSISTENCY`; sessions may have guarantees about transactions too.

    A history of many registers, whose values are pairs of key and value, is judged key by key; the verdict's name says so.  A `set`
    whose only question is a read of all elements is a `grow-set`.  Where operations of a lock name no client, their process is it.
    Transactions (`list-append`, `rw-register`) are held to a level of isolation instead, by default `ISOLATION`; that
    takes time in proportion to their number, so the limit does not count.

    Raises:
        UnknownModelError: there is no such model or level, or it is not one of transactions and a level was given.
        ReadError: the file cannot be read as a history, or it has operations that the model does not know.
    """
    return examine_file(path, model_name, timeout, isolation=isolation, consistency=consistency).verdict


class Examined(NamedTuple):
    """A verdict, and what it was reached on: what was read, and the specification with the operations as it takes them.

    Transactions have a `workload` instead of a specification.
    """

    verdict: Verdict
    history: History
    operations: Sequence[Operation]
    specification: Specification | None = None
    workload: str = ""


def examine_file(
    path: str | Path, model_name: str, timeout: float | None = 60.0, *, isolation: str | None = None, consistency: str | None = None
) -> Examined:
    """The same as `check_file`, with what a picture needs."""
    if model_name not in models():
        raise UnknownModelError(f"there is no model {model_name!r}: choose one of {', '.join(models())}")
    if isolation is not None and isolation not in LEVELS:
        raise UnknownModelError(f"there is no level of isolation {isolation!r}: choose one of {', '.join(LEVELS)}")
    if isolation is not None and model_name not in WORKLOADS:
        what = f"a level of isolation is for transactions ({' and '.join(WORKLOADS)})"
        raise UnknownModelError(f"{what}, and {model_name} is none of them")
    if consistency is not None:
        _check_consistency(consistency, model_name, isolation)
    history = read_history(path)
    operations: Sequence[Operation] = history.operations
    try:
        if consistency is not None and consistency != "linearizable":
            return _weaker(consistency, model_name, history, timeout)
        if model_name in WORKLOADS:
            verdict = Isolation(isolation or ISOLATION, model_name).judge(operations)
            return Examined(verdict, history, operations, workload=model_name)
        specification, operations = _as_meant(MODELS[model_name], operations)
        return Examined(_linearizable(specification, operations, timeout), history, operations, specification)
    except UnknownFunctionError as error:
        raise ReadError(f"{error}: is it a history of another model ({', '.join(models())})?", str(path)) from None
    except SpecificationError as error:
        raise ReadError(str(error), str(path)) from None


def _check_consistency(consistency: str, model_name: str, isolation: str | None) -> None:
    """Refuses a consistency that there is not, or that makes no sense for this model.

    Raises:
        UnknownModelError: says which ones there are.
    """
    kind, given, value = consistency.partition("=")
    if kind not in CONSISTENCY:
        raise UnknownModelError(f"there is no consistency {consistency!r}: choose one of {', '.join(CONSISTENCY)}")
    if isolation is not None:
        raise UnknownModelError("transactions are held to a level of isolation or sessions to a guarantee: give one of the two")
    if model_name in WORKLOADS and kind not in GUARANTEES:
        what = f"of transactions sessions may have guarantees ({', '.join(GUARANTEES)}), and for all else there are levels of isolation"
        raise UnknownModelError(f"{what}: {kind} is neither")
    if kind == "k-atomic" and not (value.isascii() and value.isdigit() and int(value[:9]) > 0):
        raise UnknownModelError(f"how many versions? k-atomic=2, say, and not {consistency!r}")
    if kind == "staleness" and not _is_time(value):
        raise UnknownModelError(f"how many seconds? staleness=0.5, say, and not {consistency!r}")
    if given and kind not in ("k-atomic", "staleness"):
        raise UnknownModelError(f"{kind} takes no number")


def _is_time(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _weaker(consistency: str, model_name: str, history: History, timeout: float | None) -> Examined:
    """The verdict of one of the weaker models, and what it was reached on."""
    kind, _, value = consistency.partition("=")
    if model_name in WORKLOADS:
        verdict = SessionGuarantee(kind, workload=model_name).judge(history.operations)
        return Examined(verdict, history, history.operations, workload=model_name)
    specification, operations = _as_meant(MODELS[model_name], history.operations)
    verdict = _judged(kind, value, specification, operations, timeout)
    return Examined(verdict, history, operations, specification)


def _judged(kind: str, value: str, specification: Specification, operations: Sequence[Operation], timeout: float | None) -> Verdict:
    expired = _deadline(timeout)
    if kind == "sequential":
        return SequentiallyConsistent(specification, budget=None).judge(operations, expired)
    if kind == "k-atomic":
        return KAtomic(specification, int(value), budget=None).judge(operations, expired)
    if kind == "staleness":
        return BoundedStaleness(specification, float(value), budget=None).judge(operations, expired)
    if kind in GUARANTEES:
        return SessionGuarantee(kind, specification).judge(operations)
    return Safe(specification).judge(operations) if kind == "safe" else Regular(specification, kind == "strong-regular").judge(operations)


def _deadline(timeout: float | None) -> Callable[[], bool] | None:
    ends = None if timeout is None else time.monotonic() + timeout
    return None if ends is None else lambda: time.monotonic() > ends


def _linearizable(specification: Specification, operations: Sequence[Operation], timeout: float | None) -> Verdict:
    return Linearizable(specification, budget=None).judge(operations, _deadline(timeout))


def _as_meant(specification: Specification, operations: Sequence[Operation]) -> tuple[Specification, Sequence[Operation]]:
    """The specification that these operations ask for, and the operations with what goes without saying in them."""
    if isinstance(specification, Register | CasRegister):
        return split_by_key(specification, operations), operations
    if isinstance(specification, OwnedMutex | ReentrantMutex | FencedMutex):
        return specification, owned_by_process(operations)
    if isinstance(specification, Set) and {operation.function for operation in operations} == {"add", "read"}:
        return GrowSet(), operations
    return specification, operations
