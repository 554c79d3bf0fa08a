"""Every command that writes asks who runs it; a table written by hand says which do, and every command stands in it."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from sqlalchemy import Engine
from typer.main import get_command
from typer.testing import CliRunner

from credits_core.access import keys as api_keys
from credits_core.access import people as access_people
from credits_core.cli import (
    backup,
    jobs,
    keys,
    ledger,
    limits,
    models,
    payouts,
    people,
    plans,
    refunds,
    trial_users,
    usage,
    webhooks,
)
from credits_core.cli import main as cli
from credits_core.pricing.plan_toml import price_plan_toml
from credits_core.store import database
from credits_core.values.refusals import NotAllowed
from credits_core.values.roles import PersonRole, Role, person
from tests.support import backup_world, usage_files, walked_limits, walked_webhooks, world
from tests.support.actors import TESTER
from tests.support.plain_sql import every_row
from tests.support.plans import SPECIFICATION
from tests.support.world import NOW

MODULES = (backup, jobs, keys, ledger, limits, models, payouts, people, plans, refunds, trial_users, usage, webhooks)
READS = {
    *("doctor", "explain", "margin", "price", "simulate", "api-key list", "people list", "test-user list"),
    *("backup list", "backup verify", "jobs history", "jobs list"),
    *("payouts explain", "payouts files", "payouts list", "payouts preview", "payouts show", "payouts statement"),
    *("proof check", "proof export", "proof head", "proof statement", "proof verify"),
    *("models diff", "models list", "models lists", "models show"),
    *("limits list", "low-balance list", "webhooks list", "webhooks deliveries"),
    *("usage costs", "usage list", "usage refused"),
    *("plan inspect", "plan journal", "plan list", "plan optimise", "plan replay", "plan show"),
}
ASKS_NOBODY = {
    "grant-app-role": "needs the owner of the tables",
    "migrate": "brings the schema of this version",
    "proof new-key": "writes a file of its own",
    "proof seal": "seals what is there, and changes none of it",
    "verify": "keeps what the audit found",
}
CREDITS, CHARGES, PLANS, PRICES, MANAGES = "finance, admin", "", "pricing, admin", "pricing, admin", "admin"
# Who of those who sign in might run it; the command line itself is for the operator, who may do everything.
WRITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "seed": (MANAGES, ()),
    "import-legacy": (CREDITS, ("{folder}/legacy.csv",)),
    "replay": (CHARGES, ("{folder}/log.csv", "--model", "openai/gpt-4o", "--user", "ada")),
    "refund": (CREDITS, ("1", "--reason", "Wrong user")),
    "models activate": (PRICES, ("2", "--reason", "Autumn", "--live-list", "1")),
    "models import": (PRICES, ("{folder}/prices.toml",)),
    "models offer": (PRICES, ("text-embedding-3-small", "--reason", "Asked for")),
    "models refresh": (PRICES, ()),
    "models withdraw": (PRICES, ("gpt-4", "--reason", "Old")),
    "plan activate": (PLANS, ("plan-2", "--reason", "Autumn", "--revision", "1")),
    "plan discard": (PLANS, ("plan-2", "--revision", "1")),
    "plan import": (PLANS, ("{folder}/plan.toml",)),
    "api-key create": (MANAGES, ("--name", "new", "--role", "service")),
    "api-key revoke": (MANAGES, ("--name", "shop")),
    "api-key rotate": (MANAGES, ("--name", "shop")),
    "people add": (MANAGES, ("new@example.org", "viewer")),
    "people remove": (MANAGES, ("known@example.org",)),
    "people role": (MANAGES, ("known@example.org", "tester")),
    "test-user add": (MANAGES, ("ada",)),
    "test-user remove": (MANAGES, ("ada",)),
    "backup create": (MANAGES, ()),
    "backup drill": (MANAGES, ()),
    "backup prune": (MANAGES, ()),
    "backup restore": (MANAGES, ("newest", "--unproved", "--into", "sqlite:///{folder}/restored.db")),
    "jobs run": (MANAGES, ("seals",)),
    "payouts propose": (CREDITS, ()),
    "payouts approve": (CREDITS, ("1",)),
    "payouts file": (CREDITS, ("1",)),
    "payouts paid": (CREDITS, ("1",)),
    "payouts failed": (CREDITS, ("1", "--reason", "Closed")),
    "payouts destination": (CREDITS, ("ada", "--account", "acct_ada")),
    "payouts pause": (CREDITS, ("ada", "--reason", "Ask first")),
    "payouts resume": (CREDITS, ("ada",)),
    "limits set": (CREDITS, ("500", "--per", "day", "--user", "ada")),
    "limits remove": (CREDITS, ("--per", "month", "--user", "ada")),
    "low-balance set": (MANAGES, ("500",)),
    "low-balance remove": (MANAGES, ("700",)),
    "usage delete": (PLANS, ("kept",)),
    "usage import": (PLANS, ("{folder}/log.csv", "--model", "openai/gpt-4o")),
    "webhooks add": (MANAGES, ("https://8.8.8.8/credits",)),
    "webhooks enable": (MANAGES, ("1",)),
    "webhooks remove": (MANAGES, ("1",)),
    "webhooks rotate": (MANAGES, ("1",)),
    "webhooks test": (MANAGES, ("1",)),
    "webhooks send-again": (MANAGES, ("1",)),
}


@pytest.fixture
def prepared(ledger: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A ledger with a user, a draft, a second price list and a key; and the files that commands name."""
    world.add(ledger, "ada", 10_000, key="fund")
    world.save_draft(ledger, world.dearer_book().plan)
    list_toml = world.PRICE_LIST
    database.write(
        ledger,
        lambda connection: (
            models.lists.save(connection, list_toml, source="a test", now=NOW, actor=TESTER),
            access_people.add(connection, "known@example.org", [PersonRole.VIEWER], now=NOW, actor=TESTER),
            api_keys.create_key(connection, "shop", key=api_keys.new_key(), role=Role.SERVICE, now=NOW, actor=TESTER),
            walked_webhooks.prepare(connection),
            walked_limits.prepare(connection),
        ),
    )
    monkeypatch.setenv("CREDITS_BACKUP_URL", str(tmp_path / "backups"))
    backup_world.back_up(ledger, backup_world.place(tmp_path))
    (tmp_path / "legacy.csv").write_text("user_id,credits\nben,5\n", encoding="utf-8")
    (tmp_path / "log.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-02-01 00:00:00,10,10\n", encoding="utf-8"
    )
    monkeypatch.setenv("CREDITS_USAGE_FOLDER", str(tmp_path / "usage"))
    usage_files.bring(tmp_path / "usage", usage_files.lines(usage_files.litellm()), name="kept")
    (tmp_path / "prices.toml").write_text(list_toml, encoding="utf-8")
    (tmp_path / "plan.toml").write_text(price_plan_toml(replace(SPECIFICATION, id="plan-3")), encoding="utf-8")
    return ledger


