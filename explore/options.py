"""What a test session asks of the machines in it.

The pytest plugin sets these before a test runs; a machine reads them when it runs.  A module of its own, so that the plugin
need not import Hypothesis into projects that do not use Killpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["PROFILES", "Options", "current", "use"]

PROFILES = {"quick": 25, "default": 150, "nightly": 5000}
"""Schedules per test."""


@dataclass(frozen=True)
class Options:
    """How the machines of one test explore.

    `examples` overrides the profile's number of schedules.  `seed` decides everything that is drawn, and `again` is
    the option of pytest that gives it once more.  With `replay` the test
    runs this schedule and nothing else.  `corpus` is a folder of schedules to run first.  `test` is how reports call the test,
    and `node` what pytest is to be given to select it; both are empty outside of pytest.
    """

    profile: str = "default"
    examples: int | None = None
    seed: int = 0
    again: str = "the same --killpoint-seed"
    replay: Path | None = None
    corpus: Path | None = None
    test: str = ""
    node: str = ""
    folder: Path = Path(".killpoint")
    determinism: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    """What the test has to say besides pass or fail: `summary` of what was run, what `struck` in it, `vacuous` where that was empty."""

    @property
    def schedules(self) -> int:
        """How many schedules to run."""
        return self.examples if self.examples is not None else PROFILES[self.profile]


_stack: list[Options] = [Options()]


def current() -> Options:
    """The options of the test that is running."""
    return _stack[-1]


@contextmanager
def use(options: Options) -> Iterator[None]:
    """Let these options hold within."""
    _stack.append(options)
    try:
        yield
    finally:
        _stack.pop()
