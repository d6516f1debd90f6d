"""Bad input: exit code 3, one sentence with the place, nothing on standard output, nothing written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runs import REGISTER, Killpoint

from killpoint import Call, Inject, Schedule, faults
from killpoint.sim import codec
from killpoint.sim.fault import Fault

GOOD = Schedule(
    "explore_scenarios.py:Forgetful",
    seed=1,
    actions=(
        Call(0.1, "c1", "write", {"value": 4}),
        Inject(0.2, faults.Kill(target="n1", duration=0.1)),
        Call(0.4, "c1", "read"),
    ),
)


REGISTERS = ("check", "replicated_register.py", "--model", "register", "--consistency")
LISTS = ("check", "replicated_register.py", "--model", "list-append", "--consistency")


@pytest.fixture(autouse=True)
def nothing_is_written(folder: Path) -> Iterator[None]:
    """Whatever is complained of, no file appears beside those that a test has made."""
    yield
    allowed = {"replicated_register.py", "explore_scenarios.py", "__pycache__", "bad.json", "bad.edn", "folder", "broken.py"}
    assert {path.name for path in folder.iterdir()} <= allowed
    assert list(folder.glob("folder/*")) == []


def complaint(killpoint: Killpoint, *arguments: object) -> str:
    ended = killpoint(*arguments)
    assert ended.code == 3
    assert ended.out == ""
    assert "Traceback" not in ended.err
    (line,) = ended.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "schedule/1",
            "schedule/2",
            "bad.json, line 2: made by a newer Killpoint (format 2, this one reads 1): upgrade killpoint",
        ),
        ("killpoint.schedule/1", "jepsen.history/1", "bad.json, line 2: format 'jepsen.history/1' is not killpoint.schedule/1"),
        ("explore_scenarios.py:Forgetful", "atlantis", "bad.json, line 3: there is no scenario 'atlantis'"),
        ("explore_scenarios.py:Forgetful", "explore_scenarios.py:Forgetfull", "has nothing called 'Forgetfull'; its scenarios: "),
        ("explore_scenarios.py:Forgetful", "no_such.py:X", "bad.json, line 3: the scenario 'no_such.py:X' cannot be loaded"),
        ('"mutant": null', '"mutant": "lazy"', "bad.json, line 4: Forgetful has no mutant 'lazy'; there are deaf"),
        ('"n1"', '"n7"', "bad.json, line 12: action 1: there is no host or role 'n7'; there are n1, c1, c2"),
        ('"kill"', '"earthquake"', "bad.json, line 12: action 1: unknown fault 'earthquake'; known are "),
        ('"write"', '"erase"', "bad.json, line 11: action 0: there is no operation 'erase'; there are write, read"),
        ('"c1"', '"c9"', "bad.json, line 11: action 0: there is no client 'c9'; there are c1, c2"),
        ('"value": 4', '"colour": 4', "bad.json, line 11: action 0: operation write takes value, not colour"),
        ('"value": 4', '"value": "four"', "bad.json, line 11: action 0: Expected `int`, got `str`"),
        ('"at": 0.1', '"at": 0.3', "bad.json, line 12: action 1 is at 0.2 s, before the one above it at 0.3 s"),
        ('"at": 0.1', '"at": -1', "bad.json, line 11: action 0 is at -1.0 s, which is no virtual time of a run"),
        ('"at": 0.1', '"at": NaN', "bad.json: not a schedule: NaN is not a number that a schedule may hold"),
        (
            '"duration": 0.1',
            '"length": 0.1',
            "bad.json, line 12: action 1: fault kill has no field 'length'; it has target, duration",
        ),
        ('"seed": 1', '"seed": "one"', 'bad.json, line 5: "seed": Expected `int`, got `str`'),
        ('"seed": 1', f'"seed": {2**70}', "bad.json, line 5: the seed must fit into 64 bits"),
        ('"quorum-safe"', '"reckless"', "bad.json, line 6: budget 'reckless' is neither quorum-safe nor unlimited"),
        ('"settings": {}', '"settings": {"x": 1}', "bad.json, line 7: Forgetful has no setting 'x'"),
        ('"noise": {}', '"noise": {"loss": -1}', "bad.json, line 8: noise loss must be a small number"),
    ],
)
def test_a_schedule_that_cannot_be_run_is_refused_with_the_line(killpoint: Killpoint, old: str, new: str, expected: str) -> None:
    text = codec.encode(GOOD)
    assert old in text
    Path("bad.json").write_text(text.replace(old, new, 1))
    assert expected in complaint(killpoint, "replay", "bad.json", "--html", "folder/run.html")


def test_every_truncation_of_a_schedule_is_refused(killpoint: Killpoint) -> None:
    text = codec.encode(GOOD).rstrip()
    for end in range(1, len(text), 13):
        Path("bad.json").write_text(text[:end])
        assert "bad.json, line " in complaint(killpoint, "replay", "bad.json")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[]", b"null", b"3", b'"text"', b"{}", b"[" * 100_000, b"\x00" * 5000])
def test_what_is_no_schedule_at_all_is_refused(killpoint: Killpoint, content: bytes) -> None:
    Path("bad.json").write_bytes(content)
    assert "bad.json" in complaint(killpoint, "replay", "bad.json")


def test_two_hundred_megabytes_of_something_else_are_refused_unread(killpoint: Killpoint) -> None:
    with Path("bad.json").open("wb") as file:
        file.truncate(200_000_000)
    expected = "bad.json has 200,000,000 bytes: too large for a schedule (20,000,000 at most); is it another file?"
    assert expected in complaint(killpoint, "replay", "bad.json")
    assert "bad.json" in complaint(killpoint, "check", "bad.json", "--model", "register")


@pytest.mark.parametrize("command", [("replay",), ("check", "--model", "register")])
def test_files_that_cannot_be_read_are_refused(killpoint: Killpoint, command: tuple[str, ...]) -> None:
    Path("folder").mkdir()
    assert "cannot be read: No such file or directory" in complaint(killpoint, *command, "nowhere.json")
    assert "cannot be read: Is a directory" in complaint(killpoint, *command, "folder")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("{:process 0, :type :ok, :f :read, :value 1}", "bad.edn"),
        ("{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :type :invoke, :f :read, :value nil}", "bad.edn"),
        ("{:process 0, :type :invoke, :f :read", "bad.edn, line 2: the file ends inside"),
        ("{:process 0, :type :invoke, :f :dance, :value nil}", "dance"),
    ],
)
def test_a_history_that_cannot_have_happened_is_refused(killpoint: Killpoint, lines: str, expected: str) -> None:
    Path("bad.edn").write_text(lines + "\n")
    assert expected in complaint(killpoint, "check", "bad.edn", "--model", "register")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "a command is missing: explore, run, replay, shrink, check, convert, determinism, scenarios, mutants"),
        (("dance",), "invalid choice: 'dance'"),
        (("explore",), "the following arguments are required: SCENARIO"),
        (("explore", REGISTER, "--seed", "x"), "argument --seed: 'x' is no whole number"),
        (("explore", REGISTER, "--seed", str(2**64)), "does not fit into 64 bits"),
        (("explore", REGISTER, "--examples", "-3"), "-3 is negative"),
        (("explore", REGISTER, "--examples", "5", "--start", "5"), "--start 5 leaves nothing to run"),
        (("explore", REGISTER, "--examples", "0"), "--examples 0 leaves nothing to run: give the number of schedules, at least 1"),
        (("explore", REGISTER, "--examples", "-1"), "-1 is negative"),
        (("explore", REGISTER, "--seed", "abc"), "argument --seed: 'abc' is no whole number"),
        (("explore", REGISTER, "--out", "/proc/killpoint"), "--out: the folder /proc/killpoint cannot be written to: "),
        (("explore", REGISTER, "--budget", "none"), "invalid choice: 'none'"),
        (("explore", REGISTER, "--mutant", "lazy"), "ReplicatedRegister has no mutant 'lazy'; it has none"),
        (("explore", "atlantis"), "there is no scenario 'atlantis'; installed are"),
        (("explore", "replicated_register.py"), f"say which of its scenarios: {REGISTER}"),
        (("explore", "explore_scenarios.py"), "explore_scenarios.py:OneServer, explore_scenarios.py:"),
        (("explore", "nowhere.py"), "there is no file nowhere.py"),
        (("explore", "explore_scenarios.py:store"), "is not a Scenario class"),
        (("explore", REGISTER, "--out", "replicated_register.py"), "the folder replicated_register.py cannot be written to"),
        (("explore", REGISTER, "--faults", "kil"), "no faults of the kind 'kil' can be drawn for this scenario; there are all, kill,"),
        (("determinism", REGISTER, "--faults", "compromise-key"), "no faults of the kind 'compromise-key' can be drawn for this scenario"),
        (("determinism", REGISTER, "--python", "nowhere"), "--python: there is no file nowhere"),
        (("run", "atlantis"), "there is no scenario 'atlantis'; installed are"),
        (("run", "nowhere.json"), "nowhere.json"),
        (("run", REGISTER, "--html", "no/where.html"), "--html: no/where.html cannot be written: there is no folder"),
        (("run", REGISTER, "--real", "."), "there is something in . already: a real run needs a folder of its own"),
        (("determinism", REGISTER, "--seeds", "0"), "--seeds 0 leaves nothing to compare"),
        (("determinism", "atlantis"), "there is no scenario 'atlantis'"),
        (("mutants", "atlantis"), "there is no scenario 'atlantis'"),
        (("check",), "check needs a FILE and --model NAME; models are "),
        (("check", "replicated_register.py"), "--model is missing: say what replicated_register.py is a history of, with one of "),
        (("check", "nowhere.edn"), "nowhere.edn cannot be read: No such file or directory"),
        (("check", "nowhere.edn", "--model", "abacus"), "nowhere.edn cannot be read: No such file or directory"),
        (("check", "replicated_register.py", "--model", "abacus"), "there is no model 'abacus': choose one of "),
        (("check", "x", "--timeout", "soon"), "soon is no positive number of seconds"),
        (("check", "x", "--timeout", "0"), "0 is no positive number of seconds"),
        ((*REGISTERS, "eventual"), "there is no consistency 'eventual': choose one of linearizable, sequential, "),
        ((*REGISTERS, "k-atomic"), "how many versions? k-atomic=2, say, and not 'k-atomic'"),
        ((*REGISTERS, "k-atomic=0"), "how many versions? k-atomic=2, say, and not 'k-atomic=0'"),
        ((*REGISTERS, "staleness=soon"), "how many seconds? staleness=0.5, say, and not 'staleness=soon'"),
        ((*REGISTERS, "safe=1"), "safe takes no number"),
        ((*LISTS, "causal", "--isolation", "serializable"), "give one of the two"),
        ((*LISTS, "regular"), "for all else there are levels of isolation: regular is neither"),
    ],
)
def test_usage_that_makes_no_sense_is_refused(killpoint: Killpoint, arguments: tuple[str, ...], expected: str) -> None:
    assert expected in complaint(killpoint, *arguments)


def test_a_moment_that_is_no_time_is_refused(killpoint: Killpoint) -> None:
    Path("bad.json").write_text(codec.encode(GOOD))
    assert "--until: 'soon' is no time: write 3.2s, 350ms or a number" in complaint(killpoint, "replay", "bad.json", "--until", "soon")


def test_a_page_that_cannot_be_written_is_refused(killpoint: Killpoint) -> None:
    Path("bad.json").write_text(codec.encode(GOOD))
    place = "replicated_register.py/run.html"
    assert f"--html: {place} cannot be written" in complaint(killpoint, "replay", "bad.json", "--html", place)
    expected = f"--html: nowhere/run.html cannot be written: there is no folder {Path('nowhere').absolute()}"
    assert expected in complaint(killpoint, "replay", "bad.json", "--html", "nowhere/run.html")


def test_a_file_without_scenarios_is_refused(killpoint: Killpoint) -> None:
    Path("broken.py").write_text("from killpoint import Scenario\n")
    assert "broken.py defines no class that derives from Scenario" in complaint(killpoint, "explore", "broken.py")


def test_an_operation_without_brackets_is_named_with_its_line(killpoint: Killpoint) -> None:
    text = "from killpoint import Scenario, operation\n\n\nclass Bare(Scenario):\n    @operation\n    async def read(self, client): ...\n"
    Path("broken.py").write_text(text)
    said = complaint(killpoint, "explore", "broken.py:Bare")
    assert "write @operation() and not @operation (" in said
    assert "broken.py:5 in Bare.read)" in said


def test_an_empty_file_is_called_empty(killpoint: Killpoint) -> None:
    Path("bad.json").write_text("")
    assert complaint(killpoint, "replay", "bad.json") == "killpoint: bad.json: the file is empty"


def test_a_scenario_that_fails_to_import_is_named_with_the_line(killpoint: Killpoint) -> None:
    Path("broken.py").write_text("import nothing_of_the_sort\n")
    said = complaint(killpoint, "explore", "broken.py:X")
    assert "ModuleNotFoundError: No module named 'nothing_of_the_sort'" in said
    assert f"{os.sep}broken.py, line 1)" in said


MISJUDGING = """
from explore_scenarios import Forgetful as Sound


