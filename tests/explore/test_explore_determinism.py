"""The determinism check passes honest systems, and catches every way of cheating that it knows of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from killpoint.explore.determinism import WorkerError, check_determinism
from killpoint.explore.divergence import divergence_lines

PLANTED = Path(__file__).parent / "planted"


def test_runs_that_depend_on_their_schedules_alone_do_not_differ() -> None:
    heard: list[int] = []
    report = check_determinism(f"{PLANTED / 'honest.py'}:Honest", schedules=12, each=heard.append)
    assert report.compared == 12
    assert report.differing == ()
    assert report.divergence is None
    assert heard == list(range(1, 25))


@pytest.mark.parametrize(
    ("reference", "cause", "leak"),
    [
        ("set_of_strings.py:SetOfStrings", "the hash seed", ""),
        ("order_of_addresses.py:OrderOfAddresses", "address", ""),
        ("real_clock.py:RealClock", "a clock", ""),
        ("unseeded_random.py:UnseededRandom", "unseeded random", ""),
        ("garbage.py:Garbage", "something outlives a run", "garbage.buried: 0"),
        ("module_counter.py:ModuleCounter", "something outlives a run", "module_counter.request_numbers: count(1)"),
    ],
)
def test_a_planted_divergence_is_caught_and_explained(reference: str, cause: str, leak: str) -> None:
    report = check_determinism(f"{PLANTED / reference}", schedules=12)
    found = report.divergence
    assert found is not None
    assert found.number in report.differing
    assert found.digests[0] != found.digests[1]
    assert cause in found.cause
    assert found.left is not None
    assert found.right is not None
    # The first event that differs is the server's answer, whatever it is made of; all before it is alike.
    assert (found.left.kind, found.left.host) == (found.right.kind, found.right.host) == ("send", "n1")
    assert found.left.detail != found.right.detail
    assert found.before[-1].kind == "deliver"
    assert [text.startswith(leak) for text in found.leaked] == ([True] if leak else [])
    file = reference.partition(":")[0]
    for stack in (found.left_stack, found.right_stack):
        assert stack, "whose code made the event is said"
        assert f"{file}:" in stack[-1]
        assert " in serve" in stack[-1]
    lines = divergence_lines(reference, report)
    assert [line for line in lines if line.strip() == found.left_stack[-1]]


def test_another_interpreter_runs_the_second_half_and_is_named_if_it_matters() -> None:
    python = Path(sys.executable)
    assert check_determinism(f"{PLANTED / 'honest.py'}:Honest", schedules=3, python=python).differing == ()
    found = check_determinism(f"{PLANTED / 'interpreter.py'}:Interpreter", schedules=3, python=python).divergence
    assert found is not None
    assert found.cause.startswith("the interpreter")
    assert "interpreter.py:" in found.right_stack[-1]


def test_what_happened_in_runs_that_were_alike_is_counted() -> None:
    report = check_determinism(f"{PLANTED / 'honest.py'}:Honest", schedules=12, faults="pause,partition")
    assert report.differing == ()
    assert set(report.struck) <= {"pause", "partition"}
    assert report.struck["pause"] > 0
    assert report.crossed["deliver"] > 6
    assert "Faults struck: pause in " in divergence_lines("honest", report)[1]


def test_a_check_that_is_asked_to_stop_says_how_far_it_came() -> None:
    report = check_determinism(f"{PLANTED / 'honest.py'}:Honest", schedules=100_000, stop=lambda: True)
    assert report.compared < 100_000
    assert report.divergence is None


def test_a_process_that_cannot_work_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken_there.py"
    broken.write_text(
        "import os\n"
        "from explore_scenarios import OneServer as X\n"
        "if os.environ.get('PYTHONHASHSEED') == '1':\n"
        "    raise RuntimeError('not today')\n"
    )
    with pytest.raises(WorkerError, match="not today"):
        check_determinism(f"{broken}:X", schedules=2)
