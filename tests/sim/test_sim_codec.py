"""Schedule files: everything that a schedule can say is read back, and what is wrong with a file is said with its line."""

import json
import os
import stat
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_worlds import STEADY, Register, call, idle, inject

from killpoint.sim import codec
from killpoint.sim.codec import Failure, ScheduleError
from killpoint.sim.faults import CompromiseKey, Kill, Partition, Pause, PowerLoss
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Boundary, Call, DiskNoise, Inject, MessageNoise, Noise, Schedule, TaskNoise

# -- round trips --------------------------------------------------------------------------------------

TIMES = st.floats(0, 1e6) | st.integers(0, 1000).map(lambda number: number / 1000)
DURATIONS = st.floats(0, 1e6)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
COUNTS = st.integers(0, 2**40)
FAULTS = st.one_of(
    st.builds(Kill, target=NAMES, duration=DURATIONS),
    st.builds(PowerLoss, target=NAMES, duration=DURATIONS, keep=st.sampled_from(["none", "all", "prefix:3", "subset:9", "units:1,2"])),
    st.builds(Pause, target=NAMES, duration=DURATIONS),
    st.builds(
        Partition, target=NAMES, duration=DURATIONS, shape=st.sampled_from(["isolate", "inbound", "outbound", "halves"])
    ),
    st.builds(CompromiseKey, issuer=NAMES, duration=DURATIONS),
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | NAMES
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
ACTIONS = st.one_of(
    st.builds(Call, TIMES, NAMES, NAMES, st.dictionaries(NAMES, VALUES, max_size=3)),
    st.builds(Inject, TIMES, FAULTS, st.none() | st.builds(Boundary, NAMES, NAMES, st.integers(1, 1000))),
)
OVERRIDES = st.one_of(
    st.builds(MessageNoise, NAMES, NAMES, COUNTS, TIMES, COUNTS, DURATIONS, st.booleans(), st.none() | DURATIONS),
    st.builds(TaskNoise, NAMES, COUNTS, COUNTS, st.permutations(range(4)).map(tuple)),
    st.builds(DiskNoise, NAMES, COUNTS, DURATIONS),
)
AMOUNTS = st.floats(0, 1000)
SCHEDULES = st.builds(
    Schedule,
    NAMES,
    st.integers(-(2**63), 2**63 - 1),
    st.lists(ACTIONS, max_size=6).map(lambda actions: tuple(sorted(actions, key=lambda action: action.at))),
    st.builds(Noise, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
    st.lists(OVERRIDES, max_size=4).map(tuple),
    st.dictionaries(NAMES, VALUES, max_size=3),
    st.none() | NAMES,
    st.sampled_from(["quorum-safe", "unlimited"]),
)
FAILURES = st.none() | st.builds(Failure, NAMES, NAMES, NAMES, NAMES)


@settings(STEADY, max_examples=400)
@given(SCHEDULES, FAILURES, st.text(st.characters(codec="utf-8"), max_size=9))
def test_whatever_a_schedule_says_is_read_back(schedule, failure, code):
    filed = codec.decode(codec.encode(schedule, failure=failure, code=code).encode(), "it")
    assert (filed.schedule, filed.failure, filed.code) == (schedule, failure, code)
    assert filed.made_by == codec.versions()
    assert codec.encode(filed.schedule, failure=failure, code=code) == codec.encode(schedule, failure=failure, code=code)


class Typed(Scenario):
    """An operation whose arguments have types."""

    hosts: ClassVar = {"n1": idle}

    @operation(data=(b"",), words=(("a",),), number=(1,))
    async def store(self, client, data: bytes, words: Sequence[str], number: float) -> None:
        pass


def test_arguments_are_read_back_as_the_operation_declares_them():
    schedule = Schedule("Typed", 1, (call(0.1, "c1", "store", data=b"\x00\xff", words=["a", "b"], number=2.0),))
    arguments = codec.decode(codec.encode(schedule).encode(), "it", Typed).schedule.actions[0].arguments
    assert (arguments["data"], list(arguments["words"]), arguments["number"]) == (b"\x00\xff", ["a", "b"], 2.0)


def test_a_file_is_for_people_one_action_to_a_line():
    schedule = Schedule("Register", 1, (call(0.1, "c1", "read"), inject(0.2, Kill(target="n1", duration=1.0), "n1", "send", 2)))
    lines = codec.encode(schedule).splitlines()
    assert '  {"at": 0.1, "client": "c1", "operation": "read"},' in lines
    boundary = '"boundary": {"host": "n1", "event": "send", "ordinal": 2}'
    assert f'  {{"at": 0.2, "fault": "kill", "target": "n1", "duration": 1.0, {boundary}}}' in lines


# -- what is wrong, and where -------------------------------------------------------------------------

GOOD = """{
 "format": "killpoint.schedule/1",
 "scenario": "Register",
 "mutant": null,
 "seed": 7,
 "budget": "quorum-safe",
 "settings": {},
 "noise": {},
 "overrides": [
  {"noise": "message", "sender": "n1", "to": "n2", "incarnation": 1, "time": 0.5, "ordinal": 0, "drop": true},
  {"noise": "tasks", "host": "n1", "incarnation": 1, "batch": 3, "order": [1, 0]},
  {"noise": "disk", "host": "n1", "ordinal": 3, "latency": 0.5}
 ],
 "actions": [
  {"at": 0.1, "client": "c1", "operation": "write", "arguments": {"value": 1}},
  {"at": 0.2, "fault": "kill", "target": "n1", "duration": 1.0},
  {"at": 0.3, "fault": "power-loss", "target": "leader", "keep": "none", "boundary": {"host": "n1", "event": "send"}}
 ],
 "failure": null,
 "made_by": {},
 "code": ""
}
"""

WRONG = [
    # what to replace, by what, the line, and a part of the sentence
    ('"format": "killpoint.schedule/1"', '"format": "killpoint.schedule/2"', 2, "made by a newer Killpoint (format 2, this one reads 1)"),
    ('"format": "killpoint.schedule/1"', '"format": "sqlite"', 2, "format 'sqlite' is not killpoint.schedule/1"),
    ('"format": "killpoint.schedule/1"', '"format": 1', None, 'it has no "format"'),
    (' "scenario": "Register",\n', "", None, 'the schedule has no "scenario"'),
    ('"scenario": "Register"', '"scenario": 5', 3, '"scenario": Expected `str`'),
    ('"seed": 7', '"seed": "7"', 5, '"seed": Expected `int`'),
    ('"seed": 7', '"seed": 9223372036854775808', 5, "the seed must fit into 64 bits"),
    ('"seed": 7', '"seed": Infinity', None, "Infinity is not a number that a schedule may hold"),
    ('"seed": 7', '"seed": 7 7', 5, "not JSON"),
    ('"seed": 7', '"sed": 7', 5, "'sed'"),
    ('"budget": "quorum-safe"', '"budget": "lavish"', 6, "budget 'lavish' is neither quorum-safe nor unlimited"),
    ('"settings": {}', '"settings": []', 7, '"settings": Expected `object`'),
    ('"settings": {}', '"settings": {"batch": {}}', 7, "an object cannot stand for a value"),
    ('"settings": {}', f'"settings": {{"slow": {"[" * 60}{"]" * 60}}}', 7, '"settings": lists are nested more than 50 deep'),
    ('"settings": {}', '"settings": {"unheard": 1}', 7, "Register has no setting 'unheard'"),
    ('"mutant": null', '"mutant": "unheard"', 4, "Register has no mutant 'unheard'"),
    ('"noise": {}', '"noise": {"loss": -0.5}', 8, "noise loss must be a small number, not -0.5"),
    ('"noise": {}', '"noise": {"loss": 1e999}', 8, "noise loss must be a small number"),
    ('"noise": {}', '"noise": {"loss": "lots"}', 8, "Expected `float`"),
    ('"noise": "message"', '"noise": "rumour"', 10, "override 0: Invalid value 'rumour'"),
    ('"sender": "n1"', '"sender": "n9"', 10, "override 0: there is no host 'n9'"),
    ('"drop": true', '"delay": -0.5', 10, "override 0"),
    ('"drop": true', '"delay": 1e999', 10, "override 0"),
    ('"drop": true', '"duplicate": -0.1', 10, "override 0"),
    ('"order": [1, 0]', '"order": [1, 1]', 11, "override 1"),
    ('"order": [1, 0]', '"order": [1, 2]', 11, "override 1"),
    ('"order": [1, 0]', '"order": 5', 11, "override 1: Expected `array`"),
    ('"latency": 0.5', '"latency": -0.5', 12, "override 2"),
    ('"latency": 0.5', '"latency": 1e999', 12, "override 2"),
    ('"latency": 0.5', '"latency": null', 12, "override 2: Expected `float`"),
    ('{"at": 0.1, "client"', '{"at": "soon", "client"', 15, "action 0: Expected `float`"),
    ('{"at": 0.1, "client"', '{"at": -1, "client"', 15, "action 0 is at -1.0 s, which is no virtual time of a run"),
    ('{"at": 0.1, "client"', '{"at": 1e999, "client"', 15, "action 0 is at inf s, which is no virtual time of a run"),
    ('{"at": 0.1, "client"', '{"client"', 15, "action 0: Object missing required field `at`"),
    ('"client": "c1"', '"client": "c9"', 15, "action 0: there is no client 'c9'"),
    ('"operation": "write"', '"operation": "fly"', 15, "action 0: there is no operation 'fly'"),
    ('"arguments": {"value": 1}', '"arguments": {}', 15, "action 0: operation write takes value, not none"),
    ('"arguments": {"value": 1}', '"arguments": {"value": {"a": 1}}', 15, "action 0: an object cannot stand for a value here"),
    ('{"at": 0.2', '{"at": 0.05', 16, "action 1 is at 0.05 s, before the one above it at 0.1 s: times must not go backwards"),
    ('"fault": "kill"', '"fault": "flood"', 16, "action 1: unknown fault 'flood'; known are "),
    ('"fault": "kill"', '"fault": ["kill"]', 16, "action 1: unknown fault"),
    ('"target": "n1", "duration"', '"aim": "n1", "duration"', 16, "action 1: fault kill has no field 'aim'; it has "),
    ('"target": "n1", "duration"', '"duration"', 16, "action 1: Object missing required field `target`"),
    ('"target": "n1", "duration"', '"target": "n9", "duration"', 16, "action 1: there is no host or role 'n9'"),
    ('"duration": 1.0', '"duration": -1.0', 16, "action 1: a duration of -1.0 s"),
    ('"duration": 1.0', '"duration": 1e999', 16, "action 1: a duration of inf s"),
    ('"keep": "none"', '"keep": "half"', 17, "action 2: 'half' does not say what a power loss keeps"),
    ('"keep": "none"', f'"keep": "subset:{"9" * 50}"', 17, "does not say what a power loss keeps"),
    ('"boundary": {"host": "n1", "event": "send"}', '"boundary": {"host": "n1"}', 17, "Object missing required field `event`"),
    ('"boundary": {"host": "n1", "event": "send"}', '"boundary": {"host": "n9", "event": "send"}', 17, "no host or role 'n9'"),
    ('"boundary": {"host": "n1", "event": "send"}', '"boundary": 7', 17, "action 2: Expected `object`"),
    ('"actions": [', '"actions": [ 7,', 14, "action 0: an action is an object"),
    ('"failure": null', '"failure": "yes"', 19, '"failure": Expected `object`'),
    ('"made_by": {}', '"made_by": 3', 20, '"made_by": Expected `object`'),
    ('"code": ""', '"code": 3', 21, '"code": Expected `str`'),
]


def test_the_good_file_is_good():
    assert len(codec.decode(GOOD.encode(), "it", Register).schedule.actions) == 3


@pytest.mark.parametrize(("old", "new", "line", "said"), WRONG, ids=[f"{new[:50]}" for _, new, _, _ in WRONG])
def test_what_is_wrong_is_said_with_its_line(old, new, line, said):
    assert GOOD.count(old) == 1
    with pytest.raises(ScheduleError) as caught:
        codec.decode(GOOD.replace(old, new).encode(), "file.json", Register)
    sentence = str(caught.value)
    assert sentence.startswith(f"file.json, line {line}: " if line is not None else "file.json: ")
    assert said in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("cut", range(1, len(GOOD) - 2, 37))
def test_a_file_that_is_cut_off_is_called_so_or_has_its_line(cut):
    with pytest.raises(ScheduleError, match=r"^it, line \d+: (the file is cut off here|not JSON: )") as caught:
        codec.decode(GOOD[:cut].encode(), "it")
    line = int(str(caught.value).split("line ")[1].split(":")[0])
    assert abs(line - 1 - GOOD[:cut].count("\n")) <= 1


@pytest.mark.parametrize(
    "raw", [b"", b" ", b"\n\n", b"null", b"7", b"[]", b'"text"', b"{}", b'{"format": null}', b"PK\x03\x04", b"\xff\xfe"]
)
def test_what_is_no_schedule_at_all(raw):
    with pytest.raises(ScheduleError, match=r"^it(, line 1)?(, line 2)?(, line 3)?: "):
        codec.decode(raw, "it")


@pytest.mark.parametrize("depth", [900, 5_000, 100_000])
@pytest.mark.parametrize(
    "place",
    [
        '"settings": {"slow": %s}',
        '"actions": [%s]',
        '"actions": [{"at": 0, "client": "c1", "operation": "write", "arguments": {"value": %s}}]',
        '"failure": {"property": %s}',
        '"overrides": [%s]',
    ],
)
def test_deep_nesting_does_not_overflow(depth, place):
    text = '{"format": "killpoint.schedule/1", "scenario": "x", "seed": 1, ' + place % ("[" * depth + "]" * depth) + "}"
    assert refusal(text.encode(), Register) is not None


def refusal(raw, scenario):
    """The sentence by which a file is refused, or None if it was read."""
    try:
        filed = codec.decode(raw, "it", scenario)
    except ScheduleError as error:
        sentence = str(error)
    else:
        # What is read can be written, and is then read as the same.
        assert codec.decode(codec.encode(filed.schedule).encode(), "it").schedule == filed.schedule
        return None
    if not sentence.startswith("it") or "\n" in sentence or len(sentence) > 1000:
        raise AssertionError(sentence)
    sentence.encode()
    return sentence


def anything(random, depth=0):
    """JSON of any shape, made of the words that schedules are made of."""
    words = ("at", "fault", "kill", "target", "n1", "noise", "message", "order", "host", "keep", "duration", "boundary", "arguments")
    match random.randrange(9 if depth < 4 else 6):
        case 0:
            return random.choice(words)
        case 1:
            return random.choice((0, 1, -1, 0.5, 2**63, 2**70, 1e308, -0.0))
        case 2:
            return random.choice((None, True, False))
        case 3:
            return random.choice(("none", "prefix:", "units:1,", "subset:" + "9" * 30, "\x00", "é", "power-loss", "partition"))
        case 4 | 5:
            return random.randrange(5)
        case 6:
            return [anything(random, depth + 1) for _ in range(random.randrange(4))]
        case _:
            return {random.choice(words): anything(random, depth + 1) for _ in range(random.randrange(5))}


def likely(random):
    """An action or override that is nearly right."""
    base = json.loads(GOOD)
    item = random.choice(base["actions"] + base["overrides"])
    for _ in range(random.randint(1, 2)):
        item[random.choice([*item, "at", "duration", "extra"])] = anything(random, 2)
    return item


def test_any_json_and_any_bytes_are_read_or_refused_in_a_sentence():
    random = Random(5)
    read = 0
    for number in range(20_000):
        if number % 4 == 0:
            raw = random.randbytes(random.randrange(40))
        elif number % 4 == 1:
            raw = json.dumps(anything(random)).encode()
        else:
            document = json.loads(GOOD) | {random.choice(("actions", "overrides")): [likely(random) for _ in range(random.randrange(3))]}
            if random.random() < 0.1:
                document[random.choice(list(document))] = anything(random)
            raw = json.dumps(document).encode()
        read += refusal(raw, random.choice((None, Register))) is None
    assert 100 < read < 10_000


# -- files --------------------------------------------------------------------------------------------


def test_reading_what_is_not_there_or_not_a_file(tmp_path):
    with pytest.raises(ScheduleError, match=r"nowhere\.json cannot be read: No such file or directory"):
        codec.read(tmp_path / "nowhere.json")
    with pytest.raises(ScheduleError, match="cannot be read: Is a directory"):
        codec.read(tmp_path)


def test_a_file_of_something_else_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(ScheduleError, match=r"huge.json has 200,000,000 bytes: too large for a schedule \(20,000,000 at most\)"):
        codec.read(path)


def test_writing_makes_the_folder_and_replaces_the_file_at_once(tmp_path):
    path = tmp_path / "a" / "b" / "s.json"
    for seed in (1, 2):
        codec.write(path, Schedule("Register", seed), code="c")
        assert codec.read(path).schedule.seed == seed
        assert [entry.name for entry in path.parent.iterdir()] == ["s.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "s.json"
    codec.write(path, Schedule("Register", 1))
    old = path.read_bytes()

    def fails(*_):
        assert path.read_bytes() == old
        raise OSError("no space left")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": ("pathlib.Path.replace",)}[failing], fails)
    with pytest.raises(OSError, match="no space left"):
        codec.write(path, Schedule("Register", 2))
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.json"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        codec.write(tmp_path / "s.json", Schedule("Register", 2))
    assert list(tmp_path.iterdir()) == []


def test_where_a_field_stands(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(GOOD)
    assert codec.line_of(path, "seed") == ", line 5"
    assert codec.line_of(path, "nothing") == ""
