"""Whatever bytes a file holds, a reader gives a history or a `ReadError`, in bounded time.

10,000 inputs in all, mutations of valid files of every format, and noise; ten times as many with `NIGHTLY=1`.
"""

import bz2
import gzip
import io
import lzma
import os
import random
import time
from collections.abc import Callable

import pytest
import zstandard
from test_recorded_histories import EDN, EVENTS, LOG

from killpoint.checking import MODELS
from killpoint.properties import History, Linearizable, SpecificationError
from killpoint.properties.readers import ReadError, decode_history, encode_history
from killpoint.properties.readers.files import decode
from killpoint.properties.readers.jepsen import read_edn, read_log
from killpoint.properties.readers.maps import read_json
from killpoint.properties.writers import export

CASES = 100_000 if os.environ.get("NIGHTLY") else 10_000

OURS = encode_history(History(EVENTS))
KV = (
    b'{:process 0, :type :invoke, :f :append, :key "0", :value #x "a\\n"}\n'
    b'{:process 0, :type :ok, :f :append, :key "0", :value "a"}'
)
NEWER = EDN.replace(b"{:process", b"#jepsen.history.Op{:process").replace(b"[#", b"#").replace(b"}]", b"}")
OTHERS = {form: b"".join(export(decode(io.BytesIO(EDN), "h"), form).parts) for form in ("edn", "elle", "porcupine")}
LINES = OTHERS["elle"][1:-2].replace(b"},\n", b"}\n")
PACKED = [pack(LOG) for pack in (gzip.compress, bz2.compress, lzma.compress, zstandard.compress)]

SPICE = [
    b"", b"\n", b"\t", b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"[", b"]", b"{", b"}", b"(", b"#{", b"#_", b"#", b"##NaN",
    b":", b";", b"nil", b"1e999", b"-", b"9" * 400, b"[" * 70, b"^", b"^:a ", b"1/0", b"0x1f", b"017", b"1e399M", b"1e400M",
    b'{"$bytes":"zz"}', b'{"$float":"1"}', b'{"$int":"x"}', b'{"$ratio":"1/0"}', b"\\u12", b'"\\ud800"', b"1/2",
    b":info", b":ok", b"null", b"1e400", b"-0", b"18446744073709551616", b"\xc3\xa9", b"\xef\xbb\xbf", b"NaN", b"nemesis",
    b"{" * 2000, b'#killpoint/bytes "0"', b":index 9223372036854775808", b":time -1", b'"time":1e400',
]  # fmt: skip

READERS: dict[str, tuple[Callable[[io.BufferedReader, str], History], list[bytes]]] = {
    "edn": (read_edn, [EDN, KV, NEWER, OTHERS["edn"]]),
    "log": (read_log, [LOG, OTHERS["porcupine"]]),
    "json": (read_json, [LINES, OTHERS["elle"]]),
    "ours": (decode_history, [OURS]),
    "whatever it is": (decode, [EDN, KV, NEWER, LOG, OURS, LINES, *OTHERS.values()]),
    "packed": (decode, PACKED),
}


def mutate(source: random.Random, data: bytes) -> bytes:
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(data) + 1)
        choice = source.random()
        if choice < 0.35:
            data = data[:at] + source.choice(SPICE) + data[at + source.randrange(4) :]
        elif choice < 0.55:
            data = data[:at] + source.randbytes(source.randrange(1, 4)) + data[at + source.randrange(4) :]
        elif choice < 0.7:
            data = data[:at] + data[at + source.randrange(1, 40) :]
        elif choice < 0.8:
            data = data[:at]
        elif choice < 0.9:
            end = min(len(data), at + source.randrange(1, 60))
            data = data[:end] + data[at:end] + data[end:]
        else:
            other = source.randrange(len(data) + 1)
            data = data[min(at, other) : max(at, other)] + data[: min(at, other)]
    return data


@pytest.mark.parametrize("which", READERS)
def test_only_read_errors_come_out(which: str) -> None:
    read, seeds = READERS[which]
    source = random.Random(f"fuzz {which}")
    outcomes = {"read": 0, "refused": 0}
    slowest = 0.0
    for number in range(CASES // len(READERS)):
        data = source.randbytes(source.randrange(60)) if number % 20 == 0 else mutate(source, source.choice(seeds))
        refusal = ""
        before = time.process_time()
        try:
            history = read(io.BufferedReader(io.BytesIO(data)), "fuzzed")  # type: ignore[arg-type]  # it is raw enough
            assert History(history) == history, "what was read obeys the rules of a history"
            assert History(history).operations == history.operations
        except ReadError as error:
            refusal = str(error)
        slowest = max(slowest, time.process_time() - before)
        assert not refusal or (refusal.startswith("fuzzed") and "\n" not in refusal)
        outcomes["refused" if refusal else "read"] += 1
    assert slowest < 1.0
    assert outcomes["refused"] > CASES // len(READERS) // 5, outcomes
    assert which in ("ours", "packed") or outcomes["read"] > CASES // len(READERS) // 50, outcomes


def test_models_survive_whatever_could_be_read() -> None:
    """500 inputs for each model, with the functions and values of all models mixed up: a verdict or a `SpecificationError`."""
    source = random.Random("models")
    values = ["nil", "1", '"x"', "[1 2]", "[[:read :x 1]]", "[[:w :x nil] [:r :y 2]]", '["r" "d"]', "[]", "true", "[[1 2] [3 4]]"]
    functions = ["read", "write", "cas", "get", "put", "append", "acquire", "release", "txn"]
    functions += ["issue", "lookup", "revoke", "revoked", "audit"]
    functions += ["enqueue", "dequeue", "insert", "poll", "push", "pop", "add", "remove", "contains", "inc", "dec"]
    judged = refused = 0
    for _ in range(500):
        own = source.sample(functions, source.randrange(1, 4))
        text = ""
        for process in range(source.randrange(1, 6)):
            function = source.choice(own)
            for kind in ("invoke", source.choice(["ok", "ok", "fail", "info"])):
                value = source.choice(values)
                text += f"{{:process {process} :type :{kind} :f :{function} :value {value} :time {source.randrange(3)}}}\n"
        history = decode(io.BytesIO(text.encode()), "mixed")
        for specification in MODELS.values():
            try:
                Linearizable(specification, budget=2_000).judge(history.operations)
                judged += 1
            except SpecificationError:
                refused += 1
    assert judged > 200, judged
    assert refused > 1_000, refused
