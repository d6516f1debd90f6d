"""Addresses of hosts: every machine has an IPv4 address and an IPv6 one, and its own name resolves to both.

The n-th machine of a world (in order of declaration, from 1) is `10.0.x.y` and `fd00::n`.  Inside, an address is a string in its
shortest form, and an IPv4 address that is written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..machine import Machine
    from ..world import World

__all__ = ["ANYWHERE", "Endpoint", "addresses_of", "canonical", "is_loopback", "machine_at", "parse", "resolve", "shown", "source_for"]

Endpoint = tuple[str, int]
"""An address in its shortest form, and a port."""

ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # what the addresses are, not something that is bound
LOOPBACK = ("127.0.0.1", "::1")

_V4, _V6 = int(IPv4Address("10.0.0.0")), int(IPv6Address("fd00::"))


@lru_cache(4096)
def addresses_of(index: int) -> tuple[str, str]:
    """The IPv4 and IPv6 addresses of the machine at a place (from 0) in the order of declaration."""
    return str(IPv4Address(_V4 + index + 1)), str(IPv6Address(_V6 + index + 1))


@lru_cache(4096)
def canonical(address: str) -> str:
    """An address in its shortest form.

    Raises:
        OSError: it is no numeric address.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        raise OSError(f"{address!r} is not a numeric address; names are resolved by getaddrinfo") from None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)


@lru_cache(4096)
def is_loopback(address: str) -> bool:
    """True for addresses by which a machine reaches itself."""
    return ip_address(address).is_loopback


@lru_cache(4096)
def _index(address: str) -> int:
    parsed = ip_address(address)
    return int(parsed) - (_V4 if parsed.version == 4 else _V6) - 1


def machine_at(world: World, asking: Machine, address: str) -> Machine | None:
    """The machine that has an address, as seen by another; None if nobody has."""
    if is_loopback(address) or address in ANYWHERE:
        return asking
    index = _index(address)
    machines = list(world.machines.values())
    return machines[index] if 0 <= index < len(machines) else None


def source_for(machine: Machine, target: str) -> str:
    """The address that a machine sends from when it sends to a target."""
    v6 = ":" in target
    return LOOPBACK[v6] if is_loopback(target) else addresses_of(machine.index)[v6]


def shown(endpoint: Endpoint, family: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """An endpoint as `getsockname` and `getpeername` of a socket of that family tell it."""
    address, port = endpoint
    if family == socket.AF_INET:
        return address, port
    return (address if ":" in address else f"::ffff:{address}"), port, 0, 0


def resolve(world: World, name: str) -> tuple[str, ...]:
    """The addresses of a host, IPv4 first; empty if there is no host of that name."""
    name = name.rstrip(".").lower()
    if name == "localhost":
        return LOOPBACK
    machine = next((machine for machine in world.machines.values() if machine.name.lower() == name), None)
    return addresses_of(machine.index) if machine is not None else ()


def parse(world: World, family: int, address: object) -> Endpoint:
    """An endpoint as programs give it to `bind` and `connect`: (host, port), and for IPv6 perhaps more.

    Raises:
        TypeError: it is none.
        OverflowError: there is no such port.
        socket.gaierror: no host of this world has such a name.
    """
    if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[0], str) or not isinstance(address[1], int):
        raise TypeError(f"{socket.AddressFamily(family).name} address must be a tuple (host, port), not {address!r}")
    host, port = address[0], address[1]
    if not 0 <= port <= 65_535:
        raise OverflowError("port must be 0-65535.")
    v6 = family == socket.AF_INET6
    if host == "":
        return ANYWHERE[v6], port
    try:
        return canonical(host), port
    except OSError:
        found = [where for where in resolve(world, host) if v6 or ":" not in where]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return found[-1 if v6 else 0], port
