"""`plan optimise`: every figure is that of `plan replay`, the same seed prints the same, and Ctrl-C prints the best."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from credits_core.cli import optimising
from credits_core.lab.inspector import shape
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.plan_toml import parse_price_plan
from tests.support import usage_files, world
from tests.support.commands import Commands
from tests.support.plain_sql import every_row

LOG = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,1000,100\n2023-11-16 18:15:50.99,3500,10\n"


@pytest.fixture
def call(commands: Commands, sqlite_engine: Engine) -> Commands:
    """The commands on a ledger where the specification's plan is live."""
    world.put_in_force(sqlite_engine, world.price_book().plan)
    return commands


@pytest.fixture
def ledger(sqlite_engine: Engine) -> Engine:
    """Runs of Ada and Cara with and without a fee for Ben, an unlock and a refund; Cara has hardly a credit left."""
    world.add(sqlite_engine, "ada", 1_000_000, key="ada")
    world.add(sqlite_engine, "cara", 36_000, key="cara")
    world.charge(sqlite_engine, world.HAIKU, key="plain")
    world.charge(sqlite_engine, world.HAIKU_WITH_FEE, key="fee")
    world.unlock(sqlite_engine, world.UNLOCK, key="unlock")
    for number, tokens in enumerate((400, 3_900, 8_000, 60_000)):
        run = ChargeRequest("ada", "p", "openai/gpt-4o", input_tokens=tokens, output_tokens=0)
        back = world.charge(sqlite_engine, run, key=f"ada-{number}")
    world.refund(sqlite_engine, back.entry_id, key="back")
    for number in range(3):
        run = ChargeRequest("cara", "p", "openai/gpt-4o", input_tokens=3_990, output_tokens=0)
        world.charge(sqlite_engine, run, key=f"cara-{number}")
    return sqlite_engine


def found_by(call: Commands, *options: str) -> dict[str, Any]:
    code, printed, error = call("plan", "optimise", "--plans", "120", "--json", *options)
    assert (code, error) == (0, "")
    answer: dict[str, Any] = json.loads(printed)
    return answer


def test_every_figure_is_that_of_a_replay_of_the_plan(call: Commands, ledger: Engine, tmp_path: Path) -> None:
    before = every_row(ledger)
    answer = found_by(call)
    assert every_row(ledger) == before
    assert answer["current"]["highest_increase_bps"] == 0
    assert answer["plans"]
    path = tmp_path / "plan.toml"

    def replayed(plan: dict[str, Any]) -> dict[str, Any]:
        path.write_text(plan["toml"], encoding="utf-8")
        code, printed, _ = call("plan", "replay", str(path), "--json")
        assert code == 0
        again: dict[str, Any] = json.loads(printed)
        return again

    assert replayed(answer["current"])["matches_record"]
    for plan in answer["plans"][::4]:
        again = replayed(plan)
        assert plan["platform_income_credits"] == again["platform"]["plan_credits"]
        assert plan["users_paid_credits"] == again["users_paid"]["plan_credits"]
        assert plan["creators_received_credits"] == again["creators"]["plan_credits"]
        assert plan["refused_charges"] == again["refused_runs"] + again["refused_unlocks"]
        if not plan["refused_charges"]:
            assert plan["highest_increase_bps"] == max(one["users_paid"]["difference_bps"] for one in again["by_user"])
        assert not shape.cliffs(parse_price_plan(plan["toml"]))
        assert len(plan["why"]) == 3
    incomes = [plan["platform_income_credits"] for plan in answer["plans"]]
    assert incomes == sorted(incomes, reverse=True)


def test_the_same_seed_prints_the_same(call: Commands, ledger: Engine) -> None:
    assert found_by(call, "--seed", "5") == found_by(call, "--seed", "5")
    assert found_by(call, "--seed", "5")["seed"] == 5


def test_limits_hold_and_are_named(call: Commands, ledger: Engine) -> None:
    answer = found_by(call, "--most-increase-bps", "0", "--card-fee-bps", "0", "--most-tiers", "2")
    assert all(plan["highest_increase_bps"] <= 0 for plan in answer["plans"])
    assert all(plan["toml"].count("[[tiers]]") <= 2 for plan in answer["plans"])
    assert (answer["rules"]["most_increase_bps"], answer["rules"]["card_fee_bps"]) == (0, None)
    assert answer["earn_more_and_raise_nobodys_bill"] == []
    assert answer["why_none"].startswith("Users pay what the models cost")


