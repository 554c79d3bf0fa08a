"""The doctor tells what is amiss and what to do, each planted here, and never ends because one look fails."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.access import people
from credits_core.audit import log as audit_log
from credits_core.audit import seal_keys
from credits_core.audit.finding import Finding, Since
from credits_core.operations import doctor, lease, runs
from credits_core.operations.backups import programs
from credits_core.operations.backups.manifest import Drilled
from credits_core.operations.backups.place import Place
from credits_core.operations.verdicts import Examined, Verdict
from credits_core.store import database
from credits_core.values.roles import PersonRole, Way, operator
from tests.support import backup_world, world

NOW = datetime.now(UTC)
OK, WARNING, WRONG = Verdict


@pytest.fixture
def backups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the backups, which is the only one that is looked at."""
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))
    monkeypatch.setenv("CREDITS_BACKUP_SCRATCH_URL", "postgresql://scratch.example/postgres")
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(tmp_path / "secrets.toml"))
    return tmp_path / "backups"


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def examined(engine: Engine, *, now: datetime | None = None) -> list[Examined]:
    return doctor.examine(url_of(engine), lambda: now or datetime.now(UTC))


def of(subject: str, found: list[Examined]) -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.said) for one in found if one.subject == subject]


def make_well(engine: Engine, folder: Path) -> None:
    """A ledger that is led, audited, backed up and drilled, and that no other user may read."""
    world.add(engine, "ada", 5, key="a", now=NOW - timedelta(hours=1))

    def keep(connection: object) -> None:
        assert lease.take(connection, lease.LEADER, "here:1", seconds=60)  # type: ignore[arg-type]
        audit_log.record(connection, [Finding("sums", 1, ())], now=NOW)  # type: ignore[arg-type]

    database.write(engine, keep)
    where = backup_world.place(folder)
    backup_world.back_up(engine, where, now=NOW)
    drilled(where)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).chmod(0o600)


def drilled(where: Place, *, is_good: bool = True, at: datetime = NOW) -> None:
    """Keep that a drill restored the newest backup, or could not."""
    result = Drilled(at, is_good, timedelta(seconds=1), 0, "" if is_good else "The file is not what it was.")
    where.keep_drill(where.manifests()[0].name, result)


def test_of_an_installation_that_is_well_nothing_is_to_be_done(engine: Engine, backups: Path) -> None:
    make_well(engine, backups.parent)
    found = examined(engine)
    assert {(one.subject, one.said) for one in found if one.verdict is not OK or one.to_do} == set()
    expected = {"Settings", "Versions", "Permissions", "Database", "Clock", "Jobs", "Audit", "Disk", "Backups"}
    if engine.dialect.name == "sqlite":
        expected -= {"Permissions"}  # nothing to say of a file that is nobody else's
    assert expected <= {one.subject for one in found}


