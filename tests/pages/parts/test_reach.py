"""Where the dashboard does not start, and what it does not answer, because nobody would have to sign in."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from pages.parts.reach import OnlyThisMachine

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def start(folder: Path, **settings: str) -> str:
    """What the server says that does not start with these settings."""
    environment = os.environ | {"CREDITS_DATABASE_URL": f"sqlite:///{folder / 'credits.db'}", **settings}
    ended = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port=0"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert not (folder / "credits.db").exists()
    return next(line for line in ended.stderr.splitlines() if line.startswith("error: "))


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_the_server_does_not_start_for_other_machines_without_sign_in(tmp_path: Path, address: str) -> None:
    said = start(tmp_path, STREAMLIT_SERVER_ADDRESS=address, CREDITS_SIGN_IN="")
    assert f"open to everybody who reaches {address}" in said
    assert "Set CREDITS_SIGN_IN=oidc" in said


def test_the_server_does_not_start_without_a_provider(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.toml")
    said = start(tmp_path, CREDITS_SIGN_IN="oidc", STREAMLIT_SECRETS_FILES=missing)
    assert "[auth] must have redirect_uri, cookie_secret, client_id, client_secret, server_metadata_url" in said


def test_the_server_does_not_start_with_a_word_that_it_does_not_know(tmp_path: Path) -> None:
    assert "CREDITS_SIGN_IN: must be oidc" in start(tmp_path, CREDITS_SIGN_IN="off")


def answer(scope: Scope) -> list[Message]:
    """What comes back when this reaches an app that says "let in"."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "let in"})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(OnlyThisMachine(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("server", [("127.0.0.1", 8501), ("::1", 8501), ("/run/credits.sock", None)])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_whatever_started_the_server_this_machine_is_answered(kind: str, server: tuple[str, int | None]) -> None:
    assert answer({"type": kind, "server": server}) == [{"type": "let in"}]


@pytest.mark.parametrize("server", [("192.0.2.7", 8501), ("2001:db8::7", 8501), ("", 8501), None])
def test_whatever_started_the_server_no_other_machine_is_answered(server: tuple[str, int] | None) -> None:
    begun, body = answer({"type": "http", "server": server, "method": "GET", "path": "/"})
    assert begun["status"] == 403
    assert b"CREDITS_SIGN_IN=oidc" in body["body"]
    (closed,) = answer({"type": "websocket", "server": server})
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_the_start_and_the_end_of_the_server_pass() -> None:
    assert answer({"type": "lifespan"}) == [{"type": "let in"}]
