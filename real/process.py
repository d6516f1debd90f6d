"""A process of a real run: one incarnation of one host's program.

Run by the supervisor as `python -m killpoint.real.process UP ORDERS`, the numbers of two sockets that it inherits: one on which it says
what happens, one on which it is told what to do.  It ends when its program does, when it is killed, and when its supervisor is gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

import trio

from ..explore.catalog import find_scenario
from ..sim.host import Program
from .host import Identity, RealHost
from .line import ProcessLine, crash_detail, happening
from .orders import Armed, Cuts, Go, Setup, Told
from .sockets import installed
from .wire import Frames, receive

_PR_SET_PDEATHSIG = 1


def main(up: int, orders: int) -> None:
    """Live."""
    _die_with_the_supervisor()
    line = ProcessLine(socket.socket(fileno=up))
    source = socket.socket(fileno=orders)
    try:
        setup = receive(source)
    except EOFError:
        return
    assert isinstance(setup, Setup)
    scenario = find_scenario(setup.scenario).mutant(setup.mutant)()
    programs = {**scenario.hosts, **scenario.spares, **scenario.outsiders, **scenario.versions.get(setup.version, {})}
    os.chdir(setup.identity.root)  # a simulated host stands at the root of its disk
    trio.run(_live, setup.identity, programs[setup.identity.name], line, source)


def _die_with_the_supervisor() -> None:
    """A stopped process does not notice that its supervisor has gone; the kernel does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _live(identity: Identity, program: Program, line: ProcessLine, source: socket.socket) -> None:
    go = trio.Event()
    host = RealHost(identity, line)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.transport.run)
        nursery.start_soon(_obey, trio.socket.from_stdlib_socket(source), host, line, go)
        installed(identity.name, identity.addresses, identity.ports, host.transport.gate).__enter__()  # for good
        line.tell(happening("ready", {}))
        await go.wait()
        try:
            await program(host)
        except trio.Cancelled:
            raise  # of ourselves, which has failed
        except BaseException as error:  # noqa: BLE001  # of the program
            line.tell(happening("crash", crash_detail(error)))
            os._exit(1)
        line.tell(happening("exit", {}))
        os._exit(0)


async def _obey(source: trio.socket.SocketType, host: RealHost, line: ProcessLine, go: trio.Event) -> None:
    frames = Frames()
    while data := await source.recv(65536):
        for order in frames.feed(data):
            match order:
                case Go():
                    go.set()
                case Cuts(links):
                    host.transport.gate.set(links)
                case Armed(boundaries):
                    line.armed = boundaries
                case Told(body):
                    host.tell(body)
    os._exit(1)  # the supervisor has gone


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
