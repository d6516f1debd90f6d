"""Which links are cut, as one process knows it, and waiting until they are not."""

from __future__ import annotations

import trio

__all__ = ["Gate"]


class Gate:
    """The directed links, (from, to), that nothing passes now."""

    def __init__(self) -> None:
        self.cuts: frozenset[tuple[str, str]] = frozenset()
        self._changed = trio.Event()

    def set(self, cuts: frozenset[tuple[str, str]]) -> None:
        """Other links are cut from now on."""
        self.cuts = cuts
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def is_cut(self, sender: str, to: str) -> bool:
        """True while nothing passes from `sender` to `to`."""
        return (sender, to) in self.cuts

    async def opened(self, *links: tuple[str, str]) -> None:
        """Wait until none of these links is cut."""
        while not self.cuts.isdisjoint(links):
            await self._changed.wait()
