"""Each anomaly of a partitioned log is found where it was planted, and what rebalancing or a crashed poll explains is none."""

import pytest
from tales import FAIL, INFO, Tale, invalid, unknown, valid

from killpoint.properties import KafkaLog, SpecificationError, Value

LOG = KafkaLog()


def sent(*messages: tuple[int, Value], key: Value = "k") -> Tale:
    tale = Tale()
    for offset, value in messages:
        tale.did("p1", "send", (key, value), (offset, value))
    return tale


def polls(tale: Tale, *messages: tuple[int | None, Value], key: Value = "k", process: str = "c1") -> Tale:
    return tale.did(process, "poll", None, ((key, messages),) if messages else ())


def micro(*parts: tuple[Value, ...]) -> tuple[Value, Value]:
    """A transaction's argument and result, out of its result."""
    asked = tuple(("poll",) if part[0] == "poll" else ("send", part[1], part[2][1]) for part in parts)  # type: ignore[index]
    return asked, parts


THREE = ((0, "a"), (1, "b"), (5, "c"))


def test_a_log_that_is_polled_in_order() -> None:
    tale = polls(sent(*THREE), *THREE[:2])
    unknown(LOG, tale, "'c' in 'k' at offset 5, sent by p1's send (operation 2, ok at 0.6 s), was never polled (1 message like this)")
    valid(KafkaLog(final_polls=False), tale)
    assert valid(LOG, polls(tale, THREE[2])).reason == "2 polls in the order of 1 log"
    valid(LOG, polls(tale, *THREE, process="c2"))
    unknown(LOG, sent(*THREE), "nothing was ever polled")


def test_all_shapes_of_messages() -> None:
    tale = Tale().did("p1", "send", ("k", "a"), 0).did("p1", "send", ("k", "b"), ("k", (1, "b"))).did("p1", "send", ("k", "c"))
    tale.did("p1", "send", (("send", "k", "d"),), (("send", "k", (3, "d")),))
    valid(LOG, tale.did("c1", "poll", (("poll",),), (("poll", (("k", ((0, "a"), (1, "b"), (2, "c"), (3, "d"))),)),)))
    invalid(KafkaLog(final_polls=True), Tale().did("p1", "send", ("k", "x"), 4).did("c1", "poll", None, ()), "unseen", "'x' in 'k' at off")
    for function, argument, result in [("send", "k", 0), ("send", ("k", 1), "x"), ("poll", None, 3), ("poll", None, (("k", 3),))]:
        with pytest.raises(SpecificationError, match="operation 0 of process c1"):
            LOG.judge(Tale().did("c1", function, argument, result).operations)


def test_one_offset_with_two_values() -> None:
    invalid(LOG, polls(sent((0, "a")), (0, "b")), "inconsistent-offsets", "offset 0 of 'k' is 'a', and 'b' to c1's poll (operation 1, ok")


def test_one_value_at_two_offsets() -> None:
    tale = polls(sent((0, "a"), (1, "b")), (0, "a"), (1, "b"), (2, "a"))
    invalid(LOG, tale, "duplicate", "'a' in 'k' was sent 1 time and is at offsets 0, 2")
    valid(LOG, polls(sent((0, "a"), (1, "b"), (2, "a")), (0, "a"), (1, "b"), (2, "a")))


def test_an_acknowledged_message_that_nobody_ever_polls_is_lost() -> None:
    tale = polls(polls(sent(*THREE), THREE[0]), THREE[2], process="c4")
    evidence = invalid(LOG, tale, "lost-write", "polled by nobody, though 'c' in 'k' at offset 5 was")
    assert evidence.operations == (1,)
    valid(LOG, polls(polls(polls(sent(*THREE), THREE[0]), THREE[2], process="c4"), THREE[1], process="c3"))


def test_a_poll_that_skips_a_message() -> None:
    told = polls(polls(sent(*THREE), *THREE, process="c2"), THREE[0], THREE[2])
    invalid(LOG, told, "int-poll-skip", "and not 'b' in 'k' at offset 1, which is between")
    later = polls(polls(polls(sent(*THREE), *THREE, process="c2"), THREE[0]), THREE[2])
    evidence = invalid(LOG, later, "poll-skip", "after c1's poll (operation 4, ok")
    assert evidence.operations == (4, 5)


