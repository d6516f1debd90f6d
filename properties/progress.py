"""How far an analysis has come: what is said of a history that was not decided in time.

Nothing here asks the specification anything, since it may be the specification that took the time.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from .history import Operation, render
from .search import Search
from .stretches import Stretches

__all__ = ["Interrupted", "Progress"]


class Interrupted(BaseException):
    """Whoever set a limit to an analysis ends it: raised by its `expired`, or by a signal anywhere in it; the text says why.

    No `Exception`, so that a specification that catches those does not go on.
    """


@dataclass
class Progress:
    """The parts of an object: how many there are, how many a monitor decided and how, and the searches for the others.

    `refuted` is the part that was found to be wrong, if one was, with its search, which need not be what found it: then it was
    `stretches`.
    """

    parts: int = 0
    monitored: int = 0
    method: str = ""
    searches: list[tuple[Hashable, Search]] = field(default_factory=list)
    refuted: tuple[Hashable, Search] | None = None
    stretches: Stretches | None = None

    @property
    def steps(self) -> int:
        """Steps taken by all searches together."""
        return sum(search.steps for _part, search in self.searches)

    def undecided(self) -> tuple[Hashable, Search] | None:
        """The first part whose search has not ended."""
        return next((each for each in self.searches if each[1].outcome is None), None)

    def told(self) -> str:
        """What is decided, and how far the first search that is not has come."""
        searched = sum(search.outcome is not None for _part, search in self.searches)
        said = []
        if self.parts > 1:
            ways = [(self.monitored, self.method), (searched, "by search")]
            how = ", ".join(f"{number} {way}" for number, way in ways if number)
            said.append(f"{self.monitored + searched} of {self.parts} parts are decided{f' ({how})' if how else ''}")
        at = self.undecided()
        if at is not None:
            part, search = at
            of = f"of part {render(part)} " if self.parts > 1 else ""
            said.append(f"{of}{search.passed} of {search.returns} completed operations were placed in order")
            stuck = search.stuck
            if stuck is not None:
                said.append(f"the next to return is {stuck_words(stuck)}")
        return "; ".join(said) or "no operation was placed yet"


def stuck_words(operation: Operation) -> str:
    """An operation, and where it is in the history."""
    return f"{operation.describe()} (invoked at event {operation.invoked})"
