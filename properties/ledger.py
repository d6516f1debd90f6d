"""A replicated issuance log as a sequential specification.

Documents are issued under request ids, so that a client may retry: the same request issued twice is one document, at one place
in the log.  The functions, with argument and result:

=========  ======================  ==========================================================================
issue      (request id, digest)    the log index at which the document stands
revoke     request id              the log index of the revocation; None if there is no such document
lookup     request id              the document's log index; None if it has not been issued
revoked    request id              True or False; None if it has not been issued
audit      nothing                 all request ids in the order of the log (revoked ones stay: a log forgets nothing)
=========  ======================  ==========================================================================

Indices rise strictly in the order in which issues and revocations take effect, but may have gaps, because the log also holds
entries that are nobody's document (a new leader's no-op).  An issue that timed out may stand at an index nobody has seen; the
state then holds a placeholder, which the first observation fills in, provided that it fits between its neighbours.

The log is one object: rising indices tie all requests together, so there is no partition.  A state is a tuple of entries, so a
step costs O(entries): meant for runs of hundreds of documents, not for archives.

Issuances whose outcome nobody knows could be anywhere in the log, in any order, and ten of them have millions of orders.  But each
audit shows the log's beginning, and indices rise, so **in hindsight** there is one order only of all documents that anybody has seen,
and those that nobody has seen need not be there at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .history import Operation, Outcome, Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError, call_of

__all__ = ["Entry", "IssuanceLedger"]


class Entry(NamedTuple):
    """One entry of the log: a document or a revocation; `index` is None while nobody has seen it."""

    kind: str
    request: Value
    digest: Value
    index: int | None  # type: ignore[assignment]


@dataclass(frozen=True)
class IssuanceLedger(Specification):
    """A log of issued documents: no document twice, indices rise, what was issued stays."""

    @property
    def initial(self) -> State:
        """The empty log."""
        return ()

    def step(self, state: State, call: Call) -> State | Refusal:
        """See the table in this module's docstring."""
        assert isinstance(state, tuple)
        if call.function == "issue":
            request = _request(call)
            assert isinstance(call.argument, tuple)
            return _place(state, "issue", request, call.argument[1], call)
        if call.function == "revoke":
            if _find(state, "issue", call.argument) is not None:
                return _place(state, "revoke", call.argument, None, call)
            if not call.known or call.result is None:
                return state
            return Refusal("there is no document {} to revoke", call.argument)
        if call.function in ("lookup", "revoked", "audit"):
            return _observe(state, call) if call.known else state
        raise UnknownFunctionError(self.name, call.function, "issue", "revoke", "lookup", "revoked", "audit")

    def in_hindsight(self, operations: Sequence[Operation]) -> Specification:
        """With the one order that observations leave to documents."""
        seen = _seen(operations)
        return self if seen is None else _Hindsight(*seen)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:  # noqa: ARG002  # part of the protocol
        """The log only grows: an audit waits for documents that it shows, everything else for calls about its own request."""
        if other.function not in ("issue", "revoke"):
            # Observations change nothing but placeholders, which makes nothing possible that was not.
            return False
        if call.function == "audit":
            return other.function == "issue" and isinstance(call.result, tuple) and _request(other) in call.result
        return _request(other) == _request(call)

    def pure(self, call: Call) -> bool:
        """Observations: they fill in a placeholder at most once."""
        return call.function in ("lookup", "revoked", "audit")


@dataclass(frozen=True)
class _Hindsight(IssuanceLedger):
    """The ledger of one history: `order` are the documents that anybody has seen, `index` where they stand as far as it is known."""

    order: tuple[Value, ...] = ()
    index: Mapping[Value, int] = field(default_factory=dict)

    def step(self, state: State, call: Call) -> State | Refusal:
        """As the ledger, but documents take their places in order, each at its index, and what nobody has seen does nothing."""
        assert isinstance(state, tuple)
        if call.function != "issue" or not isinstance(call.argument, tuple) or len(call.argument) != 2:
            return super().step(state, call)
        request = call.argument[0]
        if _find(state, "issue", request) is None:
            if request not in self.order:
                return state
            following = self.order[sum(entry.kind == "issue" for entry in state)]
            if following != request:
                return Refusal("{} comes before {} in the log", following, request)
            if request in self.index:
                state = _place(state, "issue", *call.argument, call._replace(result=self.index[request], outcome=Outcome.OK))
                if isinstance(state, Refusal):
                    return state
        return super().step(state, call)

    def may_enable(self, state: State, call: Call, other: Call) -> bool:
        """A document also waits for those before it."""
        return super().may_enable(state, call, other) or call.function == other.function == "issue"


