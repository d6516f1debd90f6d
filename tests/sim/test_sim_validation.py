"""A slip in a scenario's class body is a sentence about the scenario, before anything runs."""

from typing import ClassVar

import pytest

from killpoint import Client, Host, Scenario, faults, operation, planted
from killpoint.explore.catalog import find_scenario, scenario_names
from killpoint.explore.generate import generate
from killpoint.properties import Linearizable, Register
from killpoint.sim.scenario import ScenarioError
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import run
from killpoint.sim.validation import problems


async def node(host: Host) -> None:
    while True:
        (await host.receive()).reply(None)


class Sound(Scenario):
    hosts = dict.fromkeys(("n1",), node)
    faults = faults.kills()
    properties = (Linearizable(Register()),)

    @operation()
    async def read(self, client: Client) -> None:
        await client.request("n1", "read", timeout=1.0)


def variant(**attributes: object) -> type[Scenario]:
    return type("Slip", (Sound,), attributes)


@operation()
def synchronous(self: Scenario, client: Client) -> None:
    """Not async."""


@operation(replica=("n1",))
async def surprised(self: Scenario, client: Client) -> None:
    """Takes no replica."""


@operation()
async def unfed(self: Scenario, client: Client, value: int) -> None:
    """Nobody draws the value."""


SLIPS = {
    "a single property": ({"properties": Linearizable(Register())}, "`properties` is a list of properties, and not a Linearizable"),
    "a class of properties": ({"properties": [Linearizable]}, "holds the class Linearizable, which is no property"),
    "a mix that was not called": ({"faults": faults.kills}, r"`faults` is a mix such as .*, and not a function"),
    "a list of hosts": ({"hosts": ["n1"]}, "`hosts` maps names to programs, and is not a list"),
    "no hosts": ({"hosts": {}}, "it has no hosts"),
    "a host that is no program": ({"hosts": {"n1": 3}}, "the program of 'n1' is an `async def`"),
    "fewer than none": ({"tolerates": -1}, "`tolerates` is how many hosts may be .* from 0 on, .*, and not -1"),
    "half a host": ({"tolerates": 0.5}, "`tolerates` is how many"),
    "no clients": ({"clients": 0}, "`clients` is how many"),
    "one role": ({"roles": "leader"}, "`roles` is a sequence of names, and not 'leader'"),
    "one kill point": ({"killpoints": "appended"}, "`killpoints` is a sequence of names"),
    "a list of settings": ({"settings": ["x"]}, "`settings` is a mapping, and not a list"),
    "a list of mutants": ({"mutants": ["x"]}, "`mutants` is a mapping, and not a list"),
    "a setting without values": ({"settings": {"x": 3}}, "setting 'x' is a sequence"),
    "an operation that is not async": ({"write": synchronous}, "operation write must be an `async def`"),
    "an argument too many": ({"write": surprised}, "draws 'replica', which the operation does not take"),
    "an argument too few": ({"write": unfed}, "takes 'value', but @operation does not say how to draw it"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_refused_by_name_before_anything_runs(slip: str) -> None:
    attributes, complaint = SLIPS[slip]
    with pytest.raises(ScenarioError, match=complaint):
        run(Schedule("slip", seed=1), variant(**attributes))


MISSPELT = {
    "fault": (faults.kills(), "faults"),
    "fautls": (faults.kills(), "faults"),
    "property": ([Linearizable(Register())], "properties"),
    "propertys": ([Linearizable(Register())], "properties"),
    "livenes": ([], "liveness"),
    "setting": ({"x": (1, 2)}, "settings"),
    "host": ({"n2": node}, "hosts"),
    "client": (5, "clients"),
    "kill_points": (("appended",), "killpoints"),
    "tolerate": (1, "tolerates"),
    "clam": (9.0, "calm"),
    "role": (("leader",), "roles"),
    "mutant_": ({}, "mutants"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_an_attribute_that_is_nearly_a_declaration_is_asked_about(name: str) -> None:
    value, meant = MISSPELT[name]
    with pytest.raises(ScenarioError, match=f"Slip: `{name}` means nothing to a scenario: did you mean `{meant}`"):
        run(Schedule("slip", seed=1), variant(**{name: value}))


def test_a_misspelt_attribute_of_a_base_is_found_too() -> None:
    base = type("Base", (Sound,), {"fault": faults.pauses()})
    with pytest.raises(ScenarioError, match="Derived: `fault` means nothing"):
        run(Schedule("slip", seed=1), type("Derived", (base,), {}))


class Ordinary(Sound):
    """Attributes of the author's own, which nobody takes for something else."""

    names = ("n1", "n2")
    key = "x"
    host = "n1"
    rules = posts = defaults = call = ports = ("a", "b")
    KEYS = HOSTS = CLIENTS = ("x", "y")
    _fault = faults.kills()
    minimum = 3
    servers: ClassVar = {"n1": node}

    class role:
        """A class."""

    def fault(self) -> None:
        """A method."""

    @property
    def setting(self) -> int:
        return 1

    @staticmethod
    def phase() -> None:
        """Not one of a host."""

    @operation()
    async def client(self, client: Client) -> None:
        """Whatever an operation is called."""


def test_attributes_of_the_authors_own_raise_no_alarm() -> None:
    assert list(problems(Ordinary)) == []


def test_the_scenarios_that_come_with_killpoint_raise_no_alarm() -> None:
    for scenario in map(find_scenario, scenario_names()):
        for mutant in (None, *scenario.mutants):
            assert list(problems(scenario.mutant(mutant))) == []


def test_mutants_in_the_place_of_the_method_that_picks_one_are_refused_at_once() -> None:
    with pytest.raises(ScenarioError, match="Slip: `mutant` is what picks a planted bug: did you mean `mutants`"):
        variant(mutant=planted(__name__, "Sound"))


def test_a_sound_scenario_is_not_refused() -> None:
    assert run(generate(Sound, 1, 1), Sound).failure is None


def test_a_program_that_is_not_async_is_named_in_the_crash() -> None:
    def forgot(host: Host) -> None:
        """Forgot the async."""

    failure = run(Schedule("slip", seed=1), variant(hosts={"n1": forgot})).failure
    assert failure is not None
    assert failure.evidence is not None
    assert "the program of n1" in " ".join(failure.evidence.lines)
