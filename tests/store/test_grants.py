"""The role that the product runs as on PostgreSQL may do what `store/grants.py` says, and nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from credits_core.audit import invariants
from credits_core.errors import InvalidRequest
from credits_core.pricing.quote import PriceBook
from credits_core.store import clearing, database, grants
from credits_core.store.tables import Base
from tests.support import rows
from tests.support.plain_sql import every_row

APPEND_ONLY = (
    *("activity", "audit_runs", "credit_transactions", "journal_entries", "plan_activations"),
    *(
        "price_list_activations",
        "prompt_runs",
        "refunds",
        "seals",
        "unlock_answers",
        "hold_ends",
        "lot_terms",
        "lot_draws",
    ),
    *("purchases", "purchase_events", "purchase_moves", "purchase_receipts"),
    *("payout_terms", "payout_cycles", "payout_approvals", "payouts", "payout_moves", "payout_reports"),
    *("payout_files", "payout_file_lines"),
    *("webhook_events", "partial_refunds"),
)
# The columns of a table that has some of its columns changed, by hand: all others stay.
MAY_CHANGE = {
    "alerts": {"said", "counts_from_us", "ended_at_us", "told_at_us", "end_told_at_us"},
    "api_keys": {"expires_at_us", "revoked_at_us", "replaced_at_us"},
    "people": {"roles", "since_us", "added_by", "removed_at_us"},
    "price_lists": {"last_activation_id"},
    "price_plans": {"toml", "revision", "actor", "saved_at_us", "discarded_at_us", "last_activation_id"},
    "proposals": {"state", "decided_by", "decided_at_us", "decision_reason", "entry_id"},
    "rollup_watermark": {"entry_id", "time_zone", "circulating_credits"},
    "sign_in_sessions": {"seen_at_us", "ended_at_us"},
    "unlocked_flows": {"refunded_by_entry_id"},
    "lots": {"left_credits"},
    "spending_limits": {
        *(
            "limit_credits",
            "time_zone",
            "begins_us",
            "ends_us",
            "spent_credits",
            "after_entry_id",
            "actor",
            "set_at_us",
        ),
    },
    "sandbox_events": {"told_at_us"},
    "holds": {"ended_by_entry_id"},
    "user_credits": {"balance_credits", "has_parts", "has_lots"},
    "user_parts": {"balance_credits"},
    "watch_findings": {"numbers", "entries", "looked_at_us", "looked_by", "note"},
    "watch_progress": {"entry_id"},
    "low_balance_progress": {"entry_id", "told_event_id", "failed_tries", "next_try_at_us"},
    "webhook_deliveries": {"state", "tries", "next_at_us", "tried_at_us", "status", "answer"},
    "webhook_held_users": {"after_entry_id", "after_event_id"},
    "webhook_endpoints": {
        *("secret", "old_secret", "old_until_us", "after_entry_id", "after_event_id", "after_activation_id"),
        *("failing_since_us", "disabled_at_us", "disabled_because", "removed_at_us"),
    },
}
MAY_DELETE = {
    *(
        "alert_samples",
        "alerts",
        "api_calls",
        "daily_sums",
        "daily_totals",
        "daily_works",
        "invariant_results",
        "job_leases",
        "job_runs",
    ),
    *("saved_views", "sign_in_sessions", "trial_users", "watch_key_days"),
    *("events_to_settle", "low_balance_levels", "spending_limits", "webhook_deliveries", "webhook_held_users"),
}
MAY_CHANGE_ALL = {
    "daily_sums",
    "daily_totals",
    "daily_works",
    "job_leases",
    "job_runs",
    "saved_views",
    "watch_key_days",
}
NO_ONE_MAY = (
    "SELECT setval('journal_entries_id_seq', 5)",
    "ALTER SEQUENCE journal_entries_id_seq RESTART",
    "CREATE TABLE mine (id bigint)",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION refuse_change() CASCADE",
    "SET session_replication_role = replica",
    "SET ROLE postgres",
    "ALTER ROLE credits_product SUPERUSER",
    "UPDATE alembic_version SET version_num = '0001'",
    "INSERT INTO alembic_version VALUES ('0001')",
    "DROP SCHEMA public CASCADE",
    "UPDATE pg_catalog.pg_trigger SET tgenabled = 'D'",
)


def denied(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text(statement))
        connection.rollback()
    said = str(caught.value.orig)
    assert any(words in said for words in ("permission denied", "must be owner", "must be superuser", "must have")), (
        said
    )


def test_every_table_has_its_line() -> None:
    assert grants.GRANTS.keys() == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.parametrize("table", sorted(grants.GRANTS))
def test_the_product_cannot_do_more_to_a_table_than_it_must(postgres_engine: Engine, table: str) -> None:
    before = every_row(postgres_engine)
    with postgres_engine.connect() as connection:
        columns = connection.execute(text(f"SELECT * FROM {table} LIMIT 0")).keys()
    changeable = set(columns) if table in MAY_CHANGE_ALL else MAY_CHANGE.get(table, set())
    for column in columns:
        update = f"UPDATE {table} SET {column} = {column}"
        if column not in changeable:
            denied(postgres_engine, update)
    if table not in MAY_DELETE:
        denied(postgres_engine, f"DELETE FROM {table}")
    for statement in (
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} ADD COLUMN mine integer",
        f"DROP TABLE {table} CASCADE",
        f"CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
        f"CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE INDEX mine ON {table} ((1))",
        f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE" if table in APPEND_ONLY else f"DROP TABLE {table}",
    ):
        denied(postgres_engine, statement)
    assert every_row(postgres_engine) == before


@pytest.mark.parametrize("statement", NO_ONE_MAY)
def test_the_product_cannot_reach_what_guards_the_ledger(postgres_engine: Engine, statement: str) -> None:
    denied(postgres_engine, statement)


def test_the_product_works_and_is_audited_as_that_role(postgres_engine: Engine, book: PriceBook) -> None:
    with postgres_engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar_one() == "credits_product"
        assert grants.excess(connection, "credits_product") == []
    rows.small_world(postgres_engine)
    assert [finding for finding in invariants.check(postgres_engine, book.plans) if not finding.ok] == []


def test_only_the_owner_empties_the_database(postgres_engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="the role that owns the tables"):
        database.write(postgres_engine, clearing.clear)


@contextmanager
def role(engine: Engine, options: str = "") -> Iterator[str]:
    name = f"clerk_{os.getpid()}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN {options}"))
    try:
        yield name
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))


def refused(engine: Engine, name: str, because: str) -> None:
    with pytest.raises(InvalidRequest, match=because), engine.begin() as connection:
        grants.grant(connection, name)


@pytest.mark.as_owner
def test_a_role_that_can_do_more_by_itself_is_refused(postgres_engine: Engine) -> None:
    refused(postgres_engine, "postgres", "it is a superuser; nothing was granted")
    refused(postgres_engine, "nobody_at_all", "does not exist")
    with role(postgres_engine, "CREATEROLE") as name:
        refused(postgres_engine, name, "it is a maker of roles")
    with role(postgres_engine, "IN ROLE pg_write_all_data") as name:
        refused(postgres_engine, name, "it is a member of pg_write_all_data")
    with role(postgres_engine) as name:
        with postgres_engine.begin() as connection:
            connection.execute(text(f"GRANT CREATE ON SCHEMA public TO {name}"))
            connection.execute(text(f"ALTER TABLE saved_views OWNER TO {name}"))
        refused(postgres_engine, name, "it is the owner of the table saved_views")
        with postgres_engine.begin() as connection:
            connection.execute(text("ALTER TABLE saved_views OWNER TO CURRENT_USER"))


@pytest.mark.as_owner
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("DELETE ON journal_entries", "DELETE on journal_entries"),
        ("UPDATE (actor) ON journal_entries", "UPDATE of journal_entries.actor"),
        ("UPDATE ON SEQUENCE journal_entries_id_seq", "setval on journal_entries_id_seq"),
        ("CREATE ON SCHEMA public", "CREATE in the schema"),
    ],
)
def test_what_everybody_may_do_is_found(postgres_engine: Engine, given: str, named: str) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text(f"GRANT {given} TO PUBLIC"))
    with role(postgres_engine) as name:
        refused(postgres_engine, name, f"it has {named} from PUBLIC or another role")


@pytest.mark.as_owner
def test_what_a_role_had_before_is_taken_away(postgres_engine: Engine) -> None:
    with role(postgres_engine) as name, postgres_engine.begin() as connection:
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"))
        assert grants.excess(connection, name) != []
        grants.grant(connection, name)
        assert grants.excess(connection, name) == []
        grants.grant(connection, name)
        connection.rollback()


def test_sqlite_has_no_roles(sqlite_engine: Engine) -> None:
    with pytest.raises(InvalidRequest, match="SQLite has no roles"), sqlite_engine.begin() as connection:
        grants.grant(connection, "anybody")
