"""Requests: an answer goes to its question, once, in time, in the same life; everything else is ignored."""

import pytest
import trio
from sim_worlds import idle, open_world

from killpoint.sim.schedule import MessageNoise, Noise


async def answers(host):
    while True:
        message = await host.receive()
        question, wait = message.body
        if wait:
            await trio.sleep(wait)
        message.reply(f"answer to {question}")


def asks(*questions, timeout=0.5):
    async def program(host):
        for question in questions:
            try:
                answer = await host.request("n2", question, timeout=timeout)
            except trio.TooSlowError:
                answer = "too slow"
            host.observe(got=(answer, round(trio.current_time(), 6)))
        await trio.sleep_forever()

    return program


def got(world, name="n1"):
    return [event.values["got"] for event in world.history if hasattr(event, "values") and event.host == name]


def test_an_answer_comes_back():
    with open_world(asks(("a", 0), ("b", 0.1)), answers) as world:
        world.advance(2)
        assert got(world) == [("answer to a", 0.002), ("answer to b", 0.104)]


def test_no_answer_in_time_is_too_slow_and_the_late_one_goes_to_nobody():
    with open_world(asks(("a", 0.6), ("b", 0), timeout=0.5), answers) as world:
        world.advance(5)
        assert got(world) == [("too slow", 0.5), ("answer to b", 0.602)]


def test_an_answer_at_the_very_last_moment_is_in_time():
    with open_world(asks(("a", 0), timeout=0.002), answers) as world:
        world.advance(1)
        assert got(world) == [("answer to a", 0.002)]


def test_concurrent_requests_each_get_their_own_answer():
    async def program(host):
        async def ask(number):
            answer = await host.request("n2", (number, 0), timeout=5)
            host.observe(got=(number, answer))

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(ask, number)

    async def answers_backwards(host):
        messages = [await host.receive() for _ in range(5)]
        for message in reversed(messages):
            message.reply(f"answer to {message.body[0]}")
        await trio.sleep_forever()

    with open_world(program, answers_backwards) as world:
        world.advance(1)
        assert sorted(got(world)) == [(number, f"answer to {number}") for number in range(5)]


def test_a_second_answer_is_ignored():
    async def answers_twice(host):
        while True:
            message = await host.receive()
            message.reply("first")
            message.reply("second")

    with open_world(asks(("a", 0), ("b", 0)), answers_twice) as world:
        world.advance(1)
        assert got(world) == [("first", 0.002), ("first", 0.004)]


def test_duplicated_questions_and_answers_are_answered_once():
    with open_world(asks(*[(number, 0) for number in range(50)]), answers, noise=Noise(duplicate=0.9)) as world:
        world.advance(5)
        assert [answer for answer, _ in got(world)] == [f"answer to {number}" for number in range(50)]
        assert world.network.delivered > 150


def test_answers_to_a_former_life_are_ignored():
    with open_world(asks(("a", 0.2), ("b", 0.2), timeout=1), answers) as world:
        machine = world.machines["n1"]
        world.advance(0.1)
        world.kill(machine)
        world.restart(machine)
        world.advance(0.101)
        assert got(world) == []  # the answer to the first life's question has arrived
        assert world.network.delivered >= 2
        world.advance(2)
        assert [answer for answer, _ in got(world)] == ["answer to a", "answer to b"]


def test_a_question_to_a_dead_host_is_too_slow():
    with open_world(asks(("a", 0), ("b", 0)), answers) as world:
        world.kill(world.machines["n2"])
        world.advance(0.7)
        world.restart(world.machines["n2"])
        world.advance(1)
        assert got(world) == [("too slow", 0.5), ("too slow", 1.0)]
        world.advance(1)
        assert got(world) == [("too slow", 0.5), ("too slow", 1.0)]


def test_answers_are_not_received_as_messages():
    async def both(host):
        async def listen():
            while True:
                message = await host.receive()
                host.observe(heard=message.body)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            nursery.start_soon(asks(("a", 0)), host)

    with open_world(both, answers) as world:
        world.advance(1)
        assert "heard" not in world.machines["n1"].observed


def test_a_plain_message_is_answered_by_a_plain_message():
    async def sends(host):
        host.send("n2", ("hello", 0))
        message = await host.receive()
        host.observe(got=(message.sender, message.body))
        await trio.sleep_forever()

    with open_world(sends, answers) as world:
        world.advance(1)
        assert got(world) == [("n2", "answer to hello")]


def test_cancelled_questions_are_forgotten():
    async def program(host):
        for _ in range(3):
            with trio.move_on_after(0.05):
                await host.request("n2", ("a", 0.1), timeout=5)
        assert host._replies == {}
        host.observe(got=await host.request("n2", ("b", 0), timeout=5))
        assert host._replies == {}
        host.observe(clean=True)

    with open_world(program, answers) as world:
        world.advance(5)
        assert world.machines["n1"].observed == {"got": "answer to b", "clean": True}


def test_a_cancelled_receiver_loses_no_message():
    async def program(host):
        heard = []
        while len(heard) < 20:
            with trio.move_on_after(0.001):
                heard.append((await host.receive()).body)
        host.observe(got=tuple(heard))

    async def sends(host):
        for number in range(20):
            host.send("n1", number)
            await trio.sleep(0.0003)

    with open_world(program, sends) as world:
        world.advance(1)
        assert got(world) == [tuple(range(20))]


def test_several_receivers_share_the_messages():
    async def program(host):
        async def listen(name):
            while True:
                host.observe(got=(name, (await host.receive()).body))

        async with trio.open_nursery() as nursery:
            for name in "ab":
                nursery.start_soon(listen, name)

    async def sends(host):
        for number in range(4):
            host.send("n1", number)
        await trio.sleep(0.1)
        for number in range(4, 8):
            host.send("n1", number)

    with open_world(program, sends) as world:
        world.advance(1)
        assert sorted(body for _, body in got(world)) == list(range(8))
        assert {name for name, _ in got(world)} == {"a", "b"}


def test_a_message_cannot_be_answered_before_it_was_delivered():
    with open_world(asks(("a", 0)), idle) as world:
        world.advance(0)
        (entry,) = [entry for entry in world.heap if entry[1] == 2]
        with pytest.raises(RuntimeError, match="a message to n2 cannot be answered before it was delivered"):
            entry[5][0].reply("x")


@pytest.mark.parametrize("lost", ["question", "answer"])
def test_a_lost_question_or_answer_is_too_slow(lost):
    link = ("n1", "n2", 1, 0.0) if lost == "question" else ("n2", "n1", 1, 0.001)
    with open_world(asks(("a", 0), ("b", 0)), answers, overrides=[MessageNoise(*link, 0, drop=True)]) as world:
        world.advance(2)
        assert got(world) == [("too slow", 0.5), ("answer to b", 0.502)]
