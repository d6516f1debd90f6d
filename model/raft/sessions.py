"""Client sessions: a command that is retried takes effect once.

A client numbers its requests and repeats one under the same number until it has an answer.  Any leader may append the repetition
to the log again; the state machine, on every host alike, applies the first occurrence and answers the others with its result
(Ongaro's thesis, 6.3).  The table is part of the state machine's state: it is rebuilt by applying the log.

Cost: one table entry per request for as long as the host lives.  Results of old requests are kept, so that repetitions may
come in any order and clients need not say which answers they have seen.
"""

from __future__ import annotations

import msgspec

from ...properties.history import Value

__all__ = ["Request", "SessionTable"]


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A command with its session: the client's name, and the client's number for it, the same in each repetition."""

    client: str
    number: int
    command: Value


class SessionTable:
    """Results by (client, number)."""

    def __init__(self) -> None:
        self._results: dict[tuple[str, int], Value] = {}

    def seen(self, request: Request) -> bool:
        """True if the request has taken effect."""
        return (request.client, request.number) in self._results

    def result(self, request: Request) -> Value:
        """What a request that was seen was answered."""
        return self._results[request.client, request.number]

    def remember(self, request: Request, result: Value) -> None:
        """The request has taken effect, with this result."""
        self._results[request.client, request.number] = result
