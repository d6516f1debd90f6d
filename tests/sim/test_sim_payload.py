"""What may be sent: immutable values with a canonical form, and nothing else."""

import dataclasses
import enum
import inspect
import subprocess
import sys
from typing import ClassVar, NamedTuple

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_worlds import STEADY, idle, open_world

from killpoint.sim.payload import encode, encode_recorded
from killpoint.sim.scenario import Scenario, ScenarioError, operation
from killpoint.sim.schedule import Call, Schedule
from killpoint.sim.session import run


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass(frozen=True)
class Frozen:
    number: int
    anything: object = None


@dataclasses.dataclass
class Mutable:
    number: int


class Point(NamedTuple):
    x: int
    y: object


class FrozenStruct(msgspec.Struct, frozen=True):
    items: tuple[object, ...]


class MutableStruct(msgspec.Struct):
    number: int


@dataclasses.dataclass(frozen=True)
class OddlyAnnotated:
    value: "sys.NoSuchThing"


GOOD = [
    None,
    True,
    0,
    -(2**63),
    2**64 - 1,
    1.5,
    "text",
    b"bytes",
    (),
    (1, ("nested", (b"x",))),
    frozenset({1, 2}),
    Colour.RED,
    Level.LOW,
    Frozen(1),
    Frozen(1, (1, Frozen(2))),
    Point(1, 2),
    FrozenStruct((1, 2)),
    OddlyAnnotated(1),
]
BAD = [
    [],
    {},
    {1},
    bytearray(b"x"),
    (1, [2]),
    (Frozen(1, [1]),),
    Frozen(1, {"a": 1}),
    Mutable(1),
    Frozen(1, Mutable(1)),
    Point(1, []),
    MutableStruct(1),
    FrozenStruct((MutableStruct(1),)),
    OddlyAnnotated([1]),
    object(),
    lambda: None,
    iter(()),
]
FORMLESS = [2**64, -(2**63) - 1, "\ud800", 1j, Frozen(2**70), frozenset({2**64})]


@pytest.mark.parametrize("body", GOOD, ids=repr)
def test_immutable_values_can_be_sent(body):
    assert encode(body, "n1", "n2") == encode(body, "n1", "n2")


@pytest.mark.parametrize("body", BAD, ids=lambda body: type(body).__name__)
def test_mutable_values_are_refused_by_a_sentence(body):
    with pytest.raises(TypeError, match=r"^the message from n1 to n2 holds something that could change after it was sent: .*; send "):
        encode(body, "n1", "n2")


@pytest.mark.parametrize("body", FORMLESS, ids=repr)
def test_values_without_a_canonical_form_are_refused_by_a_sentence(body):
    with pytest.raises(TypeError, match=r"^the message from n1 to n2 (has no canonical form|holds something)"):
        encode(body, "n1", "n2")


def test_the_program_that_sends_one_is_told():
    async def program(host):
        host.send("n2", ["mutable"])

    with open_world(program, idle) as world:
        world.advance(1)
        crash = next(event for event in world.history if getattr(event, "kind", "") == "crash")
        assert crash.detail["error"] == "TypeError"
        assert "from n1 to n2 holds something that could change" in crash.detail["message"]
        assert "test_sim_payload.py" in crash.detail["where"]
        assert world.network.sent == 0


class Answers(Scenario):
    """One operation, which returns what it is told to."""

    hosts: ClassVar = {"n1": idle}
    settings: ClassVar = {"answer": (None,)}

    @operation()
    async def look(self, client):
        return client.settings["answer"]

    @operation(value=())
    async def take(self, client, value):
        """Takes anything."""


def crash_after(answer):
    """The verdict on a run in which an operation returned this, and everything that happened after the crash."""
    schedule = Schedule("Answers", seed=1, actions=(Call(0.1, "c1", "look"), Call(0.2, "c2", "look")), settings={"answer": answer})
    record = run(schedule, Answers, trace=True)
    kinds = [event.kind for event in record.trace]
    return record.failure, kinds[kinds.index("crash") :]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([1, 2], "operation look returned a list, [1, 2], which could change after it was recorded: return a tuple; a history holds "),
        ({"a": 1}, "operation look returned a dict, {'a': 1}, which could change after it was recorded: return a tuple; "),
        (([],), "operation look returned a tuple that holds something mutable, ([],), which could change"),
        (2**70, f"operation look returned {2**70}, which cannot be recorded: "),
    ],
)
def test_an_operation_that_returns_what_cannot_be_recorded_is_named_with_its_line(answer, words):
    failure, after = crash_after(answer)
    assert failure.name == "NoCrash"
    said, where = failure.evidence.lines
    assert f"TypeError: {words}" in said
    _, line = inspect.getsourcelines(Answers.look)
    assert where.endswith(f"test_sim_payload.py:{line} in Answers.look")
    assert after == ["crash"], "the run ends there"


def test_an_argument_that_cannot_be_recorded_is_the_scenarios_mistake():
    schedule = Schedule("Answers", seed=1, actions=(Call(0.1, "c1", "take", {"value": [1]}),))
    with pytest.raises(ScenarioError, match=r"Answers: operation take is called with a list, \[1\], which .*: draw a tuple \("):
        run(schedule, Answers)


def test_results_are_encoded_as_messages_are():
    for value in GOOD:
        assert encode_recorded(value, "it is", "") == encode(value, "n1", "n2")


def test_what_is_received_is_what_was_sent():
    body = (Frozen(1, (Colour.RED, b"x")), frozenset({1, 2}))

    async def program(host):
        host.send("n2", body)
        await trio.sleep_forever()

    got = []

    async def receives(host):
        got.append((await host.receive()).body)

    with open_world(program, receives) as world:
        world.advance(1)
    assert got == [body]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=10,
)


def bits(value):
    """A value in which 1, 1.0 and True differ, as do 0.0 and -0.0."""
    if isinstance(value, tuple):
        return tuple(map(bits, value))
    return (type(value).__name__, repr(value) if isinstance(value, float) else value)


@settings(STEADY)
@given(VALUES, VALUES)
def test_different_values_have_different_forms(one, other):
    assert (encode(one, "a", "b") == encode(other, "a", "b")) == (bits(one) == bits(other))


def test_the_form_of_a_set_does_not_depend_on_the_hash_seed():
    code = (
        "from killpoint.sim.payload import encode; from killpoint.sim.digest import canonical;"
        "words = frozenset(map(str, range(50)));"
        "print((encode((words, 1), 'a', 'b') + canonical({'words': words, 'set': {*words}})).hex())"
    )
    forms = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2", "3")
    }
    assert len(forms) == 1
