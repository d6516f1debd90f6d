"""Each rule of the core, by itself."""

from random import Random

import pytest

from killpoint.model.raft import (
    Append,
    AppendReply,
    Config,
    Entry,
    HardState,
    Persist,
    Raft,
    Read,
    Role,
    Saved,
    VoteReply,
    VoteRequest,
)

CONFIG = Config()


def member(terms=(), term=0, vote=None, peers=("n2", "n3"), config=CONFIG, core=Raft):
    """n1 at time 0, with a log of entries of these terms."""
    entries = tuple(Entry(t, f"{t}.{i}") for i, t in enumerate(terms, 1))
    saved = Saved(HardState(max(term, *terms, 0) if terms else term, vote), entries)
    return core("n1", peers, Random(1), 0.0, saved, config)


def elect(raft, now=1.0):
    """Have it elected; its no-op is appended and its first round sent."""
    raft.tick(now)
    for pre in (True, False):
        for peer in raft._progress:
            raft.receive(now, peer, VoteReply(raft.term + pre, True, pre))
    assert raft.role is Role.LEADER
    raft.take()
    return raft


def replies(raft):
    effects = raft.take()
    return [message for _, message in effects.messages] if effects else []


def reply(raft, now, sender, message):
    raft.receive(now, sender, message)
    (answer,) = replies(raft)
    return answer


# ---- elections


def test_a_timeout_asks_for_pre_votes_without_a_new_term():
    raft = member([1, 1])
    raft.tick(raft.deadline)
    effects = raft.take()
    assert (raft.role, raft.term) == (Role.PRE_CANDIDATE, 1)
    assert effects.persist is None
    assert effects.messages == [(peer, VoteRequest(2, 2, 1, True)) for peer in ("n2", "n3")]


def test_a_majority_of_pre_votes_begins_an_election_whose_own_vote_is_persisted():
    raft = member()
    raft.tick(raft.deadline)
    raft.take()
    raft.receive(raft.deadline, "n3", VoteReply(1, True, True))
    effects = raft.take()
    assert effects.persist == Persist(HardState(1, "n1"))
    assert effects.messages == [(peer, VoteRequest(1, 0, 0, False)) for peer in ("n2", "n3")]


def test_a_vote_is_given_once_in_a_term_and_remembered_over_a_restart():
    raft = member()
    assert reply(raft, 0, "n2", VoteRequest(1, 0, 0)).granted
    assert not reply(raft, 0, "n3", VoteRequest(1, 0, 0)).granted
    assert reply(raft, 0, "n2", VoteRequest(1, 0, 0)).granted
    again = member(term=1, vote="n2")
    assert not reply(again, 0, "n3", VoteRequest(1, 0, 0)).granted
    assert reply(again, 0, "n3", VoteRequest(2, 0, 0)).granted


def test_a_vote_is_persisted_in_the_batch_that_sends_it():
    raft = member()
    raft.receive(0, "n2", VoteRequest(4, 0, 0))
    effects = raft.take()
    assert effects.persist == Persist(HardState(4, "n2"))
    assert effects.messages == [("n2", VoteReply(4, True))]


@pytest.mark.parametrize(
    ("last", "last_term", "granted"),
    [(2, 2, True), (3, 2, True), (1, 3, True), (1, 2, False), (9, 1, False), (0, 0, False)],
)
def test_votes_and_pre_votes_go_only_to_logs_that_lack_nothing(last, last_term, granted):
    for pre in (True, False):
        assert reply(member([1, 2]), 0, "n2", VoteRequest(5, last, last_term, pre)).granted is granted


def test_nobody_helps_to_depose_a_leader_that_is_heard():
    raft = member()
    reply(raft, 1.0, "n2", Append(1, 0, 0, 0, 1))
    assert not reply(raft, 1.1, "n3", VoteRequest(2, 0, 0, True)).granted
    assert raft.term == 1
    assert reply(raft, 1.2, "n3", VoteRequest(2, 0, 0, True)).granted
    assert raft.term == 1


def test_a_host_that_was_cut_off_does_not_disrupt_when_it_returns():
    raft = elect(member())
    assert not reply(raft, 1.2, "n3", VoteRequest(2, 0, 0, True)).granted
    assert (raft.role, raft.term) == (Role.LEADER, 1)


def test_votes_of_earlier_elections_do_not_count():
    raft = member(config=Config(pre_vote=False))
    raft.tick(raft.deadline)
    raft.tick(raft.deadline)
    assert raft.term == 2
    raft.receive(1.0, "n2", VoteReply(1, True))
    assert raft.role is Role.CANDIDATE
    raft.receive(1.0, "n2", VoteReply(2, True, True))
    assert raft.role is Role.CANDIDATE
    raft.receive(1.0, "n2", VoteReply(2, True))
    assert raft.role is Role.LEADER


