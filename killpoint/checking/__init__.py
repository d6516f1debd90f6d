"""Checking a recorded history: what `killpoint check` does, without the terminal.

`catalog` names everything that a history can be held to, `question` is what somebody asks of one, `files` answers it.  `own` finds
specifications of the user's own, `limits` ends what takes too long or too much.
"""

from ..properties.isolation import LEVELS, WORKLOADS
from ..properties.readers import ReadError
from .catalog import CHECKERS, CONSISTENCY, ISOLATION, MODELS, UnknownModelError, functions_of, models
from .files import Examined, as_meant, check_file, examine_file
from .own import is_reference
from .question import Question

__all__ = [
    "CHECKERS",
    "CONSISTENCY",
    "ISOLATION",
    "LEVELS",
    "MODELS",
    "WORKLOADS",
    "Examined",
    "Question",
    "ReadError",
    "UnknownModelError",
    "as_meant",
    "check_file",
    "examine_file",
    "functions_of",
    "is_reference",
    "models",
]
