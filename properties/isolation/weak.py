"""Weak isolation, decided exactly: monotonic atomic view, read atomic and causal consistency.

The graph of dependencies cannot decide these levels, for two reasons.  They allow cycles in which reads are older than what the
transaction could have seen, and ask only that reads agree with each other.  And of registers most of the order of versions is unknown:
here any order will do that some commit order allows.  A history has the level if transactions can be put into one **commit order**
that respects who read from whom, and in which what a transaction read is the newest of what was *visible* to it, which is

=================================================  ==================================================================================
`monotonic-atomic-view`                            what is written by those from which it had read before (Bailis et al. 2014)
`strong-session-monotonic-atomic-view`             the same, and the commit order respects sessions
`read-atomic`                                      what is written by those from which it reads at all, and earlier in its session
`causal-consistency`                               what precedes it by any path of sessions and reads
=================================================  ==================================================================================

The last three are what Biswas & Enea (2019) and AWDIT (Møldrup & Pavlogiannis, PLDI 2025) call read committed, read atomic and causal
consistency.  Adya's read committed is weaker than theirs (two reads of one transaction may go back in time), and keeps its name here.
In read atomicity and causality the order of a session is always part (Cerone et al. 2015).  A session is a process: where an outcome is
unknown the client goes on under another name, so the session ends there, which accuses nobody wrongly.

The algorithms are AWDIT's.  If somebody read `x` from A, and B, which wrote `x` too, was visible, B commits before A; the level
holds if and only if these edges make no circle (`arbitration.py`).  For the first three, one intersection of the keys that B wrote with
those that the reader read, the smaller of the two by steps: n^1.5 micro-operations at worst.  For causality vector clocks, n times
sessions.  Of lists the order of versions is known in part, and is respected too.

Each level implies the one above it in the table, so a valid history is looked at once, for causality.  Transactions of unknown outcome
count once their writes were seen; what they read is unknown, and nothing in their session follows, so both choices are exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import pairwise

from ..history import Value, render
from .anomalies import Anomaly, Step
from .arbitration import BEGINNING, Arbitration, Edge, Visibility, path
from .dependencies import KIND, SHIFT, WW
from .transactions import Transactions, told_of

__all__ = ["WEAK", "weak_anomaly"]

SESSION, READ, VERSION = -1, -2, -3
"""Why one transaction commits before another, where nobody's read shows it: kinds of edges for `Arbitration`."""

WEAK = {
    "OTV": "monotonic-atomic-view",
    "OTV-process": "strong-session-monotonic-atomic-view",
    "fractured-read": "read-atomic",
    "causality-violation": "causal-consistency",
}
"""The anomalies, and the weakest level that each rules out; "observed transaction vanishes" and "fractured read" are Bailis's names."""


class Commits:
    """What is known of a history: who wrote, who read what from whom, and sessions."""

    def __init__(self, history: Transactions) -> None:
        self.history = history
        operations = history.operations
        count = len(operations)
        self.counting = [history.committed(number) for number in range(count)]
        self.reads: list[list[tuple[Value, int]]] = [
            history.observed(number) if counts and operations[number].ok else [] for number, counts in enumerate(self.counting)
        ]
        nobody: dict[Value, None] = {}
        self.writes = [history.written(number) if counts else nobody for number, counts in enumerate(self.counting)]
        self.sessions = [-1] * count
        self.before = [-1] * count
        names: dict[str, int] = {}
        last: dict[int, int] = {}
        for number, operation in enumerate(operations):
            if self.counting[number]:
                session = self.sessions[number] = names.setdefault(operation.process, len(names))
                self.before[number] = last.get(session, -1)
                last[session] = number

    def arbitration(self, *, sessions: bool) -> Arbitration:
        """What every commit order respects."""
        found = Arbitration(len(self.reads))
        for number, reads in enumerate(self.reads):
            for writer in dict.fromkeys(writer for _key, writer in reads):
                if writer != BEGINNING:
                    found.add(writer, number, READ)
        for number in range(len(self.reads)):
            for edge in self.history.dependencies.successors[number]:
                if edge & KIND == WW:
                    found.add(number, edge >> SHIFT, VERSION)
        if sessions:
            for number, before in enumerate(self.before):
                if before >= 0:
                    found.add(before, number, SESSION)
        return found

    def predecessors(self) -> list[list[int]]:
        """For each transaction those from which it read, and the one before it in its session."""
        rows = [[*dict.fromkeys(writer for _key, writer in reads if writer != BEGINNING)] for reads in self.reads]
        for row, before in zip(rows, self.before, strict=True):
            if before >= 0 and before not in row:
                row.append(before)
        return rows


