"""Backups of PostgreSQL: one snapshot through `pg_dump`, restored into a database of its own, and swapped in."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from credits_core.operations.backups import listing, postgres_dump, programs, reading
from credits_core.operations.backups.listing import State
from credits_core.operations.backups.manifest import Kind
from credits_core.operations.backups.refusals import (
    BackupDamaged,
    BackupImpossible,
    LedgerExists,
    LedgerInUse,
)
from credits_core.store import database
from tests.support import world
from tests.support.backup_world import back_up, bring_back, charge_more, databases, name_of, place, some_runs, try_it
from tests.support.plain_sql import every_row, rows, scalar


@pytest.fixture
def ledger(postgres_engine: Engine) -> Engine:
    some_runs(postgres_engine)
    return postgres_engine


def url_of(engine: Engine, *, name: str | None = None) -> str:
    return engine.url.set(database=name or engine.url.database).render_as_string(hide_password=False)


@pytest.mark.as_owner
def test_a_backup_comes_back_row_by_row_and_nothing_else_is_left(
    ledger: Engine, tmp_path: Path, postgres_server_url: str
) -> None:
    where = place(tmp_path)
    made = back_up(ledger, where)
    assert (made.kind, made.figures.entries) == (Kind.POSTGRESQL, 4)
    assert reading.check(where, name_of(where), None) == made
    before, name = every_row(ledger), f"{ledger.url.database}_new"
    done = bring_back(where, url_of(ledger, name=name))
    assert done.kept_as is None
    try:
        with database.opened_ledger(url_of(ledger, name=name)) as restored:
            after = every_row(restored)
            assert {table: found for table, found in after.items() if table != "activity"} == {
                table: found for table, found in before.items() if table != "activity"
            }
            charge_more(restored, runs=1, prefix="after")  # sequences, triggers and keys are there
            with pytest.raises(DBAPIError, match="append-only"), restored.begin() as c:
                c.execute(text("UPDATE journal_entries SET actor = 'mallory'"))
    finally:
        with postgres_dump.server_of(make_url(postgres_server_url)) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert databases(postgres_server_url, "%\\_restoring\\_%") == []


@pytest.mark.as_owner
@pytest.mark.usefixtures("leftovers")
def test_what_is_there_is_replaced_only_when_asked_to_and_kept_beside(ledger: Engine, tmp_path: Path) -> None:
    where = place(tmp_path)
    back_up(ledger, where)
    world.add(ledger, "ada", 5, key="later")
    ledger.dispose()
    with pytest.raises(LedgerExists, match="exists already, so nothing was changed"):
        bring_back(where, url_of(ledger))
    done = bring_back(where, url_of(ledger), replace=True)
    assert scalar(ledger, "SELECT count(*) FROM journal_entries") == 4
    assert done.kept_as == f"{ledger.url.database}_before_20261127T030000Z"
    with database.opened_ledger(url_of(ledger, name=done.kept_as)) as kept:
        assert scalar(kept, "SELECT count(*) FROM journal_entries") == 5


@pytest.mark.as_owner
def test_a_database_with_a_connection_is_not_replaced(ledger: Engine, tmp_path: Path, postgres_server_url: str) -> None:
    where = place(tmp_path)
    back_up(ledger, where)
    world.add(ledger, "ada", 5, key="later")  # the pool keeps its connection
    with pytest.raises(LedgerInUse, match=r"is in use by [12] connections\. Stop the product first"):
        bring_back(where, url_of(ledger), replace=True)
    assert scalar(ledger, "SELECT count(*) FROM journal_entries") == 5
    assert databases(postgres_server_url, "%\\_restoring\\_%") == []


@pytest.mark.as_owner
def test_a_drill_proves_a_backup_in_a_database_of_its_own(
    ledger: Engine, tmp_path: Path, postgres_server_url: str
) -> None:
    where = place(tmp_path)
    back_up(ledger, where)
    world.add(ledger, "ada", 5, key="later")
    drilled = try_it(ledger, where)
    assert (drilled.message, drilled.is_good, drilled.lost_entries) == ("Restored and proved.", True, 1)
    assert databases(postgres_server_url, "%\\_restoring\\_%") == []


def test_a_narrow_role_makes_backups_and_drills_them_on_a_server_where_it_may(
    postgres_engine: Engine, postgres_server_url: str, tmp_path: Path
) -> None:
    world.add(postgres_engine, "ada", 5, key="one")
    where = place(tmp_path)
    made = back_up(postgres_engine, where)
    assert made.figures.entries == 1
    with pytest.raises(BackupImpossible, match="may not make databases, which restoring needs"):
        try_it(postgres_engine, where)
    with pytest.raises(BackupImpossible, match="may not make databases, which restoring needs"):
        bring_back(where, url_of(postgres_engine, name="credits_elsewhere"))
    assert listing.listed(where, None)[0].state is State.UNPROVED
    assert try_it(postgres_engine, where, scratch_url=postgres_server_url).is_good


def test_without_the_programs_it_is_said_what_to_install(
    postgres_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "DEBIANS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupImpossible, match=r"pg_dump is missing on this machine\. Install Debian's package"):
        back_up(postgres_engine, place(tmp_path))
    assert place(tmp_path).manifests() == []


@pytest.mark.as_owner
def test_a_dump_that_cannot_be_restored_is_damaged_and_leaves_nothing(
    ledger: Engine, tmp_path: Path, postgres_server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = place(tmp_path)

    def half(engine: Engine, to: Path) -> object:
        found = whole(engine, to)
        to.write_bytes(to.read_bytes()[:-2_000])
        return found

    whole = postgres_dump.dump
    monkeypatch.setattr(postgres_dump, "dump", half)
    back_up(ledger, where)
    with pytest.raises(BackupDamaged, match="pg_restore says"):
        bring_back(where, url_of(ledger, name=f"{ledger.url.database}_new"))
    assert not try_it(ledger, where).is_good
    assert databases(postgres_server_url, "%\\_restoring\\_%") == []
    assert rows(ledger, "SELECT count(*) FROM journal_entries") == [(4,)]
