"""Check recorded histories with known verdicts, and print what was found, what was expected and how long it took.

    python benchmarks/corpora.py FOLDER

FOLDER holds any of `etcd/` (Jepsen logs; verdicts in `expected.tsv`), `kv/` (EDN; `-ok` or `-bad` in the name), `cas-register/`
(`good/`, `bad/`), `mutex/` (bad) and `multi-register/` (good).  Ends with 1 if a verdict is wrong.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from killpoint.checking import check_file


def corpus(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Each file, its model, and the verdict that is known."""
    table = folder / "etcd" / "expected.tsv"
    for line in table.read_text().splitlines()[1:] if table.exists() else ():
        name, linearizable = line.split("\t")
        yield folder / "etcd" / name, "cas-register", "valid" if linearizable == "true" else "invalid"
    for path in sorted(folder.glob("kv/*.txt")):
        yield path, "kv", "valid" if path.stem.endswith("-ok") else "invalid"
    for path in sorted(folder.glob("cas-register/*/*.edn")):
        yield path, "cas-register", "valid" if path.parent.name == "good" else "invalid"
    for path in sorted(folder.glob("mutex/*.edn")):
        yield path, "mutex", "invalid"
    for path in sorted(folder.glob("multi-register/*.edn")):
        yield path, "multi-register", "valid"


def main(folder: Path) -> int:
    """Print the table; 1 if a verdict is wrong."""
    wrong = 0
    began = time.process_time()
    for path, model, expected in corpus(folder):
        start = time.process_time()
        found = check_file(path, model, 60.0).status.value
        wrong += found != expected
        mark = "" if found == expected else "   WRONG"
        print(f"{path.relative_to(folder)!s:42} {found:8} {expected:8} {time.process_time() - start:7.3f}{mark}")
    print(f"{wrong} wrong; {time.process_time() - began:.2f} s of CPU in all")
    return int(wrong > 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
