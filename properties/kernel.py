"""The search of `search.py`, compiled: the same steps in the same order, about fifteen times as many in a second.

Needs numba, which `pip install killpoint[fast]` brings; only `compiled.py` imports this module.  Functions are of the module and cached on
disk, so that they are compiled once on a machine (some seconds) and then loaded (a fraction of one).

A search is a bundle of arrays, `Tables` for what is known from the start and `Memory` for what changes, so that it can be left and
resumed at any time.  Lists of lists are one array and the places where each list begins.  Configurations that failed are kept in a table
with open addressing under three words (position and state in one, the placed operations in another, a link to the sets of pending
operations in the third).  The table is half full at most: `run` returns `FULL` when it wants a larger one.

What is placed is a set of at most `BITS` bits, since integers are signed; sets of pending operations are as many such words as they need.

Nothing here is decided differently from `Search.run` and its helpers, whose names the functions bear; the reasons are told there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["BITS", "DECIDED", "FULL", "PAUSED", "UNKNOWN", "Memory", "Tables", "grown", "run"]

BITS = 62
"""Operations in one word."""

UNKNOWN = -2
"""Hopes that were not asked for yet."""

PAUSED, DECIDED, FULL = 0, 1, 2
"""Why `run` returned: the budget is spent, there is nothing left to do, or `Memory.table` must grow."""

RANK, MASK, STATE, AT, DEPTH, STEPS, BEST_RANK, BEST_DEPTH, SHARED, ROOM, FAILURES, SETS, RESUME = range(13)
"""Places of `Memory.registers`.  `SHARED` choices of the best path are those of the path at hand; `ROOM` is how many failures may still be
remembered, `FAILURES` and `SETS` how many entries the table and the list of pending sets have; `RESUME`: a failure waits for room.
"""

BIT, NUMBER, PENDING_CALLED, MUTATORS_FROM, MUTATORS_UNTIL, READS_FROM, READS_UNTIL, CALLED_FROM = range(8)
"""Places in a row of `Tables.returns`."""

Words = NDArray[np.int64]


class Tables(NamedTuple):
    """A history as the search sees it; every row of a table has what is said here.

    By call and state: `following`; by state, call and call: `may`.  `returns`: `BIT` to `CALLED_FROM`, and one more row for the end of the
    last list.  Their lists: `mutators` (bit, both, earlier, call, number), `reads` (bit, call, number) and `called` (number).
    `pending`: call, number, and the equal ones that go first, as words.  `operations`, by number: own bit, call.  `calls`: request,
    whether it is demanding from the start.  `limits`: goal, `FARTHEST`, `WITNESSES`.
    """

    following: Words
    may: Words
    returns: Words
    mutators: Words
    reads: Words
    called: Words
    pending: Words
    operations: Words
    calls: Words
    limits: Words


class Memory(NamedTuple):
    """What changes: registers, the stack (rank, mask, state, at, number), its sets of pending operations, and all that was found out.

    `demanding` by call, `fitting` by return and state (-1: not known), `hopes` by those and witness (-1: no more, -2: not known), the
    `table` of failures, and their `sets` of pending operations with a link to the next in the last column.
    """

    registers: Words
    stack: Words
    used: Words
    used_now: Words
    best: Words
    demanding: Words
    fitting: Words
    hopes: Words
    table: Words
    sets: Words


@njit(cache=True)
def step(following: Words, demanding: Words, call: int, state: int) -> int:
    """The next state or -1; a call that is refused once is a demanding one."""
    after = following[call, state]
    if after < 0:
        demanding[call] = 1
    return after


@njit(cache=True)
def fit(following: Words, demanding: Words, returns: Words, reads: Words, fitting: Words, rank: int, state: int) -> int:
    """The bits of the open pure calls that leave this state as it is."""
    known = fitting[rank, state]
    if known >= 0:
        return known
    mask = 0
    for place in range(returns[rank, READS_FROM], returns[rank, READS_UNTIL]):
        if step(following, demanding, reads[place, 1], state) == state:
            mask |= reads[place, 0]
    fitting[rank, state] = mask
    return mask


@njit(cache=True)
def place_of(table: Words, position: int, mask: int) -> int:
    """Where this configuration is in the table, or would be."""
    size = table.shape[0]
    mixed = np.uint64(position) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(mask) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    place = np.int64(mixed & np.uint64(size - 1))
    while table[place, 0] >= 0 and (table[place, 0] != position or table[place, 1] != mask):
        place = (place + 1) & (size - 1)
    return int(place)


@njit(cache=True)
def grown(table: Words) -> Words:
    """The table with twice the room."""
    larger: Words = np.full((2 * table.shape[0], 3), -1, np.int64)
    for old in range(table.shape[0]):
        if table[old, 0] >= 0:
            place = place_of(larger, table[old, 0], table[old, 1])
            for column in range(3):
                larger[place, column] = table[old, column]
    return larger


@njit(cache=True)
def is_known(table: Words, sets: Words, now: Words, position: int, mask: int) -> bool:
    """True if this configuration failed, perhaps with fewer pending operations used up."""
    place = place_of(table, position, mask)
    if table[place, 0] < 0:
        return False
    if now.shape[0] == 0:
        return True
    link = table[place, 2]
    while link >= 0:
        contained = True
        for word in range(now.shape[0]):
            if sets[link, word] & ~now[word]:
                contained = False
                break
        if contained:
            return True
        link = sets[link, now.shape[0]]
    return False


@njit(cache=True)
def remember(registers: Words, table: Words, sets: Words, now: Words, position: int, mask: int) -> bool:
    """Note that this configuration failed; False if there is no room for it yet."""
    if registers[ROOM] <= 0:
        return True
    words = now.shape[0]
    if 2 * registers[FAILURES] >= table.shape[0] or (words and registers[SETS] >= sets.shape[0]):
        return False
    registers[ROOM] -= 1
    place = place_of(table, position, mask)
    if table[place, 0] < 0:
        table[place, 0], table[place, 1], table[place, 2] = position, mask, -1
        registers[FAILURES] += 1
    if words:
        link = registers[SETS]
        for word in range(words):
            sets[link, word] = now[word]
        sets[link, words] = table[place, 2]
        table[place, 2] = link
        registers[SETS] += 1
    return True


@njit(cache=True)
def hope(tables: Tables, demanding: Words, hopes: Words, rank: int, state: int) -> None:
    """What the next demanding operations to return need, those that do not fit this state: pairs of masks, -1 after the last."""
    goal, farthest, witnesses = tables.limits[0], tables.limits[1], tables.limits[2]
    found = looked_at = 0
    for at in range(rank, min(rank + farthest, goal)):
        number = tables.returns[at, NUMBER]
        wanted = tables.operations[number, 1]
        if not demanding[wanted]:
            continue
        looked_at += 1
        if step(tables.following, demanding, wanted, state) < 0:
            care, helpers = helpers_of(tables, rank, at, number, state)
            if care >= 0:
                hopes[rank, state, found, 0], hopes[rank, state, found, 1] = care, helpers
                found += 1
        if looked_at == witnesses:
            break
    hopes[rank, state, found, 0] = -1


@njit(cache=True)
def helpers_of(tables: Tables, rank: int, at: int, number: int, state: int) -> tuple[int, int]:
    """What may help operation `number`, which returns at `at`; -1 if something may that is not open at `rank`."""
    returns, operations = tables.returns, tables.operations
    may = tables.may[state, operations[number, 1]]
    for place in range(returns[rank + 1, CALLED_FROM], returns[at + 1, CALLED_FROM]):
        other = tables.called[place]
        if other != number and may[operations[other, 1]]:
            return -1, 0
    for place in range(returns[at, PENDING_CALLED]):
        if may[tables.pending[place, 0]]:
            return -1, 0
    helpers = own = 0
    for place in range(returns[rank, MUTATORS_FROM], returns[rank, MUTATORS_UNTIL]):
        if tables.mutators[place, 4] == number:
            own = operations[number, 0]
        elif may[tables.mutators[place, 3]]:
            helpers |= tables.mutators[place, 0]
    for place in range(returns[rank, READS_FROM], returns[rank, READS_UNTIL]):
        if tables.reads[place, 2] == number:
            own = operations[number, 0]
        elif may[tables.reads[place, 1]]:
            helpers |= tables.reads[place, 0]
    return helpers | own, helpers


@njit(cache=True)
def is_hopeless(hopes: Words, rank: int, state: int, mask: int) -> bool:
    """True if something that returns soon can be seen not to be possible any more."""
    for witness in range(hopes.shape[2]):
        care = hopes[rank, state, witness, 0]
        if care < 0:
            return False
        if not care & (mask ^ hopes[rank, state, witness, 1]):
            return True
    return False


@njit(cache=True)
def is_used(used: Words, index: int) -> int:
    """True if this pending operation is in the set."""
    return used[index // BITS] >> (index % BITS) & 1


@njit(cache=True)
def next_pending(
    tables: Tables, demanding: Words, fitting: Words, used: Words, rank: int, mask: int, state: int, start: int
) -> tuple[int, int]:
    """The next pending operation from `start` that is worth placing here, and the state after it; (-1, -1): none is."""
    following, pending, mutators, calls = tables.following, tables.pending, tables.mutators, tables.calls
    low, high = tables.returns[rank, MUTATORS_FROM], tables.returns[rank, MUTATORS_UNTIL]
    asked = False
    for index in range(start, tables.returns[rank, PENDING_CALLED]):
        enabled = not is_used(used, index)
        for word in range(used.shape[0]):
            if pending[index, 2 + word] & ~used[word]:
                enabled = False
        if not enabled:
            continue
        call = pending[index, 0]
        after = step(following, demanding, call, state)
        if after < 0 or after == state:
            continue
        twin = False
        for place in range(low, high):
            if not mask & mutators[place, 0]:
                other = mutators[place, 3]
                # All are asked the first time, since that is what makes calls demanding.
                result = following[other, state] if asked else step(following, demanding, other, state)
                if result == after and calls[other, 0] == calls[call, 0]:
                    twin = True
        asked = True
        if not twin and needed(tables, demanding, fitting, used, rank, mask, state, after, index):
            return index, after
    return -1, -1


@njit(cache=True)
def needed(
    tables: Tables, demanding: Words, fitting: Words, used: Words, rank: int, mask: int, before: int, after: int, taken: int
) -> bool:
    """True if some enabled call behaves differently in state `after` than in state `before`."""
    following, returns = tables.following, tables.returns
    if fit(following, demanding, returns, tables.reads, fitting, rank, after) & ~mask:
        return True
    for place in range(returns[rank, MUTATORS_FROM], returns[rank, MUTATORS_UNTIL]):
        if not mask & tables.mutators[place, 0] and differs(following, demanding, tables.mutators[place, 3], before, after):
            return True
    for index in range(returns[rank, PENDING_CALLED]):
        if index != taken and not is_used(used, index) and differs(following, demanding, tables.pending[index, 0], before, after):
            return True
    return False


@njit(cache=True)
def differs(following: Words, demanding: Words, call: int, before: int, after: int) -> bool:
    """True if the call is possible in `after` and does not lead where it leads from `before`."""
    result = step(following, demanding, call, after)
    return result >= 0 and result != step(following, demanding, call, before)


@njit(cache=True)
def note_best(registers: Words, stack: Words, best: Words, rank: int, depth: int) -> None:
    """Keep the path at hand, of which `SHARED` choices are kept already."""
    for place in range(registers[SHARED], depth):
        best[place] = stack[place, 4]
    registers[SHARED] = registers[BEST_DEPTH] = depth
    registers[BEST_RANK] = rank


@njit(cache=True)
def run(tables: Tables, memory: Memory, budget: int) -> int:
    """Go on for about `budget` steps, and say why it returned; see `Search.run`."""
    registers, stack, used, now = memory.registers, memory.stack, memory.used, memory.used_now
    demanding, fitting, hopes, table, sets = memory.demanding, memory.fitting, memory.hopes, memory.table, memory.sets
    following, returns, mutators, reads = tables.following, tables.returns, tables.mutators, tables.reads
    states, words = following.shape[1], now.shape[0]
    rank, mask, state, at, depth = registers[RANK], registers[MASK], registers[STATE], registers[AT], registers[DEPTH]
    resume = registers[RESUME]
    total = tables.limits[0]
    steps = 0
    reason = DECIDED
    while rank < total:
        alive = True
        if at == 0 and not resume:
            if steps >= budget:
                reason = PAUSED
                break
            while rank < total:
                mask |= fit(following, demanding, returns, reads, fitting, rank, state)
                bit = returns[rank, BIT]
                steps += 1
                if not mask & bit:
                    break
                mask ^= bit
                rank += 1
            if rank > registers[BEST_RANK]:
                note_best(registers, stack, memory.best, rank, depth)
            if rank == total:
                break
            alive = not is_known(table, sets, now, rank * states + state, mask)
            if alive:
                if hopes[rank, state, 0, 0] == UNKNOWN:
                    hope(tables, demanding, hopes, rank, state)
                alive = not is_hopeless(hopes, rank, state, mask)
        if alive:
            low, high = returns[rank, MUTATORS_FROM], returns[rank, MUTATORS_UNTIL]
            after = number = -1
            count = high - low
            while at < count and not resume:
                place = low + at
                at += 1
                if mask & mutators[place, 1] == mutators[place, 2]:
                    after = step(following, demanding, mutators[place, 3], state)
                    if after >= 0:
                        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = rank, mask, state, at
                        for word in range(words):
                            used[depth, word] = now[word]
                        number = mutators[place, 4]
                        mask |= mutators[place, 0]
                        break
            if after < 0 and words and not resume:
                index, after = next_pending(tables, demanding, fitting, now, rank, mask, state, at - count)
                if after >= 0:
                    stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = rank, mask, state, count + index + 1
                    for word in range(words):
                        used[depth, word] = now[word]
                    now[index // BITS] |= 1 << (index % BITS)
                    number = tables.pending[index, 1]
            if after >= 0:
                stack[depth, 4] = number
                depth += 1
                state, at = after, 0
                continue
            resume = 0
            if not remember(registers, table, sets, now, rank * states + state, mask):
                resume = 1
                reason = FULL
                break
        if depth == 0:
            break
        depth -= 1
        rank, mask, state, at = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        for word in range(words):
            now[word] = used[depth, word]
        if registers[SHARED] > depth:
            registers[SHARED] = depth
    registers[RANK], registers[MASK], registers[STATE], registers[AT], registers[DEPTH] = rank, mask, state, at, depth
    registers[RESUME] = resume
    registers[STEPS] += steps
    return reason
