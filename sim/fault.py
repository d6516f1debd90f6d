"""What a fault is: one frozen struct per kind, which strikes a world.

A fault names the real event it models, has a `duration` (seconds) after which it ends by itself instead of a separate heal
action, and does nothing, rather than fail, when it does not apply: killing a dead host is not an error.  So every subset of a
schedule's actions is a valid schedule, which is what shrinking needs.

The kinds that every scenario can use are in `faults.py`; a scenario may bring its own by subclassing `Fault` (the kind's name in
files and reports is the class name in kebab case).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

import msgspec

from .authors import AuthorError

if TYPE_CHECKING:
    from .world import World

__all__ = ["ANY", "EFFECTS", "Fault", "FaultError", "FaultOutcome"]

EFFECTS = ("struck", "nothing", "over-budget")
"""What a strike may have done."""


ANY = "any"
"""As the host of a boundary: any host of the system.  As the target of a fault that waits there: the host that crosses it."""


class FaultError(AuthorError):
    """A kind of fault failed to be drawn, to strike or to end: says which, where, and of what."""


class FaultOutcome(msgspec.Struct, frozen=True):
    """What a strike did: `effect` is `struck`, `nothing` or `over-budget`; `detail` is for people ("kept 3 of 7 sectors")."""

    effect: str
    hosts: tuple[str, ...] = ()
    detail: str = ""


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all faults.  `duration` is in virtual seconds; 0 means for the rest of the run, up to the calm phase."""

    registry: ClassVar[dict[str, type[Fault]]] = {}

    for_real: ClassVar[bool] = False
    """Whether it can strike real processes too: then `strike` may use what `real/world.py` has of a world."""

    duration: float = 0.0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__name__.startswith("_"):  # what only other kinds are made from
            Fault.registry[cls.kind()] = cls

    @classmethod
    def kind(cls) -> str:
        """The name of this kind in files and reports: `PowerLoss` is `power-loss`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def strike(self, world: World) -> FaultOutcome:  # noqa: ARG002  # the interface that every kind implements
        """Take effect on the world, now."""
        raise TypeError(f"{type(self).__name__} does not say how it strikes")

    def describe(self) -> str:
        """The kind and its parameters on one line, without the duration."""
        fields = (f for f in self.__struct_fields__ if f != "duration")
        return " ".join([self.kind(), *(str(value) for f in fields if (value := getattr(self, f)) not in (None, ""))])
