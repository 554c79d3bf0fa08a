import pytest

from tests.support.commands import Commands


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str) -> Commands:
    """The commands in this process, on a migrated SQLite file unless told otherwise."""
    found = Commands(monkeypatch, capsys)
    found.use(sqlite_url)
    return found
