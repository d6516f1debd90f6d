"""Recorded histories of workloads, in the shapes that Jepsen gives them: each holds, and with one word changed does not."""

import re
from pathlib import Path

import pytest

from killpoint.checking import CHECKERS, ReadError, UnknownModelError, check_file, models
from killpoint.properties import Status

ROOT = Path(__file__).resolve().parents[2]

Row = tuple[int, str, str, str]

RECORDED: dict[str, tuple[list[Row], tuple[str, str], str]] = {
    "total-queue": (
        [(0, "enqueue", "1", "1"), (0, "enqueue", "2", "2"), (1, "dequeue", "nil", "1"), (1, "drain", "nil", "[2]")],
        (":drain :value [2]", ":drain :value []"),
        "lost",
    ),
    "set-final": (
        [(0, "add", "1", "1"), (0, "add", "2", "2"), (1, "read", "nil", "#{1 2}")],
        ("#{1 2}", "#{1}"),
        "lost",
    ),
    "set-full": (
        [(0, "add", "1", "1"), (0, "add", "2", "2"), (1, "read", "nil", "[1 2]")],
        ("[1 2]", "[1 2 1]"),
        "duplicate",
    ),
    "unique-ids": (
        [(0, "generate", "nil", '"a-1"'), (0, "generate", "nil", '"a-2"'), (1, "generate", "nil", "[1 2]")],
        ("a-2", "a-1"),
        "duplicate-id",
    ),
    "counter-bounds": (
        [(0, "add", "2", "2"), (1, "read", "nil", "2"), (0, "add", "3", "3"), (1, "read", "nil", "5")],
        (":read :value 5", ":read :value 2"),
        "below-bounds",
    ),
    "bank": (
        [
            *((0, "read", "nil", "{0 10, 1 7}"), (1, "transfer", "{:from 0 :to 1 :amount 3}", "{:from 0 :to 1 :amount 3}")),
            *((0, "read", "nil", "{0 7 1 10}"), (0, "read", "nil", "{:a 17}")),
        ],
        ("{0 7 1 10}", "{0 7 1 7}"),
        "wrong-total",
    ),
    "long-fork": (
        [
            *((0, "txn", "[[:w 1 1]]", "[[:w 1 1]]"), (1, "txn", "[[:w 2 1]]", "[[:w 2 1]]")),
            *((0, "txn", "[[:r 1 nil] [:r 2 nil]]", "[[:r 1 1] [:r 2 nil]]"), (1, "txn", "[[:r 2 nil] [:r 1 nil]]", "[[:r 2 1] [:r 1 1]]")),
        ],
        ("[[:r 2 1] [:r 1 1]]", "[[:r 2 1] [:r 1 nil]]"),
        "long-fork",
    ),
    "monotonic": (
        [
            (0, "add", "0", "{:val 1 :sts 1700000000000000000000001N :node 1 :proc 0 :tb 0}"),
            (1, "read", "nil", "[{:val 1 :sts 1700000000000000000000001N :tb 0} {:val 2 :sts 1700000000000000000000002N :tb 0}]"),
        ],
        ("{:val 2 :sts 1700000000000000000000002N", "{:val 0 :sts 1700000000000000000000002N"),
        "nonmonotonic",
    ),
    "causal-reverse": (
        [(0, "write", "[3 1]", "[3 1]"), (1, "write", "[3 2]", "[3 2]"), (0, "read", "[3 nil]", "[3 #{1 2}]")],
        ("#{1 2}", "#{2}"),
        "causal-reverse",
    ),
    "kafka": (
        [
            *((0, "send", "[[:send 5 1]]", "[[:send 5 [0 1]]]"), (0, "send", "[[:send 5 2]]", "[[:send 5 [3 2]]]")),
            *((1, "assign", "[5]", "[5]"), (1, "poll", "[[:poll]]", "[[:poll {5 [[0 1] [3 2]]}]]")),
            (1, "poll", "[[:poll]]", "[[:poll {}]]"),
        ],
        ("[[0 1] [3 2]]", "[[3 2]]"),
        "lost-write",
    ),
    "lease": (
        [
            *((0, "acquire", "{:client 1 :lease :a}", "{:token 3 :expires 2.5}"), (0, "write", "{:token 3 :lease :a}", "nil")),
            (1, "acquire", "{:client 2 :lease :a}", "{:token 4 :expires 9.5}"),
        ],
        ("{:token 4 :expires", "{:token 2 :expires"),
        "token-not-rising",
    ),
    "stats": ([(0, "read", "nil", "1"), (0, "write", "1", "1")], (":ok :f :write", ":fail :f :write"), "never-ok"),
}


