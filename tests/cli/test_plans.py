"""The commands about stored plans, from an import to an activation, and what each prints as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from credits_core.cli import main as cli
from credits_core.errors import DataFileInvalid
from credits_core.plans.refusals import PlanActivated, PlanInForce, UnknownPlan
from credits_core.store.refusals import DatabaseNotReady
from tests.support.plain_sql import rows

CAPPED = 'id = "promptflow-v2"\ncreator_share_bps = {share}\ncap_down = true\ntiers = [{{markup_bps = 2000}}]\n'


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDITS_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, sqlite_url: str, sqlite_engine: Engine) -> Engine:
    monkeypatch.setenv("CREDITS_DATABASE_URL", sqlite_url)
    return sqlite_engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "capped.toml"
    path.write_text(CAPPED.format(share=8000), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli.app, ["plan", *map(str, arguments)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_without_a_database_there_is_the_plan_that_a_new_one_begins_with(tmp_path: Path) -> None:
    assert run("list") == "promptflow-v1  live\n"
    assert run("show", "promptflow-v1").startswith('id = "promptflow-v1"\ncreator_share_bps = 8000\n')
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("arguments", [("journal",), ("discard", "x"), ("activate", "x", "--reason", "y")])
def test_what_needs_a_database_says_what_to_run_without_one(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(DatabaseNotReady, match="Run: python -m credits_core migrate"):
        run(*arguments)
    assert not (tmp_path / "none.db").exists()


def test_a_plan_goes_from_a_file_to_a_draft_into_force(ledger: Engine, file: Path) -> None:
    assert run("import", file) == "promptflow-v2 is a draft, revision 1\n"
    file.write_text(CAPPED.format(share=7500), encoding="utf-8")
    assert run_json("import", file, "--revision", "1") == {
        "id": "promptflow-v2",
        "status": "draft",
        "revision": 2,
        "changes": ["creator_share_bps: 8000 -> 7500"],
    }
    assert run("list") == "promptflow-v1  live\npromptflow-v2  draft  revision 2 by cli/maria\n"
    assert run_json("show", "promptflow-v2")["creator_share_bps"] == 7_500
    assert run("activate", "promptflow-v2", "--revision", "2", "--reason", "No cliffs") == (
        "promptflow-v2 is live from the next charge on\n"
    )
    assert [(plan["id"], plan["status"], plan["in_force"]) for plan in run_json("list")] == [
        ("promptflow-v2", "in force", True),
        ("promptflow-v1", "retired", False),
    ]
    newest, first = run_json("journal")
    assert (newest["number"], newest["plan"], newest["actor"], newest["reason"]) == (
        2,
        "promptflow-v2",
        "cli/maria",
        "No cliffs",
    )
    assert first["activated_at"] == "1970-01-01T00:00:00+00:00"
    assert run("journal").splitlines()[1] == (
        "1  promptflow-v1  1970-01-01 00:00:00Z  migration  The specification's plan"
    )
    back = run_json("activate", "promptflow-v1", "--reason", "Back")
    assert (back["number"], back["plan"], back["reason"]) == (3, "promptflow-v1", "Back")


def test_a_draft_is_discarded(ledger: Engine, file: Path) -> None:
    run("import", file)
    assert run("discard", "promptflow-v2", "--revision", "1") == "promptflow-v2 is discarded\n"
    run("import", file)
    assert run_json("discard", "promptflow-v2", "--revision", "2") == {"id": "promptflow-v2", "discarded": True}
    assert run("list") == "promptflow-v1  live\n"


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("activate", "promptflow-v1", "--reason", "x"), PlanInForce),
        (("activate", "promptflow-v9", "--reason", "x"), UnknownPlan),
        (("discard", "promptflow-v1"), PlanActivated),
        (("discard", "promptflow-v9"), UnknownPlan),
        (("import", "none.toml"), DataFileInvalid),
    ],
)
def test_a_refused_command_changes_nothing(
    ledger: Engine, arguments: tuple[str, ...], refusal: type[Exception]
) -> None:
    stored = "SELECT id, revision FROM price_plans", "SELECT id FROM plan_activations"
    before = [rows(ledger, sql) for sql in stored]
    with pytest.raises(refusal):
        run(*arguments)
    assert [rows(ledger, sql) for sql in stored] == before


def test_the_file_of_an_activated_plan_is_not_imported_over_it(ledger: Engine, file: Path) -> None:
    file.write_text(CAPPED.format(share=1).replace("promptflow-v2", "promptflow-v1"), encoding="utf-8")
    with pytest.raises(PlanActivated, match="Save your change under another id"):
        run("import", file)
