"""FIFO queues whose values are all different: linearizable or not in O(n log n), by four patterns.

A queue's history is linearizable if and only if none of these occurs in it (Henzinger, Sezgin & Vafeiadis, "Aspect-oriented
linearizability proofs", 2013; Bouajjani, Emmi, Enea & Hamza 2015; Lee & Mathur, OOPSLA 2025, arXiv 2410.04581, for O(n log n)):

1. a value is taken that nobody put in, or taken before that began;
2. a value is taken twice;
3. a was in before b was put in, and b was out before somebody began to take a, if anybody did: enqueue(a) returned before
   enqueue(b) was called, and dequeue(b) returned before dequeue(a) was called;
4. the queue was found empty, although at each moment of that operation there was a value whose enqueue had returned and whose
   dequeue had not been called.

The third is found by looking at values in the order in which it was begun to take them: of all a after b in it, only the one whose enqueue
returned first can have been in before b, so that most b are done with at once, and for the others bisection finds where the a begin
that were taken after b was out.

**Pending dequeues.**  Each may have taken a value that stays.  If b was put in after a had been, and b was out by some moment, then a must
be out by then, so someone must have begun to take it: every value that stays has a *deadline*, the first return of a dequeue of such
a b (never, if there is none), and needs a pending dequeue of its own that was called before it.  Whoever meets a deadline meets all
later ones, so it suffices to compare the n-th deadline with the n-th of these calls.  That a pending dequeue takes a disturbs no
other value, since it returns never.

Where the queue was also found empty, it matters *when* values that stay were taken.  If all of them may have stayed, the history is
linearizable; if without them there is a violation, it is not; otherwise this monitor does not decide.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from ..conflict import NEVER, NONE, Conflict
from ..containers import FifoQueue
from ..history import Operation, render
from .lifetimes import Lifetimes, empty_conflict, lifetimes

__all__ = ["conflict"]

OVERTAKEN = "{} was in the queue before {} was put in, and {} was out before anybody took {}"


def conflict(specification: FifoQueue, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell."""
    lives = lifetimes(specification, operations)
    if not isinstance(lives, Lifetimes):
        return lives
    found = _overtaken(lives)
    if not found and lives.staying:
        # More values would have to go than there are pending dequeues.
        found = _deadlines(lives)
    if found or not lives.empties:
        return found or NONE
    found = empty_conflict(lives, lives.put_returned, lives.ends())
    if not lives.pending or not lives.staying:
        return found or NONE
    # Those that must go may be gone early, and that they are may be needed.
    if not found and not _deadlines(lives, withdrawn=True):
        return NONE
    gone = lives.without_staying()
    return empty_conflict(gone, gone.put_returned, gone.take_called)


def _overtaken(lives: Lifetimes) -> Conflict | None:
    """The third pattern, among values that were taken."""
    taken = lives.take_called
    # For each value the first return of an enqueue among it and those that were taken later.
    earliest = [*accumulate(reversed(lives.put_returned[: len(taken)]), min, initial=NEVER)][::-1]
    for b, (called, returned) in enumerate(zip(lives.put_called, earliest[1:], strict=False)):
        if returned <= called and earliest[bisect_right(taken, lives.take_returned[b])] <= called:
            a = next(place for place in reversed(range(len(taken))) if lives.put_returned[place] <= called)
            one, other = lives.put(a), lives.put(b)
            why = OVERTAKEN.format(*map(render, (one.argument, other.argument, other.argument, one.argument)))
            return Conflict((one, other, lives.takes[b], lives.takes[a]), why)
    return None


def _deadlines(lives: Lifetimes, *, withdrawn: bool = False) -> Conflict | None:
    """The third pattern, where values that stay were overtaken: more of them than pending dequeues could have taken in time.

    With `withdrawn` nothing is pending.
    """
    # Only what was put in after the first of those that stay can have overtaken one.
    count = len(lives.takes)
    stays = lives.put_returned[count:]
    since = min(stays)
    later = sorted((called, gone) for called, gone in zip(lives.put_called, lives.take_returned, strict=False) if called > since)
    if not later:
        return None
    calls_later = [called for called, _gone in later]
    first = [*accumulate((gone for _called, gone in reversed(later)), min, initial=NEVER)][::-1]
    overdue = sorted((first[bisect_right(calls_later, end)], place) for place, end in enumerate(stays))
    calls = [] if withdrawn else sorted(zip(lives.pending_called, range(len(lives.pending)), strict=True))
    for number, (deadline, place) in enumerate(overdue):
        if deadline == NEVER:
            return None
        if number < len(calls) and calls[number][0] < deadline:
            continue
        stay = [lives.put(count + at) for _deadline, at in overdue[: number + 1]]
        ends = {met for met, _place in overdue[: number + 1]}
        others = [at for at, gone in enumerate(lives.take_returned) if gone in ends]
        b = next(lives.put(at) for at in others if lives.take_returned[at] == deadline)
        a = lives.put(count + place).argument
        why = OVERTAKEN.format(*map(render, (a, b.argument, b.argument, a)))
        if number:
            why += f"; {number + 1} values are in this place, and {number} pending dequeue{'s' if number > 1 else ''} began in time"
        takers = [lives.pending[at] for _called, at in calls[:number]]
        return Conflict((*stay, *map(lives.put, others), *(lives.takes[at] for at in others), *takers), why)
    return None
