"""Schedules as files: JSON that a person can read, edit and keep.

::

    {"format": "killpoint.schedule/1",
     "scenario": "civictrust", "seed": 20261, "mutant": "ack-before-fsync", "budget": "quorum-safe",
     "settings": {"batch": 1}, "noise": {}, "overrides": [],
     "actions": [
      {"at": 0.1, "client": "c1", "operation": "issue", "arguments": {"document": 3}},
      {"at": 0.25, "fault": "power-loss", "target": "leader", "keep": "none", "duration": 1.0,
       "boundary": {"host": "leader", "event": "disk:fsync", "ordinal": 2}}],
     "failure": {"property": "Durable", "kind": "lost", "digest": "..."},
     "made_by": {"killpoint": "0.1.0", "python": "3.13.0", "trio": "0.35.0"}, "code": "1f0c..."}

Nothing in a file is ever evaluated or unpickled.  Reading says what is wrong with a file in one sentence with the line: not JSON, cut
off, made by a newer Killpoint, an unknown fault, a field of the wrong type, times that go backwards.  Writing is atomic.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..properties.history import Value
from .fault import Fault
from .schedule import Action, Boundary, Call, DiskNoise, Inject, MessageNoise, Noise, Override, Schedule, TaskNoise
from .vocabulary import strangers

if TYPE_CHECKING:
    from .scenario import Scenario

__all__ = [
    "FORMAT",
    "Failure",
    "Filed",
    "ScheduleError",
    "decode",
    "encode",
    "header",
    "line_of",
    "read",
    "versions",
    "write",
    "write_atomically",
]

FORMAT = "killpoint.schedule/1"
_FIELDS = ("format", "scenario", "mutant", "seed", "budget", "settings", "noise", "overrides", "actions", "failure", "made_by", "code")
MAX_BYTES = 20_000_000
MAX_DEPTH = 50


class ScheduleError(ValueError):
    """A schedule file that cannot be used: one sentence with the file, the line and what to do."""


class Failure(msgspec.Struct, frozen=True):
    """How the schedule failed when it was filed: the property, the kind of evidence, the reason, and the run's digest."""

    property: str
    kind: str
    reason: str
    digest: str


class Filed(msgspec.Struct, frozen=True):
    """A schedule as it was found in a file, with what was noted about it."""

    schedule: Schedule
    failure: Failure | None = None
    made_by: Mapping[str, str] = {}
    code: str = ""


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    from importlib.metadata import version  # noqa: PLC0415  # slow, and needed only when a file is written

    return {"killpoint": version("killpoint"), "python": platform.python_version(), "trio": version("trio")}


# -- writing ----------------------------------------------------------------------------------------


