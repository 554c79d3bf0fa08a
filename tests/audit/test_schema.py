"""The schema is compared with a fresh one, text by text: each change is told, and a fresh one is never accused."""

import re
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, Engine, text

from credits_core.audit.schema import constraints_hold, ledger_is_append_only
from credits_core.pricing.quote import PriceBook
from credits_core.store import database, described
from credits_core.store.described import Part
from tests.support import rows
from tests.support.schema_names import CHECKS, FOREIGN_KEYS, INDEXES, TABLES, TRIGGERS, UNIQUE_KEYS

pytestmark = pytest.mark.as_owner

PAYING = "UPDATE user_credits SET balance_credits = balance_credits + 1"
KEPT = "SELECT RAISE(ABORT, 'journal_entries is append-only: post a new entry instead')"

# What was done to the schema, and every sentence about it.
ON_SQLITE: dict[str, tuple[Sequence[str], list[str]]] = {
    "a trigger that refuses nothing": (
        [
            "DROP TRIGGER journal_entries_no_update",
            "CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries BEGIN SELECT 1; END",
        ],
        [
            "the trigger journal_entries_no_update is not as it should be: it says ‘1; END’, and not"
            " ‘RAISE(ABORT, 'journal_entries is append-only: post a new entry instead'); END’"
        ],
    ),
    "a trigger that refuses some": (
        [
            "DROP TRIGGER journal_entries_no_update",
            "CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries WHEN OLD.id < 5"
            f" BEGIN {KEPT}; END",
        ],
        ["the trigger journal_entries_no_update is not as it should be: it also says ‘WHEN OLD.id < 5’"],
    ),
    "a trigger that keeps its words in a comment": (
        [
            "DROP TRIGGER journal_entries_no_update",
            "CREATE TRIGGER journal_entries_no_update BEFORE UPDATE ON journal_entries BEGIN SELECT 1"
            " /* RAISE(ABORT, 'journal_entries is append-only: post a new entry instead') */; END",
        ],
        ["the trigger journal_entries_no_update is not as it should be: it says ‘1 /* RAISE("],
    ),
    "a trigger of one's own that pays with every entry": (
        [f"CREATE TRIGGER pay AFTER INSERT ON journal_entries BEGIN {PAYING} WHERE user_id = 'me'; END"],
        ["the trigger pay on journal_entries does not belong here"],
    ),
    "the same on the table in capitals": (
        [f"CREATE TRIGGER pay AFTER INSERT ON JOURNAL_ENTRIES BEGIN {PAYING}; END"],
        ["the trigger pay on journal_entries does not belong here"],
    ),
    "a trigger that leaves out what it does not like": (
        ["CREATE TRIGGER skip BEFORE INSERT ON prompt_runs BEGIN SELECT RAISE(IGNORE); END"],
        ["the trigger skip on prompt_runs does not belong here"],
    ),
    "a trigger moved to another table": (
        [
            "DROP TRIGGER refunds_no_update",
            "CREATE TRIGGER refunds_no_update BEFORE UPDATE ON saved_views BEGIN SELECT RAISE(ABORT, 'no'); END",
        ],
        [
            "the trigger refunds_no_update is missing",
            "the trigger refunds_no_update on saved_views does not belong here",
        ],
    ),
    "a table made anew without its check": (
        [
            "CREATE TABLE made_anew (user_id VARCHAR(128) NOT NULL, balance_credits BIGINT NOT NULL,"
            " created_at_us BIGINT NOT NULL, has_parts BOOLEAN DEFAULT 0 NOT NULL,"
            " has_lots BOOLEAN DEFAULT 0 NOT NULL,"
            " CONSTRAINT pk_user_credits PRIMARY KEY (user_id))",
            "DROP TABLE user_credits",
            "ALTER TABLE made_anew RENAME TO user_credits",
            "CREATE INDEX ix_user_credits_folded_id ON user_credits (lower(user_id))",
        ],
        ["ck_user_credits_balance_in_bounds is missing", 'it says ‘CREATE TABLE "user_credits" (...)’'],
    ),
    "a check that was written over": (
        [
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'BETWEEN 0 AND', 'BETWEEN -5 AND')"
            " WHERE name = 'user_credits'",
            "PRAGMA writable_schema = OFF",
        ],
        ["the constraint ck_user_credits_balance_in_bounds is not as it should be: it says ‘-5 AND"],
    ),
    "a column of one's own": (
        ["ALTER TABLE journal_entries ADD COLUMN mine TEXT DEFAULT 'x'"],
        ["the column journal_entries.mine on journal_entries does not belong here"],
    ),
    "a column that may be empty": (
        [
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'actor VARCHAR(128) NOT NULL', 'actor VARCHAR(128)')"
            " WHERE name = 'activity'",
            "PRAGMA writable_schema = OFF",
        ],
        [
            "the column activity.actor is not as it should be: it says ‘actor VARCHAR(128)’,"
            " and not ‘actor VARCHAR(128) NOT NULL’"
        ],
    ),
    "a unique index for which two rows may be the same": (
        [
            "DROP INDEX uq_unlocked_flows_in_force",
            "CREATE INDEX uq_unlocked_flows_in_force ON unlocked_flows (user_id, flow_id)"
            " WHERE refunded_by_entry_id IS NULL",
        ],
        ["the index uq_unlocked_flows_in_force is not as it should be"],
    ),
    "a unique index of one's own, which refuses what is right": (
        ["CREATE UNIQUE INDEX mine ON prompt_runs (prompt_id)"],
        ["the index mine on prompt_runs does not belong here"],
    ),
    "an index of an expression": (
        ["CREATE INDEX mine ON prompt_runs (abs(total_credits))"],
        ["the index mine on prompt_runs does not belong here"],
    ),
    "a view in a table's place": (
        ["DROP TABLE saved_views", "CREATE VIEW saved_views AS SELECT 1 AS id"],
        ["the table saved_views is missing", "the view saved_views on saved_views does not belong here"],
    ),
}
ON_POSTGRES: dict[str, tuple[Sequence[str], list[str]]] = {
    "a rule that swallows writes": (
        ["CREATE RULE swallow AS ON INSERT TO credit_transactions DO INSTEAD NOTHING"],
        ["the rule swallow on credit_transactions does not belong here"],
    ),
    "an emptied function": (
        ["CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"],
        ["the function refuse_change() is not as it should be: it says ‘BEGIN RETURN NEW; END’"],
    ),
    "a function with its words in a comment": (
        [
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW;"
            " -- RAISE EXCEPTION\nEND $$"
        ],
        ["the function refuse_change() is not as it should be"],
    ),
    "a trigger that is switched off": (
        ["ALTER TABLE refunds DISABLE TRIGGER refunds_no_change"],
        ["the trigger refunds_no_change is switched off"],
    ),
    "a trigger for replicas only": (
        ["ALTER TABLE refunds ENABLE REPLICA TRIGGER refunds_no_change"],
        ["the trigger refunds_no_change is switched off"],
    ),
    "a trigger with a condition": (
        [
            "DROP TRIGGER refunds_no_change ON refunds",
            "CREATE TRIGGER refunds_no_change BEFORE UPDATE OR DELETE ON refunds FOR EACH ROW"
            " WHEN (OLD.entry_id < 5) EXECUTE FUNCTION refuse_change()",
        ],
        ["the trigger refunds_no_change is not as it should be: it also says ‘WHEN (old.entry_id < 5)’"],
    ),
    "a trigger of another function": (
        [
            "CREATE FUNCTION allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "DROP TRIGGER refunds_no_change ON refunds",
            "CREATE TRIGGER refunds_no_change BEFORE UPDATE OR DELETE ON refunds FOR EACH ROW EXECUTE FUNCTION allow()",
        ],
        [
            "the trigger refunds_no_change is not as it should be: it says ‘allow()’, and not ‘refuse_change()’",
            "the function allow() does not belong here",
        ],
    ),
    "a trigger of one's own that pays with every entry": (
        [
            f"CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {PAYING}; RETURN NEW; END'",
            "CREATE TRIGGER pay AFTER INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION pay()",
        ],
        ["the function pay() does not belong here", "the trigger pay on journal_entries does not belong here"],
    ),
    "foreign keys that are switched off": (
        ["ALTER TABLE trial_users DISABLE TRIGGER ALL"],
        ["the foreign key that is switched off fk_trial_users_user_id on trial_users does not belong here"],
    ),
    "a table without its check": (
        ["ALTER TABLE user_credits DROP CONSTRAINT ck_user_credits_balance_in_bounds"],
        ["ck_user_credits_balance_in_bounds is missing"],
    ),
    "a key that may come twice": (
        ["ALTER TABLE journal_entries DROP CONSTRAINT uq_journal_entries_idempotency_key"],
        ["uq_journal_entries_idempotency_key is missing"],
    ),
    "a user who need not exist": (
        ["ALTER TABLE prompt_runs DROP CONSTRAINT fk_prompt_runs_user_id"],
        ["fk_prompt_runs_user_id is missing"],
    ),
    "a loosened check": (
        [
            "ALTER TABLE user_credits DROP CONSTRAINT ck_user_credits_balance_in_bounds",
            "ALTER TABLE user_credits ADD CONSTRAINT ck_user_credits_balance_in_bounds CHECK (balance_credits > -5)",
        ],
        ["the constraint ck_user_credits_balance_in_bounds is not as it should be: it says ‘CHECK (balance"],
    ),
    "a check that was never validated": (
        [
            "ALTER TABLE refunds DROP CONSTRAINT ck_refunds_rule_known",
            "ALTER TABLE refunds ADD CONSTRAINT ck_refunds_rule_known"
            " CHECK (rule = 'creator_owes_share' OR rule = 'platform_bears_cost' OR rule = 'cost_booked_back')"
            " NOT VALID",
        ],
        ["ck_refunds_rule_known was never validated"],
    ),
    "a key that is checked late": (
        [
            "ALTER TABLE trial_users DROP CONSTRAINT fk_trial_users_user_id",
            "ALTER TABLE trial_users ADD CONSTRAINT fk_trial_users_user_id FOREIGN KEY (user_id)"
            " REFERENCES user_credits ON DELETE CASCADE",
        ],
        ["the constraint fk_trial_users_user_id is not as it should be"],
    ),
    "a column of another default": (
        ["ALTER TABLE journal_entries ALTER COLUMN actor SET DEFAULT 'nobody'"],
        ["the column journal_entries.actor is not as it should be"],
    ),
    "a column that may be empty": (
        ["ALTER TABLE journal_entries ALTER COLUMN actor DROP NOT NULL"],
        ["it says ‘character varying(128)’, and not ‘character varying(128) not null’"],
    ),
    "numbers that go backwards": (
        ["ALTER SEQUENCE journal_entries_id_seq INCREMENT BY -1 MINVALUE -5"],
        ["the sequence journal_entries_id_seq is not as it should be"],
    ),
    "a unique index of one's own": (
        ["CREATE UNIQUE INDEX mine ON prompt_runs (prompt_id)"],
        ["the index mine on prompt_runs does not belong here"],
    ),
    "a table that is lost when the server falls": (
        ["ALTER TABLE saved_views SET UNLOGGED"],
        ["the table saved_views is not as it should be: it says ‘table not logged’, and not ‘table’"],
    ),
    "rows that are hidden": (
        [
            "ALTER TABLE activity ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY few ON activity USING (id > 5)",
        ],
        [
            "the table activity is not as it should be: it says ‘table with row security’, and not ‘table’",
            "the row security policy few on activity does not belong here",
        ],
    ),
    "rows of another table among the ledger's": (
        ["CREATE TABLE more () INHERITS (activity)"],
        ["the table that inherits more on activity does not belong here"],
    ),
    "a function instead of PostgreSQL's own": (
        ["CREATE FUNCTION lower(character varying) RETURNS text LANGUAGE sql AS $$ SELECT 'me' $$"],
        ["the function lower(character varying) does not belong here"],
    ),
    "an operator of one's own": (
        [
            "CREATE FUNCTION never(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
            "CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = never)",
        ],
        ["the operator = of character varying and character varying does not belong here"],
    ),
    "an event trigger": (
        [
            "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE EVENT TRIGGER on_ddl ON ddl_command_end EXECUTE FUNCTION on_ddl()",
        ],
        ["the event trigger on_ddl does not belong here"],
    ),
    "triggers switched off for everybody who connects": (
        ["ALTER ROLE CURRENT_USER SET session_replication_role = replica"],
        ["the setting session_replication_role=replica for postgres does not belong here"],
    ),
    "a view in a table's place": (
        ["DROP TABLE saved_views", "CREATE VIEW saved_views AS SELECT 1 AS id"],
        ["the table saved_views is missing", "the view saved_views on saved_views does not belong here"],
    ),
}
HARMLESS = {
    "sqlite": [
        "CREATE INDEX mine ON prompt_runs (prompt_id, created_at_us)",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, entry_id INTEGER REFERENCES journal_entries (id))",
        "CREATE VIEW spent AS SELECT user_id, SUM(total_credits) FROM prompt_runs GROUP BY user_id",
        "CREATE TRIGGER notes_kept BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'kept'); END",
        "ANALYZE",
    ],
    "postgresql": [
        "CREATE INDEX mine ON prompt_runs (prompt_id, created_at_us)",
        "CREATE TABLE notes (id bigint PRIMARY KEY, entry_id bigint REFERENCES journal_entries (id))",
        "CREATE VIEW spent AS SELECT user_id, SUM(total_credits) FROM prompt_runs GROUP BY user_id",
        "CREATE FUNCTION my_own() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE RULE quiet AS ON DELETE TO notes DO INSTEAD NOTHING",
        "ALTER TABLE prompt_runs SET (autovacuum_vacuum_scale_factor = 0.01)",
        "ALTER TABLE prompt_runs ALTER COLUMN prompt_id SET STATISTICS 500",
        "ALTER TABLE journal_entries ENABLE ALWAYS TRIGGER journal_entries_no_change",
        "COMMENT ON TABLE journal_entries IS 'the journal'",
        "ANALYZE",
    ],
}


