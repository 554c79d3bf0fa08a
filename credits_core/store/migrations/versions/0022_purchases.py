"""Purchases: what users buy through a gateway, what the gateway says of it, what the ledger did, and the receipts.

There are two new kinds of entry and transaction: a bonus that comes with a purchase, and the reversal of what a purchase
added. All of it is history and never changes, except what the embedded gateway remembers of what it has told.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENTRY_TYPES = "type = 'prompt_run' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund' OR type = 'transfer' OR type = 'expiry'"
_TYPES = "type = 'prompt_run' OR type = 'inference_cost' OR type = 'platform_revenue' OR type = 'creator_payment' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund' OR type = 'transfer' OR type = 'expiry'"
_MORE_TYPES = " OR type = 'bonus' OR type = 'reversal'"
_SAME_ROW = {
    "purchases": "id = NEW.id OR idempotency_key = NEW.idempotency_key",
    "purchase_events": "id = NEW.id OR (gateway = NEW.gateway AND event_id = NEW.event_id)",
    "purchase_moves": "id = NEW.id",
    "purchase_receipts": "id = NEW.id OR purchase_id = NEW.purchase_id",
}


def upgrade() -> None:
    is_postgres = op.get_context().dialect.name == "postgresql"
    if is_postgres:
        for table, words in (("journal_entries", _ENTRY_TYPES), ("credit_transactions", _TYPES)):
            op.drop_constraint(op.f(f"ck_{table}_type_known"), table, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_type_known"), table, words + _MORE_TYPES)
    else:
        _widen_sqlite()
    _create_purchases()
    _create_events()
    _create_moves()
    op.create_table(
        "purchase_receipts",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("purchase_id", _KEY, nullable=False),
        sa.Column("issued_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_purchase_receipts_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_receipts")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_purchase_receipts_purchase_id")),
    )
    _create_sandbox()
    for table, same_row in _SAME_ROW.items():
        (_guard_postgres if is_postgres else _guard_sqlite)(table, same_row)


def _widen_sqlite() -> None:
    # As in migration 0020: the words of the tables are changed where SQLite keeps them.
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    for table, words in (("journal_entries", _ENTRY_TYPES), ("credit_transactions", _TYPES)):
        of_table = "type = 'table' AND name = ?"
        (sql,) = bind.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE {of_table}", (table,)).one()
        assert sql.count(f"({words})") == 1, f"{table} has the known types once"
        sql = sql.replace(f"({words})", f"({words}{_MORE_TYPES})")
        bind.exec_driver_sql(f"UPDATE sqlite_master SET sql = ? WHERE {of_table}", (sql, table))
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")


def _create_purchases() -> None:
    key = sa.String(length=400).with_variant(sa.String(length=400, collation="C"), "postgresql")
    op.create_table(
        "purchases",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("pack_id", sa.String(length=64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("bonus_credits", sa.BigInteger(), nullable=False),
        sa.Column("bonus_days", sa.Integer(), nullable=True),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", key, nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_minor > 0 AND fee_minor >= 0", name=op.f("ck_purchases_price_positive")),
        sa.CheckConstraint("credits BETWEEN 1 AND 9007199254740991", name=op.f("ck_purchases_credits_in_bounds")),
        sa.CheckConstraint("bonus_credits BETWEEN 0 AND 9007199254740991", name=op.f("ck_purchases_bonus_in_bounds")),
        sa.CheckConstraint("bonus_days IS NULL OR bonus_credits > 0", name=op.f("ck_purchases_days_of_bonus")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_purchases_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchases")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_purchases_idempotency_key")),
    )
    op.create_index("ix_purchases_user_id", "purchases", ["user_id", "id"])


def _create_events() -> None:
    op.create_table(
        "purchase_events",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("purchase_id", _KEY, nullable=False),
        sa.Column("gateway", sa.String(length=16), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("happened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.CheckConstraint(
            "kind = 'opened' OR kind = 'pending' OR kind = 'paid' OR kind = 'declined' OR kind = 'expired' OR kind = 'refunded' OR kind = 'refund_failed' OR kind = 'disputed' OR kind = 'won' OR kind = 'lost'",
            name=op.f("ck_purchase_events_kind_known"),
        ),
        sa.CheckConstraint(
            "amount_minor >= 0 AND fee_minor >= 0", name=op.f("ck_purchase_events_amounts_not_negative")
        ),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_purchase_events_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_events")),
        sa.UniqueConstraint("gateway", "event_id", name=op.f("uq_purchase_events_event_id")),
    )
    op.create_index("ix_purchase_events_purchase_id", "purchase_events", ["purchase_id", "id"])
    op.create_index("ix_purchase_events_happened_at_us", "purchase_events", ["happened_at_us"])


def _create_moves() -> None:
    op.create_table(
        "purchase_moves",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("purchase_id", _KEY, nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("lot", _KEY, nullable=False),
        sa.Column("is_bonus", sa.Boolean(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "step = 'granted' OR step = 'frozen' OR step = 'thawed' OR step = 'taken' OR step = 'returned' OR step = 'lent' OR step = 'repaid'",
            name=op.f("ck_purchase_moves_step_known"),
        ),
        sa.CheckConstraint("credits > 0", name=op.f("ck_purchase_moves_credits_positive")),
        sa.CheckConstraint("step <> 'granted' OR lot = id", name=op.f("ck_purchase_moves_granted_is_lot")),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_purchase_moves_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_purchase_moves_purchase_id")),
        sa.ForeignKeyConstraint(["lot"], ["journal_entries.id"], name=op.f("fk_purchase_moves_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_moves")),
    )
    op.create_index("ix_purchase_moves_purchase_id", "purchase_moves", ["purchase_id", "id"])


def _create_sandbox() -> None:
    op.create_table(
        "sandbox_events",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("purchase_id", _KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("happened_at_us", sa.BigInteger(), nullable=False),
        sa.Column("is_lost", sa.Boolean(), nullable=False),
        sa.Column("told_at_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_sandbox_events_purchase_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_events")),
    )
    op.create_index("ix_sandbox_events_purchase_id", "sandbox_events", ["purchase_id", "id"])


def _guard_postgres(table: str, _: str) -> None:
    for name, when, each in (("no_change", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER {table}_{name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"
        )


def _guard_sqlite(table: str, same_row: str) -> None:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row}) {refuse}"
    )