def test_what_polls_showed_counts_however_they_ended() -> None:
    def failed() -> Tale:
        shown = micro(("poll", (("k", ((1, "b"), (5, "c"))),)))
        return polls(polls(sent(*THREE), *THREE, process="c2"), THREE[0]).did("c1", "txn", *shown, FAIL)

    invalid(LOG, polls(failed(), THREE[2]), "poll-skip", "and not 'b' in 'k' at offset 1, which is between")
    valid(LOG, polls(polls(failed(), THREE[1]), THREE[2]))
    last = polls(polls(sent(*THREE), *THREE, process="c2"), THREE[0]).did("c1", "txn", *micro(("poll", (("k", ((5, "c"),)),))), INFO)
    invalid(LOG, last, "poll-skip", "c1's txn (operation 5, outcome unknown at")
    invalid(LOG, sent((1, "a")).did("c1", "txn", *micro(("poll", (("k", ((11, "a"),)),))), FAIL), "duplicate", "is at offsets 1, 11")


def test_whoever_may_have_polled_a_message_excuses_it_whatever_else_came_back() -> None:
    tale = sent((0, "a"), (1, "b")).did("c1", "txn", *micro(("poll", (("k", ((0, "a"),)),))), INFO)
    unknown(LOG, polls(tale, (1, "b"), process="c2"), "may have polled it")


@pytest.mark.parametrize("told", ["timeout", (("send", "k", "timeout"),), (("poll", "aborted"),), 5])
def test_what_came_back_of_what_did_not_end_well_may_be_anything(told: Value) -> None:
    asked = (("poll",),) if isinstance(told, tuple) and told[0] == ("poll", "aborted") else (("send", "k", "z"),)
    for outcome in (INFO, FAIL):
        valid(LOG, polls(sent((0, "a")).did("p2", "txn", asked, told, outcome), (0, "a")))


def test_a_send_of_unknown_outcome_that_was_seen_is_held_to_the_offsets_that_it_was_told() -> None:
    told = micro(("send", "k", (0, "a")), ("send", "l", (None, "b")))
    tale = Tale().did("p1", "txn", *told, INFO).did("p2", "send", ("k", "c"), (0, "c"))
    unknown(LOG, tale, "nothing was ever polled")
    invalid(LOG, polls(tale, (7, "b"), key="l"), "inconsistent-offsets", "offset 0 of 'k' is 'c', and 'a' to p1's txn")
    told = micro(("send", "k", (None, "a")), ("send", "l", (0, "b")))
    tale = polls(Tale().did("p1", "txn", *told, INFO).did("p2", "send", ("l", "c"), (1, "c")), (1, "c"), key="l")
    valid(LOG, tale)
    invalid(LOG, polls(tale, (0, "a"), process="c2"), "lost-write", "'b' in 'l' at offset 0, sent by p1's txn")


def test_the_order_of_sends_may_be_known_from_polls_alone() -> None:
    one = Tale().did("p1", "send", (("send", "k", "b"), ("send", "k", "a")), (("send", "k", "b"), ("send", "k", "a")))
    invalid(LOG, polls(one, (2, "a"), (3, "b")), "int-nonmonotonic-send", "sent 'a' in 'k' at offset 2")
    two = Tale().did("p1", "send", ("k", "b")).did("p1", "send", ("k", "a"))
    invalid(LOG, polls(two, (2, "a"), (3, "b")), "nonmonotonic-send", "sent 'a' in 'k' at offset 2")


def test_a_poll_that_goes_back() -> None:
    told = "polled 'a' in 'k' at offset 0, which had just polled 'c'"
    invalid(LOG, polls(sent(*THREE), *THREE, THREE[0]), "int-nonmonotonic-poll", told)
    invalid(LOG, polls(polls(sent(*THREE), *THREE), THREE[2]), "nonmonotonic-poll", "after c1's poll (operation 3")


def test_sends_whose_offsets_go_back() -> None:
    tale = polls(sent((3, "a"), (2, "b")), (2, "b"), (3, "a"))
    invalid(LOG, tale, "nonmonotonic-send", "sent 'b' in 'k' at offset 2, after p1's send (operation 0, ok at 0.2 s) had sent 'a'")
    tale = polls(Tale().did("p1", "txn", *micro(("send", "k", (3, "a")), ("send", "k", (2, "b")))), (2, "b"), (3, "a"))
    invalid(LOG, tale, "int-nonmonotonic-send", "sent 'b' in 'k' at offset 2, which had just sent 'a'")


