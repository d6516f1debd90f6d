"""Several checkers as one, how calls ended, and the errors that nobody expected."""

import pytest
from tales import FAIL, INFO, Tale, invalid, valid

from killpoint.properties import (
    Bank,
    Compose,
    NoCrash,
    SetFull,
    SpecificationError,
    Stats,
    Status,
    TotalQueue,
    UnhandledErrors,
    UniqueIds,
    check,
)
from killpoint.properties.workloads.stats import error_class

BROKEN = Tale().did("c1", "read", None, ((0, 1),)).did("c1", "read", None, ((0, 2),)).did("c2", "generate", None, 1)


def test_the_worst_status_is_the_status_of_all() -> None:
    verdict = Compose(UniqueIds(), Stats()).judge(BROKEN.operations)
    assert (verdict.status, verdict.evidence) == (Status.VALID, None)
    assert verdict.reason.startswith("UniqueIds is valid: 1 id, all different; Stats is valid: 3 operations: read: 2 ok")
    assert Compose(UniqueIds(), SetFull()).judge(Tale().did("c1", "add", 1).operations).status is Status.UNKNOWN
    verdict = Compose(SetFull(), UniqueIds(), Bank()).judge(BROKEN.operations)
    assert verdict.status is Status.INVALID
    assert Compose().judge(BROKEN.operations).status is Status.VALID


def test_each_has_its_own_verdict() -> None:
    prop = Compose(UniqueIds(), Bank(total=5), Stats())
    verdict = prop.judge(BROKEN.operations)
    assert verdict.name == prop.name == "Compose(UniqueIds, Bank, Stats)"
    assert verdict.reason.startswith("Bank: wrong-total: c1's read")
    assert verdict.evidence is not None
    assert verdict.evidence.kind == "Bank: wrong-total"
    assert [line.split(":")[0] for line in verdict.evidence.lines if line[0] != " "] == [
        "UniqueIds is valid",
        "Bank is invalid",
        "Stats is valid",
    ]
    assert verdict.evidence.operations == (0,)


def test_a_composition_says_so_while_it_runs() -> None:
    tale = Tale()
    for number in range(40):
        tale.did("c3", "generate", None, number).did("c1", "read", None, ((0, number),))
    monitor = Compose(Bank(), UniqueIds(), TotalQueue()).start()
    found = next(verdict for event in tale.events if (verdict := monitor.feed(event)) is not None)
    assert found.evidence is not None
    assert "TotalQueue is unknown: the run was stopped at the first violation of another property" in found.evidence.lines
    assert check(Compose(NoCrash(), UniqueIds()), Tale().did("c1", "generate", None, 1).events).status is Status.VALID


def test_a_composition_is_of_properties_that_can_judge() -> None:
    with pytest.raises(SpecificationError, match="and this is none: Bank, a class"):
        Compose(Bank)  # type: ignore[arg-type]
    with pytest.raises(SpecificationError, match="NoCrash looks at the events of a run"):
        Compose(NoCrash()).judge(BROKEN.operations)


def test_a_function_that_never_succeeds_was_not_tested() -> None:
    tale = Tale().did("c1", "read").did("c1", "read", None, None, FAIL).did("c1", "crash", None, None, INFO)
    assert valid(Stats(), tale).reason == "3 operations: read: 1 ok, 1 fail, 0 info; crash: 0 ok, 0 fail, 1 info"
    invalid(Stats(), tale.did("c2", "write", 1, None, FAIL), "never-ok", "no write ever ended ok (0 ok, 1 fail, 0 info), so it was not")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("java.net.SocketTimeoutException: Read timed out", "java.net.SocketTimeoutException"),
        ("timed-out", "timed-out"),
        ("('timeout', 'after 5 s')", "timeout"),
        ('[:net-timeout "x"]', "net-timeout"),
        ("{:type :timed-out}", "type"),
        ("no answer after 3.25 s from n1", "no answer after N s from nN"),
        ("", "no reason given"),
        (None, "no reason given"),
    ],
)
def test_the_class_of_an_error(text: str | None, kind: str) -> None:
    assert error_class(text) == kind


def test_errors_are_grouped_and_counted() -> None:
    tale = Tale().did("c1", "read", 1, None, INFO, "Timeout: 3 s").did("c2", "write", 2, None, INFO, "Fenced")
    tale.did("c1", "read", 4, None, INFO, "Timeout: 5 s").begin("c9", "read").did("c3", "read", None, None, FAIL, "Refused")
    told = "operations of unknown outcome ended with Timeout 2 times, as c1 read(1) -> unknown (Timeout: 3 s); Fenced 1 time, as c2"
    assert valid(UnhandledErrors(), tale).reason.startswith(told)
    valid(UnhandledErrors(allowed=frozenset({"Timeout", "Fenced"})), tale)
    invalid(UnhandledErrors(allowed=frozenset({"Timeout"})), tale, "error:Fenced", "c2 write(2) -> unknown (Fenced)")
    assert valid(UnhandledErrors(), Tale().did("c1", "read")).reason == "no operation ended with an error of unknown consequence"
