"""A session executes a schedule: the same run however it is stepped, and every action accounted for."""

from typing import ClassVar

import pytest
import trio
from sim_worlds import ROUGH, Register, call, idle, inject

from killpoint.properties.history import Complete, History, Incident, Invoke, Outcome
from killpoint.properties.verdict import Evidence, Status, Verdict
from killpoint.sim import faults
from killpoint.sim.fault import Fault, FaultError, FaultOutcome
from killpoint.sim.faults import Kill, Partition, Pause, PowerLoss
from killpoint.sim.monitoring import PropertyError
from killpoint.sim.scenario import Scenario, ScenarioError, operation
from killpoint.sim.schedule import Noise, Schedule
from killpoint.sim.session import LINGER, Session, run


def schedule(*actions, scenario="Register", seed=7, **fields):
    return Schedule(scenario, seed, tuple(sorted(actions, key=lambda action: action.at)), **fields)


MIXED = schedule(
    *[call(0.03 * n, f"c{1 + n % 2}", "write", value=n) for n in range(40)],
    *[call(0.05 * n, "c2", "read") for n in range(20)],
    inject(0.2, Kill(target="n1", duration=0.05)),
    inject(0.5, PowerLoss(target="n1", keep="prefix:2", duration=0.1), "n1", "before-fsync", 2),
    inject(0.7, Pause(target="n2", duration=0.2)),
    inject(0.8, Partition(target="n3", duration=0.2)),
    inject(1.0, Kill(target="c1", duration=0.1), "c1", "send"),
    noise=ROUGH,
    settings={"slow": 0.01},
    budget="unlimited",
)


def one_by_one(plan, scenario=Register, between=lambda session, action: None, **options):
    session = Session.under(plan, scenario, **options)
    for action in plan.actions:
        between(session, action)
        session.apply(action)
    return session.finish()


# -- the same run -------------------------------------------------------------------------------------


def test_one_at_a_time_is_all_at_once():
    whole = run(MIXED, Register)
    assert one_by_one(MIXED) == whole
    assert whole.schedule == MIXED
    assert len(whole.history.operations) > 10


def test_stepping_and_looking_in_between_changes_nothing():
    def look(session, action):
        while session.now < action.at - 0.01:
            session.advance_to(session.now + 0.007)
            session.world.digest.hexdigest()
            repr(session.world.machines)

    assert one_by_one(MIXED, between=look) == run(MIXED, Register)


def test_single_events_in_between_change_nothing():
    def step(session, action):
        while session.world.heap and session.world.heap[0][0] < action.at:
            session.world.step()

    assert one_by_one(MIXED, between=step) == run(MIXED, Register)


def test_sessions_that_run_side_by_side_do_not_meet():
    sessions = [Session.under(MIXED.replace(seed=seed), Register) for seed in range(3)]
    for action in MIXED.actions:
        for session in sessions:
            session.apply(action)
    assert [session.finish() for session in sessions] == [run(MIXED.replace(seed=seed), Register) for seed in range(3)]


def test_light_and_traced_runs_are_the_same_run():
    light, traced = run(MIXED, Register), run(MIXED, Register, trace=True)
    assert (light.digest, light.history, light.strikes, light.verdicts) == (
        traced.digest,
        traced.history,
        traced.strikes,
        traced.verdicts,
    )
    assert light.statistics == traced.statistics
    assert light.trace is None
    indices = [event.index for event in traced.trace]
    assert indices == list(range(1, traced.statistics.events + 1))
    by_index = {event.index: event for event in traced.trace}
    for event in light.history:
        kinds = {"Invoke": "invoke", "Complete": "complete", "Observe": "observe"}
        kind = event.kind if isinstance(event, Incident) else kinds[type(event).__name__]
        assert (by_index[event.index].kind, by_index[event.index].time) == (kind, event.time)


def test_causes_come_before_their_effects():
    record = run(MIXED, Register, trace=True)
    caused = [event for event in record.trace if event.cause is not None]
    assert {event.kind for event in caused} >= {"deliver", "drop", "complete", "kill", "power-loss", "pause", "cut", "heal"}
    assert all(event.cause < event.index for event in caused)


def test_finishing_twice_gives_the_same_record():
    session = Session.under(MIXED, Register)
    assert session.finish() is session.finish()
    session.close()


def test_an_action_in_the_past_strikes_now():
    session = Session(Register)
    session.apply(call(1.0, "c1", "write", value=1))
    session.apply(call(0.5, "c2", "read"))
    record = session.finish()
    assert [operation.invoked_at for operation in record.history.operations[:2]] == [1.0, 1.0]


