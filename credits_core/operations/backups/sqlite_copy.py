"""Copies a SQLite database while charges go on, by SQLite's online backup, and puts a copy in another one's place."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from credits_core.operations.backups.place import sync_folder
from credits_core.operations.backups.refusals import BackupDamaged, BackupImpossible, LedgerInUse
from credits_core.store import database

_PAGES_AT_ONCE = 500
_FULL = "database or disk is full"
_OWN_ALONE = 0o600
_BESIDE = ("-wal", "-shm", "-journal")


def copy(engine: Engine, to: Path) -> None:
    """Copy the database of this engine, as it is now, into a new file. Nobody waits for it.

    In WAL mode one snapshot is held, so that writers do not make the copy begin anew.

    Raises:
        OSError: the disk of the copy is full.
    """
    source = engine.raw_connection()
    try:
        driver: Any = source.driver_connection
        holds_snapshot = driver.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        if holds_snapshot:
            driver.execute("BEGIN")
            driver.execute("SELECT 1 FROM sqlite_master").fetchone()
        try:
            with closing(database.sqlite_driver().connect(str(to), isolation_level=None)) as target:
                driver.backup(target, pages=_PAGES_AT_ONCE)
        except database.sqlite_driver().OperationalError as error:
            if str(error) == _FULL:  # the disk of the copy: the ledger is only read
                raise OSError(ENOSPC, os.strerror(ENOSPC)) from error
            raise
        finally:
            if holds_snapshot:
                driver.execute("ROLLBACK")
    finally:
        source.close()


def check(name: str, file: Path) -> None:
    """Let SQLite check a restored file from beginning to end.

    Raises:
        BackupDamaged: it is not whole.
    """
    errors = database.sqlite_driver().Error
    try:
        with closing(database.sqlite_driver().connect(str(file))) as connection:
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except errors as error:
        raise BackupDamaged(name, f"it is no SQLite database ({error})") from None
    if said != "ok":
        raise BackupDamaged(name, f"SQLite says: {said}")


@contextmanager
def to_itself(file: Path) -> Iterator[Any]:
    """A connection of the driver to a database that no other process has open; nobody can open it in the block.

    Raises:
        LedgerInUse: another process, or another connection of this one, has it open.
        Error: the driver's, when the file is no database.
    """
    driver = database.sqlite_driver()
    with closing(driver.connect(str(file), timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # To leave WAL, SQLite needs the file for itself: every open connection holds a lock on its index.
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")  # the lock stays until the connection ends
        except driver.OperationalError:
            raise LedgerInUse(str(file), "another process") from None
        if mode != "delete":
            raise LedgerInUse(str(file), "another process")
        yield connection


def put(restored: Path, file: Path, *, aside: Path) -> bool:
    """Put a restored database in the place of this file; what was there is kept `aside`. Returns whether there was any.

    The content is replaced in one transaction of SQLite: a process that is killed meanwhile leaves what was there.

    Raises:
        LedgerInUse: another process has the database open.
        BackupImpossible: the disk is full or cannot be read; everything is as it was.
    """
    driver = database.sqlite_driver()
    restored.chmod(_OWN_ALONE)
    if not file.exists():
        _move_aside(file, aside, _BESIDE)  # SQLite would take a log that another database left for this one's
        restored.replace(file)
        sync_folder(file.parent)
        return False
    half = aside.with_name(f"{aside.name}.part")
    try:
        with to_itself(file) as there, closing(driver.connect(str(restored))) as source:
            half.touch(mode=_OWN_ALONE)
            with closing(driver.connect(str(half))) as kept:
                there.backup(kept)
            half.replace(aside)
            source.backup(there)
    except driver.OperationalError as error:  # a full disk, or one that cannot be read
        half.unlink(missing_ok=True)
        raise BackupImpossible(f"{file} cannot be replaced: {error}. It is as it was.") from None
    except driver.DatabaseError:  # what is there is no database any more, so nobody uses it
        half.unlink(missing_ok=True)
        _move_aside(file, aside, _BESIDE)
        shutil.copyfile(file, half)
        half.chmod(_OWN_ALONE)
        half.replace(aside)
        restored.replace(file)
    restored.unlink(missing_ok=True)
    sync_folder(file.parent)
    return True


def _move_aside(file: Path, aside: Path, endings: Sequence[str]) -> None:
    for ending in endings:
        beside = file.with_name(f"{file.name}{ending}")
        if beside.exists():
            shutil.move(beside, aside.with_name(f"{aside.name}{ending}"))
