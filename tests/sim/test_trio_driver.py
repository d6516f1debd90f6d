"""The three modules that know trio from the inside: a canary for every private name, and everything is put back."""

import ast
import asyncio
import contextlib
import gc
import inspect
import logging
import re
import sys
import warnings
from hashlib import sha256
from pathlib import Path
from random import Random

import outcome
import pytest
import sniffio
import trio
from sim_worlds import gossip, idle, open_world
from trio import _socket
from trio._core import _asyncgens, _entry_queue, _instrumentation, _ki, _run, _thread_cache, _traps

import killpoint.sim.trio_driver as driver
from killpoint.sim import trio_parts as parts
from killpoint.sim import trio_sockets as sockets

SOURCES = [Path(module.__file__) for module in (driver, parts, sockets)]
PROJECT = SOURCES[0].resolve().parent.parent


def a_run():
    """A runner, a task and a nursery as trio makes them."""
    seen = []

    async def main():
        async with trio.open_nursery() as nursery:
            seen.extend([_run.GLOBAL_RUN_CONTEXT.runner, trio.lowlevel.current_task(), nursery])

    trio.run(main)
    return seen


def a_runner():
    return a_run()[0]


def has(thing, *names):
    return [name for name in names if not hasattr(thing, name)]


def takes(function, *names):
    return [name for name in names if name not in inspect.signature(function).parameters]


def fields(kind, *names):
    known = {field.name for field in kind.__attrs_attrs__}
    return [name for name in names if name not in known]


CANARIES = {
    "_run._r, whose shuffle() trio calls with every batch of runnable tasks": lambda: has(_run, "_r") or has(_run._r, "shuffle"),
    "_run._ALLOW_DETERMINISTIC_SCHEDULING, a switch": lambda: (
        [] if isinstance(_run._ALLOW_DETERMINISTIC_SCHEDULING, bool) else ["_ALLOW_DETERMINISTIC_SCHEDULING"]
    ),
    "_run.GLOBAL_RUN_CONTEXT, a thread-local namespace": lambda: has(_run.GLOBAL_RUN_CONTEXT, "__dict__"),
    "_run.Runner and the fields that it is made from": lambda: fields(
        _run.Runner,
        *("clock", "instruments", "io_manager", "system_context", "ki_manager"),
        *("strict_exception_groups", "entry_queue", "deadlines"),
    ),
    "what a Runner has": lambda: has(
        a_runner(),
        *("tasks", "runq", "reschedule", "waiting_for_idle", "deadlines", "asyncgens", "main_task_outcome", "system_context"),
        "_locals",
    ),
    "Runner.runq, a deque, and Runner.tasks, a set": lambda: (
        has(a_runner().runq, "extend", "clear") or has(a_runner().tasks, "clear", "add")
    ),
    "_run.unrolled_run, a generator function": lambda: (
        takes(_run.unrolled_run, "runner", "async_fn", "args", "host_uses_signal_set_wakeup_fd")
        or ([] if inspect.isgeneratorfunction(inspect.unwrap(_run.unrolled_run)) else ["unrolled_run"])
    ),
    "_run.Task, what it counts, and how it goes on": lambda: has(
        a_run()[1],
        *("_counter", "_schedule_points", "_cancel_points", "coro", "context", "child_nurseries", "custom_sleep_data"),
        *("_next_send", "_next_send_fn", "_abort_func", "_cancel_status", "_attempt_delivery_of_any_pending_cancel"),
    ),
    "CancelStatus.effectively_cancelled": lambda: has(_run.CancelStatus, "effectively_cancelled"),
    "the messages by which tasks wait": lambda: has(
        _traps, "CancelShieldedCheckpoint", "PermanentlyDetachCoroutineObject", "WaitTaskRescheduled"
    ),
    "CONTEXT_RUN_TB_FRAMES": lambda: has(_run, "CONTEXT_RUN_TB_FRAMES"),
    "the loop and `reschedule`, to the letter, since Engine._step and Engine.reschedule do what they do": lambda: [
        function.__qualname__
        for function, known in ((_run.unrolled_run, "9226ba6956c1ca77"), (_run.Runner.reschedule, "d25a5648b6a42879"))
        if sha256(inspect.getsource(inspect.unwrap(function)).encode()).hexdigest()[:16] != known
    ],
    "Nursery._children, a set": lambda: has(a_run()[2], "_children") or has(a_run()[2]._children, "clear"),
    "_run.Deadlines, a heap of (deadline, tie-breaker, scope) and a count": lambda: (
        fields(_run.Deadlines, "_heap", "_active") or takes(_run.Deadlines.add, "deadline", "cancel_scope")
    ),
    "_asyncgens.AsyncGenerators and its hooks": lambda: (
        fields(_asyncgens.AsyncGenerators, "alive", "prev_hooks") or takes(_asyncgens.AsyncGenerators.install_hooks, "runner")
    ),
    "_entry_queue.EntryQueue, made with its wake-up": lambda: fields(_entry_queue.EntryQueue, "wakeup"),
    "_ki.KIManager, which can be made harmless": lambda: (
        has(_ki.KIManager, "install", "close")
        or takes(_ki.KIManager.install, "deliver_cb", "restrict_keyboard_interrupt_to_checkpoints")
    ),
    "_instrumentation.Instruments": lambda: has(_instrumentation, "Instruments"),
    "_thread_cache.THREAD_CACHE, by which every thread begins": lambda: (
        has(_thread_cache, "THREAD_CACHE")
        or takes(_thread_cache.THREAD_CACHE.start_thread_soon, "fn", "deliver", "name")
        or ([] if "THREAD_CACHE" in _thread_cache.start_thread_soon.__code__.co_names else ["start_thread_soon"])
    ),
    "_socket._resolver and _socket._socket_factory, the variables of its two hooks": lambda: [
        name for name in ("_resolver", "_socket_factory") if not isinstance(getattr(_socket, name), trio.lowlevel.RunVar)
    ],
    "_socket._SocketType, which does all it does through _nonblocking_helper": lambda: (
        has(_socket._SocketType, "_nonblocking_helper", "_resolve_address_nocp")
        or takes(_socket._SocketType._nonblocking_helper, "wait_fn", "fn")
        or [name for name in ("_sock", "_did_shutdown_SHUT_WR") if name not in _socket._SocketType.__init__.__code__.co_names]
    ),
    "_socket.from_stdlib_socket": lambda: has(_socket, "from_stdlib_socket"),
    "sniffio.thread_local.name": lambda: has(sniffio.thread_local, "name"),
}

