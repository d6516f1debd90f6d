"""From recorded operations to a history: what Jepsen's logs, EDN and JSON have in common.

`Recording` takes records (process, type, function, value) in the order of the file and checks each as it comes, so that an error
names its line.

- **Order.**  The order of the file is the order of events.  Where records give times but no indices, a completion and an
  invocation at the very same time are concurrent (intervals are closed), so within such an instant invocations come first.
  Indices must rise one by one: where one is missing, so is an operation, and without it a verdict would be a guess; unless somebody
  says that operations were left out on purpose (`gaps`), as in the part of a history that is about one key.
- **Times** are for people: recorders take them in several threads, so one that runs backwards is raised to the one before.
- **Processes** go by their names or numbers.  After `info` a process is spent; where a file lets it go on regardless, the name
  gets a suffix: `4`, `4/2`, `4/3`.
- **The nemesis** is no client: what it does becomes incidents, one for each record, since its operations come in no pairs.
- **Results** that only echo an argument say nothing; where `put` or `append` do, they are dropped.
- **Our own names.**  What Jepsen has no word for, our writers put into fields of their own namespace (`OWN`), which others ignore.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import cast

import msgspec

from ..history import History, Incident, Value, render
from .recorded import FAIL, INFO, INVOKE, OK, OTHER, Columns, Recorded

__all__ = ["ARGUMENT", "DETAIL", "HOST", "NEMESIS", "OWN", "PROCESS", "RESULT", "Recording", "argument_of", "error_told", "result_of"]

NEMESIS = "nemesis"
OWN = "killpoint/"
PROCESS, ARGUMENT, RESULT, HOST, DETAIL = (OWN + name for name in ("process", "argument", "result", "host", "detail"))
"""Fields of our own: the name of a process that is no number, an argument or result that is not the value, an incident's host and
detail."""

ENDINGS = {"ok": OK, "fail": FAIL, "info": INFO}
NANOSECONDS = 1e9
KEYED = frozenset({"get", "put", "append", "delete"})
TIMELESS = -1
LATEST = 1 << 62
LONGEST_WORD = 60
ABSENT = object()


def _is_partial(value: Value) -> bool:
    """True if these are sends and polls of logs, of which what came back counts even where not all did."""
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], tuple) and value[0][:1] in (("send",), ("poll",))


def error_told(error: Value, exception: Value) -> Value:
    """What is kept of an error, and of the exception that Jepsen records beside it: its class, and what was said."""
    via = _field(exception, "via")
    kind = _field(via[0], "type") if isinstance(via, tuple) and via else None
    if not isinstance(kind, str):
        return exception if error is None else error
    said = _field(via[0], "message") if error is None and isinstance(via, tuple) else error
    return kind if said is None else f"{kind}: {said if isinstance(said, str) else render(said)}"


def _field(value: Value, name: str) -> Value:
    """What a map, read as a tuple of pairs, has under this name."""
    if not isinstance(value, tuple):
        return None
    return next((pair[1] for pair in value if isinstance(pair, tuple) and len(pair) == 2 and pair[0] == name), None)


class Recording:
    """Records in the order of the file; `history` makes them one.  `halt` is the number of an operation at which to stop: to find its line.

    Raises:
        ValueError: from `add`: the record cannot follow those before it; says why.
    """

    def __init__(self, *, gaps: bool = False, halt: int | None = None) -> None:
        self._gaps = gaps
        self._halt = -1 if halt is None else halt
        self._last_index: int | None = None
        self._last_time = 0
        self._numbered = False
        self._names: dict[str, str] = {}
        self._taken: dict[str, str] = {}
        self._spoken: dict[str, str] = {}
        self._open: dict[str, int] = {}
        self._columns = Columns(NANOSECONDS, times=cast("array[float]", array("q")))

    @property
    def operations(self) -> int:
        """How many there are so far."""
        return len(self._columns.functions)

    def add(
        self,
        process: str,
        kind: str,
        function: str | None,
        value: Value,
        key: Value = None,
        error: Value = None,
        time: int | None = None,
        index: int | None = None,
        own: Value = ABSENT,
    ) -> None:
        """Take the next record; `time` is in nanoseconds, `own` an argument or result that stands beside the value."""
        columns = self._columns
        if index is not None:
            self._check_index(index)
        if time is None:
            time = TIMELESS
        elif not 0 <= time < LATEST:
            raise ValueError(f"the time of an operation is a number of nanoseconds since the beginning, and not {render(time)}")
        if function is None:
            function = self._implied(value)
        if kind == "invoke":
            if process in self._open:
                other = columns.functions[self._open[process]]
                raise ValueError(
                    f"process {_word(process)} invokes {_word(function)} while its {other} is still open: "
                    "a process has one operation at a time"
                )
            name = self._names.get(process) or self._enter(process)
            self._open[process] = slot = len(columns.functions)
            if slot == self._halt:
                raise ValueError("here begins the operation that was looked for")
            columns.processes.append(name)
            columns.functions.append(self._spoken.get(function) or self._speak(function))
            columns.arguments.append(argument_of(function, key, value) if own is ABSENT else own)
            columns.results.append(None)
            columns.kinds.append(INVOKE)
        else:
            ending = ENDINGS.get(kind)
            if ending is None:
                raise ValueError(f"the type of an operation is invoke, ok, fail or info, not {render(kind)}")
            open_slot = self._open.pop(process, None)
            if open_slot is None:
                raise ValueError(f"process {_word(process)} ends a {_word(function)} ({kind}) that was never invoked, or ended before")
            slot = open_slot
            invoked = columns.functions[slot]
            if invoked != function:
                raise ValueError(f"process {_word(process)} ends a {_word(function)}, but what it invoked is a {invoked}")
            columns.kinds.append(ending)
            if ending == OK or (_is_partial(value) and value != columns.arguments[slot]):
                columns.results[slot] = result_of(function, key, value)
            if ending == INFO:
                del self._names[process]
            if own is not ABSENT:
                columns.results[slot] = own
            if error is not None:
                columns.errors[slot] = error if isinstance(error, str) else render(error)
        columns.slots.append(slot)
        columns.times.append(time)

    def disturb(
        self,
        kind: str,
        function: Value,
        value: Value,
        error: Value = None,
        time: int | None = None,
        index: int | None = None,
        host: Value = None,
        detail: Value = None,
    ) -> None:
        """Take what the nemesis did next."""
        if index is not None:
            self._check_index(index)
        if time is not None and not 0 <= time < LATEST:
            raise ValueError(f"the time of an operation is a number of nanoseconds since the beginning, and not {render(time)}")
        if not isinstance(function, str):
            raise ValueError("an operation of the nemesis needs an :f, what it did")  # noqa: TRY004  # callers catch ValueError
        if detail is None:
            said = {"value": value, "error": error, "type": None if kind == "info" else kind}
            details: Mapping[str, Value] = {name: one for name, one in said.items() if one is not None}
        else:
            details = _mapping(detail)
        columns = self._columns
        columns.kinds.append(OTHER)
        columns.slots.append(len(columns.others))
        columns.times.append(TIMELESS if time is None else time)
        columns.others.append(Incident(0, 0.0, self._speak(function), None if host is None else str(host), details))

    def history(self) -> History:
        """All records as a history."""
        columns = self._columns
        if not self._numbered:
            _close_intervals(columns)
        now = 0
        times = columns.times
        for place, time in enumerate(times):
            if time > now:
                now = int(time)
            elif time != now:
                times[place] = now
        for place in _places_of_others(columns.kinds):
            slot = columns.slots[place]
            columns.others[slot] = msgspec.structs.replace(columns.others[slot], index=place, time=times[place] / NANOSECONDS)
        return Recorded(columns)

    def _check_index(self, index: int) -> None:
        last = self._last_index
        self._last_index = index
        self._numbered = True
        if last is None or index == last + 1:
            return
        if index == last:
            raise ValueError(f"index {index} stands here a second time")
        if index < last:
            raise ValueError(f"index {index} comes after {last}: the history is out of order, so put it into the order of its indices")
        if not self._gaps:
            missing = f"index {last + 1} is" if index == last + 2 else f"indices {last + 1} to {index - 1} are"
            raise ValueError(
                f"{missing} missing: the history is incomplete; if operations were left out on purpose, say so with --gaps (gaps=True)"
            )

    def _enter(self, process: str) -> str:
        """The name for a process that is new, or goes on after an `info`."""
        name, life = _printable(process, "the name of a process"), 1
        while name in self._taken:
            life += 1
            name = f"{process}/{life}"
        self._taken[name] = process
        self._names[process] = name
        return name

    def _speak(self, function: str) -> str:
        """The name of a function that was not heard yet; one string for all its operations."""
        return self._spoken.setdefault(function, _printable(function, "the name of a function"))

    def _implied(self, value: Value) -> str:
        """The function of a record that names none.  Elle's histories leave `txn` out."""
        if isinstance(value, tuple) and all(isinstance(one, tuple) for one in value):
            return "txn"
        raise ValueError("an operation needs an :f, the function that was called")


