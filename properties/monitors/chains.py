"""Registers with compare-and-sets whose new values are all different: linearizable or not in O(n log n).

A compare-and-set that succeeded from u to v takes effect while the register holds u and leaves v there.  If every value is written at
most once, by a write or by a compare-and-set, then u is held during one stretch of time only, and v from the end of that stretch on.  So
values form **chains**, which begin with a write or with the initial value: write(a), reads of a, cas(a, b), reads of b, cas(b, c), ...
The register holds the values of a chain one directly after another, and nothing else meanwhile.

**When it is linearizable.**  Call write, reads, cas, reads, ... the segments of a chain.  It is, if and only if

1. every value that was read or expected is the initial one or was written, no value was replaced by two successful compare-and-sets,
   and every chain has a beginning (there is no cycle);
2. within a chain no operation returned before one of an earlier segment was called;
3. the chains, taken as whole, pass the test of `zones`: with f the first return in a chain and s the last call, no two forward
   zones [f, s] overlap, and none contains a backward zone [s, f].

*Necessary.*  1 and 2 are what was just said.  Chains do not interleave, so of two chains one comes before the other entirely; A can come
before B only if no operation of B returned before one of A was called, that is, unless f(B) < s(A).  Two zones as in 3 have
f(A) < s(B) and f(B) < s(A), which leaves no order.

*Sufficient.*  Write A -> B where f(A) < s(B): A must come first.  Two chains with A -> B and B -> A are excluded by 3: if both are
forward they overlap, if one is it contains the other, and if both are backward then f(A) < s(B) <= f(B) < s(A) <= f(A).  Nor is there a
longer cycle.  If A -> B and C -> D then A -> D or C -> B (else s(D) <= f(A) < s(B) <= f(C) < s(D)).  Take a shortest cycle
A -> B -> C -> ... -> A.  If it has four chains or more, A -> B and C -> D give A -> D, which makes a shorter cycle, or C -> B, which
makes one of two with B -> C.  If it has three, A -> B and C -> A give C -> B, so one of two, or A -> A; likewise B -> B and C -> C.  Then
A -> B and C -> C give A -> C, so one of two with C -> A, or C -> B, with B -> C.

So the chains have an order that respects ->.  In it, with segments in their order and the reads of one segment in the order of their
calls, no operation returned before one that precedes it was called: within a segment by that order, within a chain by 2, between
chains because A precedes B only if not B -> A.  An order of the completed and observed operations in which each respects real time with
each is a linearization, and by construction it explains every result.

**What nobody knows.**  A pending read says nothing.  A pending write or compare-and-set whose value nobody observed (read, or replaced)
can be left out of any linearization, since between it and the next change nothing succeeds that depends on it.  One whose value was
observed happened, as nobody else wrote that value, and returns never; then a compare-and-set also observed the value it replaced.  So
these are exact.  Compare-and-sets that **failed** and count as evidence are looked at by nobody here: a violation without them is one with
them, but where there is none the search has to decide.

A violation is put into the words of a few operations: the part of the chain between those that exclude each other, with what leads to
it, or, where that is long, checked against a register that holds what precedes that part.  Of two chains that exclude each other the
whole beginnings are needed, up to the operations that do.  Cost: O(n log n), for sorting chains; one pass and a few dictionaries
otherwise.

This algorithm is ours, an extension of Gibbons & Korach 1997; guarded by differential tests against the search and against all orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..conflict import NEVER, NONE, Conflict, returned
from ..history import Operation, Outcome, Value, render
from ..registers import CasRegister
from ..zones import NEVER_WRITTEN, Zone, in_its_time, overlap

__all__ = ["conflict"]

SHORT = 32
"""How many operations may lead to those that exclude each other and are told with them; more are told by what they left."""


def conflict(specification: CasRegister, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values are written twice or failures count."""
    makers: dict[Value, Operation] = {}
    swaps: list[Operation] = []
    pending: list[Value] = []
    first: dict[Value, int] = {}
    last: dict[Value, int] = {}
    failures = False
    for operation in operations:
        function = operation.function
        end = operation.completed
        if function == "read":
            if end is None:
                continue
            value = operation.result
            called = operation.invoked
            if value not in first:
                first[value] = end
                last[value] = called
                continue
            if end < first[value]:
                first[value] = end
            if called > last[value]:
                last[value] = called
            continue
        value = operation.argument
        if function == "cas":
            if not isinstance(value, tuple) or len(value) != 2:
                return None
            if end is not None and operation.outcome is Outcome.FAIL:
                failures = True
                continue
            value = value[1]
            if end is not None:
                swaps.append(operation)
        elif function != "write":
            return None
        if value in makers:
            return None
        makers[value] = operation
        if end is None:
            pending.append(value)
    if specification.initial_value in makers:
        return None
    swaps += _settle(makers, pending, first, swaps)
    chains = _Chains(specification, operations, makers, first, last)
    found = chains.link(swaps) or chains.walk() or chains.clash()
    return found or (None if failures else NONE)