def _commands() -> set[str]:
    found = set()
    group = get_command(cli.app)
    assert isinstance(group, typer.core.TyperGroup)
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            found |= {f"{name} {inner}" for inner in command.commands}
        else:
            found.add(name)
    return found


def test_every_command_is_one_that_reads_or_stands_in_the_table() -> None:
    assert _commands() == READS | WRITES.keys() | ASKS_NOBODY.keys()


@pytest.mark.parametrize("command", WRITES)
def test_a_command_is_refused_to_whoever_may_not_do_it_and_leaves_no_trace(
    prepared: Engine, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may, options = WRITES[command]
    arguments = [*command.split(), *(option.format(folder=tmp_path) for option in options)]
    monkeypatch.setattr(models.offers, "refreshed_text", lambda *_, **__: world.PRICE_LIST)  # else nothing is saved
    names = may.split(", ")
    for role in sorted(PersonRole, key=lambda role: role.value in names):  # what was done is not there any more
        before = every_row(prepared)
        actor = person("one@example.org", frozenset({role}))
        for module in MODULES:
            monkeypatch.setattr(module, "actor", lambda actor=actor: actor)
        ran = CliRunner().invoke(cli.app, arguments)
        is_refused = isinstance(ran.exception, NotAllowed) or "may not charge" in str(ran.exception)
        assert is_refused == (role.value not in names), (role, ran.exception)
        if is_refused:
            assert every_row(prepared) == before