# -- operations ---------------------------------------------------------------------------------------


def outcomes(record):
    return [(operation.process, operation.function, operation.outcome.value, operation.error) for operation in record.history.operations]


def test_how_operations_end():
    record = run(
        schedule(
            call(0.1, "c1", "write", value=5),
            call(0.2, "c1", "read"),
            call(0.3, "c1", "refuse"),
            call(0.4, "c1", "wonder"),
            call(0.5, "c1", "dawdle"),
            call(0.9, "c1", "read"),
            call(0.1, "c2", "dawdle"),
        ),
        Register,
    )
    assert sorted(outcomes(record)) == sorted(
        [
            ("c1", "write", "ok", None),
            ("c1", "read", "ok", None),
            ("c1", "refuse", "fail", "not today"),
            ("c1", "wonder", "info", "who knows"),
            ("c1.2", "dawdle", "info", "timed out"),
            ("c1.3", "read", "ok", None),
            ("c1.3", "audit", "ok", None),
            ("c2", "dawdle", "info", "timed out"),
        ]
    )
    by_function = {operation.function: operation for operation in record.history.operations}
    assert (by_function["write"].argument, by_function["write"].result) == (5, "ok")
    assert by_function["audit"].result == 5
    assert by_function["dawdle"].completed_at == pytest.approx(0.8)
    assert by_function["wonder"].completed is None


def test_a_call_at_the_very_beginning_is_carried_out():
    record = run(schedule(call(0.0, "c1", "write", value=1), call(0.0, "c2", "read")), Register)
    assert [(operation.function, operation.outcome) for operation in record.history.operations] == [
        ("write", Outcome.OK),
        ("read", Outcome.OK),
        ("audit", Outcome.OK),
    ]
    assert record.statistics.busy == 0


def test_a_client_that_still_waits_does_nothing_and_is_counted():
    record = run(
        schedule(call(0.1, "c1", "dawdle"), call(0.2, "c1", "read"), call(0.3, "c1", "read"), call(0.5, "c1", "read")), Register
    )
    assert record.statistics.busy == 2
    assert [operation.function for operation in record.history.operations] == ["dawdle", "read", "audit"]


def test_a_client_that_is_killed_knows_nothing_and_is_back_after_a_while():
    record = run(
        schedule(
            call(0.1, "c1", "dawdle"),
            inject(0.2, Kill(target="c1", duration=0.2)),
            call(0.3, "c1", "read"),
            call(0.5, "c1", "write", value=3),
        ),
        Register,
    )
    assert outcomes(record) == [
        ("c1", "dawdle", "info", "the client died"),
        ("c1.2", "write", "ok", None),
        ("c1.2", "audit", "ok", None),
    ]
    assert record.statistics.busy == 1
    assert record.status is Status.VALID


def test_a_client_that_is_killed_as_it_sends_ends_its_operation_once():
    record = run(schedule(inject(0.0, Kill(target="c1", duration=0.2), "c1", "send"), call(0.1, "c1", "write", value=3)), Register)
    assert outcomes(record)[0] == ("c1", "write", "info", "the client died")
    assert [operation.result for operation in record.history.operations if operation.function == "audit"] == [0]


def test_a_paused_client_is_busy():
    record = run(schedule(inject(0.1, Pause(target="c1", duration=0.5)), call(0.2, "c1", "read"), call(0.7, "c1", "read")), Register)
    assert record.statistics.busy == 1
    first = record.history.operations[0]
    assert (first.function, first.invoked_at) == ("read", 0.7)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (call(0.1, "c9", "read"), "Register has no client 'c9'; it has c1, c2"),
        (call(0.1, "c1", "fly"), "Register has no operation 'fly'; it has write, read, "),
        (call(0.1, "c1", "write"), r"operation write takes value, not \{\}"),
        (call(0.1, "c1", "read", value=1), r"operation read takes no arguments, not \{'value': 1\}"),
    ],
)
def test_calls_that_the_scenario_does_not_know_are_refused_by_a_sentence(action, sentence):
    session = Session(Register)
    with pytest.raises(ScenarioError, match=sentence):
        session.apply(action)
    session.close()


class Pairs(Scenario):
    """An operation with two arguments, one that gives what no message could carry, and one that fails."""

    hosts: ClassVar = {"n1": idle}

    @operation(first=(1, 2), second=(1, 2))
    async def both(self, client, first, second):
        return (first, second)

    @operation()
    async def lists(self, client):
        return [1]

    @operation()
    async def breaks(self, client):
        raise ZeroDivisionError("by its author")

    @operation(timeout=20.0)
    async def waits(self, client):
        await trio.sleep(5.5)

    @operation(final=True)
    async def look(self, client):
        return "looked"


