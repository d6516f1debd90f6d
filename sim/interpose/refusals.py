"""What a simulated host does not have, and is told so by name: threads, other processes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from ..machine import Machine

__all__ = ["IGNORED", "REFUSED", "exit_now"]


def _refuses(what: str) -> Callable[..., NoReturn]:
    def refuse(machine: Machine, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError(f"{machine.name} is a simulated host: it has no {what}")

    return refuse


_THREADS = "threads of its own, since no schedule decides when they run; what is given to trio.to_thread.run_sync is done at once"
_PROCESSES = "other processes"


def exit_now(machine: Machine, status: int = 0) -> NoReturn:
    """The process ends at once, without any clean-up; this is told of as a crash, whatever the status."""
    machine.world.exit_now(machine, status)
    raise SystemExit(status)


def _modules() -> list[tuple[Any, str, Callable[..., Any]]]:
    names = [(threading, name, _refuses(_THREADS)) for name in ("_start_new_thread", "_start_joinable_thread")]
    names += [(subprocess, "_fork_exec", _refuses(_PROCESSES))]
    names += [(os, name, _refuses(_PROCESSES)) for name in ("fork", "forkpty", "system", "posix_spawn", "posix_spawnp", "kill", "killpg")]
    names += [(os, name, _refuses(_PROCESSES)) for name in ("execv", "execve")]
    return [(module, name, refusal) for module, name, refusal in names if hasattr(module, name)]


REFUSED = tuple(_modules())
"""Where a program is told what it cannot do, by (module, name, function)."""


def _no_signal(_machine: Machine, *_: Any) -> Any:
    return signal.SIG_DFL


IGNORED = ((signal, "signal", _no_signal),)
"""No signal ever reaches a simulated host, so a handler may be set, and is never called."""
