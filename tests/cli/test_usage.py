"""Wrong calls of the command line: one line on stderr that says where the help is, and exit 1."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from credits_core.cli import main as cli

ROOT = Path(__file__).resolve().parent.parent.parent
REPLAY = ("replay", "trace.csv", "--user", "ada")
WRONG_CALLS = [
    (("no-such-command",), "No such command 'no-such-command'", ""),
    (("models", "no-such-command"), "No such command 'no-such-command'", " models"),
    (("verify", "--no-such-option"), "No such option: --no-such-option", " verify"),
    (("models", "refresh", "--no-such-option"), "No such option: --no-such-option", " models refresh"),
    (("migrate", "now"), "Got unexpected extra argument(s) (now)", " migrate"),
    (("import-legacy",), "Missing argument 'file'", " import-legacy"),
    (REPLAY, "Missing option '--model'", " replay"),
    ((*REPLAY, "--model"), "Option '--model' requires an argument", ""),  # Typer does not say whose option
    (
        (*REPLAY, "--model", "gpt-4o", "--limit", "0"),
        "Invalid value for '--limit': Input should be greater than or equal to 1",
        " replay",
    ),
    (
        (*REPLAY, "--model", "gpt-4o", "--limit", "many"),
        "Invalid value for '--limit': Input should be a valid integer, unable to parse string as an integer",
        " replay",
    ),
    (
        ("api-key", "create", "--name", "shop"),
        "Missing option '--role'. Choose from: admin, service, user",
        " api-key create",
    ),
]


def _call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a call with these arguments in this process."""
    monkeypatch.setattr(sys, "argv", ["credits_core", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0), *capsys.readouterr()


def _run(folder: Path, *command: str) -> tuple[int, str, str]:
    """The same of a real process."""
    environment = os.environ | {"CREDITS_DATABASE_URL": f"sqlite:///{folder / 'credits.db'}", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize(("arguments", "error", "command"), WRONG_CALLS)
def test_a_wrong_call_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    error: str,
    command: str,
) -> None:
    line = f"error: {error}. See: python -m credits_core{command} --help\n"
    assert _call(monkeypatch, capsys, *arguments) == (1, "", line)


@pytest.mark.parametrize(("arguments", "error", "command"), WRONG_CALLS[::5])
def test_a_wrong_call_is_one_line_in_a_process(
    tmp_path: Path, arguments: tuple[str, ...], error: str, command: str
) -> None:
    line = f"error: {error}. See: python -m credits_core{command} --help\n"
    assert _run(tmp_path, "-m", "credits_core", *arguments) == (1, "", line)


@pytest.mark.parametrize("group", ["", "models", "plan", "api-key"])
def test_without_a_command_the_help_is_shown_and_the_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    code, stdout, stderr = _call(monkeypatch, capsys, *group.split())
    path = f"python -m credits_core {group}".rstrip()
    assert (code, stderr) == (1, f"error: Missing command. See: {path} --help\n")
    assert f"Usage: {path} " in stdout


@pytest.mark.parametrize("arguments", [("--help",), ("verify", "--help"), ("models", "refresh", "--help")])
def test_help_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, stdout, stderr = _call(monkeypatch, capsys, *arguments)
    assert (code, stderr) == (0, "")
    assert "Usage: python -m credits_core" in stdout


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "credits.db.lock"
    lock.mkdir()
    assert _run(tmp_path, "-m", "credits_core", "migrate") == (
        1,
        "",
        f"error: {lock}: cannot be used: Is a directory\n",
    )


def test_a_legacy_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert _run(tmp_path, "-m", "credits_core", "migrate")[0] == 0
    assert _run(tmp_path, "-m", "credits_core", "import-legacy", ".") == (
        1,
        "",
        "error: .: cannot be read: Is a directory; nothing was changed\n",
    )


def test_ctrl_c_is_one_line_while_the_packages_are_still_loading(tmp_path: Path) -> None:
    interrupted = """
import runpy, sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == "credits_core.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
runpy.run_module("credits_core", run_name="__main__")
"""
    assert _run(tmp_path, "-c", interrupted) == (130, "", "error: stopped by Ctrl-C\n")
