"""FIFO queues whose values are all different: linearizable or not in O(n log n), by four patterns.

A queue's history is linearizable if and only if none of these occurs in it (Henzinger, Sezgin & Vafeiadis, "Aspect-oriented
linearizability proofs", 2013; Bouajjani, Emmi, Enea & Hamza 2015; Lee & Mathur, OOPSLA 2025, arXiv 2410.04581, for O(n log n)):

1. a value is taken that nobody put in, or taken before that began;
2. a value is taken twice;
3. a was in before b was put in, and b was out before somebody began to take a, if anybody did: enqueue(a) returned before
   enqueue(b) was called, and dequeue(b) returned before dequeue(a) was called;
4. the queue was found empty, although at each moment of that operation there was a value whose enqueue had returned and whose
   dequeue had not been called.

The third is found by one sweep: of all a whose enqueue returned before enqueue(b) was called only the one that was taken last counts.

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
from operator import gt

from ..conflict import NEVER, NONE, Conflict
from ..containers import FifoQueue
from ..history import Operation, render
from .lifetimes import Lifetimes, empty_conflict, far, lifetimes

__all__ = ["conflict"]

OVERTAKEN = "{} was in the queue before {} was put in, and {} was out before anybody took {}"


def conflict(specification: FifoQueue, operations: Sequence[Operation], last: int) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell."""
    lives = lifetimes(specification, operations, last)
    if not isinstance(lives, Lifetimes):
        return lives
    events = lives.last + 1
    # What is pending returns after the last event.
    in_returned = [events if (end := one.completed) is None else end for one in lives.puts]
    in_called = [one.invoked for one in lives.puts]
    out_called = [one.invoked for one in lives.takes]
    out_returned = [one.completed or 0 for one in lives.takes]
    found = _overtaken(lives, in_returned, in_called, out_called, out_returned, events)
    if not found and lives.staying:
        # More values would have to go than there are pending dequeues.
        found = _deadlines(lives, in_called, out_returned)
    if found or not lives.empties:
        return found or NONE
    stays = [one.completed or 0 for one in lives.staying]
    found = empty_conflict(lives, in_returned + stays, out_called + [NEVER] * len(stays))
    if not lives.pending or not lives.staying:
        return found or NONE
    # Those that must go may be gone early, and that they are may be needed.
    if not found and not _deadlines(lives._replace(pending=[]), in_called, out_returned):
        return NONE
    return empty_conflict(lives, in_returned, out_called)


def _overtaken(
    lives: Lifetimes, in_returned: list[int], in_called: list[int], out_called: list[int], out_returned: list[int], events: int
) -> Conflict | None:
    """The third pattern, among values that were taken."""
    latest = [-1] * (events + 1)
    # Once an enqueue has returned its value is one that was in before; of these, the last to be taken counts.
    for returned, called in zip(in_returned, out_called, strict=True):
        latest[returned] = called
    latest = [*accumulate(latest, max)]
    if not any(map(gt, map(latest.__getitem__, in_called), out_returned)):
        return None
    for called, end in zip(in_called, out_returned, strict=True):
        if latest[called] > end:
            wanted, place = latest[called], out_returned.index(end)
            first = next(at for at, out in enumerate(out_called) if out == wanted and in_returned[at] < called)
            a, b = lives.puts[first], lives.puts[place]
            why = OVERTAKEN.format(*map(render, (a.argument, b.argument, b.argument, a.argument)))
            return Conflict((a, b, lives.takes[place], lives.takes[first]), why)
    return None


def _deadlines(lives: Lifetimes, in_called: list[int], out_returned: list[int]) -> Conflict | None:
    """The third pattern, where values that stay were overtaken: more of them than pending dequeues could have taken in time."""
    # Only what was put in after the first of those that stay can have overtaken one.
    stays = [far(one.completed) for one in lives.staying]
    since = min(stays)
    later = sorted((called, gone) for called, gone in zip(in_called, out_returned, strict=True) if called > since)
    if not later:
        return None
    calls_later = [called for called, _gone in later]
    first = [*accumulate((gone for _called, gone in reversed(later)), min, initial=NEVER)][::-1]
    overdue = sorted((first[bisect_right(calls_later, end)], place) for place, end in enumerate(stays))
    calls = sorted(lives.pending, key=lambda one: one.invoked)
    for number, (deadline, place) in enumerate(overdue):
        if deadline == NEVER:
            return None
        if number < len(calls) and calls[number].invoked < deadline:
            continue
        stay = [lives.staying[at] for _deadline, at in overdue[: number + 1]]
        ends = {met for met, _place in overdue[: number + 1]}
        others = [at for at, gone in enumerate(out_returned) if gone in ends]
        b = next(lives.puts[at] for at in others if out_returned[at] == deadline)
        a = lives.staying[place].argument
        why = OVERTAKEN.format(*map(render, (a, b.argument, b.argument, a)))
        if number:
            why += f"; {number + 1} values are in this place, and {number} pending dequeue{'s' if number > 1 else ''} began in time"
        takers = calls[:number]
        return Conflict((*stay, *(lives.puts[at] for at in others), *(lives.takes[at] for at in others), *takers), why)
    return None
