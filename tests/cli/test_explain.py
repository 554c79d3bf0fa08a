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
    assert lines[-5:] == [
        "ada  prompt_run  -1,251 credits (-$0.001251)  balance 2,000 → 749",
        "ben  creator_payment  +800 credits ($0.0008)  balance 0 → 800",
        "platform:revenue  platform_revenue  +201 credits ($0.000201)",
        "platform:inference  inference_cost  +250 credits ($0.00025)",
        "purchase of entry 1  -1,251 credits, which never expire",
    ]
    code, out, err = run_command(monkeypatch, capsys, sqlite_url, "3")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Entry 3: Refund of entry 2, refunded to ada",
        "Recalculated from the stored inputs: matches the refund exactly.",
        "ada got back 1,251 credits ($0.001251): ben gave back 800, PromptFlow bore 451.",
        "",
        "Refunded entry: 2 (prompt run)",
        "Reason: The answer was empty",
        "Rule: The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost.",
        "",
        "1. Creator's share: ben gives back the share of 800 → 800",
        "2. Platform revenue: the platform gives back its own part of the charge → 201",
        "3. Inference cost: the provider is paid all the same, so the platform bears it → 250",
        "4. Total: what ada gets back: 800 + 201 + 250 → 1,251",
        "",
        "ada  refund  +1,251 credits ($0.001251)  balance 749 → 2,000",
        "ben  creator_payment  -800 credits (-$0.0008)  balance 800 → 0",
        "platform:revenue  platform_revenue  -201 credits (-$0.000201)",
        "platform:refunded_inference  refund  -250 credits (-$0.00025)",
        "purchase of entry 1  +1,251 credits, which never expire",
    ]
    code, out, _ = run_command(monkeypatch, capsys, sqlite_url, "3", "--json")
    found = json.loads(out)
    assert found["lots"] == [
        {"entry_id": 1, "source": "purchase", "purchase_id": None, "expires_at": None, "amount_credits": 1_251}
    ]
    assert (code, found["is_proved"], found["refunds_entry_id"]) == (0, True, 2)
    assert found["borne"] == {
        "sentence": "ada got back 1,251 credits ($0.001251): ben gave back 800, PromptFlow bore 451.",
        "rule": "creator_owes_share",
        "provider_refunded": False,
        "creator_credits": 800,
        "owed_credits": 0,
        "platform_credits": 451,
        "provider_credits": 0,
    }
    code, out, _ = run_command(monkeypatch, capsys, sqlite_url, "2", "--json")
    found = json.loads(out)
    assert (code, found["is_proved"], found["refunded_by_entry_id"], found["borne"]) == (0, True, 3, None)
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
    assert err.startswith("error: Entry 1 is a credit purchase; only prompt runs, flow unlocks and refunds can be")