def test_arguments_are_in_the_order_of_the_operation_whatever_that_of_the_schedule():
    record = run(schedule(call(0.1, "c1", "both", first=1, second=2), call(0.2, "c1", "both", second=2, first=1), scenario="Pairs"), Pairs)
    assert [(operation.argument, operation.result) for operation in record.history.operations[:2]] == [((1, 2), (1, 2))] * 2


@pytest.mark.parametrize(("name", "error"), [("lists", "TypeError"), ("breaks", "ZeroDivisionError")])
def test_a_mistake_in_client_code_fails_the_run(name, error):
    record = run(schedule(call(0.1, "c1", name), scenario="Pairs"), Pairs)
    assert record.failure.signature == ("NoCrash", f"crash:{error}")
    assert record.failure.evidence.hosts == ("c1",)
    assert "test_sim_session.py" in "".join(record.failure.evidence.lines) or name == "lists"
    assert outcomes(record)[0][2] == "info"


def test_final_operations_wait_for_the_client_that_carries_them_out():
    record = run(schedule(call(0.1, "c1", "waits"), scenario="Pairs"), Pairs)
    assert outcomes(record) == [("c1", "waits", "ok", None), ("c1", "look", "ok", None)]
    assert record.statistics.busy == 0


# -- faults -------------------------------------------------------------------------------------------


def effects(record):
    return [(strike.fault, strike.effect) for strike in record.strikes]


def test_strikes_say_what_became_of_every_fault():
    record = run(
        schedule(
            inject(0.1, Kill(target="n1", duration=0.5)),
            inject(0.2, Kill(target="n1")),
            inject(0.3, Pause(target="n2", duration=0.1)),
            inject(0.4, Kill(target="n9")),
            inject(0.5, Kill(target="n2"), "n2", "never", 1),
            inject(1.0, Pause(target="c1", duration=0.1)),
            inject(1.05, Pause(target="c1", duration=0.1)),
        ),
        Register,
    )
    assert [(strike.action, strike.fault, strike.effect, strike.time, strike.hosts) for strike in record.strikes] == [
        (0, "kill", "struck", 0.1, ("n1",)),
        (1, "kill", "nothing", 0.2, ()),
        (2, "pause", "over-budget", 0.3, ()),
        (3, "kill", "nothing", 0.4, ()),
        (5, "pause", "struck", 1.0, ("c1",)),
        (6, "pause", "nothing", 1.05, ()),
        (4, "kill", "never-reached", pytest.approx(1.05 + LINGER), ()),
    ]
    assert record.strikes[0].phase == "serving"
    assert [strike.struck for strike in record.strikes].count(True) == 2


def test_a_fault_that_does_nothing_changes_nothing_else():
    base = run(schedule(call(0.5, "c1", "write", value=1)), Register)
    more = run(schedule(call(0.5, "c1", "write", value=1), inject(0.2, Kill(target="n9"))), Register)

    def essence(record):
        return [
            (event.time, type(event).__name__)
            for event in record.history
            if not (isinstance(event, Incident) and event.kind == "strike")
        ]

    assert essence(more) == essence(base)


@pytest.mark.parametrize("budget", ["quorum-safe", "unlimited"])
def test_the_budget_is_looked_at_when_a_fault_strikes(budget):
    plan = schedule(
        inject(0.1, Kill(target="n1", duration=0.5)),
        inject(0.2, PowerLoss(target="n2", duration=0.5)),
        inject(0.3, Pause(target="n3", duration=0.1)),
        inject(0.3, Partition(target="n3", duration=0.1)),
        inject(0.4, Kill(target="c1", duration=0.1)),
        inject(0.72, Partition(target="n2", duration=0.1)),
        inject(0.75, Kill(target="n2", duration=0.2)),
        inject(0.85, Kill(target="n1", duration=0.1)),
        budget=budget,
    )
    found = [effect for _, effect in effects(run(plan, Register))]
    if budget == "unlimited":
        assert found == ["struck"] * 8
    else:
        # Striking the same host twice costs nothing more; clients are nobody's quorum.
        expected = ["struck", "over-budget", "over-budget", "over-budget", "struck", "struck", "struck", "over-budget"]
        assert found == expected


def test_moving_two_legal_faults_together_does_not_make_them_illegal():
    apart = schedule(inject(0.1, Kill(target="n1", duration=0.1)), inject(0.5, Kill(target="n2", duration=0.1)))
    together = schedule(inject(0.1, Kill(target="n1", duration=0.1)), inject(0.1, Kill(target="n2", duration=0.1)))
    assert [effect for _, effect in effects(run(apart, Register))] == ["struck", "struck"]
    assert [effect for _, effect in effects(run(together, Register))] == ["struck", "over-budget"]


