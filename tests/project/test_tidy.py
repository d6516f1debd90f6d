"""The rules of the house, as far as a machine can read them.  ARCHITECTURE.md gives the reasons."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import pytest
from project_files import LINKED, ROOT, absolute_imports, imports, is_in, modules, named, project_files

import killpoint
from killpoint.explore.catalog import find_scenario, scenario_names
from killpoint.sim.fault import Fault

# -- the arrows ---------------------------------------------------------------------------------------

SHELLS = {
    "model/civictrust/intents.py",
    "model/civictrust/mutants.py",
    "model/civictrust/node.py",
    "model/civictrust/outsiders.py",
    "model/civictrust/recovery.py",
    "model/civictrust/scenario.py",
    "model/civictrust/store.py",
    "model/raft/node.py",
    "model/raft/storage.py",
    "model/wal/file.py",
}
"""Modules of the systems that touch time, tasks, disk or network.  All others are cores, which can be run without a world."""

SHARED = ("model.raft", "model.wal")
"""What several systems are built from."""


def arrows(*folders: str) -> Iterator[tuple[str, str]]:
    """(module, what it imports) for all modules of some folders."""
    for name, tree in modules(*folders).items():
        for target in imports(name, tree):
            yield name, target


def ours(target: str) -> bool:
    """Whether an imported name is one of our own modules, face included."""
    return is_in(target, *LINKED) or is_in(target, *FACE)


FACE = {path.stem for path in (ROOT / "killpoint").iterdir() if not path.is_symlink()} - {"__pycache__", "__init__"}


COMPILED = ("properties/compiled.py", "properties/kernel.py", "properties/monitors/sweeps.py")
"""Modules that need the extra `fast`, and are loaded only where it is installed."""


def test_properties_import_nothing_of_ours_and_little_else() -> None:
    allowed = {"msgspec", "networkx", "properties", "zstandard"}
    for name, target in arrows("properties"):
        top = target.partition(".")[0]
        compiled = name in COMPILED and top in ("numba", "numpy")
        assert top in allowed or compiled or top in sys.stdlib_module_names, f"{name} imports {target}"


def test_the_world_sees_only_the_vocabulary_of_properties() -> None:
    # The one checker that the world itself brings: an unexpected crash is a failing verdict in every scenario.
    vocabulary = {"properties.history", "properties.verdict"}
    for name, target in arrows("sim"):
        if ours(target) and not is_in(target, "sim"):
            crash = name == "sim/session.py" and target == "properties.common"
            assert target in vocabulary or crash, f"{name} imports {target}"


def test_systems_see_properties_and_the_host_protocol() -> None:
    for name, target in arrows("model"):
        if ours(target) and not is_in(target, "model", "properties", "sim.host"):
            assert is_in(target, "sim"), f"{name} imports {target}"
            assert name.endswith("/scenario.py"), f"{name} imports {target}: only scenario.py ties a system to the world"


def test_cores_do_no_io() -> None:
    touch = ("trio", "anyio", "asyncio", "socket", "sim", *(shell.removesuffix(".py").replace("/", ".") for shell in SHELLS))
    for name, target in arrows("model"):
        # A package's __init__ lists what the package offers, core and shell.
        if name not in SHELLS and not name.endswith("/__init__.py"):
            assert not is_in(target, *touch), f"{name} imports {target}: a core is sans-I/O"


def test_every_shell_is_one() -> None:
    shells = {shell.removesuffix(".py").replace("/", ".") for shell in SHELLS}
    for name in SHELLS:
        targets = set(imports(name, modules("model")[name]))
        assert any(is_in(target, "trio", "sim") for target in targets) or targets & shells, f"{name} could be a core"


def test_systems_do_not_know_each_other() -> None:
    for name, target in arrows("model"):
        own = ".".join(name.split("/")[:2])
        if is_in(target, "model") and not is_in(target, own):
            assert is_in(target, *SHARED), f"{name} imports {target}"


def test_the_search_knows_no_system() -> None:
    for name, target in arrows("explore"):
        if ours(target):
            assert is_in(target, "explore", "sim", "properties", "report"), f"{name} imports {target}"


def test_real_processes_are_the_simulators_sibling() -> None:
    # A process finds its scenario as every process of ours does; crashes of programs are judged as in the simulator.
    shared = {"explore.catalog", "explore.confirm", "properties.common", "properties.history", "properties.verdict"}
    for name, target in arrows("real"):
        if ours(target) and not is_in(target, "real", "sim"):
            assert target in shared, f"{name} imports {target}"
    for name, target in arrows("sim", "model", "properties", "explore", "report"):
        assert not is_in(target, "real"), f"{name} imports {target}"


def test_pictures_are_drawn_from_records() -> None:
    for name, target in arrows("report"):
        if ours(target):
            assert is_in(target, "report", "sim", "properties"), f"{name} imports {target}"


def test_the_face_knows_no_system() -> None:
    for name, target in arrows("killpoint"):
        assert not is_in(target, "model"), f"{name} imports {target}: scenarios are found by their entry points"


def test_imports_inside_the_package_are_relative() -> None:
    for name, tree in modules(*LINKED, "killpoint").items():
        for line, target in absolute_imports(tree):
            assert not is_in(target, "killpoint", *LINKED), f"{name}:{line} imports {target} by its absolute name"


def test_private_names_of_trio_are_used_in_few_modules() -> None:
    private = re.compile(r"\btrio\.(?:\w+\.)*_\w+|\bfrom trio\S* import [^\n]*\b_\w+")
    using = {named(path) for path in project_files() if named(path).endswith(".py") and private.search(path.read_text("utf-8"))}
    assert {name for name in using if not name.startswith("tests/")} == {"sim/trio_driver.py", "sim/trio_parts.py", "sim/trio_sockets.py"}


def test_imports_are_named_from_the_top_folders() -> None:
    hidden = "def f():\n    import trio.lowlevel\n    from ...sim import faults, host as h\n    from ...sim.world import World"
    found = imports("model/civictrust/node.py", ast.parse(f"from ..raft import Raft\n{hidden}"))
    assert sorted(found) == ["model.raft", "sim.faults", "sim.host", "sim.world", "trio.lowlevel"]
    assert imports("killpoint/run.py", ast.parse("from .sim.session import Session\nfrom .tables import Table")) == [
        "sim.session",
        "tables",
    ]


# -- the layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", LINKED)
def test_a_folder_is_reached_through_a_relative_link(folder: str) -> None:
    link = ROOT / "killpoint" / folder
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{folder}"
    assert link.resolve() == ROOT / folder


@pytest.mark.parametrize("folder", LINKED)
def test_a_folder_refuses_its_bare_name(folder: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"import this package as killpoint.{folder}, not as {folder}: a bare import makes a second copy" in done.stderr


def test_modules_are_small() -> None:
    lines = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in modules(*LINKED, "killpoint")}
    assert {name: count for name, count in lines.items() if count > 450} == {}


def test_modules_open_with_their_reasons() -> None:
    for name, tree in modules(*LINKED, "killpoint").items():
        assert ast.get_docstring(tree), f"{name} has no docstring"


# -- determinism --------------------------------------------------------------------------------------

OUTSIDE = {
    "datetime": "the wall clock",
    "random": "a stream that everybody shares (a Random of one's own, seeded, is fine)",
    "secrets": "entropy",
    "threading": "an order that the operating system chooses",
    "time": "the wall clock",
    "uuid": "entropy",
}
ALLOWED = {
    ("sim/watchdog.py", "threading"): "looks from outside at a host that never yields",
    **{
        (f"sim/interpose/{name}.py", module): "gives hosts their own, and nobody else"
        for name, modules in (
            ("times", ("datetime", "time")),
            ("randomness", ("random", "uuid")),
            ("refusals", ("threading",)),
            ("running", ("threading",)),
            ("switch", ("random", "uuid")),
        )
        for module in modules
    },
    ("explore/determinism.py", "threading"): "listens to two processes at once",
    ("explore/finding.py", "time"): "how long shrinking took is told to people and is part of no result",
}
REPEATABLE = ("sim", "properties", "model", "explore")


def test_no_clock_and_no_entropy_enters_a_result() -> None:
    used = set()
    for name, tree in modules(*REPEATABLE).items():
        taken = {node.module: [alias.name for alias in node.names] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        for line, target in absolute_imports(tree):
            if target in OUTSIDE and not (target == "random" and taken.get(target) == ["Random"]):
                assert (name, target) in ALLOWED, f"{name}:{line} imports {target}: {OUTSIDE[target]}"
                used.add((name, target))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                allowed = name == "sim/interpose/randomness.py"
                assert allowed or node.attr not in ("urandom", "getrandom"), f"{name}:{node.lineno} reads the system's entropy"
    assert used == set(ALLOWED), "an exception that nobody needs any more"


def test_generators_are_always_seeded() -> None:
    for name, tree in modules(*REPEATABLE).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) == "Random":
                assert node.args, f"{name}:{node.lineno}: Random() seeds itself from the system's entropy"


def taken_in_order(tree: ast.Module) -> Iterator[ast.expr]:
    """Every expression whose elements are taken one after the other."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.iter
        elif isinstance(node, ast.Starred):
            yield node.value
        elif isinstance(node, ast.Call) and called(node) in ("list", "tuple", "iter", "enumerate", "zip"):
            yield from node.args


