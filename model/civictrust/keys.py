"""Issuers' keys: Ed25519 (RFC 8032), whose signatures are deterministic, so issuing a document twice gives the same bytes.

Verification is a pure function and is remembered: three replicas in one process verify each signature once.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PASSPHRASE = "civictrust"  # noqa: S105  # the keys of a simulation

__all__ = ["KeyRing", "sign", "verify"]


@lru_cache(maxsize=4096)
def sign(secret: bytes, message: bytes) -> bytes:
    """A 64-byte signature by the holder of a 32-byte secret."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


@lru_cache(maxsize=16384)
def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True if the signature is by the holder of the secret that belongs to this 32-byte public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class KeyRing:
    """The issuers' keys of one installation, made from a passphrase so that every node has the same.

    `secrets` and `public` are by issuer.  A real installation would keep the secrets in hardware; that they can be copied is
    what the key compromise fault is about.
    """

    def __init__(self, issuers: tuple[str, ...], passphrase: str = PASSPHRASE) -> None:
        self.secrets = {issuer: sha256(f"{passphrase}/{issuer}".encode()).digest() for issuer in issuers}
        self.public = {issuer: _public(secret) for issuer, secret in self.secrets.items()}


@lru_cache(maxsize=64)
def _public(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
