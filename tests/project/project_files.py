"""The project's own files, and who imports whom: what the tests of the house rules look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("explore", "model", "properties", "real", "report", "sim")
"""The folders that stand at the top and are reached as `killpoint.<folder>`."""

_NOT_OURS = {"build", "dist", "__pycache__"}
_HIDDEN_BUT_OURS = {".ci", ".gitignore"}
_BINARY = {".png", ".pyc"}


def project_files() -> list[Path]:
    """Every text file of the project, sorted; links are not followed.

    The folders are walked and git is not asked, so that a file is looked at before it is committed.
    """
    return sorted(path for path in _walk(ROOT) if path.suffix not in _BINARY)


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        hidden = path.name.startswith(".") and path.name not in _HIDDEN_BUT_OURS
        if hidden or path.name in _NOT_OURS or path.suffix == ".egg-info" or path.is_symlink():
            continue
        if path.is_file():
            yield path
        elif not (path / "pyvenv.cfg").exists():
            yield from _walk(path)


def named(path: Path) -> str:
    """A file as people call it: `sim/disk.py`."""
    return path.relative_to(ROOT).as_posix()


def modules(*folders: str) -> dict[str, ast.Module]:
    """The syntax trees of the Python files in some folders, by name; links are not followed."""
    paths = sorted(path for folder in folders for path in _walk(ROOT / folder) if path.suffix == ".py")
    return {named(path): syntax_tree(path) for path in paths}


@cache
def syntax_tree(path: Path) -> ast.Module:
    """The syntax tree of a file.  All of them are a million objects, which every collection of garbage walks over: forget them in time."""
    return ast.parse(path.read_text(encoding="utf-8"), named(path))


def imports(name: str, tree: ast.Module) -> list[str]:
    """What a module imports, anywhere in it and for whatever reason, as dotted names.

    Our own modules are named from the top folders (`sim.host`), as relative imports reach them.
    """
    package = Path(name).parent.parts
    # The face stands in killpoint/, beside the links: its own name is no part of the names it imports.
    package = package[1:] if package[:1] == ("killpoint",) else package
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                deeper = (*parts, alias.name)
                found.append(".".join(deeper if node.level and _is_module(deeper) else parts))
    return found


def absolute_imports(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, module) for every import by an absolute name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append((node.lineno, node.module or ""))
    return found


def _is_module(parts: tuple[str, ...]) -> bool:
    path = ROOT.joinpath(*parts)
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def is_in(target: str, *packages: str) -> bool:
    """Whether a dotted name is one of these packages, or in one."""
    return any(target == package or target.startswith(f"{package}.") for package in packages)