CHECKED = {
    *("_socket", "_resolver", "_socket_factory", "_SocketType", "_nonblocking_helper", "_sock", "_did_shutdown_SHUT_WR"),
    *("_locals", "Abort", "RunVar"),
    *("_thread_cache", "_run", "_asyncgens", "_entry_queue", "_instrumentation", "_ki", "_core"),
    *("GLOBAL_RUN_CONTEXT", "Runner", "unrolled_run", "Task", "Deadlines", "EntryQueue", "KIManager", "Instruments"),
    *("_traps", "WaitTaskRescheduled", "CancelShieldedCheckpoint", "PermanentlyDetachCoroutineObject", "CONTEXT_RUN_TB_FRAMES"),
    *("_next_send", "_next_send_fn", "_abort_func", "_cancel_points", "_cancel_status", "_attempt_delivery_of_any_pending_cancel"),
    *("_r", "_ALLOW_DETERMINISTIC_SCHEDULING", "_counter", "_schedule_points", "_children", "_heap", "_active"),
}


@pytest.mark.parametrize("name", CANARIES)
def test_canary_of_what_is_used_of_trio(name):
    try:
        missing = CANARIES[name]()
    except (AttributeError, TypeError, LookupError) as error:
        missing = [str(error)]
    moved = f"trio {trio.__version__} has moved {name}: {missing}"
    assert not missing, f"{moved}; adapt sim/trio_*.py and the range in pyproject.toml"


