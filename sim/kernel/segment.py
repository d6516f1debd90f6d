"""Segments: what kernels send each other, over the same links as messages and with all that can happen there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .address import Endpoint

if TYPE_CHECKING:
    from .stack import Stack

__all__ = ["DATA", "DATAGRAM", "FIN", "RST", "SYN", "SYN_ACK", "UNREACHABLE", "Segment"]

SYN, SYN_ACK, DATA, FIN, RST, DATAGRAM, UNREACHABLE = "syn", "syn-ack", "data", "fin", "rst", "datagram", "unreachable"

_BLOCK = 1024
_SHOWN = 48


class Segment(msgspec.Struct):
    """One segment of a connection, or one datagram.

    `sequence` counts bytes from the beginning of its direction; the FIN has one of its own.  `secret` says that the data is encrypted:
    what OpenSSL draws no schedule decides, so neither the data nor its exact length may enter the record.
    """

    kind: str
    source: Endpoint
    target: Endpoint
    stack: Stack
    sequence: int = 0
    data: bytes = b""
    attempt: int = 0
    secret: bool = False
    sent: float = 0.0

    def recorded(self) -> bytes:
        """What enters the digest."""
        (source, from_port), (target, to_port) = self.source, self.target
        if self.secret:
            return f"{self.kind} {source} {from_port} {target} {to_port} encrypted".encode()
        return f"{self.kind} {source} {from_port} {target} {to_port} {self.sequence} ".encode() + self.data

    @property
    def size(self) -> int:
        """How many bytes go over the link."""
        size = len(self.data) + 40
        return -(-size // _BLOCK) * _BLOCK if self.secret else size

    def __repr__(self) -> str:
        """What people read in a trace."""
        what = f"{self.kind} {self.source[1]} > {self.target[1]}"
        if self.secret:
            return f"{what}, encrypted"
        if not self.data:
            return what
        more = "..." if len(self.data) > _SHOWN else ""
        return f"{what}, {len(self.data)} bytes from {self.sequence}: {self.data[:_SHOWN].decode('latin-1')!r}{more}"
