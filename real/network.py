"""Which links are cut: known here, and told to every process, whose transport drops what would pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["RealNetwork"]

Link = tuple[str, str]


class RealNetwork:
    """Directed links between hosts.  A cut is counted, so that overlapping partitions end independently."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._cuts: dict[Link, int] = {}
        self._changed = changed

    def cut(self, links: Iterable[Link]) -> None:
        """Cut directed links, once more each."""
        self._count(links, 1)

    def heal(self, links: Iterable[Link]) -> None:
        """End one cut of each link."""
        self._count(links, -1)

    def heal_all(self) -> None:
        """End every cut."""
        self._cuts.clear()
        self._changed()

    def is_cut(self, sender: str, to: str) -> bool:
        """True while nothing passes from `sender` to `to`."""
        return (sender, to) in self._cuts

    @property
    def cuts(self) -> frozenset[Link]:
        """The links that are cut now."""
        return frozenset(self._cuts)

    def _count(self, links: Iterable[Link], by: int) -> None:
        before = self.cuts
        for link in links:
            count = self._cuts.get(link, 0) + by
            if count > 0:
                self._cuts[link] = count
            else:
                self._cuts.pop(link, None)
        if self.cuts != before:
            self._changed()