def test_one_host_voting_twice_is_one_vote():
    raft = member(peers=("n2", "n3", "n4", "n5"), config=Config(pre_vote=False))
    raft.tick(raft.deadline)
    for _ in range(3):
        raft.receive(1.0, "n2", VoteReply(1, True))
    assert raft.role is Role.CANDIDATE
    raft.receive(1.0, "n3", VoteReply(1, True))
    assert raft.role is Role.LEADER


def test_a_higher_term_ends_leadership_whatever_brings_it():
    for message in (Append(9, 0, 0, 0, 1), AppendReply(9, False, 0, 1), VoteRequest(9, 0, 0), VoteReply(9, False)):
        raft = elect(member())
        raft.receive(1.0, "n2", message)
        assert (raft.role, raft.term) == (Role.FOLLOWER, 9)
        assert raft.take().persist.hard_state.term == 9


def test_a_leader_that_hears_from_no_majority_steps_down():
    raft = elect(member(), now=1.0)
    raft.receive(1.15, "n2", AppendReply(1, True, 1, 1))
    raft.tick(1.4)
    assert raft.role is Role.LEADER
    raft.tick(1.5)
    assert (raft.role, raft.leader, raft.term) == (Role.FOLLOWER, None, 1)


def test_election_timeouts_are_drawn_from_the_given_generator_and_range():
    deadlines = {Raft("n1", ("n2",), Random(seed), 0.0, Saved(), CONFIG).deadline for seed in range(50)}
    assert len(deadlines) == 50
    assert all(0.15 <= deadline <= 0.3 for deadline in deadlines)


def test_heartbeats_put_the_election_off():
    raft = member()
    for beat in range(20):
        raft.receive(beat * 0.05, "n2", Append(1, 0, 0, 0, beat))
    assert raft.deadline >= 0.95 + 0.15


def test_a_vote_that_was_given_puts_the_own_election_off():
    raft = member()
    before = raft.deadline
    reply(raft, 0.1, "n2", VoteRequest(1, 0, 0))
    assert raft.deadline >= 0.1 + 0.15
    assert raft.deadline != before
    given = raft.deadline
    reply(raft, 0.2, "n3", VoteRequest(1, 0, 0))
    assert raft.deadline == given


# ---- the follower's log


def terms(raft):
    return [entry.term for entry in raft.log.slice(1)]


def test_entries_are_taken_when_they_follow_and_persisted_before_the_answer():
    raft = member([1])
    raft.receive(0, "n2", Append(1, 1, 1, 0, 1, (Entry(1, "a"), Entry(1, "b"))))
    effects = raft.take()
    assert (effects.persist.first, effects.persist.entries) == (2, (Entry(1, "a"), Entry(1, "b")))
    assert effects.persist.summary == tuple((1, raft.log.chain(index)) for index in (2, 3))
    assert effects.messages == [("n2", AppendReply(1, True, 3, 1))]


def test_an_old_append_that_comes_late_truncates_nothing():
    raft = member([1, 1, 1])
    answer = reply(raft, 0, "n2", Append(1, 0, 0, 0, 1, (Entry(1, "1.1"),)))
    assert answer == AppendReply(1, True, 1, 1)
    assert raft.log.last == 3
    assert reply(raft, 0, "n2", Append(1, 1, 1, 0, 1)).accepted
    assert raft.log.last == 3


def test_a_conflict_truncates_from_there():
    raft = member([1, 1, 2, 2])
    raft.receive(0, "n2", Append(3, 1, 1, 0, 1, (Entry(1, "1.2"), Entry(3, "x"))))
    effects = raft.take()
    assert terms(raft) == [1, 1, 3]
    assert (effects.persist.first, effects.persist.entries) == (3, (Entry(3, "x"),))


@pytest.mark.parametrize(
    ("ours", "previous", "previous_term", "hint", "hint_term"),
    [([1, 1], 5, 1, 2, 1), ([1, 1, 2, 2, 2], 5, 4, 5, 2), ([1, 3, 3, 3], 4, 2, 1, 1), ([], 3, 1, 0, 0)],
)
def test_a_rejection_hints_where_the_logs_may_agree(ours, previous, previous_term, hint, hint_term):
    raft = member(ours, term=9)
    answer = reply(raft, 0, "n2", Append(9, previous, previous_term, 0, 7, (Entry(9, "x"),)))
    assert answer == AppendReply(9, False, previous, 7, hint, hint_term)
    assert terms(raft) == list(ours)


