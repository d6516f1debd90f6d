"""The pytest plugin, in projects of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import trio

from killpoint import Client, Failed, Host, Scenario, Schedule, operation
from killpoint.explore.machine import machine
from killpoint.explore.options import Options, use
from killpoint.properties import Linearizable, Register
from killpoint.sim import codec
from killpoint.sim.authors import AuthorError

pytest_plugins = ["pytester"]

REGISTER = Path(__file__).resolve().parents[1] / "explore" / "replicated_register.py"
EXAMPLE = """
from killpoint import machine
from replicated_register import ReplicatedRegister

TestRegister = machine(ReplicatedRegister).TestCase

def test_something_else():
    pass
"""
PASTED = re.compile(r"pytest (test_example\.py::TestRegister) (--killpoint-replay=\.killpoint/TestRegister-[0-9a-f]{8}\.json)")


async def idle(_: Host) -> None:
    """Does nothing."""
    await trio.sleep_forever()


class Refusing(Scenario):
    """Hosts nothing of interest."""

    hosts: ClassVar = {"n1": idle}
    properties: ClassVar = [Linearizable(Register())]

    @operation()
    async def read(self, client: Client) -> None:
        if client.random.random() < 0.5:
            raise Failed


@pytest.fixture(scope="module", autouse=True)
def everything_is_imported() -> None:
    """After a run inside this process pytester forgets what was imported during it; a second import would make second copies of
    classes, of Hypothesis's too.  So all that a test of a machine imports is imported before."""
    with use(Options(examples=2)):
        machine(Refusing).TestCase("runTest").runTest()


SHORT_SHRINKING = "import killpoint.explore.shrink\n\nkillpoint.explore.shrink.BUDGET = 60\n"
"""In whatever process: these tests are about what is told of a failure, not about how small it gets."""


