"""Sets that only grow, as Jepsen tests them: `set`, with one read in the end, and `set-full`, with reads all along.

Both are `add(x)` and `read() -> (x, ...)`.  As specifications they are `GrowSet`, and whether that is linearizable is another
question: a set may be eventually consistent, and here it is asked for lost elements, not for order.

`SetFull` follows each element through time.  It is **known** once its add is acknowledged or a read that shows it has ended,
whichever is first.  A read that begins later and misses it is **stale**, if a read that began later still shows it; if none
does, the element is **lost**.  If no read shows it, and none began after it was known, it was **never read**, which is nobody's
fault.  An element with an unknown add may show or not, and becomes known once it shows.

A read that holds an element twice is a violation too.  Jepsen's check for that has been dead code since 2019, as it asks
whether a frequency is below one, which none is.

Cost: linear in what was read, besides sorting.  An element is looked up in the reads that hold it, and the latest read that misses
it is found by walking back over those, so no read is compared with the elements that it misses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, began, counted, ended
from .shapes import collection
from .workload import Workload

__all__ = ["SetFinal", "SetFull"]

NEVER = 1 << 62


class _Adds:
    """The adds of a history by element: when the first began that did not fail, the first acknowledged one, a failed one."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.began: dict[Value, int] = {}
        self.acknowledged: dict[Value, Operation] = {}
        self.failed: dict[Value, Operation] = {}
        for one in operations:
            if one.function != "add":
                continue
            if one.outcome is Outcome.FAIL:
                self.failed.setdefault(one.argument, one)
                continue
            self.began.setdefault(one.argument, one.invoked)
            if one.completed is not None:
                earlier = self.acknowledged.get(one.argument)
                if earlier is None or one.completed < (earlier.completed or 0):
                    self.acknowledged[one.argument] = one

    def judge(self, read: Operation, element: Value, findings: Findings) -> None:
        """Note an element that this read cannot have seen."""
        assert read.completed is not None
        if self.began.get(element, NEVER) < read.completed:
            return
        failed = self.failed.get(element)
        if failed is not None:
            findings.note(
                "aborted-read",
                lambda: f"element {render(element)} is in {ended(read)}, but {ended(failed)} did not add it",
                failed,
                read,
            )
        else:
            when = "only added later" if element in self.began else "never added"
            findings.note("unexpected", lambda: f"element {render(element)} is in {ended(read)} and was {when}", read)


def _note_repeated(read: Operation, elements: Sequence[Value], findings: Findings) -> None:
    """Note each element that a read holds more than once."""
    for element, times in Counter(elements).items():
        if times > 1:
            findings.note("duplicate", partial("element {} is {} times in {}".format, render(element), times, ended(read)), read)