def test_a_follower_commits_no_further_than_the_message_shows_it_to_agree():
    raft = member([1, 1, 1, 1])
    reply(raft, 0, "n2", Append(2, 1, 1, 4, 1))
    assert raft.commit == 1
    reply(raft, 0, "n2", Append(2, 1, 1, 4, 1, (Entry(1, "1.2"),)))
    assert raft.commit == 2
    reply(raft, 0, "n2", Append(2, 1, 1, 4, 1))
    assert raft.commit == 2


def test_a_deposed_leaders_append_is_refused_with_the_new_term():
    raft = member(term=5)
    assert reply(raft, 0, "n2", Append(4, 0, 0, 0, 1)) == AppendReply(5, False, 0, 1)
    assert raft.leader is None


def test_strangers_are_ignored():
    raft = member()
    raft.receive(0, "n9", VoteRequest(8, 9, 9))
    assert raft.take() is None
    assert raft.term == 0


# ---- the leader


def test_a_new_leader_appends_a_no_op_and_says_so_to_everyone():
    raft = member([1, 1])
    raft.tick(raft.deadline)
    raft.receive(0.3, "n2", VoteReply(2, True, True))
    raft.take()
    raft.receive(0.3, "n2", VoteReply(2, True))
    effects = raft.take()
    assert effects.persist.entries == (Entry(2, None),)
    assert effects.messages == [(peer, Append(2, 2, 1, 0, 1, (Entry(2),))) for peer in ("n2", "n3")]


def test_figure_8_an_entry_of_an_earlier_term_is_committed_only_under_one_of_the_own():
    raft = elect(member([1, 2]))
    raft.receive(1.0, "n2", AppendReply(3, True, 2, 1))
    assert raft.commit == 0
    raft.receive(1.0, "n2", AppendReply(3, True, 3, 1))
    assert raft.commit == 3
    assert [(c.index, c.entry.term) for c in raft.take().committed] == [(1, 1), (2, 2), (3, 3)]


def test_a_majority_commits_and_followers_hear_of_it_at_once():
    raft = elect(member(peers=("n2", "n3", "n4", "n5")))
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    assert raft.commit == 0
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    assert raft.commit == 0
    raft.receive(1.0, "n3", AppendReply(1, True, 1, 1))
    assert raft.commit == 1
    assert [(to, message.commit) for to, message in raft.take().messages] == [("n2", 1), ("n3", 1)]


def test_a_batch_carries_at_most_so_many_entries_and_the_answer_brings_the_next():
    raft = elect(member(config=Config(append_batch=2)))
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    raft.take()
    for number in range(5):
        raft.propose(1.0, number)
    sizes = []
    while (effects := raft.take()) is not None:
        ((to, message),) = effects.messages
        sizes.append((to, len(message.entries)))
        if message.entries:
            raft.receive(1.0, "n2", AppendReply(1, True, message.previous + len(message.entries), 1))
    assert sizes == [("n2", 2), ("n2", 2), ("n2", 1), ("n2", 0)]  # the last tells of the commit
    assert raft.commit == 6


def test_a_rejection_moves_the_leader_back_by_terms_not_by_single_entries():
    raft = elect(member([1] * 50 + [2] * 50))
    raft.receive(1.0, "n2", AppendReply(3, False, 100, 1, 80, 1))
    ((to, message),) = raft.take().messages
    assert (to, message.previous, message.previous_term) == ("n2", 50, 1)
    assert len(message.entries) == 51


def test_answers_that_were_overtaken_do_not_move_the_leader_back():
    raft = elect(member([1, 1, 1]))
    raft.receive(1.0, "n2", AppendReply(2, True, 4, 1))
    raft.take()
    raft.receive(1.0, "n2", AppendReply(2, False, 3, 1, 0, 0))
    raft.receive(1.0, "n2", AppendReply(2, True, 1, 1))
    raft.propose(1.0, "x")
    message = next(message for to, message in raft.take().messages if to == "n2")
    assert (message.previous, len(message.entries)) == (4, 1)


def test_a_lost_append_is_found_out_by_the_next_heartbeat():
    raft = elect(member())
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    raft.take()
    raft.propose(1.0, "lost")
    raft.take()
    raft.tick(raft.deadline)
    beat = next(message for to, message in raft.take().messages if to == "n2")
    assert (beat.previous, beat.entries) == (2, ())
    raft.receive(1.1, "n2", AppendReply(1, False, 2, beat.round, 1, 1))
    again = next(message for to, message in raft.take().messages if to == "n2")
    assert (again.previous, again.entries) == (1, (Entry(1, "lost"),))


