"""The command that builds the demo world, and starts it over."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from credits_core.cli import main as cli
from tests.support import demo, world
from tests.support.plain_sql import every_row, scalar

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


def test_the_demo_world_is_seeded_once_and_started_over(seed: Seed, sqlite_engine: Engine) -> None:
    assert seed("migrate")[0] == 0
    assert seed() == (0, f"{demo.BUILT}\n", "")
    assert seed() == (0, f"{demo.THERE}\n", "")
    as_new = demo.but_for_the_record(sqlite_engine)
    world.add(sqlite_engine, "newcomer", 700, key="dashboard:1")
    world.save_draft(sqlite_engine, world.price_book().plan)
    built = scalar(sqlite_engine, "SELECT COUNT(*) FROM journal_entries WHERE actor <> 'tester'")
    assert seed("seed", "--fresh") == (
        0,
        f"Deleted: {int(str(built)) + 1:,} entries (1 from the dashboard), 1 price plan.\n{demo.BUILT}\n",
        "",
    )
    assert demo.but_for_the_record(sqlite_engine) == as_new
    assert "WRONG" not in seed("verify")[1]


def test_an_empty_database_is_filled_and_nothing_deleted(seed: Seed) -> None:
    assert seed("seed", "--fresh") == (0, f"Deleted: nothing.\n{demo.BUILT}\n", "")


def test_what_is_more_than_a_demo_is_refused_in_one_line(seed: Seed, sqlite_engine: Engine) -> None:
    world.add(sqlite_engine, "ada", 700, key="legacy:ada")
    before = every_row(sqlite_engine)
    assert seed("seed", "--fresh") == (
        1,
        "",
        "error: This database is not only a demo: its first entry is by tester, not by the demo. Nothing was deleted. "
        "For a demo, use another database (CREDITS_DATABASE_URL)\n",
    )
    assert every_row(sqlite_engine) == before


def test_an_end_that_is_no_day_is_refused(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_DEMO_END", "soon")
    error = "error: CREDITS_DEMO_END: must be a day such as 2026-11-22, from 2000 on, not 'soon'\n"
    assert seed() == (1, "", error)
    assert seed("seed", "--fresh") == (1, "", error)
