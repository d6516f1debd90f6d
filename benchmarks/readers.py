"""How long reading takes, and how much memory: what is wanted, and what was measured.

    python benchmarks/readers.py [--lines N] [NAME ...]

A name (or part of one) selects.  Histories are registers with ten clients, made from a seed, of N lines (200,000 unless told), which
are half as many operations.  Each case is a process of its own: seconds are the median CPU time of three looks, operations
included; memory is the peak of the process, with everything that it imported.  Wanted is what 200,000 lines may take, in proportion.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import lzma
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard
from rich.console import Console
from rich.table import Table

from killpoint.properties.readers import read_history

LINES = 200_000
LOOKS = 3
MEGABYTES = 1000

Row = tuple[int, int, str, int, str, int | None]
"""Index, time, type, process, function, value."""


def rows(lines: int) -> Iterator[Row]:
    """Reads and writes of ten clients."""
    source = random.Random("readers")
    open_calls: dict[int, tuple[str, int | None]] = {}
    state, fresh, now, begun = None, 0, 0, 0
    for index in range(lines):
        now += source.randrange(1000, 100_000)
        process = source.randrange(10)
        if begun - len(open_calls) >= lines // 2 - len(open_calls) or (begun >= lines // 2 and open_calls):
            process = next(iter(open_calls))
        if process in open_calls:
            function, value = open_calls.pop(process)
            if function == "write":
                state = value
            yield index, now, "ok", process, function, state if function == "read" else value
            continue
        begun += 1
        function, value = ("write", fresh) if source.random() < 0.5 else ("read", None)
        fresh += function == "write"
        open_calls[process] = function, value
        yield index, now, "invoke", process, function, value


def edn(row: Row) -> str:
    """A line of `history.edn` up to Jepsen 0.2."""
    index, now, kind, process, function, value = row
    said = "nil" if value is None else value
    return f"{{:type :{kind}, :f :{function}, :value {said}, :process {process}, :time {now}, :index {index}}}"


def record(row: Row) -> str:
    """The same since Jepsen 0.3."""
    index, now, kind, process, function, value = row
    said = "nil" if value is None else value
    return f"#jepsen.history.Op{{:index {index}, :time {now}, :type :{kind}, :process {process}, :f :{function}, :value {said}}}"


def transaction(row: Row) -> str:
    """A line for Elle."""
    index, now, kind, process, _function, value = row
    said = f"[[:append {index % 7} {index}] [:r {index % 5} {'nil' if kind == 'invoke' else f'[1 2 {value or 3}]'}]]"
    return f"{{:type :{kind}, :f :txn, :value {said}, :process {process}, :time {now}, :index {index}}}"


def several_lines(row: Row) -> str:
    """A map over several lines, for which there is no shortcut."""
    return edn(row).replace(", ", "\n ")


def log(row: Row) -> str:
    """A line of a text log."""
    _index, _now, kind, process, function, value = row
    return f"INFO  jepsen.util - {process}\t:{kind}\t:{function}\t{'nil' if value is None else value}"


def json_line(row: Row) -> str:
    """A map in JSON."""
    index, now, kind, process, function, value = row
    return json.dumps({"index": index, "time": now, "type": kind, "process": process, "f": function, "value": value})


class Ours:
    """Our own JSON Lines, which number operations."""

    def __init__(self) -> None:
        self._begun = 0
        self._open: dict[int, int] = {}

    def __call__(self, row: Row) -> str:
        """The line of an event."""
        index, now, kind, process, function, value = row
        common = {"index": index, "time": now / 1e9, "process": str(process)}
        if kind == "invoke":
            self._open[process] = self._begun
            self._begun += 1
            return json.dumps({"type": "invoke", **common, "operation": self._open[process], "function": function, "argument": value})
        return json.dumps({"type": "complete", **common, "operation": self._open.pop(process), "outcome": "ok", "result": value})


HEADER = '{"format":"killpoint-history","version":1}\n'
CASES: dict[str, tuple[Callable[[], Callable[[Row], str]], Callable[[bytes], bytes], float, str]] = {
    "jsonl": (Ours, bytes, 1.5, "our own JSON Lines"),
    "edn": (lambda: edn, bytes, 1.5, "EDN, a map per line"),
    "record": (lambda: record, bytes, 1.5, "EDN, #jepsen.history.Op"),
    "transactions": (lambda: transaction, bytes, 3.0, "EDN, two micro-operations each"),
    "several-lines": (lambda: several_lines, bytes, 4.0, "EDN, maps over several lines"),
    "log": (lambda: log, bytes, 1.5, "text log"),
    "json-lines": (lambda: json_line, bytes, 1.5, "JSON, a map per line"),
    "json-array": (lambda: json_line, lambda data: b"[" + data[:-1].replace(b"\n", b",\n") + b"]", 2.0, "JSON, an array"),
    "gzip": (lambda: edn, gzip.compress, 2.0, "EDN, gzip"),
    "bzip2": (lambda: edn, bz2.compress, 3.0, "EDN, bzip2"),
    "xz": (lambda: edn, lzma.compress, 2.0, "EDN, xz"),
    "zstd": (lambda: edn, zstandard.compress, 2.0, "EDN, zstd"),
}


def write(name: str, lines: int, path: Path) -> None:
    """The file of a case."""
    form, pack, _wanted, _told = CASES[name]
    line = form()
    with path.open("w") as file:
        if name == "jsonl":
            file.write(HEADER)
        for row in rows(lines):
            file.write(line(row) + "\n")
    if pack is not bytes:
        path.write_bytes(pack(path.read_bytes()))


def look(path: str) -> None:
    """One look, in a process of its own: seconds, megabytes, operations."""
    before = time.process_time()
    operations = read_history(path).operations
    seconds = time.process_time() - before
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTES, len(operations)]))


def main() -> int:
    """Print the table; 1 if something takes longer than is wanted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--look", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.look:
        look(options.look)
        return 0
    table = Table("history", "lines", "MB of file", "wanted s", "measured s", "peak MB")
    missed = 0
    for name, (_form, _pack, wanted, told) in CASES.items():
        if options.names and not any(part in name for part in options.names):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            write(name, options.lines, path)
            command = [sys.executable, __file__, "--look", str(path)]
            looks = 1 if options.lines > 10 * LINES else LOOKS
            found = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(looks)]
            size = path.stat().st_size / 1e6
        seconds, megabytes = statistics.median(one[0] for one in found), max(one[1] for one in found)
        limit = wanted * options.lines / LINES
        missed += seconds > limit
        mark = "" if seconds <= limit else " MISSED"
        table.add_row(told, f"{options.lines:,}", f"{size:.1f}", f"{limit:.1f}", f"{seconds:.2f}{mark}", f"{megabytes:.0f}")
    Console(width=120).print(table)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
