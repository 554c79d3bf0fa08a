import pytest
from sqlalchemy import Engine

from credits_core import startup
from tests.support.commands import Commands


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str) -> Commands:
    """The commands in this process, on a migrated SQLite file unless told otherwise."""
    found = Commands(monkeypatch, capsys)
    found.use(sqlite_url)
    return found


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, sqlite_url: str, sqlite_engine: Engine) -> Engine:
    """A ledger with the shipped list 1, live."""
    monkeypatch.setenv("CREDITS_DATABASE_URL", sqlite_url)
    startup.migrate(sqlite_engine)
    return sqlite_engine
