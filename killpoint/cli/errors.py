"""Which errors are the user's: those that say in one sentence what is wrong with what they gave."""

from __future__ import annotations

from ..checking import ReadError, UnknownModelError
from ..explore.catalog import UnknownScenarioError
from ..properties.specification import SpecificationError
from ..properties.writers import ExportError
from ..real.run import FolderError
from ..sim.authors import AuthorError
from ..sim.codec import ScheduleError
from ..sim.scenario import ScenarioError
from .arguments import UsageError

__all__ = ["is_bad_input"]

_OURS = (
    AuthorError,
    ExportError,
    FolderError,
    ReadError,
    ScenarioError,
    ScheduleError,
    SpecificationError,
    UnknownModelError,
    UnknownScenarioError,
    UsageError,
)


def is_bad_input(error: Exception) -> bool:
    """True if the error is a sentence about the input, so that a traceback would only be noise."""
    return isinstance(error, _OURS)
