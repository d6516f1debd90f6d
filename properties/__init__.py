"""What must hold: histories, sequential specifications, checkers, the history graph.  Pure; imports nothing of ours."""

import os

assert __name__.startswith("killpoint."), (
    f"import this package as killpoint.properties, not as {__name__}: a bare import makes a second copy of every class"
)

# In a clone this folder is reached through a link; debuggers know its files by the path that people open.
__path__[:] = map(os.path.realpath, __path__)

from .bags import UnorderedQueue  # noqa: E402  # after the assertion
from .common import Converges, NoCrash, NoDuplicates  # noqa: E402
from .containers import FifoQueue, PriorityQueue, Stack  # noqa: E402
from .counter import Counter  # noqa: E402
from .history import Complete, Event, History, HistoryError, Incident, Invoke, Observe, Operation, Outcome, Value  # noqa: E402
from .isolation import Isolation  # noqa: E402
from .ledger import IssuanceLedger  # noqa: E402
from .linearizability import Linearizable  # noqa: E402
from .locks import FencedMutex, OwnedMutex, ReentrantMutex  # noqa: E402
from .recovery import Durable, Progress, Terminal  # noqa: E402
from .registers import CasRegister, MultiRegister, Register  # noqa: E402
from .selectors import Selector  # noqa: E402
from .sets import GrowSet, Set  # noqa: E402
from .specification import Call, Refusal, Specification, SpecificationError  # noqa: E402
from .stores import KeyValue, Mutex  # noqa: E402
from .verdict import Evidence, Monitor, Property, Status, Verdict, check  # noqa: E402
from .workloads import (  # noqa: E402
    Bank,
    CausalReverse,
    Compose,
    CounterBounds,
    KafkaLog,
    Lease,
    LongFork,
    Monotonic,
    SetFinal,
    SetFull,
    Stats,
    TotalQueue,
    UnhandledErrors,
    UniqueIds,
)

__all__ = [
    "Bank",
    "Call",
    "CasRegister",
    "CausalReverse",
    "Complete",
    "Compose",
    "Converges",
    "Counter",
    "CounterBounds",
    "Durable",
    "Event",
    "Evidence",
    "FencedMutex",
    "FifoQueue",
    "GrowSet",
    "History",
    "HistoryError",
    "Incident",
    "Invoke",
    "Isolation",
    "IssuanceLedger",
    "KafkaLog",
    "KeyValue",
    "Lease",
    "Linearizable",
    "LongFork",
    "Monitor",
    "Monotonic",
    "MultiRegister",
    "Mutex",
    "NoCrash",
    "NoDuplicates",
    "Observe",
    "Operation",
    "Outcome",
    "OwnedMutex",
    "PriorityQueue",
    "Progress",
    "Property",
    "ReentrantMutex",
    "Refusal",
    "Register",
    "Selector",
    "Set",
    "SetFinal",
    "SetFull",
    "Specification",
    "SpecificationError",
    "Stack",
    "Stats",
    "Status",
    "Terminal",
    "TotalQueue",
    "UnhandledErrors",
    "UniqueIds",
    "UnorderedQueue",
    "Value",
    "Verdict",
    "check",
]