def _settle(
    makers: dict[Value, Operation], pending: Sequence[Value], first: dict[Value, int], swaps: Sequence[Operation]
) -> list[Operation]:
    """Take out the pending ones whose value nobody observed; the compare-and-sets among the others."""
    if not pending:
        return []
    happened = []
    waiting = {value: makers.pop(value) for value in pending}
    seen = [value for value in pending if value in first]
    seen += [value for value in (_pair(swap)[0] for swap in swaps) if value in waiting]
    while seen:
        value = seen.pop()
        maker = waiting.pop(value, None)
        if maker is None:
            continue
        makers[value] = maker
        if maker.function == "cas":
            happened.append(maker)
            seen.append(_pair(maker)[0])
    return happened


def _pair(swap: Operation) -> tuple[Value, Value]:
    assert isinstance(swap.argument, tuple)
    return swap.argument[0], swap.argument[1]


class _Chains:
    """Values, what made them, and what replaced them."""

    def __init__(
        self,
        specification: CasRegister,
        operations: Sequence[Operation],
        makers: dict[Value, Operation],
        first: dict[Value, int],
        last: dict[Value, int],
    ) -> None:
        self.specification = specification
        self.operations = operations
        self.makers = makers
        self.first = first
        self.last = last
        self.after: dict[Value, Operation] = {}
        self.zones: list[Zone] = []

    def link(self, swaps: Sequence[Operation]) -> Conflict | None:
        """Find what replaced each value; a conflict if two did, or if a value that was read or expected was never there."""
        after, makers, initial = self.after, self.makers, self.specification.initial_value
        for swap in swaps:
            argument = swap.argument
            assert isinstance(argument, tuple)
            source = argument[0]
            if source in after:
                circle = self._circle(source)
                if circle:
                    return self._around(circle)
                both = [after[source], swap]
                why = f"two compare-and-sets replaced {render(source)}, which was written only once"
                return self._conflict([*both, *(one for each in both for one in self._witnesses(_pair(each)[1]))], why, source)
            after[source] = swap
        for value in self.first:
            if value not in makers and value != initial:
                writes = {made: maker for made, maker in makers.items() if maker.function == "write"}
                return in_its_time(Conflict((self._reads(value)[0],), f"{NEVER_WRITTEN} {render(value)}"), writes)
        for source, swap in after.items():
            if source not in makers and source != initial:
                return self._conflict([swap, *self._witnesses(_pair(swap)[1])], f"{NEVER_WRITTEN} {render(source)}", initial)
        return None

    def walk(self) -> Conflict | None:
        """Walk along every chain; a conflict if its operations are in the wrong order, or if there is one without a beginning."""
        makers, first, last, after, zones = self.makers, self.first, self.last, self.after, self.zones
        heads = [value for value, maker in makers.items() if maker.function == "write"]
        initial = self.specification.initial_value
        reached = len(heads)
        for head in [initial, *heads]:
            maker = makers.get(head)
            if maker is None:
                if head not in first and head not in after:
                    continue
                earliest = latest = -1
            else:
                latest = maker.invoked
                end = maker.completed
                earliest = NEVER if end is None else end
            value = head
            while True:
                if value in first:
                    if first[value] < latest:
                        return self._disorder(head, value, reading=True)
                    if first[value] < earliest:
                        earliest = first[value]
                    if last[value] > latest:
                        latest = last[value]
                swap = after.get(value)
                if swap is None:
                    break
                reached += 1
                value = swap.argument[1]  # type: ignore[index]  # link has looked at it
                end = swap.completed
                if end is not None:
                    if end < latest:
                        return self._disorder(head, value, reading=False)
                    if end < earliest:
                        earliest = end
                if swap.invoked > latest:
                    latest = swap.invoked
            zones.append((earliest, latest, head))
        return None if reached == len(makers) else self._cycle(heads)

    def clash(self) -> Conflict | None:
        """A conflict if two chains exclude each other."""
        found = overlap(self.zones)
        if found is None:
            return None
        left, right, why = found
        initial = self.specification.initial_value
        return self._conflict([*self._beginning(left), *self._beginning(right)], why, initial)

    # Few operations that say why

    def _conflict(self, operations: Sequence[Operation], why: str, initial: Value) -> Conflict:
        """These operations, when the register holds `initial`, with what leads there if that is short."""
        before: list[Operation] = []
        value = initial
        while value != self.specification.initial_value and value in self.makers and len(before) <= SHORT:
            before.append(self.makers[value])
            value = self.specification.initial_value if before[-1].function == "write" else _pair(before[-1])[0]
        other = None
        if value != self.specification.initial_value:
            other, before = replace(self.specification, initial_value=initial), []
        unique = {operation.id: operation for operation in (*reversed(before), *operations)}
        return Conflict(tuple(unique.values()), why, other)

    def _reads(self, value: Value) -> list[Operation]:
        return [one for one in self.operations if one.function == "read" and one.completed is not None and one.result == value]

    def _witnesses(self, value: Value) -> list[Operation]:
        """What shows that the maker of a value took effect, if it is pending: a read, or the compare-and-sets that follow."""
        if value not in self.makers or self.makers[value].completed is not None:
            return []
        followers: dict[Value, list[Operation]] = {}
        for maker in self.makers.values():
            if maker.function == "cas":
                followers.setdefault(_pair(maker)[0], []).append(maker)
        paths: list[tuple[Value, list[Operation]]] = [(value, [])]
        seen = {value}
        while paths:
            reached, path = paths.pop()
            if reached in self.first:
                return [*path, self._reads(reached)[0]]
            for swap in followers.get(reached, ()):
                if swap.completed is not None:
                    return [*path, swap]
                after = _pair(swap)[1]
                if after not in seen:
                    seen.add(after)
                    paths.append((after, [*path, swap]))
        raise AssertionError(f"nothing shows that {render(value)} was there, so its maker should not count")

    def _chain(self, head: Value, until: Value) -> list[Value]:
        values = [head]
        while values[-1] != until:
            values.append(_pair(self.after[values[-1]])[1])
        return values

    def _disorder(self, head: Value, value: Value, *, reading: bool) -> Conflict:
        """An operation of `value`, its compare-and-set or the first of its reads to return, did so before an earlier one was called."""
        early = min(self._reads(value), key=returned) if reading else self.makers[value]
        values = self._chain(head, value)
        values_before = values if reading else values[:-1]
        for place in range(len(values_before) - 1, -1, -1):
            each = values[place]
            late = self.makers.get(each)
            if late is not None and late.invoked > returned(early):
                break
            if each != value and self.last.get(each, -1) > returned(early):
                late = max(self._reads(each), key=lambda one: one.invoked)
                break
        assert late is not None
        between = [self.makers[each] for each in values[place:] if each in self.makers]
        initial = self.specification.initial_value
        if values[place] in self.makers and self.makers[values[place]].function == "cas":
            initial = _pair(self.makers[values[place]])[0]
        if len(between) == 1 and late is between[0]:
            why = f"{render(value)} was read before its {late.function} was invoked"
        else:
            why = f"{render(value)} came after {render(values[place])}, but was there before that was over"
        return self._conflict([*between, late, early], why, initial)

    def _cycle(self, heads: Sequence[Value]) -> Conflict:
        """Compare-and-sets that lead to each other, with no write to begin with."""
        reached = {*heads, self.specification.initial_value}
        for head in (self.specification.initial_value, *heads):
            value = head
            while value in self.after:
                value = _pair(self.after[value])[1]
                reached.add(value)
        return self._around(self._circle(next(value for value in self.makers if value not in reached)))

    def _circle(self, value: Value) -> list[Value]:
        """The values from which a value comes, as far as they come from each other; none if there is a beginning."""
        seen: dict[Value, None] = {}
        while value not in seen:
            maker = self.makers.get(value)
            if maker is None or maker.function == "write":
                return []
            seen[value] = None
            value = _pair(maker)[0]
        return [*seen][[*seen].index(value) :]

    def _around(self, circle: Sequence[Value]) -> Conflict:
        swaps = [self.makers[value] for value in reversed(circle)]
        witnesses = [] if any(swap.ok for swap in swaps) else self._witnesses(circle[0])
        why = "these compare-and-sets would have to come before each other"
        return self._conflict([*swaps, *witnesses], why, self.specification.initial_value)

    def _beginning(self, zone: Zone) -> list[Operation]:
        """Of a chain, what spans its zone, and everything that leads there."""
        earliest, latest, value = zone
        found: list[Operation] = []
        ends = [latest] if earliest < 0 else [earliest, latest]
        while True:
            maker = self.makers.get(value)
            if maker is not None:
                found.append(maker)
                ends = [end for end in ends if end not in (maker.invoked, maker.completed)]
            for end in [*ends]:
                if end in (self.first.get(value), self.last.get(value)):
                    found.append(next(one for one in self._reads(value) if end in (one.invoked, one.completed)))
                    ends.remove(end)
            if not ends:
                return [*found, *self._witnesses(value)]
            value = _pair(self.after[value])[1]
