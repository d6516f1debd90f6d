"""`killpoint convert`, and what `killpoint check` does with long, packed and interrupted files."""

from __future__ import annotations

import gzip
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import Killpoint

from killpoint.cli.reading import Reading
from killpoint.explore.campaign import search
from killpoint.explore.catalog import find_scenario
from killpoint.properties import Incident
from killpoint.properties.readers import read_history, write_history
from killpoint.sim.record import Record

HISTORY = """{:process 0, :type :invoke, :f :write, :value 3, :index 0}
{:process 0, :type :ok, :f :write, :value 3, :index 1}
{:process "c1", :type :invoke, :f :read, :value nil, :index 2}
{:process :nemesis, :type :info, :f :start, :value nil, :index 3}
{:process "c1", :type :ok, :f :read, :value 3, :index 4}
"""


@pytest.mark.parametrize("form", ["jsonl", "edn", "elle", "porcupine"])
def test_a_history_goes_from_format_to_format(killpoint: Killpoint, folder: Path, form: str) -> None:
    (folder / "h.edn").write_text(HISTORY)
    ended = killpoint("convert", "h.edn", "out", "--to", form)
    assert (ended.code, ended.out) == (0, f"out: 2 operations as {form}\n")
    assert ("note: processes are numbers there: c1 is 1\n" in ended.err) is (form != "jsonl")
    assert killpoint("check", "out", "--model", "register").code == 0
    if form != "porcupine":
        assert read_history(folder / "out") == read_history(folder / "h.edn")


def test_the_history_of_a_run_goes_to_other_checkers(killpoint: Killpoint, folder: Path) -> None:
    records: list[Record] = []
    search(find_scenario("replicated_register.py:ReplicatedRegister"), seed=0, examples=2, each=lambda _number, one: records.append(one))
    history = records[-1].history
    write_history(history, "history.jsonl")
    ended = killpoint("convert", "history.jsonl", "out.edn", "--to", "edn")
    assert ended.code == 0
    back = read_history("out.edn")
    assert len(back.operations) > 1
    for one, other in zip(back.operations, history.operations, strict=True):
        assert (one.process, one.function, one.argument, one.outcome) == (other.process, other.function, other.argument, other.outcome)
        assert (one.result, one.error) == (other.result, other.error)
    incidents = [[(one.kind, one.host, one.detail) for one in events if isinstance(one, Incident)] for events in (back, history)]
    assert incidents[0] == incidents[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "out", "--to", "edn"), "killpoint: nowhere: cannot be read: No such file or directory"),
        (("h.edn", "h.edn", "--to", "edn"), "killpoint: h.edn is the file that is read: write to another"),
        (("h.edn", ".", "--to", "edn"), "killpoint: . cannot be written: it is a folder"),
        (("h.edn", "no/where", "--to", "edn"), "killpoint: no/where cannot be written: there is no folder "),
        (("h.edn", "out"), "killpoint convert: the following arguments are required: --to; see killpoint convert --help"),
        (("q.edn", "out", "--to", "porcupine"), "killpoint: Porcupine's tests read registers (read, write, cas) and stores"),
        (("gap.edn", "out", "--to", "edn"), "killpoint: gap.edn, line 2: index 1 is missing: the history is incomplete"),
    ],
)
def test_what_cannot_be_converted(killpoint: Killpoint, folder: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (folder / "h.edn").write_text(HISTORY)
    (folder / "q.edn").write_text(HISTORY.replace(":write", ":enqueue").replace(":read", ":dequeue"))
    (folder / "gap.edn").write_text("".join(HISTORY.splitlines(keepends=True)[:3:2]))
    ended = killpoint("convert", *arguments)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(sentence)
    assert len(ended.err.splitlines()) == 1
    assert not (folder / "out").exists()


def test_gaps_are_forgiven_if_they_are_told_of(killpoint: Killpoint, folder: Path) -> None:
    (folder / "gap.edn").write_text(HISTORY.replace(":index 4", ":index 40"))
    ended = killpoint("check", "gap.edn", "--model", "register")
    assert ended.code == 3
    assert "line 5: indices 4 to 39 are missing" in ended.err
    assert killpoint("check", "gap.edn", "--model", "register", "--gaps").code == 0
    assert killpoint("convert", "gap.edn", "out", "--to", "edn", "--gaps").code == 0


def test_a_packed_file_is_checked(killpoint: Killpoint, folder: Path) -> None:
    (folder / "h.edn").write_bytes(gzip.compress(HISTORY.encode()))
    assert killpoint("check", "h.edn", "--model", "register").code == 0
    (folder / "h.edn").write_bytes(gzip.compress(HISTORY.encode())[:-9])
    ended = killpoint("check", "h.edn", "--model", "register")
    assert ended.code == 3
    assert ended.err == "killpoint: h.edn: the gzip file ends too early: it seems to be truncated\n"


def test_what_is_no_file_is_no_history(killpoint: Killpoint, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in ("pipe", "/dev/zero"):
        ended = killpoint("check", path, "--model", "register")
        assert ended.code == 3
        assert "not a file, so it cannot be read as a history" in ended.err


def test_reading_can_be_interrupted(killpoint: Killpoint, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(_self: Reading, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    (folder / "h.edn").write_text(HISTORY)
    monkeypatch.setattr(Reading, "__call__", pressed)
    for arguments in (("check", "h.edn", "--model", "register"), ("convert", "h.edn", "out", "--to", "edn")):
        ended = killpoint(*arguments)
        assert (ended.code, ended.out, ended.err) == (130, "", "interrupted\n")
    assert not (folder / "out").exists()


def test_a_bar_is_shown_where_somebody_sees_it_and_gone_at_the_end(folder: Path) -> None:
    code = (
        "import sys, killpoint.cli.reading as reading\n"
        "reading.PATIENCE = -1.0\n"
        "with reading.Reading(quiet=False) as told:\n"
        "    told(1_000_000, 20_000_000); told(15_000_000, 20_000_000); told(20_000_000, 20_000_000); told(20_000_000, 20_000_000)"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, check=True, cwd=folder, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.stdout == b""
    assert "reading" in shown
    assert "/20.0 MB" in shown
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown, "the cursor is there again"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=folder, timeout=60)
    assert piped.stderr == b""
