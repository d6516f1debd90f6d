"""A host of a real run, as its supervisor sees it: one operating-system process at a time.

A process is `down`, `starting` (the interpreter loads; nobody counts on it yet), or `up`.  What a killed process still said is read
before the next one is begun, and a kill is complete when `kill` returns: what the history says after it came after it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import trio

from ..explore.confirm import fresh_environment
from ..properties.history import Value
from ..sim.aim import Armed
from .line import Crossing, Happening
from .orders import Armed as ArmedBoundaries
from .orders import Cuts, Go, Setup, Told
from .wire import Frames, frame

__all__ = ["RealMachine"]

OUTPUT = "output.txt"
"""What a host printed, all incarnations after each other, beside the folder that is its disk."""

PATIENCE = 5.0
"""Seconds that a process may leave its orders unread."""


class RealMachine:
    """One host.  `folder` holds its disk and its output; `setup` makes what the next incarnation is told.

    `heard` is called with everything that its process says, `stood` when it stands at a boundary, `ended` when its stream has ended.
    """

    slow = 0.0
    disk_troubles = ()

    def __init__(self, name: str, role: str, folder: Path, setup: Callable[[RealMachine], Setup]) -> None:
        self.name = name
        self.role = role
        self.folder = folder
        self.spoiled = False
        self.paused = False
        self.incarnation = 0
        self.version = ""
        self.observed: dict[str, Value] = {}
        self.armed: dict[str, list[Armed]] = {}
        self.state = "down"
        self.silent = trio.Event()
        """Set while everything that the last process said has been read."""
        self.silent.set()
        self._setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._answers: socket.socket | None = None

    @property
    def alive(self) -> bool:
        """True while its program runs, paused or not."""
        return self.state == "up"

    # -- life and death ---------------------------------------------------------------------------

    def begin(self, cuts: frozenset[tuple[str, str]]) -> trio.socket.SocketType:
        """Start a process; where what it says can be read."""
        self.incarnation += 1
        self.observed = {}
        self.paused = False
        self.state = "starting"
        self.silent = trio.Event()
        news, up = socket.socketpair()
        self._orders, orders = socket.socketpair()
        self._orders.settimeout(PATIENCE)
        self._answers = news.dup()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / OUTPUT).open("ab") as output:
            self._process = self._spawn(up, orders, output)
        up.close()
        orders.close()
        self.order(self._setup(self))
        self.cut(cuts)
        self._rearm()
        return trio.socket.from_stdlib_socket(news)

    def _spawn(self, up: socket.socket, orders: socket.socket, output: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {**fresh_environment(0), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "killpoint.real.process", str(up.fileno()), str(orders.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(up.fileno(), orders.fileno()),
            env=environment,
            start_new_session=True,  # Ctrl-C is for the supervisor to handle
        )

    async def listen(self, news: trio.socket.SocketType, heard: Callable[[Happening], None], stood: Callable[[Crossing], None]) -> None:
        """Read what a process says until it is gone."""
        frames = Frames()
        with news:
            try:
                while data := await news.recv(65536):
                    for said in frames.feed(data):
                        if isinstance(said, Crossing):
                            stood(said)
                        else:
                            heard(said)
            except ConnectionResetError:
                pass  # killed with an order unread
        self.silent.set()

    def kill(self) -> float:
        """SIGKILL; returns when nothing of it runs any more, with that moment on the monotonic clock."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._closed()
        return time.monotonic()

    def reap(self) -> int | None:
        """The exit status of a process that has ended by itself, once its stream has; None if it was killed from here."""
        if self._orders is None:
            return None
        assert self._process is not None
        status = self._process.wait()
        self._closed()
        return status

    def _closed(self) -> None:
        self.state = "down"
        self.paused = False
        for end in (self._orders, self._answers):
            if end is not None:
                end.close()
        self._orders = self._answers = None

    def stop(self, *, on: bool) -> None:
        """SIGSTOP, or SIGCONT."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP if on else signal.SIGCONT)
        self.paused = on

    # -- orders -----------------------------------------------------------------------------------

    def order(self, what: object) -> None:
        """Tell the process something; if it has gone, or does not listen, nothing."""
        if self._orders is not None:
            with suppress(OSError):
                self._orders.sendall(frame(what))

    def go(self) -> None:
        """Begin the program."""
        self.state = "up"
        self.order(Go())

    def go_on(self) -> None:
        """Let a process that stands at a boundary go on."""
        if self._answers is not None:
            with suppress(OSError):
                self._answers.send(b".")

    def cut(self, links: frozenset[tuple[str, str]]) -> None:
        """Say which links are cut."""
        self.order(Cuts(links))

    def tell(self, body: Value) -> None:
        """Send it a message from outside the world."""
        self.order(Told(body))

    # -- boundaries -------------------------------------------------------------------------------

    def install(self, _program: object, version: str) -> None:
        """What it begins next is another version's program, which its process finds by itself."""
        self.version = version

    def arm(self, armed: Armed) -> None:
        """Let an action wait for a boundary of this host."""
        self.armed.setdefault(armed.event, []).append(armed)
        self._rearm()

    def disarm(self, armed: Armed) -> None:
        """Let it wait no more, if it does."""
        waiting = self.armed.get(armed.event, [])
        if armed in waiting:
            waiting.remove(armed)
            if not waiting:
                del self.armed[armed.event]
            self._rearm()

    def disarm_all(self) -> None:
        """Let nothing wait any more."""
        self.armed.clear()
        self._rearm()

    def _rearm(self) -> None:
        self.order(ArmedBoundaries(frozenset(self.armed)))
