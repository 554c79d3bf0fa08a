"""The API as a server of its own, as `uvicorn credits_core.api:app` starts it, and keys for its callers."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from sqlalchemy import Engine

from credits_core.access import keys as api_keys
from credits_core.store import database
from credits_core.values.roles import Role
from tests.support import world
from tests.support.actors import TESTER

ROOT = Path(__file__).resolve().parent.parent.parent
_START_SECONDS = 300


@contextmanager
def serving(
    engine: Engine,
    log: Path,
    app: str = "credits_core.api:app",
    *,
    under: Sequence[str] = (),
    ready: str = "/api/ready",
    **more: str,
) -> Iterator[str]:
    """The base URL of a server over the engine's database; what it logs goes to the file.

    `under` is a command that runs the server, `more` are settings.
    """
    settings = {
        "CREDITS_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "CREDITS_DEMO": "0",
        "CREDITS_RATE_LIMIT": "100000000/minute",
    } | more
    with started(["uvicorn", app, "--no-access-log"], log, ready, under, **settings) as address:
        yield address


@contextmanager
def started(command: Sequence[str], log: Path, ready: str, under: Sequence[str] = (), **settings: str) -> Iterator[str]:
    """The base URL of a server that `python -m` starts on a free port, once it answers at the path `ready`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*under, sys.executable, "-m", *command, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}{ready}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(120)


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=60).status_code == 200:
                return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.05)
    raise RuntimeError(f"the API did not start:\n{log.read_text()}")


def make_key(engine: Engine, role: Role) -> str:
    """A new key with this role, which is also its name."""
    key = api_keys.new_key()
    database.write(
        engine,
        lambda connection: api_keys.create_key(connection, role.value, key=key, role=role, now=world.NOW, actor=TESTER),
    )
    return key
