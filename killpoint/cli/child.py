"""Work done in a child process, which can be ended whatever it is in: for code of somebody else's that may never come back.

A signal ends anything that Python does, but not a call into C that does not look for signals (`sum(range(10**12))`): it keeps
everything else in its process from running, threads too.  From outside it is a process like any other.  The child is a fork, so that
it begins at once, with everything that is imported; what it found comes back through a pipe.  Where there is no fork (Windows), or
other threads run, which a fork would lack, the work is done here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import msgspec

from ..properties.verdict import Verdict
from .arguments import UsageError
from .errors import is_bad_input

__all__ = ["in_child"]


class _Answer(msgspec.Struct):
    """What the child has to say: a verdict, a complaint about the input, or neither if it failed, which standard error tells."""

    verdict: Verdict | None = None
    complaint: str = ""


def in_child(work: Callable[[], Verdict], seconds: float) -> Verdict | None:
    """What `work` gives, done in a child that is killed after so many seconds; None if it was.

    Raises:
        UsageError: what the work complained of; or the child ended without an answer.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _answer(work, theirs)
    os.close(theirs)
    try:
        told = _received(ours, time.monotonic() + seconds)
    except BaseException:
        _end(child)
        raise
    finally:
        os.close(ours)
    if told is None:
        _end(child)
        return None
    _child, status = os.waitpid(child, 0)
    if not told:
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise UsageError(f"the process that asked the specification {how}, without an answer")
    answer = msgspec.msgpack.decode(told, type=_Answer)
    if answer.verdict is None:
        raise UsageError(answer.complaint)
    return answer.verdict


def _answer(work: Callable[[], Verdict], pipe: int) -> NoReturn:
    """In the child: work, say what came of it, and leave without anything that belongs to the parent being done twice."""
    code = 1
    answer: _Answer | None = None
    try:
        answer = _Answer(work())
    except Exception as error:  # noqa: BLE001  # told, and the parent fails too
        if is_bad_input(error):
            answer = _Answer(complaint=str(error))
        else:
            traceback.print_exc()
    except BaseException:  # noqa: BLE001, S110  # Ctrl-C, which the parent was told as well
        pass
    try:
        if answer is not None:
            with os.fdopen(pipe, "wb") as file:
                file.write(msgspec.msgpack.encode(answer))
            code = 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _received(pipe: int, ends: float) -> bytes | None:
    """All that comes through the pipe; None if it does not end in time."""
    told = b""
    while (left := ends - time.monotonic()) > 0:
        ready, _, _ = select.select([pipe], [], [], min(left, 3600.0))
        if ready:
            block = os.read(pipe, 1 << 16)
            if not block:
                return told
            told += block
    return None


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
