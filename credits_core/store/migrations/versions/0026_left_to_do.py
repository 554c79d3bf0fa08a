"""What is left to do: events of purchases that are not carried out yet, users of whom an endpoint is told later, and
when operators are told again of low balances.

Of events of purchases that are there already, the newest one of each purchase is marked from which more may follow than
was done: the next run of the job for payments looks at each once. Nothing changes where all was done.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MAY_BE_LEFT = """
INSERT INTO events_to_settle (event_id, purchase_id)
SELECT MAX(id), purchase_id FROM purchase_events
WHERE kind IN ('refunded', 'refund_failed', 'disputed', 'won', 'lost') OR (kind = 'paid' AND NOT EXISTS (
    SELECT 1 FROM purchase_moves WHERE purchase_moves.purchase_id = purchase_events.purchase_id
))
GROUP BY purchase_id
"""


def upgrade() -> None:
    op.create_table(
        "events_to_settle",
        sa.Column("event_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("purchase_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["purchase_events.id"], name=op.f("fk_events_to_settle_event_id")),
        sa.ForeignKeyConstraint(["purchase_id"], ["purchases.id"], name=op.f("fk_events_to_settle_purchase_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_events_to_settle")),
    )
    op.execute(_MAY_BE_LEFT)
    op.create_table(
        "webhook_held_users",
        sa.Column("endpoint_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.String(length=128), nullable=False),
        sa.Column("after_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("after_event_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_held_users_endpoint_id")
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "user_id", name=op.f("pk_webhook_held_users")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_webhook_events_user_id", "webhook_events", ["user_id", "id"])
    op.add_column("low_balance_progress", sa.Column("failed_tries", sa.Integer(), nullable=True))
    op.add_column("low_balance_progress", sa.Column("next_try_at_us", sa.BigInteger(), nullable=True))
