"""The parts of a user's credits, and holds: credits set aside for a run whose cost is not known yet.

A part is an account beside the user's own, such as `ada:held`, so accounts have longer names, and there are two new kinds
of entry and transaction. Of a hold only its end is written to it, once; nothing else of it changes, and none is deleted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENTRY_TYPES = "type = 'prompt_run' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund'"
_TYPES = "type = 'prompt_run' OR type = 'inference_cost' OR type = 'platform_revenue' OR type = 'creator_payment' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund'"
_MORE_TYPES = " OR type = 'transfer' OR type = 'expiry'"
_NOT_NEGATIVE = "balance_after_credits >= 0"
_OR_DEBT = " OR account_id LIKE '%:debt'"
_HOLD = (
    *("id", "user_id", "prompt_id", "model_id", "asked_model", "creator_id", "creator_fee_credits", "input_tokens"),
    *("output_tokens", "usage", "service_tier", "asked_credits", "held_credits", "plan_id", "price_list_id"),
    *("created_at_us", "expires_at_us"),
)
_WORDS = {
    "user_parts": "user_parts keeps every part of a user: only its balance changes",
    "holds": "holds keeps every hold: only its end is written to it, once",
    "hold_ends": "hold_ends is append-only: post a new entry instead",
}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _widen_postgres()
    else:
        _widen_sqlite()
    op.add_column("user_credits", sa.Column("has_parts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "user_parts",
        sa.Column("account_id", sa.String(length=144), nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("balance_credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            r"account_id = user_id || '\:held' OR account_id = user_id || '\:frozen' OR account_id = user_id || '\:waiting' OR account_id = user_id || '\:payable' OR account_id = user_id || '\:reserved' OR account_id = user_id || '\:in_payout' OR account_id = user_id || '\:debt'",
            name=op.f("ck_user_parts_part_known"),
        ),
        sa.CheckConstraint(
            r"balance_credits BETWEEN 0 AND 9007199254740991 OR (account_id LIKE '%\:debt' AND balance_credits BETWEEN -9007199254740991 AND 0)",
            name=op.f("ck_user_parts_balance_in_bounds"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_user_parts_user_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_user_parts")),
        sqlite_with_rowid=False,
    )
    _create_holds()
    if op.get_context().dialect.name == "postgresql":
        _guard_postgres()
    else:
        _guard_sqlite()


def _widen_postgres() -> None:
    op.alter_column("credit_transactions", "account_id", type_=sa.String(length=144))
    op.alter_column("daily_totals", "account_id", type_=sa.String(length=144))
    for table, name, words in (
        ("journal_entries", "type_known", _ENTRY_TYPES + _MORE_TYPES),
        ("credit_transactions", "type_known", _TYPES + _MORE_TYPES),
        ("credit_transactions", "balance_not_negative", _NOT_NEGATIVE + _OR_DEBT),
    ):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, words.replace(":", "\\:"))


def _widen_sqlite() -> None:
    # SQLite cannot change a constraint, and making these tables anew would copy the whole ledger, while others refer to
    # them. So the words of the tables are changed where SQLite keeps them, as its manual allows where no row that is
    # there breaks the new words (lang_altertable.html, section 7). The tables made below tell other connections.
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    longer_name = ("account_id VARCHAR(128)", "account_id VARCHAR(144)")
    for table, changes in {
        "journal_entries": [(f"({_ENTRY_TYPES})", f"({_ENTRY_TYPES}{_MORE_TYPES})")],
        "credit_transactions": [
            longer_name,
            (f"({_TYPES})", f"({_TYPES}{_MORE_TYPES})"),
            (f"({_NOT_NEGATIVE})", f"({_NOT_NEGATIVE}{_OR_DEBT})"),
        ],
        "daily_totals": [longer_name],
    }.items():
        of_table = "type = 'table' AND name = ?"
        (sql,) = bind.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE {of_table}", (table,)).one()
        for before, after in changes:
            assert sql.count(before) == 1, f"{table} has {before!r} once"
            sql = sql.replace(before, after)
        bind.exec_driver_sql(f"UPDATE sqlite_master SET sql = ? WHERE {of_table}", (sql, table))
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("prompt_id", sa.String(length=128), nullable=False),
        sa.Column("model_id", sa.String(length=128), nullable=False),
        sa.Column("asked_model", sa.String(length=128), nullable=True),
        sa.Column("creator_id", sa.String(length=128), nullable=True),
        sa.Column("creator_fee_credits", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage", sa.Text(), nullable=True),
        sa.Column("service_tier", sa.String(length=32), nullable=True),
        sa.Column("asked_credits", sa.BigInteger(), nullable=True),
        sa.Column("held_credits", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("price_list_id", _KEY, nullable=True),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_by_entry_id", _KEY, nullable=True),
        sa.CheckConstraint("held_credits > 0", name=op.f("ck_holds_credits_positive")),
        sa.CheckConstraint(
            "asked_credits IS NULL OR asked_credits = held_credits", name=op.f("ck_holds_asked_is_held")
        ),
        sa.CheckConstraint("(creator_fee_credits = 0) = (creator_id IS NULL)", name=op.f("ck_holds_fee_has_creator")),
        sa.CheckConstraint("expires_at_us > created_at_us", name=op.f("ck_holds_expires_later")),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_holds_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_holds_user_id")),
        sa.ForeignKeyConstraint(["price_list_id"], ["price_lists.id"], name=op.f("fk_holds_price_list_id")),
        sa.ForeignKeyConstraint(["ended_by_entry_id"], ["journal_entries.id"], name=op.f("fk_holds_ended_by_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    is_open = sa.text("ended_by_entry_id IS NULL")
    op.create_index("ix_holds_open", "holds", ["expires_at_us"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("ix_holds_user_id", "holds", ["user_id", "id"])
    op.create_table(
        "hold_ends",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("hold_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("run_entry_id", _KEY, nullable=True),
        sa.CheckConstraint(
            "kind = 'captured' OR kind = 'released' OR kind = 'expired'", name=op.f("ck_hold_ends_kind_known")
        ),
        sa.CheckConstraint(
            "(kind = 'captured') = (run_entry_id IS NOT NULL)", name=op.f("ck_hold_ends_captured_has_run")
        ),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_hold_ends_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name=op.f("fk_hold_ends_hold_id")),
        sa.ForeignKeyConstraint(["run_entry_id"], ["journal_entries.id"], name=op.f("fk_hold_ends_run_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold_ends")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_hold_ends_hold_id")),
        sa.UniqueConstraint("run_entry_id", name=op.f("uq_hold_ends_run_entry_id")),
    )


def _hold_changes(differs: str) -> str:
    others = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in _HOLD)
    return f"OLD.ended_by_entry_id IS NOT NULL OR {others}"


def _guard_postgres() -> None:
    changes = {
        "user_parts": (
            " OF account_id, user_id",
            "NEW.account_id <> OLD.account_id OR NEW.user_id <> OLD.user_id",
        ),
        "holds": ("", _hold_changes("IS DISTINCT FROM")),
    }
    for table, (of_columns, changes_more) in changes.items():
        op.execute(
            f"CREATE FUNCTION refuse_change_of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'UPDATE' THEN IF NOT ({changes_more}) THEN RETURN NEW; END IF; END IF; "
            f"RAISE EXCEPTION '{_WORDS[table]}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE DELETE OR UPDATE{of_columns} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION refuse_change_of_{table}()"
        )
    op.execute(
        "CREATE TRIGGER hold_ends_no_change BEFORE UPDATE OR DELETE ON hold_ends "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    for table in _WORDS:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _guard_sqlite() -> None:
    updates = {
        "user_parts": (
            "UPDATE OF account_id, user_id",
            "WHEN NEW.account_id IS NOT OLD.account_id OR NEW.user_id IS NOT OLD.user_id ",
        ),
        "holds": ("UPDATE", f"WHEN {_hold_changes('IS NOT')} "),
        "hold_ends": ("UPDATE", ""),
    }
    same_row = {
        "user_parts": "account_id = NEW.account_id",
        "holds": "id = NEW.id",
        "hold_ends": "id = NEW.id OR hold_id = NEW.hold_id OR run_entry_id = NEW.run_entry_id",
    }
    for table, words in _WORDS.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        update, when = updates[table]
        op.execute(f"CREATE TRIGGER {table}_no_update BEFORE {update} ON {table} {when}{refuse}")
        op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
        op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row[table]}) {refuse}"
        )