def encode(schedule: Schedule, *, failure: Failure | None = None, code: str = "") -> str:
    """A schedule as JSON text, one action to a line."""
    head: dict[str, object] = {
        "format": FORMAT,
        "scenario": schedule.scenario,
        "mutant": schedule.mutant,
        "seed": schedule.seed,
        "budget": schedule.budget,
        "settings": dict(schedule.settings),
        "noise": msgspec.to_builtins(schedule.noise),
    }
    tail: dict[str, object] = {
        "failure": msgspec.to_builtins(failure),
        "made_by": versions(),
        "code": code,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(msgspec.to_builtins(value))}" for key, value in head.items()]
    for key, items in (("overrides", schedule.overrides), ("actions", schedule.actions)):
        rows = ",\n".join(f"  {json.dumps(_plain(item))}" for item in items)
        lines.append(f' "{key}": [\n{rows}\n ]' if rows else f' "{key}": []')
    lines += [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in tail.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _plain(item: Action | Override) -> object:
    if not isinstance(item, Inject):
        return msgspec.to_builtins(item)
    fault = msgspec.to_builtins(item.fault)
    plain: dict[str, object] = {"at": item.at, "fault": item.fault.kind(), **fault}
    if item.boundary is not None:
        plain["boundary"] = msgspec.to_builtins(item.boundary)
    return plain


def write(path: Path, schedule: Schedule, *, failure: Failure | None = None, code: str = "") -> None:
    """Write a schedule file, atomically; makes the folder if need be."""
    write_atomically(path, encode(schedule, failure=failure, code=code))


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that its name holds either the old content or all of the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# -- reading ----------------------------------------------------------------------------------------


def read(path: Path, scenario: type[Scenario] | None = None) -> Filed:
    """Read a schedule file; `scenario` gives operation arguments their declared types, and the schedule must fit it.

    Without one its faults must be ours, or of modules that have been imported: see `header`.

    Raises:
        ScheduleError: the file is missing, too large, or not a schedule that this version can run.
    """
    return decode(_bytes(path), str(path), scenario)


def header(path: Path) -> Schedule:
    """A schedule file without its actions: what it says of scenario and mutant.  Faults may be of kinds that the scenario will define.

    Raises:
        ScheduleError: see `read`.
    """
    return decode(_bytes(path), str(path), strange=True).schedule.replace(actions=())


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ScheduleError(f"{path} has {size:,} bytes: too large for a schedule ({MAX_BYTES:,} at most); is it another file?")
        return path.read_bytes()
    except OSError as error:
        raise ScheduleError(f"{path} cannot be read: {error.strerror}") from error


def line_of(path: Path, field: str) -> str:
    """`, line 3` for the line of a top-level field of a schedule file; empty if it cannot be told."""
    text = path.read_text(encoding="utf-8", errors="replace")
    position = _positions(text).get((field, -1))
    return "" if position is None else f", line {text.count(chr(10), 0, position) + 1}"


def decode(raw: bytes, source: str, scenario: type[Scenario] | None = None, *, strange: bool = False) -> Filed:
    """Decode a schedule; with `strange` without faults of unknown kinds.

    Raises:
        ScheduleError: see `read`.
    """
    try:
        text = raw.decode()
        document = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # escapes can spell halves of characters, which no text may hold
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ScheduleError(f"{source}: not a schedule: a \\u escape spells half a character") from None
    except UnicodeDecodeError as error:
        raise ScheduleError(f"{source}, line {raw[: error.start].count(10) + 1}: this is not UTF-8 text, so not a schedule") from None
    except json.JSONDecodeError as error:
        if not text.strip():
            raise ScheduleError(f"{source}: the file is empty") from None
        cut = "the file is cut off here" if error.pos >= len(text.rstrip()) else f"not JSON: {error.msg}"
        raise ScheduleError(f"{source}, line {error.lineno}: {cut}") from None
    except RecursionError:
        raise ScheduleError(f"{source}: nested far too deeply for a schedule") from None
    except ValueError as error:
        raise ScheduleError(f"{source}: not a schedule: {error}") from None
    try:
        return _Decoder(text, source, scenario, strange=strange).document(document)
    except RecursionError:  # newer versions of Python parse more than they can look at
        raise ScheduleError(f"{source}: nested far too deeply for a schedule") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that a schedule may hold")


_Kind = TypeVar("_Kind")


class _Decoder:
    """Turns the parsed document into a schedule; knows where in the text everything stands."""

    def __init__(self, text: str, source: str, scenario: type[Scenario] | None, *, strange: bool) -> None:
        self._text = text
        self._strange = strange
        self._source = source
        self._scenario = scenario
        self._operations = scenario.operations() if scenario is not None else {}
        self._places: dict[tuple[str, int], int] | None = None

    def fail(self, message: str, key: str = "", number: int = -1) -> ScheduleError:
        """The error, with the line of a top-level field or of the `number`-th item of one."""
        if self._places is None:
            self._places = _positions(self._text)
        position = self._places.get((key, number))
        line = "" if position is None else f", line {self._text.count(chr(10), 0, position) + 1}"
        return ScheduleError(f"{self._source}{line}: {message}")

    def document(self, document: object) -> Filed:
        """The whole file."""
        if not isinstance(document, dict) or not isinstance(document.get("format"), str):
            raise self.fail('this is not a schedule: it has no "format"')
        form = document["format"]
        if form != FORMAT:
            family, _, number = form.partition("/")
            if family == FORMAT.partition("/")[0] and number.isdigit():
                raise self.fail(f"made by a newer Killpoint (format {number}, this one reads 1): upgrade killpoint", "format")
            raise self.fail(f"format {form[:40]!r} is not {FORMAT}", "format")
        unknown = next((str(key) for key in document if key not in _FIELDS), None)
        if unknown is not None:
            raise self.fail(f"a schedule has no field {unknown[:40]!r}; it has {', '.join(_FIELDS)}", unknown)
        schedule = Schedule(
            scenario=self._field(document, "scenario", str, None),
            seed=self._field(document, "seed", int, None),
            actions=self._actions(document),
            noise=self._field(document, "noise", Noise, Noise()),
            overrides=self._overrides(document),
            settings=self._settings(document),
            mutant=self._field(document, "mutant", str, "") or None,
            budget=self._field(document, "budget", str, "quorum-safe"),
        )
        if schedule.budget not in ("quorum-safe", "unlimited"):
            raise self.fail(f"budget {schedule.budget!r} is neither quorum-safe nor unlimited", "budget")
        if not -(2**63) <= schedule.seed < 2**63:
            raise self.fail("the seed must fit into 64 bits", "seed")
        for name, amount in msgspec.structs.asdict(schedule.noise).items():
            if not 0 <= amount < 1e6:
                raise self.fail(f"noise {name} must be a small number, not {amount}", "noise")
        if self._scenario is not None:
            for key, place, said in strangers(schedule, self._scenario):
                raise self.fail(said, key, place)
        failure = Failure("", "", "", "")
        failure = self._field(document, "failure", Failure, failure)
        made_by = self._field(document, "made_by", dict, {})
        return Filed(
            schedule,
            failure if failure.property else None,
            {str(name): str(text) for name, text in made_by.items()},
            self._field(document, "code", str, ""),
        )

    def _field(self, document: dict[str, object], key: str, kind: type[_Kind], default: _Kind | None) -> _Kind:
        """A top-level field; without a default it must be there."""
        value = document.get(key)
        if value is None:
            if default is None:
                raise self.fail(f'the schedule has no "{key}"')
            return default
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise self.fail(f'"{key}": {error}', key) from None

    def _settings(self, document: dict[str, object]) -> dict[str, Value]:
        try:
            return {str(name): _frozen(value) for name, value in self._field(document, "settings", dict, {}).items()}
        except ValueError as error:
            raise self.fail(f'"settings": {error}', "settings") from None

    def _actions(self, document: dict[str, object]) -> tuple[Action, ...]:
        actions: list[Action] = []
        for place, item in enumerate(self._field(document, "actions", list, [])):
            if self._strange and isinstance(item, dict) and isinstance(item.get("fault"), str) and item["fault"] not in Fault.registry:
                continue
            try:
                action = self._action(item)
            except (msgspec.ValidationError, ValueError) as error:
                raise self.fail(f"action {place}: {error}", "actions", place) from None
            if not 0 <= action.at < 1e9:
                raise self.fail(f"action {place} is at {action.at} s, which is no virtual time of a run", "actions", place)
            if actions and action.at < actions[-1].at:
                before = f"before the one above it at {actions[-1].at} s: times must not go backwards"
                raise self.fail(f"action {place} is at {action.at} s, {before}", "actions", place)
            actions.append(action)
        return tuple(actions)

    def _action(self, item: object) -> Action:
        if not isinstance(item, dict):
            raise ValueError("an action is an object")  # noqa: TRY004  # a ValueError is what the caller turns into a sentence
        if "fault" not in item:
            call = msgspec.convert(item, Call, strict=True)
            spec = self._operations.get(call.operation)
            types = spec.types if spec is not None else {}
            arguments = {name: _typed(value, types.get(name)) for name, value in call.arguments.items()}
            return msgspec.structs.replace(call, arguments=arguments)
        fields = dict(item)
        name = fields.pop("fault")
        kind = Fault.registry.get(name) if isinstance(name, str) else None
        if kind is None:
            raise ValueError(f"unknown fault {str(name)[:40]!r}; known are {', '.join(sorted(Fault.registry))}")
        at = msgspec.convert(fields.pop("at", None), float)
        boundary = fields.pop("boundary", None)
        unknown = sorted(set(fields) - set(kind.__struct_fields__))
        if unknown:
            raise ValueError(f"fault {name} has no field {unknown[0][:40]!r}; it has {', '.join(kind.__struct_fields__)}")
        fault = msgspec.convert(fields, kind)
        if not 0 <= fault.duration < 1e9:
            raise ValueError(f"a duration of {fault.duration} s")
        return Inject(at, fault, None if boundary is None else msgspec.convert(boundary, Boundary))

    def _overrides(self, document: dict[str, object]) -> tuple[Override, ...]:
        overrides: list[Override] = []
        for place, item in enumerate(self._field(document, "overrides", list, [])):
            try:
                override: Override = msgspec.convert(item, MessageNoise | TaskNoise | DiskNoise)
                overrides.append(_possible(override))
            except (msgspec.ValidationError, ValueError) as error:
                raise self.fail(f"override {place}: {error}", "overrides", place) from None
        return tuple(overrides)


def _possible(override: Override) -> Override:
    """Refuse what would turn back time or run a task twice."""
    seconds: tuple[float, ...] = ()
    match override:
        case MessageNoise():
            seconds = override.delay, override.duplicate or 0.0
        case TaskNoise():
            if sorted(override.order) != list(range(len(override.order))):
                raise ValueError(f"{str(override.order)[:60]} is no order of {len(override.order)} tasks: each place stands once")
        case DiskNoise():
            seconds = (override.latency,)
    for number in seconds:
        if not 0 <= number < 1e9:
            raise ValueError(f"{number} s is no time that anything takes")
    return override


def _typed(value: object, annotation: object) -> Value:
    """An operation's argument, as its annotation says; without one, lists become tuples."""
    value = _frozen(value)
    if annotation is None or isinstance(annotation, str):
        return value
    return msgspec.convert(value, annotation)


def _frozen(value: object, depth: int = 0) -> Value:
    if depth > MAX_DEPTH:
        raise ValueError(f"lists are nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return tuple(_frozen(item, depth + 1) for item in value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError(f"{str(value)[:20]}... does not fit into 64 bits")
    if isinstance(value, dict):
        raise ValueError("an object cannot stand for a value here: use a list")  # noqa: TRY004  # see _action
    return value


def _positions(text: str) -> dict[tuple[str, int], int]:
    """Offsets of the top-level fields of a JSON object, and of the items of those that are arrays."""
    scan = json.JSONDecoder().raw_decode
    found: dict[tuple[str, int], int] = {}

    def skip(position: int, characters: str) -> int:
        while position < len(text) and text[position] in characters:
            position += 1
        return position

    blank = " \t\r\n"
    try:
        position = skip(text.index("{") + 1, blank)
        while text[position] != "}":
            key, position = scan(text, position)
            position = skip(position, blank + ":")
            found[str(key), -1] = position
            if text[position] == "[":
                item = skip(position + 1, blank)
                for number in count():
                    if text[item] == "]":
                        break
                    found[str(key), number] = item
                    item = skip(scan(text, item)[1], blank + ",")
            position = skip(scan(text, position)[1], blank + ",")
    except (ValueError, IndexError, RecursionError):
        pass
    return found
