"""Two who are neither nodes nor ordinary clients: the thief of a key, and the operator who revokes it.

The world tells them what happened by a message: `("stolen", issuer, secret)` to mallory, `("revoke", issuer)` to the operator.
"""

from __future__ import annotations

import trio

from ...properties.history import Value
from ...sim.host import Host
from .document import Document, content_of, issue_document

__all__ = ["ask_cluster", "mallory", "operator"]

ATTEMPT = 0.3
"""Seconds that one node gets to answer."""

PATIENCE = 0.05
"""Seconds between two forgeries."""


async def ask_cluster(host: Host, servers: tuple[str, ...], body: Value, memory: dict[str, Value]) -> Value:
    """Ask until some node answers for the cluster, following redirections; for ever, so callers set a deadline.

    `memory["leader"]` remembers who answered last.
    """
    turn = servers.index(str(memory.get("leader", servers[0])))
    while True:
        server = servers[turn % len(servers)]
        try:
            reply = await host.request(server, body, timeout=ATTEMPT)
        except trio.TooSlowError:
            turn += 1
            continue
        match reply:
            case ("redirect", str(leader)) if leader in servers and leader != server:
                turn = servers.index(leader)
            case ("redirect", _) | ("retry", *_):
                turn += 1
                await trio.sleep(0.02)
            case _:
                memory["leader"] = server
                return reply


async def mallory(host: Host) -> None:
    """Sign documents with every key that comes into her hands, dated in the past, until nobody accepts them any more."""
    async with trio.open_nursery() as nursery:
        while True:
            message = await host.receive()
            match message.body:
                case ("stolen", str(issuer), bytes(secret)):
                    nursery.start_soon(_forge, host, issuer, secret)


async def _forge(host: Host, issuer: str, secret: bytes) -> None:
    memory: dict[str, Value] = {}
    number = 0
    while True:
        number += 1
        document = Document(f"forged-{issuer}-{number}", issuer, "a title to somebody else's land", 0.0)
        submission = ("submit", content_of(issue_document(document, secret)))
        with trio.move_on_after(1.0):
            reply = await ask_cluster(host, host.peers, submission, memory)
            match reply:
                case ("rejected", str(why)) if "revoked" in why:
                    return
        await trio.sleep(PATIENCE)


async def operator(host: Host) -> None:
    """Revoke keys, as told."""
    memory: dict[str, Value] = {}
    async with trio.open_nursery() as nursery:
        while True:
            message = await host.receive()
            match message.body:
                case ("revoke", str(issuer)):
                    nursery.start_soon(ask_cluster, host, host.peers, ("revoke", issuer), memory)