def test_the_calm_phase_ends_everything():
    plan = schedule(
        inject(0.1, Kill(target="n1")),
        inject(0.2, Pause(target="n2")),
        inject(0.3, Partition(target="n3", shape="outbound")),
        inject(0.4, PowerLoss(target="c2", duration=100.0)),
        inject(0.5, Kill(target="n2"), "n2", "never"),
        inject(0.6, Pause(target="c1", duration=50.0)),
        budget="unlimited",
    )
    session = Session.under(plan, Register)
    for action in plan.actions:
        session.apply(action)
    session.calm()
    world = session.world
    assert all(machine.alive and not machine.paused and not machine.armed for machine in world.machines.values())
    assert world.network.cuts == ()
    assert world.noise.quiet
    record = session.finish()
    calm = next(event.index for event in record.history if isinstance(event, Incident) and event.kind == "calm")
    after = {event.kind for event in record.history if isinstance(event, Incident) and event.index > calm}
    assert after == {"restart", "resume", "heal"}
    assert outcomes(record) == [("c1", "audit", "ok", None)]


class Vault(Scenario):
    """Keys that can be stolen; thief and operator say what they are told."""

    hosts: ClassVar = {"n1": idle}
    keys: ClassVar = ("k1", "k2")
    calm = 1.0

    @operation()
    async def nothing(self, client):
        pass

    def compromise(self, world, key):
        if key not in self.keys:
            return ()
        world.tell("thief", ("stolen", key))
        return ("thief",)

    def notice(self, world, key):
        world.tell("operator", ("noticed", key))


async def repeats(host):
    while True:
        message = await host.receive()
        host.observe(told=message.body)


Vault.outsiders = {"thief": repeats, "operator": repeats}


def test_stolen_keys_are_noticed_after_their_time_or_in_the_calm_phase():
    record = run(
        schedule(
            inject(0.1, faults.CompromiseKey(issuer="k1", duration=0.5)),
            inject(0.2, faults.CompromiseKey(issuer="k2")),
            inject(0.3, faults.CompromiseKey(issuer="k3")),
            scenario="Vault",
        ),
        Vault,
    )
    told = [(event.host, event.values["told"], round(event.time, 6)) for event in record.history if hasattr(event, "values")]
    assert told == [
        ("thief", ("stolen", "k1"), 0.1),
        ("thief", ("stolen", "k2"), 0.2),
        ("operator", ("noticed", "k1"), 0.6),
        ("operator", ("noticed", "k2"), round(0.3 + LINGER, 6)),
    ]
    assert [effect for _, effect in effects(record)] == ["struck", "struck", "nothing"]


def test_a_boundary_by_role_is_that_of_whoever_holds_it():
    record = run(
        schedule(
            inject(0.1, Kill(target="leader", duration=0.1), "leader", "before-fsync", 2),
            *[call(0.2 + 0.1 * n, "c1", "write", value=n) for n in range(1, 5)],
        ),
        Register,
    )
    (strike,) = record.strikes
    assert (strike.effect, strike.hosts, strike.phase) == ("struck", ("n1",), "writing")
    assert strike.time == pytest.approx(0.401)


def test_statistics_agree_with_the_trace():
    record = run(MIXED, Register, trace=True)
    counts = {kind: sum(event.kind == kind for event in record.trace) for kind in ("send", "deliver", "drop", "disk", "killpoint")}
    statistics = record.statistics
    assert statistics.events == record.trace[-1].index
    assert (statistics.messages_sent, statistics.messages_delivered, statistics.messages_dropped) == (
        counts["send"],
        counts["deliver"],
        counts["drop"],
    )
    boundaries = dict(statistics.boundaries)
    fsyncs = sum(event.kind == "disk" and event.detail["operation"] == "fsync" for event in record.trace)
    # A boundary counts as crossed also if the host died at it.
    assert 0 <= boundaries["disk"] - counts["disk"] <= 2
    assert 0 <= boundaries["disk:fsync"] - fsyncs <= 2
    assert 0 <= boundaries["send"] - counts["send"] <= 2
    assert boundaries["before-fsync"] + boundaries["before-reply"] == counts["killpoint"]
    assert sum(number for name, number in boundaries.items() if name.startswith("disk:")) == boundaries["disk"]
    assert record.hosts == ("n1", "n2", "n3", "c1", "c2")


# -- verdicts -----------------------------------------------------------------------------------------


