"""The summary of an exploration."""

import json
from io import StringIO

import msgspec
import pytest
from report_records import raft_record
from rich.console import Console

from killpoint.properties.history import History, Incident
from killpoint.properties.verdict import Status, Verdict
from killpoint.report.summary import Tally, as_json, summary_table
from killpoint.sim.faults import Kill
from killpoint.sim.record import Record
from killpoint.sim.schedule import Inject

RECORDS = [raft_record(seed=seed, until=1.6, violation=seed == 3) for seed in range(4)]


def tally_of(records: list[Record]) -> Tally:
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally


def drawn(tally: Tally, width: int) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(summary_table(tally))
    return out.getvalue()


def test_counts_are_those_of_the_records() -> None:
    tally = tally_of(RECORDS)
    assert tally.schedules == 4
    assert tally.virtual_seconds == sum(record.ended for record in RECORDS)
    strikes = [strike for record in RECORDS for strike in record.strikes]
    assert sum(sum(phases.values()) for phases in tally.struck.values()) == sum(strike.struck for strike in strikes)
    assert sum(sum(reasons.values()) for reasons in tally.idle.values()) == sum(not strike.struck for strike in strikes)
    assert tally.struck["power-loss"] == {"idle": 4}
    operations = [operation for record in RECORDS for operation in record.history.operations]
    assert tally.operations == {"issue": {outcome: sum(o.outcome.value == outcome for o in operations) for outcome in ("ok", "info")}}
    assert tally.boundaries["after-cas-store"] == 48
    assert tally.properties["NoDuplicates"] == {"valid": 4}
    assert tally.status is Status.INVALID


def test_merging_halves_is_counting_the_whole() -> None:
    left, right = tally_of(RECORDS[:1]), tally_of(RECORDS[1:])
    left.merge(right)
    assert left == tally_of(RECORDS)
    assert right == tally_of(RECORDS[1:])


def test_a_tally_travels_between_processes() -> None:
    tally = tally_of(RECORDS)
    assert msgspec.json.decode(msgspec.json.encode(tally), type=Tally) == tally


def test_two_tallies_share_nothing() -> None:
    first, second = Tally(), Tally()
    first.add(RECORDS[0])
    assert second == Tally()


def test_what_never_struck_and_what_never_succeeded_is_named() -> None:
    tally = tally_of([record for record in RECORDS if record.failure is None])
    assert tally.warnings == []
    tally.expect(faults=["pause", "kill"], functions=["read"])
    assert tally.warnings == ["pause never struck: it was never tried.", "No read was ok: it was never called."]
    tally.struck["kill"] = {}
    tally.idle["kill"] = {"over-budget": 1_200}
    tally.operations["issue"] = {"info": 7}
    assert tally.warnings[:1] == ["kill never struck in 1,200 attempts."]
    assert "No issue was ok of 7." in tally.warnings


def test_what_a_campaign_that_failed_soon_did_not_get_to_is_no_news() -> None:
    tally = tally_of(RECORDS)
    assert tally.status is Status.INVALID
    tally.expect(faults=["pause"], functions=["read"])
    assert tally.warnings == []
    tally.idle["pause"] = {"nothing": 1, "run-ended": 3}
    assert tally.warnings == ["pause never struck in 1 attempt."]
    tally.idle["pause"] = {"run-ended": 3}
    tally.schedules = 300
    assert tally.warnings == ["pause never struck: it was never tried.", "No read was ok: it was never called."]


def test_every_fault_of_a_schedule_is_in_one_column() -> None:
    """Those that came too late, because a violation had ended the run, in one of their own."""
    failed = next(record for record in RECORDS if record.failure is not None)
    ahead = tuple(Inject(90.0 + number, Kill(target="n1")) for number in range(3))
    tally = Tally()
    tally.add(msgspec.structs.replace(failed, schedule=failed.schedule.replace(actions=(*failed.schedule.actions, *ahead))))
    before = tally_of([failed])
    assert tally.idle["kill"]["run-ended"] == before.idle.get("kill", {}).get("run-ended", 0) + 3
    injected = sum(isinstance(action, Inject) for action in failed.schedule.actions) + 3
    counted = [sum(counts.values()) for kinds in (tally.struck, tally.idle) for counts in kinds.values()]
    assert sum(counted) == injected
    text = " ".join(drawn(tally, 100).split())
    assert "run ended: a violation had ended the run before its time" in text


