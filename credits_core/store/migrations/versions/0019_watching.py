"""What is wrong now, what watching the credits found, and the works of a creator by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "alerts",
        sa.Column("id", id_, nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("counts_from_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("told_at_us", sa.BigInteger(), nullable=True),
        sa.Column("end_told_at_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    is_now = sa.text("ended_at_us IS NULL")
    op.create_index("uq_alerts_name_now", "alerts", ["name"], unique=True, sqlite_where=is_now, postgresql_where=is_now)
    op.create_table(
        "alert_samples",
        sa.Column("taken_at_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("circulating_credits", sa.BigInteger(), nullable=False),
        sa.Column("margin_credits", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("taken_at_us", name=op.f("pk_alert_samples")),
    )
    op.create_table(
        "watch_findings",
        sa.Column("id", id_, nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.Column("found_at_us", sa.BigInteger(), nullable=False),
        sa.Column("looked_at_us", sa.BigInteger(), nullable=True),
        sa.Column("looked_by", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(looked_at_us IS NULL) = (looked_by IS NULL) AND (looked_at_us IS NULL) = (note IS NULL)",
            name=op.f("ck_watch_findings_looked_at_by_somebody"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_findings")),
    )
    op.create_index("uq_watch_findings_once", "watch_findings", ["rule", "subject", "day"], unique=True)
    waits = sa.text("looked_at_us IS NULL")
    op.create_index("ix_watch_findings_waiting", "watch_findings", ["id"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "watch_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_watch_progress_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_progress")),
    )
    op.create_table(
        "watch_key_days",
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("most_users", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "day", name=op.f("pk_watch_key_days")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_daily_works_creator_id", "daily_works", ["creator_id", "day"])
