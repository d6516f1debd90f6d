"""Every checker of a workload finds every kind of violation that was planted for it, and lets pass what unknown outcomes explain."""

from itertools import combinations

import pytest
from tales import FAIL, INFO, Tale, invalid, unknown, valid

from killpoint.properties import (
    Bank,
    CausalReverse,
    CounterBounds,
    Linearizable,
    LongFork,
    Monotonic,
    SetFinal,
    SetFull,
    SpecificationError,
    Status,
    TotalQueue,
    UniqueIds,
    Value,
)
from killpoint.properties.sets import GrowSet
from killpoint.properties.workloads import Workload

EVERYTHING = [TotalQueue(), SetFinal(), SetFull(), UniqueIds(), CounterBounds(), Bank(), LongFork(), Monotonic(), CausalReverse()]


@pytest.mark.parametrize("prop", EVERYTHING, ids=lambda prop: prop.name)
def test_nothing_to_judge_is_said_aloud(prop: Workload) -> None:
    assert valid(prop, Tale().did("c1", "sleep")).reason == "there are no operations to judge"


# -- queues -------------------------------------------------------------------------------------------


def filled(*elements: Value) -> Tale:
    tale = Tale()
    for element in elements:
        tale.did("c1", "enqueue", element)
    return tale


def test_a_queue_that_gives_everything_back() -> None:
    valid(TotalQueue(), filled(1, 2, 3).did("c2", "dequeue", None, 2).did("c2", "drain", None, (1, 3)).did("c2", "dequeue"))
    valid(TotalQueue(exactly_once=True), filled(1, 1).did("c2", "drain", None, (1, 1)))


def test_an_element_that_never_comes_out_is_lost() -> None:
    tale = filled(1, 17).did("c2", "dequeue", None, 1)
    invalid(TotalQueue(), tale, "lost", "element 17 was put in by c1's enqueue (operation 1, ok at 0.4 s) and never came out (nothing")
    evidence = invalid(TotalQueue(), tale.did("c2", "drain", None, ()), "lost", "and never came out")
    assert evidence.operations == (1,)


def test_an_element_that_nobody_put_in() -> None:
    invalid(TotalQueue(), filled(1).did("c2", "drain", None, (1, 2)), "unexpected", "element 2 came out with c2's drain")
    invalid(TotalQueue(), Tale().did("c2", "dequeue", None, 1).did("c1", "enqueue", 1), "unexpected", "by then")


def test_an_element_whose_enqueue_failed() -> None:
    tale = Tale().did("c1", "enqueue", 1, None, FAIL).did("c2", "dequeue", None, 1)
    invalid(TotalQueue(), tale, "aborted-read", "c1's enqueue (operation 0, fail at 0.2 s) did not put it in")


def test_an_element_that_comes_out_twice() -> None:
    tale = filled(1).did("c2", "dequeue", None, 1).did("c3", "dequeue", None, 1)
    assert "1 element more than once, which is not held against the queue" in valid(TotalQueue(), tale).reason
    evidence = invalid(TotalQueue(exactly_once=True), tale, "duplicate", "element 1 was put in 1 time and came out 2 times")
    assert [line.split("(")[0].split()[1] for line in evidence.lines] == ["enqueue", "dequeue", "dequeue"]


def test_unknown_outcomes_of_a_queue() -> None:
    maybe = Tale().did("c1", "enqueue", 1, None, INFO)
    valid(TotalQueue(), maybe)
    valid(TotalQueue(exactly_once=True), maybe.did("c2", "dequeue", None, 1))
    invalid(TotalQueue(exactly_once=True), maybe.did("c2", "dequeue", None, 1), "duplicate")
    taken = filled(1).did("c2", "dequeue", None, None, INFO)
    unknown(TotalQueue(), taken, "1 dequeue whose outcome is unknown may have taken as many")
    invalid(TotalQueue(), taken.did("c1", "enqueue", 2), "lost")
    unknown(TotalQueue(), filled(1, 2, 3).did("c2", "drain", None, None, INFO), "may have taken any number")


