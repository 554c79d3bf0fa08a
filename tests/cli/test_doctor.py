"""The command `doctor`: a line for each finding, what to do below it, and an exit code for scripts."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Commands


@pytest.fixture(autouse=True)
def _backups_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))


def test_what_could_be_better_does_not_fail_a_script(commands: Commands, tmp_path: Path) -> None:
    code, printed, _ = commands("doctor")
    assert (code, f"WARNING  Backups: There is no backup in {tmp_path}" in printed) == (0, True)
    assert "         → python -m credits_core backup create" in printed.splitlines()


def test_what_is_wrong_does(commands: Commands, tmp_path: Path) -> None:
    commands.use(f"sqlite:///{tmp_path}/no/credits.db")
    code, printed, _ = commands("doctor")
    assert (code, "WRONG    Database: " in printed) == (1, True)
    code, printed, _ = commands("doctor", "--json")
    (found,) = [one for one in json.loads(printed) if one["subject"] == "Database"]
    assert (code, found["verdict"], found["to_do"]) == (1, "wrong", "Set CREDITS_DATABASE_URL to a database.")
