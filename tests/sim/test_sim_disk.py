"""What a disk keeps: small cases, counted out."""

import re
from itertools import chain, combinations

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sim_worlds import STEADY, open_world

from killpoint.sim.disk import SECTOR, DiskImage, parse_keep


def after(disk, keep):
    disk.power_loss(keep)
    return {path: disk.read(path) for path in disk.files()}


def outcomes(prepare):
    """Everything that a power loss may leave, over all subsets of what was pending."""
    fresh = DiskImage()
    prepare(fresh)
    units = range(fresh.pending)
    found = []
    for chosen in chain.from_iterable(combinations(units, size) for size in range(len(units) + 1)):
        disk = DiskImage()
        prepare(disk)
        found.append(after(disk, f"units:{','.join(map(str, chosen))}"))
    return found


def distinct(found):
    return [dict(files) for files in sorted({tuple(sorted(files.items())) for files in found})]


def test_what_was_never_synced_may_be_lost_or_kept():
    def prepare(disk):
        disk.write("a", 0, b"x")

    assert distinct(outcomes(prepare)) == [{}, {"a": b""}, {"a": b"x"}]


def test_a_synced_file_without_a_synced_name_is_lost():
    def prepare(disk):
        disk.write("a", 0, b"x")
        disk.fsync("a")

    assert distinct(outcomes(prepare)) == [{}, {"a": b"x"}]


def test_what_was_synced_with_its_name_is_there():
    def prepare(disk):
        disk.write("a", 0, b"x")
        disk.fsync("a")
        disk.fsync_directory("")

    assert outcomes(prepare) == [{"a": b"x"}]


def test_appends_after_a_sync_are_lost_and_kept_by_the_sector():
    old = b"o" * 510

    def prepare(disk):
        disk.write("a", 0, old)
        disk.fsync("a")
        disk.fsync_directory("")
        disk.write("a", None, b"abcdef")

    whole, none = old + b"abcdef", old
    first, second = old + b"ab", old + b"\0\0cdef"
    assert distinct(outcomes(prepare)) == [{"a": content} for content in sorted([none, first, second, whole])]


def test_overwriting_in_place_tears():
    def prepare(disk):
        disk.write("a", 0, b"o" * 1024)
        disk.fsync("a")
        disk.fsync_directory("")
        disk.write("a", 256, b"n" * 512)

    o, n = b"o" * 256, b"n" * 256
    assert distinct(outcomes(prepare)) == [
        {"a": content} for content in sorted([o + o + o + o, o + n + o + o, o + o + n + o, o + n + n + o])
    ]


def test_replacing_a_file_as_one_should_leaves_the_old_or_the_new_and_nothing_else():
    def prepare(disk):
        disk.write("a", 0, b"old")
        disk.fsync("a")
        disk.fsync_directory("")
        disk.write("a.new", 0, b"new" * 400)
        disk.fsync("a.new")
        disk.rename("a.new", "a")

    found = distinct(outcomes(prepare))
    assert found == [{"a": b"new" * 400}, {"a": b"old"}, {"a": b"old", "a.new": b"new" * 400}]


def test_renaming_before_syncing_may_leave_half_a_file():
    """The classic mistake, which this disk must be able to show."""

    def prepare(disk):
        disk.write("a", 0, b"old")
        disk.fsync("a")
        disk.fsync_directory("")
        disk.write("a.new", 0, b"new" * 400)
        disk.rename("a.new", "a")

    contents = {files["a"] for files in outcomes(prepare)}
    assert b"" in contents
    assert (b"new" * 400)[:512] in contents
    assert b"\0" * 512 + (b"new" * 400)[512:1024] in contents


def test_a_rename_is_never_half_done():
    def prepare(disk):
        for name in ("d/a", "e/b"):
            disk.write(name, 0, name.encode())
            disk.fsync(name)
        disk.fsync_directory("d")
        disk.fsync_directory("e")
        disk.rename("d/a", "e/b")

    assert distinct(outcomes(prepare)) == [{"d/a": b"d/a", "e/b": b"e/b"}, {"e/b": b"d/a"}]


def test_either_directory_of_a_rename_makes_it_durable():
    for directory in ("d", "e"):
        disk = DiskImage()
        disk.write("d/a", 0, b"x")
        disk.fsync("d/a")
        disk.fsync_directory("d")
        disk.rename("d/a", "e/b")
        disk.fsync_directory(directory)
        assert after(disk, "none") == {"e/b": b"x"}


def test_a_removed_file_may_come_back_until_its_directory_is_synced():
    def prepare(disk):
        disk.write("a", 0, b"x")
        disk.fsync("a")
        disk.fsync_directory("")
        disk.remove("a")

    assert distinct(outcomes(prepare)) == [{}, {"a": b"x"}]