# -- sets ---------------------------------------------------------------------------------------------


def added(*elements: Value) -> Tale:
    tale = Tale()
    for element in elements:
        tale.did("c3", "add", element)
    return tale


def test_a_read_that_began_before_an_element_was_known_may_miss_it() -> None:
    """The read that shows it began even earlier."""
    tale = Tale().begin("c0", "read").did("c1", "read", None, ()).begin("c1", "add", 0).end("c0", (0,)).end("c1")
    assert valid(SetFull(), tale).reason == "1 element stayed once known"
    assert valid(SetFull(linearizable=True), tale).reason == "1 element stayed once known"


@pytest.mark.parametrize("prop", [SetFinal(), SetFull(), SetFull(linearizable=True)])
def test_a_set_that_keeps_what_it_is_given(prop: Workload) -> None:
    tale = added(1, 2).did("c3", "add", 3, None, INFO).did("c3", "add", 4, None, FAIL)
    valid(prop, tale.did("c1", "read", None, (1, 2)).did("c2", "read", None, (1, 2, 3)))


@pytest.mark.parametrize("prop", [SetFinal(), SetFull(), SetFull(linearizable=True)])
def test_a_set_that_was_never_read(prop: Workload) -> None:
    unknown(prop, added(1), "never read")
    unknown(prop, added(1).did("c1", "read", None, (1,), INFO), "never read")


@pytest.mark.parametrize("prop", [SetFinal(), SetFull()])
def test_an_element_that_is_lost(prop: Workload) -> None:
    tale = added(17).did("c1", "read", None, (17,)).did("c2", "read", None, (17,)).did("c1", "read", None, ())
    evidence = invalid(prop, tale, "lost", "element 17 was added by c3's add (operation 0, ok at 0.2 s)")
    assert evidence.operations[-1] == 3
    never = added(17).did("c1", "read", None, ())
    invalid(prop, never, "lost", "missing from")


def test_the_sentence_on_a_lost_element_tells_its_story() -> None:
    tale = added(17).did("c1", "read", None, (17,)).did("c2", "read", None, (17,)).did("c1", "read", None, ())
    told = "element 17 was added by c3's add (operation 0, ok at 0.2 s), seen by 2 reads, last c2's read (operation 2, begun at 0.5 s)"
    evidence = invalid(SetFull(), tale, "lost", f"lost: {told}, and missing from c1's read (operation 3, begun at 0.7 s)")
    assert evidence.lines == (
        "c3 add(17)   0.1 s .. 0.2 s   -> None",
        "c2 read()    0.5 s .. 0.6 s   -> (17,)",
        "c1 read()    0.7 s .. 0.8 s   -> ()",
    )
    assert evidence.operations == (0, 2, 3)


@pytest.mark.parametrize("prop", [SetFinal(), SetFull()])
def test_an_element_that_is_in_a_read_twice(prop: Workload) -> None:
    invalid(prop, added(1, 2).did("c1", "read", None, (1, 2, 1)), "duplicate", "element 1 is 2 times in c1's read (operation 2, ok")


def test_the_check_for_duplicates_is_alive() -> None:
    # Jepsen's asks whether an element's frequency is below one, so it never fires, whatever is read.
    read = (1, 2, 2, 3, 3, 3)
    frequencies = {element: read.count(element) for element in read}
    assert {element for element, times in frequencies.items() if times < 1} == set()
    for prop in (SetFinal(), SetFull(), SetFull(linearizable=True)):
        evidence = invalid(prop, added(1, 2, 3).did("c1", "read", None, read), "duplicate", "element 2 is 2 times in c1's read")
        assert evidence.lines[1].startswith("element 3 is 3 times in c1's read")
        valid(prop, added(1, 2, 3).did("c1", "read", None, (1, 2, 3)))


