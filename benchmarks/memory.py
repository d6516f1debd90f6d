"""What a run of a million messages keeps in memory, with the full trace and without it.

    python benchmarks/memory.py

Two hosts send each other small messages until a million have been delivered.  Each figure is the peak of a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from killpoint import Host
from killpoint.sim.world import World

MESSAGES = 1_000_000
WANTED = {True: 1000, False: 200}


async def talk(host: Host) -> None:
    """Sends on what comes, as it is."""
    if host.name == "n1":
        for number in range(10):
            host.send("n2", ("message", number))
    while True:
        message = await host.receive()
        host.send(message.sender, message.body)


def peak(*, trace: bool) -> float:
    """Run, and say how many megabytes it took at most."""
    world = World({"n1": talk, "n2": talk}, trace=trace)
    world.boot()
    while world.network.delivered < MESSAGES:
        world.advance(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure in fresh processes, and print the table."""
    if len(sys.argv) > 1:
        print(peak(trace=sys.argv[1] == "trace"))
        return
    table = Table("trace", "wanted below", "measured")
    for trace, wanted in WANTED.items():
        command = [sys.executable, __file__, "trace" if trace else "bare"]
        measured = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        table.add_row("full" if trace else "none", f"{wanted} MB", f"{measured:.0f} MB")
    Console().print(table)


if __name__ == "__main__":
    main()
