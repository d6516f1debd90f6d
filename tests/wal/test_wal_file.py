"""A log file keeps what was synced, through process kills and power losses."""

import pytest
import trio

from killpoint.model.wal import WalCorruptionError, WalFile, encode


class Disk:
    """Just enough of a disk: `cached` is what programs see, `durable` what a power loss leaves."""

    def __init__(self):
        self.cached: dict[str, bytes] = {}
        self.synced: dict[str, bytes] = {}
        self.names: set[str] = set()

    async def exists(self, path):
        return path in self.cached

    async def read(self, path):
        return self.cached[path]

    async def write(self, path, data, offset=0):
        old = self.cached.get(path, b"")
        self.cached[path] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]

    async def truncate(self, path, size):
        self.cached[path] = self.cached[path][:size].ljust(size, b"\0")

    async def fsync(self, path):
        self.synced[path] = self.cached[path]

    async def fsync_directory(self, path=""):
        self.names = {name for name in self.cached if name.rpartition("/")[0] == path}

    def power_loss(self, keep: int = 0):
        """Lose what was not synced, but for `keep` bytes."""
        self.cached = {
            name: self.synced.get(name, b"") + self.cached[name][len(self.synced.get(name, b"")) :][:keep] for name in self.names
        }


def fill(disk, *records, path="log"):
    async def main():
        wal = WalFile(disk, path)
        found = await wal.recover()
        for record in records:
            await wal.append(record)
            await wal.sync()
        return found

    return trio.run(main)


def test_records_are_there_after_power_loss_once_synced():
    disk = Disk()
    fill(disk, b"a", b"b")
    disk.power_loss()
    assert fill(disk, b"c") == (b"a", b"b")
    disk.power_loss()
    assert fill(disk) == (b"a", b"b", b"c")


def test_a_log_in_a_folder_survives_its_first_power_loss():
    disk = Disk()
    fill(disk, b"a", path="raft/log")
    disk.power_loss()
    assert fill(disk, path="raft/log") == (b"a",)


def test_a_torn_record_is_cut_off_and_the_next_one_takes_its_place():
    for keep in range(26):
        disk = Disk()
        fill(disk, b"a")

        async def tear(disk=disk):
            wal = WalFile(disk, "log")
            await wal.recover()
            await wal.append(b"torn.")

        trio.run(tear)
        disk.power_loss(keep)
        kept = (b"a", b"torn.") if keep == 25 else (b"a",)
        assert fill(disk) == kept
        assert len(disk.cached["log"]) == sum(20 + len(record) for record in kept)
        assert fill(disk, b"next") == kept
        disk.power_loss()
        assert fill(disk) == (*kept, b"next")


def test_recovery_makes_durable_what_it_returns():
    disk = Disk()
    fill(disk)

    async def append_without_sync():
        wal = WalFile(disk, "log")
        await wal.recover()
        await wal.append(b"in the page cache")

    trio.run(append_without_sync)
    assert fill(disk) == (b"in the page cache",)
    disk.power_loss()
    assert fill(disk) == (b"in the page cache",)


def test_corruption_in_the_middle_is_an_error_that_names_the_place():
    disk = Disk()
    fill(disk, b"a", b"b", b"c")
    size = len(encode(b"a", 0, 0))
    disk.cached["log"] = disk.cached["log"][:size] + b"?" + disk.cached["log"][size + 1 :]
    with pytest.raises(WalCorruptionError, match=f"log is corrupt at offset {size}: record 1 cannot be read, but"):
        fill(disk)
