"""Where a disk is full or a folder missing: the place is named, nothing is left, and no good backup is called bad."""

import os
import tempfile
from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.operations.backups import listing, packing, sqlite_copy
from credits_core.operations.backups.listing import State
from credits_core.operations.backups.refusals import BackupImpossible
from credits_core.store import database
from tests.support import world
from tests.support.backup_world import back_up, bring_back, new_key, place, try_it
from tests.support.plain_sql import scalar

FULL = "No space left on device. Nothing was changed"


def test_a_full_place_is_named_and_nothing_is_left_there(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(_: int) -> None:
        raise OSError(ENOSPC, os.strerror(ENOSPC))

    world.add(sqlite_engine, "ada", 5, key="one")
    monkeypatch.setattr(os, "fsync", is_full)
    with pytest.raises(BackupImpossible, match=f"cannot be kept in {tmp_path}/backups: {FULL}"):
        back_up(sqlite_engine, place(tmp_path))
    assert list((tmp_path / "backups").iterdir()) == []


def test_the_disk_of_the_copy_is_named_and_not_the_ledgers(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = database.sqlite_driver()

    def connect(*given: Any, **named: Any) -> Any:
        connection = driver.connect(*given, **named)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    world.add(sqlite_engine, "ada", 5, key="one")
    small = SimpleNamespace(connect=connect, OperationalError=driver.OperationalError)
    monkeypatch.setattr(sqlite_copy.database, "sqlite_driver", lambda: small)
    with pytest.raises(BackupImpossible, match=f"cannot be put together in {tempfile.gettempdir()}: {FULL}"):
        back_up(sqlite_engine, place(tmp_path))


def test_a_ledger_beside_which_no_room_is_left_stays_as_it_was(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = database.sqlite_driver()

    def connect(path: str, **named: Any) -> Any:
        connection = driver.connect(path, **named)
        if path.endswith(".part"):  # where what was there is kept
            connection.execute("PRAGMA max_page_count = 1")
        return connection

    world.add(sqlite_engine, "ada", 5, key="one")
    back_up(sqlite_engine, place(tmp_path))
    world.add(sqlite_engine, "ada", 5, key="two")
    sqlite_engine.dispose()
    small = SimpleNamespace(
        connect=connect,
        Error=driver.Error,
        OperationalError=driver.OperationalError,
        DatabaseError=driver.DatabaseError,
    )
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_copy, "database", SimpleNamespace(sqlite_driver=lambda: small))
        with pytest.raises(BackupImpossible, match=r"cannot be replaced: database or disk is full\. It is as it was\."):
            bring_back(place(tmp_path), sqlite_engine.url.render_as_string(), replace=True)
    assert scalar(sqlite_engine, "SELECT count(*) FROM journal_entries") == 2
    assert list(tmp_path.glob("*.before-*")) == []


def test_a_folder_that_is_not_there_is_named(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    back_up(sqlite_engine, place(tmp_path))
    with pytest.raises(BackupImpossible, match=f"cannot be unpacked in {tmp_path}/no: No such file or directory"):
        bring_back(place(tmp_path), f"sqlite:///{tmp_path}/no/credits.db")
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/no")
    with pytest.raises(BackupImpossible, match=f"cannot be put together in {tmp_path}/no: No such file"):
        back_up(sqlite_engine, place(tmp_path))
    with pytest.raises(BackupImpossible, match=f"cannot be unpacked in {tmp_path}/no: No such file"):
        try_it(sqlite_engine, place(tmp_path))
    assert [one.state for one in listing.listed(place(tmp_path), None)] == [State.UNPROVED]  # and not bad


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_while_it_is_decrypted_does_not_make_a_backup_bad(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    recipient = new_key(tmp_path / "own.txt")
    world.add(sqlite_engine, "ada", 5, key="one")
    made = back_up(sqlite_engine, place(tmp_path), recipients=(recipient,))
    stored = tmp_path / "backups" / made.file
    stored.with_name(f"{made.file}.clear").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        packing.unpack(made, stored, tmp_path / "content", tmp_path / "own.txt")