def _word(name: str) -> str:
    """A name in a sentence."""
    return name if name.isprintable() and 0 < len(name) < LONGEST_WORD else render(name)


def _printable(name: str, what: str) -> str:
    """Names are printed as they are, so they must be fit for it."""
    if not name.isprintable() or not name:
        raise ValueError(f"{what} cannot be {render(name)}: it is empty, or holds characters that cannot be printed")
    return name


def argument_of(function: str, key: Value, value: Value) -> Value:
    """The argument in the record of an invocation."""
    if function in KEYED:
        key, value = _key_and_value(key, value)
        return key if function in ("get", "delete") else (key, value)
    return value if key is None else (key, value)


def result_of(function: str, key: Value, value: Value) -> Value:
    """The result in the record of an end that is `ok`."""
    if function not in KEYED:
        return value if key is None else (key, value)
    # What echoes the argument says nothing.
    return _key_and_value(key, value)[1] if function == "get" else None


def _key_and_value(key: Value, value: Value) -> tuple[Value, Value]:
    """`:key "x" :value "y"`, or `:value ["x" "y"]` as Jepsen's independent keys have it."""
    if key is None and isinstance(value, tuple) and len(value) == 2:
        return value[0], value[1]
    return key, value


def _mapping(detail: Value) -> Mapping[str, Value]:
    """The detail of an incident, of which a reader makes pairs where it stands in a map."""
    if isinstance(detail, dict):
        return detail
    if isinstance(detail, tuple) and all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in detail):
        return dict(detail)
    raise ValueError(f"{DETAIL} is a map, and not {render(detail)}")


def _places_of_others(kinds: bytearray) -> list[int]:
    places, place = [], kinds.find(OTHER)
    while place >= 0:
        places.append(place)
        place = kinds.find(OTHER, place + 1)
    return places


def _close_intervals(columns: Columns) -> None:
    """Within each instant, invocations first, as far as their processes are free."""
    times = columns.times
    start, count = 0, len(times)
    while start < count:
        end, time = start + 1, times[start]
        while end < count and times[end] == time:
            end += 1
        if end - start > 1 and time != TIMELESS:
            busy: set[str] = set()
            first: list[tuple[int, int]] = []
            later: list[tuple[int, int]] = []
            for place in range(start, end):
                kind, slot = columns.kinds[place], columns.slots[place]
                process = "" if kind == OTHER else columns.processes[slot]
                (first if kind == INVOKE and process not in busy else later).append((kind, slot))
                busy.add(process)
            for place, (kind, slot) in enumerate(first + later, start):
                columns.kinds[place] = kind
                columns.slots[place] = slot
        start = end
