"""What the checkers of workloads must say, from their definitions: every pair compared, every possibility tried.  Slow and obvious."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations, product

from histories import brute_force, operation

from killpoint.properties import Operation, Outcome, Status, Value
from killpoint.properties.sets import GrowSet

FOREVER = 1 << 40
Operations = Sequence[Operation]


def by(operations: Operations, *functions: str) -> list[Operation]:
    return [one for one in operations if one.function in functions]


def happened(operations: Operations) -> list[Operation]:
    return [one for one in operations if one.outcome is not Outcome.FAIL]


def before(one: Operation, other: Operation) -> bool:
    """One had ended when the other began."""
    return one.completed is not None and one.completed < other.invoked


# -- queues: every matching of what came out with what was put in --------------------------------------


def total_queue(operations: Operations, *, exactly_once: bool) -> Status:
    puts = [one for one in operations if one.function == "enqueue" and one.outcome is not Outcome.FAIL]
    out: list[tuple[Value, int]] = []
    for one in by(operations, "dequeue", "drain"):
        if one.ok:
            elements = one.result if one.function == "drain" else (one.result,) if one.result is not None else ()
            assert isinstance(elements, tuple)
            out += [(element, one.completed or 0) for element in elements]
    takers = sum(one.pending for one in by(operations, "dequeue"))
    if any(one.pending for one in by(operations, "drain")):
        takers += len(puts)
    possible = sorted({repr(one.argument): one.argument for one in puts if one.ok}.items())
    if matched(puts, out, exactly_once):
        return Status.VALID
    for taken in product([None, *(value for _text, value in possible)], repeat=min(takers, len(puts))):
        if matched(puts, [*out, *((value, FOREVER) for value in taken if value is not None)], exactly_once):
            return Status.UNKNOWN
    return Status.INVALID


def matched(puts: Operations, out: Sequence[tuple[Value, int]], exactly_once: bool) -> bool:
    """True if what came out can be explained, with each acknowledged element among it."""

    def fits(put: Operation, element: tuple[Value, int]) -> bool:
        return put.argument == element[0] and put.invoked < element[1]

    if not all(any(fits(put, element) for put in puts) for element in out):
        return False
    acknowledged = [put for put in puts if put.ok]

    def each_has_its_own(firsts: list[object], seconds: list[object], fit: object) -> bool:
        if not firsts:
            return True
        return any(
            fit(firsts[0], second) and each_has_its_own(firsts[1:], seconds[:at] + seconds[at + 1 :], fit)  # type: ignore[operator]
            for at, second in enumerate(seconds)
        )

    if not exactly_once:
        return each_has_its_own([*acknowledged], [*out], fits)
    # Which of the unknown enqueues happened; then everything that happened came out, or may have stayed if unknown.
    unknown = [put for put in puts if not put.ok]
    for number in range(len(unknown) + 1):
        for some in combinations(unknown, number):
            if len(some) + len(acknowledged) == len(out) and each_has_its_own([*acknowledged, *some], [*out], fits):
                return True
    return False


# -- sets: element by element, by every order of adds and reads -----------------------------------------


def projected(operations: Operations, element: Value) -> list[Operation]:
    """The operations as far as one element is concerned."""
    chosen = []
    for one in happened(operations):
        if one.function == "add" and one.argument == element:
            chosen.append(one)
        elif one.function == "read" and one.ok:
            assert isinstance(one.result, tuple)
            shown = (element,) if element in one.result else ()
            chosen.append(operation(one.id, "read", None, shown, (one.invoked, one.completed)))
    return chosen


def elements_of(operations: Operations) -> list[Value]:
    found = [one.argument for one in by(operations, "add")]
    for one in by(operations, "read"):
        found += one.result if one.ok and isinstance(one.result, tuple) else ()
    return [*dict.fromkeys(found)]


def repeats(reads: Operations) -> bool:
    return any(isinstance(one.result, tuple) and len(one.result) != len(set(one.result)) for one in reads)


def set_is_linearizable(operations: Operations) -> bool:
    """Each element on its own, and no read has one twice."""
    if repeats([one for one in by(operations, "read") if one.ok]):
        return False
    return all(brute_force(GrowSet(), projected(operations, element)) for element in elements_of(operations))


def only_final_read(operations: Operations) -> list[Operation]:
    reads = [one for one in by(operations, "read") if one.ok]
    final = max((one.completed or 0 for one in reads), default=None)
    return [one for one in operations if one.function == "add" or (one.ok and one.completed == final)]


def set_loses(operations: Operations) -> bool:
    """Of the reads that show an element, or that began after it was known, the last to begin misses it."""
    reads = [one for one in by(operations, "read") if one.ok]
    for element in elements_of(operations):
        adds = [one for one in happened(by(operations, "add")) if one.argument == element]
        shown = [one for one in reads if isinstance(one.result, tuple) and element in one.result]
        if not adds:
            continue
        shown = [one for one in shown if any(add.invoked < (one.completed or 0) for add in adds)]
        known = min([one.completed for one in [*adds, *shown] if one.completed is not None], default=FOREVER)
        asked = [one for one in reads if one in shown or one.invoked > known]
        if asked and max(asked, key=lambda one: one.invoked) not in shown:
            return True
    return False


def set_shows_too_much(operations: Operations) -> bool:
    adds = happened(by(operations, "add"))
    for one in by(operations, "read"):
        if one.ok and isinstance(one.result, tuple):
            for element in one.result:
                if not any(add.argument == element and add.invoked < (one.completed or 0) for add in adds):
                    return True
    return False


# -- a counter: every choice of the additions that may count ----------------------------------------------


def counter_is_bounded(operations: Operations) -> bool:
    adds = happened(by(operations, "add"))
    for read in by(operations, "read"):
        if read.ok:
            sure = [int(str(one.argument)) for one in adds if before(one, read)]
            maybe = [int(str(one.argument)) for one in adds if not before(one, read) and one.invoked < (read.completed or 0)]
            sums = [sum(sure) + sum(some) for number in range(len(maybe) + 1) for some in combinations(maybe, number)]
            if not min(sums) <= int(str(read.result)) <= max(sums):
                return False
    return True


# -- long forks: all pairs of reads and of keys ------------------------------------------------------------


def forks(operations: Operations) -> bool:
    reads = [{part[1]: part[2] for part in one.result} for one in operations if one.ok and isinstance(one.result, tuple)]
    return any(
        one[x] is not None and one[y] is None and other[x] is None and other[y] is not None
        for one, other in permutations(reads, 2)
        for x, y in permutations([key for key in one if key in other], 2)
    )


# -- rows in the order of timestamps: all pairs -------------------------------------------------------------


def goes_backwards(operations: Operations) -> bool:
    for one in by(operations, "read"):
        if one.ok and isinstance(one.result, tuple):
            for (value, stamp), (other, later) in permutations(one.result, 2):
                if stamp < later and value > other:
                    return True
    return False


# -- causal reverse: all pairs of writes --------------------------------------------------------------------


def reverses(operations: Operations) -> bool:
    writes = happened(by(operations, "write"))
    for read in by(operations, "read"):
        if not read.ok or not isinstance(read.result, tuple):
            continue
        for seen in read.result:
            of_it = [one for one in writes if one.argument == seen]
            if not of_it or not any(one.invoked < (read.completed or 0) for one in of_it):
                return True
            for other in writes:
                if other.argument not in read.result and all(before(other, one) for one in of_it):
                    return True
    return False


# -- leases: all pairs of grants ----------------------------------------------------------------------------


def leases_overlap(operations: Operations, duration: float) -> bool:
    grants = [one for one in by(operations, "acquire") if one.ok]
    releases = [one for one in by(operations, "release") if one.outcome is not Outcome.FAIL]

    def has_it(one: Operation, event: int, time: float) -> bool:
        """The holder surely has the lease at this event."""
        if one.completed is None or one.completed > event or one.invoked_at + duration <= time:
            return False
        mine = [back for back in releases if back.process == one.process and back.invoked <= event]
        return not any(back.completed is None or back.completed > one.invoked for back in mine)

    for one, other in permutations(grants, 2):
        if one.process != other.process and other.completed is not None and other.completed_at is not None:
            moment = other.completed, other.completed_at
            if has_it(one, *moment) and has_it(other, *moment):
                return True
    return False


def tokens_fall(operations: Operations) -> bool:
    grants = [one for one in by(operations, "acquire") if one.ok and one.result is not None]
    writes = [one for one in by(operations, "write") if one.ok]
    for one, other in permutations(grants, 2):
        if one.process != other.process and one.result == other.result:
            return True
        if before(one, other) and (one.result > other.result):  # type: ignore[operator]
            return True
    return any(before(one, other) and one.argument > other.argument for one, other in permutations(writes, 2))  # type: ignore[operator]
