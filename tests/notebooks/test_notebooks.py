"""Notebooks are thin, are kept without outputs, and run from the first cell to the last."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

Cell = dict[str, object]


def code_cells(path: Path) -> list[Cell]:
    """The cells of a notebook that are code."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def shown(cell: Cell) -> str:
    """Everything that a cell put out, as one text."""
    return json.dumps(cell["outputs"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in code_cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin(path: Path) -> None:
    lines = ["".join(cell["source"]).splitlines() for cell in code_cells(path)]  # type: ignore[arg-type]  # a list of lines
    assert max(map(len, lines)) <= 15
    assert sum(map(len, lines)) <= 40


def test_the_notebooks_run_and_show_something(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "execute.py"), str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    search, load, timeline, operations, explain, moment = code_cells(tmp_path / "first_look.ipynb")
    assert "fails: " in shown(search)
    assert "same failure" in shown(load)
    assert "<svg" in shown(timeline)
    assert "<table" in shown(operations)
    assert "Causal past" in shown(explain)
    assert "incarnation" in shown(moment)
    _write, why, picture, models = code_cells(tmp_path / "check_a_history.ipynb")
    assert "cannot be placed: the register holds 2, not 1" in shown(why)
    assert "<iframe" in shown(picture)
    statuses = re.findall(r"<td>(valid|invalid)</td>", shown(models))
    assert statuses == ["invalid", "valid", "invalid", "valid", "invalid", "valid", "valid", "valid"]


def test_a_cell_that_raises_fails_the_execution(tmp_path: Path) -> None:
    (tmp_path / "execute.py").write_bytes((FOLDER / "execute.py").read_bytes())
    notebook = json.loads((FOLDER / "first_look.ipynb").read_text(encoding="utf-8"))
    notebook["cells"] = [{**notebook["cells"][1], "source": ["1 / 0"]}]
    (tmp_path / "broken.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    command = [sys.executable, str(tmp_path / "execute.py"), str(tmp_path / "out")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "broken.ipynb" in done.stderr
    assert "ZeroDivisionError" in done.stderr
