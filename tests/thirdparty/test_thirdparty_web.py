"""Libraries that nobody wrote for Killpoint, unmodified: httpx against hypercorn, trio-websocket, TLS."""

import os
import ssl
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import hypercorn.config
import hypercorn.trio
import pytest
import trio
import trio_websocket
import trustme

from killpoint.sim.noise import NoiseSource
from killpoint.sim.schedule import Noise
from killpoint.sim.world import World

SHAKY = Noise(latency=3.0, loss=0.02, reorder=0.1)


async def app(scope, receive, send):
    """An ASGI application that writes down what it is sent, and counts."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    path = trio.Path("/var/lib/requests")
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    async with await path.open("ab") as file:
        await file.write(body + b"\n")
    count = len((await path.read_bytes()).splitlines())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % count})


async def web_server(host):
    config = hypercorn.config.Config()
    config.bind = ["0.0.0.0:8000"]
    await hypercorn.trio.serve(app, config)


async def web_client(host):
    outcomes = []
    async with httpx.AsyncClient(timeout=1.0) as client:
        for number in range(20):
            try:
                response = await client.post("http://server:8000/", content=b"%d" % number)
                outcomes.append((response.text, response.headers["date"]))
            except httpx.HTTPError as error:
                outcomes.append((type(error).__name__, ""))
            host.observe(outcomes=tuple(outcomes))
            await trio.sleep(0.1)


def play(programs, *, seed=0, trouble=True):
    """Latency and loss all the time, a kill, a partition, a power loss."""
    world = World(programs, seed=seed, noise=NoiseSource(seed, SHAKY if trouble else Noise()), trace=True)
    world.boot()
    server, links = world.machines["server"], [("server", "client"), ("client", "server")]
    if trouble:
        world.advance(0.55)
        world.kill(server)
        world.advance(0.25)
        world.restart(server)
        world.advance(0.5)
        world.network.cut(links)
        world.advance(2.0)
        world.network.heal(links)
        world.advance(1.0)
        world.kill(server, keep="all")
        world.advance(1.5)
        world.restart(server)
    world.advance(60)
    assert [event.detail["message"] for event in world.trace if event.kind == "crash"] == []
    return world


WEB = {"server": web_server, "client": web_client}


def test_http_without_faults_is_as_it_is_anywhere():
    outcomes = play(WEB, trouble=False).machines["client"].observed["outcomes"]
    assert [text for text, _ in outcomes][:1] in (["1"], ["ConnectError"])
    assert [text for text, _ in outcomes][-1] in ("19", "20")
    assert outcomes[-1][1] == "Thu, 01 Jan 2026 00:00:01 GMT"


def test_http_under_kill_partition_power_loss_and_latency_is_the_same_run_twice():
    first, second = play(WEB, seed=4), play(WEB, seed=4)
    assert first.digest.hexdigest() == second.digest.hexdigest()
    outcomes = [text for text, _ in first.machines["client"].observed["outcomes"]]
    assert {"ReadTimeout", "ConnectError"} & set(outcomes)
    assert sum(outcome.isdigit() for outcome in outcomes) >= 8
    assert play(WEB, seed=5).digest.hexdigest() != first.digest.hexdigest()


async def socket_server(host):
    async def handle(request):
        connection = await request.accept()
        try:
            while True:
                await connection.send_message((await connection.get_message())[::-1])
        except trio_websocket.ConnectionClosed:
            pass

    await trio_websocket.serve_websocket(handle, "0.0.0.0", 8000, ssl_context=None)


async def socket_client(host):
    echoed = 0
    while True:
        try:
            async with trio_websocket.open_websocket_url("ws://server:8000/", connect_timeout=1, disconnect_timeout=1) as connection:
                while True:
                    with trio.fail_after(1):
                        await connection.send_message("abc")
                        assert await connection.get_message() == "cba"
                    echoed += 1
                    host.observe(echoed=echoed)
                    await trio.sleep(0.05)
        except (trio_websocket.HandshakeError, trio_websocket.ConnectionClosed, trio.TooSlowError, OSError) as error:
            host.observe(broken=type(error).__name__)
            await trio.sleep(0.1)


SOCKETS = {"server": socket_server, "client": socket_client}


def test_websockets_under_kill_partition_power_loss_and_latency_are_the_same_run_twice():
    first, second = play(SOCKETS, seed=2), play(SOCKETS, seed=2)
    assert first.digest.hexdigest() == second.digest.hexdigest()
    assert first.machines["client"].observed["echoed"] > 100
    assert first.machines["client"].observed["broken"]


@pytest.fixture(scope="module")
def contexts():
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("server").configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def tls_server(context, host):
    async def echo(stream):
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    await trio.serve_ssl_over_tcp(echo, 8000, context)


async def tls_client(context, host):
    echoed = 0
    while True:
        try:
            with trio.fail_after(2):
                stream = await trio.open_ssl_over_tcp_stream("server", 8000, ssl_context=context)
                while True:
                    await stream.send_all(b"secret" * 100)
                    received = b""
                    while len(received) < 600:
                        received += (data := await stream.receive_some())
                        if not data:
                            break
                    else:
                        echoed += 1
                        host.observe(echoed=echoed, right=received == b"secret" * 100)
                        continue
                    break
        except (trio.TooSlowError, trio.BrokenResourceError, OSError):
            await trio.sleep(0.1)


def test_tls_works_and_what_openssl_draws_is_not_part_of_the_run(contexts):
    programs = {"server": partial(tls_server, contexts[0]), "client": partial(tls_client, contexts[1])}
    first, second = play(programs, seed=1), play(programs, seed=1)
    assert first.machines["client"].observed["echoed"] > 100
    assert first.machines["client"].observed["right"] is True
    assert first.digest.hexdigest() == second.digest.hexdigest()


async def tls_caller(context, host):
    """Connections that end in good order."""
    called = 0
    while True:
        try:
            with trio.fail_after(2):
                async with await trio.open_ssl_over_tcp_stream("server", 8000, ssl_context=context) as stream:
                    await stream.send_all(b"secret" * 100)
                    received = b""
                    while len(received) < 600:
                        received += (data := await stream.receive_some())
                        if not data:
                            break
        except (trio.TooSlowError, trio.BrokenResourceError, OSError):
            pass
        called += received == b"secret" * 100
        host.observe(called=called)
        await trio.sleep(1.0)


def test_closing_a_tls_connection_tells_nothing_of_how_long_its_secrets_were(contexts):
    programs = {"server": partial(tls_server, contexts[0]), "client": partial(tls_caller, contexts[1])}
    digests = {play(programs, seed=seed, trouble=False).digest.hexdigest() for seed in (3, 3, 3, 3, 3, 3)}
    assert len(digests) == 1
    assert play(programs, seed=1).machines["client"].observed["called"] > 20


async def http2_server(files, host):
    config = hypercorn.config.Config()
    config.bind = ["0.0.0.0:8443"]
    config.certfile = config.keyfile = files
    await hypercorn.trio.serve(app, config)


async def http2_client(context, host):
    async with httpx.AsyncClient(http2=True, verify=context, timeout=1.0) as client:
        while True:
            try:
                response = await client.post("https://server:8443/", content=b"x")
                host.observe(answer=response.text, version=response.http_version)
            except httpx.HTTPError as error:
                host.observe(broken=type(error).__name__)
            await trio.sleep(0.1)


def test_http2_over_tls_is_the_same_run_twice():
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with authority.issue_cert("server").private_key_and_cert_chain_pem.tempfile() as files:
        programs = {"server": partial(http2_server, files), "client": partial(http2_client, context)}
        first, second = play(programs, seed=4), play(programs, seed=4)
    assert first.digest.hexdigest() == second.digest.hexdigest()
    assert first.machines["client"].observed["version"] == "HTTP/2"
    assert int(first.machines["client"].observed["answer"]) > 50


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import test_thirdparty_web as web
print(web.play(web.WEB, seed=4).digest.hexdigest(), web.play(web.SOCKETS, seed=2).digest.hexdigest())
"""


def test_in_other_processes_under_other_hash_seeds_they_are_the_same_runs():
    def digests(seed):
        command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout

    assert digests("1") == digests("2")
