"""Names and addresses, as `socket.getaddrinfo` and its relatives give them to a host: its world's, and nobody else's."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from ..kernel.address import addresses_of, canonical, machine_at, resolve

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostname", "getnameinfo"]

_TYPES = ((socket.SOCK_STREAM, socket.IPPROTO_TCP), (socket.SOCK_DGRAM, socket.IPPROTO_UDP))

Info = tuple[int, int, int, str, tuple[Any, ...]]


def getaddrinfo(
    machine: Machine,
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,  # noqa: A002  # as the standard library calls it
    proto: int = 0,
    flags: int = 0,
) -> list[Info]:
    """As `socket.getaddrinfo`: IPv4 before IPv6, streams before datagrams.

    Raises:
        socket.gaierror: no host of this world has such a name.
    """
    name = host.decode("idna") if isinstance(host, bytes) else host
    found = _addresses(machine, name, flags)
    number = _port(port)
    infos: list[Info] = []
    for address in found:
        v6 = ":" in address
        if family not in (0, socket.AF_INET6 if v6 else socket.AF_INET):
            continue
        where: tuple[Any, ...] = (address, number, 0, 0) if v6 else (address, number)
        canon = (name or "") if flags & socket.AI_CANONNAME and not infos else ""
        infos += [
            (socket.AddressFamily(socket.AF_INET6 if v6 else socket.AF_INET), kind, protocol, canon, where)
            for kind, protocol in _TYPES
            if type in (0, kind) and proto in (0, protocol)
        ]
    if not infos:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return infos


def _addresses(machine: Machine, name: str | None, flags: int) -> tuple[str, ...]:
    if not name:
        return ("0.0.0.0", "::") if flags & socket.AI_PASSIVE else ("127.0.0.1", "::1")  # noqa: S104  # what a passive lookup gives
    try:
        return (canonical(name),)
    except OSError:
        return () if flags & socket.AI_NUMERICHOST else resolve(machine.world, name)


def _port(port: str | bytes | int | None) -> int:
    text = port.decode() if isinstance(port, bytes) else port
    if text is None or isinstance(text, int):
        return text or 0
    if text.isdigit():
        return int(text)
    try:
        return socket.getservbyname(text)
    except OSError:
        raise socket.gaierror(socket.EAI_SERVICE, "Servname not supported for ai_socktype") from None


def getnameinfo(machine: Machine, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
    """As `socket.getnameinfo`: the name of the host that has an address."""
    where, port = address[0], address[1]
    found = machine_at(machine.world, machine, canonical(where))
    if found is None or flags & socket.NI_NUMERICHOST:
        return where, str(port)
    return found.name, str(port)


def gethostname(machine: Machine) -> str:
    """The host's name."""
    return machine.name


def getfqdn(machine: Machine, name: str = "") -> str:
    """The host's name: the world has one domain."""
    return name or machine.name


def gethostbyname(machine: Machine, name: str) -> str:
    """The IPv4 address of a host.

    Raises:
        socket.gaierror: no host of this world has such a name.
    """
    info = getaddrinfo(machine, name, None, socket.AF_INET)
    return str(info[0][4][0])


def gethostbyaddr(machine: Machine, address: str) -> tuple[str, list[str], list[str]]:
    """The name of the host that has an address.

    Raises:
        socket.herror: nobody has it.
    """
    try:
        found = machine_at(machine.world, machine, canonical(address))
    except OSError:
        found = machine.world.machines.get(address)
    if found is None:
        raise socket.herror(1, "Unknown host")
    return found.name, [], list(addresses_of(found.index))
