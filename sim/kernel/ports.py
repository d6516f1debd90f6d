"""Who may bind to which port, and what comes to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .address import ANYWHERE

if TYPE_CHECKING:
    from .options import Options
    from .socket import SimSocket

__all__ = ["conflict", "covers"]


def conflict(wanting: SimSocket, other: SimSocket, address: str, port: int) -> bool:
    """True if another socket has what one wants to bind to."""
    if other is wanting or other.bound is None or not other.claims or other.type != wanting.type or other.bound[1] != port:
        return False
    if wanting.options.reuse_port and other.options.reuse_port:
        return False
    if wanting.options.reuse_address and other.options.reuse_address and not other.listening:
        return False
    has = other.bound[0]
    return address == has or covers(address, wanting.options, has) or covers(has, other.options, address)


def covers(address: str, options: Options, what: str) -> bool:
    """True if a socket that is bound to an address also gets what comes for another."""
    if address not in ANYWHERE:
        return False
    return (":" in address) == (":" in what) or (address == "::" and not options.v6_only)
