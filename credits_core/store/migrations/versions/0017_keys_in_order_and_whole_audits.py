"""The order of idempotency keys, and whether an audit checked everything.

On PostgreSQL the keys are now in the order of their bytes, as on SQLite. The keys of one batch begin alike; in the order
of a dictionary they do not stand together in the index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    id_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("audit_runs", sa.Column("since_entry_id", id_, server_default="0", nullable=False))
    if op.get_context().dialect.name == "postgresql":  # makes the index anew; the rows stay as they are
        op.alter_column("journal_entries", "idempotency_key", type_=sa.String(length=400, collation="C"))