def told(connection: Connection, book: PriceBook) -> list[str]:
    return [
        sentence
        for invariant in (constraints_hold, ledger_is_append_only)
        for sentence in invariant(connection, book.plans).violations
    ]


def told_after(engine: Engine, statements: Sequence[str], book: PriceBook) -> list[str]:
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        try:
            return told(connection, book)
        finally:
            connection.rollback()
            connection.invalidate()


def matches(sentences: list[str], expected: list[str]) -> None:
    assert len(sentences) == len(expected), sentences
    assert [part for part in expected if not any(part in sentence for sentence in sentences)] == [], sentences


@pytest.mark.parametrize("done", ON_SQLITE)
def test_a_changed_schema_is_told_on_sqlite(sqlite_engine: Engine, book: PriceBook, done: str) -> None:
    rows.small_world(sqlite_engine)
    statements, expected = ON_SQLITE[done]
    if "anew" in done:
        with sqlite_engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS user_credits_no_delete")
            before = told(connection, book)
        statements = ["PRAGMA defer_foreign_keys = ON", *statements]
        expected = [*expected, *before]
    sentences = told_after(sqlite_engine, statements, book)
    if "anew" in done:  # its triggers went with it
        sentences = [said for said in sentences if not re.search("trigger user_credits_.* is missing", said)]
        expected = [said for said in expected if not re.search("trigger user_credits_.* is missing", said)]
    matches(sentences, expected)