def test_a_message_of_a_failed_send_is_an_aborted_read() -> None:
    tale = sent((0, "a")).did("p1", "send", ("k", "x"), None, FAIL)
    valid(LOG, polls(tale, (0, "a")))
    told = "polled 'x' in 'k' at offset 1, which p1's send (operation 1, fail at 0.4 s) did not"
    invalid(LOG, polls(tale, (1, "x")), "aborted-read", told)


def test_what_a_failed_send_left_may_be_skipped() -> None:
    tale = sent((0, "a"), (2, "b")).did("p1", "send", ("k", "x"), None, FAIL)
    polls(polls(tale, (0, "a"), (1, "x"), (2, "b")), (0, "a"), (2, "b"), process="c2")
    assert {line.split(",")[0] for line in invalid(LOG, tale, "aborted-read").lines if line.startswith("also")} == set()


def test_a_message_that_nobody_sent() -> None:
    invalid(LOG, polls(sent((0, "a")), (0, "a"), (1, "x")), "unexpected", "which nobody had sent by then")
    invalid(LOG, polls(Tale(), (0, "a")).did("p1", "send", ("k", "a"), 0), "unexpected", "by then")


def test_a_transaction_that_polls_its_own_message() -> None:
    tale = Tale().did("p1", "txn", *micro(("send", "k", (0, "a")), ("poll", (("k", ((0, "a"),)),))))
    invalid(LOG, tale, "precommitted-read", "p1's txn (operation 0, ok at 0.2 s) polls 'a' in 'k' at offset 0, which it sends itself")


def test_an_unknown_send_may_be_polled_and_need_not() -> None:
    def tale() -> Tale:
        return sent((0, "a")).did("p1", "send", ("k", "x"), None, INFO).did("p2", "send", ("k", "b"), 2)

    valid(LOG, polls(tale(), (0, "a"), (2, "b")))
    seen = tale()
    valid(LOG, polls(seen, (0, "a"), (1, "x"), (2, "b")))
    invalid(LOG, polls(seen, (0, "a"), (2, "b"), process="c2"), "int-poll-skip", "and not 'x' in 'k' at offset 1")


def test_an_unknown_poll_excuses_what_seems_lost() -> None:
    tale = polls(sent(*THREE), THREE[0]).did("c2", "poll", None, None, INFO)
    unknown(LOG, polls(tale, THREE[2], process="c3"), "though 'c' in 'k' at offset 5 was, and c2's poll (operation 4, outcome unknown")
    invalid(KafkaLog(final_polls=True), tale, "lost-write")
    alone = polls(sent(*THREE).did("c2", "assign", ("k",)), THREE[0]).did("c2", "poll", None, None, INFO)
    invalid(LOG, polls(alone, THREE[2], process="c3"), "lost-write")
    passed = polls(sent(*THREE), (0, "a"), (5, "c")).did("c2", "poll", None, None, INFO)
    evidence = invalid(LOG, passed, "lost-write")
    assert any(line.startswith("also int-poll-skip") for line in evidence.lines)


def test_a_subscriber_may_be_given_other_places_and_an_assignment_may_begin_anew() -> None:
    subscribed = polls(sent(*THREE), *THREE, process="c2").did("c1", "subscribe", ("k",))
    valid(LOG, polls(polls(subscribed, THREE[0]), THREE[2]))
    valid(LOG, polls(subscribed, THREE[0]))
    invalid(LOG, polls(subscribed, THREE[0], THREE[2]), "int-poll-skip")
    assigned = polls(polls(sent(*THREE), *THREE, process="c2").did("c1", "assign", ("k",)), *THREE[:2]).did("c1", "assign", ("k", "l"))
    invalid(LOG, polls(assigned, THREE[1]), "nonmonotonic-poll")
    again = polls(polls(sent(*THREE), *THREE, process="c2").did("c1", "assign", ("k",)), *THREE[:2]).did("c1", "assign", ("k",))
    valid(LOG, polls(again, *THREE))
    other = polls(sent(*THREE), *THREE).did("c1", "assign", ("l",)).did("c1", "assign", ("k",))
    valid(LOG, polls(other, THREE[1]))
    failed = polls(sent(*THREE), *THREE).did("c1", "assign", ("l",), None, FAIL).did("c1", "assign", ("k",), None, FAIL)
    invalid(LOG, polls(failed, THREE[1]), "nonmonotonic-poll")
