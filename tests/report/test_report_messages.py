"""Arrows, and which of them are routine."""

import msgspec
import pytest
from report_records import AppendEntries, RequestVote, raft_record

from killpoint.properties.history import Value
from killpoint.report.messages import arrows, message_types
from killpoint.report.wording import message_name
from killpoint.sim.trace import TraceEvent


class Beat(msgspec.Struct, frozen=True):
    term: int
    round: int
    entries: tuple[int, ...] = ()


def sends(*bodies: Value, sender: str = "n1", client: str | None = None) -> list[TraceEvent]:
    trace = [TraceEvent(0, 0.0, "invoke", client, None, {})] if client else []
    return trace + [TraceEvent(i, 0.1 * i, "send", sender, None, {"to": "n2", "body": body}) for i, body in enumerate(bodies, 1)]


@pytest.mark.parametrize(
    ("before", "after", "routine"),
    [
        (Beat(1, 1), Beat(1, 1), True),
        (Beat(1, 1), Beat(1, 2), True),
        (Beat(1, 1), Beat(2, 1), False),
        (Beat(1, 1), Beat(1, 2, (5,)), False),
        (Beat(1, 1), Beat(2, 2), False),
        (("ping", 1), ("ping", 2), True),
        (("ping", 1), ("ping", "2"), False),
        (("ping", True), ("ping", False), False),
        (("ping", 1), ("pong", 1), False),
        (("ping", 1), ("ping", 1, 1), False),
        ("tick", "tick", True),
        (1, 2, False),
    ],
)
def test_routine_is_what_repeats_but_for_a_counter(before: Value, after: Value, routine: bool) -> None:
    first, second = arrows(sends(before, after))
    assert not first.routine
    assert second.routine is routine


def test_what_clients_send_is_never_routine() -> None:
    assert not any(arrow.routine for arrow in arrows(sends("read", "read", sender="c1", client="c1")))


def test_what_a_host_says_after_it_heard_from_a_client_is_not_routine() -> None:
    made = [
        ("invoke", "c1", None, {}),
        ("send", "n1", None, {"to": "n2", "body": ("copy", 1)}),
        ("send", "n1", None, {"to": "n2", "body": ("copy", 2)}),
        ("send", "c1", None, {"to": "n1", "body": ("write", 3)}),
        ("deliver", "n1", 3, {"sender": "c1", "body": ("write", 3)}),
        ("send", "n1", None, {"to": "n2", "body": ("copy", 3)}),
        ("send", "n1", None, {"to": "n2", "body": ("copy", 4)}),
    ]
    trace = [TraceEvent(i, 0.1 * i, kind, host, cause, detail) for i, (kind, host, cause, detail) in enumerate(made)]
    assert [(arrow.start, arrow.routine) for arrow in arrows(trace) if arrow.sender == "n1"] == [
        (1, False),
        (2, True),
        (5, False),
        (6, True),
    ]


def test_repetition_is_per_link() -> None:
    trace = [
        TraceEvent(0, 0.0, "send", "n1", None, {"to": "n2", "body": "tick"}),
        TraceEvent(1, 0.0, "send", "n1", None, {"to": "n3", "body": "tick"}),
    ]
    assert [arrow.routine for arrow in arrows(trace)] == [False, False]


def test_every_send_is_an_arrow_and_heartbeats_are_most_of_the_routine() -> None:
    record = raft_record()
    assert record.trace is not None
    found = arrows(record.trace)
    assert sum(not arrow.copy for arrow in found) == record.statistics.messages_sent
    assert sum(arrow.end is not None and not arrow.why for arrow in found) == record.statistics.messages_delivered
    assert sum(bool(arrow.why) for arrow in found) == record.statistics.messages_dropped
    routine = [record.trace[arrow.start].detail["body"] for arrow in found if arrow.routine]
    assert len(routine) > 100
    assert not any(isinstance(body, RequestVote) for body in routine)
    assert not any(isinstance(body, AppendEntries) and body.entries for body in routine)


def test_a_duplicate_is_a_second_arrow_of_the_same_send() -> None:
    trace = [
        TraceEvent(0, 0.0, "send", "n1", None, {"to": "n2", "body": "x"}),
        TraceEvent(1, 0.1, "deliver", "n2", 0, {}),
        TraceEvent(2, 0.2, "drop", "n2", 0, {"why": "dead"}),
    ]
    assert [(arrow.end, arrow.copy, arrow.why) for arrow in arrows(trace)] == [(1, False, ""), (2, True, "dead")]


def test_a_nameless_body_is_a_reply_to_the_last_named_one() -> None:
    trace = [
        TraceEvent(0, 0.0, "send", "n2", None, {"to": "n1", "body": (7, 8)}),
        TraceEvent(1, 0.1, "send", "n1", None, {"to": "n2", "body": ("audit", 1)}),
        TraceEvent(2, 0.2, "send", "n2", None, {"to": "n1", "body": (1, 2)}),
        TraceEvent(3, 0.3, "send", "n2", None, {"to": "n3", "body": (1, 2)}),
    ]
    assert [arrow.type for arrow in arrows(trace)] == ["tuple", "audit", "audit reply", "tuple"]


def test_types_are_counted_with_the_rarest_first() -> None:
    assert message_types(arrows(sends("a", "b", "b", "c", "c", "c"))) == [("a", 1), ("b", 2), ("c", 3)]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (Beat(1, 1), "Beat"),
        (("issue", 7), "issue"),
        ((Beat(1, 1), 7), "Beat"),
        ("after-log append", "after-log"),
        (("d1", 7), "tuple"),
        ((), "tuple"),
        ((1, 2), "tuple"),
        ("", "str"),
        (None, "NoneType"),
        (b"abc", "bytes"),
    ],
)
def test_names_of_messages(body: Value, name: str) -> None:
    assert message_name(body) == name
