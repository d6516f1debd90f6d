"""The determinism check: are a scenario's runs a function of its schedules, and of nothing else?

All hosts share one interpreter, so module globals, caches and counters survive kills, are shared between hosts and leak into
the next run; sets of strings change their order with the hash seed; addresses, clocks and entropy differ from process to
process.  None of this shows while one process runs one schedule after the other in the same order every time.  So schedules are
run in two fresh processes, under different hash seeds, **the second in reverse order**, with its memory scattered and its
garbage collected at other moments; every digest must be the same in both.  (FoundationDB and turmoil rerun with the same seed;
order, addresses and hash seeds are our addition.)

If one is not, a few more processes run that schedule alone, changing one circumstance at a time, which tells what the run
depends on; the two traces tell where it shows first.  Cost: each schedule twice, on two cores at once.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from .catalog import find_scenario, with_faults
from .census import Crossing
from .confirm import foreign_environment, fresh_environment
from .digests import Answer, Event, Request
from .finding import expected
from .generate import crossings

__all__ = ["DeterminismReport", "Divergence", "WorkerError", "check_determinism"]

HASH_SEEDS = (1, 2)
"""Of the two processes."""

ENOUGH = 3
"""Differing digests after which comparing more would tell nothing new."""

CONTEXT = 3
"""Events shown before the first that differs."""


class WorkerError(RuntimeError):
    """A process that ran schedules ended with an error: says its last words."""


class Divergence(msgspec.Struct, frozen=True):
    """One schedule that gave two different runs.

    `cause` says in words what the run depends on.  `before` are the last events that were alike, `left` and `right` the first
    that differ (None: one run had ended).  `leaked` names attributes of modules that no longer hold what they held before the
    first run.  The stacks are the program's lines, outermost first, that made the two events.
    """

    number: int
    digests: tuple[str, str]
    cause: str
    before: tuple[Event, ...] = ()
    left: Event | None = None
    right: Event | None = None
    leaked: tuple[str, ...] = ()
    left_stack: tuple[str, ...] = ()
    right_stack: tuple[str, ...] = ()


class DeterminismReport(msgspec.Struct, frozen=True):
    """How many schedules were compared, which differed, and what is behind the first of those.

    `struck` says in how many of them each kind of fault struck, `crossed` in how many each boundary was crossed, and `never` names kinds
    that struck in none, and kill points of the scenario's that were crossed in none.
    """

    compared: int
    differing: tuple[int, ...] = ()
    divergence: Divergence | None = None
    struck: Mapping[str, int] = {}
    crossed: Mapping[str, int] = {}
    never: tuple[str, ...] = ()


class _Worker:
    """A fresh process that carries out one request; leaving the `with` block ends it."""

    def __init__(self, request: Request, hash_seed: int, python: Path | None = None) -> None:
        self.hash_seed = hash_seed
        self._request = request
        self._python = python

    def __enter__(self) -> Self:
        self._words: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # closed on leaving
        try:
            self._process = self._started()
        except OSError as error:
            raise WorkerError(f"{self._python or sys.executable} cannot be started: {error.strerror}") from None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(self._request).decode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # it ended at once; reading its answers tells why
        return self

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603  # our own command
            [str(self._python or sys.executable), "-m", "killpoint.explore.digests"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=fresh_environment(self.hash_seed) if self._python is None else foreign_environment(self.hash_seed),
            text=True,
            # Ctrl-C is for us to handle; we end our workers ourselves.
            start_new_session=os.name == "posix",
        )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._words.close()

    def answer(self) -> Answer | None:
        """The next answer; None if all were given.

        Raises:
            WorkerError: the process ended before it had answered everything.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return msgspec.json.decode(line, type=Answer)
        if self._process.wait() == 0:
            return None
        self._words.seek(0)
        said = [text for text in self._words.read().splitlines() if text.strip()]
        raise WorkerError(said[-1] if said else f"a process ended with code {self._process.returncode} and said nothing")


