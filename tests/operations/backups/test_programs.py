"""Programs that hang, are killed, or cannot work here: each ended and told, and no good backup is called damaged."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from credits_core import settings
from credits_core.operations.backups import programs, using
from credits_core.operations.backups.refusals import BackupImpossible

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script that is `pg_restore` here."""
    monkeypatch.setattr(programs, "DEBIANS", tmp_path)
    script = tmp_path / "15" / "bin" / "pg_restore"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o700)
    return script


def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/child\ntrap '' TERM\nwait\n", encoding="utf-8")
    monkeypatch.setattr(settings, "backup_minutes", lambda: 1 / 60)
    with pytest.raises(BackupImpossible, match=r"did not end within .*, so it was stopped\. The ledger is as"):
        programs.run("pg_restore", [])
    time.sleep(0.2)
    child = (tmp_path / "child").read_text(encoding="utf-8").strip()
    found = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert found.strip()[:1] in ("", "Z")  # gone, or dead and not yet fetched by its parent


@pytest.mark.parametrize(
    "said",
    [
        'connection to server at \\"127.0.0.1\\", port 1 failed: Connection refused',
        'FATAL:  database \\"gone\\" does not exist',
        "could not execute query: ERROR:  permission denied for schema public",
        "could not write to output file: No space left on device",
    ],
)
def test_what_is_around_a_backup_does_not_make_it_damaged(stand_in: Path, said: str) -> None:
    stand_in.write_text(f'#!/bin/sh\necho "pg_restore: error: {said}" >&2\nexit 1\n', encoding="utf-8")
    with pytest.raises(BackupImpossible, match="pg_restore could not work: pg_restore: error: "):
        programs.run("pg_restore", [])


def test_a_killed_program_is_told_and_what_is_wrong_with_the_input_is_returned(stand_in: Path) -> None:
    stand_in.write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
    with pytest.raises(BackupImpossible, match="pg_restore was ended by SIGKILL"):
        programs.run("pg_restore", [])
    broken = "pg_restore: error: could not read from input file: end of file"
    stand_in.write_text(f'#!/bin/sh\necho "{broken}" >&2\nexit 1\n', encoding="utf-8")
    assert programs.run("pg_restore", []) == f"pg_restore says: {broken}"


def test_a_place_that_does_not_answer_is_left_alone() -> None:
    with pytest.raises(BackupImpossible, match=r"The place of backups, s3://there, did not answer within"):
        using.answer_of("s3://there", lambda: time.sleep(30), seconds=1)
