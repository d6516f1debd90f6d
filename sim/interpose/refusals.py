"""What a simulated host does not have, and is told so by name: threads, other processes, signals."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import trio

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["IGNORED", "REFUSED", "exit_now"]


def _refuses(what: str) -> Callable[..., NoReturn]:
    def refuse(machine: Machine, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f"{machine.name} is a simulated host: it has no {what}")

    return refuse


_THREADS = "threads of its own, since no schedule decides when they run; what is given to trio.to_thread.run_sync is done at once"
_PROCESSES = "other processes"
_BACK = "threads that can wait for trio: what is given to trio.to_thread.run_sync is done at once, and trio.from_thread.run cannot be"


def exit_now(machine: Machine, status: int = 0) -> NoReturn:
    """The process ends at once, without any clean-up; this is told of as a crash, whatever the status."""
    machine.world.exit_now(machine, status)
    raise SystemExit(status)


def _run_sync(_machine: Machine, function: Any, *arguments: Any, trio_token: Any = None) -> Any:
    """What is done in a thread is done in the host's own, so the way back is a call."""
    return function(*arguments)


def _modules() -> list[tuple[Any, str, Callable[..., Any]]]:
    names = [(threading, name, _refuses(_THREADS)) for name in ("_start_new_thread", "_start_joinable_thread")]
    names += [(subprocess, "_fork_exec", _refuses(_PROCESSES))]
    names += [(os, name, _refuses(_PROCESSES)) for name in ("fork", "forkpty", "system", "posix_spawn", "posix_spawnp", "kill", "killpg")]
    names += [(os, name, _refuses(_PROCESSES)) for name in ("execv", "execve")]
    names += [(signal, name, _refuses("signals")) for name in ("pthread_kill",)]
    names += [(os, name, _refuses("named pipes and devices")) for name in ("mkfifo", "mknod")]
    names += [(socket, "socketpair", _refuses("pairs of sockets: use trio.testing.memory_stream_pair"))]
    names += [(trio.from_thread, "run", _refuses(_BACK))]
    return [(module, name, refusal) for module, name, refusal in names if hasattr(module, name)]


REFUSED = tuple(_modules())
"""Where a program is told what it cannot do, by (module, name, function)."""


def _no_signal(_machine: Machine, *_: Any) -> Any:
    return signal.SIG_DFL


def _no_alarm(_machine: Machine, *_: Any) -> Any:
    return 0


def _no_timer(_machine: Machine, *_: Any) -> Any:
    return (0.0, 0.0)


def _no_exit(_machine: Machine, function: Any = None, *_: Any, **__: Any) -> Any:
    return function


IGNORED = (
    (signal, "signal", _no_signal),
    (signal, "alarm", _no_alarm),
    (signal, "setitimer", _no_timer),
    (atexit, "register", _no_exit),
    (atexit, "unregister", _no_exit),
    (trio.from_thread, "run_sync", _run_sync),
)
"""No signal ever reaches a simulated host, so a handler may be set, and is never called."""
