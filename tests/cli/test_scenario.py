"""`simulate` on the command line: readable or as JSON, the same bytes in every process, and without a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from credits_core.cli import main as cli

ROOT = Path(__file__).resolve().parent.parent.parent
CALL = ("simulate", "--workload", "conversation", "--runs", "20000", "--seed", "7")
FREE = """
id = "free"
creator_share_bps = 10000
purchase_fee_bps = 500
[[tiers]]
markup_bps = 0
"""


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDITS_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")


def _run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    """A call in a process of its own, without a database."""
    environment = (
        os.environ | {"CREDITS_DATABASE_URL": f"sqlite:///{folder}/none.db", "PYTHONPATH": str(ROOT)} | settings
    )
    command = [sys.executable, "-m", "credits_core", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


def _call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["credits_core", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0), *capsys.readouterr()


def test_two_processes_print_the_same_bytes(tmp_path: Path) -> None:
    one = _run(tmp_path, *CALL, "--json", PYTHONHASHSEED="1")
    other = _run(tmp_path, *CALL, "--json", PYTHONHASHSEED="2")
    assert (one.returncode, one.stderr) == (0, b"")
    assert one.stdout == other.stdout
    result = json.loads(one.stdout)
    assert (result["plan"], result["runs"], result["scenario"]["seed"]) == ("promptflow-v1", 20_000, 7)
    assert result["charged"] + result["refused"] == 20_000
    parts = ("inference_credits", "creators_credits", "platform_markup_credits", "platform_share_credits")
    assert result["paid_credits"] == sum(result[part] for part in parts)
    assert list(tmp_path.iterdir()) == []  # no database was made


def test_the_summary_says_the_same_as_the_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = json.loads(_call(monkeypatch, capsys, *CALL, "--json")[1])
    code, printed, _ = _call(monkeypatch, capsys, *CALL)
    lines = {line[:12].strip(): line[12:] for line in printed.splitlines()[1:]}
    assert code == 0
    assert printed.startswith(
        "20,000 runs of conversation by 50 users over 30 days, seed 7, plan promptflow-v1\n"
        f"charged     {result['charged']:,} runs; refused {result['refused']:,}, "
    )
    assert lines["users paid"].startswith(f"{result['paid_credits']:,} credits = $")
    assert lines["creators"].startswith(f"{result['creators_credits']:,} credits = $")
    assert lines["margin"].startswith(f"{result['margin_credits']:,} credits = ")
    assert lines["ran out"].startswith(f"{result['users_run_dry']:,} of 50 users")


def test_everything_that_is_asked_for_is_in_the_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plan = tmp_path / "free.toml"
    plan.write_text(FREE, encoding="utf-8")
    more = ("--days", "3", "--users", "4", "--starting-credits", "0", "--top-up-credits", "1000000")
    _, printed, _ = _call(
        monkeypatch, capsys, *CALL, "--plan", str(plan), *more, "--growth-bps-per-day", "-100", "--json"
    )
    result = json.loads(printed)
    asked = result["scenario"]
    assert (asked["days"], asked["users"], asked["starting_credits"], asked["growth_bps_per_day"]) == (3, 4, 0, -100)
    assert len(result["days"]) == 3
    assert result["plan"] == "free"
    assert result["platform_markup_credits"] + result["platform_share_credits"] == 0
    # Every purchase of $1 costs 5 % more, of which the card company takes 2.9 % and $0.30: 30,450 + 300,000.
    assert result["purchase_fee_credits"] == result["top_ups"] * 50_000
    assert result["card_fee_credits"] == result["top_ups"] * 330_450
    assert result["margin_credits"] == result["top_ups"] * -280_450 < 0


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("--workload", "poetry"), "workload: must be one of conversation, code, not 'poetry'"),
        (("--runs", "0"), "runs: must be a whole number from 1 to 5,000,000, not 0"),
        (("--runs", "5000001"), "runs: must be a whole number from 1 to 5,000,000, not 5,000,001"),
        (("--seed", "-1"), "seed: must be a whole number from 0 to 9,007,199,254,740,991, not -1"),
        (("--days", "400"), "days: must be a whole number from 1 to 366, not 400"),
        (
            ("--plan", "no-such-plan"),
            "There is no price plan 'no-such-plan'. Choose one of promptflow-v1, or name a .toml file.",
        ),
    ],
)
def test_what_cannot_be_simulated_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], error: str
) -> None:
    assert _call(monkeypatch, capsys, *CALL, *more) == (1, "", f"error: {error}\n")
