"""The verdict on the history in a file.

The deadline is in wall-clock seconds, because that is what somebody who waits for an answer means; a verdict that it cut short is
`unknown` and says that it depends on the machine, and how far it came.  See `limits` for how it is enforced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..properties.consistency import GUARANTEES, BoundedStaleness, KAtomic, Regular, Safe, SequentiallyConsistent, SessionGuarantee
from ..properties.history import History, Operation
from ..properties.independent import Independent, keyed
from ..properties.linearizability import Linearizable
from ..properties.locks import FencedMutex, OwnedMutex, ReentrantMutex, owned_by_process
from ..properties.readers import ReadError, Told, line_of, read_history
from ..properties.sets import GrowSet, Set
from ..properties.specification import Specification, SpecificationError, UnknownFunctionError, call_of, unknown_of
from ..properties.verdict import Verdict
from ..properties.workloads import ByKey, composed
from .catalog import ASKING, MODELS, functions_known, models
from .limits import Limits
from .own import is_reference
from .question import Question

__all__ = ["Examined", "as_meant", "check_file", "examine_file"]


class Examined(NamedTuple):
    """A verdict, and what it was reached on: what was read, and the operations as the first of the models takes them.

    That model is a `specification`, or a `workload` of transactions, or neither: a checker that is no specification.
    """

    verdict: Verdict
    history: History
    operations: Sequence[Operation]
    specification: Specification | None = None
    workload: str = ""


def check_file(
    path: str | Path,
    model: str,
    timeout: float | None = 60.0,
    *,
    isolation: str | None = None,
    consistency: str | None = None,
    options: Mapping[str, str] | None = None,
    gaps: bool = False,
    told: Told | None = None,
) -> Verdict:
    """Decide whether the history in a file is right for a model, in at most about `timeout` seconds (None: no limit).

    For a sequential specification that means linearizable, or what `consistency` says (one of `CONSISTENCY`).  A history of many
    objects, whose values are pairs of key and value, is judged key by key; the verdict's name says so.  A `set` whose only question
    is a read of all elements is a `grow-set`.  Where operations of a lock name no client, their process is it.  A model may be a
    specification of one's own (see `own_model`).  Transactions (`list-append`, `rw-register`) are held to a level of `isolation`
    instead, by default `ISOLATION`, and workloads (`CHECKERS`) to what they promise; both take time in proportion to their number,
    so the limit does not count.

    Several models, with commas between, each have a verdict, and the worst status is that of all.  A workload looks at its own
    functions only, and so does each of several models.  `options` are parameters of models by name, as words: `{"total": "100"}`.
    `gaps` and `told` are as for `read_history`.

    Raises:
        UnknownModelError: there is no such model, level, consistency or option, or they do not go together.
        ReadError: the file cannot be read as a history, or it has no operations that the model knows, or others.
    """
    return examine_file(path, Question.of(model, isolation, consistency, options), timeout, gaps=gaps, told=told).verdict


def examine_file(
    path: str | Path, question: Question, timeout: float | None = 60.0, *, gaps: bool = False, told: Told | None = None
) -> Examined:
    """The same as `check_file`, with what a picture needs.

    Raises:
        ReadError: as there.
    """
    history = read_history(path, told, gaps=gaps)
    operations: Sequence[Operation] = history.operations
    if not operations:
        raise ReadError("there is no operation in this history, so there is nothing to check", str(path))
    examined = [_located(question, name, history, timeout, str(path)) for name in question.names]
    if len(examined) == 1:
        return examined[0]
    return examined[0]._replace(verdict=composed([one.verdict for one in examined]))


def _located(question: Question, name: str, history: History, timeout: float | None, path: str) -> Examined:
    """The verdict of one of the models; what it does not understand is told with its place in the file."""
    try:
        return _examined(question, name, history, timeout, path)
    except SpecificationError as error:
        found = error.operation or _misunderstood(question, name, history.operations)
        said = str(error)
        if isinstance(error, UnknownFunctionError):
            # Where some are known it may be a slip as well.
            some = any(one.function in error.functions for one in history.operations)
            others = "" if some else f" ({', '.join(models())})"
            said += f": is it a history of another model{others}?"
        elif found is not None and error.operation is None:
            said += f", as in operation {found.id} of process {found.process}, {found.called()}"
        places = (place for place, one in enumerate(history.operations) if found is not None and one.id == found.id)
        place = next(places, None)
        raise ReadError(said, path, None if place is None else line_of(path, place)) from None


def _misunderstood(question: Question, name: str, operations: Sequence[Operation]) -> Operation | None:
    """The first operation that one of our specifications does not understand."""
    if name not in question.specifications or is_reference(name):
        return None
    specification, given = as_meant(question.specifications[name], operations)
    for operation in given:
        try:
            specification.step(specification.initial, call_of(operation) if operation.ok else unknown_of(operation))
        except SpecificationError:
            return operation
    return None


def _examined(question: Question, name: str, history: History, timeout: float | None, path: str) -> Examined:
    """The verdict of one of the models."""
    operations: Sequence[Operation] = history.operations
    known = functions_known(name)
    judged = operations if known is None else [one for one in operations if one.function in known]
    if not judged:
        raise ReadError(f"{_without(known or (), operations)}: is it a history of another model than {name}?", path)
    if name in question.checkers:
        checker = question.checkers[name]
        split = keyed(judged, ASKING.get(name, frozenset()))
        return Examined((ByKey(checker) if split else checker).judge(judged), history, judged)
    # Alone, a model that does not know an operation is probably the wrong one.
    given = operations if len(question.names) == 1 else judged
    weaker = question.consistency
    if name not in question.specifications:
        prop = SessionGuarantee(weaker, workload=name) if weaker else question.transactions[name]
        if keyed(given, ASKING[name]):
            verdict, given = ByKey(prop).decisive(given)
            return Examined(verdict, history, given, workload=name)
        return Examined(prop.judge(given), history, given, workload=name)
    specification, given = as_meant(question.specifications[name], given)
    with Limits(timeout) as limits:
        if weaker:
            return Examined(_weaker(weaker, specification, given, limits), history, given, specification)
        verdict = Linearizable(specification, budget=None).judge(given, limits.expired, fast=True)
    return Examined(verdict, history, given, specification)


def _without(known: Iterable[str], operations: Iterable[Operation]) -> str:
    there = dict.fromkeys(operation.function for operation in operations)
    return f"there is no operation {' or '.join(known)} here, only {', '.join([*there][:8])}"


def _weaker(consistency: str, specification: Specification, operations: Sequence[Operation], limits: Limits) -> Verdict:
    """The verdict of one of the weaker models."""
    kind, _, value = consistency.partition("=")
    if kind == "sequential":
        return SequentiallyConsistent(specification, budget=None).judge(operations, limits.expired)
    if kind == "k-atomic":
        return KAtomic(specification, int(value), budget=None).judge(operations, limits.expired)
    if kind == "staleness":
        return BoundedStaleness(specification, float(value), budget=None).judge(operations, limits.expired)
    if kind in GUARANTEES:
        return SessionGuarantee(kind, specification).judge(operations)
    return Safe(specification).judge(operations) if kind == "safe" else Regular(specification, kind == "strong-regular").judge(operations)


def as_meant(specification: Specification, operations: Sequence[Operation]) -> tuple[Specification, Sequence[Operation]]:
    """The specification that these operations ask for, and the operations with what goes without saying in them."""
    asking = (ASKING.get(name, frozenset()) for name, model in MODELS.items() if isinstance(specification, type(model)))
    by_key = keyed(operations, next(asking, frozenset()))
    if isinstance(specification, OwnedMutex | ReentrantMutex | FencedMutex):
        operations = owned_by_process(operations, keyed=by_key)
    elif isinstance(specification, Set) and {operation.function for operation in operations} == {"add", "read"}:
        specification = GrowSet()
    return Independent(specification) if by_key else specification, operations
