"""A server that has the public key alone makes backups that only another machine can prove."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from credits_core.operations import backup_jobs
from credits_core.operations.backups import drill
from credits_core.operations.refusals import JobFailed
from credits_core.values.progress import finish
from tests.support import job_world
from tests.support.actors import TESTER
from tests.support.backup_world import NIGHT, back_up, new_key, place, some_runs


@pytest.fixture
def locked(sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encrypted backup in the place that is set, without the identity here; returns the file with the identity."""
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))
    monkeypatch.delenv("CREDITS_BACKUP_IDENTITY_FILE", raising=False)
    some_runs(sqlite_engine)
    identity = tmp_path / "identity.txt"
    back_up(sqlite_engine, place(tmp_path), recipients=(new_key(identity),))
    return identity


def weekly_drill(engine: Engine, *, days_later: int = 0) -> str:
    around = job_world.around(engine, now=NIGHT + timedelta(days=days_later))
    return finish(backup_jobs.drilling(around))


def drill_elsewhere(folder: Path, identity: Path) -> bool:
    found = drill.drilling(
        None,
        place(folder),
        "newest",
        scratch_url=None,
        identity_file=identity,
        models=settings.load_models(),
        clock=lambda: NIGHT,
        actor=TESTER,
    )
    return finish(found).is_good


@pytest.mark.usefixtures("locked")
def test_the_weekly_drill_says_who_has_to_make_it_and_does_not_fail(sqlite_engine: Engine) -> None:
    assert weekly_drill(sqlite_engine) == (
        "Backups cannot be proved here: only the public key is here. Run it where the secret key is: "
        "python -m credits_core backup drill --elsewhere"
    )


def test_a_drill_elsewhere_counts_for_eight_days(sqlite_engine: Engine, locked: Path, tmp_path: Path) -> None:
    assert drill_elsewhere(tmp_path, locked)
    assert weekly_drill(sqlite_engine) == "A backup was proved elsewhere, at 2026-11-27 03:00 UTC."
    assert weekly_drill(sqlite_engine, days_later=8).startswith("A backup was proved elsewhere")
    assert weekly_drill(sqlite_engine, days_later=9).startswith("Backups cannot be proved here")


def test_a_bad_backup_that_was_found_elsewhere_fails_the_job_here(
    sqlite_engine: Engine, locked: Path, tmp_path: Path
) -> None:
    (file,) = (tmp_path / "backups").glob("*.age")
    file.write_bytes(file.read_bytes()[:-40])
    assert not drill_elsewhere(tmp_path, locked)
    with pytest.raises(JobFailed, match="A drill elsewhere could not restore credits-"):
        weekly_drill(sqlite_engine)
