"""`killpoint check` with limits and with specifications of one's own: it ends, and says what it knows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cli_runs import Killpoint

from killpoint.checking import check_file
from killpoint.checking.limits import Limits, available_megabytes, resident_megabytes
from killpoint.properties import Status
from killpoint.properties.progress import Interrupted

HISTORY = """\
{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 1}
"""

OWN = """\
import time
from killpoint.properties import Refusal, Specification


class Mine(Specification):
    initial = None

    def step(self, state, call):
        if call.function == "write":
            return call.argument
        return state if state == call.result else Refusal("it holds {}", state)


class Sleeps(Mine):
    def step(self, state, call):
        time.sleep(100)


class Counts(Mine):
    def step(self, state, call):
        return sum(range(10**12))


class Stubborn(Mine):
    def step(self, state, call):
        while True:
            try:
                time.sleep(100)
            except Exception:
                pass


class Once(Mine):
    def step(self, state, call):
        try:
            time.sleep(100)
        except BaseException:
            pass
        while True:
            time.sleep(0.01)


class SleepsBefore(Mine):
    def in_hindsight(self, operations):
        time.sleep(100)


class SleepsReducing(Mine):
    def reducer(self, calls):
        return lambda state: time.sleep(100)


class Eats(Mine):
    def step(self, state, call):
        held = []
        while True:
            held.append(bytearray(1 << 20))


class Fails(Mine):
    def step(self, state, call):
        return {}[call.function]


class Needs(Mine):
    def __init__(self, limit):
        self.limit = limit


class Breaks(Mine):
    def __init__(self):
        raise ValueError("no luck")


class Half(Specification):
    initial = None


class Nothing:
    pass


