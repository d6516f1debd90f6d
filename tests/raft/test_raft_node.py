"""A Raft member as a program: what it answers, what it survives, what it says, and when."""

from itertools import pairwise

import pytest
import trio
from raft_hosts import immediately, simulate

from killpoint.model.raft import (
    Append,
    AppendReply,
    LeadershipLostError,
    NotLeaderError,
    RaftNode,
    RaftStorage,
    Request,
    VoteReply,
)
from killpoint.model.wal import scan


def journals(cluster):
    """What the state machines of all hosts were given, in their order."""
    return [cluster.nodes[name].machine.commands for name in cluster.names]


def test_a_command_is_applied_everywhere_and_answered_with_its_result():
    async def scenario(cluster):
        leader = await cluster.leader()
        first = await leader.propose("a")
        second = await leader.propose(("b", 2))
        assert (first.result, second.result) == (1, 2)
        assert second.index == first.index + 1
        await trio.sleep(0.05)
        assert journals(cluster) == [["a", ("b", 2)]] * 3

    simulate(scenario)


def test_who_does_not_lead_says_who_does():
    async def scenario(cluster):
        leader = await cluster.leader()
        await trio.sleep(0.05)
        follower = cluster.nodes[next(name for name in cluster.names if name != leader.host.name)]
        for ask in (lambda: follower.propose("x"), follower.read_barrier):
            with pytest.raises(NotLeaderError, match=f"does not lead; ask {leader.host.name}") as caught:
                await ask()
            assert caught.value.leader == leader.host.name

    simulate(scenario)


def test_before_recovery_nobody_leads():
    async def scenario(cluster):
        node = RaftNode(cluster.hosts["n1"], None)
        with pytest.raises(NotLeaderError, match="no leader is known"):
            await node.propose("x")
        with pytest.raises(NotLeaderError):
            await node.read_barrier()

    simulate(scenario)


def test_an_isolated_leader_gives_up_and_does_not_know_about_its_command():
    async def scenario(cluster):
        leader = await cluster.leader()
        cluster.isolate(leader.host.name)
        outcomes = []

        async def expect(error, ask, *args):
            with pytest.raises(error):
                await ask(*args)
            outcomes.append(error)

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect, LeadershipLostError, leader.propose, "lost?")
            nursery.start_soon(expect, NotLeaderError, leader.read_barrier)
        assert len(outcomes) == 2
        assert trio.current_time() - began < 0.5
        other = await cluster.leader()
        assert other is not leader
        assert (await other.propose("kept")).result == 1
        cluster.cut = set()
        await trio.sleep(1)
        assert journals(cluster) == [["kept"]] * 3

    simulate(scenario)


def test_what_was_acknowledged_survives_a_power_loss_of_all_hosts():
    async def scenario(cluster):
        for round_ in range(4):
            leader = await cluster.leader()
            for i in range(5):
                await leader.propose((round_, i))
            cluster.power_loss()
            await cluster.start()
        await cluster.leader()
        await trio.sleep(0.1)
        expected = [(round_, i) for round_ in range(4) for i in range(5)]
        assert journals(cluster) == [expected] * 3

    simulate(scenario)


def test_a_retried_request_takes_effect_once_whoever_leads_and_after_restarts_too():
    async def scenario(cluster):
        leader = await cluster.leader()
        first = await leader.propose(Request("c1", 1, "issue"))
        again = await leader.propose(Request("c1", 1, "issue"))
        assert again.index == first.index + 1
        assert again.result == first.result
        cluster.power_loss(leader.host.name)
        other = await cluster.leader()
        assert (await other.propose(Request("c1", 1, "issue"))).result == first.result
        assert (await other.propose(Request("c2", 1, "issue"))).result == 2
        cluster.power_loss(other.host.name)
        await cluster.start(leader.host.name, other.host.name)
        last = await cluster.leader()
        assert (await last.propose(Request("c1", 1, "issue"))).result == first.result
        await trio.sleep(0.1)
        assert journals(cluster) == [["issue", "issue"]] * 3

    simulate(scenario)


def test_a_read_sees_what_was_acknowledged_before_it_even_on_a_new_leader():
    async def scenario(cluster):
        leader = await cluster.leader()
        done = await leader.propose("a")
        assert await leader.read_barrier() >= done.index
        cluster.isolate(leader.host.name)
        other = await cluster.leader()
        assert await other.read_barrier() >= done.index
        assert other.machine.commands == ["a"]
        with pytest.raises(NotLeaderError):
            await leader.read_barrier()

    simulate(scenario)


def test_cancelling_whoever_waits_does_no_harm():
    async def scenario(cluster):
        leader = await cluster.leader()
        for _ in range(5):
            with trio.move_on_after(0.0005):
                await leader.propose("impatient")
            with trio.move_on_after(0.0005):
                await leader.read_barrier()
        await leader.propose("patient")
        assert leader.machine.commands == ["impatient"] * 5 + ["patient"]

    simulate(scenario)


def test_proposals_that_come_during_an_fsync_share_the_next_one():
    async def scenario(cluster):
        leader = await cluster.leader()
        await leader.propose("warm")
        leader.host.disk.slow = 0.01
        before = leader.host.disk.fsyncs
        async with trio.open_nursery() as nursery:
            for i in range(40):
                nursery.start_soon(leader.propose, i)
        assert len(leader.machine.commands) == 41
        assert leader.host.disk.fsyncs - before <= 2

    simulate(scenario)