@pytest.mark.parametrize("done", ON_POSTGRES)
def test_a_changed_schema_is_told_on_postgresql(postgres_engine: Engine, book: PriceBook, done: str) -> None:
    statements, expected = ON_POSTGRES[done]
    matches(told_after(postgres_engine, statements, book), expected)


def test_what_does_not_act_on_the_ledger_is_nobodys_business(engine: Engine, book: PriceBook) -> None:
    assert told_after(engine, HARMLESS[engine.dialect.name], book) == []


def test_what_is_expected_is_what_the_migrations_make(engine: Engine) -> None:
    with engine.connect() as connection:
        found = described.described(connection).texts
    expected = described.expected(engine.dialect.name)
    assert found == expected, "run: python -m scripts.describe_schema"


def test_every_named_thing_of_the_schema_is_compared(engine: Engine) -> None:
    parts = described.expected(engine.dialect.name)

    def of_kind(kind: str) -> set[str]:
        return {part.name for part in parts if part.kind == kind}

    keys = {name for name in of_kind("constraint") if name.startswith("pk_") or name == "alembic_version_pkc"}
    assert of_kind("table") == TABLES
    assert of_kind("constraint") == CHECKS | UNIQUE_KEYS | FOREIGN_KEYS | keys
    assert len(keys) == len(TABLES)
    assert of_kind("index") == INDEXES
    assert of_kind("trigger") == TRIGGERS[engine.dialect.name]
    assert {part.table for part in parts if part.kind == "column"} == TABLES


