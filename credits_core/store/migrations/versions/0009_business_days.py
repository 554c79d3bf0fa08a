"""The time zone whose days the daily totals have. Until now they were days in UTC."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.add_column(
            "rollup_watermark", sa.Column("time_zone", sa.String(length=80), nullable=False, server_default="UTC")
        )
        return
    # Made anew, because SQLite would write the new column behind the constraints. The table has no triggers.
    op.execute("ALTER TABLE rollup_watermark RENAME TO rollup_watermark_before")
    op.create_table(
        "rollup_watermark",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.String(length=80), server_default="UTC", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_rollup_watermark_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_watermark")),
    )
    op.execute("INSERT INTO rollup_watermark (id, entry_id) SELECT id, entry_id FROM rollup_watermark_before")
    op.drop_table("rollup_watermark_before")