@pytest.mark.parametrize("prop", [SetFinal(), SetFull()])
def test_an_element_that_was_not_added(prop: Workload) -> None:
    invalid(prop, added(1).did("c1", "read", None, (1, 9)), "unexpected", "never added")
    invalid(prop, added(1).did("c1", "read", None, (1, 2)).did("c3", "add", 2), "unexpected", "only added later")
    invalid(prop, added(1).did("c3", "add", 2, None, FAIL).did("c1", "read", None, (1, 2)), "aborted-read", "did not add it")


def test_a_stale_read_is_only_held_against_a_linearizable_set() -> None:
    tale = added(1, 2).did("c1", "read", None, (1,)).did("c2", "read", None, (1, 2))
    assert "1 element missing from a read for a while, which is allowed" in valid(SetFull(), tale).reason
    invalid(SetFull(linearizable=True), tale, "stale", "element 2 was added by")
    shown = Tale().did("c3", "add", 1, None, INFO).did("c1", "read", None, (1,)).did("c1", "read", None, ()).did("c1", "read", None, (1,))
    invalid(SetFull(linearizable=True), shown, "stale", "element 1 has an add of unknown outcome, seen by 2 reads")


def test_a_read_that_overlaps_an_add_may_miss_it() -> None:
    tale = added(1).begin("c1", "read").begin("c3", "add", 2).end("c3").end("c1", (1,))
    assert "1 element never read after being known" in valid(SetFull(linearizable=True), tale).reason
    assert "1 add ended only after the final read had begun" in valid(SetFinal(), tale).reason
    unknown(SetFull(), Tale().begin("c1", "read").did("c3", "add", 2).end("c1", ()), "no element was read after it was known")


# -- identifiers and counters -------------------------------------------------------------------------


def test_an_id_that_is_given_twice() -> None:
    tale = Tale().did("c1", "generate", None, 7).did("c2", "generate", None, 8)
    valid(UniqueIds(), tale)
    valid(UniqueIds(), tale.did("c2", "generate", None, 7, INFO).did("c2", "generate", None, 7, FAIL))
    invalid(UniqueIds(), tale.did("c3", "generate", None, 7), "duplicate-id", "id 7 was given to c1's generate (operation 0, ok at")
    assert valid(UniqueIds(), Tale().did("c1", "generate", None, None, INFO)).reason == "no call was given an id"


def test_a_counter_between_its_bounds() -> None:
    tale = Tale().did("c1", "add", 5).begin("c2", "add", 3).did("c1", "read", None, 5).did("c1", "read", None, 8)
    valid(CounterBounds(), tale)
    valid(CounterBounds(initial=1), Tale().did("c1", "inc").did("c1", "dec").did("c1", "read", None, 1))
    invalid(CounterBounds(), tale.did("c1", "read", None, 4), "below-bounds", "returned 4, and acknowledged operations make it at least 5")
    other = Tale().did("c1", "add", 5).begin("c2", "add", 3).did("c1", "read", None, 9)
    invalid(CounterBounds(), other, "above-bounds", "returned 9, and all that had begun by then make it at most 8")


def test_decrements_bound_a_counter_the_other_way() -> None:
    tale = Tale().did("c1", "add", 5).begin("c2", "dec", 3)
    valid(CounterBounds(), tale.did("c1", "read", None, 2))
    invalid(CounterBounds(), tale.did("c1", "read", None, 1), "below-bounds")
    invalid(CounterBounds(), Tale().did("c1", "add", -5).did("c1", "read", None, 0), "above-bounds")


def test_unknown_and_failed_additions() -> None:
    tale = Tale().did("c1", "add", 5, None, INFO)
    for value in (0, 5):
        valid(CounterBounds(), Tale().did("c1", "add", 5, None, INFO).did("c1", "read", None, value))
    invalid(CounterBounds(), Tale().did("c1", "add", 5, None, FAIL).did("c1", "read", None, 5), "above-bounds")
    unknown(CounterBounds(), tale, "the counter was never read")
    with pytest.raises(SpecificationError, match=r"operation 1 of process c2, .*: a read returns a whole number, not 'x'"):
        CounterBounds().judge(tale.did("c2", "read", None, "x").operations)


