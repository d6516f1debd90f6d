"""`killpoint convert FILE OUT --to FORMAT`: a history in the format of another checker, or a recorded one in ours.

What the other format has no words for is left out, and said on standard error, a line each.
"""

from __future__ import annotations

import sys
from argparse import Namespace

from ..properties.readers import read_history
from ..properties.writers import write_as
from .arguments import VALID
from .console import refuse_unwritable, show
from .reading import Reading

__all__ = ["run"]


def run(options: Namespace) -> int:
    """Convert one file."""
    refuse_unwritable(options.out, options.file, option="")
    with Reading(quiet=False) as told:
        history = read_history(options.file, told, gaps=options.gaps)
    for note in write_as(history, options.out, options.to):
        sys.stderr.write(f"note: {note}\n")
    show([f"{options.out}: {len(history.operations)} operations as {options.to}"])
    return VALID
