"""Orders of versions that nobody read, and that consistent view forces all the same.

Two transactions wrote a key, and no read shows who came first.  If one order would make a cycle with at most one `rw` edge, it is the
other, wherever such cycles are forbidden: in consistent view and all that implies it, and in repeatable read, which forbids more.  So

- if T read something that U overwrote (`rw` from T to U), and both wrote some key, T came first there: U before T would be
  G-single, as T's version would follow U's.  A database that promises snapshots calls this first committer wins;
- if R read `x` from A, and anything from B, which wrote `x` too, B came first there: A before B would mean that R, which saw B, read what B
  had overwritten, again G-single;
- who read a version that is now known to come before another did not see that one, so there are more `rw` edges.

Each edge is true in every order of versions that has no such cycle.  So a cycle that needs these edges shows that every order has a
cycle: a G-single at least, whatever its own kind is, as the last alternative is one.  It rules out consistent view and what is
stronger, and nothing that is weaker.

Deciding these levels where the order of versions is unknown is NP-complete (Papadimitriou 1979; Biswas & Enea 2019), so these rules do not
find everything; what they find of small histories is compared with all orders in `tests/properties`.

Cost: pairs of readers and writers of one version, and micro-operations times the transactions that one read from; at most `EFFORT` pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..history import Value, render
from .arbitration import BEGINNING
from .dependencies import KIND, RW, SHIFT, WW
from .transactions import Transactions

__all__ = ["Forced", "at_least_single"]

EFFORT = 1_000_000
"""How many pairs of transactions are looked at."""


def at_least_single(kind: str) -> str:
    """What a cycle of this kind shows, if some of its edges only exist where no cycle has fewer than two `rw` edges."""
    graver = next((cycle for cycle in ("G0", "G1c") if kind.startswith(cycle)), None)
    return kind if graver is None else f"G-single{kind.removeprefix(graver)}"


class Reason(NamedTuple):
    """Why an edge is forced: `key` is what both wrote, and `reader` who shows it."""

    rule: str
    key: Value
    reader: int


class Forced:
    """The forced edges of a history, put among its dependencies when this is made.  `reasons` says why, by source, target and kind."""

    def __init__(self, history: Transactions) -> None:
        self.reasons: dict[tuple[int, int, int], Reason] = {}
        self._history = history
        self._dependencies = history.dependencies
        count = history.dependencies.transactions
        counting = [history.committed(number) for number in range(count)]
        nothing: dict[Value, None] = {}
        self._writes = [history.written(number) if counts else nothing for number, counts in enumerate(counting)]
        reads = [history.observed(number) if counts and history.operations[number].ok else [] for number, counts in enumerate(counting)]
        self._readers: dict[tuple[Value, int], list[int]] = {}
        for number, row in enumerate(reads):
            for key, writer in row:
                self._readers.setdefault((key, writer), []).append(number)
        self._effort = EFFORT
        self._fresh: list[tuple[int, int]] = []  # `rw` edges that nothing was concluded from yet
        for number, row in enumerate(reads):
            self._see_all(number, row)
        for number in range(count):
            for other in self._overwriting(number):
                self._overwritten(number, other)
            while self._fresh:
                self._overwritten(*self._fresh.pop())

    def why(self, source: int, target: int, kind: int) -> str | None:
        """Why an edge is forced, in words; None if it is not."""
        reason = self.reasons.get((source, target, kind))
        if reason is None:
            return None
        one, other, key = self._history.name(source), self._history.name(target), render(reason.key)
        if reason.rule == "overwritten":
            return f"both wrote {key}, {one} first, as it did not see all that {other} wrote"
        writer = self._history.name(reason.reader)
        if reason.rule == "seen":
            return f"both wrote {key}, {one} first, as {writer} read from {one} and read {key} as {other} had left it"
        return f"{one} read {key} as {writer} had left it, before {other} wrote it"

    def _see_all(self, reader: int, reads: list[tuple[Value, int]]) -> None:
        """Of whom it reads anything, all is visible to it."""
        seen = dict.fromkeys(writer for _key, writer in reads if writer != BEGINNING)
        if len(seen) < 2:
            return
        for key, writer in reads:
            for other in seen if writer != BEGINNING else ():
                self._effort -= 1
                if other != writer and key in self._writes[other]:
                    self._put(other, writer, Reason("seen", key, reader))

    def _overwriting(self, number: int) -> Iterator[int]:
        """Who wrote the version after one that this one read."""
        successors, count = self._dependencies.successors, self._dependencies.transactions
        for edge in [edge for edge in successors[number] if edge & KIND == RW]:
            target = edge >> SHIFT
            if target < count:
                yield target
            else:
                yield from [after >> SHIFT for after in successors[target]]

    def _overwritten(self, number: int, other: int) -> None:
        """An `rw` edge: the order of what both wrote."""
        self._effort -= 1
        if self._effort > 0:
            mine, theirs = self._writes[number], self._writes[other]
            for key in mine if len(mine) < len(theirs) else theirs:
                if key in mine and key in theirs:
                    self._put(number, other, Reason("overwritten", key, number))

    def _put(self, source: int, target: int, reason: Reason) -> None:
        """`source` wrote a key before `target` did; so who read it then did not see what `target` wrote."""
        if not self._add(source, target, WW, reason):
            return
        for reader in self._readers.get((reason.key, source), ()):
            if reader != target and self._add(reader, target, RW, Reason("left", reason.key, source)):
                self._fresh.append((reader, target))

    def _add(self, source: int, target: int, kind: int, reason: Reason) -> bool:
        """True if the edge is new."""
        if source == target or (source, target, kind) in self.reasons or target << SHIFT | kind in self._dependencies.successors[source]:
            return False
        self.reasons[source, target, kind] = reason
        self._dependencies.add(source, target, kind)
        return True
