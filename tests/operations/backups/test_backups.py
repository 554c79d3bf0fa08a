"""Making a backup, restoring it, and every way in which that is refused, with SQLite."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from credits_core import startup
from credits_core.audit import seal_keys, seals
from credits_core.errors import InvalidRequest
from credits_core.operations.backups import listing, manifest, reading, sqlite_copy
from credits_core.operations.backups.listing import State
from credits_core.operations.backups.manifest import Kind
from credits_core.operations.backups.place import place_at
from credits_core.operations.backups.refusals import (
    BackupDamaged,
    BackupFromNewerVersion,
    BackupImpossible,
    BackupLocked,
    LedgerExists,
    LedgerInUse,
    UnknownBackup,
)
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, person
from tests.support import backup_world, busy_ledger, world
from tests.support.backup_world import NIGHT, back_up, bring_back, charge_more, new_key, place, some_runs, try_it
from tests.support.plain_sql import every_row, rows, scalar

FINANCE = person("fin@example.org", frozenset({PersonRole.FINANCE}))
ADMIN = person("admin@example.org", frozenset({PersonRole.ADMIN}))


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


# --- what is kept comes back -----------------------------------------------------------------------------------------


def test_a_backup_holds_what_the_ledger_came_to_and_comes_back_row_by_row(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    startup.migrate(sqlite_engine)
    busy_ledger.three_days(sqlite_engine)
    where = place(tmp_path)
    made = back_up(sqlite_engine, where)
    assert (made.kind, made.figures.entries, made.figures.schema) == (Kind.SQLITE, 12, database.newest_migration())
    assert made.figures.sum_of_balances_credits == scalar(
        sqlite_engine, "SELECT sum(balance_credits) FROM user_credits"
    )
    assert made.figures.seal_hash == scalar(sqlite_engine, "SELECT hash FROM seals")
    before = every_row(sqlite_engine)
    done = bring_back(where, f"sqlite:///{tmp_path / 'restored.db'}")
    assert done.kept_as is None
    with database.opened_ledger(f"sqlite:///{tmp_path / 'restored.db'}") as restored:
        after = every_row(restored)
        assert after["activity"][-1][1:3] == ("restored", made.name)
        assert {name: found for name, found in after.items() if name != "activity"} == {
            name: found for name, found in before.items() if name != "activity"
        }


def test_what_is_charged_while_a_backup_is_made_goes_on_and_is_not_in_it(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(sqlite_engine, "ada", 10_000, key="before")

    def charging_meanwhile(source: object, to: Path) -> None:
        copied(source, to)  # type: ignore[arg-type]
        world.add(sqlite_engine, "ada", 5, key="meanwhile")

    copied = sqlite_copy.copy
    monkeypatch.setattr(sqlite_copy, "copy", charging_meanwhile)
    made = back_up(sqlite_engine, place(tmp_path))
    assert made.figures.entries == 1
    assert scalar(sqlite_engine, "SELECT count(*) FROM journal_entries") == 2


def test_after_a_restore_everybody_signs_in_again_and_the_restore_is_on_record(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    with sqlite_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sign_in_sessions (id, email, started_at_us, seen_at_us) VALUES ('s', 'a@b.c', 1, 1)")
        )
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    bring_back(where, f"sqlite:///{tmp_path / 'restored.db'}", actor=ADMIN)
    with database.opened_ledger(f"sqlite:///{tmp_path / 'restored.db'}") as restored:
        assert rows(restored, "SELECT ended_at_us > 1 FROM sign_in_sessions") == [(1,)]
        assert rows(restored, "SELECT kind, actor FROM activity") == [("restored", "dashboard/admin@example.org")]
    assert rows(sqlite_engine, "SELECT ended_at_us FROM sign_in_sessions") == [(None,)]


# --- restoring never overwrites --------------------------------------------------------------------------------------


def test_what_is_there_is_replaced_only_when_asked_to_and_kept_beside(sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="in-the-backup")
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    world.add(sqlite_engine, "ada", 7, key="later")
    sqlite_engine.dispose()
    with pytest.raises(LedgerExists, match="exists already, so nothing was changed"):
        bring_back(where, url_of(sqlite_engine))
    done = bring_back(where, url_of(sqlite_engine), replace=True)
    assert rows(sqlite_engine, "SELECT idempotency_key FROM journal_entries") == [("in-the-backup",)]
    assert done.kept_as is not None
    assert done.kept_as.endswith("credits.db.before-20261127T030000Z")
    with database.opened_ledger(f"sqlite:///{done.kept_as}") as kept:
        assert rows(kept, "SELECT idempotency_key FROM journal_entries") == [("in-the-backup",), ("later",)]
    assert not list(tmp_path.glob("credits-backup-*"))
    assert not list(tmp_path.glob("*.part"))


def test_a_database_that_a_process_has_open_is_not_replaced(sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="in-the-backup")
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    world.add(sqlite_engine, "ada", 7, key="later")  # the pool keeps its connection
    with pytest.raises(LedgerInUse, match=r"is in use by another process\. Stop the product first"):
        bring_back(where, url_of(sqlite_engine), replace=True)
    assert scalar(sqlite_engine, "SELECT count(*) FROM journal_entries") == 2
    assert scalar(sqlite_engine, "PRAGMA journal_mode") == "wal"
    world.add(sqlite_engine, "ada", 9, key="still-goes-on")
    assert not list(tmp_path.glob("*.before-*"))


def test_a_ledger_that_is_damaged_beyond_use_is_put_aside(sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="in-the-backup")
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    sqlite_engine.dispose()
    file = Path(str(sqlite_engine.url.database))
    file.write_bytes(b"disaster" * 1_000)
    done = bring_back(where, url_of(sqlite_engine), replace=True)
    assert rows(sqlite_engine, "SELECT idempotency_key FROM journal_entries") == [("in-the-backup",)]
    assert Path(str(done.kept_as)).read_bytes() == b"disaster" * 1_000


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(sqlite_engine: Engine, tmp_path: Path) -> tuple[Engine, Path]:
    """A ledger, and the file of its backup."""
    busy_ledger.three_days(sqlite_engine)
    made = back_up(sqlite_engine, place(tmp_path))
    return sqlite_engine, tmp_path / "backups" / made.file


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "a bit flipped": (flip_a_bit, "another SHA-256"),
    "the end cut off": (lambda file: file.write_bytes(file.read_bytes()[:-100]), "bytes instead of"),
    "emptied": (lambda file: file.write_bytes(b""), "0 bytes instead of"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    kept: tuple[Engine, Path], tmp_path: Path, damage: str
) -> None:
    engine, file = kept
    do, said = DAMAGES[damage]
    do(file)
    before = every_row(engine)
    where = place(tmp_path)
    engine.dispose()
    with pytest.raises(BackupDamaged, match=said):
        reading.check(where, backup_world.name_of(where), None)
    with pytest.raises(BackupDamaged, match=said):
        bring_back(where, url_of(engine), replace=True)
    with pytest.raises(BackupDamaged, match=said):
        bring_back(where, f"sqlite:///{tmp_path / 'other.db'}")
    assert not (tmp_path / "other.db").exists()
    assert every_row(engine) == before
    drilled = try_it(engine, where)
    assert not drilled.is_good
    assert [one.state for one in listing.listed(where, None)] == [State.BAD]


def test_a_backup_whose_file_is_gone_is_unknown(kept: tuple[Engine, Path], tmp_path: Path) -> None:
    kept[1].unlink()
    with pytest.raises(UnknownBackup):
        reading.check(place(tmp_path), backup_world.name_of(place(tmp_path)), None)


def change_manifest(tmp_path: Path, **changes: object) -> None:
    (file,) = (tmp_path / "backups").glob("*Z.json")
    found = manifest.from_text(file.read_text(encoding="utf-8"))
    assert found is not None
    figures = replace(found.figures, **changes)  # type: ignore[arg-type]
    file.write_text(manifest.to_text(replace(found, figures=figures)), encoding="utf-8")


def test_a_backup_of_a_newer_version_is_refused(kept: tuple[Engine, Path], tmp_path: Path) -> None:
    change_manifest(tmp_path, schema="9999")
    for call in (
        lambda: reading.check(place(tmp_path), backup_world.name_of(place(tmp_path)), None),
        lambda: bring_back(place(tmp_path), f"sqlite:///{tmp_path / 'other.db'}"),
        lambda: try_it(kept[0], place(tmp_path)),
    ):
        with pytest.raises(BackupFromNewerVersion, match="is at migration 9999, and the newest of this version is"):
            call()
    assert not (tmp_path / "other.db").exists()
    assert [one.state for one in listing.listed(place(tmp_path), None)] == [State.UNPROVED]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"entries": 13}, "entries should be 13, and is 12"),
        ({"sum_of_balances_credits": 1}, "sum of balances credits should be 1, and is "),
        ({"seal_hash": "ab" * 32}, "seal hash should be abab"),
    ],
)
def test_a_backup_that_comes_to_something_else_than_it_says_is_refused(
    kept: tuple[Engine, Path], tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    change_manifest(tmp_path, **changes)
    with pytest.raises(BackupDamaged, match=said):
        reading.check(place(tmp_path), backup_world.name_of(place(tmp_path)), None)
    assert not try_it(kept[0], place(tmp_path), name=backup_world.name_of(place(tmp_path))).is_good


def test_an_encrypted_backup_needs_its_own_key(sqlite_engine: Engine, tmp_path: Path) -> None:
    world.add(sqlite_engine, "ada", 5, key="one")
    where, own, other = place(tmp_path), tmp_path / "own.txt", tmp_path / "other.txt"
    recipient = new_key(own)
    new_key(other)
    made = back_up(sqlite_engine, where, recipients=(recipient,))
    assert made.is_encrypted
    assert made.file.endswith(".db.zst.age")
    stored = (tmp_path / "backups" / made.file).read_bytes()
    assert stored.startswith(b"age-encryption.org/v1")
    for file, said in (
        (None, "CREDITS_BACKUP_IDENTITY_FILE is not set"),
        (other, "does not open it"),
        (tmp_path / "backups" / f"{made.name}.json", "has no identity of age"),
    ):
        with pytest.raises(BackupLocked, match=said):
            reading.check(where, made.name, file)
        with pytest.raises(BackupLocked, match=said):
            bring_back(where, f"sqlite:///{tmp_path / 'other.db'}", identity_file=file)
        with pytest.raises(BackupLocked, match=said):
            try_it(sqlite_engine, where, identity_file=file)
    assert listing.listed(where, None)[0].state is State.UNPROVED
    assert reading.check(where, made.name, own) == made
    assert try_it(sqlite_engine, where, identity_file=own).is_good
    bring_back(where, f"sqlite:///{tmp_path / 'other.db'}", identity_file=own)
    with pytest.raises(InvalidRequest, match="CREDITS_BACKUP_RECIPIENT: must be a public key of age"):
        back_up(sqlite_engine, where, recipients=("age1mistyped",))


def test_a_backup_goes_back_to_its_own_kind_of_database_alone(kept: tuple[Engine, Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="must be sqlite, as the backup credits-"):
        bring_back(place(tmp_path), "postgresql://localhost/credits")


def test_only_who_manages_the_product_makes_restores_tries_and_deletes_backups(
    kept: tuple[Engine, Path], tmp_path: Path
) -> None:
    engine, where = kept[0], place(tmp_path)
    for call in (
        lambda: back_up(engine, where, actor=FINANCE),
        lambda: bring_back(where, f"sqlite:///{tmp_path / 'other.db'}", actor=FINANCE),
        lambda: try_it(engine, where, actor=FINANCE),
        lambda: listing.prune(engine, where, now=NIGHT, actor=FINANCE),
    ):
        with pytest.raises(NotAllowed):
            call()
    assert len(where.manifests()) == 1


@pytest.mark.parametrize("name", ["nothing", "../credits", "..\\credits", "", "credits-20261127T030000.000000Z.drill"])
def test_a_name_that_no_backup_has_is_refused(kept: tuple[Engine, Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownBackup):
        place(tmp_path).named(name)


# --- drills ----------------------------------------------------------------------------------------------------------


def test_a_drill_calls_a_backup_good_and_says_what_would_have_been_lost(sqlite_engine: Engine, tmp_path: Path) -> None:
    some_runs(sqlite_engine)
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    world.add(sqlite_engine, "ada", 5, key="later")
    assert [one.state for one in listing.listed(where, None)] == [State.UNPROVED]
    before = every_row(sqlite_engine)
    drilled = try_it(sqlite_engine, where)
    assert (drilled.message, drilled.is_good, drilled.lost_entries) == ("Restored and proved.", True, 1)
    assert every_row(sqlite_engine) == before
    assert listing.listed(where, None)[0].drilled == drilled
    assert listing.listed(where, None)[0].state is State.GOOD


def test_a_drill_of_a_signed_ledger_is_not_misled_by_the_newer_head_beside_the_key(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = seal_keys.make(tmp_path / "key")
    monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(tmp_path / "key"))
    some_runs(sqlite_engine)
    assert seals.catch_up(sqlite_engine, now=NIGHT, key=key, begins_signing=True)
    where = place(tmp_path)
    back_up(sqlite_engine, where)
    charge_more(sqlite_engine, runs=1, prefix="later")
    assert seals.catch_up(sqlite_engine, now=NIGHT, key=key)
    drilled = try_it(sqlite_engine, where)
    assert (drilled.is_good, drilled.lost_entries) == (True, 1), drilled.message


def test_a_drill_finds_a_ledger_that_was_broken_before_it_was_backed_up(sqlite_engine: Engine, tmp_path: Path) -> None:
    busy_ledger.three_days(sqlite_engine)
    with sqlite_engine.begin() as connection:
        connection.execute(text("DROP TRIGGER journal_entries_no_update"))
        connection.execute(text("UPDATE journal_entries SET actor = 'mallory' WHERE id = 2"))
    back_up(sqlite_engine, place(tmp_path))
    drilled = try_it(sqlite_engine, place(tmp_path))
    assert not drilled.is_good
    assert drilled.message.startswith("WRONG ")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_backups_and_what_is_restored_are_for_their_own_user_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'credits.db'}"
    with database.opened(url) as engine:
        some_runs(engine)
        where = place(tmp_path)
        back_up(engine, where)
        try_it(engine, where)
    with database.opened(url) as engine:
        assert scalar(engine, "SELECT count(*) FROM journal_entries") == 4
    bring_back(where, f"sqlite:///{tmp_path / 'restored.db'}")
    bring_back(where, url, replace=True)
    found = [path for path in (*tmp_path.glob("*.db*"), *(tmp_path / "backups").iterdir()) if path.stat().st_size]
    assert len(found) == 3 + 3  # ledger, what was there, rehearsal; backup, manifest, drill
    assert {f"{path.name}: {path.stat().st_mode & 0o777:o}" for path in found if path.stat().st_mode & 0o077} == set()


def test_a_log_that_another_database_left_is_put_aside(sqlite_engine: Engine, tmp_path: Path) -> None:
    where = place(tmp_path)
    some_runs(sqlite_engine)
    back_up(sqlite_engine, where)
    file = tmp_path / "restored.db"
    for ending in ("-wal", "-journal"):
        file.with_name(f"restored.db{ending}").write_bytes(b"of another one")
    bring_back(where, f"sqlite:///{file}")
    kept = sorted(path.name.partition(".before-")[2].partition("Z")[2] for path in tmp_path.glob("*.before-*"))
    assert kept == ["-journal", "-wal"]
    with database.opened(f"sqlite:///{file}") as engine:
        assert scalar(engine, "SELECT count(*) FROM journal_entries") == 4


# --- lists -----------------------------------------------------------------------------------------------------------


def test_half_a_backup_is_not_listed_and_is_deleted_after_a_day(sqlite_engine: Engine, tmp_path: Path) -> None:
    where = place(tmp_path)
    made = back_up(sqlite_engine, where)
    folder = tmp_path / "backups"
    half = manifest.name_at(NIGHT + timedelta(hours=1))
    for ending in (".db.zst", ".db.zst.part", ".json.part"):
        (folder / f"{half}{ending}").write_bytes(b"half")
    somebody_elses = ["somebody-elses.txt", "credits-2025-12-31.db", "credits-1.db"]
    for name in somebody_elses:
        (folder / name).write_text("mine", encoding="utf-8")
    assert [one.backup.name for one in listing.listed(where, None)] == [made.name]
    assert listing.prune(sqlite_engine, where, now=NIGHT + timedelta(hours=24), actor=ADMIN).halves == 0
    assert listing.prune(sqlite_engine, where, now=NIGHT + timedelta(hours=26), actor=ADMIN).halves == 3
    assert sorted(path.name for path in folder.iterdir()) == sorted([made.file, f"{made.name}.json", *somebody_elses])


def test_old_backups_are_deleted_and_the_newest_good_one_stays(sqlite_engine: Engine, tmp_path: Path) -> None:
    where = place(tmp_path)
    first = back_up(sqlite_engine, where, now=NIGHT - timedelta(days=40, hours=1))
    good = back_up(sqlite_engine, where, now=NIGHT - timedelta(days=40, hours=2))
    try_it(sqlite_engine, where, name=good.name)
    bad = back_up(sqlite_engine, where, now=NIGHT + timedelta(hours=20))
    newest = back_up(sqlite_engine, where, now=NIGHT)
    flip_a_bit(tmp_path / "backups" / bad.file)
    try_it(sqlite_engine, where, name=bad.name)
    assert (
        listing.prune(sqlite_engine, where, now=NIGHT + timedelta(days=30, seconds=-1), actor=ADMIN).names == ()
    )  # to find out why
    pruned = listing.prune(sqlite_engine, where, now=NIGHT + timedelta(days=30), actor=ADMIN)
    assert pruned.names == (bad.name,)
    assert [one.backup.name for one in listing.listed(where, None)] == [newest.name, first.name, good.name]
    try_it(sqlite_engine, where, name=first.name)
    assert listing.prune(sqlite_engine, where, now=NIGHT + timedelta(days=1), actor=ADMIN).names == (good.name,)


def test_backups_are_kept_at_any_address_that_fsspec_knows(sqlite_engine: Engine, tmp_path: Path) -> None:
    where = place_at(f"memory://{tmp_path.name}/backups")
    assert where.manifests() == []
    world.add(sqlite_engine, "ada", 5, key="one")
    made = back_up(sqlite_engine, where)
    assert where.manifests() == [made]
    assert try_it(sqlite_engine, where).is_good
    bring_back(where, f"sqlite:///{tmp_path / 'restored.db'}")
    assert listing.listed(where, None)[0].state is State.GOOD
    where.delete(made)
    assert where.manifests() == []
    with pytest.raises(InvalidRequest, match="CREDITS_BACKUP_URL: must be a folder or an address"):
        place_at("nowhere://x/y")
    with pytest.raises(BackupImpossible, match="CREDITS_BACKUP_URL cannot be used: Install s3fs"):
        place_at("s3://bucket/credits")
