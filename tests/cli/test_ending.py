"""SIGTERM ends a command in order: what it started ends with it, and the run of its job says that it was stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from credits_core import settings
from tests.support.plain_sql import rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
_PROGRAM = """
import sys
from pathlib import Path
from credits_core.operations.backups import programs
programs.DEBIANS = Path(sys.argv.pop(1))
from credits_core.cli.main import main
main()
"""


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("command", [["backup", "create"], ["jobs", "run", "backup"]])
def test_a_backup_that_is_ended_ends_pg_dump_and_is_on_record_as_stopped(
    postgres_engine: Engine, tmp_path: Path, command: list[str]
) -> None:
    number = tmp_path / "number"
    folder = tmp_path / "99" / "bin"
    folder.mkdir(parents=True)
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {number}.new\nmv {number}.new {number}\nwait\n")
        (folder / name).chmod(0o755)
    url = postgres_engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path), *command],
        env=settings.environment_of_a_process(url) | {"CREDITS_BACKUP_URL": str(tmp_path / "backups")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(number.exists)
        asleep = int(number.read_text())
        assert is_there(asleep)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        wait_for(lambda: not is_there(asleep))
    finally:
        process.kill()
        process.wait()
    assert rows(postgres_engine, "SELECT outcome, message FROM job_runs") == [("failed", "Somebody stopped it.")]
    assert not list((tmp_path / "backups").glob("**/*.dump"))
