"""Each white-box property fails on a planted violation, at the event that decides it, and on nothing else."""

import pytest

from killpoint.properties.history import Incident, Observe
from killpoint.properties.raft import ElectionSafety, LeaderCompleteness, LogMatching, StateMachineSafety
from killpoint.properties.verdict import Property, Status, check

ALL = (ElectionSafety(), LogMatching(), LeaderCompleteness(), StateMachineSafety())


def told(*lines):
    """Events from (host, values) or (host, incarnation, values)."""
    return [
        Observe(index, index / 10, line[0], line[1] if len(line) == 3 else 1, line[-1]) for index, line in enumerate(lines)
    ]


def log(first, *entries):
    """`2a` is an entry of term 2 up to which the log hashes to "a"."""
    return {"log": (first, tuple((int(entry[:-1]), entry[-1]) for entry in entries))}


def leads(term):
    return {"role": "leader", "term": term}


def judge(prop, events):
    """The verdict and the event at which it fell; online and offline must agree."""
    monitor = prop.start()
    for event in events:
        if verdict := monitor.feed(event):
            assert check(prop, events) == verdict == monitor.finish()
            return verdict, event.index
    assert check(prop, events).status is Status.VALID
    return monitor.finish(), None


def fails(prop, kind, *lines):
    """It fails so, at the last event and not before, and no other property minds."""
    verdict, at = judge(prop, told(*lines))
    assert verdict.status is Status.INVALID
    assert (verdict.name, verdict.evidence.kind) == (type(prop).__name__, kind)
    assert at == len(lines) - 1 == verdict.evidence.events[-1]
    assert all(judge(other, told(*lines))[1] is None for other in ALL if other != prop)
    return verdict


def test_they_are_properties_with_names():
    for prop in ALL:
        assert isinstance(prop, Property)
        assert prop.name == type(prop).__name__
        assert check(prop, []).status is Status.VALID
        assert check(prop, [Incident(0, 0.0, "kill", "n1")]).status is Status.VALID


def test_an_ordinary_life_is_valid():
    events = told(
        ("n1", {"role": "follower", "term": 0, "leader": None}),
        ("n1", {"role": "candidate", "term": 1}),
        ("n1", log(1, "1a") | {"role": "leader"}),
        ("n2", {"role": "follower", "term": 1}),
        ("n2", log(1, "1a")),
        ("n1", {"commit": 1}),
        ("n1", {"applied": (1, "a")}),
        ("n1", log(2, "1b", "1c")),
        ("n2", {"commit": 1}),
        ("n2", {"applied": (1, "a")}),
        ("n2", log(2, "1b")),
        ("n1", 2, log(1, "1a", "1b", "1c")),
        ("n2", leads(2)),
        ("n2", log(3, "2x")),
        ("n1", 2, log(3, "2x")),
        ("n2", {"commit": 3}),
        ("n1", 2, {"term": 2, "role": "follower"}),
        ("n1", 2, {"commit": 3}),
        ("n1", 2, {"applied": (3, "x")}),
        ("n2", {"applied": (3, "x")}),
    )
    assert [judge(prop, events)[1] for prop in ALL] == [None] * 4


def test_two_leaders_in_a_term():
    verdict = fails(
        ElectionSafety(),
        "two-leaders",
        ("n1", leads(1)),
        ("n2", leads(2)),
        ("n3", {"role": "candidate", "term": 1}),
        ("n3", {"role": "leader"}),
    )
    assert verdict.evidence.hosts == ("n1", "n3")
    assert verdict.evidence.lines[:2] == (
        "n1 became leader of term 1 at 0.000 s (event 0)",
        "n3 became leader of term 1 too, at 0.300 s (event 3)",
    )


def test_a_host_that_leads_the_same_term_again_after_a_restart():
    verdict = fails(ElectionSafety(), "two-leaders", ("n1", 1, leads(4)), ("n1", 2, {"role": "follower"}), ("n1", 2, leads(4)))
    assert "again, after a restart" in verdict.evidence.lines[1]


