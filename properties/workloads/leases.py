"""Leases: locks that end by themselves, and the fencing tokens that make that safe.

That a lease ends after a while is a statement about clocks, so unlike a mutex it is no sequential specification: it is judged by
times, in (virtual) seconds, as well as by the order of events.  What is claimed is what nobody can explain away:

- A holder **has** its lease from the end of `acquire` (or `renew`) on: until it begins to `release` it, and no longer than until the
  expiry that it was told, or the duration after the *beginning* of its call, which is when a careful holder starts its watch.
  Clocks may differ by `bound` seconds, so the last `bound` seconds count for nothing.
- Two holders must never have the lease at once.
- Tokens rise from grant to grant: one that was given after another had been given is greater.
- The resource refuses old tokens: a `write` that began after one with a greater token had ended must not be `ok`; with `strict`, nor one
  that began after a greater token had been given out.  That is Kleppmann's condition ("How to do distributed locking", 2016), and is
  what protects the resource however wrong the clocks are.

An `acquire` or `renew` with an unknown outcome gives nobody anything that it knows of; a `write` with one says nothing.  A `release` with
an unknown outcome may end this lease or any later one of its client, and one at the same time as an `acquire` may end what that
gave; so such leases are not counted as held.  A failed operation did not happen.

`FencedMutex` is the mutex with tokens, where leases do not end by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import islice
from typing import ClassVar, NamedTuple

from ..history import Operation, Outcome, Value, render
from ..specification import SpecificationError
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .shapes import malformed, mapping
from .workload import Workload

__all__ = ["Lease"]

TOKEN = ("token", "fence", "epoch")
EXPIRES = ("expires", "expiry", "deadline")
DURATION = ("duration", "ttl")
LEASE = ("lease", "key", "name")
COMPARED = 4
"""With how many other holders a new one is compared, if it has company."""

KINDS = ("overlapping-leases", "stale-token", "token-reused", "token-not-rising")


@dataclass(frozen=True)
class Lease(Workload):
    """A lease has one holder at a time, and old tokens are refused: `acquire(client) -> token`, `renew`, `release`, `write((token, x))`.

    The argument of the first three is the client, or a map with `client`, `lease` (if there are several) and `duration`; nothing: the
    process.  Their result is a token, (token, expires), or a map with `token`, `expires` (in the seconds of the history) and `duration`.
    A write's argument is a token, (token, ...) or a map with `token` and `lease`.  `duration` is that of leases that name none.

    Formula: see the module, which says when a lease is held.  Cost: O(n log n).

    The evidence's kind is `overlapping-leases`, `stale-token`, `token-reused` (two holders got the same) or `token-not-rising`.
    """

    duration: float | None = None
    bound: float = 0.0
    strict: bool = False

    functions: ClassVar[frozenset[str]] = frozenset({"acquire", "renew", "release", "write"})
    lasting: ClassVar[frozenset[str]] = frozenset(KINDS)

    def __post_init__(self) -> None:
        """Refuses spans of time that are none.

        Raises:
            SpecificationError: a duration or bound is below nothing.
        """
        if (self.duration is not None and not self.duration > 0) or not self.bound >= 0:
            raise SpecificationError("Lease: a duration is more than 0 seconds, and a bound on clocks at least 0")

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, *KINDS)
        timed = any(one.completed_at for one in operations)
        leases: dict[Value, _Lease] = {}
        grants = endless = 0
        begun: dict[int, tuple[_Call, _Token | None, _Token | None]] = {}
        for beginning, one in _events(operations):
            if beginning:
                call = self._call(one)
                lease = leases.setdefault(call.lease, _Lease())
                begun[one.id] = call, lease.given, lease.written
                if one.function == "release":
                    lease.begin_release(call.client)
                continue
            call, given, written = begun.pop(one.id)
            lease = leases[call.lease]
            if one.function == "release":
                lease.end_release(one, call.client)
            elif one.function == "write":
                lease.write(one, call, (written, given) if self.strict else (written,), findings)
            else:
                grants += 1
                until = self._until(one, call) if timed else None
                endless += until is None
                lease.give(one, call, given, until, findings)
        if findings:
            return findings.verdict()
        tokens = any(lease.given or lease.written for lease in leases.values())
        if grants and endless == grants:
            why = "how long (duration says that of all)" if timed else "when, as the history has no times"
            if not tokens:
                return self._unknown(f"none of {counted(grants, 'grant')} says {why}, and none has a token")
            return self._unknown(f"tokens rise and old ones are refused, but none of {counted(grants, 'grant')} says {why}")
        some = f" ({endless} of them without an end, which were not compared)" if endless else ""
        return self._valid(f"{counted(grants, 'grant')}, no two at once{some}{'; tokens rise and old ones are refused' if tokens else ''}")

    def _call(self, one: Operation) -> _Call:
        argument, result = one.argument, one.result if one.ok else None
        asked = mapping(argument) or {}
        if one.function == "write":
            token = _first(asked, TOKEN)
            if not asked:
                token = argument[0] if isinstance(argument, tuple) and argument else argument
            return _Call(None, _first(asked, LEASE), self._number(one, token), None, None)
        told = mapping(result) or {}
        client = asked.get("client") if asked else argument
        token, expires, duration = _first(told, TOKEN), _first(told, EXPIRES), _first(told, DURATION)
        if not told:
            token, expires = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        return _Call(
            one.process if client is None else client,
            _first(asked, LEASE),
            self._number(one, token),
            self._number(one, expires),
            self._number(one, _first(asked, DURATION) if duration is None else duration),
        )

    def _number(self, one: Operation, value: Value) -> float | None:
        if value is None or isinstance(value, bool | str):
            return None
        if not isinstance(value, int | float):
            raise malformed(self.name, one, f"tokens and times are numbers, and {render(value)} is none")
        return value

    def _until(self, one: Operation, call: _Call) -> float | None:
        """Until when the holder surely has the lease, if it does not release it; None if nobody says."""
        duration = self.duration if call.duration is None else call.duration
        ends = [one.invoked_at + duration] if duration is not None else []
        ends += [call.expires] if call.expires is not None else []
        return min(ends) - self.bound if ends else None


class _Call(NamedTuple):
    client: Value
    lease: Value
    token: float | None
    expires: float | None
    duration: float | None


class _Token(NamedTuple):
    """The greatest token so far, and the operation that had it."""

    token: float
    operation: Operation
    client: Value


@dataclass
class _Lease:
    """One lease, as the events so far tell of it."""

    given: _Token | None = None
    written: _Token | None = None
    _holders: dict[Value, tuple[float, Operation]] = field(default_factory=dict)
    _ends: list[tuple[float, int, Value]] = field(default_factory=list)
    _owners: dict[float, tuple[Value, Operation]] = field(default_factory=dict)
    _releasing: dict[Value, int] = field(default_factory=dict)
    _released: dict[Value, int] = field(default_factory=dict)

    def begin_release(self, client: Value) -> None:
        """The holder, or somebody in its name, began to give the lease back.  What has no known outcome goes on for ever."""
        self._holders.pop(client, None)
        self._releasing[client] = self._releasing.get(client, 0) + 1

    def end_release(self, one: Operation, client: Value) -> None:
        """The lease was given back."""
        self._releasing[client] -= 1
        self._released[client] = one.completed or 0

    def give(self, one: Operation, call: _Call, before: _Token | None, until: float | None, findings: Findings) -> None:
        """The lease was given, or kept, when `before` was the greatest token that had been given before the call."""
        if call.token is not None:
            self._compare(one, call, call.token, before, findings)
        now = one.completed_at
        # What is released at the same time may be this very grant.
        doubtful = self._releasing.get(call.client, 0) > 0 or self._released.get(call.client, -1) > one.invoked
        if until is None or now is None or until <= now or doubtful:
            return
        while self._ends and self._ends[0][0] <= now:
            end, _order, client = heappop(self._ends)
            if client in self._holders and self._holders[client][0] == end:
                del self._holders[client]
        for client, (end, other) in islice(self._holders.items(), COMPARED):
            if client != call.client and end > now:
                findings.note("overlapping-leases", partial(_overlap, other, client, end, one, call.client), other, one)
        self._holders[call.client] = until, one
        heappush(self._ends, (until, one.id, call.client))

    def _compare(self, one: Operation, call: _Call, token: float, before: _Token | None, findings: Findings) -> None:
        owner, first = self._owners.setdefault(token, (call.client, one))
        if owner != call.client:
            told = partial("token {} was given to {} by {} and to {} by {}".format, token, owner, ended(first), call.client, ended(one))
            findings.note("token-reused", told, first, one)
        elif before is not None and (token < before.token or (token == before.token and before.client != call.client)):
            told = partial("{} got token {}, and {} had got {} before".format, ended(one), token, ended(before.operation), before.token)
            findings.note("token-not-rising", told, before.operation, one)
        if self.given is None or token > self.given.token:
            self.given = _Token(token, one, call.client)

    def write(self, one: Operation, call: _Call, before: Sequence[_Token | None], findings: Findings) -> None:
        """A write was accepted, when `before` were the greatest tokens known before it began."""
        if call.token is None:
            return
        newer = next((seen for seen in before if seen is not None and seen.token > call.token), None)
        if newer is not None:
            then = ended(newer.operation)
            told = partial("{} was accepted with token {}, after {} with {}".format, ended(one), call.token, then, newer.token)
            findings.note("stale-token", told, newer.operation, one)
        if self.written is None or call.token > self.written.token:
            self.written = _Token(call.token, one, None)


def _first(fields: Mapping[Value, Value], names: Sequence[str]) -> Value:
    """What stands under the first of these names that is there."""
    return next((fields[name] for name in names if name in fields), None) if fields else None


def _overlap(other: Operation, client: Value, end: float, one: Operation, holder: Value) -> str:
    return f"{ended(one)} gave the lease to {holder}, while {client} has it from {ended(other)} until {end:.6g} s"


def _events(operations: Sequence[Operation]) -> Iterator[tuple[bool, Operation]]:
    """Beginnings and ends of operations in the order of events: all beginnings of calls that may count, and all `ok` ends."""
    events = [(one.invoked, True, one) for one in operations if one.outcome is not Outcome.FAIL]
    events += [(one.completed, False, one) for one in operations if one.ok and one.completed is not None]
    events.sort(key=lambda event: event[0])
    return ((beginning, one) for _index, beginning, one in events)