def test_a_disk_slower_than_every_timer_makes_no_busy_loop():
    async def scenario(cluster):
        leader = await cluster.leader()
        sent = cluster.sent
        for disk in cluster.disks.values():
            disk.slow = 0.7
        with pytest.raises(LeadershipLostError):  # it cannot keep its followers without a heartbeat for 0.7 s
            await leader.propose("slow")
        await trio.sleep(10)
        assert cluster.sent - sent < 2_000
        for disk in cluster.disks.values():
            disk.slow = 0
        await trio.sleep(2)
        leader = await cluster.leader()
        await leader.propose("fast")

    simulate(scenario)


def test_an_idle_cluster_sends_four_messages_per_heartbeat_and_tells_nothing():
    async def scenario(cluster):
        leader = await cluster.leader()
        await leader.propose("x")
        await trio.sleep(0.5)
        told, sent, fsyncs = len(cluster.events), cluster.sent, sum(disk.fsyncs for disk in cluster.disks.values())
        await trio.sleep(10)
        assert len(cluster.events) == told
        assert cluster.sent - sent == pytest.approx(4 * 10 / 0.05, rel=0.01)
        assert sum(disk.fsyncs for disk in cluster.disks.values()) == fsyncs

    simulate(scenario)


def test_what_is_told_of_a_command_on_its_way():
    async def scenario(cluster):
        leader = await cluster.leader()
        await trio.sleep(0.5)
        told = len(cluster.events)
        await leader.propose("x")
        mine = [event.values for event in cluster.events[told:] if event.host == leader.host.name]
        index = leader.core.log.last
        assert mine == [
            {"phase": "commit"},
            {"log": (index, ((leader.core.term, leader.core.log.chain(index)),))},
            {"commit": index},
            {"applied": (index, leader.core.log.chain(index))},
            {"phase": "idle"},
        ]

    simulate(scenario)


def test_a_restarted_host_tells_its_whole_log():
    async def scenario(cluster):
        leader = await cluster.leader()
        await leader.propose("x")
        log = leader.core.log.summary(1)
        cluster.power_loss(leader.host.name)
        told = len(cluster.events)
        await cluster.start(leader.host.name)
        mine = [event.values for event in cluster.events[told:] if event.host == leader.host.name]
        term = leader.core.term
        assert mine == [
            {"phase": "recovery"},
            {"log": (1, log)},
            {"phase": "election"},
            {"role": "follower", "term": term, "leader": None},
        ]

    simulate(scenario)


def test_kill_points_are_crossed_at_every_step_of_a_command_in_order():
    async def scenario(cluster):
        leader = await cluster.leader()
        await trio.sleep(0.5)
        cluster.killpoints.clear()
        await leader.propose("x")
        mine = [name for host, name in cluster.killpoints if host == leader.host.name]
        steps = ["before-persist", "after-persist", "after-send", "after-commit", "before-apply"]
        assert mine == [f"raft-{step}" for step in steps]

    simulate(scenario)


def test_a_command_waits_for_nothing_but_the_network():
    async def scenario(cluster):
        leader = await cluster.leader()
        await leader.propose("warm")
        for _ in range(10):
            began = trio.current_time()
            await leader.propose("x")
            await leader.read_barrier()
            assert trio.current_time() - began == pytest.approx(0.004)  # two round trips of 2 ms

    simulate(scenario)


def test_a_leader_sends_heartbeats_from_the_first_moment_on():
    rounds = []

    async def scenario(cluster):
        def note(host, body):
            if isinstance(body, Append) and (not rounds or rounds[-1][1:] != (body.term, body.round)):
                rounds.append((trio.current_time(), body.term, body.round))

        cluster.on_send = note
        for _ in range(5):
            await trio.sleep(1)
            (leader,) = (name for name in cluster.names if cluster.nodes[name].core.role == "leader")
            cluster.power_loss(leader)
            await cluster.start(leader)

    simulate(scenario)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(rounds) if earlier[1] == later[1]]
    assert len(gaps) > 40
    assert max(gaps) < 0.0501


def durably_promised(host, body):
    """Whether the host's disk, after a power loss now, still backs what it says."""
    saved = immediately(RaftStorage(Frozen(host.disk.durable)).recover())
    hard_state, entries = saved.hard_state, saved.entries
    if isinstance(body, Append):
        return body.previous + len(body.entries) <= len(entries) and hard_state.term == body.term
    if isinstance(body, AppendReply) and body.accepted:
        return body.index <= len(entries) and hard_state.term >= body.term
    if isinstance(body, VoteReply) and body.granted and not body.pre:
        return hard_state.term == body.term and hard_state.vote is not None
    return True


class Frozen:
    """A disk on which nothing takes time or effect."""

    def __init__(self, files):
        self.files = files

    async def exists(self, path):
        return path in self.files

    async def read(self, path):
        return self.files[path]

    async def truncate(self, path, size):
        assert scan(self.files[path]).offset == size

    async def fsync(self, path):
        pass

    async def fsync_directory(self, path):
        pass


def promises(node_class):
    """The promises that were made before they were durable, in a run with a few elections and commands."""
    broken = []

    async def scenario(cluster):
        cluster.on_send = lambda host, body: durably_promised(host, body) or broken.append(body)
        for disk in cluster.disks.values():
            disk.slow = 0.002
        for i in range(3):
            leader = await cluster.leader()
            async with trio.open_nursery() as nursery:
                for j in range(20):
                    nursery.start_soon(leader.propose, (i, j))
                    await trio.sleep(0.0007)
            cluster.isolate(leader.host.name)
            await cluster.leader()
            cluster.cut = set()

    simulate(scenario, node_class=node_class)
    return broken


class SendsBeforePersist(RaftNode):
    async def perform(self, effects):
        self.send(effects)
        effects.messages = []
        await super().perform(effects)


def test_nothing_is_promised_before_it_is_durable():
    assert promises(RaftNode) == []
    assert {type(body) for body in promises(SendsBeforePersist)} == {Append, AppendReply, VoteReply}
