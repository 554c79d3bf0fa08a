"""The command that explains one charge."""

import json

import pytest
from sqlalchemy import Engine

from credits_core.cli import main as cli
from tests.support import world


def run_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, *arguments: str
) -> tuple[object, str, str]:
    monkeypatch.setenv("CREDITS_DATABASE_URL", url)
    monkeypatch.setattr("sys.argv", ["credits_core", "explain", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code or 0, *capsys.readouterr()


def test_the_command_tells_it_in_lines_and_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, sqlite_engine: Engine
) -> None:
    world.put_in_force(sqlite_engine, world.price_book().plan)
    world.add(sqlite_engine, "ada", 2_000, key="add")
    world.charge(sqlite_engine, world.HAIKU_WITH_FEE, key="run")
    world.refund(sqlite_engine, 2, key="refund")
    code, out, err = run_command(monkeypatch, capsys, sqlite_url, "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == [
        "Entry 2: Run of summarise on claude-3-haiku, charged to ada",
        "Recalculated from the stored inputs: matches the charge exactly.",
        "Refunded by entry 3.",
    ]
    assert "3. Creator's share: 80 % of 1,001 = 800.8 = 4,004/5, rounded down → 800" in lines
    assert lines[-4:] == [
        "ada  prompt_run  -1,251 credits (-$0.001251)  balance 2,000 → 749",
        "ben  creator_payment  +800 credits ($0.0008)  balance 0 → 800",
        "platform:revenue  platform_revenue  +201 credits ($0.000201)",
        "platform:inference  inference_cost  +250 credits ($0.00025)",
    ]
    code, out, _ = run_command(monkeypatch, capsys, sqlite_url, "2", "--json")
    found = json.loads(out)
    assert (code, found["is_proved"], found["refunded_by_entry_id"]) == (0, True, 3)
    assert found["steps"][2] == {
        "label": "Creator's share",
        "arithmetic": "80 % of 1,001 = 800.8 = 4,004/5, rounded down",
        "result": "800",
        "recomputed_credits": 800,
        "recorded_credits": 800,
        "is_equal": True,
    }
    assert found["transactions"][1] == {
        "account_id": "ben",
        "type": "creator_payment",
        "recorded_credits": 800,
        "recomputed_credits": 800,
        "balance_before_credits": 0,
        "balance_after_credits": 800,
    }


def test_the_command_fails_for_a_damaged_run_and_for_an_entry_without_a_price(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sqlite_url: str, sqlite_engine: Engine
) -> None:
    world.put_in_force(sqlite_engine, world.price_book().plan)
    world.add(sqlite_engine, "ada", 2_000, key="add")
    world.charge(sqlite_engine, world.HAIKU, key="run")
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER prompt_runs_no_update")
        connection.exec_driver_sql("UPDATE prompt_runs SET platform_markup_credits = 49, total_credits = 299")
    code, out, err = run_command(monkeypatch, capsys, sqlite_url, "2")
    assert (code, err) == (1, "")
    assert out.splitlines()[1:4] == [
        "The charge does not match the stored inputs: 2 differences.",
        "  Platform markup: 49 credits were recorded, but the inputs give 50.",
        "  Total: 299 credits were recorded, but the inputs give 300.",
    ]
    code, out, err = run_command(monkeypatch, capsys, sqlite_url, "1")
    assert (code, out) == (1, "")
    assert err.startswith("error: Entry 1 is a credit purchase; only prompt runs and flow unlocks have a price")
