"""Sums by day that do not grow with the number of users; an index for the rare types of transaction.

The daily totals begin anew, because the new tables have to cover what they cover: the next start fills all of them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "daily_sums",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=32), nullable=False),
        sa.Column("entry_type", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("received_credits", sa.BigInteger(), nullable=False),
        sa.Column("given_credits", sa.BigInteger(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.Column("first_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "party", "entry_type", "type", name=op.f("pk_daily_sums")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "daily_works",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_type", sa.String(length=32), nullable=False),
        sa.Column("work_id", sa.String(length=128), nullable=False),
        sa.Column("creator_id", sa.String(length=128), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("fees_credits", sa.BigInteger(), nullable=False),
        sa.Column("creator_share_credits", sa.BigInteger(), nullable=False),
        sa.Column("refunded_uses", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fees_credits", sa.BigInteger(), nullable=False),
        sa.Column("refunded_share_credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "entry_type", "work_id", "creator_id", "plan_id", name=op.f("pk_daily_works")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_daily_totals_account_id", "daily_totals", ["account_id", "type"], unique=False)
    op.create_index(
        "ix_daily_totals_payments",
        "daily_totals",
        ["day", "account_id"],
        unique=False,
        sqlite_where=sa.text("type = 'creator_payment'"),
        postgresql_where=sa.text("type = 'creator_payment'"),
    )
    op.create_index(
        "ix_credit_transactions_rare",
        "credit_transactions",
        ["type", "entry_id", "position"],
        unique=False,
        sqlite_where=sa.text(RARE),
        postgresql_where=sa.text(RARE),
    )
    op.execute("DELETE FROM daily_totals")
    if op.get_context().dialect.name == "postgresql":
        op.execute("UPDATE rollup_watermark SET entry_id = 0")
        op.add_column(
            "rollup_watermark", sa.Column("circulating_credits", sa.BigInteger(), nullable=False, server_default="0")
        )
        return
    # Made anew, because SQLite would write the new column behind the constraints. The table has no triggers.
    op.execute("ALTER TABLE rollup_watermark RENAME TO rollup_watermark_before")
    op.create_table(
        "rollup_watermark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(length=80), server_default="UTC", nullable=False),
        sa.Column("circulating_credits", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_rollup_watermark_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_watermark")),
    )
    op.execute(
        "INSERT INTO rollup_watermark (id, entry_id, time_zone) SELECT id, 0, time_zone FROM rollup_watermark_before"
    )
    op.drop_table("rollup_watermark_before")


RARE = "type <> 'prompt_run' AND type <> 'inference_cost' AND type <> 'platform_revenue' AND type <> 'creator_payment'"
