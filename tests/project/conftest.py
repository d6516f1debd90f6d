"""The distribution, built once per session, and an environment in which it is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_files import ROOT, syntax_tree


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it (not from the source tree)."""
    folder = tmp_path_factory.mktemp("distribution")
    # The build backend must be installed already: tests run without a network.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def installed(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel in it; the packages that it depends on are borrowed from this one."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    (wheel,) = distribution.glob("*.whl")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True, capture_output=True)
    paths = sysconfig.get_paths()
    (packages,) = home.glob("lib/python*/site-packages")
    # Looked at after the environment's own packages, so ours is the wheel's.
    (packages / "borrowed.pth").write_text(f"{paths['purelib']}\n{paths['platlib']}\n", encoding="utf-8")
    return python


@pytest.fixture(scope="module", autouse=True)
def forget_syntax_trees() -> Iterator[None]:
    yield
    syntax_tree.cache_clear()
