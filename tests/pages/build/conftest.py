"""The dashboard in which ada holds 1,000,000 credits, and the API over the same database in the same process."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from sqlalchemy import Engine
from starlette.applications import Starlette

from credits_core.access import call_log
from credits_core.api.resources import Resources
from credits_core.api.root import routes
from pages.build import sending
from pages.build.sending import Server
from tests.support import page_driver, plain_sql, world
from tests.support.waiting import wait_until


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.fixture
def api(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the API, which the screen takes for its own server's. It writes its calls almost at once."""
    monkeypatch.setattr(call_log, "_SECONDS_BETWEEN", 0.01)
    resources = Resources(ledger.url.render_as_string(hide_password=False))
    config = uvicorn.Config(Starlette(routes=routes(resources)), port=0, ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, 300)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setattr(sending, "this_server", lambda: Server("127.0.0.1", port))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(120)
        resources.close()
