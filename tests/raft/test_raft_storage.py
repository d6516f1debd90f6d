"""Term, vote and log come back from the disk as they were saved."""

import random

import msgspec
import pytest
import trio
from raft_hosts import Disk, immediately

from killpoint.model.raft import Entry, HardState, Persist, RaftStorage, Request, Saved
from killpoint.model.wal import WalCorruptionError, WalFile


def after(*steps, disk=None, **kwargs):
    """What is recovered after these saves and a power loss."""
    disk = disk or Disk()

    async def save():
        storage = RaftStorage(disk, **kwargs)
        await storage.recover()
        for step in steps:
            await storage.save(step)

    trio.run(save)
    disk.cached = dict(disk.durable)
    return trio.run(RaftStorage(disk, **kwargs).recover)


def test_a_new_disk_holds_nothing():
    assert after() == Saved(HardState(0, None), ())


def test_term_and_vote_are_the_latest():
    assert after(Persist(HardState(3, "n2")), Persist(None, 1, (Entry(3),)), Persist(HardState(4))).hard_state == HardState(4)


@pytest.mark.parametrize(
    "command",
    [None, False, 0, -1.5, "text", b"bytes", (), (1, ("nested", None, b"")), Request("c1", 7, ("put", 1)), Request("c", 8, None)],
)
def test_commands_come_back_equal_and_of_the_same_type(command):
    (entry,) = after(Persist(None, 1, (Entry(2, command),))).entries
    assert entry == Entry(2, command)
    assert type(entry.command) is type(command)


def test_later_records_replace_entries_from_their_index_on():
    saved = after(
        Persist(None, 1, tuple(Entry(1, i) for i in range(5))),
        Persist(None, 3, (Entry(2, "x"),)),
        Persist(None, 4, (Entry(2, "y"), Entry(2, "z"))),
        Persist(HardState(2), 5, ()),
    )
    assert [entry.command for entry in saved.entries] == [0, 1, "x", "y"]


class Put(msgspec.Struct, frozen=True, tag=True):
    key: str


class Delete(msgspec.Struct, frozen=True, tag=True):
    key: str


def test_commands_that_are_structs_bring_their_own_decoder():
    entries = (Entry(1, Put("a")), Entry(1, Request("c", 1, Delete("a"))), Entry(1))
    saved = after(Persist(None, 1, entries), decode=msgspec.msgpack.Decoder(Put | Delete).decode)
    assert saved.entries == entries
    with pytest.raises(WalCorruptionError, match="dict is not a plain value"):
        after(Persist(None, 1, entries))


def wal_of(*records):
    disk = Disk()

    async def write():
        wal = WalFile(disk, "raft.wal")
        await wal.recover()
        for record in records:
            await wal.append(record)
            await wal.sync()

    trio.run(write)
    return disk


def test_a_record_that_does_not_fit_those_before_it_is_corruption():
    gap = RaftStorage(Disk()).record(Persist(None, 3, (Entry(1),)))
    with pytest.raises(WalCorruptionError, match="record 0 is whole, but makes no sense: it replaces entries from 3 on"):
        after(disk=wal_of(gap))


def test_fuzz_20000_records_give_a_state_or_a_sentence():
    rng = random.Random(5)
    record = RaftStorage(Disk()).record(Persist(HardState(3, "n1"), 1, (Entry(3), Entry(3, Request("c", 1, ("a", b"b"))))))
    states = sentences = 0

    class OneRecord:
        async def recover(self):
            return (self.data,)

    storage, source = RaftStorage(Disk()), OneRecord()
    storage._wal = source
    for _ in range(20_000):
        data = bytearray(record)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        source.data = bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            saved = immediately(storage.recover())
        except WalCorruptionError:
            sentences += 1
        else:
            states += 1
            assert all(isinstance(entry.term, int) and hash(entry) is not None for entry in saved.entries)
    assert min(states, sentences) > 1_000
