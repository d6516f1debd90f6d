"""Long forks: two reads that see two writes in opposite orders (Jepsen's `long-fork`).

Each key is written once.  A read of several keys shows which of them were written by then; if one read shows x and not y, and another
y and not x, there is no order of the two writes that both agree with.  Parallel snapshot isolation allows that, snapshot isolation
does not.

Reads of one group of keys are free of forks if the sets of keys that they show are a chain, each inside the next larger one; so it is
enough to compare neighbours, after sorting by size, where Jepsen compares all pairs.  In a chain each key has a rank, the place of
the first read that shows it.  Two groups that share keys are free of forks if no two of those keys have opposite ranks in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, pairwise
from typing import ClassVar

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .shapes import malformed
from .workload import Workload

__all__ = ["LongFork"]

COMPARED = 200_000
"""How many keys of two overlapping groups are compared at most; where all reads are of the same groups, none are."""

NEVER = 1 << 62


@dataclass(frozen=True)
class LongFork(Workload):
    """No two reads see two writes in opposite orders: `txn((("w", k, v),))` and `txn((("r", k1, None), ("r", k2, None)))`.

    Formula: there are no reads R and S and keys x and y such that R shows a value of x and none of y, and S one of y and none of x; a
    read shows no value that nobody had begun to write by then, or whose write failed.  A key that is written twice makes the
    verdict `unknown`, as nobody can tell from a read which write it saw first.  Cost: O(n log n) and what was read; overlapping
    groups are compared in pairs, up to a limit beyond which the verdict is `unknown`.

    The evidence's kind is `long-fork`, `unexpected` or `aborted-read`.
    """

    functions: ClassVar[frozenset[str]] = frozenset({"txn"})
    lasting: ClassVar[frozenset[str]] = frozenset({"long-fork", "unexpected", "aborted-read"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "long-fork", "unexpected", "aborted-read")
        writes: dict[Value, Operation] = {}
        failed: dict[tuple[Value, Value], Operation] = {}
        reads: list[Operation] = []
        for one in operations:
            written = self._write(one)
            if written is None:
                if one.ok:
                    reads.append(one)
            elif one.outcome is Outcome.FAIL:
                failed.setdefault(written, one)
            else:
                key = written[0]
                if key in writes:
                    both = f"{ended(writes[key])} and {ended(one)}"
                    return self._unknown(f"{render(key)} is written twice, by {both}: a read does not say which came first")
                writes[key] = one
        groups: dict[tuple[Value, ...], _Group] = {}
        for read in reads:
            told = self._read(read)
            keys = tuple([part[1] for part in told])
            group = groups.get(keys)
            if group is None:
                group = groups[keys] = _Group()
            there = [part for part in told if part[2] is not None]
            group.shown.setdefault(frozenset([part[1] for part in there]), read)
            for _function, key, value in there:
                self._written(read, key, value, writes.get(key), failed, findings)
        enough = _compare(groups, findings)
        if findings:
            return findings.verdict()
        if not enough:
            return self._unknown(f"reads are of too many overlapping groups of keys to compare them all ({COMPARED} keys compared)")
        if not reads:
            return self._unknown("nothing was ever read")
        return self._valid(f"{counted(len(reads), 'read')} that agree on an order of the writes")

    def _write(self, operation: Operation) -> tuple[Value, Value] | None:
        """The key and value of a write; None if it is a read.

        Raises:
            SpecificationError: it is neither.
        """
        asked = operation.argument
        if isinstance(asked, tuple) and asked:
            functions = [part[0] if isinstance(part, tuple) and len(part) == 3 else None for part in asked]
            if functions.count("r") == len(functions):
                return None
            if len(functions) == 1 and functions[0] in ("w", "append"):
                return asked[0][1], asked[0][2]
        raise malformed(self.name, operation, "a transaction is either one write, (w, key, value), or reads only, (r, key, nil)")

    def _read(self, operation: Operation) -> tuple[tuple[Value, Value, Value], ...]:
        told = operation.result
        if isinstance(told, tuple):
            for part in told:
                if not isinstance(part, tuple) or len(part) != 3:
                    break
            else:
                return told
        raise malformed(self.name, operation, "a read returns its micro-operations with what they read")

    @staticmethod
    def _written(
        read: Operation,
        key: Value,
        value: Value,
        write: Operation | None,
        failed: dict[tuple[Value, Value], Operation],
        findings: Findings,
    ) -> None:
        """Note a value that this read cannot have seen."""
        asked = () if write is None or write.invoked > (read.completed or 0) else write.argument
        if asked and isinstance(asked, tuple) and asked[0][2] == value:
            return
        what, culprit = f"{render(key)} = {render(value)}", failed.get((key, value))
        if culprit is not None:
            findings.note("aborted-read", lambda: f"{ended(read)} shows {what}, which {ended(culprit)} did not write", culprit, read)
        else:
            findings.note("unexpected", lambda: f"{ended(read)} shows {what}, which nobody had written by then", read)


@dataclass
class _Group:
    """Reads of the same keys.

    `shown` maps the keys that a read shows to the first read that shows just these.  `reads` has them in order of size, and `first` the
    number of the first of those that shows a key.
    """

    shown: dict[frozenset[Value], Operation] = field(default_factory=dict)
    reads: list[Operation] = field(default_factory=list)
    first: dict[Value, int] = field(default_factory=dict)

    def rank(self, findings: Findings) -> None:
        """Order the reads, note forks among them, and give each key its rank."""
        ordered = sorted(self.shown.items(), key=lambda item: len(item[0]))
        self.reads = [read for _shown, read in ordered]
        for number, (shown, _read) in enumerate(ordered):
            for key in shown:
                self.first.setdefault(key, number)
        for (small, one), (large, other) in pairwise(ordered):
            if not small <= large:
                findings.note("long-fork", partial(_forked, one, other, small - large, large - small), one, other)


def _compare(groups: dict[tuple[Value, ...], _Group], findings: Findings) -> bool:
    """Note all forks; False if there are too many groups to look for those between groups."""
    whole: dict[frozenset[Value], _Group] = {}
    for named, alike in groups.items():
        # The order in which a read names its keys does not matter.
        shown = whole.setdefault(frozenset(named), alike).shown
        for state, read in alike.shown.items():
            shown.setdefault(state, read)
    having: dict[Value, list[int]] = {}
    several = [(keys, group) for keys, group in whole.items() if len(keys) > 1]
    for number, (keys, group) in enumerate(several):
        group.rank(findings)
        for key in keys:
            having.setdefault(key, []).append(number)
    if findings or len(having) == sum(len(keys) for keys, _group in several):
        return True
    compared = 0
    for number, (keys, group) in enumerate(several):
        shared: dict[int, int] = {}
        for key in keys:
            for other in having[key]:
                if other > number:
                    shared[other] = shared.get(other, 0) + 1
            compared += len(having[key])
            if compared > COMPARED:
                return False
        for other in sorted(other for other, keys_shared in shared.items() if keys_shared > 1):
            compared += len(keys)
            _between(group, several[other][1], keys & several[other][0], findings)
    return True


def _between(one: _Group, other: _Group, keys: frozenset[Value], findings: Findings) -> None:
    """Note a fork between two groups that share these keys: two keys with opposite ranks."""
    late = len(one.reads), len(other.reads)
    ranked = sorted((one.first.get(key, late[0]), other.first.get(key, late[1]), repr(key), key) for key in keys)
    highest: tuple[int, int, str, Value] | None = None
    for _rank, equal in groupby(ranked, key=lambda item: item[0]):
        alike = [*equal]
        if highest is not None and alike[0][1] < highest[1]:
            # The first group shows the one key and not the other, the second group the other way round.
            first, second = one.reads[highest[0]], other.reads[alike[0][1]]
            findings.note("long-fork", partial(_forked, first, second, [highest[3]], [alike[0][3]]), first, second)
            return
        if highest is None or alike[-1][1] > highest[1]:
            highest = alike[-1]


def _forked(one: Operation, other: Operation, first: Iterable[Value], second: Iterable[Value]) -> str:
    x, y = (min(map(render, keys)) for keys in (first, second))
    return f"{ended(one)} shows {x} and not {y}, and {ended(other)} shows {y} and not {x}"
