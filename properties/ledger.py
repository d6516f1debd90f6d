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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .history import Value, render
from .specification import Call, Refusal, Specification, SpecificationError, State, UnknownFunctionError

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
            if not isinstance(call.argument, tuple) or len(call.argument) != 2:
                raise SpecificationError(f"{self.name}: issue takes (request id, digest), not {render(call.argument)}")
            return _place(state, "issue", call.argument[0], call.argument[1], call)
        if call.function == "revoke":
            if _find(state, "issue", call.argument) is not None:
                return _place(state, "revoke", call.argument, None, call)
            if not call.known or call.result is None:
                return state
            return Refusal("there is no document {} to revoke", call.argument)
        if call.function in ("lookup", "revoked", "audit"):
            return _observe(state, call) if call.known else state
        raise UnknownFunctionError(self.name, call.function, "issue", "revoke", "lookup", "revoked", "audit")

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


def _request(call: Call) -> Value:
    return call.argument[0] if call.function == "issue" and isinstance(call.argument, tuple) else call.argument


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
