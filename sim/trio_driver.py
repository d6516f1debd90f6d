"""Driving trio: one runner per host, stepped synchronously.

trio's event loop is a generator, `unrolled_run`, that yields how long it could sleep and is sent the I/O events that came
meanwhile.  trio's own `run` and guest mode drive it against the operating system; we drive it against virtual time.  A **slice**
of a host sends into its generator until nothing in it is runnable; then control is back with the world's event heap.  There are
no threads, no descriptors and no epoll: the I/O manager and the wake-up socket pair are replaced by null objects.

What trio keeps per thread (which runner is current, async generator hooks, sniffio's marker) is swapped at each slice, and all of
it is put back when the outermost call returns, so a simulation can be stepped from inside another event loop.

A host that is killed is never sent to again: its frames stay where they are and not one line of clean-up code runs.  To stop a
host from *within* its own slice, the batch of runnable tasks that trio is working through is emptied; trio hands us that very
list when it asks for the tasks to be shuffled, which is also where task order is decided.

**Every private name of trio that Killpoint uses is used here, in `trio_parts.py` or in `trio_sockets.py`, and nowhere else**;
`tests/sim/test_trio_driver.py` says which one moved when one does.  Checked against trio 0.35.
"""

from __future__ import annotations

import contextvars
import ctypes
import sys
import warnings
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from math import inf
from typing import Any, Protocol

import outcome
import sniffio
import trio
from trio._core import _run, _thread_cache
from trio._core._entry_queue import EntryQueue
from trio._core._run import CONTEXT_RUN_TB_FRAMES, GLOBAL_RUN_CONTEXT, Runner, Task, unrolled_run
from trio._core._traps import CancelShieldedCheckpoint, PermanentlyDetachCoroutineObject, WaitTaskRescheduled
from trio.lowlevel import RunVar

from .frames import awaited, innermost
from .trio_parts import FewInstruments, Given, NoIO, NoKI, OrderedDeadlines, ParkedWakeup, inline_threads
from .watchdog import break_off

__all__ = ["Engine", "HostClock", "TaskTrap", "driving"]

Batch = list[Task]
_Hook = Callable[[AsyncGenerator[object, object]], None]


class HasNow(Protocol):
    """What has a virtual time, in seconds."""

    now: float


class HasClock(Protocol):
    """A machine's clock: how many seconds it is ahead of the world."""

    ahead: float


