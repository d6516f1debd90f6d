"""The pytest plugin: a seed that is shown, schedules to replay first, and one line to paste when a property fails.

pytest loads this module into every project of the environment, so it imports nothing heavy: what a test asks of Killpoint goes
through `explore/options.py`, and only tests made by `killpoint.machine` import the rest.

Under xdist the controller chooses the seed and hands it to its workers; each test explores from that seed and its own name, so
that which worker runs it, and what ran before, does not matter.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from .explore.options import PROFILES, Options, use
from .orphans import Explored, orphans, orphans_of_corpus

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr
    from _pytest.terminal import TerminalReporter

_OPTIONS = pytest.StashKey[Options]()
_SEED = pytest.StashKey[int]()
_TESTS = pytest.StashKey[dict[Explored, None]]()
_CORPUS = "tests/schedules"
_REPLAY, _SUMMARY, _VACUOUS, _FILE = "killpoint_replay", "killpoint_summary", "killpoint_vacuous", "killpoint_schedule"
_STRUCK = "killpoint_struck"
_TOLD_WHOLE = 5
"""Tests up to which the closing summary says of each what struck in it; of more, one line each is enough."""


class _WorkerController(Protocol):
    """What xdist hands to `pytest_configure_node`."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Killpoint's options."""
    group = parser.getgroup("killpoint", "exploring scenarios with Killpoint")
    seed = "explore from this seed (default: a new one, shown in the header)"
    group.addoption("--killpoint-seed", type=int, metavar="N", help=seed)
    profile = "how many schedules each test runs"
    group.addoption("--killpoint-profile", choices=tuple(PROFILES), default="default", help=profile)
    examples = "run N schedules per test, whatever the profile"
    group.addoption("--killpoint-examples", type=int, metavar="N", help=examples)
    replay = "the selected test replays this schedule only"
    group.addoption("--killpoint-replay", type=Path, metavar="FILE", help=replay)
    determinism = "run N schedules of each test in two unlike processes as well; they must give the same runs"
    group.addoption("--killpoint-determinism", type=int, default=0, metavar="N", help=determinism)
    escapes = "what to do where a simulated host reaches the real world (default: error)"
    group.addoption("--killpoint-escapes", choices=("error", "warn"), help=escapes)
    corpus = f"folder of schedules to replay first (default: {_CORPUS})"
    group.addoption("--killpoint-corpus", type=Path, metavar="DIR", help=corpus)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, unless a controller has chosen it."""
    config.addinivalue_line("markers", "invariants: explores a scenario with Killpoint")
    given = getattr(config, "workerinput", {}).get("killpoint_seed", config.getoption("killpoint_seed"))
    config.stash[_SEED] = given if given is not None else int.from_bytes(os.urandom(4))
    replay, corpus = config.getoption("killpoint_replay"), config.getoption("killpoint_corpus")
    if replay is not None and not replay.is_file():
        raise pytest.UsageError(f"--killpoint-replay: there is no file {replay}")
    if corpus is not None and not corpus.is_dir():
        raise pytest.UsageError(f"--killpoint-corpus: there is no folder {corpus}")
    examples = config.getoption("killpoint_examples")
    if config.getoption("killpoint_determinism") < 0:
        raise pytest.UsageError(f"--killpoint-determinism: {config.getoption('killpoint_determinism')} is not a number of schedules")
    if config.getoption("killpoint_escapes"):
        os.environ["KILLPOINT_ESCAPES"] = config.getoption("killpoint_escapes")
    if examples is not None and examples < 1:
        raise pytest.UsageError(f"--killpoint-examples: {examples} is not a positive number")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _WorkerController) -> None:
    """Hand the seed to a worker of xdist."""
    node.workerinput["killpoint_seed"] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed in the form in which it can be given, and how many schedules each test runs."""
    profile, examples = config.getoption("killpoint_profile"), config.getoption("killpoint_examples")
    much = f"--killpoint-examples={examples}" if examples is not None else f"profile {profile}"
    return f"killpoint: --killpoint-seed={config.stash[_SEED]}, {much}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests made by `killpoint.machine` can be selected with `-m invariants` and `-k invariants`, whatever their names."""
    if _explores(item):
        item.add_marker("invariants")
        kind = item.cls.killpoint_machine  # type: ignore[attr-defined]  # see _explores
        explored = Explored(_test(item), kind.reference, kind.scenario.label(), kind.mutant)
        item.config.stash.setdefault(_TESTS, {})[explored] = None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist tells its controller, which collects nothing itself, what tests there are."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["killpoint_tests"] = [tuple(test) for test in session.config.stash.get(_TESTS, {})]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: _WorkerController) -> None:
    """Hear from a worker of xdist what tests there are."""
    for test in getattr(node, "workeroutput", {}).get("killpoint_tests", ()):
        node.config.stash.setdefault(_TESTS, {})[Explored(*test)] = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let the options hold while a test of ours runs."""
    if not _explores(item):
        return (yield)
    options = item.stash[_OPTIONS] = _options(item)
    with use(options):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a failed property, or a schedule or a scenario that cannot be used, by what it says of itself, without a traceback."""
    report = yield
    options = item.stash.get(_OPTIONS, None)
    if options is None or call.when != "call":
        return report
    for key, name in (("summary", _SUMMARY), ("struck", _STRUCK), ("vacuous", _VACUOUS)):
        if key in options.notes:
            report.user_properties.append((name, options.notes[key]))
    failed = call.excinfo.value if call.excinfo is not None else None
    if isinstance(failed, Exception) and (_is_bad_input(failed) or getattr(failed, "in_its_own_words", False)):
        report.longrepr = _in_its_own_words(call)
    path, replay = getattr(failed, "path", None), getattr(failed, "replay", None)
    if isinstance(path, Path) and isinstance(replay, str):
        report.longrepr = _in_its_own_words(call)
        report.user_properties += [(_FILE, str(path)), (_REPLAY, replay)]
    return report


