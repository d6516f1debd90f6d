"""Two trees over moments: which are covered by nothing any more, and which operations span one.

Both are arrays of 2^k leaves with their sums above them, as in a heap, and are changed from below.  Python's integers and lists are all
they need: a change or a question costs some twenty steps of a loop for a million moments.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Coverage", "Spans"]

GONE = 1 << 40
"""How often a moment counts as covered that has been found uncovered: nobody asks for it again."""


class Coverage:
    """How many intervals cover each of `size` moments; finds moments that none does, each once.

    `least[node]` is the least number among the moments below a node, not counting what was added to nodes above it.
    """

    __slots__ = ("_added", "_least", "_leaves")

    def __init__(self, counts: Sequence[int]) -> None:
        # A moment's leaf is one further on, so that there is a leaf on either side of each interval.
        leaves = 1
        while leaves < len(counts) + 2:
            leaves *= 2
        self._leaves = leaves
        least = [0] * leaves + [GONE] + [*counts] + [GONE] * (leaves - len(counts) - 1)
        for node in range(leaves - 1, 0, -1):
            left, right = least[2 * node], least[2 * node + 1]
            least[node] = left if left < right else right
        self._least = least
        self._added = [0] * (2 * leaves)

    def drop(self, low: int, high: int) -> None:
        """One interval less, over the moments from `low` to `high`, both included."""
        least, added = self._least, self._added
        # Two nodes climb beside the interval, and whatever lies between them is changed as a whole.
        left, right = low + self._leaves, high + self._leaves + 2
        while left ^ right ^ 1:
            if not left & 1:
                least[left ^ 1] -= 1
                added[left ^ 1] -= 1
            if right & 1:
                least[right ^ 1] -= 1
                added[right ^ 1] -= 1
            left >>= 1
            right >>= 1
            one, other = least[2 * left], least[2 * left + 1]
            least[left] = (one if one < other else other) + added[left]
            one, other = least[2 * right], least[2 * right + 1]
            least[right] = (one if one < other else other) + added[right]
        left >>= 1
        while left:
            one, other = least[2 * left], least[2 * left + 1]
            least[left] = (one if one < other else other) + added[left]
            left >>= 1

    def free(self) -> int:
        """A moment that nothing covers and that was not given before; -1: there is none."""
        least, added, leaves = self._least, self._added, self._leaves
        if least[1]:
            return -1
        node, wanted = 1, 0
        while node < leaves:
            # What was added here counts for both children.
            wanted -= added[node]
            node *= 2
            if least[node] != wanted:
                node += 1
        found = node - leaves - 1
        least[node] += GONE
        node >>= 1
        while node:
            one, other = least[2 * node], least[2 * node + 1]
            least[node] = (one if one < other else other) + added[node]
            node >>= 1
        return found


class Spans:
    """Intervals of moments, and which of them hold one; each is given once.

    They are kept in the order of their beginnings, with the greatest end of each range above it: those that begin at a moment or
    before it are the first so many, and one of them holds it if the greatest of their ends does.
    """

    __slots__ = ("_ends", "_leaves", "_order", "_until")

    def __init__(self, lows: Sequence[int], highs: Sequence[int], size: int) -> None:
        order = sorted(range(len(lows)), key=lows.__getitem__)
        leaves = 1
        while leaves < len(order):
            leaves *= 2
        ends = [-1] * leaves + [highs[place] for place in order] + [-1] * (leaves - len(order))
        for node in range(leaves - 1, 0, -1):
            left, right = ends[2 * node], ends[2 * node + 1]
            ends[node] = left if left > right else right
        self._ends, self._leaves, self._order = ends, leaves, order
        # How many begin at each moment or before it.
        until = [0] * (size + 1)
        for low in lows:
            until[low] += 1
        for moment in range(1, size + 1):
            until[moment] += until[moment - 1]
        self._until = until

    def take(self, moment: int) -> list[int]:
        """The intervals that hold this moment and were not taken before."""
        ends, leaves = self._ends, self._leaves
        found: list[int] = []
        count = self._until[moment]
        while count:
            # The highest node that ends with the last of them and holds such an interval, or those to its left.
            node = leaves + count - 1
            while ends[node] < moment:
                while not node & 1:
                    node >>= 1
                if node == 1:
                    return found
                node -= 1
            while node < leaves:
                node = 2 * node + 1
                if ends[node] < moment:
                    node -= 1
            found.append(self._order[node - leaves])
            count = node - leaves
            ends[node] = -1
            node >>= 1
            while node:
                left, right = ends[2 * node], ends[2 * node + 1]
                greatest = left if left > right else right
                if ends[node] == greatest:
                    break
                ends[node] = greatest
                node >>= 1
        return found
