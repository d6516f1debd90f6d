"""Running the command line inside a test: what it printed, what it complained of, its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from killpoint.cli import main
from killpoint.cli.interrupt import Interruptible

SCENARIOS = Path(__file__).resolve().parents[1] / "explore"
REGISTER = "replicated_register.py:ReplicatedRegister"


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Killpoint = Callable[..., Ended]


def copy_scenarios(folder: Path) -> None:
    """Put the scenarios of the search's tests into a folder, as a user would have his own."""
    for name in ("replicated_register.py", "explore_scenarios.py"):
        (folder / name).write_text((SCENARIOS / name).read_text())


def in_process(capsys: pytest.CaptureFixture[str]) -> Killpoint:
    """The command line as a function."""

    def killpoint(*arguments: object) -> Ended:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return killpoint


@contextmanager
def interrupted_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody presses Ctrl-C when a command asks for the `calls`-th time whether to stop."""
    asked = 0
    real = Interruptible.__call__

    def ask(self: Interruptible) -> bool:
        nonlocal asked
        asked += 1
        if asked == calls:
            self._interrupted(2, None)
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Interruptible, "__call__", ask)
        yield
