"""Recorded histories become ours, from whatever format; what is wrong with a file is said in one sentence, with the line."""

import io
import re
import time
from pathlib import Path

import pytest

from killpoint.checking import CHECKERS, UnknownModelError, check_file, models
from killpoint.properties import Complete, History, HistoryError, Incident, Invoke, Observe, Outcome, Status
from killpoint.properties.readers import ReadError, encode_history, read_history, write_history
from killpoint.properties.readers.files import decode

LOG = b"""INFO  jepsen.core - starting
INFO  jepsen.util - 0\t:invoke\t:write\t3
INFO  jepsen.util - 1\t:invoke\t:cas\t[3 4]
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 0\t:ok\t:write\t3
INFO  jepsen.util - 1\t:fail\t:cas\t[3 4]
INFO  jepsen.util - 0\t:invoke\t:read\tnil
INFO  jepsen.util - 0\t:ok\t:read\t3
INFO  jepsen.util - 1\t:invoke\t:write\t5
INFO  jepsen.util - 1\t:info\t:write\t:timed-out
"""

EDN = b"""; a comment
[{:process 0, :type :invoke, :f :write, :value 3, :time 1000000000, :index 0}
 {:process 1, :type :invoke, :f :cas, :value [3 4], :extra {:x 1}, :time 1500000000, :index 1}
 {:process :nemesis, :type :info, :f :start, :value nil, :time 1500000000, :index 2}
 {:process 0, :type :ok, :f :write, :value 3, :time 2000000000, :index 3}
 {:process 1, :type :fail, :f :cas, :value [3 4], :time 1900000000, :index 4}
 {:process 0, :type :invoke, :f :read, :value nil, :time 2000000000, :index 5}
 {:process 0, :type :ok, :f :read, :value 3, :time 2500000000, :index 6}
 {:process 1, :type :invoke, :f :write, :value 5, :time 2600000000, :index 7}
 {:process 1, :type :info, :f :write, :value 5, :error :timed-out, :time 2700000000, :index 8}]
"""


FORMS = EDN.replace(b"[{", b"{", 1).replace(b"}]", b"}")
"""The same without the vector around it."""


def history_of(data: bytes) -> History:
    return decode(io.BytesIO(data), "h")


@pytest.mark.parametrize("data", [LOG, LOG.replace(b"\t", b"   "), LOG.replace(b"\n", b"\r\n"), EDN, FORMS])
def test_the_same_history_from_every_format(data: bytes) -> None:
    write, cas, read, lost = history_of(data).operations
    assert write.describe() == "0 write(3) -> 3"
    assert (cas.argument, cas.outcome, cas.error) == ((3, 4), Outcome.FAIL, None)
    assert (read.argument, read.result, read.outcome) == (None, 3, Outcome.OK)
    assert (lost.outcome, lost.error, lost.argument, lost.completed) == (Outcome.INFO, "timed-out", 5, None)
    assert cas.invoked < (write.completed or 0) < read.invoked


def test_times_are_for_people_and_never_run_backwards() -> None:
    times = [event.time for event in history_of(EDN)]
    assert times == sorted(times)
    assert times[0] == 1.0


def test_keys_become_part_of_the_argument() -> None:
    text = b"""{:process 0, :type :invoke, :f :append, :key "0", :value "x"}
{:process 0, :type :ok, :f :append, :key "0", :value "x"}
{:process 0, :type :invoke, :f :get, :key "0", :value nil}
{:process 0, :type :ok, :f :get, :key "0", :value "x"}
{:process 0, :type :invoke, :f :get, :value ["0" nil]}
{:process 0, :type :ok, :f :get, :value ["0" "x"]}
"""
    append, get, again = history_of(text).operations
    assert (append.argument, append.result) == (("0", "x"), None)
    assert (get.argument, get.result) == ("0", "x") == (again.argument, again.result)


def test_a_process_that_goes_on_after_info_gets_a_new_name() -> None:
    text = LOG + b"INFO  jepsen.util - 1\t:invoke\t:read\tnil\n"
    assert [one.process for one in history_of(text).operations] == ["0", "1", "0", "1", "1/2"]


def closed(completed: int, invoked: int, *, numbered: bool = False) -> bytes:
    text = f"""{{:process 0, :type :invoke, :f :write, :value 1, :time 5 :index 0}}
{{:process 0, :type :ok, :f :write, :value 1, :time {completed} :index 1}}
{{:process 1, :type :invoke, :f :read, :value nil, :time {invoked} :index 2}}
{{:process 1, :type :ok, :f :read, :value nil, :time 20 :index 3}}
"""
    return (text if numbered else re.sub(r":index \d", "", text)).encode()