def test_the_canary_covers_every_private_name_that_the_driver_uses():
    used = set()
    ours = set()
    for node in (node for source in SOURCES for node in ast.walk(ast.parse(source.read_text()))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trio."):
            used |= {part for part in node.module.split(".") if part.startswith("_")}
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            (ours if owner == "self" else used).add(node.attr)
    # Attributes of our own objects that are reached through something else than `self`.
    used -= {"_runner", "_asyncgen_hooks"} | (ours - CHECKED)
    assert used <= CHECKED, f"add a canary for {sorted(used - CHECKED)}"


def test_no_other_module_reaches_into_trio():
    folders = ("sim", "properties", "model", "explore", "report", "killpoint")
    sources = {path.resolve() for folder in folders for path in (PROJECT / folder).rglob("*.py")}
    assert len(sources) > 20
    reaches = re.compile(r"\btrio\._core|\b(from|import) trio\._")
    reaching = [path.name for path in sorted(sources) if reaches.search(path.read_text())]
    assert reaching == ["trio_driver.py", "trio_parts.py", "trio_sockets.py"]


def test_a_batch_is_shown_as_the_live_list_that_trio_pops_from_the_end():
    """Killing within a slice, and the order of tasks, rest on this."""
    left = []

    class Trap(Random):
        batch = ()

        def shuffle(self, batch):
            self.batch = batch

    async def child(name):
        left.append((name, [task.name for task in trap.batch]))

    async def main():
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(child, name, name=name)

    trap = Trap()
    before = _run._r, _run._ALLOW_DETERMINISTIC_SCHEDULING
    _run._r, _run._ALLOW_DETERMINISTIC_SCHEDULING = trap, True
    try:
        trio.run(main)
    finally:
        _run._r, _run._ALLOW_DETERMINISTIC_SCHEDULING = before
    assert left == [("c", ["a", "b"]), ("b", ["a"]), ("a", [])]


# -- driven from anywhere -----------------------------------------------------------------------------


def digest_of_gossip():
    with open_world(gossip, gossip, gossip, seed=5) as world:
        for _ in range(20):
            world.advance(0.01)
        return world.digest.hexdigest()


EXPECTED = digest_of_gossip()


def test_inside_an_asyncio_loop():
    async def main():
        before = sys.get_asyncgen_hooks()
        found = digest_of_gossip()
        assert sys.get_asyncgen_hooks() == before
        assert sniffio.current_async_library() == "asyncio"
        await asyncio.sleep(0)
        return found

    assert asyncio.run(main()) == EXPECTED


def test_inside_a_trio_run_which_goes_on_afterwards():
    async def main():
        task = trio.lowlevel.current_task()
        found = digest_of_gossip()
        assert trio.lowlevel.current_task() is task
        assert sniffio.current_async_library() == "trio"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
        with trio.move_on_after(0):
            await trio.sleep_forever()
        return found

    assert trio.run(main) == EXPECTED


def test_inside_a_host_of_another_world():
    found = []

    async def nested(host):
        await trio.sleep(0.5)
        task = trio.lowlevel.current_task()
        found.append(digest_of_gossip())
        assert trio.lowlevel.current_task() is task
        assert trio.current_time() == 0.5
        await trio.sleep(0.5)
        found.append(trio.current_time())

    with open_world(nested, gossip, gossip) as world:
        world.advance(2)
        assert [event.kind for event in world.history if getattr(event, "kind", "") == "crash"] == []
    assert found == [EXPECTED, 1.0]


def test_an_async_generator_of_the_outer_loop_is_not_taken_over():
    """Generators that the driving loop began before a step, during it, and after it, all end in that loop."""
    ended = []

    async def numbers(name):
        try:
            for number in range(3):
                yield number
        finally:
            ended.append((name, sniffio.current_async_library()))

    async def main():
        first = numbers("first")
        await first.__anext__()
        with open_world(gossip, gossip) as world:
            world.advance(0.1)
            second = numbers("second")
            await second.__anext__()
            world.advance(0.1)
            del first
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        del second
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == [("first", "asyncio"), ("second", "asyncio")]


def surroundings():
    root = logging.getLogger()
    return {
        "trio's run context": dict(_run.GLOBAL_RUN_CONTEXT.__dict__),
        "async generator hooks": sys.get_asyncgen_hooks(),
        "sniffio": sniffio.thread_local.name,
        "trio's random": _run._r,
        "threads": _thread_cache.THREAD_CACHE,
        "deterministic scheduling": _run._ALLOW_DETERMINISTIC_SCHEDULING,
        "garbage collection": gc.isenabled(),
        "root handlers": (root.handlers, list(root.handlers)),
        "root level": root.level,
        "stdout": sys.stdout,
        "stderr": sys.stderr,
        "unraisable hook": sys.unraisablehook,
        "breakpoint hook": sys.breakpointhook,
        "warning filters": warnings.filters,
        "how warnings are shown": warnings.showwarning,
        "coroutines that were never awaited": vars(warnings)["_warn_unawaited_coroutine"],
    }


async def crash(host):
    await trio.sleep(0.05)
    raise ValueError("of its own")


def explode():
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "use",
    [
        lambda world: world.advance(1),
        lambda world: world.step(),
        lambda world: world.run_until(lambda: False, within=1),
        lambda world: world.settle(),
        lambda world: world.kill(world.machines["n1"], keep="all"),
        lambda world: world.bury(),
        lambda world: (world.advance(0.1), world.bury()),
        lambda world: world.look_at(0.1, lambda: None),
        lambda world: world.run_until(explode, within=1),
    ],
    ids=["advance", "step", "run_until", "settle", "kill", "bury", "bury after a while", "look_at", "an exception"],
)
@pytest.mark.parametrize("collecting", [True, False])
def test_everything_that_was_switched_is_put_back(use, collecting):
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    logging.getLogger().setLevel(logging.ERROR)
    sys.set_asyncgen_hooks(lambda _: None, lambda _: None)
    try:
        before = surroundings()
        with open_world(gossip, crash, idle) as world:
            with contextlib.suppress(ZeroDivisionError):
                use(world)
            assert surroundings() == before
        assert surroundings() == before
    finally:
        (gc.enable if was else gc.disable)()
        logging.getLogger().setLevel(logging.WARNING)
        sys.set_asyncgen_hooks(None, None)


