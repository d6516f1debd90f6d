"""Saved schedules that no test replays any more, because a test or a scenario was renamed or removed since.

A test replays the schedules in `.killpoint/` that bear its name and are of its scenario and mutant, and those of the corpus that
are of its scenario and mutant, whatever their names; see `explore/machine.py`.  All others it leaves alone without a word, since
they may be another test's.  Only who knows all tests can tell that they are nobody's.

Reads nothing but the head of each file as JSON and imports nothing heavy: a session without a test of ours pays a look at a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Explored", "orphans", "orphans_of_corpus"]

LARGEST = 20_000_000
"""Bytes; what is larger is no schedule."""


class Explored(NamedTuple):
    """What a test explores: its name, a reference to the scenario, how reports call that, and the mutant."""

    test: str
    scenario: str
    label: str
    mutant: str | None

    def is_of(self, schedule: dict[str, object]) -> bool:
        """Whether a schedule is of this scenario and mutant; of a reference to a file only the class counts."""
        same = _class(str(schedule.get("scenario"))) == _class(self.scenario)
        return same and schedule.get("mutant") == self.mutant


def orphans(folder: Path, tests: Iterable[Explored]) -> list[Path]:
    """The files among the failures that tests have saved in `folder` which none of `tests` replays.

    What `killpoint explore` saved there, under a scenario's name, was never meant for a test.
    """
    known = list(tests)
    found = []
    for path, schedule in _schedules(folder):
        name = path.stem.rpartition("-")[0]
        scenario, mutant = _class(str(schedule.get("scenario"))), schedule.get("mutant")
        labels = {scenario.lower(), *(test.label.lower() for test in known if test.is_of(schedule))}
        by_explore = name.lower() in {f"{label}-{mutant}".lower() if mutant else label for label in labels}
        if not by_explore and not any(test.test == name and test.is_of(schedule) for test in known):
            found.append(path)
    return found


def orphans_of_corpus(folder: Path, tests: Iterable[Explored]) -> list[Path]:
    """The files of a corpus of regression schedules which none of `tests` replays."""
    known = list(tests)
    return [path for path, schedule in _schedules(folder) if not any(test.is_of(schedule) for test in known)]


def _class(reference: str) -> str:
    """`Register` of `file.py:Register`; a name as it is."""
    return reference.rpartition(":")[2]


def _schedules(folder: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    """The schedules in a folder by name; what is none is somebody else's."""
    for path in sorted(folder.glob("*.json")):
        try:
            found = json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST else None
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict) and str(found.get("format")).startswith("killpoint.schedule/"):
            yield path, found