def test_a_data_set_can_stand_in_for_the_ledger_and_is_replayed_alike(
    call: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDITS_USAGE_FOLDER", str(tmp_path / "usage"))
    rows = [
        usage_files.litellm(request_id=f"r{number}", end_user=f"user-{number & 1}", prompt_tokens=400 + 700 * number)
        for number in range(12)
    ]
    usage_files.bring(tmp_path / "usage", usage_files.lines(*(row | {"metadata": {}} for row in rows)), name="march")
    answer = found_by(call, "--data", "march")
    assert answer["plans"]
    path = tmp_path / "plan.toml"
    for plan in (answer["current"], answer["plans"][0]):
        path.write_text(plan["toml"], encoding="utf-8")
        again = json.loads(call("plan", "replay", str(path), "--data", "march", "--json")[1])
        assert plan["platform_income_credits"] == again["platform"]["plan_credits"]
        assert plan["users_paid_credits"] == again["users_paid"]["plan_credits"]
    both = ("plan", "optimise", "--data", "march", "--trace", "a.csv")
    assert call(*both)[2] == "error: data: and --trace are two kinds of runs; give one of them\n"
    assert call("plan", "optimise", "--sums", "one-run")[2] == (
        "error: sums: is for rows of a data set; name one with --data\n"
    )
    assert call("plan", "optimise", "--data", "april")[0] == 1


def test_the_answer_reads_as_text(call: Commands, ledger: Engine) -> None:
    code, printed, error = call("plan", "optimise", "--plans", "120")
    assert (code, error) == (0, "")
    lines = printed.splitlines()
    assert lines[0].startswith("120 plans tried: ")
    assert lines[2].split() == ["plan", "we", "earn", "change", "creators", "users", "pay", "highest", "pay", "more"]
    assert lines[3].split()[0] == "plan-1"
    assert lines[4].split()[0] == "plan-1-found"
    assert any(line.startswith("We earn ") for line in lines)


def test_logs_can_stand_in_for_the_ledger(call: Commands, tmp_path: Path) -> None:
    log = tmp_path / "mine.csv"
    log.write_text(LOG, encoding="utf-8")
    answer = found_by(call, "--trace", str(log), "--model", "openai/gpt-4o")
    # 3,500 and 8,850 at 20 %: 700 and 1,770.
    assert answer["current"]["platform_income_credits"] == 2_470
    assert answer["current"]["users_paid_credits"] == 14_820
    assert (answer["current"]["users"], answer["current"]["creators_received_credits"]) == (1, 0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--trace", "mine.csv"), "model: and --trace go together"),
        (("--model", "openai/gpt-4o"), "model: and --trace go together"),
        (("--trace", "mine.csv", "--model", "m", "--from", "2026-01-01"), "from: and --to are days of the ledger"),
        (("--to", "2020-01-01"), "has no run and no unlock to try plans on (up to 2020-01-01, UTC)"),
        (("--to", "soon"), "must be a day such as 2026-11-01, not 'soon'"),
        (("--plans", "30000"), "must be a number from 1 to 20,000, not 30,000"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(
    call: Commands, ledger: Engine, options: tuple[str, ...], problem: str
) -> None:
    code, printed, error = call("plan", "optimise", *options)
    assert (code, printed) == (1, "")
    assert problem in error


def test_ctrl_c_prints_the_best_so_far(call: Commands, ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(optimising.Progress):
        def update(self, *_: Any, **given: Any) -> None:
            if given["completed"] == 90:
                raise KeyboardInterrupt

    monkeypatch.setattr(optimising, "Progress", Interrupted)
    answer = found_by(call)
    assert (answer["stopped"], answer["tried"]) == (True, 90)
    assert answer["plans"]
    code, printed, _ = call("plan", "optimise", "--plans", "120")
    assert (code, printed.splitlines()[0]) == (0, "Stopped. These are the best plans so far.")
