"""The order of idempotency keys on PostgreSQL, which is now that of their bytes, as on SQLite.

The keys of one batch begin alike. In the order of a dictionary they do not stand together in the index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":  # makes the index anew; the rows stay as they are
        op.alter_column("journal_entries", "idempotency_key", type_=sa.String(length=400, collation="C"))
