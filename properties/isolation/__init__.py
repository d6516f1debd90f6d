"""Isolation of transactions: which anomalies a history shows, and which levels of isolation that rules out.

Sources: Adya 1999, "Weak Consistency: A Generalized Theory and Optimistic Implementations for Distributed Transactions"; Kingsbury &
Alvaro 2020, "Elle: Inferring Isolation Anomalies from Experimental Observations".
"""

from __future__ import annotations

from .analysis import WORKLOADS, Analysis, analyse
from .anomalies import Anomaly, Step, picture
from .levels import ANOMALIES, LEVELS
from .property import Isolation

__all__ = ["ANOMALIES", "LEVELS", "WORKLOADS", "Analysis", "Anomaly", "Isolation", "Step", "analyse", "picture"]
