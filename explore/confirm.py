"""Confirming a failure in a fresh process, before anybody is told of it.

All hosts share one interpreter, so a failure may hang on something that an earlier run left behind, on the order of a set, or
on an address.  A saved schedule is therefore replayed once by the very command that people will paste, under another hash seed;
what is said of it is what that process saw.  Cost: one start of the interpreter and one run, about half a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from ..sim.record import Record

__all__ = ["Confirmation", "confirm", "foreign_environment", "fresh_environment"]

PATIENCE = 300.0
"""Seconds of real time after which a fresh process is given up."""


class Confirmation(msgspec.Struct, frozen=True):
    """Whether a fresh process saw the same failure, and in words what it saw."""

    same: bool
    words: str


def fresh_environment(hash_seed: int) -> dict[str, str]:
    """The environment for a Python that imports what this one can import, under a given hash seed."""
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": paths}


def foreign_environment(hash_seed: int) -> dict[str, str]:
    """The environment for another interpreter, which imports from packages of its own and from the folder one stands in."""
    return {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(Path.cwd())}


def other_hash_seed() -> int:
    """A hash seed that is not this process's."""
    return 2 if os.environ.get("PYTHONHASHSEED") == "1" else 1


def confirm(path: Path, record: Record) -> Confirmation:
    """Replay a schedule file in a fresh process and compare with the record that it was saved from."""
    assert record.failure is not None, "only a failure can be confirmed"
    command = [sys.executable, "-m", "killpoint", "replay", str(path), "--json"]
    try:
        ended = subprocess.run(  # noqa: S603  # our own command
            command, env=fresh_environment(other_hash_seed()), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return Confirmation(False, f"NOT confirmed: a fresh process did not finish within {PATIENCE:.0f} s")
    if ended.returncode not in (0, 1, 2):
        complaint = (ended.stderr.strip() or "it said nothing").splitlines()[-1]
        return Confirmation(False, f"NOT confirmed: a fresh process could not replay it ({complaint})")
    seen = json.loads(ended.stdout)
    failure = seen["failure"]
    if failure is None:
        return Confirmation(False, "NOT confirmed: in a fresh process it passes, so runs differ (see `killpoint determinism`)")
    if (failure["property"], failure["kind"]) != record.failure.signature:
        other = failure["property"]
        return Confirmation(False, f"NOT confirmed: in a fresh process {other} fails instead (see `killpoint determinism`)")
    if seen["digest"] != record.digest:
        return Confirmation(False, "it fails in a fresh process too, but NOT in the same run (see `killpoint determinism`)")
    return Confirmation(True, "confirmed in a fresh process")
