"""Properties that most systems share: no crash, no duplicate, everybody agrees in the end.

All are folds over the events of a run with constant work per event (plus the size of what is looked at), and say `invalid` as
soon as nothing can repair the run; what only the end can tell waits for `finish`.  What a property looks at is given by
selectors: functions from an operation to the items in it, or the name of a function of the system, which stands for the
obvious selector.

Vacuous truth is said aloud: where a property had nothing to look at, the reason of the `valid` verdict says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .history import Event, HistoryError, Incident, Observe, Operation, Value, render
from .selectors import NEVER_CALM, SHOWN, Pairing, Selector, results_of, shown
from .verdict import Evidence, Monitor, Status, Verdict

__all__ = ["Converges", "NoCrash", "NoDuplicates"]


@dataclass(frozen=True)
class NoCrash:
    """No host's program ends with an unexpected exception.

    Formula: no Incident of kind `crash`.  `allowed` names exceptions that are part of the design ("Fenced").  Cost: one
    comparison per event. The evidence's kind is `crash:` and the exception's class.
    """

    allowed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """`NoCrash`."""
        return "NoCrash"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _CrashMonitor(self)


class _CrashMonitor:
    def __init__(self, prop: NoCrash) -> None:
        self._property = prop

    def feed(self, event: Event) -> Verdict | None:
        if not isinstance(event, Incident) or event.kind != "crash":
            return None
        error = str(event.detail.get("error", "exception"))
        kind = error.partition(":")[0].strip()
        if kind in self._property.allowed:
            return None
        message = str(event.detail.get("message", ""))
        where = str(event.detail.get("where", ""))
        lines = [f"{event.host} at {event.time:.3f} s: {error}{f': {message}' if message else ''}"]
        lines += [f"    at {where}"] if where else []
        hosts = (event.host,) if event.host else ()
        evidence = Evidence(f"crash:{kind}", tuple(lines), events=(event.index,), hosts=hosts)
        return Verdict(self._property.name, Status.INVALID, f"the program of {event.host} crashed with {kind}", evidence)

    def finish(self) -> Verdict:
        return Verdict(self._property.name, Status.VALID, "no host's program crashed")


@dataclass(frozen=True)
class NoDuplicates:
    """No item appears twice: no document stands in the log twice, no request was given two places.

    `select` is a selector or the name of a function whose results are tuples (`NoDuplicates("audit")`); the items of each
    single operation must differ.  With `across` the items of *all* operations must differ, which suits results that name
    something unique (a log index handed to each new document).  `observed` looks at what hosts say of themselves under that
    key instead, tuples too.

    Formula: no item is selected twice.  Cost: one set operation per item.  The evidence's kind is `duplicate`.
    """

    select: Selector | str | None = None
    observed: str | None = None
    across: bool = False

    def __post_init__(self) -> None:
        if (self.select is None) == (self.observed is None):
            raise ValueError("NoDuplicates looks either at operations or at what hosts observe: name one of them")

    @property
    def name(self) -> str:
        """For example `NoDuplicates(audit)`."""
        return f"NoDuplicates({shown(self.select) or self.observed})"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _DuplicateMonitor(self)


class _DuplicateMonitor:
    def __init__(self, prop: NoDuplicates) -> None:
        self._property = prop
        self._operations = Pairing()
        self._select = results_of(prop.select) if isinstance(prop.select, str) else prop.select
        self._first: dict[Value, Operation] = {}
        self._items = 0

    def feed(self, event: Event) -> Verdict | None:
        prop = self._property
        if isinstance(event, Observe):
            if prop.observed is None or prop.observed not in event.values:
                return None
            items = event.values[prop.observed]
            if not isinstance(items, tuple):
                raise HistoryError(
                    f"{event.host} observed {prop.observed}={render(items)}, whose items cannot be compared: no tuple"
                )
            return self._within(items, f"what {event.host} observed as {prop.observed}", event)
        operation = self._operations.feed(event)
        if operation is None or self._select is None:
            return None
        chosen = tuple(self._select(operation) or ())
        if not prop.across:
            return self._within(chosen, operation.describe(), event, operation)
        for item in chosen:
            self._items += 1
            first = self._first.setdefault(item, operation)
            if first is not operation or chosen.count(item) > 1:
                lines = (f"{render(item)}:", f"    {first.describe()}", f"    {operation.describe()}")
                return self._invalid(item, Evidence("duplicate", lines, (first.id, operation.id), (event.index,)))
        return None

    def _within(
        self, items: tuple[Value, ...], source: str, event: Event, operation: Operation | None = None
    ) -> Verdict | None:
        self._items += len(items)
        if len(set(items)) == len(items):
            return None
        counts = Counter(items)
        twice = [item for item, count in counts.items() if count > 1]
        lines = [f"in {source}, at {event.time:.3f} s:"]
        for item in twice[:SHOWN]:
            places = [str(place) for place, other in enumerate(items) if other == item]
            lines.append(f"    {render(item)} stands at positions {', '.join(places)}")
        operations = () if operation is None else (operation.id,)
        hosts = (event.host,) if isinstance(event, Observe) else ()
        return self._invalid(twice[0], Evidence("duplicate", tuple(lines), operations, (event.index,), hosts))

    def _invalid(self, item: Value, evidence: Evidence) -> Verdict:
        return Verdict(self._property.name, Status.INVALID, f"{render(item)} appears more than once", evidence)

    def finish(self) -> Verdict:
        if not self._items:
            return Verdict(self._property.name, Status.VALID, "nothing was selected, so nothing is a duplicate")
        reason = f"{self._items} item{'' if self._items == 1 else 's'}, no duplicate"
        return Verdict(self._property.name, Status.VALID, reason)


@dataclass(frozen=True)
class Converges:
    """At the end of the run all live hosts say the same of themselves: `Converges("state_hash")`.

    Formula: for every host alive at the end that ever observed `key`, the last value observed in its present life is
    equal.  A host that was restarted and has said nothing since disagrees with those that have.  `settled` turns a value
    into what must be equal. Cost: one dictionary entry per host.  The evidence's kind is `diverged`, its hosts are those in
    the minority.
    """

    key: str
    settled: Callable[[Value], Value] | None = None

    @property
    def name(self) -> str:
        """For example `Converges(state_hash)`."""
        return f"Converges({self.key})"

    def start(self) -> Monitor:
        """A fresh monitor."""
        return _ConvergenceMonitor(self)


DEATHS = frozenset({"kill", "power-loss", "exit", "crash"})


class _ConvergenceMonitor:
    def __init__(self, prop: Converges) -> None:
        self._property = prop
        self._calm = False
        self._dead: set[str] = set()
        self._last: dict[str, Observe | None] = {}

    def feed(self, event: Event) -> Verdict | None:
        if isinstance(event, Observe):
            if self._property.key in event.values:
                self._last[event.host] = event
        elif isinstance(event, Incident):
            self._calm = self._calm or event.kind == "calm"
            if event.host is not None and event.kind in DEATHS:
                self._dead.add(event.host)
                if event.host in self._last:
                    self._last[event.host] = None
            elif event.host is not None and event.kind in ("start", "restart"):
                self._dead.discard(event.host)
        return None

    def finish(self) -> Verdict:
        name, key = self._property.name, self._property.key
        if not self._calm:
            return Verdict(name, Status.UNKNOWN, NEVER_CALM)
        live = {host: last for host, last in self._last.items() if host not in self._dead}
        values = {host: (last is not None, self._value(last)) for host, last in live.items()}
        if len(set(values.values())) <= 1:
            few = "1 live host" if live else "no live hosts"
            reason = f"{len(live)} live hosts agree on {key}" if len(live) > 1 else f"nothing to compare: {few}"
            return Verdict(name, Status.VALID, reason)
        counts = Counter(values.values())
        # The first of the most frequent values, in the order in which hosts first spoke.
        majority = max(counts, key=counts.__getitem__)
        minority = tuple(host for host, value in values.items() if value != majority)
        lines = []
        for host, last in live.items():
            if last is None:
                lines.append(f"{host}: nothing since it was restarted")
            else:
                lines.append(f"{host}: {render(last.values[key])}, said at {last.time:.3f} s")
        events = tuple(last.index for last in live.values() if last is not None)
        evidence = Evidence("diverged", tuple(lines), events=events, hosts=minority)
        return Verdict(name, Status.INVALID, f"live hosts disagree on {key}: {', '.join(minority)}", evidence)

    def _value(self, last: Observe | None) -> Value:
        value = None if last is None else last.values[self._property.key]
        return value if last is None or self._property.settled is None else self._property.settled(value)