def weak_anomaly(history: Transactions) -> Anomaly | None:
    """The gravest of the anomalies of these levels; None if there is none, or if sessions and reads go in a circle, which is G1c."""
    commits = Commits(history)
    causal = _causal(commits)
    if causal is not None and not _broken(causal):
        return None
    found: tuple[str, Arbitration] | None = None if causal is None else ("causality-violation", causal)
    steps: tuple[tuple[str, Callable[[], Arbitration]], ...] = (
        ("fractured-read", lambda: _atomic(commits)),
        ("OTV-process", lambda: _monotonic(commits, sessions=True)),
        ("OTV", lambda: _monotonic(commits, sessions=False)),
    )
    for kind, look in steps if causal is not None else steps[2:]:
        arbitration = look()
        if not _broken(arbitration):
            break
        found = kind, arbitration
    return None if found is None else _told(commits, *found)


def _broken(arbitration: Arbitration) -> bool:
    return arbitration.vanished is not None or arbitration.circular()


def _monotonic(commits: Commits, *, sessions: bool) -> Arbitration:
    """Whatever a transaction read from somebody is followed by reads that see all that somebody wrote."""
    found = commits.arbitration(sessions=sessions)
    for number, reads in enumerate(commits.reads):
        if len(reads) < 2:
            continue
        places: dict[Value, list[int]] = {}
        for place, (key, _writer) in enumerate(reads):
            places.setdefault(key, []).append(place)
        changes = {key: _changes(row, reads) for key, row in places.items() if len(row) > 1}
        met: set[int] = {BEGINNING}
        for place, (_key, seen) in enumerate(reads):
            if seen in met:
                continue
            met.add(seen)
            for key in _common(commits.writes[seen], places):
                # Later reads of the key follow from the first that is of somebody else.
                row = places[key]
                at = bisect_right(row, place)
                if at < len(row) and reads[row[at]][1] == seen:
                    at = changes[key][at] if key in changes else len(row)
                if at < len(row):
                    found.overwritten(seen, reads[row[at]][1], number)
    return found


def _changes(row: list[int], reads: list[tuple[Value, int]]) -> list[int]:
    """For each read of a key the next one of it that saw another's version, by their numbers."""
    found = [len(row)] * len(row)
    for at in reversed(range(len(row) - 1)):
        same = reads[row[at]][1] == reads[row[at + 1]][1]
        found[at] = found[at + 1] if same else at + 1
    return found


def _atomic(commits: Commits) -> Arbitration:
    """A transaction sees all or nothing of another, and all of its session's earlier ones."""
    found = commits.arbitration(sessions=True)
    latest: list[dict[Value, int]] = [{} for _ in range(max(commits.sessions, default=-1) + 1)]
    for number, reads in enumerate(commits.reads):
        if commits.sessions[number] < 0:
            continue
        own = latest[commits.sessions[number]]
        writers: dict[Value, list[int]] = {}
        for key, writer in reads:
            if writer not in writers.setdefault(key, []):
                writers[key].append(writer)
        for key, several in writers.items():
            for writer in several:
                if own.get(key, writer) != writer:
                    found.overwritten(own[key], writer, number)
        for seen in dict.fromkeys(writer for _key, writer in reads if writer != BEGINNING):
            for key in _common(commits.writes[seen], writers):
                for writer in writers[key]:
                    if writer != seen:
                        found.overwritten(seen, writer, number)
        own.update(dict.fromkeys(commits.writes[number], number))
    return found


def _causal(commits: Commits) -> Arbitration | None:
    """Everything on a path to a transaction is visible to it.  None: paths go in a circle."""
    found = commits.arbitration(sessions=True)
    marks = ((number, key, number) for number, keys in enumerate(commits.writes) for key in keys)
    visibility = Visibility(commits.predecessors(), commits.sessions)
    return found if visibility.edges(commits.reads, marks, found) else None