def edn(rows: list[Row]) -> str:
    lines = []
    for second, (process, function, argument, result) in enumerate(rows, 1):
        lines.append(f"{{:process {process} :type :invoke :f :{function} :value {argument} :time {second}000000000}}")
        lines.append(f"{{:process {process} :type :ok :f :{function} :value {result} :time {second}500000000}}")
    return "\n".join(lines)


@pytest.mark.parametrize("model", RECORDED)
def test_a_recorded_workload_is_judged(model: str, tmp_path: Path) -> None:
    rows, (word, other), kind = RECORDED[model]
    path = tmp_path / "h.edn"
    path.write_text(edn(rows))
    verdict = check_file(path, model)
    assert verdict.status is Status.VALID, verdict
    assert word in edn(rows)
    path.write_text(edn(rows).replace(word, other))
    verdict = check_file(path, model)
    assert verdict.evidence is not None, verdict
    assert verdict.evidence.kind == kind


def under(key: int, text: str) -> list[str]:
    """The lines of a history as those of one key, of other processes."""
    return re.sub(r":process (\d)(.*):value (.*) (:time.*)}", rf":process {key}\1\2:value [{key} \3] \4}}", text).splitlines()


@pytest.mark.parametrize("model", sorted({*RECORDED} - {"causal-reverse", "kafka", "lease", "stats"}))
def test_keys_of_a_recorded_workload_are_judged_by_themselves(model: str, tmp_path: Path) -> None:
    """The same history twice under two keys, in turns, would be none of one object."""
    rows, (word, other), kind = RECORDED[model]
    path = tmp_path / "h.edn"
    for text, expected in ((edn(rows), Status.VALID), (edn(rows).replace(word, other), Status.INVALID)):
        pairs = zip(under(1, edn(rows)), under(2, text), strict=True)
        path.write_text("\n".join(line for pair in pairs for line in pair))
        verdict = check_file(path, model)
        assert verdict.status is expected, verdict
    assert verdict.reason.startswith("key 2 is invalid: ")
    assert verdict.evidence is not None
    assert (verdict.evidence.kind, verdict.evidence.lines[0]) == (kind, "Of key 2:")


def test_keys_of_transactions_are_judged_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    rows = [(key, "txn", f"[{key} [[:append :x 1] [:r :x nil]]]", f"[{key} [[:append :x 1] [:r :x [1]]]]") for key in (7, 8)]
    path.write_text(edn(rows))
    assert check_file(path, "list-append").name == "Isolation(strict-serializable, list-append) by key"
    assert check_file(path, "list-append").status is Status.VALID
    path.write_text(edn(rows).replace("[8 [[:append :x 1] [:r :x [1]]]]", "[8 [[:append :x 1] [:r :x []]]]"))
    assert check_file(path, "list-append").reason.startswith("key 8 is invalid: internal")


def test_every_workload_has_a_recorded_history() -> None:
    assert {*RECORDED, "unhandled-errors"} == {*CHECKERS}


