"""Callers who send slowly are cut off, idle connections give way, and only the names that are allowed are answered."""

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.sync.client import connect

from credits_core import settings
from credits_core.api import connections
from credits_core.api.connections import Patience
from credits_core.api.root import middleware
from credits_core.errors import InvalidRequest
from credits_core.values.roles import Role
from tests.support import live_api, live_dashboard, world
from tests.support.waiting import wait_until

_CUT_SECONDS = 1
IDLE, DESCRIPTORS = 300, 256


async def _read(request: Request) -> Response:
    return PlainTextResponse(f"{len(await request.body())} bytes")


async def _slow_answer(_: Request) -> Response:
    await asyncio.sleep(2 * _CUT_SECONDS)
    return PlainTextResponse("at last")


async def _echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


_ROUTES = [
    Route("/read", _read, methods=["GET", "POST"]),
    Route("/slow-answer", _slow_answer),
    WebSocketRoute("/echo", _echo),
]


@contextmanager
def _served(protocol: type, *, is_patient: bool = False) -> Iterator[int]:
    """The port of a server in this process, with or without the limits."""
    app = Starlette(routes=_ROUTES, middleware=[] if is_patient else [Middleware(Patience)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=protocol, log_level="error", timeout_keep_alive=60))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture(params=[HttpToolsProtocol, H11Protocol])
