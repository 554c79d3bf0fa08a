"""Point in time: pgBackRest with the files in `deploy/pgbackrest`, from a full backup to a disaster and back."""

import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from credits_core.operations import verifying
from credits_core.store import database
from tests.support import job_world, postgres_server, restored_cluster
from tests.support.backup_world import charge_more, some_runs
from tests.support.plain_sql import rows, scalar


@pytest.fixture
def binaries() -> Path:
    """PostgreSQL's. Without them or pgBackRest the test is skipped, or fails when `REQUIRE_PGBACKREST=1`."""
    found = postgres_server.find_binaries()
    if found is None or shutil.which("pgbackrest") is None:
        reason = "no pgBackRest: install Debian's packages postgresql and pgbackrest"
        if os.environ.get("REQUIRE_PGBACKREST") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.long
def test_a_disaster_is_undone_to_a_named_second_and_the_ledger_is_proved(binaries: Path) -> None:
    with restored_cluster.cluster(binaries) as cluster:
        cluster.create()
        cluster.start()
        cluster.pgbackrest("stanza-create")
        cluster.pgbackrest("check")
        with database.opened(cluster.url) as engine:
            some_runs(engine, runs=20, prefix="before-the-backup")
            cluster.pgbackrest("--type=full", "backup")
            charge_more(engine, runs=20, prefix="after-the-backup")
            time.sleep(1)
            named_second = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
            time.sleep(1)
            charge_more(engine, runs=5, prefix="after-the-second")
        disaster(cluster.url)
        cluster.stop()
        shutil.rmtree(cluster.folder / "cluster" / "base")

        cluster.pgbackrest("--delta", "--type=time", f"--target={named_second}", "--target-action=promote", "restore")
        cluster.start()
        with database.opened_ledger(cluster.url) as engine:
            assert scalar(engine, "SELECT count(*) FROM journal_entries WHERE idempotency_key LIKE 'before-%'") == 21
            assert (
                scalar(engine, "SELECT count(*) FROM journal_entries WHERE idempotency_key LIKE 'after-the-b%'") == 20
            )
            assert rows(engine, "SELECT id FROM journal_entries WHERE idempotency_key LIKE 'after-the-s%'") == []
            found = verifying.verify(job_world.around(engine), since_last=False)
            assert [str(finding) for finding in found.findings if not finding.ok] == []
            charge_more(engine, runs=1, prefix="goes-on")


def disaster(url: str) -> None:
    """Somebody with every right empties the ledger."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM credit_transactions")
        connection.execute("DELETE FROM journal_entries")


def test_the_files_name_one_stanza() -> None:
    for name in ("pgbackrest.conf", "postgresql.conf", "cron"):
        text = (restored_cluster.DEPLOYED / name).read_text(encoding="utf-8")
        assert "[credits]" in text or "--stanza=credits" in text
