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

GOING = 0.2
"""Seconds that a process may take to end after it has closed its line."""


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
        self._unsaid: list[object] = []
        self._half = b""
        self._answers: socket.socket | None = None

    @property
    def alive(self) -> bool:
        """True while its program runs, paused or not."""
        return self.state == "up"

    @property
    def coming_up(self) -> bool:
        """True while its process loads its program."""
        return self.state == "starting"

    @property
    def running(self) -> bool:
        """True while there is a process, whether its program has begun or not."""
        return self._orders is not None

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
        self._orders.setblocking(False)
        self._unsaid, self._half = [], b""
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

    @property
    def waiting(self) -> bool:
        """True while there is something that the process was not told yet."""
        return self._orders is not None and bool(self._half or self._unsaid)

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
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._closed()
        return time.monotonic()

    def reap(self) -> int | None:
        """The exit status of a process that has ended by itself, once its stream has; None if it was killed from here."""
        if self._orders is None:
            return None
        assert self._process is not None
        try:
            # It has closed its line to us; whatever else it goes on with, to the run it is gone.
            status = self._process.wait(timeout=GOING)
        except subprocess.TimeoutExpired:
            status = None
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._closed()
        return -signal.SIGKILL if status is None else status

    def _closed(self) -> None:
        self.state = "down"
        self.paused = False
        for end in (self._orders, self._answers):
            if end is not None:
                end.close()
        self._orders = self._answers = None

    def stop(self, *, on: bool) -> None:
        """SIGSTOP, or SIGCONT."""
        self._signal(signal.SIGSTOP if on else signal.SIGCONT)
        self.paused = on

    def _signal(self, number: int) -> None:
        """Send a signal to the process and to all that it has started: a host is a machine, and not one process of it."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    # -- orders -----------------------------------------------------------------------------------

    def order(self, what: object) -> None:
        """Tell the process something, as soon as it listens; of what it is told of cuts and boundaries only the latest."""
        if isinstance(what, Cuts | ArmedBoundaries):
            self._unsaid = [other for other in self._unsaid if type(other) is not type(what)]
        self._unsaid.append(what)
        self.say()

    def say(self) -> None:
        """Send what has not been sent, as far as the process has room for it: one that is paused takes it later."""
        while self._orders is not None and (self._half or self._unsaid):
            if not self._half:
                self._half = frame(self._unsaid.pop(0))
            try:
                self._half = self._half[self._orders.send(self._half) :]
            except BlockingIOError:
                return
            except OSError:  # it has gone
                self._unsaid.clear()
                self._half = b""

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
