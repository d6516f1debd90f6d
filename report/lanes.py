"""Which processes share a lane: those that are one client under several names, and where there are hundreds, those that took turns.

A process is spent once an operation of it ended `info`, and its client goes on under another name: `c1.2` after `c1` in a simulation,
`4/2` after `4` where a file used a number again, and in Jepsen's logs a number that is higher by the number of clients.  One wants to see
one lane for one client, so names that say so share a lane; the number of clients is the smallest one by which every higher number differs
from one that was spent before.  Beyond `MANY` lanes a new process takes over the lane of one that has ended for good.

Cost: n log n for n processes, after one pass over the operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from ..properties.history import Operation

__all__ = ["lanes_of"]

MANY = 64

_SUFFIXED = re.compile(r"(.+?)[./]\d+")


def lanes_of(operations: Sequence[Operation]) -> list[list[str]]:
    """The names of the processes on each lane, lanes and names in the order of their first operations, numbers in that of numbers.

    `operations` are in the order of their invocations.
    """
    first: dict[str, Operation] = {}
    last: dict[str, Operation] = {}
    for operation in operations:
        first.setdefault(operation.process, operation)
        last[operation.process] = operation
    renamed = _renamed(first, last)
    lanes: list[list[str]] = []
    home: dict[str, int] = {}
    ending: list[tuple[int, int]] = []  # lanes that will be free: when, and which
    free: list[int] = []
    for process, operation in first.items():
        while ending and ending[0][0] <= operation.invoked:
            heappush(free, heappop(ending)[1])
        lane = home.get(renamed[process]) if process in renamed else None
        if lane is None and len(lanes) >= MANY and free:
            lane = heappop(free)
        if lane is None:
            lane = len(lanes)
            lanes.append([])
        lanes[lane].append(process)
        home[process] = lane
        final = last[process]
        if final.completed is not None:
            heappush(ending, (final.completed, lane))
    return sorted(lanes, key=_by_name)


def _renamed(first: Mapping[str, Operation], last: Mapping[str, Operation]) -> dict[str, str]:
    """The earlier name of each process that has one: the same without a suffix, or lower by the number of clients."""
    found = {name: suffixed[1] for name in first if (suffixed := _SUFFIXED.fullmatch(name)) and suffixed[1] in first}
    numbers = sorted(int(name) for name in first if name.isdecimal() and name == str(int(name)))

    def succeeds(number: int, earlier: int) -> bool:
        before, now = last.get(str(earlier)), first[str(number)]
        return before is not None and before.pending and before.invoked < now.invoked

    spent = [number for number in numbers if last[str(number)].pending]
    lowest = next((number for place, number in enumerate(numbers) if number != place), len(numbers))
    for clients in range(1, lowest + 1) if spent else ():
        later = [number for number in numbers if number >= clients]
        if all(succeeds(number, number - clients) for number in later):
            return found | {str(number): str(number - clients) for number in later}
    return found


def _by_name(lane: Sequence[str]) -> tuple[bool, int, str]:
    """Numbers as numbers, and then names, those with numbers in them by these."""
    name = lane[0]
    digits = re.search(r"\d{1,18}", name)
    return (not name.isdecimal(), int(digits[0]) if digits else 0, name)
