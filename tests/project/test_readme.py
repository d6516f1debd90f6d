"""The README's example is pasted into an empty folder and does what the README says; its links and commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import takewhile
from pathlib import Path

import pytest
from project_files import ROOT, named, project_files

from killpoint.cli.arguments import parse
from killpoint.explore.catalog import find_scenario
from killpoint.report.text import failure_lines
from killpoint.sim.faults import Partition
from killpoint.sim.schedule import Call, Inject, Schedule
from killpoint.sim.session import run

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [path for path in project_files() if path.suffix == ".md"]


def blocks(language: str, text: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def example() -> str:
    """The scenario that the README shows."""
    return next(block for block in blocks("python", README) if "class " in block and "Scenario" in block)


def test_the_example_is_short() -> None:
    assert len(example().splitlines()) <= 40


class Paste:
    """An empty folder with the README's example in it, and the built wheel to run it with."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self.python = python
        name = example().partition("\n")[0].removeprefix("# ")
        assert re.fullmatch(r"test_\w*invariants\w*\.py", name), "the example's first line names its file"
        (folder / name).write_text(example(), encoding="utf-8")

    def run(self, line: str, *, hash_seed: int, seed: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a line as a user would paste it."""
        command, *arguments = shlex.split(line)
        program = [str(self.python), "-m", "pytest"] if command == "pytest" else [str(self.python.with_name(command))]
        environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        for name in ("PYTHONPATH", "PYTEST_ADDOPTS", "COVERAGE_PROCESS_START"):
            environment.pop(name, None)
        seeded = [] if seed is None else [f"--killpoint-seed={seed}"]
        return subprocess.run(
            [*program, *arguments, *seeded],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def reason(output: str) -> list[str]:
    """Why a property failed: the lines from its name to the schedule."""
    told = output[output.index("Linearizable(Register) fails: ") :].splitlines()
    return list(takewhile(lambda line: "noise 0; seed " not in line, told))


def actions(output: str) -> list[str]:
    """The lines of the schedule."""
    return re.findall(r"^    \d+\.\d+ s  .*$", output.partition("noise 0; seed ")[2].partition("Replay:")[0], re.MULTILINE)


def test_the_example_fails_shrinks_replays_and_is_drawn(installed: Path, tmp_path: Path) -> None:
    paste = Paste(tmp_path, installed)
    found = paste.run("pytest -k invariants", hash_seed=1, seed=20261)
    assert found.returncode == 1, found.stdout + found.stderr
    shrunk = re.search(r"Shrunk from \d+ actions to (\d+) \(\d+ runs, .*\), confirmed in a fresh process; noise 0", found.stdout)
    assert shrunk, found.stdout
    assert int(shrunk[1]) == len(actions(found.stdout)) <= 4
    assert any("cannot be placed" in line for line in reason(found.stdout))

    replay, look = (re.search(rf"^{word}: +(.*)$", found.stdout, re.MULTILINE) for word in ("Replay", "Look"))
    assert replay
    assert look
    again = paste.run(replay[1], hash_seed=2)
    assert again.returncode == 1, again.stdout + again.stderr
    assert reason(again.stdout) == reason(found.stdout)
    assert actions(again.stdout) == actions(found.stdout)
    assert f"--killpoint-replay={replay[1].partition('--killpoint-replay=')[2]}" in again.stdout

    drawn = paste.run(look[1], hash_seed=3)
    assert drawn.returncode == 1, drawn.stdout + drawn.stderr
    assert "Same failure, the identical run" in drawn.stdout
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert not re.search(r"""(?:src|href)=["']?https?:""", page)


def test_what_the_readme_shows_is_what_its_schedule_does(tmp_path: Path) -> None:
    name = example().partition("\n")[0].removeprefix("# ")
    (tmp_path / name).write_text(example(), encoding="utf-8")
    scenario = find_scenario(f"{tmp_path / name}:ReplicatedRegister")
    calls = (Call(0.2, "c1", "write", {"value": 1}), Call(0.3, "c1", "read", {"replica": "n3"}))
    record = run(Schedule(f"{name}:ReplicatedRegister", 1, (Inject(0.1, Partition(target="n1")), *calls)), scenario)
    (transcript,) = [block for block in blocks("console", README) if "fails: " in block]
    told = failure_lines(record)
    assert [line for line in reason(transcript) if not line.startswith("Shrunk")] == told[: told.index("Schedule (noise 0; seed 1):")]
    assert actions(transcript) == [line for line in told if re.match(r"    \d", line)]
    assert set(re.findall(r"TestRegisterInvariants-(\w+)\.json", README)) == {record.digest[:8]}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?://|#", target):
            assert (page.parent / target.partition("#")[0]).exists(), f"{named(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_are_accepted_by_the_command_line(page: Path) -> None:
    for block in blocks("console", page.read_text(encoding="utf-8")):
        for arguments in re.findall(r"(?:^|[$&] ?|/)killpoint ([a-z].*?)(?=$| &&| \|)", block, re.MULTILINE):
            if not re.search(r"\b(SCENARIO|FILE|NAME|N)\b", arguments):
                parse(shlex.split(arguments, comments=True))