class Monitor:
    def feed(self, event):
        return {}["nothing"] if type(event).__name__ == "Invoke" else None

    def finish(self):
        return None


class Broken:
    name = "Broken"

    def start(self):
        return Monitor()


class Misjudged(Sound):
    properties = [Broken()]
"""


def test_a_property_that_fails_is_named_with_its_line_and_with_the_schedule(killpoint: Killpoint) -> None:
    Path("broken.py").write_text(MISJUDGING)
    told = complaint(killpoint, "explore", "broken.py:Misjudged", "--seed", 5, "--start", 2, "--examples", 4)
    assert "the property Broken failed to judge the run: KeyError: 'nothing'" in told
    assert "broken.py:7 in feed), when it was fed the invocation" in told
    again = "killpoint explore broken.py:Misjudged --seed 5 --examples 3 --start 2"
    assert f"This was schedule 2 of seed 5; to run it again: {again}" in told


FAULTY = """
from killpoint.sim.fault import Fault, FaultOutcome
from killpoint.sim.faults import FaultMix
from explore_scenarios import Forgetful as Sound


class Flood(Fault, frozen=True):
    how: str

    def strike(self, world):
        if self.how == "strike":
            return world.rivers
        if self.how == "end":
            world.end_later(0.01, lambda: world.rivers)
        return FaultOutcome(*{"outcome": ("wet",), "host": ("struck", ("n9",))}.get(self.how, ("struck", ("n1",))))


