"""Refunds in parts: a kind of entry that leaves something to refund, and a row for each part.

Journal entries keep their unique `refunds_entry_id`: an entry is refunded to its end once, and parts before that name it
in their own table. So the largest table is not copied, and a charge writes what it wrote before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ENTRY_TYPES = "type = 'prompt_run' OR type = 'flow_unlock' OR type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'refund' OR type = 'transfer' OR type = 'expiry' OR type = 'bonus' OR type = 'reversal' OR type = 'payout'"
_MORE_TYPES = " OR type = 'partial_refund'"
_TABLE = "partial_refunds"


def upgrade() -> None:
    is_postgres = op.get_context().dialect.name == "postgresql"
    if is_postgres:
        op.drop_constraint(op.f("ck_journal_entries_type_known"), "journal_entries", type_="check")
        op.create_check_constraint(op.f("ck_journal_entries_type_known"), "journal_entries", _ENTRY_TYPES + _MORE_TYPES)
    else:
        _widen_sqlite()
    op.create_table(
        _TABLE,
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("original_id", _KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("refunded_credits", sa.BigInteger(), nullable=False),
        sa.Column("through_credits", sa.BigInteger(), nullable=False),
        sa.Column("fee_credits", sa.BigInteger(), nullable=False),
        sa.Column("share_credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "number >= 1 AND refunded_credits >= 1 AND through_credits BETWEEN refunded_credits AND 9007199254740991",
            name=op.f("ck_partial_refunds_part_in_bounds"),
        ),
        sa.CheckConstraint(
            "(number = 1) = (through_credits = refunded_credits)",
            name=op.f("ck_partial_refunds_first_begins_at_nothing"),
        ),
        sa.CheckConstraint(
            "fee_credits BETWEEN 0 AND refunded_credits AND share_credits BETWEEN 0 AND refunded_credits",
            name=op.f("ck_partial_refunds_fee_in_bounds"),
        ),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_partial_refunds_id")),
        sa.ForeignKeyConstraint(["original_id"], ["journal_entries.id"], name=op.f("fk_partial_refunds_original_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partial_refunds")),
        sa.UniqueConstraint("original_id", "number", name=op.f("uq_partial_refunds_number")),
    )
    if is_postgres:
        for name, when, each in (("no_change", "UPDATE OR DELETE", "ROW"), ("no_truncate", "TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_{name} BEFORE {when} ON {_TABLE}"
                f" FOR EACH {each} EXECUTE FUNCTION refuse_change()"
            )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_TABLE} is append-only: post a new entry instead'); END"
    op.execute(f"CREATE TRIGGER {_TABLE}_no_update BEFORE UPDATE ON {_TABLE} {refuse}")
    op.execute(f"CREATE TRIGGER {_TABLE}_no_delete BEFORE DELETE ON {_TABLE} {refuse}")
    op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
        f"CREATE TRIGGER {_TABLE}_no_replace BEFORE INSERT ON {_TABLE} WHEN EXISTS (SELECT 1 FROM {_TABLE}"
        f" WHERE id = NEW.id OR (original_id = NEW.original_id AND number = NEW.number)) {refuse}"
    )


def _widen_sqlite() -> None:
    # As in migration 0020: the words of the table are changed where SQLite keeps them.
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA writable_schema = ON")
    of_table = "type = 'table' AND name = 'journal_entries'"
    (sql,) = bind.exec_driver_sql(f"SELECT sql FROM sqlite_master WHERE {of_table}").one()
    assert sql.count(f"({_ENTRY_TYPES})") == 1, "journal_entries has the known types once"
    sql = sql.replace(f"({_ENTRY_TYPES})", f"({_ENTRY_TYPES}{_MORE_TYPES})")
    bind.exec_driver_sql(f"UPDATE sqlite_master SET sql = ? WHERE {of_table}", (sql,))
    bind.exec_driver_sql("PRAGMA writable_schema = RESET")