def test_a_ledger_in_a_schema_of_another_name_is_the_same(postgres_engine: Engine, book: PriceBook) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text('CREATE SCHEMA "Own Schema"'))
    url = postgres_engine.url.update_query_dict({"options": '-csearch_path="Own\\ Schema"'})
    with database.opened(url.render_as_string(hide_password=False)) as engine:
        database.migrate(engine)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_schema()")).scalar_one() == "Own Schema"
            assert told(connection, book) == []


def test_a_table_that_is_gone_is_told_once(sqlite_engine: Engine, book: PriceBook) -> None:
    assert told_after(sqlite_engine, ["DROP TABLE daily_works"], book) == ["the table daily_works is missing"]


def test_strings_and_comments_do_not_confuse_the_parts_of_a_table() -> None:
    sql = "CREATE TABLE t (a TEXT DEFAULT ',)' /* , b */, \"b,\" INTEGER, CHECK (a <> '(' AND b IN (1, 2)))"
    parts = dict(described._parts_of_table("t", sql))
    assert parts == {
        Part("column", "t", "a"): "a TEXT DEFAULT ',)' /* , b */",
        Part("column", "t", "b,"): '"b," INTEGER',
        Part("constraint", "t", "CHECK (a <> '(' AND b IN (1, 2))"): "CHECK (a <> '(' AND b IN (1, 2))",
        Part("table", "t", "t"): "CREATE TABLE t (...)",
    }
