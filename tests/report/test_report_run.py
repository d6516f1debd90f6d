"""What a run answers when it is asked: its operations as a table, files of a host at a moment, times that are none."""

from __future__ import annotations

import pytest

from killpoint import Call, Client, Host, Inject, Run, Scenario, Schedule, faults, operation
from killpoint.run import FileState, parse_time
from killpoint.sim.session import run

NOTES, COPY = "log/notes", "log/copy"


async def notebook(host: Host) -> None:
    """Keeps lines; syncs the first one and its name, never a second one, and removes what it copied."""
    lines = 0
    while True:
        message = await host.receive()
        if message.body is not None:
            lines += 1
            await host.disk.append(NOTES, message.body)
            if lines == 1:
                await host.disk.fsync(NOTES)
                await host.disk.append(COPY, b"copy")
                await host.disk.fsync(COPY)
                await host.disk.fsync_directory("log")
                await host.disk.remove(COPY)
            await host.disk.append("new", b"")
        message.reply(None)


class Notebook(Scenario):
    """One host that keeps lines and never finds them again."""

    hosts = dict.fromkeys(("n1",), notebook)
    clients = 1

    @operation(line=("a", "b"))
    async def write(self, client: Client, line: str) -> None:
        await client.request("n1", line.encode(), timeout=1.0)

    @operation()
    async def read(self, client: Client) -> str | None:
        return await client.request("n1", None, timeout=1.0)


SCHEDULE = Schedule(
    "notebook",
    seed=1,
    actions=(
        Call(0.1, "c1", "write", {"line": "a"}),
        Call(0.2, "c1", "write", {"line": "b"}),
        Call(0.3, "c1", "read"),
        Inject(0.4, faults.Kill(target="n1", duration=3.0)),
        Call(0.5, "c1", "read"),
    ),
    budget="unlimited",
)


@pytest.fixture(scope="module")
def whole() -> Run:
    return Run(run(SCHEDULE, Notebook), Notebook)


def test_none_that_was_read_is_shown_and_none_that_is_not_known_is_not(whole: Run) -> None:
    rows = [line.split() for line in str(whole.operations).splitlines()[1:]]
    assert rows[2][:5] == ["3", "c1", "read", "ok", "None"]
    assert "None" not in rows[3], "it was never answered"
    page = whole.operations._repr_html_()
    assert page.count("<td>None</td>") == 3
    assert whole.operations[2:]._repr_html_().count("<td>None</td>") == 1


def test_files_at_a_moment_have_content_and_what_of_it_is_durable(whole: Run) -> None:
    files = whole.at(0.25).hosts["n1"].files
    assert files == {
        COPY: FileState(None, b"copy"),
        NOTES: FileState(b"ab", b"a"),
        "new": FileState(b"", None),
    }
    assert whole.at(0.05).hosts["n1"].files == {}


def test_looking_at_durable_content_does_not_lose_power(whole: Run) -> None:
    assert whole.at(0.35).hosts["n1"].files[NOTES].content == b"ab"
    assert whole.at(0.25).hosts["n1"].files == whole.at(0.45).hosts["n1"].files, "a kill loses nothing of the disk"


@pytest.mark.parametrize("nothing", [None, True, b"1 s", (1,)])
def test_what_is_neither_text_nor_number_is_no_time(whole: Run, nothing: object) -> None:
    with pytest.raises(ValueError, match=r"is no time: write 3\.2s, 350ms or a number of seconds"):
        parse_time(nothing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is no time"):
        whole.at(nothing)  # type: ignore[arg-type]
