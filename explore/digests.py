"""A process that runs schedules and says their digests: what the determinism check compares two of.

Run as `python -m killpoint.explore.digests`: one request as JSON on standard input, answers as JSON lines on standard output.
What the scenario's modules print while they are imported goes to standard error.

A request may ask for an **unlike** process: then memory is scattered before the first run, so that objects lie in another order
than elsewhere, and garbage is collected after every run instead of now and then.  Runs that depend on addresses or on the
moment of a collection differ there, where two alike processes would agree by luck.
"""

from __future__ import annotations

import gc
import sys
import traceback
from binascii import crc32
from collections.abc import Iterator, Mapping
from itertools import count, cycle
from pathlib import Path
from random import Random
from types import FunctionType, MethodType, ModuleType
from typing import TextIO

import msgspec

from ..sim.frames import is_program
from ..sim.record import Record
from ..sim.scenario import Scenario
from ..sim.session import run
from ..sim.trace import TraceEvent
from .campaign import COLLECT_EVERY
from .catalog import find_scenario, with_faults
from .census import Crossing
from .generate import generate

__all__ = ["Answer", "Event", "Request"]


class Request(msgspec.Struct, frozen=True):
    """Which schedules to run, in which order; `traced` is the one of which to send every event, and the stack of the one at `stack_at`.

    `faults` are other kinds than the scenario's own (see `catalog.with_faults`).

    The census that schedules are drawn with comes with the request: what is compared are runs of the same schedules, also where a
    census would differ.
    """

    scenario: str
    seed: int
    numbers: tuple[int, ...]
    mutant: str | None = None
    unlike: bool = False
    traced: int | None = None
    census: tuple[Crossing, ...] = ()
    faults: str | None = None
    stack_at: int | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of a trace, in text."""

    index: int
    time: float
    kind: str
    host: str
    detail: str


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one schedule.

    `schedule` is a checksum of the schedule itself, `struck` the kinds of fault that struck and `crossed` the boundaries that were
    crossed, `stack` the program's lines, outermost first, that made the event that was asked for.  `leaked` (of the traced one only)
    names attributes of modules whose values are no longer what they were before the first run.
    """

    number: int
    digest: str
    schedule: int
    events: tuple[Event, ...] = ()
    leaked: tuple[str, ...] = ()
    stack: tuple[str, ...] = ()
    struck: tuple[str, ...] = ()
    crossed: tuple[str, ...] = ()


def main(source: TextIO, answers: TextIO) -> None:
    """Carry out one request."""
    request = msgspec.json.decode(source.read(), type=Request)
    scenario = with_faults(find_scenario(request.scenario), request.faults)
    scenario.mutant(request.mutant)
    scattered = scatter() if request.unlike else []
    before = _state_of_modules(scenario) if request.traced is not None else {}
    gc.collect()
    gc.freeze()
    for done, number in enumerate(request.numbers):
        schedule = generate(scenario, request.seed, number, mutant=request.mutant, where=request.census).replace(scenario=request.scenario)
        traced = number == request.traced
        stack: list[str] = []
        record = run(schedule, scenario, trace=traced, trace_to=_Watching(request.stack_at, stack) if traced else None)
        struck = tuple(sorted({strike.fault for strike in record.strikes if strike.struck}))
        crossed = tuple(sorted(name for name, count in record.statistics.boundaries.items() if count))
        answer = Answer(number, record.digest, crc32(repr(schedule).encode()), stack=tuple(stack), struck=struck, crossed=crossed)
        if traced:
            leaked = tuple(_differences(before, _state_of_modules(scenario)))
            answer = msgspec.structs.replace(answer, events=tuple(_events(record)), leaked=leaked)
        answers.write(msgspec.json.encode(answer).decode() + "\n")
        answers.flush()
        if request.unlike or done % COLLECT_EVERY == COLLECT_EVERY - 1:
            gc.collect()
        if done % COLLECT_EVERY == COLLECT_EVERY - 1:
            gc.freeze()  # what has survived is in caches, and need not be looked at after every run
    scattered.clear()


