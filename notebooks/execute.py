"""Executes the notebooks that stand beside this file: `python notebooks/execute.py OUT` writes them, with outputs, to the folder OUT.

Exits with 1 if a cell raises.  The notebooks in the repository have no outputs; this is how they are looked at and tested.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = Path(__file__).resolve().parent
TIMEOUT = 120
"""Seconds of real time that a cell may take."""


def execute(path: Path, out: Path) -> bool:
    """Run one notebook in a kernel of this interpreter and write the result, also of one that failed; True if it did not."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    try:
        NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": str(out)}}).execute()
    except CellExecutionError as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return False
    else:
        return True
    finally:
        nbformat.write(notebook, out / path.name)  # type: ignore[no-untyped-call]
        print(out / path.name)


def main() -> int:
    """Execute all of them."""
    if len(sys.argv) != 2:
        print(f"usage: {sys.argv[0]} OUT", file=sys.stderr)
        return 3
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    worked = [execute(path, out) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
    return 0 if all(worked) else 1


if __name__ == "__main__":
    sys.exit(main())
