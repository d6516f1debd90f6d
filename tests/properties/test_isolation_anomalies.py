"""One planted violation for every anomaly: it is found, under its name, and rules out what it must and no more."""

from typing import Any

import pytest
from isolation_oracle import transaction
from msgspec.structs import replace

from killpoint.properties.history import Operation, Outcome
from killpoint.properties.isolation import ANOMALIES, LEVELS, Analysis, Isolation, analyse
from killpoint.properties.isolation.levels import implied, ruled_out, strongest
from killpoint.properties.verdict import Status

Plant = list[Operation]


def parts(workload: str, text: str) -> tuple[Any, ...]:
    """`ax1 ry12 rz` appends 1 to x, reads y as (1, 2), and z as empty; of registers the last digit counts."""
    found = []
    for word in text.split():
        digits = tuple(int(digit) for digit in word[2:])
        if word[0] == "r":
            found.append(("r", word[1], digits if workload == "list-append" else digits[-1] if digits else None))
        else:
            assert word[0] in "aw"
            found.append(("append" if workload == "list-append" else "w", word[1], digits[0]))
    return tuple(found)


def together(workload: str, *texts: str) -> Plant:
    """Transactions that all overlap, each of a process of its own."""
    return [transaction(number, parts(workload, text), (number, 100 + number)) for number, text in enumerate(texts)]


def broken(workload: str, suffix: str, first: str, last: str, *others: str) -> Plant:
    """`first` ended before `last` began, in the same process or in another; the others overlap with both."""
    process = "p" if suffix == "-process" else None
    ends = [
        transaction(0, parts(workload, first), (0, 50), process),
        transaction(1, parts(workload, last), (60, 99), process),
    ]
    return ends + [transaction(2 + number, parts(workload, text), (1 + number, 100 + number)) for number, text in enumerate(others)]


CYCLES = {
    "G0": ("ax1 ay1", "ax2 ay2", "rx12 ry21"),
    "G1c": ("ax1 ry1", "ay1 rx1"),
    "G-single": ("ax1 ay1", "rx1 ry"),
    "G-nonadjacent": ("rx rw1", "ax1 ay1", "ry1 rz", "az1 aw1"),
    "G2-item": ("rx ay1", "ry ax1"),
}
"""Cycles of dependencies alone, for lists."""

CLOSED = {
    "G0": ("ax2", "ax1", "rx12"),
    "G1c": ("rx1", "ax1"),
    "G-single": ("ax1", "rx"),
    "G-nonadjacent": ("az1", "rx", "ax1 ay1", "ry1 rz"),
    "G2-item": ("ay1", "rx", "ax1 ry"),
}
"""Paths of dependencies from the second transaction to the first, which had ended when the second began."""

RULED_OUT = {
    "G0": "read-uncommitted",
    "G1c": "read-committed",
    "G-single": "consistent-view",
    "G-nonadjacent": "snapshot-isolation",
    "G2-item": "repeatable-read",
    "G0-process": "strong-session-read-uncommitted",
    "G1c-process": "strong-session-read-committed",
    "G-single-process": "strong-session-snapshot-isolation",
    "G-nonadjacent-process": "strong-session-snapshot-isolation",
    "G2-item-process": "strong-session-serializable",
    "G0-realtime": "strong-read-uncommitted",
    "G1c-realtime": "strong-read-committed",
    "G-single-realtime": "strong-snapshot-isolation",
    "G-nonadjacent-realtime": "strong-snapshot-isolation",
    "G2-item-realtime": "strict-serializable",
}
"""The weakest level that each rules out."""

SPARED = {
    "G0": None,
    "G1c": "strong-read-uncommitted",
    "G-single": "strong-read-committed",
    "G-nonadjacent": "repeatable-read",
    "G2-item": "strong-snapshot-isolation",
    "G0-process": "serializable",
    "G1c-process": "serializable",
    "G-single-process": "serializable",
    "G-nonadjacent-process": "strong-read-committed",
    "G2-item-process": "strong-snapshot-isolation",
    "G0-realtime": "strong-session-serializable",
    "G1c-realtime": "strong-session-serializable",
    "G-single-realtime": "strong-read-committed",
    "G-nonadjacent-realtime": "strong-session-serializable",
    "G2-item-realtime": "strong-snapshot-isolation",
}
"""A strong level that each leaves standing.  Of single items G-nonadjacent is G2-item as well, so repeatable read falls too."""


WEAK = {"G-single": {"OTV"}, "G-single-process": {"fractured-read"}}
"""What some of these cycles show of weak levels as well: who read half of a transaction, and who missed his own session's past."""


