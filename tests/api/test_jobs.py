"""A server runs the jobs by itself, unless it is told not to."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import live_api, world
from tests.support.plain_sql import rows, scalar


def wait_for(engine: Engine, sql: str, found: object) -> None:
    for _ in range(1_200):
        if scalar(engine, sql) == found:
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{sql} is {scalar(engine, sql)!r} and not {found!r}")


@pytest.mark.long
def test_a_server_leads_and_gives_the_lease_back_when_it_ends(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_JOBS", "1")
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))
    world.add(engine, "ada", 500, key="one")
    # As after a night without a server: both are late, and the backup has a process of its own.
    with engine.begin() as connection:
        for job in ("seals", "backup"):
            connection.exec_driver_sql(
                "INSERT INTO job_runs (job_name, started_at_us, ended_at_us, outcome, message, process, actor)"
                f" VALUES ('{job}', 1, 2, 'ok', '', 'before:1', 'jobs')"
            )
    with live_api.serving(engine, tmp_path / "log"):
        wait_for(engine, "SELECT count(*) FROM seals", 1)
        wait_for(engine, "SELECT count(*) FROM job_runs WHERE job_name = 'backup' AND outcome = 'ok'", 2)
        assert rows(engine, "SELECT count(DISTINCT process), max(actor) FROM job_runs WHERE id > 2") == [(2, "jobs")]
        assert len(list((tmp_path / "backups").glob("*.json"))) == 1
        assert scalar(engine, "SELECT until_us > 1000 FROM job_leases WHERE name = 'leader'") in (1, True)
    assert scalar(engine, "SELECT until_us FROM job_leases WHERE name = 'leader'") == 0


def test_a_server_without_jobs_takes_no_lease(sqlite_engine: Engine, tmp_path: Path) -> None:
    with live_api.serving(sqlite_engine, tmp_path / "log"):
        pass
    assert rows(sqlite_engine, "SELECT name FROM job_leases") == []
