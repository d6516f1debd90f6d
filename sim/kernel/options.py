"""The options of a socket: remembered as they are set, and what of them a program can notice the effect of."""

from __future__ import annotations

import socket
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tcp import Connection

__all__ = ["Options"]

_KEEP_IDLE, _KEEP_EVERY, _KEEP_MOST = 7200, 75, 9
"""Linux's defaults: seconds until a silent peer is asked, seconds between questions, and how many may stay unanswered."""

_BUFFER = 65_536


class Options:
    """The options of one socket."""

    def __init__(self, family: int, type: int, proto: int) -> None:  # noqa: A002  # as the standard library calls it
        default = socket.IPPROTO_TCP if type == socket.SOCK_STREAM else socket.IPPROTO_UDP
        level = socket.SOL_SOCKET
        self._values: dict[tuple[int, int], int] = {
            (level, socket.SO_TYPE): int(type),
            (level, socket.SO_DOMAIN): int(family),
            (level, socket.SO_PROTOCOL): proto or default,
            (level, socket.SO_SNDBUF): _BUFFER,
            (level, socket.SO_RCVBUF): _BUFFER,
        }

    def get(self, level: int, option: int) -> int:
        """The value of an option; 0 if it was never set."""
        return self._values.get((level, option), 0)

    def set(self, level: int, option: int, value: int | bytes | bytearray | memoryview | None) -> None:
        """Set one; of bytes the first four count."""
        self._values[level, option] = value if isinstance(value, int) else int.from_bytes((value or b"")[:4], "little")

    def update(self, others: Options) -> None:
        """Take over the options of the socket that accepted this one."""
        self._values.update(others._values)

    def apply(self, connection: Connection) -> None:
        """Tell a connection what it needs to know: keep-alive, and how long to try."""
        tcp = socket.IPPROTO_TCP
        connection.idle = None
        if self.get(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
            connection.idle = (
                self.get(tcp, socket.TCP_KEEPIDLE) or _KEEP_IDLE,
                self.get(tcp, socket.TCP_KEEPINTVL) or _KEEP_EVERY,
                self.get(tcp, socket.TCP_KEEPCNT) or _KEEP_MOST,
            )
        connection.user_timeout = self.get(tcp, socket.TCP_USER_TIMEOUT) / 1000 or inf

    @property
    def reuse_port(self) -> bool:
        """SO_REUSEPORT."""
        return bool(self.get(socket.SOL_SOCKET, socket.SO_REUSEPORT))

    @property
    def reuse_address(self) -> bool:
        """SO_REUSEADDR."""
        return bool(self.get(socket.SOL_SOCKET, socket.SO_REUSEADDR))

    @property
    def v6_only(self) -> bool:
        """True if an IPv6 socket does not take IPv4 as well."""
        return bool(self.get(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