def port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for a second, instead of thirty."""
    monkeypatch.setattr(connections, "SECONDS", _CUT_SECONDS)
    with _served(request.param) as port:
        yield port


def _sent_slowly(port: int, sent: bytes, *, seconds: float = 2.5) -> tuple[bytes, float]:
    """What comes back when bytes are sent one by one, every tenth of a second, and after how many seconds it ends."""
    begun = time.monotonic()
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.settimeout(0.1)
        answer = b""
        for byte in sent + b"\0" * 1_000:
            try:
                connection.send(bytes([byte]) if byte else b"")
                received = connection.recv(1_000)
                if not received:
                    return answer, time.monotonic() - begun
                answer += received
            except TimeoutError:
                pass
            except OSError:
                return answer, time.monotonic() - begun
            if time.monotonic() - begun > seconds:
                break
    return answer, seconds


_HEAD = b"POST /read HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n"
_SLOW = {
    "nothing at all": b"",
    "a header, byte by byte": b"GET /read HTTP/1.1\r\nX: " + b"x" * 100,
}


@pytest.mark.parametrize("sent", _SLOW.values(), ids=_SLOW)
def test_who_sends_no_whole_request_in_time_is_cut_off(port: int, sent: bytes) -> None:
    answer, seconds = _sent_slowly(port, sent)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert _CUT_SECONDS <= seconds < 2 * _CUT_SECONDS


def test_empty_lines_are_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", _CUT_SECONDS)
    with _served(HttpToolsProtocol) as port:  # the other one refuses them at once
        answer, seconds = _sent_slowly(port, b"\r\n" * 100)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert _CUT_SECONDS <= seconds < 2 * _CUT_SECONDS


@pytest.mark.parametrize("protocol", [HttpToolsProtocol, H11Protocol])
def test_the_server_alone_cuts_nobody_off(protocol: type) -> None:
    with _served(protocol, is_patient=True) as port:
        assert _sent_slowly(port, _SLOW["a header, byte by byte"]) == (b"", 2.5)


def test_who_sends_the_body_byte_by_byte_is_cut_off(port: int) -> None:
    begun = time.monotonic()
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(_HEAD)
        connection.settimeout(0.1)
        answer = b""
        while time.monotonic() < begun + 2.5:
            try:
                connection.send(b"x")
                received = connection.recv(1_000)
                answer += received
                if not received:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert _CUT_SECONDS <= time.monotonic() - begun < 2 * _CUT_SECONDS


def test_a_large_body_has_more_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BYTES_PER_MORE_SECOND", 100)
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(_HEAD)
        for _ in range(10):
            time.sleep(0.15)
            connection.sendall(b"x" * 100)
        connection.settimeout(60)
        assert b"1000 bytes" in connection.recv(1_000)


def test_an_answer_may_take_longer_and_a_second_request_has_its_own_time(port: int) -> None:
    with requests.Session() as caller:
        assert caller.get(f"http://127.0.0.1:{port}/slow-answer", timeout=60).text == "at last"
        time.sleep(1.2 * _CUT_SECONDS)  # a connection that is kept open is the server's own matter
        assert caller.get(f"http://127.0.0.1:{port}/read", timeout=60).text == "0 bytes"


def test_a_websocket_may_say_nothing_for_long(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/echo") as websocket:
        time.sleep(1.5 * _CUT_SECONDS)
        websocket.send("still here")
        assert websocket.recv(60) == "still here"


def test_the_oldest_idle_connection_gives_way_and_one_in_use_does_not(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SECONDS", 60)
    monkeypatch.setattr(connections, "most_connections", lambda: 3)
    with ExitStack() as opened:
        used, *idle = [
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", port), 60))) for _ in range(3)
        ]
        used.sendall(b"GET /slow-answer HTTP/1.1\r\nHost: here\r\n\r\n")
        time.sleep(0.2)
        assert requests.get(f"http://127.0.0.1:{port}/read", timeout=60).text == "0 bytes"
        assert idle[0].recv(100) == b""
        assert b"at last" in used.recv(1_000)


def test_when_nobody_is_idle_the_new_connection_is_told_to_come_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 1)
    with closing(socket.create_connection(("127.0.0.1", port), 60)) as used:
        used.sendall(b"GET /slow-answer HTTP/1.1\r\nHost: here\r\n\r\n")
        time.sleep(0.2)
        with closing(socket.create_connection(("127.0.0.1", port), 60)) as another:
            assert another.recv(1_000).startswith(b"HTTP/1.1 503 ")
        assert b"at last" in used.recv(1_000)


# --- a server of its own, with few descriptors ------------------------------------------------------------------------


def _few_descriptors() -> list[str]:
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit, which Linux has")
    return ["prlimit", f"--nofile={DESCRIPTORS}"]


@contextmanager
def _idle_connections(url: str) -> Iterator[None]:
    port = int(url.rpartition(":")[2])
    with ExitStack() as opened:
        for _ in range(IDLE):
            opened.enter_context(closing(socket.create_connection(("127.0.0.1", port), 60)))
        yield


def test_more_idle_connections_than_descriptors_keep_nobody_from_being_answered(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 10_000, key="fund")
    key = live_api.make_key(sqlite_engine, Role.SERVICE)
    run = {"user_id": "ada", "prompt_id": "summarise", "model_id": "claude-3-haiku"}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k-1"}
    with live_api.serving(sqlite_engine, tmp_path / "log", under=_few_descriptors()) as url, _idle_connections(url):
        assert requests.get(f"{url}/api/health", timeout=10).status_code == 200
        charged = requests.post(f"{url}/api/credits/charge-prompt", json=run, headers=headers, timeout=10)
        assert charged.status_code == 201
    with (
        live_api.serving(
            sqlite_engine, tmp_path / "log-2", "tests.support.patient_api:app", under=_few_descriptors()
        ) as url,
        _idle_connections(url),
        pytest.raises(requests.RequestException),
    ):
        requests.get(f"{url}/api/health", timeout=2)


def test_the_server_of_the_dashboard_has_the_same_limits(tmp_path: Path) -> None:
    with (
        live_dashboard.live_dashboard(tmp_path, under=_few_descriptors(), CREDITS_ALLOWED_HOSTS="127.0.0.1") as live,
        _idle_connections(live.root),
    ):
        for path in ("/_stcore/health", "/api/health", "/api/ready"):
            assert requests.get(f"{live.root}{path}", timeout=10).status_code == 200
        for path in ("/", "/_stcore/health", "/api/health"):
            assert requests.get(f"{live.root}{path}", headers={"Host": "evil.example"}, timeout=10).status_code == 400


# --- names ------------------------------------------------------------------------------------------------------------


def test_only_the_names_that_are_allowed_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def status(host: str) -> int:
        app = Starlette(routes=_ROUTES, middleware=middleware())
        return int(TestClient(app).get("/read", headers={"Host": host}).status_code)

    assert status("evil.example") == 200
    monkeypatch.setenv("CREDITS_ALLOWED_HOSTS", "credits.example.org,*.internal.example,[::1]")
    for host in ("credits.example.org", "credits.example.org:8443", "CREDITS.example.org", "a.internal.example"):
        assert status(host) == 200
    for host in ("evil.example", "example.org", "credits.example.org.evil.example", ""):
        assert status(host) == 400
    assert status("[::1]:8501") == 200
    client = TestClient(Starlette(routes=_ROUTES, middleware=middleware()), base_url="http://evil.example")
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/echo"):
        pytest.fail("nobody may be here")


@pytest.mark.parametrize("given", ["*", "https://a.example", "a.example:8501", "a.*.example", "a example", "_"])
def test_a_name_that_no_caller_can_ask_for_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("CREDITS_ALLOWED_HOSTS", given)
    with pytest.raises(InvalidRequest, match="must be names such as"):
        settings.allowed_hosts()


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_ALLOWED_HOSTS", raising=False)
    assert settings.allowed_hosts() == []
    monkeypatch.setenv("CREDITS_ALLOWED_HOSTS", "Credits.example.org, *.example.org,[::1]")
    assert settings.allowed_hosts() == ["credits.example.org", "*.example.org", "[::1]"]


def test_connections_leave_descriptors_to_files_and_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(descriptors: int) -> Any:
        return lambda _: (descriptors, descriptors)

    resource = pytest.importorskip("resource")
    for descriptors, expected in ((1_024, 768), (256, 128), (100, 36), (100_000, 99_744)):
        monkeypatch.setattr(resource, "getrlimit", limit(descriptors))
        assert connections.most_connections() == expected
    monkeypatch.setattr(resource, "getrlimit", limit(resource.RLIM_INFINITY))
    assert connections.most_connections() > 1_000_000
