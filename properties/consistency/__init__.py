"""Consistency of single operations that is weaker than linearizability: what the object may answer, and to whom.

`sequential.py` (one order, without real time), `regular.py` (regular and safe registers), `staleness.py` (reads that are old by so many
versions or seconds), `sessions.py` (what a session may rely on, and causality).  Transactions are judged by `isolation/`.
"""

from __future__ import annotations

from .regular import Regular, Safe
from .sequential import SequentiallyConsistent
from .sessions import GUARANTEES, SessionGuarantee
from .staleness import BoundedStaleness, KAtomic

__all__ = ["GUARANTEES", "BoundedStaleness", "KAtomic", "Regular", "Safe", "SequentiallyConsistent", "SessionGuarantee"]
