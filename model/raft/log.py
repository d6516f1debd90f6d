"""The replicated log in memory, with a hash chain over it.

`chain(i)` is a hash of the entry at i and of chain(i - 1), so it names the whole prefix: two logs agree up to i exactly if their
chains at i are equal, and an observation of a log costs a few bytes per entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from .messages import Entry

__all__ = ["Log"]

_encode = msgspec.msgpack.Encoder().encode


class Log:
    """Entries at indices 1 .. `last`.  Index 0, term 0, is before the first and the same in every log."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._chains: list[str] = [""]
        self.replace(1, entries)

    @property
    def last(self) -> int:
        """The index of the last entry, 0 if there is none."""
        return len(self._entries)

    @property
    def last_term(self) -> int:
        """The term of the last entry, 0 if there is none."""
        return self._entries[-1].term if self._entries else 0

    def entry(self, index: int) -> Entry:
        """The entry at an index in 1 .. last."""
        return self._entries[index - 1]

    def term(self, index: int) -> int:
        """The term of the entry at an index; 0 where there is none."""
        return self._entries[index - 1].term if 0 < index <= len(self._entries) else 0

    def chain(self, index: int) -> str:
        """The hash of the log up to an index in 0 .. last: 16 hexadecimal digits, empty at 0."""
        return self._chains[index]

    def slice(self, first: int, count: int | None = None) -> tuple[Entry, ...]:
        """At most `count` entries from index `first` on."""
        return tuple(self._entries[first - 1 : None if count is None else first - 1 + count])

    def summary(self, first: int) -> tuple[tuple[int, str], ...]:
        """(term, chain) of every entry from index `first` on."""
        terms = (entry.term for entry in self._entries[first - 1 :])
        return tuple(zip(terms, self._chains[first:], strict=True))

    def matches(self, index: int, term: int) -> bool:
        """True if there is an entry of this term at this index (0 matches 0)."""
        return index <= len(self._entries) and self.term(index) == term

    def last_not_after(self, index: int, term: int) -> int:
        """The greatest index up to `index` whose term is at most `term`: where another log, ending so, may still agree.

        Cost: a bisection, since terms never fall along a log.
        """
        return bisect_right(self._entries, term, hi=min(index, len(self._entries)), key=_term)

    def replace(self, first: int, entries: Iterable[Entry]) -> None:
        """From index `first` (1 .. last + 1) on, the log is exactly these entries.

        Raises:
            TypeError: a command is not a value that msgspec can encode.
        """
        assert 1 <= first <= len(self._entries) + 1, f"a log of {len(self._entries)} entries has no index {first}"
        del self._entries[first - 1 :]
        del self._chains[first:]
        chain = self._chains[-1]
        for entry in entries:
            chain = blake2b(_encode(entry), digest_size=8, key=chain.encode()).hexdigest()
            self._entries.append(entry)
            self._chains.append(chain)


def _term(entry: Entry) -> int:
    return entry.term
