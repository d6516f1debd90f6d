"""What Raft promises about its insides: four properties, checked online on what hosts say of themselves.

The paper's figure 3 without leader append-only: election safety, log matching, leader completeness, state-machine safety.  They
fail long before a client can notice, and close to the cause.

Hosts tell (`Observe`): `role` and `term` when they change; `log=(first, ((term, chain), ...))`, from index `first` on the log is
now exactly this; `commit=index`; `applied=(index, chain)`, applied up to there.  A **chain** is a hash of an entry and of the
chain before it, so equal chains mean equal prefixes, and whole logs are compared by one string.  A new incarnation starts with
an empty log and tells what it recovered.

Cost: constant for a role or a commit, plus one step per committed term at an election; one dictionary entry per log entry told;
for `applied` constant where another host was there before, else one step per entry.  A hash collision (64 bits) hides a fault.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias, cast

import msgspec

from .history import Event, Observe
from .verdict import Evidence, Status, Verdict

__all__ = ["ElectionSafety", "LeaderCompleteness", "LogMatching", "StateMachineSafety"]

_Told: TypeAlias = tuple[int, tuple[tuple[int, str], ...]]


class _Host:
    """What one incarnation of a host has told.  `chains[i - 1]` is its log's chain at i, empty where it is not known."""

    __slots__ = ("applied", "chains", "incarnation", "leads", "term")

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.leads = False
        self.term = 0
        self.chains: list[str] = []
        self.applied = 0

    def chain(self, index: int) -> str:
        return self.chains[index - 1] if 0 < index <= len(self.chains) else ""

    def replace(self, told: _Told) -> None:
        first, entries = told
        del self.chains[first - 1 :]
        self.chains += [""] * (first - 1 - len(self.chains))
        self.chains += [chain for _, chain in entries]


class _Monitor:
    """Folds observations into hosts, and leaves it to the property what to make of them."""

    name: ClassVar[str]
    promise: ClassVar[str]

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._verdict: Verdict | None = None

    def feed(self, event: Event) -> Verdict | None:
        if type(event) is not Observe:
            return None
        host = self._hosts.get(event.host)
        if host is None or host.incarnation != event.incarnation:
            host = self._hosts[event.host] = _Host(event.incarnation)
        values = event.values
        if "term" in values:
            host.term = cast("int", values["term"])
        if "role" in values:
            host.leads = values["role"] == "leader"
        if "log" in values:
            host.replace(cast("_Told", values["log"]))
        verdict = self.check(event, host)
        self._verdict = self._verdict or verdict
        return verdict

    def finish(self) -> Verdict:
        return self._verdict or Verdict(self.name, Status.VALID, self.promise)

    def check(self, event: Observe, host: _Host) -> Verdict | None:
        raise NotImplementedError

    def violated(self, kind: str, reason: str, lines: tuple[str, ...], *events: Observe) -> Verdict:
        hosts = tuple(dict.fromkeys(event.host for event in events))
        evidence = Evidence(kind, lines, events=tuple(event.index for event in events), hosts=hosts)
        return Verdict(self.name, Status.INVALID, reason, evidence)


def _at(event: Observe) -> str:
    return f"{event.time:.3f} s (event {event.index})"


class ElectionSafety(msgspec.Struct, frozen=True):
    """At most one leader is elected in a term.  A host that leads the same term again after a restart counts as a second.

    Assumes that hosts tell `role` and `term` in one event when both change.  Evidence: `two-leaders`.
    """

    name: ClassVar[str] = "ElectionSafety"

    def start(self) -> _Monitor:
        """A fresh monitor."""
        return _ElectionSafety()


class _ElectionSafety(_Monitor):
    name = ElectionSafety.name
    promise = "no term had two leaders"

    def __init__(self) -> None:
        super().__init__()
        self._leaders: dict[int, Observe] = {}

    def check(self, event: Observe, host: _Host) -> Verdict | None:
        if not host.leads or not ("role" in event.values or "term" in event.values):
            return None
        first = self._leaders.setdefault(host.term, event)
        if (first.host, first.incarnation) == (event.host, event.incarnation):
            return None
        again = " again, after a restart" if first.host == event.host else " too"
        lines = (
            f"{first.host} became leader of term {host.term} at {_at(first)}",
            f"{event.host} became leader of term {host.term}{again}, at {_at(event)}",
            "a majority elected each, so some host voted twice in this term",
        )
        return self.violated("two-leaders", f"term {host.term} had two leaders", lines, first, event)


class LogMatching(msgspec.Struct, frozen=True):
    """If two logs, at whatever times, hold an entry of the same index and term, they are the same up to there.

    Evidence: `log-mismatch`.
    """

    name: ClassVar[str] = "LogMatching"

    def start(self) -> _Monitor:
        """A fresh monitor."""
        return _LogMatching()


