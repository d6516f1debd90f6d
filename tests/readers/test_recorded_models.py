"""Recorded histories of queues, stacks, sets, counters and locks, with the names and shapes that Jepsen gives them."""

import re
from pathlib import Path

import pytest

from killpoint.checking import MODELS, check_file, functions_of
from killpoint.properties import Status

Row = tuple[int, str, str, str]

RECORDED: dict[str, tuple[list[Row], tuple[str, str]]] = {
    "fifo-queue": (
        [
            *((0, "enqueue", "1", "1"), (1, "enqueue", "2", "2")),
            *((0, "dequeue", "nil", "1"), (1, "dequeue", "nil", "2"), (0, "dequeue", "nil", "nil")),
        ],
        (":dequeue :value 1", ":dequeue :value 2"),
    ),
    "unordered-queue": (
        [*((0, "enqueue", "1", "1"), (1, "enqueue", "2", "2")), *((0, "dequeue", "nil", "2"), (1, "dequeue", "nil", "1"))],
        (":dequeue :value 1", ":dequeue :value 2"),
    ),
    "priority-queue": (
        [(0, "insert", "[2 :low]", "[2 :low]"), (1, "insert", "[1 :high]", "[1 :high]"), (0, "poll", "nil", "[1 :high]")],
        (":poll :value [1 :high]", ":poll :value [2 :low]"),
    ),
    "stack": (
        [(0, "push", "1", "1"), (1, "push", "2", "2"), (0, "pop", "nil", "2")],
        (":pop :value 2", ":pop :value 1"),
    ),
    "set": (
        [(0, "add", "5", "5"), (1, "contains", "5", "true"), (0, "remove", "5", "true"), (1, "contains", "5", "[5 false]")],
        (":contains :value true", ":contains :value false"),
    ),
    "grow-set": (
        [(0, "add", "1", "1"), (1, "add", "2", "2"), (0, "read", "nil", "#{2 1}")],
        (":read :value #{2 1}", ":read :value #{2}"),
    ),
    "counter": (
        [(0, "add", "3", "3"), (1, "inc", "nil", "nil"), (0, "read", "nil", "4")],
        (":read :value 4", ":read :value 3"),
    ),
    "owned-mutex": (
        [(0, "acquire", "nil", "nil"), (0, "release", "nil", "nil"), (1, "acquire", "nil", "nil")],
        (":process 0 :type :ok :f :release", ":process 1 :type :ok :f :release"),
    ),
    "reentrant-mutex": (
        [(0, "acquire", "nil", "nil"), (0, "acquire", "nil", "nil"), (0, "release", "nil", "nil"), (0, "release", "nil", "nil")],
        (":process 0 :type :ok :f :release", ":process 1 :type :ok :f :release"),
    ),
    "fenced-mutex": (
        [(0, "acquire", "nil", "{:client 0 :fence 3}"), (0, "release", "nil", "nil"), (1, "acquire", "nil", "{:client 1 :fence 4}")],
        (":fence 4", ":fence 3"),
    ),
}


def edn(rows: list[Row]) -> str:
    lines = []
    for process, function, argument, result in rows:
        lines.append(f"{{:process {process} :type :invoke :f :{function} :value {argument}}}")
        lines.append(f"{{:process {process} :type :ok :f :{function} :value {result}}}")
    return "\n".join(lines)


@pytest.mark.parametrize("model", RECORDED)
def test_recorded_histories_of_every_model(model: str, tmp_path: Path) -> None:
    """A valid one, and the same with one answer, or one process, changed."""
    path = tmp_path / "h.edn"
    rows, (right, wrong) = RECORDED[model]
    path.write_text(edn(rows))
    assert check_file(path, model).status is Status.VALID
    text = edn(rows)
    if "process" in right:
        broken = text.replace(right.replace(":ok", ":invoke"), wrong.replace(":ok", ":invoke"), 1).replace(right, wrong, 1)
    else:
        broken = text.replace(right, wrong, 1)
    assert broken != text
    path.write_text(broken)
    verdict = check_file(path, model)
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert any("cannot be placed" in line for line in verdict.evidence.lines)


def under(key: int, text: str) -> list[str]:
    """The lines of a history as those of one key, of other processes."""
    return re.sub(r":process (\d)(.*):value (.*)}", rf":process {key}\1\2:value [{key} \3]}}", text).splitlines()


@pytest.mark.parametrize("model", [*(model for model in RECORDED if model != "set"), "mutex"])
def test_keys_of_every_model_are_judged_by_themselves(model: str, tmp_path: Path) -> None:
    """The same history under two keys, in turns: valid; and the one of the second key changed."""
    path = tmp_path / "h.edn"
    rows, (right, wrong) = RECORDED["owned-mutex" if model == "mutex" else model]

    text = edn(rows)
    broken = text.replace(right, wrong, 1)
    if "process" in right:
        broken = text.replace(right.replace(":ok", ":invoke"), wrong.replace(":ok", ":invoke"), 1).replace(right, wrong, 1)
    if model == "mutex":
        broken = text.replace("release", "acquire")
    for other, expected in ((text, Status.VALID), (broken, Status.INVALID)):
        lines = zip(under(1, text), under(2, other), strict=True)
        path.write_text("\n".join(line for pair in lines for line in pair))
        verdict = check_file(path, model)
        assert (verdict.status, verdict.name.endswith(" by key)")) == (expected, True)


def test_a_set_that_is_only_read_as_a_whole_is_a_growing_one(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    rows, _change = RECORDED["grow-set"]
    path.write_text(edn(rows))
    verdict = check_file(path, "set")
    assert (verdict.status, verdict.name) == (Status.VALID, "Linearizable(GrowSet)")
    assert verdict.reason.endswith("(decided by the chain of reads)")


def test_a_client_that_crashed_holds_the_lock_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    lines = ["{:process 0 :type :invoke :f :acquire :value nil}", "{:process 0 :type :ok :f :acquire :value nil}"]
    lines += ["{:process 0 :type :invoke :f :release :value nil}", "{:process 0 :type :info :f :release :value nil}"]
    lines += ["{:process 1 :type :invoke :f :acquire :value nil}", "{:process 1 :type :ok :f :acquire :value nil}"]
    path.write_text("\n".join(lines))
    assert check_file(path, "owned-mutex").status is Status.VALID, "it may have let go of it"
    path.write_text("\n".join(lines[:2] + lines[4:]))
    assert check_file(path, "owned-mutex").status is Status.INVALID


def test_every_model_names_its_functions() -> None:
    assert functions_of(MODELS["fifo-queue"]) == ("enqueue", "dequeue")
    assert all(functions_of(model) for model in MODELS.values())