class _Circumstances(msgspec.Struct, frozen=True):
    """In what process schedules are run: those before it, the hash seed, whether memory is scattered, whether by the other interpreter."""

    numbers: tuple[int, ...]
    hash_seed: int
    unlike: bool = False
    foreign: bool = False


class _Question(msgspec.Struct, frozen=True):
    """What is to be run; the answer to whether it is deterministic is made of many requests."""

    scenario: str
    seed: int
    mutant: str | None
    numbers: tuple[int, ...]
    census: tuple[Crossing, ...]
    faults: str | None
    python: Path | None

    def request(
        self, numbers: Sequence[int], *, unlike: bool = False, traced: int | None = None, stack_at: int | None = None
    ) -> Request:
        return Request(self.scenario, self.seed, tuple(numbers), self.mutant, unlike, traced, self.census, self.faults, stack_at)

    def last_answer(self, how: _Circumstances, *, stack_at: int | None = None) -> Answer:
        """Run schedules in a fresh process, with a trace of the last."""
        request = self.request(how.numbers, unlike=how.unlike, traced=how.numbers[-1], stack_at=stack_at)
        with _Worker(request, how.hash_seed, self.python if how.foreign else None) as worker:
            last = None
            while (answer := worker.answer()) is not None:
                last = answer
        assert last is not None
        return last


def check_determinism(
    scenario: str,
    *,
    schedules: int,
    first: int = 0,
    seed: int = 0,
    mutant: str | None = None,
    faults: str | None = None,
    python: Path | None = None,
    each: Callable[[int], None] = lambda _runs: None,
    stop: Callable[[], bool] = lambda: False,
) -> DeterminismReport:
    """Compare the digests of schedules `first` to `first + schedules - 1` in two fresh processes; see the module docstring.

    `scenario` is a reference (see `catalog.py`), `faults` are other kinds than its own, and `python` is another interpreter for the
    second process, which must have Killpoint and all that the scenario needs.  `each` is told how many runs have ended, of both
    processes together; `stop` is asked several times a second.

    Raises:
        ScenarioError: there is no such scenario.
        WorkerError: a process ended with an error.
    """
    numbers = tuple(range(first, first + schedules))
    kind = with_faults(find_scenario(scenario), faults)
    question = _Question(scenario, seed, mutant, numbers, crossings(kind), faults, python)
    answers: tuple[dict[int, Answer], dict[int, Answer]] = ({}, {})
    differing: list[int] = []
    backwards = question.numbers[::-1]
    with (
        _Worker(question.request(question.numbers), HASH_SEEDS[0]) as one,
        _Worker(question.request(backwards, unlike=True), HASH_SEEDS[1], python) as other,
    ):
        for side, answer in _interleaved((one, other), stop):
            answers[side][answer.number] = answer
            each(len(answers[0]) + len(answers[1]))
            there = answers[1 - side].get(answer.number)
            if there is not None and there.digest != answer.digest:
                differing.append(answer.number)
                if len(differing) == ENOUGH:
                    break
    compared = len(answers[0].keys() & answers[1].keys())
    struck = Counter(kind for answer in answers[0].values() for kind in answer.struck)
    crossed = Counter(name for answer in answers[0].values() for name in answer.crossed)
    number = min(differing, key=differing.index, default=None)
    divergence = None if number is None else _diagnose(question, answers[0][number], answers[1][number])
    covered = dict(sorted(struck.items())), dict(sorted(crossed.items()))
    never = (*(name for name in expected(kind).struck if name not in struck), *(name for name in kind.killpoints if name not in crossed))
    return DeterminismReport(compared, tuple(sorted(differing)), divergence, *covered, never)