def test_in_short_it_says_what_struck_and_what_succeeded() -> None:
    tally = Tally(struck={"pause": {}, "kill": {"": 1_000, "leading": 2}}, operations={"read": {"ok": 90, "info": 3}})
    assert tally.in_short == "kill 1,002, pause 0; read 90 of 93 ok"
    assert Tally().in_short == ""


def test_a_tally_of_nothing_is_vacuous() -> None:
    assert Tally().warnings == ["No schedule was run."]
    assert Tally(schedules=3).warnings == ["No operation was called."]
    assert "No schedule was run." in drawn(Tally(), 80)


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        (["valid", "valid"], Status.VALID),
        (["valid", "unknown"], Status.UNKNOWN),
        (["unknown", "invalid"], Status.INVALID),
        ([], Status.VALID),
    ],
)
def test_the_verdict_over_all_runs(statuses: list[str], overall: Status) -> None:
    verdicts = tuple(Verdict(f"P{place}", Status(status), "why") for place, status in enumerate(statuses))
    tally = tally_of([msgspec.structs.replace(RECORDS[0], verdicts=verdicts)])
    assert tally.status is overall
    assert set(tally.reasons) == {verdict.name for verdict in verdicts if verdict.status is not Status.VALID}


def test_json_has_the_verdict_the_warnings_and_the_counts() -> None:
    tally = tally_of(RECORDS)
    data = json.loads(as_json(tally))
    assert data["verdict"] == "invalid"
    assert data["warnings"] == []
    assert data["struck"] == tally.struck
    assert as_json(tally) == as_json(tally_of(RECORDS))


@pytest.mark.parametrize(
    ("runs", "closing"),
    [
        ([["valid", "valid"], ["valid", "valid"]], "verdict valid 2 of 2 properties held"),
        ([["valid", "valid"], ["unknown", "invalid"]], "verdict invalid 1 of 2 properties failed: P1"),
        ([["unknown", "valid"], ["valid", "valid"]], "verdict unknown none of 2 properties failed, 1 undecided: P0"),
        ([["invalid"]], "verdict invalid 1 of 1 property failed: P0"),
        ([[]], "verdict valid no property was checked"),
    ],
)
def test_the_closing_line_is_true(runs: list[list[str]], closing: str) -> None:
    records = [
        msgspec.structs.replace(
            RECORDS[0], verdicts=tuple(Verdict(f"P{place}", Status(status), "why") for place, status in enumerate(statuses))
        )
        for statuses in runs
    ]
    assert " ".join(drawn(tally_of(records), 120).splitlines()[-1].split()) == closing


def closing(tally: Tally) -> str:
    return " ".join(drawn(tally, 120).splitlines()[-1].split())


def test_the_closing_line_of_a_system_in_which_nothing_succeeded_does_not_say_that_anything_held() -> None:
    tally = Tally(schedules=3, operations={"read": {"fail": 4}}, properties={"P": {"valid": 3}})
    assert closing(tally) == "verdict unknown vacuous: no operation was ever ok, so that the properties held means nothing"
    tally.properties["P"]["invalid"] = 1
    assert closing(tally) == "verdict invalid 1 of 1 property failed: P"


def test_the_closing_line_points_to_what_was_not_put_to_the_test() -> None:
    tally = Tally(schedules=3, operations={"read": {"ok": 4}}, properties={"P": {"valid": 3}})
    assert closing(tally) == "verdict valid 1 of 1 property held"
    tally.expect(faults=["kill"])
    assert closing(tally) == "verdict valid 1 of 1 property held, but not everything was put to the test (see above)"