def planted(kind: str, workload: str = "list-append") -> Plant:
    cycle = kind.removesuffix("-process").removesuffix("-realtime")
    return together(workload, *CYCLES[cycle]) if kind == cycle else broken(workload, kind.removeprefix(cycle), *CLOSED[cycle])


def kinds(analysis: Analysis) -> set[str]:
    return {anomaly.kind for anomaly in analysis.anomalies}


@pytest.mark.parametrize("kind", RULED_OUT)
def test_every_cycle_is_found_under_its_name(kind: str) -> None:
    history = planted(kind)
    analysis = analyse(history)
    assert kinds(analysis) == {kind} | WEAK.get(kind, set())
    verdict = Isolation(RULED_OUT[kind]).judge(history)
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.evidence.kind == kind
    assert set(verdict.evidence.operations) <= {one.id for one in history}
    assert RULED_OUT[kind] in analysis.ruled_out
    assert "strict-serializable" in analysis.ruled_out


@pytest.mark.parametrize("kind", [kind for kind, level in SPARED.items() if level is not None and kind != "G-nonadjacent"])
def test_every_cycle_leaves_what_allows_it(kind: str) -> None:
    level = SPARED[kind]
    assert level is not None
    verdict = Isolation(level).judge(planted(kind))
    assert verdict.status is Status.VALID, verdict.reason
    assert kind in verdict.reason


@pytest.mark.parametrize("kind", [kind for kind in RULED_OUT if not kind.startswith("G0")])
def test_registers_show_the_same_cycles(kind: str) -> None:
    """All but G0, since reads of registers do not show the order of writes."""
    history = planted(kind, "rw-register")
    assert kinds(analyse(history, "rw-register")) == {kind} | WEAK.get(kind, set())


def test_a_cycle_goes_round_and_is_as_short_as_can_be() -> None:
    for kind in RULED_OUT:
        (anomaly,) = (one for one in analyse(planted(kind)).anomalies if one.kind == kind)
        assert [step.after for step in anomaly.steps] == [*(step.before for step in anomaly.steps[1:]), anomaly.steps[0].before]
        count = len(CYCLES[kind]) if kind in CYCLES else len(CLOSED[kind.rpartition("-")[0]])
        assert len(anomaly.steps) == count - ("G0" in kind)
        cycle = kind.removesuffix("-process").removesuffix("-realtime")
        assert sum(step.kind == "rw" for step in anomaly.steps) == {"G0": 0, "G1c": 0, "G-single": 1}.get(cycle, 2)


