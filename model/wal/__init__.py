"""Write-ahead logging: record framing as a pure codec (`framing`), and a log file over a host's disk (`file`)."""

from .file import WalFile
from .framing import HEADER_SIZE, Ending, Scan, WalCorruptionError, encode, scan

__all__ = ["HEADER_SIZE", "Ending", "Scan", "WalCorruptionError", "WalFile", "encode", "scan"]