def _common(keys: dict[Value, None], others: dict[Value, list[int]]) -> Iterator[Value]:
    """The keys in both, by steps through the smaller."""
    if len(keys) <= len(others):
        return (key for key in keys if key in others)
    return (key for key in others if key in keys)


# -- words --------------------------------------------------------------------------------------------


def _told(commits: Commits, kind: str, arbitration: Arbitration) -> Anomaly:
    """An anomaly in words."""
    words = Words(commits, kind)
    edges = arbitration.circle()
    if edges is None:
        assert arbitration.vanished is not None
        write, reader = arbitration.vanished
        edges = [*words.way(write, reader), (reader, write, reader)]
    steps = tuple(words.step(edge) for edge in edges)
    involved = dict.fromkeys([source for source, _target, _why in edges] + [why for *_ends, why in edges if why >= 0])
    operations = commits.history.operations
    lines = [told_of(operations[number]) for number in involved]
    lines += [f"T{step.before} before T{step.after}: {step.why}" for step in steps]
    return Anomaly(kind, tuple(lines), tuple(operations[number].id for number in involved), steps)


class Words:
    """Edges in words, for one kind of anomaly."""

    def __init__(self, commits: Commits, kind: str) -> None:
        self._commits = commits
        self._kind = kind

    def step(self, edge: Edge) -> Step:
        """An edge in words."""
        source, target, why = edge
        kind = {SESSION: "process", READ: "wr", VERSION: "ww"}.get(why, "rw" if why == source else "ww")
        operations = self._commits.history.operations
        return Step(operations[source].id, operations[target].id, kind, self._why(*edge))

    def _why(self, source: int, target: int, why: int) -> str:
        history = self._commits.history
        one, other = history.name(source), history.name(target)
        if why == SESSION:
            return f"{history.operations[source].process} ran {one} and then {other}"
        if why == READ:
            key = next(key for key, writer in self._commits.reads[target] if writer == source)
            return f"{other} read {render(key)} as {one} had left it"
        if why == VERSION:
            return history.why(source, target, WW)
        if why == source:  # a read of what was there in the beginning
            key = next(key for key, writer in self._commits.reads[why] if writer == BEGINNING and key in self._commits.writes[target])
            return f"{one} read {render(key)} as it was in the beginning, before {other} wrote it"
        reader = history.name(why)
        key = self._key(source, target, why)
        return f"both wrote {render(key)}; {reader} read it as {other} had left it, although {self._seen(source, why)}"

    def _key(self, write: int, later: int, reader: int) -> Value:
        """The key of which a reader saw the later version."""
        written = self._commits.writes[write]
        shared = [key for key, writer in self._commits.reads[reader] if writer == later and key in written]
        if self._kind.startswith("OTV"):
            first = next(place for place, (_key, writer) in enumerate(self._commits.reads[reader]) if writer == write)
            after = [key for key, writer in self._commits.reads[reader][first + 1 :] if writer == later and key in written]
            return (after or shared)[0]
        return shared[0]

    def _seen(self, write: int, reader: int) -> str:
        """Why a write was visible to a reader."""
        history, commits = self._commits.history, self._commits
        read = next((key for key, writer in commits.reads[reader] if writer == write), None)
        if any(writer == write for _key, writer in commits.reads[reader]):
            earlier = " before that" if self._kind.startswith("OTV") else ""
            return f"it read {render(read)} from {history.name(write)}{earlier}"
        one, other = history.operations[write], history.operations[reader]
        if one.process == other.process:
            return f"{one.process} had run {history.name(write)} before"
        way = [history.name(number) for number in path(commits.predecessors(), write, reader)]
        shown = way if len(way) <= 8 else [*way[:4], "...", *way[-3:]]
        return f"{history.name(write)} led to it ({', '.join(shown)}: each read from the one before it, or followed it in its session)"

    def way(self, write: int, reader: int) -> list[Edge]:
        """The edges of a path along which a write is visible to a reader."""
        commits = self._commits
        if any(writer == write for _key, writer in commits.reads[reader]):
            return [(write, reader, READ)]
        nodes = path(commits.predecessors(), write, reader)
        return [(one, other, READ if any(w == one for _k, w in commits.reads[other]) else SESSION) for one, other in pairwise(nodes)]