class HostClock(trio.abc.Clock):
    """A host's clock: reads the world's virtual time and remembers the next deadline that trio asked about.

    It is also what a runner holds of ours, so it keeps the runner's async generator hooks, until the host is buried.
    """

    __slots__ = ("__weakref__", "clock", "deadline", "hooks", "world")

    def __init__(self, world: HasNow, clock: HasClock) -> None:
        self.world = world
        self.clock = clock
        self.deadline = inf
        self.hooks: tuple[_Hook | None, _Hook | None] = (None, None)

    def start_clock(self) -> None:
        """Nothing to start: virtual time runs by itself."""

    def current_time(self) -> float:
        """Seconds since the world began, as the machine counts them."""
        return self.world.now + self.clock.ahead

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Seconds until a deadline; keeps it for the driver, which needs the instant and not the difference."""
        self.deadline = deadline
        return deadline - self.world.now - self.clock.ahead


class TaskTrap:
    """Takes the place of trio's random source: trio shows it every batch of runnable tasks before running it.

    `batch` is the live list that trio pops tasks from, last first; `order` is asked to arrange batches of more than one.
    """

    __slots__ = ("batch", "order")

    def __init__(self, order: Callable[[Batch], None]) -> None:
        self.batch: Batch = []
        self.order = order

    def shuffle(self, batch: Batch) -> None:
        """Called by trio with the runnable tasks sorted by age."""
        self.batch = batch
        if len(batch) > 1:
            batch.reverse()
            self.order(batch)


_NO_EVENTS: tuple[()] = ()
_FOREIGN = (
    "trio.run received unrecognized yield message {!r}. Are you trying to use a library written for some other framework like asyncio? "
    "That won't work without some kind of compatibility shim."
)
_MAX_TICKS = 100_000


class LivelockError(Exception):
    """A host ran a great many ticks without ever waiting for time or for a message."""


class Engine:
    """One host's trio runner.

    `slice()` runs it until nothing is runnable and returns the next deadline (the host's seconds, `inf` if there is none).
    `finished` is true once the main task has returned; then `result()` returns or raises what it did.
    """

    __slots__ = ("_generator", "_idle_at", "_runner", "clock", "finished", "held", "poisoned", "started")

    def __init__(self, program: Callable[[], Awaitable[None]], clock: HostClock) -> None:
        wakeup = ParkedWakeup()
        self._runner = wakeup.runner = Runner(
            clock=clock,
            instruments=FewInstruments(),  # type: ignore[arg-type]  # it has the methods of trio's
            io_manager=NoIO(),  # type: ignore[arg-type]  # the null object has what the loop uses
            system_context=contextvars.Context(),
            ki_manager=NoKI(),
            strict_exception_groups=True,
            entry_queue=EntryQueue(wakeup=wakeup),  # type: ignore[arg-type]
            deadlines=OrderedDeadlines(),
        )
        self.clock = clock
        self.finished = False
        self.poisoned = False
        self.held = False
        self.started = False
        self._idle_at = inf
        # The hooks that trio would install globally are kept: see _Generators.
        before = sys.get_asyncgen_hooks()
        self._runner.asyncgens.install_hooks(self._runner)
        # As a plain tuple: what `sys` returns is hidden from the garbage collector, and this is part of a cycle.
        clock.hooks = (*sys.get_asyncgen_hooks(),)
        sys.set_asyncgen_hooks(*before)
        # trio puts these back when the program ends, and other hosts go on.
        ours = (_generators.firstiter, _generators.finalizer)
        self._runner.asyncgens.prev_hooks = before.__class__(ours)  # a struct sequence
        generator: Generator[float, object, None] = unrolled_run(  # type: ignore[assignment]
            self._runner, program, (), host_uses_signal_set_wakeup_fd=True
        )
        self._generator = generator

    def slice(self) -> float:
        """Run what is runnable, from the beginning of the program or from where it waits; returns the next deadline.

        Raises:
            LivelockError: the host is still busy after a hundred thousand ticks without virtual time passing.
        """
        runner = self._runner
        self.held = False
        GLOBAL_RUN_CONTEXT.runner = runner
        send = self._generator.send
        if self.started and len(runner.runq) == 1 and not runner.instruments and not runner.waiting_for_idle:
            clock = self.clock
            now = clock.world.now + clock.clock.ahead
            if runner.deadlines.next_deadline() > now:
                self._step(runner, runner.runq.popleft())
                if self.held or self.poisoned:
                    return inf
                if not runner.runq and not runner.waiting_for_idle and runner.tasks:
                    deadline = clock.deadline = runner.deadlines.next_deadline()
                    if deadline > now:
                        return deadline
        try:
            if self.started:
                timeout = send(_NO_EVENTS)
            else:
                self.started = True
                timeout = send(None)
            if timeout <= 0.0:
                timeout = self._settle(send)
        except StopIteration:
            self.finished = True
            return inf
        if self.held:
            return inf
        if runner.waiting_for_idle:
            self._idle_at = self.clock.current_time() + timeout
            return min(self.clock.deadline, self._idle_at)
        return self.clock.deadline

    @staticmethod
    def _step(runner: Runner, task: Task) -> None:
        """One step of one task, as trio's loop takes it; what a tick does besides is nothing when nothing else is runnable or due.

        Most slices are just this, a task that takes a message and waits for the next, and the loop around it would cost more than it.
        """
        GLOBAL_RUN_CONTEXT.task = task
        send, value = task._next_send_fn, task._next_send
        task._next_send_fn = task._next_send = None
        assert send is not None
        final: outcome.Outcome[object]
        try:
            message = task.context.run(send, value)
        except StopIteration as stop:
            final = outcome.Value(stop.value)
        except BaseException as error:  # noqa: BLE001  # of the program
            frames = error.__traceback__
            for _ in range(1 + CONTEXT_RUN_TB_FRAMES):
                frames = frames.tb_next if frames is not None else None
            final = outcome.Error(error.with_traceback(frames))
            del frames
        else:
            task._schedule_points += 1
            if type(message) is WaitTaskRescheduled:
                task._cancel_points += 1
                task._abort_func = message.abort_func
                if task._cancel_status.effectively_cancelled:
                    task._attempt_delivery_of_any_pending_cancel()
            elif message is CancelShieldedCheckpoint:
                runner.reschedule(task)
            elif type(message) is PermanentlyDetachCoroutineObject:
                runner.task_exited(task, message.final_outcome)
            else:
                runner.reschedule(task, TypeError(_FOREIGN.format(message)))  # type: ignore[arg-type]  # it is thrown
                task._next_send_fn = task.coro.throw
            del GLOBAL_RUN_CONTEXT.task
            return
        runner.task_exited(task, final)
        del GLOBAL_RUN_CONTEXT.task

    def _settle(self, send: Callable[[object], float]) -> float:
        """Tick until nothing is runnable."""
        for _ in range(_MAX_TICKS):
            if self.poisoned or self.held:
                return 0.0
            timeout = send(_NO_EVENTS)
            if timeout > 0.0:
                return timeout
        busy = f"the host went {_MAX_TICKS:,} times round its event loop at one moment of virtual time"
        raise LivelockError(f"{busy}: a sleep or a message must come between")

    def equip(self, hooks: Mapping[RunVar[Any], Any]) -> None:
        """Set variables of this run."""
        self._runner._locals.update(hooks)

    def next_deadline(self) -> float:
        """When the next slice is due, in the host's seconds: at once, at a deadline, or when it was idle for long enough."""
        runner = self._runner
        if not self.started or runner.runq:
            return -inf
        deadline = runner.deadlines.next_deadline()
        return min(deadline, self._idle_at) if runner.waiting_for_idle else deadline

    def reschedule(self, task: Task, value: outcome.Outcome[object] | Given) -> None:
        """Make a parked task of this host runnable: `Runner.reschedule`, without what is for guest mode."""
        task._next_send_fn = task.coro.send
        task._next_send = value  # type: ignore[assignment]  # what is unwrapped in the end
        task._abort_func = None
        task.custom_sleep_data = None
        runner = self._runner
        runner.runq.append(task)
        if runner.instruments and "task_scheduled" in runner.instruments:
            runner.instruments.call("task_scheduled", task)

    def alone(self, trap: TaskTrap) -> bool:
        """From within a slice of this host: true if no other task of it is runnable, so that to yield would change nothing."""
        return not (trap.batch or self._runner.runq or self.held or self.poisoned)

    def suspend(self, trap: TaskTrap) -> None:
        """Stop for now, from within a slice of this host: the other runnable tasks wait for the next slice."""
        self._runner.runq.extend(reversed(trap.batch))
        trap.batch.clear()
        self.held = True

    def poison(self, trap: TaskTrap) -> None:
        """Stop for ever, from within a slice of this host: no other task of it will run."""
        self.poisoned = True
        trap.batch.clear()
        self._runner.runq.clear()

    def error(self) -> BaseException | None:
        """What the main task raised, if it ended by raising."""
        result = self._runner.main_task_outcome
        return result.error if isinstance(result, outcome.Error) else None

    def where(self) -> str:
        """`file:line in function` of the innermost frame of the host's busiest task, for messages about hosts that spin."""
        tasks = sorted(self._runner.tasks, key=lambda task: (task._schedule_points, task._counter))
        return innermost(tasks[-1].coro) if tasks else "nowhere"

    def bury(self) -> None:
        """Free the frames.  Clean-up code in them runs now; every handle it could reach must have been fenced before."""
        saved, hooks = dict(GLOBAL_RUN_CONTEXT.__dict__), sys.get_asyncgen_hooks()
        self.clock.hooks = (None, None)
        unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _closes(self._generator.close)
                self._close_tasks()
        finally:
            sys.unraisablehook = unraisable
            sys.set_asyncgen_hooks(*hooks)
            GLOBAL_RUN_CONTEXT.__dict__.clear()
            GLOBAL_RUN_CONTEXT.__dict__.update(saved)

    def _close_tasks(self) -> None:
        # Clean-up code that calls trio finds it there; what it awaits never comes.
        runner = GLOBAL_RUN_CONTEXT.runner = self._runner
        closed: list[Task] = []
        while runner.tasks:
            tasks = sorted(runner.tasks, key=lambda task: task._counter, reverse=True)
            runner.tasks.clear()
            closed += tasks
            for task in tasks:
                GLOBAL_RUN_CONTEXT.task = task
                _disown(task)
                _end(task.coro)
        for task in closed:
            _disown(task)
        runner.runq.clear()
        runner.asyncgens.alive.clear()


def _disown(task: Task) -> None:
    """Nurseries assert, when they are freed, that they have no children."""
    for nursery in task.child_nurseries:
        nursery._children.clear()


def _end(coroutine: object) -> None:
    """Close what is suspended, from the innermost frame outwards, each by itself: no frame sees what another raises.

    Clean-up code may raise, even SystemExit, which is no matter; it may await something, or catch all and go on, so it is closed
    again, and soon broken off.
    """
    for attempt in range(50):
        chain = []
        inner = coroutine
        while hasattr(inner, "close"):
            chain.append(inner.close)
            inner = awaited(inner)
        closed = [_closes(close, broken_off=attempt > 2) for close in reversed(chain)]
        if all(closed):
            return
    # What will not end is never freed: freeing would close it once more, at a moment when its loops may have no way out.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))


def _closes(close: Callable[[], None], *, broken_off: bool = False) -> bool:
    try:
        if broken_off:
            break_off(close)
        else:
            close()
    except RuntimeError as error:
        return "ignored GeneratorExit" not in str(error)
    except BaseException:  # noqa: BLE001  # the program is dead; nobody is left to tell
        return True
    return True


class _Generators:
    """Async generator hooks that serve all hosts at once.

    trio installs a pair of hooks per runner; switching them for every slice would cost more than the rest of the switch.  These
    look up the runner instead, when a generator is first iterated and when one is finalised, both of which are rare.
    """

    def __init__(self) -> None:
        self._owners: dict[int, weakref.ref[HostClock]] = {}

    def firstiter(self, generator: AsyncGenerator[object, object]) -> None:
        """A generator belongs to the host in whose slice it is first iterated."""
        clock = GLOBAL_RUN_CONTEXT.runner.clock
        assert isinstance(clock, HostClock)
        begin, _ = clock.hooks
        if begin is not None:
            self._owners[id(generator)] = weakref.ref(clock)
            begin(generator)

    def finalizer(self, generator: AsyncGenerator[object, object]) -> None:
        """A generator was dropped unfinished: its host closes it, unless that is dead."""
        owner = self._owners.pop(id(generator), None)
        clock = owner() if owner is not None else None
        end = clock.hooks[1] if clock is not None else None
        if end is not None:
            end(generator)


_generators = _Generators()


class driving:  # noqa: N801  # a context manager, read as a verb
    """While entered, trio's global state belongs to the simulation; afterwards it is as before.

    Nests, so a world may be stepped from a host of another world.
    """

    __slots__ = ("_saved", "_trap")

    def __init__(self, trap: TaskTrap) -> None:
        self._trap = trap

    def __enter__(self) -> None:
        context = GLOBAL_RUN_CONTEXT.__dict__
        self._saved = (
            dict(context),
            sys.get_asyncgen_hooks(),
            sniffio.thread_local.name,
            _run._r,
            _run._ALLOW_DETERMINISTIC_SCHEDULING,
            _thread_cache.THREAD_CACHE,
        )
        context.clear()
        sys.set_asyncgen_hooks(_generators.firstiter, _generators.finalizer)
        sniffio.thread_local.name = "trio"
        _run._r = self._trap  # type: ignore[assignment]  # it has the one method that is called
        _thread_cache.THREAD_CACHE = inline_threads  # type: ignore[assignment]  # it has the one method that is called
        _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # Final, and meant to be switched

    def __exit__(self, *_: object) -> None:
        context, hooks, library, random, deterministic, threads = self._saved
        GLOBAL_RUN_CONTEXT.__dict__.clear()
        GLOBAL_RUN_CONTEXT.__dict__.update(context)
        sys.set_asyncgen_hooks(*hooks)
        sniffio.thread_local.name = library
        _run._r = random
        _thread_cache.THREAD_CACHE = threads
        _run._ALLOW_DETERMINISTIC_SCHEDULING = deterministic  # type: ignore[misc]
