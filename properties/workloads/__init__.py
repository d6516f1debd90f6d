"""Jepsen's shelf of checkers: what workloads promise that are no sequential object and no transactions.

Each is a property, to be used in a scenario or with `killpoint check FILE --model NAME`.  Sources: Jepsen's `checker.clj` and `tests/`,
whose verdicts these follow, but for operations with unknown outcomes, which are allowed all that they may have done.
"""

from __future__ import annotations

from .bank import Bank
from .bounds import CounterBounds
from .compose import Compose, composed
from .forks import LongFork
from .ids import UniqueIds
from .kafka import KafkaLog
from .keys import ByKey
from .leases import Lease
from .monotonic import Monotonic
from .order import CausalReverse
from .queues import TotalQueue
from .sets import SetFinal, SetFull
from .stats import Stats, UnhandledErrors
from .workload import Workload

__all__ = [
    "Bank",
    "ByKey",
    "CausalReverse",
    "Compose",
    "CounterBounds",
    "KafkaLog",
    "Lease",
    "LongFork",
    "Monotonic",
    "SetFinal",
    "SetFull",
    "Stats",
    "TotalQueue",
    "UnhandledErrors",
    "UniqueIds",
    "Workload",
    "composed",
]
