"""The issuance cluster under everything that the world can do to it: what `pytest -k invariants` runs."""

from __future__ import annotations

from killpoint import machine
from killpoint.model.civictrust.scenario import CivicTrust

TestCivicTrustInvariants = machine(CivicTrust).TestCase
