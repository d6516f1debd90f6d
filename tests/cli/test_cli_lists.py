"""The smaller commands: check, determinism, scenarios, mutants, faults, help."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli_runs import Killpoint, interrupted_after

from killpoint.model.civictrust.scenario import CivicTrust

LINEARIZABLE = """\
{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 1}
"""


def test_a_linearizable_history_is_valid(killpoint: Killpoint) -> None:
    Path("h.edn").write_text(LINEARIZABLE)
    ended = killpoint("check", "h.edn", "--model", "register")
    assert ended.code == 0
    assert ended.out.startswith("Linearizable(Register) holds")
    document = killpoint("check", "h.edn", "--model", "register", "--json").document
    assert (document["status"], document["model"], document["file"]) == ("valid", "register", "h.edn")


def test_a_stale_read_is_invalid_and_explained(killpoint: Killpoint) -> None:
    Path("h.edn").write_text(LINEARIZABLE.replace(":f :read, :value 1", ":f :read, :value 7"))
    ended = killpoint("check", "h.edn", "--model", "cas-register")
    assert ended.code == 1
    assert "fails: " in ended.out
    assert "7" in ended.out


def test_a_history_is_drawn(killpoint: Killpoint) -> None:
    Path("h.edn").write_text(LINEARIZABLE)
    ended = killpoint("check", "h.edn", "--model", "register", "--html", "h.html")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "The picture is in h.html"
    page = Path("h.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<title>h.edn, register</title>" in page
    Path("h.edn").write_text(LINEARIZABLE.replace(":f :read, :value 1", ":f :read, :value 7"))
    ended = killpoint("check", "h.edn", "--model", "register", "--html", "h.html", "--json")
    assert (ended.code, ended.document["status"]) == (1, "invalid")
    assert "cannot be placed: the register holds 1, not 7" in Path("h.html").read_text(encoding="utf-8")
    Path("h.edn").write_text(WRITE_SKEW)
    assert killpoint("check", "h.edn", "--model", "list-append", "--html", "h.html").code == 1
    assert '<svg class="ring"' in Path("h.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in Path().glob("*h.html*")) == ["h.html"], "no temporary file is left"


@pytest.mark.parametrize(
    ("out", "why"), [("nowhere/h.html", "there is no folder "), (".", "it is a folder"), ("full/h.html", "cannot be written: ")]
)
def test_a_picture_that_cannot_be_written_is_bad_usage(killpoint: Killpoint, out: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("h.edn").write_text(LINEARIZABLE)
    Path("full").mkdir()
    if out == "full/h.html":  # root may write anywhere, so a full disk has to do

        def no_space(_file: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", no_space)
    ended = killpoint("check", "h.edn", "--model", "register", "--html", out)
    assert ended.code == 3
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert f"--html: {out} cannot be written: " in line
    assert why in line
    assert list(Path("full").iterdir()) == []


BLIND = """
from killpoint.properties import Refusal, Specification

class Blind(Specification):
    initial = ()

    def step(self, state, call):
        if call.function == "add":
            return (*state, call.argument)
        return state if not call.known or state == call.result else Refusal("it holds {}", state)