PRINTING = """
def pytest_runtest_logreport(report):
    if report.when == "call":
        for name, value in report.user_properties:
            print(f"{report.outcome}: {name} = {value}")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setattr("killpoint.explore.shrink.BUDGET", 60)  # and as it was, when the test is over
    pytester.makeconftest(SHORT_SHRINKING)
    pytester.makepyfile(replicated_register=REGISTER.read_text(), test_example=EXAMPLE)
    pytester.makeini("[pytest]\naddopts = --strict-markers -p no:cacheprovider\nfilterwarnings = error\n")
    return pytester


def failing_line(result: pytest.RunResult) -> tuple[str, str]:
    """What the report says to paste, once: the test and the option."""
    (found,) = PASTED.finditer(result.stdout.str())
    return found[1], found[2]


def test_a_failure_is_told_without_tracebacks_and_with_a_line_to_paste(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--killpoint-seed=1")
    result.assert_outcomes(failed=1, passed=1)
    text = result.stdout.str()
    assert "killpoint: --killpoint-seed=1, profile default" in text
    assert "Linearizable(Register) fails: " in text
    assert "confirmed in a fresh process" in text
    assert "Traceback" not in text
    assert "hypothesis" not in text.partition("FAILURES")[2].lower()
    assert "killpoint.schedule" not in text, "the file's name is enough"
    test, option = failing_line(result)
    again = project.runpytest_inprocess(test, option)
    again.assert_outcomes(failed=1)
    assert "Replayed: .killpoint/TestRegister-" in again.stdout.str()


def test_where_failures_are_not_shown_the_lines_to_paste_are(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--killpoint-seed=1", "--tb=no")
    assert "Linearizable" not in result.stdout.str().partition("short test summary")[0]
    assert "- killpoint -" in result.stdout.str()
    assert failing_line(result)[0] == "test_example.py::TestRegister"


@pytest.mark.parametrize("how", [(), ("-n", "1")], ids=repr)
def test_the_summary_has_one_line_where_pytest_cuts_none_short(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CI", "true")
    result = project.runpytest_subprocess("--killpoint-seed=1", *how)
    summary = result.outlines[-2:]
    reason = "Linearizable(Register) fails: a read returned 1, and no order of the operations explains it."
    assert summary[0].startswith(f"FAILED test_example.py::TestRegister::runTest - {reason}")
    assert "1 failed, 1 passed" in summary[1]
    assert failing_line(result)[0] == "test_example.py::TestRegister"


def never_replayed(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("never replayed: ")]


def saved(project: pytest.Pytester, place: str, scenario: str = "replicated_register.py:ReplicatedRegister") -> None:
    """An empty schedule, which passes."""
    codec.write(project.path / place, Schedule(scenario, seed=1))


@pytest.mark.parametrize("how", [(), ("-k", "something_else"), ("-n", "1")], ids=repr)
def test_saved_schedules_that_no_test_replays_are_named_without_failing(project: pytest.Pytester, how: tuple[str, ...]) -> None:
    project.makepyfile(test_example=EXAMPLE.replace("TestRegister", "TestRenamed"))
    saved(project, ".killpoint/TestRegister-0123abcd.json")
    saved(project, ".killpoint/TestRenamed-0123abcd.json", "replicated_register.py:Forgotten")
    saved(project, ".killpoint/TestRenamed-4567cdef.json")
    saved(project, ".killpoint/ReplicatedRegister-0123abcd.json")  # by `killpoint explore`
    (project.path / ".killpoint" / "notes.json").write_text("[]")
    saved(project, "tests/schedules/kept.json")
    saved(project, "tests/schedules/old.json", "gone.py:Gone")
    result = project.runpytest_subprocess("--killpoint-examples=1", "--killpoint-seed=1", *how)
    failures, corpus = never_replayed(result)
    assert failures == (
        "never replayed: .killpoint/TestRegister-0123abcd.json, .killpoint/TestRenamed-0123abcd.json: "
        "no test of that name explores that scenario any more; rename them after the test that does, or delete them"
    )
    assert corpus == (
        'never replayed: tests/schedules/old.json: no test explores that scenario any more; correct "scenario" in it, or delete it'
    )


def test_who_runs_only_some_tests_hears_nothing_of_schedules_that_others_may_replay(project: pytest.Pytester) -> None:
    saved(project, ".killpoint/TestOfAnotherFile-0123abcd.json")
    assert never_replayed(project.runpytest_inprocess("test_example.py", "-k", "something_else")) == []
    assert never_replayed(project.runpytest_inprocess("--ignore=elsewhere", "-k", "something_else")) == []
    assert len(never_replayed(project.runpytest_inprocess("-k", "something_else"))) == 1
    project.makepyfile(test_broken="import nothing_of_the_sort")
    assert never_replayed(project.runpytest_inprocess("-k", "something_else")) == []


def test_a_scenario_with_a_slip_is_refused_where_its_machine_is_made(project: pytest.Pytester) -> None:
    slip = "class Slip(ReplicatedRegister):\n    fault = ReplicatedRegister.faults\n\nTestRegister"
    project.makepyfile(test_example=EXAMPLE.replace("TestRegister", slip).replace("machine(ReplicatedRegister)", "machine(Slip)"))
    result = project.runpytest_inprocess("-k", "invariants")
    result.assert_outcomes(errors=1)
    assert "Slip: `fault` means nothing to a scenario: did you mean `faults`?" in result.stdout.str()
    assert "validation.py" not in result.stdout.str()


def test_the_same_seed_finds_the_same_and_a_line_to_paste_appears_under_xdist(project: pytest.Pytester) -> None:
    first = failing_line(project.runpytest_inprocess("--killpoint-seed=7"))
    for path in (project.path / ".killpoint").iterdir():
        path.unlink()
    result = project.runpytest_subprocess("-n", "2", "--killpoint-seed=7")
    result.assert_outcomes(failed=1, passed=1)
    assert failing_line(result) == first


def test_a_seed_is_chosen_and_shown(project: pytest.Pytester) -> None:
    def shown() -> str:
        found = re.search(r"killpoint: --killpoint-seed=(\d+)", project.runpytest_inprocess("--collect-only").stdout.str())
        assert found is not None
        return found[1]

    assert shown() != shown()


def test_machines_are_marked_and_selected_by_invariants(project: pytest.Pytester) -> None:
    for option in ("-k", "-m"):
        result = project.runpytest_inprocess("--collect-only", "-q", option, "invariants")
        result.stdout.fnmatch_lines(["test_example.py::TestRegister::runTest", "1/2 tests collected*"])


def test_properties_of_the_report_hold_schedule_and_command(project: pytest.Pytester) -> None:
    with (project.path / "conftest.py").open("a") as file:
        file.write(PRINTING)
    text = project.runpytest_inprocess("-s", "--killpoint-seed=1").stdout.str()
    assert re.search(r"failed: killpoint_schedule = \.killpoint/TestRegister-[0-9a-f]{8}\.json", text)
    assert re.search(r"failed: killpoint_replay = pytest test_example\.py::TestRegister --killpoint-replay=", text)
    assert re.search(r"failed: killpoint_summary = \d+ schedules, ", text)


def test_what_was_never_tried_is_told_even_if_the_test_passes(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_example="""
        from killpoint import Failed, Scenario, machine, operation
        from replicated_register import ReplicatedRegister

        class Refused(Scenario):
            hosts = ReplicatedRegister.hosts

            @operation()
            async def ask(self, client):
                raise Failed

            @operation()
            async def think(self, client):
                return 1

        TestRefused = machine(Refused).TestCase
        """
    )
    result = project.runpytest_inprocess("--killpoint-examples=2", "--killpoint-seed=1", "--killpoint-profile=nightly")
    result.assert_outcomes(passed=1)
    assert "--killpoint-examples=2" in result.stdout.str()
    assert "profile nightly" not in result.stdout.str()
    vacuous = r"vacuous: test_example\.py::TestRefused::runTest: No ask was ok of \d+\."
    assert re.search(vacuous, result.stdout.str())
    told = [r".*::TestRefused: 2 schedules, \d+ virtual seconds, 0 faults struck", r"    ask 0 of \d+ ok, think (\d+) of \1 ok"]
    result.stdout.re_match_lines(told, consecutive=True)
    quiet = project.runpytest_inprocess("--killpoint-examples=2", "--killpoint-seed=1", "-q").stdout.str()
    assert re.search(vacuous, quiet)
    assert "2 schedules" not in quiet


def test_a_system_that_does_nothing_fails_its_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_example="""
        from killpoint import Scenario, machine, operation

        async def gone(host):
            return

        class Gone(Scenario):
            hosts = {"n1": gone}

            @operation()
            async def ask(self, client):
                return await client.request("n1", "ask", timeout=0.1)

        TestGone = machine(Gone).TestCase
        """
    )
    result = project.runpytest_inprocess("--killpoint-examples=2")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines([r".*NothingSucceededError: The system never did anything for a client: none of \d+ operations"])


class Misjudging:
    """A property, and its monitor, that cannot judge."""

    name = "Misjudging"

    def start(self) -> Misjudging:
        return self

    def feed(self, event: object) -> None:
        """Nothing is wrong."""

    def finish(self) -> None:
        """Nothing is said, which is wrong."""


class Misjudged(Refusing):
    properties: ClassVar = [Misjudging()]


def test_a_property_that_cannot_judge_is_told_in_one_sentence() -> None:
    with use(Options(examples=2, test="TestIt")), pytest.raises(AuthorError) as refused:
        machine(Misjudged).TestCase("runTest").runTest()
    told = str(refused.value)
    assert told.startswith("finish() of the property Misjudging returned None (")
    assert told.endswith("it must return a Verdict.  This was schedule 1 of TestIt; the same --killpoint-seed gives it again")


def test_where_a_property_cannot_judge_the_seed_is_told_although_the_header_is_not(project: pytest.Pytester) -> None:
    silent = "class Silent:\n    name = 'Silent'\n    def start(self): return self\n    def feed(self, event): pass\n"
    silent += "    def finish(self): pass\n\n\nclass Broken(ReplicatedRegister):\n    properties = [Silent()]\n\n\nTestRegister"
    text = EXAMPLE.replace("TestRegister", silent).replace("machine(ReplicatedRegister)", "machine(Broken)")
    project.makepyfile(test_example=text)
    result = project.runpytest_inprocess("-q", "--killpoint-seed=41", "-k", "invariants")
    result.assert_outcomes(failed=1)
    assert "--killpoint-seed=41 gives it again" in result.stdout.str()


def test_the_corpus_is_replayed_first_wherever_it_lies(project: pytest.Pytester) -> None:
    _, option = failing_line(project.runpytest_inprocess("--killpoint-seed=1"))
    found = project.path / option.partition("=")[2]
    corpus = project.mkdir("tests") / "schedules"
    corpus.mkdir()
    found.rename(corpus / "kept.json")
    result = project.runpytest_inprocess("--killpoint-examples=1", "test_example.py")
    result.assert_outcomes(failed=1, passed=1)
    assert "A schedule of the regression corpus: " in result.stdout.str()
    corpus.rename(project.path / "kept-elsewhere")
    result = project.runpytest_inprocess("--killpoint-examples=1", "--killpoint-corpus=kept-elsewhere", "test_example.py")
    assert "A schedule of the regression corpus: kept-elsewhere/kept.json" in result.stdout.str()


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("--killpoint-replay=nowhere.json", "--killpoint-replay: there is no file nowhere.json"),
        ("--killpoint-corpus=nowhere", "--killpoint-corpus: there is no folder nowhere"),
        ("--killpoint-examples=0", "--killpoint-examples: 0 is not a positive number"),
        ("--killpoint-profile=lazy", "invalid choice: 'lazy'"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(project: pytest.Pytester, option: str, complaint: str) -> None:
    result = project.runpytest_inprocess(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert complaint in result.stderr.str()


def test_a_schedule_that_is_broken_fails_the_test_that_replays_it(project: pytest.Pytester) -> None:
    (project.path / "broken.json").write_text('{"format": "killpoint.schedule/1",\n')
    result = project.runpytest_inprocess("--killpoint-replay=broken.json", "-k", "invariants")
    result.assert_outcomes(failed=1)
    assert "broken.json, line 2: the file is cut off here" in result.stdout.str()
    assert "codec.py" not in result.stdout.str()


def test_projects_that_do_not_use_killpoint_do_not_pay_for_it() -> None:
    heavy = ("trio", "hypothesis", "networkx", "msgspec", "rich")
    code = f"""if True:
        import pytest, sys
        before = set(sys.modules)
        import killpoint.pytest_plugin
        sys.exit(bool((set(sys.modules) - before) & {set(heavy)!r}))"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_runs_that_differ_in_another_process_fail_the_test_that_asks(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = Path(__file__).resolve().parents[1] / "explore" / "planted"
    for name in ("set_of_strings", "module_counter"):
        (pytester.path / f"{name}.py").write_text((planted / f"{name}.py").read_text(encoding="utf-8"), encoding="utf-8")
    scenarios = "from set_of_strings import SetOfStrings\nfrom killpoint import machine\nTestStrings = machine(SetOfStrings).TestCase\n"
    (pytester.path / "test_strings.py").write_text(scenarios, encoding="utf-8")
    assert pytester.runpytest_subprocess("--killpoint-examples=3").ret == 0
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest_subprocess("--killpoint-examples=3", "--killpoint-determinism=4")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["set_of_strings.py:SetOfStrings: * in two processes under different hash seeds*differ."])
    result.stdout.fnmatch_lines(["Schedule * depends on the hash seed*", "*First event that differs:*", "*one *", "*other *"])
    assert result.stdout.str().count("First event that differs") == 1
    refused = pytester.runpytest_subprocess("--killpoint-determinism=-1")
    assert refused.ret == 4
