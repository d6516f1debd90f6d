"""The full trace: every event of a run, with its cause.

While exploring, a run keeps only its history and a digest; the trace is made by running the same schedule again.  Indices are
the global event index, the same in both modes, so an index found in a verdict names the same event in the trace.

`cause` is the index of the event that made this one happen: the send of a delivery, the invocation of a completion, the strike
of a kill or of a cut.  Together with the order of events on one host (program order) these are Lamport's happened-before.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..properties.history import Value

__all__ = ["TraceEvent"]


class TraceEvent(msgspec.Struct, frozen=True):
    """One event.  `time` is in virtual seconds.

    `kind` and what `detail` holds:

    ============  ======================================================================================
    send          `to`, `body` (the message), `boundary` (which of the host's sends this is)
    deliver       `sender`, `body`, `sent` (time of the send); cause: the send
    drop          `sender`, `body`, `why` (lost, cut, dead, paused, duplicate, ...); cause: the send
    disk          `operation` (write, append, fsync, rename, ...), `path`, `size`, `boundary`
    killpoint     `name`, `ordinal`
    invoke        `process`, `operation` (id), `function`, `argument`
    complete      `process`, `operation` (id), `outcome`, `result`, `error`; cause: the invocation
    observe       whatever the host observed
    log           `level`, `message`
    start         `incarnation`
    exit          the host's program returned
    crash         `error`, `where` (file:line), `traceback`
    strike        an action struck: `action` (its position in the schedule), `fault`, `target`, `effect`
    kill          `mode` (process or power), `kept` (what the disk kept); cause: the strike
    restart       `incarnation`
    pause resume
    cut heal      `links`: pairs (from, to); cause: the strike
    calm          faults ended; from here on progress is demanded
    ============  ======================================================================================
    """

    index: int
    time: float
    kind: str
    host: str | None
    cause: int | None
    detail: Mapping[str, Value]
