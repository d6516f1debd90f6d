"""Coverage, doctest and debuggers work with the paths that people see (`sim/...`), though the package is behind links."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import LINKED, ROOT, modules

USE = "from killpoint.sim.noise import keyed_bytes\nfrom killpoint.model.wal.framing import encode\n"
USE += "print(len(keyed_bytes(1, 'name')), len(encode(b'record', 0, 0)))\n"


def python(*arguments: str, tree: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run this interpreter on a source tree, as an editable installation would."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program that uses two modules of linked folders."""
    path = tmp_path / "use.py"
    path.write_text(USE, encoding="utf-8")
    return path


def test_coverage_reports_each_module_once_and_where_it_stands(script: Path, tmp_path: Path) -> None:
    data = f"--data-file={tmp_path / 'coverage'}"
    run = python("-m", "coverage", "run", data, str(script))
    assert run.returncode == 0, run.stderr
    told = python("-m", "coverage", "json", data, "-o", "-", "--quiet")
    files = json.loads(told.stdout)["files"]
    assert set(files) == set(modules(*LINKED, "killpoint"))
    assert files["sim/noise.py"]["summary"]["percent_covered"] > 15
    assert files["model/wal/framing.py"]["summary"]["percent_covered"] > 15


@pytest.mark.parametrize(("path", "function"), [("sim/noise.py", "keyed_bytes"), ("model/wal/framing.py", "encode")])
def test_a_breakpoint_set_by_path_is_hit(script: Path, path: str, function: str) -> None:
    tree = modules(path.partition("/")[0])[path]
    body = next(node.body for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    line = body[1].lineno  # after the docstring
    done = python("-m", "pdb", "-c", f"break {path}:{line}", "-c", "continue", "-c", "where", "-c", "quit", str(script))
    assert f"{ROOT / path}({line}){function}()" in done.stdout, done.stdout


PLANTED = '''

def planted() -> int:
    """Two examples, the second of them wrong.

    >>> planted()
    1
    >>> planted() + 1
    3
    """
    return 1
'''


def test_doctest_finds_examples_by_the_path_that_people_type(tmp_path: Path) -> None:
    for name in ("killpoint", *LINKED, "conftest.py", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        if source.is_file():
            shutil.copy(source, target)
        else:
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "sim" / "digest.py"
    module.write_text(module.read_text(encoding="utf-8") + PLANTED, encoding="utf-8")
    done = python("-m", "pytest", "-p", "no:cacheprovider", "--doctest-modules", "sim/digest.py", tree=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    line = 1 + module.read_text(encoding="utf-8").splitlines().index("    >>> planted() + 1")
    assert f"{module}:{line}: DocTestFailure" in done.stdout
    assert "1 failed" in done.stdout
