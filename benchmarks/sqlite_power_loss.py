"""Real SQLite on the simulated disk, under power losses: what its documentation calls safe loses nothing, and what it calls unsafe does.

    python benchmarks/sqlite_power_loss.py [--losses 300] [--transactions 40] [--processes 2]

For each journal mode and synchronous setting a program commits transactions and says so after each; at a random disk operation the
machine loses power, of what was not synced the disk keeps a random half, and the program opens its database again.  *Lost* are losses
of power after which an acknowledged transaction was gone, *corrupt* those after which SQLite's own check found the file damaged.  Nothing
depends on the machine.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import apsw
import msgspec
import trio
from rich.console import Console
from rich.table import Table

from killpoint import Host, sqlite
from killpoint.sim.aim import Armed
from killpoint.sim.codec import write_atomically
from killpoint.sim.faults import PowerLoss
from killpoint.sim.world import World

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sqlite.md"

SAFE, WHOLE, RARELY, UNSAFE = "loses nothing", "may lose, never corrupt", "may rarely corrupt", "may lose and corrupt"
DOCUMENTED = {
    **dict.fromkeys([("DELETE", "EXTRA"), ("TRUNCATE", "EXTRA"), ("PERSIST", "EXTRA"), ("WAL", "EXTRA")], SAFE),
    **dict.fromkeys([("TRUNCATE", "FULL"), ("PERSIST", "FULL"), ("WAL", "FULL")], SAFE),
    **dict.fromkeys([("DELETE", "FULL"), ("WAL", "NORMAL")], WHOLE),
    **dict.fromkeys([("DELETE", "NORMAL"), ("TRUNCATE", "NORMAL"), ("PERSIST", "NORMAL")], RARELY),
    **dict.fromkeys([("DELETE", "OFF"), ("TRUNCATE", "OFF"), ("PERSIST", "OFF"), ("WAL", "OFF")], UNSAFE),
    **dict.fromkeys(
        [(journal, synchronous) for journal in ("MEMORY", "OFF") for synchronous in ("EXTRA", "FULL", "NORMAL", "OFF")], UNSAFE
    ),
}
"""What sqlite.org says of each (pragma.html#pragma_synchronous, howtocorrupt.html, wal.html)."""


class Count(msgspec.Struct):
    """One mode: power losses, after how many of them something was lost or corrupt, and how many transactions were lost."""

    losses: int = 0
    lost: int = 0
    corrupt: int = 0
    transactions: int = 0


def program(journal: str, synchronous: str, transactions: int) -> object:
    """Commits, and says so; after a restart looks what is there."""

    async def main(host: Host) -> None:
        if host.incarnation > 1:
            host.observe(**_found())
            return
        connection = sqlite.connect("/var/lib/app.db")
        assert connection.execute(f"PRAGMA journal_mode={journal}").get == journal.lower()
        connection.execute(f"PRAGMA synchronous={synchronous}")
        for number in range(transactions):
            with connection:
                if number == 0:
                    connection.execute("CREATE TABLE item(number INTEGER PRIMARY KEY, content BLOB)")
                connection.execute("INSERT INTO item VALUES(?, ?)", (number, bytes(700)))
                connection.execute("UPDATE item SET content = ? WHERE number = ?", (bytes([number % 256]) * 900, number // 2))
            host.observe(acknowledged=number + 1)
            await trio.sleep(0.001)
        await trio.sleep_forever()

    return main


def _found() -> dict[str, object]:
    """How many transactions are there, and whether the file is whole."""
    try:
        connection = sqlite.connect("/var/lib/app.db")
        whole = connection.execute("PRAGMA integrity_check").get == "ok"
        exists = connection.execute("SELECT count(*) FROM sqlite_master").get
        rows = connection.execute("SELECT count(*) FROM item").get if exists else 0
    except (apsw.CorruptError, apsw.NotADBError):
        return {"found": 0, "whole": False}
    return {"found": rows, "whole": whole}


def torture(journal: str, synchronous: str, losses: int, transactions: int) -> Count:
    """Lose power so often, each time in a world of its own."""
    count = Count()
    for number in range(losses):
        random = Random(f"{journal} {synchronous} {number}")
        world = World({"n1": program(journal, synchronous, transactions)}, seed=number)  # type: ignore[dict-item]
        world.boot()
        machine = world.machines["n1"]
        seen: dict[str, object] = {}
        fault = PowerLoss(target="n1", keep=f"subset:{random.randrange(10**6)}", duration=0.5)

        def strike(world: World = world, seen: dict[str, object] = seen, fault: PowerLoss = fault) -> None:
            seen.update(world.machines["n1"].observed)
            fault.strike(world)

        machine.arm(Armed(0, "disk", None, "", random.randrange(1, 14 * transactions), strike))
        world.advance(2.0)
        if machine.incarnation == 1:  # it was done before the moment came
            strike()
            world.advance(2.0)
        acknowledged, found = seen.get("acknowledged", 0), machine.observed.get("found", 0)
        whole = machine.observed.get("whole", False)
        assert isinstance(acknowledged, int)
        assert isinstance(found, int)
        count.losses += 1
        count.corrupt += not whole
        count.lost += whole is True and found < acknowledged
        count.transactions += max(acknowledged - found, 0) if whole else 0
        world.bury()
    return count


def holds(said: str, count: Count) -> bool:
    """True if a mode did what is documented; of what is unsafe that it was caught."""
    if said == SAFE:
        return not count.lost and not count.corrupt
    if said == RARELY:
        return True
    if said == WHOLE:
        return count.lost > 0 and not count.corrupt
    return count.lost + count.corrupt > 0


def page(options: argparse.Namespace, counts: dict[tuple[str, str], Count]) -> str:
    """The whole document."""
    rows = [
        f"| `{mode[0]}` | `{mode[1]}` | {DOCUMENTED[mode]} | {count.lost} | {count.corrupt} | {count.transactions} |"
        for mode, count in counts.items()
    ]
    return "\n".join(
        [
            "# SQLite on the simulated disk",
            "",
            "`killpoint.sqlite.connect(path)` (extra `sqlite`) opens a database on the disk of the host whose program calls it, in",
            "every journal and locking mode, and a real one elsewhere. It is real SQLite: simulated is what it stands on. That makes it",
            "the disk model's self-test, too. In each mode a program commits transactions, the machine loses power at a random disk",
            "operation, and a random half of the sectors and names that were not synced survives. Made by",
            "",
            f"    python benchmarks/sqlite_power_loss.py --losses {options.losses} --transactions {options.transactions}",
            "",
            f"Of {options.losses} power losses each: *lost*, after how many an acknowledged transaction was gone; *corrupt*, after how",
            "many SQLite's own check found the file damaged; and how many transactions were lost in all.",
            "",
            "| journal | synchronous | documented | lost | corrupt | transactions lost |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "`DELETE` with `FULL` commits by removing a file, and does not sync the directory: the journal may come back, and undo the",
            "last transaction. `EXTRA` syncs it.",
            "",
        ]
    )


def main() -> int:
    """Torture every mode, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--losses", type=int, default=300)
    parser.add_argument("--transactions", type=int, default=40)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="do not write the page")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.processes) as pool:
        pending = {mode: pool.submit(torture, *mode, options.losses, options.transactions) for mode in DOCUMENTED}
        counts = {mode: future.result() for mode, future in pending.items()}
    table = Table("journal", "synchronous", "documented", "lost", "corrupt", "transactions lost", "as documented")
    for mode, count in counts.items():
        said = DOCUMENTED[mode]
        table.add_row(*mode, said, str(count.lost), str(count.corrupt), str(count.transactions), "yes" if holds(said, count) else "NO")
    Console().print(table)
    if not options.dry:
        write_atomically(PAGE, page(options, counts))
    return 0 if all(holds(DOCUMENTED[mode], count) for mode, count in counts.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