class _LogMatching(_Monitor):
    name = LogMatching.name
    promise = "entries of the same index and term had the same logs before them"

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[int, int], tuple[str, Observe]] = {}

    def check(self, event: Observe, host: _Host) -> Verdict | None:  # noqa: ARG002  # the log as told is all it needs
        told = event.values.get("log")
        if told is None:
            return None
        first, entries = cast("_Told", told)
        for index, (term, chain) in enumerate(entries, first):
            other_chain, other = self._seen.setdefault((index, term), (chain, event))
            if other_chain != chain:
                what = f"had an entry of term {term} at index {index}"
                lines = (
                    f"{other.host} {what} at {_at(other)}; its log up to there: {other_chain}",
                    f"{event.host} {what} at {_at(event)}; its log up to there: {chain}",
                    "a leader makes one entry per index and term, so these logs should be the same up to there",
                )
                reason = f"two logs hold different entries, or different prefixes, at index {index} of term {term}"
                return self.violated("log-mismatch", reason, lines, other, event)
        return None


class LeaderCompleteness(msgspec.Struct, frozen=True):
    """An entry that is committed in some term is in the log of every leader of a later term.

    A host of term t that tells of a commit knows it from a leader of term t at most, so leaders of terms above t must have it,
    whether they were elected before or after it was told.  Evidence: `leader-lacks-committed`.
    """

    name: ClassVar[str] = "LeaderCompleteness"

    def start(self) -> _Monitor:
        """A fresh monitor."""
        return _LeaderCompleteness()


class _Commit(msgspec.Struct, frozen=True):
    index: int
    term: int
    chain: str
    event: Observe


class _Leader(msgspec.Struct, frozen=True):
    term: int
    chains: tuple[str, ...]
    event: Observe


class _LeaderCompleteness(_Monitor):
    name = LeaderCompleteness.name
    promise = "every leader had all entries that were committed in earlier terms"

    def __init__(self) -> None:
        super().__init__()
        self._commits: dict[int, _Commit] = {}
        """By term, the farthest told in it: its chain stands for those before."""
        self._leaders: dict[int, _Leader] = {}

    def check(self, event: Observe, host: _Host) -> Verdict | None:
        values = event.values
        if host.leads and ("role" in values or "term" in values):
            leader = self._leaders[host.term] = _Leader(host.term, tuple(host.chains), event)
            for commit in self._commits.values():
                if commit.term < leader.term and (verdict := self._compare(commit, leader, event)):
                    return verdict
        if "commit" in values:
            index = cast("int", values["commit"])
            commit = _Commit(index, host.term, host.chain(index), event)
            known = self._commits.get(host.term)
            if commit.chain and (known is None or known.index < index):
                self._commits[host.term] = commit
                for leader in self._leaders.values():
                    if commit.term < leader.term and (verdict := self._compare(commit, leader, event)):
                        return verdict
        return None

    def _compare(self, commit: _Commit, leader: _Leader, last: Observe) -> Verdict | None:
        index = commit.index
        there = leader.chains[index - 1] if index <= len(leader.chains) else None
        if there in (commit.chain, ""):
            return None
        knew = f"{commit.event.host} knew index {index} to be committed in term {commit.term}"
        log = f"another log up to there: {there}" if there else f"nothing there: its log ended at {len(leader.chains)}"
        lines = (
            f"{knew} at {_at(commit.event)}; its log up to there: {commit.chain}",
            f"{leader.event.host} became leader of term {leader.term} at {_at(leader.event)}, with {log}",
        )
        reason = f"{leader.event.host} led term {leader.term} without what was committed at index {index} in term {commit.term}"
        first = leader.event if last is commit.event else commit.event
        return self.violated("leader-lacks-committed", reason, lines, first, last)


class StateMachineSafety(msgspec.Struct, frozen=True):
    """No two hosts, and no two incarnations of one, apply different entries at the same index.  Evidence: `applied-differs`."""

    name: ClassVar[str] = "StateMachineSafety"

    def start(self) -> _Monitor:
        """A fresh monitor."""
        return _StateMachineSafety()


class _StateMachineSafety(_Monitor):
    name = StateMachineSafety.name
    promise = "all hosts applied the same entries in the same order"

    def __init__(self) -> None:
        super().__init__()
        self._applied: dict[int, tuple[str, Observe]] = {}

    def check(self, event: Observe, host: _Host) -> Verdict | None:
        applied = event.values.get("applied")
        if applied is None:
            return None
        last, chain = cast("tuple[int, str]", applied)
        first, host.applied = min(host.applied + 1, last), last
        known = self._applied.get(last)
        if known is not None and known[0] == chain:
            return None
        for index in range(first, last + 1):
            here = chain if index == last else host.chain(index)
            if not here:
                continue
            there, other = self._applied.setdefault(index, (here, event))
            if there != here:
                lines = (
                    f"{other.host} had applied index {index} by {_at(other)}; its log up to there: {there}",
                    f"{event.host} had applied index {index} by {_at(event)}; its log up to there: {here}",
                )
                reason = f"{other.host} and {event.host} applied different entries at index {index}, or before it"
                return self.violated("applied-differs", reason, lines, other, event)
        return None
