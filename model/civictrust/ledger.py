"""The ledger: what the replicated log means.

A deterministic state machine.  Commands are tuples of plain values:

``("issue", request, issuer, digest, signature)``
    a document takes its place in the log, unless its signature is bad, its key is revoked, or its request was aborted
``("abort", request, digest)``
    no document will be issued for this request, unless one already was
``("revoke", issuer)``
    from this entry on no signature by that issuer's key is accepted, whatever time it claims

The cut of a revocation is its *index in the log*: an index is the one thing that a thief cannot back-date.  Replicas that hold the
same log therefore accept the same documents, without clocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from ...properties.history import Value
from .keys import verify

__all__ = ["Entry", "Ledger"]


class Entry(msgspec.Struct, frozen=True):
    """A document's place in the log."""

    index: int
    request: str
    issuer: str
    digest: str
    signature: bytes


class Ledger:
    """The state after a prefix of the log.  `public` are the issuers' public keys."""

    def __init__(self, public: Mapping[str, bytes]) -> None:
        self._public = public
        self._by_request: dict[str, Entry] = {}
        self._by_digest: dict[str, Entry] = {}
        self._aborted: dict[str, int] = {}
        self._revoked: dict[str, int] = {}
        self._hash = blake2b(b"civictrust", digest_size=8).hexdigest()
        self.entries: list[Entry] = []

    @property
    def state_hash(self) -> str:
        """A hash of everything accepted and refused so far; equal on replicas that agree."""
        return self._hash

    @property
    def revocations(self) -> Mapping[str, int]:
        """Log indices of revocations by issuer."""
        return self._revoked

    def find(self, request: str) -> Entry | None:
        """The entry of a request's document."""
        return self._by_request.get(request)

    def has(self, digest: str) -> bool:
        """True if this document has its place in the log."""
        return digest in self._by_digest

    def aborted(self, request: str) -> bool:
        """True if no document will be issued for this request."""
        return request in self._aborted

    def apply(self, index: int, command: Value) -> tuple[str, Value]:
        """Take the command at a log index; what became of it: ("issued", index), ("rejected", why), ..."""
        assert isinstance(command, tuple)
        match command:
            case ("issue", str(request), str(issuer), str(digest), bytes(signature)):
                outcome = self._issue(Entry(index, request, issuer, digest, signature))
            case ("abort", str(request), str(digest)):
                outcome = self._abort(index, request)
            case ("revoke", str(issuer)):
                outcome = "revoked", self._revoked.setdefault(issuer, index)
            case _:
                outcome = "rejected", "unknown command"
        told = f"{self._hash}/{index}/{command!r}/{outcome!r}"
        self._hash = blake2b(told.encode(), digest_size=8).hexdigest()
        return outcome

    def _issue(self, entry: Entry) -> tuple[str, Value]:
        why = self.refusal(entry.issuer, entry.digest, entry.signature, entry.index)
        if why is None and self.aborted(entry.request):
            why = "the request was aborted"
        if why is not None:
            return "rejected", why
        self.accept(entry)
        return "issued", entry.index

    def accept(self, entry: Entry) -> None:
        """Enter a document."""
        self.entries.append(entry)
        self._by_request.setdefault(entry.request, entry)
        self._by_digest.setdefault(entry.digest, entry)

    def _abort(self, index: int, request: str) -> tuple[str, Value]:
        if request in self._by_request:
            return "rejected", "already issued"
        return "aborted", self._aborted.setdefault(request, index)

    def refusal(self, issuer: str, digest: str, signature: bytes, index: int) -> str | None:
        """Why a signature is not accepted at this log index, or None if it is: the rule of every node and every verifier."""
        public = self._public.get(issuer)
        if public is None:
            return f"unknown issuer {issuer}"
        if self.is_revoked(issuer, index):
            return f"the key of {issuer} is revoked"
        if not verify(public, bytes.fromhex(digest), signature):
            return "bad signature"
        return None

    def hopeless(self, request: str, issuer: str) -> bool:
        """True if no entry that this ledger has not seen yet can issue that request's document."""
        return self.aborted(request) or issuer in self._revoked

    def is_revoked(self, issuer: str, index: int) -> bool:
        """True if the key's revocation stands before `index` in the log."""
        revoked = self._revoked.get(issuer)
        return revoked is not None and index > revoked
