"""Readers of recorded histories: text logs of Jepsen's, EDN, JSON, and our own JSON Lines, packed or not.

`read_history` looks at the first kilobytes of a file, decides what it is, and reads it as a stream; something that is none of
these fails there, however large it is.  Whatever is wrong with a file, the error is a `ReadError`: one sentence with the file and
the line.
"""

from __future__ import annotations

from .errors import ReadError
from .files import line_of, read_history
from .jsonl import decode_history, encode_history, write_history
from .streams import Told

__all__ = ["ReadError", "Told", "decode_history", "encode_history", "line_of", "read_history", "write_history"]
