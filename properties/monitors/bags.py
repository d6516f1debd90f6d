"""Queues without an order whose values are all different: linearizable or not in O(n log n), by three patterns.

They are those of a queue (`queues.py`) without the one that is about order: a value is taken that nobody put in, or before that
began; a value is taken twice; the queue was found empty although at each moment of that operation there was a value whose enqueue had
returned and whose dequeue had not been called.

*Sufficient.*  Values do not concern each other but for the findings that nothing is there.  Put each of these at a moment of its
interval that no value covers, each enqueue as late as can be and each dequeue right after both were called: then at such a moment every
value has been taken or is not yet in, since its enqueue can wait until it is over if it has not returned, and its dequeue, if it was
called, come before.

**Pending dequeues** may have taken values that stay, as in a queue; without a deadline, as nobody minds the order.  Where nothing was
found empty they change nothing.  Otherwise: if all values may have stayed, the history is linearizable; if without those that stay there
is a violation, it is not; else this monitor does not decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..bags import UnorderedQueue
from ..conflict import NONE, Conflict
from ..history import Operation
from .lifetimes import Lifetimes, empty_conflict, lifetimes

__all__ = ["conflict"]


def conflict(specification: UnorderedQueue, operations: Sequence[Operation]) -> Conflict | None:
    """The first conflict found, one without operations if there is none, None if values occur twice or it cannot tell."""
    lives = lifetimes(specification, operations)
    if not isinstance(lives, Lifetimes):
        return lives
    if not lives.empties:
        return NONE
    found = empty_conflict(lives, lives.put_returned, lives.ends())
    if not found or not lives.pending or not lives.staying:
        return found or NONE
    gone = lives.without_staying()
    return empty_conflict(gone, gone.put_returned, gone.take_called)
