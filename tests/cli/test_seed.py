"""The command that builds the demo world."""

from collections.abc import Callable

import pytest

from credits_core.cli import main as cli
from tests.support import demo

Seed = Callable[..., tuple[object, str, str]]


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str) -> Seed:
    """Runs the command on a migrated database: its exit code, output and errors."""
    monkeypatch.setenv("CREDITS_DATABASE_URL", sqlite_url)

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr("sys.argv", ["credits_core", *(arguments or ("seed",))])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, *capsys.readouterr()

    return run


def test_the_demo_world_is_seeded_once(seed: Seed) -> None:
    assert seed("migrate")[0] == 0
    assert seed() == (0, f"{demo.BUILT}\n", "")
    assert seed() == (0, f"{demo.THERE}\n", "")
    assert "WRONG" not in seed("verify")[1]


def test_an_end_that_is_no_day_is_refused(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_DEMO_END", "soon")
    error = "error: CREDITS_DEMO_END: must be a day such as 2026-11-22, from 2000 on, not 'soon'\n"
    assert seed() == (1, "", error)
