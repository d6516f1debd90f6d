"""Many registers in one history, with (key, value) as their values: judged key by key."""

import random
from collections import defaultdict

import msgspec
import pytest
from histories import operation, random_history

from killpoint.checking import check_file
from killpoint.properties import CasRegister, Linearizable, Operation, Register, SpecificationError, Status
from killpoint.properties.independent import Independent
from killpoint.properties.independent import keyed as is_keyed
from killpoint.properties.linearizability import analyse


def called(source: random.Random) -> tuple[str, int | None]:
    return ("write", source.randrange(4)) if source.random() < 0.5 else ("read", None)


def answered(source: random.Random, function: str, argument: int | None) -> int | None:
    return None if function == "write" else source.choice([None, 0, 1, 2, 3])


def keyed(key: int, plain: Operation) -> Operation:
    """The operation as Jepsen's `independent` records it, with the key in every value."""
    return msgspec.structs.replace(plain, argument=(key, plain.argument), result=(key, plain.result) if plain.ok else None)


@pytest.mark.parametrize("make", [Register, CasRegister])
def test_it_is_linearizable_if_and_only_if_every_key_is(make):
    source = random.Random("independent")
    found = {True: 0, False: 0}
    for _ in range(300):
        plain = random_history(source, Register(), called, answered, 10, width=3, pending=0.2, wrong=source.choice([0.0, 0.1]))
        keys = {process: source.randrange(2) for process in sorted({one.process for one in plain})}
        by_key = defaultdict(list)
        for one in plain:
            by_key[keys[one.process]].append(one)
        expected = all(analyse(make(), part).status is Status.VALID for part in by_key.values())
        together = [keyed(keys[one.process], one) for one in plain]
        assert (analyse(Independent(make()), together).status is Status.VALID) is expected
        found[expected] += 1
    assert min(found.values()) > 30


READING = frozenset({"read"})

READ = operation(1, "read", (7, None), (7, 1), (2, 3))
WRITE = operation(0, "write", (7, 1), (7, 1), (0, 1))


def test_histories_of_many_registers_are_recognised():
    assert is_keyed([WRITE, READ], READING)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (operation(1, "read", None, (7, 1), (2, 3)),),
        (operation(1, "read", (7, 5), (7, 1), (2, 3)),),
        (operation(1, "read", (7, None), (8, 1), (2, 3)),),
        (READ, operation(2, "write", 5, None, (4, 5))),
    ],
    ids=["no reads", "plain reads", "reads with values", "another key", "a plain write"],
)
def test_what_may_be_one_register_of_pairs_is_left_alone(others):
    assert not is_keyed([WRITE, *others], READING)


def test_compare_and_sets_of_keys_are_recognised_without_reads():
    assert is_keyed([operation(0, "cas", (7, (None, 6)), None, (0, 1)), operation(1, "write", (8, 6), None, (2, 3))], READING)
    assert not is_keyed([operation(0, "cas", (None, 6), None, (0, 1))], READING), "from nil to 6"
    assert not is_keyed([operation(0, "cas", (None, (3, 4)), None, (0, 1))], READING), "from nil to a pair"
    assert not is_keyed([operation(0, "cas", ((1, 2), (3, 4)), None, (0, 1))], READING), "from pair to pair"


def test_keys_may_be_anything_where_reads_show_them():
    history = [
        operation(0, "write", (("t", 1), 0), None, (0, 1)),
        operation(1, "cas", (("t", 1), (0, 1)), None, (2, 3)),
        operation(2, "read", (("t", 1), None), (("t", 1), 1), (4, 5)),
    ]
    assert is_keyed(history, READING)
    assert not is_keyed([*history, operation(3, "read", (("t", 1), None), (("t", 2), 1), (6, 7))], READING), "another key"


@pytest.mark.parametrize(
    ("model", "rows", "status"),
    [
        ("lease", [("acquire", f"{{:client {who} :ttl 100}}", f"{{:client {who} :token {9 - n}}}") for n, who in enumerate("ab")], 1),
        ("unique-ids", [("generate", "[a 1]", "[a 5]"), ("generate", "[b 1]", "[a 5]")], 1),
        ("cas-register", [("write", "[t 1]", "[t 1]"), ("read", "nil", "[t 1]")], 0),
        ("fifo-queue", [("enqueue", "[1 nil]", "[1 nil]"), ("enqueue", "[2 nil]", "[2 nil]"), ("dequeue", "nil", "[2 nil]")], 1),
        ("set-final", [("add", "[1 nil]", "[1 nil]"), ("read", "nil", "[[1 nil]]")], 0),
        ("rw-register", [("txn", "[[:w x 1] [:r y nil]]", "[[:w x 1] [:r y nil]]")], 0),
        ("kafka", [("send", "[k a]", "[k [0 a]]"), ("send", "[k b]", "[k [0 b]]")], 1),
        ("mutex", [("acquire", "[1 a]", "[1 a]"), ("acquire", "[2 b]", "[2 b]")], 1),
    ],
)
def test_one_object_whose_values_are_pairs_is_one_object(model, rows, status, tmp_path):
    path = tmp_path / "h.edn"
    lines = []
    for number, (function, argument, result) in enumerate(rows):
        for kind, value, at in (("invoke", argument, 1), ("ok", result, 2)):
            lines.append(f"{{:process {number} :type :{kind} :f :{function} :value {value} :time {2 * number + at}000000000}}")
    path.write_text("\n".join(lines))
    verdict = check_file(path, model)
    assert (verdict.status, "by key" in verdict.name) == ([Status.VALID, Status.INVALID][status], False), verdict


def test_keys_may_stand_apart(tmp_path):
    path = tmp_path / "h.edn"
    lines = []
    for key in ("x", "y"):
        for function, argument, result in (("write", 1, 1), ("read", "nil", 1)):
            for kind, value in (("invoke", argument), ("ok", result)):
                lines.append(f"{{:process 0 :type :{kind} :f :{function} :key {key} :value {value}}}")
    path.write_text("\n".join(lines))
    verdict = check_file(path, "register")
    assert (verdict.name, verdict.status) == ("Linearizable(Register by key)", Status.VALID)


def test_a_violation_says_what_that_key_held():
    wrong = operation(1, "read", (7, None), (7, 2), (2, 3))
    verdict = Linearizable(Independent(Register())).judge([WRITE, wrong])
    assert verdict.name == "Linearizable(Register by key)"
    assert verdict.status is Status.INVALID
    assert "the register holds 1, not 2" in "\n".join(verdict.evidence.lines)


def test_a_value_without_a_key_is_a_mistake():
    with pytest.raises(SpecificationError, match=r"Register by key: the argument of write is \(key, value\), not 5"):
        analyse(Independent(Register()), [operation(0, "write", 5, None, (0, 1))])


def test_pending_operations_may_have_happened():
    lost = operation(0, "write", (7, 1), None, (0, None))
    assert analyse(Independent(Register()), [lost, READ]).status is Status.VALID