def scatter() -> list[bytes]:
    """Make the allocator hand out small blocks in an order that is not that of their addresses; keep the result alive."""
    random = Random(1)
    blocks = [bytes(size) for size in range(8, 480, 16) for _ in range(1500)]
    random.shuffle(blocks)
    del blocks[: len(blocks) // 2]
    return blocks


class _Watching(list[TraceEvent]):
    """A trace that notes whose code made one of its events."""

    def __init__(self, place: int | None, stack: list[str]) -> None:
        super().__init__()
        self._place = place
        self._stack = stack

    def append(self, event: TraceEvent) -> None:
        if len(self) == self._place:
            frames = (frame for frame in traceback.extract_stack() if is_program(frame.filename))
            self._stack += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames if not _ours(frame.filename)]
        super().append(event)


def _ours(filename: str) -> bool:
    """Of what runs the schedule, and not of a host."""
    return Path(filename).resolve().parent == Path(__file__).resolve().parent or filename.startswith("<frozen runpy>")


def _events(record: Record) -> Iterator[Event]:
    for event in record.trace or ():
        yield Event(event.index, event.time, event.kind, event.host or "", repr(event.detail))


# -- what modules hold --------------------------------------------------------------------------------


def _state_of_modules(scenario: type[Scenario]) -> dict[str, str]:
    """The values of attributes of the scenario's modules and of their classes, by name, in a form that can be compared."""
    found: dict[str, str] = {}
    for name in sorted(sys.modules):
        module = sys.modules[name]
        if not _may_leak(name, module, scenario):
            continue
        for attribute, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name:
                for inner, held in list(vars(value).items()):
                    _note(found, f"{name}.{attribute}.{inner}", held)
            else:
                _note(found, f"{name}.{attribute}", value)
    return found


def _may_leak(name: str, module: ModuleType, scenario: type[Scenario]) -> bool:
    """Whether a module is of the system under test, and not of Python, of a library, or of Killpoint itself."""
    own = {base.__module__.partition(".")[0] for base in scenario.__mro__} - {"killpoint", "builtins"}
    if name.partition(".")[0] in own or name.startswith("killpoint.model."):
        return True
    source = getattr(module, "__file__", None) or ""
    elsewhere = not source or "site-packages" in source or source.startswith((sys.base_prefix, sys.prefix))
    return not elsewhere and not name.startswith(("killpoint", "__main__"))


_DULL = (type, ModuleType, FunctionType, MethodType, property, classmethod, staticmethod)


def _note(found: dict[str, str], name: str, value: object) -> None:
    if not name.rpartition(".")[2].startswith("__") and not isinstance(value, _DULL):
        found[name] = _shape(value, 3)


def _shape(value: object, depth: int) -> str:
    """A value as text: without addresses, and without the order of sets."""
    if value is None or isinstance(value, bool | int | float | str | bytes | count | cycle):
        text = repr(value)
    elif depth == 0:
        text = type(value).__name__
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{_shape(k, depth - 1)}: {_shape(v, depth - 1)}" for k, v in list(value.items())[:1000]) + "}"
        text += f" of {len(value)}"
    elif isinstance(value, set | frozenset):
        text = "{" + ", ".join(sorted(_shape(item, depth - 1) for item in value)[:1000]) + f"}} of {len(value)}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(_shape(item, depth - 1) for item in value[:1000]) + f"] of {len(value)}"
    else:
        text = f"{type(value).__name__} {_shape(getattr(value, '__dict__', {}), depth - 1)}"
    return text if len(text) <= 200 else f"{text[:60]}... ({len(text)} characters, {crc32(text.encode(errors='replace')):08x})"


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name, text in after.items():
        if before.get(name) != text:
            yield f"{name}: {before.get(name, 'absent')} before the first run, {text} after this one"


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr
    main(sys.stdin, answers)
