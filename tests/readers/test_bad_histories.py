"""Bad input, format by format: one sentence that says what is wrong, with the line and the operation, and nothing but that.

And what looks bad but is not: nemeses, times that run backwards, indices that begin anywhere.
"""

import io
import time
from pathlib import Path

import pytest

from killpoint.checking import check_file
from killpoint.properties import History, Incident, Outcome, Status
from killpoint.properties.readers import ReadError, read_history
from killpoint.properties.readers.files import decode

GOOD = b"{:process 0, :type :invoke, :f :write, :value 3, :time 5, :index 0}\n"
ENDED = GOOD + b"{:process 0, :type :ok, :f :write, :value 3, :time 6, :index 1}\n"
OURS = b'{"format":"killpoint-history","version":1}\n'


def history_of(data: bytes, *, gaps: bool = False) -> History:
    return decode(io.BytesIO(data), "h", gaps=gaps)


def edn(**fields: object) -> bytes:
    row = {"process": 1, "type": ":invoke", "f": ":read", "value": "nil", **fields}
    return ("{" + ", ".join(f":{name} {value}" for name, value in row.items() if value is not None) + "}\n").encode()


def ours(kind: str, index: int, **fields: object) -> bytes:
    row = {"index": index, "time": float(index), "process": '"c"', "operation": 0, **fields}
    row = {**row, "function": '"read"'} if kind == "invoke" else {"outcome": '"ok"', **row}
    return f'{{"type":"{kind}",{",".join(f"{chr(34)}{name}{chr(34)}:{value}" for name, value in row.items())}}}\n'.encode()


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        # -- order ---------------------------------------------------------------------------
        (ENDED + edn(index=3), 3, "index 2 is missing: the history is incomplete; if operations were left out on purpose, say so"),
        (ENDED + edn(index=9), 3, "indices 2 to 8 are missing"),
        (ENDED + edn(index=0), 3, "index 0 comes after 1: the history is out of order"),
        (ENDED + edn(index=1), 3, "index 1 stands here a second time"),
        (ENDED + edn(index=":x"), 3, "the :index of an operation is a whole number, and not 'x'"),
        (ENDED + edn(process=0, type=":ok"), 3, "process 0 ends a read (ok) that was never invoked, or ended before"),
        (GOOD + edn(process=0), 2, "process 0 invokes read while its write is still open: a process has one operation at a time"),
        (GOOD + edn(process=0, type=":ok"), 2, "process 0 ends a read, but what it invoked is a write"),
        # -- times ---------------------------------------------------------------------------
        (GOOD + edn(time=-1), 2, "nanoseconds since the beginning, and not -1"),
        (GOOD + edn(time="##NaN"), 2, "whole number of nanoseconds, and not nan"),
        (GOOD + edn(time="##Inf"), 2, "whole number of nanoseconds, and not inf"),
        (GOOD + edn(time="1.5"), 2, "whole number of nanoseconds, and not 1.5"),
        (GOOD + edn(time="9" * 30), 2, "nanoseconds since the beginning"),
        # -- names ---------------------------------------------------------------------------
        (GOOD + edn(f='"re\\nad"'), 2, "the name of a function cannot be 're\\nad'"),
        (GOOD + edn(f='"\\ud800"'), 2, "the name of a function cannot be '\\ud800'"),
        (GOOD + edn(f='""'), 2, "the name of a function cannot be ''"),
        (GOOD + edn(process='"a\\tb"'), 2, "the name of a process cannot be 'a\\tb'"),
        (GOOD + edn(process="1.5"), 2, "needs a :process, a number or a name"),
        (GOOD + edn(f="7"), 2, "the :f of an operation is the name of a function, and not 7"),
        (GOOD + edn(process=":nemesis", f="nil"), 2, "an operation of the nemesis needs an :f"),
        # -- text ----------------------------------------------------------------------------
        (GOOD + b"[" * 100_000, 2, "more than 64 brackets are nested"),
        (GOOD + edn(value="[" * 100_000), 2, "more than 64 brackets are nested"),
        (GOOD + edn(value="9" * 10**6), 2, "a number has more than 1000 digits"),
        (GOOD + edn(value='"never ends'), 2, "inside a string: it seems to be truncated"),
        (GOOD + edn(value='"\xff"').decode().encode("latin-1"), 2, "this is not UTF-8 text"),
        (GOOD + edn(value="\0"), None, "this is a binary file"),
        (GOOD + edn(value="{:a 1 :a 2}"), 2, "a map has the key 'a' twice"),
        (GOOD[:-6], 1, "truncated"),
        (b"; nothing\n#_ {:process 0}\n", None, "no operation of a client"),
        (edn(process=":nemesis", type=":info", f=":start"), None, "no operation of a client"),
        (b"INFO jepsen.util - :nemesis\t:info\t:start\tnil\n", None, "no operation of a client"),
        (b"0\t:invoke\t:read\tnil\n0\t:ok\t:read\t3\n0\t:ok\t:read\t3\n", 3, "never invoked, or ended before"),
        (b"0\t:invoke\t:read\tnil\n0\t:ok\t:read\t" + b"[" * 100_000 + b"\n", 2, "more than 64 brackets are nested"),
        # -- our own -------------------------------------------------------------------------
        (OURS + ours("invoke", 0) + ours("invoke", 0), 3, "event 0 comes after event 0: indices must rise"),
        (OURS + ours("invoke", 5) + ours("complete", 4), 3, "event 4 comes after event 5"),
        (OURS + ours("invoke", 0) + ours("complete", 1) + ours("complete", 2), 4, "completes operation 0 of c, which is not open"),
        (OURS + ours("complete", 0), 2, "which is not open"),
        (OURS + ours("invoke", 0) + ours("invoke", 1, operation=1), 3, "c invokes read (event 1) while its operation 0 is still open"),
        (OURS + ours("invoke", 0) + ours("invoke", 1, process='"d"'), 3, "operation 0 of d is invoked twice"),
        (OURS + ours("invoke", 0, time=-1.5), 2, "before the beginning of time"),
        (OURS + ours("invoke", 0, time="1e999"), 2, "out of range"),
        (OURS + ours("invoke", 0, time="NaN"), 2, "malformed"),
        (OURS + ours("invoke", 1) + ours("complete", 2, time=0.5), 3, "time must not go backwards"),
        (OURS + ours("invoke", 2**70), 2, "index of an event is less than"),
        (OURS + ours("invoke", 0, argument="[" * 100_000), 2, "nested"),
        (OURS + ours("invoke", 0, argument="9" * 10**6), 2, "out of range"),
        (OURS + ours("invoke", 0, argument='{"$ratio":"1/0"}'), 2, "a ratio has no 0 below"),
    ],
)
def test_one_sentence_with_the_line(data: bytes, line: int | None, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        history_of(data)
    assert words in str(caught.value)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_operations_may_be_left_out_on_purpose(tmp_path: Path) -> None:
    path = tmp_path / "independent.edn"
    path.write_bytes(ENDED + edn(index=7) + edn(type=":ok", value=3, index=19))
    assert check_file(path, "register", gaps=True).status is Status.VALID
    with pytest.raises(ReadError, match="indices 2 to 6 are missing"):
        check_file(path, "register")
    path.write_bytes(edn(index=17) + edn(type=":ok", value="nil", index=18))
    assert check_file(path, "register").status is Status.VALID, "where it begins is nobody's business"


def test_what_the_nemesis_did_are_incidents() -> None:
    """With and without an outcome, a value, an error; in EDN and in a log."""
    isolated = b'[:isolated {"n1" #{"n2"}}]'
    nemesis = b"{:process :nemesis, :type :info, :f :start-partition, :value %s, :time 5, :index 1}\n" % isolated
    crashed = b"{:type :info, :process :nemesis, :f :kill, :value nil, :error \"no\", :time 7, :index 3}\n"
    history = history_of(GOOD + nemesis + ENDED[len(GOOD) :].replace(b":index 1", b":index 2") + crashed)
    assert [event for event in history if isinstance(event, Incident)] == [
        Incident(1, 5e-9, "start-partition", None, {"value": ("isolated", (("n1", ("n2",)),))}),
        Incident(3, 7e-9, "kill", None, {"error": "no"}),
    ]
    assert len(history.operations) == 1
    log = b"0\t:invoke\t:read\tnil\n:nemesis\t:info\t:start-partition\t%s\n:nemesis\t:info\t:stop\tfully connected!\n" % isolated
    assert [event for event in history_of(log) if isinstance(event, Incident)] == [
        Incident(1, 0.0, "start-partition", None, {"value": ("isolated", (("n1", ("n2",)),))}),
        Incident(2, 0.0, "stop", None, {"value": "fully connected!"}),
    ]


def test_a_client_may_have_a_name() -> None:
    data = b'{:process "n4", :type :invoke, :f :read} {:process "n4", :type :info, :f :read} {:process "n4", :type :invoke, :f :read}'
    assert [one.process for one in history_of(data).operations] == ["n4", "n4/2"]
    data = edn() + edn(type=":info") + edn(process='"1/2"') + edn()
    assert [one.process for one in history_of(data).operations] == ["1", "1/2", "1/3"]


def test_lines_of_maelstrom_and_of_newer_jepsens() -> None:
    log = (
        b"2021-02-26 11:42:48,806{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:txn\t[[:r 1 nil] [:append 9 11]]\n"
        b"INFO [2024-01-01 10:00:00,000] jepsen worker 1 - jepsen.util 1\t:ok\t:txn\t[[:r 1 [2]] [:append 9 11]]\n"
        b"1\t:invoke\tnil\t[[:r 1 nil]]\n"
        b"1\t:fail\tnil\t[[:r 1 nil]]\t[:abort \"conflict\"]\n"
        b"1\t:invoke\t:read\t[0 nil]\n"
        b"1\t:info\t:read\t[0 nil]\t:timed-out\n"
    )
    first, second, third = history_of(log).operations
    assert (first.argument, first.result) == ((("r", 1, None), ("append", 9, 11)), (("r", 1, (2,)), ("append", 9, 11)))
    assert (second.function, second.outcome, second.error) == ("txn", Outcome.FAIL, '[:abort "conflict"]')
    assert (third.argument, third.outcome, third.error) == ((0, None), Outcome.INFO, "timed-out")


MAELSTROM = {
    "echo": ('"Please echo 35"', '{:type "echo_ok", :echo "Please echo 35", :in_reply_to 2}'),
    "broadcast": ("3", "3"),
    "read": ("nil", "[1 2 3]"),
    "add": ("-3", "-3"),
    "generate": ("nil", '["n1" 5]'),
    "cas": ("[0 [1 2]]", "[0 [1 2]]"),
    "send": ("[[:send \"9\" 1]]", "[[:send \"9\" [0 1]]]"),
    "poll": ("[[:poll]]", '[[:poll {"9" [[0 1] [1 5]]}]]'),
    "assign": ('["4" "9"]', '["4" "9"]'),
    "txn": ("[[:w 9 1] [:r 8 nil]]", "[[:w 9 1] [:r 8 2]]"),
}
"""What operations of Maelstrom's workloads look like, invoked and ended."""


@pytest.mark.parametrize("function", MAELSTROM)
def test_shapes_of_maelstrom(function: str) -> None:
    asked, told = MAELSTROM[function]
    records = [(0, "invoke", asked, ""), (1, "ok", told, ":final? true, ")]
    forms = "\n".join(
        f"#jepsen.history.Op{{:index {n}, :time {n}, :type :{kind}, :process 2, :f :{function}, {extra}:value {value}}}"
        for n, kind, value, extra in records
    )
    log = "\n".join(f"2\t:{kind}\t:{function}\t{value}" for _n, kind, value, _extra in records)
    one, other = history_of(forms.encode()).operations, history_of(log.encode()).operations
    assert len(one) == len(other) == 1
    assert (one[0].argument, one[0].result, one[0].outcome) == (other[0].argument, other[0].result, Outcome.OK)


def test_metadata_may_come_first() -> None:
    assert len(history_of(b"^{:a 1} [" + ENDED + b"]").operations) == 1


def test_ambiguous_values_are_unknown_and_say_why(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    rows = [edn(process=n, f=":txn", type=kind, value="[[:append :x 1]]") for n in (0, 1) for kind in (":invoke", ":ok")]
    reads = [edn(process=2, f=":txn", type=":invoke", value="[[:r :x nil]]"), edn(process=2, f=":txn", type=":ok", value="[[:r :x [1]]]")]
    path.write_bytes(b"".join(rows + reads))
    verdict = check_file(path, "list-append")
    assert verdict.status is Status.UNKNOWN
    assert "1 is not a unique value of 'x'" in verdict.reason


def test_mixed_types_get_a_verdict_or_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    values = ["nil", "1", '"1"', ":a", "[1]", "1.5"]
    functions = {"register": "write", "priority-queue": "insert", "fifo-queue": "enqueue", "counter": "add", "stack": "push"}
    found = {}
    for model, name in functions.items():
        rows = [edn(process=n, f=f":{name}", type=kind, value=value) for n, value in enumerate(values) for kind in (":invoke", ":ok")]
        path.write_bytes(b"".join(rows))
        try:
            found[model] = str(check_file(path, model).status)
        except ReadError as error:
            found[model] = str(error).replace(str(path), "h.edn")
    assert found.pop("register") == "valid"
    lines = {"priority-queue": 1, "fifo-queue": 1, "counter": 1, "stack": 1}
    assert all(told.startswith(f"h.edn, line {lines[model]}: ") for model, told in found.items()), found


def test_an_empty_history_of_ours_has_nothing_to_check(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(OURS)
    assert len(read_history(path)) == 0
    with pytest.raises(ReadError, match="no operation in this history"):
        check_file(path, "register")


def test_a_long_file_takes_little_memory_and_time(tmp_path: Path) -> None:
    """200,000 lines; `benchmarks/readers.py` has ten million."""
    path = tmp_path / "long.edn"
    with path.open("wb") as file:
        for n in range(100_000):
            file.write(edn(process=n % 7, f=":write", value=n, time=2 * n, index=2 * n))
            file.write(edn(process=n % 7, f=":write", type=":ok", value=n, time=2 * n + 1, index=2 * n + 1))
    before = time.process_time()
    assert len(read_history(path).operations) == 100_000
    assert time.process_time() - before < 4


def test_a_history_of_ours_without_its_header_is_told_which(tmp_path: Path) -> None:
    path = tmp_path / "h"
    path.write_bytes(ours("invoke", 0) + ours("complete", 1))
    with pytest.raises(ReadError, match=r'line 1: .* the header is missing: begin the file with \{"format":"killpoint-history",'):
        read_history(path)
    rows = [f'{{"type": "{kind}", "index": {index}, "process": 0, "f": "read"}}' for index, kind in enumerate(("invoke", "ok"))]
    path.write_text("\n".join(rows))
    assert len(read_history(path)) == 2
    path.write_bytes(OURS + ours("invoke", 0) + ours("complete", 1).replace(b'"ok"', b'"maybe"'))
    with pytest.raises(ReadError, match=r"line 3: .*'maybe'.*: an outcome is ok, fail, info$"):
        read_history(path)
