"""CivicTrust keeps its promises under every fault that its scenario lists."""

from killpoint import machine
from killpoint.model.civictrust.scenario import CivicTrust

TestCivicTrustInvariants = machine(CivicTrust).TestCase
