"""Money that is moved between accounts, and none made or lost on the way (Jepsen's `bank`).

Transfers keep the total, so it does not matter which of them happened: every read of all accounts must show the same sum.  That
holds of snapshot isolation and above; a read that shows one half of a transfer gives itself away.  Unknown outcomes need no care at
all, which is what makes the test a good one.

Prior art: Jepsen's `tests/bank.clj`, whose kinds of error are kept.  New is that a total nobody named is taken from the first read,
and that a wrong sum is compared with the transfers under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import TOLD, Findings, counted, ended, listed
from .shapes import field, malformed, mapping, whole
from .workload import Workload

__all__ = ["Bank"]

KINDS = ("unexpected-account", "nil-balance", "wrong-total", "negative-balance")


@dataclass(frozen=True)
class Bank(Workload):
    """Every read of all accounts shows the same total: `transfer((from, to, amount))`, `read() -> ((account, balance), ...)`.

    The argument of a transfer may be a map with `from`, `to` and `amount`; it is only looked at to explain a wrong total.  Balances
    are whole numbers, by account, or in the order of the accounts.

    Formula: the balances of every read sum up to `total`, by default what the first read shows; none is negative unless `negative`
    says so; no account has no balance, or is not one of `accounts`, if they are given.  Cost: linear.

    The evidence's kind is `unexpected-account`, `nil-balance`, `wrong-total` or `negative-balance`.
    """

    total: int | None = None
    negative: bool = False
    accounts: frozenset[Value] | None = None

    functions: ClassVar[frozenset[str]] = frozenset({"transfer", "read"})
    lasting: ClassVar[frozenset[str]] = frozenset(KINDS)

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("the accounts were never read")
        reads.sort(key=lambda one: one.completed or 0)
        transfers = [(self._amount(one), one) for one in operations if one.function == "transfer" and one.outcome is not Outcome.FAIL]
        total, assumed = self.total, ""
        findings = Findings(self.name, *KINDS)
        for read in reads:
            balances = self._balances(read)
            unexpected = [account for account in balances if self.accounts is not None and account not in self.accounts]
            nil = [account for account, balance in balances.items() if balance is None]
            amounts = [balance for balance in balances.values() if balance is not None]
            seen = sum(amounts)
            if total is None and not nil and not unexpected:
                total, assumed = seen, f" (as the first read, {ended(read)}, shows)"
            if unexpected:
                self._note(findings, "unexpected-account", read, f"shows an account that there is not: {_some(unexpected)}")
            elif nil:
                self._note(findings, "nil-balance", read, f"shows no balance of {_some(nil)}")
            elif total is not None and seen != total:
                self._note_total(findings, read, total, assumed, transfers)
            elif not self.negative and amounts and min(amounts) < 0:
                below = [f"{render(account)}: {balance}" for account, balance in balances.items() if balance is not None and balance < 0]
                self._note(findings, "negative-balance", read, f"shows a balance below nothing: {listed(below[:TOLD])}")
        return findings.verdict() if findings else self._valid(f"{counted(len(reads), 'read')}, each with a total of {total}{assumed}")

    def _balances(self, read: Operation) -> dict[Value, int | None]:
        result = read.result
        accounts = mapping(result)
        if accounts is None and isinstance(result, tuple):
            accounts = dict(enumerate(result))
        if accounts is None:
            raise malformed(self.name, read, f"a read returns balances by account, not {render(result)}")
        balances: dict[Value, int | None] = {}
        for account, balance in accounts.items():
            balances[account] = amount = whole(balance)
            if amount is None and balance is not None:
                raise malformed(self.name, read, f"a balance is a whole number, not {render(balance)}")
        return balances

    def _amount(self, transfer: Operation) -> int:
        argument = transfer.argument
        amount = whole(field(argument, "amount"))
        if amount is None and isinstance(argument, tuple) and len(argument) == 3:
            amount = whole(argument[2])
        if amount is None:
            raise malformed(self.name, transfer, "the argument of a transfer is from, to and a whole amount")
        return amount

    @staticmethod
    def _note(findings: Findings, kind: str, read: Operation, what: str) -> None:
        findings.note(kind, lambda: f"{ended(read)} {what}", read)

    def _note_total(
        self, findings: Findings, read: Operation, total: int, assumed: str, transfers: Sequence[tuple[int, Operation]]
    ) -> None:
        if findings.counts["wrong-total"] >= TOLD:
            findings.note("wrong-total", lambda: "", read)
            return
        seen = sum(balance for balance in self._balances(read).values() if balance is not None)
        half = [one for amount, one in transfers if abs(amount) == abs(seen - total) and _overlap(one, read)][:1]
        hint = f"; {ended(half[0])} moved just the difference meanwhile" if half else ""
        findings.note(
            "wrong-total", lambda: f"{ended(read)} shows a total of {seen}, and it must be {total}{assumed}{hint}", *half, read
        )


def _overlap(transfer: Operation, read: Operation) -> bool:
    """True if the transfer may have been half done when the read took place."""
    before = transfer.invoked < (read.completed or 0)
    return before and (transfer.completed is None or transfer.completed > read.invoked)


def _some(accounts: Sequence[Value]) -> str:
    return listed([render(account) for account in accounts[:TOLD]])