@dataclass(frozen=True)
class SetFinal(Workload):
    """Elements are added, and a read in the end shows what is there: `add(x)`, `read() -> (x, ...)`; Jepsen's `set`.

    Formula: the read that ended last holds every element whose add was acknowledged before that read began, and none that was not
    added before it ended by an add that did not fail, and none twice.  Without a read the verdict is `unknown`.  Cost: linear.

    The evidence's kind is `lost`, `unexpected`, `aborted-read` or `duplicate`.
    """

    functions: ClassVar[frozenset[str]] = frozenset({"add", "read"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("the set was never read, so nothing can be said of what is in it")
        final = max(reads, key=lambda one: one.completed or 0)
        assert final.completed is not None
        shown = collection(self.name, final)
        there = set(shown)
        findings = Findings(self.name, "lost", "unexpected", "aborted-read", "duplicate")
        adds = _Adds(operations)
        late = 0
        for element, add in adds.acknowledged.items():
            if element in there:
                continue
            if (add.completed or 0) > final.invoked:
                late += 1
                continue
            findings.note("lost", partial(_missing, add, final), add, final)
        if len(there) < len(shown):
            _note_repeated(final, shown, findings)
        for element in dict.fromkeys(shown):
            adds.judge(final, element, findings)
        if findings:
            return findings.verdict()
        besides = f"; {counted(late, 'add')} ended only after the final read had begun" if late else ""
        return self._valid(f"the final read holds all {counted(len(adds.acknowledged) - late, 'acknowledged element')}{besides}")


def _missing(add: Operation, read: Operation) -> str:
    return f"element {render(add.argument)} was added by {ended(add)} and is missing from the final read, {began(read)}"


@dataclass(frozen=True)
class SetFull(Workload):
    """Elements are added and stay, as reads all along show: `add(x)`, `read() -> (x, ...)`; Jepsen's `set-full`.

    Formula: of the reads that show an element or that began after it was known, the one that began last shows it; with
    `linearizable`, all that began after it was known do.  No read shows an element twice, or one that nobody had begun to add by
    then, or whose add failed.  If no element was read after it was known, the verdict is `unknown`.  Cost: see the module.

    The evidence's kind is `lost`, `duplicate`, `unexpected`, `aborted-read`, or `stale` where that is not allowed.
    """

    linearizable: bool = False

    functions: ClassVar[frozenset[str]] = frozenset({"add", "read"})
    lasting: ClassVar[frozenset[str]] = frozenset({"duplicate", "unexpected", "aborted-read", "stale"})

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, "lost", "duplicate", "unexpected", "aborted-read", "stale")
        reads = [one for one in operations if one.function == "read" and one.ok]
        if not reads:
            return self._unknown("the set was never read, so nothing can be said of what is in it")
        adds = _Adds(operations)
        shown = self._shown(reads, adds, findings)
        begins = [one.invoked for one in reads]
        stable = stale = unread = 0
        for element in adds.began:
            seen = shown.get(element, ())
            known = min((reads[read].completed or NEVER for read in seen), default=NEVER)
            add = adds.acknowledged.get(element)
            if add is not None and add.completed is not None and add.completed < known:
                known = add.completed
            first = bisect_right(begins, known)
            missing = _latest_without(seen, len(reads))
            if missing < first:
                missing = -1  # what began before the element was known may miss it
            last = seen[-1] if seen else -1
            shown_by = (reads[last] if seen else None, len(seen))
            if missing > last:
                findings.note("lost", partial(_told, element, add, shown_by, reads[missing]), *_involved(add, shown_by, reads[missing]))
            elif last > missing:
                stable += 1
                if missing >= 0:
                    stale += 1
                    if self.linearizable:
                        told = partial(_told, element, add, shown_by, reads[missing])
                        findings.note("stale", told, *_involved(add, shown_by, reads[missing]))
            else:
                unread += 1
        if findings:
            return findings.verdict()
        never = f"{counted(unread, 'element')} never read after being known" if unread else ""
        if not stable:
            return self._unknown(f"no element was read after it was known to be there{f': {never}' if never else ''}")
        notes = [f"{counted(stale, 'element')} missing from a read for a while, which is allowed"] if stale else []
        notes += [never] if never else []
        return self._valid(f"{counted(stable, 'element')} stayed once known{''.join(f'; {note}' for note in notes)}")

    def _shown(self, reads: Sequence[Operation], adds: _Adds, findings: Findings) -> Mapping[Value, list[int]]:
        """The reads, by number in the order of their beginnings, that show each element; notes what none can have shown."""
        shown: dict[Value, list[int]] = {}
        began_at = adds.began
        for number, read in enumerate(reads):
            elements = collection(self.name, read)
            distinct = dict.fromkeys(elements)
            if len(distinct) < len(elements):
                _note_repeated(read, elements, findings)
            assert read.completed is not None
            for element in distinct:
                if began_at.get(element, NEVER) < read.completed:
                    shown.setdefault(element, []).append(number)
                else:
                    adds.judge(read, element, findings)
        return shown


def _told(element: Value, add: Operation | None, shown_by: tuple[Operation | None, int], missing: Operation) -> str:
    """A sentence on an element that a read misses; `shown_by` is the last read that shows it, and how many do."""
    last, times = shown_by
    known = f"was added by {ended(add)}" if add is not None else "has an add of unknown outcome"
    seen = "seen by no read" if last is None else f"seen by {counted(times, 'read')}, last {began(last)}"
    return f"element {render(element)} {known}, {seen}, and missing from {began(missing)}"


def _involved(add: Operation | None, shown_by: tuple[Operation | None, int], missing: Operation) -> list[Operation]:
    return [one for one in (add, shown_by[0], missing) if one is not None]


def _latest_without(seen: Sequence[int], reads: int) -> int:
    """The latest of so many reads that is not among those seen, -1 if all are.  Costs what there is to walk over, once."""
    latest = reads - 1
    for number in reversed(seen):
        if number != latest:
            break
        latest -= 1
    return latest
