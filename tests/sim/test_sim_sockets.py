"""TCP and UDP of simulated hosts, through trio's own functions: what a program sees when nothing is wrong, and when something is."""

import contextlib
import errno
import socket

import pytest
import trio

from killpoint.sim.kernel.tcp import CAPACITY
from killpoint.sim.noise import NoiseSource
from killpoint.sim.schedule import Noise
from killpoint.sim.world import World

PORT = 8000


async def echo(host):
    async def handle(stream):
        with contextlib.suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)

    await trio.serve_tcp(handle, PORT)


def told(world, host="c"):
    """What a host observed last."""
    return world.machines[host].observed


def play(*, seconds=10.0, noise=None, before=lambda _: None, **programs):
    world = World(programs, noise=noise, trace=True)
    world.boot()
    before(world)
    world.advance(seconds)
    crashes = [(event.host, event.detail["error"], event.detail["message"]) for event in world.trace if event.kind == "crash"]
    assert crashes == []
    return world


async def patiently(host="s", port=PORT):
    """A connection to somebody who may not listen yet."""
    while True:
        try:
            return await trio.open_tcp_stream(host, port)
        except OSError:
            await trio.sleep(0.01)


# -- nothing is wrong ---------------------------------------------------------------------------------


def test_what_is_sent_comes_back_after_a_round_trip_and_the_end_is_the_end():
    async def client(host):
        stream = await patiently()
        before = trio.current_time()
        await stream.send_all(b"abc")
        answer = await stream.receive_some()
        took = trio.current_time() - before
        await stream.send_eof()
        host.observe(answer=answer, took=round(took, 6), end=await stream.receive_some())

    assert told(play(s=echo, c=client)) == {"answer": b"abc", "took": 0.002, "end": b""}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_sockets_tell_their_addresses_in_their_family(family):
    async def server(host):
        listener = trio.socket.socket(family)
        await listener.bind(("", PORT))
        listener.listen()
        connection, address = await listener.accept()
        host.observe(peer=address, mine=connection.getsockname(), listens=listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    async def client(host):
        await trio.sleep(0.01)
        sock = trio.socket.socket(family)
        await sock.connect(("s", PORT))
        host.observe(peer=sock.getpeername(), mine=sock.getsockname())

    world = play(s=server, c=client)
    assert told(world)["mine"] == told(world, "s")["peer"]
    assert told(world)["peer"] == told(world, "s")["mine"]
    assert told(world)["peer"][:2] == (("10.0.0.1" if family == socket.AF_INET else "fd00::1"), PORT)
    assert told(world, "s")["listens"] == 1


def test_a_host_has_its_own_names_and_loopback():
    async def client(host):
        infos = await trio.socket.getaddrinfo("s", 80, type=socket.SOCK_STREAM)
        name = await trio.socket.getnameinfo(("10.0.0.1", 80), 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo, host)
            await trio.sleep(0.01)
            stream = await trio.open_tcp_stream("localhost", PORT)
            await stream.send_all(b"me")
            host.observe(me=await stream.receive_some())
            nursery.cancel_scope.cancel()
        host.observe(addresses=tuple(info[4][0] for info in infos), name=name[0], mine=socket.gethostname())

    assert told(play(s=echo, c=client)) == {"me": b"me", "addresses": ("10.0.0.1", "fd00::1"), "name": "s", "mine": "c"}


def test_a_writer_waits_until_its_peer_reads():
    async def server(host):
        listeners = await trio.open_tcp_listeners(PORT)
        stream = await listeners[0].accept()
        await trio.sleep(5)
        total = 0
        async for data in stream:
            total += len(data)
        host.observe(total=total)

    async def client(host):
        stream = await patiently()
        sent = []
        with trio.move_on_after(1):
            while True:
                await stream.send_all(bytes(1024))
                sent.append(1024)
        host.observe(before=sum(sent))
        await stream.send_all(bytes(1024))
        host.observe(after=trio.current_time())
        await stream.aclose()

    world = play(s=server, c=client)
    assert told(world)["before"] == CAPACITY
    assert 5.0 < told(world)["after"] < 5.1
    assert told(world, "s")["total"] >= CAPACITY + 1024


def test_a_stream_arrives_whole_and_in_order_whatever_the_network_does():
    content = bytes(range(256)) * 400

    async def server(host):
        async def receive(stream):
            host.observe(same=b"".join([data async for data in stream]) == content)

        await trio.serve_tcp(receive, PORT)

    async def client(host):
        stream = await patiently()
        for start in range(0, len(content), 1000):
            await stream.send_all(content[start : start + 1000])
        await stream.aclose()

    noise = NoiseSource(3, Noise(latency=5.0, loss=0.2, duplicate=0.2, reorder=0.5))
    world = play(s=server, c=client, noise=noise, seconds=200)
    assert told(world, "s") == {"same": True}
    assert world.network.dropped > 5


# -- something is wrong -------------------------------------------------------------------------------


def test_nobody_listening_is_refused_at_once():
    async def client(host):
        try:
            await trio.socket.socket().connect(("s", PORT))
        except OSError as error:
            host.observe(error=error.errno, at=round(trio.current_time(), 6))

    async def nothing(host):
        await trio.sleep_forever()

    assert told(play(s=nothing, c=client)) == {"error": errno.ECONNREFUSED, "at": 0.002}


def test_connecting_to_silence_takes_127_seconds_to_fail():
    async def client(host):
        sock = trio.socket.socket()
        try:
            await sock.connect(("s", PORT))
        except OSError as error:
            host.observe(error=error.errno, at=round(trio.current_time(), 3))

    world = play(s=echo, c=client, before=lambda world: world.kill(world.machines["s"], keep="all"), seconds=200)
    assert told(world) == {"error": errno.ETIMEDOUT, "at": 127.0}


async def asks_for_ever(host):
    stream = await patiently()
    count = 0
    try:
        while True:
            await stream.send_all(b"x")
            with trio.fail_after(2):
                await stream.receive_some()
            count += 1
            host.observe(answers=count)
            await trio.sleep(0.1)
    except (trio.BrokenResourceError, trio.TooSlowError) as error:
        host.observe(error=type(error).__name__, at=round(trio.current_time(), 1))


@pytest.mark.parametrize(("keep", "error", "at"), [(None, "BrokenResourceError", 1.0), ("all", "TooSlowError", 3.1)])
def test_a_killed_process_resets_its_connections_and_a_dead_machine_says_nothing(keep, error, at):
    world = World({"s": echo, "c": asks_for_ever}, trace=True)
    world.boot()
    world.advance(1.0)
    world.kill(world.machines["s"], keep=keep)
    world.advance(10)
    assert told(world)["error"] == error
    assert abs(told(world)["at"] - at) < 0.2


def test_what_is_sent_over_a_cut_link_arrives_when_it_has_healed():
    async def client(host):
        stream = await patiently()
        await trio.sleep(1)
        await stream.send_all(b"late")
        answer = await stream.receive_some()
        host.observe(answer=answer, at=trio.current_time())

    world = World({"s": echo, "c": client})
    world.boot()
    world.advance(0.5)
    links = [("s", "c"), ("c", "s")]
    world.network.cut(links)
    world.advance(4)
    assert told(world) == {}
    world.network.heal(links)
    world.advance(10)
    assert told(world)["answer"] == b"late"
    assert 4.5 < told(world)["at"] < 8.0


def test_a_machine_that_has_lost_power_and_come_back_knows_no_connections():
    async def client(host):
        stream = await patiently()
        await trio.sleep(2)
        try:
            await stream.send_all(b"still there?")
            await stream.receive_some()
        except trio.BrokenResourceError as error:
            host.observe(error=error.__cause__.errno)

    world = World({"s": echo, "c": client})
    world.boot()
    world.advance(1)
    world.kill(world.machines["s"], keep="none")
    world.restart(world.machines["s"])
    world.advance(5)
    assert told(world) == {"error": errno.ECONNRESET}


def test_keep_alive_finds_a_peer_that_is_gone():
    async def client(host):
        stream = await patiently()
        for option, value in (("SO_KEEPALIVE", 1), ("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
            level = socket.SOL_SOCKET if option.startswith("SO") else socket.IPPROTO_TCP
            stream.setsockopt(level, getattr(socket, option), value)
        try:
            await stream.receive_some()
        except trio.BrokenResourceError as error:
            host.observe(error=error.__cause__.errno, at=round(trio.current_time()))

    world = World({"s": echo, "c": client})
    world.boot()
    world.advance(15)
    world.kill(world.machines["s"], keep="all")
    world.advance(100)
    assert told(world)["error"] == errno.ETIMEDOUT
    assert 30 <= told(world)["at"] <= 40


def test_a_program_that_ends_closes_its_connections_in_an_orderly_way():
    async def server(host):
        listeners = await trio.open_tcp_listeners(PORT)
        await listeners[0].accept()
        await trio.sleep(1)

    async def client(host):
        stream = await patiently()
        host.observe(end=await stream.receive_some())

    assert told(play(s=server, c=client)) == {"end": b""}


def test_a_socket_that_is_closed_with_unread_data_resets_its_peer():
    async def server(host):
        listeners = await trio.open_tcp_listeners(PORT)
        stream = await listeners[0].accept()
        await trio.sleep(1)
        await stream.aclose()
        await trio.sleep_forever()

    async def client(host):
        stream = await patiently()
        await stream.send_all(b"nobody reads this")
        try:
            await stream.receive_some()
        except trio.BrokenResourceError as error:
            host.observe(error=error.__cause__.errno)

    assert told(play(s=server, c=client)) == {"error": errno.ECONNRESET}


def test_a_port_is_bound_once_and_free_again_after_a_kill():
    async def server(host):
        first = trio.socket.socket()
        await first.bind(("", PORT))
        second = trio.socket.socket()
        try:
            await second.bind(("", PORT))
        except OSError as error:
            host.observe(error=error.errno)
        await trio.sleep_forever()

    def before(world):
        world.advance(1)
        world.kill(world.machines["s"])
        world.restart(world.machines["s"])

    world = play(s=server, before=before)
    assert told(world, "s") == {"error": errno.EADDRINUSE}


def test_a_connection_attempt_that_is_cancelled_leaves_nothing_behind():
    async def client(host):
        with trio.move_on_after(0.5) as scope:
            await trio.open_tcp_stream("s", PORT)
        host.observe(cancelled=scope.cancelled_caught)

    world = play(s=echo, c=client, before=lambda world: world.network.cut([("c", "s")]), seconds=200)
    assert told(world) == {"cancelled": True}
    assert world.machines["c"].kernel().connections == {}


@pytest.mark.parametrize("seed", range(20))
def test_connections_survive_nothing_but_are_never_wrong(seed):
    """Under kills and cuts at any moment a client reads only what it sent, or is told that the connection broke."""

    async def client(host):
        number = 0
        while True:
            try:
                with trio.fail_after(3):
                    stream = await trio.open_tcp_stream("s", PORT)
                    async with stream:
                        while True:
                            number += 1
                            message = b"%08d" % number * 50
                            await stream.send_all(message)
                            answer = b""
                            while len(answer) < len(message):
                                data = await stream.receive_some()
                                answer += data
                                if not data:
                                    break
                            assert answer == message[: len(answer)]
                            if len(answer) < len(message):
                                break
                            host.observe(echoed=number)
            except (OSError, trio.BrokenResourceError, trio.TooSlowError):
                await trio.sleep(0.05)

    def run():
        world = World({"s": echo, "c": client}, seed=seed, noise=NoiseSource(seed, Noise(latency=2.0, loss=0.05, reorder=0.2)), trace=True)
        world.boot()
        links = [("c", "s"), ("s", "c")][: 1 + seed % 2]
        for step in range(12):
            world.advance(0.3 + (seed * 7 + step * 13) % 10 / 20)
            if step % 3 == 0 and world.machines["s"].alive:
                world.kill(world.machines["s"], keep="none" if step % 2 else None)
            elif step % 3 == 1:
                world.restart(world.machines["s"])
                world.network.cut(links)
            else:
                world.network.heal(links)
        world.advance(5)
        assert [event.detail for event in world.trace if event.kind == "crash"] == []
        return world.digest.hexdigest(), told(world)["echoed"]

    first = run()
    assert first == run()
    assert first[1] > 50


# -- datagrams ----------------------------------------------------------------------------------------


def test_datagrams_arrive_or_not_and_tell_from_where():
    async def server(host):
        sock = trio.socket.socket(type=socket.SOCK_DGRAM)
        await sock.bind(("", PORT))
        while True:
            data, address = await sock.recvfrom(100)
            await sock.sendto(data.upper(), address)

    async def client(host):
        sock = trio.socket.socket(type=socket.SOCK_DGRAM)
        await sock.sendto(b"hello", ("s", PORT))
        data, address = await sock.recvfrom(3)
        host.observe(data=data, address=address)
        with trio.move_on_after(1) as scope:
            await sock.sendto(b"to nobody", ("s", PORT + 1))
            await sock.recvfrom(100)
        host.observe(silence=scope.cancelled_caught)
        await sock.connect(("s", PORT + 1))
        await sock.send(b"x")
        try:
            await sock.recv(10)
        except ConnectionRefusedError:
            host.observe(refused=True)
        try:
            await sock.send(bytes(70_000))
        except OSError as error:
            host.observe(too_long=error.errno)

    expected = {"data": b"HEL", "address": ("10.0.0.1", PORT), "silence": True, "refused": True, "too_long": errno.EMSGSIZE}
    assert told(play(s=server, c=client)) == expected


# -- what is not there --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (lambda: socket.socket(socket.AF_UNIX), "TCP and UDP sockets over IPv4 and IPv6, and no others"),
        (lambda: socket.socket(fileno=0), "no descriptors of the operating system"),
        (lambda: socket.socket().connect(("10.0.0.1", 1)), "would block the whole simulation"),
        (lambda: socket.create_connection(("example.com", 80)), "Name or service not known"),
        (lambda: socket.create_connection(("93.184.216.34", 80)), "Network is unreachable"),
    ],
)
def test_what_a_simulated_host_does_not_have_is_said(attempt, sentence):
    async def program(host):
        attempt()

    world = World({"n": program}, trace=True)
    world.boot()
    world.advance(1)
    (crash,) = [event for event in world.trace if event.kind == "crash"]
    assert sentence in crash.detail["message"]
    assert "test_sim_sockets.py" in crash.detail["where"]


def test_outside_of_hosts_sockets_are_real():
    before = socket.socket, trio.socket.from_stdlib_socket
    play(s=echo, seconds=1)
    assert (socket.socket, trio.socket.from_stdlib_socket) == before
    with socket.socket() as real:
        assert real.fileno() < 100_000
