"""Many registers in one history, with (key, value) as their values: judged key by key."""

import random
from collections import defaultdict

import msgspec
import pytest
from histories import operation, random_history

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


READ = operation(1, "read", (7, None), (7, 1), (2, 3))
WRITE = operation(0, "write", (7, 1), (7, 1), (0, 1))


def test_histories_of_many_registers_are_recognised():
    assert is_keyed([WRITE, READ])


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
    assert not is_keyed([WRITE, *others])


def test_compare_and_sets_of_keys_are_recognised_without_reads():
    assert is_keyed([operation(0, "cas", (7, (None, 6)), None, (0, 1)), operation(1, "write", (8, 6), None, (2, 3))])
    assert not is_keyed([operation(0, "cas", (None, 6), None, (0, 1))]), "from nil to 6"
    assert not is_keyed([operation(0, "cas", (None, (3, 4)), None, (0, 1))]), "from nil to a pair"
    assert not is_keyed([operation(0, "cas", ((1, 2), (3, 4)), None, (0, 1))]), "from pair to pair"


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
