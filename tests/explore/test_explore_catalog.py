"""Finding scenarios by reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from replicated_register import ReplicatedRegister

from killpoint.explore.catalog import UnknownScenarioError, find_scenario, reference_to, scenario_names, with_faults
from killpoint.model.civictrust.scenario import CivicTrust
from killpoint.sim.fault import FaultError

HERE = Path(__file__).parent


def test_installed_scenarios_are_found_by_name() -> None:
    assert "civictrust" in scenario_names()
    assert find_scenario("civictrust") is CivicTrust
    assert reference_to(CivicTrust) == "civictrust"


def test_a_file_and_the_module_made_from_it_are_one_scenario() -> None:
    assert find_scenario(f"{HERE / 'replicated_register.py'}:ReplicatedRegister") is ReplicatedRegister
    assert find_scenario("replicated_register:ReplicatedRegister") is ReplicatedRegister


def test_a_reference_is_relative_to_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    assert reference_to(ReplicatedRegister) == "replicated_register.py:ReplicatedRegister"
    assert find_scenario(reference_to(ReplicatedRegister)) is ReplicatedRegister


def test_a_scenario_can_be_given_other_faults() -> None:
    every = with_faults(CivicTrust, "all")
    assert {"kill", "bit-rot", "clock-skew", "add-host", "compromise-key"} <= set(every.faults.names())
    assert "compromise-key" not in with_faults(ReplicatedRegister, "all").faults.names()
    few = with_faults(CivicTrust, "kill, clock-skew")
    assert set(few.faults.names()) == {"kill", "clock-skew"}
    assert few.mutant(None) is few
    assert few.mutant("ack-before-fsync") is CivicTrust.mutant("ack-before-fsync")
    assert (few.label(), few.code_digest()) == (CivicTrust.label(), CivicTrust.code_digest())
    assert with_faults(CivicTrust, None) is CivicTrust
    with pytest.raises(FaultError, match="no faults of the kind 'kil' can be drawn for this scenario; there are all, kill,"):
        with_faults(CivicTrust, "kil")
    with pytest.raises(FaultError, match="no faults of the kind 'compromise-key'"):
        with_faults(ReplicatedRegister, "compromise-key")


def test_a_scenario_may_import_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "catalog_neighbour.py").write_text("from killpoint import Scenario\nclass Base(Scenario): pass\n")
    (tmp_path / "catalog_user.py").write_text("from catalog_neighbour import Base\nclass Mine(Base): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_scenario(f"{tmp_path / 'catalog_user.py'}:Mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        ("nowhere", "installed are .*civictrust.*your own is file.py:ClassName"),
        ("no/such/file.py:X", "there is no file no/such/file.py"),
        ("no.such.module:X", "ModuleNotFoundError"),
        ("replicated_register:Nobody", "replicated_register has nothing called 'Nobody'; its scenarios: ReplicatedRegister"),
        ("replicated_register:replica", "is not a Scenario class"),
    ],
)
def test_what_cannot_be_found_is_said(reference: str, complaint: str) -> None:
    with pytest.raises(UnknownScenarioError, match=complaint):
        find_scenario(reference)


def test_a_module_that_fails_to_import_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "catalog_broken.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(UnknownScenarioError, match=r"ZeroDivisionError: division by zero \(.*catalog_broken.py, line 2\)"):
        find_scenario(f"{tmp_path / 'catalog_broken.py'}:X")