def _interleaved(workers: Sequence[_Worker], stop: Callable[[], bool]) -> Iterator[tuple[int, Answer]]:
    """The answers of several workers as they come, each with the place of its worker."""
    came: queue.SimpleQueue[tuple[int, Answer | Exception | None]] = queue.SimpleQueue()

    def listen(side: int) -> None:
        try:
            while (answer := workers[side].answer()) is not None:
                came.put((side, answer))
            came.put((side, None))
        except Exception as error:  # noqa: BLE001  # handed to the main thread, which raises it
            came.put((side, error))

    for side in range(len(workers)):
        threading.Thread(target=listen, args=(side,), daemon=True).start()
    listening = len(workers)
    while listening and not stop():
        try:
            side, answer = came.get(timeout=0.2)
        except queue.Empty:
            continue
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            listening -= 1
        else:
            yield side, answer


# -- what is behind a difference ----------------------------------------------------------------------


_WORLD = (
    "the outside world: even under the same circumstances it differs, so a clock, entropy, unseeded random or an address enters"
)
_HASHES = "the hash seed: the order of a set of strings, or a hash(), enters"
_INTERPRETER = "the interpreter: the other version of Python, or of a library, does something else"
_MEMORY = "memory: an id(), the order of addresses, or the moment of a garbage collection enters"
_EARLIER = "the runs before it in the same process: something outlives a run"
_GARBAGE = "the runs before it in the same process, or what their garbage does when it is collected: something outlives a run"


def _diagnose(question: _Question, left: Answer, right: Answer) -> Divergence:
    """Change one circumstance at a time, until the runs differ."""
    number = left.number
    digests = (left.digest, right.digest)
    if left.schedule != right.schedule:
        return Divergence(
            number, digests, "the schedules themselves: how the scenario describes its operations is not the same twice"
        )
    one, other = HASH_SEEDS
    reference = _Circumstances((number,), one)
    alone = question.last_answer(reference)
    before = _up_to(question.numbers, number)
    after = _up_to(question.numbers[::-1], number)
    circumstances = [
        (_WORLD, reference),
        # Another hash seed moves objects in memory too, but other memory leaves hashes of strings alone.
        (_MEMORY, _Circumstances((number,), one, unlike=True)),
        (_HASHES, _Circumstances((number,), other)),
        (_EARLIER, _Circumstances(before, one)),
        (_GARBAGE, _Circumstances(after, other, unlike=True)),
    ]
    if question.python is not None:
        circumstances.insert(1, (_INTERPRETER, _Circumstances((number,), one, foreign=True)))
    for cause, how in circumstances:
        answer = question.last_answer(how)
        if answer.digest != alone.digest:
            return _with_stacks(question, _compared(number, digests, cause, alone, answer), alone, reference, how)
    return Divergence(
        number, digests, f"something that did not happen again: it differed once, and in {len(circumstances)} more processes it did not"
    )


def _with_stacks(question: _Question, found: Divergence, alone: Answer, reference: _Circumstances, how: _Circumstances) -> Divergence:
    """The same once more under both circumstances, to see whose code makes the events; not where they differ elsewhere this time."""
    if found.left is None and found.right is None:
        return found
    place = next((place for place, event in enumerate(alone.events) if event == found.left), len(alone.events))
    stacks = []
    for circumstances, event in ((reference, found.left), (how, found.right)):
        answer = question.last_answer(circumstances, stack_at=place)
        same = event is not None and place < len(answer.events) and answer.events[place].kind == event.kind
        stacks.append(answer.stack if same else ())
    return msgspec.structs.replace(found, left_stack=stacks[0], right_stack=stacks[1])


def _up_to(numbers: Sequence[int], last: int) -> tuple[int, ...]:
    return tuple(numbers[: numbers.index(last) + 1])


def _compared(number: int, digests: tuple[str, str], cause: str, left: Answer, right: Answer) -> Divergence:
    """Where two traces part."""
    place = 0
    for one, other in zip(left.events, right.events, strict=False):
        if one != other:
            break
        place += 1
    leaked = right.leaked if len(right.leaked) >= len(left.leaked) else left.leaked
    return Divergence(
        number,
        digests,
        cause,
        left.events[max(place - CONTEXT, 0) : place],
        left.events[place] if place < len(left.events) else None,
        right.events[place] if place < len(right.events) else None,
        leaked,
    )