def _in_its_own_words(call: pytest.CallInfo[None]) -> TerminalRepr:
    """What an exception says; its first line where pytest has one line for it (which it does not cut short where `CI` is set)."""
    assert call.excinfo is not None
    told = call.excinfo.getrepr(style="value", chain=False)
    if told.reprcrash is not None:
        told.reprcrash.message = str(call.excinfo.value).partition("\n")[0]
    return told


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """What was explored, where that was empty, which schedules no test replays, and the lines to paste if failures are not shown."""
    lines = _explored(terminalreporter) if config.option.verbose >= 0 else []
    for outcome in ("failed", "passed"):
        for report in terminalreporter.getreports(outcome):
            notes = dict(report.user_properties)
            if _REPLAY in notes and config.option.tbstyle == "no":
                lines.append(str(notes[_REPLAY]))
            if _VACUOUS in notes and outcome == "passed":
                lines.append(f"vacuous: {report.nodeid}: {notes[_VACUOUS]}")
    lines += _never_replayed(terminalreporter, config)
    if lines:
        terminalreporter.section("killpoint", sep="-")
        for line in lines:
            terminalreporter.write_line(line)


def _explored(terminalreporter: TerminalReporter) -> list[str]:
    """What the tests that passed have run, and what struck in it: that nothing failed means little by itself."""
    told = [(report.nodeid, dict(report.user_properties)) for report in terminalreporter.getreports("passed")]
    told = [(nodeid, notes) for nodeid, notes in told if _SUMMARY in notes]
    lines = []
    for nodeid, notes in told:
        lines.append(f"{nodeid.removesuffix('::runTest')}: {notes[_SUMMARY]}")
        if notes.get(_STRUCK) and len(told) <= _TOLD_WHOLE:
            lines.append(f"    {notes[_STRUCK]}")
    return lines


def _explores(item: pytest.Item) -> bool:
    return hasattr(getattr(item, "cls", None), "killpoint_machine")


def _is_bad_input(error: Exception) -> bool:
    """Whether an error is a sentence about what it was given.  Only tests that import Killpoint raise such."""
    if "killpoint.sim.scenario" not in sys.modules:
        return False
    from .cli.errors import is_bad_input  # noqa: PLC0415  # heavy

    return is_bad_input(error)


def _never_replayed(terminalreporter: TerminalReporter, config: pytest.Config) -> list[str]:
    """A line for the saved failures, and one for the corpus, if no test replays some of them; none unless all tests were looked at."""
    option = config.option
    partial = [getattr(option, name, None) for name in ("collectonly", "lf", "ignore", "ignore_glob", "killpoint_replay")]
    broken = any(isinstance(report, pytest.CollectReport) for report in terminalreporter.stats.get("error", ()))
    if broken or any(partial) or config.args_source is pytest.Config.ArgsSource.ARGS:
        return []
    tests = config.stash.get(_TESTS, {})
    lines = []
    if saved := orphans(Options().folder, tests):
        them = "it" if len(saved) == 1 else "them"
        why = f"no test of that name explores that scenario any more; rename {them} after the test that does, or delete {them}"
        lines.append(f"never replayed: {_some(saved)}: {why}")
    corpus = _corpus(config)
    kept = orphans_of_corpus(corpus, tests) if corpus is not None and Path.cwd() == config.rootpath else []
    if kept:
        them = "it" if len(kept) == 1 else "them"
        why = f'no test explores that scenario any more; correct "scenario" in {them}, or delete {them}'
        lines.append(f"never replayed: {_some(kept)}: {why}")
    return lines


def _some(paths: Sequence[Path]) -> str:
    """The first few of them."""
    return ", ".join(os.path.relpath(path) for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _test(item: pytest.Item) -> str:
    """How reports call a test of ours."""
    return item.nodeid.removesuffix("::runTest").rpartition("::")[2]


def _corpus(config: pytest.Config) -> Path | None:
    """The folder of schedules to replay first, if there is one."""
    corpus: Path | None = config.getoption("killpoint_corpus")
    default = config.rootpath / _CORPUS
    return corpus if corpus is not None else default if default.is_dir() else None


def _options(item: pytest.Item) -> Options:
    """What this test is to do."""
    config = item.config
    return Options(
        profile=config.getoption("killpoint_profile"),
        examples=config.getoption("killpoint_examples"),
        seed=crc32(item.nodeid.encode()) + config.stash[_SEED],
        again=f"--killpoint-seed={config.stash[_SEED]}",
        replay=config.getoption("killpoint_replay"),
        corpus=_corpus(config),
        determinism=config.getoption("killpoint_determinism"),
        test=_test(item),
        node=item.nodeid.removesuffix("::runTest"),
    )
