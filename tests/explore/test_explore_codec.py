"""Schedule files: what is written is read back, and nothing that is read breaks the reader."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest
from explore_scenarios import Rough
from replicated_register import ReplicatedRegister

from killpoint.explore.generate import generate
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim import codec
from killpoint.sim.codec import Failure, ScheduleError
from killpoint.sim.scenario import Scenario
from killpoint.sim.schedule import DiskNoise, MessageNoise, Schedule, TaskNoise
from killpoint.sim.session import run

FUZZED = 24_000

OVERRIDES = (
    MessageNoise("n1", "c1", 1, 0.25, 0, delay=0.01, drop=True, duplicate=0.5),
    TaskNoise("n1", 1, 17, (1, 0)),
    DiskNoise("n1", 3, 0.004),
)
ODD = (None, True, -1, 0, 1e308, 2**80, -0.5, "", "n1", "x" * 300, "\u0000\ud800", [], [[]], {}, {"fault": 3}, ["leader"], "NaN")


def documents() -> list[str]:
    """Schedules of several scenarios, with everything that a schedule can hold."""
    failure = Failure("Linearizable(Register)", "stale", 'a "reason" with \u2028 in it', "00ff")
    schedules = [generate(kind, 5, number) for kind in (Rough, ReplicatedRegister, CivicTrust) for number in range(8)]
    schedules = [schedule.replace(actions=schedule.actions[:6], overrides=OVERRIDES) for schedule in schedules]
    return [codec.encode(schedule, failure=failure, code="0123456789abcdef") for schedule in schedules]


@pytest.mark.parametrize("scenario", [Rough, ReplicatedRegister, CivicTrust])
def test_schedules_are_read_back_as_they_were_written(scenario: type[Scenario]) -> None:
    for number in range(60):
        schedule = generate(scenario, 11, number).replace(overrides=OVERRIDES)
        filed = codec.decode(codec.encode(schedule, code="0f").encode(), "it", scenario)
        assert filed.schedule == schedule
        assert filed.failure is None
        assert filed.code == "0f"


def test_a_failure_and_the_versions_are_read_back() -> None:
    failure = Failure("P", "kind", "reason", "00ff")
    filed = codec.decode(codec.encode(Schedule("x", seed=1), failure=failure).encode(), "it")
    assert filed.failure == failure
    assert filed.made_by == codec.versions()


def test_fields_that_are_left_out_have_their_defaults() -> None:
    text = '{"format": "killpoint.schedule/1", "scenario": "x", "seed": 3}'
    assert codec.decode(text.encode(), "it").schedule == Schedule("x", seed=3)


def _broken_bytes(random: Random, text: str) -> bytes:
    """Cut, flip, double, or splice."""
    raw = bytearray(text.encode())
    match random.randrange(4):
        case 0:
            del raw[random.randrange(len(raw)) :]
        case 1:
            for _ in range(random.randint(1, 4)):
                raw[random.randrange(len(raw))] = random.randrange(256)
        case 2:
            start, length = random.randrange(len(raw)), random.randint(1, 60)
            raw[start:start] = raw[start : start + length] * random.randint(1, 3)
        case _:
            start, length = random.randrange(len(raw)), random.randint(1, 60)
            raw[start : start + length] = random.choice((b"", b"[", b'{"at":', b"1e999", b"NaN", b"\xed\xa0\x80", b"9" * 400, b'"'))
    return bytes(raw)


def _broken_value(random: Random, text: str) -> bytes:
    """Valid JSON, with one to three values that do not belong where they stand."""
    document = json.loads(text)
    for _ in range(random.randint(1, 3)):
        place = document
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(place[key], dict | list) and place[key] and random.random() < 0.7:
                place = place[key]
            elif random.random() < 0.2:
                del place[key]
                break
            else:
                place[key] = deepcopy(random.choice(ODD))
                break
    return json.dumps(document).encode()


def test_whatever_is_read_is_a_schedule_or_is_refused_in_one_sentence() -> None:
    random = Random(20261)
    texts = documents()
    accepted = refused = 0
    for number in range(FUZZED):
        text = random.choice(texts)
        raw = (_broken_bytes if number % 2 else _broken_value)(random, text)
        scenario = random.choice((None, Rough))
        try:
            filed = codec.decode(raw, "it", scenario)
        except ScheduleError as error:
            refused += 1
            said = str(error)
            assert said.startswith("it")
            assert "\n" not in said
            assert len(said) < 700
        else:
            accepted += 1
            assert codec.decode(codec.encode(filed.schedule).encode(), "it").schedule == filed.schedule
    assert accepted > 100
    assert refused > FUZZED / 2


def test_whatever_is_read_can_be_run() -> None:
    random = Random(7)
    texts = [text for text in documents() if "Rough" in text]
    ran = 0
    for _ in range(1200):
        try:
            filed = codec.decode(_broken_value(random, random.choice(texts)), "it", Rough)
        except ScheduleError:
            continue
        ran += bool(run(filed.schedule, Rough).digest)
    assert ran > 100


def test_writing_replaces_a_file_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "s.json"
    codec.write(path, Schedule("x", seed=1))
    before = path.read_text()

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        codec.write(path, Schedule("x", seed=2))
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]
