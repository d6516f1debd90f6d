"""Raft as a state machine without input or output, in the manner of etcd/raft.

Nothing here knows a clock, a socket or a disk.  The shell steps the core with what happened (`receive`, `tick`, `propose`,
`read`), each with the time (seconds on any clock that does not go backwards), and takes what is to be done (`take`): persist,
then send, apply and answer.  It calls `tick` when `deadline` has come.  Any number of steps may come before a `take`: their
effects are one batch, which is group commit.  Entropy is a `random.Random` of the shell's, drawn from only when an election
timer is armed anew, not at every heartbeat.

Each rule of the protocol is one small method, named for it, so that it can be read, tested and broken by itself.

The core is total: no message makes it raise, whatever the sender believes.  Whether a run was safe is for properties to say.

Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014), and Ongaro's thesis: pre-vote (9.6),
check-quorum (6.2), the no-op at the start of a term and the read index (6.4).  Flow control and conflict hints are etcd's.
Membership is fixed and the log is never compacted.

Cost: a heartbeat and its answer take 2.5 microseconds in all (leader, follower, leader); an entry one hash per host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

from ...properties.history import Value
from .config import Config
from .effects import Committed, Effects, HardState, Persist, Read, Saved
from .log import Log
from .messages import Append, AppendReply, Entry, RaftMessage, VoteReply, VoteRequest
from .progress import Progress
from .role import Role

__all__ = ["Raft"]


class Raft:
    """One member.  `saved` is what its storage kept; `now` is the time at which it (re)starts.

    Public state, to be read only: `role`, `term`, `vote`, `leader` (None if unknown), `log`, `commit`.
    """

    def __init__(self, name: str, peers: Sequence[str], random: Random, now: float, saved: Saved, config: Config) -> None:
        self.name = name
        self.config = config
        self.role = Role.FOLLOWER
        self.term = saved.hard_state.term
        self.vote = saved.hard_state.vote
        self.leader: str | None = None
        self.log = Log(saved.entries)
        self.commit = 0
        self._now = now
        self._random = random
        self._quorum = (len(peers) + 1) // 2 + 1
        self._progress = {peer: Progress(1, now) for peer in peers}
        self._votes: set[str] = set()
        self._heard_leader = now
        self._arm_election_timer()
        # Leader only: when the next heartbeat is due, the number of the last round, and reads that wait for one.
        self._heartbeat_at = now
        self._round = 0
        self._reads: deque[tuple[int, Read]] = deque()
        self._early_reads: list[int] = []
        # Effects in the making.
        self._hard_state = saved.hard_state
        self._first_changed = 0
        self._messages: list[tuple[str, RaftMessage]] = []
        self._confirmed: list[Read] = []
        self._delivered = 0
        self._round_due = False
        self._replicate_due = False

    # ---- what the shell calls

    @property
    def deadline(self) -> float:
        """When `tick` is to be called, unless something else happens before."""
        return self._heartbeat_at if self.role is Role.LEADER else self._election_at

    def tick(self, now: float) -> None:
        """Time has passed."""
        self._now = now
        if self.role is not Role.LEADER:
            if now >= self._election_at:
                self.campaign()
        elif self.config.check_quorum and not self.has_quorum_contact():
            self.become_follower(self.term, None)
        elif now >= self._heartbeat_at:
            self._heartbeat_at = now + self.config.heartbeat
            self._round_due = True

    def receive(self, now: float, sender: str, message: RaftMessage) -> None:
        """A message came.  From a host that is no member it is ignored."""
        self._now = now
        if sender not in self._progress:
            return
        kind = type(message)
        if kind is Append:
            self._on_append(sender, message)  # type: ignore[arg-type]  # narrowing by type() costs half of isinstance here
        elif kind is AppendReply:
            self._on_append_reply(sender, message)  # type: ignore[arg-type]
        elif kind is VoteRequest:
            self._on_vote_request(sender, message)  # type: ignore[arg-type]
        elif kind is VoteReply:
            self._on_vote_reply(sender, message)  # type: ignore[arg-type]

    def propose(self, now: float, command: Value) -> tuple[int, int] | None:
        """Append a command to the log: its (index, term), or None if this host does not lead.

        It is committed if and when (index, entry of that term) appears among the committed entries.

        Raises:
            TypeError: msgspec cannot encode the command.
        """
        self._now = now
        if self.role is not Role.LEADER:
            return None
        self.write_log(self.log.last + 1, (Entry(self.term, command),))
        self._replicate_due = True
        self._advance_commit()
        return self.log.last, self.term

    def read(self, now: float, request: int) -> bool:
        """Ask for a linearizable read; False if this host does not lead.  Dropped when it ceases to lead."""
        self._now = now
        if self.role is not Role.LEADER:
            return False
        self.start_read(request)
        return True

    def take(self) -> Effects | None:
        """What is to be done since the last `take`; None if nothing is."""
        if self._round_due:
            self._send_round()
        elif self._replicate_due:
            self._replicate()
        if self._reads:
            self._confirm_reads()
        persist = self._take_persist()
        if persist is None and not (self._messages or self._confirmed or self._delivered < self.commit):
            return None
        committed, confirmed = self._take_committed(), self._confirmed
        effects = Effects(persist, self._messages, committed, confirmed, self.role, self.term, self.leader)
        self._messages, self._confirmed = [], []
        return effects

    # ---- terms and roles

    def become_follower(self, term: int, leader: str | None) -> None:
        """Follow in this term.  A vote is forgotten only with its term."""
        if term > self.term:
            self.term = term
            self.vote = None
        if self.role is not Role.FOLLOWER:
            self.role = Role.FOLLOWER
            self._round_due = self._replicate_due = False
            self._reads.clear()
            self._early_reads.clear()
            self._arm_election_timer()
        self.leader = leader

    def become_leader(self) -> None:
        """Lead: nothing is known of the others' logs, and a no-op entry makes what is before it committable."""
        self.role = Role.LEADER
        self.leader = self.name
        self._progress = {peer: Progress(self.log.last + 1, self._now) for peer in self._progress}
        self._heartbeat_at = self._now + self.config.heartbeat
        self._round_due = True
        self.write_log(self.log.last + 1, (Entry(self.term),))
        self._advance_commit()

    def has_quorum_contact(self) -> bool:
        """Check-quorum: a majority, with the leader itself, has answered within the longest election timeout."""
        since = self._now - self.config.election_timeout[1]
        return 1 + sum(progress.heard >= since for progress in self._progress.values()) >= self._quorum

    # ---- elections

    def campaign(self) -> None:
        """The election timer ran out: ask whether one would be elected, or without pre-vote begin at once."""
        self._arm_election_timer()
        self.leader = None
        if not self.config.pre_vote:
            self.start_election()
            return
        self.role = Role.PRE_CANDIDATE
        self._votes = {self.name}
        self._ask_for_votes(self.term + 1, pre=True)
        if len(self._votes) >= self._quorum:
            self.start_election()

    def start_election(self) -> None:
        """A new term, and the own vote in it."""
        self.role = Role.CANDIDATE
        self.leader = None
        self.term += 1
        self.vote = self.name
        self._votes = {self.name}
        self._arm_election_timer()
        self._ask_for_votes(self.term, pre=False)
        if len(self._votes) >= self._quorum:
            self.become_leader()

    def log_is_current(self, request: VoteRequest) -> bool:
        """The candidate's log is at least as up to date as ours: last terms decide, then lengths."""
        return (request.last_term, request.last) >= (self.log.last_term, self.log.last)

    def grant_vote(self, candidate: str, request: VoteRequest) -> bool:
        """One vote per term, first come, first served, and only for a log that lacks nothing of ours."""
        return request.term == self.term and self.vote in (None, candidate) and self.log_is_current(request)

    def grant_pre_vote(self, request: VoteRequest) -> bool:
        """Whether we would vote so; not while we hear from a leader."""
        return request.term > self.term and not self.leader_is_alive() and self.log_is_current(request)

    def leader_is_alive(self) -> bool:
        """We lead, or have heard from a leader within the shortest election timeout."""
        silence = self._now - self._heard_leader
        return self.role is Role.LEADER or (self.leader is not None and silence < self.config.election_timeout[0])

    def counts_vote(self, reply: VoteReply) -> bool:
        """The reply is a vote in the election that goes on now, not in an earlier one."""
        if reply.pre:
            return reply.granted and self.role is Role.PRE_CANDIDATE and reply.term == self.term + 1
        return reply.granted and self.role is Role.CANDIDATE and reply.term == self.term

    def _on_vote_request(self, sender: str, request: VoteRequest) -> None:
        if request.pre:
            granted = self.grant_pre_vote(request)
            self._messages.append((sender, VoteReply(request.term if granted else self.term, granted, True)))
            return
        if request.term > self.term:
            self.become_follower(request.term, None)
        granted = self.grant_vote(sender, request)
        if granted:
            self.vote = sender
            self._arm_election_timer()
        self._messages.append((sender, VoteReply(self.term, granted)))

    def _on_vote_reply(self, sender: str, reply: VoteReply) -> None:
        if reply.term > self.term and not (reply.pre and reply.granted):
            self.become_follower(reply.term, None)
        elif self.counts_vote(reply):
            self._votes.add(sender)
            if len(self._votes) >= self._quorum:
                if reply.pre:
                    self.start_election()
                else:
                    self.become_leader()

    def _ask_for_votes(self, term: int, *, pre: bool) -> None:
        request = VoteRequest(term, self.log.last, self.log.last_term, pre)
        self._messages += [(peer, request) for peer in self._progress]

    def _arm_election_timer(self) -> None:
        self._timeout = self._random.uniform(*self.config.election_timeout)
        self._election_at = self._now + self._timeout

    # ---- the follower's log

    def accept_entries(self, previous: int, entries: tuple[Entry, ...]) -> None:
        """Take a leader's entries behind `previous`.  Only a real conflict truncates: messages may come late and repeated."""
        for position, entry in enumerate(entries):
            index = previous + 1 + position
            if not self.log.matches(index, entry.term):
                self.write_log(index, entries[position:])
                return

    def commit_from_leader(self, message: Append) -> int:
        """How far a leader's message commits our log: not beyond what it has shown to agree."""
        return min(message.commit, message.previous + len(message.entries))

    def _on_append(self, sender: str, message: Append) -> None:
        if message.term < self.term:
            self._messages.append((sender, AppendReply(self.term, False, message.previous, message.round)))
            return
        if message.term > self.term or self.role is not Role.FOLLOWER or self.leader != sender:
            if message.term == self.term and self.role is Role.LEADER:
                return  # two leaders in one term: a vote was lost, and neither can know better
            self.become_follower(message.term, sender)
        self._heard_leader = self._now
        self._election_at = self._now + self._timeout
        previous = message.previous
        if not self.log.matches(previous, message.previous_term):
            hint = self.log.last_not_after(previous, message.previous_term)
            self._messages.append((sender, AppendReply(self.term, False, previous, message.round, hint, self.log.term(hint))))
            return
        self.accept_entries(previous, message.entries)
        if message.commit > self.commit:
            self.commit = max(self.commit, self.commit_from_leader(message))
        self._messages.append((sender, AppendReply(self.term, True, previous + len(message.entries), message.round)))

    def write_log(self, first: int, entries: tuple[Entry, ...]) -> None:
        """From index `first` on, the log is exactly these entries; what was there is gone."""
        self.log.replace(first, entries)
        self._first_changed = min(first, self._first_changed or first)

    # ---- the leader's replication

    def may_commit(self, index: int) -> bool:
        """Only an entry of the own term is committed by counting; earlier ones with it (figure 8 of the paper)."""
        return self.log.term(index) == self.term

    def _on_append_reply(self, sender: str, reply: AppendReply) -> None:
        if reply.term > self.term:
            self.become_follower(reply.term, None)
        if self.role is not Role.LEADER or reply.term != self.term:
            return
        progress = self._progress[sender]
        progress.heard = self._now
        if reply.round > progress.round:
            progress.round = reply.round
        if reply.accepted:
            if progress.accept(reply.index):
                self._advance_commit()
            if progress.next <= self.log.last and not self._replicate_due:
                self._send_append(sender, progress)
        elif progress.reject(reply.index, self.log.last_not_after(reply.hint, reply.hint_term)):
            self._send_append(sender, progress)

    def _advance_commit(self) -> None:
        matches = sorted([self.log.last, *(progress.match for progress in self._progress.values())])
        index = matches[len(matches) - self._quorum]
        if index > self.commit and self.may_commit(index):
            self.commit = index
            self._replicate_due = True  # so that followers learn of it before the next heartbeat
            early, self._early_reads = self._early_reads, []
            for request in early:
                self.start_read(request)

    def _replicate(self) -> None:
        """Send news to those whose place in the log is known; the others are being probed."""
        self._replicate_due = False
        for peer, progress in self._progress.items():
            if not progress.probing:
                self._send_append(peer, progress)

    def _send_round(self) -> None:
        """A heartbeat round: to everyone."""
        self._round_due = self._replicate_due = False
        self._round += 1
        for peer, progress in self._progress.items():
            self._send_append(peer, progress)

    def _send_append(self, peer: str, progress: Progress) -> None:
        previous = progress.next - 1
        log = self.log
        if previous < log.last:
            entries = log.slice(previous + 1, self.config.append_batch)
            if not progress.probing:
                progress.next += len(entries)
        else:
            entries = ()
        self._messages.append((peer, Append(self.term, previous, log.term(previous), self.commit, self._round, entries)))

    # ---- linearizable reads

    def may_read(self) -> bool:
        """Only after an entry of the own term is committed does the leader know what is committed."""
        return self.log.term(self.commit) == self.term

    def start_read(self, request: int) -> None:
        """The read sees at least what is committed now, once a round that begins after now confirms that we lead."""
        if not self.may_read():
            self._early_reads.append(request)
            return
        self._reads.append((self._round + 1, Read(request, self.commit)))
        self._round_due = True

    def confirmed_round(self) -> int:
        """The latest round that a majority, with the leader itself, has answered."""
        rounds = sorted([self._round, *(progress.round for progress in self._progress.values())])
        return rounds[len(rounds) - self._quorum]

    def _confirm_reads(self) -> None:
        confirmed = self.confirmed_round()
        while self._reads and self._reads[0][0] <= confirmed:
            self.confirm_read(self._reads.popleft()[1])

    def confirm_read(self, read: Read) -> None:
        """The read may be answered when its index is applied."""
        self._confirmed.append(read)

    # ---- effects

    def _take_persist(self) -> Persist | None:
        hard_state: HardState | None = None
        if self._hard_state.term != self.term or self._hard_state.vote != self.vote:
            hard_state = self._hard_state = HardState(self.term, self.vote)
        first, self._first_changed = self._first_changed, 0
        if first:
            return Persist(hard_state, first, self.log.slice(first), self.log.summary(first))
        return Persist(hard_state) if hard_state is not None else None

    def _take_committed(self) -> list[Committed]:
        if self._delivered == self.commit:
            return []
        log, first = self.log, self._delivered + 1
        self._delivered = self.commit
        return [Committed(index, log.chain(index), log.entry(index)) for index in range(first, min(self.commit, log.last) + 1)]
