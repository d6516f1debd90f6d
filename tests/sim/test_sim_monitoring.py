"""Slips in properties and specifications are told in one sentence, with the line of their author."""

import re
from typing import ClassVar

import pytest
from sim_worlds import call, idle, open_world

from killpoint.properties import Linearizable, Specification
from killpoint.properties.history import Incident
from killpoint.properties.specification import SpecificationError
from killpoint.properties.verdict import Status, Verdict
from killpoint.sim.monitoring import PropertyError
from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import run

FINE = Verdict("Broken", Status.VALID, "fine")


class Sound:
    def feed(self, event):
        return None

    def finish(self):
        return FINE


class FailsOnCall(Sound):
    def feed(self, event):
        if getattr(event, "function", "") == "ask":
            return {}["missing"]
        return None


class FailsAtTheEnd(Sound):
    def finish(self):
        return 1 // 0


class SaysNothing(Sound):
    def finish(self):
        pass


class SaysTrue(Sound):
    def feed(self, event):
        return isinstance(event, Incident) or None


class SaysItHolds(Sound):
    def feed(self, event):
        return FINE


class NoMonitor:
    def feed(self, event):
        return None


class Property:
    name = "Broken"

    def __init__(self, monitor):
        self.monitor = monitor

    def start(self):
        return self.monitor()


class Asked(Scenario):
    hosts: ClassVar = {"n1": idle}

    @operation()
    async def ask(self, client):
        return 7


def judged_by(*properties):
    kind = type("Judged", (Asked,), {"properties": properties})
    return run(Schedule(scenario="Judged", seed=1, actions=(call(0.1, "c1", "ask"),)), kind)


def line(function, down=1):
    return f"{__file__}:{function.__code__.co_firstlineno + down} in {function.__name__}"


def refuses(*properties):
    with pytest.raises(PropertyError) as refused:
        judged_by(*properties)
    return str(refused.value)


def test_an_exception_in_feed_names_property_line_and_event():
    assert refuses(Property(FailsOnCall)) == (
        f"the property Broken failed to judge the run: KeyError: 'missing' ({line(FailsOnCall.feed, 2)}), "
        "when it was fed the invocation ask() of c1 (event 5, at 0.100000 s)"
    )


def test_an_exception_in_finish_says_that_it_was_at_the_end():
    told = refuses(Property(FailsAtTheEnd))
    assert f"ZeroDivisionError: integer division or modulo by zero ({line(FailsAtTheEnd.finish)}), in the end, after" in told


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        (SaysNothing, r"finish\(\) of the property Broken returned None .*in SaysNothing.finish\): it must return a Verdict"),
        (SaysTrue, r"feed\(\) of the property Broken returned True .*in SaysTrue.feed\), after the incident start of n1 \(event 1"),
        (SaysItHolds, r"feed\(\) of the property Broken returned a verdict that is valid .* it must return an invalid Verdict"),
        (NoMonitor, r"start\(\) of the property Broken returned <.*NoMonitor.*it must return a monitor, with feed\(\) and finish\(\)"),
        (lambda: Sound, r"start\(\) of the property Broken returned the class Sound"),
        (lambda: 1 // 0, r"the property Broken cannot start: ZeroDivisionError"),
    ],
)
def test_what_is_no_verdict_or_no_monitor_is_said_to_be_none(monitor, words):
    assert re.match(words, refuses(Property(monitor)))


class Broken(Specification):
    @property
    def initial(self):
        return 0

    def step(self, state, call):
        return call.result["key"]


def test_an_exception_in_a_specification_names_its_line_and_the_call():
    told = refuses(Linearizable(Broken()))
    assert "Broken.step failed, asked for ask() -> 7 in the state 0: " in told
    assert f"TypeError: 'int' object is not subscriptable ({line(Broken.step)}), when it was fed the completion" in told
    assert told.count(line(Broken.step)) == 1


def test_a_specification_that_does_not_know_an_operation_is_told_with_the_property():
    class Deaf(Broken):
        def step(self, state, call):
            raise SpecificationError("I know nothing")

    assert refuses(Linearizable(Deaf())).startswith("the property Linearizable(Deaf) failed to judge the run: I know nothing (")


@pytest.mark.parametrize(("given", "words"), [(Broken, "not its class: Broken()"), ("register", "'register'")])
def test_linearizable_of_a_class_is_refused_where_it_is_written(given, words):
    with pytest.raises(SpecificationError, match=re.escape(words)):
        Linearizable(given)


def test_a_monitor_that_was_added_by_hand_is_known_by_its_class():
    with open_world(idle, boot=False) as world:
        world.monitors = [SaysTrue()]
        with pytest.raises(PropertyError, match="of the property SaysTrue returned True"):
            world.boot()