def called(node: ast.expr) -> str:
    """The name of the function that an expression calls, if it calls one by its name."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def is_set(source: ast.expr) -> bool:
    """Whether an expression certainly makes a set."""
    return isinstance(source, ast.Set | ast.SetComp) or called(source) in ("set", "frozenset")


def test_nothing_is_taken_in_the_order_of_a_set() -> None:
    for name, tree in modules(*REPEATABLE, "report").items():
        for source in taken_in_order(tree):
            assert not is_set(source), f"{name}:{source.lineno} iterates over a set: sort it"


def test_taking_in_the_order_of_a_set_is_seen() -> None:
    tree = ast.parse("for x in {1}: pass\n[y for y in {z for z in w}]\n(*set(a), )\nlist(frozenset(b))")
    assert (
        len([s for s in taken_in_order(tree) if isinstance(s, ast.Set | ast.SetComp) or called(s) in ("set", "frozenset")]) == 4
    )


# -- what is written in files -------------------------------------------------------------------------

# In pieces, so that this file does not hold what it forbids.
MACHINE_PATH = re.compile(r"(?<![\w.$}\-/])/(?:" + "work|root|tmp|home" + r")\b")
REGISTRY = re.compile("pypi" + r"\.org|python" + "hosted|index" + "[-_]url|find" + "-links|trusted" + "-host")
NUMBERED = re.compile(r"\bissue" + r" #?\d+|\(#" + r"\d+\)|\b(?:fixe[sd]|closes|resolves|see)" + r" #\d+|\bGH-" + r"\d+")


FORBIDDEN = {"a path of one machine": MACHINE_PATH, "a registry": REGISTRY, "an issue's number": NUMBERED}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern, found = FORBIDDEN[what], []
    for path in project_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{named(path)}:{number}: {line.strip()}"] if pattern.search(line) else []
    assert found == [], f"{what} stands in a file"


def test_the_patterns_find_what_they_forbid() -> None:
    assert MACHINE_PATH.search("cd /" + "work/main")
    assert REGISTRY.search("--index" + "-url https://example.invalid")
    assert NUMBERED.search("see issue" + " 12")
    assert NUMBERED.search("fixed (#" + "7)")
    assert not NUMBERED.search("fill: #123456; stroke: '#222'")


# -- docstrings ---------------------------------------------------------------------------------------


def test_every_public_name_is_documented() -> None:
    for name in killpoint.__all__:
        thing = getattr(killpoint, name)
        documented = thing if isinstance(thing, type) or callable(thing) or inspect.ismodule(thing) else type(thing)
        assert documented.__doc__, f"killpoint.{name} has no docstring"


def checkers() -> Iterator[type]:
    """Every class of `killpoint.properties` that is a property."""
    package = import_module("killpoint.properties")
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        if found.name.removeprefix("killpoint.").replace(".", "/") + ".py" in COMPILED:
            continue  # functions only
        for thing in vars(import_module(found.name)).values():
            defined_here = isinstance(thing, type) and thing.__module__ == found.name
            if defined_here and hasattr(thing, "start") and hasattr(thing, "name") and not getattr(thing, "_is_protocol", False):
                yield thing


def test_every_checker_says_what_it_checks() -> None:
    found = list(checkers())
    assert len(found) >= 10
    for checker in found:
        told = f"{checker.__doc__} {sys.modules[checker.__module__].__doc__}"
        assert len((checker.__doc__ or "").split()) >= 12, f"{checker.__qualname__}: what must hold?"
        assert "Cost" in told, f"{checker.__qualname__}: what does checking cost?"
        assert re.search("[Ee]vidence", told), f"{checker.__qualname__}: what kinds of evidence does it give?"


def test_every_fault_names_the_event_that_it_models() -> None:
    assert Fault.registry
    for kind, fault in Fault.registry.items():
        assert fault.__doc__, f"the fault {kind} has no docstring"


def test_every_planted_bug_tells_its_story_and_its_minimal_trigger() -> None:
    planted = 0
    for reference in scenario_names():
        scenario = find_scenario(reference)
        for name in scenario.mutants:
            mutant = scenario.mutant(name)
            assert re.search(rf"Minimal trigger: {mutant.minimal} actions?\b", mutant.__doc__ or ""), f"{reference} {name}"
            planted += 1
    assert planted >= 8