def test_settings_that_cannot_be_read_and_slips_are_named(
    engine: Engine, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_KEPT_CALLS", "-4")
    monkeypatch.setenv("CREDITS_TIME_ZONE", "Mars/Olympus")
    monkeypatch.setenv("CREDITS_SIGNIN", "oidc")
    said = of("Settings", examined(engine))
    assert [verdict for verdict, _ in said] == [WRONG, WRONG, WARNING, OK]
    for (_, sentence), name in zip(said, ["CREDITS_TIME_ZONE", "CREDITS_KEPT_CALLS", "CREDITS_SIGNIN"], strict=False):
        assert name in sentence


def test_every_variable_that_the_settings_read_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    named = (settings.PROJECT_FOLDER / "docs" / "api.md").read_text(encoding="utf-8")
    for line in named.splitlines():
        if line.startswith("| `CREDITS_"):
            monkeypatch.setenv(line.split("`")[1], "")
    assert settings.unknown_variables() == []


@pytest.mark.parametrize(
    ("way", "secrets", "verdict", "words"),
    [
        ("", None, OK, "only this machine is served"),
        ("none-at-my-own-risk", None, WARNING, "whoever reaches the dashboard may do everything"),
        ("oidc", None, WRONG, "[auth] must have redirect_uri"),
        ("oidc", "[auth]\nredirect_uri = 'x'\n", WRONG, "[auth] must have cookie_secret"),
        (
            "oidc",
            "[auth]\nredirect_uri = 'https://a.example/oauth2callback'\ncookie_secret = '" + "s" * 40 + "'\n"
            "client_id = 'c'\nclient_secret = 's'\nserver_metadata_url = 'https://b.example/x'\n",
            OK,
            "People sign in at the provider of ",
        ),
    ],
)
def test_how_people_sign_in_is_examined(
    engine: Engine,
    backups: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    secrets: str | None,
    verdict: Verdict,
    words: str,
) -> None:
    monkeypatch.setenv("CREDITS_SIGN_IN", way)
    if secrets is not None:
        (backups.parent / "secrets.toml").write_text(secrets, encoding="utf-8")
    monkeypatch.setenv("CREDITS_NOTIFY_URLS", "mailto://ops.example.org")
    last, said = of("Settings", examined(engine))[-1]
    assert (last, words in said) == (verdict, True), said
    named = [one for one in examined(engine) if str(backups.parent / "secrets.toml") in f"{one.said} {one.to_do}"]
    assert ("Settings" in [one.subject for one in named]) == (way == "oidc")  # the file that is read
    monkeypatch.setenv("CREDITS_NOTIFY_URLS", "")
    told = [sentence for verdict, sentence in of("Settings", examined(engine)) if "tells nobody" in sentence]
    assert len(told) == (way == "oidc")
    of_people = of("People", examined(engine))
    assert [verdict for verdict, _ in of_people] == ([WRONG] if way == "oidc" else [])
    database.write(
        engine,
        lambda one: people.add(one, "ada@example.org", [PersonRole.ADMIN], actor=operator(Way.CLI), now=NOW),
    )
    assert [verdict for verdict, _ in of("People", examined(engine))] == ([OK] if way == "oidc" else [])


def test_a_database_that_is_not_there_or_not_up_to_date_is_wrong(tmp_path: Path, backups: Path) -> None:
    nowhere = doctor.examine(f"sqlite:///{tmp_path}/no/credits.db", lambda: NOW)
    assert of("Database", nowhere)[0][0] is WRONG
    away = doctor.examine("postgresql://nobody@/none?host=/nowhere", lambda: NOW)
    (database_itself,) = (one for one in away if one.subject == "Database")
    assert (database_itself.verdict, "Look whether the database runs" in database_itself.to_do) == (WRONG, True)
    ((verdict, said),) = of("Database", doctor.examine(f"sqlite:///{tmp_path}/new.db", lambda: NOW))
    assert (verdict, "it is at migration none" in said) == (WRONG, True)
    assert not (tmp_path / "new.db").exists()  # looking makes nothing
    (tmp_path / "old.db").touch()
    ((verdict, said),) = of("Database", doctor.examine(f"sqlite:///{tmp_path}/old.db", lambda: NOW))
    assert (verdict, "Run: python -m credits_core migrate" in said) == (WRONG, True)
    assert of("Jobs", nowhere) == []
    assert of("Backups", nowhere) != []


def test_files_that_others_may_write_or_secrets_that_they_may_read_are_wrong(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.opened(f"sqlite:///{tmp_path}/credits.db") as engine:
        database.migrate(engine)
        path, key = tmp_path / "credits.db", tmp_path / "seal.key"
        path.chmod(0o600)
        assert of("Permissions", examined(engine)) == []
        path.chmod(0o644)
        assert of("Permissions", examined(engine)) == [(WARNING, f"Others of this machine may read {path}.")]
        path.chmod(0o666)
        assert of("Permissions", examined(engine)) == [(WRONG, f"Others of this machine may write {path}.")]
        path.chmod(0o600)
        seal_keys.make(key)
        monkeypatch.setenv("CREDITS_SEAL_KEY_FILE", str(key))
        assert of("Permissions", examined(engine)) == [(OK, f"Seals are signed with the key of {key}.")]
        key.chmod(0o644)
        assert (WRONG, f"Others of this machine may read {key}.") in of("Permissions", examined(engine))


def test_a_clock_that_goes_wrong_is_told(engine: Engine, backups: Path) -> None:
    world.add(engine, "ada", 5, key="a", now=NOW)
    assert of("Clock", examined(engine))[0][0] is OK
    ((verdict, said),) = of("Clock", examined(engine, now=NOW - timedelta(hours=3)))
    apart = "yet to come" if engine.dialect.name == "sqlite" else "s apart"
    assert (verdict, apart in said) == (WRONG, True)


@pytest.mark.as_owner
def test_an_owner_that_runs_the_product_is_told_and_the_narrow_role_is_not(engine: Engine, backups: Path) -> None:
    found = of("Role", examined(engine))
    assert [verdict for verdict, _ in found] == ([WARNING] if engine.dialect.name == "postgresql" else [])


def test_a_role_that_cannot_try_backups_is_told(engine: Engine, backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDITS_BACKUP_SCRATCH_URL")
    is_postgres = engine.dialect.name == "postgresql"
    said = f"The role {engine.url.username} may not make databases, so no backup can be tried."
    assert of("Drills", examined(engine)) == ([(WRONG, said)] if is_postgres else [])
    monkeypatch.setenv("CREDITS_BACKUP_SCRATCH_URL", "postgresql://scratch.example/postgres")
    assert of("Drills", examined(engine)) == []
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(programs, "DEBIANS", tmp := backups.parent)
    assert not list(tmp.glob("*/bin"))
    assert [one[0] for one in of("Drills", examined(engine))] == ([WRONG] if is_postgres else [])


def test_nobody_who_leads_and_jobs_that_fail_are_told(engine: Engine, backups: Path) -> None:
    assert [one[0] for one in of("Jobs", examined(engine))] == [WARNING]
    make_well(engine, backups.parent)
    for failures in (1, 2, 3):

        def fail(connection: object) -> None:
            number = runs.begin(connection, "seals", process="here:1", actor="jobs", now=NOW)  # type: ignore[arg-type]
            runs.end(connection, number, is_ok=False, message="No key.", now=NOW)  # type: ignore[arg-type]

        database.write(engine, fail)
        found = of("Jobs", examined(engine))
        assert ((WRONG, "The job seals failed 3 times: No key.") in found) == (failures == 3)
        assert ((WARNING, "The job seals failed at its last run: No key.") in found) == (failures < 3)


def test_audits_that_are_missing_old_or_broken_are_told(engine: Engine, backups: Path) -> None:
    assert of("Audit", examined(engine)) == [(WARNING, "Nothing was ever audited.")]
    for ok, at, verdict in ((True, NOW, OK), (True, NOW - timedelta(days=2), WARNING), (False, NOW, WRONG)):
        finding = Finding("sums", 1, () if ok else ("ada has 5",))
        database.write(engine, lambda one, finding=finding, at=at: audit_log.record(one, [finding], now=at))
        assert [one[0] for one in of("Audit", examined(engine))] == [verdict]
    of_what_is_new = Since(1, 1, 0, {})
    database.write(
        engine,
        lambda one: audit_log.record(one, [Finding("sums", 1, ())], now=NOW, since=of_what_is_new),
    )
    assert [one[0] for one in of("Audit", examined(engine))] == [WRONG]  # which the audit of everything found


def test_backups_that_are_missing_old_or_never_tried_are_told(engine: Engine, backups: Path) -> None:
    assert [one[0] for one in of("Backups", examined(engine))] == [WARNING]
    where = backup_world.place(backups.parent)
    backup_world.back_up(engine, where, now=NOW - timedelta(days=2))
    assert [one[0] for one in of("Backups", examined(engine))] == [WRONG, WARNING]
    backup_world.back_up(engine, where, now=NOW)
    assert [one[0] for one in of("Backups", examined(engine))] == [OK, WARNING]
    drilled(where)
    assert [one[0] for one in of("Backups", examined(engine))] == [OK, OK]
    drilled(where, is_good=False)
    assert of("Backups", examined(engine))[1] == (
        WRONG,
        "A drill could not restore it: The file is not what it was.",
    )


def test_a_drill_that_went_wrong_is_none_and_is_told_until_a_newer_one_goes_well(
    sqlite_engine: Engine, backups: Path
) -> None:
    where = backup_world.place(backups.parent)
    backup_world.back_up(sqlite_engine, where, now=NOW - timedelta(days=10))
    drilled(where, at=NOW - timedelta(days=9))
    backup_world.back_up(sqlite_engine, where, now=NOW - timedelta(days=1))
    drilled(where, is_good=False, at=NOW - timedelta(hours=20))
    bad = where.manifests()[0].name
    backup_world.back_up(sqlite_engine, where, now=NOW)  # which nobody has tried
    said = f"A drill could not restore {bad}: The file is not what it was."
    assert of("Backups", examined(sqlite_engine))[1] == (WRONG, said)
    where.delete(where.manifests()[1])
    assert of("Backups", examined(sqlite_engine))[1] == (WARNING, "No backup was restored on trial for a week.")
    drilled(where)
    assert [one[0] for one in of("Backups", examined(sqlite_engine))] == [OK, OK]


def of_backups(tmp_path: Path) -> list[tuple[Verdict, str]]:
    return of("Backups", doctor.examine(f"sqlite:///{tmp_path}/no.db", lambda: NOW))


def test_a_place_where_no_backup_can_be_kept_is_wrong(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [verdict for verdict, _ in of_backups(tmp_path)] == [WARNING]  # there is none yet, and one can be made
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    assert of_backups(tmp_path)[0] == (
        WRONG,
        f"Backups cannot be kept in {backups}: this user may not write to {tmp_path}.",
    )
    backups.write_text("no folder", encoding="utf-8")
    assert of_backups(tmp_path)[0] == (WRONG, f"Backups cannot be kept in {backups}: {backups} is not a folder.")


def test_keys_of_backups_that_cannot_work_are_wrong(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other, empty = tmp_path / "own.txt", tmp_path / "other.txt", tmp_path / "empty.txt"
    public, _ = backup_world.new_key(own), backup_world.new_key(other)
    empty.touch()
    fits = (OK, f"The identity in {own} can be read.")
    setting = "CREDITS_BACKUP_IDENTITY_FILE"
    for recipient, identity_file, found in (
        ("age1nonsense", own, (WRONG, "CREDITS_BACKUP_RECIPIENT: must be a public key of age")),
        ("", empty, (WRONG, f"{setting}: {empty} has no identity of age")),
        ("", tmp_path / "gone.txt", (WRONG, f"{setting}: {tmp_path}/gone.txt cannot be read: No such file")),
        (public, other, (WRONG, f"The identity in {other} opens no backup made for CREDITS_BACKUP_RECIPIENT.")),
        (public, own, fits),
        ("", own, fits),
    ):
        monkeypatch.setenv("CREDITS_BACKUP_RECIPIENT", recipient)
        monkeypatch.setenv(setting, str(identity_file))
        verdict, said = of_backups(tmp_path)[0]
        assert (verdict, said[: len(found[1])]) == found


@pytest.mark.parametrize(("free", "verdict"), [(3 << 30, OK), (1 << 30, WARNING), (100 << 20, WRONG)])
def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: Verdict
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = of("Disk", doctor.examine(f"sqlite:///{tmp_path}/credits.db", lambda: NOW))
    assert [one[0] for one in found] == [verdict, verdict]