# -- the bank -----------------------------------------------------------------------------------------

TRANSFER = (("amount", 3), ("from", 0), ("to", 1))


def test_a_bank_that_keeps_its_money() -> None:
    tale = Tale().did("c1", "read", None, ((0, 10), (1, 7))).did("c1", "transfer", TRANSFER).did("c1", "read", None, ((0, 7), (1, 10)))
    verdict = valid(Bank(), tale)
    assert verdict.reason == "2 reads, each with a total of 17 (as the first read, c1's read (operation 0, ok at 0.2 s), shows)"
    assert valid(Bank(total=17), tale).reason == "2 reads, each with a total of 17"
    valid(Bank(), Tale().did("c1", "transfer", (0, 1, 3)).did("c1", "read", None, (10, 7)).did("c1", "read", None, (7, 10)))
    unknown(Bank(), Tale().did("c1", "transfer", TRANSFER), "never read")


def test_money_out_of_nothing() -> None:
    tale = Tale().did("c1", "read", None, ((0, 10), (1, 7))).begin("c2", "transfer", TRANSFER).did("c1", "read", None, ((0, 7), (1, 7)))
    evidence = invalid(Bank(), tale, "wrong-total", "shows a total of 14, and it must be 17")
    invalid(Bank(), tale, "wrong-total", "c2's transfer (operation 1, outcome unknown) moved just the difference meanwhile")
    assert evidence.operations == (1, 2)
    invalid(Bank(total=20), Tale().did("c1", "read", None, ((0, 10), (1, 7))), "wrong-total", "it must be 20")


def test_balances_that_no_account_may_have() -> None:
    debts = Tale().did("c1", "read", None, ((0, 10), (1, -3)))
    invalid(Bank(), debts, "negative-balance", "shows a balance below nothing: 1: -3")
    valid(Bank(negative=True), debts)
    invalid(Bank(total=10), Tale().did("c1", "read", None, ((0, 10), (1, None))), "nil-balance", "shows no balance of 1")
    only = Bank(accounts=frozenset({0, 1}))
    invalid(only, Tale().did("c1", "read", None, ((0, 10), (2, 3))), "unexpected-account", "shows an account that there is not: 2")


def test_a_bank_says_what_it_cannot_understand() -> None:
    words = r"operation 0 of process c1, .*: the argument of a transfer is from, to and a whole amount"
    with pytest.raises(SpecificationError, match=words):
        Bank().judge(Tale().did("c1", "transfer", 5).did("c1", "read", None, ((0, 1),)).operations)
    with pytest.raises(SpecificationError, match=r"a balance is a whole number, not 0\.5"):
        Bank().judge(Tale().did("c1", "read", None, ((0, 0.5),)).operations)
    with pytest.raises(SpecificationError, match="a read returns balances by account, not 'ten'"):
        Bank().judge(Tale().did("c1", "read", None, "ten").operations)


# -- long forks ---------------------------------------------------------------------------------------


def read_of(**values: Value) -> tuple[Value, Value]:
    return tuple(("r", key, None) for key in values), tuple(("r", key, value) for key, value in values.items())


def written(*keys: Value) -> Tale:
    tale = Tale()
    for key in keys:
        tale.did("c1", "txn", (("w", key, 1),), (("w", key, 1),))
    return tale


def test_two_reads_that_see_two_writes_in_opposite_orders() -> None:
    tale = written("x", "y").did("c2", "txn", *read_of(x=1, y=None)).did("c2", "txn", *read_of(x=1, y=1))
    valid(LongFork(), tale)
    evidence = invalid(LongFork(), tale.did("c3", "txn", *read_of(y=1, x=None)), "long-fork", "shows 'x' and not 'y', and c3's txn")
    assert evidence.operations == (2, 4)


