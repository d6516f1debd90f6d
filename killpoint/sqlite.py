"""SQLite for programs that run simulated and for real: `killpoint.sqlite.connect(path)`.  Needs the extra `sqlite`."""

from __future__ import annotations

try:
    from .sim.sqlite.connecting import connect
except ImportError as error:
    raise ImportError("killpoint.sqlite needs apsw: pip install 'killpoint[sqlite]'") from error

__all__ = ["connect"]