def test_a_follower_that_lost_what_it_acknowledged_makes_no_storm_of_messages():
    raft = elect(member([1, 1]))
    raft.receive(1.0, "n2", AppendReply(2, True, 3, 1))
    raft.take()
    raft.propose(1.0, "x")
    raft.take()
    raft.receive(1.0, "n2", AppendReply(2, False, 4, 1, 1, 1))
    assert [message.previous for message in replies(raft)] == [3]
    raft.receive(1.0, "n2", AppendReply(2, False, 3, 1, 1, 1))
    assert replies(raft) == []


def test_steps_between_two_takes_are_one_batch():
    raft = elect(member())
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    raft.take()
    assert [raft.propose(1.0, command) for command in "abc"] == [(2, 1), (3, 1), (4, 1)]
    effects = raft.take()
    assert len(effects.persist.entries) == 3
    assert [len(message.entries) for to, message in effects.messages] == [3]
    assert raft.take() is None


def test_a_host_that_does_not_lead_takes_neither_proposals_nor_reads():
    raft = member()
    assert raft.propose(0, "x") is None
    assert raft.read(0, 1) is False
    assert raft.take() is None


def test_a_command_that_cannot_be_encoded_is_refused_and_leaves_no_trace():
    raft = elect(member())
    with pytest.raises(TypeError):
        raft.propose(1.0, object())
    assert raft.log.last == 1
    assert raft.take() is None


def test_a_cluster_of_one_commits_alone():
    raft = member(peers=())
    raft.tick(raft.deadline)
    raft.propose(1.0, "x")
    raft.read(1.0, 7)
    effects = raft.take()
    assert [c.entry.command for c in effects.committed] == [None, "x"]
    assert effects.reads == [Read(7, 2)]


# ---- reads


def leading():
    raft = elect(member())
    raft.receive(1.0, "n2", AppendReply(1, True, 1, 1))
    raft.take()
    return raft


def test_a_read_waits_for_a_round_that_began_after_it():
    raft = leading()
    assert raft.read(1.01, 7)
    effects = raft.take()
    assert effects.reads == []
    assert {message.round for _, message in effects.messages} == {2}
    raft.receive(1.02, "n2", AppendReply(1, True, 1, 1))
    assert raft.take() is None
    raft.receive(1.02, "n3", AppendReply(1, False, 1, 2, 0, 0))  # whoever answers in our term confirms, agreed or not
    assert raft.take().reads == [Read(7, 1)]


def test_a_read_waits_until_an_entry_of_the_own_term_is_committed():
    raft = elect(member([1, 1]))
    raft.read(1.0, 7)
    raft.receive(1.0, "n2", AppendReply(2, True, 2, 1))
    assert {message.round for _, message in raft.take().messages} == {1}
    raft.receive(1.0, "n2", AppendReply(2, True, 3, 1))
    assert {message.round for _, message in raft.take().messages} == {2}
    raft.receive(1.0, "n2", AppendReply(2, True, 3, 2))
    assert raft.take().reads == [Read(7, 3)]


def test_an_answer_to_an_earlier_round_that_comes_late_takes_nothing_back():
    raft = elect(member(peers=("n2", "n3", "n4", "n5")))
    for peer in ("n2", "n3"):
        raft.receive(1.0, peer, AppendReply(1, True, 1, 1))
    raft.read(1.01, 7)
    raft.take()
    for peer, round_ in (("n2", 2), ("n2", 1), ("n3", 2)):
        raft.receive(1.02, peer, AppendReply(1, True, 1, round_))
    assert raft.take().reads == [Read(7, 1)]


@pytest.mark.parametrize("committed", [True, False])
def test_reads_are_dropped_with_leadership(committed):
    raft = leading() if committed else elect(member())
    raft.read(1.01, 7)
    raft.take()
    raft.receive(1.02, "n2", AppendReply(5, False, 0, 2))
    raft.take()
    elect(raft, now=2.0)
    confirmed = []
    for _ in range(4):
        raft.tick(raft.deadline)
        while (effects := raft.take()) is not None:
            confirmed += effects.reads
            for to, message in effects.messages:
                raft.receive(2.3, to, AppendReply(6, True, message.previous + len(message.entries), message.round))
    assert raft.commit == 2
    assert confirmed == []


# ---- parameters


@pytest.mark.parametrize(
    "wrong",
    [{"heartbeat": 0}, {"heartbeat": 0.2}, {"election_timeout": (0.3, 0.2)}, {"append_batch": 0}],
)
def test_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be positive|at least 1"):
        Config(**wrong)