def test_directory_operations_survive_as_a_prefix():
    def prepare(disk):
        for name in "abc":
            disk.write(name, 0, b"")

    assert {frozenset(files) for files in outcomes(prepare)} == {frozenset("abc"[:count]) for count in range(4)}


def test_syncing_a_directory_syncs_what_was_done_before_in_others():
    """One journal: it is written up to the operation that was asked for."""
    disk = DiskImage()
    disk.write("d/a", 0, b"")
    disk.write("e/b", 0, b"")
    disk.write("d/c", 0, b"")
    disk.fsync_directory("e")
    assert set(after(disk, "none")) == {"d/a", "e/b"}


def test_truncation_is_pending_too():
    def prepare(disk):
        disk.write("a", 0, b"abcdef")
        disk.fsync("a")
        disk.fsync_directory("")
        disk.truncate("a", 3)
        disk.write("a", None, b"X")

    contents = sorted({files["a"] for files in outcomes(prepare)})
    assert contents == [b"abc", b"abcX", b"abcXef", b"abcdef"]


def test_truncation_extends_with_zeros():
    disk = DiskImage()
    disk.write("a", 0, b"ab")
    disk.truncate("a", 5)
    assert disk.read("a") == b"ab\0\0\0"


def test_the_forms_of_keeping():
    def files(keep):
        disk = DiskImage()
        for number in range(4):
            disk.write("a", number * SECTOR, bytes([65 + number]) * SECTOR)
        kept = disk.power_loss(keep)
        return kept, disk.read("a")[::SECTOR] if disk.exists("a") else None

    assert files("none") == ((0, 5), None)
    assert files("all") == ((5, 5), b"ABCD")
    assert files("prefix:3") == ((3, 5), b"AB")
    assert files("prefix:99") == ((5, 5), b"ABCD")
    assert files("units:0,2,9") == ((2, 5), b"\0B")
    assert files("units:1,2") == ((2, 5), None)
    assert files("units:") == ((0, 5), None)
    kept = {files(f"subset:{number}")[0][0] for number in range(40)}
    assert len(kept) > 3
    assert files("subset:7") == files("subset:7")


def test_an_empty_write_creates_the_file_and_no_more():
    disk = DiskImage()
    disk.write("a", 100, b"")
    assert disk.read("a") == b""
    disk.write("b", 0, b"xyz")
    disk.write("b", 10, b"")
    assert disk.read("b") == b"xyz"
    assert after(disk, "all") == {"a": b"", "b": b"xyz"}


@pytest.mark.parametrize(("operation", "arguments"), [("write", ("a", -1, b"x")), ("truncate", ("a", -1))])
def test_there_is_nothing_before_the_beginning_of_a_file(operation, arguments):
    disk = DiskImage()
    disk.write("a", 0, b"abc")
    with pytest.raises(ValueError, match=r"file 'a' has nothing at offset -1"):
        getattr(disk, operation)(*arguments)
    assert disk.read("a") == b"abc"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("read", ()), ("size", ()), ("truncate", (0,)), ("fsync", ()), ("rename", ("b",)), ("remove", ())],
)
def test_what_is_not_there_is_not_found(operation, arguments):
    with pytest.raises(FileNotFoundError, match="No such file or directory: 'gone'"):
        getattr(DiskImage(), operation)("gone", *arguments)


def test_directories_exist_as_soon_as_a_file_is_in_them():
    disk = DiskImage()
    for name in ("b", "d/x", "d/e/y", "dd"):
        disk.write(name, 0, b"")
    assert disk.list("") == ["b", "d", "dd"]
    assert disk.list("d") == ["e", "x"]
    assert disk.list("d/e") == ["y"]
    assert disk.list("nowhere") == []
    assert not disk.exists("d")
    assert disk.files() == {"b": 0, "d/e/y": 0, "d/x": 0, "dd": 0}


def test_after_a_power_loss_the_disk_goes_on_from_what_it_kept():
    disk = DiskImage()
    disk.write("a", 0, b"one")
    disk.fsync("a")
    disk.fsync_directory("")
    disk.write("a", None, b"two")
    disk.power_loss("none")
    assert disk.pending == 0
    disk.write("a", None, b"three")
    assert disk.read("a") == b"onethree"
    assert after(disk, "none") == {"a": b"one"}


# -- how keeping is written ---------------------------------------------------------------------------


