"""What is issued: a document in canonical form, its digest, and the signature over the digest.

The canonical form is RFC 8785 (JSON Canonicalization Scheme), so that equal documents have equal bytes everywhere.  The digest is
SHA-256 over those bytes; it is the document's name in the content store and in the log.  A document is a function of the request for
it: a request that is carried out twice, by two leaders, makes the same document.

`issued_at` is a claim of whoever signed.  Nothing is ever decided by it: what counts is the place in the log.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256

import msgspec
import rfc8785

from .keys import sign

__all__ = ["Document", "Signed", "content_of", "digest_of", "issue_document", "parse_signed"]


class Document(msgspec.Struct, frozen=True):
    """A request's document.  `request` is unique per request, `issuer` names the key that signs, `issued_at` is in seconds."""

    request: str
    issuer: str
    subject: str
    issued_at: float

    def canonical(self) -> bytes:
        """RFC 8785 bytes."""
        return rfc8785.dumps(msgspec.to_builtins(self))


class Signed(msgspec.Struct, frozen=True):
    """A document with its digest (hexadecimal) and signature (64 bytes)."""

    document: Document
    digest: str
    signature: bytes


@lru_cache(maxsize=1024)
def digest_of(document: Document) -> str:
    """The document's name: SHA-256 over its canonical form, hexadecimal."""
    return sha256(document.canonical()).hexdigest()


def issue_document(document: Document, secret: bytes) -> Signed:
    """Sign a document's digest."""
    digest = digest_of(document)
    return Signed(document, digest, sign(secret, bytes.fromhex(digest)))


@lru_cache(maxsize=1024)
def content_of(signed: Signed) -> bytes:
    """What the content store keeps: the canonical document and the signature, canonical themselves."""
    return rfc8785.dumps({"document": msgspec.to_builtins(signed.document), "signature": signed.signature.hex()})


@lru_cache(maxsize=1024)
def parse_signed(content: bytes) -> Signed:
    """The signed document that a content store kept.

    Raises:
        ValueError: these bytes are no signed document.
    """
    try:
        fields = json.loads(content)
        document = msgspec.convert(fields["document"], Document)
        return Signed(document, digest_of(document), bytes.fromhex(fields["signature"]))
    except (KeyError, TypeError, ValueError, msgspec.ValidationError, RecursionError) as error:
        raise ValueError(f"not a signed document: {error}") from error