def test_errors_of_a_recorded_history_are_told(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    lines = [f"{{:process {p} :type :{end} :f :read :value nil{error}}}" for p in range(3) for end, error in (
        ("invoke", ""), ("info", " :error [:timeout \"n1\"]"))]  # fmt: skip
    path.write_text("\n".join(lines))
    verdict = check_file(path, "unhandled-errors")
    assert (verdict.status, "ended with timeout 3 times, as 0 read() -> unknown" in verdict.reason) == (Status.VALID, True)


def test_an_exception_is_an_error_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    for between in (" ", "\n"):
        end = f"{{:process 0 :type :info :f :read{between}:exception \"timeout: 3\"}}"
        others = "".join(f"{{:process 1 :type :{kind} :f :read}}\n" for kind in ("invoke", "ok"))
        path.write_text(f"{{:process 0 :type :invoke :f :read}}\n{end}\n{others}")
        assert "timeout 1 time" in check_file(path, "unhandled-errors").reason


@pytest.mark.parametrize("error", ['', ' :error "indeterminate: boom"'])
def test_errors_are_told_apart_by_their_exceptions(error: str, tmp_path: Path) -> None:
    """Jepsen's interpreter says the same of everything that nobody caught, and adds the exception."""
    path = tmp_path / "h.edn"
    via = "#error {{:cause nil, :via [{{:type java.lang.{}, :message \"boom\", :at [a b \"c\" 1]}}], :trace [[a b \"c\" 1]]}}"
    lines = []
    for process, kind in enumerate(("IllegalStateException", "IllegalStateException", "NullPointerException")):
        lines.append(f"{{:process {process} :type :invoke :f :read :value nil}}")
        lines.append(f"{{:process {process} :type :info :f :read :value nil :exception {via.format(kind)}{error}}}")
    path.write_text("\n".join(lines))
    reason = check_file(path, "unhandled-errors").reason
    assert "java.lang.IllegalStateException 2 times" in reason
    assert "java.lang.NullPointerException 1 time" in reason
    assert check_file(path, "unhandled-errors", options={"allowed": "java.lang.IllegalStateException"}).status is Status.INVALID
    as_json = [
        '{"process": 0, "type": "invoke", "f": "read", "value": null}',
        '{"process": 0, "type": "info", "f": "read", "value": null, "exception": {"via": [{"type": "a.B", "message": "boom"}]}}',
    ]
    path.write_text("\n".join(as_json))
    assert "a.B 1 time, as 0 read() -> unknown (a.B: boom)" in check_file(path, "unhandled-errors").reason


def test_our_own_format_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "h.jsonl"
    balances = [[[0, 10], [1, 7]], [[0, 7], [1, 10]]]
    lines = ['{"format":"killpoint-history","version":1}']
    for number, result in enumerate(balances):
        where = f'"process":"c1","operation":{number},"time":{number}'
        lines.append(f'{{"type":"invoke","index":{2 * number},{where},"function":"read"}}')
        lines.append(f'{{"type":"complete","index":{2 * number + 1},{where},"outcome":"ok","result":{result}}}')
    path.write_text("\n".join(lines) + "\n")
    assert check_file(path, "bank").status is Status.VALID
    assert check_file(path, "bank", options={"total": "18"}).status is Status.INVALID


def test_several_models_of_one_history(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_text(edn([*RECORDED["set-full"][0], *RECORDED["bank"][0][1:2], *RECORDED["total-queue"][0]]))
    verdict = check_file(path, "set-full, total-queue,stats,set")
    assert verdict.name == "Compose(SetFull, TotalQueue, Stats, Linearizable(GrowSet))"
    assert verdict.status is Status.VALID
    path.write_text(path.read_text().replace("[1 2]", "[2]"))
    verdict = check_file(path, "total-queue,set-full,set")
    assert verdict.reason.startswith("SetFull: lost: element 1 was added by 0's add")
    assert verdict.reason.endswith("(Linearizable(GrowSet) fails too)")
    with pytest.raises(ReadError, match="there is no operation generate here, only add, read, transfer, enqueue, dequeue, drain: is it"):
        check_file(path, "set-full,unique-ids")


def test_parameters_of_a_workload(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_text(edn([(0, "read", "nil", "{0 10 1 -3}")]))
    assert check_file(path, "bank").status is Status.INVALID
    assert check_file(path, "bank,stats", options={"negative": "true", "total": "7"}).status is Status.VALID
    for options, complaint in (
        ({"totals": "7"}, "there is no option 'totals': bank has total, negative"),
        ({"total": "x"}, "bank cannot have the option total=x: it is a whole number"),
        ({"negative": "yes"}, "bank cannot have the option negative=yes: it is true or false"),
    ):
        with pytest.raises(UnknownModelError, match=complaint):
            check_file(path, "bank", options=options)
    with pytest.raises(UnknownModelError, match="there is no option 'total': register has initial; mutex has none"):
        check_file(path, "register,mutex", options={"total": "7"})
    with pytest.raises(UnknownModelError, match=r"lease cannot have the option duration=-1: .* a duration is more than 0 seconds"):
        check_file(path, "lease", options={"duration": "-1"})
    path.write_text(edn([(0, "read", "nil", "1"), (0, "write", "nil", "1")]).replace(":ok :f :write", ":info :f :write :error :timeout"))
    assert check_file(path, "unhandled-errors", options={"allowed": "timeout,other"}).status is Status.VALID
    assert check_file(path, "unhandled-errors", options={"allowed": "other"}).status is Status.INVALID
    assert check_file(path, "stats", options={"hopeless": "write"}).status is Status.VALID


@pytest.mark.parametrize(("word", "value"), [("5", "5"), ("five", '"five"'), ('"five"', ":five"), ("true", "true"), ("-1.5", "-1.5")])
def test_registers_may_begin_with_something(word: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_text(edn([(0, "read", "nil", value)]))
    for model in ("register", "cas-register"):
        assert check_file(path, model).status is Status.INVALID
        assert check_file(path, model, options={"initial": word}).status is Status.VALID


def test_parameters_of_specifications_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_text(edn([(0, "read", "nil", "nil")]))
    assert check_file(path, "register", options={"initial": "nil"}).status is Status.VALID
    with pytest.raises(UnknownModelError, match="it is a number, a text, true, false or nil"):
        check_file(path, "register", options={"initial": "[1]"})
    with pytest.raises(UnknownModelError, match=r"reentrant-mutex cannot have the option limit=0: .*a lock that nobody may acquire"):
        check_file(path, "reentrant-mutex", options={"limit": "0"})


def test_assumptions_about_registers_of_transactions_may_be_made(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    rows = [(0, ":w :x 1"), (1, ":w :x 2"), (2, ":r :x 1"), (2, ":r :x 2"), (3, ":r :x 2"), (3, ":r :x 1")]
    asked = [(process, f"[[{part[:-1]}{'nil' if ':r' in part else part[-1]}]]", f"[[{part}]]") for process, part in rows]
    path.write_text(edn([(process, "txn", argument, result) for process, argument, result in asked]))
    level = {"isolation": "serializable"}
    assert check_file(path, "rw-register", **level).status is Status.VALID
    assert "cyclic-versions" in check_file(path, "rw-register", **level, options={"sequential-keys": "true"}).reason
    with pytest.raises(UnknownModelError, match="list-append has none"):
        check_file(path, "list-append", options={"sequential-keys": "true"})


def test_the_list_tells_of_functions_and_parameters() -> None:
    told = models()
    assert told["bank"].endswith("[read, transfer] [options: total, negative]")
    assert "[any function]" in told["stats"]
    assert len({text.split("[")[0] for text in told.values()}) == len(told)


def test_the_documentation_has_every_workload_with_its_functions_and_parameters() -> None:
    text = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    section = text.partition("\n## Workloads\n")[2].partition("\n## ")[0]
    rows = {cells[1].strip(" `"): cells for line in section.splitlines() if (cells := line.split("|")) and len(cells) == 7}
    assert {name for name in rows if name not in ("---", "--model")} == {*CHECKERS}
    for name, checker in CHECKERS.items():
        _empty, _model, prop, _finds, functions, options, _end = rows[name]
        assert prop.strip() == f"`{type(checker).__name__}`"
        for function in set(checker.functions or ()) - {"increment", "decrement"}:
            assert f"`{function}`" in functions, (name, function)
        told = models()[name].partition("[options: ")[2].rstrip("]")
        assert options.strip().replace("`", "") == told
