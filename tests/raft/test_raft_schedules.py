"""Raft's promises hold under thousands of random schedules, and each rule of the core is needed for that."""

import collections

import pytest
from raft_network import Network, Storage, Violation

from killpoint.model.raft import HardState, Raft, Read


def run(seed, steps=300, **kwargs):
    network = Network(seed, **kwargs)
    for _ in range(steps):
        network.step()
    return network


@pytest.mark.parametrize("part", range(4))
def test_three_hosts_are_safe_under_2000_schedules_of_loss_duplication_reordering_cuts_and_crashes(part):
    committed = answered = terms = 0
    for seed in range(part * 500, part * 500 + 500):
        network = run(seed)
        committed += network.commit
        answered += network.answered
        terms += max(raft.term for raft in network.rafts.values())
    # It is no walk in the park, and still things happen.
    assert committed > 500 * 8
    assert answered > 500 * 2
    assert terms > 500 * 6


def test_five_hosts_are_safe_under_500_schedules():
    assert sum(run(seed, n=5, steps=400).commit for seed in range(500)) > 500 * 4


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_when_faults_end_one_leader_commits_everything_and_all_logs_agree(n):
    for seed in range(40):
        network = run(seed, n=n)
        network.calm()
        (leader,) = network.leaders()
        network.propose(leader)
        network.perform(leader)
        network.calm(0.3)
        (chain,) = {raft.log.chain(raft.log.last) for raft in network.rafts.values()}
        (commit,) = {raft.commit for raft in network.rafts.values()}
        assert commit == network.rafts[leader].log.last
        assert chain


class TermAndVoteNotSaved(Storage):
    def save(self, persist):
        super().save(persist)
        self.hard_state = HardState()


class VoteNotSaved(Storage):
    def save(self, persist):
        super().save(persist)
        self.hard_state = HardState(self.hard_state.term)


class EntriesNotSaved(Storage):
    def save(self, persist):
        if persist.hard_state is not None:
            self.hard_state = persist.hard_state


class CommitsPriorTerms(Raft):
    def may_commit(self, index):
        return True


class EveryAppendTruncates(Raft):
    def accept_entries(self, previous, entries):
        self.write_log(previous + 1, entries)


class VotesForAnyLog(Raft):
    def log_is_current(self, request):
        return True


class VotesTwice(Raft):
    def grant_vote(self, candidate, request):
        return request.term == self.term and self.log_is_current(request)


class ComparesLengthBeforeTerm(Raft):
    def log_is_current(self, request):
        return (request.last, request.last_term) >= (self.log.last, self.log.last_term)


class CountsStaleVotes(Raft):
    def counts_vote(self, reply):
        return reply.granted


class ReadsWithoutConfirmation(Raft):
    def start_read(self, request):
        self.confirm_read(Read(request, self.commit))


class ReadsBeforeOwnTermCommit(Raft):
    def may_read(self):
        return True


@pytest.mark.parametrize(
    "bug",
    [
        TermAndVoteNotSaved,
        VoteNotSaved,
        EntriesNotSaved,
        CommitsPriorTerms,
        EveryAppendTruncates,
        VotesForAnyLog,
        VotesTwice,
        ComparesLengthBeforeTerm,
        CountsStaleVotes,
        ReadsWithoutConfirmation,
        ReadsBeforeOwnTermCommit,
    ],
)
def test_a_core_without_one_rule_is_caught(bug):
    part = {"storage": bug} if issubclass(bug, Storage) else {"core": bug}
    with pytest.raises(Violation):
        collections.deque((run(seed, **part) for seed in range(1000)), maxlen=0)
