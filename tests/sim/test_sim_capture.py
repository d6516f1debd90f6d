"""What hosts print and log is kept per host with its virtual time, and reaches nobody else."""

import logging
import sys
import traceback
from typing import ClassVar

import pytest
import trio
from sim_worlds import Register, call, idle, open_world

from killpoint.sim.scenario import Scenario, operation
from killpoint.sim.schedule import Schedule
from killpoint.sim.session import Session, run


def lines(world):
    return [(line.host, round(line.time, 6), line.level, line.text) for line in world.logs]


async def talks(host):
    await trio.sleep(0.5)
    print("hello", host.name)
    print("two\nlines")
    logging.getLogger("app").info("info of %s", host.name)
    logging.getLogger("app").debug("not shown")
    logging.getLogger("app.deep").warning("careful")


def test_lines_have_their_host_time_and_level(capfd):
    with open_world(talks, talks) as world:
        world.advance(1)
        assert lines(world) == [
            (name, 0.5, *line)
            for name in ("n1", "n2")
            for line in (
                ("print", f"hello {name}"),
                ("print", "two"),
                ("print", "lines"),
                ("info", f"app: info of {name}"),
                ("warning", "app.deep: careful"),
            )
        ]
        indices = [line.index for line in world.logs]
        assert indices == sorted(set(indices))
    assert capfd.readouterr() == ("", "")


def test_the_trace_holds_them_too():
    with open_world(talks, trace=True) as world:
        world.advance(1)
        logged = [(event.index, event.detail["message"]) for event in world.trace if event.kind == "log"]
        assert logged == [(line.index, line.text) for line in world.logs]


def test_what_goes_to_standard_error_is_kept_as_well(capfd):
    async def program(host):
        print("trouble", file=sys.stderr)
        try:
            {}["k"]
        except KeyError:
            traceback.print_exc()

    with open_world(program) as world:
        world.advance(1)
        assert lines(world)[0] == ("n1", 0.0, "stderr", "trouble")
        assert lines(world)[-1] == ("n1", 0.0, "stderr", "KeyError: 'k'")
    assert capfd.readouterr() == ("", "")


def test_exceptions_are_logged_with_what_they_say():
    async def program(host):
        try:
            {}["k"]
        except KeyError:
            logging.getLogger("app").exception("failed")

    with open_world(program) as world:
        world.advance(1)
        assert lines(world) == [("n1", 0.0, "error", "app: failed\nKeyError: 'k'")]


@pytest.mark.parametrize("steps", [1, 50])
def test_lines_that_are_printed_in_parts_are_whole_however_the_world_is_stepped(steps):
    async def parts(host):
        for number in range(3):
            print(number, end=" ")
            await trio.sleep(0.1)
        print("end")
        print("never finished", end="")

    with open_world(parts, parts) as world:
        for _ in range(steps):
            world.advance(1.0 / steps)
        assert [line.text for line in world.logs] == ["0 1 2 end"] * 2
        assert [line.host for line in world.logs] == ["n1", "n2"]


def test_half_a_line_dies_with_its_program():
    async def program(host):
        print(f"begun {host.incarnation}", end="")
        await trio.sleep(0.1)
        print()
        await trio.sleep_forever()

    with open_world(program) as world:
        world.advance(0.05)
        world.kill(world.machines["n1"])
        world.restart(world.machines["n1"])
        world.advance(1)
        assert [line.text for line in world.logs] == ["begun 2"]


def test_a_bad_logging_call_does_not_fail_the_host():
    """Logging never raises into the program that logs; it does not here."""

    class Ugly:
        def __str__(self):
            raise ValueError("ugly")

    async def program(host):
        logging.getLogger("app").warning("%d apples", "no")
        logging.getLogger("app").warning("%s", Ugly())
        host.observe(survived=True)

    with open_world(program) as world:
        world.advance(1)
        assert world.machines["n1"].observed == {"survived": True}
        assert "%d apples" in world.logs[0].text
        assert len(world.logs) == 2


def test_what_is_printed_between_slices_goes_where_it_always_goes(capsys):
    with open_world(idle) as world:
        print("before")
        world.look_at(0.5, lambda: print("looking"))
        world.advance(1)
        assert lines(world) == []
    assert capsys.readouterr().out == "before\nlooking\n"


def test_logging_is_as_before(caplog):
    logger = logging.getLogger("outside")
    with caplog.at_level(logging.INFO):
        logger.info("one")
        with open_world(talks) as world:
            world.advance(1)
            logger.info("two")
        logger.info("three")
    assert [record.getMessage() for record in caplog.records] == ["one", "two", "three"]


def test_a_program_that_configures_logging_changes_nothing_outside(capfd):
    async def program(host):
        logging.basicConfig(level=logging.DEBUG)
        logging.getLogger().setLevel(logging.CRITICAL)
        print("x")
        sys.stdout.flush()
        assert not sys.stdout.isatty()

    before = (logging.getLogger().handlers, list(logging.getLogger().handlers), logging.getLogger().level)
    with open_world(program) as world:
        world.advance(1)
        assert lines(world) == [("n1", 0.0, "print", "x")]
    assert (logging.getLogger().handlers, list(logging.getLogger().handlers), logging.getLogger().level) == before
    assert capfd.readouterr() == ("", "")


class Chatty(Scenario):
    """Clients that print."""

    hosts: ClassVar = {"n1": idle}
    clients = 1

    @operation()
    async def talk(self, client):
        print("talking")


def test_a_record_keeps_what_clients_print():
    record = run(Schedule("Chatty", 1, (call(0.1, "c1", "talk"),)), Chatty)
    assert [(line.host, line.time, line.text) for line in record.logs] == [("c1", 0.1, "talking")]


def test_two_open_sessions_keep_their_lines_apart():
    sessions = [Session(Chatty, seed=seed) for seed in (1, 2)]
    for session in sessions:
        session.apply(call(0.1, "c1", "talk"))
    for session in reversed(sessions):
        assert [line.text for line in session.finish().logs] == ["talking"]
    assert run(Schedule("Register", 1), Register).logs == ()
