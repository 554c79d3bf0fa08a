"""`price` and `simulate` take the live prices of the database, the same as a charge; without one those of the file."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from credits_core import settings, startup
from credits_core.cli import main as cli
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.plans.book import PriceBooks
from credits_core.prices import lists
from credits_core.prices.list_toml import without_model
from credits_core.store import database
from tests.support import world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = settings.MODELS_FILE.read_text(encoding="utf-8")
DEARER = SHIPPED.replace("run_price_credits = 10_000", "run_price_credits = 12_000", 1)
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GPT_4O = {"model_id": "gpt-4o"}
USED = {"model_id": "openai/gpt-4o", "usage": {"input_tokens": 1_000, "output_tokens": 100}}
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Engine:
    """A ledger with the shipped list 1, live, to which the command line goes."""
    monkeypatch.setenv("CREDITS_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    startup.migrate(engine)
    return engine


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["credits_core", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return run


def priced(call: Call, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    code, stdout, stderr = call("price", "--jsonl", "-", stdin="\n".join(map(json.dumps, lines)))
    assert (code, stderr) == (0, "")
    return [json.loads(line) for line in stdout.splitlines()]


def charged(engine: Engine, key: str) -> int:
    """What a run of gpt-4o is charged now."""
    books = PriceBooks(settings.load_models())
    receipt = database.write(
        engine,
        lambda connection: actions.charge_prompt(
            connection,
            ChargeRequest("ada", "p", "gpt-4o"),
            book=books.at(connection),
            key=key,
            now=NOW,
            actor=TESTER,
        ),
    )
    return -receipt.transactions[0].amount_credits


def test_an_offered_model_is_quoted_at_what_it_is_charged_at_this_moment(ledger: Engine, call: Call) -> None:
    world.add(ledger, "ada", 100_000, key="add")
    (answer,) = priced(call, GPT_4O)
    # 10,000 credits a run, and 10 % markup
    assert (answer["price_list"], answer["total_credits"], charged(ledger, "first")) == (1, 11_000, 11_000)
    world.make_prices_live(ledger, DEARER)
    database.write(ledger, lambda connection: lists.save(connection, SHIPPED, source="not live", now=NOW, actor=TESTER))
    before = every_row(ledger)
    (answer,) = priced(call, GPT_4O)
    assert every_row(ledger) == before
    assert answer == {
        "line": 1,
        "model_id": "gpt-4o",
        "plan": "promptflow-v1",
        "price_list": 2,
        "inference_cost_credits": 12_000,
        "creator_fee_credits": 0,
        "platform_markup_credits": 1_200,
        "total_credits": 13_200,
        "creator_share_credits": 0,
        "platform_share_credits": 0,
    }
    assert charged(ledger, "second") == 13_200


def test_a_withdrawn_model_is_quoted_at_the_price_of_the_package(ledger: Engine, call: Call) -> None:
    own = SHIPPED.replace("{input_tokens = 2.5, output_tokens = 10,", "{input_tokens = 3, output_tokens = 10,")
    assert own != SHIPPED
    world.make_prices_live(ledger, own)
    (answer,) = priced(call, USED)
    # 1,000 × 3 + 100 × 10; then as the package has it, × 2.5
    assert (answer["price_list"], answer["inference_cost_credits"]) == (2, 4_000)
    world.make_prices_live(ledger, without_model(own, "openai/gpt-4o"))
    (answer,) = priced(call, USED)
    assert ("price_list" in answer, answer["inference_cost_credits"]) == (False, 3_500)


@pytest.mark.as_owner
def test_a_database_that_is_not_up_to_date_is_refused_instead_of_quoting_other_prices(
    ledger: Engine, call: Call
) -> None:
    with ledger.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0006'"))
    try:
        for command in (("price", "--jsonl", "-"), ("simulate", "--workload", "code"), ("plan", "list")):
            code, stdout, stderr = call(*command, stdin=json.dumps(GPT_4O))
            assert (code, stdout) == (1, "")
            assert stderr.startswith("error: The database is not up to date: it is at migration 0006, this version")
            assert stderr.endswith("Run: python -m credits_core migrate\n")
    finally:
        with ledger.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0027'"))


def test_an_empty_database_is_as_none(monkeypatch: pytest.MonkeyPatch, empty_engine: Engine, call: Call) -> None:
    monkeypatch.setenv("CREDITS_DATABASE_URL", empty_engine.url.render_as_string(hide_password=False))
    (answer,) = priced(call, GPT_4O)
    assert ("price_list" in answer, answer["total_credits"]) == (False, 11_000)


def test_all_lines_have_the_prices_that_were_live_when_the_command_began(sqlite_engine: Engine, tmp_path: Path) -> None:
    startup.migrate(sqlite_engine)
    files = sorted(tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "credits_core", "price", "--jsonl", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"CREDITS_DATABASE_URL": str(sqlite_engine.url), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(json.dumps(GPT_4O).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert (answer["price_list"], answer["total_credits"]) == (1, 11_000)
            world.make_prices_live(sqlite_engine, DEARER)
        process.stdin.close()
    assert process.returncode == 0
    assert {path.name.partition(".")[0] for path in {*tmp_path.iterdir()} - {*files}} <= {"credits"}


# --- simulate -------------------------------------------------------------------------------------------------------


def test_made_up_runs_have_the_live_prices_and_a_withdrawn_model_is_named(ledger: Engine, call: Call) -> None:
    command = ("simulate", "--workload", "conversation", "--runs", "50", "--json")
    code, printed, said = call(*command)
    assert (code, said) == (0, "")
    first = json.loads(printed)
    world.make_prices_live(ledger, SHIPPED.replace("run_price_credits = 30_000", "run_price_credits = 60_000", 1))
    dearer = json.loads(call(*command)[1])
    assert [one["model_id"] for one in first["models"]] == [one["model_id"] for one in dearer["models"]]
    assert [one["model_id"] for one in first["scenario"]["models"]][-1] == "gpt-4"
    assert dearer["inference_credits"] > first["inference_credits"]

    world.make_prices_live(ledger, without_model(SHIPPED, "gpt-4"))
    code, printed, said = call(*command)
    assert (code, said) == (0, "gpt-4 is not offered any more. The other models of the mix take all runs.\n")
    result = json.loads(printed)
    assert [one["model_id"] for one in result["scenario"]["models"]] == [
        "openai/gpt-4o-mini",
        "google/gemini-2.5-flash",
        "anthropic/claude-haiku-4-5",
        "openai/gpt-4o",
        "anthropic/claude-sonnet-5-5",
    ]
    assert (result["runs"], result["charged"] + result["refused"]) == (50, 50)
