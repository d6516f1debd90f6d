"""A slip in a scenario's class body is a sentence about the scenario, before anything runs."""

import pytest

from killpoint import Client, Host, Scenario, faults, operation
from killpoint.explore.generate import generate
from killpoint.properties import Linearizable, Register
from killpoint.sim.scenario import ScenarioError
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import run


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
    "no clients": ({"clients": 0}, "`clients` is how many"),
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


def test_a_sound_scenario_is_not_refused() -> None:
    assert run(generate(Sound, 1, 1), Sound).failure is None


def test_a_program_that_is_not_async_is_named_in_the_crash() -> None:
    def forgot(host: Host) -> None:
        """Forgot the async."""

    failure = run(Schedule("slip", seed=1), variant(hosts={"n1": forgot})).failure
    assert failure is not None
    assert failure.evidence is not None
    assert "the program of n1" in " ".join(failure.evidence.lines)