def test_intervals_are_closed_where_only_times_give_the_order(tmp_path: Path) -> None:
    """A read that begins at the very instant at which a write returned is concurrent with it, unless records are numbered."""
    expected = [(closed(9, 9), "valid"), (closed(9, 10), "invalid"), (closed(9, 9, numbered=True), "invalid")]
    for data, status in expected:
        path = tmp_path / "h.edn"
        path.write_bytes(data)
        assert check_file(path, "register").status == status


INVOKE = b"{:process 0, :type :invoke, :f :write, :value 3}\n"


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", None, "empty"),
        (b"  \n\n", None, "empty"),
        (b"hello", 1, "no history: expected a text log of Jepsen's, EDN (maps with :process, :type, :f and :value), JSON likewise, or"),
        (b"# Killpoint\n\nFind it.\n", 1, "no history: expected a text log of Jepsen's, EDN"),
        (b"# Killpoint\n", 1, "(as EDN: '#' is no tag)"),
        (b'{"name": "killpoint", "version": 1}', 1, "no history: expected "),
        (b"[tool.ruff]\nline = 3\n", 1, "no history: expected "),
        (b'{\n "format": "killpoint.schedule/1",\n', 1, "a schedule, not a history: `killpoint replay` runs it"),
        (b"\x7fELF\x00\x01", None, "binary"),
        (b"; nothing\n", None, "no operation"),
        (EDN[:-200], 8, "truncated"),
        (LOG[:-14], 10, "truncated"),
        (INVOKE * 2, 2, "still open"),
        (b"{:process 0, :type :ok, :f :write, :value 3}", 1, "never invoked"),
        (LOG + b"INFO  jepsen.util - 7\t:ok\t:read\t3\n", 11, "never invoked"),
        (INVOKE + b"{:process 0, :type :ok, :f :read, :value 3}", 2, "a read, but what it invoked is a write"),
        (b"{:process 0, :type :begin, :f :write}", 1, "invoke, ok, fail or info, not 'begin'"),
        (b"{:type :invoke, :f :write}", 1, ":process"),
        (b"{:process 0, :type :invoke}", 1, ":f"),
        (b"{:process 0, :f :read}", 1, ":type"),
        (b"{:process 0, :type :invoke, :f :read, :time :now}", 1, ":time"),
        (b"[1 2 3]", 1, "a map with"),
        (LOG + b"INFO  jepsen.util - 0\t:invoke\t:read\t[\n", 11, "truncated"),
        (LOG + b"INFO  jepsen.util - 0\t:invoke\t:re\xffad\t1\n", 11, "UTF-8"),
        (LOG + b"a\0b\n", None, "binary"),
        (LOG + b"another line\n" * 9000 + b"a\0b\n", 9011, "NUL"),
        (b'{"format":"killpoint-history","version":2}\n', 1, "use a newer one"),
        (b'{"format":"killpoint-history","version":0}\n', 1, "no version 0"),
        (b'{"format":"killpoint-history","version":"x"}\n', 1, "header"),
        (b'{"format":"killpoint-history","version":1,"events":3}\n', None, "promises 3 events"),
        (b'{"format":"killpoint-history","version":1}\n{"type":"party","index":0}\n', 2, "no event"),
        (b'{"format":"killpoint-history","version":1}\n{"type":"invoke","ind', 2, "truncated"),
        (b'{"format":"killpoint-history","version":1}\n[]\n', 2, "no event"),
    ],
)
def test_errors_are_one_sentence_with_the_line(data: bytes, line: int | None, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        history_of(data)
    assert words in str(caught.value)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


EVENTS = [
    Invoke(0, 0.5, "c1", 0, "write", (b"\x00\xff", ("a", 1.5, None, True), 2**80)),
    Observe(1, 0.6, "n1", 1, {"role": "leader", "log": (1, 2)}),
    Incident(3, 0.7, "kill", "n1", {"mode": "power"}),
    Complete(4, 0.7, "c1", 0, Outcome.OK, ((float("inf"),), "é")),
    Incident(5, 0.8, "calm"),
    Invoke(6, 0.9, "c1", 1, "read"),
    Complete(7, 0.9, "c1", 1, Outcome.INFO, None, "timed out"),
]


def test_our_own_format_gives_back_what_was_written(tmp_path: Path) -> None:
    history = History(EVENTS)
    path = tmp_path / "history.jsonl"
    write_history(history, path)
    assert read_history(path) == history
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.jsonl"], "a draft was left behind"
    assert encode_history(read_history(path)) == path.read_bytes()


def test_a_value_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text("old")
    with pytest.raises(HistoryError, match="no value of a history"):
        write_history([Invoke(0, 0.0, "c1", 0, "write", object())], path)
    assert path.read_text() == "old"


def test_a_history_that_breaks_the_rules_names_the_line() -> None:
    """Times going backwards, in the middle of a longer file."""
    good = [Invoke(n, float(n), f"c{n}", n, "read") for n in range(20)]
    lines = encode_history([*good, Invoke(20, 3.0, "x", 20, "read"), Invoke(21, 30.0, "y", 21, "read")])
    with pytest.raises(ReadError, match="time must not go backwards") as caught:
        history_of(lines)
    assert caught.value.line == 22


def test_a_truncated_file_of_ours_is_noticed_wherever_it_ends() -> None:
    whole = encode_history(History(EVENTS))
    for end in range(45, len(whole) - 1):
        with pytest.raises(ReadError):
            history_of(whole[:end])


@pytest.mark.parametrize("beginning", [b"", b"[", b"[[", b'"', b"{:a 1}\n", b"INFO  jepsen.util - 1\t:invoke\t:read\tnil\n"])
@pytest.mark.parametrize("junk", [b"[", b"x", b"\xff", b"{", b"a b\n", b"\x00", b"(1 "])
def test_a_large_file_of_something_else_fails_fast(tmp_path: Path, beginning: bytes, junk: bytes) -> None:
    """200 MB that are mostly not there (a sparse file would be all NUL; so 2 MB of junk, then a hole)."""
    path = tmp_path / "junk"
    with path.open("wb") as file:
        file.write(beginning + junk * (2_000_000 // len(junk)))
        file.truncate(200_000_000)
    before = time.process_time()
    with pytest.raises(ReadError):
        read_history(path)
    assert time.process_time() - before < 2.0


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot be read"):
        read_history(tmp_path / "nothing")
    with pytest.raises(ReadError, match="cannot be read"):
        read_history(tmp_path)


def test_checking_a_file(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_bytes(EDN)
    assert check_file(path, "cas-register").status is Status.VALID
    path.write_bytes(EDN.replace(b":f :read, :value 3", b":f :read, :value 4"))
    verdict = check_file(path, "cas-register")
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "cannot-be-placed"
    with pytest.raises(ReadError, match="no operation 'cas'; it has read and write: is it a history of another model"):
        check_file(path, "register")
    with pytest.raises(UnknownModelError, match=", ".join(models())):
        check_file(path, "frobnicator")


def test_a_history_of_many_registers_is_judged_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "h.log"
    rows = [("write", "[7 1]", "[7 1]"), ("write", "[8 2]", "[8 2]"), ("read", "[7 nil]", "[7 1]"), ("read", "[9 nil]", "[9 nil]")]
    text = "".join(f"INFO  jepsen.util - 0\t:invoke\t:{f}\t{asked}\nINFO  jepsen.util - 0\t:ok\t:{f}\t{said}\n" for f, asked, said in rows)
    for model in ("register", "cas-register"):
        path.write_text(text)
        verdict = check_file(path, model)
        assert verdict.status is Status.VALID
        assert verdict.name.endswith("Register by key)")
        path.write_text(text.replace(":read\t[7 1]", ":read\t[7 2]"))
        assert check_file(path, model).status is Status.INVALID


def test_models_turn_down_what_they_do_not_know(tmp_path: Path) -> None:
    """Every model, given another's operations or arguments of another shape, says so in one sentence."""
    path = tmp_path / "h.edn"
    wrong = [("frobnicate", "1"), ("cas", "1"), ("append", "[0 1]"), ("txn", "[[:x]]"), ("issue", "1"), ("txn", "7")]
    anything = {name for name, checker in CHECKERS.items() if checker.functions is None}
    assert anything == {"stats", "unhandled-errors"}
    for model in [name for name in models() if name not in anything]:
        for function, value in wrong:
            path.write_text("".join(f"{{:process 0 :type {kind} :f :{function} :value {value}}}" for kind in (":invoke", ":ok")))
            with pytest.raises(ReadError, match=r"h\.edn(, line 1|: there is no operation .* here, only .*)?: ") as told:
                check_file(path, model)
            assert (told.value.line == 1) is ("here, only" not in str(told.value))


WRONG_THERE = {
    "edn": """\
{:process 0, :type :invoke, :f :write, :value 1}
;; a comment
{:process 0, :type :ok, :f :write, :value 1}

{:process 1, :type :invoke, :f :cas, :value 1}
{:process 1, :type :ok, :f :cas, :value 1}
""",
    "log": """\
INFO  jepsen.util - 0\t:invoke\t:write\t1
hello

INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 1\t:invoke\t:cas\t1
INFO  jepsen.util - 1\t:ok\t:cas\t1
""",
    "json": """\
{"process": 0, "type": "invoke", "f": "write", "value": 1}

{"process": 0, "type": "ok", "f": "write", "value": 1}

{"process": 1, "type": "invoke", "f": "cas", "value": 1}
{"process": 1, "type": "ok", "f": "cas", "value": 1}
""",
    "jsonl": """\
{"format":"killpoint-history","version":1}
{"type":"invoke","index":0,"time":0.0,"process":"0","operation":0,"function":"write","argument":1}
{"type":"complete","index":1,"time":0.0,"process":"0","operation":0,"outcome":"ok"}
{"type":"incident","index":2,"time":0.0,"kind":"calm"}
{"type":"invoke","index":3,"time":0.0,"process":"1","operation":1,"function":"cas","argument":1}
{"type":"complete","index":4,"time":0.0,"process":"1","operation":1,"outcome":"ok"}
""",
}
"""The fifth line of each is the beginning of what a register does not understand."""


@pytest.mark.parametrize("form", WRONG_THERE)
def test_an_operation_that_is_not_understood_is_told_with_its_line(tmp_path: Path, form: str) -> None:
    """Whatever the format; a specification of somebody's own says it as well."""
    path, own = tmp_path / "h", tmp_path / "own.py"
    text = WRONG_THERE[form]
    path.write_text(text)
    with pytest.raises(ReadError) as wrong:
        check_file(path, "cas-register")
    assert wrong.value.line == 5
    assert re.search(r"\(expected, new\), not 1, as in operation 1 of process 1, cas\(1\)", str(wrong.value))
    path.write_text(text.replace("cas", "raed"))
    with pytest.raises(ReadError, match=r"no operation 'raed'; it has read, write and cas: is it a history of another model\?$") as slip:
        check_file(path, "cas-register")
    assert slip.value.line == 5
    own.write_text(
        "from killpoint.properties import Specification\n\n\nclass Own(Specification):\n    initial = 0\n\n"
        "    def step(self, state, call):\n        return 1 // (call.function == 'write')\n"
    )
    with pytest.raises(ReadError, match=r"asked for 1 raed\(1\) .*ZeroDivisionError.* in step\)$") as raised:
        check_file(path, f"{own}:Own")
    assert raised.value.line == 5


TRANSACTIONS = b"""
{:process 0, :type :invoke, :f :txn, :value [[:append :x 1] [:r :y nil]]}
{:process 1, :type :invoke, :f :txn, :value [[:append :y 1] [:r :x nil]]}
{:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:r :y nil]]}
{:process 1, :type :ok, :f :txn, :value [[:append :y 1] [:r :x []]]}
{:process 2, :type :invoke, :f :txn, :value [[:append :x 2]]}
{:process 2, :type :fail, :f :txn, :value [[:append :x 2]]}
{:process 3, :type :invoke, :f :txn, :value [[:append :y 2]]}
{:process 3, :type :info, :f :txn, :value [[:append :y 2]]}
"""


def test_transactions_are_held_to_a_level_of_isolation(tmp_path: Path) -> None:
    path = tmp_path / "h.edn"
    path.write_bytes(TRANSACTIONS)
    verdict = check_file(path, "list-append")
    assert verdict.name == "Isolation(strict-serializable, list-append)"
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "G2-item"
    assert check_file(path, "list-append", isolation="snapshot-isolation").status is Status.VALID
    path.write_bytes(TRANSACTIONS.replace(b":append", b":w").replace(b"[]", b"nil"))
    assert check_file(path, "rw-register", isolation="serializable").status is Status.INVALID
    assert check_file(path, "rw-register", isolation="strong-snapshot-isolation").status is Status.VALID
    path.write_bytes(TRANSACTIONS)
    with pytest.raises(ReadError, match="rw-register: operation 0 of process 0: there is no micro-operation 'append'"):
        check_file(path, "rw-register")
    with pytest.raises(UnknownModelError, match="no level of isolation 'high': choose one of strict-serializable, "):
        check_file(path, "list-append", isolation="high")
    with pytest.raises(UnknownModelError, match=r"is for transactions \(list-append and rw-register\), and kv is none of them"):
        check_file(path, "kv", isolation="serializable")