made = Needs(3)
"""


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    Path("h.edn").write_text(HISTORY)
    Path("own.py").write_text(OWN)


@pytest.mark.parametrize("name", ["Mine", "made"])
def test_a_specification_of_ones_own_is_found_by_its_place(killpoint: Killpoint, name: str) -> None:
    for reference in (f"own.py:{name}", f"own:{name}"):
        ended = killpoint("check", "h.edn", "--model", reference)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith("Linearizable(Mine) holds" if name == "Mine" else "Linearizable(Needs) holds")
    Path("h.edn").write_text(HISTORY.replace(":f :read, :value 1", ":f :read, :value 7"))
    ended = killpoint("check", "h.edn", "--model", f"own.py:{name}")
    assert ended.code == 1
    assert "cannot be placed: it holds 1" in ended.out


def test_the_specification_in_the_documentation_works(killpoint: Killpoint) -> None:
    page = (Path(__file__).parents[2] / "docs" / "checking.md").read_text(encoding="utf-8")
    block = page.split("### Specifications of your own", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    Path("highest.py").write_text(block)
    text = HISTORY.replace(":write", ":offer").replace(":read", ":best")
    Path("h.edn").write_text(text)
    assert killpoint("check", "h.edn", "--model", "highest.py:Highest").code == 0
    Path("h.edn").write_text(text.replace(":f :best, :value 1", ":f :best, :value 2"))
    ended = killpoint("check", "h.edn", "--model", "highest.py:Highest")
    assert (ended.code, "the best is 1, not 2" in ended.out) == (1, True)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("own.py:Nope", "own.py has nothing called 'Nope'; its specifications: Breaks, Counts, Eats, Fails, Half, Mine, "),
        ("own.py", "'own.py' says no name: a specification of your own is file.py:Name or package.module:Name"),
        ("own.py:", "'own.py:' says no name"),
        ("gone.py:X", "the model 'gone.py:X' cannot be loaded: ImportError: there is no file gone.py"),
        ("no_such_module:X", "the model 'no_such_module:X' cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("own.py:Needs", "Needs needs arguments: give one that is made a name, such as `mine = Needs(...)`, and name that: TypeError"),
        ("own.py:Breaks", "Breaks() fails: ValueError: no luck ("),
        ("own.py:Half", "Half is no specification, as it has no step: derive it from killpoint.properties.Specification"),
        ("own.py:Nothing", "Nothing is no specification, as it has no initial and no step"),
        ("own.py:time", "time is no specification, as it has no initial and no step"),
        ("broken.py:X", "broken.py, line 2)"),
        ("own.py:Fails", "Fails.step failed, asked for 0 write(1) -> 1 (invoked at event 0) in the state None: KeyError: 'write' ("),
    ],
)
def test_what_is_wrong_with_ones_own_is_said_in_a_sentence(killpoint: Killpoint, reference: str, words: str) -> None:
    Path("broken.py").write_text("x = 1\nx / 0\n")
    ended = killpoint("check", "h.edn", "--model", reference)
    assert (ended.code, ended.out) == (3, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["Sleeps", "Stubborn", "Once", "SleepsBefore", "SleepsReducing"])
def test_the_deadline_ends_whatever_ones_own_does(killpoint: Killpoint, name: str) -> None:
    began = time.monotonic()
    ended = killpoint("check", "h.edn", "--model", f"own.py:{name}", "--timeout", "0.2")
    assert time.monotonic() - began < 50
    assert ended.code == 2
    assert f"Linearizable({name}) is undecided: not decided within 0.2 s, before the deadline" in ended.out
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_memory_ends_it_too(killpoint: Killpoint) -> None:
    ended = killpoint("check", "h.edn", "--model", "own.py:Eats", "--memory", str(int(resident_megabytes() + 60)))
    assert ended.code == 2
    assert "Linearizable(Eats) is undecided: not decided within" in ended.out
    assert "MB of memory, which depends on the machine" in ended.out


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(killpoint: Killpoint) -> None:
    os.mkfifo("pipe")
    ended = killpoint("check", "pipe", "--model", "register", "--json")
    assert (ended.code, "this is a pipe, not a file" in ended.err) == (3, True)


@pytest.mark.parametrize("wrong", [["--timeout", "0"], ["--memory", "-1"], ["--memory", "much"], ["--memory", "nan"]])
def test_limits_that_are_none_are_refused(killpoint: Killpoint, wrong: list[str]) -> None:
    ended = killpoint("check", "h.edn", "--model", "register", *wrong)
    assert ended.code == 3
    assert "is no positive number of" in ended.err


def in_a_process_of_its_own(*arguments: str) -> tuple[int, str, str]:
    """The command line, where no thread of another test keeps it from making a child."""
    code = "import killpoint.cli.check as check; check.GRACE = 0.5; from killpoint.cli import main; raise SystemExit(main())"
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize("name", ["Counts", "Bare"])
def test_what_no_signal_ends_is_killed(name: str) -> None:
    """A call into C that never looks up, and a bare `except:` in a loop."""
    Path("own.py").write_text(OWN.replace("class Stubborn", "class Bare").replace("except Exception:", "except:"))
    code, out, _err = in_a_process_of_its_own("check", "h.edn", "--model", f"own.py:{name}", "--timeout", "0.3")
    assert code == 2
    assert out == (
        f"own.py:{name} is undecided: not decided within 0.3 s, before the deadline, and what it was doing then could not be interrupted.\n"
    )


@pytest.mark.parametrize(
    ("death", "how"), [("os._exit(0)", "ended with exit code 0"), ("os.kill(os.getpid(), 9)", "was ended by signal 9")]
)
def test_what_ends_by_itself_in_the_child_is_no_verdict(death: str, how: str) -> None:
    Path("own.py").write_text("import os\n" + OWN.replace("return {}[call.function]", death))
    code, out, err = in_a_process_of_its_own("check", "h.edn", "--model", "own.py:Fails")
    assert (code, out) == (3, "")
    assert err == f"killpoint: the process that asked the specification {how}, without an answer\n"


def test_in_another_thread_the_clock_is_looked_at_between_turns() -> None:
    """No signal can be had there."""
    lines = [f"{{:process {p}, :type :{kind}, :f :add, :value 1}}" for kind in ("invoke", "ok") for p in range(30)]
    lines[30:30] = [f"{{:process {90 + p}, :type :{kind}, :f :read, :value {99 + p}}}" for kind in ("invoke", "ok") for p in range(3)]
    Path("h.edn").write_text("\n".join(lines) + "\n")
    Path("own.py").write_text(
        "from killpoint.properties import Refusal, Specification\n"
        "class Sums(Specification):\n"
        "    initial = ()\n"
        "    def step(self, state, call):\n"
        "        if call.function == 'add':\n"
        "            return (*state, len(state))\n"
        "        return state if call.result in state else Refusal('no')\n"
    )
    found = []
    thread = threading.Thread(target=lambda: found.append(check_file("h.edn", "own.py:Sums", 1e-6)))
    thread.start()
    thread.join(60)
    assert [verdict.status for verdict in found] == [Status.UNKNOWN]


def test_limits_may_be_nested() -> None:
    with pytest.raises(Interrupted, match=r"within 0\.1 s"), Limits(0.1), Limits(30.0):
        time.sleep(20)
    with pytest.raises(Interrupted, match="MB of memory"), Limits(30.0, resident_megabytes() / 2), Limits(20.0):
        time.sleep(20)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_what_the_interpreter_swallows_comes_again_at_once_and_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """The first tick after the limit falls into `__del__`, where nothing can be raised."""

    class Slow:
        def __del__(self) -> None:
            time.sleep(20)

    class Broken:
        def __del__(self) -> None:
            raise ValueError("told as ever")

    def collected_slowly() -> None:
        Broken()
        Slow()
        time.sleep(20)

    told: list[sys.UnraisableHookArgs] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", told.append)
        patch.setattr("killpoint.checking.limits.AGAIN", 1000.0)
        for inner in (contextlib.nullcontext(), Limits(30.0)):
            with pytest.raises(Interrupted, match=r"within 0\.1 s"), Limits(0.1), inner:
                collected_slowly()
        assert sys.unraisablehook == told.append
    assert [str(raised.exc_value) for raised in told] == ["told as ever", "told as ever"]
    assert capfd.readouterr().err == ""


def test_memory_is_measured() -> None:
    assert 5 < resident_megabytes() < 100_000
    assert (available_megabytes() or 1) > 0
