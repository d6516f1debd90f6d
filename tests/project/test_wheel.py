"""What is installed is the package `killpoint` and nothing else, with files where the source tree has links."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

from project_files import LINKED, ROOT, modules


def wheel(distribution: Path) -> zipfile.ZipFile:
    """The wheel, open."""
    (path,) = distribution.glob("*.whl")
    assert path.name.endswith("-py3-none-any.whl")
    return zipfile.ZipFile(path)


def packaged(name: str) -> str:
    """Where a file of the source tree stands in the wheel."""
    return name if name.startswith("killpoint/") else f"killpoint/{name}"


def test_the_wheel_holds_every_module_under_one_name(distribution: Path) -> None:
    with wheel(distribution) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert {name for name in names if name.endswith(".py")} == {packaged(name) for name in modules(*LINKED, "killpoint")}
        assert {name.partition("/")[0] for name in names} == {"killpoint"}
        assert all(archive.read(name) == (ROOT / name).read_bytes() for name in names)


def test_the_wheel_holds_what_is_no_module(distribution: Path) -> None:
    assets = {packaged(path.relative_to(ROOT).as_posix()) for path in (ROOT / "report" / "assets").iterdir()}
    with wheel(distribution) as archive:
        assert {"killpoint/py.typed", *assets} == {
            name for name in archive.namelist() if not name.endswith(".py") and ".dist-info/" not in name
        }


def test_the_wheel_is_described(distribution: Path) -> None:
    with wheel(distribution) as archive:
        (description,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        described = message_from_string(archive.read(description).decode())
        assert described["Name"] == "killpoint"
        assert described["Requires-Python"] == ">=3.11"
        assert described["License-Expression"] == "Apache-2.0"
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_the_source_distribution_holds_files_and_no_links(distribution: Path) -> None:
    (path,) = distribution.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = {member.name.partition("/")[2]: member for member in archive.getmembers()}
    assert all(member.isfile() for member in members.values())
    assert {packaged(name) for name in modules(*LINKED, "killpoint")} <= set(members)
    assert {"README.md", "LICENSE", "pyproject.toml"} <= set(members)


def test_the_installed_package_is_the_wheel_and_its_commands_work(installed: Path, tmp_path: Path) -> None:
    def told(*command: str | Path) -> str:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    file = told(installed, "-c", "import killpoint.sim.disk as disk; print(disk.__file__)").strip()
    assert Path(file).is_relative_to(installed.parent.parent.resolve())
    assert "civictrust" in told(installed.with_name("killpoint"), "scenarios")
    assert told(installed, "-c", "from importlib.util import find_spec; print(find_spec('sim'))").strip() == "None"
