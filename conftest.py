"""Lets pytest collect from the folders at the top, for example `pytest --doctest-modules sim/noise.py`.

They are packages only as `killpoint.sim` and so on, and refuse their bare names; so what is asked for under `sim/` is taken from
`killpoint/sim/`, which is the same folder.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """Lead the paths on the command line through the links."""
    here = config.invocation_params.dir
    config.args = [through_link(argument, here) for argument in config.args]


def through_link(argument: str, here: Path) -> str:
    """`sim/noise.py::name` as `killpoint/sim/noise.py::name`; anything else as it is."""
    path, colons, name = argument.partition("::")
    found = (here / path).resolve()
    inside = found.relative_to(ROOT) if found.is_relative_to(ROOT) else Path()
    linked = inside.parts and (ROOT / "killpoint" / inside.parts[0]).is_symlink()
    return f"{ROOT / 'killpoint' / inside}{colons}{name}" if linked else argument