def test_groups_that_overlap_may_fork_too() -> None:
    tale = written("x", "y", "z").did("c2", "txn", *read_of(x=1, y=None, z=None)).did("c2", "txn", *read_of(x=1, y=1, z=None))
    valid(LongFork(), tale.did("c3", "txn", *read_of(w=None, x=1, y=None)))
    invalid(LongFork(), tale.did("c3", "txn", *read_of(x=None, y=1, v=None)), "long-fork", "shows 'x' and not 'y'")


def test_too_many_groups_that_overlap_are_not_compared() -> None:
    tale = Tale()
    for group in combinations(range(24), 3):
        asked = tuple(("r", key, None) for key in group)
        tale.did("c1", "txn", asked, asked)
    unknown(LongFork(), tale, "reads are of too many overlapping groups of keys to compare them all")


def test_forks_need_writes_that_happened_once() -> None:
    unknown(LongFork(), written("x", "x"), "'x' is written twice")
    valid(LongFork(), written("x").did("c1", "txn", (("w", "x", 2),), None, FAIL).did("c2", "txn", *read_of(x=1)))
    invalid(LongFork(), written("x").did("c2", "txn", *read_of(x=2)), "unexpected", "shows 'x' = 2, which nobody had written by then")
    failed = Tale().did("c1", "txn", (("w", "x", 1),), None, FAIL).did("c2", "txn", *read_of(x=1))
    invalid(LongFork(), failed, "aborted-read", "did not write")
    valid(LongFork(), Tale().did("c1", "txn", (("w", "x", 1),), None, INFO).did("c2", "txn", *read_of(x=1)))
    unknown(LongFork(), written("x"), "nothing was ever read")
    with pytest.raises(SpecificationError, match="a transaction is either one write"):
        LongFork().judge(Tale().did("c1", "txn", (("w", "x", 1), ("r", "y", None))).operations)


# -- monotonic, causal reverse ------------------------------------------------------------------------


def row(value: int, timestamp: Value, **more: Value) -> Value:
    return (*sorted(more.items()), ("sts", timestamp), ("val", value))


def test_values_that_go_backwards_in_time() -> None:
    long = "10000000000000000000000"
    valid(Monotonic(), Tale().did("c1", "read", None, (row(2, f"{long}.2"), row(1, f"{long}.1"), row(0, 5))))
    invalid(Monotonic(), Tale().did("c1", "read", None, (row(1, f"{long}.2"), row(2, f"{long}.1"))), "nonmonotonic")
    tale = Tale().did("c1", "read", None, (row(1, 10), row(3, 20), row(2, 30)))
    invalid(Monotonic(), tale, "nonmonotonic", "shows 2 with timestamp 30, after 3 with timestamp 20")
    invalid(Monotonic(), Tale().did("c1", "read", None, ((1, 10), (2, 5))), "nonmonotonic")
    invalid(Monotonic(), Tale().did("c1", "read", None, (1, 3, 2)), "nonmonotonic")
    tied = Tale().did("c1", "read", None, (row(2, 10), row(1, 10), row(3, 20)))
    valid(Monotonic(), tied)


def test_rows_are_compared_within_their_group_only() -> None:
    tale = Tale().did("c1", "read", None, (row(1, 10, proc=1), row(3, 20, proc=1), row(2, 30, proc=2)))
    valid(Monotonic(by="proc"), tale)
    invalid(Monotonic(by="proc"), tale.did("c1", "read", None, (row(2, 10, proc=1), row(1, 20, proc=1))), "nonmonotonic")


