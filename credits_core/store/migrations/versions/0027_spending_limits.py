"""Spending limits: how many credits a user, or whoever has an API key, may spend in a day or a month."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "spending_limits",
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("limit_credits", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("begins_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("spent_credits", sa.BigInteger(), nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("set_at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("period = 'day' OR period = 'month'", name=op.f("ck_spending_limits_period_known")),
        sa.CheckConstraint(
            "limit_credits BETWEEN 0 AND 9007199254740991", name=op.f("ck_spending_limits_limit_in_bounds")
        ),
        sa.CheckConstraint("spent_credits >= 0", name=op.f("ck_spending_limits_spent_not_negative")),
        sa.CheckConstraint("begins_us < ends_us", name=op.f("ck_spending_limits_period_lasts")),
        sa.PrimaryKeyConstraint("subject", "period", name=op.f("pk_spending_limits")),
        sqlite_with_rowid=False,
    )