def _seen(operations: Sequence[Operation]) -> tuple[tuple[Value, ...], dict[Value, int]] | None:
    """The documents that completed operations speak of, in the order of the log, and their indices as far as they are known.

    None where they leave more than one order.  Where they contradict each other any will do: nothing explains them all.
    """
    longest: tuple[Value, ...] = ()
    index: dict[Value, int] = {}
    others: dict[Value, None] = {}
    for operation in operations:
        if operation.outcome is not Outcome.OK:
            continue
        result = operation.result
        if operation.function == "audit":
            if isinstance(result, tuple) and len(result) > len(longest):
                longest = result
        elif result is not None:
            request = _request(call_of(operation))
            others[request] = None
            if operation.function in ("issue", "lookup") and isinstance(result, int):
                index.setdefault(request, result)
    later = [request for request in others if request not in longest]
    if not all(request in index for request in later):
        return None
    return (*longest, *sorted(later, key=index.__getitem__)), index


def _request(call: Call) -> Value:
    """The document that a call speaks of.

    Raises:
        SpecificationError: the argument of an issue has the wrong shape.
    """
    if call.function != "issue":
        return call.argument
    if not isinstance(call.argument, tuple) or len(call.argument) != 2:
        raise SpecificationError(f"IssuanceLedger: issue takes (request id, digest), not {render(call.argument)}")
    return call.argument[0]


def _observe(log: tuple[Entry, ...], call: Call) -> State | Refusal:
    if call.function == "audit":
        documents = tuple(entry.request for entry in log if entry.kind == "issue")
        return log if documents == call.result else Refusal("the log holds {}, not {}", documents, call.result)
    position = _find(log, "issue", call.argument)
    if position is None:
        return log if call.result is None else Refusal("document {} has not been issued", call.argument)
    if call.function == "lookup":
        return _stands_at(log, position, call.result)
    revoked = _find(log, "revoke", call.argument) is not None
    if call.result is revoked:
        return log
    return Refusal("document {} is revoked" if revoked else "document {} is not revoked", call.argument)


def _place(log: tuple[Entry, ...], kind: str, request: Value, digest: Value, call: Call) -> State | Refusal:
    """The log after this entry was put at its end, or was found where it already stands."""
    position = _find(log, kind, request)
    if position is None:
        position = len(log)
        log = (*log, Entry(kind, request, digest, None))
    elif log[position].digest != digest:
        if not call.known:
            return log
        return Refusal("request {} stands for another document, {}", request, log[position].digest)
    return _stands_at(log, position, call.result) if call.known else log


def _find(log: tuple[Entry, ...], kind: str, request: Value) -> int | None:
    return next((place for place, entry in enumerate(log) if entry.kind == kind and entry.request == request), None)


def _stands_at(log: tuple[Entry, ...], position: int, index: Value) -> State | Refusal:
    """The log, knowing that the entry at `position` has this index."""
    entry = log[position]
    if entry.index is not None:
        return log if entry.index == index else Refusal("{} stands at index {}, not {}", entry.request, entry.index, index)
    if not isinstance(index, int):
        return Refusal("{} is in the log, so it has an index", entry.request)
    below = next((place for place in range(position - 1, -1, -1) if log[place].index is not None), None)
    above = next((place for place in range(position + 1, len(log)) if log[place].index is not None), None)
    # Entries between two known ones, whose indices nobody has seen, need room as well.
    if below is not None and index < (log[below].index or 0) + position - below:
        return Refusal("index {} of {} is not above index {} of {}", index, entry.request, log[below].index, log[below].request)
    if above is not None and index > (log[above].index or 0) - (above - position):
        return Refusal("index {} of {} is not below index {} of {}", index, entry.request, log[above].index, log[above].request)
    return (*log[:position], entry._replace(index=index), *log[position + 1 :])
