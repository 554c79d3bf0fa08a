"""What the database itself refuses, whoever writes to it: proved by SQL that must fail."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from credits_core.store import database
from credits_core.store.kinds import CreditSource
from tests.support import world
from tests.support.plain_sql import every_row
from tests.support.world import LATER

# The entries of `_world`: 1 adds credits, 2 charges a run with a fee, 3 unlocks a flow, 4 is a grant that 5 refunds.
_ENTRY = "id, type, idempotency_key, request_hash, actor, refunds_entry_id, created_at_us"
_TRANSACTION = "entry_id, position, account_id, type, amount_credits, balance_after_credits, created_at_us"
_RUN = (
    "entry_id, user_id, prompt_id, model_id, creator_id, plan_id, input_tokens, output_tokens, run_price_credits,"
    " input_usd_per_mtok, output_usd_per_mtok, request_usd_per_thousand, inference_cost_credits, creator_fee_credits,"
    " platform_markup_credits, total_credits, creator_share_credits, created_at_us, usage, unit_prices"
)
_UNLOCK = (
    "entry_id, user_id, flow_id, creator_id, plan_id, unlock_fee_credits, creator_share_credits, refunded_by_entry_id,"
    " created_at_us"
)
_BARE_ENTRY = f"INSERT INTO journal_entries ({_ENTRY}) VALUES (99, 'prompt_run', 'k-99', '', 'x', NULL, 0); "

APPEND_ONLY = ("journal_entries", "credit_transactions", "prompt_runs", "refunds")
CHANGES = [
    "UPDATE journal_entries SET actor = 'someone'",
    "UPDATE journal_entries SET id = 999 WHERE id = 1",
    "UPDATE credit_transactions SET amount_credits = amount_credits + 1",
    "UPDATE credit_transactions SET created_at_us = 0 WHERE entry_id = 2 AND position = 0",
    "UPDATE prompt_runs SET total_credits = total_credits",
    "UPDATE refunds SET rule = 'cost_booked_back'",
    "DELETE FROM refunds",
    "DELETE FROM journal_entries WHERE id = 4",
    "DELETE FROM credit_transactions WHERE entry_id = 1 AND position = 1",
    "DELETE FROM prompt_runs",
    f"INSERT INTO journal_entries ({_ENTRY}) VALUES (2, 'grant', 'other', '', 'someone', NULL, 0)"
    " ON CONFLICT (id) DO UPDATE SET actor = 'someone'",
]
REPLACES = [
    f"INSERT OR REPLACE INTO journal_entries ({_ENTRY}) VALUES (1, 'grant', 'other', '', 'someone', NULL, 0)",
    f"INSERT OR REPLACE INTO journal_entries ({_ENTRY}) VALUES (99, 'refund', 'other', '', 'someone', 4, 0)",
    f"REPLACE INTO credit_transactions ({_TRANSACTION}) VALUES (1, 0, 'ada', 'grant', 1, 1, 0)",
    f"INSERT OR REPLACE INTO prompt_runs ({_RUN}) SELECT {_RUN.replace('prompt_id,', chr(39) + 'x' + chr(39) + ',')}"
    " FROM prompt_runs",
    "INSERT OR REPLACE INTO refunds VALUES (5, 'platform_bears_cost', TRUE)",
    "UPDATE OR REPLACE journal_entries SET idempotency_key = 'fund' WHERE id = 2",
    "UPDATE OR REPLACE credit_transactions SET position = 0 WHERE entry_id = 1",
]


def _world(engine: Engine) -> None:
    world.add(engine, "ada", 10_000, key="fund")
    world.charge(engine, world.HAIKU_WITH_FEE, key="run")
    world.unlock(engine, world.UNLOCK, key="unlock")
    granted = world.add(engine, "ada", 5, source=CreditSource.GRANT, reason="Welcome", key="grant")
    world.refund(engine, granted.entry_id, key="refund", now=LATER)


def _refused(engine: Engine, sql: str, *, because: str) -> None:
    """The statements fail for this reason, and nothing of them remains."""
    before = every_row(engine)
    *first, last = sql.split("; ")
    with engine.connect() as connection:
        for statement in first:
            connection.execute(text(statement))
        with pytest.raises(DBAPIError, match=because):
            connection.execute(text(last))
        connection.rollback()
    assert every_row(engine) == before


@pytest.mark.parametrize("change", CHANGES)
def test_history_cannot_be_changed_or_deleted(engine: Engine, change: str) -> None:
    _world(engine)
    _refused(engine, change, because="append-only: post a new entry instead")


@pytest.mark.parametrize("change", CHANGES + REPLACES)
def test_history_cannot_be_changed_from_a_plain_sqlite_connection(sqlite_engine: Engine, change: str) -> None:
    _world(sqlite_engine)
    before = every_row(sqlite_engine)
    with closing(_plain_connection(sqlite_engine, database.sqlite_driver())) as connection:
        assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        with pytest.raises(database.sqlite_driver().IntegrityError, match="append-only"):
            connection.execute(change)
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("change", REPLACES)
def test_history_cannot_be_replaced_on_sqlite(sqlite_engine: Engine, change: str) -> None:
    _world(sqlite_engine)
    _refused(sqlite_engine, change, because="append-only")


def test_an_activated_plan_cannot_be_replaced_from_a_plain_sqlite_connection(sqlite_engine: Engine) -> None:
    driver = database.sqlite_driver()
    with closing(_plain_connection(sqlite_engine, driver)) as connection:
        connection.execute(_DRAFT)
        before = every_row(sqlite_engine)
        for change in (
            "UPDATE OR REPLACE price_plans SET id = 'promptflow-v1' WHERE id = 'plan-2'",
            "INSERT OR REPLACE INTO price_plans VALUES ('promptflow-v1', '', 1, 'ada', 0, NULL, 1)",
        ):
            with pytest.raises(driver.IntegrityError, match="stays as it is"):
                connection.execute(change)
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "INSERT OR IGNORE"])
@pytest.mark.parametrize("id_", ["99", "NULL", "2"])
def test_an_entry_with_a_taken_key_changes_nothing_on_sqlite(sqlite_engine: Engine, verb: str, id_: str) -> None:
    _world(sqlite_engine)
    before = every_row(sqlite_engine)
    insert = f"{verb} INTO journal_entries ({_ENTRY}) VALUES ({id_}, 'grant', 'fund', '', 'someone', NULL, 0)"
    driver = database.sqlite_driver()
    with closing(_plain_connection(sqlite_engine, driver)) as connection, suppress(driver.IntegrityError):
        assert connection.execute(insert).rowcount == 0
    assert every_row(sqlite_engine) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_history_cannot_be_truncated_on_postgres(postgres_engine: Engine, table: str) -> None:
    _world(postgres_engine)
    _refused(postgres_engine, f"TRUNCATE {table} CASCADE", because="append-only")


def test_a_key_is_unique_on_postgres(postgres_engine: Engine) -> None:
    _world(postgres_engine)
    _refused(postgres_engine, _entry(key="'fund'"), because="uq_journal_entries_idempotency_key")


def test_history_cannot_be_truncated_by_way_of_the_users_on_postgres(postgres_engine: Engine) -> None:
    _world(postgres_engine)
    _refused(postgres_engine, "TRUNCATE user_credits CASCADE", because="append-only")


def test_history_cannot_be_changed_from_a_plain_postgres_connection(postgres_engine: Engine) -> None:
    _world(postgres_engine)
    before = every_row(postgres_engine)
    url = postgres_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for change in CHANGES:
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(change.encode())
    assert every_row(postgres_engine) == before


def _plain_connection(engine: Engine, driver: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = driver.connect(engine.url.database, isolation_level=None)
    return connection


def _entry(type_: str = "'grant'", key: str = "'k-99'", refunds: str = "NULL") -> str:
    return f"INSERT INTO journal_entries ({_ENTRY}) VALUES (99, {type_}, {key}, '', 'x', {refunds}, 0)"


def _transaction(
    account: str = "'ada'", type_: str = "'prompt_run'", amount: str = "-1", after: str = "1", entry: str = "99"
) -> str:
    return (
        f"{_BARE_ENTRY}INSERT INTO credit_transactions ({_TRANSACTION})"
        f" VALUES ({entry}, 0, {account}, {type_}, {amount}, {after}, 0)"
    )


def _run(**changed: str) -> str:
    columns = {
        "entry_id": "99",
        "user_id": "'ada'",
        "prompt_id": "'p'",
        "model_id": "'m'",
        "creator_id": "'ben'",
        "plan_id": "'plan'",
        "input_tokens": "NULL",
        "output_tokens": "NULL",
        "run_price_credits": "250",
        "input_usd_per_mtok": "NULL",
        "output_usd_per_mtok": "NULL",
        "request_usd_per_thousand": "NULL",
        "inference_cost_credits": "250",
        "creator_fee_credits": "1001",
        "platform_markup_credits": "0",
        "total_credits": "1251",
        "creator_share_credits": "800",
        "created_at_us": "0",
        "usage": "NULL",
        "unit_prices": "NULL",
    }
    assert changed.keys() <= columns.keys()
    return f"{_BARE_ENTRY}INSERT INTO prompt_runs ({_RUN}) VALUES ({', '.join({**columns, **changed}.values())})"


_DRAFT = "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('plan-2', '', 1, 'ada', 0)"


def _activation(**changed: str) -> str:
    columns = {
        "id": "2",
        "plan_id": "'promptflow-v1'",
        "reason": "'again'",
        "actor": "'ada'",
        "activated_at_us": "0",
        "seal": "'seal'",
    }
    assert changed.keys() <= columns.keys()
    return f"INSERT INTO plan_activations ({', '.join(columns)}) VALUES ({', '.join({**columns, **changed}.values())})"


def _rule(**changed: str) -> str:
    """A rule of the refund 99, which gives back entry 2."""
    row = {"entry_id": "99", "rule": "'platform_bears_cost'", "provider_refunded": "FALSE"} | changed
    refund = _entry("'refund'", refunds="2")
    return f"{refund}; INSERT INTO refunds ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def _unlock(**changed: str) -> str:
    columns = {
        "entry_id": "99",
        "user_id": "'ada'",
        "flow_id": "'new-flow'",
        "creator_id": "'ben'",
        "plan_id": "'plan'",
        "unlock_fee_credits": "1001",
        "creator_share_credits": "800",
        "refunded_by_entry_id": "NULL",
        "created_at_us": "0",
    }
    assert changed.keys() <= columns.keys()
    return f"{_BARE_ENTRY}INSERT INTO unlocked_flows ({_UNLOCK}) VALUES ({', '.join({**columns, **changed}.values())})"


_TOKEN_PRICED = {
    "run_price_credits": "NULL",
    "input_tokens": "1",
    "output_tokens": "1",
    "input_usd_per_mtok": "'1'",
    "output_usd_per_mtok": "'1'",
    "request_usd_per_thousand": "'0'",
}
# The name that PostgreSQL gives in its message, and SQLite's wording where that names no constraint.
REFUSED = {
    "a negative balance": ("UPDATE user_credits SET balance_credits = -1", "ck_user_credits_balance_in_bounds"),
    "a balance above the largest": (
        "UPDATE user_credits SET balance_credits = 9007199254740992",
        "ck_user_credits_balance_in_bounds",
    ),
    "a balance that is missing": ("UPDATE user_credits SET balance_credits = NULL", "null value|NOT NULL"),
    "a second account for a user": (
        "INSERT INTO user_credits VALUES ('ada', 0, 0)",
        "pk_user_credits|UNIQUE constraint failed: user_credits.user_id",
    ),
    "a user with runs being deleted": ("DELETE FROM user_credits WHERE user_id = 'ada'", "fk_|FOREIGN KEY"),
    "an unknown kind of entry": (_entry("'gift'"), "ck_journal_entries_type_known"),
    "a second refund of an entry": (
        _entry("'refund'", refunds="4"),
        "uq_journal_entries_refunds_entry_id|this entry was refunded before",
    ),
    "a refund of nothing": (_entry("'refund'"), "ck_journal_entries_refund_names_entry"),
    "a grant that refunds": (_entry(refunds="1"), "ck_journal_entries_refund_names_entry"),
    "a refund of an entry that does not exist": (_entry("'refund'", refunds="77"), "fk_|FOREIGN KEY"),
    "an unknown kind of transaction": (_transaction(type_="'tip'"), "ck_credit_transactions_type_known"),
    "a transaction of zero": (_transaction(amount="0"), "ck_credit_transactions_amount_in_bounds"),
    "an amount above the largest": (
        _transaction(amount="9007199254740992"),
        "ck_credit_transactions_amount_in_bounds",
    ),
    "an amount below the smallest": (
        _transaction(amount="-9007199254740992"),
        "ck_credit_transactions_amount_in_bounds",
    ),
    "a user's transaction without the balance after it": (
        _transaction(after="NULL"),
        "ck_credit_transactions_balance_only_for_users",
    ),
    "a balance after a platform account's transaction": (
        _transaction(account="'platform:revenue'"),
        "ck_credit_transactions_balance_only_for_users",
    ),
    "a negative balance after a transaction": (
        _transaction(after="-1"),
        "ck_credit_transactions_balance_not_negative",
    ),
    "a transaction without an entry": (_transaction(entry="98"), "fk_|FOREIGN KEY"),
    "a transaction's place taken twice": (
        f"INSERT INTO credit_transactions ({_TRANSACTION}) VALUES (2, 0, 'ada', 'grant', 1, 1, 0)",
        "pk_credit_transactions|append-only",
    ),
    "a total above the sum of its parts": (_run(total_credits="1252"), "ck_prompt_runs_total_is_sum"),
    "a total below the sum of its parts": (_run(total_credits="1250"), "ck_prompt_runs_total_is_sum"),
    "a creator's share above the fee": (_run(creator_share_credits="1002"), "ck_prompt_runs_share_within_fee"),
    "a negative creator's share": (_run(creator_share_credits="-1"), "ck_prompt_runs_share_within_fee"),
    "a fee without a creator": (_run(creator_id="NULL"), "ck_prompt_runs_fee_has_creator"),
    "a creator without a fee": (
        _run(creator_fee_credits="0", creator_share_credits="0", total_credits="250"),
        "ck_prompt_runs_fee_has_creator",
    ),
    "a run without any price": (_run(run_price_credits="NULL"), "ck_prompt_runs_one_price"),
    "a run with both kinds of price": (
        _run(**{**_TOKEN_PRICED, "run_price_credits": "250"}),
        "ck_prompt_runs_one_price",
    ),
    "a run priced per token without its tokens": (
        _run(**{**_TOKEN_PRICED, "output_tokens": "NULL"}),
        "ck_prompt_runs_one_price",
    ),
    "a run with a price per run and prices for each unit": (_run(unit_prices="'{}'"), "ck_prompt_runs_one_price"),
    "a run with a usage and input tokens": (_run(usage="'{}'", input_tokens="1"), "ck_prompt_runs_one_usage"),
    "a run with a usage and output tokens": (_run(usage="'{}'", output_tokens="0"), "ck_prompt_runs_one_usage"),
    "a run of a user without an account": (_run(user_id="'nobody'"), "fk_|FOREIGN KEY"),
    "a run without an entry": (_run(entry_id="98"), "fk_|FOREIGN KEY"),
    "a second run of an entry": (_run(entry_id="2"), "pk_prompt_runs|append-only"),
    "two unlocks of a flow in force": (
        _unlock(flow_id="'report-flow'"),
        "uq_unlocked_flows_in_force|UNIQUE constraint failed: unlocked_flows.user_id, unlocked_flows.flow_id",
    ),
    "an unlock for nothing": (
        _unlock(unlock_fee_credits="0", creator_share_credits="0"),
        "ck_unlocked_flows_fee_positive",
    ),
    "an unlock whose share is above the fee": (
        _unlock(creator_share_credits="1002"),
        "ck_unlocked_flows_share_within_fee",
    ),
    "an unlock of a user without an account": (_unlock(user_id="'nobody'"), "fk_|FOREIGN KEY"),
    "a plan without a revision": (
        "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('plan-2', '', 0, 'ada', 0)",
        "ck_price_plans_revision_positive",
    ),
    "a plan's id taken twice": (
        "INSERT INTO price_plans (id, toml, revision, actor, saved_at_us) VALUES ('promptflow-v1', '', 1, 'ada', 0)",
        "pk_price_plans|a plan that was activated",
    ),
    "an activation without a reason": (_activation(reason="''"), "ck_plan_activations_reason_given"),
    "an activation of no plan": (_activation(plan_id="'plan-2'"), "fk_|FOREIGN KEY"),
    "an activation's number taken twice": (_activation(id="1"), "pk_plan_activations|append-only"),
    "a change of a plan that was activated": (
        "UPDATE price_plans SET toml = '' WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a plan discarded that was activated": (
        "UPDATE price_plans SET discarded_at_us = 0 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "an older last activation of a plan": (
        "UPDATE price_plans SET last_activation_id = NULL WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a last activation of a plan that is not in the journal": (
        "UPDATE price_plans SET last_activation_id = 2 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a change of a plan with its last activation": (
        f"{_activation()}; UPDATE price_plans SET last_activation_id = 2, revision = 2 WHERE id = 'promptflow-v1'",
        "was activated",
    ),
    "a last activation of a plan that was never live": (
        f"{_DRAFT}; UPDATE price_plans SET last_activation_id = 1 WHERE id = 'plan-2'",
        "was activated",
    ),
    "a plan deleted that was activated": ("DELETE FROM price_plans WHERE id = 'promptflow-v1'", "was activated"),
    "a change of an activation": ("UPDATE plan_activations SET reason = 'other'", "append-only"),
    "an activation deleted": ("DELETE FROM plan_activations", "append-only"),
    "a refund under an unknown rule": (_rule(rule="'nobody_bears_cost'"), "ck_refunds_rule_known"),
    "a provider that the earlier rule did not ask": (
        _rule(rule="'cost_booked_back'", provider_refunded="TRUE"),
        "ck_refunds_asked_by_rule",
    ),
    "a rule without a refund": (_rule(entry_id="77"), "fk_|FOREIGN KEY"),
    "a second rule of a refund": (_rule(entry_id="5"), "pk_refunds|append-only"),
    "a second watermark": ("INSERT INTO rollup_watermark (id, entry_id) VALUES (2, 0)", "ck_rollup_watermark_one_row"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_database_refuses(engine: Engine, what: str) -> None:
    _world(engine)
    sql, because = REFUSED[what]
    _refused(engine, sql, because=because)


ACCEPTED = {
    "a run priced per run": _run(),
    "a run priced per token": _run(**_TOKEN_PRICED),
    "a run priced per run that also kept its tokens": _run(input_tokens="1", output_tokens="1"),
    "another flow": _unlock(),
    "a flow again that was refunded": _unlock(flow_id="'report-flow'", refunded_by_entry_id="99"),
    "a user's transaction": _transaction(),
    "a platform account's transaction": _transaction(account="'platform:revenue'", after="NULL"),
    "a user whose name begins like the platform's": _transaction(account="'platform'"),
    "the largest amount": _transaction(amount="9007199254740991"),
    "the smallest amount": _transaction(amount="-9007199254740991"),
    "the largest balance": "UPDATE user_credits SET balance_credits = 9007199254740991",
    "an empty balance": "UPDATE user_credits SET balance_credits = 0",
    "a first refund of an entry": _entry("'refund'", refunds="2"),
    "a refund under the present rule": _rule(),
    "a refund under the present rule that the provider gave back": _rule(provider_refunded="TRUE"),
    "a refund under the earlier rule": _rule(rule="'cost_booked_back'"),
    "a fee beside a markup": _run(platform_markup_credits="50", total_credits="1301"),
    "another activation": _activation(),
    "a draft that is changed": f"{_DRAFT}; UPDATE price_plans SET toml = 'other', revision = 2 WHERE id = 'plan-2'",
    "a draft that is discarded": f"{_DRAFT}; UPDATE price_plans SET discarded_at_us = 7 WHERE id = 'plan-2'",
    "a draft that is deleted": f"{_DRAFT}; DELETE FROM price_plans WHERE id = 'plan-2'",
    "the last activation of a plan": (
        f"{_activation()}; UPDATE price_plans SET last_activation_id = 2 WHERE id = 'promptflow-v1'"
    ),
    "the first activation of a plan": (
        f"{_DRAFT}; {_activation(plan_id=chr(39) + 'plan-2' + chr(39))}; "
        "UPDATE price_plans SET last_activation_id = 2 WHERE id = 'plan-2'"
    ),
}


@pytest.fixture
def tampered_engine(engine: Engine) -> Iterator[Engine]:
    """A world whose changes are all rolled back: rows that were put in by hand do not add up."""
    _world(engine)
    before = every_row(engine)
    yield engine
    assert every_row(engine) == before


@pytest.mark.parametrize("what", ACCEPTED)
def test_the_database_accepts(tampered_engine: Engine, what: str) -> None:
    # The other side of every refusal above: the same row with the one thing set right goes in.
    with tampered_engine.connect() as connection:
        for statement in ACCEPTED[what].split("; "):
            assert connection.execute(text(statement)).rowcount >= 1
        connection.rollback()
