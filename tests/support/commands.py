"""Calls of the command line in the process of the tests."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from credits_core.cli import main as cli


class Commands:
    """The commands in this process, for what a process of its own would not show better."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def use(self, url: str) -> None:
        self._monkeypatch.setenv("CREDITS_DATABASE_URL", url)

    def __call__(self, *arguments: str | Path) -> tuple[object, str, str]:
        """The exit code, stdout and stderr of a call with these arguments."""
        self._monkeypatch.setattr(sys, "argv", ["credits_core", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, *self._capsys.readouterr()


def models(*arguments: object) -> str:
    """What a command about models prints when it succeeds."""
    result = CliRunner().invoke(cli.app, ["models", *map(str, arguments)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout
