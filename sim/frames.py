"""Which stack frames belong to a program, and not to what runs it.

Sentences about programs (where one crashed, where one spins) name the line of the program: `host.send` to an unknown name fails
in `network.py`, but its author wants to read where he called it.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_program"]

_OURS = Path(__file__).parent.as_posix() + "/"


def is_program(filename: str) -> bool:
    """True unless the file is part of the simulator, of trio, or of its helper `outcome`."""
    name = filename.replace("\\", "/")
    return not (name.startswith((_OURS, "<")) or "/trio/" in name or name.endswith("/outcome/_impl.py"))
