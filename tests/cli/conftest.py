"""A folder with scenarios in it, and the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cli_runs import Killpoint, copy_scenarios, in_process


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of each test; modules imported from it are forgotten afterwards."""
    copy_scenarios(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("replicated_register", "explore_scenarios"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def killpoint(capsys: pytest.CaptureFixture[str]) -> Killpoint:
    return in_process(capsys)

@pytest.fixture(autouse=True)
def short_shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about what is told of a failure, not about how small it gets."""
    monkeypatch.setattr("killpoint.explore.shrink.BUDGET", 150)