"""


def test_an_undecided_history_is_drawn_as_far_as_the_search_came(killpoint: Killpoint) -> None:
    Path("blind.py").write_text(BLIND)
    lines = [f"{{:process {p}, :type :{kind}, :f :add, :value {p}}}" for kind in ("invoke", "ok") for p in range(12)]
    lines += ["{:process 0, :type :invoke, :f :read, :value nil}", "{:process 0, :type :ok, :f :read, :value [7 7]}"]
    Path("h.edn").write_text("\n".join(lines) + "\n")
    ended = killpoint("check", "h.edn", "--model", "blind.py:Blind", "--timeout", "0.3", "--html", "h.html")
    assert ended.code == 2
    assert "0 of 13 completed operations were placed in order" not in ended.out
    assert ended.out.rstrip().endswith("The picture is in h.html")
    assert "not decided: this is how far the search came" in Path("h.html").read_text(encoding="utf-8")


def test_a_deadline_that_is_too_short_gives_unknown_and_exit_code_2(killpoint: Killpoint) -> None:
    lines = [f"{{:process {p}, :type :invoke, :f :write, :value {p}}}" for p in range(20)]
    lines += [f"{{:process {p}, :type :ok, :f :write, :value {p}}}" for p in range(20)]
    for kind in ("invoke", "ok"):
        lines.append(f"{{:process 90, :type :{kind}, :f :cas, :value [5 5]}}")
    Path("h.edn").write_text("\n".join(lines) + "\n")
    ended = killpoint("check", "h.edn", "--model", "cas-register", "--timeout", "1e-9")
    assert ended.code == 2
    assert "is undecided" in ended.out


WRITE_SKEW = """\
{:process 0, :type :invoke, :f :txn, :value [[:append :x 1] [:r :y nil]]}
{:process 1, :type :invoke, :f :txn, :value [[:append :y 1] [:r :x nil]]}
{:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:r :y nil]]}
{:process 1, :type :ok, :f :txn, :value [[:append :y 1] [:r :x nil]]}
"""


def test_transactions_are_judged_by_a_level_of_isolation(killpoint: Killpoint) -> None:
    Path("h.edn").write_text(WRITE_SKEW)
    ended = killpoint("check", "h.edn", "--model", "list-append")
    assert ended.code == 1
    assert ended.out.startswith("Isolation(strict-serializable, list-append) fails: G2-item, which strict-serializable forbids")
    assert "Still standing: strong-snapshot-isolation." in ended.out
    ended = killpoint("check", "h.edn", "--model", "list-append", "--isolation", "snapshot-isolation")
    assert (ended.code, "holds" in ended.out) == (0, True)
    Path("h.edn").write_text("[1 1]".join(WRITE_SKEW.replace(":append :y", ":append :x").rsplit("nil", 1)))
    ended = killpoint("check", "h.edn", "--model", "list-append", "--json")
    assert (ended.code, ended.document["status"]) == (2, "unknown")
    ended = killpoint("check", "h.edn", "--model", "list-append", "--isolation", "perfect")
    assert (ended.code, "there is no level of isolation 'perfect': choose one of strict-serializable" in ended.err) == (3, True)


def test_several_models_and_their_parameters(killpoint: Killpoint) -> None:
    reads = "{:process 0, :type :invoke, :f :read, :value nil}\n{:process 0, :type :ok, :f :read, :value {0 10, 1 -3}}\n"
    Path("h.edn").write_text(reads)
    ended = killpoint("check", "h.edn", "--model", "bank", "--model", "stats")
    assert ended.code == 1
    assert ended.out.startswith("Compose(Bank, Stats) fails: Bank: negative-balance: 0's read (operation 0, ok) shows a balance below")
    assert "Stats is valid: 1 operation: read: 1 ok, 0 fail, 0 info" in ended.out
    ended = killpoint("check", "h.edn", "--model", "bank,stats", "--option", "negative=true", "--json")
    assert (ended.code, ended.document["model"], ended.document["status"]) == (0, "bank,stats", "valid")
    ended = killpoint("check", "h.edn", "--model", "bank", "--option", "negative")
    assert (ended.code, "--option takes NAME=VALUE, not negative" in ended.err) == (3, True)
    ended = killpoint("check", "h.edn", "--model", "kafka")
    assert (ended.code, "there is no operation assign or poll or send or subscribe or txn here, only read" in ended.err) == (3, True)


FLAGS = """\
{:process 0, :type :invoke, :f :write, :value [:x 1], :time 1000000000}
{:process 0, :type :ok, :f :write, :value [:x 1], :time 1100000000}
{:process 1, :type :invoke, :f :write, :value [:y 1], :time 1200000000}
{:process 1, :type :ok, :f :write, :value [:y 1], :time 1300000000}
{:process 0, :type :invoke, :f :read, :value [:y nil], :time 1400000000}
{:process 0, :type :ok, :f :read, :value [:y nil], :time 1500000000}
{:process 1, :type :invoke, :f :read, :value [:x nil], :time 1600000000}
{:process 1, :type :ok, :f :read, :value [:x nil], :time 1700000000}
"""


@pytest.mark.parametrize(
    ("consistency", "code", "name"),
    [
        ("linearizable", 1, "Linearizable(Register by key)"),
        ("sequential", 1, "SequentiallyConsistent(Register by key)"),
        ("regular", 1, "Regular(Register by key)"),
        ("strong-regular", 1, "StronglyRegular(Register by key)"),
        ("safe", 1, "Safe(Register by key)"),
        ("k-atomic=1", 1, "KAtomic(Register by key, 1 version)"),
        ("k-atomic=2", 0, "KAtomic(Register by key, 2 versions)"),
        ("staleness=0.1", 1, "BoundedStaleness(Register by key, 0.1 s)"),
        ("staleness=0.5", 0, "BoundedStaleness(Register by key, 0.5 s)"),
        ("read-your-writes", 0, "SessionGuarantee(read-your-writes, Register by key)"),
        ("causal", 0, "SessionGuarantee(causal, Register by key)"),
    ],
)
def test_what_is_weaker_than_linearizable_may_be_asked_for(killpoint: Killpoint, consistency: str, code: int, name: str) -> None:
    """Both raise their flags, and neither sees the other's: each read is of one version back, and 0.1 s or 0.5 s old."""
    Path("h.edn").write_text(FLAGS)
    ended = killpoint("check", "h.edn", "--model", "register", "--consistency", consistency)
    assert (ended.code, ended.out.split(" holds")[0].split(" fails")[0]) == (code, name)
    assert killpoint("check", "h.edn", "--model", "register", "--consistency", consistency, "--json").document["property"] == name


def test_sessions_have_guarantees_about_transactions_too(killpoint: Killpoint) -> None:
    Path("h.edn").write_text(WRITE_SKEW)
    ended = killpoint("check", "h.edn", "--model", "list-append", "--consistency", "causal")
    assert (ended.code, "SessionGuarantee(causal, list-append) holds" in ended.out) == (0, True)
    ended = killpoint("check", "h.edn", "--model", "list-append", "--isolation", "causal-consistency")
    assert (ended.code, "Isolation(causal-consistency, list-append) holds" in ended.out) == (0, True)