def flood(how):
    return FaultMix([("flood", lambda random, cast: {}["rivers"] if how == "draw" else None if how == "none" else Flood(how=how))])


class Flooded(Sound):
    faults = flood("HOW")
"""


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("draw", ["no fault of the kind 'flood' can be drawn: KeyError: 'rivers' (", "broken.py:19 in <lambda>)"]),
        ("none", ["drawing a fault of the kind 'flood' made None (", "it must be a Fault"]),
        ("strike", ["the fault flood strike (action ", " failed to strike: AttributeError: ", "broken.py:12 in strike)"]),
        ("outcome", ["the fault flood outcome (action ", "returned FaultOutcome(effect='wet'", "broken.py:10 in Flood.strike)"]),
        ("host", ["hosts=('n9',)", "with one of struck, nothing, over-budget as its effect and names of hosts"]),
        ("end", ["the fault flood end failed to end at ", "AttributeError: ", "broken.py:14 in <lambda>)"]),
    ],
)
def test_a_fault_that_fails_is_named_with_its_line(
    killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch, how: str, told: list[str]
) -> None:
    monkeypatch.setattr(Fault, "registry", dict(Fault.registry))
    Path("broken.py").write_text(FAULTY.replace("HOW", how))
    said = complaint(killpoint, "explore", "broken.py:Flooded", "--seed", 5, "--examples", 20)
    for part in told:
        assert part in said
    if how not in ("draw", "none"):
        assert "of seed 5; to run it again: killpoint explore broken.py:Flooded --seed 5 " in said


SHORT_OF_BREATH = """
from killpoint.properties import Status, Verdict
from explore_scenarios import Forgetful as Sound


