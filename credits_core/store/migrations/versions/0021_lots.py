"""Lots: when added credits expire, and for users who have such credits, what is left of which and what drew on which.

When credits expire is history and never changes. What is left follows from the journal.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LEFT = "left_credits > 0 AND expires_at_us IS NOT NULL"
_WORDS = "lot_terms is append-only: post a new entry instead"


def upgrade() -> None:
    op.add_column("user_credits", sa.Column("has_lots", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "lot_terms",
        sa.Column("id", _KEY, autoincrement=False, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("expires_at_us > 0", name=op.f("ck_lot_terms_expires")),
        sa.ForeignKeyConstraint(["id"], ["journal_entries.id"], name=op.f("fk_lot_terms_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_terms")),
    )
    op.create_table(
        "lots",
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=True),
        sa.Column("left_credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("left_credits >= 0", name=op.f("ck_lots_left_not_negative")),
        sa.ForeignKeyConstraint(["user_id"], ["user_credits.user_id"], name=op.f("fk_lots_user_id")),
        sa.PrimaryKeyConstraint("user_id", "number", name=op.f("pk_lots")),
        sqlite_with_rowid=False,
    )
    is_left = sa.text(_LEFT)
    op.create_index("ix_lots_expires_at_us", "lots", ["expires_at_us"], sqlite_where=is_left, postgresql_where=is_left)
    op.create_table(
        "lot_draws",
        sa.Column("entry_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("lot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("credits <> 0", name=op.f("ck_lot_draws_credits_moved")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_lot_draws_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", "position", "lot", name=op.f("pk_lot_draws")),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER lot_terms_no_change BEFORE UPDATE OR DELETE ON lot_terms "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER lot_terms_no_truncate BEFORE TRUNCATE ON lot_terms "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END"
    op.execute(f"CREATE TRIGGER lot_terms_no_update BEFORE UPDATE ON lot_terms {refuse}")
    op.execute(f"CREATE TRIGGER lot_terms_no_delete BEFORE DELETE ON lot_terms {refuse}")
    op.execute(  # as in the first migration, it stands against INSERT OR REPLACE
        "CREATE TRIGGER lot_terms_no_replace BEFORE INSERT ON lot_terms "
        f"WHEN EXISTS (SELECT 1 FROM lot_terms WHERE id = NEW.id) {refuse}"
    )