def test_rows_that_are_lost_or_twice_or_should_not_be() -> None:
    tale = Tale().did("c1", "add", None, row(1, 10)).did("c1", "add", None, row(2, 20))
    valid(Monotonic(), tale.did("c2", "read", None, (row(1, 10), row(2, 20))))
    invalid(Monotonic(), tale.did("c2", "read", None, (row(2, 20),)), "lost", "1 was added by c1's add (operation 0, ok at 0.2 s)")
    invalid(Monotonic(), Tale().did("c2", "read", None, (row(1, 10), row(1, 20))), "duplicate", "shows 1 twice")
    unknown(Monotonic(), Tale().did("c1", "add", None, row(1, 10)), "nothing was ever read")
    failed = Tale().did("c1", "add", row(1, 10), None, FAIL).did("c2", "read", None, (row(1, 10),))
    invalid(Monotonic(), failed, "aborted-read", "did not add")
    valid(Monotonic(), Tale().did("c1", "add", row(1, 10), None, INFO).did("c2", "read", None, (row(1, 10),)))
    with pytest.raises(SpecificationError, match="is no row"):
        Monotonic().judge(Tale().did("c1", "read", None, ("x",)).operations)


def test_a_later_write_that_is_seen_without_an_earlier_one() -> None:
    tale = Tale().did("c1", "write", 1).did("c2", "write", 2)
    valid(CausalReverse(), tale.did("c3", "read", None, ()).did("c3", "read", None, (1,)).did("c3", "read", None, (2, 1)))
    evidence = invalid(CausalReverse(), tale.did("c3", "read", None, (2,)), "causal-reverse", "shows 2, and not 1, though c1's write")
    assert evidence.operations == (0, 1, 5)


def test_writes_that_overlap_are_seen_in_any_order() -> None:
    tale = Tale().begin("c1", "write", 1).did("c2", "write", 2).end("c1").did("c3", "read", None, (2,))
    valid(CausalReverse(), tale)
    valid(CausalReverse(), Tale().did("c1", "write", 1, None, INFO).did("c2", "write", 2).did("c3", "read", None, (2,)))
    valid(CausalReverse(), Tale().did("c1", "write", 1, None, FAIL).did("c2", "write", 2).did("c3", "read", None, (2,)))


def test_what_cannot_be_read_and_who_never_read() -> None:
    unknown(CausalReverse(), Tale().did("c1", "write", 1), "nothing was ever read")
    invalid(CausalReverse(), Tale().did("c1", "write", 1, None, FAIL).did("c1", "read", None, (1,)), "aborted-read", "did not write")
    invalid(CausalReverse(), Tale().did("c1", "read", None, (1,)).did("c1", "write", 1), "unexpected", "nobody had written by then")


def test_keys_are_judged_on_their_own() -> None:
    tale = Tale().did("c1", "write", ("x", 1)).did("c2", "write", ("y", 2))
    valid(CausalReverse(), tale.did("c3", "read", ("y", None), ("y", (2,))))
    tale.did("c1", "write", ("y", 3))
    invalid(CausalReverse(), tale.did("c3", "read", ("y", None), ("y", (3,))), "causal-reverse", "shows ('y', 3), and not ('y', 2)")


# -- what is told ---------------------------------------------------------------------------------------


def test_many_violations_are_counted_and_a_few_told() -> None:
    verdict = SetFull().judge(added(*range(100)).did("c1", "read", None, (99, 99, 100)).operations)
    assert verdict.evidence is not None
    assert verdict.reason.endswith("(99 of this kind)")
    assert len(verdict.evidence.lines) == 9
    assert verdict.evidence.lines[6] == "and 94 more of this kind"
    assert [line.split(":")[0] for line in verdict.evidence.lines[7:]] == ["also duplicate, 1 time", "also unexpected, 1 time"]


def test_a_set_that_is_lost_is_not_linearizable_either() -> None:
    tale = added(1, 2).did("c1", "read", None, (1,))
    assert Linearizable(GrowSet()).judge(tale.operations).status is Status.INVALID
    invalid(SetFull(), tale, "lost")