def test_a_context_of_the_driver_does_not_reach_hosts():
    """Context variables (decimal's precision is one) of whoever steps the world would make runs differ."""
    import contextvars
    import decimal

    mark = contextvars.ContextVar("mark", default="none")
    seen = []

    async def host_program(host):
        seen.append((mark.get(), decimal.getcontext().prec))
        decimal.getcontext().prec = 3
        mark.set("host")
        await trio.sleep(1)

    mark.set("driver")
    with decimal.localcontext() as context:
        context.prec = 7
        with open_world(host_program, host_program) as world:
            world.advance(0.5)
        assert decimal.getcontext().prec == 7
    assert seen == [("none", 28), ("none", 28)]
    assert mark.get() == "driver"


def test_the_outcome_of_a_rescheduled_task_is_an_outcome():
    """`Engine.reschedule` hands trio what its own reschedule takes."""
    parked = []
    got = []

    async def waits(host):
        parked.append(trio.lowlevel.current_task())
        got.append(await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED))
        parked.append(trio.lowlevel.current_task())
        with pytest.raises(KeyError):
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        got.append("raised")

    with open_world(waits) as world:
        world.advance(0)
        machine = world.machines["n1"]
        machine.engine.reschedule(parked.pop(), outcome.Value(5))
        world.run_now(machine)
        machine.engine.reschedule(parked.pop(), outcome.Error(KeyError("x")))
        world.run_now(machine)
    assert got == [5, "raised"]


class _Watched(parts.FewInstruments):
    """While there is an instrument, steps are left to trio's loop."""

    def __bool__(self):
        return True


async def cancels_and_times_out(host):
    with trio.move_on_after(0.05):
        await host.receive()
    scope = trio.CancelScope()

    async def late():
        with scope:
            try:
                await trio.sleep_forever()
            finally:
                host.observe(cancelled=trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(late)
        await trio.sleep(0.1)
        scope.cancel()
        with trio.fail_after(1) as timeout:
            message = await host.receive()
            timeout.cancel()
            message.reply("x")
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled:
                host.observe(seen=True)
                raise
    await trio.testing.wait_all_tasks_blocked()
    host.observe(done=trio.current_time())
    raise ValueError("enough")


async def awaits_something_foreign_after_a_message(host):
    class Foreign:
        def __await__(self):
            yield "what is this"

    await host.receive()
    await Foreign()


async def detaches(host):
    await host.receive()
    await trio.lowlevel.permanently_detach_coroutine_object(outcome.Value(None))


async def keeps_sending(host):
    while True:
        for peer in host.peers:
            host.send(peer, "x")
        await trio.sleep(0.07)


@pytest.mark.parametrize(
    "program", [gossip, cancels_and_times_out, awaits_something_foreign_after_a_message, detaches], ids=lambda program: program.__name__
)
def test_a_step_of_ours_and_one_of_trios_loop_are_the_same(program, monkeypatch):
    def play():
        with open_world(program, keeps_sending, gossip, trace=True, seed=4) as world:
            world.advance(2.0)
            return world.digest.hexdigest(), [(event.kind, event.time, event.host, repr(event.detail)) for event in world.trace]

    ours = play()
    monkeypatch.setattr(driver, "FewInstruments", _Watched)
    theirs = play()
    assert ours[1] == theirs[1]
    assert ours[0] == theirs[0]
