"""The disk against an oracle that keeps a plain list of everything that was ever done."""

from hypothesis import given, settings
from hypothesis import strategies as st
from sim_worlds import STEADY

from killpoint.sim.disk import SECTOR, DiskImage
from killpoint.sim.noise import keyed_bytes


class Unit:
    """One thing that survives or does not: a sector of a write, a truncation, or a change of names."""

    def __init__(self, apply, *, file=None, directories=frozenset()):
        self.apply = apply
        self.file = file
        self.directories = directories
        self.durable = False

    @property
    def is_name(self):
        return self.file is None


class Oracle:
    """Files are numbers; a state is what the units, applied in order to nothing, leave."""

    def __init__(self):
        self.units = []
        self.files = 0

    def state(self, units=None):
        names, contents = {}, {}
        for unit in self.units if units is None else units:
            unit.apply(names, contents)
        return {path: contents.get(file, b"") for path, file in names.items()}

    def names(self):
        names = {}
        for unit in self.units:
            unit.apply(names, {})
        return names

    def bind(self, **changes):
        def apply(names, _):
            for path, file in changes["bindings"]:
                names.pop(path, None)
                if file is not None:
                    names[path] = file

        directories = frozenset(path.rpartition("/")[0] for path, _ in changes["bindings"])
        self.units.append(Unit(apply, directories=directories))

    def write(self, path, offset, data):
        if path not in self.names():
            self.files += 1
            self.bind(bindings=[(path, self.files)])
        file = self.names()[path]
        start = len(self.state()[path]) if offset is None else offset
        for position in range(start, start + len(data)):
            if position == start or position % SECTOR == 0:
                end = min(start + len(data), (position // SECTOR + 1) * SECTOR)
                self.units.append(self.sector(file, position, data[position - start : end - start]))

    @staticmethod
    def sector(file, position, piece):
        def apply(_, contents):
            old = contents.get(file, b"").ljust(position, b"\0")
            contents[file] = old[:position] + piece + old[position + len(piece) :]

        return Unit(apply, file=file)

    def truncate(self, path, size):
        file = self.names()[path]

        def apply(_, contents):
            contents[file] = contents.get(file, b"")[:size].ljust(size, b"\0")

        self.units.append(Unit(apply, file=file))

    def fsync(self, path):
        for unit in self.units:
            if unit.file == self.names()[path]:
                unit.durable = True

    def fsync_directory(self, directory):
        names = [unit for unit in self.units if unit.is_name]
        touching = [place for place, unit in enumerate(names) if directory in unit.directories]
        for unit in names[: touching[-1] + 1] if touching else []:
            unit.durable = True

    def rename(self, source, target):
        self.bind(bindings=[(source, None), (target, self.names()[source])])

    def remove(self, path):
        self.bind(bindings=[(path, None)])

    def reachable(self):
        """Files that a name, now or after a power loss, may lead to."""
        names, found = {}, set()
        for unit in [unit for unit in self.units if unit.is_name and unit.durable]:
            unit.apply(names, {})
        found |= set(names.values())
        for unit in [unit for unit in self.units if unit.is_name and not unit.durable]:
            unit.apply(names, {})
            found |= set(names.values())
        return found

    def power_loss(self, keep):
        reachable = self.reachable()
        pending = [unit for unit in self.units if not unit.durable and (unit.is_name or unit.file in reachable)]
        word, _, rest = keep.partition(":")
        numbers = [int(number) for number in rest.split(",") if number]
        coins = keyed_bytes(numbers[0], "power-loss") if word == "subset" else b""
        kept, names_are_kept = [], True
        for place, unit in enumerate(pending):
            survives = {
                "none": lambda: False,
                "all": lambda: True,
                "prefix": lambda place=place: place < numbers[0],
                "units": lambda place=place: place in numbers,
                "subset": lambda place=place: bool(coins[place // 8 % 32] & 1 << place % 8),
            }[word]()
            if unit.is_name:
                names_are_kept = survives = names_are_kept and survives
            if survives:
                kept.append(unit)
        self.units = [unit for unit in self.units if unit.durable or unit in kept]
        for unit in self.units:
            unit.durable = True
        return len(kept), len(pending)


PATHS = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/c"])
OFFSETS = st.sampled_from([0, 1, 511, 512, 700, 1024])
DATA = st.builds(lambda letter, size: letter * size, st.sampled_from([b"x", b"y", b"z"]), st.sampled_from([0, 1, 12, 513, 1500]))
KEEPS = (
    st.sampled_from(["none", "all"])
    | st.integers(0, 12).map("prefix:{}".format)
    | st.integers(0, 2**32).map("subset:{}".format)
    | st.lists(st.integers(0, 12), max_size=6).map(lambda numbers: f"units:{','.join(map(str, numbers))}")
)
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, OFFSETS, DATA),
    st.tuples(st.just("write"), PATHS, st.none(), DATA),
    st.tuples(st.just("truncate"), PATHS, OFFSETS),
    st.tuples(st.just("fsync"), PATHS),
    st.tuples(st.just("fsync_directory"), st.sampled_from(["", "d", "d/e"])),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("power_loss"), KEEPS),
)


def files_of(disk):
    return {path: disk.read(path) for path in disk.files()}


@settings(STEADY, max_examples=400)
@given(st.lists(STEPS, max_size=14), KEEPS)
def test_the_disk_agrees_with_the_oracle(steps, keep):
    disk, oracle = DiskImage(), Oracle()
    for name, *arguments in [*steps, ("power_loss", keep)]:
        if name in ("truncate", "fsync", "rename", "remove") and arguments[0] not in oracle.names():
            continue
        found = getattr(disk, name)(*arguments)
        expected = getattr(oracle, name)(*arguments)
        assert found == expected
        assert files_of(disk) == oracle.state()
    assert disk.pending == 0


@settings(STEADY, max_examples=100)
@given(st.lists(STEPS.filter(lambda step: step[0] != "power_loss"), max_size=14))
def test_keeping_everything_loses_nothing(steps):
    disk = DiskImage()
    for name, *arguments in steps:
        if name not in ("truncate", "fsync", "rename", "remove") or disk.exists(arguments[0]):
            getattr(disk, name)(*arguments)
    before = files_of(disk)
    disk.power_loss("all")
    assert files_of(disk) == before
