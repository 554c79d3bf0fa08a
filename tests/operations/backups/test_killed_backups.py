"""Processes that make and restore backups are killed at random points while others charge."""

import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.audit import invariants
from credits_core.operations.backups import reading
from credits_core.store import database
from tests.support import backing_up, plain_sql, racers, world
from tests.support.backup_world import place, some_runs
from tests.support.demo import books

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
_KILLS, _KILLS_IN_FULL = 4, 20


@contextmanager
def load(engine: Engine) -> Iterator[list[str]]:
    """Adds credits all the time; the keys of those that were acknowledged."""
    acknowledged: list[str] = []
    ended = threading.Event()

    def add_now_and_then() -> None:
        while not ended.wait(0.005):
            key = f"load-{len(acknowledged)}"
            world.add(engine, "ada", 5, key=key)
            acknowledged.append(key)

    thread = threading.Thread(target=add_now_and_then)
    thread.start()
    try:
        yield acknowledged
    finally:
        ended.set()
        thread.join()


def kill_some(engine: Engine, folder: Path, *, kills: int, longest_seconds: float) -> None:
    url = engine.url.render_as_string(hide_password=False)
    for number in range(kills):
        process, answers = racers.start(
            backing_up.back_up_and_restore_until_killed, url, str(folder), settings.load_models()
        )
        if number % 2 == 0:  # every other one is killed in its first round
            assert os.read(answers.fileno(), 6) == b"round\n"
        time.sleep(random.uniform(0, longest_seconds))
        process.kill()
        process.join()
        require_whole(engine, folder)


def require_whole(engine: Engine, folder: Path) -> None:
    """The ledger adds up, what is listed can be read, and what was restored is whole."""
    assert plain_sql.contradictions(engine) == []
    where = place(folder)
    for made in where.manifests()[:3]:
        reading.check(where, made.name, None)
    restored = folder / "restored.db"
    if restored.exists():
        with database.opened_ledger(f"sqlite:///{restored}") as ledger:
            assert plain_sql.contradictions(ledger) == []
            assert plain_sql.scalar(ledger, "PRAGMA integrity_check(1)") == "ok"
            assert plain_sql.scalar(ledger, "SELECT count(*) FROM journal_entries") >= 4  # type: ignore[operator]


def require_proved(engine: Engine, acknowledged: list[str]) -> None:
    with database.read(engine) as connection:
        plans = books().at(connection).plans
    assert [str(finding) for finding in invariants.check(engine, plans) if not finding.ok] == []
    keys = {str(row[0]) for row in plain_sql.rows(engine, "SELECT idempotency_key FROM journal_entries")}
    assert set(acknowledged) <= keys
    assert len(acknowledged) > 0


@pytest.mark.long
def test_killed_backups_and_restores_leave_the_ledger_whole_and_list_no_half(
    sqlite_engine: Engine, tmp_path: Path, full: bool
) -> None:
    some_runs(sqlite_engine, runs=300)
    with load(sqlite_engine) as acknowledged:
        kills = _KILLS_IN_FULL if full else _KILLS
        kill_some(sqlite_engine, tmp_path, kills=kills, longest_seconds=1)
    require_proved(sqlite_engine, acknowledged)
    assert (tmp_path / "restored.db").exists()


@pytest.mark.long
@pytest.mark.as_owner
@pytest.mark.usefixtures("leftovers")
def test_killed_backups_and_drills_of_postgresql_leave_the_ledger_whole_and_list_no_half(
    postgres_engine: Engine, tmp_path: Path, full: bool
) -> None:
    some_runs(postgres_engine, runs=100)
    with load(postgres_engine) as acknowledged:
        kills = _KILLS_IN_FULL if full else 2
        kill_some(postgres_engine, tmp_path, kills=kills, longest_seconds=3)
    require_proved(postgres_engine, acknowledged)