def test_a_leader_that_says_other_things_is_no_second_leader():
    other = {"phase": "commit"}
    events = told(("n1", leads(1)), ("n1", other), ("n1", {"role": "leader"}), ("n1", leads(2)), ("n1", 2, {"term": 2}))
    assert judge(ElectionSafety(), events)[1] is None


def test_the_same_entry_behind_different_logs():
    verdict = fails(
        LogMatching(),
        "log-mismatch",
        ("n1", log(1, "1a", "2b", "3c")),
        ("n2", log(1, "1a", "1x")),
        ("n2", log(3, "3y")),
    )
    assert verdict.reason == "two logs hold different entries, or different prefixes, at index 3 of term 3"
    assert verdict.evidence.hosts == ("n1", "n2")


def test_logs_may_differ_where_terms_do():
    events = told(("n1", log(1, "1a", "1b")), ("n2", log(1, "1a", "2x")), ("n1", log(2, "2x")))
    assert judge(LogMatching(), events)[1] is None


COMMITTED = (("n1", leads(1) | log(1, "1a", "1b")), ("n1", {"commit": 2}))


@pytest.mark.parametrize("short", [log(1), log(1, "1a"), log(1, "1a", "2x")])
def test_a_later_leader_without_what_was_committed(short):
    verdict = fails(LeaderCompleteness(), "leader-lacks-committed", *COMMITTED, ("n2", short), ("n2", leads(2)))
    assert verdict.reason == "n2 led term 2 without what was committed at index 2 in term 1"


def test_a_commit_that_is_told_after_a_later_leader_was_elected_without_it():
    verdict = fails(
        LeaderCompleteness(),
        "leader-lacks-committed",
        ("n1", leads(1) | log(1, "1a", "1b")),
        ("n2", leads(2) | log(1, "1a", "2x")),
        ("n1", {"commit": 1}),
        ("n1", {"commit": 2}),
    )
    assert verdict.evidence.hosts == ("n2", "n1")


def test_leaders_of_the_same_term_or_earlier_ones_need_not_have_it():
    assert judge(LeaderCompleteness(), told(*COMMITTED, ("n2", leads(1)), ("n3", leads(0))))[1] is None
    follower = told(("n3", {"term": 5} | log(1, "1a", "1b")), ("n3", {"commit": 2}), ("n2", leads(5)))
    assert judge(LeaderCompleteness(), follower)[1] is None


def test_a_commit_beyond_what_was_told_of_the_log_is_not_held_against_anybody():
    assert judge(LeaderCompleteness(), told(("n1", leads(1)), ("n1", {"commit": 7}), ("n2", leads(2))))[1] is None


def test_two_hosts_apply_different_entries():
    verdict = fails(
        StateMachineSafety(),
        "applied-differs",
        ("n1", log(1, "1a", "1b")),
        ("n2", log(1, "1a", "2x")),
        ("n1", {"applied": (2, "b")}),
        ("n2", {"applied": (2, "x")}),
    )
    assert verdict.evidence.hosts == ("n1", "n2")
    assert verdict.reason == "n1 and n2 applied different entries at index 2, or before it"


def test_batches_that_end_at_different_indices_are_compared_where_they_overlap():
    verdict = fails(
        StateMachineSafety(),
        "applied-differs",
        ("n1", log(1, "1a", "1b")),
        ("n1", {"applied": (2, "b")}),
        ("n2", log(1, "1a", "2x", "2y")),
        ("n2", {"applied": (3, "y")}),
    )
    assert "at index 2" in verdict.reason


def test_an_incarnation_that_applies_something_else_than_the_one_before():
    fails(
        StateMachineSafety(),
        "applied-differs",
        ("n1", log(1, "1a")),
        ("n1", {"applied": (1, "a")}),
        ("n1", 2, log(1, "2x")),
        ("n1", 2, {"applied": (1, "x")}),
    )
