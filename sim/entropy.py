"""What programs draw: random numbers that do not shift when something else happens.

A plain generator hands out one stream, so whatever draws one number less, a time-out that was not armed because a message was not
lost, changes all later ones; a schedule with one action less is then another run altogether, and shrinking stops where it should not.
So the stream begins anew with every short stretch of virtual time, under a key made of the run's seed, the host and the
stretch.  What a host draws at a time depends on little else, as with the noise of the network.

Cost: a draw in a new stretch seeds a Mersenne Twister (10 microseconds), any other costs a comparison more than usual.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from .noise import keyed_integer

if TYPE_CHECKING:
    from .world import World

__all__ = ["STRETCH", "Entropy"]

STRETCH = 0.02
"""Virtual seconds."""


class Entropy(Random):
    """The generator of one machine, for all its incarnations: seeded by the stretch of time in which it is asked."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name
        self._stretch = -1
        super().__init__(0)

    def _begin(self) -> None:
        """Seed anew if a new stretch has begun."""
        stretch = int(self._world.now / STRETCH)
        if stretch != self._stretch:
            self._stretch = stretch
            self.seed(keyed_integer(self._world.seed, "entropy", self._name, stretch))

    def random(self) -> float:
        """As `random.Random.random`."""
        self._begin()
        return super().random()

    def getrandbits(self, k: int, /) -> int:
        """As `random.Random.getrandbits`."""
        self._begin()
        return super().getrandbits(k)