@settings(STEADY)
@given(st.text(max_size=20) | st.from_regex(r"(none|all|prefix|subset|units|unit)(:[-+ 0-9,_a-f]*)?", fullmatch=True))
@example("subset:" + "9" * 60)
@example("prefix:" + "9" * 5000)
@example("units:1,,2")
@example("prefix:٣")
@example("subset:1_0")
def test_every_text_says_what_to_keep_or_is_refused_by_a_sentence(keep):
    disk = DiskImage()
    disk.write("a", 0, b"x" * 2000)
    if re.fullmatch(r"none|all|(prefix|subset):\d{1,18}|units:(\d{1,18}(,\d{1,18})*)?", keep, re.ASCII):
        word, numbers = parse_keep(keep)
        again = f"{word}:{','.join(map(str, numbers))}" if ":" in keep else word
        assert parse_keep(again) == (word, numbers)
        assert 0 <= disk.power_loss(keep)[0] <= 5
    else:
        for refuses in (parse_keep, disk.power_loss):
            with pytest.raises(ValueError, match="does not say what a power loss keeps: none, all, prefix:N, ") as caught:
                refuses(keep)
            assert len(str(caught.value)) < 400
        assert disk.pending == 5


# -- behind the Host protocol -------------------------------------------------------------------------


def test_a_program_finds_what_the_image_holds():
    async def program(host):
        disk = host.disk
        await disk.write("d/a", b"hello")
        await disk.write("d/a", b"J", 0)
        await disk.append("d/a", b" world")
        assert await disk.read("d/a") == b"Jello world"
        await disk.truncate("d/a", 5)
        await disk.rename("d/a", "d/b")
        assert (await disk.exists("d/a"), await disk.exists("d/b")) == (False, True)
        assert await disk.list("d") == ["b"]
        await disk.fsync("d/b")
        await disk.fsync_directory("d")
        with pytest.raises(FileNotFoundError):
            await disk.read("d/a")
        await disk.remove("d/b")
        host.observe(done=True)
        await trio.sleep_forever()

    with open_world(program, trace=True) as world:
        world.advance(1)
        machine = world.machines["n1"]
        assert machine.observed == {"done": True}
        assert machine.disk_operations == 13
        operations = " ".join(event.detail["operation"] for event in world.trace if event.kind == "disk")
        assert operations == "write write append read truncate rename exists exists list fsync fsync_directory read remove"
        world.kill(machine, keep="none")
        assert machine.disk.files() == {"d/b": 5}


def test_a_cancelled_operation_did_not_happen():
    async def program(host):
        with trio.move_on_after(0) as scope:
            await host.disk.write("a", b"x")
        host.observe(cancelled=scope.cancelled_caught, exists=await host.disk.exists("a"))

    with open_world(program) as world:
        world.advance(1)
        assert world.machines["n1"].observed == {"cancelled": True, "exists": False}


def test_every_operation_is_a_checkpoint():
    order = []

    async def program(host):
        async def other():
            order.append("other")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await host.disk.write("a", b"x")
            await host.disk.write("a", b"x")
            order.append("written")

    with open_world(program) as world:
        world.advance(1)
    assert order == ["other", "written"]


def test_a_buffer_that_changes_after_the_write_does_not_change_the_file():
    async def program(host):
        buffer = bytearray(b"before")
        await host.disk.write("a", buffer)
        buffer[:] = b"after!"
        assert await host.disk.read("a") == b"before"
        await host.disk.fsync("a")
        await host.disk.fsync_directory()
        await trio.sleep_forever()

    with open_world(program) as world:
        world.advance(1)
        machine = world.machines["n1"]
        world.kill(machine, keep="none")
        assert machine.disk.read("a") == b"before"


@pytest.mark.parametrize("how", ["append", "write", "truncate"])
def test_a_disk_that_is_full_says_so_and_has_room_again_when_something_is_removed(how, monkeypatch):
    piece = 1000
    monkeypatch.setattr("killpoint.sim.disk.CAPACITY", 4 * piece)

    async def program(host):
        for number in range(4):
            await host.disk.append(f"file{number}", bytes(piece))
        with pytest.raises(OSError, match="No space left on device"):
            await {
                "append": lambda: host.disk.append("more", b"x"),
                "write": lambda: host.disk.write("file0", b"x", piece),
                "truncate": lambda: host.disk.truncate("file0", 10**12),
            }[how]()
        await host.disk.write("file0", b"x", 0)
        for number in range(4):
            await host.disk.fsync(f"file{number}")
        await host.disk.remove("file1")
        await host.disk.fsync_directory()
        await host.disk.append("more", b"x")
        host.observe(done=True)

    with open_world(program) as world:
        world.advance(1.0)
        assert world.machines["n1"].observed == {"done": True}
