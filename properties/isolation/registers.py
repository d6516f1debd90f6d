"""What a rw-register history says of the order of versions, and so of transactions.

Written values are unique, so a read tells who wrote what it saw: `wr` edges are certain.  The order of versions is not, since a read
says nothing of what was there before.  What can be inferred soundly:

- every key begins as None, before all that was written;
- a transaction that read one version and wrote another wrote the later one (writes follow reads).

A version's *known next ones* are those that follow it directly by these rules, and `rw` edges lead from who read it to who wrote
them.  That some unknown version may stand between changes nothing, since `rw` followed by `ww` edges leads to the same transaction.
Writes follow reads gives no `ww` edges of its own: where it orders two writers, the second has read from the first, so
there is a `wr` edge already, and a cycle of those alone is G1c.

Two assumptions, off unless they are asked for, give more, `ww` edges among them.  With `sequential_keys` every process sees the
versions of each key in their order.  With `linearizable_keys` each key by itself goes with real time: of two transactions, one
completed before the other was invoked, the second sees or writes the same version of a key or a later one.  If they make
versions go in a circle, they do not hold for that key (`cyclic-versions`), and its order is left alone.

Source: Kingsbury & Alvaro 2020, section 5 (the same rules are Elle's).  Cost: linear in the micro-operations; with
`linearizable_keys`, times the number of transactions that are in flight on a key at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Any

from ..history import Operation, Outcome, Value, render
from ..specification import SpecificationError
from .arbitration import BEGINNING
from .components import strong_components
from .dependencies import NEVER, RW, WR, WW
from .transactions import READ, Transactions, Unread

__all__ = ["Registers"]

WRITE = "w"


class Log:
    """All that is known of one key.  `finals` and `writers` go from versions to transactions, `reads` are (transaction, version)."""

    __slots__ = ("after", "finals", "following", "intermediate", "latest", "reads", "updates", "writers", "written")

    def __init__(self) -> None:
        self.latest = -1  # the last transaction that touched it
        self.writers: dict[Value, int] = {}
        self.written = 0
        self.finals: dict[int, Value] = {}
        self.reads: list[tuple[int, Value]] = []
        self.updates: list[tuple[int, Value]] = []  # who wrote after reading, and what was read
        self.intermediate: set[Value] = set()
        self.following: dict[Value, list[Value]] = {}  # from a version to its known next ones
        self.after: list[tuple[Value, Value]] = []  # pairs of versions that the assumptions put in order


class Registers(Transactions):
    """A rw-register history.

    Raises:
        SpecificationError: an operation is no such transaction.
        AmbiguityError: a value that was read is written to a key twice, or is None, and None is written.
    """

    def __init__(self, operations: Iterable[Operation], *, sequential_keys: bool = False, linearizable_keys: bool = False) -> None:
        super().__init__("rw-register", WRITE, operations)
        self.logs: dict[Value, Log] = {}
        self._collect()
        doubtful = [key for key, log in self.logs.items() if log.written != len(log.writers) or None in log.writers]
        if doubtful:
            self.refuse_ambiguous(doubtful)
            for key in doubtful:
                self._tell_apart(self.logs[key])
        for key, log in self.logs.items():
            self._judge_reads(key, log)
        for key, log in self.logs.items():
            if sequential_keys:
                self._assume_sequential(log)
            if linearizable_keys:
                self._assume_linearizable(log)
            if log.after:
                log.after = [*dict.fromkeys(log.after)]
                self._discard_circles(key, log)
            self._link(key, log)
            self._find_lost_updates(key, log)

    # -- reading the operations -------------------------------------------------------------------------

    def _collect(self) -> None:
        for number, operation in enumerate(self.operations):
            asked: Any = operation.argument
            told: Any = operation.result
            try:
                if asked.__class__ is not tuple:
                    raise self.malformed(operation)
                if operation.outcome is not Outcome.OK or told is None:
                    self._collect_writes(number, operation)
                elif told.__class__ is not tuple or self._collect_all(number, asked, told):
                    raise self.malformed(operation)
            except SpecificationError:
                raise
            except (TypeError, ValueError, IndexError):
                raise self.malformed(operation) from None

    def _collect_all(self, number: int, asked: Any, told: Any) -> bool:
        """Take the micro-operations of a transaction that ended ok; True if they are malformed."""
        again: list[Value] = []
        for (wanted, place, argument), (function, key, value) in zip(asked, told, strict=True):
            if function != wanted or key != place:
                return True
            log = self.logs.get(key)
            if log is None:
                log = self.logs[key] = Log()
            if function == WRITE:
                if value != argument:
                    return True
                log.writers[value] = number
                log.finals[number] = value
                log.written += 1
            elif function != READ:
                return True
            elif log.latest != number:
                hash(value)
                log.reads.append((number, value))
            if log.latest != number:
                log.latest = number
            elif key not in again:
                again.append(key)
        for key in again:
            self._look_inside(number, key, [(function, value) for function, place, value in told if place == key])
        return False

    def _collect_writes(self, number: int, operation: Operation) -> None:
        """Take the writes of a transaction whose reads are not known, or that has none."""
        asked: Any = operation.argument
        for function, key, value in asked:
            if function == WRITE:
                log = self.logs.setdefault(key, Log())
                if number in log.finals:
                    log.intermediate.add(log.finals[number])
                log.writers[value] = number
                log.finals[number] = value
                log.written += 1
            elif function != READ or operation.outcome is Outcome.OK:
                raise self.malformed(operation)

    def _look_inside(self, number: int, key: Value, parts: list[tuple[str, Value]]) -> None:
        """Whether a transaction that touches a key several times agrees with itself."""
        log = self.logs[key]
        reads: list[Value] = []
        written: list[Value] = []
        known: list[Value] = []
        for function, value in parts:
            if function == WRITE:
                log.intermediate.update(written[-1:])
                if reads and not written:
                    log.updates.append((number, reads[0]))
                if value in reads:
                    self.note("future-read", [number], "{0} read {key} as {read} before it wrote that", key=key, read=value)
                written.append(value)
            elif known and value != known[0]:
                told = "{0} read {key} as {read} where its own micro-operations before made it {expected}"
                self.note("internal", [number], told, key=key, read=value, expected=known[0])
                if value not in written:
                    log.reads.append((number, value))
            if function == READ:
                hash(value)
                if not written:
                    reads.append(value)
            known = [value]

    def _tell_apart(self, log: Log) -> None:
        """Give versions that nobody read names of their own, as some of them are equal."""
        read = {value for _reader, value in log.reads}
        for number, value in log.finals.items():
            if value not in read:
                log.writers.pop(value, None)
                log.finals[number] = Unread(value)
        log.writers.update({value: number for number, value in log.finals.items()})

    # -- what was read ----------------------------------------------------------------------------------

    def _judge_reads(self, key: Value, log: Log) -> None:
        """Reads of what nobody wrote, of what was aborted, and of what was not final; and who committed, since it was read."""
        updates = dict(log.updates)
        for reader, value in log.reads:
            writer = log.writers.get(value)
            if writer is None:
                if value is not None:
                    told = "{0} read {key} as {read}, but nobody ever wrote that"
                    self.note("garbage-read", [reader], told, key=key, read=value)
            elif writer in self.aborted:
                told = "{1} read {key} as {read}, but {0}, which wrote that, failed"
                self.note("G1a", [writer, reader], told, key=key, read=value)
                if reader in updates:
                    told = "{1} wrote {key} after it read {read} there, which {0} wrote, and that failed"
                    self.note("dirty-update", [writer, reader], told, key=key, read=value)
            else:
                self.pending.discard(writer)
                if value in log.intermediate and writer != reader:
                    told = "{1} read {key} as {read}, but {0} wrote {final} there after that"
                    self.note("G1b", [writer, reader], told, key=key, read=value, final=log.finals[writer])

    def _find_lost_updates(self, key: Value, log: Log) -> None:
        first: dict[Value, int] = {}
        for number, value in log.updates:
            other = first.setdefault(value, number)
            if other != number:
                told = "{0} and {1} both read {key} as {read}, and both wrote it"
                self.note("lost-update", [other, number], told, key=key, read=value)

    # -- the order of versions --------------------------------------------------------------------------

    def _spans(self, log: Log) -> list[tuple[int, Value, Value]]:
        """Committed transactions with the first and the last version of a key that each met, in the order of invocation."""
        first: dict[int, Value] = {}
        for number, value in log.reads:
            first.setdefault(number, value)
        touching = sorted({*first, *filter(self.committed, log.finals)})
        return [(number, first.get(number, log.finals.get(number)), log.finals.get(number, first.get(number))) for number in touching]

    def _assume_sequential(self, log: Log) -> None:
        last: dict[str, Value] = {}
        for number, begins, ends in self._spans(log):
            process = self.operations[number].process
            if process in last and last[process] != begins:
                log.after.append((last[process], begins))
            last[process] = ends

    def _assume_linearizable(self, log: Log) -> None:
        """Pairs of real time, transitively reduced: of what completed before, what nothing else that completed came after."""
        frontier: list[tuple[int, int, Value]] = []
        waiting: list[tuple[int, int, Value]] = []
        invoked, completed = self.dependencies.invoked, self.dependencies.completed
        newest = 0  # the latest invocation among what completed
        for number, begins, ends in self._spans(log):
            if waiting and waiting[0][0] < invoked[number]:
                while waiting and waiting[0][0] < invoked[number]:
                    frontier.append(heappop(waiting))
                    newest = max(newest, invoked[frontier[-1][1]])
                frontier = [entry for entry in frontier if entry[0] > newest]
            log.after += [(value, begins) for _when, _number, value in frontier if value != begins]
            if completed[number] != NEVER:
                heappush(waiting, (completed[number], number, ends))

    def _discard_circles(self, key: Value, log: Log) -> None:
        """Forget what the assumptions say of a key that they make go in a circle."""
        first = ((None, version) for version in log.writers)
        follows = ((read, log.finals[number]) for number, read in log.updates)
        pairs = [*first, *follows, *log.after]
        versions = [*dict.fromkeys(version for pair in pairs for version in pair)]
        places = {version: place for place, version in enumerate(versions)}
        successors: list[list[int]] = [[] for _ in versions]
        for one, other in pairs:
            successors[places[one]].append(places[other])
        circle = next((sorted(component) for component in strong_components(successors) if len(component) > 1), None)
        if circle is not None:
            log.after.clear()
            names = [versions[place] for place in circle]
            writers = [log.writers[version] for version in names if version in log.writers]
            told = "the versions {circle} of {key} would each have to come before the others, if keys were as was assumed"
            self.note("cyclic-versions", writers, told, circle=tuple(names), key=key)

    # -- edges ------------------------------------------------------------------------------------------

    def _link(self, key: Value, log: Log) -> None:
        committed = {version: number for number, version in log.finals.items() if self.committed(number)}
        following = log.following
        known: set[Value] = set()
        for one, other in [*((read, log.finals[number]) for number, read in log.updates), *log.after]:
            if other in committed and one != other and one is not None and one in committed:
                following.setdefault(one, []).append(other)
                known.add(other)
        following[None] = [version for version in committed if version not in known]
        for one, other in log.after:
            if one in committed and other in committed:
                self.dependencies.add(committed[one], committed[other], WW)
        readers: dict[Value, list[int]] = {}
        for reader, value in log.reads:
            readers.setdefault(value, []).append(reader)
            writer = log.writers.get(value)
            if writer is not None and self.committed(writer):
                self.dependencies.add(writer, reader, WR)
        for value, numbers in readers.items():
            self.dependencies.add_anti_dependencies(key, numbers, (committed[version] for version in following.get(value, ())))

    # -- who saw whom -----------------------------------------------------------------------------------

    def observed(self, number: int) -> list[tuple[Value, int]]:
        """What a transaction read of others, and who wrote it; what it had written itself before is no news."""
        own: dict[Value, set[Value]] = {}
        found: list[tuple[Value, int]] = []
        told: Any = self.operations[number].result
        for function, key, value in told or ():
            if function == WRITE:
                own.setdefault(key, set()).add(value)
            elif value not in own.get(key, ()):
                writer = BEGINNING if value is None else self.logs[key].writers.get(value)
                if writer is not None and writer != number and writer not in self.aborted:
                    found.append((key, writer))
        return found

    # -- words ------------------------------------------------------------------------------------------

    def why(self, source: int, target: int, kind: int) -> str:
        """Why there is an edge between two transactions, in words."""
        fallback = f"{self.name(source)} comes before {self.name(target)}"
        return next(self._reasons(source, target, kind), fallback)

    def _reasons(self, source: int, target: int, kind: int) -> Iterator[str]:
        one, other = self.name(source), self.name(target)
        for key in dict.fromkeys(self._keys(source)):
            log = self.logs[key]
            new = log.finals.get(target)
            if kind == WR:
                for reader, value in log.reads:
                    if reader == target and log.writers.get(value) == source:
                        yield f"{other} read {render(key)} as {render(value)}, which {one} had written"
            elif kind == WW and source in log.finals and (log.finals[source], new) in log.after:
                yield f"{other} wrote {render(new)} to {render(key)} after {one} wrote {render(log.finals[source])}"
            elif kind == RW:
                for reader, value in log.reads:
                    if reader == source and target in log.finals and new in log.following.get(value, ()):
                        yield f"{one} read {render(key)} as {render(value)}, before {other} made it {render(new)}"

    def _keys(self, number: int) -> Iterator[Value]:
        asked: Any = self.operations[number].argument
        return (part[1] for part in asked if part[1] in self.logs)
