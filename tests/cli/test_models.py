"""The commands about offered models and price lists, from an import to an activation, and what each prints as JSON."""

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from credits_core.cli import main as cli
from credits_core.prices import lists
from credits_core.store import database
from tests.support import price_package
from tests.support.actors import TESTER
from tests.support.commands import models
from tests.support.plain_sql import every_row, rows
from tests.support.prices import CHAT_PRICE, SHIPPED, per_run_list

PACKAGE = f"genai-prices {version('genai-prices')}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(per_run_list(5), encoding="utf-8")
    return path


def run_json(*arguments: object) -> Any:
    return json.loads(models(*arguments, "--json"))


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr, after exit 1 and nothing on stdout."""
    monkeypatch.setattr(sys, "argv", ["credits_core", "models", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, error = capsys.readouterr()
    assert (left.value.code, out) == (1, "")
    assert error.endswith("\n")
    assert error.count("\n") == 1
    return str(error.rstrip("\n"))


def begin_with_tiny_alone(engine: Engine) -> None:
    """Make a list with one model live, as list 2."""

    def action(connection: Any) -> None:
        now = datetime(2026, 11, 27, tzinfo=UTC)
        lists.save(connection, per_run_list(5), source="a test", now=now, actor=TESTER)
        lists.activate(connection, 2, reason="A test", now=now, actor=TESTER)

    database.write(engine, action)


# --- list -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_the_offered_models_are_listed_with_their_prices() -> None:
    lines = models("list").splitlines()
    assert len(lines) == 53
    assert lines[0] == "gpt-4  offered  30,000 credits per run"
    assert all("  offered  " in line for line in lines)
    assert (
        models("list", "--search", "EMBEDDING-3-small")
        == "openai/text-embedding-3-small  offered  $0.02 per million input tokens\n"
    )
    assert models("list", "--search", "no such model") == ""


@pytest.mark.usefixtures("ledger")
def test_every_priced_model_of_the_package_is_listed_once_when_asked_for() -> None:
    ids = [line.partition("  ")[0] for line in models("list", "--all").splitlines()]
    assert len(ids) == len({*ids}) == 53 + 2_112
    assert models("list", "--all", "--search", "deepseek/deepseek-chat").splitlines()[0] == (
        f"deepseek/deepseek-chat  not offered  {CHAT_PRICE}"
    )
    assert models("list", "--search", "deepseek/deepseek-chat") == ""
    # The package knows this one without a price.
    assert models("list", "--all", "--search", "github-copilot/gpt-4.1") == ""


@pytest.mark.usefixtures("ledger")
def test_a_model_with_a_price_that_we_cannot_express_is_left_out_and_named() -> None:
    with price_package.carried() as carry:
        carry(a=price_package.usd(moons="1"), b=price_package.usd(input_mtok="9"), c=price_package.usd())
        result = CliRunner().invoke(cli.app, ["models", "list", "--all", "--search", "maker/"])
    assert result.exit_code == 0
    assert result.stdout == "maker/b  not offered  $9.00 per million input tokens\n"
    assert result.stderr == "left out: maker/a has a price for the unknown unit moons\n"


@pytest.mark.usefixtures("ledger")
def test_listed_models_as_json() -> None:
    assert run_json("list", "--search", "openai/text-embedding-3-small") == [
        {
            "id": "openai/text-embedding-3-small",
            "name": "Text Embedding 3 Small",
            "provider": "openai",
            "type": "embedding",
            "offered": True,
            "price": "$0.02 per million input tokens",
            "context_tokens": None,
            "source": f"{PACKAGE}, OpenAI: https://developers.openai.com/api/docs/pricing",
            "checked_on": "2026-11-26",
        }
    ]
    (chat,) = (one for one in run_json("list", "--all", "--search", "deepseek-chat") if one["provider"] == "deepseek")
    assert (chat["offered"], chat["price"], chat["context_tokens"], chat["checked_on"]) == (
        False,
        CHAT_PRICE,
        64_000,
        None,
    )


def test_a_model_that_is_offered_under_an_id_of_our_own_is_not_listed_twice(ledger: Engine, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        per_run_list(5).replace(
            "run_price_credits = 5", 'genai_prices_id = "deepseek/deepseek-chat"\nprices = [{input_tokens = 1}]'
        ),
        encoding="utf-8",
    )
    models("import", path)
    models("activate", 2, "--live-list", 1, "--reason", "Our own")
    assert models("list") == "tiny  offered  $1.00 per million input tokens\n"
    assert [one["id"] for one in run_json("list", "--all") if one["id"] in ("tiny", "deepseek/deepseek-chat")] == [
        "tiny"
    ]


# --- offer and withdraw ---------------------------------------------------------------------------------------------


def test_a_model_is_offered_from_the_next_charge_on(ledger: Engine) -> None:
    said = models("offer", "deepseek-chat", "--reason", "Asked for")
    assert said == "deepseek/deepseek-chat is offered from now on, by price list 2\n"
    assert models("list", "--search", "deepseek-chat") == f"deepseek/deepseek-chat  offered  {CHAT_PRICE}\n"
    assert rows(ledger, "SELECT id, source, actor FROM price_lists ORDER BY id") == [
        (1, "data/models.toml", "migration"),
        (2, "deepseek/deepseek-chat offered", "cli/maria"),
    ]
    assert rows(ledger, "SELECT price_list_id, reason, actor FROM price_list_activations WHERE id = 2") == [
        (2, "Asked for", "cli/maria")
    ]


def test_a_price_that_may_be_a_mistake_is_confirmed_before_the_model_is_offered(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with price_package.carried() as carry:
        carry(a=price_package.usd(input_mtok="1000"), b=price_package.usd(input_mtok=("1", {200_000: "1000.01"})))
        models("offer", "maker/a", "--reason", "At the bound")
        before = every_row(ledger)
        assert refusal(monkeypatch, capsys, "offer", "maker/b", "--reason", "x") == (
            "error: maker/b would cost $1.00 per million input tokens ($1,000.01 above 200,000 input tokens). Nothing "
            "was changed. If that is right, offer it with the price confirmed (--confirm-price)."
        )
        assert every_row(ledger) == before
        models("offer", "maker/b", "--confirm-price", "--reason", "It is right")
    assert "confirmed = true" in models("show")


def test_a_model_is_withdrawn_and_offered_again(ledger: Engine) -> None:
    said = models("withdraw", "gpt-4", "--reason", "Retired by its maker")
    assert said == "gpt-4 is not offered any more, by price list 2\n"
    assert len(models("list").splitlines()) == 52
    assert models("diff", 1) == "+ gpt-4: 30,000 credits per run\n"
    models("withdraw", "openai/gpt-4o", "--reason", "Too dear")
    assert models("list", "--search", "openai/gpt-4o-mini").startswith(
        "openai/gpt-4o-mini  offered  $0.15 per million input tokens"
    )
    (again,) = (line for line in models("list", "--all").splitlines() if line.startswith("openai/gpt-4o  "))
    assert again.startswith(
        "openai/gpt-4o  not offered  $2.50 per million input tokens, $10.00 per million output tokens, $1.25 per "
    )
    models("offer", "openai/gpt-4o", "--reason", "Missed")
    assert (
        models("list", "--search", "openai/gpt-4o")
        .splitlines()[-1]
        .startswith("openai/gpt-4o  offered  $2.50 per million input tokens")
    )
    assert rows(ledger, "SELECT price_list_id FROM price_list_activations ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert rows(ledger, "SELECT source FROM price_lists WHERE id > 1 ORDER BY id") == [
        ("gpt-4 withdrawn",),
        ("openai/gpt-4o withdrawn",),
        ("openai/gpt-4o offered",),
    ]


# --- lists, show, import, diff, activate ----------------------------------------------------------------------------


def test_an_imported_list_shows_what_would_change_and_is_live_when_asked_for(ledger: Engine, file: Path) -> None:
    lines = models("import", file).splitlines()
    assert lines[0] == "+ tiny: 5 credits per run"
    assert lines[1] == "- gpt-4: 30,000 credits per run"
    assert len(lines) == 1 + 53 + 1
    assert lines[-1] == "Price list 2 is saved and not live. Make it live: models activate 2 --live-list 1 --reason …"
    assert models("diff", 2).splitlines() == lines[:-1]
    assert models("show") == SHIPPED
    assert models("show", 2) == per_run_list(5)
    said = models("activate", 2, "--live-list", 1, "--reason", "Small").splitlines()
    assert said == [*lines[:-1], "Price list 2 is live from the next charge on"]
    assert models("show") == per_run_list(5)
    assert models("list") == "tiny  offered  5 credits per run\n"
    assert models("diff", 2) == "No price changes\n"
    file.write_text(per_run_list(6), encoding="utf-8")
    assert models("import", file).splitlines()[0] == "~ tiny: 5 credits per run -> 6 credits per run"
    assert rows(ledger, "SELECT id, source, actor FROM price_lists ORDER BY id")[1:] == [
        (2, "tiny.toml", "cli/maria"),
        (3, "tiny.toml", "cli/maria"),
    ]


def test_a_list_with_the_live_prices_is_imported_as_well(ledger: Engine, tmp_path: Path) -> None:
    path = tmp_path / "same.toml"
    path.write_text(models("show"), encoding="utf-8")
    assert models("import", path).splitlines()[0] == "No price changes"
    assert rows(ledger, "SELECT COUNT(*) FROM price_lists") == [(2,)]


def test_every_list_is_listed_newest_first(ledger: Engine) -> None:
    begin_with_tiny_alone(ledger)
    assert models("lists") == (
        "2  live  2026-11-27 00:00:00Z  tester  a test\n1        1970-01-01 00:00:00Z  migration  data/models.toml\n"
    )
    assert run_json("lists") == {
        "lists": [
            {
                "number": 2,
                "source": "a test",
                "saved_by": "tester",
                "saved_at": "2026-11-27T00:00:00+00:00",
                "is_live": True,
            },
            {
                "number": 1,
                "source": "data/models.toml",
                "saved_by": "migration",
                "saved_at": "1970-01-01T00:00:00+00:00",
                "is_live": False,
            },
        ],
        "journal": [
            {
                "number": 2,
                "price_list": 2,
                "reason": "A test",
                "actor": "tester",
                "activated_at": "2026-11-27T00:00:00+00:00",
            },
            {
                "number": 1,
                "price_list": 1,
                "reason": "The prices that this version brings",
                "actor": "migration",
                "activated_at": "1970-01-01T00:00:00+00:00",
            },
        ],
    }


# --- refresh --------------------------------------------------------------------------------------------------------


def test_a_refresh_with_nothing_to_do_saves_nothing(ledger: Engine) -> None:
    before = every_row(ledger)
    assert models("refresh") == f"All prices match {PACKAGE}. Nothing was saved.\n"
    assert every_row(ledger) == before


def test_a_refresh_saves_the_package_s_prices_as_a_list_that_is_not_live(ledger: Engine, tmp_path: Path) -> None:
    path = tmp_path / "older.toml"
    path.write_text(SHIPPED.replace("prices = [{input_tokens = 0.02}]", "prices = [{input_tokens = 0.03}]"), "utf-8")
    models("import", path)
    models("activate", 2, "--live-list", 1, "--reason", "An older price")
    assert models("refresh") == (
        "~ openai/text-embedding-3-small: $0.03 per million input tokens -> $0.02 per million input tokens\n"
        "Price list 3 is saved and not live. Make it live: models activate 3 --live-list 2 --reason …\n"
    )
    assert (
        models("diff", 3)
        == "~ openai/text-embedding-3-small: $0.03 per million input tokens -> $0.02 per million input tokens\n"
    )
    assert (
        models("list", "--search", "embedding-3-small")
        == "openai/text-embedding-3-small  offered  $0.03 per million input tokens\n"
    )
    assert rows(ledger, "SELECT source, actor FROM price_lists WHERE id = 3") == [(PACKAGE, "cli/maria")]


# --- refusals -------------------------------------------------------------------------------------------------------

NO_LIST = "error: There is no price list 7. See all with: python -m credits_core models lists"
REFUSALS = {
    ("activate", 7, "--reason", "x"): NO_LIST,
    ("diff", 7): NO_LIST,
    ("show", 7): NO_LIST,
    ("activate", 1, "--reason", "x"): "error: Price list 1 is live already. Nothing was changed.",
    ("offer", "deepseek-chat", "--reason", " "): "error: reason: must be given",
    ("withdraw", "gpt-4", "--reason", ""): "error: reason: must be given",
    ("offer", "gpt-4o-2024-08-06", "--reason", "x"): "error: model: openai/gpt-4o is offered already",
    ("offer", "github-copilot/gpt-4.1", "--reason", "x"): (
        "error: There is no price for 'github-copilot/gpt-4.1', so it cannot be charged. Choose another model."
    ),
    ("offer", "no-such-model", "--reason", "x"): (
        "error: There is no model 'no-such-model'. Nothing was charged or changed. See which models are offered: on "
        "the screen Models, with 'python -m credits_core models list', or at GET /api/models."
    ),
    ("withdraw", "no-such-model", "--reason", "x"): (
        "error: The model 'no-such-model' is not offered. Nothing was changed. See which models are offered: on the "
        "screen Models, or with 'python -m credits_core models list'."
    ),
    ("offer", "xiaomi/mimo-v2.5", "--reason", "x"): (
        "error: 'xiaomi/mimo-v2.5' could be avian/xiaomi/mimo-v2.5 or openrouter/xiaomi/mimo-v2.5. Nothing was charged "
        "or changed. Send the one you mean."
    ),
    ("offer", "deepseek-chat"): ("error: Missing option '--reason'. See: python -m credits_core models offer --help"),
    ("activate", 0, "--reason", "x"): (
        "error: Invalid value for 'NUMBER': Input should be greater than or equal to 1. See: python -m credits_core "
        "models activate --help"
    ),
    ("import", "no-such-file.toml"): (
        "error: no-such-file.toml: cannot be read: [Errno 2] No such file or directory: 'no-such-file.toml'; nothing "
        "was changed"
    ),
}


@pytest.mark.parametrize("arguments", REFUSALS)
def test_a_refusal_is_one_line_and_changes_nothing(
    ledger: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
) -> None:
    before = every_row(ledger)
    assert refusal(monkeypatch, capsys, *arguments) == REFUSALS[arguments]
    assert every_row(ledger) == before


def test_the_last_model_cannot_be_withdrawn(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_with_tiny_alone(ledger)
    said = refusal(monkeypatch, capsys, "withdraw", "tiny", "--reason", "x")
    assert said == "error: model: tiny is the last model that is offered"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "lists no [[models]]"),
        (b"models = 7", "lists no [[models]]"),
        (per_run_list(-1).encode(), "model 'tiny': run_price_credits"),
        (b"\xff", "cannot be read: 'utf-8' codec"),
    ],
)
def test_a_file_that_is_no_price_list_is_not_imported(
    ledger: Engine,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    problem: str,
) -> None:
    file.write_bytes(content)
    before = every_row(ledger)
    said = refusal(monkeypatch, capsys, "import", file)
    assert said.startswith(f"error: {file}: {problem}")
    assert said.endswith("; nothing was changed")
    assert every_row(ledger) == before


@pytest.mark.parametrize(
    "arguments", [("list",), ("lists",), ("show",), ("diff", 1), ("refresh",), ("offer", "gpt-4", "--reason", "x")]
)
def test_without_a_database_the_command_says_what_to_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[object, ...],
) -> None:
    monkeypatch.setenv("CREDITS_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    assert "python -m credits_core migrate" in refusal(monkeypatch, capsys, *arguments)
    assert not (tmp_path / "none.db").exists()