def lives(*kinds: str) -> Record:
    """A run in which such incidents befell n1, while n2 and a client ran through."""
    events = [Incident(place + 3, 0.1 * place, kind, "n1") for place, kind in enumerate(kinds)]
    history = History([Incident(1, 0.0, "start", "n2"), Incident(2, 0.0, "start", "c1"), *events])
    return msgspec.structs.replace(RECORDS[0], history=history)


def test_a_host_whose_program_had_returned_when_runs_ended_is_named() -> None:
    tally = Tally()
    tally.expect(hosts=["n1", "n2"])
    for record in (lives("start", "exit"), lives("start", "exit", "restart"), lives("start", "exit", "restart", "exit")):
        tally.add(record)
    tally.add(lives("start", "kill"))  # the next one may have been stopped by a violation
    assert tally.absent == {"n1": 2, "n2": 0}
    assert tally.warnings[0] == "n1 was not running at the end of 2 of 4 runs: its program had returned."
    other = Tally()
    other.add(lives("start", "exit"))
    assert other.absent == {}, "hosts that may end are not named"
    other.merge(tally)
    assert other.absent == tally.absent


def test_columns_that_count_something_say_what_they_mean() -> None:
    tally = Tally(schedules=1, struck={"kill": {"no phase": 2}}, idle={"kill": {"over-budget": 1}}, operations={"read": {"ok": 1}})
    text = drawn(tally, 120)
    assert "  over budget: it would have impaired more hosts than a quorum-safe run may" in text.splitlines()[4]
    assert not any(word in text for word in ("nothing:", "not reached:", "info:", "no phase"))
    tally.operations["read"]["info"] = 1
    assert "  info: nobody knows whether the operation happened" in drawn(tally, 120)


def test_a_property_that_is_given_twice_is_counted_once_by_its_worst_verdict() -> None:
    verdicts = (Verdict("Twice", Status.VALID, ""), Verdict("Twice", Status.INVALID, "worst"), Verdict("Twice", Status.UNKNOWN, "x"))
    tally = tally_of([msgspec.structs.replace(RECORDS[0], verdicts=verdicts)])
    assert tally.properties == {"Twice": {"invalid": 1}}
    assert tally.reasons == {"Twice": "worst"}


def test_nothing_is_valid_of_a_system_in_which_nothing_succeeded() -> None:
    tally = Tally(schedules=3, operations={"read": {"fail": 1_200}, "write": {}}, properties={"P": {"valid": 3}})
    assert tally.status is Status.UNKNOWN
    assert tally.warnings[-1] == (
        "The system never did anything for a client: none of 1,200 operations was ok, so nothing was put to the test."
    )
    tally.properties["P"]["invalid"] = 1
    assert tally.status is Status.INVALID
    tally.operations["write"]["ok"] = 1
    assert tally.dead is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal_and_says_everything(width: int) -> None:
    tally = tally_of(RECORDS)
    tally.idle["clock-jump"] = {"nothing": 2}
    tally.expect(faults=["clock-jump"])
    tally.wall_seconds = 2.0
    text = drawn(tally, width)
    assert all(len(line) <= width for line in text.splitlines())
    flat = " ".join(text.split())
    for words in (
        "civictrust 4 schedules",
        "power-loss",
        "not reached",
        "over budget",
        "issue",
        "after-cas-store 48",
        "NoDuplicates",
    ):
        assert words in flat
    assert "! clock-jump never struck in 2 attempts." in text
    assert "verdict invalid 1 of 2 properties failed: " in flat
    assert "no order of the operations explains it" in flat
    assert "times real time" in flat


def test_a_wide_terminal_puts_operations_and_properties_side_by_side() -> None:
    tally = tally_of(RECORDS)
    assert any("operation" in line and "property" in line for line in drawn(tally, 120).splitlines())
