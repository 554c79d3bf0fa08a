"""Two people with the command line and one draft: neither replaces, discards or activates what they have not seen."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from typer.testing import CliRunner

from credits_core.cli import main as cli
from credits_core.errors import CreditsError, InvalidRequest
from credits_core.plans import records as plan_records
from credits_core.plans.refusals import DraftChanged, DraftNotSeen
from credits_core.store import database
from tests.support import plain_sql, world
from tests.support.plans import SPECIFICATION

DRAFT = replace(SPECIFICATION, id="autumn", cap_down=True)
AT = datetime(2026, 11, 23, 6, 34, 7, tzinfo=UTC)
FILE = 'id = "autumn"\ncreator_share_bps = 7500\ncap_down = true\ntiers = [{{markup_bps = {bps}}}]\n'
CHANGES = [
    "creator_share_bps: 8000 -> 7500",
    "tier 1: below_credits = 10000 -> none, markup_bps = 2000 -> 1500",
    "tier 2: removed, below_credits = 100000, markup_bps = 1000",
    "tier 3: removed, markup_credits = 500",
]


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Engine:
    monkeypatch.setenv("CREDITS_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    world.save_draft(engine, DRAFT, now=AT)
    return engine


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(FILE.format(bps=1500), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli.app, ["plan", *map(str, arguments)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(*arguments: str | Path) -> tuple[CreditsError, str]:
    """Why a command was refused, and what it had printed."""
    result = CliRunner().invoke(cli.app, ["plan", *map(str, arguments)])
    assert isinstance(result.exception, CreditsError), result.output
    return result.exception, result.stdout


def stored(engine: Engine) -> list[tuple[object, ...]]:
    with database.read(engine) as connection:
        return [(one.plan, one.revision) for one in plan_records.plans(connection).values()]


@pytest.mark.parametrize("revision", [None, 2, 7])
def test_a_draft_is_not_replaced_without_its_revision(ledger: Engine, mine: Path, revision: int | None) -> None:
    before = plain_sql.every_row(ledger)
    named = [] if revision is None else ["--revision", str(revision)]
    refusal, printed = refused("import", mine, *named)
    assert str(refusal) == (
        f"The draft 'autumn' is at revision 1{f', not at revision {revision}' if revision else ''}; tester saved it "
        "on 2026-11-23 at 06:34:07 UTC. Nothing was changed. Look at it with 'plan show autumn', then name the "
        "revision that you saw: --revision 1."
    )
    assert printed.splitlines() == ["autumn, from revision 1 to the file:", *(f"  {line}" for line in CHANGES)]
    assert plain_sql.every_row(ledger) == before


def test_a_draft_is_replaced_over_its_revision(ledger: Engine, mine: Path) -> None:
    assert run("import", mine, "--revision", "1") == "autumn is a draft, revision 2\n"
    assert isinstance(refused("import", mine, "--revision", "1")[0], DraftNotSeen)


def test_a_replacement_prints_first_what_it_changes(ledger: Engine, mine: Path) -> None:
    assert run("import", mine, "--replace").splitlines() == [
        "autumn, from revision 1 to the file:",
        *(f"  {line}" for line in CHANGES),
        "autumn is a draft, revision 2",
    ]
    mine.write_text(FILE.format(bps=1600), encoding="utf-8")
    assert json.loads(run("import", mine, "--replace", "--json"))["changes"] == ["tier 1: markup_bps = 1500 -> 1600"]
    assert run("import", mine, "--replace").splitlines()[1] == "  no difference"


def test_a_new_draft_needs_no_revision_and_has_none(ledger: Engine, mine: Path) -> None:
    mine.write_text(mine.read_text(encoding="utf-8").replace("autumn", "winter"), encoding="utf-8")
    assert isinstance(refused("import", mine, "--revision", "1")[0], DraftChanged)
    assert json.loads(run("import", mine, "--replace", "--json"))["changes"] is None


def test_an_import_takes_either_a_revision_or_any_draft(ledger: Engine, mine: Path) -> None:
    assert isinstance(refused("import", mine, "--revision", "1", "--replace")[0], InvalidRequest)
    assert stored(ledger) == [(SPECIFICATION, 1), (DRAFT, 1)]


@pytest.mark.parametrize("command", [("activate", "autumn", "--reason", "Cheaper"), ("discard", "autumn")])
def test_nobody_activates_or_discards_the_draft_of_another(
    ledger: Engine, mine: Path, command: tuple[str, ...]
) -> None:
    seen = run("show", "autumn").splitlines()[0]
    assert seen == "# Draft, revision 1, saved by tester on 2026-11-23 06:34:07 UTC"
    run("import", mine, "--replace")  # the other person
    before = plain_sql.every_row(ledger)
    for named in ([], ["--revision", "1"], ["--revision", "3"]):
        refusal, printed = refused(*command, *named)
        assert isinstance(refusal, DraftNotSeen)
        assert "The draft 'autumn' is at revision 2" in str(refusal)
        assert printed == ""
    assert plain_sql.every_row(ledger) == before
    assert "autumn         draft  revision 2 by cli/maria" in run("list")
    run(*command, "--revision", "2")
    assert plain_sql.every_row(ledger) != before


def test_what_is_shown_names_its_revision_and_can_be_imported_again(ledger: Engine, mine: Path) -> None:
    mine.write_text(run("show", "autumn"), encoding="utf-8")
    assert json.loads(run("import", mine, "--revision", "1", "--json"))["changes"] == []
    told = json.loads(run("show", "autumn", "--json"))
    assert (told["revision"], told["saved_by"], told["status"], told["cap_down"]) == (2, "cli/maria", "draft", True)
    assert "revision" not in json.loads(run("show", mine, "--json"))


def test_an_earlier_plan_is_made_live_again_without_a_revision(ledger: Engine) -> None:
    run("activate", "autumn", "--reason", "Try it", "--revision", "1")
    assert run("activate", "promptflow-v1", "--reason", "Back") == "promptflow-v1 is live from the next charge on\n"


def test_a_draft_saved_while_the_command_looks_at_it_is_not_replaced(
    ledger: Engine, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = database.write

    def meanwhile(engine: Engine, action: Callable[[Connection], object]) -> object:
        monkeypatch.setattr(database, "write", write)
        world.save_draft(engine, replace(DRAFT, creator_share_bps=1), revision=1, now=AT)
        return write(engine, action)

    monkeypatch.setattr(database, "write", meanwhile)
    assert isinstance(refused("import", mine, "--replace")[0], DraftChanged)
    assert stored(ledger)[1] == (replace(DRAFT, creator_share_bps=1), 2)


def test_a_revision_of_a_discarded_draft_is_never_that_of_another_draft(
    ledger: Engine, mine: Path, tmp_path: Path
) -> None:
    run("import", mine, "--revision", "1")
    assert run("show", "autumn").startswith("# Draft, revision 2, saved by cli/maria on ")  # and goes to lunch
    run("discard", "autumn", "--revision", "2")
    theirs = tmp_path / "theirs.toml"
    for bps in (8_000, 9_000):  # somebody else's draft, saved twice as well
        theirs.write_text(FILE.format(bps=bps), encoding="utf-8")
        run("import", theirs, "--replace")
    assert "autumn         draft  revision 4 by cli/maria" in run("list")
    before = plain_sql.every_row(ledger)
    for command in (("activate", "autumn", "--reason", "Seen it"), ("discard", "autumn"), ("import", mine)):
        refusal, _ = refused(*command, "--revision", "2")
        assert isinstance(refusal, DraftNotSeen)
        assert "The draft 'autumn' is at revision 4, not at revision 2" in str(refusal)
    assert plain_sql.every_row(ledger) == before
    run("activate", "autumn", "--reason", "Seen it", "--revision", "4")


def test_of_two_drafts_with_one_id_only_the_one_that_was_seen_goes_live(ledger: Engine, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine.toml", tmp_path / "theirs.toml"
    mine.write_text(FILE.format(bps=1500).replace("autumn", "winter"), encoding="utf-8")
    theirs.write_text(FILE.format(bps=9000).replace("autumn", "winter"), encoding="utf-8")
    run("import", mine)
    assert isinstance(refused("import", theirs)[0], DraftNotSeen)
    run("import", theirs, "--replace")
    assert isinstance(refused("activate", "winter", "--reason", "Mine", "--revision", "1")[0], DraftNotSeen)
    with database.read(ledger) as connection:
        assert plan_records.activations(connection)[0].plan_id == "promptflow-v1"
