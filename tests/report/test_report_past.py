"""The past of a violation in few lines: the verdict's events, faults and operations first; what repeats is counted; lost messages and
the faults behind them are told."""

from __future__ import annotations

import msgspec
import pytest
from report_records import raft_record

from killpoint import Call, Client, Host, Inject, Run, Scenario, Schedule, faults, operation
from killpoint.properties import Linearizable, Register
from killpoint.report.past import fault_events, past_lines
from killpoint.sim.record import Record
from killpoint.sim.session import run

NODES = ("n1", "n2")


async def replica(host: Host) -> None:
    """n1 takes writes and passes them on without waiting; both answer reads, n2 only from the tenth time on."""
    value, asked = None, 0
    while True:
        message = await host.receive()
        match message.body:
            case ("write", new):
                value = new
                host.send("n2", ("copy", new))
                message.reply("done")
            case ("copy", new):
                value = new
            case "read":
                asked += 1
                message.reply(("value", value) if asked >= 10 else "later")


class Lossy(Scenario):
    """A register on two hosts, whose copy may be lost."""

    hosts = dict.fromkeys(NODES, replica)
    clients = 2
    faults = faults.partitions() | faults.kills()
    properties = (Linearizable(Register()),)

    @operation(value=(1, 2))
    async def write(self, client: Client, value: int) -> None:
        await client.request("n1", ("write", value), timeout=1.0)

    @operation()
    async def read(self, client: Client) -> int | None:
        while (answer := await client.request("n2", "read", timeout=1.0)) == "later":
            pass
        return answer[1]


SCHEDULE = Schedule(
    "lossy",
    seed=1,
    actions=(
        Inject(0.1, faults.Partition(target="n1", shape="isolate", duration=2.0)),
        Call(0.2, "c1", "write", {"value": 1}),
        Call(0.4, "c2", "read"),
        Inject(0.9, faults.Kill(target="n1", duration=1.0)),
    ),
    budget="unlimited",
)


def explained(limit: int | None = 40) -> list[str]:
    found = Run(run(SCHEDULE, Lossy), Lossy).explain(limit)
    assert found is not None
    return str(found).split("Causal past:\n")[1].splitlines()


def test_the_partition_the_lost_copy_and_both_operations_are_told() -> None:
    told = [line.split("s  ", 1)[1].split() for line in explained()]
    assert ["-", "strike", "partition", "n1"] in told
    assert ["-", "cut", "n2", "->", "n1,", "n1", "->", "n2"] in told
    assert ["n2", "drop", "from", "n1", "('copy',", "1):", "cut"] in told
    assert [words[1] for words in told if words[1] in ("invoke", "complete")] == ["invoke", "complete", "invoke", "complete"]
    assert told[-1] == ["c2", "complete", "c2", "->", "None"]


def test_messages_that_are_said_again_and_again_are_one_line_with_a_count() -> None:
    lines = explained()
    assert [line.split("   (")[1] for line in lines if "from c2  read" in line] == ["10 times until 0.419000 s)"]
    assert [line.split("   (")[1] for line in lines if "from n2  later" in line] == ["9 times until 0.418000 s)"]
    assert sum("('value', None)" in line for line in lines) == 1


def test_what_matters_most_stays_when_room_is_short() -> None:
    whole = explained(None)
    assert not any("left out" in line for line in whole)
    kinds = [line.split()[3] for line in explained(6)[1:]]
    assert kinds == ["strike", "cut", "invoke", "complete", "invoke", "complete"]
    left, *lines = explained(1)
    assert left.endswith(" events of less weight left out)")
    assert lines == [whole[-1]]
    with pytest.raises(ValueError, match="told in 0 lines: give a limit of at least 1"):
        explained(0)


def test_faults_that_act_by_silence_are_told_and_later_ones_are_not() -> None:
    assert not any("kill" in line for line in explained(None)), "it came after the read"
    silent = (*SCHEDULE.actions[:2], Inject(0.3, faults.Kill(target="n1", duration=1.0)), SCHEDULE.actions[2])
    found = Run(run(SCHEDULE.replace(actions=silent), Lossy), Lossy).explain()
    assert "strike  kill n1" in str(found)


@pytest.fixture(scope="module")
def cluster() -> Record:
    return raft_record(seed=7)


def test_heartbeats_are_folded(cluster: Record) -> None:
    assert cluster.trace is not None
    past = frozenset(event.index for event in cluster.trace)
    lines = past_lines(cluster, past, (), None)
    assert len(lines) < 0.6 * len(past)
    assert any(", and the like   (" in line for line in lines)
    few = past_lines(cluster, past, (), 10)
    assert len(few) == 11
    assert set(few[1:]) <= set(lines)
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)


def test_only_strikes_that_took_effect_are_told(cluster: Record) -> None:
    assert cluster.trace is not None
    past = frozenset(event.index for event in cluster.trace)
    struck = {strike.index for strike in cluster.strikes if strike.struck}
    assert struck
    assert struck < {*fault_events(cluster, past)}
    assert max(fault_events(cluster, range(max(struck)))) < max(struck)
    idle = msgspec.structs.replace(cluster, strikes=tuple(msgspec.structs.replace(strike, effect="nothing") for strike in cluster.strikes))
    assert fault_events(idle, past) == []
    assert fault_events(cluster, frozenset()) == []


async def forgets_to_sync(host: Host) -> None:
    """Acknowledges what is not synced; looks at its disk again and again."""
    while True:
        message = await host.receive()
        if message.body == "read":
            for _ in range(30):
                await host.disk.exists("value")
            message.reply(int(await host.disk.read("value")) if await host.disk.exists("value") else None)
        else:
            try:
                await host.disk.write("value", str(message.body).encode())
                await host.disk.fsync_directory()
            except OSError:
                pass  # which is wrong as well
            message.reply("done")


class Forgets(Scenario):
    """A register on one disk."""

    hosts = {"n1": forgets_to_sync}  # noqa: RUF012  # as users write it
    tolerates = 1
    properties = (Linearizable(Register()),)

    @operation(value=(1, 2))
    async def write(self, client: Client, value: int) -> None:
        await client.request("n1", value, timeout=1.0)

    @operation()
    async def read(self, client: Client) -> int | None:
        return await client.request("n1", "read", timeout=1.0)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (faults.PowerLoss(target="n1", duration=0.05), "disk  write value, 1 bytes"),
        (faults.DiskFull(target="n1", duration=0.05), "disk  write value, 1 bytes: ENOSPC"),
    ],
)
def test_what_a_power_loss_destroyed_and_what_a_disk_refused_is_always_told(fault: faults.Fault, told: str) -> None:
    at = 0.19 if isinstance(fault, faults.DiskFull) else 0.25
    actions = sorted((Inject(at, fault), Call(0.2, "c1", "write", {"value": 1}), Call(0.4, "c1", "read")), key=lambda action: action.at)
    record = run(Schedule("forgets", seed=1, actions=tuple(actions)), Forgets, trace=True)
    assert record.failure is not None
    assert record.failure.evidence is not None
    assert record.trace is not None
    everything = [event.index for event in record.trace]
    lines = past_lines(record, everything, record.failure.evidence.events, limit=12)
    assert "left out" in lines[0]
    assert any(line.endswith(told) for line in lines)
