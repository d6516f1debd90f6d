"""Leases: two holders at once, tokens that do not rise, old tokens that are not refused; and what clocks and unknown outcomes excuse."""

import pytest
from tales import FAIL, INFO, Tale, invalid, unknown, valid

from killpoint.properties import Lease, SpecificationError, Value

SHORT = Lease(duration=1.0)


def granted(process: str, begun: float, ended: float, result: Value = None, argument: Value = None, tale: Tale | None = None) -> Tale:
    return (tale or Tale()).begin(process, "acquire", argument, at=begun).end(process, result, at=ended)


def test_one_holder_after_the_other() -> None:
    tale = granted("c2", 1.2, 1.4, tale=granted("c1", 0.1, 0.3))
    assert valid(SHORT, tale).reason == "2 grants, no two at once"
    handed = granted("c1", 0.1, 0.3).begin("c1", "release", at=0.5)
    valid(SHORT, granted("c2", 0.4, 0.6, tale=handed))
    nothing = Tale().did("c1", "acquire", None, 1, FAIL)
    assert valid(SHORT, nothing).reason == "0 grants, no two at once"


def test_two_holders_at_once() -> None:
    tale = granted("c2", 0.5, 0.7, tale=granted("c1", 0.1, 0.3))
    told = "gave the lease to c2, while c1 has it from c1's acquire (operation 0, ok at 0.3 s) until 1.1 s"
    evidence = invalid(SHORT, tale, "overlapping-leases", told)
    assert evidence.operations == (0, 1)
    # A careful holder starts its watch when it asks, not when it is told.
    valid(SHORT, granted("c2", 0.5, 1.15, tale=granted("c1", 0.1, 0.3)))
    expires = granted("c2", 0.5, 0.7, (("expires", 2.0), ("token", 2)), tale=granted("c1", 0.1, 0.3, (1, 0.9)))
    invalid(Lease(), expires, "overlapping-leases", "until 0.9 s")
    invalid(Lease(), granted("c2", 0.5, 0.7, None, (("ttl", 9),), granted("c1", 0.1, 0.3, None, (("ttl", 1),))), "overlapping-leases")


def test_clocks_may_differ_by_the_bound() -> None:
    tale = granted("c2", 0.5, 0.9, tale=granted("c1", 0.1, 0.3))
    invalid(Lease(duration=1.0, bound=0.1), tale, "overlapping-leases")
    valid(Lease(duration=1.0, bound=0.3), tale)


def test_leases_of_their_own_and_of_the_same_holder() -> None:
    apart = granted("c2", 0.5, 0.7, None, (("lease", "b"),), granted("c1", 0.1, 0.3, None, (("lease", "a"),)))
    valid(SHORT, apart)
    valid(SHORT, granted("c2", 0.5, 0.7, None, "ann", granted("c1", 0.1, 0.3, None, "ann")))
    renewed = granted("c1", 0.1, 0.3).begin("c1", "renew", at=0.9).end("c1", at=1.0)
    invalid(SHORT, granted("c2", 1.2, 1.4, tale=renewed), "overlapping-leases", "from c1's renew")


def test_unknown_outcomes_of_leases() -> None:
    maybe = Tale().begin("c1", "acquire", at=0.1).end("c1", None, INFO, at=0.3)
    valid(SHORT, granted("c2", 0.5, 0.7, tale=maybe))
    given_back = granted("c1", 0.1, 0.3).begin("c1", "release", at=0.4).end("c1", None, INFO, at=0.5)
    valid(SHORT, granted("c2", 0.6, 0.7, tale=given_back))
    later = Tale().begin("c1", "release", "ann", at=0.1).end("c1", None, INFO, at=0.2)
    valid(SHORT, granted("c2", 0.6, 0.7, None, "bob", granted("c3", 0.3, 0.4, None, "ann", later)))
    together = Tale().begin("c1", "acquire", "ann", at=0.1).begin("c2", "release", "ann", at=0.2).end("c1", at=0.3).end("c2", at=0.4)
    valid(SHORT, granted("c3", 0.5, 0.6, None, "bob", together))
    kept = granted("c1", 0.1, 0.3).begin("c1", "release", at=0.4).end("c1", None, FAIL, at=0.5)
    invalid(SHORT, granted("c2", 0.6, 0.7, tale=kept), "overlapping-leases")


def test_what_leases_do_not_say_is_not_guessed() -> None:
    unknown(Lease(), granted("c1", 0.1, 0.3), "none of 1 grant says how long (duration says that of all), and none has a token")
    unknown(Lease(), granted("c1", 0.1, 0.3, 5), "tokens rise and old ones are refused, but none of 1 grant says how long")
    unknown(SHORT, granted("c2", 0.0, 0.0, tale=granted("c1", 0.0, 0.0)), "as the history has no times")
    with pytest.raises(SpecificationError, match="tokens and times are numbers"):
        SHORT.judge(granted("c1", 0.1, 0.3, (("token", (1, 2)),)).operations)
    for duration, bound in ((0.0, 0.0), (1.0, -1.0), (float("nan"), 0.0), (None, float("nan"))):
        with pytest.raises(SpecificationError, match="a duration is more than 0 seconds"):
            Lease(duration, bound)


def test_tokens_rise_from_grant_to_grant() -> None:
    valid(SHORT, granted("c2", 2, 2.1, 6, None, granted("c1", 0.1, 0.3, 5)))
    tale = granted("c2", 2, 2.1, 4, None, granted("c1", 0.1, 0.3, 5))
    invalid(SHORT, tale, "token-not-rising", "got token 4, and c1's acquire (operation 0, ok at 0.3 s) had got 5 before")
    invalid(SHORT, granted("c2", 2, 2.1, 5, None, granted("c1", 0.1, 0.3, 5)), "token-reused", "token 5 was given to c1 by c1's acquire")
    valid(SHORT, granted("c1", 0.1, 0.3, 5).begin("c1", "renew", at=0.5).end("c1", 5, at=0.6))
    overlapping = Tale().begin("c1", "acquire", at=0.1).begin("c2", "acquire", at=0.2).end("c2", (7, 0.25), at=0.3)
    valid(Lease(), overlapping.end("c1", (6, 0.9), at=0.4))


def test_an_old_token_that_is_not_refused() -> None:
    tale = Tale().did("c2", "write", (6, "new")).did("c1", "write", (5, "old"))
    invalid(SHORT, tale, "stale-token", "was accepted with token 5, after c2's write (operation 0, ok at 0.2 s) with 6")
    valid(SHORT, Tale().did("c2", "write", (6, "new")).did("c1", "write", (5, "old"), None, FAIL).did("c2", "write", (("token", 6),)))
    valid(SHORT, Tale().begin("c1", "write", 5).did("c2", "write", 6).end("c1"))
    valid(SHORT, Tale().did("c2", "write", 6, None, INFO).did("c1", "write", 5))


def test_a_strict_resource_knows_what_was_given_out() -> None:
    tale = granted("c2", 2, 2.1, 6, None, granted("c1", 0.1, 0.3, 5)).did("c1", "write", (5, "old"))
    valid(SHORT, tale)
    invalid(Lease(duration=1.0, strict=True), tale, "stale-token", "after c2's acquire (operation 1, ok at 2.1 s) with 6")