OTHERS: dict[str, tuple[Plant, str, str]] = {
    "garbage-read": (together("list-append", "rx7"), "read-uncommitted", ""),
    "duplicate-elements": (together("list-append", "ax1", "rx11"), "read-uncommitted", ""),
    "dirty-update": (
        [transaction(9, parts("list-append", "ax1"), (200, 300), outcome=Outcome.FAIL), *together("list-append", "ax2", "rx12")],
        "read-committed",
        "strong-read-uncommitted",
    ),
    "G1a": (
        [transaction(9, parts("list-append", "ax1"), (200, 300), outcome=Outcome.FAIL), *together("list-append", "rx1")],
        "read-committed",
        "strong-read-uncommitted",
    ),
    "G1b": (together("list-append", "ax1 ax2", "rx1"), "read-committed", "strong-read-uncommitted"),
    "incompatible-order": (together("list-append", "ax1", "ax2", "rx12", "rx21"), "read-committed", "strong-read-uncommitted"),
    "future-read": (together("list-append", "rx1 ax1"), "read-committed", "strong-read-uncommitted"),
    "internal": (together("list-append", "ax1 rx"), "snapshot-isolation", "consistent-view"),
    "lost-update": (together("list-append", "rx ax1", "rx ax2", "rx12"), "cursor-stability", "strong-read-committed"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_every_other_anomaly_is_found_under_its_name(kind: str) -> None:
    history, level, spared = OTHERS[kind]
    assert kind in kinds(analyse(history))
    verdict = Isolation(level).judge(history)
    assert verdict.status is Status.INVALID
    if spared:
        assert Isolation(spared).judge(history).status is Status.VALID


REGISTERS: dict[str, Plant] = {
    "garbage-read": together("rw-register", "rx7"),
    "G1a": [transaction(9, parts("rw-register", "wx1"), (200, 300), outcome=Outcome.FAIL), *together("rw-register", "rx1")],
    "dirty-update": [transaction(9, parts("rw-register", "wx1"), (200, 300), outcome=Outcome.FAIL), *together("rw-register", "rx1 wx2")],
    "G1b": together("rw-register", "wx1 wx2", "rx1"),
    "future-read": together("rw-register", "rx1 wx1"),
    "internal": together("rw-register", "wx1 rx"),
    "lost-update": together("rw-register", "rx wx1", "rx wx2"),
}


@pytest.mark.parametrize("kind", REGISTERS)
def test_registers_show_the_other_anomalies(kind: str) -> None:
    assert kind in kinds(analyse(REGISTERS[kind], "rw-register"))


def test_every_anomaly_is_planted_somewhere() -> None:
    """Those of weak levels in `test_isolation_weak.py`."""
    assert {*RULED_OUT, *OTHERS, "cyclic-versions", "OTV", "OTV-process", "fractured-read", "causality-violation"} == {*ANOMALIES}


def one_after_another(workload: str, *texts: str) -> Plant:
    """Transactions that do not overlap, the process before a colon."""
    found = []
    for number, text in enumerate(texts):
        process, _, rest = text.partition(":")
        found.append(transaction(number, parts(workload, rest), (10 * number, 10 * number + 5), process))
    return found


def test_assumptions_about_keys_give_the_order_of_versions() -> None:
    """x goes from 1 to 2 and y from 2 to 1, as each of the readers sees them: the writers overwrite each other."""
    writers = [transaction(number, parts("rw-register", f"wx{number} wy{number}"), (number, 990 + number)) for number in (1, 2)]
    texts = ("wx1 wy1", "wx2 wy2", "rx1", "rx2", "ry2", "ry1")
    readers = [
        transaction(10 + number, parts("rw-register", text), (100 * number, 100 * number + 50), "ab"[number > 3])
        for number, text in enumerate(texts)
        if text[0] == "r"
    ]
    history = [*writers, *readers]
    assert "G0" not in kinds(analyse(history, "rw-register"))
    for assumption in ({"sequential_keys": True}, {"linearizable_keys": True}):
        analysis = analyse(history, "rw-register", **assumption)
        assert "G0" in kinds(analysis)
        (cycle,) = (anomaly for anomaly in analysis.anomalies if anomaly.kind == "G0")
        assert "T2 wrote 2 to 'x' after T1 wrote 1" in " ".join(cycle.lines)


def test_assumptions_that_do_not_hold_are_told() -> None:
    history = one_after_another("rw-register", "a:wx1", "b:rx1", "b:rx")
    assert "cyclic-versions" not in kinds(analyse(history, "rw-register"))
    analysis = analyse(history, "rw-register", sequential_keys=True)
    assert "cyclic-versions" in kinds(analysis)
    assert analysis.standing == ()


def test_ruling_out_goes_upwards_only() -> None:
    assert ruled_out([]) == ()
    assert strongest([]) == ("strict-serializable",)
    assert strongest(["G2-item"]) == ("strong-snapshot-isolation",)
    assert strongest(["G0"]) == ()
    assert strongest(["G-single", "G0-process"]) == ("cursor-stability", "monotonic-atomic-view")
    assert implied(["G0"]) >= {"G0-process", "G0-realtime", "G1c", "G1c-realtime"}
    assert implied(["G-single-process"]) == {
        f"{cycle}{suffix}" for cycle in ("G-single", "G-nonadjacent", "G2-item") for suffix in ("-process", "-realtime")
    }
    for level, weaker in LEVELS.items():
        assert set(weaker) <= {*LEVELS}, level
    for kind in ANOMALIES:
        out = ruled_out([kind])
        assert "strict-serializable" in out, kind
        assert all(level in out for level, weaker in LEVELS.items() if any(one in out for one in weaker)), kind


# -- what must not be inferred ------------------------------------------------------------------------


def test_of_lists_that_contradict_each_other_only_the_common_beginning_orders_anything() -> None:
    history = together("list-append", "ax1 ay1", "ax2 ay2", "rx12", "rx21", "ry21")
    assert kinds(analyse(history)) == {"incompatible-order"}
    assert "strong-read-uncommitted" in analyse(history).standing
    assert kinds(analyse(together("list-append", "ax1", "ax2", "rx121"))) == {"duplicate-elements"}


def test_reads_of_ones_own_appends_order_nothing() -> None:
    """A database that keeps appends to itself until the commit is read committed, whatever the transaction sees meanwhile."""
    history = together("list-append", "ax1 ry rx21", "ax2 rz", "ax3", "rx231")
    assert Isolation("read-committed").judge(history).status is Status.VALID
    history = together("list-append", "ax1 rx1 rx21", "ax2", "ax3", "rx231")
    assert kinds(analyse(history)) >= {"internal"}
    assert Isolation("read-committed").judge(history).status is Status.VALID


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_both_of_two_reads_that_differ_count(workload: str) -> None:
    analysis = analyse(together(workload, "rx rx1", "wx1"), workload)
    assert kinds(analysis) == {"internal", "G-single"}
    assert analysis.standing == ("strong-read-committed", "strong-session-monotonic-atomic-view", "cursor-stability")


@pytest.mark.parametrize("workload", ["list-append", "rw-register"])
def test_intermediate_writes_of_unknown_outcome_are_intermediate(workload: str) -> None:
    crashed = transaction(0, parts(workload, "wx1 wx2"), (0, None))
    seen = transaction(1, parts(workload, "rx1"), (1, 2))
    assert "G1b" in kinds(analyse([crashed, seen], workload))


def test_assumptions_that_do_not_hold_for_a_key_are_dropped_for_it() -> None:
    writers = [transaction(number, parts("rw-register", f"wx{number}"), (number, 990 + number)) for number in (1, 2)]
    readers = one_after_another("rw-register", "a:ry", "a:rx1", "b:rx2", "a:rx2", "b:rx1")
    readers = [transaction(10 + one.id, one.result, (100 + one.invoked, 100 + one.invoked + 5), one.process) for one in readers]
    assert kinds(analyse([*writers, *readers], "rw-register", sequential_keys=True)) == {"cyclic-versions"}


def test_a_cycle_through_many_readers_and_writers_is_told_without_what_stands_between() -> None:
    readers = ["rx ry1", *["rx"] * 9]
    writers = ["ax1 ay1", *[f"ax{number}" for number in range(2, 10)]]
    (anomaly,) = (one for one in analyse(together("list-append", *readers, *writers)).anomalies if one.kind == "G-single")
    assert sorted((step.before, step.after, step.kind) for step in anomaly.steps) == [(0, 10, "rw"), (10, 0, "wr")]
    assert "T0 read 'x' as (), without 1, which T10 appended after that" in " ".join(anomaly.lines)


def test_the_evidence_is_of_what_the_level_forbids() -> None:
    history = [
        transaction(0, parts("list-append", "ax1 ry"), (0, 1)),
        transaction(1, parts("list-append", "ay1 rx"), (2, 3)),
    ]
    assert kinds(analyse(history)) == {"G2-item", "G-single-realtime"}
    for level, kind in (("serializable", "G2-item"), ("strong-snapshot-isolation", "G-single-realtime")):
        evidence = Isolation(level).judge(history).evidence
        assert evidence is not None
        assert evidence.kind == kind


# -- what other checkers were reported to miss --------------------------------------------------------


def test_an_append_that_nobody_read_comes_after_all_that_were_read() -> None:
    """An example of the paper on Elle, which Elle itself passed for a while."""
    texts = ("ax1 ax3 ax4 ay2 ay3 ay4 ay5 az1 az2", "ay8 rx134", "az4 ry23458 rz124 rx134", "aw1 rx134 ry2345 az3")
    history = one_after_another("list-append", *(f"p{number}:{text}" for number, text in enumerate(texts)))
    assert {"G2-item", "G-single"} <= {*kinds(analyse(history))}
    assert Isolation("serializable").judge(history).status is Status.INVALID
    assert Isolation("snapshot-isolation").judge(history).status is Status.INVALID


def test_what_stands_after_an_own_append_was_appended_to_it() -> None:
    assert kinds(analyse(together("list-append", "ax1", "ax2 rx21"))) >= {"internal", "G1c"}
    assert Isolation("read-committed").judge(together("list-append", "ax1", "ax2 rx21")).status is Status.INVALID
    assert "G1c" not in kinds(analyse(together("list-append", "ax1", "ax2 rx12")))


FORCED = {
    "an append that was missed, and another to a list that both appended to": ("list-append", "ay1 ry1 rz1", "az1", "ay2 rz"),
    "the same, read first": ("list-append", "ry ay1 rz1", "az1", "ay2 rz"),
    "two that see their own appends only": ("list-append", "ax1 rx1", "ax2 rx2"),
    "two that miss each other's appends, and share a list": ("list-append", "ax1 ry az1", "ax2 rz ay1"),
    "one half of each of two": ("rw-register", "wx1 wy1", "wx2 wy2", "rx1 ry2"),
    "two versions of others in one transaction": ("rw-register", "wx1", "wx2", "rx1 rx2"),
    "what followed an update was seen with what came before it": ("rw-register", "wx1 wy2", "ry wy3", "rx1 ry3"),
}
"""Whatever the order of versions is that nobody read, there is a cycle with one `rw` edge at most."""


@pytest.mark.parametrize("name", FORCED)
def test_what_every_order_of_unread_versions_violates_is_found(name: str) -> None:
    workload, *texts = FORCED[name]
    history = together(workload, *texts)
    analysis = analyse(history, workload)
    anomaly = next(one for one in analysis.anomalies if one.kind == "G-single")
    assert anomaly.steps
    assert "both wrote" in " ".join(anomaly.lines), anomaly.lines
    assert {"consistent-view", "snapshot-isolation", "serializable"} <= {*analysis.ruled_out}
    assert not {"read-committed", "monotonic-atomic-view"} & {*analysis.ruled_out} or "rx1 rx2" in texts
    assert Isolation("snapshot-isolation", workload).judge(history).status is Status.INVALID


def test_what_forces_an_order_is_put_into_words() -> None:
    anomaly = next(one for one in analyse(together(*FORCED["one half of each of two"]), "rw-register").anomalies if one.kind == "G-single")
    assert anomaly.lines[-2:] == (
        "T0 before T1: both wrote 'y', T0 first, as T2 read from T0 and read 'y' as T1 had left it",
        "T1 before T0: both wrote 'x', T1 first, as T2 read from T1 and read 'x' as T0 had left it",
    )
    told = analyse(together(*FORCED["two that see their own appends only"])).anomalies
    assert "both wrote 'x', T0 first, as it did not see all that T1 wrote" in " ".join(line for one in told for line in one.lines)


def test_sessions_that_see_versions_in_their_order_are_held_to_it() -> None:
    """Nobody but two sessions shows in which order `x` and `y` changed, and two readers see one each."""
    fork = together("rw-register", "wx1", "wx2", "wy1", "wy2", "rx2 ry1", "rx1 ry2")
    sessions = one_after_another("rw-register", "e:rx1", "e:rx2", "f:ry1", "f:ry2")
    history = [*fork, *(replace(one, id=10 + one.id, invoked=10 + one.invoked, completed=15 + one.invoked) for one in sessions)]
    verdict = Isolation("strong-session-serializable", "rw-register").judge(history)
    assert verdict.status is Status.INVALID
    assert "if each session sees the versions of a key in their order, as strong-session-serializable promises" in verdict.reason
    assert Isolation("serializable", "rw-register").judge(history).status is Status.VALID


def test_a_cycle_of_reads_and_one_step_of_a_session_is_found() -> None:
    """wr, process, wr: causality is older than snapshots."""
    history = one_after_another("list-append", "a:rx1 ay1", "b:ry1", "b:ax1")
    assert "G1c-process" in kinds(analyse(history))
    assert Isolation("strong-session-snapshot-isolation").judge(history).status is Status.INVALID
    assert Isolation("causal-consistency").judge(history).status is Status.INVALID


def test_who_reads_what_he_will_only_write_later_is_found() -> None:
    for workload, text in (("list-append", "rx1 ax1"), ("rw-register", "rx1 wx1")):
        assert Isolation("read-committed", workload).judge(together(workload, text)).status is Status.INVALID


def test_a_register_that_goes_back_in_real_time_is_not_strictly_serializable() -> None:
    """Every transaction by another process, so that nothing but time orders the two writes."""
    history = one_after_another("rw-register", "a:wx1", "b:wx2", "c:rx2", "d:rx1")
    verdict = Isolation("strict-serializable", "rw-register").judge(history)
    assert verdict.status is Status.INVALID
    assert verdict.evidence is not None
    assert verdict.evidence.lines[-1] == "Still standing: strong-session-serializable, strong-read-committed."
    assert Isolation("strong-snapshot-isolation", "rw-register").judge(history).status is Status.INVALID
    assert Isolation("strong-session-serializable", "rw-register").judge(history).status is Status.VALID
    together = [transaction(one.id, one.result, (one.id, 100 + one.id), one.process) for one in history]
    assert Isolation("strict-serializable", "rw-register").judge(together).status is Status.VALID


def test_two_writers_who_each_read_the_other_are_not_always_right() -> None:
    """Each saw the other's write after its own, so each came later than the other; without an order of versions nobody notices."""
    history = one_after_another("rw-register", "a:rx", "b:rx", "a:wx1", "b:wx2", "a:rx2", "b:rx1")
    for level in ("strict-serializable", "strong-session-snapshot-isolation", "causal-consistency", "read-atomic"):
        assert Isolation(level, "rw-register").judge(history).status is Status.INVALID
    assert Isolation("serializable", "rw-register").judge(history).status is Status.VALID