class Monitor:
    def __init__(self):
        self.reads = 0

    def feed(self, event):
        self.reads += getattr(event, "function", "") == "read"

    def finish(self):
        return [][self.reads] if self.reads < 1 else Verdict("Breath", Status.VALID, "it has read enough")


class Breath:
    name = "Breath"

    def start(self):
        return Monitor()


class Misjudged(Sound):
    properties = [*Sound.properties, Breath()]
"""


def test_a_property_that_fails_while_shrinking_is_named_with_the_schedule_that_was_shrunk(killpoint: Killpoint) -> None:
    Path("broken.py").write_text(SHORT_OF_BREATH)
    told = complaint(killpoint, "explore", "broken.py:Misjudged", "--seed", 5)
    assert "the property Breath failed to judge the run: IndexError" in told
    assert "This was in a run of shrinking schedule " in told
    assert "to run it again: killpoint explore broken.py:Misjudged --seed 5 --examples " in told


def test_json_does_not_change_how_bad_input_is_answered(killpoint: Killpoint) -> None:
    Path("bad.json").write_text("{")
    assert "bad.json, line 1" in complaint(killpoint, "replay", "bad.json", "--json")
    with pytest.raises(json.JSONDecodeError):
        _ = killpoint("replay", "bad.json", "--json").document


def test_what_is_read_is_not_written_over(killpoint: Killpoint) -> None:
    Path("bad.edn").write_text("{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value nil}\n")
    codec.write(Path("bad.json"), GOOD)
    before = Path("bad.edn").read_text(), Path("bad.json").read_text()
    assert "bad.edn is the file that is read" in complaint(killpoint, "check", "bad.edn", "--model", "register", "--html", "bad.edn")
    assert "bad.json is the file that is read" in complaint(killpoint, "replay", "bad.json", "--html", "bad.json")
    assert "bad.json is the file that is read" in complaint(killpoint, "run", "bad.json", "--html", "bad.json")
    assert "cannot be written: it is a folder" in complaint(killpoint, "replay", "bad.json", "--html", ".")
    assert (Path("bad.edn").read_text(), Path("bad.json").read_text()) == before