def test_models_are_listed(killpoint: Killpoint) -> None:
    ended = killpoint("check", "--list")
    assert ended.code == 0
    assert {"register", "cas-register", "kv", "fifo-queue", "list-append"} <= {line.split()[0] for line in ended.out.splitlines()}
    assert "[add, remove, contains]" in ended.out
    assert set(killpoint("check", "--list", "--json").document) == {line.split()[0] for line in ended.out.splitlines()}


def test_scenarios_are_listed_with_what_they_are_made_of(killpoint: Killpoint) -> None:
    ended = killpoint("scenarios")
    assert ended.code == 0
    assert "civictrust" in ended.out
    assert "hosts       n1 n2 n3" in ended.out
    found = killpoint("scenarios", "--json").document["civictrust"]
    assert isinstance(found, dict)
    assert "issue" in found["operations"]
    assert "compromise-key" in found["faults"]


def test_the_kinds_of_fault_are_listed_and_told_of(killpoint: Killpoint) -> None:
    ended = killpoint("faults")
    assert ended.code == 0
    listed = {line.split()[0] for line in ended.out.splitlines()}
    assert {"kill", "power-loss", "partition", "compromise-key", "delay", "hold"} <= listed
    document = killpoint("faults", "--json").document
    assert set(document) == listed
    assert all(told["about"] and "duration" in told["parameters"] for told in document.values())
    told = killpoint("faults", "loss").out
    assert told.startswith("loss\n")
    assert "default 0.3" in told
    assert "required" in told
    refused = killpoint("faults", "los")
    assert (refused.code, "did you mean loss?" in refused.err) == (3, True)


def test_mutants_are_listed_with_story_and_trigger(killpoint: Killpoint) -> None:
    ended = killpoint("mutants", "civictrust")
    assert ended.code == 0
    assert "ack-before-fsync" in ended.out
    assert ended.out.count("minimal trigger: ") == len(CivicTrust.mutants) >= 8
    found = killpoint("mutants", "--json").document["civictrust"]
    assert isinstance(found, dict)
    assert list(found) == list(CivicTrust.mutants)
    assert all(mutant["minimal_actions"] >= 1 for mutant in found.values())


def test_a_scenario_without_mutants_says_so(killpoint: Killpoint) -> None:
    assert "has no planted bugs" in killpoint("mutants", "replicated_register.py:ReplicatedRegister").out


def test_one_mutant_is_one_planted_bug(killpoint: Killpoint) -> None:
    Path("planting.py").write_text(
        "from replicated_register import ReplicatedRegister\n\n"
        "class Planted(ReplicatedRegister):\n    mutants = {'deaf': 'planting:Deaf'}\n\n"
        'class Deaf(Planted):\n    """Hears nothing."""\n'
    )
    told = killpoint("mutants", "planting.py:Planted").out
    assert "has 1 planted bug; try it with killpoint explore planting.py:Planted --mutant NAME" in told


def test_determinism_of_an_honest_scenario_is_exit_code_0(killpoint: Killpoint) -> None:
    ended = killpoint("determinism", "replicated_register.py:ReplicatedRegister", "--seeds", 5)
    assert ended.code == 0
    assert "5 schedules in two processes under different hash seeds, the second in reverse order: 0 differing digests." in ended.out


def test_a_leak_is_exit_code_1_with_the_first_event_and_the_attribute(killpoint: Killpoint) -> None:
    planted = Path(__file__).resolve().parents[1] / "explore" / "planted" / "module_counter.py"
    ended = killpoint("determinism", f"{planted}:ModuleCounter", "--seeds", 6)
    assert ended.code == 1
    assert "something outlives a run" in ended.out
    assert "First event that differs:" in ended.out
    assert "    one " in ended.out
    assert "    other " in ended.out
    assert "module_counter.request_numbers: count(1) before the first run" in ended.out
    report = killpoint("determinism", f"{planted}:ModuleCounter", "--seeds", 6, "--json").document["report"]
    assert isinstance(report, dict)
    assert report["divergence"]["number"] in report["differing"]


def test_determinism_can_be_interrupted(killpoint: Killpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with interrupted_after(2, monkeypatch):
        ended = killpoint("determinism", "replicated_register.py:ReplicatedRegister", "--seeds", 5000)
    assert ended.code == 130
    assert "(interrupted): 0 differing digests." in ended.out


def test_help_and_version_are_exit_code_0(killpoint: Killpoint) -> None:
    assert "explore" in killpoint("--help").out
    assert "--until" in killpoint("replay", "--help").out
    assert killpoint("--version").out == f"killpoint {version('killpoint')}\n"


def test_help_imports_nothing_that_is_slow() -> None:
    heavy = ("trio", "hypothesis", "networkx", "rich", "msgspec")
    code = f"import sys; from killpoint.cli import main; main(['--help']); sys.exit(any(m in sys.modules for m in {heavy!r}))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