class Tripwire:
    """Fails at the first observation of a value; raises at another."""

    name = "Tripwire"

    def __init__(self, at, error=None):
        self.at = at
        self.error = error

    def start(self):
        return self

    def feed(self, event):
        if hasattr(event, "values") and event.values.get("value") == self.at:
            if self.error is not None:
                raise self.error
            return Verdict(self.name, Status.INVALID, "tripped", Evidence("tripped", events=(event.index,)))
        return None

    def finish(self):
        return Verdict(self.name, Status.VALID, "not tripped")


def guarded(*properties):
    class Guarded(Register):
        hosts = Register.hosts

    Guarded.properties = properties
    return Guarded


def test_a_violation_stops_the_run_at_once():
    plan = schedule(*[call(0.1 * n, "c1", "write", value=n) for n in range(1, 10)], inject(0.85, Kill(target="n1")))
    record = run(plan, guarded(Tripwire(4), Tripwire(99)))
    assert record.failure.signature == ("Tripwire", "tripped")
    assert record.ended == pytest.approx(0.401)
    # Properties may share a name; only the one that was violated says so.
    assert [verdict.status for verdict in record.verdicts] == [Status.UNKNOWN, Status.INVALID, Status.UNKNOWN]
    assert record.strikes == ()
    assert record.schedule.actions == plan.actions
    assert record.statistics.events < 200


def test_a_run_that_is_stopped_takes_no_more_actions_but_keeps_them():
    session = Session(guarded(Tripwire(1)))
    session.apply(call(0.1, "c1", "write", value=1))
    session.apply(call(0.5, "c1", "nonsense"))
    assert session.stopped
    record = session.finish()
    assert len(record.schedule.actions) == 2
    assert len(record.history.operations) == 1


@pytest.mark.parametrize("value", [0, 2])
def test_a_property_that_raises_is_not_blamed_on_a_program(value):
    with pytest.raises(PropertyError, match=r"the property Tripwire failed .*LookupError: of the property"):
        run(schedule(*[call(0.1 * n, "c1", "write", value=n) for n in (1, 2, 3)]), guarded(Tripwire(value, LookupError("of the property"))))


class _Clumsy(Fault, frozen=True, kw_only=True):
    """A fault whose author made a mistake."""

    def strike(self, world) -> FaultOutcome:
        raise LookupError("of the fault")


@pytest.mark.parametrize("boundary", [(), ("n1", "before-reply"), ("n1", "deliver"), ("n1", "send")])
def test_a_fault_that_raises_is_not_blamed_on_a_program(boundary):
    with pytest.raises(FaultError, match=r"_-clumsy \(action 1, at 0\..* failed to strike: LookupError: of the fault \(.*in strike\)"):
        run(schedule(inject(0.1, _Clumsy(), *boundary), call(0.2, "c1", "read")), Register)


async def crashes(host):
    await trio.sleep(0.1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fails)


async def fails():
    raise KeyError("unexpected")


class Crashing(Scenario):
    """A node with a bug."""

    hosts: ClassVar = {"n1": idle, "n2": crashes}

    @operation()
    async def nothing(self, client):
        pass


def test_a_crash_of_a_node_names_host_error_and_place():
    record = run(schedule(scenario="Crashing"), Crashing)
    failure = record.failure
    assert failure.signature == ("NoCrash", "crash:KeyError")
    assert failure.evidence.hosts == ("n2",)
    crash = next(event for event in record.history if isinstance(event, Incident) and event.kind == "crash")
    assert (crash.host, crash.time, crash.detail["error"]) == ("n2", 0.1, "KeyError")
    assert crash.detail["where"].split("/")[-1].startswith("test_sim_session.py:")
    assert crash.detail["where"].endswith(" in fails")
    assert "unexpected" in "".join(crash.detail["traceback"])
    assert not any("/trio/" in line for line in crash.detail["traceback"])


def test_a_scenario_without_hosts_or_with_an_unknown_mutant_is_refused():
    with pytest.raises(ScenarioError, match="has no hosts"):
        Session(Scenario)
    with pytest.raises(ScenarioError, match="has no mutant 'x'; it has none"):
        Session(Register, mutant="x")


def test_histories_are_histories():
    record = run(MIXED, Register)
    assert History(record.history) == record.history
    invoked = [event for event in record.history if isinstance(event, Invoke)]
    completed = [event for event in record.history if isinstance(event, Complete)]
    assert len(invoked) == len(completed) == len(record.history.operations)


def test_the_simplest_world_is_the_default():
    session = Session(Register)
    record = session.finish()
    assert record.schedule.noise == Noise()
    assert record.schedule.settings == {"slow": 0.0}
    assert record.schedule.budget == "quorum-safe"
