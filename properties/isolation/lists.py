"""What a list-append history says of the order of versions, and so of transactions.

Appends are unique, so a read tells all of the history of its key: which appends came before, and in which order.  The longest read
of a key gives its version order, every other read must be a prefix of it, and one comparison of tuples says so; elements
are looked at one by one only in the longest.  From this order come the edges (Kingsbury & Alvaro 2020):

- `ww` from each writer to the writer of the next element,
- `wr` from the writer of a read's last element to the reader,
- `rw` from a reader to the writer of the element after the last that it read.

An append that committed and that nobody read comes after all that were: the longest read would show it otherwise.  So the writer of
the last element precedes it, and who read the whole list did not see it.

A read after an append of the same transaction shows that append at its end; what stands before is what it read of others.  The order
that such a read shows is not used, since a database may well keep appends to itself until the commit and add them wherever the
list then ends: nothing weaker than snapshot isolation promises more.  If something stands after its own append, the database does not,
and the order is what it shows.
Where reads contradict each other, or an element occurs twice, only the common beginning orders anything.

Cost: linear in the micro-operations and, with a very small constant, in the elements read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..history import Operation, Outcome, Value, render
from ..specification import SpecificationError
from .arbitration import BEGINNING
from .dependencies import RW, SHIFT, WR, WW
from .transactions import READ, Transactions, Unread, shown

__all__ = ["Lists"]

APPEND = "append"

List = tuple[Value, ...]


class Log:
    """All that is known of one key."""

    __slots__ = ("appended", "appenders", "cut", "intermediate", "latest", "order", "readers", "row", "updates", "values")

    def __init__(self) -> None:
        self.latest = -1  # the last transaction that touched it
        self.appenders: dict[Value, int] = {}
        self.appended = 0
        self.readers: list[int] = []
        self.values: list[List] = []  # what they read, without what they appended themselves before
        self.updates: list[tuple[int, List]] = []  # who appended after reading, and what was read
        self.intermediate: set[Value] = set()
        self.order: List = ()
        self.cut = 0  # so much of the order is certain
        self.row: list[int | None] = []  # who appended each element of the order


class Lists(Transactions):
    """A list-append history.

    Raises:
        SpecificationError: an operation is no such transaction.
        AmbiguityError: a value that was read is appended to a key twice.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        super().__init__("list-append", APPEND, operations)
        self.logs: dict[Value, Log] = {}
        self._collect()
        doubtful = [key for key, log in self.logs.items() if log.appended != len(log.appenders)]
        # All orders before the first edge: they say which transactions without a known outcome committed.
        try:
            if doubtful:
                for key, written in self.refuse_ambiguous(doubtful).items():
                    # Nobody read what occurs twice, so these are appends of their own.
                    log = self.logs[key]
                    log.appenders = {value: numbers[0] for value, numbers in written.items() if len(numbers) == 1}
                    again = ((value, number) for value, numbers in written.items() if len(numbers) > 1 for number in numbers)
                    log.appenders |= {Unread(value): number for value, number in again}
            for key, log in self.logs.items():
                self._put_in_order(key, log)
        except TypeError as error:
            raise self.unhashable() or error from None
        for key, log in self.logs.items():
            self._link(key, log)
            if log.updates:
                self._find_lost_updates(key, log)

    # -- reading the operations -------------------------------------------------------------------------

    def _collect(self) -> None:
        for number, operation in enumerate(self.operations):
            asked: Any = operation.argument
            told: Any = operation.result
            try:
                if operation.outcome is not Outcome.OK or told is None:
                    self._collect_appends(number, operation)
                elif self._collect_all(number, asked, told):
                    raise self.malformed(operation)
            except SpecificationError:
                raise
            except (TypeError, ValueError, IndexError):
                raise self.malformed(operation) from None

    def _collect_all(self, number: int, asked: Any, told: Any) -> bool:
        """Take the micro-operations of a transaction that ended ok; True if they are malformed."""
        if told.__class__ is not tuple or asked.__class__ is not tuple:
            return True
        logs = self.logs
        again: list[Value] = []
        for one, part in zip(asked, told, strict=True):
            function, key, value = part
            log = logs.get(key)
            if log is None:
                log = logs[key] = Log()
            first = log.latest != number
            if first:
                log.latest = number
            elif key not in again:
                again.append(key)
            if function == APPEND:
                if part != one:
                    return True
                log.appenders[value] = number
                log.appended += 1
                continue
            wanted, place, _unknown = one
            if wanted != function or place != key or function != READ or not (value is None or value.__class__ is tuple):
                return True
            if first:
                log.readers.append(number)
                log.values.append(value or ())
        for key in again:
            self._look_inside(number, key, told)
        return False

    def _collect_appends(self, number: int, operation: Operation) -> None:
        """Take the appends of a transaction whose reads are not known, or that has none."""
        previous: dict[Value, Value] = {}
        asked: Any = operation.argument
        if asked.__class__ is not tuple:
            raise self.malformed(operation)
        for function, key, value in asked:
            if function == APPEND:
                log = self.logs.setdefault(key, Log())
                log.appenders[value] = number
                log.appended += 1
                if key in previous:
                    log.intermediate.add(previous[key])
                previous[key] = value
            elif function != READ or operation.outcome is Outcome.OK:
                raise self.malformed(operation)

    def _look_inside(self, number: int, key: Value, told: Any) -> None:
        """Whether a transaction that touches a key several times agrees with itself, and what it read of others."""
        log = self.logs[key]
        known: List | None = None
        own: List = ()
        reads: list[List] = []
        for function, place, value in told:
            if place != key:
                continue
            if function == APPEND:
                if own:
                    log.intermediate.add(own[-1])
                elif reads:
                    log.updates.append((number, reads[0]))
                if reads and any(value in read for read in reads):
                    self.note("future-read", [number], "{0} read {item} in {key} before it appended it", item=value, key=key)
                own += (value,)
                known = None if known is None else (*known, value)
                continue
            read: List = value or ()
            outer = read[: len(read) - len(own)]
            if known is None and own and read == outer + own:
                self._record(log, number, outer)
                if any(item in outer for item in own):
                    what = "{0} read {key} as {read}, with its own append more than once"
                    self.note("duplicate-elements", [number], what, key=key, read=read)
            elif (known is None and own) or (known is not None and read != known):
                what = "{0} read {key} as {read} where its own micro-operations before made it "
                what += "a list that ends with {expected}" if known is None else "{expected}"
                self.note("internal", [number], what, key=key, read=read, expected=own if known is None else known)
                if not any(item in read for item in own) or read[-1] not in own:
                    # What stands after its own append was appended to it, before it committed.
                    self._record(log, number, read)
            known = read
            reads.append(read)

    def _record(self, log: Log, number: int, value: List) -> None:
        log.readers.append(number)
        log.values.append(value)

    # -- the order of each key --------------------------------------------------------------------------

    def _put_in_order(self, key: Value, log: Log) -> None:
        """Find the order of a key's elements, how much of it is certain, and what is wrong with what was read."""
        longest = max(log.values, key=len, default=())
        log.order = longest
        log.cut = len(longest)
        log.row = [*map(log.appenders.get, longest)]
        wrong = [place for place, value in enumerate(log.values) if value != longest[: len(value)]]
        if wrong:
            self._note_conflicts(key, log, wrong)
        if len(set(longest)) != len(longest):
            log.cut = min(log.cut, _common(longest, tuple(dict.fromkeys(longest))))
            self._note_duplicates(key, self._first_reader(log, longest), longest)
        if None in log.row or not self.aborted.isdisjoint(log.row):
            self._note_strangers(key, self._first_reader(log, longest), longest, log.row)
        for place in wrong:
            value, reader = log.values[place], log.readers[place]
            row = [*map(log.appenders.get, value)]
            if len(set(value)) != len(value):
                self._note_duplicates(key, reader, value)
            if None in row or not self.aborted.isdisjoint(row):
                self._note_strangers(key, reader, value, row)
            self.pending.difference_update(number for number in row if number is not None)
        if self.pending:
            self.pending.difference_update(number for number in log.row if number is not None)
        if log.intermediate:
            self._note_intermediate_reads(key, log)

    def _note_conflicts(self, key: Value, log: Log, wrong: list[int]) -> None:
        witness = self._first_reader(log, log.order)
        for place in wrong:
            value, reader = log.values[place], log.readers[place]
            common = _common(value, log.order)
            log.cut = min(log.cut, common)
            if len(set(value)) == len(value):
                told = "{0} read a list {key} that begins with {one} and {1} one that begins with {other}: they contradict each other"
                one, other = log.order[: common + 1], value[: common + 1]
                self.note("incompatible-order", [witness, reader], told, key=key, one=one, other=other)

    def _note_duplicates(self, key: Value, reader: int, value: List) -> None:
        twice = _common(value, tuple(dict.fromkeys(value)))
        told = "{0} read a list {key} that begins with {read}, in which {item} occurs more than once"
        self.note("duplicate-elements", [reader], told, key=key, read=value[: twice + 1], item=value[twice])

    def _note_strangers(self, key: Value, reader: int, value: List, row: list[int | None]) -> None:
        """Elements that nobody appended, or whose append was aborted."""
        last = max((place for place, writer in enumerate(row) if writer is not None and writer not in self.aborted), default=-1)
        for place, (item, writer) in enumerate(zip(value, row, strict=True)):
            if writer is None:
                told = "{0} read {key} as {read}, but nobody ever appended {item}"
                self.note("garbage-read", [reader], told, key=key, read=value[: place + 1], item=item)
            elif writer in self.aborted:
                told = "{1} read {key} as {read}, but {0}, which appended {item}, failed"
                self.note("G1a", [writer, reader], told, key=key, read=value[: place + 1], item=item)
                if place < last:
                    later = next(one for one in row[place + 1 :] if one is not None and one not in self.aborted)
                    told = "{1} appended to {key} after {item}, which {0} appended, and that failed"
                    self.note("dirty-update", [writer, later], told, key=key, item=item)

    def _note_intermediate_reads(self, key: Value, log: Log) -> None:
        for reader, value in zip(log.readers, log.values, strict=True):
            if value and value[-1] in log.intermediate and log.appenders[value[-1]] != reader:
                told = "{1} read {key} as {read}, but {0} appended more to it after {item}"
                self.note("G1b", [log.appenders[value[-1]], reader], told, key=key, read=value, item=value[-1])

    def _first_reader(self, log: Log, value: List) -> int:
        return next(number for number, read in zip(log.readers, log.values, strict=True) if read == value)

    def _find_lost_updates(self, key: Value, log: Log) -> None:
        first: dict[List, int] = {}
        for number, value in log.updates:
            other = first.setdefault(value, number)
            if other != number:
                told = "{0} and {1} both read {key} as {read}, and both appended to it"
                self.note("lost-update", [other, number], told, key=key, read=value)

    # -- edges ------------------------------------------------------------------------------------------

    def _link(self, key: Value, log: Log) -> None:
        successors, incoming = self.dependencies.successors, self.dependencies.incoming
        appenders, cut, certain = log.appenders, log.cut, log.cut == len(log.order)
        known = [-1 if number is None or number in self.aborted else number for number in log.row]
        following = _following(known[:cut])
        last: list[int] = []
        for reader, value in zip(log.readers, log.values, strict=True):
            length = len(value)
            if length:
                writer = known[length - 1] if certain else appenders.get(value[-1], -1)
                if writer != reader and writer >= 0 and (certain or writer not in self.aborted):
                    successors[writer].append(reader << SHIFT | WR)
                    incoming[reader] += 1
            if length < cut:
                writer = following[length]
                if writer != reader and writer >= 0:
                    successors[reader].append(writer << SHIFT | RW)
                    incoming[writer] += 1
                    continue
            if length >= cut or following[length] < 0:
                last.append(reader)
        writer = -1
        for other in known[:cut]:
            if other >= 0:
                if writer != other and writer >= 0:
                    successors[writer].append(other << SHIFT | WW)
                    incoming[other] += 1
                writer = other
        if certain and len(appenders) > len(log.order):
            self._link_unread(key, log, last, writer)

    def _link_unread(self, key: Value, log: Log, last: list[int], writer: int) -> None:
        """Edges to who appended what nobody read: from the last that is known, and from who read all."""
        seen = set(log.order)
        unread = dict.fromkeys(number for item, number in log.appenders.items() if item not in seen and self.committed(number))
        if writer >= 0:
            for number in unread:
                self.dependencies.add(writer, number, WW)
        self.dependencies.add_anti_dependencies(key, last, unread)

    # -- who saw whom -----------------------------------------------------------------------------------

    def observed(self, number: int) -> list[tuple[Value, int]]:
        """What a transaction read of others: of each list, who appended its last element."""
        own: dict[Value, List] = {}
        known: dict[Value, List] = {}
        found: list[tuple[Value, int]] = []
        told: Any = self.operations[number].result
        for function, key, value in told or ():
            mine = own.get(key, ())
            if function == APPEND:
                own[key] = (*mine, value)
                if key in known:
                    known[key] += (value,)
                continue
            read: List = value or ()
            if known.get(key) == read:
                continue
            outer = read[: len(read) - len(mine)] if key not in known and read[len(read) - len(mine) :] == mine else read
            known[key] = read
            # A list that has one's own appends in another place is `internal`, and says nothing of others.
            if outer is not read or not any(item in read for item in mine):
                writer = self.logs[key].appenders.get(outer[-1]) if outer else BEGINNING
                if writer is not None and writer != number and writer not in self.aborted:
                    found.append((key, writer))
        return found

    # -- words ------------------------------------------------------------------------------------------

    def why(self, source: int, target: int, kind: int) -> str:
        """Why there is an edge between two transactions, in words."""
        found = min(self._reasons(source, target, kind), default=(0, f"{self.name(source)} comes before {self.name(target)}"))
        return found[1]

    def _reasons(self, source: int, target: int, kind: int) -> Iterator[tuple[int, str]]:
        """Reasons for an edge, each with how many elements lie between."""
        one, other = self.name(source), self.name(target)
        for key in dict.fromkeys(self._keys(source)):
            log = self.logs[key]
            place = {item: number for number, item in enumerate(log.order[: log.cut])}
            written = [item for item, number in log.appenders.items() if number == target]
            later = {place.get(item, log.cut): item for item in reversed(written)}
            if kind == WR:
                for value in self._read(log, target):
                    if value and log.appenders.get(value[-1]) == source:
                        yield 0, f"{other} read {render(key)} as {shown(value)}, whose last element {one} had appended"
            elif kind == WW:
                before = [(place[item], item) for item, number in log.appenders.items() if number == source and item in place]
                for (start, item), (end, added) in ((a, b) for a in before for b in later.items() if a[0] < b[0]):
                    yield end - start, f"{other} appended {render(added)} to {render(key)} after {one} appended {render(item)}"
            else:
                for value in self._read(log, source):
                    for end, added in later.items():
                        if end >= len(value):
                            what = f"{one} read {render(key)} as {shown(value)}, without {render(added)}"
                            yield end - len(value), f"{what}, which {other} appended after that"

    def _keys(self, number: int) -> Iterator[Value]:
        asked: Any = self.operations[number].argument
        return (part[1] for part in asked if part[1] in self.logs)

    def _read(self, log: Log, number: int) -> Iterator[List]:
        return (value for reader, value in zip(log.readers, log.values, strict=True) if reader == number)


def _common(one: List, other: List) -> int:
    """How many elements two lists begin with in common."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _following(row: list[int]) -> list[int]:
    """For each place the first known writer from there on; -1 if there is none."""
    if -1 not in row:
        return row
    found, writer = [], -1
    for number in reversed(row):
        writer = number if number >= 0 else writer
        found.append(writer)
    return found[::-1]
