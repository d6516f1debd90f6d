"""Partitioned logs as Kafka has them: what is sent gets an offset, and consumers poll in the order of offsets.

All that sends and polls say of offsets makes one order of each key's log.  Against it each consumer and producer is held:

====================== ========================================================================================================
inconsistent-offsets   one offset has two values
duplicate              one value, sent once, has two offsets
aborted-read           a poll shows what a failed send had sent (G1a)
unexpected             a poll shows what nobody had sent by then
precommitted-read      a transaction polls what it sends itself
int-poll-skip          an operation polls two messages and not one that is known to be between them
poll-skip              the same, from one operation of a process to its next
int-nonmonotonic-poll  an operation polls a message again, or one that comes before
nonmonotonic-poll      the same, from one operation of a process to its next
int-nonmonotonic-send  an operation's later message has a lower offset
nonmonotonic-send      the same, from one operation of a process to its next
lost-write             an acknowledged message was polled by nobody, though later ones were
unseen                 an acknowledged message after all that was polled was polled by nobody
====================== ========================================================================================================

Where nothing can be said, nothing is.  A consumer that subscribed may be given other partitions at any time, so what it polls is
only compared within one poll.  An assignment of keys that a process had already goes on, or begins anew at the start (histories do
not say whether it sought there).  A poll with an unknown outcome may have polled anything, on behalf of all who share its place in the
log; so, unless its consumer was assigned keys and has a place of its own, it excuses a message that seems lost, if no poll
demonstrably passed over that.  Offsets need not be
contiguous, as transactions leave marks of their own in the log.

Of operations with an unknown outcome, and of those that failed, histories may hold what came back before.  Polls show what is there,
whatever becomes of them; but a failed one gives its place in the log back.  A send of unknown outcome counts as acknowledged, where
it was told offsets, once any of its messages was polled, as it happened then.

Prior art: Jepsen's `tests/kafka.clj`, whose kinds and names these are.  Of it, cycles of transactions (G0, G1c) are not
looked for, nor gaps between the sends of a transaction, which Kafka allows.  What a process sends is compared whatever it subscribed to in
between, as a producer has nothing to do with that; Jepsen forgets it then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate
from typing import ClassVar, TypeAlias

from ..history import Operation, Outcome, Value, render
from ..verdict import Verdict
from .findings import Findings, counted, ended
from .messages import Message, asks, assigned, polled, sent
from .workload import Workload

__all__ = ["KafkaLog"]

KINDS = (
    "inconsistent-offsets", "duplicate", "aborted-read", "unexpected", "precommitted-read", "lost-write",
    "int-nonmonotonic-poll", "nonmonotonic-poll", "int-poll-skip", "poll-skip", "int-nonmonotonic-send", "nonmonotonic-send", "unseen",
)  # fmt: skip
"""The gravest first."""


@dataclass(frozen=True)
class KafkaLog(Workload):
    """Logs by key: `send((k, v)) -> offset`, `poll() -> {k: ((offset, v), ...)}`, `txn` of both, `assign(keys)`, `subscribe(keys)`.

    Formula: there is one order of each key's messages, by offset, that all sends and polls agree with; what the module's table lists
    does not occur.  What was acknowledged and never polled, though nothing later was either, makes the verdict `unknown` unless
    `final_polls` says that in the end everything was polled from the beginning (True: it is `unseen`) or was not meant to be (False).
    Cost: O(n log n) in the number of messages sent and polled.

    The evidence's kind is one of the module's table.
    """

    final_polls: bool | None = None

    functions: ClassVar[frozenset[str]] = frozenset({"send", "poll", "txn", "assign", "subscribe"})
    lasting: ClassVar[frozenset[str]] = frozenset(KINDS) - {"lost-write", "unseen"}

    def _judged(self, operations: Sequence[Operation]) -> Verdict:
        findings = Findings(self.name, *KINDS)
        logs = _Logs(self.name, operations, findings)
        processes: dict[str, _Process] = {}
        for number, one in enumerate(operations):
            if one.process not in processes:
                processes[one.process] = _Process(logs, findings)
            processes[one.process].take(number, one)
        passed, unseen = logs.unpolled()
        excused = self._missing(logs, passed, unseen, findings)
        if findings:
            return findings.verdict()
        if not logs.polls:
            return self._unknown("nothing was ever polled")
        if excused:
            send, key, message = excused[0]
            maybe = f"and {ended(logs.excuse)} may have polled it" if logs.excuse is not None else ""
            return self._unknown(f"{_passed(logs, send, key, message)}, {maybe} ({counted(len(excused), 'message')} like this)")
        if unseen and self.final_polls is None:
            send, key, message = unseen[0]
            what = f"{_message(key, message)}, sent by {ended(send)}, was never polled ({counted(len(unseen), 'message')} like this)"
            return self._unknown(f"{what}: it is lost, or the history ends too early (final_polls says which)")
        besides = f"; {counted(len(unseen), 'acknowledged message')} not polled" if unseen else ""
        return self._valid(f"{counted(logs.polls, 'poll')} in the order of {counted(len(logs.by_key), 'log')}{besides}")

    def _missing(self, logs: _Logs, passed: list[_Sent], unseen: list[_Sent], findings: Findings) -> list[_Sent]:
        """Note what was lost; gives what may have been polled by somebody whose operation has no known outcome."""
        excused: list[_Sent] = []
        for send, key, message in passed:
            if logs.excuse is None or self.final_polls or logs.by_key[key].passed_over(message[0]):
                findings.note("lost-write", partial(_passed, logs, send, key, message), send)
            else:
                excused.append((send, key, message))
        if self.final_polls:
            for send, key, message in unseen:
                findings.note("unseen", partial("{} sent by {} was never polled".format, _message(key, message), ended(send)), send)
        return excused


_Sent: TypeAlias = "tuple[Operation, Value, Message]"


def _passed(logs: _Logs, send: Operation, key: Value, message: Message) -> str:
    highest = _message(key, logs.by_key[key].highest)
    return f"{_message(key, message)}, sent by {ended(send)}, was polled by nobody, though {highest} was"


def _message(key: Value, message: Message) -> str:
    offset, value = message
    return f"{render(value)} in {render(key)}{'' if offset is None else f' at offset {offset}'}"


@dataclass
class _Log:
    """What is known of one key.

    `values` and `offsets` map offsets to values and back (the first that were seen), `order` is what exists, `seen` what was polled,
    `highest` the message polled with the highest offset.
    """

    values: dict[int, Value] = field(default_factory=dict)
    offsets: dict[Value, int] = field(default_factory=dict)
    others: dict[Value, set[int]] = field(default_factory=dict)
    seen: set[Value] = field(default_factory=set)
    attempts: dict[Value, list[Operation]] = field(default_factory=dict)
    failed: dict[Value, Operation] = field(default_factory=dict)
    index: dict[int, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    highest: Message = (None, None)
    skipped: dict[int, int] = field(default_factory=dict)

    def learn(self, key: Value, message: Message, one: Operation, findings: Findings) -> None:
        """Take in that this offset has this value."""
        offset, value = message
        if offset is None:
            return
        other = self.values.setdefault(offset, value)
        if other != value:
            told = partial("offset {} of {} is {}, and {} to {}".format, offset, render(key), render(other), render(value), ended(one))
            findings.note("inconsistent-offsets", told, one)
        if self.offsets.setdefault(value, offset) != offset:
            self.others.setdefault(value, set()).add(offset)

    def settle(self) -> None:
        """Put what exists in order: what was polled, or sent and acknowledged, but for what failed sends left."""
        self.order = sorted(offset for offset, value in self.values.items() if value in self.attempts or value not in self.failed)
        self.index = {offset: place for place, offset in enumerate(self.order)}

    def place(self, message: Message) -> int | None:
        """The place of a message in the order; None if it is not known."""
        offset, value = message
        if offset is None:
            offset = self.offsets.get(value)
        return None if offset is None else self.index.get(offset)

    def skip(self, first: int, last: int) -> None:
        """Somebody polled these two places and nothing between."""
        self.skipped[first + 1] = self.skipped.get(first + 1, 0) + 1
        self.skipped[last] = self.skipped.get(last, 0) - 1

    def passed_over(self, offset: int | None) -> bool:
        """True if a poll demonstrably passed over this offset."""
        place = None if offset is None else self.index.get(offset)
        if place is None:
            return False
        starts, depths = self._passed
        at = bisect_right(starts, place)
        return at > 0 and depths[at - 1] > 0

    @cached_property
    def _passed(self) -> tuple[list[int], list[int]]:
        """Where it changes how many polls passed over a place, and how many do from there on."""
        starts = sorted(self.skipped)
        return starts, [*accumulate(self.skipped[start] for start in starts)]


class _Logs:
    """All keys: what was sent and polled, per operation and per key."""

    def __init__(self, name: str, operations: Sequence[Operation], findings: Findings) -> None:
        self.name = name
        self.by_key: dict[Value, _Log] = {}
        self.sends: dict[int, list[tuple[Value, Message]]] = {}
        self.polled: dict[int, list[dict[Value, Sequence[Message]]]] = {}
        self.polls = 0
        self.excuse: Operation | None = None
        self._acknowledged: list[_Sent] = []
        manual: set[str] = set()
        for number, one in enumerate(operations):
            if one.function in ("assign", "subscribe"):
                if one.outcome is not Outcome.FAIL:
                    (manual.add if one.function == "assign" else manual.discard)(one.process)
                continue
            self._sent(number, one, findings)
            self._polled(number, one, findings)
            if one.pending and asks(one) and one.process not in manual and self.excuse is None:
                self.excuse = one
        self._acknowledge_seen(operations, findings)
        for key, log in self.by_key.items():
            log.settle()
            self._duplicates(key, log, findings)

    def _sent(self, number: int, one: Operation, findings: Findings) -> None:
        sends = sent(self.name, one)
        for key, message in sends:
            log = self.log(key)
            if one.outcome is Outcome.FAIL:
                log.failed.setdefault(message[1], one)
                continue
            log.attempts.setdefault(message[1], []).append(one)
            if one.ok:
                log.learn(key, message, one, findings)
                self._acknowledged.append((one, key, message))
        if sends and one.outcome is not Outcome.FAIL:
            self.sends[number] = sends

    def _acknowledge_seen(self, operations: Sequence[Operation], findings: Findings) -> None:
        """Sends of unknown outcome that were told offsets: they happened if any of their messages was polled, and nobody else sent it."""
        for number, sends in self.sends.items():
            one = operations[number]
            told = [] if one.ok else [(key, message) for key, message in sends if message[0] is not None]
            if told and any(self._is_seen(key, message[1]) for key, message in sends):
                for key, message in told:
                    self.by_key[key].learn(key, message, one, findings)
                    self._acknowledged.append((one, key, message))

    def _is_seen(self, key: Value, value: Value) -> bool:
        log = self.by_key[key]
        return value in log.seen and len(log.attempts[value]) == 1

    def _polled(self, number: int, one: Operation, findings: Findings) -> None:
        polls = polled(self.name, one)
        if polls:
            self.polled[number] = polls
        if not one.ok:
            for poll in polls:
                for key, messages in poll.items():
                    log = self.log(key)
                    for message in messages:
                        log.learn(key, message, one, findings)
            return
        self.polls += len(polls)
        for poll in polls:
            for key, messages in poll.items():
                log = self.log(key)
                values, offsets = log.values, log.offsets
                highest = log.highest
                log.seen.update([message[1] for message in messages])
                for message in messages:
                    offset, value = message
                    if offset is None:
                        continue
                    # Most of what is polled has been polled by others before.
                    if values.get(offset) != value or offsets.get(value) != offset:
                        log.learn(key, message, one, findings)
                    if highest[0] is None or offset > highest[0]:
                        highest = message
                log.highest = highest

    def log(self, key: Value) -> _Log:
        """The log of a key."""
        log = self.by_key.get(key)
        if log is None:
            log = self.by_key[key] = _Log()
        return log

    @staticmethod
    def _duplicates(key: Value, log: _Log, findings: Findings) -> None:
        for value, others in log.others.items():
            attempts = log.attempts.get(value, [])
            if len(others) + 1 > max(1, len(attempts)):
                offsets = ", ".join(map(str, sorted({log.offsets[value], *others})))
                times = f"sent {counted(len(attempts), 'time')}" if attempts else "never sent by a call that did not fail"
                told = partial("{} in {} was {} and is at offsets {}".format, render(value), render(key), times, offsets)
                findings.note("duplicate", told, *attempts[:1])

    def unpolled(self) -> tuple[list[_Sent], list[_Sent]]:
        """Acknowledged messages that nobody polled: those before one that was polled, and those of which nobody knows that they are."""
        passed: list[_Sent] = []
        unseen: list[_Sent] = []
        for send, key, message in self._acknowledged:
            log = self.by_key[key]
            if message[1] not in log.seen:
                highest = log.highest[0]
                before = message[0] is not None and highest is not None and message[0] <= highest
                (passed if before else unseen).append((send, key, message))
        return passed, unseen


_Place: TypeAlias = tuple[int, Operation, Message]


class _Process:
    """A consumer and producer, which has one operation after the other.

    `position` maps keys to the place last polled and who did that; `_rewound` are keys of which a new assignment may begin at the start.
    """

    def __init__(self, logs: _Logs, findings: Findings) -> None:
        self._logs = logs
        self._findings = findings
        self._subscribed = False
        self._position: dict[Value, _Place] = {}
        self._rewound: set[Value] = set()
        self._last_sent: dict[Value, tuple[Message, Operation]] = {}

    def take(self, number: int, one: Operation) -> None:
        """Take the next operation of this process."""
        if one.function in ("assign", "subscribe"):
            if one.outcome is not Outcome.FAIL:
                # Who has subscribed, before or now, may have been moved.
                keys = assigned(self._logs.name, one)
                moved = self._subscribed or one.function == "subscribe"
                self._subscribed = one.function == "subscribe"
                keys = () if moved else keys
                self._position = {key: self._position[key] for key in keys if key in self._position}
                self._rewound = {*self._position}
            return
        sends = self._logs.sends.get(number, ())
        for key, message in sends:
            self._send(key, message, one)
        polls = self._logs.polled.get(number, ())
        before = self._position, self._rewound
        if not one.ok:
            self._position, self._rewound = self._position.copy(), self._rewound.copy()
        for poll in polls:
            for key, messages in poll.items():
                log = self._logs.by_key[key]
                attempts, end = log.attempts, one.completed or 0
                for message in messages if one.ok else ():
                    tried = attempts.get(message[1])
                    if tried is None or tried[0].invoked > end:
                        self._strange(key, log, message, one, tried)
                self._walk(key, log, messages, one)
        if not one.ok:
            self._position, self._rewound = before
        elif sends and polls:
            own = {(key, message[1]) for key, message in sends}
            both = [(key, message) for poll in polls for key, messages in poll.items() for message in messages if (key, message[1]) in own]
            for key, message in both:
                told = partial("{} polls {}, which it sends itself".format, ended(one), _message(key, message))
                self._findings.note("precommitted-read", told, one)

    def _send(self, key: Value, message: Message, one: Operation) -> None:
        offset, value = message
        log = self._logs.by_key[key]
        if not one.ok:
            offset = None  # what it was told counts if somebody saw it
        if offset is None and value not in log.others and len(log.attempts[value]) == 1:
            offset = log.offsets.get(value)  # as polls show
        if offset is None:
            return
        message = offset, value
        before = self._last_sent.get(key)
        if before is not None and before[0][0] is not None and offset <= before[0][0]:
            kind = "int-nonmonotonic-send" if before[1] is one else "nonmonotonic-send"
            self._findings.note(kind, partial(_after, "sent", key, message, one, *before), before[1], one)
        self._last_sent[key] = message, one

    def _walk(self, key: Value, log: _Log, messages: Sequence[Message], one: Operation) -> None:
        """Compare each message of a poll with the one polled before."""
        before = None if self._subscribed else self._position.get(key)
        anew = key in self._rewound
        for message in messages:
            place = log.place(message)
            if place is None:
                before = None
                continue
            if before is not None and place != before[0] + 1 and not (anew and place == 0):
                self._jump(key, log, place, message, one, before)
            before = place, one, message
            anew = False
        if messages:
            self._rewound.discard(key)
            if before is not None:
                self._position[key] = before
            else:
                self._position.pop(key, None)

    def _jump(self, key: Value, log: _Log, place: int, message: Message, one: Operation, before: _Place) -> None:
        """Note a message that does not follow the one polled before."""
        step = place - before[0]
        inside = "int-" if before[1] is one else ""
        told = partial(_after, "polled", key, message, one, before[2], before[1])
        if step < 1:
            self._findings.note(f"{inside}nonmonotonic-poll", told, before[1], one)
            return
        log.skip(before[0], place)
        between = log.order[before[0] + 1]
        more = f" and {counted(step - 2, 'more message')}" if step > 2 else ""
        missed = _message(key, (between, log.values[between])) + more
        self._findings.note(f"{inside}poll-skip", partial(_skipped, told, missed), before[1], one)

    def _strange(self, key: Value, log: _Log, message: Message, one: Operation, attempts: Sequence[Operation] | None) -> None:
        """Note a message that cannot have been polled."""
        failed = log.failed.get(message[1])
        if attempts is None and failed is not None:
            told = partial("{} polled {}, which {} did not send".format, ended(one), _message(key, message), ended(failed))
            self._findings.note("aborted-read", told, failed, one)
        else:
            told = partial("{} polled {}, which nobody had sent by then".format, ended(one), _message(key, message))
            self._findings.note("unexpected", told, one)


def _after(what: str, key: Value, message: Message, one: Operation, earlier: Message, before: Operation) -> str:
    where = "which had just" if before is one else f"after {ended(before)} had"
    return f"{ended(one)} {what} {_message(key, message)}, {where} {what} {_message(key, earlier)}"


def _skipped(told: Callable[[], str], missed: str) -> str:
    return f"{told()}, and not {missed}, which is between"
